from __future__ import annotations

import asyncio
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest

from retest.domain.sample import Response
from retest.errors import UsageError
from retest.targets.base import Target
from support.targets import ask, error_of, identity_of, make_request, open_with, response_of

VARIABLES = {"question": "Q?", "lang": "ja"}


def python(folder: Path, source: str, name: str = "answer", **options: Any) -> Target:
    (folder / "bot.py").write_text(textwrap.dedent(source), "utf-8")
    return open_with("python", {"path": f"bot.py:{name}", **options}, base_dir=folder)


REQUEST = make_request(
    "hello",
    messages=[{"role": "system", "content": "S"}, {"role": "user", "content": "hello"}],
    variables=VARIABLES,
    params={"temperature": 0.5},
    sample_index=3,
)


@pytest.mark.parametrize(
    ("source", "output"),
    [
        ("def answer(prompt): return prompt", "hello"),
        ("async def answer(prompt): return prompt", "hello"),
        ("def answer(x): return x", "hello"),
        ("def answer(messages): return messages[0]['content']", "S"),
        ("def answer(messages, case): return case.vars['lang'] + case.case_id", "ja1"),
        ("def answer(question, lang): return question + lang", "Q?ja"),
        ("def answer(*, vars): return vars['lang']", "ja"),
        ("def answer(prompt, **variables): return prompt + variables['question']", "helloQ?"),
        ("def answer(prompt, *args, missing='d'): return prompt + missing", "hellod"),
        ("def answer(prompt, params, model, sample_index): return f'{params} {model} {sample_index}'",
         "{'temperature': 0.5} gpt-4o-mini 3"),
        ("def answer(request): return request.messages[1]['content']", "hello"),
        ("def answer(): return 'fixed'", "fixed"),
        ("answer = lambda prompt: prompt.upper()", "HELLO"),
        ("import functools\ndef f(a, prompt): return a + prompt\nanswer = functools.partial(f, 'x')", "xhello"),
        ("class Bot:\n    def __call__(self, prompt): return prompt + '!'\nanswer = Bot()", "hello!"),
        ("class Bot:\n    async def __call__(self, prompt): return prompt + '!'\nanswer = Bot()", "hello!"),
        ("async def f(prompt): return prompt\ndef answer(prompt): return f(prompt)", "hello"),
        ("def answer(prompt): return {'output': prompt, 'model': 'm'}", "hello"),
    ],
)  # fmt: skip
def test_a_function_gets_what_its_parameters_name(tmp_path: Path, source: str, output: str) -> None:
    """Prompt, messages, case, variables, ...; sync, async, partial, callable object."""
    assert response_of(python(tmp_path, source), REQUEST).output == output


@pytest.mark.parametrize(("kind", "output"), [("prompt", "hello"), ("vars", "Q?"), ("messages", "S")])
def test_the_input_option_says_what_the_one_argument_is(tmp_path: Path, kind: str, output: str) -> None:
    """For functions whose parameter names say nothing."""
    source = """
    def answer(x):
        if isinstance(x, str): return x
        return x["question"] if isinstance(x, dict) else x[0]["content"]
    """
    assert response_of(python(tmp_path, source, input=kind), REQUEST).output == output


RUNNABLE = """
class Message:
    def __init__(self, content): self.content, self.tool_calls = content, []

class Chain:
    async def ainvoke(self, value, config=None):
        return Message(str(value))
    def invoke(self, value): raise AssertionError("ainvoke is there")

answer = Chain()
"""


def test_a_runnable_gets_the_messages(tmp_path: Path) -> None:
    """A LangChain chat model is used as it is."""
    assert response_of(python(tmp_path, RUNNABLE), REQUEST).output == str(list(REQUEST.messages))


def test_a_runnable_chain_can_get_the_variables(tmp_path: Path) -> None:
    """A chain that begins with its own prompt template takes the case's variables."""
    assert response_of(python(tmp_path, RUNNABLE, input="vars"), REQUEST).output == str(VARIABLES)


def test_the_function_cannot_change_the_request(tmp_path: Path) -> None:
    """It gets copies: the next sample sees the same messages."""
    source = "def answer(messages, vars):\n    messages.clear(); vars.clear(); return 'x'"
    first, second = ask(python(tmp_path, source), REQUEST, REQUEST)
    assert isinstance(first, Response)
    assert isinstance(second, Response)
    assert (len(REQUEST.messages), len(REQUEST.case.vars)) == (2, 2)


def test_the_latency_is_the_calls(tmp_path: Path) -> None:
    """A stated latency comes first."""
    slow = response_of(python(tmp_path, "import time\ndef answer(prompt):\n    time.sleep(0.1); return 'x'"))
    assert slow.latency_ms is not None
    assert slow.latency_ms >= 100
    stated = response_of(python(tmp_path, "def answer(prompt): return {'output': 'x', 'latency_ms': 7}"))
    assert stated.latency_ms == 7


def test_sync_functions_run_side_by_side(tmp_path: Path) -> None:
    """Eight calls that sleep 0.3 s take far less than 2.4 s."""
    target = python(tmp_path, "import time\ndef answer(prompt):\n    time.sleep(0.3); return 'x'")

    async def scenario() -> float:
        started = time.monotonic()
        await asyncio.gather(*(target.call(REQUEST) for _ in range(8)))
        return time.monotonic() - started

    assert asyncio.run(scenario()) < 1.5


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("def answer(prompt):\n    return 1 / 0", "bot.py:2 in answer: ZeroDivisionError: division by zero"),
        ("async def answer(prompt):\n    raise ValueError('駄目')", "bot.py:2 in answer: ValueError: 駄目"),
        ("import json\ndef answer(prompt):\n    json.loads('{')", "bot.py:3 in answer: json.decoder.JSONDecodeError"),
        ("import sys\ndef answer(prompt):\n    sys.exit(3)", "bot.py:3 in answer: RuntimeError: SystemExit: 3"),
        ("import sys\nasync def answer(prompt):\n    sys.exit(3)", "bot.py:3 in answer: SystemExit: 3"),
        ("def answer(prompt):\n    raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("def answer(prompt):\n    raise StopIteration(1)", "StopIteration: 1"),
        ("def answer(prompt): return None", "returned NoneType"),
        ("def answer(prompt, other): return ''", "nothing to pass for parameter 'other'; available: prompt, messages"),
    ],
)
def test_what_goes_wrong_in_the_users_code_is_a_target_error(tmp_path: Path, source: str, says: str) -> None:
    """The user's own frame comes first; neither sys.exit nor anything else ends the run."""
    error = error_of(python(tmp_path, source), REQUEST)
    assert (error.kind, error.retryable, error.fatal) == ("target_error", False, False)
    assert says in error.message


@pytest.mark.parametrize("name", ["TimeoutError", "ConnectionResetError"])
def test_a_connection_that_fails_inside_the_function_may_be_tried_again(tmp_path: Path, name: str) -> None:
    """Python's own exceptions for time-outs and connections are retryable."""
    error = error_of(python(tmp_path, f"def answer(prompt): raise {name}('x')"), REQUEST)
    assert (error.kind, error.retryable) == ("target_error", True)


@pytest.mark.parametrize(
    "source", ["async def answer(p):\n    await asyncio.sleep(9)", "def answer(p):\n    time.sleep(8)"]
)
def test_a_function_that_takes_too_long_is_left_behind(tmp_path: Path, source: str) -> None:
    """The limit holds for sync functions too, though their thread cannot be stopped."""
    started = time.monotonic()
    error = error_of(python(tmp_path, f"import asyncio, time\n{source}", timeout_s=0.1), REQUEST)
    assert "no answer within 0.1 s" in error.message
    assert time.monotonic() - started < 7


def test_cancellation_passes_through(tmp_path: Path) -> None:
    """A run that is stopped is not held up by the function."""
    target = python(tmp_path, "import asyncio\nasync def answer(p):\n    await asyncio.sleep(9)")

    async def scenario() -> None:
        task = asyncio.create_task(target.call(REQUEST))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scenario())


def test_the_file_may_import_its_neighbours(tmp_path: Path) -> None:
    """At the top and later, inside the function."""
    (tmp_path / "neighbour_a.py").write_text("NAME = 'a'")
    (tmp_path / "neighbour_b.py").write_text("NAME = 'b'")
    source = (
        "import neighbour_a\ndef answer(p):\n    import neighbour_b\n    return neighbour_a.NAME + neighbour_b.NAME"
    )
    assert response_of(python(tmp_path, source)).output == "ab"


def test_a_dataclass_in_the_file_works(tmp_path: Path) -> None:
    """The module is registered, as dataclasses with string annotations need."""
    source = """
    from __future__ import annotations
    from dataclasses import dataclass
    @dataclass
    class A:
        x: int
    def answer(p): return str(A(1))
    """
    assert response_of(python(tmp_path, source)).output == "A(x=1)"


@pytest.mark.parametrize(
    ("source", "name", "says"),
    [
        ("def answer(p): ...", "anser", "has no 'anser'; it has: answer"),
        ("x = 1", "x", "is no function but int"),
        ("def answer(p:", "answer", "SyntaxError"),
        ("import no_such_module_here", "answer", "No module named 'no_such_module_here'"),
        ("\n\nraise SystemExit(3)", "answer", "bot.py:3 in <module>: SystemExit: 3"),
    ],
)
def test_a_file_that_cannot_be_used_is_found_before_any_call(tmp_path: Path, source: str, name: str, says: str) -> None:
    """Opening the target says what is wrong and where."""
    with pytest.raises(UsageError) as caught:
        python(tmp_path, source, name)
    assert says in str(caught.value)


@pytest.mark.parametrize("path", ["bot.py", "bot.py:", ":answer", "bot:answer", "none.py:answer", ""])
def test_a_reference_that_names_nothing_is_refused(tmp_path: Path, path: str) -> None:
    """It is file.py:function."""
    with pytest.raises(UsageError, match="target-python"):
        open_with("python", {"path": path}, base_dir=tmp_path)


def test_identity_is_the_source(tmp_path: Path) -> None:
    """An edited file, another function or another version is another target."""
    source = "def answer(p): return 'x'\ndef other(p): return 'x'"
    targets = [
        python(tmp_path, source),
        python(tmp_path, source, "other"),
        python(tmp_path, source, version="2"),
        python(tmp_path, source + "\n"),
    ]
    assert len({identity_of(target) for target in targets}) == 4
    assert identity_of(python(tmp_path, source)) == identity_of(targets[0])


def test_the_way_into_a_thread_is_not_latency(tmp_path: Path) -> None:
    """The clock starts where the function does, not where the call began to look for a thread."""
    target = python(tmp_path, "import time\ndef answer(prompt):\n    return str(time.perf_counter())")

    async def excess_ms() -> float:
        outcome = await target.call(REQUEST)
        ended = time.perf_counter()
        assert isinstance(outcome, Response)
        assert outcome.latency_ms is not None
        return outcome.latency_ms - (ended - float(outcome.output)) * 1000

    async def many() -> list[float]:
        return [await excess_ms() for _ in range(50)]

    # The best of fifty: another thread may run between two lines of any one of them.
    assert min(asyncio.run(many())) < 0.01
