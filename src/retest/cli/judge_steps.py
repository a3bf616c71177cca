"""What `retest judge` does once its flags are read."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from retest.cli.console import print_json, stderr, stdout
from retest.cli.one_suite import find_suite
from retest.decision.judge_demand import unmet_demand
from retest.domain.calibration import COEFFICIENTS, Calibration, Coefficient, JudgeDemand
from retest.domain.case import Case
from retest.domain.judge import JudgeDefinition, JudgeLanguage
from retest.domain.suite import Suite
from retest.errors import ExitCode, NothingToJudgeError, Problem, UsageError
from retest.metrics.judge.base import judge_label
from retest.metrics.judge.prompt import instruction_text
from retest.report.escape import one_line
from retest.report.terminal_judge import calibration_report, definition_page, definition_table
from retest.suites.dataset_files import DatasetFile, DatasetOptions, open_dataset
from retest.suites.judge_files import packaged_definition, packaged_names, read_definition
from retest.workflows.calibrate import CalibrationOrigin, Judgment, calibrate, recorded_judgments
from retest.workflows.calibration_files import (
    calibration_document,
    calibration_path,
    read_calibrations,
    save_calibration,
)
from retest.workflows.find_judge import NamedJudge, find_judge, own_files
from retest.workflows.find_runs import find_run
from retest.workflows.labelled_cases import LabelFields, LabelledSet, read_labelled
from retest.workflows.labelled_reviews import ReviewLabels, read_reviewed
from retest.workflows.workspace import Workspace

REVIEWS = "reviews"


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrateWish:
    """The flags of `retest judge calibrate`, see there."""

    definition: str
    against: str
    suite: str | None = None
    judges: tuple[str, ...] = ()
    data: Path | None = None
    run: str | None = None
    dimension: str | None = None
    answer: str | None = None
    second: str | None = None
    recorded: str | None = None
    swapped: str | None = None
    judge_name: str = "recorded"
    labels: Mapping[str, str] = field(default_factory=dict)
    coefficient: str | None = None
    min_agreement: float | None = None
    language: JudgeLanguage = "en"
    fresh: bool = False
    offline: bool = False
    save: bool = True


def calibrate_judge(wish: CalibrateWish, workspace: Workspace, *, as_json: bool) -> ExitCode:
    """Calibrate, show and keep the result.

    Raises:
        RetestError: nothing could be calibrated.
    """
    coefficient = _coefficient(wish.coefficient)
    suite = None if wish.suite is None else find_suite(wish.suite, workspace)
    is_metric = suite is not None and any(metric.name == wish.definition for metric in suite.metrics)
    named = (
        find_judge(wish.definition, cwd=workspace.cwd, suite=suite, language=wish.language, judges=wish.judges)
        if wish.recorded is None or is_metric
        else find_judge(wish.definition, cwd=workspace.cwd, language=wish.language)
    )
    labelled, data, recorded_by = _labelled(wish, named, suite, workspace)
    judgments, who = _judgments(wish, named, labelled, workspace)
    if wish.recorded is not None and recorded_by:
        who = recorded_by
    origin = CalibrationOrigin(judge=who, against=wish.against, data=data, calibrated_on=workspace.clock().date())
    found = calibrate(named.definition, labelled, judgments, origin, coefficient=coefficient)
    if not found.items:
        raise NothingToJudgeError(_nothing(found))
    kept = _keep(found, named.definition, workspace) if wish.save else None
    code, unmet = _meets(found, wish.min_agreement)
    if as_json:
        print_json({"calibration": calibration_document(found), "file": kept, "unmet": unmet, "exit_code": int(code)})
        return code
    stdout().print(calibration_report(found))
    if kept is not None:
        stdout().print(f"kept in {one_line(kept)}: review and commit it", markup=False, style="dim")
    if unmet is not None:
        stderr().print(f"not calibrated well enough: {one_line(unmet)}", markup=False, style="bold red")
    return code


def _coefficient(name: str | None) -> Coefficient | None:
    known = COEFFICIENTS
    found = next((each for each in known if each == name), None)
    if name is not None and found is None:
        close = difflib.get_close_matches(name, known, n=1)
        raise UsageError(
            Problem(
                slug="calibrate-coefficient",
                message=f"there is no coefficient '{name}'",
                details=(f"known: {', '.join(known)}",),
                fix=f"did you mean '{close[0]}'?" if close else None,
            )
        )
    return found


def _labelled(
    wish: CalibrateWish, named: NamedJudge, suite: Suite | None, workspace: Workspace
) -> tuple[LabelledSet, str, str]:
    """Return labelled cases, where they come from, and who gave the recorded judgments where that is known."""
    if wish.against != REVIEWS or wish.data is not None:
        source, data = _source(wish, suite, workspace)
        return read_labelled(source, named.definition, _fields(wish)), data, ""
    with workspace.open_store(read_only=True) as store:
        run = None if wish.run is None else find_run(store, wish.run).run_id
        labels = ReviewLabels(
            dimension=wish.dimension,
            run=run,
            suite=None if suite is None or run is not None else suite.name,
            recorded=wish.recorded,
            values=_fields(wish).values,
        )
        found = read_reviewed(store, named.definition, labels)
    return found.labelled, found.data, found.judge if wish.judge_name == "recorded" else ""


def _source(wish: CalibrateWish, suite: Suite | None, workspace: Workspace) -> tuple[Iterable[Case], str]:
    if wish.data is not None:
        path = workspace.cwd / wish.data
        if not path.is_file():
            problem = Problem(slug="calibrate-data", message=f"there is no file {wish.data}", fix="check --data")
            raise UsageError(problem)
        file = DatasetFile(path=path, display=str(wish.data))
        return open_dataset(DatasetOptions(files=(file,), id=None)), str(wish.data)
    if suite is None:
        raise UsageError(
            Problem(
                slug="calibrate-data",
                message="there are no labelled rows to calibrate on",
                fix="name them: --data FILE, or --suite SUITE for the suite's dataset",
            )
        )
    return suite.cases, suite.path


def _fields(wish: CalibrateWish) -> LabelFields:
    values: dict[str, float] = {}
    for word, text in wish.labels.items():
        try:
            values[word] = float(text)
        except ValueError:
            message = f"--label {word}={text}: '{text}' is no number"
            raise UsageError(Problem(slug="calibrate-label", message=message, fix="--label good=1")) from None
    return LabelFields(
        label=wish.against,
        answer=wish.answer,
        second=wish.second,
        recorded=wish.recorded,
        swapped=wish.swapped,
        values=values,
    )


def _judgments(
    wish: CalibrateWish, named: NamedJudge, labelled: LabelledSet, workspace: Workspace
) -> tuple[Sequence[Judgment], str]:
    if wish.recorded is not None:
        return recorded_judgments(labelled), wish.judge_name
    if named.spec is None or named.spec.judging is None:
        raise UsageError(
            Problem(
                slug="calibrate-judge",
                message="no model is named that could be asked",
                details=("the judge's model is always the one that a suite names",),
                fix="add --suite SUITE, whose `judges` name it; or --recorded FIELD for judgments made elsewhere",
            )
        )
    from retest.workflows.ask_labelled import ask_labelled

    with stderr().status("asking the judge") as status:  # shown on a terminal only
        found = ask_labelled(
            named.spec,
            labelled.cases,
            workspace,
            fresh=wish.fresh,
            offline=wish.offline,
            tell=lambda done, of: status.update(f"asking the judge: {done} of {of} cases"),
        )
    return found, "+".join(sorted(judge_label(judge) for judge in named.spec.judging.judges))


def _nothing(found: Calibration) -> Problem:
    return Problem(
        slug="calibrate-nothing",
        message=f"the judge gave no judgment on any of {found.failed} labelled cases",
        details=found.failures,
        fix="try it on one case: retest judge show DEFINITION says what it is told",
    )


def _keep(found: Calibration, definition: JudgeDefinition, workspace: Workspace) -> str:
    path = calibration_path(definition, workspace.cwd)
    display = _shown(path, workspace.cwd)
    save_calibration(path, display, found)
    return display


def _shown(path: Path, cwd: Path) -> str:
    return str(path.relative_to(cwd)) if path.is_relative_to(cwd) else str(path)


def _meets(found: Calibration, least: float | None) -> tuple[ExitCode, str | None]:
    if least is None:
        return ExitCode.PASSED, None
    unmet = unmet_demand(found, JudgeDemand(min_agreement=least, min_items=1))
    return (ExitCode.PASSED if unmet is None else ExitCode.GATE_FAILED), unmet


def list_definitions(workspace: Workspace, language: JudgeLanguage, *, as_json: bool) -> ExitCode:
    """List definitions with their newest calibration."""
    own = [read_definition(path, _shown(path, workspace.cwd)) for path in own_files(workspace.cwd)]
    packaged = [packaged_definition(name, language) for name in packaged_names(language)]
    rows = [(each, _newest(each, workspace)) for each in (*own, *packaged)]
    if as_json:
        print_json({"definitions": [_definition_document(each, found) for each, found in rows]})
    else:
        stdout().print(definition_table(rows))
    return ExitCode.PASSED


def _newest(definition: JudgeDefinition, workspace: Workspace) -> Calibration | None:
    fitting = [each for each in _calibrations(definition, workspace) if each.definition_hash == definition.content_hash]
    return max(fitting, key=lambda each: each.calibrated_on or workspace.clock().date(), default=None)


def _calibrations(definition: JudgeDefinition, workspace: Workspace) -> tuple[Calibration, ...]:
    path = calibration_path(definition, workspace.cwd)
    return read_calibrations(path, _shown(path, workspace.cwd))


def _definition_document(definition: JudgeDefinition, found: Calibration | None) -> dict[str, object]:
    return {
        **definition.document(),
        "path": definition.path,
        "hash": definition.content_hash,
        "calibration": None if found is None else calibration_document(found),
    }


def show_definition(
    name: str, suite: str | None, workspace: Workspace, language: JudgeLanguage, *, as_json: bool
) -> ExitCode:
    """Show one definition."""
    chosen = None if suite is None else find_suite(suite, workspace)
    definition = _any_judge(name, workspace, chosen, language)
    calibrations = _calibrations(definition, workspace)
    system = "" if _is_moderation(definition) else instruction_text(definition)
    if as_json:
        found = [calibration_document(each) for each in calibrations]
        print_json({**_definition_document(definition, None), "system_message": system, "calibrations": found})
    else:
        stdout().print(definition_page(definition, system, calibrations))
    return ExitCode.PASSED


def _is_moderation(definition: JudgeDefinition) -> bool:
    """Return whether it describes the moderation endpoint, which is sent the answer and takes no instructions."""
    return definition.path is None and definition.name == "moderation"


def _any_judge(name: str, workspace: Workspace, suite: Suite | None, language: JudgeLanguage) -> JudgeDefinition:
    """Return a definition by name; a suite's judges need not be told apart to read what they are asked."""
    metrics = [] if suite is None else [metric for metric in suite.metrics if metric.name == name]
    judging = metrics[0].judging if metrics else None
    return find_judge(name, cwd=workspace.cwd, language=language).definition if judging is None else judging.definition
