"""Whatever a forger writes into a segment, with right checksums: nothing breaks, and no wrong answer is given."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from index_forging import laid_out
from index_segments import Stored, near_of, nearest_of, search_with, span_of, tables_always_asked

from checker.errors import IndexDamagedError
from checker.index.plan import Plan
from checker.index.segment import Segment, write_segment


@pytest.fixture(params=["numpy", "compiled"])
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    return search_with(request.param, monkeypatch)


def forged(stored: Stored, plan: Plan, starts: Sequence[int], order: Sequence[int], *, after: int = 0) -> bytes:
    """A segment with right checksums and these tables."""
    offsets = np.array(stored.ids, np.int64) - (after + 1)
    arrays = (
        ("codes", "<u8", stored.words),
        ("ids", "<u4", offsets),
        ("starts", "<u4", starts),
        ("order", "<u4", order),
    )
    built = [(name, dtype, np.asarray(array).astype(dtype)) for name, dtype, array in arrays]
    facts = {"bits": plan.bits, "after": after, "upto": stored.ids[-1], "widths": plan.widths}
    return laid_out([(n, d, list(a.shape), a.tobytes()) for n, d, a in built], what="segment", facts=facts)


def tables_of(stored: Stored, plan: Plan) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The tables that belong to these codes, by a second implementation."""
    bits = np.unpackbits(stored.words.view(np.uint8), axis=1, bitorder="little")
    starts, order, begin = [], [], 0
    for width in plan.widths:
        keys = [sum(int(bit) << place for place, bit in enumerate(row[begin : begin + width])) for row in bits]
        by_key = sorted(range(len(keys)), key=lambda row, keys=keys: (keys[row], row))  # type: ignore[misc]
        order += by_key
        starts += [sum(key < value for key in keys) for value in range(2**width + 1)]
        begin += width
    return np.array(starts), np.array(order)


SMALL_PLAN = Plan(64, (8,) * 8)


def answers_as_a_scan(path: Path, stored: Stored, engine: str) -> None:
    asked = np.concatenate([stored.words[::5], stored.words[:3] ^ np.uint64(0x0101)])
    with closing(Segment(path)) as segment, tables_always_asked():
        for radius in (0, 1, 7, 8, 20):
            assert near_of(segment.near(asked, distance_bits_max=radius)) == stored.near(asked, radius), engine
        assert nearest_of(segment.nearest(asked, count=7)) == stored.nearest(asked, 7)


def test_the_second_implementation_makes_the_same_file(tmp_path: Path) -> None:
    stored = Stored.drawn(4, 60, 64)
    path = tmp_path / "a.seg"
    write_segment(path, span_of(stored, 0), stored.blocks(), rows=60, bits=64, plan=SMALL_PLAN)
    assert path.read_bytes() == forged(stored, SMALL_PLAN, *tables_of(stored, SMALL_PLAN))


@pytest.mark.parametrize("seed", range(8))
def test_tables_that_lead_out_of_the_file_are_passed_by(tmp_path: Path, seed: int, engine: str) -> None:
    rng = np.random.default_rng(seed)
    stored = Stored.drawn(seed, 60, 64)
    for which in ("starts", "order", "both"):
        starts, order = tables_of(stored, SMALL_PLAN)
        if which != "order":
            starts = np.where(
                rng.random(len(starts)) < rng.choice([0.001, 0.5, 1]), rng.integers(61, 2**32, len(starts)), starts
            )
        if which != "starts":
            order = np.where(
                rng.random(len(order)) < rng.choice([0.01, 0.5, 1]), rng.integers(60, 2**32, len(order)), order
            )
        (tmp_path / "a.seg").write_bytes(forged(stored, SMALL_PLAN, starts, order))
        answers_as_a_scan(tmp_path / "a.seg", stored, engine)


def test_tables_of_noise_or_of_every_row_in_every_cell_are_passed_by(tmp_path: Path, engine: str) -> None:
    stored, rng = Stored.drawn(1, 60, 64), np.random.default_rng(1)
    order = tables_of(stored, SMALL_PLAN)[1]
    noise = rng.integers(61, 2**32, SMALL_PLAN.cells)
    everything = np.tile([0, 60], SMALL_PLAN.cells // 2)
    for starts in (noise, everything, everything[::-1]):
        (tmp_path / "a.seg").write_bytes(forged(stored, SMALL_PLAN, starts, order))
        answers_as_a_scan(tmp_path / "a.seg", stored, engine)


WRONG_FACTS = {
    "bits of no code": {"bits": 72},
    "bits of other codes": {"bits": 128},
    "no bits": {"bits": 0},
    "negative bits": {"bits": -64},
    "bits without end": {"bits": 1e999},
    "bits that are no number": {"bits": "many"},
    "no place in the ids": {"after": None},
    "pieces of other codes": {"widths": [8] * 7},
    "pieces that are too wide": {"widths": [32, 32]},
    "a piece of nothing": {"widths": [8] * 8 + [0]},
    "no pieces, but tables": {"widths": []},
    "pieces that are no list": {"widths": 8},
}


@pytest.mark.parametrize("name", WRONG_FACTS)
def test_facts_that_do_not_go_with_the_arrays_are_refused(tmp_path: Path, name: str) -> None:
    stored, path = Stored.drawn(1, 60, 64), tmp_path / "a.seg"
    starts, order = tables_of(stored, SMALL_PLAN)
    arrays = (
        ("codes", "<u8", stored.words),
        ("ids", "<u4", np.arange(60)),
        ("starts", "<u4", starts),
        ("order", "<u4", order),
    )
    built = [(n, d, list(np.shape(a)), np.asarray(a).astype(d).tobytes()) for n, d, a in arrays]
    facts = {"bits": 64, "after": 0, "upto": 200, "widths": [8] * 8}
    path.write_bytes(laid_out(built, what="segment", facts=facts))
    Segment(path).close()
    path.write_bytes(laid_out(built, what="segment", facts={**facts, **WRONG_FACTS[name]}))
    with pytest.raises(IndexDamagedError, match=r"a\.seg (is no segment|has no array).*hibs index build"):
        Segment(path)


@pytest.mark.parametrize("without", ["codes", "ids", "starts", "order"])
def test_a_segment_that_lacks_an_array_or_has_one_of_another_length_is_refused(tmp_path: Path, without: str) -> None:
    stored, path = Stored.drawn(1, 60, 64), tmp_path / "a.seg"
    starts, order = tables_of(stored, SMALL_PLAN)
    arrays = {
        "codes": ("<u8", stored.words),
        "ids": ("<u4", np.arange(60)),
        "starts": ("<u4", starts),
        "order": ("<u4", order),
    }
    facts = {"bits": 64, "after": 0, "upto": 200, "widths": [8] * 8}
    for shorter in (False, True):
        built = [
            (n, d, list(np.shape(a)), np.asarray(a).astype(d).tobytes()) for n, (d, a) in arrays.items() if n != without
        ]
        if shorter:
            dtype, array = arrays[without]
            cut = np.asarray(array)[:-1].astype(dtype)
            built.append((without, dtype, list(cut.shape), cut.tobytes()))
        path.write_bytes(laid_out(built, what="segment", facts=facts))
        with pytest.raises(IndexDamagedError, match=r"a\.seg (is no segment|has no array)"):
            Segment(path)


def test_another_file_of_the_index_is_no_segment(tmp_path: Path) -> None:
    (tmp_path / "a.seg").write_bytes(laid_out([], what="aside"))
    with pytest.raises(IndexDamagedError, match=r"a\.seg is no segment"):
        Segment(tmp_path / "a.seg")
