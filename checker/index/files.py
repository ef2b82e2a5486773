"""One kind of file for everything that the index keeps: named arrays, each with its checksum, mapped read-only.

    0      magic "hibs.idx", format version (uint32), length of the header (uint32), the header (JSON), zeros
    4092   CRC-32 of the 4,092 bytes before it
    4096   the arrays, each from a multiple of 4,096 on, zeros up to the next; little-endian throughout

A file is laid out in full before anything is written, so that a full disk is met there, then filled beside its final
name, synced and renamed: under its name it is whole or not there. Nothing in it is used before every byte was checked
(CRC-32: 6 GB/s, which also brings the file into the page cache), and no number in it leads out of its own arrays.
"""

from __future__ import annotations

import errno
import json
import math
import mmap
import os
import struct
import zlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from checker.errors import DataError, IndexDamagedError

PAGE = 4096
_MAGIC = b"hibs.idx"
_FORMAT = 1
_START = struct.Struct("<8sII")
_CRC = struct.Struct("<I")
_DTYPES: dict[str, np.dtype[Any]] = {name: np.dtype(name) for name in ("<u4", "<u8", "<i8", "|u1")}
_SIDE_MAX = 1 << 40
_TOO_NEW = "was written by a newer version of hibs"

Array = npt.NDArray[Any]


class ArrayPlan(NamedTuple):
    """An array of a file that is to be written."""

    name: str
    dtype: str
    """One of "<u4", "<u8", "<i8", "|u1"."""
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Section:
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    offset: int
    end: int


class MappedFile:
    """An index file that was checked, mapped read-only."""

    def __init__(self, path: Path) -> None:
        """Map and check every byte.

        Raises:
            IndexDamagedError: it is gone, cut off, altered, or no file of ours; the message names it.
        """
        self.path = path
        try:
            self._file = path.open("rb")
        except OSError as error:
            raise IndexDamagedError(f"the index file {path} cannot be opened: {error.strerror}") from error
        try:
            self._stamp = _stamp(self._file.fileno())
            self.bytes = self._stamp[0]
            if self.bytes < PAGE:
                raise self._damaged("is cut off")
            self._map = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)
            if hasattr(mmap, "MADV_HUGEPAGE"):
                with suppress(OSError):  # larger pages mean fewer misses; a file system without them says no
                    self._map.madvise(mmap.MADV_HUGEPAGE)
            self.header_crc, self.what, self.facts, self._sections = self._read_header()
        except BaseException:
            self._file.close()
            raise

    def array(self, name: str, dtype: str, dimensions: int) -> Array:
        """An array of the file, not writeable; it stays usable after `close`, as long as somebody holds it.

        Raises:
            IndexDamagedError: the file has no such array of this type.
        """
        section = self._sections.get(name)
        if section is None or section.dtype != _DTYPES[dtype] or len(section.shape) != dimensions:
            raise self._damaged(f"has no array {name!r} of the expected form")
        return _view(self._map, section)

    def unchanged(self) -> bool:
        """Is the file still the one that was checked? Asked before every use: it costs a microsecond."""
        return _stamp(self._file.fileno()) == self._stamp

    def close(self) -> None:
        """Let go of the file. The mapping ends when the last array of it does."""
        self._file.close()

    def _read_header(self) -> tuple[int, str, Mapping[str, Any], dict[str, _Section]]:
        page = self._map[:PAGE]
        magic, version, length = _START.unpack_from(page)
        (crc,) = _CRC.unpack_from(page, PAGE - _CRC.size)
        if magic != _MAGIC:
            raise self._damaged("does not begin as a file of the index does")
        if zlib.crc32(page[: PAGE - _CRC.size]) != crc:
            raise self._damaged("has an altered header")
        if version != _FORMAT:
            raise self._damaged(_TOO_NEW)
        try:
            header = json.loads(page[_START.size : _START.size + length])
            listed = [
                (str(a["name"]), _DTYPES[a["dtype"]], _shape(a["shape"]), int(a["crc32"])) for a in header["arrays"]
            ]
            what, facts = str(header["what"]), dict(header["facts"])
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            raise self._damaged("has a header that cannot be read") from error
        sections = _laid_out([(name, dtype, shape) for name, dtype, shape, _ in listed])
        end = max((section.end for section in sections.values()), default=PAGE)
        if end != self.bytes:
            raise self._damaged("is cut off" if end > self.bytes else "has grown")
        with memoryview(self._map) as view:
            for name, _, _, expected in listed:
                with view[sections[name].offset : sections[name].end] as part:
                    if zlib.crc32(part) != expected:
                        raise self._damaged(f"is altered (array {name!r})")
        return crc, what, facts, sections

    def _damaged(self, how: str) -> IndexDamagedError:
        return IndexDamagedError(f"the index file {self.path} {how}; `hibs index build` replaces it")


class NewFile:
    """An index file that is being written, under a name of its own until `finish`. A context manager."""

    def __init__(self, path: Path, arrays: Sequence[ArrayPlan]) -> None:
        """Take the space of the whole file on the disk.

        Raises:
            DataError: there is not enough of it, or the folder cannot be written.
        """
        self._path = path
        self._beside = path.with_name(f"{path.name}.tmp")
        self._plans = tuple(arrays)
        self._sections = _laid_out([(a.name, _DTYPES[a.dtype], a.shape) for a in arrays])
        self.bytes = max((section.end for section in self._sections.values()), default=PAGE)
        try:
            self._file = self._beside.open("w+b")
        except OSError as error:
            raise _cannot_write(self._beside, error) from error
        try:
            # Without it a full disk would end the process in the middle of filling the mapping (SIGBUS).
            os.posix_fallocate(self._file.fileno(), 0, self.bytes)
            self._map = mmap.mmap(self._file.fileno(), self.bytes)
        except OSError as error:
            self._discard()
            raise _cannot_write(self._beside, error, self.bytes) from error

    def array(self, name: str) -> Array:
        """An array to fill; zeros so far."""
        section = self._sections[name]
        return _view(self._map, section)

    def finish(self, what: str, facts: Mapping[str, Any]) -> int:
        """Write the header, sync, and give the file its name; the CRC-32 of its header.

        Raises:
            DataError: the disk refused.
        """
        with memoryview(self._map) as view:
            arrays = []
            for plan in self._plans:
                section = self._sections[plan.name]
                with view[section.offset : section.end] as part:
                    crc = zlib.crc32(part)
                arrays.append({"name": plan.name, "dtype": plan.dtype, "shape": plan.shape, "crc32": crc})
        header = json.dumps({"what": what, "facts": facts, "arrays": arrays}).encode()
        page = (_START.pack(_MAGIC, _FORMAT, len(header)) + header).ljust(PAGE - _CRC.size, b"\0")
        assert len(page) == PAGE - _CRC.size, "the header outgrew its page"
        crc = zlib.crc32(page)
        self._map[:PAGE] = page + _CRC.pack(crc)
        try:
            self._map.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            self._beside.replace(self._path)
            sync_folder(self._path.parent)
        except OSError as error:
            raise _cannot_write(self._path, error) from error
        return crc

    def __enter__(self) -> NewFile:
        return self

    def __exit__(self, *problem: object) -> None:
        if problem[0] is not None:
            self._discard()

    def _discard(self) -> None:
        self._file.close()
        with suppress(OSError):
            self._beside.unlink()


def sync_folder(folder: Path) -> None:
    """Make the names in a folder last: a rename is on the disk only when its folder is."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _shape(sides: Sequence[int]) -> tuple[int, ...]:
    shape = tuple(int(side) for side in sides)
    # The size of the file bounds the product alone, and with a side of 0 the others could be of any length.
    if not all(0 <= side <= _SIDE_MAX for side in shape):
        raise ValueError("a side of no array")
    return shape


def _view(mapped: mmap.mmap, section: _Section) -> Array:
    count = math.prod(section.shape)
    return np.frombuffer(mapped, dtype=section.dtype, count=count, offset=section.offset).reshape(section.shape)


def _laid_out(arrays: Sequence[tuple[str, np.dtype[Any], tuple[int, ...]]]) -> dict[str, _Section]:
    sections, offset = {}, PAGE
    for name, dtype, shape in arrays:
        end = offset + math.prod(shape) * dtype.itemsize
        end += -end % PAGE
        sections[name] = _Section(dtype, shape, offset, end)
        offset = end
    return sections


def _stamp(handle: int) -> tuple[int, int]:
    facts = os.fstat(handle)
    return facts.st_size, facts.st_mtime_ns


def _cannot_write(path: Path, error: OSError, size: int = 0) -> DataError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        wanted = f" ({size / 1e6:.0f} MB are wanted)" if size else ""
        return DataError(f"no space left for {path}{wanted}; the index stays as it was, make room and build again")
    return DataError(
        f"cannot write {path}: {error.strerror}; the index stays as it was, check its folder's permissions"
    )
