"""Lists as text, row by row: .csv, .tsv, .txt, .jsonl, each also with .gz behind.

`.txt` has one address a line, blank lines and lines that begin with # aside; `.jsonl` one object or one string a line;
`.csv` and `.tsv` name their columns in the first row, or have an address in it.

Text is UTF-8. A line is bounded, so that a file without line ends fills no memory, and a field is (RFC 4180 has no
limit): a quotation mark that is never closed costs its row, not the rest of the file.
"""

from __future__ import annotations

import codecs
import csv
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from checker.datasets.bounded import BoundedFile, DamagedError
from checker.datasets.columns import NOTHING_NAMED, Columns, Named, match_columns

_LINE_BYTES_MAX = 2**20
_FREE_LINES = 100_000
"""A compressed list may have as many lines as it has bytes, and these: a line feed packs 1,000 to 1."""
_COLUMNS_MAX = 1_000
_DELIMITERS = (",", "\t", ";", "|")
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")

Row = Mapping[str, object] | str
"""The cells of a row by column, or why there are none."""


@dataclass(frozen=True, slots=True)
class TextRow:
    """One row of a list."""

    cells: Row
    columns: Columns
    lead: bytes
    """What stands between the row before and this one: a header, blank lines, remarks."""
    raw: bytes
    """The row as it stands there; empty where it is too long."""


def text_rows(name: str, opened: BoundedFile, named: Named = NOTHING_NAMED) -> Iterator[TextRow]:
    """The rows of a list; how they are written is told by the end of the file's name."""
    kind = name.lower().removesuffix(".gz").rpartition(".")[2]
    lines = _Lines(opened)
    for cells, columns in _KINDS.get(kind, _text_rows)(lines, named):
        lead, raw = lines.take(one_line=kind not in ("csv", "tsv"))
        yield TextRow(cells, columns, lead, raw)


class _Lines:
    """The lines of a file without their ends, and what they were read from. None: one that is too long."""

    def __init__(self, opened: BoundedFile) -> None:
        self._opened = opened
        self._lines_left = opened.size + _FREE_LINES
        self._first = True
        self._lead: list[bytes] = []
        self._taken: list[bytes] = []

    def __iter__(self) -> Iterator[str | None]:
        return self

    def __next__(self) -> str | None:
        line = self._opened.readline(_LINE_BYTES_MAX + 1)
        if not line:
            raise StopIteration
        self._lines_left -= 1
        if self._lines_left < 0:
            raise DamagedError("it has more lines than bytes, which no list of addresses has")
        first, self._first = self._first, False
        if first and line.startswith(_UTF_16):
            raise DamagedError("it is UTF-16; save it as UTF-8")
        if len(line) <= _LINE_BYTES_MAX:
            self._taken.append(line)
            return (line.removeprefix(codecs.BOM_UTF8) if first else line).decode("utf-8", "replace").rstrip("\r\n")
        while line and not line.endswith(b"\n"):
            line = self._opened.readline(_LINE_BYTES_MAX + 1)
        self._taken.clear()
        return None

    def lead(self) -> None:
        """What was read so far is no row."""
        self._lead += self._taken
        self._taken.clear()

    def take(self, *, one_line: bool) -> tuple[bytes, bytes]:
        """What was read since the last time: what is no row, and the row, which is the last line or all of them."""
        row = self._taken[-1:] if one_line else self._taken
        lead = self._lead + self._taken[: len(self._taken) - len(row)]
        taken = b"".join(lead), b"".join(row)
        self._lead, self._taken = [], []
        return taken


def _text_rows(lines: _Lines, _: Named) -> Iterator[tuple[Row, Columns]]:
    columns = Columns(url="url")
    for line in lines:
        if line is None:
            yield _TOO_LONG, columns
        elif line.strip() and not line.lstrip().startswith("#"):
            yield {"url": line.strip()}, columns


def _json_rows(lines: _Lines, named: Named) -> Iterator[tuple[Row, Columns]]:
    for row_no, line in enumerate(lines):
        if row_no == 0 and line is not None and line.strip() == "[":
            raise DamagedError("it is one JSON array; write one object a line (JSON Lines)")
        if line is not None and not line.strip():
            continue
        row = _TOO_LONG if line is None else _json_row(line)
        yield row, match_columns(row, named) if not isinstance(row, str) else Columns()


def _json_row(line: str) -> Row:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return "the line is no JSON"
    if isinstance(found, str):
        return {"url": found}
    return found if isinstance(found, dict) else "the line is no JSON object"


def _table_rows(lines: _Lines, named: Named, *, delimiters: Sequence[str]) -> Iterator[tuple[Row, Columns]]:
    header = next(lines, "")
    if header is None:
        raise DamagedError(f"its first row has more than {_LINE_BYTES_MAX} bytes")
    delimiter, names, columns, is_header = _header(header, named, delimiters)
    if columns.url is None:
        shown = ", ".join(name[:40] for name in names[:12])
        raise DamagedError(f"none of its columns holds addresses ({shown}); name one with --url-column")
    if is_header:
        lines.lead()
    else:
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
    try:
        return next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error as error:
        raise DamagedError(f"its first row cannot be read ({error}); save it with line feeds at the ends") from error


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
_KINDS: dict[str, Callable[[_Lines, Named], Iterator[tuple[Row, Columns]]]] = {
    "txt": _text_rows,
    "jsonl": _json_rows,
    "ndjson": _json_rows,
    "csv": partial(_table_rows, delimiters=_DELIMITERS),
    "tsv": partial(_table_rows, delimiters=("\t",)),
}
