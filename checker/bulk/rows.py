"""One row of a bulk look-up: a name that only its sender understands, and the codes of one picture.

    {"id": "F-17/a.jpg", "codes": {"phash256": {"version": "1", "hex": "..."}, "sscd512": {...}}}

Read strictly, as all that comes from outside: an unknown member, one that stands twice, or a code that no picture has
refuses the whole list and names the row, because a list that is silently shorter would be a wrong answer. What a row
says is never repeated in a message.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from checker.errors import InputError, NotACodeError
from checker.fingerprint import parse_code
from checker.model import PHASH256, ROBUST_NAME, Fingerprint

LINE_BYTES = 80
"""Of a row as it is kept, with one code and a short name."""
LINE_BYTES_MAX = 4096
"""A row of both codes and a name of full length has 1,000."""
ID_MAX = 200
ROWS_MAX = 1_000_000
BYTES_MAX = 64 * 2**20
"""Of one body: 450,000 rows of one code and a short name."""


class RowError(InputError):
    """A row cannot be read.

    Args:
        row: its number; the first is 1.
        place: which member; empty: the row itself.
        what: the sentence about it.
    """

    def __init__(self, row: int, place: str, what: str) -> None:
        where = f"row {row}" + (f", {place}" if place else "")
        super().__init__(f"{where}: {what}; nothing was looked up, mend it and send the list again")
        self.where = where


@dataclass(frozen=True, slots=True)
class AskedRow:
    """One row as it is kept until it was answered."""

    id: str | None
    codes: tuple[Fingerprint, ...]
    """phash256 first; sscd512 where it was given."""

    def line(self) -> bytes:
        """As it is kept."""
        kept = [self.id, self.codes[0].bits.hex()]
        for code in self.codes[1:]:
            kept += [code.kind.version, code.bits.hex()]
        return json.dumps(kept, separators=(",", ":")).encode() + b"\n"


def kept_row(line: bytes) -> AskedRow:
    """Read what `AskedRow.line` wrote.

    Raises:
        ValueError: it is damaged.
    """
    name, bits, *second = json.loads(line)
    codes = [parse_code(PHASH256.name, PHASH256.version, bits)]
    if second:
        codes.append(parse_code(ROBUST_NAME, *second))
    return AskedRow(name, tuple(codes))


def read_row(line: bytes, number: int) -> AskedRow:
    """Read a row that somebody sent.

    Raises:
        RowError: it is none.
    """
    try:
        document = json.loads(line.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise RowError(number, "", "it is no JSON object in UTF-8") from None
    members = _members(document, number, "", allowed=("id", "codes"), needed=("codes",))
    name = members.get("id")
    if name is not None and not (isinstance(name, str) and len(name) <= ID_MAX and _is_text(name)):
        raise RowError(number, "id", f"a name is text of at most {ID_MAX} characters")
    kinds = (PHASH256.name, ROBUST_NAME)
    codes = _members(members["codes"], number, "codes", allowed=kinds, needed=kinds[:1])
    return AskedRow(name, tuple(_code(kind, codes[kind], number) for kind in kinds if codes.get(kind) is not None))


class RowReader:
    """Cuts what arrives in pieces of any size into rows. Holds one line at a time."""

    def __init__(self) -> None:
        self.rows = 0
        self._rest = b""
        self._line = 0

    def feed(self, chunk: bytes) -> Iterator[AskedRow]:
        """The rows that end in this piece.

        Raises:
            RowError: one cannot be read, is too long, or is one too many.
        """
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            yield from self._one(line)
        if len(self._rest) > LINE_BYTES_MAX:
            raise RowError(self._line + 1, "", f"it has more than {LINE_BYTES_MAX} bytes")

    def end(self) -> Iterator[AskedRow]:
        """The last row, where no line feed ends it."""
        rest, self._rest = self._rest, b""
        yield from self._one(rest)

    def _one(self, line: bytes) -> Iterator[AskedRow]:
        self._line += 1
        if len(line) > LINE_BYTES_MAX:
            raise RowError(self._line, "", f"it has more than {LINE_BYTES_MAX} bytes")
        if not line.strip():
            return
        self.rows += 1
        if self.rows > ROWS_MAX:
            raise RowError(self._line, "", f"a list has at most {ROWS_MAX} rows")
        yield read_row(line, self._line)


def _code(kind: str, value: Any, number: int) -> Fingerprint:
    place = f"codes.{kind}"
    code = _members(value, number, place, allowed=("version", "hex"), needed=("version", "hex"))
    if not all(isinstance(part, str) for part in code.values()):
        raise RowError(number, place, "version and hex are texts")
    try:
        return parse_code(kind, code["version"], code["hex"])
    except NotACodeError:
        raise RowError(number, place, "no picture has this code; make it with `hibs fingerprint --json`") from None


def _members(
    value: Any, number: int, place: str, *, allowed: tuple[str, ...], needed: tuple[str, ...]
) -> dict[str, Any]:
    if not isinstance(value, dict) or not set(value) <= set(allowed) or not set(needed) <= set(value):
        raise RowError(number, place, f"an object with {' and '.join(needed)}, and nothing but {', '.join(allowed)}")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member stands twice")
    return members


def _no_constant(_: str) -> None:
    raise ValueError("NaN and Infinity are not JSON (RFC 8259 6)")


def _is_text(text: str) -> bool:
    """Half a surrogate pair cannot be written as UTF-8 again."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
