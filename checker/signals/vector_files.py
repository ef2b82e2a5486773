"""Files of test vectors: JSON that people write, and every check of its form.

`Member` is a value with the way to it, so that an error names the vector and the member: "vector S02:
context.target should be one of image, page". What the vectors mean is for `vectors` to say.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from checker.errors import InputError
from checker.signals.statements import clipped

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Member:
    """A value of the file and the way to it. Each method gives it in one form or raises an InputError."""

    place: str
    value: Any

    def wrong(self, wanted: str) -> InputError:
        """The error that says what this member should be; its contents are not repeated."""
        return InputError(f"{clipped(self.place)} should be {wanted}")

    def text(self) -> str:
        """Any text."""
        if not isinstance(self.value, str):
            raise self.wrong("text")
        return self.value

    def octets(self) -> bytes:
        """UTF-8. A byte that is no UTF-8 may be written as the lone surrogate that Python reads it as (U+DC80...)."""
        try:
            return self.text().encode("utf-8", "surrogateescape")
        except UnicodeEncodeError as error:
            raise self.wrong("text without lone surrogates other than U+DC80 to U+DCFF") from error

    def flag(self) -> bool:
        """True or false."""
        if not isinstance(self.value, bool):
            raise self.wrong("true or false")
        return self.value

    def number(self) -> int:
        """A whole number."""
        if not isinstance(self.value, int) or isinstance(self.value, bool):
            raise self.wrong("a whole number")
        return self.value

    def one_of(self, names: Mapping[str, T]) -> T:
        """What the text stands for."""
        if not isinstance(self.value, str) or self.value not in names:
            raise self.wrong(f"one of {', '.join(names)}")
        return names[self.value]

    def members(self, names: Iterable[str] | None = None) -> dict[str, Member]:
        """Those of an object. One that is not among `names` is refused: mistyped, it would go unnoticed."""
        if not isinstance(self.value, dict):
            raise self.wrong("an object")
        known = None if names is None else list(names)
        for name in self.value:
            if known is not None and name not in known:
                raise self.inner(name, None).wrong(f"left out; known here are {', '.join(known)}")
        return {name: self.inner(name, value) for name, value in self.value.items()}

    def parts(self, names: Iterable[str]) -> dict[str, Member]:
        """Those of an object, each of which may be left out or null."""
        return {name: one for name, one in self.members(names).items() if one.value is not None}

    def items(self) -> list[Member]:
        """Those of a list."""
        if not isinstance(self.value, list):
            raise self.wrong("a list")
        return [Member(f"{self.place}[{number}]", value) for number, value in enumerate(self.value)]

    def header_lines(self) -> list[tuple[str, str]]:
        """Those of a list of names and values."""
        lines: list[tuple[str, str]] = []
        for item in self.items():
            pair = item.items()
            if len(pair) != 2:
                raise item.wrong("a name and a value")
            lines.append((pair[0].text(), pair[1].text()))
        return lines

    def inner(self, name: object, value: Any) -> Member:
        """A member of this one."""
        return Member(f"{self.place}.{name}", value)


def parse_vectors(content: bytes) -> dict[str, Any]:
    """Read the JSON of a file of vectors.

    Returns:
        An object with a list of vectors, also where the file is that list itself; what stands in it is not looked at.
    Raises:
        InputError: it is no JSON, names a member of an object twice, is nested too deeply to be read, or the list is
            empty: that no vector differs would show nothing.
    """
    try:
        document = json.loads(
            content.decode("utf-8-sig"), parse_constant=_no_json_number, object_pairs_hook=_each_member_once
        )
    except UnicodeDecodeError as error:
        raise InputError(f"the vectors are no UTF-8 from byte {error.start} on; save the file as UTF-8") from error
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise InputError(f"the vectors are no JSON: {error.msg} at {where}; correct the file there") from error
    except RecursionError as error:
        raise InputError("the vectors are nested too deeply to be read; give them as flat as they are meant") from error
    except ValueError as error:
        raise InputError("a number in the vectors has too many digits to be read; shorten it") from error
    if isinstance(document, list):
        document = {"vectors": document}
    if not isinstance(document, dict) or not isinstance(document.get("vectors"), list):
        raise InputError('the vectors are missing; the file should hold one object with a list: {"vectors": [...]}')
    if not document["vectors"]:
        raise InputError("the list of vectors is empty; put at least one into it")
    return document


def _no_json_number(name: str) -> Any:
    raise InputError(f"{name} stands in the vectors; JSON has no such number (RFC 8259 6), so write another value")


def _each_member_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """RFC 8259 4 lets parsers differ on which of two members counts; a case that depends on it shows nothing."""
    members: dict[str, Any] = {}
    for name, value in pairs:
        if name in members:
            of = f" of vector {clipped(members['id'])}" if isinstance(members.get("id"), str) else ""
            raise InputError(f"{clipped(name)} stands twice in one object{of}; leave one of them out")
        members[name] = value
    return members
