"""How long a host is left in peace."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.politeness import HostPace, read_retry_after
from crawler.settings import CrawlSettings

SETTINGS = CrawlSettings()


def test_the_least_pause_counts_from_the_end_of_the_answer() -> None:
    pace = HostPace().after_answer(now_s=100.0, duration_s=0.01, delay_min_s=1.0, settings=SETTINGS)
    assert pace.wait_s(100.0) == 1.0
    assert pace.wait_s(100.75) == 0.25
    assert pace.wait_s(200.0) == 0.0


def test_a_slow_host_rests_five_times_as_long_as_it_took() -> None:
    pace = HostPace().after_answer(now_s=0.0, duration_s=2.0, delay_min_s=1.0, settings=SETTINGS)
    assert pace.wait_s(0.0) == 10.0
    pace = HostPace().after_answer(now_s=0.0, duration_s=25.0, delay_min_s=1.0, settings=SETTINGS)
    assert pace.wait_s(0.0) == 30.0


def test_a_crawl_delay_is_kept_up_to_five_minutes() -> None:
    pace = HostPace().with_crawl_delay(20.0, SETTINGS)
    assert pace.after_answer(now_s=0.0, duration_s=0.1, delay_min_s=1.0, settings=SETTINGS).wait_s(0.0) == 20.0
    pace = HostPace().with_crawl_delay(9_999.0, SETTINGS)
    assert pace.after_answer(now_s=0.0, duration_s=0.1, delay_min_s=1.0, settings=SETTINGS).wait_s(0.0) == 300.0


def test_each_error_doubles_the_rest_and_a_success_ends_it() -> None:
    pace = HostPace()
    waits = []
    for _ in range(4):
        pace = pace.after_error(now_s=0.0, duration_s=0.001, delay_min_s=0.0, retry_after_s=None, settings=SETTINGS)
        waits.append(pace.wait_s(0.0))
    assert waits == [5.0, 10.0, 20.0, 40.0]
    assert pace.failures == 4
    pace = pace.after_answer(now_s=0.0, duration_s=0.1, delay_min_s=1.0, settings=SETTINGS)
    assert (pace.wait_s(0.0), pace.failures) == (1.0, 0)


def test_retry_after_lengthens_a_rest_and_never_shortens_it() -> None:
    def wait_s(retry_after_s: float) -> float:
        pace = HostPace().after_error(
            now_s=0.0, duration_s=0.1, delay_min_s=1.0, retry_after_s=retry_after_s, settings=SETTINGS
        )
        return pace.wait_s(0.0)

    assert wait_s(120.0) == 120.0
    assert wait_s(1.0) == 5.0


@given(st.floats(0, 30), st.floats(0, 60), st.lists(st.booleans(), max_size=8))
def test_an_error_never_raises_the_rate(duration_s: float, delay_min_s: float, errors: list[bool]) -> None:
    pace = HostPace()
    for error in errors:
        well = pace.after_answer(now_s=0.0, duration_s=duration_s, delay_min_s=delay_min_s, settings=SETTINGS)
        ill = pace.after_error(
            now_s=0.0, duration_s=duration_s, delay_min_s=delay_min_s, retry_after_s=None, settings=SETTINGS
        )
        assert ill.wait_s(0.0) >= well.wait_s(0.0) >= delay_min_s
        pace = ill if error else well


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("120", 120.0),
        (" 0120 ", 120.0),
        ("Sun, 22 Nov 2026 14:05:00 GMT", 120.0),
        ("99999999999999999999", 86_400.0),  # capped at a day
        ("Tue, 22 Nov 2033 14:03:00 GMT", 86_400.0),
        ("0", None),
        ("-5", None),
        ("1.5", None),
        ("Sun, 22 Nov 2026 13:00:00 GMT", None),  # past
        ("soon", None),
        ("", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str, expected: float | None, now: datetime) -> None:
    assert read_retry_after(value, now=now, settings=SETTINGS) == expected


@given(st.text(max_size=40))
def test_nonsense_in_retry_after_is_ignored(value: str) -> None:
    seconds = read_retry_after(value, now=datetime.fromisoformat("2026-11-22T14:03:00+00:00"), settings=SETTINGS)
    assert seconds is None or 0 < seconds <= 86_400
