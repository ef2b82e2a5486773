"""`hibs check`: was this photo seen, where, since when, and what had the site said."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from checker.commands.check_private import ask_privately, private_lines
from checker.commands.fingerprint import named_pictures, read_pictures
from checker.commands.odds import one_in
from checker.console import ExitCode, answer, answer_json, command, one_line, say
from checker.errors import EmptyCorpusError, InputError, RemoteError

if TYPE_CHECKING:
    from checker.settings import Settings

_ANSWER_BYTES_MAX = 8 * 2**20
_CODE_BITS = (("phash256", 256), ("sscd512", 512))
"""Kinds of code with their bits. A match is measured by the first one that it has."""
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
    private: Annotated[
        bool,
        typer.Option("--private", help="Compare on this machine: says only whether something this close is there."),
    ] = False,
    saved: Annotated[
        Path | None,
        typer.Option(
            "--list", metavar="FILE", help="With --private: a list saved before.", show_default=False, readable=False
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document a photo, one a line.")] = False,
    fail_on_match: Annotated[
        bool, typer.Option("--fail-on-match", help="Exit 3 when a copy was found; a possible one is none.")
    ] = False,
) -> None:
    """Look for copies of photos in a data folder or on a service.

    Examples:

      hibs check selfie.jpg --data demo/

      hibs check photos/ --server http://127.0.0.1:8000 --json

      hibs check selfie.jpg --server http://127.0.0.1:8000 --private
    """
    import os

    from checker.settings import Settings

    settings = Settings.from_environment(os.environ)
    if saved and not private:
        raise InputError("--list holds half codes, which only the private check compares; add --private")
    if [data, server, saved].count(None) != 2:
        raise InputError("say where to look: either --data DIR or --server URL" + (" or --list FILE" * private))
    if private:
        rows = ask_privately(paths, settings, data=data, server=server, saved=saved)
    else:
        rows = _ask_folder(paths, data, settings) if data else _ask_server(paths, str(server), settings)
    _tell(rows, private_lines if private else _lines, as_json=as_json, fail_on_match=fail_on_match)


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
        found += bool(kinds & _FOUND)
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
    if fail_on_match and found:
        raise typer.Exit(int(ExitCode.MATCH))
    if unreadable:
        raise typer.Exit(int(ExitCode.PARTLY))


def _ask_folder(paths: list[Path], data: Path, settings: Settings) -> Iterator[dict[str, Any]]:
    from datetime import UTC, datetime

    from checker.fingerprint.sandbox import SandboxDecoder
    from checker.lookup import Checker, report_document
    from checker.optout.log import require_whole_folder

    require_whole_folder(data)
    with SandboxDecoder(settings) as decoder, Checker.open(data, settings, decoder=decoder) as checker:
        checker.require_pictures()
        for path in named_pictures(paths):
            report = checker.check_file(path, now=datetime.now(UTC))
            yield {"path": str(path), **report_document(report)}


def _ask_server(paths: list[Path], server: str, settings: Settings) -> Iterator[dict[str, Any]]:
    import json

    from checker.lookup import TOO_PLAIN
    from checker.model import Unreadable
    from checker.remote import connect

    remote = connect(server)
    for path, picture in read_pictures(paths, settings, every_kind=True):
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

    from checker.report import CheckStatus, MatchKind, Orientation

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
            MatchKind(match["kind"])
            Orientation(match["orientation"])
        list(_lines({"path": "", **row}))  # whatever is shown has to be there
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise RemoteError(f"{server} answered something else than a report; is it a service of this kind?") from error
    return row


# --- words -----------------------------------------------------------------------------------------------------

_FOUND = {"same", "edited"}
_KINDS = {
    "same": "FOUND  the same photo",
    "edited": "FOUND  an edited copy",
    "possible": "possible copies (not counted as found)",
}


def _lines(row: dict[str, Any]) -> Iterator[str]:
    """The answer about one picture that was checked, for a person. Not found always comes with what was looked at."""
    path, coverage = row["path"], row["coverage"]
    possible = [match for match in row["matches"] if match["kind"] not in _FOUND]
    if len(possible) == len(row["matches"]):
        newest = (coverage["newest"] or "")[:10]
        yield (
            f"{path}  not found in {_count(coverage['images'], 'picture')} from "
            f"{_count(coverage['sources'], 'source')}, newest {newest}  (not found is no proof)"
            f"{f'; {len(possible):,} possible' if possible else ''}"
        )
    for title, matches in _groups(row["matches"]):
        yield f"{path}  {title}: {', '.join((_count(len(matches), 'picture'), *_distances(matches)))}"
        yield from (f"    {line}" for line in (_sureness(matches), *_where(matches)) if line)


def _groups(matches: list[dict[str, Any]]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Matches of which the same can be said, under what is said: the same photo, edited copies, at the end possible."""
    groups: dict[tuple[int, str, bool], list[dict[str, Any]]] = {}
    for match in matches:
        how = _how(match) if match["kind"] == "edited" else ""
        key = (list(_KINDS).index(match["kind"]), _KINDS[match["kind"]] + how, bool(match["codes_disagree"]))
        groups.setdefault(key, []).append(match)
    for (_, title, _), group in sorted(groups.items(), key=lambda named: named[0][0]):
        yield title, group


def _how(match: dict[str, Any]) -> str:
    """What was done to an edited copy, as far as it is known."""
    degrees = match["orientation"].partition("turned-")[2]
    words = (
        "mirrored" if match["orientation"].startswith("mirrored") else "",
        f"turned {degrees} degrees clockwise" if degrees else "",
        _PARTS[bool(match["crop"]), bool(match["stored_crop"])],
    )
    said = ", ".join(filter(None, words))
    return f" ({said})" if said else ""


_PARTS = {
    (False, False): "",
    (True, False): "a part of your photo",
    (False, True): "your photo is a part of it",
    (True, True): "it shares a part with your photo",
}
"""By: is the copy a part of the asked photo only; is the asked photo a part of the copy only."""


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _distances(matches: list[dict[str, Any]]) -> Iterator[str]:
    """By each kind of code that measures some of the matches. Nothing where none is named."""
    for number, (kind, bits) in enumerate(_CODE_BITS):
        before = [name for name, _ in _CODE_BITS[:number]]
        found = [m["codes"][kind] for m in matches if kind in m["codes"] and not any(k in m["codes"] for k in before)]
        if found:
            span = "-".join(str(b) for b in dict.fromkeys((min(found), max(found))))
            yield f"{span} of {bits} bits differ"


def _sureness(matches: list[dict[str, Any]]) -> str:
    """How sure it is, in a sentence; empty of the same photo, where that is clear."""
    kind, expected = matches[0]["kind"], [match["expected_chance_matches"] for match in matches]
    if matches[0]["codes_disagree"]:
        return "its codes disagree, so look yourself"
    if kind == "possible":
        return "too little agrees to be sure, so look yourself"
    number = one_in(max(expected)) if kind == "edited" and None not in expected else None
    return f"chance of a coincidence in a collection of this size: below 1 in {number:,}" if number else ""


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
        by_file = sighting["verdict"] and sighting["source"]["kind"] in ("folder", "archive")
        who = "the file itself says" if by_file else "the site had said"
        yield f"  first seen by us {first}, last {last}; {who}: {_said(sighting['verdict'])}"
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
        return "not asked (a collection, not a site)"
    words = [text for uses, text in _SAID if any(verdict.get(use) in ("deny", "conditional") for use in uses)]
    if "no AI training" in words and "no training of generative AI" in words:
        words.remove("no training of generative AI")
    if any(value == "unknown" for value in verdict.values()):
        words.append("something that could not be read")
    return ", ".join(words) or "nothing about AI or indexing"
