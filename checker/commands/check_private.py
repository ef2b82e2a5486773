"""`hibs check --private`: is something this close in there? Answered on this machine; what was shown is said.

A row of the answer is one of `hibs check --json` without `handle`, `where` and `sightings`, and with `private` and
`shown`: the private check knows no addresses.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from checker.commands.fingerprint import named_pictures
from checker.commands.service import service
from checker.console import count_of, say

if TYPE_CHECKING:
    from checker.fingerprint import Decoder
    from checker.private_check.rows import RowSource
    from checker.settings import Settings


def ask_privately(
    paths: list[Path], settings: Settings, *, data: Path | None, server: str | None, saved: Path | None
) -> Iterator[dict[str, Any]]:
    """One row a photo. Exactly one place to look is given.

    Raises:
        InputError, DataError, RemoteError: that place has no answer.
    """
    import os
    from datetime import UTC, datetime

    from checker.fingerprint.sandbox import SandboxDecoder
    from checker.private_check.rows import cache_folder, rows_of_file, rows_of_folder, rows_of_server

    now = datetime.now(UTC)
    source: RowSource
    if server:
        source, done = rows_of_server(service(server), server, cache_folder(os.environ), now=now)
        say(f"private check: {done}")
    else:
        source = rows_of_file(saved) if saved else rows_of_folder(data or Path(), settings, now=now)
    with SandboxDecoder(settings) as decoder:
        for path in named_pictures(paths):
            yield {"path": str(path), **_row(path, source, settings, decoder)}
    if server:
        said = source.traffic
        say(
            f"private check: {count_of(said.requests, 'request')}, {count_of(said.sketches, 'sketch', 'sketches')} "
            f"of 16 bits sent, {said.bytes_received:,} bytes received"
        )


def _row(path: Path, source: RowSource, settings: Settings, decoder: Decoder) -> dict[str, Any]:
    from dataclasses import replace

    from checker.fingerprint import question_of
    from checker.fingerprint.pictures import read_picture_file
    from checker.lookup import TOO_PLAIN
    from checker.model import Unreadable
    from checker.private_check.asking import asked_halves, near_rows
    from checker.private_check.rows import coverage_document

    # The second code stays out: no list holds half of it.
    body = read_picture_file(path, settings)
    question = (
        body if isinstance(body, Unreadable) else question_of(body, replace(settings, robust="off"), decoder=decoder)
    )
    if isinstance(question, Unreadable):
        return _unasked("unreadable", question.detail)
    asked = asked_halves(question)
    if question.plain or not asked.codes:
        return _unasked("too-plain", TOO_PLAIN)
    rows = source.rows_for(asked)
    matches = [
        {
            "kind": near.kind.value,
            "orientation": near.orientation.value,
            "crop": [round(value, 4) for value in near.crop] if near.crop else None,
            "codes": {_CHECK: near.distance_bits},
        }
        for near in near_rows(asked, rows.rows)
    ]
    return {
        "status": "checked",
        "reason": None,
        "coverage": coverage_document(rows.about),
        "matches": matches,
        "private": True,
        "shown": {"sketches": len(rows.sketches), "bits": 16 * len(rows.sketches)},
    }


def _unasked(status: str, reason: str) -> dict[str, Any]:
    shown = {"sketches": 0, "bits": 0}
    return {
        "status": status,
        "reason": reason,
        "coverage": None,
        "matches": [],
        "private": True,
        "shown": shown,
    }


_CHECK = "phash256-half"


# --- words -----------------------------------------------------------------------------------------------------

_KINDS = {
    "same": "FOUND by the private check: something this close is in there",
    "edited": "FOUND by the private check: something this close to an edited copy is in there",
    "possible": "possible, by the private check: too little agrees to be sure, so it is not counted as found",
}
_UNSEEN = (
    "the private check cannot see crops of more than some percent, stored screenshots and frames, stickers, large text"
)
_UNSEEN_BY_SKETCH = "of turned and cut copies only those around the sketches that were sent"


def private_lines(row: dict[str, Any]) -> Iterator[str]:
    """The answer about one photo that was checked, for a person. Not found always comes with what cannot be seen."""
    path, coverage, matches = row["path"], row["coverage"], row["matches"]
    if not any(match["kind"] != "possible" for match in matches):
        newest = (coverage["newest"] or "")[:10]
        yield (
            f"{path}  not found by the private check in {count_of(coverage['images'], 'picture')} from "
            f"{count_of(coverage['sources'], 'source')}, newest {newest}  (not found is no proof)"
        )
    for kind, words in _KINDS.items():
        bits = sorted(match["codes"][_CHECK] for match in matches if match["kind"] == kind)
        if bits:
            span = "-".join(str(b) for b in dict.fromkeys((bits[0], bits[-1])))
            yield f"{path}  {words} ({count_of(len(bits), 'row')}, {span} of 128 bits differ)"
    if matches:
        yield "    where is a second question: ask without --private, which sends a server the photo's codes"
    else:
        less = f"; {_UNSEEN_BY_SKETCH}" if row["shown"]["sketches"] else ""
        yield f"    {_UNSEEN}{less}"
