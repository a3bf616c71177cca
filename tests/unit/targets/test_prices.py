from __future__ import annotations

from pathlib import Path

import pytest

from retest.domain.sample import Usage
from retest.errors import SettingsError
from retest.targets.prices import Price, PriceTable, load_prices

USAGE = Usage(input_tokens=1_000_000, output_tokens=1_000_000)
TABLE = PriceTable(prices={"m": Price(input=1, output=10, cached_input=0.5), "m-big": Price(input=2, output=20)})


def test_cost_is_per_million_tokens() -> None:
    """A million tokens each way cost the two prices together."""
    assert TABLE.cost(USAGE, "m") == 11


def test_cached_tokens_have_their_own_price() -> None:
    """Cached prompt tokens are charged at the cached price, the rest at the full one."""
    usage = Usage(input_tokens=1_000_000, output_tokens=0, cached_tokens=400_000)
    assert TABLE.cost(usage, "m") == pytest.approx(0.6 * 1 + 0.4 * 0.5)


def test_more_cached_tokens_than_prompt_tokens_cannot_lower_the_cost_below_the_cached_price() -> None:
    """A server that reports nonsense does not make a call cheaper than free prompts."""
    usage = Usage(input_tokens=1_000_000, output_tokens=0, cached_tokens=9_000_000)
    assert TABLE.cost(usage, "m") == pytest.approx(0.5)


def test_an_unknown_model_has_an_unknown_cost() -> None:
    """The cost is None, never 0."""
    assert TABLE.cost(USAGE, "other") is None


@pytest.mark.parametrize("usage", [Usage(), Usage(input_tokens=1), Usage(output_tokens=1)])
def test_unreported_tokens_have_an_unknown_cost(usage: Usage) -> None:
    """Where either count is missing the cost is unknown."""
    assert TABLE.cost(usage, "m") is None


@pytest.mark.parametrize("name", ["m-2024-07-18", "m-20240718", "m-0613", "m@20240718", "openai/m", "a/b/m-2024-07-18"])
def test_a_snapshot_or_vendor_prefix_has_the_models_price(name: str) -> None:
    """Dated snapshots and prefixed names are the same model."""
    assert TABLE.price(name) == TABLE.prices["m"]


@pytest.mark.parametrize("name", ["m-audio", "mm", "m-big-2", "", None])
def test_a_similar_name_is_another_model(name: str | None) -> None:
    """Only snapshots count as the same model."""
    assert TABLE.price(name) is None


def test_a_listed_snapshot_wins_over_its_model() -> None:
    """gpt-4o-2024-05-13 has its own price in the packaged table."""
    table = load_prices()
    assert table.price("gpt-4o-2024-05-13") != table.price("gpt-4o-2024-08-06") == table.price("gpt-4o")


def test_the_first_known_model_prices_a_call() -> None:
    """The returned model comes first, the asked-for one stands in."""
    assert TABLE.cost(USAGE, "unknown", "m-big") == 22


def test_a_prompt_beyond_the_tier_has_an_unknown_cost() -> None:
    """The dearer tier of long prompts is not guessed."""
    price = Price(input=1, output=1, up_to_input_tokens=100)
    assert price.cost(Usage(input_tokens=100, output_tokens=1)) is not None
    assert price.cost(Usage(input_tokens=101, output_tokens=1)) is None


def test_the_packaged_table_knows_common_models_and_its_date() -> None:
    """It can be loaded, is dated, and prices the usual models."""
    table = load_prices()
    assert table.as_of >= "2025"
    assert {"gpt-4o", "gpt-4o-mini", "gpt-4.1", "o4-mini", "gemini-2.5-flash"} <= set(table.prices)


def test_a_users_file_wins_model_by_model(tmp_path: Path) -> None:
    """An entry of the user's file replaces the packaged one; the others stay."""
    file = tmp_path / "prices.toml"
    file.write_text(
        '[models]\n"gpt-4o" = {input = 99, output = 1}\n"日本語モデル" = {input = 1, output = 1}\n', "utf-8"
    )
    table = load_prices().extended(load_prices(file))
    assert (table.prices["gpt-4o"].input, table.prices["日本語モデル"].input) == (99, 1)
    assert "gpt-4o-mini" in table.prices


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("models = [", "TOML"),
        ("[models.x]\ninput = -1\noutput = 1\n", "models.x.input"),
        ("[models.x]\ninput = 1\n", "models.x.output"),
        ("[models.x]\ninput = 1\noutput = nan\n", "models.x.output"),
        ("[models.x]\ninput = 1\noutput = 1\nprompt = 3\n", "models.x.prompt"),
        ("[prices]\n", "prices"),
    ],
)
def test_a_file_that_holds_no_prices_is_refused(tmp_path: Path, text: str, says: str) -> None:
    """The error names the entry."""
    file = tmp_path / "prices.toml"
    file.write_text(text, "utf-8")
    with pytest.raises(SettingsError, match=says.replace(".", r"\.")):
        load_prices(file)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """A configured price file that is not there is no silent empty table."""
    with pytest.raises(SettingsError, match=r"cannot read the price file"):
        load_prices(tmp_path / "none.toml")
