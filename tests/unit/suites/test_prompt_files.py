"""Prompt files: front matter, kinds of files, includes, hashes, and every mistake with its place."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from retest.errors import Location, SuiteError
from retest.suites.prompt_files import inline_prompt, read_prompt
from support.prompt_folder import PromptFolder, texts


@pytest.fixture
def folder(tmp_path: Path) -> PromptFolder:
    return PromptFolder(tmp_path / "prompts")


def test_plain_text_is_one_user_message(folder: PromptFolder) -> None:
    """A .txt file without role lines is what the user says, word for word."""
    prompt = folder.prompt("Is this spam?\n\n{{ text }}\n", "spam.txt")
    assert texts(prompt.render(text="買って!")) == [("user", "Is this spam?\n\n買って!")]


def test_front_matter_sets_model_params_and_labels(folder: PromptFolder) -> None:
    """Everything that a version of a prompt fixes stands at the top of its file."""
    prompt = folder.prompt(
        "---\nname: 分類\ndescription: どのチーム?\nmodel: gpt-4o-mini\n"
        "params: {temperature: 0.7, stop: [END], vendor_thing: {a: 1}}\nlabels: [production]\n---\nHi\n"
    )
    assert (prompt.name, prompt.description, prompt.model, prompt.labels) == (
        "分類", "どのチーム?", "gpt-4o-mini", ("production",),
    )  # fmt: skip
    assert prompt.params == {"temperature": 0.7, "stop": ["END"], "vendor_thing": {"a": 1}}
    assert texts(prompt.render()) == [("user", "Hi")]


def test_prompty_model_block_is_understood(folder: PromptFolder) -> None:
    """A .prompty file from elsewhere works as it is: nested model, sample, inputs."""
    prompt = folder.prompt(
        "---\nname: Basic Prompt\nauthors: [a]\nmodel:\n  api: chat\n  configuration:\n    type: azure_openai\n"
        "    azure_deployment: gpt-35-turbo\n  parameters:\n    max_tokens: 128\n    temperature: 0.2\n"
        "sample:\n  question: hi\ninputs:\n  question:\n    type: string\ntemplate: jinja2\n---\n"
        "system:\nYou help.\n\nuser:\n{{ question }}\n",
        "basic.prompty",
    )
    assert (prompt.name, prompt.model, prompt.params) == (
        "Basic Prompt", "gpt-35-turbo", {"max_tokens": 128, "temperature": 0.2},
    )  # fmt: skip
    assert texts(prompt.render(question="why?")) == [("system", "You help."), ("user", "why?")]


def test_the_suite_names_a_prompt_first_then_front_matter_then_the_file(folder: PromptFolder) -> None:
    """The most specific name wins."""
    named = folder.write("named.md", "---\nname: inner\n---\nx")
    bare = folder.write("bare.v2.md", "x")
    names = [
        read_prompt(named, display="named.md", name="outer", root=folder.path).name,
        read_prompt(named, display="named.md", root=folder.path).name,
        read_prompt(bare, display="bare.v2.md", root=folder.path).name,
    ]
    assert names == ["outer", "inner", "bare.v2"]


def test_front_matter_is_yaml_1_2(folder: PromptFolder) -> None:
    """`on` and `12:30:45` are text, as everywhere in retest."""
    prompt = folder.prompt("---\nparams: {reasoning_effort: on, user: 12:30:45}\n---\nx")
    assert prompt.params == {"reasoning_effort": "on", "user": "12:30:45"}


def test_byte_order_mark_and_crlf_change_nothing(folder: PromptFolder) -> None:
    """A file saved by Notepad renders, and hashes, like the one from an editor on Linux."""
    unix = folder.prompt("---\nname: a\n---\nsystem:\n日本語\nuser:\n{{ q }}\n", "unix.md")
    windows = folder.prompt(
        b"\xef\xbb\xbf" + "---\r\nname: a\r\n---\r\nsystem:\r\n日本語\r\nuser:\r\n{{ q }}\r\n".encode(), "windows.md"
    )
    assert (
        windows.render(q="1")
        == unix.render(q="1")
        == [
            {"role": "system", "content": "日本語"},
            {"role": "user", "content": "1"},
        ]
    )
    assert windows.content_hash == unix.content_hash


def test_line_separator_characters_are_text(folder: PromptFolder) -> None:
    """U+2028 and U+0085 neither end a line nor make a role line."""
    content = "a\u2028user:\u2028b\u0085c"
    assert texts(folder.prompt(content + "\n").render()) == [("user", content)]


def test_known_parameters_may_stand_beside_the_model(folder: PromptFolder) -> None:
    """`temperature: 0.2` at the top level is a parameter; `params` wins where both name it; values are checked."""
    prompt = folder.prompt("---\nmodel: m\ntemperature: 0.2\ntop_p: 0.9\nparams: {top_p: 0.5}\n---\nuser:\nHi\n")
    assert prompt.params == {"temperature": 0.2, "top_p": 0.5}
    (problem,) = folder.problems("---\ntemperature: hot\n---\nHi\n")
    assert (problem.slug, str(problem.where)) == ("prompt-param-value", "prompts/p.md:2:1")


def test_several_mistakes_are_reported_at_once(folder: PromptFolder) -> None:
    """One reading shows all there is to fix, each with file, line and column."""
    problems = folder.problems(
        "---\nmodle: gpt-4\ntemprature: 1\nparams:\n  temprature: 1\n  top_p: 3\n---\n"
        "user:\n{{ q | uper }}\n{% include 'nope.md' %}\n"
    )
    assert [(p.slug, str(p.where)) for p in problems] == [
        ("prompt-unknown-key", "prompts/p.md:2:1"),
        ("prompt-unknown-key", "prompts/p.md:3:1"),
        ("prompt-param-name", "prompts/p.md:5:3"),
        ("prompt-param-value", "prompts/p.md:6:3"),
        ("prompt-syntax", "prompts/p.md:9:1"),
        ("prompt-include-missing", "prompts/p.md:10:1"),
    ]
    fixes = [p.fix or "" for p in problems]
    assert "'model'" in fixes[0]
    assert "'temperature'" in fixes[1]
    assert "'temperature'" in fixes[2]
    assert "'upper'" in fixes[4]


@pytest.mark.parametrize(
    ("content", "slug", "place"),
    [
        ("", "prompt-empty", "prompts/p.md:1"),
        (" \n\n", "prompt-empty", "prompts/p.md:1"),
        ("---\nname: a\n---\n", "prompt-empty", "prompts/p.md:1"),
        ("---\nname: a\ntext without end", "prompt-front-matter", "prompts/p.md:1"),
        ("---\n- a\n- b\n---\nx", "prompt-front-matter", "prompts/p.md:1"),
        ("---\nname: a\nname: b\n---\nx", "yaml-duplicate-key", "prompts/p.md:3:1"),
        ("---\nname: [\n---\nx", "yaml-syntax", "prompts/p.md:3:1"),
        ("---\nname: a/b\n---\nx", "prompt-name", "prompts/p.md:2:1"),
        ("---\nname: 3\n---\nx", "prompt-front-matter", "prompts/p.md:2:1"),
        ("---\nlabels: {a: 1}\n---\nx", "prompt-front-matter", "prompts/p.md:2:1"),
        ("---\nmodel: [a]\n---\nx", "prompt-front-matter", "prompts/p.md:2:1"),
        ("---\nmodel: {configurtion: {}}\n---\nx", "prompt-unknown-key", "prompts/p.md:2:9"),
        ("---\nparams: 3\n---\nx", "prompt-front-matter", "prompts/p.md:2:1"),
        ("---\nparams: {temperature: hot}\n---\nx", "prompt-param-value", "prompts/p.md:2:10"),
        ("---\nparams: {max_tokens: true}\n---\nx", "prompt-param-value", "prompts/p.md:2:10"),
        ("---\nparams: {n: 5}\n---\nx", "prompt-param-value", "prompts/p.md:2:10"),
        ("---\ntemplate: mustache\n---\nx", "prompt-template-kind", "prompts/p.md:2:1"),
        ("a\n\n  {{ q ", "prompt-syntax", "prompts/p.md:3:3"),
        ("---\nname: a\n---\nuser:\n{% if x %}", "prompt-syntax", "prompts/p.md:5:1"),
        (b"ok\n\x93\xfa\x96\x7b", "file-not-utf8", "prompts/p.md:2:1"),
    ],
)
def test_a_broken_file_says_what_and_where(folder: PromptFolder, content: str, slug: str, place: str) -> None:
    """Each mistake has its own slug and the place a person has to go to."""
    (problem,) = folder.problems(content)
    assert (problem.slug, str(problem.where)) == (slug, place)


def test_empty_front_matter_lets_text_begin_with_a_rule(folder: PromptFolder) -> None:
    """The way out that the message names works."""
    assert texts(folder.prompt("---\n---\n---\nrule above\n---\n").render()) == [("user", "---\nrule above\n---")]


def test_a_missing_file_suggests_its_neighbour(folder: PromptFolder) -> None:
    """A slip in a file name is answered by the name that exists."""
    folder.write("intent.md", "x")
    with pytest.raises(SuiteError) as caught:
        folder.read("intnet.md")
    assert (caught.value.problems[0].slug, caught.value.problems[0].fix) == (
        "prompt-file-missing", "did you mean 'intent.md'?",
    )  # fmt: skip


def test_an_unknown_kind_of_file_is_refused(folder: PromptFolder) -> None:
    """A .docx is not sent to a model as text."""
    assert [p.slug for p in folder.problems("x", "p.docx")] == ["prompt-file-type"]


def test_an_include_brings_text_and_roles(folder: PromptFolder) -> None:
    """Few-shot blocks can live in a file of their own, with front matter of its own."""
    folder.write("shots/two.md", "---\nname: shots\n---\nuser:\n1+1\nassistant:\n2\n")
    prompt = folder.prompt("system:\nAdd.\n{% include 'shots/two.md' %}\nuser:\n{{ q }}\n")
    assert texts(prompt.render(q="3+4")) == [("system", "Add."), ("user", "1+1"), ("assistant", "2"), ("user", "3+4")]


def test_an_include_is_relative_to_the_file_that_names_it(folder: PromptFolder) -> None:
    """A file in a sub-folder includes its neighbour."""
    folder.write("parts/a.txt", "A {% include 'b.txt' %}")
    folder.write("parts/b.txt", "B {% include '../c.txt' %}")
    folder.write("c.txt", "C {{ q }}")
    prompt = folder.prompt("{% include 'parts/a.txt' %}")
    assert texts(prompt.render(q="!")) == [("user", "A B C !")]
    assert prompt.template.required_variables == {"q"}


def test_the_hash_covers_included_files(folder: PromptFolder) -> None:
    """Editing an included file is a new version of the prompt."""
    folder.write("part.txt", "one")
    before = folder.prompt("{% include 'part.txt' %}").content_hash
    folder.write("part.txt", "two")
    assert folder.read("p.md").content_hash != before


def test_the_hash_is_the_same_wherever_the_folder_lies(tmp_path: Path) -> None:
    """Two checkouts agree about a prompt's version."""
    hashes = set()
    for place in ("a", "b/deeper"):
        folder = PromptFolder(tmp_path / place)
        folder.write("part.txt", "one")
        hashes.add(folder.prompt("{% include 'part.txt' %}").content_hash)
    assert len(hashes) == 1


@pytest.mark.parametrize(
    ("include", "slug"),
    [
        ("'../secret.txt'", "prompt-include-outside"),
        ("'/etc/hostname'", "prompt-include-outside"),
        ("'link.txt'", "prompt-include-outside"),
        ("'.env'", "prompt-include-outside"),
        ("'absent.txt'", "prompt-include-missing"),
        ("name", "prompt-dynamic-include"),
        ("'p' ~ '.md'", "prompt-dynamic-include"),
        ("'p.md'", "prompt-include-cycle"),
    ],
)
def test_an_include_that_is_not_allowed_is_refused(folder: PromptFolder, include: str, slug: str) -> None:
    """Includes stay below the prompts folder (links resolved), are written out, and end somewhere."""
    folder.write("../secret.txt", "key")
    folder.write(".env", "KEY=1")
    (folder.path / "link.txt").symlink_to("../secret.txt")
    (problem,) = folder.problems(f"user:\n{{% include {include} %}}\n")
    assert (problem.slug, str(problem.where)) == (slug, "prompts/p.md:2:1")


def test_a_mistake_in_an_included_file_is_placed_there(folder: PromptFolder) -> None:
    """The place is a file and line that a person can open, front matter counted."""
    folder.write("parts/a.txt", "---\nname: x\n---\nok\n{{ q | nope }}\n")
    (problem,) = folder.problems("{% include 'parts/a.txt' %}")
    assert str(problem.where) == "prompts/parts/a.txt:5:1"


def test_a_json_chat_array_is_a_prompt(folder: PromptFolder) -> None:
    """Strings are templates; parts, names and tool calls pass through."""
    messages = [
        {"role": "system", "content": "Answer in {{ lang }}."},
        {"role": "user", "content": [{"type": "text", "text": "{{ q }}"}, {"type": "x", "n": 1}], "name": "u"},
    ]
    prompt = folder.prompt(json.dumps(messages), "p.json")
    assert prompt.render(lang="日本語", q=' "quoted"\nuser:\n') == [
        {"role": "system", "content": "Answer in 日本語."},
        {
            "role": "user",
            "content": [{"type": "text", "text": ' "quoted"\nuser:\n'}, {"type": "x", "n": 1}],
            "name": "u",
        },
    ]
    assert prompt.template.variables == prompt.template.required_variables == {"lang", "q"}


def test_a_yaml_chat_array_may_carry_the_front_matter_keys(folder: PromptFolder) -> None:
    """An object around the array says model and parameters."""
    prompt = folder.prompt(
        "model: m\nparams: {seed: 1}\nmessages:\n- role: system\n  content: |\n    Hi\n- messages: history\n"
        "- {role: user, content: '{{ q }}'}\n",
        "p.yaml",
    )
    assert (prompt.model, prompt.params) == ("m", {"seed": 1})
    history = [{"role": "user", "content": "前"}, {"role": "assistant", "content": "後"}]
    assert texts(prompt.render(history=history, q="?")) == [
        ("system", "Hi\n"), ("user", "前"), ("assistant", "後"), ("user", "?"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "content", "slug", "place"),
    [
        ("p.json", "[", "prompt-json", "prompts/p.json:1:2"),
        ("p.json", "{}", "prompt-array", "prompts/p.json:1"),
        ("p.json", "[]", "prompt-empty", "prompts/p.json:1"),
        ("p.json", '[\n {"role": "user", "content": "a"},\n {"rol": "user"}]', "prompt-array", "prompts/p.json:3:2"),
        ("p.json", '[{"role": "usr", "content": "a"}]', "prompt-array", "prompts/p.json:1:2"),
        ("p.json", '[{"role": "user"}]', "prompt-array", "prompts/p.json:1:2"),
        ("p.json", '[{"role": "user", "content": 3}]', "prompt-array", "prompts/p.json:1:2"),
        ("p.json", '[\n{"role": "user", "content": "{{ q"}]', "prompt-syntax", "prompts/p.json:2:1"),
        ("p.yaml", "- role: user\n- x\n", "prompt-array", "prompts/p.yaml:1:3"),
        ("p.yaml", "- {role: user, content: a}\n- {messages: 'a b'}\n", "prompt-array", "prompts/p.yaml:2:3"),
        ("p.yaml", "mesages: []\n", "prompt-array", "prompts/p.yaml:1"),
    ],
)
def test_a_broken_chat_array_says_what_and_where(
    folder: PromptFolder, name: str, content: str, slug: str, place: str
) -> None:
    """A message of the wrong shape is found before it is sent."""
    problem = folder.problems(content, name)[0]
    assert (problem.slug, str(problem.where)) == (slug, place)


def test_an_inline_prompt_works_like_a_file(folder: PromptFolder) -> None:
    """Role lines, front matter and includes work in a suite's own text."""
    folder.write("part.txt", "P")
    prompt = folder.inline("---\nmodel: m\n---\nsystem:\n{% include 'part.txt' %}\nuser:\n{{ q }}")
    assert (prompt.name, prompt.path, prompt.model) == ("inline", None, "m")
    assert texts(prompt.render(q="1")) == [("system", "P"), ("user", "1")]


def test_a_mistake_in_an_inline_prompt_is_placed_in_the_suite(tmp_path: Path) -> None:
    """The suite's own line is named."""
    where = Location(path="evals/a.yaml", line=7, column=5)
    with pytest.raises(SuiteError) as caught:
        inline_prompt("a\n{{ q ", name="x", where=where, root=tmp_path)
    assert caught.value.problems[0].where == where


@pytest.mark.data
def test_public_prompts_render_unchanged() -> None:
    """Real prompts with odd lines (Q:, A:, braces, 日本語) are one user message, word for word."""
    data = Path(__file__).parents[3].parent / "shared" / "data"
    if not data.is_dir():
        pytest.skip("../shared/data is not there")
    paths = [*data.glob("bbh/prompt_*.txt"), *data.glob("mgsm_ja_prompts/prompt_*.txt")]
    assert paths
    for path in paths:
        prompt = read_prompt(path, display=path.name, root=path.parent)
        ((role, content),) = texts(prompt.template.render(dict.fromkeys(prompt.template.variables, "{{ x }}")))
        assert role == "user"
        if not prompt.template.variables:
            assert content == path.read_text("utf-8").strip()
