"""`hibs check`: was this photo seen, where, since when, and what had the site said."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from checker.commands.fingerprint import named_pictures
from checker.console import ExitCode, answer, answer_json, command, one_line, say
from checker.errors import EmptyCorpusError, InputError, RemoteError

if TYPE_CHECKING:
    from checker.settings import Settings

_ANSWER_BYTES_MAX = 8 * 2**20
_CODE_BITS = 256
_REASON_LETTERS_MAX = 400
_PLACES_SHOWN = 10
"""A much-copied photo has hundreds of places; a person reads the first, a program all."""


@command
def check(
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="PATH...", help="Photos, or folders of photos.", show_default=False, readable=False),
    ],
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="DIR", help="Data folder to look in.", show_default=False, readable=False),
    ] = None,
    server: Annotated[
        str | None,
        typer.Option("--server", metavar="URL", help="Service to ask; only photo codes are sent.", show_default=False),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document a photo, one a line.")] = False,
    fail_on_match: Annotated[bool, typer.Option("--fail-on-match", help="Exit 3 when a photo was found.")] = False,
) -> None:
    """Look for copies of photos in a data folder or on a service.

    Examples:

      hibs check selfie.jpg --data demo/

      hibs check photos/ --server http://127.0.0.1:8000 --json
    """
    import os

    from checker.settings import Settings

    settings = Settings.from_environment(os.environ)
    if (data is None) == (server is None):
        raise InputError("say where to look: either --data DIR or --server URL")
    rows = _ask_folder(paths, data, settings) if data else _ask_server(paths, str(server), settings)
    checked = found = unreadable = 0
    for row in rows:
        checked += 1
        unreadable += row["status"] == "unreadable"
        found += any(match["kind"] in ("same", "edited") for match in row["matches"])
        if as_json:
            answer_json(row)
        elif row["status"] != "checked":
            say(f"{one_line(row['path'])}: {one_line(row['reason'])}")
        else:
            for line in _lines(row):
                answer(one_line(line))
    if not as_json and checked > 1:
        answer(f"{checked - unreadable} checked, {found} found, {unreadable} unreadable")
    if fail_on_match and found:
        raise typer.Exit(int(ExitCode.MATCH))
    if unreadable:
        raise typer.Exit(int(ExitCode.PARTLY))


def _ask_folder(paths: list[Path], data: Path, settings: Settings) -> Iterator[dict[str, Any]]:
    from datetime import UTC, datetime

    from checker.fingerprint import fingerprint_file
    from checker.lookup import Checker, report_document

    with Checker.open(data, settings) as checker:
        checker.require_pictures()
        for path in named_pictures(paths):
            report = checker.check_picture(fingerprint_file(path, settings), now=datetime.now(UTC))
            yield {"path": str(path), **report_document(report)}


def _ask_server(paths: list[Path], server: str, settings: Settings) -> Iterator[dict[str, Any]]:
    import json

    from checker.fingerprint import fingerprint_file
    from checker.lookup import TOO_PLAIN
    from checker.model import Unreadable
    from checker.remote import connect

    remote = connect(server)
    for path in named_pictures(paths):
        picture = fingerprint_file(path, settings)
        if isinstance(picture, Unreadable) or picture.plain:
            unreadable = isinstance(picture, Unreadable)
            yield {
                "path": str(path),
                "status": "unreadable" if unreadable else "too-plain",
                "reason": picture.detail if isinstance(picture, Unreadable) else TOO_PLAIN,
                "coverage": None,
                "matches": [],
            }
            continue
        codes = {f.kind.name: {"version": f.kind.version, "hex": f.hex} for f in picture.fingerprints}
        body = json.dumps({"codes": codes}).encode()
        reply = remote.post("/v1/lookups", body, "application/json", bytes_max=_ANSWER_BYTES_MAX)
        yield {"path": str(path), **_read_reply(reply.status, reply.body, server)}


def _read_reply(status: int, body: bytes, server: str) -> dict[str, Any]:
    """The row of a server's answer: the members that a row has and no others, each of its form."""
    import json

    from checker.report import CheckStatus

    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise RemoteError(f"{server} answered {status} with something that is not JSON; is it a service of this kind?")
    if status == 503 and str(document.get("type", "")).endswith("/corpus-empty"):
        raise EmptyCorpusError(f"{server} has looked at 0 pictures yet, so it cannot answer; try again later")
    if status != 200:
        reason = one_line(document.get("detail") or document.get("title") or "no reason given")[:_REASON_LETTERS_MAX]
        raise RemoteError(f"{server} answered {status}: {reason}; try again later")
    try:
        row = {name: document[name] for name in ("status", "reason", "coverage", "matches")}
        CheckStatus(row["status"])
        for match in row["matches"]:
            str(match["kind"])
        list(_lines({"path": "", **row}))  # whatever is shown has to be there
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise RemoteError(f"{server} answered something else than a report; is it a service of this kind?") from error
    return row


# --- words -----------------------------------------------------------------------------------------------------

_KINDS = {"same": "FOUND  the same photo", "edited": "FOUND  an edited copy", "possible": "a possible copy, compare it"}


def _lines(row: dict[str, Any]) -> Iterator[str]:
    """The answer about one picture that was checked, for a person. Not found always comes with what was looked at."""
    path, coverage = row["path"], row["coverage"]
    if not row["matches"]:
        newest = (coverage["newest"] or "")[:10]
        yield (
            f"{path}  not found in {_count(coverage['images'], 'picture')} from "
            f"{_count(coverage['sources'], 'source')}, newest {newest}  (not found is no proof)"
        )
    for kind, words in _KINDS.items():
        matches = [match for match in row["matches"] if match["kind"] == kind]
        if matches:
            yield f"{path}  {words}: {_count(len(matches), 'picture')}, {_distance(matches)}"
            yield from (f"    {line}" for line in _where(matches))


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _distance(matches: list[dict[str, Any]]) -> str:
    bits = sorted({match["codes"]["phash256"] for match in matches if "phash256" in match["codes"]})
    span = "-".join(str(b) for b in dict.fromkeys((bits[0], bits[-1]))) if bits else "?"
    return f"{span} of {_CODE_BITS} bits differ"


def _where(matches: list[dict[str, Any]]) -> Iterator[str]:
    held = [match["withheld"] for match in matches if match["where"] == "withheld"]
    if held:
        count = sum(h["count"] for h in held)
        first = min(h["first_seen_month"] for h in held)
        yield f"where is withheld: {_count(count, 'place')}, first seen by us in {first}"
    sightings = [sighting for match in matches for sighting in match["sightings"]]
    for sighting in sightings[:_PLACES_SHOWN]:
        if sighting["locator"]:
            yield f"file {sighting['locator']['file']} of {sighting['source']['name']}"
        if sighting["image_url"]:
            page = f"  on {sighting['page_url']}" if sighting["page_url"] else ""
            caption = f'  "{sighting["caption"]}"' if sighting["caption"] else ""
            yield f"{sighting['image_url']}{page}{caption}"
        first, last = sighting["first_seen"][:10], sighting["last_seen"][:10]
        yield f"  first seen by us {first}, last {last}; the site had said: {_said(sighting['verdict'])}"
    if len(sightings) > _PLACES_SHOWN:
        yield f"and {len(sightings) - _PLACES_SHOWN} more places; --json lists all"


_SAID = (
    (("train-ai", "all"), "no AI training"),
    (("train-genai",), "no training of generative AI"),
    (("tdm",), "no automated analysis"),
    (("search", "index"), "no indexing"),
)


def _said(verdict: dict[str, str]) -> str:
    """A verdict in words; the strongest reading first. Doubt is named as doubt."""
    if not verdict:
        return "not asked (a folder, not a site)"
    words = [text for uses, text in _SAID if any(verdict.get(use) in ("deny", "conditional") for use in uses)]
    if "no AI training" in words and "no training of generative AI" in words:
        words.remove("no training of generative AI")
    if any(value == "unknown" for value in verdict.values()):
        words.append("something that could not be read")
    return ", ".join(words) or "nothing about AI or indexing"
