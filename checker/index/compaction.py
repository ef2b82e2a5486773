"""Which ranges of ids a build writes, and which segments it leaves as they are (the logarithmic method).

New codes become one segment; a neighbour that holds less than twice as many is written anew together with them, and so
on. So there are never more than about log2(codes / new codes) segments, and a code is written that often in its life.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from checker.index.manifest import SegmentEntry
from checker.index.segment import ROWS_MAX, SPAN_MAX, Span


@dataclass(frozen=True, slots=True)
class Existing:
    """A segment that is there."""

    entry: SegmentEntry
    must_go: bool
    """It is damaged, or holds what may be held no longer."""


@dataclass(frozen=True, slots=True)
class Work:
    """What a build has to do, in the order of ids."""

    keep: tuple[SegmentEntry, ...]
    write: tuple[Span, ...]


def plan_work(existing: Sequence[Existing], new: Span, new_rows: int, *, full: bool) -> Work:
    """Choose.

    Args:
        existing: in the order of ids.
        new: the ids after the last segment; `new_rows` codes lie there.
        full: write everything into as few segments as may be.
    """
    left = list(existing)
    begin, rows = new.after, new_rows
    while left and (full or (rows and left[-1].entry.rows < 2 * rows)) and _fits(left[-1].entry, rows, new.upto):
        absorbed = left.pop()
        begin, rows = absorbed.entry.after, rows + absorbed.entry.rows
    spans = [Span(one.entry.after, one.entry.upto) for one in left if one.must_go or full]
    if rows or begin < new.after:
        spans.append(Span(begin, new.upto))
    return Work(tuple(one.entry for one in left if not (one.must_go or full)), tuple(spans))


def _fits(entry: SegmentEntry, rows: int, upto: int) -> bool:
    return entry.rows + rows <= ROWS_MAX and upto - entry.after <= SPAN_MAX


def parts_of(span: Span, count: Callable[[Span], int]) -> Iterator[tuple[Span, int]]:
    """Cut a range until no part is too large for one segment; each with the number of its codes, empty ones left out.

    Args:
        count: how many codes a range holds.
    """
    rows = count(span)
    if rows > ROWS_MAX or span.upto - span.after > SPAN_MAX:
        middle = (span.after + span.upto) // 2
        yield from parts_of(Span(span.after, middle), count)
        yield from parts_of(Span(middle, span.upto), count)
    elif rows:
        yield span, rows
