"""What a bulk look-up has to say about itself: a purpose of the closed list, a case of the form its holder uses.

The form is told with a small grammar, no regular expression: `#` stands for a digit, `@` for a letter A to Z, and
everything else for itself. `AZ-####/@@` fits AZ-2041/BD. It has one reading, and comparing takes one look a character.
A case field that nobody checks fills with "test", so what people type to get past a field is refused in any form.
"""

from __future__ import annotations

import re
from enum import StrEnum

from checker.errors import InputError

DIGIT, LETTER = "#", "@"
PATTERN_MAX, VARIABLE_MIN = 40, 2
_RUNS = r"[0-9]+|[a-z]+"
_PATTERN = re.compile(r"[#@A-Za-z0-9 ./_-]{1,40}")
_JUNK = frozenset(
    {
        "",
        "test",
        "tests",
        "testing",
        "na",
        "none",
        "null",
        "nil",
        "nothing",
        "unknown",
        "todo",
        "tbd",
        "dummy",
        "sample",
    }
    | {"example", "foo", "bar", "foobar", "asdf", "qwerty", "abc", "case", "123", "1234", "12345", "123456", "xyz"}
)


class Purpose(StrEnum):
    """What many look-ups at once are for. Closed: each is something that a person asked for or the law provides for."""

    ACCESS_REQUEST = "access-request"
    ERASURE_REQUEST = "erasure-request"
    COMPLAINT = "complaint"
    RESEARCH = "research"
    JOURNALISM = "journalism"
    TAKEDOWN = "takedown"
    CHILD_PROTECTION = "child-protection"


def require_case_pattern(pattern: str) -> None:
    """Refuse a pattern that says nothing about a case.

    Raises:
        InputError: its length, a character that is not of the grammar, or fewer than two places that vary.
    """
    varies = pattern.count(DIGIT) + pattern.count(LETTER)
    if not _PATTERN.fullmatch(pattern) or pattern != pattern.strip() or varies < VARIABLE_MIN:
        raise InputError(
            f"{pattern[:60]!r} is no pattern of case numbers; use # for a digit, @ for a letter A to Z, and letters, "
            f"digits, spaces and . / _ - for themselves: 1 to {PATTERN_MAX} characters, at least {VARIABLE_MIN} of # "
            "and @ (AZ-####/@@ fits AZ-2041/BD)"
        )


def is_case(case_ref: str, pattern: str) -> bool:
    """Does this name a case in the holder's own form? Never what is typed to fill a field: test, n/a, 000, xxx."""
    fits = len(case_ref) == len(pattern) and all(map(_fits, case_ref, pattern))
    return fits and not is_placeholder(case_ref, pattern)


def is_placeholder(case_ref: str, pattern: str = "") -> bool:
    """Is this nothing but filling?

    Args:
        pattern: what the form itself gives is not counted: of AZ-0000 under AZ-#### four zeros are left.
    """
    said = case_ref
    if len(pattern) == len(case_ref):
        said = "".join(c for c, p in zip(case_ref, pattern, strict=True) if p in (DIGIT, LETTER))
    letters = "".join(c for c in said.lower() if c.isalnum())
    whole = "".join(c for c in case_ref.lower() if c.isalnum())
    empty = all(set(run) <= {"0"} or (run.isalpha() and len(set(run)) == 1) for run in re.findall(_RUNS, said.lower()))
    return letters in _JUNK or whole in _JUNK or (empty and len(letters) > 1)


def _fits(character: str, place: str) -> bool:
    if place == DIGIT:
        return character in "0123456789"
    if place == LETTER:
        return "A" <= character <= "Z"
    return character == place
