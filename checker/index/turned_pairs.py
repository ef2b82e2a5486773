"""Which of the stored phash256 codes are near to which of many questions, in any orientation? All of them, exactly.

For lists: the search of turned.py, but for two things. It gives every pair of a question and a stored code, not the
best alone. And of the order of pieces, 192 bytes a code, it holds one piece at a time: that is made when its turn comes
(30 ms for a million codes), asked by all questions of the call, and let go. So 32 bytes a code stay in memory, and a
call wants to have thousands of questions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from checker.index.turned import NONE, loops_for
from checker.index.turned_blocks import (
    BITS,
    CELLS,
    FLIPS,
    PIECE_BITS,
    PIECES,
    PIECES_DISTANCE_MAX,
    PieceTable,
    Words,
    both_ways,
    by_blocks,
    cell_keys,
    folded,
    is_near_block,
    piece_table,
    turned_distances,
)

if TYPE_CHECKING:
    from checker.index.compiled_turned import Loops

Ids = npt.NDArray[np.int64]
_ROOM = 1 << 16
"""Pairs that there is room for at first; a piece with more of them is asked again."""
_CANDIDATES_AT_ONCE = 1 << 20


class TooManyPairsError(Exception):
    """So much is near to the questions of one call that it is not held in memory; ask with fewer."""


class TurnedPairs:
    """Stored codes, to which later ones can be added. Used by one thread at a time."""

    def __init__(self) -> None:
        self._codes: Words = np.empty((0, BITS // 64), dtype=np.uint64)

    def __len__(self) -> int:
        return len(self._codes)

    def add(self, codes: Words) -> None:
        """Take in codes, (n, 4), the bytes of each as four words; their rows follow those that are there."""
        self._codes = np.concatenate([self._codes, by_blocks(codes)])

    def near(self, codes: Words, *, distance_bits_max: int, pairs_max: int) -> tuple[Ids, Ids]:
        """All pairs that are near in some orientation. Equal to looking at all.

        Args:
            codes: (n, 4), the questions.
            distance_bits_max: 0 to 31.
            pairs_max: how many pairs of one piece are held.
        Returns:
            Numbers of the questions and rows of the stored codes: each pair once, by question and then by row.
        Raises:
            TooManyPairsError: there are more; never where `pairs_max` is as large as the stored codes and one is asked.
            ValueError: a radius that pieces do not find.
        """
        if not 0 <= distance_bits_max <= PIECES_DISTANCE_MAX:
            raise ValueError(f"pieces find what is within 0 to {PIECES_DISTANCE_MAX} bits, not {distance_bits_max}")
        asked, loops = both_ways(codes), loops_for(len(codes))
        pairs = [np.empty(0, dtype=np.int64)]
        for piece in range(PIECES) if len(self) and len(codes) else ():
            table = piece_table(self._codes, piece)
            limits = distance_bits_max, pairs_max
            if loops:
                numbers, rows = self._joined(loops, table, asked, piece, limits)
            else:
                numbers, rows = self._looked_up(table, asked, piece, limits)
            pairs.append(numbers % len(codes) * len(self) + rows)
        numbers, rows = np.divmod(np.unique(np.concatenate(pairs)), max(1, len(self)))
        return numbers, rows

    def distances(self, rows: Ids, codes: Words) -> npt.NDArray[np.int64]:
        """From stored codes, (m,) rows, each to k codes of its own, (m, k, 4): (m, k), as they lie."""
        asked = by_blocks(codes.reshape(-1, codes.shape[2])).reshape(codes.shape)
        found: npt.NDArray[np.int64] = np.bitwise_count(asked ^ self._codes[rows][:, None]).sum(axis=2, dtype=np.int64)
        return found

    def _joined(
        self, loops: Loops, table: PieceTable, asked: Words, piece: int, limits: tuple[int, int]
    ) -> tuple[Ids, Ids]:
        """One piece by the compiled loops, the questions in the order of their keys."""
        order = cell_keys(asked, piece).argsort(kind="stable")
        how = piece, limits[0]
        unsure, best = np.full(len(self), -1, dtype=np.int16), np.full(len(asked), NONE, dtype=np.uint64)
        room = _ROOM
        while True:
            met = np.empty(room, dtype=np.int64), np.empty(room, dtype=np.int64)
            found = loops.join(table, self._codes, unsure, asked, order, how, best, met)
            if found <= room:
                return met[0][:found], met[1][:found]
            if found > 2 * limits[1]:  # a question is asked twice: as it is, and with rows and columns exchanged
                raise TooManyPairsError(f"{found:,} pairs")
            room = found

    def _looked_up(self, table: PieceTable, asked: Words, piece: int, limits: tuple[int, int]) -> tuple[Ids, Ids]:
        """The same by numpy."""
        words, rows, starts = table
        block, quarter = divmod(piece, PIECES // self._codes.shape[1])
        group = max(1, _CANDIDATES_AT_ONCE // (len(FLIPS) * (1 + 2 * len(self) // CELLS)))
        found, pairs = [(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64))], 0
        for first in range(0, len(asked), group):
            some = asked[first : first + group]
            bits = (some[:, block] >> np.uint64(PIECE_BITS * quarter)).astype(np.int64) & 0xFFFF
            cells = folded(bits[:, None] ^ FLIPS).reshape(-1)
            begins = starts.take(cells).astype(np.int64)
            lengths = starts.take(cells + 1) - begins
            ends = lengths.cumsum()
            at = np.arange(ends[-1]) + np.repeat(begins - (ends - lengths), lengths)
            kept = np.flatnonzero(is_near_block(words.take(at) ^ np.repeat(some[:, block].repeat(len(FLIPS)), lengths)))
            numbers = np.searchsorted(ends, kept, side="right") // len(FLIPS) + first
            candidates = rows.take(at[kept]).astype(np.int64)
            near = turned_distances((self._codes[candidates] ^ asked[numbers]).T) <= limits[0]
            found.append((numbers[near], candidates[near]))
            pairs += len(found[-1][0])
            if pairs > 2 * limits[1]:
                raise TooManyPairsError(f"{pairs:,} pairs and more")
        return np.concatenate([pair[0] for pair in found]), np.concatenate([pair[1] for pair in found])
