"""Sizes, times and rates."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.requests import Request

from api.limits import DailyQuota, Gate, expected_bytes, network_of, read_body
from api.problems import ProblemError, ProblemKind
from checker.records.database import Durability, open_database
from checker.records.registry import Registry
from checker.records.registry_schema import REGISTRY

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def request_of(*chunks: bytes, headers: dict[str, str] | None = None, stall: bool = False) -> Request:
    """A request whose body arrives in these pieces, and with `stall` never ends."""
    waiting = list(chunks)

    async def receive() -> dict[str, object]:
        if waiting:
            return {"type": "http.request", "body": waiting.pop(0), "more_body": bool(waiting) or stall}
        await asyncio.Event().wait()
        raise AssertionError("not reached")

    raw = [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()]
    return Request({"type": "http", "method": "POST", "path": "/", "headers": raw}, receive)


SECRET = bytes(range(32))


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    with closing(Registry.open(tmp_path / "registry.db")) as opened:
        yield opened


def quota_of(registry: Registry, per_day_max: int) -> DailyQuota:
    return DailyQuota(registry, per_day_max, secret=SECRET)


def refused(read: Callable[[], object]) -> ProblemError:
    with pytest.raises(ProblemError) as caught:
        read()
    return caught.value


def test_a_body_within_the_limit_is_read_whole() -> None:
    assert asyncio.run(read_body(request_of(b"ab", b"cd", b"e"), bytes_max=5)) == b"abcde"


def test_a_body_that_declares_too_much_is_not_read_at_all() -> None:
    request = request_of(stall=True, headers={"Content-Length": "6"})
    assert refused(lambda: asyncio.run(read_body(request, bytes_max=5))).kind is ProblemKind.TOO_LARGE


def test_a_body_without_a_length_is_stopped_when_it_passes_the_limit() -> None:
    request = request_of(b"abc", b"def", stall=True)
    assert refused(lambda: asyncio.run(read_body(request, bytes_max=5))).kind is ProblemKind.TOO_LARGE


def test_a_body_that_does_not_arrive_in_time_is_given_up() -> None:
    request = request_of(b"a", stall=True)
    problem = refused(lambda: asyncio.run(read_body(request, bytes_max=5, seconds_max=0.02)))
    assert problem.kind is ProblemKind.TOO_SLOW


def test_two_work_thirty_two_wait_and_the_next_is_sent_away_at_once() -> None:
    async def fill() -> tuple[int, ProblemError]:
        gate = Gate(decodes_max=2, queue_max=32)
        done = asyncio.Event()
        working = 0

        async def one() -> AsyncIterator[None]:
            nonlocal working
            async with gate.place(), gate.work():
                working += 1
                await done.wait()
            yield

        async def run() -> None:
            async for _ in one():
                pass

        tasks = [asyncio.create_task(run()) for _ in range(34)]
        for _ in range(50):
            await asyncio.sleep(0)
        at_once = working
        with pytest.raises(ProblemError) as caught:
            async with gate.place():
                pass
        done.set()
        await asyncio.gather(*tasks)
        async with gate.place(), gate.work():  # everybody gave the place back
            pass
        return at_once, caught.value

    at_once, problem = asyncio.run(fill())
    assert at_once == 2
    assert problem.kind is ProblemKind.BUSY
    assert problem.retry_after_s == 5


def test_whoever_waits_too_long_for_a_turn_is_sent_away_and_takes_no_turn_along() -> None:
    async def run() -> ProblemKind:
        gate = Gate(decodes_max=1, wait_seconds_max=0.02)
        async with gate.place(), gate.work():
            with pytest.raises(ProblemError) as caught:
                async with gate.place(), gate.work():
                    raise AssertionError("not reached")
        async with gate.place(), gate.work():
            return caught.value.kind

    assert asyncio.run(run()) is ProblemKind.BUSY


def test_bodies_are_bounded_together_and_one_alone_always_passes() -> None:
    async def run() -> ProblemKind:
        gate = Gate(bytes_max=100)
        async with gate.place(500):
            pass
        async with gate.place(60), gate.place(40):
            with pytest.raises(ProblemError) as caught:
                async with gate.place(1):
                    pass
        async with gate.place(60), gate.place(40):  # everybody gave the bytes back
            return caught.value.kind

    assert asyncio.run(run()) is ProblemKind.BUSY


@pytest.mark.parametrize(
    ("headers", "expected"), [({"Content-Length": "7"}, 7), ({"Content-Length": "99"}, 50), ({}, 50)]
)
def test_a_body_of_unknown_length_counts_as_the_largest(headers: dict[str, str], expected: int) -> None:
    assert expected_bytes(request_of(b"", headers=headers), bytes_max=50) == expected


def test_the_day_is_over_at_midnight_utc(registry: Registry) -> None:
    quota = quota_of(registry, 20)
    for _ in range(20):
        quota.take("203.0.113.7", 1, now=NOON)
    problem = refused(lambda: quota.take("203.0.113.7", 1, now=NOON))
    assert problem.kind is ProblemKind.RATE_LIMITED
    assert problem.retry_after_s == 12 * 3600
    assert problem.detail == "Many opt-outs came from your connection today. You can go on in 12 hours."
    quota.take("203.0.113.7", 20, now=NOON + timedelta(hours=12))


def test_an_opt_out_of_many_photos_counts_as_many_all_or_nothing(registry: Registry) -> None:
    quota = quota_of(registry, 20)
    quota.take("203.0.113.7", 15, now=NOON)
    refused(lambda: quota.take("203.0.113.7", 6, now=NOON))
    quota.take("203.0.113.7", 5, now=NOON)


def test_a_64_bit_prefix_shares_one_count_and_another_has_its_own(registry: Registry) -> None:
    quota = quota_of(registry, 2)
    quota.take("2001:db8:1:2::1", 1, now=NOON)
    quota.take("2001:db8:1:2:ffff::9", 1, now=NOON)
    refused(lambda: quota.take("2001:db8:1:2:a::3", 1, now=NOON))
    quota.take("2001:db8:1:3::1", 2, now=NOON)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("testclient", "unknown"),
    ],
)
def test_what_is_counted_together(address: str, network: str) -> None:
    assert network_of(address) == network


def rows(path: Path) -> list[tuple[str, str, int]]:
    """What the counter left in the database, read beside the counter itself."""
    with closing(open_database(path / "registry.db", REGISTRY, durability=Durability.NEVER_FORGETS)) as database:
        return [tuple(row) for row in database.execute("SELECT day, subject, count FROM day_count").fetchall()]


def test_no_address_is_kept_and_the_pseudonym_changes_daily(registry: Registry, tmp_path: Path) -> None:
    quota = quota_of(registry, 20)
    quota.take("203.0.113.7", 3, now=NOON)
    ((day, first, count),) = rows(tmp_path)
    assert (day, count) == ("2026-11-22", 3)
    assert b"203.0.113.7" not in (tmp_path / "registry.db").read_bytes()
    quota.take("203.0.113.7", 1, now=NOON + timedelta(days=1))
    ((day, second, count),) = rows(tmp_path)
    assert (day, count) == ("2026-11-23", 1)
    assert first != second


def test_the_pseudonym_is_the_documented_hmac(registry: Registry, tmp_path: Path) -> None:
    """docs/api.md, "Limits", computed by openssl from the secret of this test."""
    quota_of(registry, 20).take("203.0.113.7", 1, now=NOON)
    ((_, subject, _),) = rows(tmp_path)
    assert subject == "fc15084f2237187d87e0f6ec17739a3f"


def test_two_processes_share_one_count_and_a_restart_forgets_nothing(registry: Registry, tmp_path: Path) -> None:
    with closing(Registry.open(tmp_path / "registry.db")) as of_another:
        quota_of(registry, 20).take("203.0.113.7", 15, now=NOON)
        refused(lambda: quota_of(of_another, 20).take("203.0.113.7", 6, now=NOON))
        quota_of(of_another, 20).take("203.0.113.7", 5, now=NOON)


def test_the_counts_of_a_day_go_when_the_next_begins(registry: Registry, tmp_path: Path) -> None:
    quota = quota_of(registry, 20)
    quota.take("203.0.113.7", 1, now=NOON)
    quota.forget(NOON)
    assert len(rows(tmp_path)) == 1
    quota.forget(NOON + timedelta(hours=12))
    assert rows(tmp_path) == []


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(amounts=st.lists(st.integers(1, 8), max_size=20))
def test_never_more_than_the_days_share_is_given_out(registry: Registry, amounts: list[int]) -> None:
    quota, used = quota_of(registry, 20), 0
    quota.forget(NOON + timedelta(days=1))  # what an earlier example counted
    for amount in amounts:
        try:
            quota.take("203.0.113.7", amount, now=NOON)
            used += amount
        except ProblemError:
            assert used + amount > 20
    assert used <= 20
