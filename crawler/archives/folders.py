"""What paths hold, by the names of files; and folders of pictures, those of img2dataset's `files` among them.

In a folder its pictures are one file to the ingest, and each archive in it is one of its own. Lists of addresses are
read where they are named: a folder of pictures often has a table beside them, and nobody asked to fetch that.

`after` counts the pictures of a folder, sorted by name.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from itertools import groupby
from pathlib import Path

from checker.datasets.columns import Named, match_columns
from checker.datasets.tables import TABLE_ERRORS, is_shard_table, open_table
from checker.errors import InputError
from checker.fingerprint.pictures import picture_files, read_picture_file
from checker.model import Locator, Unreadable, UnreadableReason
from checker.settings import Settings
from crawler.archives.columns import told_of
from crawler.archives.entries import NOTHING_TOLD, ArchiveFile, Entry, Failed, Item, Limits, Reader, Trouble
from crawler.archives.lists import read_list
from crawler.archives.parquet_files import holds_pictures, read_parquet, read_shard_table
from crawler.archives.tars import beside, read_tar
from crawler.archives.warcs import read_warc

_HEAD_BYTES = 2**16


class Kind(StrEnum):
    """The kind of source that a file makes (`model.Source.kind`)."""

    FOLDER = "folder"
    ARCHIVE = "archive"
    WEB_ARCHIVE = "web-archive"
    LIST = "list"


@dataclass(frozen=True, slots=True)
class Readable:
    """One file to read, how, and what tells whether it is still the same."""

    file: ArchiveFile
    kind: Kind
    read: Reader
    digest: bytes
    source_name: str

    def show(self, locator: Locator) -> str:
        """A row of it, for a message."""
        if self.file.path.is_dir():
            return str(self.file.path / (locator.file or ""))
        row = "" if locator.row is None else f" row {locator.row}"
        more = ", ".join(one for one in (locator.key, locator.column) if one)
        return f"{self.file.path}{row}{f' ({more})' if more else ''}"


_TARS = (".tar", ".tar.gz", ".tgz")
_WARCS = (".warc", ".warc.gz")
_TABLES = (".parquet", ".pq")
_LISTS = tuple(f"{name}{packed}" for name in (".csv", ".tsv", ".txt", ".jsonl", ".ndjson") for packed in ("", ".gz"))
_NOT_READ = (
    *(".zip", ".7z", ".rar", ".tar.bz2", ".tar.xz", ".tar.zst", ".tbz2", ".txz", ".gz", ".bz2", ".xz", ".zst"),
    *(".arc", ".wacz", ".tfrecord", ".json"),
)


def check_paths(paths: Sequence[Path]) -> None:
    """Refuse what cannot be read before anything is written.

    Raises:
        InputError: a path is missing, is no file and no folder, or is of a kind that is not read.
    """
    for path in paths:
        name = path.name.lower()
        if name.endswith(_NOT_READ) and not name.endswith((*_TARS, *_WARCS, *_LISTS)) and not path.is_dir():
            raise InputError(
                f"{path}: files of this kind ({path.suffix}) are not read; unpack it, or give tar, WARC, Parquet, "
                "CSV, TXT or JSON Lines"
            )
        if not path.exists():
            raise InputError(f"there is no file or folder {path}; check the path")
        if not (path.is_dir() or path.is_file()):
            raise InputError(f"{path} is neither a file nor a folder; give files that lie on a disk")


def readable_files(
    paths: Sequence[Path], source_name: str | None, settings: Settings, *, named: Named, made_of: bytes
) -> Iterator[Readable]:
    """Every file that the paths name: of a folder its pictures first, then its archives, sorted by name.

    Args:
        source_name: None: the name of the folder.
        made_of: names what is made of a picture; with another one, files are read again.
    """
    name_of = partial(_source_name, source_name)
    for folder, one_folder in groupby(paths, key=lambda path: None if path.is_dir() else path.parent):
        given = list(one_folder)
        if folder is None:
            for path in given:
                files = list(picture_files([path]))
                whole = ArchiveFile(path, f"{path.resolve().name}/")
                yield from _pictures(whole, files, name_of(path), settings, made_of)
                for archive in _archives(path):
                    found = _archive(archive, path, name_of(path), named, made_of)
                    yield from (one for one in found if one.kind is not Kind.LIST)
            continue
        single = [path for path in given if _reader_of(path, named) is None]
        whole = ArchiveFile(folder, f"{folder.resolve().name}/{len(single)} named")
        yield from _pictures(whole, single, name_of(folder), settings, made_of)
        for path in given:
            yield from _archive(path, folder, name_of(folder), named, made_of)


def _source_name(given: str | None, folder: Path) -> str:
    return _storable(given or folder.resolve().name or str(folder))


def _pictures(
    whole: ArchiveFile, pictures: Sequence[Path], source_name: str, settings: Settings, made_of: bytes
) -> Iterator[Readable]:
    """The pictures of a folder as one file. Nothing: there are none."""
    if pictures:
        read = partial(_read_folder, pictures=pictures, settings=settings)
        digest = hashlib.sha256(_listing(pictures, whole.path) + made_of).digest()
        yield Readable(whole, Kind.FOLDER, read, digest, source_name)


def _archive(path: Path, folder: Path, source_name: str, named: Named, made_of: bytes) -> Iterator[Readable]:
    """An archive or a list. Nothing: it is a single picture, or is to be tried as one."""
    found = _reader_of(path, named)
    if found is not None:
        kind, read = found
        file = ArchiveFile(path, path.relative_to(folder).as_posix())
        digest = hashlib.sha256(_head(path) + made_of + repr(named).encode()).digest()
        yield Readable(file, kind, read, digest, source_name)


def lists_left(paths: Sequence[Path], named: Named) -> int:
    """Tables in these folders that may be lists of addresses, which are not read unless they are named.

    A text may be anything, so it does not count.
    """
    lists = (*(name for name in _LISTS if not name.startswith(".txt")), *_TABLES)
    tables = (one for path in paths if path.is_dir() for one in _ending(path, lists))
    return sum((_reader_of(one, named) or (None,))[0] is Kind.LIST for one in tables)


def _archives(folder: Path) -> list[Path]:
    return sorted(_ending(folder, (*_TARS, *_WARCS, *_TABLES)))


def _ending(folder: Path, names: tuple[str, ...]) -> Iterator[Path]:
    """Files below a folder that end so. Links are not followed."""
    for one in _below(folder):
        if one.name.lower().endswith(names) and not one.is_symlink() and one.is_file():
            yield one


def _below(folder: Path) -> Iterator[Path]:
    for name, _, files in os.walk(folder):
        yield from (Path(name) / file for file in files)


def _reader_of(path: Path, named: Named) -> tuple[Kind, Reader] | None:
    name = path.name.lower()
    if name.endswith(_TARS):
        return Kind.ARCHIVE, read_tar
    if name.endswith(_WARCS):
        return Kind.WEB_ARCHIVE, read_warc
    if name.endswith(_TABLES):
        if is_shard_table(path):  # a row of the folder or the tar beside it, and no source of its own
            return Kind.FOLDER if path.with_suffix("").is_dir() else Kind.ARCHIVE, read_shard_table
        return Kind.ARCHIVE if _has_pictures(path, named) else Kind.LIST, partial(read_parquet, named=named)
    return (Kind.LIST, partial(read_list, named=named)) if name.endswith(_LISTS) else None


def _has_pictures(path: Path, named: Named) -> bool:
    try:
        with open_table(path) as table:
            return holds_pictures(table, named)
    except TABLE_ERRORS:
        return True  # the reader will say what is wrong with it, and nothing is fetched


def _head(path: Path) -> bytes:
    """What tells a file from another, or from itself as it was: size, time of change, first and last bytes."""
    try:
        about = path.stat()
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
            file.seek(max(about.st_size - _HEAD_BYTES, 0))
            return b"%d %d " % (about.st_size, about.st_mtime_ns) + head + file.read(_HEAD_BYTES)
    except OSError:
        return os.urandom(16)  # never the same: the reader will say that it cannot be read


def _listing(pictures: Sequence[Path], folder: Path) -> bytes:
    """The same for a folder of pictures: names, sizes and times of change."""
    digest = hashlib.sha256()
    for path in pictures:
        try:
            about = path.stat()
            of_file = f"{about.st_size} {about.st_mtime_ns}"
        except (OSError, ValueError):
            of_file = "cannot be asked"
        digest.update(os.fsencode(path.relative_to(folder)) + b"\0" + of_file.encode() + b"\0")
    return digest.digest()


def _read_folder(
    file: ArchiveFile, *, start: int, limits: Limits, pictures: Sequence[Path], settings: Settings
) -> Iterator[Entry]:
    """Pictures that lie in files; see `entries.Reader`."""
    for number, path in enumerate(pictures[start:], start):
        locator, after = Locator(file=path.relative_to(file.path).as_posix()), number + 1
        body = read_picture_file(path, settings)
        if isinstance(body, Unreadable):
            trouble = Trouble.NO_PICTURE if body.reason is UnreadableReason.MISSING else Trouble.NOT_READ
            yield Failed(locator, after, trouble, body.detail)
            continue
        document: Mapping[str, object] = beside(path) or {}
        columns = match_columns(document)
        told = told_of(document, columns, url_characters_max=limits.url_characters_max)
        yield Item(locator, after, body, told if columns.of_img2dataset else NOTHING_TOLD)


def _storable(name: str) -> str:
    """A folder's name may hold bytes that are no UTF-8; a database holds text."""
    return os.fsencode(name).decode("utf-8", "replace")
