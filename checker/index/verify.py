"""Proof that the index is what the database says: every file, every row, every erasure.

    damaged      a file does not hold what was written there, or is another's
    wrong        a row is missing, is too many, or has other bits than in the database
    overdue      a code that was erased or hidden more than a day ago still lies in a file
    waiting      the same, but it was erased or hidden less than a day ago; no answer holds an erased one

The first three are failures. A build mends all four.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial

import numpy as np

from checker.index.aside import codes_of_images, hidden_digest, hidden_images
from checker.index.bits import permuted
from checker.index.live import LiveIndex, kind_folder
from checker.index.loaded import Loaded, load
from checker.index.manifest import MANIFEST
from checker.index.search import Ids
from checker.index.segment import Segment
from checker.index.tail import READ_AT_ONCE, blocks_between
from checker.model import CodeKind, utc_text
from checker.records.folder import DataFolder
from checker.records.interfaces import ErasedBlock, Store
from checker.settings import Settings

GRACE = timedelta(hours=24)
"""Within this time what was erased or hidden has to leave every file."""
_LAST_ID = 2**63 - 1


@dataclass(slots=True)
class Verified:
    """What came of one kind of code."""

    kind: CodeKind
    segments: int = 0
    rows: int = 0
    """Compared with the database, bit by bit."""
    tail: int = 0
    """Codes that no file holds yet; they are searched from the database."""
    damaged: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    overdue: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Is nothing damaged, wrong or overdue?"""
        return not (self.damaged or self.wrong or self.overdue)


def verify(
    folder: DataFolder,
    settings: Settings,
    *,
    now: datetime,
    progress: Callable[[CodeKind, float], None] = lambda _, __: None,
) -> tuple[Verified, ...]:
    """Compare the index of every kind of code with the database. Reads both in full and changes nothing.

    Raises:
        DataError: the database cannot be used.
    """
    return tuple(_Check(folder, settings, kind, now, partial(progress, kind)).run() for kind in folder.store.kinds())


class _Check:
    def __init__(
        self,
        folder: DataFolder,
        settings: Settings,
        kind: CodeKind,
        now: datetime,
        progress: Callable[[float], None],
    ) -> None:
        self._folder = folder
        self._store: Store = folder.store
        self._settings = settings
        self._kind = kind
        self._now = now
        self._progress = progress
        self._found = Verified(kind)

    def run(self) -> Verified:
        """All checks of one kind."""
        found, kind = self._found, self._kind
        loaded = load(kind_folder(self._folder.path, kind), self._store, kind)
        try:
            found.damaged += [damage.sentence for damage in loaded.damaged]
            found.segments = len(loaded.segments)
            found.tail = self._store.codes_between_count(loaded.upto + 1, _LAST_ID, kind=kind)
            erased = self._store.erased_codes_after(loaded.erased_mark, kind=kind)
            aside = np.array(loaded.aside, dtype=np.int64)
            after = 0
            for segment in loaded.segments:
                self._nothing_between(after, segment.span.after, aside, loaded)
                self._compare(segment, aside, erased)
                after = segment.span.upto
                self._progress(after / (loaded.upto or 1))
            self._nothing_between(after, loaded.upto, aside, loaded)
            self._is_silent_about(erased, loaded.segments)
            self._hidden(loaded)
            self._leftovers(loaded)
        finally:
            loaded.close()
        return found

    def _compare(self, segment: Segment, aside: Ids, erased: ErasedBlock) -> None:
        """Every row of a segment with the store, and every code of its range with its rows."""
        ids, words = segment.code_ids, segment.words
        there = np.zeros(len(ids), dtype=bool)
        missing = other = 0
        for block in blocks_between(self._store, segment.span.after, segment.span.upto, self._kind):
            stored = np.array(block.code_ids, dtype=np.int64)
            rows = np.minimum(np.searchsorted(ids, stored), max(len(ids) - 1, 0))
            inside = ids[rows] == stored if len(ids) else np.zeros(len(stored), dtype=bool)
            missing += int((~np.isin(stored[~inside], aside)).sum())
            differs = (words[rows[inside]] != permuted(block.bits, bits=self._kind.bits)[inside]).any(axis=1)
            other += int(differs.sum())
            there[rows[inside]] = True
        self._found.rows += len(ids)
        self._wrong(segment, missing, "codes of the database are missing")
        self._wrong(segment, other, "rows have other bits than the database")
        gone = ids[~there]
        known = np.isin(gone, erased.code_ids)
        self._wrong(segment, int((~known).sum()), "rows are of no code that the database ever had")
        since = dict(zip(erased.code_ids, erased.erased_at, strict=True))
        moments = [datetime.fromtimestamp(since[code_id], UTC) for code_id in gone[known].tolist()]
        for late, sentences in ((True, self._found.overdue), (False, self._found.waiting)):
            if some := [moment for moment in moments if (self._now - moment > GRACE) == late]:
                codes = "erased code lies" if len(some) == 1 else "erased codes lie"
                sentences.append(f"{len(some)} {codes} in {segment.path.name}, the first since {utc_text(min(some))}")

    def _nothing_between(self, after: int, upto: int, aside: Ids, loaded: Loaded) -> None:
        """Between segments there are no codes but those that were set aside, and those of a damaged segment."""
        if upto <= after or loaded.damaged:
            return
        ids = (code_id for block in blocks_between(self._store, after, upto, self._kind) for code_id in block.code_ids)
        lost = np.setdiff1d(np.fromiter(ids, dtype=np.int64), aside)
        if len(lost):
            self._found.wrong.append(f"{len(lost)} codes of the database are in no segment (ids {after + 1} to {upto})")

    def _is_silent_about(self, erased: ErasedBlock, segments: Sequence[Segment]) -> None:
        """Ask for the very bits of every erased code that still lies in a file: no answer may name it."""
        if not erased.code_ids:
            return
        gone = np.sort(np.array(erased.code_ids, dtype=np.int64))
        with LiveIndex(self._folder.path, self._store, self._kind) as index:
            for segment in segments:
                rows = np.flatnonzero(np.isin(segment.code_ids, gone))
                named = [
                    index.named(segment.words[rows[i : i + READ_AT_ONCE]]) for i in range(0, len(rows), READ_AT_ONCE)
                ]
                if any(len(np.intersect1d(some, gone)) for some in named):
                    self._found.wrong.append(f"answers still name erased codes of {segment.path.name}")

    def _hidden(self, loaded: Loaded) -> None:
        """Codes of hidden pictures in files."""
        codes, radius = self._folder.hidden.turned_codes(), self._settings.opt_out_distance_bits_max
        if loaded.manifest is None or hidden_digest(codes, radius) == loaded.manifest.hidden:
            return
        images = hidden_images(self._folder, codes, distance_bits_max=radius)
        hidden = codes_of_images(self._store, images, self._kind)
        for segment in loaded.segments:
            if count := segment.count_of(hidden):
                # Hidden after the last sweep, at whatever time: counted from there, which is never too late.
                late = self._now - loaded.manifest.swept_at > GRACE
                sentence = f"{count} codes of hidden pictures lie in {segment.path.name}"
                (self._found.overdue if late else self._found.waiting).append(sentence)

    def _leftovers(self, loaded: Loaded) -> None:
        folder = kind_folder(self._folder.path, self._kind)
        named = {MANIFEST, *(loaded.manifest.names if loaded.manifest else ())}
        for file in sorted(folder.iterdir()) if folder.is_dir() else ():
            if file.name not in named:
                self._found.waiting.append(f"{file.name} is of a build that was interrupted, or is going on")

    def _wrong(self, segment: Segment, count: int, what: str) -> None:
        if count:
            self._found.wrong.append(f"{segment.path.name}: {count} {what}")
