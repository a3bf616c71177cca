"""What must not be stored is gone, wherever it stood."""

from __future__ import annotations

from retest.domain.sample import CallError, Response
from retest.domain.suite import Redaction
from retest.runner.redact import Redactor
from support.suites import make_case

CASE = make_case("c", q="山田太郎さんに電話")


def test_a_pattern_is_removed_from_every_part_of_a_response() -> None:
    """Text, refusal, tool calls and metadata."""
    redactor = Redactor((Redaction(pattern=r"\d{4}"),))
    response = Response(output="pin 1234", refusal="no 5678", tool_calls=({"a": ["9999"]},), meta={"x": "1111"})
    kept = redactor.outcome(response, CASE)
    assert isinstance(kept, Response)
    assert "1234" not in repr(kept)
    assert (kept.output, kept.tool_calls, kept.meta) == (
        "pin [redacted]",
        ({"a": ["[redacted]"]},),
        {"x": "[redacted]"},
    )


def test_an_error_message_is_redacted_too() -> None:
    """A server that echoes the prompt does not carry it into the store."""
    redactor = Redactor((Redaction(pattern="secret"),))
    kept = redactor.outcome(CallError(kind="bad_request", message="bad: secret"), CASE)
    assert isinstance(kept, CallError)
    assert kept.message == "bad: [redacted]"


def test_a_fields_value_is_removed_wherever_it_turns_up() -> None:
    """A name in a variable is removed from the case, the messages and the answer."""
    redactor = Redactor((Redaction(field="q", replace_with="***"),))
    assert redactor.messages([{"role": "user", "content": f"> {CASE.vars['q']}"}], CASE) == [
        {"role": "user", "content": "> ***"}
    ]
    assert redactor.case(CASE).vars == {"q": "***"}
    assert redactor.case(CASE).content_hash == CASE.content_hash


def test_a_replacement_is_literal() -> None:
    r"""A backslash in the replacement is no group reference."""
    kept = Redactor((Redaction(pattern="x", replace_with=r"\1"),)).outcome(Response(output="x"), CASE)
    assert isinstance(kept, Response)
    assert kept.output == r"\1"


def test_without_rules_nothing_is_copied() -> None:
    """The common case costs nothing."""
    response = Response(output="x")
    assert Redactor().outcome(response, CASE) is response


def test_a_pattern_that_backtracks_for_ever_costs_seconds_and_lets_nothing_through() -> None:
    """Where a rule cannot be applied in time, the text goes as a whole: nothing is stored that should be hidden."""
    redactor = Redactor((Redaction(pattern=r"^(a|aa)+$"),))
    outcome = redactor.outcome(Response(output="a" * 60 + "!"), CASE)
    assert isinstance(outcome, Response)
    assert outcome.output == "[redacted as a whole: a pattern took too long on it]"
