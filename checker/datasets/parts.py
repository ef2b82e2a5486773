"""What paths hold, cut into parts: a tar, a table, a list, a folder of loose files. A part is read and written whole.

    shards/00000.tar, 00000.parquet, 00000_stats.json    one part (img2dataset): the tar and what goes with it
    out/00000/, 00000.parquet                            the same as img2dataset's `files`
    photos/, photos/more.tar                             two parts: the loose files, the tar

Archives and tables in a folder are read as what they are. A text in a folder may be anything, so it counts as a list
only where it is named. Links are not followed.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from checker.datasets.columns import NOTHING_NAMED, Named
from checker.datasets.tables import is_shard_table
from checker.errors import InputError
from checker.fingerprint.pictures import is_folder

TARS = (".tar", ".tar.gz", ".tgz")
TABLES = (".parquet", ".pq")
LISTS = tuple(f"{name}{packed}" for name in (".csv", ".tsv", ".txt", ".jsonl", ".ndjson") for packed in ("", ".gz"))
_STATS = "_stats.json"


class PartKind(StrEnum):
    """What a part is read as. Closed; these stand in reports."""

    FOLDER = "folder"
    TAR = "tar"
    TABLE = "parquet"
    LIST = "list"


@dataclass(frozen=True, slots=True)
class Part:
    """One unit of work."""

    kind: PartKind
    path: Path
    """As a person finds it: the source as given, and the way down from it."""
    name: str
    """Where it lies among the sources, "/" between; "" for the loose files of a folder that is the only source."""
    named: Named = NOTHING_NAMED
    table: Path | None = None
    """img2dataset's table of this part."""
    stats: Path | None = None
    """img2dataset's counts of this part."""
    apart: frozenset[Path] = frozenset()
    """Of a folder: files and folders below it that are parts, or go with one."""


def parts_of(sources: Sequence[Path], named: Named = NOTHING_NAMED) -> tuple[Part, ...]:
    """Every part of the sources: of a folder its loose files first, then its archives by name.

    Raises:
        InputError: a source is missing, of a form that is not read, empty, or inside another one; or two parts would
            get one name.
    """
    _check_overlap(sources)
    parts = [part for source in sources for part in _parts_of(source, named, alone=len(sources) == 1)]
    with_tars = {_stem(part.path) for part in parts if part.kind is PartKind.TAR}
    parts = [part for part in parts if not (_is_table(part.path) and _goes_with(part.path, with_tars))]
    names = [part.name for part in parts]
    twice = next((name for name in names if names.count(name) > 1), None) if len(set(names)) < len(names) else None
    if twice is not None:
        raise InputError(f"two sources are named {twice!r}, so their copies would mix; honour them one by one")
    return tuple(parts)


def _check_overlap(sources: Sequence[Path]) -> None:
    for source in sources:
        if not os.path.lexists(source):
            raise InputError(f"{source}: there is no such folder or file; check the path")
    whole = [source.resolve() for source in sources]
    for source, at in zip(sources, whole, strict=True):
        if any(at.is_relative_to(other) for other in whole if other is not at):
            raise InputError(f"{source} lies inside another source; name each one once")


def _parts_of(source: Path, named: Named, *, alone: bool) -> Iterator[Part]:
    if is_folder(source):
        yield from _of_folder(source, named, prefix="" if alone else source.resolve().name)
        return
    kind = _kind_of(source, lists=True)
    if kind is None or not source.is_file():
        raise InputError(
            f"{source}: this is no folder, tar, Parquet or list (.csv, .tsv, .txt, .jsonl); give one of these, or the "
            "folder that a picture lies in"
        )
    yield _archive(kind, source, source.name, named)


def _of_folder(folder: Path, named: Named, *, prefix: str) -> Iterator[Part]:
    archives: list[Part] = []
    apart: set[Path] = set()
    tables = []
    for path in _below(folder):
        kind = _kind_of(path, lists=False)
        if kind is PartKind.TABLE and is_shard_table(path):
            tables.append(path)
        elif kind is not None:
            archives.append(_archive(kind, path, _joined(prefix, path.relative_to(folder).as_posix()), named))
    shards = {_stem(part.path) for part in archives if part.kind is PartKind.TAR}
    for table in tables:
        beside = table.with_suffix("")
        if beside not in shards and is_folder(beside):
            name = _joined(prefix, beside.relative_to(folder).as_posix())
            archives.append(Part(PartKind.FOLDER, beside, name, table=table, stats=_stats_of(beside)))
        elif beside not in shards:
            archives.append(_archive(PartKind.TABLE, table, _joined(prefix, _relative(table, folder)), named))
        apart.add(table)
    apart |= {part.path for part in archives} | {part.stats for part in archives if part.stats}
    loose = Part(PartKind.FOLDER, folder, prefix, apart=frozenset(apart))
    if next(files_of(loose), None) is not None:
        yield loose
    elif not archives:
        raise InputError(f"{folder} holds no file; check the path")
    yield from sorted(archives, key=lambda part: part.name)


def _archive(kind: PartKind, path: Path, name: str, named: Named) -> Part:
    stem = _stem(path)
    if kind is PartKind.TABLE:
        return Part(kind, path, name, named, stats=_stats_of(stem))
    if kind is not PartKind.TAR:
        return Part(kind, path, name, named)
    table = next((stem.with_name(stem.name + end) for end in TABLES if stem.with_name(stem.name + end).is_file()), None)
    of_shard = table if table is not None and is_shard_table(table) else None
    return Part(kind, path, name, named, table=of_shard, stats=_stats_of(stem))


def _stats_of(stem: Path) -> Path | None:
    stats = stem.with_name(stem.name + _STATS)
    return stats if stats.is_file() and not stats.is_symlink() else None


def _goes_with(table: Path, stems: set[Path]) -> bool:
    return table.with_suffix("") in stems and is_shard_table(table)


def _is_table(path: Path) -> bool:
    return path.name.lower().endswith(TABLES)


def _kind_of(path: Path, *, lists: bool) -> PartKind | None:
    name = path.name.lower()
    if name.endswith(TARS):
        return PartKind.TAR
    if name.endswith(TABLES):
        return PartKind.TABLE
    return PartKind.LIST if lists and name.endswith(LISTS) else None


def _stem(path: Path) -> Path:
    """Without the end that says what it is."""
    name = path.name
    end = next((end for end in sorted(TARS + TABLES, key=len, reverse=True) if name.lower().endswith(end)), "")
    return path.with_name(name[: len(name) - len(end)] or name)


def _joined(prefix: str, name: str) -> str:
    return f"{prefix}/{name}" if prefix else name


def _relative(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()


def _below(folder: Path) -> Iterator[Path]:
    """Ordinary files below a folder."""
    for path in _walk(folder, frozenset()):
        if not path.is_symlink() and path.is_file():
            yield path


def files_of(part: Part) -> Iterator[Path]:
    """Everything below a folder that is no folder, folder by folder and sorted by name; what is apart is left out.

    Raises:
        InputError: a folder cannot be listed.
    """
    return _walk(part.path, part.apart)


def _walk(root: Path, apart: frozenset[Path]) -> Iterator[Path]:
    def refuse(error: OSError) -> None:
        raise InputError(f"cannot list the folder {error.filename}: {error.strerror}; check its permissions")

    for folder, folders, files in os.walk(root, onerror=refuse):
        folders[:] = sorted(name for name in folders if Path(folder, name) not in apart)
        # A link to a folder is listed among the folders and not entered; it is a row all the same.
        links = [name for name in folders if Path(folder, name).is_symlink()]
        found = (Path(folder, name) for name in sorted(files + links))
        yield from (path for path in found if path not in apart)


def stamp_of(part: Part) -> str:
    """What tells a part from another, or from itself as it was, without reading it: sizes and times of change.

    Raises:
        InputError: it is not there any more.
    """
    try:
        if part.kind is not PartKind.FOLDER:
            return _stamp(part.path)
        digest = hashlib.sha256()
        for path in files_of(part):
            digest.update(os.fsencode(path.relative_to(part.path)) + b"\0" + _stamp(path).encode() + b"\0")
        return digest.hexdigest()
    except OSError as error:
        raise InputError(f"{part.path}: {error.strerror} ({error.filename}); check the path") from error


def _stamp(path: Path) -> str:
    about = path.lstat()
    return f"{about.st_size}-{about.st_mtime_ns}"
