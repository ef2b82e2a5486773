"""Lists of addresses as text (`checker.datasets.text_rows`). `after` counts rows."""

from __future__ import annotations

import csv
from collections.abc import Iterator

from checker.datasets.bounded import READ_ERRORS, BoundedFile, sentence
from checker.datasets.columns import KEY_CHARACTERS_MAX, NOTHING_NAMED, Columns, Named, downloaded, text_of
from checker.datasets.text_rows import Row, text_rows
from checker.model import Locator
from crawler.archives.columns import address_of, told_of
from crawler.archives.entries import ArchiveFile, Entry, Failed, Item, Limits, Passed, Trouble


def read_list(file: ArchiveFile, *, start: int, limits: Limits, named: Named = NOTHING_NAMED) -> Iterator[Entry]:
    """The addresses of a list; see `entries.Reader`."""
    row_no = -1
    try:
        with BoundedFile(file.path) as opened:
            for row_no, row in enumerate(text_rows(file.path.name, opened, named)):
                if row_no >= start:
                    yield _entry(file, row_no, row.cells, row.columns, limits)
    except (*READ_ERRORS, csv.Error) as error:
        detail = sentence(error) + ("; the rows before were read" if row_no >= 0 else "")
        yield Failed(Locator(file=file.name, row=row_no + 1), row_no + 1, Trouble.DAMAGED, detail)


def _entry(file: ArchiveFile, row_no: int, row: Row, columns: Columns, limits: Limits) -> Entry:
    locator, after = Locator(file=file.name, row=row_no), row_no + 1
    if isinstance(row, str):
        return Failed(locator, after, Trouble.NOT_READ, row)
    key = text_of(row.get(columns.key or ""), characters_max=KEY_CHARACTERS_MAX)
    locator = Locator(file=file.name, row=row_no, key=key)
    if not downloaded(row, columns):
        return Passed(after, "not-downloaded")
    told = told_of(row, columns, url_characters_max=limits.url_characters_max)
    if told.image_url is None:
        return Failed(locator, after, Trouble.NO_ADDRESS, "the row has no http or https address that can be read")
    asked = address_of(row.get(columns.url or ""), url_characters_max=limits.url_characters_max)
    return Item(locator, after, None, told, ask_url=asked if asked != told.image_url else None)
