"""A search is the same over parts here and over parts in other processes; one that does not answer is counted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, suppress
from multiprocessing.connection import Client
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from index_processes import Nursery

from checker.errors import PartUnavailableError
from checker.index import search
from checker.index.parts import Hits, Part, Words
from checker.index.search import Answer
from checker.index.segment import Segment, Span, write_segment
from checker.index.tail import MemoryPart

ROWS = 240
PARTS = 4
Ids = npt.NDArray[np.int64]
NONE: Ids = np.empty(0, np.int64)


class RemotePart:
    """A part that lives in another process. Implements `parts.Part`."""

    def __init__(self, port: int) -> None:
        self._line = Client(("127.0.0.1", port))

    def near(self, queries: Words, *, distance_bits_max: int) -> Hits:
        return self._asked("near", queries, {"distance_bits_max": distance_bits_max})

    def nearest(self, queries: Words, *, count: int) -> Hits:
        return self._asked("nearest", queries, {"count": count})

    def close(self) -> None:
        self._line.close()

    def _asked(self, method: str, queries: Words, limits: dict[str, int]) -> Hits:
        try:
            self._line.send((method, queries, limits))
            return Hits(*self._line.recv())
        except (OSError, EOFError) as error:
            raise PartUnavailableError(f"the part did not answer: {error}") from error


class Unavailable:
    """A part that never answers."""

    def near(self, queries: Words, *, distance_bits_max: int) -> Hits:
        raise PartUnavailableError("out of reach")

    def nearest(self, queries: Words, *, count: int) -> Hits:
        raise PartUnavailableError("out of reach")


@pytest.fixture(scope="module")
def codes() -> Words:
    """Codes around three centres; rows are ids, less one."""
    rng = np.random.default_rng(1)
    near = np.packbits(rng.random((ROWS, 256)) < rng.choice([0, 0.03, 0.2], (ROWS, 1)), axis=1).view(np.uint64)
    words: Words = rng.integers(0, 2**64, (3, 4), dtype=np.uint64)[rng.integers(0, 3, ROWS)] ^ near
    return words


@pytest.fixture(scope="module")
def files(codes: Words, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Segments of a quarter of the codes each."""
    paths = []
    for number in range(PARTS):
        rows = np.arange(ROWS // PARTS) + number * ROWS // PARTS
        paths.append(tmp_path_factory.mktemp("segments") / f"{number}.seg")
        span = Span(int(rows[0]), int(rows[-1]) + 1)
        write_segment(paths[-1], span, [(rows + 1, codes[rows])], rows=len(rows), bits=256)
    return paths


@pytest.fixture(scope="module")
def local(files: list[Path]) -> Iterator[list[Part]]:
    segments = [Segment(path) for path in files]
    yield list(segments)
    for segment in segments:
        segment.close()


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with Nursery() as opened:
        yield opened


def lent_out(nursery: Nursery, path: Path) -> tuple[int, RemotePart]:
    """Have another process answer for a segment; the process and its client."""
    process = nursery.start("answer_for", path)
    message = nursery.wait()
    assert message
    assert message[1][0] == "listening"
    return process, RemotePart(message[1][1])


@pytest.fixture(scope="module")
def mixed(local: list[Part], files: list[Path], nursery: Nursery) -> Iterator[list[Part]]:
    """The same codes: two parts in files here, one in another process, one in memory."""
    _, remote = lent_out(nursery, files[1])
    segment = local[3]
    assert isinstance(segment, Segment)
    with closing(remote):
        yield [local[0], remote, local[2], MemoryPart(segment.code_ids, np.ascontiguousarray(segment.words.T))]


def measured(codes: Words, queries: Words) -> npt.NDArray[np.int64]:
    """(queries, codes), bit by bit."""
    stored, asked = (np.unpackbits(np.ascontiguousarray(words).view(np.uint8), axis=1) for words in (codes, queries))
    return np.array([(stored != query).sum(axis=1) for query in asked])


def near_by_scan(codes: Words, queries: Words, radius: int, without: Any = ()) -> list[tuple[int, int, int]]:
    """(query, distance, id), in the order of answers."""
    found = measured(codes, queries)
    pairs = [(q, int(found[q, row]), row + 1) for q, row in np.argwhere(found <= radius).tolist()]
    return sorted(one for one in pairs if one[2] not in without)


def nearest_by_scan(codes: Words, queries: Words, count: int, without: Any = ()) -> list[tuple[int, int, int]]:
    """(distance, id, query), in the order of answers."""
    found = measured(codes, queries)
    rows = zip(found.min(0).tolist(), range(1, len(codes) + 1), found.argmin(0).tolist(), strict=True)
    return sorted(one for one in rows if one[1] not in without)[:count]


def near_of(answer: Answer) -> list[tuple[int, int, int]]:
    hits = answer.hits
    return list(zip(hits.query_nos.tolist(), hits.distances.tolist(), hits.code_ids.tolist(), strict=True))


def nearest_of(answer: Answer) -> list[tuple[int, int, int]]:
    hits = answer.hits
    return list(zip(hits.distances.tolist(), hits.code_ids.tolist(), hits.query_nos.tolist(), strict=True))


def some_queries(codes: Words, seed: int, count: int = 3) -> Words:
    rng = np.random.default_rng(seed)
    queries: Words = codes[rng.integers(0, len(codes), count)] ^ np.uint64(1 << int(rng.integers(64)))
    return queries


# --- parts anywhere ----------------------------------------------------------------------------------------------


@settings(max_examples=30)
@given(
    seed=st.integers(0, 2**32),
    radius=st.sampled_from([0, 1, 31, 64, 256]),
    count=st.integers(1, ROWS + 5),
    gone=st.sets(st.integers(1, ROWS), max_size=ROWS),
)
def test_a_part_in_another_process_answers_like_one_here(
    codes: Words, local: list[Part], mixed: list[Part], seed: int, radius: int, count: int, gone: set[int]
) -> None:
    queries, without = some_queries(codes, seed), np.array(sorted(gone), np.int64)
    for parts in (local, mixed, mixed[::-1]):
        near = search.near(parts, queries, distance_bits_max=radius, without=without)
        assert near_of(near) == near_by_scan(codes, queries, radius, gone)
        nearest = search.nearest(parts, queries, count=count, without=without)
        assert nearest_of(nearest) == nearest_by_scan(codes, queries, count, gone)
        assert {(answer.parts_asked, answer.parts_answered) for answer in (near, nearest)} == {(4, 4)}


def test_no_parts_and_no_queries_find_nothing(codes: Words, mixed: list[Part]) -> None:
    for parts, queries in (([], some_queries(codes, 1)), (mixed, codes[:0])):
        near = search.near(parts, queries, distance_bits_max=256, without=NONE)
        nearest = search.nearest(parts, queries, count=5, without=NONE)
        assert near_of(near) == nearest_of(nearest) == []
        assert near.parts_asked == near.parts_answered == nearest.parts_answered == len(parts)


# --- parts that do not answer ------------------------------------------------------------------------------------


@pytest.mark.parametrize("out", [{0}, {1, 3}, {0, 1, 2}, {0, 1, 2, 3}], ids=str)
def test_a_part_that_does_not_answer_is_left_out_and_counted(codes: Words, local: list[Part], out: set[int]) -> None:
    parts = [Unavailable() if number in out else part for number, part in enumerate(local)]
    lost = {code_id for number in out for code_id in range(number * 60 + 1, number * 60 + 61)}
    queries = some_queries(codes, 3)
    near = search.near(parts, queries, distance_bits_max=64, without=NONE)
    assert near_of(near) == near_by_scan(codes, queries, 64, lost)
    nearest = search.nearest(parts, queries, count=100, without=NONE)
    assert nearest_of(nearest) == nearest_by_scan(codes, queries, 100, lost)
    assert (near.parts_asked, near.parts_answered) == (4, 4 - len(out))
    assert (nearest.parts_asked, nearest.parts_answered) == (4, 4 - len(out))


def test_a_process_that_dies_between_two_questions(
    codes: Words, local: list[Part], files: list[Path], nursery: Nursery
) -> None:
    process, remote = lent_out(nursery, files[1])
    parts, queries = [local[0], remote, local[2], local[3]], some_queries(codes, 4)
    with closing(remote):
        assert search.near(parts, queries, distance_bits_max=31, without=NONE).parts_answered == 4
        nursery.end(process)
        with suppress(PartUnavailableError):
            remote.near(queries, distance_bits_max=0)
        for answer in (
            search.near(parts, queries, distance_bits_max=31, without=NONE),
            search.nearest(parts, queries, count=7, without=NONE),
        ):
            assert (answer.parts_asked, answer.parts_answered) == (4, 3)
            assert not ((answer.hits.code_ids > 60) & (answer.hits.code_ids <= 120)).any()


# --- erased codes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 5, 30, 120, 239, 240, 500])
def test_erased_codes_make_room_for_others(codes: Words, mixed: list[Part], count: int) -> None:
    """However many of the nearest are erased, as many as were asked for come back while there are as many."""
    queries = some_queries(codes, 5, count=1)
    order = [code_id for _, code_id, _ in nearest_by_scan(codes, queries, ROWS)]
    for erased in (0, 1, 50, 200, 239, 240):
        gone = np.array(sorted(order[:erased]), np.int64)
        answer = search.nearest(mixed, queries, count=count, without=gone)
        assert answer.hits.code_ids.tolist() == order[erased : erased + count]
        near = search.near(mixed, queries, distance_bits_max=256, without=gone)
        assert sorted(near.hits.code_ids.tolist()) == sorted(order[erased:])


@pytest.mark.parametrize("count", [1, 5, 30, 60, 100])
@pytest.mark.parametrize("part", [0, 1, 3])
def test_where_one_part_has_lost_its_nearest_codes_those_behind_them_come_up(
    codes: Words, mixed: list[Part], part: int, count: int
) -> None:
    """Others give enough codes without it, but not the nearest ones."""
    queries, own = some_queries(codes[part * 60 : part * 60 + 60], 8), range(part * 60 + 1, part * 60 + 61)
    order = [code_id for _, code_id, _ in nearest_by_scan(codes, queries, ROWS) if code_id in own]
    for erased in (1, 10, 40, 59, 60):
        gone = set(order[:erased])
        answer = search.nearest(mixed, queries, count=count, without=np.array(sorted(gone), np.int64))
        assert nearest_of(answer) == nearest_by_scan(codes, queries, count, gone)


def test_ids_that_no_part_holds_may_be_left_out_too(codes: Words, mixed: list[Part]) -> None:
    queries = some_queries(codes, 6)
    without = np.array([-5, 0, 7, 1000, 2**40, 2**62], np.int64)
    answer = search.nearest(mixed, queries, count=ROWS, without=without)
    assert nearest_of(answer) == nearest_by_scan(codes, queries, ROWS, {7})
