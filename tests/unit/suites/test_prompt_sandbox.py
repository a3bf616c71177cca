"""Hostile and clumsy templates: no way to Python, no endless work, no chance."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.prompt_folder import PromptFolder, render_problem, texts


@pytest.fixture
def folder(tmp_path: Path) -> PromptFolder:
    return PromptFolder(tmp_path / "prompts")


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ x.__init__.__globals__ }}",
        "{{ ''['__class__'] }}",
        "{{ '{0.__class__}'.format(x) }}",
        "{{ x | attr('__class__') }}",
        "{{ cycler.__init__ }}",
    ],
)
def test_a_template_cannot_reach_python(folder: PromptFolder, template: str) -> None:
    """A stranger's prompt runs no code."""
    assert render_problem(folder.prompt(template), x="a").slug in {"prompt-unsafe", "prompt-undefined-variable"}


@pytest.mark.parametrize(
    "template",
    [
        "{% for i in range(10**9) %}{% endfor %}",
        "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
        "{% for a in xs %}{% for b in xs %}{% for c in xs %}{% endfor %}{% endfor %}{% endfor %}",
        "{% for i in range(90000) %}{{ 'x' * 1000 }}{% endfor %}",
        "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) }}",
        "{{ 'a' * 10**9 }}",
        "{{ [1] * 10**9 }}",
        "{{ 10 ** (10 ** 10) }}",
        "{{ '%1000000000d' % 1 }}",
        "{{ '%*d' % (1000000000, 1) }}",
        "{{ '{:1000000000}'.format(1) }}",
        "{{ '{:{}}'.format(1, 10**9) }}",
        "{{ 'a'.ljust(10**9) }}",
        "{{ 'a' | center(10**9) }}",
        "{{ 'a' | indent(10**9) }}",
        "{{ ('a' * 9999999) | replace('a', 'b' * 9999999) }}",
        "{% set ns = namespace(x='ab') %}{% for i in range(60) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
        "{% set ns = namespace(x='ab') %}{% for i in range(60) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
        "{% set n = namespace(x='a') %}{% for i in range(60) %}{% set n.x %}{{ n.x }}{{ n.x }}{% endset %}{% endfor %}",
        "{% set ns = namespace(x=9) %}{% for i in range(60) %}{% set ns.x = ns.x * ns.x %}{% endfor %}",
        "{{ [[1]*9999]*9999 }}",
        "{{ [1] | tojson(indent=10**9) }}",
        "{{ (['a' * 9999999] * 9999) | join }}",
        "{{ (['a' * 9999999] * 9999) | map('upper') | join('-') }}",
        "{{ (['a' * 9999999] * 9999) | tojson }}",
    ],
)
def test_a_template_cannot_run_for_ever_or_fill_the_memory(folder: PromptFolder, template: str) -> None:
    """Work and size of one render are bounded; the bound is a count, so it is the same on every machine."""
    prompt = folder.prompt("a\n" + template)
    problem = render_problem(prompt, xs=list(range(1000)))
    assert problem.slug in {"prompt-too-much-work", "prompt-too-large"}


def test_a_loop_over_a_large_list_is_no_problem(folder: PromptFolder) -> None:
    """The bounds are far above what a prompt needs."""
    prompt = folder.prompt("{% for x in xs %}{{ loop.index }}/{{ loop.length }}{{ ',' if not loop.last }}{% endfor %}")
    ((_, content),) = texts(prompt.render(xs=list(range(20_000))))
    assert isinstance(content, str)
    assert content.endswith(",20000/20000")


def test_ordinary_formats_are_no_problem(folder: PromptFolder) -> None:
    """Widths, stars and percent signs of everyday templates work."""
    prompt = folder.prompt(
        "{{ '%05.2f * 100%%' % x }} {{ '{:>6} * {}'.format(x, 123456) }} {{ '%s' | format(123456) }}"
    )
    assert texts(prompt.render(x=3.5)) == [("user", "03.50 * 100%    3.5 * 123456 123456")]


def test_one_render_does_not_use_up_the_next(folder: PromptFolder) -> None:
    """The bound is per render."""
    prompt = folder.prompt("{% for i in range(300000) %}{% endfor %}x")
    assert [texts(prompt.render()) for _ in range(3)] == [[("user", "x")]] * 3


def test_chance_is_not_available(folder: PromptFolder) -> None:
    """The same row gives the same prompt: there is no random filter and no lipsum()."""
    assert [p.slug for p in folder.problems("{{ [1, 2] | random }}")] == ["prompt-syntax"]
    assert render_problem(folder.prompt("{{ lipsum() }}")).slug == "prompt-undefined-variable"
