"""What a service tells of itself in numbers: rows of registry.db, counted by month. All of that SQL.

    look_up_count    one row a day and kind: how many look-ups were answered, and nothing about who asked or what

Requests are counted by the month in which they were recorded and the state in which they are now; acts of holders of
keys from the audit log, also those whose text was erased. Every count is a scan, so whoever shows them to the public
keeps them for a while.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from checker.records.registry import Registry, RegistryWriter


@dataclass(frozen=True, slots=True)
class MonthCount:
    """How often something was so in one month."""

    month: str
    """ "2026-11", UTC."""
    what: str
    """A kind of look-up, a state of requests, or an act of the audit log."""
    count: int


def add_look_ups(writer: RegistryWriter, counts: Mapping[tuple[date, str], int]) -> None:
    """Add to the counts of days: by day and kind, each at least 1. Several processes may, and lose nothing."""
    for (day, kind), count in counts.items():
        writer._rows(
            "INSERT INTO look_up_count (day, kind, count) VALUES (?, ?, ?) "
            "ON CONFLICT DO UPDATE SET count = count + excluded.count",
            (day.isoformat(), kind, count),
        )


def look_up_months(registry: Registry) -> tuple[MonthCount, ...]:
    """Look-ups by month and kind, newest month first."""
    return _counts(registry, "SELECT substr(day, 1, 7) AS month, kind AS what, SUM(count) FROM look_up_count")


def counted_since(registry: Registry) -> date | None:
    """The first day with a look-up. None: none was counted yet."""
    (first,) = registry._rows("SELECT MIN(day) FROM look_up_count")[0]
    return date.fromisoformat(first) if first else None


def opt_out_months(registry: Registry) -> tuple[MonthCount, ...]:
    """Requests by the month in which they were recorded, and by the state in which they are now; newest month first."""
    return _counts(registry, "SELECT substr(recorded_at, 1, 7) AS month, state AS what, COUNT(*) FROM opt_out")


def act_months(registry: Registry) -> tuple[MonthCount, ...]:
    """Acts of the audit log by month and kind, newest month first; also those whose text was erased."""
    return _counts(registry, "SELECT substr(at, 1, 7) AS month, act AS what, COUNT(*) FROM audit")


def _counts(registry: Registry, select: str) -> tuple[MonthCount, ...]:
    rows = registry._rows(f"{select} GROUP BY month, what ORDER BY month DESC, what")
    return tuple(MonthCount(*row) for row in rows)
