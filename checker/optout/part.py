"""Honour one part: folders of pictures in, rows with decisions and a copy of what may be kept out.

Rules:

1. Every file below a source is one row, folder by folder and sorted by name; nothing is left out silently. A link is
   not followed.
2. The bytes that were judged are the bytes that are copied: a file is read once.
3. Only `keep` goes over. Copies and decisions are written beside their final names and renamed when all is done, so
   a run that was killed leaves nothing that looks finished, and the same command does it again from the start.
"""

from __future__ import annotations

import codecs
import fcntl
import hashlib
import json
import os
import re
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, TextIO

from checker.errors import InputError
from checker.fingerprint import Decoder, fingerprint_bytes, parse_code
from checker.fingerprint.pictures import OTHER_PICTURE_SUFFIXES, PICTURE_SUFFIXES, is_folder, read_picture_file
from checker.model import Picture, Sha256, Unreadable, UnreadableReason
from checker.optout.honour import Action, Decision, OptOutTable
from checker.settings import Settings

CODE_LINE_BYTES_MAX = 65_536
"""A line is half a kilobyte and a path."""
Codes = Mapping[str, Picture]
"""Pictures by SHA-256 whose codes were made before, so that they need no decoding."""


@dataclass(frozen=True, slots=True)
class Row:
    """One file and what was decided about it."""

    path: Path
    """The source as given, and the way down from it."""
    target: PurePath
    """Where a kept copy goes, relative to the destination."""
    decision: Decision
    body: bytes
    """What was judged; empty where it is not to be kept."""
    decoded: bool

    def to_dict(self) -> dict[str, str | int | None]:
        """The row of the report."""
        return {"path": str(self.path), **self.decision.to_dict()}


def honour_files(
    table: OptOutTable,
    sources: Sequence[Path],
    settings: Settings,
    *,
    codes: Codes | None = None,
    decoder: Decoder | None = None,
) -> Iterator[Row]:
    """Decide about every file of every source, one at a time.

    Args:
        sources: folders, none inside another.
        codes: made before; a file whose SHA-256 is among them is not decoded.
        decoder: in this process where None.
    Raises:
        InputError: a source is no folder, cannot be listed, holds no file, or two of them overlap.
    """
    _check_sources(sources)
    return _rows(table, sources, settings, codes or {}, decoder)


def _rows(
    table: OptOutTable, sources: Sequence[Path], settings: Settings, codes: Codes, decoder: Decoder | None
) -> Iterator[Row]:
    for source in sources:
        prefix = PurePath() if len(sources) == 1 else PurePath(source.resolve().name)
        for path in _files(source):
            body = _read(path, settings)
            named = path.suffix.lower() in PICTURE_SUFFIXES | OTHER_PICTURE_SUFFIXES
            known = None if isinstance(body, Unreadable) else codes.get(hashlib.sha256(body).hexdigest())
            picture: Picture | Unreadable
            if isinstance(body, Unreadable):
                picture = body
            else:
                picture = known or fingerprint_bytes(body, settings, decoder=decoder)
            decision = table.decide_picture(picture, named_as_picture=named)
            yield Row(
                path=path,
                target=prefix / path.relative_to(source),
                decision=decision,
                body=body if isinstance(body, bytes) and decision.action is Action.KEEP else b"",
                decoded=known is None and isinstance(picture, Picture),
            )


def _check_sources(sources: Sequence[Path]) -> None:
    whole = [source.resolve() for source in sources]
    for source, at in zip(sources, whole, strict=True):
        if not is_folder(source):
            what = "this is no folder" if os.path.lexists(source) else "there is no such folder"
            raise InputError(
                f"{source}: {what}; honour reads folders of pictures (archives, Parquet and lists are not read yet)"
            )
        if any(at.is_relative_to(other) for other in whole if other is not at):
            raise InputError(f"{source} lies inside another source; name each folder once")
        if next(_files(source), None) is None:
            raise InputError(f"{source} holds no file; check the path")
    names = [at.name for at in whole]
    if len(set(names)) < len(names):
        raise InputError("two sources have the same name, so their copies would mix; honour them one by one")


def _files(source: Path) -> Iterator[Path]:
    def refuse(error: OSError) -> None:
        raise InputError(f"cannot list the folder {error.filename}: {error.strerror}; check its permissions")

    for folder, folders, files in os.walk(source, onerror=refuse):
        folders.sort()
        # A link to a folder is listed among the folders and not entered; it is a row all the same.
        links = [name for name in folders if Path(folder, name).is_symlink()]
        yield from (Path(folder, name) for name in sorted(files + links))


def _read(path: Path, settings: Settings) -> bytes | Unreadable:
    """The bytes of a regular file, one more than the limit at most."""
    if path.is_symlink():
        return Unreadable(UnreadableReason.MISSING, "this is a link; honour what it points to")
    return read_picture_file(path, settings)


def read_codes(path: Path) -> dict[str, Picture]:
    """Read codes made before by `hibs fingerprint --json`: JSON lines, pictures by their SHA-256.

    Raises:
        InputError: the file cannot be read, or a line of it is not such a line.
    """
    return {row.sha256: row for row in code_lines(path) if isinstance(row, Picture)}


def code_lines(path: Path) -> Iterator[Picture | str]:
    """Every line of a file of codes: a picture, or the path of one that could not be read when the codes were made.

    Raises:
        InputError: the file cannot be read, or a line of it is not such a line.
    """
    try:
        with path.open("rb") as file:
            number = 0
            while line := file.readline(CODE_LINE_BYTES_MAX + 1):
                number += 1
                try:
                    if len(line) > CODE_LINE_BYTES_MAX:
                        raise ValueError("it is too long")
                    yield _code_line(json.loads(line.removeprefix(codecs.BOM_UTF8)))
                except (ValueError, KeyError, TypeError, AttributeError, RecursionError, InputError) as error:
                    raise InputError(
                        f"{path} line {number} is no line of `hibs fingerprint --json`; make the file with that command"
                    ) from error
    except OSError as error:
        raise InputError(f"cannot read the codes in {path}: {error.strerror}; check the path") from error


def _code_line(document: dict[str, Any]) -> Picture | str:
    if document["status"] == "unreadable":
        return str(document["path"])
    picture = _known_picture(document)
    if not picture.plain and not picture.fingerprints:
        raise ValueError("it holds no code")
    return picture


def _known_picture(document: Mapping[str, Any]) -> Picture:
    plain = bool(document["plain"])
    codes = {} if plain else document["codes"]
    return Picture(
        sha256=Sha256(_sha256(document["sha256"])),
        byte_size=0,
        width=document["width"],
        height=document["height"],
        format=document["format"],
        fingerprints=tuple(parse_code(name, code["version"], code["hex"]) for name, code in codes.items()),
        plain=plain,
    )


def _sha256(text: Any) -> str:
    if not isinstance(text, str) or not re.fullmatch("[0-9a-f]{64}", text):
        raise ValueError("it names no SHA-256")
    return text


class Destination:
    """Where kept files and decisions go until all is done. Made by `destination`."""

    def __init__(self, folder: Path, decisions: TextIO) -> None:
        self._folder = folder
        self._decisions = decisions

    def add(self, row: Row) -> None:
        """Write the decision of a row, and its bytes where they are kept."""
        self._decisions.write(json.dumps(row.to_dict()) + "\n")
        if row.decision.action is Action.KEEP:
            target = self._folder / row.target
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(row.body)


@contextmanager
def destination(dest: Path, not_in: Sequence[Path]) -> Iterator[Destination]:
    """Fill `dest` with what is kept and `dest.decisions.ndjson` with every decision; both appear at the end.

    Args:
        not_in: the sources and the feed.
    Raises:
        InputError: `dest` lies inside one of these, exists and is not empty, or cannot be written.
    """
    _refuse_inside(dest, not_in)
    decisions = dest.with_name(f".{dest.name}.decisions.partial")
    try:
        if os.path.lexists(dest) and (not dest.is_dir() or any(dest.iterdir())):
            raise InputError(f"{dest} exists and is not empty; choose another folder or empty this one")
        with _partial_folder(dest) as partial:
            try:
                with decisions.open("w", encoding="utf-8") as file:
                    yield Destination(partial, file)
                decisions.replace(dest.with_name(f"{dest.name}.decisions.ndjson"))
                partial.replace(dest)
            finally:
                decisions.unlink(missing_ok=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise InputError(f"cannot write to {dest}: {error.strerror}; make room or choose another folder") from error


@contextmanager
def _partial_folder(dest: Path) -> Iterator[Path]:
    """An empty folder beside `dest`, held against other runs and gone at the end unless it was renamed."""
    partial = dest.with_name(f".{dest.name}.partial")
    partial.mkdir(parents=True, exist_ok=True)
    held = os.open(partial, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InputError(f"another run is filling {dest}; wait for it or choose another folder") from error
        for left in partial.iterdir():  # of a run that was killed
            shutil.rmtree(left) if left.is_dir() and not left.is_symlink() else left.unlink()
        try:
            yield partial
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    finally:
        os.close(held)


def _refuse_inside(path: Path, folders: Sequence[Path]) -> None:
    """Refuse to write where data or the feed lies: the next run would take it for data, or find a damaged feed."""
    for folder in folders:
        if path.resolve().is_relative_to(folder.resolve()):
            raise InputError(f"{path} lies inside {folder}; choose a place outside of it")


class Report:
    """One JSON document about one run, written row by row so that its size needs no memory. Made by `report`."""

    def __init__(self, file: TextIO, first: Mapping[str, Any]) -> None:
        self._file = file
        self._separator = ""
        file.write(json.dumps(first).removesuffix("}") + ', "rows": [')

    def add(self, row: Row) -> None:
        """Write one row."""
        self._file.write(self._separator + "\n" + json.dumps(row.to_dict()))
        self._separator = ","

    def end(self, counts: Mapping[str, int]) -> None:
        """Write the counts and close the document."""
        self._file.write('\n], "counts": ' + json.dumps(counts) + "}\n")


@contextmanager
def report(path: Path, not_in: Sequence[Path], first: Mapping[str, Any]) -> Iterator[Report]:
    """Write `path` when all is done.

    Args:
        not_in: the sources and the feed.
        first: the first members of the report; see `about`.
    Raises:
        InputError: it lies inside one of these, or cannot be written.
    """
    _refuse_inside(path, not_in)
    partial = path.with_name(f".{path.name}.partial")
    try:
        try:
            with partial.open("w", encoding="utf-8") as file:
                yield Report(file, first)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise InputError(f"cannot write the report {path}: {error.strerror}; choose another place") from error


def about(table: OptOutTable) -> dict[str, Any]:
    """The first members of a report: by which feed it was decided, and for which uses."""
    feed = {"size": table.feed_size, "root": table.feed_root, "origin": table.feed_origin}
    return {"feed": feed, "uses": list(table.uses)}


def counts_of(actions: Counter[Action]) -> dict[str, int]:
    """Rows in all and by action; every action has a number."""
    return {"rows": sum(actions.values()), **{action.value: actions[action] for action in Action}}


def row_line(row: Row) -> str:
    """One file for a person: path, decision, reason, and what decided."""
    decision = row.decision
    near = (
        "" if decision.entry is None else f"  entry {decision.entry}, {decision.distance_bits} bits ({decision.code})"
    )
    return f"{row.path}  {decision.action}  {decision.reason}{near}"


def summary_line(counts: Mapping[str, int], table: OptOutTable, *, decoded: int) -> str:
    """The last line for a person; the four numbers add up to the first."""
    parts = ", ".join(f"{action.value} {counts[action.value]:,}" for action in Action)
    return (
        f"{counts['rows']:,} files: {parts}; {decoded:,} pictures decoded; "
        f"feed size {table.feed_size:,}, {table.opt_outs:,} opt-outs standing"
    )
