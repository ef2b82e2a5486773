"""By which day an entry came to a follower, and how long it had waited when a row was dropped for it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checker.optout.arrivals import Arrivals, arrivals_document, days_waited, read_arrivals, with_arrival

MONDAY = datetime(2026, 11, 16, 9, 0, tzinfo=UTC)


def grown(*sizes: int) -> Arrivals:
    """A log of these sizes on one day after the other."""
    arrivals: Arrivals = ()
    for day, size in enumerate(sizes):
        arrivals = with_arrival(arrivals, size, MONDAY + timedelta(days=day))
    return arrivals


def test_an_entry_came_on_the_first_day_whose_checkpoint_covers_it() -> None:
    arrivals = grown(2, 5, 5, 9)
    assert arrivals == ((2, date(2026, 11, 16)), (5, date(2026, 11, 17)), (9, date(2026, 11, 19)))
    friday = MONDAY + timedelta(days=4)
    # Entry 1 came on Monday, 2 on Tuesday, 8 on Thursday: 4, 3 and 1 days.
    assert days_waited(arrivals, {1, 2, 8}, friday) == {"median": 3, "max": 4, "entries": 3, "since": "2026-11-16"}


def test_two_syncs_of_one_day_are_one() -> None:
    once = with_arrival((), 2, MONDAY)
    assert with_arrival(once, 7, MONDAY + timedelta(hours=9)) == ((7, date(2026, 11, 16)),)


def test_of_entries_that_never_came_nothing_is_told() -> None:
    assert days_waited(grown(2), {2}, MONDAY) is None
    assert days_waited((), {0}, MONDAY) is None
    assert days_waited(grown(2), set(), MONDAY) is None


@given(st.lists(st.integers(0, 1000), max_size=20))
def test_what_is_written_is_read_back(sizes: list[int]) -> None:
    arrivals = grown(*sizes)
    assert read_arrivals(arrivals_document(arrivals)) == arrivals


@pytest.mark.parametrize(
    "document",
    [
        None,
        7,
        [[1]],
        [["1", "2026-11-16"]],
        [[2, "2026-11-16"], [1, "2026-11-17"]],
        [[1, "yesterday"]],
        [[-1, "2026-11-16"]],
    ],
)
def test_another_form_is_as_if_missing(document: object) -> None:
    assert read_arrivals(document) == ()
