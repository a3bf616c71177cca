"""Statistics of recorded judgments: figures that others published, or that follow from the definitions."""

from __future__ import annotations

import json
from collections import defaultdict
from itertools import combinations

import pytest

from retest.stats.agreement import agree, agree_in_group
from retest.stats.judge_bias import Winner, position_bias
from retest.stats.variance_split import split_jury, split_variance
from support.recordings import recorded, rows

pytestmark = pytest.mark.data

LLMBAR = tuple(
    f"{model}/{prompt}"
    for model in ("GPT-4", "ChatGPT", "PaLM2", "LLaMA2")
    for prompt in ("Vanilla", "Vanilla_NoRules", "CoT", "Metrics_Reference")
)


class Variant:
    """The recorded judgments of one judge variant: gold label and winner in both orders, None where unreadable."""

    def __init__(self, name: str) -> None:
        gold = {row["id"]: str(row["expected"]) for row in rows("llmbar", "cases.jsonl")}
        own = [row for row in rows("llmbar", "judgements.jsonl") if row["variant"] == name]
        self.gold = [gold[row["case_id"]] for row in own]
        self.plain = [row.get("winner_ab") for row in own]
        self.swapped = [row.get("winner_ba") for row in own]
        text = recorded("llmbar", "official_statistics.json").read_text("utf-8")
        self.official = json.loads(text)["Natural"][name]

    def share(self, key: str) -> float:
        """Return the published share, which is written as '95 / 100 = 95.0%'."""
        hits, of = self.official[key].split(" = ")[0].split(" / ")
        return int(hits) / int(of)


@pytest.fixture(scope="module", params=LLMBAR)
def variant(request: pytest.FixtureRequest) -> Variant:
    """Return one of the 16 recorded judge variants."""
    return Variant(request.param)


def _or_none(winners: list[str | None]) -> list[str]:
    """Return the winners with an unreadable judgment as a label of its own, which is how the authors count it."""
    return [winner or "none" for winner in winners]


def _as_coded_by_the_authors(winners: list[str | None]) -> list[str]:
    """Return the labels behind the published kappas: 1 where answer 1 won, 0 for all else; gold stays 1 or 2."""
    return [winner if winner == "1" else "0" for winner in winners]


def test_accuracy_in_both_orders(variant: Variant) -> None:
    """The share of judgments that equal the people's label, in each order."""
    assert agree(_or_none(variant.plain), variant.gold).exact.value == pytest.approx(variant.share("correct_False"))
    assert agree(_or_none(variant.swapped), variant.gold).exact.value == pytest.approx(variant.share("correct_True"))


def test_agreement_of_the_two_orders(variant: Variant) -> None:
    """The share of pairs in which both orders name the same answer."""
    found = agree(_or_none(variant.plain), _or_none(variant.swapped))
    assert found.exact.value == pytest.approx(variant.share("equal"))


def test_correct_in_both_orders(variant: Variant) -> None:
    """The share of pairs in which both orders name the right answer."""
    steady = [a if a == b else "flip" for a, b in zip(variant.plain, variant.swapped, strict=True)]
    assert agree(_or_none(steady), variant.gold).exact.value == pytest.approx(variant.share("correct_both"))


def test_kappa_of_the_two_orders(variant: Variant) -> None:
    """Cohen's kappa between the two orders."""
    found = agree(_as_coded_by_the_authors(variant.plain), _as_coded_by_the_authors(variant.swapped))
    assert found.kappa.value == pytest.approx(variant.official["kappa_agreement"], abs=1e-12)


def test_kappa_with_people(variant: Variant) -> None:
    """Cohen's kappa with the people's labels, in each order and on average, coded as the authors coded them."""
    plain = agree(_as_coded_by_the_authors(variant.plain), variant.gold).kappa.value
    swapped = agree(_as_coded_by_the_authors(variant.swapped), variant.gold).kappa.value
    assert plain == pytest.approx(variant.official["kappa_False"], abs=1e-12)
    assert swapped == pytest.approx(variant.official["kappa_True"], abs=1e-12)
    assert plain is not None
    assert swapped is not None
    assert (plain + swapped) / 2 == pytest.approx(variant.official["kappa_average"], abs=1e-12)


def test_flips_are_what_is_not_equal(variant: Variant) -> None:
    """The flip rate over readable pairs is one minus their agreement."""
    found = position_bias(_places(variant.plain, first="1"), _places(variant.swapped, first="2"))
    readable = [pair for pair in zip(variant.plain, variant.swapped, strict=True) if None not in pair]
    assert found.n_pairs == len(readable)
    assert found.flip_rate.value == pytest.approx(sum(a != b for a, b in readable) / len(readable))


def _places(winners: list[str | None], *, first: str) -> list[Winner | None]:
    return [None if winner is None else "first" if winner == first else "second" for winner in winners]


def test_a_weak_judge_is_pulled_by_position() -> None:
    """ChatGPT asked to think step by step prefers one place; GPT-4 shows nothing of the kind."""
    weak, strong = Variant("ChatGPT/CoT"), Variant("GPT-4/Vanilla")
    biased = position_bias(_places(weak.plain, first="1"), _places(weak.swapped, first="2"))
    fair = position_bias(_places(strong.plain, first="1"), _places(strong.swapped, first="2"))
    assert biased.p < 0.01
    assert fair.p > 0.2


# -- three gradings of the same answers --------------------------------------------------------------------------------


def test_within_item_deviation_of_repeated_gradings() -> None:
    """The same judge grading the same answer three times spreads by about half a point of five."""
    takes = [[[float(take) for take in row["judge_takes"]]] for row in rows("ja_judge_repeats", "outputs.jsonl")]
    split = split_variance(takes)
    assert (split.n_cases, split.n_votes) == (200, 600)
    assert split.judge_sd.value == pytest.approx(0.5, abs=0.06)
    assert split.sample is None


def test_judge_noise_is_told_from_the_systems() -> None:
    """With two systems' answers as samples of a case, the judge's part stays the same."""
    cases = defaultdict(list)
    for row in rows("ja_judge_repeats", "outputs.jsonl"):
        cases[row["case_id"]].append([float(take) for take in row["judge_takes"]])
    split = split_variance(list(cases.values()))
    assert split.judge_sd.value == pytest.approx(0.545, abs=0.001)
    assert split.sample is not None
    assert split.judge is not None
    assert split.sample > 3 * split.judge


def test_ten_samples_of_five_gradings() -> None:
    """Creative texts: judge, sample and case all have their part, the judge the least."""
    cases = defaultdict(list)
    for row in rows("tot_text", "outputs.jsonl"):
        if row["variant"] == "gpt-4@t1.0/io":
            cases[row["case_id"]].append([float(score) for score in row["judge_scores"]])
    split = split_variance(list(cases.values()))
    assert split.n_votes == 1749  # one text has four gradings
    assert split.judge is not None
    assert split.sample is not None
    assert split.case is not None
    assert split.judge < split.sample < split.case


# -- several judges of the same Japanese answers -----------------------------------------------------------------------


def _jury() -> dict[str, dict[tuple[str, str], float]]:
    """Return judge -> (case, answer) -> score of the three judges; a null score is missing."""
    judges: dict[str, dict[tuple[str, str], float]] = defaultdict(dict)
    for row in rows("ja_judged_elyza", "outputs.jsonl"):
        for judge, score in row["judge"].items():
            value = score.get("score") if isinstance(score, dict) else score
            if value is not None:
                judges[judge][row["case_id"], f"{row['variant']}#{row['repeat']}"] = float(value)
    return judges


def _alpha_by_definition(judges: dict[str, dict[tuple[str, str], float]]) -> float:
    """Return interval alpha, pair by pair."""
    items = defaultdict(list)
    for rated in judges.values():
        for item, value in rated.items():
            items[item].append(value)
    units = [values for values in items.values() if len(values) > 1]
    pooled = [value for values in units for value in values]
    observed = sum(2 * (a - b) ** 2 / (len(values) - 1) for values in units for a, b in combinations(values, 2))
    n, total, squares = len(pooled), sum(pooled), sum(value**2 for value in pooled)
    return 1 - (observed / n) / (2 * (n * squares - total**2) / (n * (n - 1)))


def test_alpha_of_a_jury_with_missing_scores() -> None:
    """Krippendorff's alpha over all judges and answers, missing scores left out, equals its definition."""
    judges = _jury()
    found = agree_in_group(judges)
    assert found.alpha_interval.value == pytest.approx(_alpha_by_definition(judges), abs=1e-9)
    assert found.alpha_interval.value is not None
    assert 0.5 < found.alpha_interval.value < 0.9


def test_levels_of_a_jury_are_told_from_its_noise() -> None:
    """Judges of different mildness: taking their levels out lowers what remains as noise."""
    shared = {name: rated for name, rated in _jury().items() if name.startswith("llmjudge-")}
    split = split_jury(shared)
    plain = defaultdict(lambda: defaultdict(list))  # type: ignore[var-annotated] # case -> answer -> scores
    for rated in shared.values():
        for (case, answer), value in rated.items():
            plain[case][answer].append(value)
    mixed = split_variance([list(samples.values()) for samples in plain.values()])
    assert split.judge is not None
    assert mixed.judge is not None
    assert split.judge < mixed.judge
    assert max(split.levels.values()) - min(split.levels.values()) > 0.1
