"""What a service tells of itself in numbers: for the page /transparency and for `GET /v1/transparency`.

Every number is counted from registry.db, where the audit log and the requests are, so that nobody has to keep a second
account that could differ. The counts of look-ups alone are kept for this (counted.py). Counting is a scan of some
tables; what it gave is shown for a minute.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from checker.records.audit import AuditCount, audit_counts
from checker.records.registry import Registry
from checker.records.totals import MonthCount, act_months, counted_since, look_up_months, opt_out_months

KEPT_S = 60.0
MONTHS_SHOWN = 24
"""On the page, newest first; `GET /v1/transparency` has all."""


@dataclass(frozen=True, slots=True)
class Figures:
    """All counts of one moment, newest month first."""

    counted_at: datetime
    since: date | None
    """The first day on which a look-up was counted."""
    look_ups: tuple[MonthCount, ...]
    opt_outs: tuple[MonthCount, ...]
    """By the month of recording and by the state now."""
    acts: tuple[MonthCount, ...]
    holders: tuple[AuditCount, ...]
    """Acts whose text is still there, by holder and purpose."""


class Transparency:
    """Counts for one registry. Thread-safe."""

    def __init__(self, registry: Registry, clock: Callable[[], datetime]) -> None:
        self._registry = registry
        self._clock = clock
        self._lock = threading.Lock()
        self._figures: Figures | None = None
        self._until_s = 0.0

    def figures(self) -> Figures:
        """The counts, a minute old at most."""
        with self._lock:
            if self._figures is None or time.monotonic() >= self._until_s:
                self._figures = count(self._registry, now=self._clock())
                self._until_s = time.monotonic() + KEPT_S
            return self._figures


def count(registry: Registry, *, now: datetime) -> Figures:
    """Count everything now."""
    return Figures(
        counted_at=now,
        since=counted_since(registry),
        look_ups=look_up_months(registry),
        opt_outs=opt_out_months(registry),
        acts=act_months(registry),
        holders=audit_counts(registry),
    )


def table(counts: Iterable[MonthCount]) -> Mapping[str, Mapping[str, int]]:
    """By month, newest first, then by what was counted; MONTHS_SHOWN of them."""
    rows: dict[str, dict[str, int]] = {}
    for one in counts:
        if one.month in rows or len(rows) < MONTHS_SHOWN:
            rows.setdefault(one.month, {})[one.what] = one.count
    return rows


def of_months(counts: Sequence[AuditCount]) -> tuple[AuditCount, ...]:
    """Those of the newest MONTHS_SHOWN months."""
    months = sorted({one.month for one in counts}, reverse=True)[:MONTHS_SHOWN]
    return tuple(one for one in counts if one.month in months)
