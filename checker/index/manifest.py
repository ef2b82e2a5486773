"""Which files make up the index of one kind of code: one small file, replaced as a whole.

    line 1   JSON: format, kind, and the fields of `Manifest`
    line 2   CRC-32 of line 1, eight hex digits

What is not named here is no part of the index. A reader that meets a damaged one has no index, and the store answers.
"""

from __future__ import annotations

import json
import os
import zlib
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from checker.errors import DataError, IndexDamagedError
from checker.index.files import sync_folder
from checker.model import CodeKind, parse_utc, utc_text

MANIFEST = "MANIFEST.json"
_FORMAT = 1
_ID_MAX = 2**63 - 1


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file of the index."""

    name: str
    """Of the file, in the manifest's folder."""
    rows: int
    bytes: int
    header_crc: int
    """Of the file that is meant; another that took its name is not read."""


@dataclass(frozen=True, slots=True)
class SegmentEntry(FileEntry):
    """One segment; it answers for the ids above `after`, up to `upto`."""

    after: int
    upto: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a build left."""

    segments: tuple[SegmentEntry, ...]
    """In the order of ids, one beginning where the other ends."""
    upto: int
    """Every code id up to here is in a segment, set aside, or erased."""
    aside: FileEntry | None
    """Ids of codes that no segment holds, because somebody hid their pictures; they are searched from the store."""
    erased_mark: int
    """Codes erased up to this mark (`Store.erased_codes_after`) are in no segment any more."""
    last_erasure: int
    """The mark of the newest erasure when the build ended; 0: there was none."""
    last_erased: int
    """The code that it erased. A database that has not got this erasure may have codes that the segments lack."""
    hidden: str
    """Digest of the opt-outs that the segments honour."""
    built_at: datetime
    swept_at: datetime
    """When all segments were last freed of what had been erased or hidden."""

    @property
    def names(self) -> frozenset[str]:
        """Every file that belongs to the index, beside the manifest."""
        aside = (self.aside,) if self.aside else ()
        return frozenset(entry.name for entry in (*self.segments, *aside))


def read_manifest(folder: Path, kind: CodeKind) -> Manifest | None:
    """The manifest in `folder`. None: nothing was built yet.

    Raises:
        IndexDamagedError: it cannot be read, or belongs to another kind of code.
    """
    path = folder / MANIFEST
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise IndexDamagedError(f"the index file {path} cannot be read: {error.strerror}") from error
    line, _, crc = text.partition(b"\n")
    try:
        if crc != f"{zlib.crc32(line):08x}\n".encode():
            raise ValueError("altered")
        return _manifest(json.loads(line), kind)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise IndexDamagedError(
            f"the index file {path} is altered or another's; `hibs index build` replaces it"
        ) from error


def write_manifest(folder: Path, kind: CodeKind, manifest: Manifest) -> None:
    """Replace the manifest, on the disk before this returns.

    Raises:
        DataError: the disk refused; the old one is in force.
    """
    document = {"format": _FORMAT, "kind": asdict(kind), **asdict(manifest)}
    document["built_at"], document["swept_at"] = utc_text(manifest.built_at), utc_text(manifest.swept_at)
    line = json.dumps(document).encode()
    path = folder / MANIFEST
    beside = path.with_name(f"{MANIFEST}.tmp")
    try:
        with beside.open("wb") as file:
            file.write(line + b"\n" + f"{zlib.crc32(line):08x}\n".encode())
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
        sync_folder(folder)
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror}; the index stays as it was") from error


def _manifest(document: dict[str, Any], kind: CodeKind) -> Manifest:
    if document["format"] != _FORMAT or document["kind"] != asdict(kind):
        raise ValueError("another format or kind")
    segments = tuple(SegmentEntry(**entry) for entry in document["segments"])
    upto = 0
    for entry in segments:
        if not (upto <= entry.after <= entry.upto <= _ID_MAX and "/" not in entry.name):
            raise ValueError("segments that do not follow one another")
        upto = entry.upto
    aside = FileEntry(**document["aside"]) if document["aside"] else None
    if aside and "/" in aside.name:
        raise ValueError("a name with a slash")
    if not all(0 <= int(document[name]) <= _ID_MAX for name in ("upto", "erased_mark", "last_erasure", "last_erased")):
        raise ValueError("ids that no database gives")
    return Manifest(
        segments=segments,
        upto=int(document["upto"]),
        aside=aside,
        erased_mark=int(document["erased_mark"]),
        last_erasure=int(document["last_erasure"]),
        last_erased=int(document["last_erased"]),
        hidden=str(document["hidden"]),
        built_at=parse_utc(document["built_at"]),
        swept_at=parse_utc(document["swept_at"]),
    )
