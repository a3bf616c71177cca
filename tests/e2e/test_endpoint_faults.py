"""Whatever an endpoint does wrong: tried again where that may help, else a missing sample that says why."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from support.project import Project
from support.raw_server import Answer, RawServer, completion, gzip_bomb, http

MB = 2**20
WHOLE = http(completion("right"))

# By the question that meets them: what comes the first time, and of which kind the error is where it always comes.
FAULTS: Mapping[str, tuple[Answer, str]] = {
    "reset before": ((b"", "reset"), "connection"),
    "closed before": ((b"", "close"), "connection"),
    "reset in the head": ((WHOLE[:20], "reset"), "connection"),
    "reset in the body": ((WHOLE[:-30], "reset"), "connection"),
    "closed in the body": ((WHOLE[:-30], "close"), "connection"),
    "half a JSON": ((http(completion("right")[:40]), "close"), "bad_response"),
    "wrong content type": ((http(b"<html>log in</html>", content_type="text/html"), "close"), "bad_response"),
    "200 with an error": ((http(b'{"error": {"message": "upstream"}}'), "close"), "bad_response"),
    "no HTTP at all": ((b"SSH-2.0-OpenSSH_9.6\r\n", "close"), "connection"),
    "binary": ((http(b"\x00\xff\xfe" * 9), "close"), "bad_response"),
    "hangs": ((b"", "hang"), "timeout"),
    "hangs in the body": ((WHOLE[:-30], "hang"), "timeout"),
}
SOUND: Mapping[str, Answer] = {
    "HTTP/1.0": (http(completion("right"), version="1.0"), "close"),
    "reset after the body": (WHOLE, "reset"),
    "plain": (WHOLE, "close"),
    "no length": (WHOLE.replace(b"Content-Length", b"X-Length"), "close"),
}


def write(project: Project, server: RawServer, *questions: str, attempts: int = 3) -> None:
    rows = [{"id": question, "question": question, "expected": "right"} for question in questions]
    project.write_rows("datasets/qa.jsonl", rows)
    project.write("retest.toml", f"attempts = {attempts}\n")
    target = {"name": "small", "provider": "openai", "model": "m", "base_url": server.base_url, "timeout_s": 4}
    project.write_suite(server.base_url, targets=[target])


def samples(project: Project) -> dict[str, Any]:
    lines = project.run("export", "latest", "--to", "jsonl").out.splitlines()
    return {row["case_id"]: row for row in map(json.loads, lines)}


def test_a_fault_that_passes_costs_one_more_attempt(project: Project) -> None:
    """Each fault once, then an answer: exit 0, every sample there, each question asked twice and no more."""

    def script(question: str, time: int) -> Answer:
        return FAULTS[question][0] if question in FAULTS and time == 1 else SOUND.get(question, (WHOLE, "close"))

    with RawServer(script) as server:
        write(project, server, *FAULTS, *SOUND)
        done = project.run("run", "--json", "--concurrency", "4")
        assert done.code == 0, done.out + done.err
        assert (done.json["samples"], done.json["errors"]) == (len(FAULTS) + len(SOUND), 0)
        assert done.json["metrics"]["exact_match"]["mean"] == 1
        assert server.asked == {**dict.fromkeys(FAULTS, 2), **dict.fromkeys(SOUND, 1)}
        assert project.run("run", "--json").json["calls"] == 0


def test_a_fault_that_stays_is_a_missing_sample_with_its_kind(project: Project) -> None:
    """Exit 4, never 0 and never a score; what was answered is kept, and the same command asks for the rest alone."""
    mended = False

    def script(question: str, _time: int) -> Answer:
        return (WHOLE, "close") if mended else FAULTS.get(question, ((WHOLE, "close"), ""))[0]

    with RawServer(script) as server:
        write(project, server, *FAULTS, *SOUND, attempts=1)
        done = project.run("run", "--json", "--concurrency", "4")
        assert done.code == 4, done.out + done.err
        assert "Traceback" not in done.err
        assert (done.json["samples"], done.json["errors"]) == (len(FAULTS) + len(SOUND), len(FAULTS))
        found = samples(project)
        assert {name: found[name]["error"]["kind"] for name in FAULTS} == {
            name: kind for name, (_, kind) in FAULTS.items()
        }
        assert all(found[name]["scores"]["exact_match"] is None for name in FAULTS)
        assert all(found[name]["output"] == "right" for name in SOUND)
        mended = True
        again = project.run("run", "--json")
        assert (again.code, again.json["errors"]) == (0, 0)
        assert server.asked == {**dict.fromkeys(FAULTS, 2), **dict.fromkeys(SOUND, 1)}


@pytest.mark.parametrize("kind", ["bomb", "large"])
def test_an_answer_without_end_is_refused_and_asked_for_once(project: Project, kind: str) -> None:
    """More than 64 MB, on the wire or unpacked: an error as data, in bounded memory, and no second attempt."""
    data = gzip_bomb(100 * MB) if kind == "bomb" else http(b" " * (100 * MB))
    with RawServer(lambda question, _: (data, "close") if question == "big" else (WHOLE, "close")) as server:
        write(project, server, "big", "plain")
        done = project.run("run", "--json")
        assert done.code == 4
        assert "64 MB" in samples(project)["big"]["error"]["message"]
        assert server.asked == {"big": 1, "plain": 1}


def test_no_way_to_the_endpoint_is_said_as_it_is(project: Project) -> None:
    """A name that does not resolve, TLS where there is none, no proxy: exit 4, no traceback, no key."""
    with RawServer(lambda _question, _time: (WHOLE, "close")) as server:
        write(project, server, "plain", attempts=1)
        targets = {
            "dns": "http://nowhere.invalid/v1",
            "tls": f"https://127.0.0.1:{server.port}/v1",
            "refused": "http://127.0.0.1:9/v1",
        }
        project.write_suite(
            targets=[
                {"name": name, "provider": "openai", "model": "m", "base_url": url, "timeout_s": 3}
                for name, url in targets.items()
            ]
        )
        done = project.run("run", "--json", OPENAI_API_KEY="sk-test-1234567890abcdef")
        proxied = project.run(
            "run",
            "--json",
            "--fresh",
            "--set",
            f"target.base_url={server.base_url}",
            HTTP_PROXY="http://127.0.0.1:9",
            NO_PROXY="",
        )
        assert server.count == 0
    assert (done.code, proxied.code) == (4, 4)
    assert (done.json["errors"], proxied.json["errors"]) == (3, 3)
    for text in (done.err, proxied.err, done.out, proxied.out):
        assert "Traceback" not in text
        assert "sk-test" not in text


@pytest.mark.parametrize("provider", ["openai", pytest.param("http", marks=pytest.mark.slow)])
def test_a_proxy_is_used_where_the_environment_names_one(project: Project, provider: str) -> None:
    """HTTP_PROXY carries the calls to a host that only the proxy knows; NO_PROXY goes past it."""
    with RawServer(lambda _question, _time: (WHOLE, "close")) as server:
        body = {"messages": [{"role": "user", "content": "{{ prompt }}"}]}
        kinds: dict[str, dict[str, Any]] = {
            "openai": {"model": "m", "base_url": "http://nowhere.invalid/v1"},
            "http": {"url": "http://nowhere.invalid/v1", "body": body, "pick": "choices[0].message.content"},
        }
        write(project, server, "plain", attempts=1)
        project.write_suite(targets=[{"name": "t", "provider": provider, "timeout_s": 30, **kinds[provider]}])
        carried = project.run("run", "--json", HTTP_PROXY=f"http://127.0.0.1:{server.port}")
        assert (carried.code, server.asked) == (0, {"plain": 1}), carried.err
        write(project, server, "past")
        past = project.run("run", "--json", HTTP_PROXY="http://127.0.0.1:9", NO_PROXY="127.0.0.1")
        assert (past.code, server.asked["past"]) == (0, 1), past.err
