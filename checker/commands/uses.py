"""Reading the uses that somebody names on the command line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from checker.errors import InputError

if TYPE_CHECKING:
    from checker.model import Use


def parse_uses(option: str, texts: Sequence[str]) -> frozenset[Use]:
    """Read uses, each text one or several with commas between them; capital letters and spaces do not matter.

    Raises:
        InputError: one is not known, or none is named.
    """
    from checker.model import Use

    found = set()
    for name in (part.strip() for text in texts for part in text.split(",")):
        try:
            found.add(Use(name.lower()))
        except ValueError as error:
            raise InputError(f"{option} names {name!r}, which is no use; known are {', '.join(Use)}") from error
    return frozenset(found)
