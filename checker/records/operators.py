"""What operators did and said about the opt-out list: the table operator_act of registry.db.

    received   the holder of a feed key fetched the openings below `feed_size`, told by the day alone
    stated     the holder of an honour key says that it filtered by the list of `feed_size` entries

An operator is the name of its key. Its first row of `received` marks where it began: a key that replaces another goes
on in the middle, and nothing below that was fetched with it. What follows is written only while pages join, so each
row says no more than is so: everything from the first to `feed_size` was sent to this operator by that day.

What is sane (sizes, the root) is decided by whoever calls; here it is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from checker.model import parse_utc, utc_text
from checker.records.registry import Registry, RegistryWriter


@dataclass(frozen=True, slots=True)
class Statement:
    """What an operator says that it did. Nobody has checked more of it than that the feed is ours."""

    operator: str
    """Name of its key."""
    feed_size: int
    """Entries of the list that it went by."""
    root: str
    """Of the log at that size; 64 hex digits."""
    rows_in: int
    """Rows that went in."""
    rows_out: int
    """Rows that were kept."""
    report_digest: str
    """SHA-256 of its report; 64 hex digits. The report itself stays with the operator."""
    stated_at: datetime


@dataclass(frozen=True, slots=True)
class Acts:
    """What one operator did about one entry."""

    received_at: datetime | None = None
    """The day on which the entry was sent to it, as its midnight UTC. None: it was not."""
    stated_at: datetime | None = None
    """When it first said that it went by a list with the entry in it. None: it did not."""
    stated_size: int | None = None
    """Size of that list."""


def record_received(registry: Registry, operator: str, *, start: int, end: int, now: datetime) -> None:
    """Note that the entries `start` to `end - 1` were sent to an operator. Writes at most one row a day and operator.

    Entries that it had before change nothing, nor does a page that leaves a gap: it would say of the entries between
    that they were sent.
    """
    # Most pages bring nothing new, and then no transaction is begun.
    if not _goes_on(_reached(registry._rows, operator), start, end):
        return
    day = utc_text(now.replace(hour=0, minute=0, second=0, microsecond=0))
    with registry.writing() as writer:
        reached = _reached(writer._rows, operator)
        if not _goes_on(reached, start, end):  # any more: another process wrote in between
            return
        if reached is None:
            writer._rows(_ADD_RECEIVED, (operator, start, day))
        later_the_same_day = writer._rows(
            "UPDATE operator_act SET feed_size = max(feed_size, ?) WHERE operator = ? AND kind = 'received' AND at = ? "
            "AND feed_size > (SELECT MIN(feed_size) FROM operator_act WHERE operator = ? AND kind = 'received') "
            "RETURNING 1",
            (end, operator, day, operator),
        )
        if not later_the_same_day:
            writer._rows(_ADD_RECEIVED, (operator, end, day))


def add_statement(
    registry: Registry, statement: Statement, *, also: Callable[[RegistryWriter], object] = lambda _: None
) -> Statement:
    """Keep a statement; one of the same operator about the same report is kept once.

    Args:
        also: done in the same transaction, where it is kept.
    Returns:
        The statement that is kept now: the given one, or the earlier one about this report, whatever it says.
    """
    with registry.writing() as writer:
        said = writer._rows(
            f"{_STATEMENT} AND operator = ? AND report_digest = ?", (statement.operator, statement.report_digest)
        )
        if said:
            return _statement(said[0])
        writer._rows(
            "INSERT INTO operator_act (operator, kind, feed_size, root, rows_in, rows_out, report_digest, at) "
            "VALUES (?, 'stated', ?, ?, ?, ?, ?, ?)",
            (
                statement.operator,
                statement.feed_size,
                statement.root,
                statement.rows_in,
                statement.rows_out,
                statement.report_digest,
                utc_text(statement.stated_at),
            ),
        )
        also(writer)
    return statement


def statements(registry: Registry, *, count: int) -> tuple[Statement, ...]:
    """The newest `count` statements of all operators, newest first; whoever lost its key since is among them."""
    return tuple(_statement(row) for row in registry._rows(f"{_STATEMENT} ORDER BY act_id DESC LIMIT ?", (count,)))


def received_by(registry: Registry) -> dict[str, tuple[int, datetime]]:
    """How far each operator has fetched the list, and the day on which it last got something new.

    Returns:
        Size of the list that it has, 1 or more, and that day's midnight UTC, by operator; without who fetched nothing.
    """
    # `at` is that of the row with the largest size, as with MIN below; that size was reached when something new came.
    rows = registry._rows(
        "SELECT operator, MAX(feed_size), at FROM operator_act WHERE kind = 'received' AND feed_size > 0 "
        "GROUP BY operator"
    )
    return {operator: (int(size), parse_utc(at)) for operator, size, at in rows}


def acts_about(registry: Registry, index: int) -> dict[str, Acts]:
    """What each operator did about the entry at this index of the log; who did nothing is not in it."""
    received = registry._rows(
        "SELECT operator, MIN(at) FROM operator_act WHERE kind = 'received' AND feed_size > ? AND operator IN "
        "(SELECT operator FROM operator_act WHERE kind = 'received' AND feed_size <= ?) GROUP BY operator",
        (index, index),
    )
    # The other columns beside a MIN are those of its row (https://sqlite.org/lang_select.html, section 2.5).
    stated = registry._rows(
        "SELECT operator, MIN(act_id), at, feed_size FROM operator_act WHERE kind = 'stated' AND feed_size > ? "
        "GROUP BY operator",
        (index,),
    )
    got = {operator: parse_utc(at) for operator, at in received}
    said = {operator: (parse_utc(at), int(size)) for operator, _, at, size in stated}
    return {
        operator: Acts(got.get(operator), *said.get(operator, (None, None))) for operator in sorted(got.keys() | said)
    }


def _goes_on(reached: int | None, start: int, end: int) -> bool:
    return end > start if reached is None else start <= reached < end


def _reached(rows: Callable[..., list[tuple[Any, ...]]], operator: str) -> int | None:
    """How far an operator has fetched without a gap. None: it never did."""
    found = rows("SELECT MAX(feed_size) FROM operator_act WHERE kind = 'received' AND operator = ?", (operator,))
    return None if found[0][0] is None else int(found[0][0])


_ADD_RECEIVED = "INSERT INTO operator_act (operator, kind, feed_size, at) VALUES (?, 'received', ?, ?)"
_STATEMENT = (
    "SELECT operator, feed_size, root, rows_in, rows_out, report_digest, at FROM operator_act WHERE kind = 'stated'"
)


def _statement(row: Sequence[Any]) -> Statement:
    operator, feed_size, root, rows_in, rows_out, report_digest, at = row
    return Statement(operator, feed_size, root, rows_in, rows_out, report_digest, stated_at=parse_utc(at))
