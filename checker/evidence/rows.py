"""The case as one flat table: a row for every place of every match, and one for every photo without a match.

Written as CSV (RFC 4180) for people with a spreadsheet, and as Parquet (`parquet.py`) for programs.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

from checker.console import safe_cell
from checker.report import said_words

COLUMNS: dict[str, type] = {
    "case": str,
    "purpose": str,
    "claimant": str,
    "photo_row": int,
    "path": str,
    "sha256": str,
    "result": str,
    "reason": str,
    "exhibit": str,
    "match_kind": str,
    "orientation": str,
    "code": str,
    "code_version": str,
    "distance_bits": int,
    "expected_chance_matches": float,
    "where": str,
    "withheld_places": int,
    "source": str,
    "source_kind": str,
    "file": str,
    "file_row": int,
    "file_key": str,
    "image_url": str,
    "page_url": str,
    "caption": str,
    "first_seen": str,
    "last_seen": str,
    "site_said": str,
    "note": str,
}


def case_rows(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every row, by photo. A value that is not there is None."""
    empty = dict.fromkeys(COLUMNS)
    for photo in document["photos"]:
        about = {
            **empty,
            "case": document["case"],
            "purpose": document["purpose"],
            "photo_row": photo["row"],
            **{name: photo[name] for name in ("claimant", "path", "sha256", "result", "reason", "exhibit", "note")},
        }
        if not photo["matches"]:
            yield about
        for match in photo["matches"]:
            for place in match["sightings"] or (None,):
                yield {**about, **_match(photo, match), **(_place(place) if place else _withheld(match))}


def write_csv(document: dict[str, Any]) -> bytes:
    """The table for a spreadsheet: UTF-8 with a byte order mark, without which some read it as another encoding."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for row in case_rows(document):
        writer.writerow([safe_cell(value) for value in row.values()])
    return text.getvalue().encode("utf-8-sig", "backslashreplace")


def measured_by(match: dict[str, Any]) -> tuple[str, int] | None:
    """The first kind of code that measured a match, and how many bits differ. None: only tiles did."""
    return next(((kind, match["codes"][kind]) for kind in ("phash256", "sscd512") if kind in match["codes"]), None)


def _match(photo: dict[str, Any], match: dict[str, Any]) -> dict[str, Any]:
    kind, bits = measured_by(match) or (None, None)
    code = (photo["codes"] or {}).get(kind)
    return {
        "match_kind": match["kind"],
        "orientation": match["orientation"],
        "code": kind,
        "code_version": code["version"] if code else None,
        "distance_bits": bits,
        "expected_chance_matches": match["expected_chance_matches"],
        "where": match["where"],
    }


def _withheld(match: dict[str, Any]) -> dict[str, Any]:
    held = match.get("withheld")
    return {"withheld_places": held["count"], "first_seen": held["first_seen_month"]} if held else {}


def _place(place: dict[str, Any]) -> dict[str, Any]:
    locator = place["locator"] or {"file": None, "row": None, "key": None}
    return {
        "source": place["source"]["name"],
        "source_kind": place["source"]["kind"],
        "file": locator["file"],
        "file_row": locator["row"],
        "file_key": locator["key"],
        **{name: place[name] for name in ("image_url", "page_url", "caption", "first_seen", "last_seen")},
        "site_said": said_words(place["verdict"] or {}) or None,
    }
