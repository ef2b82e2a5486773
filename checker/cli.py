"""The command `hibs`: puts the commands of all three packages together. Decides nothing.

checker's own commands are named here; those of crawler and api come through the entry-point group `hibs.commands`,
so that no package imports another to its right. Only the command that was asked for is read: the others, and the list
of what is installed, cost as much time as many a command itself.
"""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, Any

import typer

from checker.console import ExitCode, answer, say

_OWN = {
    "fingerprint": "checker.commands.fingerprint:fingerprint",
    "check": "checker.commands.check:check",
    "evidence": "checker.commands.evidence:app",
    "signals": "checker.commands.signals:signals",
    "opt-out": "checker.commands.optout:app",
    "feed": "checker.commands.feed:app",
    "honour": "checker.commands.honour:honour",
    "keys": "checker.commands.keys:app",
    "audit": "checker.commands.audit:app",
    "index": "checker.commands.index:app",
    "erase": "checker.commands.erase:erase",
    "sources": "checker.commands.sources:sources",
    "stats": "checker.commands.stats:stats",
    "doctor": "checker.commands.doctor:doctor",
}
"""Where each command stands, as an entry point says it: a function, or an app with commands of its own."""
_CLASSES = {"honour": "checker.commands.honour:HonourCommand"}
"""Which class of typer's a command is made of, where it is one of ours."""
_BEFORE_OWN = ("demo", "crawl", "ingest")
"""Commands of other packages that a newcomer meets first; the rest stand at the end."""


def main() -> None:
    """Entry point of the console script."""
    # Before numpy is imported: products of small matrices are slower by threads that wait for each other, and ten times
    # slower where several processes do so at once.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    for stream in (sys.stdout, sys.stderr):
        # A name that the terminal's encoding lacks is shown as its code; it must not end the command.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if _has_empty(sys.argv[1:]):
        say("hibs: an argument is empty; is a variable of the shell unset?")
        sys.exit(int(ExitCode.USAGE))
    build_app(only=sys.argv[1] if len(sys.argv) > 1 else None)(prog_name="hibs")


def _has_empty(arguments: Sequence[str]) -> bool:
    """Is one of them empty? As a path it would be read as the current folder, which nobody meant."""
    return any(argument == "" or re.fullmatch(r"--[a-z-]+=", argument) for argument in arguments)


def build_app(only: str | None = None) -> typer.Typer:
    """All commands, in the order in which a newcomer meets them.

    Args:
        only: leave out all others, where there is a command of this name.
    """
    app = typer.Typer(
        name="hibs",
        help="Have I Been Scraped: find copies of photos, say no with a receipt, make that no count.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,  # a traceback with locals would print what people asked about
        rich_markup_mode=None,
    )
    app.callback()(_root)
    places = {only: _OWN[only]} if only in _OWN else _all_places()
    for name, place in places.items():
        if only in places and name != only:
            continue
        found = _load(place)
        if isinstance(found, typer.Typer):
            app.add_typer(found, name=name)
        else:
            app.command(name, cls=_load(_CLASSES[name]) if name in _CLASSES else None)(found)
    return app


def _load(place: str) -> Any:
    module, _, attribute = place.partition(":")
    return getattr(import_module(module), attribute)


def _all_places() -> dict[str, str]:
    """Where every command stands, ours and those of the other packages, in order."""
    from importlib.metadata import entry_points

    plugged = {point.name: point.value for point in entry_points(group="hibs.commands")}
    before = {name: plugged.pop(name) for name in _BEFORE_OWN if name in plugged}
    return before | _OWN | dict(sorted(plugged.items()))


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        answer(f"hibs {version('haveibeenscraped')}")
        raise typer.Exit


def _root(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """The root command's own options."""
