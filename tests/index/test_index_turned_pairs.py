"""All pairs of questions and stored codes that are near in some orientation: by pieces as by looking at all."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from checker.fingerprint.cosine import turned_bits
from checker.index import turned_pairs
from checker.index.turned import compiled_loops
from checker.index.turned_blocks import Words
from checker.index.turned_pairs import TooManyPairsError, TurnedPairs


@pytest.fixture(params=["numpy", "compiled"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    compiled = request.param == "compiled"
    assert not compiled or compiled_loops(), "the extra `fast` is installed for tests"
    monkeypatch.setattr(turned_pairs, "loops_for", lambda _: compiled_loops() if compiled else None)
    return str(request.param)


def words_of(codes: list[bytes]) -> Words:
    return np.frombuffer(b"".join(codes), dtype=np.uint64).reshape(-1, 4)


def moved(bits: bytes, flips: int, draw: random.Random) -> bytes:
    return (int.from_bytes(bits) ^ sum(1 << place for place in draw.sample(range(256), flips))).to_bytes(32)


def bits_apart(one: bytes, other: bytes) -> int:
    return (int.from_bytes(one) ^ int.from_bytes(other)).bit_count()


def by_looking_at_all(asked: list[bytes], stored: list[bytes], radius: int) -> list[tuple[int, int]]:
    return [
        (number, row)
        for number, question in enumerate(asked)
        for row, code in enumerate(stored)
        if any(bits_apart(turn, code) <= radius for turn in turned_bits(question))
    ]


@pytest.mark.parametrize("radius", [0, 15, 31])
def test_pairs_are_those_of_looking_at_all(way: str, radius: int) -> None:
    draw = random.Random(radius)
    stored = [draw.randbytes(32) for _ in range(300)]
    stored += [moved(draw.choice(stored), draw.randint(0, radius), draw) for _ in range(100)]
    asked = [moved(draw.choice(turned_bits(draw.choice(stored))), draw.randint(0, radius + 3), draw) for _ in range(90)]
    asked += [draw.randbytes(32) for _ in range(10)]
    table = TurnedPairs()
    table.add(words_of(stored[:250]))
    table.add(words_of(stored[250:]))
    numbers, rows = table.near(words_of(asked), distance_bits_max=radius, pairs_max=1_000)
    assert list(zip(numbers.tolist(), rows.tolist(), strict=True)) == by_looking_at_all(asked, stored, radius)


@given(st.lists(st.binary(min_size=32, max_size=32), max_size=6), st.lists(st.binary(min_size=32, max_size=32)))
def test_pairs_of_any_bytes_are_those_of_looking_at_all(asked: list[bytes], stored: list[bytes]) -> None:
    table = TurnedPairs()
    table.add(words_of(stored))
    numbers, rows = table.near(words_of(asked), distance_bits_max=31, pairs_max=1_000)
    assert list(zip(numbers.tolist(), rows.tolist(), strict=True)) == by_looking_at_all(asked, stored, 31)


def test_a_piece_with_more_pairs_than_there_was_room_for_gives_all(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turned_pairs, "_ROOM", 3)
    code = random.Random(1).randbytes(32)
    table = TurnedPairs()
    table.add(words_of([code] * 20))
    numbers, rows = table.near(words_of([code, code]), distance_bits_max=7, pairs_max=1_000)
    assert (numbers.tolist(), rows.tolist()) == ([0] * 20 + [1] * 20, [*range(20)] * 2)


def test_more_pairs_than_are_held_are_refused(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turned_pairs, "_ROOM", 1)
    code = random.Random(1).randbytes(32)
    table = TurnedPairs()
    table.add(words_of([code] * 20))
    with pytest.raises(TooManyPairsError):
        table.near(words_of([code, code]), distance_bits_max=7, pairs_max=19)
    assert len(table.near(words_of([code]), distance_bits_max=7, pairs_max=20)[0]) == 20


def test_distances_are_taken_as_codes_lie() -> None:
    draw = random.Random(2)
    stored, asked = [draw.randbytes(32) for _ in range(5)], [draw.randbytes(32) for _ in range(2)]
    table = TurnedPairs()
    table.add(words_of(stored))
    pairs = words_of(asked * 2).reshape(2, 2, 4)
    expected = [[bits_apart(stored[row], one) for one in asked] for row in (4, 0)]
    assert table.distances(np.array([4, 0]), pairs).tolist() == expected


def test_a_radius_that_pieces_do_not_find_is_refused() -> None:
    with pytest.raises(ValueError, match="0 to 31 bits, not 32"):
        TurnedPairs().near(words_of([bytes(32)]), distance_bits_max=32, pairs_max=1_000)
