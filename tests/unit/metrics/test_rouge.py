from __future__ import annotations

import json
import time
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from retest.domain.case import Case
from retest.domain.json_value import JsonValue
from retest.domain.sample import MetricFailure, Response, Score
from retest.metrics.base import MetricContext
from retest.metrics.rouge import Rouge, RougeOptions

DATA = Path(__file__).parents[3].parent / "shared" / "data"
VARIANTS = ("rouge1", "rouge2", "rougeL", "rougeLsum")


def rouge(**options: Any) -> Rouge:
    return Rouge(RougeOptions(**options), MetricContext(name="rouge"))


def case(expected: JsonValue) -> Case:
    return Case(case_id="1", vars={}, content_hash="", expected=expected)


def value(metric: Rouge, expected: JsonValue, output: str) -> float:
    outcome = metric.score(case(expected), Response(output=output))
    assert isinstance(outcome, Score)
    return outcome.value


@cache
def official(*, stemmer: bool = False) -> Any:
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(list(VARIANTS), use_stemmer=stemmer)


def rows(name: str) -> list[Any]:
    path = DATA / name
    if not DATA.exists():
        pytest.skip("needs ../shared/data")
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def english_pairs() -> list[tuple[str, str]]:
    papers = rows("scitldr/cases.jsonl")
    pairs = [(summary, paper["vars"]["abstract"]) for paper in papers for summary in paper["expected"]]
    pairs += [(summary, other["expected"][0]) for paper, other in pairwise(papers) for summary in paper["expected"]]
    solutions = [row["output"] for row in rows("gsm8k/outputs.jsonl")]
    pairs += list(zip(solutions[:1200], solutions[550:], strict=False))
    stories = [row["output"] for row in rows("tot_text/outputs.jsonl")[:40]]
    return pairs + list(pairwise(stories))


@pytest.mark.data
@pytest.mark.parametrize(("stemmer", "step"), [(False, 1), (True, 5), pytest.param(True, 1, marks=pytest.mark.slow)])
def test_english_numbers_are_those_of_rouge_score(stemmer: bool, step: int) -> None:  # noqa: FBT001 - pytest parameter
    """On thousands of real English pairs every variant and measure equals rouge-score's."""
    metrics = {variant: rouge(variant=variant, stemmer=stemmer) for variant in VARIANTS}
    worst = 0.0
    for reference, output in english_pairs()[::step]:
        theirs = official(stemmer=stemmer).score(reference, output)
        for variant, metric in metrics.items():
            ours = metric.score(case(reference), Response(output=output))
            assert isinstance(ours, Score)
            assert ours.details is not None
            found = (ours.value, ours.details["precision"], ours.details["recall"])
            wanted = (theirs[variant].fmeasure, theirs[variant].precision, theirs[variant].recall)
            worst = max(worst, *(abs(a - b) for a, b in zip(found, wanted, strict=True)))
    assert worst < 1e-12


WORDS = st.lists(st.sampled_from(["a", "b", "c", "dog", "dogs", "\n", "It's", "3.14"]), max_size=25).map(" ".join)


@given(reference=WORDS, output=WORDS, variant=st.sampled_from(VARIANTS), stemmer=st.booleans())
def test_small_vocabularies_agree_with_rouge_score(
    reference: str,
    output: str,
    variant: str,
    stemmer: bool,  # noqa: FBT001 - drawn by hypothesis
) -> None:
    """Where many subsequences are equally long, the same one is taken as by rouge-score."""
    theirs = official(stemmer=stemmer).score(reference, output)[variant].fmeasure
    assert value(rouge(variant=variant, stemmer=stemmer), reference, output) == theirs


@pytest.mark.data
def test_several_references_give_rouge_score_multi() -> None:
    """With several references the one with the best f1 counts, as in rouge-score's score_multi."""
    papers = rows("scitldr/cases.jsonl")[:40]
    for paper, other in pairwise(papers):
        theirs = official().score_multi(paper["expected"], other["expected"][0])
        for variant in VARIANTS:
            for measure in ("f1", "precision", "recall"):
                ours = value(rouge(variant=variant, measure=measure), paper["expected"], other["expected"][0])
                wanted = theirs[variant].fmeasure if measure == "f1" else getattr(theirs[variant], measure)
                assert ours == wanted


def test_rouge_l_is_twenty_times_faster_than_rouge_score() -> None:
    """ROUGE-L of two texts of 60 words takes less than a twentieth of rouge-score's time."""
    from rouge_score.rouge_scorer import RougeScorer

    words = ["the", "quick", "brown", "fox", "jumps", "over", "the", "lazy", "dog", "and", "runs", "away", "from", "it"]
    texts = [" ".join(words[(i * k) % len(words)] for i in range(60)) for k in range(1, 15)]
    scorer, metric = RougeScorer(["rougeL"]), rouge()
    pairs = list(pairwise(texts))
    metric.score(case("warm"), Response(output="up"))
    ours = min(_time(lambda: [metric.score(case(a), Response(output=b)) for a, b in pairs]) for _ in range(5))
    theirs = min(_time(lambda: [scorer.score(a, b) for a, b in pairs]) for _ in range(3))
    assert theirs > 20 * ours


def _time(work: Any) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


EATEN = "私は昨日、東京でおいしい寿司を食べました。"
EATEN_GA = "私は昨日、東京でおいしい寿司が食べました。"


@pytest.mark.parametrize("variant", VARIANTS)
def test_japanese_texts_that_differ_by_one_particle_score_high(variant: str) -> None:
    """を against が among eleven words costs one word (two pairs of words), not everything."""
    # rouge-score's own tokeniser keeps a-z and 0-9 only: it finds no token at all here and says 0.00.
    assert official().score(EATEN, EATEN_GA)[variant].fmeasure == 0
    assert value(rouge(variant=variant), EATEN, EATEN_GA) >= 0.8


@pytest.mark.parametrize(
    ("expected", "output", "wanted"),
    [
        ("東京は日本の首都です", "東京は日本の首都です", 1.0),
        ("ＡＢＣ１２３のテスト", "ABC123のﾃｽﾄ", 1.0),
        ("北京是中国的首都", "北京是中国首都", 14 / 15),
        ("나는 학교에 갔다", "나는 학교에 왔다", 2 / 3),
        ("café crème", "café creme", 1 / 2),
        ("Это большой кот", "Это кот", 4 / 5),
        ("私は学生です", "", 0.0),
        ("", "私は学生です", 0.0),
        ("", "", 0.0),
        ("!!!", "!!!", 0.0),
        ("x\ud800\0y", "x y", 1.0),
        (18, "18", 1.0),
        ([1, "two"], "two", 1.0),
    ],
)
def test_languages_and_odd_texts(expected: JsonValue, output: str, wanted: float) -> None:
    """ROUGE-L in other languages counts their words; texts without a word have nothing in common."""
    assert value(rouge(), expected, output) == pytest.approx(wanted)


def test_a_short_english_reference_does_not_hide_a_japanese_answer() -> None:
    """The Japanese words around "18" count against precision."""
    assert value(rouge(measure="precision"), "18", "答えは18です") == pytest.approx(1 / 4)


def test_language_en_is_rouge_score_also_for_foreign_letters() -> None:
    """With language: en foreign letters are dropped, exactly as by rouge-score."""
    theirs = official().score("café crème du jour", "creme café du jour")["rougeL"].fmeasure
    assert value(rouge(language="en"), "café crème du jour", "creme café du jour") == theirs


def test_language_ja_reads_chinese_characters_as_words() -> None:
    """Told that the text is Japanese, names without kana are cut by MeCab."""
    assert value(rouge(language="ja"), "東京都知事", "大阪都知事") == pytest.approx(1 / 2)


def test_sentences_can_be_cut_for_rouge_lsum() -> None:
    """Cut into sentences, their order does not matter to rougeLsum."""
    first, second = "今日は晴れです。明日は雨です。", "明日は雨です。今日は晴れです。"
    assert value(rouge(variant="rougeLsum", split_sentences=True), first, second) == 1
    assert value(rouge(variant="rougeLsum"), first, second) < 1


def test_a_case_without_expected_is_a_failure() -> None:
    """A case without a reference has no score, and no zero either."""
    outcome = rouge().score(case(None), Response(output="x"))
    assert isinstance(outcome, MetricFailure)
    assert outcome.kind == "no_expected"


@pytest.mark.parametrize("expected", [{"a": 1}, [["x"]], ["x", {"a": 1}]])
def test_expected_that_is_no_text_is_a_failure(expected: JsonValue) -> None:
    """An object or a list of lists cannot be compared word by word."""
    outcome = rouge().score(case(expected), Response(output="x"))
    assert isinstance(outcome, MetricFailure)
    assert outcome.kind == "bad_expected"


def test_texts_too_long_for_rouge_lsum_are_a_failure() -> None:
    """Line-wise matching of millions of word pairs is refused instead of hanging."""
    text = "a b\n" * 60_000
    outcome = rouge(variant="rougeLsum").score(case(text), Response(output=text))
    assert isinstance(outcome, MetricFailure)
    assert outcome.kind == "too_long"


@pytest.mark.parametrize("output", ["あ" * 300_000, "a" * 1_000_000, "a b " * 100_000])
def test_long_answers_are_scored_in_seconds(output: str) -> None:
    """A huge answer against a short reference does not stop the run."""
    assert _time(lambda: rouge().score(case("a b c あ"), Response(output=output))) < 10


@pytest.mark.parametrize(
    "options", [{"variant": "rougeX"}, {"language": "jp"}, {"stemmer": True, "language": "ja"}, {"x": 1}]
)
def test_wrong_options_are_refused(options: dict[str, Any]) -> None:
    """Unknown names and a stemmer for Japanese are found when the suite is checked."""
    with pytest.raises(ValidationError):
        RougeOptions(**options)


def test_signature_pins_the_tokenisers() -> None:
    """The signature names options that matter and the versions of what cuts the words."""
    assert rouge().signature() == "rouge|mecab-0.996-IPA|thai:" + rouge().signature().rpartition(":")[2]
    assert rouge(language="en", variant="rouge2").signature() == "rouge|language:en|variant:rouge2"
    assert "|nltk:" in rouge(language="en", stemmer=True).signature()
