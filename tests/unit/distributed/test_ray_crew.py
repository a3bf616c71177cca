"""Workers that are of no use, told before anything is called; no Ray is needed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from retest.distributed.ray_crew import check_same, check_versions
from retest.distributed.setup import Opened, Setup, stripped
from retest.distributed.worker import facts
from retest.errors import Problem, UsageError
from retest.targets.prices import PriceTable
from support.suites import make_suite

SETUP = Setup(
    suite=stripped(make_suite()),
    judges=(),
    identities=[{"base_url": "http://a/v1"}],
    judge_identities={"grader": {"base_url": "http://j/v1"}},
    signatures={"ja": "rouge|mecab=1.0.10"},
    samples=1,
    draw=0,
    prices=PriceTable(),
    connections=8,
)
SAME = Opened(
    identities=[{"base_url": "http://a/v1"}],
    judge_identities={"grader": {"base_url": "http://j/v1"}},
    signatures={"ja": "rouge|mecab=1.0.10"},
)


def test_a_node_like_this_machine_is_taken() -> None:
    """Nothing is said of a worker that is the same."""
    check_versions(facts())
    check_same(SETUP, SAME, "node-7")


@pytest.mark.parametrize("changes", [{"retest": "0.0.1"}, {"python": "3.9.1"}])
def test_other_versions_are_refused(changes: dict[str, str]) -> None:
    """Another retest, or another Python, would not understand what it is sent."""
    with pytest.raises(UsageError, match="node-7 of the Ray cluster cannot take part"):
        check_versions(replace(facts(), node="node-7", **changes))


def test_a_patch_of_python_is_no_other_version() -> None:
    """3.11.1 and 3.11.9 understand each other."""
    major_minor = facts().python.rpartition(".")[0]
    check_versions(replace(facts(), python=f"{major_minor}.99"))


@pytest.mark.parametrize(
    ("opened", "what"),
    [
        (replace(SAME, identities=[{"base_url": "http://b/v1"}]), "target"),
        (replace(SAME, judge_identities={"grader": {"base_url": "http://b/v1"}}), "judge 'grader'"),
        (replace(SAME, signatures={"ja": "rouge|mecab=1.0.9"}), r"metric 'ja' \(rouge\|mecab=1.0.10, there"),
    ],
    ids=["target", "judge", "metric"],
)
def test_other_answers_or_scores_are_refused(opened: Opened, what: str) -> None:
    """A node whose target, judge or metric is another one would mix two suites."""
    with pytest.raises(UsageError, match=what) as error:
        check_same(SETUP, opened, "node-7")
    assert error.value.problems[0].slug == "ray-node-differs"


def test_what_a_node_lacks_is_said_with_its_name() -> None:
    """A missing file or key keeps its own message and slug."""
    problem = Problem(slug="target-key-missing", message="鍵がありません")
    with pytest.raises(UsageError, match="on node-7: 鍵がありません"):
        check_same(SETUP, Opened(problems=(problem,)), "node-7")
