"""checker/index/plan.py: cuts that find every near code, as cheaply as can be."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from checker.index.plan import BYTES_A_CODE_MAX, Plan, cost, flips, head_words, plan_for, radii, worth_probing

cuts = st.lists(st.integers(1, 20), min_size=1, max_size=16).map(lambda widths: Plan(sum(widths), tuple(widths)))


def test_pieces_follow_one_another() -> None:
    plan = Plan(64, (24, 22, 18))
    assert plan.starts == (0, 24, 46)
    assert plan.cell_starts == (0, 2**24 + 1, 2**24 + 2**22 + 2)
    assert plan.cells == 2**24 + 2**22 + 2**18 + 3


@pytest.mark.parametrize("widths", [(), (64, 0), (60, 3), (32, 32), (-1, 65)])
def test_pieces_that_make_no_code_are_refused(widths: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="64 bits"):
        Plan(64, widths)


@given(plan=cuts, distance=st.integers(0, 400), rows=st.one_of(st.none(), st.integers(0, 10**8)))
def test_radii_and_one_each_add_up_to_one_more_than_the_distance(plan: Plan, distance: int, rows: int | None) -> None:
    chosen = radii(plan, distance, rows)
    assert sum(radius + 1 for radius in chosen) == min(distance, plan.bits) + 1
    assert all(-1 <= radius <= width for radius, width in zip(chosen, plan.widths, strict=True))


@given(plan=cuts, data=st.data())
def test_whoever_is_within_the_distance_is_near_in_some_piece(plan: Plan, data: st.DataObject) -> None:
    flipped = data.draw(st.sets(st.integers(0, plan.bits - 1)))
    distance = data.draw(st.integers(len(flipped), plan.bits))
    differing = [
        sum(start <= bit < start + width for bit in flipped)
        for start, width in zip(plan.starts, plan.widths, strict=True)
    ]
    assert any(bits <= radius for bits, radius in zip(differing, radii(plan, distance), strict=True))


def test_radii_are_the_cheapest_there_are() -> None:
    plan, rows, distance = Plan(64, (20, 18, 14, 12)), 100_000, 9

    def price(chosen: tuple[int, ...]) -> float:
        pairs = zip(plan.widths, chosen, strict=True)
        return sum(math.comb(w, j) * (1 + rows / 2**w) for w, r in pairs for j in range(r + 1))

    every = [
        (a, b, c, distance - 3 - a - b - c)
        for a in range(-1, 10)
        for b in range(-1, 10)
        for c in range(-1, 10)
        if distance - 3 - a - b - c >= -1
    ]
    assert price(radii(plan, distance, rows)) == min(map(price, every))
    assert cost(plan, rows, distance) == pytest.approx(min(map(price, every)))


def test_a_negative_distance_is_refused() -> None:
    with pytest.raises(ValueError, match="-1"):
        radii(Plan(64, (22, 21, 21)), -1)


@pytest.mark.parametrize(("width", "radius"), [(1, 0), (1, 1), (5, 0), (8, 2), (9, 9), (12, 3), (16, 1)])
def test_flips_are_all_values_with_few_bits_in_rising_order(width: int, radius: int) -> None:
    expected = sorted(
        sum(1 << bit for bit in some) for r in range(radius + 1) for some in combinations(range(width), r)
    )
    found = flips(width, radius)
    assert found.tolist() == expected
    assert found.dtype == np.uint32
    assert not found.flags.writeable


def test_no_radius_means_nothing_to_flip() -> None:
    assert flips(20, -1).tolist() == []


def test_more_flips_than_memory_is_given_to_are_refused() -> None:
    with pytest.raises(ValueError, match="scan"):
        flips(28, 14)


@pytest.mark.parametrize(
    ("rows", "pieces", "at_most"),
    [(100_000, 17, 900), (1_000_000, 13, 2_800), (10_000_000, 11, 5_600), (100_000_000, 10, 21_000)],
)
def test_more_rows_are_cut_into_fewer_pieces(rows: int, pieces: int, at_most: int) -> None:
    plan = plan_for(rows, bits=256)
    assert plan is not None
    assert len(plan.widths) == pieces
    assert cost(plan, rows, 31) < at_most
    assert 36 + 4 * pieces + 4 * plan.cells / rows <= BYTES_A_CODE_MAX
    assert worth_probing(plan, rows, 31)


@pytest.mark.parametrize("rows", [150_000, 1_000_000, 7_000_000])
def test_a_plan_is_cheaper_than_any_even_cut_of_its_size(rows: int) -> None:
    plan = plan_for(rows, bits=256)
    assert plan is not None
    for pieces in range(10, 32):
        width, wider = divmod(256, pieces)
        even = Plan(256, (width + 1,) * wider + (width,) * (pieces - wider))
        if 36 + 4 * pieces + 4 * even.cells / rows <= BYTES_A_CODE_MAX:
            assert cost(plan, rows, 31) <= cost(even, rows, 31)


@pytest.mark.parametrize(("rows", "bits"), [(0, 256), (99_999, 256), (10_000_000, 512)])
def test_few_rows_and_long_codes_are_scanned(rows: int, bits: int) -> None:
    assert plan_for(rows, bits=bits) is None


def test_a_distance_that_no_cut_can_serve_is_scanned() -> None:
    assert plan_for(1_000_000, bits=64) is None
    assert plan_for(1_000_000, bits=64, distance_bits_max=3) is not None


def test_large_distances_are_scanned_and_small_ones_are_not() -> None:
    plan = plan_for(1_000_000, bits=256)
    assert plan is not None
    worth = [worth_probing(plan, 1_000_000, distance) for distance in range(257)]
    assert all(worth[:32])
    assert not any(worth[64:])


@pytest.mark.parametrize(("words", "distance", "head"), [(4, 31, 2), (8, 150, 6), (4, 0, 1), (4, 100, 4), (1, 5, 1)])
def test_a_scan_looks_at_part_of_a_code_first(words: int, distance: int, head: int) -> None:
    assert head_words(words, distance) == head
