"""What one manifest names, opened and checked, with the store standing in for what cannot be used.

A file that is cut off, altered or gone costs the ids it answered for: they are read from the store into memory. An
index that is not of this database (copied here, or the database was put back from a backup) is not used at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from checker.errors import IndexDamagedError
from checker.index.bits import permuted
from checker.index.files import MappedFile
from checker.index.manifest import MANIFEST, FileEntry, Manifest, SegmentEntry, read_manifest
from checker.index.parts import Part
from checker.index.segment import Segment
from checker.index.tail import MemoryPart, blocks_between, blocks_of, part_of
from checker.model import CodeKind
from checker.records.interfaces import Store

_SAMPLES = 16
"""Rows of each segment that are compared with the store, spread evenly, and as many at its end: where a database that
was put back went another way from some id on, the last rows are not the same."""
_TRIES = 5

Mark = tuple[int, int, int] | None
"""Tells one manifest from the next; None: there is none."""


@dataclass(frozen=True, slots=True)
class Damage:
    """A file that cannot be used."""

    name: str
    sentence: str
    """What is wrong with it, and what to do."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """Parts that together hold every code up to `upto` that was not erased before `erased_mark`."""

    mark: Mark
    manifest: Manifest | None
    segments: tuple[Segment, ...]
    in_memory: tuple[MemoryPart, ...]
    """Codes that were set aside, and those that stand in for damaged files."""
    aside: tuple[int, ...]
    """Ids of codes that no segment holds."""
    damaged: tuple[Damage, ...]

    @property
    def parts(self) -> tuple[Part, ...]:
        """All that is to be searched."""
        return (*self.segments, *self.in_memory)

    @property
    def upto(self) -> int:
        """Ids above it are in no part."""
        return self.manifest.upto if self.manifest else 0

    @property
    def erased_mark(self) -> int:
        """What was erased after this mark may still lie in a part."""
        return self.manifest.erased_mark if self.manifest else 0

    @property
    def rows(self) -> int:
        """Codes in all parts, erased ones that still lie there included."""
        return sum(segment.rows for segment in self.segments) + sum(len(part.code_ids) for part in self.in_memory)

    @property
    def bytes(self) -> int:
        """Size of all files."""
        aside = self.manifest.aside if self.manifest else None
        return sum(segment.bytes for segment in self.segments) + (aside.bytes if aside else 0)

    def unchanged(self) -> bool:
        """Is every mapped file still what was checked?"""
        return all(segment.unchanged() for segment in self.segments)

    def close(self) -> None:
        """Let go of the files."""
        for segment in self.segments:
            segment.close()


def mark_of(folder: Path) -> Mark:
    """The manifest's mark as it is now."""
    try:
        facts = (folder / MANIFEST).stat()
    except OSError:
        return None
    return facts.st_ino, facts.st_size, facts.st_mtime_ns


def load(folder: Path, store: Store, kind: CodeKind) -> Loaded:
    """Open what the manifest in `folder` names. Never fails for what the files hold."""
    for tries_left in reversed(range(_TRIES)):
        mark = mark_of(folder)
        loaded = _load(mark, folder, store, kind)
        # A build may have replaced the manifest, and removed what it named, while its files were being opened.
        if not loaded.damaged or mark == mark_of(folder) or not tries_left:
            break
        loaded.close()
    return loaded


def _load(mark: Mark, folder: Path, store: Store, kind: CodeKind) -> Loaded:
    name = MANIFEST
    try:
        manifest = read_manifest(folder, kind)
        aside: list[int] = []
        if manifest and manifest.aside:
            name = manifest.aside.name
            aside = read_aside(folder, manifest.aside)
    except IndexDamagedError as error:
        return Loaded(mark, None, (), (), (), (Damage(name, str(error)),))
    if manifest is None:
        return Loaded(mark, None, (), (), (), ())
    segments: list[Segment] = []
    in_memory: list[MemoryPart] = []
    damaged: list[Damage] = []
    to_read = aside
    for entry in manifest.segments:
        try:
            segments.append(open_segment(folder, entry, kind))
        except IndexDamagedError as error:
            damaged.append(Damage(entry.name, str(error)))
            in_memory.append(part_of(blocks_between(store, entry.after, entry.upto, kind), kind))
            # What was set aside of this range is among them, and an answer holds a code once.
            to_read = [code_id for code_id in to_read if not entry.after < code_id <= entry.upto]
    if not _of_this_store(manifest, segments, store, kind):
        for segment in segments:
            segment.close()
        foreign = f"the index in {folder} is not of this database; `hibs index build` makes a new one"
        return Loaded(mark, None, (), (), (), (Damage(MANIFEST, foreign),))
    if to_read:
        in_memory.append(part_of(blocks_of(store, to_read, kind), kind))
    return Loaded(mark, manifest, tuple(segments), tuple(in_memory), tuple(aside), tuple(damaged))


def open_segment(folder: Path, entry: SegmentEntry, kind: CodeKind) -> Segment:
    """Open a segment that the manifest names.

    Raises:
        IndexDamagedError: it is not the one that is meant, or does not hold what was written there.
    """
    segment = Segment(folder / entry.name)
    meant = (entry.header_crc, entry.rows, kind.bits, entry.after, entry.upto)
    if (segment.header_crc, segment.rows, segment.bits, segment.span.after, segment.span.upto) != meant:
        segment.close()
        raise IndexDamagedError(f"the index file {segment.path} is another; `hibs index build` replaces it")
    return segment


def read_aside(folder: Path, entry: FileEntry) -> list[int]:
    """The ids that were set aside, rising.

    Raises:
        IndexDamagedError: as for `open_segment`.
    """
    ids: list[int] = check_file(folder, entry).array("ids", "<i8", 1).tolist()
    return ids


def check_file(folder: Path, entry: FileEntry) -> MappedFile:
    """Check every byte of a file, and that it is the one that is meant; closed, its arrays can still be read.

    Raises:
        IndexDamagedError: as for `open_segment`.
    """
    file = MappedFile(folder / entry.name)
    file.close()
    if file.header_crc != entry.header_crc:
        raise IndexDamagedError(f"the index file {file.path} is another; `hibs index build` replaces it")
    return file


def _of_this_store(manifest: Manifest, segments: Sequence[Segment], store: Store, kind: CodeKind) -> bool:
    """Do some rows of every segment, and the last code that was erased or could be indexed, stand in this store?"""
    missing = [manifest.upto] if manifest.upto and not store.code_block_of([manifest.upto], kind=kind).code_ids else []
    for segment in segments:
        spread = np.linspace(0, segment.rows - 1, _SAMPLES).astype(np.int64)
        rows = np.union1d(spread, np.arange(max(segment.rows - _SAMPLES, 0), segment.rows))
        ids = segment.code_ids_at(rows)
        there = store.code_block_of(ids.tolist(), kind=kind)
        found = np.isin(ids, there.code_ids)
        missing += ids[~found].tolist()
        if not np.array_equal(segment.words[rows[found]], permuted(there.bits, bits=kind.bits)):
            return False
    # Read last, so that what is erased meanwhile is known to be.
    if not set(missing) <= set(store.erased_codes_after(manifest.erased_mark, kind=kind).code_ids):
        return False
    # A database that was put back from before an erasure has not got it, or another one in its place.
    since = store.erased_codes_after(max(manifest.last_erasure - 1, 0), kind=kind).code_ids
    return not manifest.last_erasure or since[:1] == [manifest.last_erased]
