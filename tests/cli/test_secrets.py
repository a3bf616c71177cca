"""Keys that were planted in the environment, headers, addresses and error bodies are in no file and in no output."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from support.openai_server import OpenAIServer, Received, Reply, error, error_in_200, ok
from support.project import Project
from support.repository import commit_all, git
from support.viewing import viewing

# None looks like a key, so that nothing but knowing them takes them out. The last is cut by every shortened message.
KEY, PASSWORD, QUERY, HEADER = "planted/Key+A1b2C3", "planted;Password&Z9", "planted-query-X7y6", "planted&header<V5w4"
OWN, JUDGE, REMOTE = "planted-own-U3t2s1", "planted+judge/R0q9", "planted-remote-P8o7"
ENVIRONMENT = {
    "OUR_KEY": KEY,
    "URL_PASSWORD": quote(PASSWORD, safe=""),
    "URL_TOKEN": QUERY,
    "HEADER_VALUE": HEADER,
    "TOOL_SECRET": OWN,
    "JUDGE_KEY": JUDGE,
}
CASES = 10
CODE = """\
import os

def answer(prompt):
    raise ValueError(os.environ["TOOL_SECRET"])

def score(output):
    raise ValueError(os.environ["TOOL_SECRET"])
"""
STORE = "planted/Store Pass@N6m5"  # what SQLAlchemy takes for it ends at the @
REPORTS = ("html", "junit", "markdown", "json", "sarif")


def echo(request: Received) -> Reply:
    """Answer as careless gateways do: with everything that was sent, in every form of an error."""
    if request.headers.get("x-judge"):
        return error(400, said(request))
    number = int(re.sub(r"\D", "", request.last_user or str(request.body)) or 0)
    everything = said(request)
    bearer = str(request.headers.get("authorization", "")).partition(" ")[2]
    cut = "x" * (200 - len(bearer) + 4) + bearer  # a body that is shown up to its 200th byte
    replies = {
        1: error(400, everything),
        2: error(500, everything),
        3: error_in_200(everything),
        4: Reply(raw=everything.encode(), content_type="text/html"),
        5: Reply(raw=cut.encode(), content_type="text/plain"),
        6: error(400, "y" * (500 - len(bearer) + 4) + bearer),
        7: Reply(status=500, raw=f"<p>{everything}</p>".encode(), content_type="text/html"),
        8: Reply(raw=json.dumps({"strange": everything}).encode()),
    }
    return replies.get(number, ok("q0"))


def said(request: Received) -> str:
    """Return what a request said of its caller."""
    return f"{dict(request.headers)} {dict(request.query)} {request.path}"


@pytest.fixture(scope="module")
def server() -> Iterator[OpenAIServer]:
    """Return an endpoint that gives away what it was sent."""
    with OpenAIServer(echo) as running:
        yield running


@pytest.fixture(scope="module")
def spent(tmp_path_factory: pytest.TempPathFactory, server: OpenAIServer) -> tuple[Project, list[str]]:
    """Return a project in which everything was done that keeps or shows something, and all that was shown."""
    project = Project(tmp_path_factory.mktemp("secrets"))
    project.write("retest.toml", "attempts = 1\n")
    project.write_cases(CASES)
    port = server.base_url.rpartition(":")[2].partition("/")[0]
    site = f"http://someone:${{URL_PASSWORD}}@127.0.0.1:{port}"
    headers = {"X-Team": "${HEADER_VALUE}"}
    openai = {"provider": "openai", "model": "m", "base_url": server.base_url, "api_key_env": "OUR_KEY"}
    targets = [
        {**openai, "name": "chat", "headers": headers},
        {"name": "http", "provider": "http", "url": f"{site}/v1/chat/completions?api_key=${{URL_TOKEN}}"}
        | {"headers": {"X-Key": "${OUR_KEY}"}, "pick": "choices[0].message.content"}
        | {"body": {"messages": [{"role": "user", "content": "{{ prompt }}"}]}},
        {"name": "tool", "provider": "command", "argv": ["sh", "-c", "echo $TOOL_SECRET >&2; exit 1"]},
        {"name": "code", "provider": "python", "path": "code.py:answer"},
    ]
    project.write("evals/code.py", CODE)
    judges = [
        {**openai, "name": "j", "model": "judge", "api_key_env": "JUDGE_KEY", "headers": {**headers, "X-Judge": "1"}}
    ]
    metrics = [
        "exact_match",
        {"metric": "judge_correctness", "judge": "j"},
        {"metric": "python", "path": "code.py:score"},
    ]
    project.write_suite(targets=targets, judges=judges, metrics=metrics, gate={"max_error_rate": 1})
    return project, list(outputs(project))


COMMANDS: Sequence[Sequence[str]] = (
    ("run", "--verbose"),
    ("run", "--json"),
    ("rescore", "latest"),
    ("show", "latest", "--verbose"),
    ("show", "latest", "--json"),
    ("baseline", "set", "--force"),
    ("baseline", "export"),
    (
        "gate",
        *(
            part
            for name in ("html", "junit", "markdown", "json", "sarif")
            for part in ("--report", f"{name}=out.{name}")
        ),
    ),
    ("diff", "latest~1", "latest", "--verbose"),
    ("report", "latest", "-o", "report.html"),
    ("export", "latest", "--to", "jsonl"),
    ("export", "latest", "--to", "csv", "-o", "out.csv"),
    ("doctor", "--reach"),
    ("try", "prompts/ask.md", "--var", "question=q1", "--suite", "evals/qa.yaml", "--target", "chat"),
    ("try", "prompts/ask.md", "--var", "question=q1", "--suite", "evals/qa.yaml", "--target", "http"),
)


def outputs(project: Project) -> Iterator[str]:
    """Do it all, and yield what was shown."""
    project.write("prompts/ask.md", "{{ question }}\n")
    commit_all(project.root, "a remote with a token")
    git(project.root, "remote", "add", "origin", f"https://someone:{REMOTE}@example.invalid/team.git")
    for command in COMMANDS:
        result = project.run(*command, **ENVIRONMENT)  # type: ignore[arg-type]  # none of them is called timeout_s
        assert "Traceback" not in result.err, result.err
        yield f"{command}\n{result.out}\n{result.err}"
    for command in (("doctor", "--json"), ("runs",)):
        url = f"postgresql://someone:{STORE}@127.0.0.1:1/retest?sslpassword={quote(STORE)}"
        result = project.run(*command, RETEST_STORE=url)
        assert "127.0.0.1:1" in result.out + result.err
        yield f"{command}\n{result.out}\n{result.err}"
    yield collected(project)
    with viewing(project.root) as browser:
        pages = ["/"]
        for page in pages:
            text = browser.get(page).text
            yield text
            links = re.findall(r'href="(/[^"#]*)"', text)
            pages += [link.replace("&amp;", "&") for link in links if link not in pages and len(pages) < 40]


def collected(project: Project) -> str:
    """Return what pytest shows of the same suite, local variables and all."""
    command = [sys.executable, "-m", "pytest", "-vv", "-rA", "--showlocals", "-p", "no:cacheprovider", "--retest"]
    done = subprocess.run(
        [*command, "--retest-live", "evals"],
        cwd=project.root,
        env=project.env(**ENVIRONMENT),
        capture_output=True,
        timeout=120,
        check=False,
    )
    return (done.stdout + done.stderr).decode()


def forms(secret: str) -> set[bytes]:
    """Return how a secret may be written: as it is, in a URL, in JSON and in HTML; or six characters of it."""
    texts = {secret, quote(secret, safe=""), json.dumps(secret)[1:-1], secret[:12]}
    return {text.encode() for text in texts} | {b64encode(f"someone:{secret}".encode())[:-4]}


def leaks(content: bytes) -> list[str]:
    """Return what is planted in a content."""
    return [name for name, secret in SECRETS.items() if any(form in content for form in forms(secret))]


SECRETS = {
    "judge": JUDGE,
    "remote": REMOTE,
    "key": KEY,
    "password": PASSWORD,
    "query": QUERY,
    "header": HEADER,
    "environment": OWN,
    "store": STORE,
}


def test_the_keys_were_sent(spent: tuple[Project, list[str]], server: OpenAIServer) -> None:
    """Otherwise the test would find nothing however leaky retest were."""
    sent = "".join(said(request) for request in server.requests)
    basic = re.findall(r"Basic ([A-Za-z0-9+/=]+)", sent)
    decoded = " ".join(b64decode(text).decode() for text in basic)
    assert all(secret in sent for secret in (KEY, QUERY, HEADER, JUDGE))
    assert PASSWORD in decoded
    assert "HTTP 400" in "".join(spent[1])


def test_no_output_shows_them(spent: tuple[Project, list[str]]) -> None:
    """Neither text nor JSON, neither a page of the viewer."""
    found = [(leaks(text.encode()), text[:80]) for text in spent[1]]
    assert [entry for entry in found if entry[0]] == []


def test_no_file_holds_them(spent: tuple[Project, list[str]]) -> None:
    """Neither the store nor a report, export, baseline or recording."""
    project, _ = spent
    everything = [path for path in project.root.rglob("*") if path.is_file()]
    files = [path for path in everything if ".git" not in path.relative_to(project.root).parts]  # git keeps its remote
    names = {path.name for path in files}
    assert {"retest.db", "report.html", "out.csv", "out.junit", "out.sarif", "qa.baseline.jsonl"} <= names
    assert [(path.name, leaks(path.read_bytes())) for path in files if leaks(path.read_bytes())] == []


def test_no_row_of_the_store_holds_them(spent: tuple[Project, list[str]]) -> None:
    """Read row by row, in case a page of the file is packed."""
    project, _ = spent
    rows: list[Any] = []
    with sqlite3.connect(project.root / ".retest/retest.db") as store:
        tables = [name for (name,) in store.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            rows += store.execute(f'SELECT * FROM "{table}"').fetchall()  # noqa: S608 - a name out of the schema
    store.close()
    assert len(rows) > CASES
    assert [row for row in rows if leaks(repr(row).encode())] == []


def test_a_traceback_of_retest_itself_shows_no_local_variable(tmp_path: Path) -> None:
    """A bug is told with its frames, and without what was in them."""
    project = Project(tmp_path)
    project.write_cases(1)
    project.write_suite()
    (tmp_path / "sitecustomize.py").write_text(
        "import retest.workflows.run as run\n"
        "def broken(self, stack, prices):\n    key = self._workspace.env['OUR_KEY']\n    raise RuntimeError('a bug')\n"
        "run.SuiteRun._open_targets = broken\n",
        "utf-8",
    )
    result = project.run("run", OUR_KEY=KEY, PYTHONPATH=os.fspath(tmp_path))
    assert result.code == 3
    assert "a bug" in result.err
    assert KEY not in result.err + result.out
