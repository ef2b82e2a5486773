"""What every command shares: exit codes, one sentence for an error, JSON on standard output.

Standard output carries the answer and nothing else; progress and messages go to standard error.
"""

from __future__ import annotations

import functools
import json
import os
import sys
from collections.abc import Callable
from enum import IntEnum
from typing import Any, ParamSpec, TypeVar

import typer

from checker.errors import CheckerError

P = ParamSpec("P")
R = TypeVar("R")


class ExitCode(IntEnum):
    """What a command ends with. Frozen: scripts of others rest on it (docs/decisions.md, 6)."""

    DONE = 0
    PARTLY = 1
    """Done, but rows failed or were not checked; each is named."""
    USAGE = 2
    """Usage, or an input that cannot be used."""
    MATCH = 3
    """A match, where `--fail-on-match` was given."""
    UNVERIFIED = 4
    """A proof, receipt or feed does not verify."""
    STOPPED = 130


def command(body: Callable[P, R]) -> Callable[P, R]:
    """Turn the errors we raise on purpose into one sentence on standard error and the documented exit code."""

    @functools.wraps(body)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return body(*args, **kwargs)
        except CheckerError as error:
            say(f"hibs: {one_line(error)}")
            raise typer.Exit(int(error.exit_code)) from error
        except BrokenPipeError:
            # Whoever read the answer (`| head`) has enough of it: not an error of ours, and not all was done.
            _drop_standard_output()
            raise typer.Exit(int(ExitCode.STOPPED)) from None
        except OSError as error:
            # What no command expected: a full disk, a folder that was taken away. Still one sentence.
            place = f"{error.filename}: " if isinstance(error.filename, str) else ""
            say(one_line(f"hibs: {place}{error.strerror or error}; check path, space and permissions"))
            raise typer.Exit(int(ExitCode.USAGE)) from error
        except KeyboardInterrupt:
            say("hibs: stopped")
            raise typer.Exit(int(ExitCode.STOPPED)) from None

    return wrapped


def _drop_standard_output() -> None:
    """Point standard output nowhere, so that Python's last flush of it has nothing to complain about."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)


def say(message: str) -> None:
    """Write a message for the person to standard error."""
    print(printable(message), file=sys.stderr, flush=True)  # noqa: T201 - this is the one place that prints messages


def answer(text: str) -> None:
    """Write a line of the answer to standard output."""
    print(printable(text), flush=True)  # noqa: T201 - this is the one place that prints answers


def answer_json(document: Any) -> None:
    """Write one JSON document as one line to standard output, in ASCII so that no terminal can misread it."""
    print(json.dumps(document, ensure_ascii=True, separators=(", ", ": ")), flush=True)  # noqa: T201 - as above


def printable(text: str) -> str:
    """Show control and direction characters as codes, line feeds between lines excepted.

    Captions and addresses come from strangers; an escape sequence among them could rewrite what a terminal shows.
    """
    if text.isprintable():
        return text  # nearly every line of a run over a million rows
    return "".join(c if c.isprintable() or c == "\n" else f"\\u{ord(c):04x}" for c in text)


def one_line(text: object) -> str:
    """As `printable`, line feeds included: a name or a caption with one in it cannot pass for a line of the answer."""
    return printable(str(text)).replace("\n", "\\u000a")


def count_of(number: int, noun: str, many: str = "") -> str:
    """A number with its noun; `many`: its plural, where that is not the noun and an s.

    >>> count_of(1, "entry", "entries"), count_of(2000, "entry", "entries"), count_of(0, "picture")
    ('1 entry', '2,000 entries', '0 pictures')
    """
    return f"{number:,} {noun if number == 1 else many or f'{noun}s'}"


def safe_cell(value: Any) -> str:
    """A cell of a CSV that no spreadsheet runs. Names, captions and addresses come from strangers.

    >>> safe_cell("=HYPERLINK(1)"), safe_cell("beach.jpg"), safe_cell(None), safe_cell(3e-31)
    ("'=HYPERLINK(1)", 'beach.jpg', '', '3e-31')
    """
    if value is None:
        return ""
    # Left-to-right marks and escapes would show another text than the one that is there.
    text = "".join(c if c.isprintable() or c in "\t\r\n" else f"\\u{ord(c):04x}" for c in str(value))
    return f"'{text}" if isinstance(value, str) and text.startswith(_FORMULA) else text


_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""What a spreadsheet takes for the beginning of a formula (OWASP, "CSV Injection"); the last four are full-width."""
