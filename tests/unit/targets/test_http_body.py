from __future__ import annotations

from typing import Any

import pytest

from retest.errors import UsageError
from retest.targets.http_body import BodyTemplate, TemplateFailure, request_values
from support.targets import make_request

VALUES = request_values(
    make_request("京都は?", variables={"q": "Q", "n": 3, "list": [1, 2]}, params={"temperature": 0.5})
)


def render(body: Any) -> Any:
    return BodyTemplate(body, "body", None).render(VALUES)


@pytest.mark.parametrize(
    ("body", "value"),
    [
        ("{{ prompt }}", "京都は?"),
        ("Q: {{ vars.q }} / {{ vars.n }}", "Q: Q / 3"),
        ("{{ vars.n }}", 3),
        (" {{ vars.list }} ", [1, 2]),
        ("{{ messages }}", [{"role": "user", "content": "京都は?"}]),
        ("{{ params.temperature }}", 0.5),
        ("{{ params.top_p | default(1) }}", 1),
        ("{{ vars.q | upper }}{{ vars.q }}", "QQ"),
        ("{{ '}' }}", "}"),
        ("{% if vars.n > 2 %}many{% endif %}", "many"),
        ("plain {text}", "plain {text}"),
        ({"a": [1, None, {"b": "{{ case_id }}"}], "c": True}, {"a": [1, None, {"b": "1"}], "c": True}),
        ("{{ sample_index }}", 0),
        ("{{ model }}", "gpt-4o-mini"),
        ("line\n", "line\n"),
        ("{{ vars.q }}\n", "Q"),
    ],
)
def test_strings_are_templates_and_whole_values_keep_their_type(body: Any, value: Any) -> None:
    """A string that is one expression becomes the value itself; anything else is text."""
    assert render(body) == value


def test_text_of_a_variable_is_not_a_template() -> None:
    """What a dataset row holds is never evaluated."""
    request = make_request(variables={"q": "{{ 7 * 7 }}"})
    assert BodyTemplate("{{ vars.q }}!", "body", None).render(request_values(request)) == "{{ 7 * 7 }}!"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("{{ question }}", r"body: unknown name 'question'"),
        ({"a": ["x", "{{ oops"]}, r"body.a\[1\]: template error"),
        ("{{ prompt | nofilter }}", "template error"),
        ("{% for %}", "template error"),
    ],
)
def test_a_mistaken_template_is_found_before_any_call(body: Any, says: str) -> None:
    """The message says where in the body it stands."""
    with pytest.raises(UsageError, match=says):
        BodyTemplate(body, "body", None)


@pytest.mark.parametrize("body", ["{{ vars.missing }}", "x {{ vars.missing }}", "{{ vars.n / 0 }}", "{{ vars.q.x.y }}"])
def test_a_variable_that_a_case_lacks_fails_that_case(body: str) -> None:
    """Nothing is sent with a hole in it."""
    with pytest.raises(TemplateFailure, match="body cannot be rendered"):
        render(body)


@pytest.mark.parametrize(
    "body", ["{{ vars.__class__ }}", "{{ ''.__class__.__mro__ }}", "x{{ prompt.__class__.__bases__ }}"]
)
def test_templates_are_sandboxed(body: str) -> None:
    """No template reaches Python's insides."""
    with pytest.raises(TemplateFailure):
        render(body)
