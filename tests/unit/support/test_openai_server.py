"""The test server itself: what it says it saw is what was sent."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from support.openai_server import OpenAIServer, error, ok

ROOT = Path(__file__).parents[3]


def post(url: str, text: str = "hi") -> tuple[int, Any]:
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": text}]}).encode()
    request = urllib.request.Request(f"{url}/chat/completions", data=body, method="POST")  # noqa: S310 - loopback
    try:
        with urllib.request.urlopen(request) as response:  # noqa: S310 - loopback
            return response.status, json.load(response)
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, json.load(refused)


def text_of(body: Any) -> str:
    return str(body["choices"][0]["message"]["content"])


def test_a_list_of_replies_is_followed_then_the_default() -> None:
    """The i-th request gets the i-th reply."""
    with OpenAIServer([error(500), "second"], default="later") as server:
        assert [post(server.base_url)[0], text_of(post(server.base_url)[1]), text_of(post(server.base_url)[1])] == [
            500,
            "second",
            "later",
        ]
        assert server.count == 3


def test_a_function_may_look_at_the_request() -> None:
    """It sees index and text."""
    with OpenAIServer(lambda request: ok(f"{request.index}:{request.last_user}")) as server:
        post(server.base_url)
        assert text_of(post(server.base_url, "京都")[1]) == "1:京都"


def test_as_a_process_it_counts_into_a_file(tmp_path: Path) -> None:
    """One line per request, from a process that outlives its client's death; --fail-from counts from 1."""
    counts = tmp_path / "calls.jsonl"
    argv = [sys.executable, "-m", "support.openai_server", "--count-file", str(counts), "--echo", "--fail-from", "3"]
    with subprocess.Popen(argv, cwd=ROOT / "tests", stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        answers = [post(url, "a"), post(url, "b"), post(url, "c")]
        process.terminate()
    assert [status for status, _ in answers] == [200, 200, 401]
    assert text_of(answers[1][1]) == "b"
    lines = [json.loads(line) for line in counts.read_text("utf-8").splitlines()]
    assert [line["last_user"] for line in lines] == ["a", "b", "c"]
