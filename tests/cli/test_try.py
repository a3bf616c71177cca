"""`retest try`: one prompt, one input, the answer on stdout."""

from __future__ import annotations

import pytest

from support.openai_server import OpenAIServer, Received
from support.project import Project


def echo(request: Received) -> str:
    return request.last_user


def test_the_answer_is_all_that_is_printed(project: Project) -> None:
    """Markup in it stays text."""
    project.write("prompts/ask.md", "{{ question }}")
    with OpenAIServer(echo) as server:
        asked = project.run(
            "try", "prompts/ask.md", "--var", "question=[red]返金[/red]", "-m", "m", "--base-url", server.base_url
        )
    assert (asked.code, asked.out) == (0, "[red]返金[/red]\n")


@pytest.mark.parametrize(
    ("args", "slug"),
    [
        (("--provider", "opnai"), "suite-unknown-provider"),
        (("--provider", "http"), "try-needs-suite"),
        (("--model", "m", "--param", "temperature=hot"), "prompt-param-value"),
        (("--model", "m", "--param", "temprature=0"), "prompt-param-name"),
        ((), "try-without-model"),
        (("--model", "m", "--var", "question=x"), "prompt-unused-variable"),
    ],
)
def test_a_mistake_in_the_flags_is_found_before_the_call(project: Project, args: tuple[str, ...], slug: str) -> None:
    """Exit 2 with what is wrong, no traceback."""
    project.write("prompts/ask.md", "Hello")
    tried = project.run("try", "prompts/ask.md", *args)
    assert (tried.code, f"[{slug}]" in tried.err) == (2, True)
    assert "Traceback" not in tried.err
