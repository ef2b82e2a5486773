"""A segment answers as a scan of its codes does, however they are cut, and whatever a forger writes into its tables."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from index_answers import IN_MEMORY
from index_forging import laid_out

from checker.errors import IndexDamagedError
from checker.index import kernels
from checker.index.codefolder import CannotLoadError, code_folder
from checker.index.fast import CompiledKernels
from checker.index.parts import Hits, Words
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
Ids = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Stored:
    """Some codes, and what a plain scan finds among them."""

    ids: list[int]
    words: Words

    @classmethod
    def drawn(cls, seed: int, rows: int, bits: int, *, after: int = 0) -> Stored:
        """Codes around a few centres, some of them equal, under ids with gaps."""
        rng = np.random.default_rng(seed)
        centres = rng.integers(0, 2**64, (3, bits // 64), dtype=np.uint64)
        words = centres[rng.integers(0, 3, rows)] ^ flips(rng, rows, bits)
        copied = rng.integers(0, max(rows, 1), rows // 4)
        words[: rows // 4] = words[copied] if rows else words[:0]
        ids = after + 1 + np.cumsum(rng.integers(1, 4, rows)) - 1
        return cls(ids.tolist(), words)

    def blocks(self, seed: int = 0) -> Iterator[tuple[Ids, Words]]:
        """The codes, cut anywhere; empty blocks among them."""
        rng, ids = random.Random(seed), np.array(self.ids, dtype=np.int64)
        cuts = sorted(rng.choices(range(len(ids) + 1), k=4))
        for begin, end in zip([0, *cuts], [*cuts, len(ids)], strict=True):
            yield ids[begin:end], self.words[begin:end]

    def distances(self, queries: Words) -> npt.NDArray[np.int64]:
        """(queries, rows), counted bit by bit."""
        stored, asked = (np.unpackbits(words.view(np.uint8), axis=1) for words in (self.words, queries))
        return np.array([(stored != query).sum(axis=1) for query in asked], dtype=np.int64).reshape(len(asked), -1)

    def near(self, queries: Words, radius: int) -> list[tuple[int, int, int]]:
        """(query, id, distance), sorted."""
        measured = self.distances(queries)
        return [(q, self.ids[row], int(measured[q, row])) for q, row in np.argwhere(measured <= radius).tolist()]

    def nearest(self, queries: Words, count: int) -> list[tuple[int, int, int]]:
        """(distance, id, query), nearest first."""
        measured = self.distances(queries)
        if not measured.size:
            return []
        least, first = measured.min(axis=0).tolist(), measured.argmin(axis=0).tolist()
        return sorted(zip(least, self.ids, first, strict=True))[:count]


def flips(rng: np.random.Generator, rows: int, bits: int) -> Words:
    """Rows with a few bits set, some with many."""
    share = rng.choice([0.0, 0.02, 0.08, 0.15, 0.3], (rows, 1))
    packed = np.packbits(rng.random((rows, bits)) < share, axis=1)
    return np.ascontiguousarray(packed).view(np.uint64).reshape(rows, bits // 64)


def near_of(hits: Hits) -> list[tuple[int, int, int]]:
    return sorted(zip(hits.query_nos.tolist(), hits.code_ids.tolist(), hits.distances.tolist(), strict=True))


def nearest_of(hits: Hits) -> list[tuple[int, int, int]]:
    return sorted(zip(hits.distances.tolist(), hits.code_ids.tolist(), hits.query_nos.tolist(), strict=True))


def span_of(stored: Stored, after: int) -> Span:
    return Span(after, stored.ids[-1] if stored.ids else after)


@contextmanager
def segment_of(stored: Stored, plan: Plan | None, *, after: int = 0) -> Iterator[Segment]:
    with tempfile.TemporaryDirectory(dir=IN_MEMORY) as folder:
        path, bits = Path(folder) / "one.seg", stored.words.shape[1] * 64
        write_segment(path, span_of(stored, after), stored.blocks(), rows=len(stored.ids), bits=bits, plan=plan)
        with closing(Segment(path)) as segment:
            yield segment


@contextmanager
def tables_always_asked() -> Iterator[None]:
    """Few codes are scanned, cut or not; here the tables are looked into however few there are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("checker.index.segment.worth_probing", lambda *_: True)
        yield


@pytest.fixture(params=["numpy", "compiled"])
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Search with these kernels."""
    used: kernels.Kernels = kernels.NumpyKernels()
    if request.param == "compiled":
        try:
            used = CompiledKernels(code_folder())
        except CannotLoadError as error:
            pytest.skip(str(error))
    monkeypatch.setattr(kernels, "active", lambda: used)
    return used.name


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


# --- what a forger writes ----------------------------------------------------------------------------------------


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
