"""The tables of a store, for SQLite and PostgreSQL alike.

Where rows are many (samples, scores, claims) the primary key is the storage order and there is no second index:
each one costs more than the row. Rows refer to responses and texts by integer.

Text that comes from users or models goes through `payloads.encode_text` first, because neither database takes every
Python string.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
)

SCHEMA_VERSION = 4
# 1: the first layout.
# 2: the table `baselines`: a suite's baseline is a pointer to a run, moved by one explicit command.
# 3: reviews by people (`reviews`, `review_revisions`), their scales, and codes that stand for arms in blind reviews.
# 4: batches handed to a provider (`batches`), and the calls in them whose answers are still out (`batch_keys`).

metadata = MetaData()

# SQLite makes a column its row number only where it is called INTEGER.
_RowNumber = BigInteger().with_variant(Integer, "sqlite")


def _clustered(name: str, *parts: Any) -> Table:
    """Return a table stored in the order of its primary key where the database can do that."""
    return Table(name, metadata, *parts, sqlite_with_rowid=False)


meta = Table(
    "meta",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

responses = Table(
    "responses",
    metadata,
    Column("id", _RowNumber, primary_key=True),
    Column("key", Text, nullable=False, unique=True),
    Column("role", Text, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("output", Text, nullable=False),
    Column("payload", LargeBinary),  # what else came back; None where there was nothing
)

owners = Table(
    "owners",
    metadata,
    Column("id", _RowNumber, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("machine", Text, nullable=False),
    Column("pid", BigInteger, nullable=False),
    Column("process_started", BigInteger, nullable=False),
    Column("beat_wall_s", Double, nullable=False),
    Column("beat_monotonic_s", Double, nullable=False),
    Column("lease_s", Double, nullable=False),
)

# A claim lives as long as its owner does: one row to extend, however many claims.
claims = _clustered(
    "claims",
    Column("key", Text, primary_key=True),
    Column("owner", BigInteger, nullable=False),
)

draws = Table(
    "draws",
    metadata,
    Column("suite", Text, primary_key=True),
    Column("last", Integer, nullable=False),
)

# Rendered messages, case bodies, prompt and suite sources: each text once, by hash.
blobs = Table(
    "blobs",
    metadata,
    Column("id", _RowNumber, primary_key=True),
    Column("hash", Text, nullable=False, unique=True),
    Column("body", LargeBinary, nullable=False),
)

runs = Table(
    "runs",
    metadata,
    Column("id", _RowNumber, primary_key=True),
    Column("run_id", Text, nullable=False, unique=True),
    Column("suite", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("config_hash", Text, nullable=False),
    Column("draw", Integer, nullable=False),
    Column("started_us", BigInteger, nullable=False, index=True),
    Column("finished_us", BigInteger),
    Column("git_commit", Text),
    Column("source", BigInteger, nullable=False),  # the suite's text, in blobs
    Column("owner", Text),  # name of the owner while it runs
    Column("exit_code", Integer),
    Column("counts", LargeBinary, nullable=False),
    Column("summary", LargeBinary),
    Column("header", LargeBinary, nullable=False),
)


def _run_number(**options: Any) -> Column[int]:
    return Column("run", BigInteger, ForeignKey("runs.id", ondelete="CASCADE"), **options)


run_arms = Table(
    "run_arms",
    metadata,
    _run_number(primary_key=True),
    Column("arm", SmallInteger, primary_key=True),
    Column("name", Text, nullable=False),
    Column("prompt_name", Text, nullable=False),
    Column("prompt_path", Text),
    Column("prompt_hash", Text, nullable=False),
    Column("prompt_source", BigInteger, nullable=False),
    Column("target_name", Text, nullable=False),
    Column("provider", Text, nullable=False),
    Column("model", Text),
    Column("body", LargeBinary, nullable=False),
)

# A metric whose definition changed is a further row, so that no score is overwritten by another definition's.
run_metrics = Table(
    "run_metrics",
    metadata,
    Column("id", _RowNumber, primary_key=True),
    _run_number(nullable=False),
    Column("name", Text, nullable=False),
    Column("signature", Text, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
    UniqueConstraint("run", "name", "signature"),
)

run_tags = Table(
    "run_tags",
    metadata,
    _run_number(primary_key=True),
    Column("tag", Text, primary_key=True),
)

# A pointer, not a copy: one run a suite. With its run the baseline goes too.
baselines = Table(
    "baselines",
    metadata,
    Column("suite", Text, primary_key=True),
    _run_number(nullable=False),
    Column("set_us", BigInteger, nullable=False),
)

run_metadata = Table(
    "run_metadata",
    metadata,
    _run_number(primary_key=True),
    Column("name", Text, primary_key=True),
    Column("value", LargeBinary, nullable=False),
)

run_cases = _clustered(
    "run_cases",
    _run_number(primary_key=True),
    Column("case", Integer, primary_key=True),
    Column("case_id", Text, nullable=False),
    Column("body", BigInteger, nullable=False),
    Column("place", LargeBinary),  # path and line of the row; apart, for it changes where the case does not
)

samples = _clustered(
    "samples",
    _run_number(primary_key=True),
    Column("case", Integer, primary_key=True),
    Column("arm", SmallInteger, primary_key=True),
    Column("sample", Integer, primary_key=True),
    Column("response", BigInteger),
    Column("messages", BigInteger),
    Column("created_us", BigInteger, nullable=False),
    Column("ledger_hit", Boolean, nullable=False),
    Column("error_kind", Text),
    Column("error_message", Text),
    Column("error_rest", LargeBinary),
    # A sample is an answer or an error, never neither. No foreign key on `response`: it would need an index of its
    # own to let `gc` delete at any speed.
    CheckConstraint("(response IS NULL) <> (error_kind IS NULL)", name="answer_or_error"),
)

scores = _clustered(
    "scores",
    Column("metric", BigInteger, ForeignKey("run_metrics.id", ondelete="CASCADE"), primary_key=True),
    Column("arm", SmallInteger, primary_key=True),
    Column("case", Integer, primary_key=True),
    Column("sample", Integer, primary_key=True),
    Column("value", Double),
    Column("failure", Text),  # the kind of failure; None: `value` counts
    Column("reason", Text),  # of the score, or the failure's message
    Column("details", LargeBinary),
)

Index("run_metrics_of_run", run_metrics.c.run)

# A review belongs to an answer, by the key that the ledger has it under: a run made later may hold the same answer,
# and what a person wrote outlives the run it was written on. Hence names, and no reference to a run.
reviews = Table(
    "reviews",
    metadata,
    Column("id", _RowNumber, primary_key=True),
    Column("review_id", Text, nullable=False, unique=True),
    Column("suite", Text, nullable=False),
    Column("reviewer", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("run_id", Text, nullable=False),
    Column("arm", Text, nullable=False),
    Column("case_id", Text, nullable=False),
    Column("sample", Integer, nullable=False),
    Column("other_key", Text),  # of the second answer of a pair, as the five that follow
    Column("other_run_id", Text),
    Column("other_arm", Text),
    Column("other_case_id", Text),
    Column("other_sample", Integer),
)

# Rows are only ever added: an edit is a further revision, and so is a withdrawal.
review_revisions = _clustered(
    "review_revisions",
    Column("review", BigInteger, ForeignKey("reviews.id", ondelete="CASCADE"), primary_key=True),
    Column("revision", Integer, primary_key=True),
    Column("created_us", BigInteger, nullable=False),
    Column("author", Text, nullable=False),
    Column("label", Text),
    Column("note", Text, nullable=False),
    Column("correction", Text),
    Column("body", LargeBinary, nullable=False),  # scores and tags
    Column("withdrawn", Boolean, nullable=False),
    Column("blind", Boolean, nullable=False),
)

review_scales = Table(
    "review_scales",
    metadata,
    Column("dimension", Text, primary_key=True),
    Column("low", Double, nullable=False),
    Column("high", Double, nullable=False),
    Column("direction", Text, nullable=False),
)

review_codes = Table(
    "review_codes",
    metadata,
    Column("code", Text, primary_key=True),
    Column("run_id", Text, nullable=False),
    Column("arm", Text, nullable=False),
    UniqueConstraint("run_id", "arm"),
)

Index("reviews_of_suite", reviews.c.suite)
Index("reviews_of_key", reviews.c.key)

# A row stays as history once its answers are taken (`ended_us`). `token` is in the batch's metadata at the provider,
# so that it is found again by whoever comes after a crash between handing it over and noting its name.
batches = Table(
    "batches",
    metadata,
    Column("id", _RowNumber, primary_key=True),
    Column("token", Text, nullable=False, unique=True),
    Column("run_id", Text, nullable=False),
    Column("suite", Text, nullable=False),
    Column("place", Text, nullable=False),  # where it was sent, without credentials
    Column("endpoint", Text, nullable=False),
    Column("model", Text),
    Column("identity", LargeBinary, nullable=False),  # of the target that took it
    Column("requests", Integer, nullable=False),
    Column("file_id", Text),  # the provider's names, as soon as they are known
    Column("batch_id", Text),
    Column("status", Text, nullable=False),
    Column("answered", Integer, nullable=False),
    Column("failed", Integer, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("expires_us", BigInteger, nullable=False),
    Column("ended_us", BigInteger),
    Column("note", Text),
    Column("poller", Text),  # name of the owner that looks after it
)

batch_keys = _clustered(
    "batch_keys",
    Column("key", Text, primary_key=True),
    Column("batch", BigInteger, nullable=False),
)
