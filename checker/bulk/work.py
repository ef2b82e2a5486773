"""The worker: takes the oldest job, answers batch after batch, and writes down how far it is after each.

A batch's answers are on the disk before the registry says that they are there. So whoever goes on after a kill finds a
file of answers that is as long as the registry says or longer; what is longer is cut off and done again, and nothing is
answered twice or left out. A job that was deleted meanwhile ends at its next batch.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from checker.bulk.jobs import FOLDER, RESULTS_FILE, ROWS_FILE, open_private, remove
from checker.bulk.rows import AskedRow, kept_row
from checker.bulk.stored import StoredCodes
from checker.documents import report_document
from checker.errors import NotACodeError
from checker.fingerprint.robust import RobustModel
from checker.handles import Handles
from checker.index.live import LiveIndex
from checker.lookup import Checker
from checker.matching.weighing import Found
from checker.model import PHASH256, CodeKind
from checker.records.folder import DataFolder
from checker.records.interfaces import Hit
from checker.records.jobs import JobRow, JobState, move_on, next_job
from checker.records.registry import Registry
from checker.report import CheckStatus, MatchKind, Report
from checker.settings import Settings

BATCH = 4_096
"""Rows between two notes of progress."""
STRETCH = 8 * BATCH
"""Rows for which the stored codes are gone through at once (stored.py)."""
TOGETHER = 256
"""Rows whose pictures are read from the store at once."""


class Worker:
    """Answers the jobs of one data folder. One at a time works on a folder; see `__main__`."""

    def __init__(self, data: Path, registry: Registry, settings: Settings, clock: Callable[[], datetime]) -> None:
        folder = DataFolder.open(data, create=False)
        self._data = data
        self._registry = registry
        self._clock = clock
        self._checker = Checker(folder, settings, Handles.of_folder(data))
        self._index = LiveIndex(data, folder.store, PHASH256)
        self._stored = StoredCodes(folder, self._index, distance_bits_max=settings.match_distance_bits_max)
        model = RobustModel.of(settings)
        self._second: CodeKind | None = model.kind if model else None

    def close(self) -> None:
        """Let go of the databases."""
        self._index.close()
        self._checker.close()

    def prepare(self, rows: int) -> None:
        """Load what a list of at least so many rows will want, while it is on its way in."""
        self._stored.prepare(min(rows, STRETCH))

    def work(self, *, ending: Callable[[], bool] = lambda: False) -> int:
        """Answer jobs until none is left; how many rows were answered.

        Args:
            ending: asked after each batch.
        """
        answered = 0
        while not ending() and (job := next_job(self._registry)):
            answered += self._answer(job, ending)
        return answered

    def _answer(self, job: JobRow, ending: Callable[[], bool]) -> int:
        folder, before = self._data / FOLDER / job.name, job.rows_done
        try:
            with (folder / ROWS_FILE).open("rb") as rows, open_private(folder / RESULTS_FILE) as results:
                rows.seek(job.rows_bytes)
                os.ftruncate(results.fileno(), job.results_bytes)
                begun = replace(job, state=JobState.RUNNING, coverage=job.coverage or self._coverage())
                for job in self._batches(begun, rows, results):
                    if not move_on(self._registry, job, now=self._clock()):
                        remove(folder)  # somebody deleted it
                        break
                    if ending():
                        break
        except (FileNotFoundError, ValueError, NotACodeError):
            # Its files are gone or damaged: it cannot be answered, and must not hold up the others. A full disk is
            # another matter: it ends the worker, and the next one goes on.
            move_on(self._registry, replace(job, state=JobState.FAILED), now=self._clock())
        else:
            if job.state is JobState.DONE:
                (folder / ROWS_FILE).unlink(missing_ok=True)  # what was asked is not needed any more
        return job.rows_done - before

    def _batches(self, job: JobRow, rows: BinaryIO, results: BinaryIO) -> Iterator[JobRow]:
        """The job as it is after each batch, until it is done."""
        while job.state is JobState.RUNNING:
            lines = list(islice(rows, min(STRETCH, job.rows - job.rows_done)))
            if not lines and job.rows_done < job.rows:
                raise ValueError("the list breaks off")
            asked = [kept_row(line) for line in lines]
            first = 0
            for near in self._stored.near([row.codes[0] for row in asked]):
                for begin in range(0, len(near), BATCH):
                    some = near[begin : begin + BATCH]
                    batch = slice(first, first + len(some))
                    job = self._answered(job, lines[batch], asked[batch], some, results)
                    first = batch.stop
                    yield job

    def _answered(
        self,
        job: JobRow,
        lines: Sequence[bytes],
        asked: Sequence[AskedRow],
        near: Sequence[Sequence[Hit]],
        results: BinaryIO,
    ) -> JobRow:
        told, found = self._told(asked, near, job.rows_done)
        results.write(told)
        results.flush()
        os.fsync(results.fileno())
        done = job.rows_done + len(asked)
        return replace(
            job,
            state=JobState.DONE if done == job.rows else JobState.RUNNING,
            rows_done=done,
            rows_found=job.rows_found + found,
            rows_bytes=job.rows_bytes + sum(map(len, lines)),
            results_bytes=job.results_bytes + len(told),
        )

    def _told(self, asked: Sequence[AskedRow], near: Sequence[Sequence[Hit]], first: int) -> tuple[bytes, int]:
        """The answers as lines, and how many were found."""
        matches: list[Sequence[Found]] = [()] * len(asked)
        both = enumerate(zip(asked, near, strict=True))
        looked_up = [at for at, (row, hits) in both if hits or any(code.kind == self._second for code in row.codes)]
        for begin in range(0, len(looked_up), TOGETHER):
            some = looked_up[begin : begin + TOGETHER]
            found = self._checker.found_together([asked[at].codes for at in some], [near[at] for at in some])
            for at, each in zip(some, found, strict=True):
                matches[at] = each
        encode = json.JSONEncoder(separators=(",", ":")).encode
        rows = enumerate(zip(asked, matches, strict=True), first + 1)
        lines = [encode([number, row.id, [_kept(match) for match in each]]) for number, (row, each) in rows]
        sure = sum(any(match.kind is not MatchKind.POSSIBLE for match in each) for each in matches)
        return "".join(f"{line}\n" for line in lines).encode(), sure

    def _coverage(self) -> str:
        empty = Report(CheckStatus.CHECKED, None, self._checker.coverage(), ())
        return json.dumps(report_document(empty)["coverage"])


def _kept(match: Found) -> dict[str, Any]:
    """What is kept of a match: which picture and how sure, and nothing of where it was seen."""
    return {
        "image": match.image_id,
        "kind": match.kind.value,
        "orientation": match.orientation.value,
        "codes": dict(match.distances),
        "codes_disagree": match.codes_disagree,
        "expected_chance_matches": match.expected,
    }
