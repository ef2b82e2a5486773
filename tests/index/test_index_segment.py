"""A segment answers as a scan of its codes does, however they are cut, and keeps their ids."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from index_segments import (
    Stored,
    flips,
    near_of,
    nearest_of,
    search_with,
    segment_of,
    span_of,
    tables_always_asked,
)

from checker.index.plan import Plan
from checker.index.segment import ROWS_MAX, SPAN_MAX, CountChangedError, Segment, Span, write_segment

PLANS = {
    "64 bits, scanned": (64, None),
    "64 bits in 8 pieces": (64, Plan(64, (8,) * 8)),
    "64 bits in uneven pieces": (64, Plan(64, (10, 1, 12, 3, 11, 12, 7, 8))),
    "256 bits, scanned": (256, None),
    "256 bits in 22 pieces": (256, Plan(256, (12,) * 20 + (8,) * 2)),
    "256 bits in 32 pieces": (256, Plan(256, (8,) * 32)),
    "512 bits, scanned": (512, None),
}


@pytest.fixture(params=["numpy", "compiled"])
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    return search_with(request.param, monkeypatch)


@pytest.mark.parametrize("name", PLANS)
@settings(max_examples=40)
@given(seed=st.integers(0, 2**32), rows=st.one_of(st.integers(0, 5), st.integers(6, 300)), radius=st.integers(0, 64))
def test_a_segment_finds_what_a_scan_finds(name: str, seed: int, rows: int, radius: int) -> None:
    bits, plan = PLANS[name]
    stored = Stored.drawn(seed, rows, bits)
    rng = np.random.default_rng(seed)
    asked = (stored.words[rng.integers(0, rows, 3)] if rows else np.zeros((3, bits // 64), np.uint64)) ^ flips(
        rng, 3, bits
    )
    with segment_of(stored, plan) as segment:
        assert near_of(segment.near(asked, distance_bits_max=radius)) == stored.near(asked, radius)
        with tables_always_asked():
            assert near_of(segment.near(asked, distance_bits_max=radius)) == stored.near(asked, radius)
        for count in (1, rows // 2 + 1, rows + 1):
            assert nearest_of(segment.nearest(asked, count=count)) == stored.nearest(asked, count)
        assert (segment.rows, segment.code_ids.tolist()) == (rows, stored.ids)
        assert np.array_equal(segment.words, stored.words)


@pytest.mark.parametrize("name", PLANS)
def test_every_radius_from_none_to_all_bits_is_right(name: str, engine: str) -> None:
    bits, plan = PLANS[name]
    stored = Stored.drawn(1, 120, bits)
    asked = stored.words[[3, 50]] ^ flips(np.random.default_rng(2), 2, bits)
    with segment_of(stored, plan) as segment:
        for radius in (*range(65), bits // 2, bits - 1, bits):
            assert near_of(segment.near(asked, distance_bits_max=radius)) == stored.near(asked, radius), engine
            if radius <= 64:
                with tables_always_asked():
                    assert near_of(segment.near(asked, distance_bits_max=radius)) == stored.near(asked, radius)


@pytest.mark.parametrize("name", ["64 bits in 8 pieces", "256 bits in 22 pieces"])
def test_codes_that_are_all_the_same_are_all_found(name: str, engine: str) -> None:
    bits, plan = PLANS[name]
    stored = Stored(list(range(1, 5_001)), np.full((5_000, bits // 64), 0xF0F0, np.uint64))
    asked = np.full((2, bits // 64), 0xF0F0, np.uint64)
    asked[1] ^= np.uint64(1)
    with segment_of(stored, plan) as segment, tables_always_asked():
        for radius in (0, 1, 31):
            assert near_of(segment.near(asked, distance_bits_max=radius)) == stored.near(asked, radius), engine
        assert nearest_of(segment.nearest(asked, count=3)) == [(0, 1, 0), (0, 2, 0), (0, 3, 0)]


def test_a_segment_that_is_large_enough_looks_into_its_tables_by_itself(engine: str) -> None:
    stored = Stored.drawn(5, 6_000, 256)
    asked = stored.words[[7, 4_000, 5_999]] ^ flips(np.random.default_rng(5), 3, 256)
    plan = PLANS["256 bits in 22 pieces"][1]
    with segment_of(stored, plan) as segment:
        for radius in (0, 8, 20, 31):
            assert near_of(segment.near(asked, distance_bits_max=radius)) == stored.near(asked, radius), engine


def test_nothing_is_asked_and_nothing_found(engine: str) -> None:
    none = np.empty((0, 4), np.uint64)
    with segment_of(Stored.drawn(1, 50, 256), PLANS["256 bits in 22 pieces"][1]) as segment, tables_always_asked():
        assert near_of(segment.near(none, distance_bits_max=31)) == []
        assert nearest_of(segment.nearest(none, count=5)) == []


# --- ids ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("after", [0, 2**32 - 3, 2**32, 2**40 - 7, 2**40, 2**62])
def test_ids_come_back_however_large_they_are(after: int) -> None:
    stored = Stored.drawn(3, 40, 64, after=after)
    with segment_of(stored, None, after=after) as segment:
        assert segment.code_ids.tolist() == stored.ids
        hits = segment.near(stored.words[[7]], distance_bits_max=0)
        assert stored.ids[7] in hits.code_ids.tolist()
        assert segment.span == Span(after, stored.ids[-1])


def test_a_segment_may_span_as_many_ids_as_32_bits_tell_apart_and_no_more(tmp_path: Path) -> None:
    after = 2**40
    ids, words = np.array([after + 1, after + SPAN_MAX]), np.array([[5], [6]], np.uint64)
    write_segment(tmp_path / "a.seg", Span(after, after + SPAN_MAX), [(ids, words)], rows=2, bits=64)
    with closing(Segment(tmp_path / "a.seg")) as segment:
        assert segment.code_ids.tolist() == ids.tolist()
        assert segment.count_of(np.array([after, after + 1, after + SPAN_MAX, after + SPAN_MAX + 1])) == 2
    with pytest.raises(ValueError, match="is too large"):
        write_segment(tmp_path / "b.seg", Span(after, after + SPAN_MAX + 1), [(ids, words)], rows=2, bits=64)
    with pytest.raises(ValueError, match="is too large"):
        write_segment(tmp_path / "b.seg", Span(0, 1), [], rows=ROWS_MAX + 1, bits=64)
    assert [file.name for file in tmp_path.iterdir()] == ["a.seg"]


@settings(max_examples=40)
@given(seed=st.integers(0, 2**32), rows=st.integers(0, 60), asked=st.sets(st.integers(0, 300)))
def test_how_many_of_some_ids_it_holds(seed: int, rows: int, asked: set[int]) -> None:
    after = 100
    stored = Stored.drawn(seed, rows, 64, after=after)
    with segment_of(stored, None, after=after) as segment:
        assert segment.count_of(np.array(sorted(asked), dtype=np.int64)) == len(asked & set(stored.ids))


# --- blocks that are not what was counted ------------------------------------------------------------------------


@pytest.mark.parametrize("plan", [None, Plan(64, (8,) * 8)], ids=["scanned", "in pieces"])
@pytest.mark.parametrize("counted", [0, 1, 9, 11, 1000])
def test_blocks_that_hold_more_or_less_than_was_counted_leave_no_file(
    tmp_path: Path, counted: int, plan: Plan | None
) -> None:
    stored = Stored.drawn(1, 10, 64)
    with pytest.raises(CountChangedError, match=f"{counted}"):
        write_segment(tmp_path / "a.seg", span_of(stored, 0), stored.blocks(), rows=counted, bits=64, plan=plan)
    assert list(tmp_path.iterdir()) == []


def test_progress_rises_to_the_end(tmp_path: Path) -> None:
    stored, told = Stored.drawn(1, 100, 64), [0.0]
    plan = PLANS["64 bits in 8 pieces"][1]
    write_segment(
        tmp_path / "a.seg", span_of(stored, 0), stored.blocks(), rows=100, bits=64, plan=plan, progress=told.append
    )
    assert told == sorted(told)
    assert told[-1] == 1.0
