"""A build of the index of one kind of code.

    which ranges of ids to write -> segments -> manifest -> remove the old files

Everything is written beside what is in use, and the manifest is replaced last: whoever is interrupted, at any point and
in any way, leaves the index that was there before, and files that the next build removes. Every segment is written from
the store, never from other segments, so nothing that was erased can travel from one to the next.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from checker.index.aside import codes_of_images, write_aside
from checker.index.bits import permuted
from checker.index.compaction import Existing, Work, parts_of, plan_work
from checker.index.live import kind_folder
from checker.index.loaded import Loaded
from checker.index.manifest import MANIFEST, Manifest, SegmentEntry, write_manifest
from checker.index.parts import Words
from checker.index.search import Ids
from checker.index.segment import CountChangedError, Span, write_segment
from checker.index.tail import blocks_between
from checker.model import CodeKind
from checker.records.folder import make_private_folder
from checker.records.interfaces import Store


@dataclass(frozen=True, slots=True)
class Built:
    """What a build came to, for one kind of code."""

    kind: CodeKind
    codes: int
    """In segments."""
    segments: int
    written: int
    """Codes in the segments that this build wrote; 0: they were right as they are."""
    aside: int
    """Codes of hidden pictures: in no file, searched from the database."""
    bytes: int
    """Of the files."""
    seconds: float
    repaired: tuple[str, ...]
    """What was damaged or another's, a sentence each."""


@dataclass(frozen=True, slots=True)
class Hidden:
    """What opt-outs hide now."""

    digest: str
    image_ids: Sequence[int]


class KindBuild:
    """A build of one kind of code."""

    def __init__(
        self,
        data: Path,
        store: Store,
        kind: CodeKind,
        loaded: Loaded,
        hidden: Hidden,
        progress: Callable[[float], None],
    ) -> None:
        """`loaded`: what is there now. `progress`: told the share that is done, 0 to 1."""
        self._folder = kind_folder(data, kind)
        self._store = store
        self._kind = kind
        self._loaded = loaded
        self._before = loaded.manifest
        self._hidden = hidden
        self._tell = progress
        self._was_aside = np.array(loaded.aside, dtype=np.int64)

    def run(self, now: datetime, *, full: bool, sweep: bool) -> Built:
        """Write what has to be written, then the manifest, then remove what it names no more."""
        begin_s = time.monotonic()
        before = self._before
        make_private_folder(self._folder)
        _remove_unnamed(self._folder, before)
        # Read first: what is erased after the mark is left out by readers, however much of it is written below.
        mark = self._store.erased_codes_after(before.erased_mark if before else 0, kind=self._kind).mark
        upto = self._store.last_code_id(self._kind)
        hidden = codes_of_images(self._store, self._hidden.image_ids, self._kind)
        new = self._new(upto)
        work = self._plan(hidden, new, full=full, sweep=sweep)
        written = self._write(work.write, hidden)
        # Where all that is new is hidden, it lies in no range that is written.
        aside = self._aside((*work.write, new), hidden)
        # Read last: whatever no segment got any more is among it.
        last_erasure, last_erased = self._last_erasure()
        clean = sweep or before is None or not work.keep
        manifest = Manifest(
            segments=tuple(sorted((*work.keep, *written), key=lambda entry: entry.after)),
            upto=upto,
            aside=before.aside
            if before and np.array_equal(aside, self._was_aside)
            else write_aside(self._folder, aside),
            erased_mark=mark if clean or before is None else before.erased_mark,
            last_erasure=last_erasure,
            last_erased=last_erased,
            hidden=self._hidden.digest if clean or before is None else before.hidden,
            built_at=now,
            swept_at=now if clean or before is None else before.swept_at,
        )
        if before is None or _timeless(manifest) != _timeless(before):
            write_manifest(self._folder, self._kind, manifest)
        _remove_unnamed(self._folder, manifest)
        self._tell(1.0)
        return Built(
            kind=self._kind,
            codes=sum(entry.rows for entry in manifest.segments),
            segments=len(manifest.segments),
            written=sum(entry.rows for entry in written),
            aside=len(aside),
            bytes=sum(file.stat().st_size for file in self._folder.iterdir()),
            seconds=time.monotonic() - begin_s,
            repaired=tuple(damage.sentence for damage in self._loaded.damaged),
        )

    def _new(self, upto: int) -> Span:
        """The ids that no segment spans yet. Where the newest codes were erased, `upto` lies before them."""
        before = self._before
        after = max(before.upto, *(entry.upto for entry in before.segments), 0) if before else 0
        return Span(after, max(upto, after))

    def _plan(self, hidden: Ids, new: Span, *, full: bool, sweep: bool) -> Work:
        before = self._before
        if before is None:
            return plan_work([], new, self._count(new, hidden), full=full)
        sound = {segment.path.name: segment for segment in self._loaded.segments}
        erased = np.unique(self._store.erased_codes_after(before.erased_mark, kind=self._kind).code_ids).astype(
            np.int64
        )
        shown_again = np.setdiff1d(self._was_aside, hidden)
        existing = []
        for entry in before.segments:
            segment = sound.get(entry.name)
            stale = segment is None or (
                sweep
                and bool(
                    segment.count_of(erased) or segment.count_of(hidden) or len(_inside(shown_again, segment.span))
                )
            )
            existing.append(Existing(entry, stale))
        return plan_work(existing, new, self._count(new, hidden), full=full)

    def _count(self, span: Span, hidden: Ids) -> int:
        """Codes of a range that go into a segment, as of now."""
        stored = self._store.codes_between_count(span.after + 1, span.upto, kind=self._kind)
        return stored - len(self._store.code_block_of(_inside(hidden, span).tolist(), kind=self._kind).code_ids)

    def _aside(self, dealt_with: Sequence[Span], hidden: Ids) -> Ids:
        """What no segment holds: the hidden codes of these ranges, and in the others those of before."""
        inside = np.zeros(len(self._was_aside), dtype=bool)
        aside = []
        for span in dealt_with:
            inside |= (self._was_aside > span.after) & (self._was_aside <= span.upto)
            aside.append(_inside(hidden, span))
        return np.unique(np.concatenate([self._was_aside[~inside], *aside]))

    def _last_erasure(self) -> tuple[int, int]:
        """Mark and code of the newest erasure."""
        before = self._before
        known = (before.last_erasure, before.last_erased) if before else (0, 0)
        newer = self._store.erased_codes_after(known[0], kind=self._kind)
        return (newer.mark, newer.code_ids[-1]) if newer.code_ids else known

    def _changed(self, mark: int) -> bool:
        """Was anything erased or hidden since the last sweep?"""
        before = self._before
        return before is None or mark != before.erased_mark or self._hidden.digest != before.hidden

    def _write(self, spans: Sequence[Span], hidden: Ids) -> list[SegmentEntry]:
        parts = [part for span in spans for part in parts_of(span, lambda one: self._count(one, hidden))]
        total = sum(rows for _, rows in parts)
        written: list[SegmentEntry] = []
        done = 0
        for span, rows in parts:
            entry = self._write_one(span, rows, hidden, partial(self._tell_of, done, rows, total))
            written += [entry] if entry else []
            done += rows
        return written

    def _tell_of(self, done: int, rows: int, total: int, share: float) -> None:
        self._tell((done + share * rows) / total)

    def _write_one(self, span: Span, rows: int, hidden: Ids, progress: Callable[[float], None]) -> SegmentEntry | None:
        """Write the segment of a range in which `rows` codes were counted; None: they are all gone by now."""
        path = self._folder / f"{span.after}-{span.upto}-{secrets.token_hex(4)}.seg"
        bits = self._kind.bits
        try:
            crc = write_segment(path, span, self._blocks(span, hidden), rows=rows, bits=bits, progress=progress)
        except CountChangedError:
            # Something was erased since it was counted. So that this can go on for ever, what is read now is held
            # (40 bytes a row) until it is written.
            held = list(self._blocks(span, hidden))
            rows = sum(len(ids) for ids, _ in held)
            if not rows:
                return None
            crc = write_segment(path, span, held, rows=rows, bits=bits, progress=progress)
        size = path.stat().st_size
        return SegmentEntry(name=path.name, rows=rows, bytes=size, header_crc=crc, after=span.after, upto=span.upto)

    def _blocks(self, span: Span, hidden: Ids) -> Iterator[tuple[npt.NDArray[np.int64], Words]]:
        for block in blocks_between(self._store, span.after, span.upto, self._kind):
            ids = np.array(block.code_ids, dtype=np.int64)
            words = permuted(block.bits, bits=self._kind.bits)
            wanted = ~np.isin(ids, hidden) if len(hidden) else slice(None)
            yield ids[wanted], words[wanted]


def _inside(ids: Ids, span: Span) -> Ids:
    return ids[(ids > span.after) & (ids <= span.upto)]


def _timeless(manifest: Manifest) -> Manifest:
    """What it says, whenever it was said."""
    moment = datetime(1970, 1, 1)  # noqa: DTZ001 - compared with itself only
    return replace(manifest, built_at=moment, swept_at=moment)


def _remove_unnamed(folder: Path, manifest: Manifest | None) -> None:
    """Remove what no manifest names: what was replaced, and what an interrupted build left."""
    named = {MANIFEST, *(manifest.names if manifest else ())}
    for file in folder.iterdir():
        if file.name not in named:
            with suppress(OSError):
                file.unlink()
