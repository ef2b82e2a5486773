"""Parquet: pictures in one column or in several, or addresses, or what img2dataset says of a shard.

Read a few rows at a time, and only the columns that are used: files of LAION have millions of rows. `after` counts
rows; all but the last picture of a row name the row itself, so that a run that was broken off in it reads it again.
What a row says of its address and digest is about its first picture column: of an edited copy beside it nobody said
where it lay.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import pyarrow.parquet as pq

from checker.datasets.bounded import sentence
from checker.datasets.columns import KEY_CHARACTERS_MAX, NOTHING_NAMED, Columns, Named, downloaded, text_of
from checker.datasets.samples import SAMPLE_PICTURES_MAX
from checker.datasets.tables import (
    TABLE_ERRORS,
    columns_of,
    open_table,
    picture_bytes,
    picture_cells,
    pictures_of,
    read_rows,
    refuse_bomb,
)
from checker.model import Locator
from crawler.archives.columns import address_of, told_of
from crawler.archives.entries import ArchiveFile, Entry, Failed, Item, Limits, Passed, Told, Trouble


def holds_pictures(table: pq.ParquetFile, named: Named) -> bool:
    """Does it hold pictures? Else it can only name addresses of some."""
    return bool(pictures_of(table, named))


def read_parquet(file: ArchiveFile, *, start: int, limits: Limits, named: Named = NOTHING_NAMED) -> Iterator[Entry]:
    """Its pictures, or the addresses in it; see `entries.Reader`."""
    row_no = start
    try:
        with open_table(file.path) as table:
            columns, pictures = columns_of(table, named), pictures_of(table, named)
            if not pictures and columns.url is None:
                yield _no_columns(file, table)
                return
            refuse_bomb(file.path, table)
            # The one that is called a picture plainly ("image") goes before others ("edited_image").
            pictures = tuple(sorted(pictures, key=lambda name: name != columns.image))
            columns = replace(columns, image=None)
            for row_no, row in read_rows(table, start=start, columns=columns, pictures=pictures):
                yield from _entries(file, row_no, row, columns, pictures, limits)
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


def _entries(
    file: ArchiveFile,
    row_no: int,
    row: Mapping[str, object],
    columns: Columns,
    pictures: Sequence[str],
    limits: Limits,
) -> Iterator[Entry]:
    after = row_no + 1
    locator = Locator(file.name, row_no, text_of(row.get(columns.key or ""), characters_max=KEY_CHARACTERS_MAX))
    if not downloaded(row, columns):
        yield Passed(after, "not-downloaded")
        return
    told = told_of(row, columns, url_characters_max=limits.url_characters_max)
    if not pictures:
        yield _listed(locator, after, row, columns, told, limits)
        return
    cells = [(name, cell) for name in pictures for cell in picture_cells(row.get(name))]
    if len(cells) > SAMPLE_PICTURES_MAX:
        detail = f"the row has more than {SAMPLE_PICTURES_MAX} pictures; cut it into several"
        yield Failed(locator, after, Trouble.TOO_LARGE, detail)
        return
    if not cells:
        yield Failed(locator, after, Trouble.NO_PICTURE, f"the row has no picture in {_columns(pictures)}")
    for number, (name, cell) in enumerate(cells, 1):
        place = replace(locator, column=name) if len(pictures) > 1 else locator
        of_cell = told if name == pictures[0] else Told(page_url=told.page_url, caption=told.caption)
        yield _picture(place, after if number == len(cells) else row_no, name, picture_bytes(cell), of_cell, limits)


def _listed(
    locator: Locator, after: int, row: Mapping[str, object], columns: Columns, told: Told, limits: Limits
) -> Entry:
    if told.image_url is None:
        return Failed(locator, after, Trouble.NO_ADDRESS, "the row has no http or https address that can be read")
    asked = address_of(row.get(columns.url or ""), url_characters_max=limits.url_characters_max)
    return Item(locator, after, None, told, ask_url=asked if asked != told.image_url else None)


def _picture(locator: Locator, after: int, column: str, body: bytes, told: Told, limits: Limits) -> Entry:
    if not body:
        return Failed(locator, after, Trouble.NO_PICTURE, f"the row has no picture in the column {column}")
    if len(body) > limits.picture_bytes_max:
        return Failed(locator, after, Trouble.TOO_LARGE, "it is larger than a picture may be (HIBS_PICTURE_BYTES_MAX)")
    return Item(locator, after, body, told)


def _columns(names: Sequence[str]) -> str:
    return f"the column {names[0]}" if len(names) == 1 else f"any of the columns {', '.join(names)}"


def _no_columns(file: ArchiveFile, table: pq.ParquetFile) -> Entry:
    names = ", ".join(name[:40] for name in table.schema_arrow.names[:12])
    detail = f"none of its columns holds addresses or pictures ({names}); name one with --url-column or --image-column"
    return Failed(Locator(file=file.name), 0, Trouble.NO_ADDRESS, detail)
