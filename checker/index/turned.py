"""phash256 codes that count in all eight orientations: which stored code is nearest to each of many, however turned?

Turning a picture flips the signs of coefficients and exchanges rows with columns (fingerprint/cosine.py), so the four
mirrorings turn over, as a whole, the bits of some of four *blocks*, each a word of 64 bits:

    rows and columns even          never
    rows even, columns odd         mirrored left to right
    rows odd, columns even         mirrored top to bottom
    rows and columns odd           in either one, and so not in both

Counting the differing bits of the four blocks gives the distances in all four mirrorings at once; with the question
asked a second time, rows and columns exchanged, in all eight. That is exact, and a quarter of asking eight times.

Search: whoever is within 31 bits is within 7 in some block, and then within 1 in some quarter of it, a *piece* of 16
bits (multi-index hashing, plan.py), turned over or not. The stored codes lie piece by piece in the order of their keys,
so that a cell's words are neighbours in memory, and many questions are asked in the order of their keys as well. The
one word of the block tells almost every unrelated code; the few that remain are measured in full. Few codes, and
radii beyond 31, are scanned. compiled_turned.py has the loops in machine code, with equal answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from checker.index.bits import bit_order
from checker.index.codefolder import CannotLoadError, code_folder

if TYPE_CHECKING:
    from checker.index.compiled_turned import Loops

Words = npt.NDArray[np.uint64]
"""(codes, 4): codes as they are, or by blocks (`by_blocks`)."""
Ranks = npt.NDArray[np.uint64]
"""One number for how a question lies to a stored code: unsure, distance, row. The smaller, the better."""
SIDE = 16
BITS = SIDE * SIDE
BLOCKS, BLOCK_BITS = 4, 64
PIECES, PIECE_BITS = 16, 16
CELLS = 1 << (PIECE_BITS - 1)
"""Of one piece: a key and its complement share one."""
PIECES_DISTANCE_MAX = 31
BLOCK_DISTANCE_MAX = PIECES_DISTANCE_MAX // BLOCKS
SCAN_UNTIL = 2_048
"""Stored codes up to which each is looked at; measured by benchmarks/honour.py."""
COMPILED_FROM = 4_096
"""Questions asked at once from which on the compiled loops are worth loading (0.5 s, 3 s the first time; 120 MB)."""
NONE = np.uint64(2**64 - 1)
"""The rank where nothing is near."""
_UNSURE, _DISTANCE_SHIFT = np.uint64(1 << 63), np.uint64(32)
_FLIPS = np.array([0, *(1 << bit for bit in range(PIECE_BITS))], dtype=np.int64)
_QUARTERS = np.arange(0, BLOCK_BITS, PIECE_BITS, dtype=np.uint64)
_CANDIDATES_AT_ONCE = 1 << 17
_BLOCK = 4096
_FEW = 64


# --- layout ----------------------------------------------------------------------------------------------------


def by_blocks(codes: Words, *, exchanged: bool = False) -> Words:
    """Codes laid out by blocks.

    Args:
        codes: (n, 4), the bytes of each code as four words.
        exchanged: with rows and columns exchanged.
    """
    raw = np.ascontiguousarray(codes).view(np.uint8).reshape(-1, BITS // 8)
    if len(raw) < _BLOCK:
        return _moved(raw, exchanged)
    tables = _byte_tables(exchanged)
    words = np.empty((len(raw), BLOCKS), dtype=np.uint64)
    for first in range(0, len(raw), _BLOCK):
        block = words[first : first + _BLOCK]
        values = raw[first : first + _BLOCK].T.astype(np.intp)
        np.take(tables[0], values[0], axis=0, out=block, mode="clip")
        for table, value in zip(tables[1:], values[1:], strict=True):
            block |= table.take(value, axis=0, mode="clip")
    return words


def _moved(raw: npt.NDArray[np.uint8], exchanged: bool) -> Words:
    bits = np.unpackbits(raw, axis=1).take(_order(exchanged), axis=1)
    return np.packbits(bits, axis=1, bitorder="little").view("<u8").astype(np.uint64, copy=False)


@lru_cache(maxsize=2)
def _order(exchanged: bool) -> npt.NDArray[np.intp]:
    """For each position by blocks, the number of the bit that it holds."""
    # In the index's order of bits: neighbouring frequencies go together, and a piece is to have none of them.
    scattered = [number ^ 7 for number in bit_order(BITS)]  # there the lowest bit of a byte is its first
    blocks: list[list[int]] = [[] for _ in range(BLOCKS)]
    for number in scattered:
        row, column = divmod(number, SIDE)
        blocks[2 * (row % 2) + column % 2].append(number)
    # The constant, which every photo has: as the highest bit of a piece it costs nothing (`cell_keys`).
    blocks[0].remove(0)
    blocks[0].insert(PIECE_BITS - 1, 0)
    order = [number for block in blocks for number in block]
    return np.array([SIDE * (n % SIDE) + n // SIDE if exchanged else n for n in order], dtype=np.intp)


@lru_cache(maxsize=2)
def _byte_tables(exchanged: bool) -> Words:
    """(bytes, 256, 4): the words of a code that is zero but for this value of this byte."""
    lone = np.zeros((BITS // 8, 256, BITS // 8), dtype=np.uint8)
    place = np.arange(BITS // 8)
    lone[place, :, place] = np.arange(256, dtype=np.uint8)
    return _moved(lone.reshape(-1, BITS // 8), exchanged).reshape(BITS // 8, 256, BLOCKS)


def both_ways(codes: Words) -> Words:
    """(2 n, 4): questions as they are asked, by blocks: all as they are, then all exchanged."""
    return np.concatenate([by_blocks(codes), by_blocks(codes, exchanged=True)])


def cell_keys(words: Words, piece: int) -> npt.NDArray[np.int64]:
    """The keys of one piece, 0 to 2^15 - 1: where the highest bit is set, the complement of the bits."""
    block, quarter = divmod(piece, BLOCK_BITS // PIECE_BITS)
    bits = (words[:, block] >> np.uint64(PIECE_BITS * quarter)).astype(np.int64) & 0xFFFF
    return folded(bits)


def folded(bits: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The key that some bits and their complement share."""
    return (bits ^ -(bits >> (PIECE_BITS - 1))) & (CELLS - 1)


def turned_distances(differing: Words) -> npt.NDArray[np.int64]:
    """Of XORed words by blocks, (n, 4), the least distance of the four mirrorings."""
    same, across, down, both = np.bitwise_count(differing).astype(np.int64).T
    least: npt.NDArray[np.int64] = across + down + both
    for one, other, left in ((across, both, down), (down, both, across), (across, down, both)):
        np.minimum(least, 2 * BLOCK_BITS - one - other + left, out=least)
    least += same
    return least


# --- stored codes ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class PieceOrder:
    """Stored codes in the order of the keys of each piece."""

    words: npt.NDArray[np.uint64]
    """(pieces, n + room): the word of the piece's block."""
    rows: npt.NDArray[np.uint32]
    """(pieces, n + room): whose it is."""
    starts: npt.NDArray[np.int32]
    """(pieces, cells + 1): where each cell begins, and where the last ends."""

    @classmethod
    def of(cls, codes: Words) -> PieceOrder:
        """Codes by blocks. 12 bytes a code and piece."""
        ordered = cls(
            words=np.zeros((PIECES, len(codes) + LANES), dtype=np.uint64),
            rows=np.zeros((PIECES, len(codes) + LANES), dtype=np.uint32),
            starts=np.zeros((PIECES, CELLS + 1), dtype=np.int32),
        )
        for piece in range(PIECES):
            keys = cell_keys(codes, piece)
            order = keys.astype(np.uint16).argsort(kind="stable")  # numpy sorts these by radix
            ordered.rows[piece, : len(codes)] = order
            ordered.words[piece, : len(codes)] = codes[order, piece // (PIECES // BLOCKS)]
            ordered.starts[piece, 1:] = np.bincount(keys, minlength=CELLS).cumsum()
        return ordered


LANES = 48
"""Words that are compared at once (compiled_turned.py); beyond the last code there is room for as many."""


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
        loops = compiled_loops() if len(codes) >= COMPILED_FROM or compiled_loops.cache_info().currsize else None
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
                order = cell_keys(asked, piece).astype(np.uint16).argsort(kind="stable")
            table = pieces.words[piece], pieces.rows[piece], pieces.starts[piece]
            loops.join(table, self._codes, self.sure_bits, asked, order, (piece, distance_bits_max), best)

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
            distances = turned_distances(self._codes[rows] ^ asked[numbers])
            near = np.flatnonzero(distances <= distance_bits_max)
            np.minimum.at(best, numbers[near], ranks(rows[near], distances[near], self.sure_bits))

    def _candidates(self, asked: Words) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
        """Numbers of questions and rows that agree in a piece and in its block as near ones may."""
        pieces = self._ordered()
        words, rows, starts = (array.reshape(-1) for array in (pieces.words, pieces.rows, pieces.starts))
        firsts = np.arange(PIECES)[:, None]
        cells_each = PIECES * len(_FLIPS)
        group = max(1, _CANDIDATES_AT_ONCE // (cells_each * (1 + 2 * len(self._codes) // CELLS)))
        for first in range(0, len(asked), group):
            some = asked[first : first + group]
            bits = (some[:, :, None] >> _QUARTERS).astype(np.int64).reshape(-1, PIECES, 1) & 0xFFFF
            cells = (folded(bits ^ _FLIPS) + firsts * (CELLS + 1)).reshape(-1)
            begins = starts.take(cells).astype(np.int64)
            lengths = starts.take(cells + 1) - begins
            ends = lengths.cumsum()
            begins = (begins.reshape(-1, PIECES, len(_FLIPS)) + firsts * pieces.words.shape[1]).reshape(-1)
            at = np.arange(ends[-1]) + np.repeat(begins - (ends - lengths), lengths)
            blocks = np.repeat(some.reshape(-1), cells_each // BLOCKS)
            counts = np.bitwise_count(words.take(at) ^ np.repeat(blocks, lengths))
            # Within 7 of the word or of its complement; of a byte, 0 - 8 is 248.
            kept = np.flatnonzero(counts - np.uint8(BLOCK_DISTANCE_MAX + 1) > BLOCK_BITS - 2 * BLOCK_DISTANCE_MAX - 2)
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
    distances = turned_distances(columns[:, numbers].T ^ np.asarray(code))
    near = distances <= distance_bits_max
    return numbers[near], distances[near]


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
