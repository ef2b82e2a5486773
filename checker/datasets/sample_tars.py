"""webdataset: the samples of a tar, and a tar of some of them.

1. Neighbouring members with one stem are one sample, one row. Folders are no rows and belong to none.
2. An ordinary file without a stem ("README", ".hidden") is a row of its own, in which nothing was looked for.
3. The copy is made of the very bytes of the members, headers included; what stands between members goes along.
4. Where a tar is damaged, the sample at that place is not checked, and one row stands for the rest.
"""

from __future__ import annotations

import gzip
import tarfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, cast

from checker.datasets.bounded import READ_ERRORS, BoundedFile
from checker.datasets.columns import KEY_CHARACTERS_MAX, address_text, downloaded, match_columns, sha256_of, text_of
from checker.datasets.parts import Part
from checker.datasets.samples import (
    PICTURES,
    SAMPLE_BYTES_MAX,
    SAMPLE_PICTURES_MAX,
    Found,
    Sample,
    nothing_there,
    rest_of,
)
from checker.datasets.tables import TABLE_ERRORS, open_table, read_rows
from checker.datasets.tar_members import DOCUMENT_BYTES_MAX, STEM, body_of, is_file, members_of, read_document
from checker.model import Unreadable, UnreadableReason
from checker.settings import Settings

_TABLE_ROWS_MAX = 200_000
"""Of img2dataset's table, held in memory. It writes 10,000 a shard; of more the first ones are used."""
_COPY_BYTES = 2**20
_RECORD_BYTES = 10_240
"""A tar's length is a multiple of this (POSIX pax, 20 blocks of 512)."""
_TAR_ERRORS = (*READ_ERRORS, tarfile.TarError, ValueError, OverflowError, RecursionError)
"""ValueError: names that are no text, numbers that are none. RecursionError: headers that name headers."""


@dataclass(slots=True)
class _Numbers:
    """Which row a member belongs to, told from its name and the one before: the same at every reading."""

    row: int = -1
    stem: str | None = None

    def of(self, member: tarfile.TarInfo) -> int | None:
        """None: a folder, which is no row."""
        if member.isdir():
            return None
        found = STEM.fullmatch(member.name)
        stem = found[1] if found else None
        if stem is None or stem != self.stem:
            self.row += 1
        self.stem = stem
        return self.row


@dataclass(slots=True)
class _Building:
    """A sample whose members are being read."""

    row: int
    key: str
    found: list[Found] = field(default_factory=list)
    document: Mapping[str, object] | None = None
    members: int = 0
    bytes: int = 0


def read_tar(part: Part, settings: Settings) -> Iterator[Sample]:
    """The samples of a tar; see `samples`."""
    numbers, told = _Numbers(), _Table(part.table)
    building: _Building | None = None
    try:
        with BoundedFile(part.path) as opened:
            tar = _open(opened)
            for member in members_of(tar, opened):
                row = numbers.of(member)
                if row is None:
                    continue
                if building is not None and building.row != row:
                    yield _sample(part, building, told)
                    building = None
                building = building or _Building(row, numbers.stem or member.name)
                _take(tar, opened, member, building, settings)
        if building is not None:
            yield _sample(part, building, told)
    except _TAR_ERRORS as error:
        if building is not None:
            key = building.key[:KEY_CHARACTERS_MAX]
            yield Sample(building.row, part.path, key=key, trouble="the archive is damaged at or behind this sample")
        yield rest_of(part, building.row + 1 if building else numbers.row + 1, error)


def _open(opened: BoundedFile) -> tarfile.TarFile:
    return tarfile.open(fileobj=cast("tarfile._Fileobj", opened), mode="r:")  # it holds nothing to be closed


def _take(
    tar: tarfile.TarFile, opened: BoundedFile, member: tarfile.TarInfo, building: _Building, settings: Settings
) -> None:
    building.members += 1
    name = member.name.rpartition("/")[2]
    suffix = f".{name.rpartition('.')[2].lower()}" if "." in name else ""
    if suffix in PICTURES:
        if building.members > SAMPLE_PICTURES_MAX or building.bytes > SAMPLE_BYTES_MAX:
            return  # `_sample` says so
        body = _picture(tar, opened, member, settings)
        building.bytes += len(body) if isinstance(body, bytes) else 0
        building.found.append(Found(member.name, body))
    elif suffix == ".json" and is_file(member) and member.size <= DOCUMENT_BYTES_MAX:
        building.document = read_document(body_of(tar, opened, member))


def _picture(
    tar: tarfile.TarFile, opened: BoundedFile, member: tarfile.TarInfo, settings: Settings
) -> bytes | Unreadable:
    if not is_file(member):
        return nothing_there("this is a link or no ordinary file; links are not followed")
    if member.size > settings.picture_bytes_max:
        return Unreadable(UnreadableReason.TOO_LARGE, "it is larger than a picture may be (HIBS_PICTURE_BYTES_MAX)")
    return body_of(tar, opened, member)


def _sample(part: Part, building: _Building, told: _Table) -> Sample:
    key = building.key[:KEY_CHARACTERS_MAX]
    if building.members > SAMPLE_PICTURES_MAX or building.bytes > SAMPLE_BYTES_MAX:
        detail = f"the sample has more than {SAMPLE_PICTURES_MAX} members or {SAMPLE_BYTES_MAX} bytes of pictures"
        return Sample(building.row, part.path, key=key, trouble=f"{detail}; cut it into several")
    document = building.document
    if document is None:
        document = told.row_of(building.key.rpartition("/")[2])
    columns = match_columns(document)
    return Sample(
        building.row,
        part.path,
        key=key,
        url=address_text(document, columns),
        sha256=sha256_of(document.get(columns.sha256 or "")) if not building.found else None,
        found=tuple(building.found),
    )


class _Table:
    """img2dataset's table beside a tar, read when a sample has no `.json`."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._rows: dict[str, Mapping[str, object]] | None = None

    def row_of(self, key: str) -> Mapping[str, object]:
        """What it says of a sample. Empty: nothing."""
        if self._rows is None:
            self._rows = self._read()
        return self._rows.get(key, {})

    def _read(self) -> dict[str, Mapping[str, object]]:
        found: dict[str, Mapping[str, object]] = {}
        if self._path is None:
            return found
        try:
            with open_table(self._path) as table:
                columns = match_columns(table.schema_arrow.names)
                for _, row in read_rows(table, start=0, columns=columns):
                    key = text_of(row.get(columns.key or ""), characters_max=KEY_CHARACTERS_MAX)
                    if key and downloaded(row, columns):
                        found[key] = {columns.url: row[columns.url]} if columns.url else {}
                    if len(found) >= _TABLE_ROWS_MAX:
                        break
        except TABLE_ERRORS:
            pass  # then the samples have no address, which nobody takes for a yes
        return found


def copy_tar(part: Part, target: IO[bytes], keeps: Callable[[int], bool]) -> None:
    """Write the samples whose rows are kept, byte for byte and in order."""
    packed = part.path.name.lower().endswith((".gz", ".tgz"))
    if packed:
        with gzip.GzipFile(filename="", mode="wb", fileobj=target, mtime=0, compresslevel=6) as unpacked:
            _copy(part, cast(IO[bytes], unpacked), keeps)
    else:
        _copy(part, target, keeps)


def _copy(part: Part, target: IO[bytes], keeps: Callable[[int], bool]) -> None:
    written = 0
    with BoundedFile(part.path) as source:
        for start, end in _merged(_kept_spans(part, keeps)):
            source.seek(start)
            source.read_bytes_max = _COPY_BYTES
            left = end - start
            while left:
                data = source.read(min(left, _COPY_BYTES))
                if not data:
                    raise EOFError("the archive became shorter while it was read")
                target.write(data)
                left -= len(data)
            written += end - start
    end_mark = 1_024  # two blocks of zeros
    target.write(bytes(end_mark + -(written + end_mark) % _RECORD_BYTES))


def kept_keys(part: Part, keeps: Callable[[int], bool]) -> set[str]:
    """Keys of the samples that are kept, as img2dataset's table spells them."""
    numbers, keys = _Numbers(), set[str]()
    try:
        with BoundedFile(part.path) as opened:
            for member in members_of(_open(opened), opened):
                row = numbers.of(member)
                if row is not None and numbers.stem is not None and keeps(row):
                    keys.add(numbers.stem.rpartition("/")[2])
    except _TAR_ERRORS:
        pass  # what is kept lies before
    return keys


def _kept_spans(part: Part, keeps: Callable[[int], bool]) -> Iterator[tuple[int, int]]:
    """Where the bytes lie that go over: first and behind the last."""
    numbers, before = _Numbers(), 0
    try:
        with BoundedFile(part.path) as opened:
            tar = _open(opened)
            for member in members_of(tar, opened):
                row = numbers.of(member)
                yield before, member.offset  # a header for all that follows (pax "g"), or nothing
                before = tar.offset
                if row is None or keeps(row):
                    yield member.offset, before
    except _TAR_ERRORS:
        return  # what is kept lies before: the sample at this place was not checked


def _merged(spans: Iterator[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Neighbours as one."""
    start = end = 0
    for first, behind in spans:
        if first == end:
            end = behind
            continue
        if end > start:
            yield start, end
        start, end = first, behind
    if end > start:
        yield start, end
