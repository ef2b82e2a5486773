"""Who made a collection: options of the command, or a file that stands beside it.

    {"name": "Example-400M", "version": "2", "run_by": "Example e.V.",
     "contact": "data@example.org", "opt_out": "https://example.org/opt-out"}

As JSON or TOML; every member may be missing. What is given as an option counts before the file.
"""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from pathlib import Path

from checker.console import one_line
from checker.errors import InputError
from checker.model import SourceDetails

_FILE_BYTES_MAX, _TEXT_CHARACTERS_MAX = 2**20, 500
_MEMBERS = ("name", "version", "run_by", "contact", "opt_out")


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """What is said of a source."""

    name: str | None = None
    version: str | None = None
    run_by: str | None = None
    contact: str | None = None
    opt_out: str | None = None

    @property
    def details(self) -> SourceDetails:
        """All but the name, as the records keep them."""
        return SourceDetails(self.version, self.run_by, self.contact, self.opt_out)

    def over(self, other: SourceFacts) -> SourceFacts:
        """These facts, and of `other` what these leave unsaid."""
        return SourceFacts(*(getattr(self, name) or getattr(other, name) for name in _MEMBERS))


def check_facts(facts: SourceFacts) -> SourceFacts:
    """Give them back when they can be stored and shown.

    Raises:
        InputError: one is too long, or holds control characters.
    """
    for name in _MEMBERS:
        value = getattr(facts, name)
        if value is not None and (len(value) > _TEXT_CHARACTERS_MAX or not value.isprintable()):
            raise InputError(
                f"what is said of the source ({name.replace('_', '-')}) is no line of at most "
                f"{_TEXT_CHARACTERS_MAX} characters; write it shorter, without line ends"
            )
    return facts


def read_facts(path: Path) -> SourceFacts:
    """Read a file of facts, JSON or TOML by its name.

    Raises:
        InputError: it cannot be read, or has members that are not known: a misspelt one would silently be left out.
    """
    try:
        with path.open("rb") as file:
            body = file.read(_FILE_BYTES_MAX + 1)
        if len(body) > _FILE_BYTES_MAX:
            raise InputError(f"--source-file {path} has more than {_FILE_BYTES_MAX} bytes; is it the right file?")
        found = tomllib.loads(body.decode()) if path.suffix.lower() == ".toml" else json.loads(body)
    except OSError as error:
        raise InputError(f"--source-file {path} cannot be read: {error.strerror}; check the path") from error
    except (ValueError, RecursionError) as error:  # no UTF-8, no JSON, no TOML
        raise InputError(f"--source-file {path} is no JSON and no TOML (by its name); check it") from error
    if not isinstance(found, dict):
        raise InputError(f"--source-file {path} holds no object; give it the members {', '.join(_MEMBERS)}")
    if unknown := sorted(str(name) for name in found if name not in _MEMBERS):
        named = one_line(unknown[0][:40])
        raise InputError(f"--source-file {path} says {named}, which is not known; known are {', '.join(_MEMBERS)}")
    for name, value in found.items():
        if not isinstance(value, str):
            raise InputError(f"--source-file {path}: {name} is no text; write it in quotation marks")
    return check_facts(SourceFacts(**found))
