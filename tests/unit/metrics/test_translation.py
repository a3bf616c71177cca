from __future__ import annotations

import json
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from retest.domain.case import Case
from retest.domain.json_value import JsonValue
from retest.domain.sample import MetricFailure, Response, Score
from retest.metrics.base import MetricContext
from retest.metrics.sacrebleu_tokens import tokenizer_for
from retest.metrics.translation import Bleu, BleuOptions, Chrf, ChrfOptions, KeptCounts, Ter, TerOptions

DATA = Path(__file__).parents[3].parent / "shared" / "data"
CONTEXT = MetricContext(name="m")
METRICS: dict[str, Bleu | Chrf | Ter] = {
    "bleu": Bleu(BleuOptions(), CONTEXT),
    "chrf": Chrf(ChrfOptions(), CONTEXT),
    "ter": Ter(TerOptions(), CONTEXT),
}
NAMES = tuple(METRICS)
EATEN = "私は昨日、東京でおいしい寿司を食べました。"
EATEN_GA = "私は昨日、東京でおいしい寿司が食べました。"


def theirs(name: str, **options: Any) -> Any:
    import sacrebleu

    return {"bleu": sacrebleu.BLEU, "chrf": sacrebleu.CHRF, "ter": sacrebleu.TER}[name](**options)


def case(expected: JsonValue) -> Case:
    return Case(case_id="1", vars={}, content_hash="", expected=expected)


def value(metric: Bleu | Chrf | Ter, expected: JsonValue, output: str) -> float:
    outcome = metric.score(case(expected), Response(output=output))
    assert isinstance(outcome, Score)
    return outcome.value


def summaries() -> list[tuple[str, list[str]]]:
    if not DATA.exists():
        pytest.skip("needs ../shared/data")
    lines = (DATA / "scitldr" / "cases.jsonl").read_text(encoding="utf-8").split("\n")
    expected = [json.loads(line)["expected"] for line in lines if line]
    return [(other[0], references) for references, other in pairwise(expected)]


@pytest.mark.data
@pytest.mark.parametrize("name", NAMES)
def test_sentence_scores_are_those_of_sacrebleu(name: str) -> None:
    """On real English summaries with several references every sentence score equals sacrebleu's."""
    scorer = theirs(name, effective_order=True) if name == "bleu" else theirs(name)
    for output, references in summaries():
        assert value(METRICS[name], references, output) == scorer.sentence_score(output, references).score


@pytest.mark.data
@pytest.mark.parametrize("name", NAMES)
def test_corpus_scores_are_those_of_sacrebleu(name: str) -> None:
    """Over a whole set with uneven numbers of references the corpus score equals sacrebleu's."""
    pairs = summaries()
    most = max(len(references) for _, references in pairs)
    streams = [[refs[n] if n < len(refs) else None for _, refs in pairs] for n in range(most)]
    wanted = theirs(name).corpus_score([output for output, _ in pairs], streams).score
    assert METRICS[name].corpus(pairs) == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_a_corpus_needs_a_pair_with_a_reference(name: str) -> None:
    """No pair, or one without a reference, is no corpus."""
    nothing: list[list[tuple[str, list[str]]]] = [[], [("x", [])]]
    for pairs in nothing:
        with pytest.raises(ValueError, match="at least one"):
            METRICS[name].corpus(pairs)


@pytest.mark.parametrize(
    ("text", "tokenizer"),
    [
        ("An English sentence about 東京.", "13a"),
        ("東京は日本の首都です", "ja-mecab"),
        ("GPT-4のAPIをPythonで呼ぶ", "ja-mecab"),
        ("北京是中国的首都", "zh"),
        ("ฉันรักภาษาไทย", "char"),
        ("나는 학교에 갔다", "13a"),
        ("42", "13a"),
        ("", "13a"),
    ],
)
def test_the_tokeniser_follows_the_characters(text: str, tokenizer: str) -> None:
    """Japanese goes to MeCab, Chinese and Thai to characters, the rest to words."""
    assert tokenizer_for(text) == tokenizer


def test_japanese_bleu_is_that_of_sacrebleu_with_mecab() -> None:
    """A Japanese pair is cut by MeCab, as with sacrebleu's ja-mecab; its default would say 0."""
    assert theirs("bleu", effective_order=True).sentence_score(EATEN_GA, [EATEN]).score == 0
    wanted = theirs("bleu", tokenize="ja-mecab", effective_order=True).sentence_score(EATEN_GA, [EATEN]).score
    assert value(METRICS["bleu"], EATEN, EATEN_GA) == wanted


@pytest.mark.parametrize(("name", "low", "high"), [("bleu", 70, 99), ("chrf", 70, 99), ("ter", 1, 12)])
def test_one_particle_costs_little(name: str, low: float, high: float) -> None:
    """を against が is one edit among a dozen words."""
    assert low <= value(METRICS[name], EATEN, EATEN_GA) <= high


@pytest.mark.parametrize(("name", "perfect"), [("bleu", 100.0), ("chrf", 100.0), ("ter", 0.0)])
@pytest.mark.parametrize("text", ["同じ", "one", "a longer sentence with six words.", "あ\0い\ud800う", "ฉันรักภาษาไทย"])
def test_equal_texts_are_perfect(name: str, perfect: float, text: str) -> None:
    """A text against itself has exactly the best value, also where it is short or odd."""
    assert value(METRICS[name], text, text) == perfect


@pytest.mark.parametrize(("name", "worst"), [("bleu", 0.0), ("chrf", 0.0), ("ter", 100.0)])
def test_an_empty_answer_is_the_worst(name: str, worst: float) -> None:
    """Nothing in common is 0, and 100 edits per 100 words."""
    assert value(METRICS[name], "some reference", "") == worst


def test_ter_may_exceed_100() -> None:
    """An answer with more to delete than the reference has words is over 100, and the range says so."""
    assert value(METRICS["ter"], "one", "two three four") == 300
    assert METRICS["ter"].high is None
    assert METRICS["ter"].direction == "lower"


@pytest.mark.parametrize("name", NAMES)
def test_several_references_are_taken_together(name: str) -> None:
    """An answer equal to one of several references is as good as with that one alone, or nearly."""
    metric = METRICS[name]
    alone, together = value(metric, "a quick fox", "a quick fox"), value(metric, ["zzz", "a quick fox"], "a quick fox")
    assert alone == together


@pytest.mark.parametrize("name", NAMES)
def test_failures_are_data(name: str) -> None:
    """A case without a reference, or with an object for one, is a failure and no zero."""
    for expected, kind in ((None, "no_expected"), ({"a": 1}, "bad_expected")):
        outcome = METRICS[name].score(case(expected), Response(output="x"))
        assert isinstance(outcome, MetricFailure)
        assert outcome.kind == kind


def test_ter_refuses_what_would_take_minutes() -> None:
    """TER of a long text is a failure with the limit in its message."""
    outcome = METRICS["ter"].score(case("a"), Response(output="word " * 1000))
    assert isinstance(outcome, MetricFailure)
    assert "300 words" in outcome.message


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("output", ["あ" * 200_000, "a" * 300_000, "a b " * 50_000])
def test_long_answers_are_scored_in_seconds(name: str, output: str) -> None:
    """A huge answer does not stop the run."""
    start = time.process_time()
    METRICS[name].score(case("a b c あいう"), Response(output=output))
    assert time.process_time() - start < 10


def test_sacrebleu_caches_stay_small() -> None:
    """Thousands of answers do not stay in sacrebleu's caches."""
    from sacrebleu.tokenizers.tokenizer_13a import Tokenizer13a

    metric = Bleu(BleuOptions(), CONTEXT)
    for number in range(3000):
        metric.score(case("a reference"), Response(output=f"answer number {number}"))
    assert Tokenizer13a.__call__.cache_info().currsize < 5000


@pytest.mark.parametrize("chars", [20, 6000, 52_000])
def test_what_is_kept_of_references_stays_small(chars: int) -> None:
    """By their characters, not their number: of a huge one it takes megabytes."""
    for metric in (Bleu(BleuOptions(), CONTEXT), Chrf(ChrfOptions(), CONTEXT)):
        kept = []
        for number in range(1500 if chars < 100 else 5):
            metric.score(case(f"{number:05} 返金 refund ".ljust(chars, "あ")), Response(output="返金"))
            kept.append(sum(len(text) for _, texts in metric._counted._found for text in texts))
        assert max(kept) <= 20_000
        assert (max(kept) > 10_000) is (chars < 20_000)


def test_references_are_counted_once_for_the_repeats_of_a_case() -> None:
    """Also where the last ones filled what is kept."""
    asked: list[tuple[str, ...]] = []

    def count(_tokenizer: str, texts: tuple[str, ...]) -> int:
        asked.append(texts)
        return len(asked)

    counted = KeptCounts(count)
    texts = [("a" * 9000,), ("b" * 9000,), ("c" * 9000, "d"), ("e" * 30_000,)]
    assert [counted.of(text) for text in texts for _ in range(2)] == [1, 1, 2, 2, 3, 3, 4, 5]
    assert len(counted) == 0


@pytest.mark.parametrize("name", NAMES)
def test_signature_is_sacrebleus_and_does_not_change(name: str) -> None:
    """The signature holds sacrebleu's own and is the same before and after scoring."""
    metric = type(METRICS[name])(METRICS[name].options, CONTEXT)  # type: ignore[arg-type]  # each its own options
    before = metric.signature()
    metric.score(case(["a", "b"]), Response(output="a"))
    assert metric.signature() == before
    assert "|nrefs:var|" in before
    assert "|version:2." in before


def test_signature_names_the_tokenisers() -> None:
    """MeCab's version and dictionary are part of what pins a Japanese score."""
    assert "tok:auto[13a,ja-mecab-0.996-IPA,zh,char]" in METRICS["bleu"].signature()
    assert "tok:char" in Bleu(BleuOptions(tokenize="char"), CONTEXT).signature()


def test_bleu_details_are_sufficient_statistics() -> None:
    """Counts, totals and lengths of a sample are kept, so that a corpus score can be had from them."""
    outcome = METRICS["bleu"].score(case("a b c d e"), Response(output="a b c d x"))
    assert isinstance(outcome, Score)
    assert outcome.details == {
        "counts": [4, 3, 2, 1],
        "totals": [5, 4, 3, 2],
        "answer_tokens": 5,
        "reference_tokens": 5,
    }


@pytest.mark.parametrize("options", [{"tokenize": "spm"}, {"tokenize": "flores200"}, {"max_ngram_order": 0}, {"x": 1}])
def test_wrong_options_are_refused(options: dict[str, Any]) -> None:
    """Unknown tokenisers, and those that would download a model, are found when the suite is checked."""
    with pytest.raises(ValidationError):
        BleuOptions(**options)


def test_case_is_ignored_where_asked() -> None:
    """Lower-casing makes HELLO and hello equal."""
    assert value(Bleu(BleuOptions(lowercase=True), CONTEXT), "HELLO WORLD", "hello world") == 100
    assert value(METRICS["bleu"], "HELLO WORLD", "hello world") == 0


@pytest.mark.parametrize("options", [{}, {"word_order": 2}, {"lowercase": True, "whitespace": True}], ids=str)
def test_chrf_of_repeats_is_that_of_sacrebleu(options: dict[str, Any]) -> None:
    """References are counted once for all answers of a case, of several the best counts, in any script."""
    metric, scorer = Chrf(ChrfOptions(**options), CONTEXT), theirs("chrf", **options)
    references = ["The Cat sat.", "猫が座った。", ""]
    for answer in ("the cat sat", "猫が座りました。", "", "The Cat sat.", " x \n"):
        expected = scorer.sentence_score(answer, references).score
        assert value(metric, list(references), answer) == min(expected, 100.0)
