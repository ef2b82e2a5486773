"""The report of a case as one HTML page, on the screen and on A4: `report.json` for people.

Its numbers are those of the document; it adds none. Addresses are text and never links: whoever planted a copy may
own the page, and opening it would show the reader's address to that site.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

from checker.evidence.document import FOUND, first_seen
from checker.evidence.rows import measured_by
from checker.model import parse_utc
from checker.optout.charts import Bar, bar_chart, share_words
from checker.optout.sheet import fill_in

CLAIMANTS_SHOWN = 2_000
EXHIBITS_SHOWN = 500
MATCHES_SHOWN = 20
"""Of one photo."""
PLACES_SHOWN = 10
"""Of one match. The table has all."""
UNREADABLE_SHOWN = 200
BARS_SHOWN = 15
RESULT_WORDS = {
    "same": "the same photo",
    "edited": "an edited copy",
    "possible": "possible copies only, not counted",
    "not-found": "not found",
    "too-plain": "too plain to tell from others",
    "unreadable": "unreadable",
}
_PURPOSE_WORDS = {
    "access-request": "requests for access",
    "erasure-request": "requests for erasure",
    "complaint": "complaints",
    "research": "research",
    "journalism": "journalism",
    "takedown": "takedown",
    "child-protection": "child protection",
}


def case_page(document: dict[str, Any], *, signer: str | None) -> bytes:
    """The page of one case.

    Args:
        signer: the key that signs the folder in which the page lies. None: it lies in none.
    Returns:
        One HTML document that stands alone.
    """
    counts, results = document["counts"], document["results"]
    found = [photo for photo in document["photos"] if photo["matches"]]
    unreadable = [photo for photo in document["photos"] if photo["result"] == "unreadable"]
    page = fill_in(
        "case.html",
        document=document,
        counts=counts,
        command=shlex.join(document["command"]),
        snapshot=document["snapshot"],
        made_at=parse_utc(document["made_at"]),
        purpose=_PURPOSE_WORDS.get(document["purpose"] or "", ""),
        results=[(RESULT_WORDS[name], count, share_words(count, counts["photos"])) for name, count in results.items()],
        results_chart=_chart("Photos by result", [(RESULT_WORDS[name], count) for name, count in results.items()]),
        sources_chart=_chart(
            f"Photos found, by collection, the {BARS_SHOWN} with most",
            [(row["source"], row["photos"]) for row in document["by_source"][:BARS_SHOWN]],
        ),
        years_chart=_chart(
            "Photos found, by the year in which a copy was first seen",
            [(row["year"], row["photos"]) for row in document["by_year"]],
        ),
        distances_chart=_chart(
            "Matches by bits that differ",
            [(_span(row), row["found"] + row["possible"]) for row in document["by_distance"]],
        ),
        distances=[(_span(row), row["found"], row["possible"]) for row in document["by_distance"]],
        claimants=document["claimants"][:CLAIMANTS_SHOWN],
        claimants_left=max(0, len(document["claimants"]) - CLAIMANTS_SHOWN),
        exhibits=[_exhibit(photo) for photo in found[:EXHIBITS_SHOWN]],
        exhibits_left=max(0, len(found) - EXHIBITS_SHOWN),
        unreadable=unreadable[:UNREADABLE_SHOWN],
        unreadable_left=max(0, len(unreadable) - UNREADABLE_SHOWN),
        unseen=unseen(document),
        signer=signer,
    )
    return page.encode()


def unseen(document: dict[str, Any]) -> list[str]:
    """What the checks that were run cannot see, in sentences: a photo that was not found may be there so."""
    said = []
    if document["sent"]["to"]:
        said.append(
            "Only codes of whole photos were sent: a copy that is a part of a photo is found by its borders at best."
        )
    if "sscd512" not in document["checks"]:
        said.append(
            "The second code (sscd512) was not compared: most copies cut by more than a few percent are missed."
        )
    said.append(
        "A copy that shows less than a quarter of the photo is missed, and so is one under large text or stickers."
    )
    return said


def _chart(title: str, bars: Sequence[tuple[str, int]]) -> str:
    return bar_chart(title, [Bar(label, count) for label, count in bars], whole=max((n for _, n in bars), default=0))


def _span(row: dict[str, Any]) -> str:
    return f"{row['from']}-{row['to']} of 256 bits"


def _exhibit(photo: dict[str, Any]) -> dict[str, Any]:
    """One photo with its matches, as the template shows it."""
    matches = [
        {
            "words": RESULT_WORDS[match["kind"]] if match["kind"] in FOUND else "possible copy, not counted",
            "how": _how(match),
            "code": _code(photo, match),
            "expected": match["expected_chance_matches"],
            "codes_disagree": match["codes_disagree"],
            "withheld": match.get("withheld"),
            "opened": match["where"] == "opened",
            "places": match["sightings"][:PLACES_SHOWN],
            "places_left": max(0, len(match["sightings"]) - PLACES_SHOWN),
        }
        for match in photo["matches"][:MATCHES_SHOWN]
    ]
    left = max(0, len(photo["matches"]) - MATCHES_SHOWN)
    return {**photo, "shown": matches, "left": left, "first_seen": first_seen(photo)}


def _how(match: dict[str, Any]) -> str:
    words = [] if match["orientation"] == "as-is" else [match["orientation"].replace("-", " ")]
    words += ["a part of the photo"] if match["crop"] else []
    words += ["the photo is a part of it"] if match["stored_crop"] else []
    return ", ".join(words)


def _code(photo: dict[str, Any], match: dict[str, Any]) -> str:
    measured = measured_by(match)
    if measured is None:
        return "told by its parts alone"
    kind, bits = measured
    code = (photo["codes"] or {}).get(kind)
    version = f" version {code['version'][:16]}" if code else ""
    return f"{bits} of {'256' if kind == 'phash256' else '512'} bits differ ({kind}{version})"
