"""Bulk look-ups as their holders see them: made, looked after, told, deleted. Every act is written down (audit).

    registry.db      one row a job: whose, what for, how far           bulk/NAME/rows       what is asked
                                                                       bulk/NAME/results    answers so far
Codes and answers lie in files of the holder's job alone (0600), outside the databases, so that no backup of the
registry carries them and deleting them is deleting files. Answers name stored pictures by their ids: where a picture
was seen is read when the answers are fetched, so that an opt-out of yesterday holds for them too.

A job is gone some days after it was made (`bulk_kept_days`), whatever became of it.
"""

from __future__ import annotations

import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from checker.audit.cases import is_case
from checker.audit.entry import Act, Done
from checker.audit.log import AuditLog, record
from checker.bulk.rows import BYTES_MAX, RowReader
from checker.errors import DataError, InputError
from checker.keys import KeyHolder
from checker.records.folder import make_private_folder
from checker.records.jobs import (
    JobRow,
    JobState,
    add_job,
    delete_jobs_before,
    delete_own_job,
    job_names,
    next_job,
    open_jobs_of,
    own_job,
    own_jobs,
)
from checker.records.registry import Registry
from checker.settings import Settings

FOLDER, ROWS_FILE, RESULTS_FILE = "bulk", "rows", "results"
_ARRIVING = ".arriving"
"""What the name of a job's folder ends with while its list is on its way in."""
_ARRIVING_S = 10.0
"""A list that has not grown for so long is waited for no more."""
OPEN_MAX = 10
"""Jobs of one key that may wait or run at once."""
LISTED_MAX = 100
ORPHAN_S = 3600
"""A folder without a job is deleted when it is older: until then its list may still be arriving."""


class TooManyJobsError(InputError):
    """The key has as many jobs open as it may."""


@dataclass(frozen=True, slots=True)
class Cause:
    """Why somebody looks up many pictures."""

    purpose: str
    case_ref: str


def wrong_cause(holder: KeyHolder, cause: Cause) -> tuple[str, ...]:
    """What of it this key may not say: "purpose", "case". Empty: nothing."""
    wrong = []
    if cause.purpose not in holder.purposes:
        wrong.append("purpose")
    if not is_case(cause.case_ref, holder.case_pattern):
        wrong.append("case")
    return tuple(wrong)


class BulkJobs:
    """The jobs of one data folder. Safe to share between threads."""

    def __init__(self, folder: Path, registry: Registry, settings: Settings) -> None:
        self.data = folder
        self._folder = folder / FOLDER
        self._registry = registry
        self._kept = timedelta(days=settings.bulk_kept_days)
        self.audit = AuditLog(folder, registry)

    @classmethod
    def open(cls, folder: Path, registry: Registry, settings: Settings, *, now: datetime) -> BulkJobs:
        """The jobs of a folder whose audit log is whole; what is old goes.

        Raises:
            LogBehindError, DataError: see `AuditLog.require_whole`.
        """
        jobs = cls(folder, registry, settings)
        jobs.audit.require_whole()
        jobs.sweep(now)
        return jobs

    def waiting(self) -> bool:
        """Is there something to answer?"""
        return next_job(self._registry) is not None

    def arriving_bytes(self) -> int:
        """How long the longest of the lists on their way in is so far; 0: none is."""
        sizes = [0]
        for path in self._folder.glob(f"*{_ARRIVING}/{ROWS_FILE}"):
            with suppress(FileNotFoundError):  # it has arrived, or broke off
                status = path.stat()
                if time.time() - status.st_mtime < _ARRIVING_S:
                    sizes.append(status.st_size)
        return max(sizes)

    @contextmanager
    def intake(self) -> Iterator[Intake]:
        """Take a list in. What was not `kept` in the end is deleted."""
        make_private_folder(self._folder)
        intake = Intake(self._folder / f"{secrets.token_hex(16)}{_ARRIVING}")
        try:
            yield intake
        finally:
            intake.close()

    def add(self, intake: Intake, holder: KeyHolder, cause: Cause, *, now: datetime) -> JobRow:
        """Make a job of a list that has arrived as a whole.

        Raises:
            InputError: the cause is not one of this key's (see `wrong_cause`), or the list is empty.
            TooManyJobsError: so many wait already.
            RowError: the last row cannot be read.
        """
        rows = intake.finish()
        if wrong_cause(holder, cause) or not rows:
            raise InputError("a list needs a row, a purpose of its key and a case; nothing was looked up")
        name = intake.arrived()
        job = JobRow(
            id=0,
            name=name,
            key_name=holder.name,
            purpose=cause.purpose,
            case_ref=cause.case_ref,
            state=JobState.WAITING,
            rows=rows,
            made_at=now,
        )
        with self._registry.writing() as writer:
            if open_jobs_of(writer, holder.name) >= OPEN_MAX:
                raise TooManyJobsError(f"{OPEN_MAX} lists wait already; wait for one of them or delete one")
            add_job(writer, job)
            done = Done(Act.BULK_MADE, holder.name, now, cause.purpose, cause.case_ref, name, rows)
            record(writer, done)
        intake.kept = True
        self.audit.sign(now)
        return self.one(holder, name, now=now) or job

    def one(self, holder: KeyHolder, name: str, *, now: datetime) -> JobRow | None:
        """A job of this holder. None: unknown, somebody else's, or gone."""
        job = own_job(self._registry, holder.name, name)
        return job if job and now < job.made_at + self._kept else None

    def all(self, holder: KeyHolder, *, now: datetime) -> tuple[JobRow, ...]:
        """The newest jobs of this holder, newest first."""
        found = own_jobs(self._registry, holder.name, count=LISTED_MAX)
        return tuple(job for job in found if now < job.made_at + self._kept)

    def ends_at(self, job: JobRow) -> datetime:
        """When it is gone."""
        return job.made_at + self._kept

    def delete(self, holder: KeyHolder, name: str, *, now: datetime) -> bool:
        """Forget a job with its codes and answers. False: there is none of this holder."""
        job = self.one(holder, name, now=now)
        if job is None:
            return False
        with self._registry.writing() as writer:
            deleted = delete_own_job(writer, holder.name, name)
            if deleted:
                record(writer, Done(Act.BULK_DELETED, holder.name, now, job.purpose, job.case_ref, name))
        remove(self._folder / name)
        self.audit.sign(now)
        return deleted

    def fetched(self, job: JobRow, *, reason: str, now: datetime) -> None:
        """Write down that answers are given out, before they are."""
        subject = f"{job.name} {reason}".strip()
        done = Done(Act.BULK_FETCHED, job.key_name, now, job.purpose, job.case_ref, subject, job.rows_done)
        self.audit.record(done, now=now)

    def results(self, job: JobRow) -> Iterator[bytes]:
        """The lines of the answers so far.

        Raises:
            DataError: they are gone or shorter than was written.
        """
        path, left = self._folder / job.name / RESULTS_FILE, job.results_bytes
        if not left:
            return
        try:
            with path.open("rb") as file:
                while left > 0 and (line := file.readline(left)):
                    left -= len(line)
                    yield line
        except OSError as error:
            raise DataError(f"cannot read {path}: {error.strerror}; the list has to be sent again") from error

    def scratch(self, job: JobRow) -> Path:
        """A name for a file beside the answers that goes with them."""
        return self._folder / job.name / f"{secrets.token_hex(8)}.told"

    def sweep(self, now: datetime) -> int:
        """Delete what is old, folders without a job, and old text of the audit log; how many jobs went."""
        self.audit.erase_old_text(now)
        with self._registry.writing() as writer:
            old = delete_jobs_before(writer, now - self._kept)
        for name in old:
            remove(self._folder / name)
        known = job_names(self._registry)
        for folder in self._folder.iterdir() if self._folder.is_dir() else ():
            if folder.name not in known and now.timestamp() - folder.stat().st_mtime > ORPHAN_S:
                remove(folder)
        return len(old)


class Intake:
    """A list on its way in: read row by row, written down, never in memory as a whole."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.kept = False
        folder.mkdir(mode=0o700)
        self._file = open_private(folder / ROWS_FILE)
        self._reader = RowReader()
        self._bytes = 0

    @property
    def rows(self) -> int:
        """Rows so far."""
        return self._reader.rows

    def feed(self, chunk: bytes) -> bool:
        """Take a piece. False: the list is larger than lists may be.

        Raises:
            RowError: a row cannot be read.
        """
        self._bytes += len(chunk)
        if self._bytes > BYTES_MAX:
            return False
        for row in self._reader.feed(chunk):
            self._file.write(row.line())
        return True

    def finish(self) -> int:
        """Put all of it on the disk; how many rows it has. Raises RowError as `feed`."""
        for row in self._reader.end():
            self._file.write(row.line())
        self._file.flush()
        os.fsync(self._file.fileno())
        return self._reader.rows

    def arrived(self) -> str:
        """Give its folder the name of a job, and tell it."""
        self.folder = self.folder.rename(self.folder.with_suffix(""))
        return self.folder.name

    def close(self) -> None:
        """Let go of the file, and delete it unless it was kept."""
        self._file.close()
        if not self.kept:
            remove(self.folder)


def open_private(path: Path) -> BinaryIO:
    """A file to append to that only its owner may read."""
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW, 0o600)
    return os.fdopen(descriptor, "ab")


def remove(folder: Path) -> None:
    """Delete the files of a job; where they are gone, that is well."""
    shutil.rmtree(folder, ignore_errors=True)
