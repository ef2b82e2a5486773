"""The rows of a part, in order, with the pictures in them. Reads forwards; raises nothing; what is damaged is a row.

A part that cannot be read to its end gives one more row, which stands for the rest of it.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from checker.datasets.bounded import READ_ERRORS, BoundedFile, sentence
from checker.datasets.columns import KEY_CHARACTERS_MAX, Columns, address_text, match_columns, sha256_of, text_of
from checker.datasets.parts import Part, files_of
from checker.datasets.tar_members import DOCUMENT_BYTES_MAX, read_document
from checker.datasets.text_rows import text_rows
from checker.fingerprint.pictures import OTHER_PICTURE_SUFFIXES, PICTURE_SUFFIXES, read_picture_file
from checker.model import Sha256, Unreadable, UnreadableReason
from checker.settings import Settings

PICTURES = PICTURE_SUFFIXES | OTHER_PICTURE_SUFFIXES
COMPANIONS = (".json", ".txt", ".caption")
"""What goes with a picture of the same name, as img2dataset writes it."""
SAMPLE_PICTURES_MAX = 64
SAMPLE_BYTES_MAX = 64 * 2**20
"""Of the pictures of one row, which lie in memory together. A larger row is one that was not checked."""


@dataclass(frozen=True, slots=True)
class Found:
    """One picture of a row."""

    name: str | None
    """Of its file or column; None: the row has an address alone."""
    body: bytes | Unreadable
    named_as_picture: bool = True
    """False where the name says that it is none ("notes.txt")."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One row as it was read."""

    row: int
    """From 0."""
    path: Path
    """The file that it lies in."""
    key: str | None = None
    url: str | None = None
    sha256: Sha256 | None = None
    """That the row tells of its picture."""
    found: tuple[Found, ...] = ()
    """Empty: there is no picture, only perhaps an address."""
    trouble: str | None = None
    """Why the row cannot be read; a sentence. Then it is never kept."""


def nothing_there(detail: str) -> Unreadable:
    """A picture that is not there."""
    return Unreadable(UnreadableReason.MISSING, detail)


def rest_of(part: Part, row: int, error: BaseException) -> Sample:
    """The row that stands for what cannot be read any more."""
    return Sample(row, part.path, trouble=f"{sentence(error)}; nothing behind this was read, get another copy")


def read_folder(part: Part, settings: Settings) -> Iterator[Sample]:
    """The loose files of a folder. A companion of a picture is no row of its own."""
    for row, path in enumerate(rows_of_folder(part)):
        named = path.suffix.lower() in PICTURES
        url = _url_beside(path) if named else None
        yield Sample(row, path, url=url, found=(Found(path.name, _read(path, settings), named),))


def rows_of_folder(part: Part) -> Iterator[Path]:
    """The files that are rows: pictures, and what belongs to none."""
    pictures: set[Path] = set()
    folder: Path | None = None
    waiting: list[Path] = []
    for path in files_of(part):
        if path.parent != folder:
            yield from _own_rows(waiting, pictures)
            folder, waiting, pictures = path.parent, [], set()
        waiting.append(path)
        if path.suffix.lower() in PICTURES:
            pictures.add(path.with_suffix(""))
    yield from _own_rows(waiting, pictures)


def _own_rows(paths: list[Path], pictures: set[Path]) -> Iterator[Path]:
    """Of one folder; its names fit into memory, as they did when it was listed."""
    return (path for path in paths if path.suffix.lower() not in COMPANIONS or path.with_suffix("") not in pictures)


def _read(path: Path, settings: Settings) -> bytes | Unreadable:
    if path.is_symlink():
        return nothing_there("this is a link; honour what it points to")
    return read_picture_file(path, settings)


def _url_beside(path: Path) -> str | None:
    """The address in img2dataset's `.json` beside a picture. None: there is none."""
    beside = path.with_suffix(".json")
    try:
        if beside.is_symlink() or not beside.is_file():
            return None
        with beside.open("rb") as file:
            document = read_document(file.read(DOCUMENT_BYTES_MAX + 1)) or {}
    except OSError:
        return None
    return address_text(document, match_columns(document))


def read_list(part: Part) -> Iterator[Sample]:
    """The rows of a list in text."""
    row_no = -1
    try:
        with BoundedFile(part.path) as opened:
            for row_no, row in enumerate(text_rows(part.path.name, opened, part.named)):
                yield _list_row(part, row_no, row.cells, row.columns)
    except (*READ_ERRORS, csv.Error) as error:
        yield rest_of(part, row_no + 1, error)


def _list_row(part: Part, row_no: int, cells: object, columns: Columns) -> Sample:
    if not isinstance(cells, dict):
        return Sample(row_no, part.path, trouble=str(cells))
    return Sample(
        row_no,
        part.path,
        key=text_of(cells.get(columns.key or ""), characters_max=KEY_CHARACTERS_MAX),
        url=address_text(cells, columns),
        sha256=sha256_of(cells.get(columns.sha256 or "")),
    )
