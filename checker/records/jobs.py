"""What keys for many look-ups may be used for, and the look-ups themselves, in registry.db. All of its SQL.

    bulk_right    purposes and form of case numbers, one row a key of scope bulk
    bulk_job      one row a job: whose, what for, how far it is; the rows and answers lie in files (checker/bulk/)

Tenants are kept apart in one place: whatever a holder asks about a job goes through `_OWN`, which has the name of the
key in its WHERE, so that a job of somebody else and one that never was are the same nothing. Names of keys are never
used twice, so the name is the key.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from checker.model import parse_utc, utc_text
from checker.records.registry import Registry, RegistryWriter


class JobState(StrEnum):
    """How a job stands."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    """Its files cannot be read; it has to be sent again."""


OPEN_STATES = (JobState.WAITING, JobState.RUNNING)


@dataclass(frozen=True, slots=True)
class BulkRight:
    """What a key may be used for."""

    purposes: frozenset[str]
    case_pattern: str


@dataclass(frozen=True, slots=True)
class JobRow:
    """One job."""

    id: int
    name: str
    """Random; the public name, and that of its folder."""
    key_name: str
    purpose: str
    case_ref: str
    state: JobState
    rows: int
    made_at: datetime
    rows_done: int = 0
    rows_found: int = 0
    rows_bytes: int = 0
    """Of the file of rows that are done."""
    results_bytes: int = 0
    """Of the file of answers that belong to them."""
    coverage: str | None = None
    """JSON of what the answers rest on; None until it began."""
    started_at: datetime | None = None
    ended_at: datetime | None = None


def add_bulk_right(writer: RegistryWriter, key_name: str, right: BulkRight) -> None:
    """Write down what a new key may be used for."""
    writer._rows(
        "INSERT INTO bulk_right (key_name, purposes, case_pattern) VALUES (?, ?, ?)",
        (key_name, json.dumps(sorted(right.purposes)), right.case_pattern),
    )


def bulk_right(registry: Registry, key_name: str) -> BulkRight | None:
    """What a key may be used for. None: for nothing; it is of another scope, or older than purposes are."""
    rows = registry._rows("SELECT purposes, case_pattern FROM bulk_right WHERE key_name = ?", (key_name,))
    return BulkRight(frozenset(json.loads(rows[0][0])), rows[0][1]) if rows else None


# --- as a holder sees it ---------------------------------------------------------------------------------------

_OWN = "FROM bulk_job WHERE key_name = ?"
_COLUMNS = (
    "job_id, name, key_name, purpose, case_ref, state, row_count, rows_done, rows_found, rows_bytes, results_bytes, "
    "coverage, made_at, started_at, ended_at"
)


def own_job(registry: Registry, key_name: str, name: str) -> JobRow | None:
    """A job of this key. None: there is none, or it is somebody else's."""
    rows = registry._rows(f"SELECT {_COLUMNS} {_OWN} AND name = ?", (key_name, name))
    return _job(rows[0]) if rows else None


def own_jobs(registry: Registry, key_name: str, *, count: int) -> tuple[JobRow, ...]:
    """The newest `count` jobs of this key, newest first."""
    rows = registry._rows(f"SELECT {_COLUMNS} {_OWN} ORDER BY job_id DESC LIMIT ?", (key_name, count))
    return tuple(map(_job, rows))


def open_jobs_of(writer: RegistryWriter, key_name: str) -> int:
    """How many jobs of this key wait or run."""
    rows = writer._rows(f"SELECT COUNT(*) {_OWN} AND state IN (?, ?)", (key_name, *OPEN_STATES))
    return int(rows[0][0])


def delete_own_job(writer: RegistryWriter, key_name: str, name: str) -> bool:
    """Forget a job of this key. False: there is none."""
    return bool(writer._rows(f"DELETE {_OWN} AND name = ? RETURNING 1", (key_name, name)))


def add_job(writer: RegistryWriter, job: JobRow) -> None:
    """Write a new job; `id` is given by the database."""
    writer._rows(
        "INSERT INTO bulk_job (name, key_name, purpose, case_ref, state, row_count, rows_done, rows_found, rows_bytes, "
        "results_bytes, made_at) VALUES (?, ?, ?, ?, ?, ?, 0, 0, 0, 0, ?)",
        (job.name, job.key_name, job.purpose, job.case_ref, JobState.WAITING.value, job.rows, utc_text(job.made_at)),
    )


# --- as the worker sees it -------------------------------------------------------------------------------------


def next_job(registry: Registry) -> JobRow | None:
    """The oldest job that waits, or that a worker left when it ended. None: there is nothing to do."""
    rows = registry._rows(
        f"SELECT {_COLUMNS} FROM bulk_job "  # noqa: S608 - of constants
        "WHERE state IN (?, ?) ORDER BY job_id LIMIT 1",
        OPEN_STATES,
    )
    return _job(rows[0]) if rows else None


def move_on(registry: Registry, job: JobRow, *, now: datetime) -> bool:
    """Write down how far a job is, once its answers are on the disk. False: it was deleted meanwhile."""
    with registry.writing() as writer:
        return bool(
            writer._rows(
                "UPDATE bulk_job SET state = ?, rows_done = ?, rows_found = ?, rows_bytes = ?, results_bytes = ?, "
                "coverage = COALESCE(coverage, ?), started_at = COALESCE(started_at, ?), ended_at = ? "
                "WHERE job_id = ? RETURNING 1",
                (
                    *(job.state.value, job.rows_done, job.rows_found, job.rows_bytes, job.results_bytes),
                    *(job.coverage, utc_text(now), None if job.state in OPEN_STATES else utc_text(now), job.id),
                ),
            )
        )


def job_names(registry: Registry) -> frozenset[str]:
    """Names of all jobs; a folder of another name belongs to none."""
    return frozenset(name for (name,) in registry._rows("SELECT name FROM bulk_job"))


def delete_jobs_before(writer: RegistryWriter, before: datetime) -> tuple[str, ...]:
    """Forget the jobs that were made until this time, ended or not; their names."""
    rows = writer._rows("DELETE FROM bulk_job WHERE made_at <= ? RETURNING name", (utc_text(before),))
    return tuple(name for (name,) in rows)


def _job(row: Sequence[Any]) -> JobRow:
    return JobRow(
        id=row[0],
        name=row[1],
        key_name=row[2],
        purpose=row[3],
        case_ref=row[4],
        state=JobState(row[5]),
        rows=row[6],
        rows_done=row[7],
        rows_found=row[8],
        rows_bytes=row[9],
        results_bytes=row[10],
        coverage=row[11],
        made_at=parse_utc(row[12]),
        started_at=parse_utc(row[13]) if row[13] else None,
        ended_at=parse_utc(row[14]) if row[14] else None,
    )
