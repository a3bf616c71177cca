"""Calibrations as files beside judge definitions: JSON that a person can review and git can compare."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from retest.domain.calibration import Calibration, Figure
from retest.domain.judge import JudgeDefinition
from retest.errors import Location, Problem, UsageError
from retest.workflows.whole_files import write_whole

FORMAT_VERSION = 1
# 1: {"retest_calibration": 1, "calibrations": [...]}, one entry for each definition hash, judge, field and data.

_DIGITS = 4
_FOLDER = "judges"
_NUMBERS = re.compile(r"\[\n\s+([-0-9.enul,\s]+?)\s+\]")


def calibration_path(definition: JudgeDefinition, cwd: Path) -> Path:
    """Return where a definition's calibrations are kept: beside its file; in ``judges/`` for one that is packaged."""
    if definition.path is not None:
        path = cwd / definition.path
        return path.with_name(f"{path.stem}.calibration.json")
    return cwd / _FOLDER / f"{definition.name}.{definition.language}.calibration.json"


def read_calibrations(path: Path, display: str) -> tuple[Calibration, ...]:
    """Return what a calibration file holds; nothing where there is none.

    Raises:
        UsageError: it is no calibration file, or of a newer format.
    """
    try:
        document = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return ()
    except (OSError, ValueError, RecursionError) as error:
        raise _unreadable(display, f"it cannot be read: {error}") from None
    if not isinstance(document, dict) or not isinstance(document.get("retest_calibration"), int):
        raise _unreadable(display, "it is no calibration file")
    if document["retest_calibration"] > FORMAT_VERSION:
        raise _unreadable(display, f"its format {document['retest_calibration']} is newer than this retest")
    try:
        return tuple(_calibration(entry) for entry in document["calibrations"])
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise _unreadable(display, f"an entry is damaged: {type(error).__name__} {error}") from None


def _unreadable(display: str, reason: str) -> UsageError:
    return UsageError(
        Problem(
            slug="calibration-unreadable",
            message=f"cannot use the calibration file: {reason}",
            where=Location(path=display),
            fix="write it anew with `retest judge calibrate`, or take it from git",
        )
    )


def save_calibration(path: Path, display: str, new: Calibration) -> None:
    """Write a calibration into its file; it takes the place of an earlier one of the same judge on the same data.

    Raises:
        UsageError: the file is there and damaged, or cannot be written.
    """
    kept = [each for each in read_calibrations(path, display) if _identity(each) != _identity(new)]
    found = sorted([*kept, new], key=_identity)
    document = {"retest_calibration": FORMAT_VERSION, "calibrations": [calibration_document(each) for each in found]}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, _text(document))
    except OSError as error:
        raise _unreadable(display, f"it cannot be written: {error.strerror}") from None


def _text(document: object) -> str:
    """Return JSON with each list of numbers on one line, so that a change shows as one line."""
    text = json.dumps(document, ensure_ascii=False, indent=1)
    return _NUMBERS.sub(lambda match: f"[{', '.join(match[1].split())}]".replace(",,", ","), text) + "\n"


def _identity(calibration: Calibration) -> tuple[str, ...]:
    return (calibration.definition_hash, calibration.judge, calibration.against, calibration.data)


def calibration_document(calibration: Calibration) -> dict[str, Any]:
    """Return a calibration as JSON; figures with four decimals, so that a repetition changes nothing."""
    document = dataclasses.asdict(calibration)
    document["figures"] = {name: _figure_document(figure) for name, figure in calibration.figures.items()}
    document["bias"] = {name: _figure_document(figure) for name, figure in calibration.bias.items()}
    day = calibration.calibrated_on
    document["calibrated_on"] = None if day is None else day.isoformat()
    p = calibration.position_p
    document["position_p"] = None if p is None else float(f"{p:.3g}")  # three digits that count: no p is 0
    return document


def _figure_document(figure: Figure) -> list[float | None]:
    return [None if number is None else round(number, _DIGITS) for number in (figure.value, figure.low, figure.high)]


def _calibration(entry: Mapping[str, Any]) -> Calibration:
    values = dict(entry)
    for key in ("figures", "bias"):
        values[key] = {name: _figure(numbers) for name, numbers in values[key].items()}
    for key in ("labels", "failures", "notes"):
        values[key] = tuple(str(text) for text in values[key])
    values["confusion"] = tuple(tuple(int(count) for count in row) for row in values["confusion"])
    day = values["calibrated_on"]
    values["calibrated_on"] = None if day is None else date.fromisoformat(day)
    return Calibration(**values)


def _figure(numbers: Sequence[float | None]) -> Figure:
    value, low, high = (None if number is None else float(number) for number in numbers)
    return Figure(value=value, low=low, high=high)


def find_calibration(
    calibrations: Sequence[Calibration], definition: JudgeDefinition, judge: str
) -> tuple[Calibration | None, str | None]:
    """Return the newest calibration of this judge with this very definition; else None and why there is none."""
    own = [each for each in calibrations if each.judge == judge]
    fitting = [each for each in own if each.definition_hash == definition.content_hash]
    if fitting:
        return max(fitting, key=lambda each: each.calibrated_on or date.min), None
    if own:
        return None, "the definition has changed since it was calibrated"
    if calibrations:
        known = ", ".join(sorted({each.judge for each in calibrations}))
        return None, f"it is calibrated with another judge: {known}"
    return None, "it was never calibrated"
