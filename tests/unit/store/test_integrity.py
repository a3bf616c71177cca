"""Looking a store through: each fault is found, mended where it can be, and nothing is invented."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from retest.domain.json_value import content_hash
from retest.domain.run import RunCounts
from retest.domain.sample import CallError
from retest.errors import StoreError
from retest.store.database import Store, open_store
from retest.store.engine import open_database
from retest.store.integrity import Finding, IntegrityReport
from retest.store.tables import (
    blobs,
    claims,
    responses,
    run_cases,
    run_metrics,
    runs,
    samples,
    scores,
)
from retest.workflows.verify_store import verify_store
from support.store_data import make_metric, make_record, make_run, store_run

RUN = make_run(metrics=(make_metric("exact_match"),))
RECORDS = [make_record((0, case, 0)) for case in range(4)] + [
    make_record((0, 4, 0), CallError(kind="http", message="no"))
]
CASE_3 = sa.select(run_cases.c.body).where(run_cases.c.case == 3).scalar_subquery()


def fill(url: str) -> None:
    with open_store(url) as store:
        store_run(store, RUN, RECORDS)
        store.update_run(RUN.run_id, counts=RunCounts(samples=5, errors=1))
    # Rendered messages are named by their content; the tests' own data has simpler names.
    for case in range(5):
        named = content_hash([{"role": "user", "content": f"問い {case}"}])
        damage(url, sa.update(blobs).where(blobs.c.hash == f"messages-{case}").values(hash=named))


def verify(url: str, *, repair: bool = False) -> IntegrityReport:
    return verify_store(url, lambda _: None, repair=repair)


def only(report: IntegrityReport) -> Finding:
    (finding,) = report.findings
    return finding


def damage(url: str, *statements: sa.Executable) -> None:
    """Change a store as no version of retest would."""
    with closing(open_database(url, read_only=False, busy_timeout_s=5, clock=time.time)) as database:
        freely = "PRAGMA foreign_keys=OFF" if database.is_sqlite else "SET session_replication_role = replica"
        with database.engine.connect() as connection:
            raw = connection.connection.cursor()
            raw.execute(freely)
            for statement in statements:
                connection.execute(statement)
            connection.commit()


def status(url: str) -> str:
    with open_store(url) as store:
        return store.get_run(RUN.run_id).status


def test_a_sound_store_is_sound(store_url: str) -> None:
    """Nothing is found, and what was read is counted."""
    fill(store_url)
    report = verify(store_url)
    assert (report.is_sound, report.findings) == (True, ())
    assert report.checked["responses"] == 4
    assert report.checked["texts"] > 0


def test_an_answer_that_is_gone_is_asked_for_again(store_url: str) -> None:
    """The sample and its score are taken out, and the run is one that the same command resumes."""
    fill(store_url)
    damage(store_url, sa.delete(responses).where(responses.c.key == "key-0-2-0"))
    assert (only(verify(store_url)).kind, status(store_url)) == ("lost-answers", "complete")
    report = verify(store_url, repair=True)
    assert report.is_sound
    assert [finding.kind for finding in report.findings] == ["lost-answers", "orphans-of-samples"]
    assert status(store_url) == "incomplete"
    assert verify(store_url).findings == ()


@pytest.mark.parametrize(
    ("kind", "statement"),
    [
        ("lost-cases", sa.delete(run_cases).where(run_cases.c.case == 1)),
        ("orphans-of-samples", sa.insert(scores).values(metric=1, arm=0, case=7, sample=0, value=1.0)),
        ("missing-samples", sa.delete(samples).where(samples.c.case == 4)),
        ("orphans-scores", sa.delete(run_metrics)),
        ("lost-messages", sa.update(samples).values(messages=99_999)),
        ("dangling-runs", sa.update(runs).values(status="running", owner="nobody")),
        ("orphans-claims", sa.insert(claims).values(key="k", owner=12_345)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_can_be_mended_is_mended(store_url: str, kind: str, statement: sa.Executable) -> None:
    """The fault is found, named, left alone without --repair, and gone after it."""
    fill(store_url)
    damage(store_url, statement)
    assert kind in {finding.kind for finding in verify(store_url).findings}
    assert kind in {finding.kind for finding in verify(store_url).findings}
    assert verify(store_url, repair=True).is_sound
    assert verify(store_url).findings == ()


def test_missing_scores_are_said_and_not_made_up(store_url: str) -> None:
    """An answer without a score is no 0: `retest rescore` is what helps."""
    fill(store_url)
    damage(store_url, sa.delete(scores).where(scores.c.case == 2))
    finding = only(verify(store_url, repair=True))
    assert (finding.kind, finding.count, finding.repaired) == ("missing-scores", 1, False)
    assert "retest rescore" in finding.advice


def test_an_altered_text_is_found_by_its_hash(store_url: str) -> None:
    """A case whose words were changed behind retest's back is seen."""
    fill(store_url)
    damage(store_url, sa.update(blobs).where(blobs.c.id == CASE_3).values(body=b'{"case_id": "case-3"}'))
    finding = only(verify(store_url, repair=True))
    assert (finding.kind, finding.count, finding.repaired) == ("content", 1, False)


def test_an_answer_that_cannot_be_read_is_found(store_url: str) -> None:
    """Half of a JSON in place of what came back."""
    fill(store_url)
    damage(store_url, sa.update(responses).where(responses.c.key == "key-0-0-0").values(payload=b'{"model": "x'))
    assert "response" in only(verify(store_url)).examples[0]


def test_a_lost_case_text_cannot_be_repaired(store_url: str) -> None:
    """It says which run, and that a backup is needed."""
    fill(store_url)
    damage(store_url, sa.delete(blobs).where(blobs.c.id == CASE_3))
    finding = only(verify(store_url, repair=True))
    assert (finding.kind, finding.repaired) == ("lost-texts", False)
    assert RUN.run_id in finding.examples[0]


def test_a_copy_is_kept_before_the_first_repair(sqlite_path: Path) -> None:
    """As it was before, beside the store."""
    fill(str(sqlite_path))
    damage(str(sqlite_path), sa.insert(claims).values(key="k", owner=12_345))
    report = verify(str(sqlite_path), repair=True)
    assert report.backup is not None
    with closing(sqlite3.connect(report.backup)) as before:
        assert before.execute("SELECT count(*) FROM claims").fetchone() == (1,)


def test_a_live_run_is_no_fault(store: Store, store_url: str) -> None:
    """What a process is writing at this moment is left alone, with --repair too."""
    store_run(store, RUN, [], status="running")
    assert verify(store_url, repair=True).findings == ()
    assert store.get_run(RUN.run_id).status == "running"


def test_a_damaged_index_is_made_anew(sqlite_path: Path) -> None:
    """Rows that an index has lost are found, and found through the index again after the repair."""
    fill(str(sqlite_path))
    with closing(sqlite3.connect(sqlite_path, isolation_level=None)) as raw:
        sql = raw.execute("SELECT sql FROM sqlite_master WHERE name='reviews_of_suite'").fetchone()[0]
        raw.execute("DROP INDEX reviews_of_suite")
        raw.execute(
            "INSERT INTO reviews (review_id, suite, reviewer, key, run_id, arm, case_id, sample) "
            "VALUES ('v', 's', 'r', 'k', 'x', 'a', 'c', 0)"
        )
        raw.execute(f"{sql} WHERE suite > 'zzz'")  # an index without the row, which then claims to hold them all
        raw.execute("PRAGMA writable_schema=ON")
        raw.execute("UPDATE sqlite_master SET sql=? WHERE name='reviews_of_suite'", (sql,))
    finding = only(verify(str(sqlite_path)))
    assert (finding.kind, finding.repaired) == ("file", False)
    assert verify(str(sqlite_path), repair=True).is_sound
    assert verify(str(sqlite_path)).findings == ()


def test_damaged_pages_are_found(sqlite_path: Path) -> None:
    """Bytes overwritten in the midst of the file: found, never called sound, and no traceback."""
    fill(str(sqlite_path))
    with closing(sqlite3.connect(sqlite_path)) as raw:
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        page = raw.execute("SELECT rootpage FROM sqlite_master WHERE name='responses'").fetchone()[0]
        size = raw.execute("PRAGMA page_size").fetchone()[0]
    with sqlite_path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xa5" * size)
    for repair in (False, True):
        report = verify(str(sqlite_path), repair=repair)
        assert not report.is_sound
        assert report.findings[0].kind == "file"


def test_no_store_is_an_error(sqlite_path: Path) -> None:
    """There is nothing to look through."""
    with pytest.raises(StoreError, match="no store here"):
        verify(str(sqlite_path))
