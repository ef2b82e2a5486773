"""Pieces of codes: their keys, and the tables that say where the rows of each key are. In numpy only.

A radix sort in machine code (numba) was tried: 45 ns a row and piece, where numpy's sort of whole numbers takes 12.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from checker.index.parts import Words
from checker.index.plan import Plan

_BLOCK = 16_384
_HALF = np.uint64(32)


class KeyPlaces:
    """Where the keys of some pieces are in a code: in one word, or in the upper end of one and the next."""

    def __init__(self, plan: Plan, pieces: Sequence[int]) -> None:
        starts = np.array([plan.starts[piece] for piece in pieces])
        self._words = starts // 64
        self._next_words = np.minimum(self._words + 1, plan.bits // 64 - 1)
        self._shifts = (starts % 64).astype(np.uint64)
        # By so much less one, and then by one: a shift by all 64 bits is not defined.
        self._shifts_back = np.uint64(63) - self._shifts
        self._masks = np.array([(1 << plan.widths[piece]) - 1 for piece in pieces], dtype=np.uint64)

    def keys(self, codes: Words) -> npt.NDArray[np.int64]:
        """(codes, pieces): the bits of each piece; its first one is the lowest."""
        keys: npt.NDArray[np.uint64] = codes.take(self._next_words, axis=1)
        keys <<= self._shifts_back
        keys <<= np.uint64(1)
        keys |= codes.take(self._words, axis=1) >> self._shifts
        keys &= self._masks
        return keys.view(np.int64)


def piece_tables(codes: Words, plan: Plan, piece: int) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint32]]:
    """The tables of one piece.

    Takes about 14 bytes of memory a row besides the codes, and 4 a cell.

    Args:
        codes: (n, words)
    Returns:
        Where each cell begins, and where the last one ends (2^width + 1); the rows by key, rising in a cell (n).
    """
    places = KeyPlaces(plan, (piece,))
    keyed = np.arange(len(codes), dtype=np.uint64)
    for first in range(0, len(codes), _BLOCK):
        keyed[first : first + _BLOCK] |= places.keys(codes[first : first + _BLOCK])[:, 0].view(np.uint64) << _HALF
    # The key, then the row: no two are equal, and one sort of numbers in place is what numpy does fastest.
    keyed.sort()
    starts = np.zeros((1 << plan.widths[piece]) + 1, dtype=np.uint32)
    for first in range(0, len(codes), _BLOCK):
        keys = (keyed[first : first + _BLOCK] >> _HALF).astype(np.int64)
        counts = np.bincount(keys - keys[0])
        starts[keys[0] + 1 : keys[0] + 1 + len(counts)] += counts.astype(np.uint32)
    np.cumsum(starts, out=starts)
    return starts, keyed.astype(np.uint32)  # of the number, the lower half: the row
