"""Answers as the contract's JSON."""

from __future__ import annotations

from typing import Any

from checker.model import Box, CodeKind, Sighting, utc_text
from checker.records.interfaces import IndexState
from checker.report import Match, Report


def report_document(report: Report) -> dict[str, Any]:
    """One answer as the contract's JSON, without the path."""
    return {
        "status": report.status.value,
        "reason": report.reason,
        "coverage": {
            "images": report.coverage.images,
            "sources": report.coverage.sources,
            "newest": utc_text(report.coverage.newest) if report.coverage.newest else None,
            "checks": list(report.coverage.checks),
        },
        "matches": [match_document(match) for match in report.matches],
    }


def match_document(match: Match) -> dict[str, Any]:
    """One match; `where` is "shown" or "withheld", and `withheld` stands in the latter only."""
    document: dict[str, Any] = {
        "handle": match.handle,
        "kind": match.kind.value,
        "orientation": match.orientation.value,
        "crop": _rounded(match.crop),
        "stored_crop": _rounded(match.stored_crop),
        "codes": dict(match.distances),
        "codes_disagree": match.codes_disagree,
        "expected_chance_matches": match.expected_chance_matches,
        "where": "withheld" if match.withheld else "shown",
        "sightings": [_sighting_document(sighting) for sighting in match.sightings],
    }
    if match.withheld:
        document["withheld"] = {
            "count": match.withheld.count,
            "first_seen_month": match.withheld.first_seen_month,
        }
    return document


def _rounded(crop: Box | None) -> list[float] | None:
    return [round(value, 4) for value in crop] if crop else None


def _sighting_document(sighting: Sighting) -> dict[str, Any]:
    locator = sighting.locator
    return {
        "image_url": sighting.image_url,
        "page_url": sighting.page_url,
        "caption": sighting.caption,
        "source": {"id": sighting.source.id, "name": sighting.source.name, "kind": sighting.source.kind},
        "locator": locator.to_dict() if locator else None,
        "first_seen": utc_text(sighting.first_seen),
        "last_seen": utc_text(sighting.last_seen),
        "verdict": dict(sighting.verdict),
    }


def index_document(kind: CodeKind, state: IndexState) -> dict[str, Any]:
    """Size and freshness of the index of one kind of code, as `hibs stats --json` and the API tell it."""
    return {
        "kind": kind.name,
        "version": kind.version,
        "codes": state.codes,
        "segments": state.segments,
        "tail": state.tail,
        "bytes": state.bytes,
        "built_at": utc_text(state.built_at) if state.built_at else None,
        "damaged": len(state.damaged),
        "damaged_files": list(state.damaged),
        "pending_erasures": state.pending_erasures,
    }
