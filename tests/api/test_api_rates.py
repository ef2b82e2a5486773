"""How many look-ups one network may make."""

from __future__ import annotations

import itertools
import stat
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import http_sf
import pytest
from api_service import JPEG, Clock
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.testclient import TestClient

from api.app import Serving, create_app
from api.problems import ProblemError
from api.rates import LOOK_UPS, SHARED_FILE, LookUpLimit, Rate
from checker.errors import DataError
from checker.settings import Settings

pytest_plugins = ("api_service",)
NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SECRET = bytes(range(32))
EXAMPLE = itertools.count()
THREE = Rate(burst=3, per_hour=60)


def of(address: str, **headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": "POST", "path": "/", "headers": raw, "client": (address, 1)})


def opened(folder: Path, rate: Rate = THREE) -> LookUpLimit:
    return LookUpLimit(folder, rate, secret=SECRET)


@pytest.fixture
def limit(tmp_path: Path) -> Iterator[LookUpLimit]:
    with closing(opened(tmp_path)) as one:
        yield one


def passes(limit: LookUpLimit, address: str, now: datetime = NOON) -> bool:
    try:
        limit.take(of(address), now=now)
    except ProblemError:
        return False
    return True


def test_the_fifty_photos_of_a_household_pass_at_once_and_again_a_minute_later(tmp_path: Path) -> None:
    with closing(opened(tmp_path, LOOK_UPS)) as limit:
        for minute in range(5):
            at = NOON + timedelta(minutes=minute)
            assert all(passes(limit, "203.0.113.7", at) for _ in range(50))


def test_after_the_burst_each_has_to_wait_for_the_next_share(limit: LookUpLimit) -> None:
    assert [passes(limit, "203.0.113.7") for _ in range(4)] == [True, True, True, False]
    with pytest.raises(ProblemError) as caught:
        limit.take(of("203.0.113.7"), now=NOON + timedelta(seconds=20))
    assert caught.value.retry_after_s == 40  # one a minute
    assert not passes(limit, "203.0.113.7", NOON + timedelta(seconds=59))
    assert passes(limit, "203.0.113.7", NOON + timedelta(seconds=60))
    assert not passes(limit, "203.0.113.7", NOON + timedelta(seconds=61))


def test_whoever_rests_has_the_whole_burst_again_and_no_more(limit: LookUpLimit) -> None:
    assert [passes(limit, "203.0.113.7") for _ in range(4)] == [True, True, True, False]
    later = NOON + timedelta(hours=3)
    assert [passes(limit, "203.0.113.7", later) for _ in range(4)] == [True, True, True, False]


def test_a_64_bit_prefix_shares_one_count_and_another_has_its_own(limit: LookUpLimit) -> None:
    addresses = [f"2001:db8:1:2::{number}" for number in range(1, 5)]
    assert [passes(limit, address) for address in addresses] == [True, True, True, False]
    assert passes(limit, "2001:db8:1:3::1")
    assert passes(limit, "203.0.113.7")


def test_two_processes_share_one_count_and_a_restart_forgets_nothing(limit: LookUpLimit, tmp_path: Path) -> None:
    assert passes(limit, "203.0.113.7")
    with closing(opened(tmp_path)) as another:
        assert passes(another, "203.0.113.7")
    with closing(opened(tmp_path)) as third:
        assert passes(third, "203.0.113.7")
        assert not passes(limit, "203.0.113.7")


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
def test_this_machine_itself_is_not_counted_but_what_a_proxy_on_it_passes_on_is(
    limit: LookUpLimit, address: str
) -> None:
    assert all(limit.take(of(address), now=NOON) == {} for _ in range(10))
    for header in ("x_forwarded_for", "forwarded"):
        assert limit.take(of(address, **{header: "anything"}), now=NOON)
    limit.take(of(address, forwarded=""), now=NOON)
    with pytest.raises(ProblemError):
        limit.take(of(address, forwarded="for=198.51.100.1"), now=NOON)


def test_no_address_is_kept_the_file_is_private_and_the_next_day_empties_it(limit: LookUpLimit, tmp_path: Path) -> None:
    path = tmp_path / SHARED_FILE
    for _ in range(4):
        passes(limit, "203.0.113.7")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    held = path.read_bytes()
    assert b"203.0.113" not in held
    assert bytes([203, 0, 113, 7]) not in held
    assert len(held.replace(b"\0", b"")) > 16
    passes(limit, "198.51.100.1", NOON + timedelta(hours=12))
    pseudonyms = [held[at : at + 16] for at in range(8, len(held), 24) if held[at : at + 16] != bytes(16)]
    assert len(pseudonyms) == 1
    assert pseudonyms[0] not in path.read_bytes()


@pytest.mark.parametrize("content", [b"", b"x", b"\xff" * (8 + 65_536 * 24), b"\x7f" * 2_000_000])
def test_whatever_stands_in_the_file_nobody_waits_longer_than_for_one_burst(tmp_path: Path, content: bytes) -> None:
    (tmp_path / SHARED_FILE).write_bytes(content)
    with closing(opened(tmp_path)) as limit:
        assert passes(limit, "203.0.113.7")


def test_a_clock_that_is_set_back_locks_nobody_out(limit: LookUpLimit) -> None:
    for _ in range(4):
        passes(limit, "203.0.113.7", NOON + timedelta(hours=11))
    with pytest.raises(ProblemError) as caught:
        limit.take(of("203.0.113.7"), now=NOON)
    assert caught.value.retry_after_s == 60


def test_more_networks_than_there_is_room_for_forget_those_that_rested_longest(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as limit:
        assert all(passes(limit, f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}") for n in range(20_000))
    assert (tmp_path / SHARED_FILE).stat().st_size < 2_000_000


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / SHARED_FILE).mkdir()
    with pytest.raises(DataError, match="check space and permissions"):
        opened(tmp_path)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pauses=st.lists(st.floats(0, 200), max_size=60))
def test_never_more_than_the_burst_and_what_became_free_meanwhile(limit: LookUpLimit, pauses: list[float]) -> None:
    address = f"10.0.0.{next(EXAMPLE)}"  # each example has a network of its own in the one file
    now, passed = NOON, 0
    for pause_s in pauses:
        now += timedelta(seconds=pause_s)
        passed += passes(limit, address, now)
        assert passed <= THREE.burst + (now - NOON).total_seconds() / THREE.share_s + 1e-3
        assert passed >= 1, "the first is never refused"


def told(limit: LookUpLimit, address: str, now: datetime) -> tuple[int, int, bool]:
    """What RateLimit says is left and when there is more, in seconds; and whether this one passed."""
    wait_s = None
    try:
        headers = limit.take(of(address), now=now)
    except ProblemError as error:
        headers, wait_s = error.headers, error.retry_after_s
    ((name, parameters),) = http_sf.parse(headers["RateLimit"].encode(), tltype="list")
    assert name == "look-ups"
    assert wait_s is None or wait_s >= parameters["t"]
    return parameters["r"], parameters["t"], wait_s is None


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pauses=st.lists(st.integers(0, 2_000_000), max_size=12), per_hour=st.sampled_from([60, 3600, 7000]))
def test_who_waits_as_long_as_it_says_has_one_more(tmp_path: Path, pauses: list[int], per_hour: int) -> None:
    """draft-ietf-httpapi-ratelimit-headers-10, 4.1: r is what is left, t the seconds until there is more.

    6: what Retry-After says is no earlier than t.
    """
    address, now = f"10.0.0.{next(EXAMPLE)}", NOON
    with closing(opened(tmp_path, Rate(burst=3, per_hour=per_hour))) as limit:
        left, more_s, _ = told(limit, address, now)
        for pause_us in pauses:
            now += timedelta(microseconds=pause_us)
            left, more_s, passed = told(limit, address, now)
            assert more_s >= 1
            assert passed or left == 0
        after, _, passed = told(limit, address, now + timedelta(seconds=more_s))
        assert passed
        assert after >= left


def test_over_http_it_says_what_is_left_and_when_to_come_back(corpus: Path, clock: Clock, chelsea: bytes) -> None:
    serving = Serving(look_ups=Rate(burst=2, per_hour=60))
    app = create_app(corpus, Settings(), clock=clock, serving=serving)
    with TestClient(app, base_url="http://127.0.0.1", client=("203.0.113.7", 50_000)) as client:
        first, second, third = (client.post("/v1/lookups", content=chelsea, headers=JPEG) for _ in range(3))
        assert client.get("/v1/stats").status_code == 200, "only look-ups are counted"
    assert [answer.status_code for answer in (first, second, third)] == [200, 200, 429]
    problem = third.json()
    assert (problem["type"], problem["status"]) == ("/problems/rate-limited", 429)
    assert third.headers["Retry-After"] == "60"
    for answer, left, seconds in ((first, 1, 60), (second, 0, 60), (third, 0, 60)):
        policy = http_sf.parse(answer.headers["RateLimit-Policy"].encode(), tltype="list")
        state = http_sf.parse(answer.headers["RateLimit"].encode(), tltype="list")
        assert policy == [("look-ups", {"q": 2, "w": 120})]
        assert state == [("look-ups", {"r": left, "t": seconds})]
