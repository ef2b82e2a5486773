"""One row of a bulk look-up: a name that only its sender understands, and the codes of one picture.

    {"id": "F-17/a.jpg", "codes": {"phash256": {"version": "1", "hex": "..."}, "sscd512": {...}}}

Read strictly, as all that comes from outside: an unknown member, one that stands twice, or a code that no picture has
refuses the whole list and names the row, because a list that is silently shorter would be a wrong answer. What a row
says is never repeated in a message. A byte order mark before the first row is ignored (RFC 8259 8.1).
"""

from __future__ import annotations

import json
from codecs import BOM_UTF8
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from checker.errors import InputError, NotACodeError
from checker.fingerprint import parse_code
from checker.model import PHASH256, ROBUST_NAME, Fingerprint

LINE_BYTES = 80
"""Of a row as it is kept, with one code and a short name."""
LINE_BYTES_MAX = 4096
"""A row of both codes and a name of full length has 1,000."""
ID_MAX = 200
BYTES_MAX = 64 * 2**20
"""Of one body, and so the limit of rows: 450,000 of one code and a short name, 200,000 of both codes."""


class RowFault(StrEnum):
    """What may be wrong with a row. Closed: the service has a sentence for each in every language."""

    TOO_LONG = "too-long"
    NO_JSON = "no-json"
    TWICE = "twice"
    """A member stands in it twice."""
    MEMBERS = "members"
    """It, or a member of it, is no object, lacks a member, or has an unknown one."""
    NAME = "name"
    TEXT = "text"
    """A version or the digits of a code are no texts."""
    CODE = "code"
    """No picture has this code."""


class RowError(InputError):
    """A row cannot be read.

    Args:
        row: its number, that of its line; the first is 1.
        place: which member; empty: the row itself.
        fault: what is wrong with it.
        values: what a sentence about it names: limits and members, never what was sent.
    """

    def __init__(self, row: int, place: str, fault: RowFault, **values: str | int) -> None:
        where = f"row {row}" + (f", {place}" if place else "")
        super().__init__(f"{where} cannot be read ({fault}); nothing was looked up, mend it and send the list again")
        self.row, self.place, self.where, self.fault = row, place, where, fault
        self.values: Mapping[str, str | int] = values


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
    except _TwiceError:
        raise RowError(number, "", RowFault.TWICE) from None
    except (ValueError, RecursionError):
        raise RowError(number, "", RowFault.NO_JSON) from None
    members = _members(document, number, "", allowed=("id", "codes"), needed=("codes",))
    name = members.get("id")
    if name is not None and not (isinstance(name, str) and len(name) <= ID_MAX and _is_text(name)):
        raise RowError(number, "id", RowFault.NAME, limit=ID_MAX)
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
            RowError: one cannot be read.
        """
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            yield from self._one(line)
        if len(self._rest) > LINE_BYTES_MAX + len(BOM_UTF8):
            raise self._too_long(self._line + 1)

    def end(self) -> Iterator[AskedRow]:
        """The last row, where no line feed ends it."""
        rest, self._rest = self._rest, b""
        yield from self._one(rest)

    def _one(self, line: bytes) -> Iterator[AskedRow]:
        self._line += 1
        if self._line == 1:
            line = line.removeprefix(BOM_UTF8)
        if len(line) > LINE_BYTES_MAX:
            raise self._too_long(self._line)
        if not line.strip():
            return
        self.rows += 1
        yield read_row(line, self._line)

    @staticmethod
    def _too_long(number: int) -> RowError:
        return RowError(number, "", RowFault.TOO_LONG, limit=LINE_BYTES_MAX)


def _code(kind: str, value: Any, number: int) -> Fingerprint:
    place = f"codes.{kind}"
    code = _members(value, number, place, allowed=("version", "hex"), needed=("version", "hex"))
    if not all(isinstance(part, str) for part in code.values()):
        raise RowError(number, place, RowFault.TEXT)
    try:
        return parse_code(kind, code["version"], code["hex"])
    except NotACodeError:
        raise RowError(number, place, RowFault.CODE) from None


def _members(
    value: Any, number: int, place: str, *, allowed: tuple[str, ...], needed: tuple[str, ...]
) -> dict[str, Any]:
    if not isinstance(value, dict) or not set(value) <= set(allowed) or not set(needed) <= set(value):
        raise RowError(number, place, RowFault.MEMBERS, needed=", ".join(needed), allowed=", ".join(allowed))
    return value


class _TwiceError(ValueError):
    """A member stands twice: the row says two things, and a reader that takes the last hears one of them."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _TwiceError
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
