"""When entries came to a follower: by the day, and how long they had waited when they were acted on.

An entry carries no time, on purpose. But a follower knows how large the log was on each day on which it synced, so it
knows the day under whose checkpoint an entry came. What was there at the first sync counts from that day: how long it
had stood before is not known here.
"""

from __future__ import annotations

import statistics
from bisect import bisect_right
from collections.abc import Collection
from datetime import date, datetime
from typing import Any

Arrivals = tuple[tuple[int, date], ...]
"""Size of the log at the end of a day (UTC, as its checkpoints say), both rising."""


def with_arrival(arrivals: Arrivals, size: int, signed_at: datetime) -> Arrivals:
    """The same after a checkpoint was accepted. Nothing is noted where the log did not grow."""
    day = signed_at.date()
    if arrivals and (size <= arrivals[-1][0] or day < arrivals[-1][1]):
        return arrivals
    before = arrivals[:-1] if arrivals and arrivals[-1][1] == day else arrivals
    return (*before, (size, day))


def arrivals_document(arrivals: Arrivals) -> list[list[Any]]:
    """For `state.json`."""
    return [[size, day.isoformat()] for size, day in arrivals]


def read_arrivals(document: Any) -> Arrivals:
    """From `state.json`. It tells people and proves nothing: of another form it is as if missing."""
    try:
        found = tuple((size, date.fromisoformat(day)) for size, day in document)
    except (TypeError, ValueError):
        return ()
    sizes, days = [size for size, _ in found], [day for _, day in found]
    sound = all(type(size) is int and size >= 0 for size in sizes)
    return found if sound and sizes == sorted(set(sizes)) and days == sorted(set(days)) else ()


def days_waited(arrivals: Arrivals, entries: Collection[int], now: datetime) -> dict[str, Any] | None:
    """How many days lie between the coming of these entries and `now`.

    Args:
        entries: indexes in the log.
    Returns:
        `median`, `max`, `entries` (how many), `since` (the first day that is known); None: it is known of none.
    """
    sizes = [size for size, _ in arrivals]
    places = [bisect_right(sizes, entry) for entry in entries]
    days = [(now.date() - arrivals[place][1]).days for place in places if place < len(arrivals)]
    if not days:
        return None
    median = statistics.median(days)
    shown = int(median) if median == int(median) else median
    return {"median": shown, "max": max(days), "entries": len(days), "since": arrivals[0][1].isoformat()}
