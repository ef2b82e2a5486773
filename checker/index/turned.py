"""phash256 codes that count in all eight orientations: which stored code is nearest to each of many, however turned?

turned_blocks.py says how codes lie in four blocks, so that one look tells of four orientations, and how whoever is near
is found by pieces of 16 bits. The stored codes lie piece by piece in the order of their keys, so that a cell's words
are neighbours in memory, and many questions are asked in the order of their keys as well. The one word of the block
tells almost every unrelated code; the few that remain are measured in full. Few codes, and radii beyond 31, are
scanned. compiled_turned.py has the loops in machine code, with equal answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from checker.index.codefolder import CannotLoadError, code_folder
from checker.index.turned_blocks import (
    BITS,
    BLOCK_BITS,
    BLOCKS,
    CELLS,
    FLIPS,
    PIECE_BITS,
    PIECES,
    PIECES_DISTANCE_MAX,
    PieceOrder,
    Words,
    both_ways,
    by_blocks,
    cell_keys,
    folded,
    is_near_block,
    turned_distances,
)

if TYPE_CHECKING:
    from checker.index.compiled_turned import Loops

Ranks = npt.NDArray[np.uint64]
"""One number for how a question lies to a stored code: unsure, distance, row. The smaller, the better."""
SCAN_UNTIL = 2_048
"""Stored codes up to which each is looked at; measured by benchmarks/honour.py."""
COMPILED_FROM = 4_096
"""Questions asked at once from which on the compiled loops are worth loading (0.5 s, 3 s the first time; 120 MB)."""
NONE = np.uint64(2**64 - 1)
"""The rank where nothing is near."""
_UNSURE, _DISTANCE_SHIFT = np.uint64(1 << 63), np.uint64(32)
_QUARTERS = np.arange(0, BLOCK_BITS, PIECE_BITS, dtype=np.uint64)
_CANDIDATES_AT_ONCE = 1 << 17
_BLOCK = 4096
_FEW = 64
_NOT_WANTED = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
"""Room for pairs where only the best is asked for."""


class TurnedCodes:
    """Stored codes, each with the distance up to which it is *sure*. Safe to share between threads.

    What is pickled are the codes; the order of pieces is made again where it is used.
    """

    def __init__(self, codes: Words, sure_bits: npt.NDArray[np.int16]) -> None:
        """Take codes.

        Args:
            codes: (n, 4), the bytes of each code as four words.
            sure_bits: (n,); further off, a code is near but not sure. -1: never sure.
        """
        self._codes = by_blocks(codes)
        self.sure_bits = sure_bits
        self._pieces: PieceOrder | None = None

    def __len__(self) -> int:
        return len(self._codes)

    def __getstate__(self) -> dict[str, Any]:
        return {"_codes": self._codes, "sure_bits": self.sure_bits, "_pieces": None}

    def best(self, codes: Words, *, distance_bits_max: int) -> Ranks:
        """For each question the best of the stored codes within `distance_bits_max` in any orientation.

        Sure ones come before all others, then the nearest, then the first. Equal to looking at all.

        Args:
            codes: (n, 4), the bytes of each code as four words.
        Returns:
            (n,) ranks for `unpacked`; `NONE` where no stored code is near.
        """
        asked = both_ways(codes)
        best = np.full(len(asked), NONE, dtype=np.uint64)
        loops = loops_for(len(codes))
        if len(self._codes) <= SCAN_UNTIL or distance_bits_max > PIECES_DISTANCE_MAX:
            if loops:
                columns = np.ascontiguousarray(self._codes.T)
                loops.scan(columns, self.sure_bits, asked, distance_bits_max, best)
            else:
                self._scan(asked, distance_bits_max, best)
        elif loops:
            self._join(loops, asked, distance_bits_max, best)
        else:
            self._probe(asked, distance_bits_max, best)
        return best.reshape(2, -1).min(axis=0)

    def near(self, code: Words, *, distance_bits_max: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Rows of all stored codes within `distance_bits_max` of one, (4,), in any orientation; and how far they are.

        By a scan: for the few questions of which the best answer is not enough.
        """
        distances = np.full(len(self._codes), BITS, dtype=np.int64)
        columns = self._codes.T
        for question in both_ways(code.reshape(1, -1)):
            rows, found = _near_columns(columns, question, distance_bits_max)
            distances[rows] = np.minimum(distances[rows], found)
        rows = np.flatnonzero(distances <= distance_bits_max)
        return rows, distances[rows]

    def distance_as_is(self, row: int, codes: Words) -> int:
        """From one stored code to the nearest of some codes, (n, 4), without turning any."""
        return int(np.bitwise_count(by_blocks(codes) ^ self._codes[row]).sum(axis=1).min())

    def _ordered(self) -> PieceOrder:
        if self._pieces is None:
            self._pieces = PieceOrder.of(self._codes)
        return self._pieces

    def _join(self, loops: Loops, asked: Words, distance_bits_max: int, best: Ranks) -> None:
        pieces, order = self._ordered(), np.arange(len(asked))
        for piece in range(PIECES):
            # By keys, so that questions that follow one another look at cells that are in the cache.
            if len(asked) > _FEW:
                order = cell_keys(asked, piece).argsort(kind="stable")
            table = pieces.words[piece], pieces.rows[piece], pieces.starts[piece]
            loops.join(table, self._codes, self.sure_bits, asked, order, (piece, distance_bits_max), best, _NOT_WANTED)

    def _scan(self, asked: Words, distance_bits_max: int, best: Ranks) -> None:
        if len(asked) < len(self._codes):
            columns = self._codes.T.copy()
            for number, question in enumerate(asked):
                rows, distances = _near_columns(columns, question, distance_bits_max)
                best[number] = ranks(rows, distances, self.sure_bits).min(initial=NONE)
            return
        for first in range(0, len(asked), _BLOCK):
            columns, here = asked[first : first + _BLOCK].T.copy(), best[first : first + _BLOCK]
            for row, code in enumerate(self._codes):
                numbers, distances = _near_columns(columns, code, distance_bits_max)
                found = ranks(np.full(len(numbers), row), distances, self.sure_bits)
                here[numbers] = np.minimum(here[numbers], found)

    def _probe(self, asked: Words, distance_bits_max: int, best: Ranks) -> None:
        for numbers, rows in self._candidates(asked):
            distances = turned_distances((self._codes[rows] ^ asked[numbers]).T)
            near = np.flatnonzero(distances <= distance_bits_max)
            np.minimum.at(best, numbers[near], ranks(rows[near], distances[near], self.sure_bits))

    def _candidates(self, asked: Words) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
        """Numbers of questions and rows that agree in a piece and in its block as near ones may."""
        pieces = self._ordered()
        words, rows, starts = (array.reshape(-1) for array in (pieces.words, pieces.rows, pieces.starts))
        firsts = np.arange(PIECES)[:, None]
        cells_each = PIECES * len(FLIPS)
        group = max(1, _CANDIDATES_AT_ONCE // (cells_each * (1 + 2 * len(self._codes) // CELLS)))
        for first in range(0, len(asked), group):
            some = asked[first : first + group]
            bits = (some[:, :, None] >> _QUARTERS).astype(np.int64).reshape(-1, PIECES, 1) & 0xFFFF
            cells = (folded(bits ^ FLIPS) + firsts * (CELLS + 1)).reshape(-1)
            begins = starts.take(cells).astype(np.int64)
            lengths = starts.take(cells + 1) - begins
            ends = lengths.cumsum()
            begins = (begins.reshape(-1, PIECES, len(FLIPS)) + firsts * pieces.words.shape[1]).reshape(-1)
            at = np.arange(ends[-1]) + np.repeat(begins - (ends - lengths), lengths)
            blocks = np.repeat(some.reshape(-1), cells_each // BLOCKS)
            kept = np.flatnonzero(is_near_block(words.take(at) ^ np.repeat(blocks, lengths)))
            number = np.searchsorted(ends, kept, side="right") // cells_each
            yield number + first, rows.take(at[kept]).astype(np.int64)


def ranks(rows: npt.NDArray[np.int64], distances: npt.NDArray[np.int64], sure: npt.NDArray[np.int16]) -> Ranks:
    """Sure before unsure, then by distance, then by row."""
    unsure = np.where(distances > sure[rows], _UNSURE, np.uint64(0))
    found: Ranks = unsure | (distances.astype(np.uint64) << _DISTANCE_SHIFT) | rows.astype(np.uint64)
    return found


def unpacked(found: Ranks) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Rows and distances of ranks; what stands for `NONE` means nothing."""
    rows = (found & np.uint64(0xFFFFFFFF)).astype(np.int64)
    return rows, ((found >> _DISTANCE_SHIFT) & np.uint64(0x7FFFFFFF)).astype(np.int64)


def _near_columns(
    columns: Words, code: Sequence[np.uint64] | Words, distance_bits_max: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Of (4, n), the numbers and distances of those near to one code. Half of the words first, as in kernels.py."""
    across = np.bitwise_count(columns[1] ^ code[1])
    least = np.minimum(across, np.uint8(BLOCK_BITS) - across) + np.bitwise_count(columns[0] ^ code[0])
    numbers = np.flatnonzero(least <= distance_bits_max)
    distances = turned_distances(columns[:, numbers] ^ np.asarray(code)[:, None])
    near = distances <= distance_bits_max
    return numbers[near], distances[near]


def loops_for(questions: int) -> Loops | None:
    """The compiled loops where so many questions are worth loading them, or they are loaded; None: numpy will do."""
    return compiled_loops() if questions >= COMPILED_FROM or compiled_loops.cache_info().currsize else None


@cache
def compiled_loops() -> Loops | None:
    """The loops in machine code; None: they cannot be had here."""
    try:
        folder = code_folder()
        from checker.index import compiled_turned
    except (CannotLoadError, ImportError):
        return None
    try:
        return compiled_turned.load(folder)
    except CannotLoadError:
        return None
