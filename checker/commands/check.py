"""`hibs check`: was this photo seen, where, since when, and what had the site said."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from checker.commands.check_ask import ask_folder, ask_server
from checker.commands.check_case import CaseOptions, check_case
from checker.commands.check_options import (
    AS_JSON,
    CASE,
    CSV,
    DATA,
    EVIDENCE,
    FAIL_ON_MATCH,
    KEY_FILE,
    MANIFEST,
    PARQUET,
    PATHS,
    PRIVATE,
    PURPOSE,
    REASON,
    REPORT,
    SAVED,
    SERVER,
)
from checker.commands.check_private import ask_privately, private_lines
from checker.commands.check_words import FOUND, answer_lines
from checker.commands.fingerprint import named_pictures
from checker.commands.service import service
from checker.console import ExitCode, answer, answer_json, command, one_line, say
from checker.errors import InputError

if TYPE_CHECKING:
    from checker.settings import Settings


@command
def check(
    paths: PATHS = None,
    data: DATA = None,
    server: SERVER = None,
    private: PRIVATE = False,
    saved: SAVED = None,
    manifest: MANIFEST = None,
    case: CASE = None,
    purpose: PURPOSE = None,
    key_file: KEY_FILE = None,
    reason: REASON = None,
    csv: CSV = None,
    report: REPORT = None,
    parquet: PARQUET = None,
    evidence: EVIDENCE = None,
    as_json: AS_JSON = False,
    fail_on_match: FAIL_ON_MATCH = False,
) -> None:
    """Look for copies of photos in a data folder or on a service.

    Examples:

      hibs check selfie.jpg --data demo/

      hibs check photos/ --server http://127.0.0.1:8000 --json

      hibs check selfie.jpg --server http://127.0.0.1:8000 --private

      hibs check --manifest case.csv --data demo/ --case 2026-117 --purpose complaint --evidence out/

      hibs check --manifest case.csv --server https://photos.example --key-file bulk.key --case AZ-2041
      --purpose complaint --reason secure-evidence --evidence out/
    """
    import os

    from checker.settings import Settings

    settings = Settings.from_environment(os.environ)
    options = CaseOptions(
        paths=tuple(paths or ()),
        manifest=manifest,
        data=data,
        server=server,
        case=case,
        purpose=purpose,
        key_file=key_file,
        reason=reason,
        csv=csv,
        report=report,
        parquet=parquet,
        evidence=evidence,
        as_json=as_json,
    )
    _require_one_place(options, private=private, saved=saved)
    if options.is_case:
        tally = check_case(options, settings, os.environ)
        _end(found=tally.found, unreadable=tally.unreadable, fail_on_match=fail_on_match)
    elif private:
        rows = ask_privately(list(options.paths), settings, data=data, server=server, saved=saved)
        _tell(rows, private_lines, as_json=as_json, fail_on_match=fail_on_match)
    else:
        _tell(_rows(options, settings), answer_lines, as_json=as_json, fail_on_match=fail_on_match)


def _require_one_place(options: CaseOptions, *, private: bool, saved: Path | None) -> None:
    if saved and not private:
        raise InputError("--list holds half codes, which only the private check compares; add --private")
    if [options.data, options.server, saved].count(None) != 2:
        raise InputError("say where to look: either --data DIR or --server URL" + (" or --list FILE" * private))
    if private and options.is_case:
        raise InputError("the private check names no place, so no case is made of it; leave out --private")
    if options.key_file and not options.server:
        raise InputError("--key-file is a key of a server; add --server URL")
    if options.reason and not options.key_file:
        raise InputError("--reason goes with --key-file: without a key, a server tells places as it does to everybody")
    if not options.paths and not options.manifest:
        raise InputError("say what to look for: photos, folders of photos, or --manifest FILE")


def _rows(options: CaseOptions, settings: Settings) -> Iterator[dict[str, Any]]:
    from checker.fingerprint.pictures import read_picture_file

    asking = ask_folder(options.data, settings) if options.data else ask_server(service(str(options.server)), settings)
    with asking as ask:
        for path in named_pictures(list(options.paths)):
            yield {"path": str(path), **ask(read_picture_file(path, settings), None).report}


def _tell(
    rows: Iterator[dict[str, Any]],
    lines: Callable[[dict[str, Any]], Iterator[str]],
    *,
    as_json: bool,
    fail_on_match: bool,
) -> None:
    """Print every row as it comes, then the sums; end with the code that they come to."""
    checked = found = possible = unreadable = 0
    for row in rows:
        kinds = {match["kind"] for match in row["matches"]}
        checked += 1
        unreadable += row["status"] == "unreadable"
        found += bool(kinds & FOUND)
        possible += kinds == {"possible"}
        if as_json:
            answer_json(row)
        elif row["status"] != "checked":
            say(f"{one_line(row['path'])}: {one_line(row['reason'])}")
        else:
            for line in lines(row):
                answer(one_line(line))
    if not as_json and checked > 1:
        doubtful = f" {possible} with possible copies only," if possible else ""
        answer(f"{checked - unreadable} checked, {found} found,{doubtful} {unreadable} unreadable")
    _end(found=found, unreadable=unreadable, fail_on_match=fail_on_match)


def _end(*, found: int, unreadable: int, fail_on_match: bool) -> None:
    if fail_on_match and found:
        raise typer.Exit(int(ExitCode.MATCH))
    if unreadable:
        raise typer.Exit(int(ExitCode.PARTLY))
