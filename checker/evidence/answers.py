"""An answer as a case keeps it: the members that are known, each of its form, and no others.

A server may be anybody's, and a case of hours must not end in a report that cannot be written. Handles are left out:
they change by the hour and open nothing after a day.
"""

from __future__ import annotations

import math
import re
from typing import Any

from checker.model import parse_utc
from checker.report import CheckStatus, MatchKind, Orientation

NUMBER_MAX = 2**53 - 1
_MATCHES_MAX = _PLACES_MAX = 10_000
_MONTH = re.compile(r"[0-9]{4}-[0-9]{2}")


def stored_answer(report: dict[str, Any]) -> dict[str, Any]:
    """What is kept of an answer as `hibs check --json` prints it.

    Raises:
        ValueError: a member is missing or of another form.
    """
    try:
        return {
            "status": CheckStatus(report["status"]).value,
            "reason": _text_or_none(report["reason"]),
            "coverage": _coverage(report["coverage"]) if report["status"] == "checked" else None,
            "matches": [_match(match) for match in _list(report["matches"], _MATCHES_MAX)],
        }
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"it lacks something: {error}") from error


def _coverage(told: Any) -> dict[str, Any]:
    return {
        "images": _number(told["images"]),
        "sources": _number(told["sources"]),
        "newest": _text_or_none(told["newest"]),
        "checks": [_text(name) for name in _list(told["checks"], 100)],
    }


def _match(told: Any) -> dict[str, Any]:
    withheld = told.get("withheld")
    match = {
        "kind": MatchKind(told["kind"]).value,
        "orientation": Orientation(told["orientation"]).value,
        "crop": _box(told["crop"]),
        "stored_crop": _box(told["stored_crop"]),
        "codes": {_text(kind): _number(bits) for kind, bits in told["codes"].items()},
        "codes_disagree": told["codes_disagree"] is True,
        "expected_chance_matches": _share(told["expected_chance_matches"]),
        "where": "withheld" if withheld else "shown",
        "sightings": [_place(place) for place in _list(told["sightings"], _PLACES_MAX)],
    }
    if withheld:
        if not _MONTH.fullmatch(withheld["first_seen_month"]):
            raise ValueError("a month is none")
        match["withheld"] = {"count": _number(withheld["count"]), "first_seen_month": withheld["first_seen_month"]}
    return match


def _place(told: Any) -> dict[str, Any]:
    locator, verdict = told["locator"], told["verdict"] or {}
    for name in ("first_seen", "last_seen"):
        parse_utc(told[name])
    return {
        **{name: _text_or_none(told[name]) for name in ("image_url", "page_url", "caption")},
        "source": {name: _text(told["source"][name]) for name in ("id", "name", "kind")},
        "locator": {
            "file": _text_or_none(locator["file"]),
            "row": None if locator["row"] is None else _number(locator["row"]),
            "key": _text_or_none(locator["key"]),
        }
        if locator
        else None,
        "first_seen": told["first_seen"],
        "last_seen": told["last_seen"],
        "verdict": {_text(use): _text(said) for use, said in verdict.items()},
    }


def _list(value: Any, most: int) -> list[Any]:
    if not isinstance(value, list | tuple) or len(value) > most:
        raise ValueError("a list is none, or too long")
    return list(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("a text is none")
    return value


def _text_or_none(value: Any) -> str | None:
    return None if value is None else _text(value)


def _number(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= NUMBER_MAX:
        raise ValueError("a count is none")
    return value


def _share(value: Any) -> float | None:
    if value is None:
        return None
    if type(value) not in (int, float) or not 0 <= value <= NUMBER_MAX or not math.isfinite(value):
        raise ValueError("an expected number is none")
    return float(value)


def _box(value: Any) -> list[float] | None:
    if value is None:
        return None
    sides = [_share(side) for side in _list(value, 4)]
    if len(sides) != 4 or None in sides:
        raise ValueError("a part is none")
    return [side for side in sides if side is not None]
