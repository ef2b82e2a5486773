"""Lists of addresses as text: .csv, .tsv, .txt, .jsonl, each also with .gz behind.

`.txt` has one address a line, blank lines and lines that begin with # aside; `.jsonl` one object or one string a line;
`.csv` and `.tsv` name their columns in the first row, or have an address in it. `after` counts rows.

Text is UTF-8. A line is bounded, so that a file without line ends fills no memory, and a field is (RFC 4180 has no
limit): a quotation mark that is never closed costs its row, not the rest of the file.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from checker.model import Locator
from crawler.archives.bounded import READ_ERRORS, BoundedFile, DamagedError, sentence
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

_LINE_BYTES_MAX = 2**20
_FREE_LINES = 100_000
"""A compressed list may have as many lines as it has bytes, and these: a line feed packs 1,000 to 1."""
_COLUMNS_MAX = 1_000
_DELIMITERS = (",", "\t", ";", "|")
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")

_Row = Mapping[str, object] | str
"""The cells of a row by column, or why there are none."""


def read_list(file: ArchiveFile, *, start: int, limits: Limits, named: Named = NOTHING_NAMED) -> Iterator[Entry]:
    """The addresses of a list; see `entries.Reader`."""
    kind = file.path.name.lower().removesuffix(".gz").rpartition(".")[2]
    rows = _KINDS.get(kind, _text_rows)
    row_no = -1
    try:
        with BoundedFile(file.path) as opened:
            for row_no, (row, columns) in enumerate(rows(_lines(opened), named)):
                if row_no >= start:
                    yield _entry(file, row_no, row, columns, limits)
    except (*READ_ERRORS, csv.Error) as error:
        detail = sentence(error) + ("; the rows before were read" if row_no >= 0 else "")
        yield Failed(Locator(file=file.name, row=row_no + 1), row_no + 1, Trouble.DAMAGED, detail)


def _entry(file: ArchiveFile, row_no: int, row: _Row, columns: Columns, limits: Limits) -> Entry:
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


def _lines(opened: BoundedFile) -> Iterator[str | None]:
    """Its lines without their ends. None: one that is too long."""
    first = True
    left = opened.size + _FREE_LINES
    while line := opened.readline(_LINE_BYTES_MAX + 1):
        if (left := left - 1) < 0:
            raise DamagedError("it has more lines than bytes, which no list of addresses has")
        if first and line.startswith(_UTF_16):
            raise DamagedError("it is UTF-16; save it as UTF-8")
        if first:
            line, first = line.removeprefix(b"\xef\xbb\xbf"), False
        if len(line) <= _LINE_BYTES_MAX:
            yield line.decode("utf-8", "replace").rstrip("\r\n")
            continue
        while line and not line.endswith(b"\n"):
            line = opened.readline(_LINE_BYTES_MAX + 1)
        yield None


def _text_rows(lines: Iterator[str | None], _: Named) -> Iterator[tuple[_Row, Columns]]:
    columns = Columns(url="url")
    for line in lines:
        if line is None:
            yield _TOO_LONG, columns
        elif line.strip() and not line.lstrip().startswith("#"):
            yield {"url": line.strip()}, columns


def _json_rows(lines: Iterator[str | None], named: Named) -> Iterator[tuple[_Row, Columns]]:
    for row_no, line in enumerate(lines):
        if row_no == 0 and line is not None and line.strip() == "[":
            raise DamagedError("it is one JSON array; write one object a line (JSON Lines)")
        if line is not None and not line.strip():
            continue
        row = _TOO_LONG if line is None else _json_row(line)
        yield row, match_columns(row, named) if not isinstance(row, str) else Columns()


def _json_row(line: str) -> _Row:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return "the line is no JSON"
    if isinstance(found, str):
        return {"url": found}
    return found if isinstance(found, dict) else "the line is no JSON object"


def _table_rows(
    lines: Iterator[str | None], named: Named, *, delimiters: Sequence[str]
) -> Iterator[tuple[_Row, Columns]]:
    header = next(lines, "")
    if header is None:
        raise DamagedError(f"its first row has more than {_LINE_BYTES_MAX} bytes")
    delimiter, names, columns, is_header = _header(header, named, delimiters)
    if columns.url is None:
        shown = ", ".join(name[:40] for name in names[:12])
        raise DamagedError(f"none of its columns holds addresses ({shown}); name one with --url-column")
    if not is_header:
        yield dict(zip(names, _cells(header, delimiter), strict=False)), columns
    for cells in _parsed(lines, delimiter):
        if isinstance(cells, str):
            yield cells, columns
        elif cells:
            yield dict(zip(names, cells, strict=False)), columns


def _header(line: str, named: Named, delimiters: Sequence[str]) -> tuple[str, list[str], Columns, bool]:
    """The delimiter and columns that the first row tells; whether it is a header at all."""
    for delimiter in delimiters:
        names = _cells(line, delimiter)[:_COLUMNS_MAX]
        columns = match_columns(names, named)
        if columns.url is not None:
            return delimiter, names, columns, True
    for delimiter in delimiters:
        cells = _cells(line, delimiter)[:_COLUMNS_MAX]
        numbered = [f"column {number}" for number in range(1, len(cells) + 1)]
        for name, cell in zip(numbered, cells, strict=True):
            if cell.lower().startswith(("http://", "https://")):
                return delimiter, numbered, Columns(url=name), False
    return delimiters[0], _cells(line, delimiters[0]), Columns(), True


def _cells(line: str, delimiter: str) -> list[str]:
    return next(csv.reader([line], delimiter=delimiter), [])


def _parsed(lines: Iterator[str | None], delimiter: str) -> Iterator[list[str] | str]:
    """The rows as csv reads them; a sentence in place of one that it cannot."""
    too_long = []

    def given() -> Iterator[str]:
        for line in lines:
            if line is None:
                too_long.append(True)
            yield f"{line or ''}\n"

    reader = csv.reader(given(), delimiter=delimiter)
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield f"the row cannot be read ({error})"
            continue
        if too_long:
            too_long.clear()
            yield _TOO_LONG
        elif cells:
            yield cells


_TOO_LONG = f"the line has more than {_LINE_BYTES_MAX} bytes"
_KINDS: dict[str, Callable[[Iterator[str | None], Named], Iterator[tuple[_Row, Columns]]]] = {
    "txt": _text_rows,
    "jsonl": _json_rows,
    "ndjson": _json_rows,
    "csv": partial(_table_rows, delimiters=_DELIMITERS),
    "tsv": partial(_table_rows, delimiters=("\t",)),
}
