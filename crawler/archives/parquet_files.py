"""Parquet: pictures in a column, or addresses, or what img2dataset says of a shard.

Read a few rows at a time, and only the columns that are used: files of LAION have millions of rows. `after` counts
rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pyarrow.parquet as pq

from checker.datasets.bounded import sentence
from checker.datasets.columns import KEY_CHARACTERS_MAX, NOTHING_NAMED, Columns, Named, downloaded, text_of
from checker.datasets.tables import TABLE_ERRORS, columns_of, open_table, read_rows, refuse_bomb
from checker.model import Locator
from crawler.archives.columns import address_of, told_of
from crawler.archives.entries import ArchiveFile, Entry, Failed, Item, Limits, Passed, Trouble


def holds_pictures(table: pq.ParquetFile, named: Named) -> bool:
    """Does it hold pictures? Else it can only name addresses of some."""
    return columns_of(table, named).image is not None


def read_parquet(file: ArchiveFile, *, start: int, limits: Limits, named: Named = NOTHING_NAMED) -> Iterator[Entry]:
    """Its pictures, or the addresses in it; see `entries.Reader`."""
    row_no = start
    try:
        with open_table(file.path) as table:
            columns = columns_of(table, named)
            if columns.image is None and columns.url is None:
                yield _no_columns(file, table)
                return
            refuse_bomb(file.path, table)
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
            columns = columns_of(table, NOTHING_NAMED)
            refuse_bomb(file.path, table)
            for row_no, row in read_rows(table, start=start, columns=columns):
                if not downloaded(row, columns):
                    yield Passed(row_no + 1, "not-downloaded")
    except TABLE_ERRORS as error:
        yield Failed(Locator(file=file.name, row=row_no), row_no, Trouble.DAMAGED, sentence(error))


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


def _no_columns(file: ArchiveFile, table: pq.ParquetFile) -> Entry:
    names = ", ".join(name[:40] for name in table.schema_arrow.names[:12])
    detail = f"none of its columns holds addresses or pictures ({names}); name one with --url-column or --image-column"
    return Failed(Locator(file=file.name), 0, Trouble.NO_ADDRESS, detail)
