"""The command `hibs`: puts the commands of all three packages together. Decides nothing.

checker's own commands are named here; those of crawler and api come through the entry-point group `hibs.commands`,
so that no package imports another to its right.
"""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Sequence
from importlib.metadata import entry_points, version
from typing import Annotated

import typer

from checker.commands import (
    audit,
    check,
    doctor,
    erase,
    evidence,
    feed,
    fingerprint,
    honour,
    index,
    keys,
    optout,
    signals,
    sources,
    stats,
)
from checker.console import ExitCode, answer, say


def main() -> None:
    """Entry point of the console script."""
    for stream in (sys.stdout, sys.stderr):
        # A name that the terminal's encoding lacks is shown as its code; it must not end the command.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if _has_empty(sys.argv[1:]):
        say("hibs: an argument is empty; is a variable of the shell unset?")
        sys.exit(int(ExitCode.USAGE))
    build_app()(prog_name="hibs")


def _has_empty(arguments: Sequence[str]) -> bool:
    """Is one of them empty? As a path it would be read as the current folder, which nobody meant."""
    return any(argument == "" or re.fullmatch(r"--[a-z-]+=", argument) for argument in arguments)


def build_app() -> typer.Typer:
    """All commands, in the order in which a newcomer meets them."""
    app = typer.Typer(
        name="hibs",
        help="Have I Been Scraped: find copies of photos, say no with a receipt, make that no count.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,  # a traceback with locals would print what people asked about
        rich_markup_mode=None,
    )
    app.callback()(_root)
    plugged = {point.name: point for point in entry_points(group="hibs.commands")}
    for name in ("demo", "crawl", "ingest"):
        if name in plugged:
            app.command(name)(plugged.pop(name).load())
    app.command("fingerprint")(fingerprint.fingerprint)
    app.command("check")(check.check)
    app.add_typer(evidence.app, name="evidence")
    app.command("signals")(signals.signals)
    app.add_typer(optout.app, name="opt-out")
    app.add_typer(feed.app, name="feed")
    app.command("honour", cls=honour.HonourCommand)(honour.honour)
    app.add_typer(keys.app, name="keys")
    app.add_typer(audit.app, name="audit")
    app.add_typer(index.app, name="index")
    app.command("erase")(erase.erase)
    app.command("sources")(sources.sources)
    app.command("stats")(stats.stats)
    app.command("doctor")(doctor.doctor)
    for name, point in sorted(plugged.items()):
        app.command(name)(point.load())
    return app


def _print_version(wanted: bool) -> None:
    if wanted:
        answer(f"hibs {version('haveibeenscraped')}")
        raise typer.Exit


def _root(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """The root command's own options."""
