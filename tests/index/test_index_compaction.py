"""Which ranges a build writes: nothing twice, nothing left out, few segments, every code written a few times only."""

from __future__ import annotations

import math
import random
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from index_answers import holds, manifest_of, opt_out
from index_corpus import NOON, add

from checker.index import compaction
from checker.index.build import build
from checker.index.compaction import Existing, Work, parts_of, plan_work
from checker.index.live import kind_folder
from checker.index.manifest import SegmentEntry
from checker.index.segment import Span
from checker.model import PHASH256
from checker.records.folder import DataFolder
from checker.settings import Settings

Row = tuple[int, int, int, bool]
"""Of a segment that is there: ids between it and the one before, ids that it spans, rows, and whether it must go."""
ROWS = st.one_of(st.integers(1, 5), st.integers(1, 2_000))
SEGMENTS = st.lists(st.tuples(st.sampled_from([0, 0, 0, 3]), st.integers(0, 50), ROWS, st.booleans()), max_size=12)


def existing_of(rows: Sequence[Row]) -> list[Existing]:
    """Segments one after the other."""
    existing, upto = [], 0
    for gap, more, count, must_go in rows:
        after, upto = upto + gap, upto + gap + count + more
        entry = SegmentEntry(f"{after}-{upto}.seg", count, count * 40, 0, after, upto)
        existing.append(Existing(entry, must_go))
    return existing


def ranges_of(work: Work) -> list[tuple[int, int]]:
    return sorted([(entry.after, entry.upto) for entry in work.keep] + [(span.after, span.upto) for span in work.write])


def rows_within(existing: Sequence[Existing], span: Span) -> int:
    return sum(one.entry.rows for one in existing if span.after <= one.entry.after and one.entry.upto <= span.upto)


@given(rows=SEGMENTS, gap=st.sampled_from([0, 0, 2]), new_rows=st.one_of(st.just(0), ROWS), full=st.booleans())
def test_every_id_lies_in_one_range_and_what_must_go_is_written_anew(
    rows: list[Row], gap: int, new_rows: int, full: bool
) -> None:
    existing = existing_of(rows)
    begin = (existing[-1].entry.upto if existing else 0) + gap
    new = Span(begin, begin + new_rows + 3)
    work = plan_work(existing, new, new_rows, full=full)
    ranges = ranges_of(work)
    assert all(one[1] <= following[0] for one, following in pairwise(ranges)), "ranges overlap"
    assert list(work.keep) == sorted(work.keep, key=lambda entry: entry.after)
    wanted = [(one.entry.after, one.entry.upto) for one in existing] + ([(new.after, new.upto)] if new_rows else [])
    for after, upto in wanted:
        assert sum(first <= after and upto <= last for first, last in ranges) == 1, "left out, or torn apart"
    kept = set(work.keep)
    assert kept <= {one.entry for one in existing if not one.must_go}
    if full:
        assert not kept
        assert len(work.write) <= 1


@given(rows=SEGMENTS)
def test_where_nothing_is_new_and_nothing_must_go_nothing_is_written(rows: list[Row]) -> None:
    existing = [Existing(one.entry, must_go=False) for one in existing_of(rows)]
    end = existing[-1].entry.upto if existing else 0
    assert plan_work(existing, Span(end, end + 5), 0, full=False) == Work(tuple(one.entry for one in existing), ())


@given(rows=SEGMENTS)
def test_what_must_go_alone_is_written_in_its_own_range(rows: list[Row]) -> None:
    existing = existing_of(rows)
    end = existing[-1].entry.upto if existing else 0
    work = plan_work(existing, Span(end, end), 0, full=False)
    assert work.write == tuple(Span(one.entry.after, one.entry.upto) for one in existing if one.must_go)


@given(rows=SEGMENTS, new_rows=ROWS, full=st.booleans(), rows_max=st.integers(1, 3_000), span_max=st.integers(1, 3_000))
def test_no_segments_are_put_together_that_make_too_large_a_one(
    rows: list[Row], new_rows: int, full: bool, rows_max: int, span_max: int
) -> None:
    existing = existing_of(rows)
    begin = existing[-1].entry.upto if existing else 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compaction, "ROWS_MAX", rows_max)
        patch.setattr(compaction, "SPAN_MAX", span_max)
        work = plan_work(existing, Span(begin, begin + new_rows), new_rows, full=full)
    for span in work.write:
        inside = [one for one in existing if span.after <= one.entry.after and one.entry.upto <= span.upto]
        is_new = span.upto > begin
        if len(inside) + is_new > 1:
            assert rows_within(existing, span) + new_rows * is_new <= rows_max
            assert span.upto - span.after <= span_max


# --- a life of many builds ---------------------------------------------------------------------------------------


def life(batches: Sequence[int]) -> Iterator[tuple[list[SegmentEntry], list[int]]]:
    """After each build: the segments, and how often the codes of each batch were written so far."""
    segments: list[SegmentEntry] = []
    ends: list[int] = []
    times: list[int] = []
    for rows in batches:
        begin = ends[-1] if ends else 0
        ends.append(begin + rows)
        times.append(0)
        existing = [Existing(entry, must_go=False) for entry in segments]
        work = plan_work(existing, Span(begin, begin + rows), rows, full=False)
        written = [SegmentEntry("", span.upto - span.after, 0, 0, span.after, span.upto) for span in work.write]
        for span in work.write:
            for number, end in enumerate(ends):
                times[number] += span.after < end <= span.upto
        segments = sorted((*work.keep, *written), key=lambda entry: entry.after)
        yield segments, times


@given(batches=st.lists(st.one_of(st.integers(1, 4), st.integers(1, 100_000)), min_size=1, max_size=80))
def test_there_are_few_segments_and_each_has_twice_the_rows_of_the_next(batches: list[int]) -> None:
    total = 0
    for rows, (segments, _) in zip(batches, life(batches), strict=True):
        total += rows
        assert sum(entry.rows for entry in segments) == total
        assert all(a.rows >= 2 * b.rows for a, b in pairwise(segments))
        assert len(segments) <= math.log2(total) + 1


@given(batches=st.lists(st.one_of(st.integers(1, 4), st.integers(1, 100_000)), min_size=1, max_size=80))
def test_a_code_is_written_about_as_often_as_its_number_doubles(batches: list[int]) -> None:
    """Whenever a segment is written anew, the one that it becomes part of is half as large again, or larger."""
    *_, (_, times) = life(batches)
    for rows, often in zip(batches, times, strict=True):
        assert often <= math.log(sum(batches) / rows, 1.5) + 1 + 1e-9


@pytest.mark.parametrize("builds", [1, 10, 100, 1000])
def test_equal_builds_write_each_code_as_often_as_the_logarithm_says(builds: int) -> None:
    *_, (segments, times) = life([65_536] * builds)
    assert len(segments) <= math.log2(builds) + 1
    assert max(times) <= math.log2(builds) + 1
    assert sum(times) / builds <= math.log2(builds) + 1


# --- ranges that are too large for one segment -------------------------------------------------------------------


@given(
    ids=st.sets(st.integers(1, 400), max_size=120),
    rows_max=st.integers(1, 50),
    span_max=st.integers(1, 500),
    after=st.integers(0, 100),
)
def test_a_range_is_cut_until_every_part_fits(ids: set[int], rows_max: int, span_max: int, after: int) -> None:
    ordered = sorted(ids)

    def count(span: Span) -> int:
        return bisect_right(ordered, span.upto) - bisect_right(ordered, span.after)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compaction, "ROWS_MAX", rows_max)
        patch.setattr(compaction, "SPAN_MAX", span_max)
        parts = list(parts_of(Span(after, 400), count))
    inside = [[one for one in ordered if span.after < one <= span.upto] for span, _ in parts]
    assert [one for some in inside for one in some] == [one for one in ordered if one > after]
    assert [rows for _, rows in parts] == [len(some) for some in inside]
    assert all(0 < rows <= rows_max and span.upto - span.after <= span_max for span, rows in parts)


# --- builds of a data folder -------------------------------------------------------------------------------------


def test_many_small_builds_and_one_full_one(tmp_path: Path) -> None:
    rng, stored = random.Random(1), {}
    with DataFolder.open(tmp_path, create=True) as folder:
        for size in (1, 1, 2, 9, 3, 1, 4, 20, 1):
            stored |= add(folder, [rng.randbytes(32) for _ in range(size)])
            build(folder, Settings(), now=NOON)
            entries = manifest_of(folder).segments
            assert all(a.rows >= 2 * b.rows for a, b in pairwise(entries))
        assert len(entries) > 1
        holds(folder, stored)
        (built, _) = sorted(build(folder, Settings(), now=NOON, full=True), key=lambda one: one.kind != PHASH256)
        assert (built.segments, built.written, built.codes) == (1, 42, 42)
        holds(folder, stored)


def test_a_build_that_has_nothing_to_do_leaves_every_file_alone(tmp_path: Path) -> None:
    with DataFolder.open(tmp_path, create=True) as folder:
        add(folder, [random.Random(1).randbytes(32) for _ in range(5)])
        build(folder, Settings(), now=NOON)
        before = {path: (path.stat().st_ino, path.read_bytes()) for path in kind_folder(tmp_path, PHASH256).iterdir()}
        assert all(built.written == 0 for built in build(folder, Settings(), now=NOON))
        assert before == {p: (p.stat().st_ino, p.read_bytes()) for p in kind_folder(tmp_path, PHASH256).iterdir()}


def test_segments_that_would_be_too_large_are_not_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compaction, "ROWS_MAX", 10)
    rng, stored = random.Random(1), {}
    with DataFolder.open(tmp_path, create=True) as folder:
        for size in (35, 4, 1, 25):
            stored |= add(folder, [rng.randbytes(32) for _ in range(size)])
            for full in (False, True):
                build(folder, Settings(), now=NOON, full=full)
                assert max(entry.rows for entry in manifest_of(folder).segments) <= 10
                holds(folder, stored)


def test_ids_that_lie_too_far_apart_for_one_segment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compaction, "SPAN_MAX", 16)
    rng = random.Random(1)
    with DataFolder.open(tmp_path, create=True) as folder:
        stored = add(folder, [rng.randbytes(32) for _ in range(40)])
        build(folder, Settings(), now=NOON)
        assert max(entry.upto - entry.after for entry in manifest_of(folder).segments) <= 16
        holds(folder, stored)


@pytest.mark.parametrize("gone", [1, 3, 9])
@pytest.mark.parametrize("newer", [1, 2, 30])
def test_new_codes_after_the_newest_ones_were_erased(tmp_path: Path, gone: int, newer: int) -> None:
    """The largest id of a stored code has sunk; that of a segment has not."""
    rng = random.Random(1)
    with DataFolder.open(tmp_path, create=True) as folder:
        stored = add(folder, [rng.randbytes(32) for _ in range(10)])
        build(folder, Settings(), now=NOON)
        erased = sorted(stored)[-gone:]
        folder.store.erase(list(folder.store.image_ids_of(erased).values()), now=NOON)
        stored = {code_id: code for code_id, code in stored.items() if code_id not in erased}
        for _ in range(2):
            build(folder, Settings(), now=NOON)
            holds(folder, stored)
            stored |= add(folder, [rng.randbytes(32) for _ in range(newer)])
        build(folder, Settings(), now=NOON)
        holds(folder, stored)


@pytest.mark.parametrize("before", [0, 20], ids=["at the first build", "at a later one"])
def test_where_all_that_is_new_is_hidden_it_is_found_though_no_segment_is_written(tmp_path: Path, before: int) -> None:
    rng, stored = random.Random(1), {}
    with DataFolder.open(tmp_path, create=True) as folder:
        if before:
            stored |= add(folder, [rng.randbytes(32) for _ in range(before)])
            build(folder, Settings(), now=NOON)
        stored |= add(folder, [rng.randbytes(32)])
        opt_out(folder, stored[max(stored)])
        for _ in range(2):
            build(folder, Settings(), now=NOON)
            assert sum(entry.rows for entry in manifest_of(folder).segments) == before
            holds(folder, stored)
        for full in (False, True):
            stored |= add(folder, [rng.randbytes(32) for _ in range(3)])
            build(folder, Settings(), now=NOON, full=full)
            holds(folder, stored)
