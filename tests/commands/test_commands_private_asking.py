"""What of a photo may be shown, and which rows are near: compared with plain Python."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from checker.fingerprint import question_of
from checker.fingerprint.asked import AskedCode, Question
from checker.index.halves import half_codes
from checker.model import Variant
from checker.private_check.asking import AskedHalves, NearRow, asked_halves, near_rows
from checker.report import MatchKind, Orientation
from checker.settings import Settings

SKETCH_BITS = (10, 23, 27, 40, 44, 53, 55, 70, 85, 102, 113, 130, 145, 147, 162, 213)


def asked(*codes: AskedCode) -> AskedHalves:
    return AskedHalves(codes, half_codes(b"".join(code.bits for code in codes)))


def sketch_of(code: bytes) -> int:
    value = int.from_bytes(code)
    return int("".join(str(value >> (255 - bit) & 1) for bit in SKETCH_BITS), 2)


def flipped(half: bytes, bits: int) -> bytes:
    """With the last `bits` bits changed."""
    return (int.from_bytes(half) ^ ((1 << bits) - 1)).to_bytes(16)


@pytest.fixture
def question(images: Path) -> Question:
    found = question_of((images / "coffee.jpg").read_bytes(), Settings(robust="off"))
    assert isinstance(found, Question)
    return found


def test_four_sketches_are_shown_in_rising_order_the_photo_as_it_lies_among_them(question: Question) -> None:
    codes = {(code.variant, code.orientation): code.bits for code in reversed(question.codes)}  # the first of each
    shown = asked_halves(question).shown()
    wanted = [
        (Variant.WHOLE, Orientation.AS_IS),
        (Variant.INNER, Orientation.AS_IS),  # the table around the cup passes for a frame
        (Variant.WHOLE, Orientation.MIRRORED),
        (Variant.CROP_1X1, Orientation.AS_IS),
    ]
    assert list(shown) == sorted(sketch_of(codes[one]) for one in wanted)


def test_upside_down_is_compared_with_the_same_half(question: Question) -> None:
    """Turning by 180 degrees flips the signs of odd row + column, which are in the other half."""
    turns = {code.orientation: code.bits for code in question.codes if code.variant is Variant.WHOLE}
    as_is, upside_down = (half_codes(turns[t])[0] for t in (Orientation.AS_IS, Orientation.TURNED_180))
    assert int(np.bitwise_count(as_is ^ upside_down).sum()) <= 4
    assert Orientation.TURNED_180 not in {code.orientation for code in asked_halves(question).codes}


@given(st.lists(st.binary(min_size=32, max_size=32), max_size=12))
def test_no_more_than_four_sketches_and_none_twice(codes: list[bytes]) -> None:
    shown = asked(*(AskedCode(code, Orientation.AS_IS) for code in codes)).shown()
    assert len(shown) == len(set(shown)) == min(4, len({sketch_of(code) for code in codes}))
    assert set(shown) <= {sketch_of(code) for code in codes}


@given(
    st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=4),
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 40)), max_size=12),
)
def test_rows_within_22_bits_are_near_and_told_nearest_first(codes: list[bytes], far: list[tuple[int, int]]) -> None:
    halves = [half_codes(code)[0].tobytes() for code in codes]
    rows = [flipped(halves[number % len(halves)], bits) for number, bits in far]
    plain = sorted(min((int.from_bytes(row) ^ int.from_bytes(h)).bit_count() for h in halves) for row in rows)
    array = np.frombuffer(b"".join(rows), dtype=np.uint8).reshape(-1, 16)
    near = near_rows(asked(*(AskedCode(code, Orientation.AS_IS) for code in codes)), array)
    assert [row.distance_bits for row in near] == [bits for bits in plain if bits <= 22]
    assert all((row.kind is MatchKind.POSSIBLE) == (row.distance_bits > 18) for row in near)


@pytest.mark.parametrize(
    ("variant", "turn", "bits", "kind"),
    [
        (Variant.WHOLE, Orientation.AS_IS, 18, MatchKind.SAME),
        (Variant.WHOLE, Orientation.AS_IS, 19, MatchKind.POSSIBLE),
        (Variant.WHOLE, Orientation.AS_IS, 22, MatchKind.POSSIBLE),
        (Variant.WHOLE, Orientation.AS_IS, 23, None),
        (Variant.TRIMMED, Orientation.AS_IS, 0, MatchKind.SAME),
        (Variant.WHOLE, Orientation.MIRRORED, 18, MatchKind.EDITED),
        (Variant.TRIMMED, Orientation.AS_IS, 15, MatchKind.POSSIBLE),
        (Variant.CROP_1X1, Orientation.AS_IS, 14, MatchKind.EDITED),
        (Variant.CROP_1X1, Orientation.AS_IS, 18, MatchKind.POSSIBLE),
        (Variant.CROP_1X1, Orientation.AS_IS, 19, None),
        (Variant.INNER_2, Orientation.AS_IS, 19, None),
    ],
)
def test_a_part_has_to_be_nearer_than_the_whole(
    variant: Variant, turn: Orientation, bits: int, kind: MatchKind | None
) -> None:
    code = bytes(range(32))
    row = np.frombuffer(flipped(half_codes(code)[0].tobytes(), bits), dtype=np.uint8).reshape(1, 16)
    near = near_rows(asked(AskedCode(code, turn, variant)), row)
    assert near == ((NearRow(kind, turn, None, bits),) if kind else ())
