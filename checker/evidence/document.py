"""Answers -> the document of a case: `report.json`, of which the page, the CSV and the table are other forms.

Everything in it is an input, an answer, or counted from them, so that the same photos asked of the same collection give
the same bytes; `made_at` is the only moment that is not part of an answer.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from checker.evidence.case import Case
from checker.evidence.manifest import ManifestRow
from checker.evidence.snapshot import Snapshot
from checker.model import utc_text

FOUND = ("same", "edited")
RESULTS = ("same", "edited", "possible", "not-found", "too-plain", "unreadable")
"""What a photo comes to, the strongest first. Possible copies are shown apart and never counted as found."""


@dataclass(frozen=True, slots=True)
class Run:
    """What was asked, and of what."""

    case: Case
    command: tuple[str, ...]
    """As it was called, without where it writes."""
    manifest_sha256: str | None
    """None: photos were named in the command."""
    place: dict[str, str]
    """`{"kind": "folder" | "server", "name": ...}`"""
    sent: dict[str, Any]
    """What left this machine: `{"to": None | address, "photos": n, "kinds": [...]}`, and of who has a key `with_case`,
    true, and `reason`."""
    snapshot: Snapshot
    """At the end of the run."""
    began: str
    """Id of the snapshot at its beginning."""
    tool_version: str
    made_at: datetime


def result_of(photo: dict[str, Any]) -> str:
    """One of `RESULTS`."""
    if photo["status"] != "checked":
        return str(photo["status"])
    kinds = {match["kind"] for match in photo["matches"]}
    return next((kind for kind in RESULTS if kind in kinds), "not-found")


def case_document(run: Run, rows: Sequence[ManifestRow], answers: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The whole case.

    Args:
        answers: of each row: `sha256` of the file (None: it could not be read), `codes` of a photo with matches, and
            `answer`, from `answers.stored_answer`.
    """
    photos = [_photo(number, row, answer) for number, (row, answer) in enumerate(zip(rows, answers, strict=True), 1)]
    exhibits: Counter[str] = Counter()
    for photo in photos:
        if photo["matches"]:
            # Counted by what stands before the number, so that a claimant named "photo" shares no number with nobody's.
            label = photo["claimant"] or "photo"
            exhibits[label] += 1
            photo["exhibit"] = f"{label}-{exhibits[label]}"
    return {
        "v": 1,
        "tool": {"name": "hibs", "version": run.tool_version},
        "made_at": utc_text(run.made_at),
        "case": run.case.reference or None,
        "purpose": run.case.purpose.value if run.case.purpose else None,
        "command": list(run.command),
        "manifest_sha256": run.manifest_sha256,
        "place": run.place,
        "sent": run.sent,
        "snapshot": run.snapshot.to_dict(),
        "changed_while_asked": run.began != run.snapshot.id,
        "collections": list(run.snapshot.sources),
        "checks": _checks(photos),
        "counts": _counts(photos),
        "results": {result: sum(photo["result"] == result for photo in photos) for result in RESULTS},
        "by_source": _by_source(photos, run.snapshot.sources),
        "by_year": _by_year(photos),
        "by_distance": _by_distance(photos),
        "claimants": _claimants(photos),
        "photos": photos,
    }


def report_bytes(document: dict[str, Any]) -> bytes:
    """`report.json`: ASCII, one spelling."""
    return (json.dumps(document, indent=1, ensure_ascii=True) + "\n").encode("ascii")


def _photo(number: int, row: ManifestRow, answer: dict[str, Any]) -> dict[str, Any]:
    photo = {
        "row": number,
        "path": row.path,
        "claimant": row.claimant,
        "note": row.note,
        "sha256": answer["sha256"],
        "codes": answer["codes"],
        "exhibit": None,
        **answer["answer"],
    }
    return {**photo, "result": result_of(photo)}


def _checks(photos: Iterable[dict[str, Any]]) -> list[str]:
    """The kinds of code that were compared for every photo that was checked."""
    compared = [tuple(photo["coverage"]["checks"]) for photo in photos if photo["status"] == "checked"]
    return [name for name in (compared[0] if compared else ()) if all(name in checks for checks in compared)]


def _counts(photos: Sequence[dict[str, Any]]) -> dict[str, int]:
    results = Counter(photo["result"] for photo in photos)
    claimants = {photo["claimant"] for photo in photos if photo["claimant"]}
    found = [photo for photo in photos if photo["result"] in FOUND]
    return {
        "photos": len(photos),
        "claimants": len(claimants),
        "checked": sum(photo["status"] == "checked" for photo in photos),
        "too_plain": results["too-plain"],
        "unreadable": results["unreadable"],
        "found": len(found),
        "claimants_found": len({photo["claimant"] for photo in found if photo["claimant"]}),
        "possible": results["possible"],
        "matches": sum(match["kind"] in FOUND for photo in photos for match in photo["matches"]),
        "withheld": sum(match["where"] == "withheld" for photo in photos for match in photo["matches"]),
        "opened": sum(match["where"] == "opened" for photo in photos for match in photo["matches"]),
    }


def places_of(photo: dict[str, Any]) -> list[dict[str, Any]]:
    """The sightings of what was found, possible copies left out."""
    return [place for match in photo["matches"] if match["kind"] in FOUND for place in match["sightings"]]


def _by_source(photos: Sequence[dict[str, Any]], sources: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Photos and claimants found in each source, most photos first; without what is withheld."""
    run_by = {(one["name"], one["kind"]): one["run_by"] for one in sources}
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for photo in photos:
        for key in {(place["source"]["name"], place["source"]["kind"]) for place in places_of(photo)}:
            found.setdefault(key, []).append(photo)
    rows = [
        {
            "source": name,
            "kind": kind,
            "run_by": run_by.get((name, kind)),
            "photos": len(there),
            "claimants": len({photo["claimant"] for photo in there if photo["claimant"]}),
        }
        for (name, kind), there in found.items()
    ]
    return sorted(rows, key=lambda row: (-row["photos"], row["source"], row["kind"]))


def _by_year(photos: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Photos by the year in which a copy was first seen by whoever looked; withheld places count by their month."""
    years = Counter(first[:4] for photo in photos if (first := first_seen(photo)))
    return [{"year": year, "photos": count} for year, count in sorted(years.items())]


def first_seen(photo: dict[str, Any]) -> str | None:
    """When a copy of it was seen first: a time, or a month where the places are withheld. None: none was found."""
    found = [match for match in photo["matches"] if match["kind"] in FOUND]
    times = [place["first_seen"] for match in found for place in match["sightings"]]
    times += [match["withheld"]["first_seen_month"] for match in found if match.get("withheld")]
    return min(times, default=None)


def _by_distance(photos: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Matches by how many of 256 bits differ, in steps of four; those that phash256 did not measure are left out."""
    steps: Counter[tuple[int, str]] = Counter()
    for photo in photos:
        for match in photo["matches"]:
            bits = match["codes"].get("phash256")
            if bits is not None:
                steps[bits // 4 * 4, "found" if match["kind"] in FOUND else "possible"] += 1
    lows = sorted({low for low, _ in steps})
    return [
        {"from": low, "to": low + 3, "found": steps[low, "found"], "possible": steps[low, "possible"]} for low in lows
    ]


def _claimants(photos: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """A row for everybody in the list, in its order, those too of whom nothing was found."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for photo in photos:
        groups.setdefault(photo["claimant"], []).append(photo)
    return [_claimant(name, own) for name, own in groups.items()]


def _claimant(name: str, photos: Sequence[dict[str, Any]]) -> dict[str, Any]:
    counts = _counts(photos)
    sources = Counter(source for photo in photos for source in {p["source"]["name"] for p in places_of(photo)})
    times = [first for photo in photos if (first := first_seen(photo))]
    return {
        "claimant": name,
        **{
            key: counts[key]
            for key in ("photos", "checked", "too_plain", "unreadable", "found", "possible", "withheld")
        },
        "by_source": dict(sorted(sources.items())),
        "first_seen": min(times, default=None),
    }
