"""Codes in eight orientations: the search gives what looking at all of them gives, by numpy and by machine code."""

from __future__ import annotations

import pickle
import random
from collections.abc import Iterator

import numpy as np
import pytest
from feed_simulator import code, flipped
from hypothesis import given
from hypothesis import strategies as st

from checker.fingerprint.cosine import turned_bits
from checker.index import turned
from checker.index.turned import NONE, TurnedCodes, compiled_loops, unpacked
from checker.index.turned_blocks import LANES, PIECES, PieceOrder, by_blocks
from checker.model import PHASH256, CodeKind, Fingerprint, Use
from checker.optout.entry import EntryType, Evidence, OptOut, Reference
from checker.optout.table import AddressEntry, OptOutRows

SURE = (-1, 15, 31)
NOTHING: frozenset[int] = frozenset()


def words_of(codes: list[bytes]) -> turned.Words:
    """Codes as rows of four words."""
    return np.frombuffer(b"".join(codes), dtype=np.uint64).reshape(-1, 4)


def bits_apart(one: bytes, other: bytes) -> int:
    """Hamming distance, counted by Python."""
    return (int.from_bytes(one) ^ int.from_bytes(other)).bit_count()


def best_by_looking_at_all(
    asked: bytes, stored: list[bytes], sure: list[int], radius: int
) -> tuple[bool, int, int] | None:
    """Unsure, distance and row of the best, by turning the question in all eight ways."""
    near, turns = [], [int.from_bytes(turn) for turn in turned_bits(asked)]
    for row, one in enumerate(map(int.from_bytes, stored)):
        distance = min((turn ^ one).bit_count() for turn in turns)
        if distance <= radius:
            near.append((distance > sure[row], distance, row))
    return min(near, default=None)


@pytest.fixture(params=["numpy scan", "numpy pieces", "compiled scan", "compiled pieces"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Each way to search, whatever the number of codes."""
    kernel, how = request.param.split()
    if kernel == "compiled" and compiled_loops() is None:
        pytest.skip("the extra `fast` is not installed")
    monkeypatch.setattr(turned, "SCAN_UNTIL", 0 if how == "pieces" else 10**9)
    monkeypatch.setattr(turned, "COMPILED_FROM", 0 if kernel == "compiled" else 10**9)
    compiled_loops.cache_clear()
    yield request.param
    compiled_loops.cache_clear()


@pytest.mark.parametrize("radius", [0, 15, 31, 40])
def test_the_search_finds_what_looking_at_all_finds(way: str, radius: int) -> None:
    draw = random.Random(radius)
    stored = [code(seed).bits for seed in range(300)]
    stored += [flipped(code(seed), 3).bits for seed in range(0, 300, 10)]
    sure = [draw.choice(SURE) for _ in stored]
    asked = [
        _moved(draw.choice(turned_bits(draw.choice(stored))), draw.randint(0, radius + 3), draw) for _ in range(80)
    ] + [code(seed).bits for seed in range(1000, 1020)]
    table = TurnedCodes(words_of(stored), np.array(sure, dtype=np.int16))
    found = table.best(words_of(asked), distance_bits_max=radius)
    rows, distances = unpacked(found)
    for number, question in enumerate(asked):
        expected = best_by_looking_at_all(question, stored, sure, radius)
        if expected is None:
            assert found[number] == NONE
        else:
            unsure = bool(found[number] >> np.uint64(63))
            assert (unsure, distances[number], rows[number]) == expected


def _moved(bits: bytes, flips: int, draw: random.Random) -> bytes:
    return (int.from_bytes(bits) ^ sum(1 << place for place in draw.sample(range(256), flips))).to_bytes(32)


@given(st.binary(min_size=32, max_size=32), st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=6))
def test_distances_of_any_bytes_are_those_of_the_eight_turns(asked: bytes, stored: list[bytes]) -> None:
    table = TurnedCodes(words_of(stored), np.full(len(stored), 256, dtype=np.int16))
    rows, distances = table.near(words_of([asked])[0], distance_bits_max=256)
    turns = turned_bits(asked)
    expected = [min(bits_apart(turn, one) for turn in turns) for one in stored]
    assert rows.tolist() == list(range(len(stored)))
    assert distances.tolist() == expected
    assert table.distance_as_is(0, words_of([asked])) == bits_apart(asked, stored[0])


def test_many_codes_are_laid_out_as_one_by_one() -> None:
    codes = words_of([random.Random(seed).randbytes(32) for seed in range(5_000)])
    for exchanged in (False, True):
        one_by_one = np.concatenate([by_blocks(codes[at : at + 1], exchanged=exchanged) for at in range(0, 5_000, 50)])
        assert (by_blocks(codes, exchanged=exchanged)[::50] == one_by_one).all()


def test_codes_that_share_a_cell_are_all_found(way: str) -> None:
    near = [flipped(code(1), bits).bits for bits in range(31, -1, -1)] * 5
    table = TurnedCodes(words_of(near), np.full(len(near), 31, dtype=np.int16))
    rows, distances = unpacked(table.best(words_of([code(1).bits]), distance_bits_max=31))
    assert (rows[0], distances[0]) == (31, 0)


def test_of_no_codes_nothing_is_near_and_no_question_has_no_answer(way: str) -> None:
    empty = TurnedCodes(words_of([]), np.empty(0, dtype=np.int16))
    assert empty.best(words_of([code(1).bits]), distance_bits_max=31).tolist() == [int(NONE)]
    one = TurnedCodes(words_of([code(1).bits]), np.array([31], dtype=np.int16))
    assert one.best(words_of([]), distance_bits_max=31).tolist() == []


def test_its_pickle_does_not_depend_on_what_was_asked() -> None:
    table = TurnedCodes(words_of([code(seed).bits for seed in range(3000)]), np.full(3000, 31, dtype=np.int16))
    before = pickle.dumps(table)
    found = table.best(words_of([code(7).bits]), distance_bits_max=31)
    assert pickle.dumps(table) == before
    assert (pickle.loads(before).best(words_of([code(7).bits]), distance_bits_max=31) == found).all()


def test_a_million_codes_take_less_than_200_bytes_each() -> None:
    codes = words_of([code(seed).bits for seed in range(100)])
    ordered = PieceOrder.of(by_blocks(codes))
    fixed = ordered.starts.nbytes + LANES * PIECES * 12
    assert (ordered.words.nbytes + ordered.rows.nbytes - LANES * PIECES * 12) / 100 == 192
    assert fixed < 3_000_000


# --- rows ------------------------------------------------------------------------------------------------------


def entry(*pictures: tuple[Fingerprint, ...], uses: tuple[Use, ...] = (), addresses: tuple[str, ...] = ()) -> OptOut:
    """An opt-out of these pictures."""
    evidence = Evidence.HOST_FILE if addresses else Evidence.PICTURE
    return OptOut("4F7K-20M9", evidence, pictures, uses, addresses)


def test_rows_keep_the_order_of_the_log_and_leave_out_what_ended() -> None:
    rows = OptOutRows()
    rows(0, entry((code(0),), (code(1),)))
    rows(1, Reference(EntryType.WITHDRAW, 2))
    rows(2, entry((code(2),)))
    rows(3, entry((code(3),)))
    found = rows.standing(ended=frozenset({2}), disputed=frozenset({3}))
    assert [row.tobytes() for row in found.codes] == [code(seed).bits for seed in (0, 1, 3)]
    assert found.entries.tolist() == [0, 0, 3]
    assert found.disputed.tolist() == [False, False, True]
    assert (found.opt_outs, found.not_compared, found.other_uses) == (2, 0, 0)


def test_the_second_code_stays_with_the_row_of_its_picture() -> None:
    models = [CodeKind("sscd512", version, 512) for version in ("1-aaaaaaaaaaaa", "1-bbbbbbbbbbbb")]
    robust = [Fingerprint(models[seed % 2], bytes([seed]) * 64) for seed in range(4)]
    rows = OptOutRows()
    rows(0, entry((code(0), robust[0])))
    rows(1, entry((code(1),), (code(2), robust[1], robust[2]), (robust[3],)))
    found = rows.standing(ended=frozenset({0}), disputed=NOTHING)
    assert [found.robust.of(row) for row in (0, 1)] == [[], [robust[1], robust[2]]]
    assert found.not_compared == 1, "one of its pictures has sscd512 alone"


def test_codes_of_another_length_under_a_known_name_are_not_compared() -> None:
    rows = OptOutRows()
    rows(0, entry((Fingerprint(CodeKind(PHASH256.name, PHASH256.version, 128), bytes(16)),)))
    found = rows.standing(ended=NOTHING, disputed=NOTHING)
    assert (len(found.codes), found.not_compared) == (0, 1)


def test_addresses_that_ended_do_not_count_and_one_that_nobody_disputes_goes_first() -> None:
    rows = OptOutRows()
    for index in range(4):
        rows(index, entry(addresses=("example.org/", f"example.org/{index}")))
    found = rows.standing(ended=frozenset({0}), disputed=frozenset({1}))
    assert found.addresses == {
        "example.org/": AddressEntry(2, disputed=False),
        "example.org/1": AddressEntry(1, disputed=True),
        "example.org/2": AddressEntry(2, disputed=False),
        "example.org/3": AddressEntry(3, disputed=False),
    }


def test_uses_are_asked_when_the_rows_are_taken() -> None:
    rows = OptOutRows([Use.TRAIN_AI])
    rows(0, entry((code(0),), uses=(Use.SEARCH,)))
    rows(1, entry((code(1),), uses=(Use.TDM,)))
    rows(2, entry(addresses=("example.org/",), uses=(Use.SEARCH,)))
    found = rows.standing(ended=NOTHING, disputed=NOTHING)
    assert (found.entries.tolist(), found.addresses, found.other_uses) == ([1], {}, 2)
