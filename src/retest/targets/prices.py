"""What calls cost: a table of prices that users extend. An unknown price is an unknown cost, never zero."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from retest.domain.sample import Usage
from retest.errors import Location, Problem, SettingsError

_PER_MILLION = 1e6
_BATCH_SHARE = 0.5
# What providers append to a model's name for one snapshot of it: -2024-07-18, -20250929, @20250929, -0613.
_SNAPSHOT = re.compile(r"[-@](\d{4}-\d{2}-\d{2}|\d{8}|\d{4})$")


class Price(BaseModel):
    """USD per million tokens of one model."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, defer_build=True)

    input: float = Field(ge=0, description="USD per million prompt tokens")
    output: float = Field(ge=0, description="USD per million completion tokens, reasoning included")
    cached_input: float | None = Field(default=None, ge=0, description="USD per million cached prompt tokens")
    up_to_input_tokens: int | None = Field(default=None, gt=0, description="longer prompts have an unknown price")
    batch_input: float | None = Field(default=None, ge=0, description="USD per million prompt tokens in a batch")
    batch_output: float | None = Field(default=None, ge=0, description="USD per million completion tokens in a batch")

    def by_batch(self) -> Price:
        """Return what calls in a batch cost: as listed, else half of what they cost otherwise."""
        cached = None if self.cached_input is None else self.cached_input * _BATCH_SHARE
        return self.model_copy(
            update={
                "input": self.input * _BATCH_SHARE if self.batch_input is None else self.batch_input,
                "output": self.output * _BATCH_SHARE if self.batch_output is None else self.batch_output,
                "cached_input": cached,
            }
        )

    def cost(self, usage: Usage) -> float | None:
        """Return USD for one call; None where tokens were not reported or the prompt is beyond the tier."""
        if usage.input_tokens is None or usage.output_tokens is None:
            return None
        if self.up_to_input_tokens is not None and usage.input_tokens > self.up_to_input_tokens:
            return None
        cached = min(usage.cached_tokens or 0, usage.input_tokens)
        cached_price = self.input if self.cached_input is None else self.cached_input
        plain = (usage.input_tokens - cached) * self.input
        return (plain + cached * cached_price + usage.output_tokens * self.output) / _PER_MILLION


class _PriceFile(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    as_of: str = ""
    models: dict[str, Price] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceTable:
    """Prices by model name; empty unless loaded, so that no cost is ever made up."""

    prices: Mapping[str, Price] = field(default_factory=dict)
    as_of: str = ""

    def price(self, model: str | None) -> Price | None:
        """Return the price of a model: by its full name, else without vendor prefix and snapshot date; None if unknown.

        ``gpt-4o-mini-2024-07-18`` has the price of ``gpt-4o-mini`` unless it is listed itself, and so has
        ``openai/gpt-4o-mini``. Other likenesses do not count: ``gpt-4o-mini-audio`` is another model.
        """
        if not model:
            return None
        short = model.rsplit("/", 1)[-1]
        names = (model, _SNAPSHOT.sub("", model), short, _SNAPSHOT.sub("", short))
        return next((self.prices[name] for name in names if name in self.prices), None)

    def cost(self, usage: Usage, *models: str | None) -> float | None:
        """Return USD for one call at the price of the first of `models` that is known; None if none is."""
        price = self.first(*models)
        return None if price is None else price.cost(usage)

    def first(self, *models: str | None) -> Price | None:
        """Return the price of the first of `models` that is known; None if none is."""
        return next((found for model in models if (found := self.price(model)) is not None), None)

    def extended(self, other: PriceTable) -> PriceTable:
        """Return this table with the entries of another, which win model by model."""
        return PriceTable(prices={**self.prices, **other.prices}, as_of=self.as_of)


def target_price(options: Mapping[str, object], model: str | None, prices: PriceTable) -> Price | None:
    """Return what a target's calls cost: its own option `price`, else what is listed of its model; None if unknown."""
    own = options.get("price")
    return prices.price(model) if own is None else Price.model_validate(own)


def load_prices(path: Path | None = None) -> PriceTable:
    """Return the table of a user's file alone (see `PriceTable.extended`); without a path, the packaged table.

    Raises:
        SettingsError: the file cannot be read or holds something that is no price.
    """
    if path is not None:
        return _parse(_read(path), str(path))
    return _parse(files("retest.targets").joinpath("prices.toml").read_text("utf-8"), "prices.toml")


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise _price_error(str(path), f"cannot read the price file: {error}") from error


def _parse(text: str, path: str) -> PriceTable:
    try:
        parsed = _PriceFile.model_validate(tomllib.loads(text))
    except ValidationError as error:
        found = tuple(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        raise _price_error(path, "the price file has entries that are no prices", found) from error
    except (ValueError, RecursionError) as error:  # no TOML, a number of 5,000 digits, a thousand brackets
        raise _price_error(path, f"the price file is no valid TOML: {error}") from error
    return PriceTable(prices=parsed.models, as_of=parsed.as_of)


def _price_error(path: str, message: str, details: tuple[str, ...] = ()) -> SettingsError:
    return SettingsError(
        Problem(
            slug="price-file",
            message=message,
            where=Location(path=path),
            details=details,
            fix='write [models."NAME"] with input and output in USD per million tokens (docs/targets.md, Prices)',
        )
    )
