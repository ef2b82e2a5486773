"""What is said of operators: received, states, not heard from; never more than is known."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checker.keys import Scope, create_key, revoke_key
from checker.optout.operators import followers, operators_of
from checker.records.operators import Statement, acts_about, add_statement, record_received, statements
from checker.records.registry import Registry

DAY_1 = datetime(2026, 11, 22, 14, 3, 11, tzinfo=UTC)
DAY_4 = DAY_1 + timedelta(days=3)


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    opened = Registry.open(tmp_path / "registry.db")
    yield opened
    opened.close()


def statement(operator: str, size: int, at: datetime, digest: str = "ab" * 32) -> Statement:
    return Statement(operator, size, root="00" * 32, rows_in=10, rows_out=9, report_digest=digest, stated_at=at)


def words(registry: Registry, index: int | None, now: datetime = DAY_4) -> dict[str, str]:
    return {word.operator: word.sentence for word in operators_of(registry, index, now)}


def test_an_operator_is_not_heard_from_then_received_then_states(registry: Registry) -> None:
    create_key(registry, name="ACME", scopes=[Scope.FEED, Scope.HONOUR], now=DAY_1)
    assert words(registry, 7) == {"ACME": "not heard from"}
    record_received(registry, "ACME", start=0, end=8, now=DAY_1)
    assert words(registry, 7) == {"ACME": "received on 22 November 2026"}
    add_statement(registry, statement("ACME", 18_205, DAY_4))
    assert words(registry, 7) == {
        "ACME": "received on 22 November 2026; states that it acted up to entry 18,204 on 25 November 2026"
    }
    (word,) = operators_of(registry, 7, DAY_4)
    assert word.to_dict() == {
        "operator": "ACME",
        "received_on": "2026-11-22",
        "stated_on": "2026-11-25",
        "stated_size": 18205,
        "says": "received on 22 November 2026; states that it acted up to entry 18,204 on 25 November 2026",
    }


def test_a_list_of_n_entries_ends_with_entry_n_minus_1(registry: Registry) -> None:
    create_key(registry, name="ACME", scopes=[Scope.FEED], now=DAY_1)
    record_received(registry, "ACME", start=0, end=8, now=DAY_1)
    add_statement(registry, statement("ACME", 5, DAY_1))
    assert words(registry, 8) == {"ACME": "not heard from"}
    assert words(registry, 7) == {"ACME": "received on 22 November 2026"}
    assert words(registry, 5) == {"ACME": "received on 22 November 2026"}
    assert "states that it acted up to entry 4" in words(registry, 4)["ACME"]


def test_the_day_is_kept_and_not_the_hour(registry: Registry) -> None:
    record_received(registry, "ACME", start=0, end=8, now=DAY_1)
    assert acts_about(registry, 0)["ACME"].received_at == datetime(2026, 11, 22, tzinfo=UTC)


def test_the_first_time_counts(registry: Registry) -> None:
    create_key(registry, name="ACME", scopes=[Scope.HONOUR], now=DAY_1)
    for size, at, digest in ((8, DAY_1, "aa"), (20, DAY_4, "bb")):
        record_received(registry, "ACME", start=0, end=size, now=at)
        add_statement(registry, statement("ACME", size, at, digest * 32))
    assert words(registry, 7)["ACME"] == (
        "received on 22 November 2026; states that it acted up to entry 7 on 22 November 2026"
    )
    assert words(registry, 8)["ACME"] == (
        "received on 25 November 2026; states that it acted up to entry 19 on 25 November 2026"
    )


def test_pages_of_one_day_are_one_row_and_a_repeated_page_writes_nothing(registry: Registry) -> None:
    for start in range(0, 100_000, 10_000):
        record_received(registry, "ACME", start=start, end=start + 10_000, now=DAY_1)
    assert len(registry._rows("SELECT 1 FROM operator_act")) == 2, "where it began, and how far it came"
    before = registry.version()
    record_received(registry, "ACME", start=50_000, end=60_000, now=DAY_4)
    record_received(registry, "ACME", start=100_000, end=100_000, now=DAY_4)
    assert registry.version() == before
    assert acts_about(registry, 99_999)["ACME"].received_at == datetime(2026, 11, 22, tzinfo=UTC)


def test_a_gap_is_not_passed_over(registry: Registry) -> None:
    record_received(registry, "ACME", start=0, end=10, now=DAY_1)
    record_received(registry, "ACME", start=50, end=60, now=DAY_1)
    assert acts_about(registry, 20) == {}
    assert acts_about(registry, 55) == {}


def test_a_key_that_goes_on_in_the_middle_received_what_it_asked_for(registry: Registry) -> None:
    record_received(registry, "ACME 2027", start=40, end=60, now=DAY_1)
    assert acts_about(registry, 39) == {}
    assert list(acts_about(registry, 40)) == ["ACME 2027"]
    assert list(acts_about(registry, 59)) == ["ACME 2027"]


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=6))
def test_no_entry_is_called_received_that_was_in_no_page(pages: list[tuple[int, int]]) -> None:
    with TemporaryDirectory() as folder:
        registry = Registry.open(Path(folder) / "registry.db")
        for day, (start, count) in enumerate(pages):
            record_received(registry, "ACME", start=start, end=start + count, now=DAY_1 + timedelta(days=day))
        sent = {index for start, count in pages for index in range(start, start + count)}
        assert {index for index in range(26) if acts_about(registry, index)} <= sent
        registry.close()


def test_only_holders_of_a_key_for_feed_or_honour_are_listed(registry: Registry) -> None:
    for name, scope in (("feed", Scope.FEED), ("honour", Scope.HONOUR), ("bulk", Scope.BULK), ("gone", Scope.FEED)):
        create_key(registry, name=name, scopes=[scope], now=DAY_1)
    record_received(registry, "gone", start=0, end=8, now=DAY_1)
    revoke_key(registry, name="gone", now=DAY_1)
    assert list(words(registry, 0)) == ["feed", "honour"]


def test_a_key_that_ran_out_is_listed_only_where_its_holder_did_something(registry: Registry) -> None:
    for name in ("silent", "heard"):
        create_key(registry, name=name, scopes=[Scope.FEED], now=DAY_1, days=1)
    record_received(registry, "heard", start=0, end=8, now=DAY_1)
    assert list(words(registry, 0, now=DAY_1)) == ["heard", "silent"]
    assert list(words(registry, 0, now=DAY_4)) == ["heard"]


def test_of_a_held_opt_out_nobody_has_heard(registry: Registry) -> None:
    create_key(registry, name="ACME", scopes=[Scope.FEED], now=DAY_1)
    record_received(registry, "ACME", start=0, end=8, now=DAY_1)
    assert words(registry, None) == {"ACME": "not heard from"}


def test_followers_are_those_who_would_get_the_next_entry(registry: Registry) -> None:
    for name, scope in (("feed", Scope.FEED), ("honour", Scope.HONOUR), ("gone", Scope.FEED), ("silent", Scope.FEED)):
        create_key(registry, name=name, scopes=[scope], now=DAY_1)
    create_key(registry, name="ran out", scopes=[Scope.FEED], now=DAY_1, days=1)
    for name in ("feed", "gone", "ran out"):
        record_received(registry, name, start=0, end=5, now=DAY_1)
    record_received(registry, "feed", start=5, end=8, now=DAY_4)
    revoke_key(registry, name="gone", now=DAY_1)
    told = {one.operator: (one.size, one.received_at) for one in followers(registry, DAY_4)}
    assert told == {"feed": (8, datetime(2026, 11, 25, tzinfo=UTC)), "silent": (0, None)}


def test_a_follower_that_asks_again_has_got_nothing_new_since(registry: Registry) -> None:
    create_key(registry, name="ACME", scopes=[Scope.FEED], now=DAY_1)
    for start, end, at in ((40, 60, DAY_1), (60, 60, DAY_4), (40, 50, DAY_4)):
        record_received(registry, "ACME", start=start, end=end, now=at)
    (follower,) = followers(registry, DAY_4)
    assert (follower.size, follower.received_at) == (60, datetime(2026, 11, 22, tzinfo=UTC))


def test_a_statement_about_one_report_is_kept_once_an_operator(registry: Registry) -> None:
    first = add_statement(registry, statement("ACME", 8, DAY_1))
    again = add_statement(registry, statement("ACME", 8, DAY_4))
    other = add_statement(registry, statement("Other", 8, DAY_4))
    assert again == first
    assert statements(registry, count=10) == (other, first), "newest first"
    assert statements(registry, count=1) == (other,)
