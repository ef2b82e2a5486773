"""The list of a case: which photo belongs to which claimant. CSV or TSV, as a spreadsheet saves it.

    path,claimant,note,receipt       in any order and any case; path has to be there, other columns are not read
    C-014/beach.jpg,C-014,"seen by her sister, 2026",C-014/4F7K-20M9.withdraw.txt

Comma, semicolon or tab, whichever stands in the header; cells in quotes as RFC 4180 has them; UTF-8, with or without
byte order mark, or UTF-16 with one. A row that does not fit stops the run with its line: half-read, it could put one
person's photo under another person's name. Empty cells behind the last column, which spreadsheets leave, are none.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from checker.console import one_line
from checker.errors import InputError
from checker.evidence.photo_paths import listed_file

BYTES_MAX = 64 * 2**20
"""About 600,000 rows with a note."""
ROWS_MAX = 1_000_000
COLUMNS = ("path", "claimant", "note", "receipt")
_DELIMITERS = (",", ";", "\t")
_COLUMNS_SHOWN = 10
_NAMELESS = "one without a name"
_QUOTED = re.compile(r'"[^"]*(?:""[^"]*)*("?)')
"""A cell in quotes (RFC 4180 2.5 and 2.7). The group is empty where nothing closes it."""
_LINE_END = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True, slots=True)
class ManifestRow:
    """One photo of the case."""

    path: str
    """As it stands in the list."""
    file: Path
    """Where that is: relative to the folder of the list, in the spelling of the file (`photo_paths.py`)."""
    claimant: str = ""
    note: str = ""
    receipt: Path | None = None
    """The withdraw file of an opt-out of this photo: relative to the folder of the list as well. None: there is none.
    Only its path is kept here; it opens what others are not told (`receipts.py`)."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """The whole list."""

    name: str
    """Of the file, without its folder."""
    sha256: str
    """Of the file's bytes."""
    rows: tuple[ManifestRow, ...]
    not_read: tuple[str, ...]
    """Columns of other names."""


def read_manifest(path: Path) -> Manifest:
    """Read the list of a case.

    Raises:
        InputError: it cannot be read, or a line of it does not fit; the message has the line and never the cells.
    """
    try:
        with path.open("rb") as file:
            body = file.read(BYTES_MAX + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no file can have this name"
        raise InputError(f"cannot read the manifest {one_line(path)}: {reason}; check the path") from error
    if len(body) > BYTES_MAX:
        raise InputError(
            f"the manifest {one_line(path)} has more than {BYTES_MAX:,} bytes; split it into several cases"
        )
    try:
        rows, not_read = parse_manifest(body, path.parent)
    except InputError as error:
        raise InputError(f"the manifest {one_line(path)}: {error}") from error
    return Manifest(path.name, hashlib.sha256(body).hexdigest(), rows, not_read)


def parse_manifest(body: bytes, folder: Path) -> tuple[tuple[ManifestRow, ...], tuple[str, ...]]:
    """Rows, and the columns that were not read. Raises InputError."""
    rows: list[ManifestRow] = []
    header: list[str] | None = None
    for line, cells in _lines(_text(body)):
        if header is None:
            header = _header(cells)
            continue
        if any(cell.strip() for cell in cells[len(header) :]):
            raise InputError(
                f"line {line} has {len(cells)} cells and the header {len(header)}; put a cell with a separator in it "
                'into quotes ("a, b")'
            )
        found = dict(zip(header, cells, strict=False))
        path = found["path"].strip() if "path" in found else ""
        if not path:
            raise InputError(f"line {line} names no photo; its path is empty")
        if len(rows) == ROWS_MAX:
            raise InputError(f"it has more than {ROWS_MAX:,} rows; split it into several cases")
        claimant, note, receipt = (found.get(name, "").strip() for name in COLUMNS[1:])
        opened_by = listed_file(folder, receipt) if receipt else None
        rows.append(ManifestRow(path, listed_file(folder, path), claimant, note, opened_by))
    if not rows:
        raise InputError(
            "it has no row; the first line names the columns (path, claimant, note), the others are photos"
        )
    return tuple(rows), tuple(dict.fromkeys(name or _NAMELESS for name in header or () if name not in COLUMNS))


def _text(body: bytes) -> str:
    if body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding, what = "utf-16", "UTF-16"
    else:
        encoding, what = "utf-8-sig", "UTF-8"
    try:
        text = body.decode(encoding)
    except UnicodeDecodeError as error:
        line = body.count(b"\n", 0, error.start) + 1
        raise InputError(f"line {line} is not {what}; save it anew as CSV in UTF-8") from error
    if "\0" in text:
        raise InputError("it holds null bytes, so it is no list in text; save it as CSV in UTF-8")
    return text


def _delimiter(text: str) -> str:
    """The one that stands in the header most often; a header of one column has none."""
    header = next((line for line in io.StringIO(text, newline="") if line.strip(" \t\r\n,;")), "")
    return max(_DELIMITERS, key=header.count)


def _lines(text: str) -> Iterator[tuple[int, list[str]]]:
    """Rows with the line on which each begins, empty ones left out."""
    delimiter = _delimiter(text)
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    while True:
        begin = lines.line_num + 1
        try:
            cells = next(lines, None)
        except csv.Error as error:
            raise _unreadable(text, begin, delimiter, error) from error
        if cells is None:
            return
        if any(cell.strip() for cell in cells):
            yield begin, cells


def _unreadable(text: str, begin: int, delimiter: str, error: csv.Error) -> InputError:
    """Names the line on which the cell begins that does not end as it should: the reader stops hundreds of lines later.

    Args:
        begin: line of the row.
    """
    row = "".join(list(io.StringIO(text, newline=""))[begin - 1 :])
    for cell in _QUOTED.finditer(row):
        if not cell[1] or row[cell.end() : cell.end() + 1] not in (delimiter, "\r", "\n", ""):
            line = begin + len(_LINE_END.findall(row, 0, cell.start()))
            return InputError(
                f"line {line} has a cell that begins with a quote and does not end with one ({error}); check its quotes"
            )
    return InputError(f"line {begin} cannot be read ({error}); check its quotes")


def _header(cells: list[str]) -> list[str]:
    names = [cell.strip().casefold() for cell in cells]
    while names and not names[-1]:
        names.pop()
    twice = [name for name in COLUMNS if names.count(name) > 1]
    if twice:
        raise InputError(f"the column {twice[0]} stands there twice; which of them counts cannot be told")
    if "path" not in names:
        shown = ", ".join(one_line(name[:40]) for name in names[:_COLUMNS_SHOWN])
        raise InputError(f"its first line has no column path (it has: {shown}); name the columns path, claimant, note")
    return names
