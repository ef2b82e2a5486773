"""Write what is kept of a part. Files are made beside their names and renamed when they are whole."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from checker.datasets.bounded import READ_ERRORS, BoundedFile, sentence
from checker.datasets.parts import Part, PartKind
from checker.datasets.sample_tables import copy_shard_table, copy_table, stats_of
from checker.datasets.sample_tars import copy_tar, kept_keys
from checker.datasets.samples import COMPANIONS, PICTURES, rows_of_folder
from checker.datasets.tables import TABLE_ERRORS
from checker.datasets.text_rows import text_rows
from checker.errors import InputError

Keeps = Callable[[int], bool]
_COPY_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class Copied:
    """What was written of a part."""

    name: str
    """Below the destination."""
    bytes: int
    sha256: str | None
    """None: a folder."""
    companions: tuple[tuple[str, str], ...] = ()
    """Name and SHA-256 of what goes with it."""

    def to_dict(self) -> dict[str, Any]:
        """For a report."""
        return {"path": self.name, "bytes": self.bytes, "sha256": self.sha256}


def copy_part(part: Part, folder: Path, keeps: Keeps, *, rows: int) -> Copied:
    """Write the rows of a part that are kept, below `folder` under the part's name.

    Args:
        rows: how many these are; of a table of img2dataset beside the part, as many are left.
    Raises:
        InputError: it cannot be read any more, or written.
    """
    target = folder / part.name
    try:
        if part.kind is PartKind.FOLDER:
            size, keys = _copy_folder(part, target, keeps)
            return Copied(part.name, size, None, _companions(part, target, keys, rows))
        target.parent.mkdir(parents=True, exist_ok=True)
        with _written(target) as file:
            if part.kind is PartKind.TAR:
                copy_tar(part, file.file, keeps)
            elif part.kind is PartKind.TABLE:
                _copy_table(part, file.file, keeps, rows)
            else:
                _copy_list(part, file.file, keeps)
        keys = kept_keys(part, keeps) if part.table is not None else set()
        return Copied(part.name, file.bytes, file.hex(), _companions(part, target, keys, rows))
    except TABLE_ERRORS as error:
        raise InputError(f"cannot copy {part.path} to {target}: {sentence(error)}; make room or look at it") from error


class _Digesting:
    """A file that is being written, and its digest afterwards."""

    def __init__(self, file: IO[bytes], path: Path) -> None:
        self.file = file
        self._path = path
        self.bytes = 0
        self._digest = ""

    def close(self) -> None:
        """All is written."""
        with self._path.open("rb") as file:
            self._digest = hashlib.file_digest(file, "sha256").hexdigest()
            self.bytes = file.tell()

    def hex(self) -> str:
        """SHA-256 of it."""
        return self._digest


@contextmanager
def _written(target: Path) -> Iterator[_Digesting]:
    partial = target.with_name(f".{target.name}.partial")
    try:
        with partial.open("wb") as file:
            digesting = _Digesting(file, partial)
            yield digesting
        digesting.close()
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def _copy_folder(part: Part, target: Path, keeps: Keeps) -> tuple[int, set[str]]:
    """Copy files and what goes with them; gives their bytes and the stems of pictures."""
    size, keys = 0, set()
    target.mkdir(parents=True, exist_ok=True)
    for row, path in enumerate(rows_of_folder(part)):
        if not keeps(row):
            continue
        beside = [path.with_suffix(end) for end in COMPANIONS] if path.suffix.lower() in PICTURES else []
        for one in (path, *(one for one in beside if one.is_file() and not one.is_symlink())):
            to = target / one.relative_to(part.path)
            to.parent.mkdir(parents=True, exist_ok=True)
            size += _copy_file(one, to)
        if part.table is not None:
            keys.add(path.stem)
    return size, keys


def _copy_file(path: Path, to: Path) -> int:
    size = 0
    with path.open("rb") as source, to.open("wb") as file:
        while data := source.read(_COPY_BYTES):
            size += file.write(data)
    return size


def _copy_table(part: Part, target: IO[bytes], keeps: Keeps, rows: int) -> None:
    def mask(start: int, batch: pa.RecordBatch) -> npt.NDArray[np.bool_]:
        return np.array([keeps(row) for row in range(start, start + batch.num_rows)], dtype=np.bool_)

    try:
        copy_table(part.path, target, mask)
    except TABLE_ERRORS:
        if rows:
            raise
        # A file that could not be read has no row to keep, and so no copy but an empty file.


def _copy_list(part: Part, target: IO[bytes], keeps: Keeps) -> None:
    packed = part.path.name.lower().endswith(".gz")
    if packed:
        with gzip.GzipFile(filename="", mode="wb", fileobj=target, mtime=0, compresslevel=6) as unpacked:
            _copy_lines(part, cast(IO[bytes], unpacked), keeps)
    else:
        _copy_lines(part, target, keeps)


def _copy_lines(part: Part, target: IO[bytes], keeps: Keeps) -> None:
    try:
        with BoundedFile(part.path) as opened:
            for number, row in enumerate(text_rows(part.path.name, opened, part.named)):
                target.write(row.lead)
                if keeps(number):
                    target.write(row.raw)
    except READ_ERRORS:
        return  # what is kept lies before


def _companions(part: Part, target: Path, keys: set[str], rows: int) -> tuple[tuple[str, str], ...]:
    """img2dataset's table and counts, in step with what is kept."""
    written = []
    for path, write in ((part.table, _write_table), (part.stats, _write_stats)):
        if path is not None:
            with _written(target.parent / path.name) as file:
                write(path, file.file, keys, rows)
            written.append((path.name, file.hex()))
    return tuple(written)


def _write_table(path: Path, target: IO[bytes], keys: set[str], _: int) -> None:
    copy_shard_table(path, target, keys)


def _write_stats(path: Path, target: IO[bytes], _: set[str], rows: int) -> None:
    target.write(stats_of(path, rows))
