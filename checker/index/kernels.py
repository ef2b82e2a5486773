"""The kernels of the index: scan codes, and look into the tables of their pieces. In numpy; fast.py has the same.

    active()         the kernels to use now: numpy's, until the compiled ones are worth loading
    load_compiled()  loads them now (a service does, before its first question)

Rules:
1. Answers are exact, and equal from both implementations.
2. What comes from a file is checked before it leads anywhere: damaged tables raise, they never make a kernel read
   elsewhere, loop for ever or ask for memory without bound.
3. Codes are words in the order of `bits.permuted`. As its bits are a random choice, the first words of two unrelated
   codes tell almost always that they are too far apart; only for the other rows the rest of the words is looked at.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from checker.index.codefolder import CannotLoadError, code_folder, holds_code
from checker.index.fast import CompiledKernels
from checker.index.parts import Words
from checker.index.pieces import KeyPlaces, piece_tables
from checker.index.plan import Plan, head_words
from checker.index.tables import DamagedTablesError, Kernels, RowHits, Tables, probing, refuse_negative, refuse_unlike

__all__ = [
    "DamagedTablesError",
    "Kernels",
    "Loading",
    "NumpyKernels",
    "RowHits",
    "Tables",
    "active",
    "load_compiled",
    "piece_tables",
]

LOAD_SECONDS = 0.7
"""What loading compiled kernels takes that were compiled before."""
COMPILE_SECONDS = 4.0
"""The same the first time."""
_BLOCK = 16_384
"""Rows at once: a few words of each, and what is made of them, fit into a core's cache."""
_PROBES_AT_ONCE = 4096
"""Queries are asked together up to so many: fewer calls, and what is made of them stays in the cache."""
_CANDIDATES_AT_ONCE = 1 << 17
_T = TypeVar("_T")


class NumpyKernels:
    """See `tables.Kernels`."""

    name = "numpy"

    def scan_near(self, columns: Words, queries: Words, distance_bits_max: int) -> RowHits:
        """See `tables.Kernels.scan_near`."""
        refuse_negative(distance_bits_max, "bits")
        refuse_unlike(queries, len(columns))
        head, ruler = head_words(len(columns), distance_bits_max), _Ruler()
        found = []
        for first in range(0, columns.shape[1], _BLOCK):
            block = columns[:, first : first + _BLOCK]  # stays in the cache while all queries are asked
            for query_no, query in enumerate(queries):
                rows, distances = ruler.within(block, query, distance_bits_max, head)
                if len(rows):
                    found.append((np.full(len(rows), query_no), rows + first, distances))
        return _hits(found)

    def scan_nearest(self, columns: Words, queries: Words, count: int) -> RowHits:
        """See `tables.Kernels.scan_nearest`."""
        refuse_negative(count, "rows")
        refuse_unlike(queries, len(columns))
        best, ruler = _hits([]), _Ruler()
        bound = 64 * len(columns) if count else -1  # a row further off than this is not among the nearest
        for first in range(0, columns.shape[1], _BLOCK):
            if bound < 0:
                break
            block = columns[:, first : first + _BLOCK]
            least = np.full(block.shape[1], bound + 1, dtype=np.uint16)
            nearest_to = np.zeros(block.shape[1], dtype=np.int64)
            head = head_words(len(columns), bound)
            for query_no, query in enumerate(queries):
                rows, distances = ruler.within(block, query, bound, head)
                nearer = distances < least[rows]
                least[rows[nearer]] = distances[nearer]
                nearest_to[rows[nearer]] = query_no
            rows = np.flatnonzero(least <= bound)
            if len(rows):
                fields = (best.query_nos, best.rows, best.distances), (nearest_to[rows], rows + first, least[rows])
                best, bound = _nearest(_hits(fields), count, bound)
        return best

    def probe(self, tables: Tables, queries: Words, distance_bits_max: int) -> RowHits:
        """See `tables.Kernels.probe`."""
        refuse_negative(distance_bits_max, "bits")
        refuse_unlike(queries, tables.codes.shape[1])
        found: list[_Fields] = []
        if len(tables.codes):
            how = _looking(tables.plan, min(distance_bits_max, tables.plan.bits), len(tables.codes))
            group = max(1, _PROBES_AT_ONCE // len(how.masks))
            for first in range(0, len(queries), group):
                some = _probed(tables, how, queries[first : first + group], distance_bits_max)
                found += [(query_nos + first, rows, distances) for query_nos, rows, distances in some]
        return _hits(found)


_Fields = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.uint16]]


class _Ruler:
    """Measures distances in blocks, in memory that is asked for once."""

    def __init__(self) -> None:
        self._differing = np.empty(_BLOCK, dtype=np.uint64)
        self._counts = np.empty(_BLOCK, dtype=np.uint8)
        self._three = np.empty(_BLOCK, dtype=np.uint8)
        self._all = np.empty(_BLOCK, dtype=np.uint16)

    def within(self, block: Words, query: Words, distance_bits_max: int, head: int) -> _Found:
        """Rows of a block within some distance, and how far they are; `head`: words to look at first."""
        partial = self._distances(block[:head], query[:head])
        rows = np.flatnonzero(partial <= distance_bits_max)
        distances = partial[rows].astype(np.uint16)
        if len(rows) and head < len(block):
            distances += self._distances(block[head:, rows], query[head:])
            near = distances <= distance_bits_max
            rows, distances = rows[near], distances[near]
        return rows, distances

    def _distances(self, columns: Words, query: Words) -> npt.NDArray[np.uint8] | npt.NDArray[np.uint16]:
        rows = columns.shape[1]
        differing, counts = self._differing[:rows], self._counts[:rows]
        three, total = self._three[:rows], self._all[:rows]
        for number, (column, word) in enumerate(zip(columns, query, strict=True)):
            np.bitwise_xor(column, word, out=differing)
            np.bitwise_count(differing, out=counts if number % 3 else three)
            if number % 3:
                np.add(three, counts, out=three)  # at most 192: a byte is enough, and four times as fast
            if number % 3 == 2 or number == len(columns) - 1:
                if len(columns) <= 3:
                    return three
                np.add(total, three, out=total) if number > 2 else np.copyto(total, three)
        return total


_Found = tuple[npt.NDArray[np.int64], npt.NDArray[np.uint16]]


def _nearest(hits: RowHits, count: int, bound: int) -> tuple[RowHits, int]:
    """The nearest `count` of some hits whose rows rise, and how far off a later row may be to be among them."""
    if len(hits.rows) < count:
        return hits, bound
    # A stable sort leaves the lowest of equally near rows first; so a later row has to be nearer than the last one.
    keep = np.argsort(hits.distances, kind="stable")[:count]
    bound = int(hits.distances[keep[-1]]) - 1
    keep.sort()
    return RowHits(hits.query_nos[keep], hits.rows[keep], hits.distances[keep]), bound


class _Looking(NamedTuple):
    """A `Probing` in the form that numpy wants."""

    first_cells: npt.NDArray[np.int64]
    """The three for each mask: where the cells of its piece begin, ..."""
    masks: npt.NDArray[np.int64]
    piece_of: npt.NDArray[np.int64]
    """... and which of the pieces looked at it is."""
    bounds: npt.NDArray[np.int64]
    numbers: npt.NDArray[np.int64]
    """These for each piece looked at: its number in the plan, how its key is read, and its radius."""
    places: KeyPlaces
    radii: npt.NDArray[np.int64]


@lru_cache(maxsize=16)
def _looking(plan: Plan, distance_bits_max: int, rows: int) -> _Looking:
    how = probing(plan, distance_bits_max, rows)
    numbers, _, _, _, piece_radii, first_cells = how.pieces.T
    sizes = np.diff(how.bounds)
    return _Looking(
        first_cells=np.repeat(first_cells, sizes),
        masks=how.masks.astype(np.int64),
        piece_of=np.repeat(np.arange(len(sizes)), sizes),
        bounds=how.bounds,
        numbers=numbers,
        places=KeyPlaces(plan, numbers.tolist()),
        radii=piece_radii,
    )


def _probed(tables: Tables, how: _Looking, queries: Words, distance_bits_max: int) -> Iterator[_Fields]:
    total_rows, probes = len(tables.codes), len(how.masks)
    cells = how.places.keys(queries).take(how.piece_of, axis=1)
    cells ^= how.masks
    cells += how.first_cells
    cells = cells.reshape(-1)
    begins = tables.starts.take(cells).astype(np.int64)
    lengths = tables.starts.take(cells + 1) - begins
    # No row lies in two cells of a piece: tables that say so would have us look at rows for ever.
    in_piece = np.add.reduceat(lengths.reshape(-1, probes), how.bounds[:-1], axis=1)
    filled = np.flatnonzero(lengths)
    begins, lengths = begins[filled], lengths[filled]
    if len(filled) and (lengths.min() < 0 or (begins + lengths).max() > total_rows or in_piece.max() > total_rows):
        raise DamagedTablesError(f"the tables of {total_rows} rows have a cell that begins or ends outside of them")
    query_of, probe_of = np.divmod(filled, probes)
    piece_of = how.piece_of[probe_of]
    ends = lengths.cumsum()
    shifts = begins + how.numbers[piece_of] * total_rows - (ends - lengths)
    candidates = int(ends[-1]) if len(ends) else 0
    for first in range(0, candidates, _CANDIDATES_AT_ONCE):
        until = min(first + _CANDIDATES_AT_ONCE, candidates)
        low, high = np.searchsorted(ends, (first, until - 1), side="right")
        here = slice(low, high + 1)
        repeats = np.diff(np.minimum(ends[here], until), prepend=first)
        rows = tables.order.take(np.arange(first, until) + np.repeat(shifts[here], repeats)).astype(np.int64)
        if rows.max() >= total_rows:
            raise DamagedTablesError(f"the tables of {total_rows} rows name a row beyond them")
        differing = tables.codes.take(rows, axis=0)
        differing ^= queries.take(np.repeat(query_of[here], repeats), axis=0)
        distances = np.zeros(len(rows), dtype=np.uint16)
        for counts in np.bitwise_count(differing).T:
            distances += counts
        near = np.flatnonzero(distances <= distance_bits_max)
        if len(near):
            cell_of = np.searchsorted(ends, near + first, side="right")
            # Several pieces may find a pair; the first of them tells it.
            finds = np.bitwise_count(how.places.keys(differing[near])) <= how.radii
            once = finds.argmax(axis=1) == piece_of[cell_of]
            yield query_of[cell_of[once]], rows[near[once]], distances[near[once]]


def _hits(found: Sequence[_Fields]) -> RowHits:
    if not found:
        return RowHits(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64), np.empty(0, dtype=np.uint16))
    query_nos, rows, distances = zip(*found, strict=True)
    return RowHits(np.concatenate(query_nos), np.concatenate(rows), np.concatenate(distances))


@dataclass(frozen=True, slots=True)
class Loading:
    """Whether compiled kernels are in use."""

    in_use: bool
    why_not: str
    """Empty when they are."""


class _Chooser:
    """Numpy's kernels with a clock, and the moment at which the compiled ones take over.

    Loading takes longer than most commands do, so it waits until about that long was searched: at worst a process
    takes twice the time that it would have needed, had it known what comes.
    """

    name = NumpyKernels.name

    def __init__(self) -> None:
        self.chosen: Kernels = self
        self._plain = NumpyKernels()
        self._seconds = 0.0
        self._load_at = LOAD_SECONDS
        self._tried: Loading | None = None
        self._counting, self._loading = threading.Lock(), threading.Lock()

    def scan_near(self, columns: Words, queries: Words, distance_bits_max: int) -> RowHits:
        return self._timed(lambda kernels: kernels.scan_near(columns, queries, distance_bits_max))

    def scan_nearest(self, columns: Words, queries: Words, count: int) -> RowHits:
        return self._timed(lambda kernels: kernels.scan_nearest(columns, queries, count))

    def probe(self, tables: Tables, queries: Words, distance_bits_max: int) -> RowHits:
        return self._timed(lambda kernels: kernels.probe(tables, queries, distance_bits_max))

    def load(self) -> Loading:
        """Load the compiled kernels, once; whoever comes meanwhile waits."""
        with self._loading:
            return self._load_once()

    def _load_once(self) -> Loading:
        if self._tried is None:
            try:
                self.chosen = CompiledKernels(code_folder())
                self._tried = Loading(in_use=True, why_not="")
            except CannotLoadError as error:
                self.chosen = self._plain
                self._tried = Loading(in_use=False, why_not=str(error))
        return self._tried

    def _timed(self, work: Callable[[Kernels], _T]) -> _T:
        if self.chosen is not self:
            return work(self.chosen)
        began = time.perf_counter()
        answer = work(self._plain)
        with self._counting:
            self._seconds += time.perf_counter() - began
            due = self._seconds >= self._load_at
            if due and self._load_at == LOAD_SECONDS and not _compiled_before():
                self._load_at, due = COMPILE_SECONDS, False
        if due and self._loading.acquire(blocking=False):  # the others go on with numpy meanwhile
            try:
                self._load_once()
            finally:
                self._loading.release()
        return answer


def _compiled_before() -> bool:
    try:
        return holds_code(code_folder())
    except CannotLoadError:
        return True  # there is nothing to wait for: loading fails at once, and is not tried again


_CHOOSER = _Chooser()


def active() -> Kernels:
    """The kernels to use now. Ask anew for each search: the answer changes when compiled ones were loaded."""
    return _CHOOSER.chosen


def load_compiled() -> Loading:
    """Use the compiled kernels from now on, if they can be had. 0.7 s, 4 s the first time; later calls cost nothing."""
    return _CHOOSER.load()
