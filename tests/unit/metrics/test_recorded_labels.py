"""Scores of real recorded outputs against the labels and accuracies that their authors published.

The metrics are written as a suite writes them; the figures are the authors'.
"""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
import yaml

from retest.domain.case import Case
from retest.domain.sample import Response, Score
from retest.domain.suite import MetricSpec
from retest.metrics.base import Metric
from retest.metrics.registry import build_metric
from support.scoring import json_lines

DATA = Path(__file__).parents[3].parent / "shared" / "data"
pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data is not there"),
]

# BIG-Bench Hard: the answer is what follows the last "answer is", without the final full stop; answers of the
# direct prompt are nothing but the answer.
BBH = r"""
metric: exact_match
extract:
  pattern: '(?s).*answer is (.*?)\.?\s*\Z'
  missing: whole
"""

# Game of 24: any expression of the four numbers counts, so code decides.
GAME24 = """
metric: python
path: game24.py:solved
"""
GAME24_CODE = '''\
import ast
import operator
import re
from fractions import Fraction

OPERATORS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv}


def solved(output, vars) -> bool:
    """The last line is an expression of exactly the four numbers, and it makes 24."""
    last_line = output.strip().split("\\n")[-1].lower()
    expression = last_line.replace("answer: ", "").split("=")[0]
    if sorted(re.findall(r"\\d+", expression)) != sorted(vars["numbers"].split()):
        return False
    try:
        return value(ast.parse(expression.strip(), mode="eval").body) == 24
    except (SyntaxError, KeyError, AttributeError, ZeroDivisionError):
        return False


def value(node):
    if isinstance(node, ast.Constant):
        return Fraction(node.value)
    return OPERATORS[type(node.op)](value(node.left), value(node.right))
'''


def metric(snippet: str, base_dir: Path = Path()) -> Metric[Any]:
    """Return the metric of a YAML entry."""
    options = yaml.safe_load(snippet)
    name = options.pop("metric")
    return build_metric(MetricSpec(name=name, metric=name, options=options, base_dir=base_dir))


def cases(folder: str) -> dict[str, Case]:
    """Return the cases of a folder by id."""
    return {
        row["id"]: Case(
            case_id=row["id"],
            vars=row["vars"],
            content_hash="",
            expected=row["expected"],
            meta=row.get("meta", {}),
        )
        for row in json_lines(DATA / folder / "cases.jsonl")
    }


def value_of(scorer: Metric[Any], case: Case, output: str) -> float:
    """Return the value of a score; a failure fails the test."""
    outcome = scorer.score(case, Response(output=output))
    assert isinstance(outcome, Score), outcome
    return outcome.value


@pytest.mark.parametrize("variant", ["6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification"])
def test_gsm8k_labels(variant: str) -> None:
    """`numeric` with its defaults agrees with the authors on each of 550 answers of four systems."""
    scorer, by_id = metric("metric: numeric"), cases("gsm8k")
    rows = [row for row in json_lines(DATA / "gsm8k" / "outputs.jsonl") if row["variant"] == variant]
    different = [
        row["case_id"]
        for row in rows
        if bool(value_of(scorer, by_id[row["case_id"]], row["output"])) is not row["label"]
    ]
    assert (len(rows), different) == (550, [])


def test_bbh_accuracies() -> None:
    """`exact_match` after extraction gives the authors' accuracy of every task under both prompts."""
    scorer, by_id = metric(BBH), cases("bbh")
    values: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
    for row in json_lines(DATA / "bbh" / "outputs.jsonl"):
        case = by_id[row["case_id"]]
        key = (str(case.meta["task"]), row["variant"].rpartition("/")[2])
        values[key].append(value_of(scorer, case, row["output"]))
    official = json.loads((DATA / "bbh" / "official_metrics.json").read_text("utf-8"))
    accuracies = {key: 100 * fmean(scores) for key, scores in values.items()}
    published = {
        (task, prompt): figures[prompt]["accuracy"] for task, figures in official.items() for prompt in figures
    }
    assert len(published) == 14
    assert accuracies == pytest.approx(published, abs=1e-9)


def test_game24_labels(tmp_path: Path) -> None:
    """A function of a few lines agrees with the authors on each of 10,000 samples."""
    (tmp_path / "game24.py").write_text(GAME24_CODE, "utf-8")
    scorer, by_id = metric(GAME24, tmp_path), cases("tot_game24")
    rows = json_lines(DATA / "tot_game24" / "outputs.jsonl")
    different = [row for row in rows if value_of(scorer, by_id[row["case_id"]], row["output"]) != row["label"]]
    assert (len(rows), different) == (10_000, [])
    assert scorer.binary


def test_mgsm_ja_numbers() -> None:
    """Japanese and mixed answers: equality says 0 to 16%, numbers 69 to 88%, under each of seven prompts."""
    scorers = {"exact": metric("metric: exact_match"), "number": metric("metric: numeric")}
    by_id = cases("mgsm_ja_prompts")
    values: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
    for row in json_lines(DATA / "mgsm_ja_prompts" / "outputs.jsonl"):
        for name, scorer in scorers.items():
            values[name, row["variant"]].append(value_of(scorer, by_id[row["case_id"]], row["output"]))
    shares = {key: fmean(scores) for key, scores in values.items()}
    assert len(shares) == 14
    assert all(share <= 0.16 for (name, _), share in shares.items() if name == "exact")
    assert all(0.69 <= share <= 0.88 for (name, _), share in shares.items() if name == "number")


def test_jsquad_references() -> None:
    """Each of several accepted Japanese answers is right, also in another width and with a full stop."""
    scorer = metric("{metric: exact_match, punctuation: trim, casefold: true}")
    for row in json_lines(DATA / "jglue" / "jsquad.jsonl"):
        case = Case(case_id=row["id"], vars=row["vars"], content_hash="", expected=row["expected"])
        assert all(value_of(scorer, case, f"{answer}。") == 1 for answer in row["expected"]), row["id"]
