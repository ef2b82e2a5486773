"""Parquet: pictures in a column, or addresses, or what img2dataset says of a shard.

Read a few rows at a time, and only the columns that are used: files of LAION have millions of rows. `after` counts
rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from checker.model import Locator
from crawler.archives.bounded import sentence
from crawler.archives.columns import (
    KEY_CHARACTERS_MAX,
    NOTHING_NAMED,
    Columns,
    Named,
    address_of,
    downloaded,
    match_columns,
    text_of,
    told_of,
)
from crawler.archives.entries import ArchiveFile, Entry, Failed, Item, Limits, Passed, Trouble

_ROWS_AT_ONCE, _PICTURES_AT_ONCE = 1_024, 16
_CHUNK_BYTES_MAX = 2**30
"""Of one column in one row group, decoded: what Arrow may have to hold at once."""
TABLE_ERRORS = (pa.ArrowException, OSError, ValueError, KeyError, OverflowError)


def open_table(path: Path) -> pq.ParquetFile:
    """Open a Parquet file, to be closed by the caller. Raises TABLE_ERRORS."""
    # Without pre-buffering, or a whole row group lies in memory before its first row is seen.
    return pq.ParquetFile(path, pre_buffer=False, buffer_size=2**16)


def holds_pictures(table: pq.ParquetFile, named: Named) -> bool:
    """Does it hold pictures? Else it can only name addresses of some."""
    return _columns(table, named).image is not None


def read_parquet(file: ArchiveFile, *, start: int, limits: Limits, named: Named = NOTHING_NAMED) -> Iterator[Entry]:
    """Its pictures, or the addresses in it; see `entries.Reader`."""
    row_no = start
    try:
        with open_table(file.path) as table:
            columns = _columns(table, named)
            if columns.image is None and columns.url is None:
                yield _no_columns(file, table)
                return
            _refuse_bomb(file.path, table)
            for row_no, row in read_rows(table, start=start, columns=columns):
                yield _entry(file, row_no, row, columns, limits)
    except TABLE_ERRORS as error:
        detail = f"{sentence(error)}; the rows before were read, get another copy for the rest"
        yield Failed(Locator(file=file.name, row=row_no), row_no, Trouble.DAMAGED, detail)


def read_shard_table(file: ArchiveFile, *, start: int, limits: Limits) -> Iterator[Entry]:  # noqa: ARG001 - as every reader
    """The rows of img2dataset's table that have no picture; see `entries.Reader`."""
    row_no = start
    try:
        with open_table(file.path) as table:
            columns = _columns(table, NOTHING_NAMED)
            _refuse_bomb(file.path, table)
            for row_no, row in read_rows(table, start=start, columns=columns):
                if not downloaded(row, columns):
                    yield Passed(row_no + 1, "not-downloaded")
    except TABLE_ERRORS as error:
        yield Failed(Locator(file=file.name, row=row_no), row_no, Trouble.DAMAGED, sentence(error))


def read_rows(table: pq.ParquetFile, *, start: int, columns: Columns) -> Iterator[tuple[int, dict[str, object]]]:
    """Number and values of every row from `start` on. Row groups before it are not read."""
    wanted = [name for name in _wanted(columns) if name in table.schema_arrow.names]
    groups, row_no, end = [], 0, 0
    for group in range(table.num_row_groups):
        end += table.metadata.row_group(group).num_rows
        if end > start:
            groups.append(group)
        else:
            row_no = end
    rows_at_once = _PICTURES_AT_ONCE if columns.image else _ROWS_AT_ONCE
    batches = table.iter_batches(rows_at_once, row_groups=groups, columns=wanted, use_threads=False) if groups else ()
    for batch in batches:
        cells = {name: batch.column(name) for name in batch.schema.names}
        for number in range(batch.num_rows):
            if row_no >= start:
                yield row_no, {name: _value(column[number]) for name, column in cells.items()}
            row_no += 1


def _value(scalar: Any) -> object:
    """A cell as Python has it; one that Python cannot hold (a date in the year 10,000) counts as missing."""
    try:
        value: object = scalar.as_py()
    except (pa.ArrowException, ValueError, OverflowError):
        return None
    return value


def _entry(file: ArchiveFile, row_no: int, row: Mapping[str, object], columns: Columns, limits: Limits) -> Entry:
    after = row_no + 1
    key = text_of(row.get(columns.key or ""), characters_max=KEY_CHARACTERS_MAX)
    locator = Locator(file=file.name, row=row_no, key=key)
    if not downloaded(row, columns):
        return Passed(after, "not-downloaded")
    told = told_of(row, columns, url_characters_max=limits.url_characters_max)
    if columns.image is None:
        if told.image_url is None:
            return Failed(locator, after, Trouble.NO_ADDRESS, "the row has no http or https address that can be read")
        asked = address_of(row.get(columns.url or ""), url_characters_max=limits.url_characters_max)
        return Item(locator, after, None, told, ask_url=asked if asked != told.image_url else None)
    body = row.get(columns.image)
    if isinstance(body, Mapping):  # Hugging Face: bytes, or only the path that they once had
        body = body.get("bytes")
    if not isinstance(body, bytes) or not body:
        return Failed(locator, after, Trouble.NO_PICTURE, f"the row has no picture in the column {columns.image}")
    if len(body) > limits.picture_bytes_max:
        return Failed(locator, after, Trouble.TOO_LARGE, "it is larger than a picture may be (HIBS_PICTURE_BYTES_MAX)")
    return Item(locator, after, body, told)


def _columns(table: pq.ParquetFile, named: Named) -> Columns:
    """As their names say, but a picture must be bytes: "image" may as well be an address."""
    schema = table.schema_arrow
    columns = match_columns(schema.names, named)
    candidates = [columns.image] if named.image else [match_columns([name]).image for name in schema.names]
    image = next((name for name in candidates if name and _holds_bytes(schema.field(name).type)), None)
    return replace(columns, image=image)


def _holds_bytes(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        return any(field.name == "bytes" and _holds_bytes(field.type) for field in kind)
    return bool(
        pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_binary_view(kind)
        or pa.types.is_fixed_size_binary(kind)
    )


def _wanted(columns: Columns) -> list[str]:
    return [name for name in (getattr(columns, field) for field in Columns.__slots__) if name]


def _no_columns(file: ArchiveFile, table: pq.ParquetFile) -> Entry:
    names = ", ".join(name[:40] for name in table.schema_arrow.names[:12])
    detail = f"none of its columns holds addresses or pictures ({names}); name one with --url-column or --image-column"
    return Failed(Locator(file=file.name), 0, Trouble.NO_ADDRESS, detail)


def _refuse_bomb(path: Path, table: pq.ParquetFile) -> None:
    """What the file says of itself must be possible. Addresses and pictures differ, so none takes less than a byte."""
    metadata = table.metadata
    if metadata.num_rows > max(path.stat().st_size, 1_000):
        raise ValueError(f"it claims {metadata.num_rows} rows in {path.stat().st_size} bytes")
    for group in range(metadata.num_row_groups):
        of_group = metadata.row_group(group)
        for column in range(of_group.num_columns):
            if of_group.column(column).total_uncompressed_size > _CHUNK_BYTES_MAX:
                raise ValueError(f"row group {group} holds more than {_CHUNK_BYTES_MAX} bytes in one column")
