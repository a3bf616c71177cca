"""Files that a suite names, on nodes that do not have them."""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from retest.distributed.files import Luggage, TakenFile, pack_files, unpack_files
from retest.distributed.setup import Setup
from retest.distributed.worker import Worker
from retest.domain.suite import Suite
from retest.workflows.check import check_suites
from retest.workflows.settings import load_settings
from retest.workflows.workspace import Workspace
from support.crew import copied, spread_run
from support.project import Project


@pytest.fixture(autouse=True)
def imports(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let no test, here or elsewhere, find modules of this one's project: a worker ends with its process, as a rule."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield
    sys.modules.pop("words", None)


def write_code(project: Project) -> None:
    """Write a suite whose target and metric are Python files that import one of the project."""
    project.write_cases(3)
    project.write("code/words.py", "GREETING = 'こんにちは'\n")
    project.write("code/bot.py", "from words import GREETING\n\ndef answer(prompt):\n    return GREETING\n")
    project.write("code/mine.py", "import words\n\ndef score(output):\n    return output == words.GREETING\n")
    targets = [{"name": "bot", "provider": "python", "path": "../code/bot.py:answer"}]
    project.write_suite(
        targets=targets, metrics=[{"metric": "python", "name": "mine", "path": "../code/mine.py:score"}]
    )


def suite_of(project: Project) -> Suite:
    workspace = Workspace(cwd=project.root, settings=load_settings(project.root, {}), env={})
    (suite,) = check_suites([], workspace).suites
    return suite


def test_files_and_what_they_import_are_packed(project: Project) -> None:
    """The Python files that are named, and those of the project that they import; nothing else."""
    write_code(project)
    luggage = copied(pack_files(suite_of(project), ()))
    assert sorted(Path(name).name for name in luggage.files) == ["bot.py", "mine.py", "words.py"]


def test_a_node_that_has_the_files_uses_its_own(project: Project) -> None:
    """On a shared folder nothing is copied; where one file is another, all are."""
    write_code(project)
    luggage = pack_files(suite_of(project), ())
    assert luggage.is_here()
    project.write("code/words.py", "GREETING = 'さようなら'\n")
    assert not luggage.is_here()


def test_a_node_without_the_files_is_the_same_target_and_metric(project: Project, tmp_path: Path) -> None:
    """Identity and signature are those of the machine that started the run, and go with the worker's folder."""
    write_code(project)

    async def scenario() -> Setup:
        async with spread_run(project.root, workers=1) as spread:
            return copied(spread.crew._setup)

    setup = asyncio.run(scenario())
    shutil.move(project.root / "code", tmp_path / "elsewhere")

    async def node() -> None:
        worker = Worker("worker 1")
        opened = await worker.open(setup, {})
        assert not opened.problems, opened.problems
        assert [dict(identity) for identity in opened.identities] == [dict(identity) for identity in setup.identities]
        assert opened.signatures == setup.signatures
        folder = worker._setup.suite.metrics[0].base_dir if worker._setup else Path()
        assert folder.exists()
        await worker.close()
        assert not folder.exists()

    asyncio.run(node())


def test_a_file_that_is_nowhere_is_told_of(project: Project) -> None:
    """What was too large to take along, and is not on the node, is a problem before anything is called."""
    write_code(project)

    async def scenario() -> Setup:
        async with spread_run(project.root, workers=1) as spread:
            return copied(spread.crew._setup)

    setup = asyncio.run(scenario())
    shutil.rmtree(project.root / "code")
    lost = Setup(**{name: getattr(setup, name) for name in setup.__slots__ if name != "luggage"})

    async def node() -> str:
        worker = Worker("worker 1")
        opened = await worker.open(lost, {})
        await worker.close()
        return opened.problems[0].message

    assert "no such file" in asyncio.run(node())


def test_a_name_with_many_steps_up_stays_in_the_folder(project: Project, tmp_path: Path) -> None:
    """A path with more steps up than it is deep is below the folder all the same; a relative one is refused."""
    folder = tmp_path / "node" / "files"
    folder.mkdir(parents=True)
    write_code(project)
    suite, file = suite_of(project), TakenFile(b"x", 0o600)
    unpack_files(Luggage(files={"/a/b/../../../../../out/x": file}), folder, suite, ())
    assert (folder / "out" / "x").read_bytes() == b"x"
    with pytest.raises(ValueError, match="leads out of"):
        unpack_files(Luggage(files={"a/../../out": file}), folder, suite, ())
    assert [path.name for path in (tmp_path / "node").iterdir()] == ["files"]
