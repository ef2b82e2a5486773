"""checker/index/kernels.py and fast.py: each function, in numpy and in machine code, against a plain loop."""

from __future__ import annotations

import mmap
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from index_kernels import ENGINES, all_distances, engine, flipped, near_by_scan, nearest_by_sorting, tables_of, told

from checker.index.kernels import DamagedTablesError, Kernels, NumpyKernels, Tables, piece_tables
from checker.index.parts import Words
from checker.index.plan import Plan, plan_for, radii

PLANS = {
    64: (Plan(64, (8, 12, 9, 11, 10, 14)), Plan(64, (16, 16, 16, 16)), Plan(64, (1, 16, 3, 9, 9, 9, 13, 4))),
    256: (Plan(256, (10,) * 24 + (9, 7)), Plan(256, (12,) * 20 + (8, 8)), Plan(256, (16,) * 16)),
    512: (Plan(512, (10,) * 50 + (12,)), Plan(512, (8,) * 64)),
}


@pytest.fixture(params=ENGINES)
def run(request: pytest.FixtureRequest) -> Kernels:
    return engine(request.param)


def random_codes(seed: int, rows: int, bits: int) -> Words:
    return np.random.default_rng(seed).integers(0, 1 << 64, (rows, bits // 64), dtype=np.uint64)


@st.composite
def corpora(draw: st.DrawFn) -> tuple[Words, Words]:
    """Codes with copies and neighbours among them, and queries that are some of them, their neighbours, or neither."""
    bits = draw(st.sampled_from((64, 256, 512)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    pool = random_codes(draw(st.integers(0, 2**32)), draw(st.integers(1, 4)), bits)

    def some(count: int) -> Words:
        picked = pool[rng.integers(0, len(pool), count)].reshape(-1, bits // 64)
        return np.array(
            [flipped(code, rng.choice(bits, rng.integers(0, 40), replace=False).tolist()) for code in picked],
            dtype=np.uint64,
        ).reshape(count, bits // 64)

    return some(draw(st.integers(0, 60))), some(draw(st.integers(0, 5)))


@pytest.mark.parametrize("name", ENGINES)
@given(corpus=corpora(), distance=st.integers(0, 530))
@settings(max_examples=60)
def test_a_scan_finds_what_a_plain_loop_finds(name: str, corpus: tuple[Words, Words], distance: int) -> None:
    codes, queries = corpus
    found = engine(name).scan_near(codes.T, queries, distance)
    assert told(found) == near_by_scan(codes, queries, distance)


@pytest.mark.parametrize("name", ENGINES)
@given(corpus=corpora(), count=st.integers(0, 70))
@settings(max_examples=60)
def test_the_nearest_are_those_that_sorting_all_gives(name: str, corpus: tuple[Words, Words], count: int) -> None:
    codes, queries = corpus
    found = engine(name).scan_nearest(np.ascontiguousarray(codes.T), queries, count)
    assert told(found) == nearest_by_sorting(codes, queries, count)


@pytest.mark.parametrize("name", ENGINES)
@given(corpus=corpora(), distance=st.integers(0, 64), data=st.data())
@settings(max_examples=60)
def test_pieces_find_what_a_plain_loop_finds(
    name: str, corpus: tuple[Words, Words], distance: int, data: st.DataObject
) -> None:
    codes, queries = corpus
    plan = data.draw(st.sampled_from(PLANS[codes.shape[1] * 64]))
    found = engine(name).probe(tables_of(codes, plan), queries, distance)
    assert told(found) == near_by_scan(codes, queries, distance)


@pytest.mark.parametrize("rows", [0, 1, 2, 2047, 2048, 2049, 16383, 16384, 16385, 33000])
@pytest.mark.parametrize(("bits", "distance"), [(64, 5), (256, 31), (512, 150)])
def test_blocks_join_without_a_gap(run: Kernels, rows: int, bits: int, distance: int) -> None:
    codes, queries = random_codes(1, rows, bits), random_codes(2, 3, bits)
    for row in {0, 1, 2046, 2047, 2048, 4095, 4096, 16383, 16384, 32767, 32768, rows - 1} & set(range(rows)):
        codes[row] = flipped(queries[row % 3], list(range(row % (distance + 2))))
    columns = np.ascontiguousarray(codes.T)
    assert told(run.scan_near(columns, queries, distance)) == near_by_scan(codes, queries, distance)
    for count in (1, 10, 200):
        assert told(run.scan_nearest(columns, queries, count)) == nearest_by_sorting(codes, queries, count)


@pytest.mark.parametrize("bits", [64, 256, 512])
def test_no_queries_and_no_rows_give_no_hits(run: Kernels, bits: int) -> None:
    none, some = random_codes(1, 0, bits), random_codes(2, 5, bits)
    for codes, queries in ((none, some), (some, none), (none, none)):
        assert told(run.scan_near(codes.T, queries, bits)) == []
        assert told(run.scan_nearest(codes.T, queries, 3)) == []
        assert told(run.probe(tables_of(codes, PLANS[bits][0]), queries, 10)) == []


def test_rows_in_descending_distance_do_not_crowd_out_the_nearest(run: Kernels) -> None:
    query = random_codes(1, 1, 256)
    codes = np.array([flipped(query[0], list(range(256 - row // 20))) for row in range(5120)])
    for count in (1, 7, 25, 5120, 6000):
        assert told(run.scan_nearest(codes.T, query, count)) == nearest_by_sorting(codes, query, count)


def test_of_equally_near_rows_the_first_and_of_queries_the_first_are_told(run: Kernels) -> None:
    codes = np.repeat(random_codes(1, 1, 256), 20_000, axis=0)
    queries = np.repeat(codes[:1], 3, axis=0)
    assert told(run.scan_nearest(codes.T, queries, 4)) == [(0, 0, 0), (0, 1, 0), (0, 2, 0), (0, 3, 0)]


@pytest.mark.parametrize("bits", [256, 512])
@pytest.mark.parametrize("distance", [0, 31, 60, 100, 150])
def test_bits_that_differ_in_one_end_of_a_code_count_like_all_others(run: Kernels, bits: int, distance: int) -> None:
    query = random_codes(1, 1, bits)
    codes = np.array(
        [
            flipped(query[0], [*(range(d) if front else range(bits - d, bits))])
            for d in (distance, distance + 1)
            for front in (True, False)
        ]
    )
    expected = [(0, 0, distance), (0, 1, distance)]
    assert told(run.scan_near(codes.T, query, distance)) == expected
    assert told(run.scan_nearest(codes.T, query, 2)) == expected


@pytest.mark.parametrize("plan", [plan for plans in PLANS.values() for plan in plans], ids=lambda p: str(p.widths)[:24])
@pytest.mark.parametrize("distance", [0, 1, 5, 31, 48])
def test_pieces_find_codes_at_exactly_the_distance_however_the_bits_lie(
    run: Kernels, plan: Plan, distance: int
) -> None:
    query, rng = random_codes(3, 1, plan.bits)[0], np.random.default_rng(4)
    spans = [list(range(s, s + w)) for s, w in zip(plan.starts, plan.widths, strict=True)]
    allowed = radii(plan, distance, 1)
    # The worst case: every piece but one differs by one bit more than its radius.
    evasive = [[b for span, r in zip(spans, allowed, strict=True) for b in span[: r + 1]][:distance]]
    for last in range(len(spans)):
        order = [span for p, span in enumerate(spans) if p != last]
        evasive.append([b for p, span in enumerate(spans) if p != last for b in span[: allowed[p] + 1]][:distance])
        evasive.append([b for span in (*order[last:], *order[:last], spans[last]) for b in span][:distance])
    evasive += [[span[turn % len(span)] for turn in range(9) for span in spans if turn < len(span)][:distance]]
    evasive += [rng.choice(plan.bits, distance, replace=False).tolist() for _ in range(30)]
    near = [flipped(query, bits) for bits in evasive]
    unused = [next(bit for bit in range(plan.bits) if bit not in bits) for bits in evasive]
    far = [flipped(code, [bit]) for code, bit in zip(near, unused, strict=True)]
    codes = np.array(near + far)
    found = told(run.probe(tables_of(codes, plan), query[np.newaxis], distance))
    assert found == near_by_scan(codes, query[np.newaxis], distance)
    assert {row for _, row, d in found if d == distance} >= {n for n, b in enumerate(evasive) if len(b) == distance}


def test_a_hundred_thousand_rows_under_their_own_plan(run: Kernels) -> None:
    codes = random_codes(5, 120_000, 256)
    plan = plan_for(len(codes), bits=256)
    assert plan is not None
    rng = np.random.default_rng(6)
    queries = np.array([flipped(codes[n * 999], rng.choice(256, n % 34, replace=False).tolist()) for n in range(70)])
    codes[-3:] = codes[999]
    expected = [
        (query, int(row), int(d[row]))
        for query, code in enumerate(queries)
        for d in [np.bitwise_count(codes ^ code).sum(axis=1)]
        for row in np.flatnonzero(d <= 31)
    ]
    tables = tables_of(codes, plan)
    assert told(run.probe(tables, queries, 31)) == expected
    assert told(run.scan_near(codes.T, queries, 31)) == expected
    assert told(run.probe(tables, queries, 3)) == [hit for hit in expected if hit[2] <= 3]


def test_a_picture_stored_a_hundred_thousand_times_is_told_that_often(run: Kernels) -> None:
    rows = 140_000
    codes = np.repeat(random_codes(1, 1, 64), rows, axis=0)
    found = run.probe(tables_of(codes, PLANS[64][1]), np.repeat(codes[:1], 2, axis=0), 5)
    assert told(found) == [(query, row, 0) for query in range(2) for row in range(rows)]
    assert len(run.scan_near(codes.T, codes[:2], 0).rows) == 2 * rows


@given(corpus=corpora(), data=st.data())
@settings(max_examples=60)
def test_tables_list_every_row_under_its_key_in_rising_order(corpus: tuple[Words, Words], data: st.DataObject) -> None:
    codes, _ = corpus
    bits = codes.shape[1] * 64
    plan = data.draw(st.sampled_from(PLANS[bits]))
    piece = data.draw(st.integers(0, len(plan.widths) - 1))
    starts, order = piece_tables(codes, plan, piece)
    assert starts.dtype == order.dtype == np.uint32
    whole = [sum(int(word) << 64 * place for place, word in enumerate(code)) for code in codes]
    keys = [(number >> plan.starts[piece]) % (1 << plan.widths[piece]) for number in whole]
    assert order.tolist() == sorted(range(len(codes)), key=lambda row: (keys[row], row))
    assert starts.tolist() == np.searchsorted(sorted(keys), np.arange((1 << plan.widths[piece]) + 1)).tolist()


def test_tables_of_more_rows_than_a_block() -> None:
    codes, plan = random_codes(8, 50_001, 64), Plan(64, (13, 20, 20, 11))
    for piece, (start, width) in enumerate(zip(plan.starts, plan.widths, strict=True)):
        keys = (codes[:, 0] >> np.uint64(start)) & np.uint64((1 << width) - 1)
        starts, order = piece_tables(codes, plan, piece)
        assert (order == np.argsort(keys, kind="stable")).all()
        assert (starts == np.searchsorted(np.sort(keys), np.arange((1 << width) + 1))).all()


def test_codes_may_lie_in_any_memory(run: Kernels, tmp_path: Path) -> None:
    codes, queries = random_codes(1, 3000, 256), random_codes(2, 4, 256)
    codes[[5, 2999]] = queries[:2]
    expected, nearest = near_by_scan(codes, queries, 110), nearest_by_sorting(codes, queries, 9)
    path = tmp_path / "codes"
    path.write_bytes(codes.tobytes())
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        rows = np.frombuffer(mapped, dtype=np.uint64).reshape(-1, 4).copy()
        rows.flags.writeable = False
    roomy = np.zeros((4, 5000), dtype=np.uint64)
    roomy[:, 700:3700] = codes.T
    every_second = np.zeros((6000, 4), dtype=np.uint64)
    every_second[::2] = codes
    unaligned = np.frombuffer(b"x" + codes.tobytes(), dtype=np.uint64, offset=1).reshape(-1, 4)
    layouts = (rows.T, np.ascontiguousarray(codes.T), roomy[:, 700:3700], every_second[::2].T, unaligned.T)
    for columns in (*layouts, np.ascontiguousarray(codes[::-1]).T[:, ::-1]):
        assert told(run.scan_near(columns, queries, 110)) == expected
        assert told(run.scan_nearest(columns, np.asfortranarray(queries), 9)) == nearest


def test_tables_of_a_mapped_file_can_be_probed(run: Kernels, tmp_path: Path) -> None:
    codes, queries = random_codes(1, 500, 256), random_codes(2, 3, 256)
    codes[77] = flipped(queries[1], [3, 99, 200])
    made = tables_of(codes, PLANS[256][0])
    arrays = []
    for name, array in (("codes", made.codes), ("starts", made.starts), ("order", made.order)):
        (tmp_path / name).write_bytes(array.tobytes())
        with (tmp_path / name).open("rb") as file:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        arrays.append(np.frombuffer(mapped, dtype=array.dtype).reshape(array.shape))
        assert not arrays[-1].flags.writeable
    assert told(run.probe(Tables(made.plan, *arrays), queries, 31)) == [(1, 77, 3)]


def damaged(tables: Tables, **changed: object) -> Tables:
    fields = {"plan": tables.plan, "codes": tables.codes, "starts": tables.starts, "order": tables.order}
    return Tables(**{**fields, **changed})  # type: ignore[arg-type]


def test_a_cell_that_ends_before_it_begins_is_damage(run: Kernels) -> None:
    tables = tables_of(random_codes(1, 100, 64), PLANS[64][0])
    starts = tables.starts.copy()
    starts[::2] = 100
    starts[1::2] = 0
    with pytest.raises(DamagedTablesError):
        run.probe(damaged(tables, starts=starts), tables.codes[:1], 20)


@pytest.mark.parametrize("value", [101, 2**31, 2**32 - 1])
def test_a_cell_beyond_the_rows_is_damage(run: Kernels, value: int) -> None:
    tables = tables_of(random_codes(1, 100, 64), PLANS[64][0])
    starts = np.where(tables.starts > 50, np.uint32(value), tables.starts)
    with pytest.raises(DamagedTablesError):
        run.probe(damaged(tables, starts=starts), tables.codes, 20)


@pytest.mark.parametrize("value", [100, 2**31, 2**32 - 1])
def test_a_row_beyond_the_rows_is_damage(run: Kernels, value: int) -> None:
    tables = tables_of(random_codes(1, 100, 64), PLANS[64][0])
    with pytest.raises(DamagedTablesError):
        run.probe(damaged(tables, order=np.full_like(tables.order, value)), tables.codes[:1], 20)


def test_cells_that_overlap_are_damage_before_they_take_for_ever(run: Kernels) -> None:
    plan = Plan(64, (16, 16, 16, 16))
    tables = tables_of(np.repeat(random_codes(1, 1, 64), 50_000, axis=0), plan)
    # The cells 4, 8, 16, ... of the first piece hold all rows each; none that is looked at ends before it begins.
    starts = np.zeros_like(tables.starts)
    starts[[cell + 1 for cell in (4, 8, 16, 32, 64, 128, 256, 512, 1024)]] = 50_000
    with pytest.raises(DamagedTablesError):
        run.probe(damaged(tables, starts=starts), np.zeros((1, 1), dtype=np.uint64), 7)


@pytest.mark.parametrize("field", ["starts", "order", "codes"])
def test_arrays_that_do_not_belong_together_are_damage(field: str) -> None:
    tables = tables_of(random_codes(1, 100, 64), PLANS[64][0])
    with pytest.raises(DamagedTablesError):
        damaged(tables, **{field: getattr(tables, field)[:-1]})


@pytest.mark.parametrize("name", ENGINES)
@given(seed=st.integers(0, 2**32), share=st.sampled_from((0.001, 0.1, 1.0)), largest=st.sampled_from((60, 63, 2**32)))
@settings(max_examples=60)
def test_whatever_tables_say_no_wrong_pair_is_told(name: str, seed: int, share: float, largest: int) -> None:
    rng, plan = np.random.default_rng(seed), PLANS[64][0]
    tables = tables_of(random_codes(seed, 60, 64), plan)
    arrays = {}
    for field in ("starts", "order"):
        arrays[field] = getattr(tables, field).copy()
        hit = rng.random(len(arrays[field])) < share
        arrays[field][hit] = rng.integers(0, largest, int(hit.sum()))
        if field == "starts" and rng.random() < 0.5:
            arrays[field].sort()
    try:
        found = engine(name).probe(damaged(tables, **arrays), tables.codes[:5], 25)
    except DamagedTablesError:
        return
    true = all_distances(tables.codes, tables.codes[:5])
    assert all(true[query, row] == distance <= 25 for query, row, distance in told(found))


def test_both_implementations_tell_the_same() -> None:
    rng = np.random.default_rng(1)
    codes = rng.integers(0, 1 << 64, (30_000, 4), dtype=np.uint64)
    queries = np.concatenate((codes[:50] ^ np.uint64(0x10101), rng.integers(0, 1 << 64, (14, 4), dtype=np.uint64)))
    tables = tables_of(codes, Plan(256, (16,) * 16))
    plain, fast = engine("numpy"), engine("compiled")
    assert isinstance(plain, NumpyKernels)
    for distance in (0, 12, 31, 40):
        assert told(plain.probe(tables, queries, distance)) == told(fast.probe(tables, queries, distance))
        assert told(plain.scan_near(codes.T, queries, distance)) == told(fast.scan_near(codes.T, queries, distance))
    for count in (1, 48, 3000):
        assert told(plain.scan_nearest(codes.T, queries, count)) == told(fast.scan_nearest(codes.T, queries, count))


def test_numbers_below_nought_are_refused(run: Kernels) -> None:
    codes = random_codes(1, 5, 64)
    with pytest.raises(ValueError, match="-1 bits"):
        run.scan_near(codes.T, codes, -1)
    with pytest.raises(ValueError, match="-1 bits"):
        run.probe(tables_of(codes, PLANS[64][0]), codes, -1)
    with pytest.raises(ValueError, match="-1 rows"):
        run.scan_nearest(codes.T, codes, -1)


@pytest.mark.parametrize("shape", [(2, 3), (2, 5), (2, 0), (4,)])
def test_queries_of_another_length_are_refused(run: Kernels, shape: tuple[int, ...]) -> None:
    codes, queries = random_codes(1, 50, 256), np.zeros(shape, dtype=np.uint64)
    for ask in (
        lambda: run.scan_near(codes.T, queries, 3),
        lambda: run.scan_nearest(codes.T, queries, 3),
        lambda: run.probe(tables_of(codes, PLANS[256][0]), queries, 3),
    ):
        with pytest.raises(ValueError, match="4 words"):
            ask()


def test_too_many_cells_to_look_at_are_refused(run: Kernels) -> None:
    codes = random_codes(1, 5, 64)
    with pytest.raises(ValueError, match="scan"):
        run.probe(tables_of(codes, Plan(64, (22, 21, 21))), codes, 60)
