"""How phash256 codes lie in memory so that they count in all eight orientations at once.

Turning a picture flips the signs of coefficients and exchanges rows with columns (fingerprint/cosine.py), so the four
mirrorings turn over, as a whole, the bits of some of four *blocks*, each a word of 64 bits:

    rows and columns even          never
    rows even, columns odd         mirrored left to right
    rows odd, columns even         mirrored top to bottom
    rows and columns odd           in either one, and so not in both

Counting the differing bits of the four blocks gives the distances in all four mirrorings at once; with the question
asked a second time, rows and columns exchanged, in all eight. That is exact, and a quarter of asking eight times.

Whoever is within 31 bits is within 7 in some block, and then within 1 in some quarter of it, a *piece* of 16 bits
(multi-index hashing, plan.py), turned over or not. For a search by pieces the codes lie in the order of their keys.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from checker.index.bits import bit_order

Words = npt.NDArray[np.uint64]
"""(codes, 4): codes as they are, or by blocks (`by_blocks`)."""
PieceTable = tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint32], npt.NDArray[np.int32]]
"""One piece of a `PieceOrder`."""
SIDE = 16
BITS = SIDE * SIDE
BLOCKS, BLOCK_BITS = 4, 64
PIECES, PIECE_BITS = 16, 16
CELLS = 1 << (PIECE_BITS - 1)
"""Of one piece: a key and its complement share one."""
PIECES_DISTANCE_MAX = 31
BLOCK_DISTANCE_MAX = PIECES_DISTANCE_MAX // BLOCKS
FLIPS = np.array([0, *(1 << bit for bit in range(PIECE_BITS))], dtype=np.int64)
"""What takes the key of a piece to those within 1 of it."""
LANES = 48
"""Words that are compared at once (compiled_turned.py); beyond the last code there is room for as many."""
_MANY = 4096
"""Codes from which on tables of bytes are made to lay them out by."""


def by_blocks(codes: Words, *, exchanged: bool = False) -> Words:
    """Codes laid out by blocks.

    Args:
        codes: (n, 4), the bytes of each code as four words.
        exchanged: with rows and columns exchanged.
    """
    raw = np.ascontiguousarray(codes).view(np.uint8).reshape(-1, BITS // 8)
    if len(raw) < _MANY:
        return _moved(raw, exchanged)
    tables = _byte_tables(exchanged)
    words = np.empty((len(raw), BLOCKS), dtype=np.uint64)
    for first in range(0, len(raw), _MANY):
        block = words[first : first + _MANY]
        values = raw[first : first + _MANY].T.astype(np.intp)
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


def cell_keys(words: Words, piece: int) -> npt.NDArray[np.uint16]:
    """The keys of one piece, 0 to 2^15 - 1: where the highest bit is set, the complement of the bits."""
    block, quarter = divmod(piece, BLOCK_BITS // PIECE_BITS)
    bits = (words[:, block] >> np.uint64(PIECE_BITS * quarter)).astype(np.uint16)  # the lowest 16 bits
    return folded(bits)


def folded(bits: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The key that some bits and their complement share; bits and keys are uint16 or int64."""
    keys: npt.NDArray[Any] = (bits ^ -(bits >> (PIECE_BITS - 1))) & (CELLS - 1)
    return keys


def turned_distances(differing: Words) -> npt.NDArray[np.int64]:
    """Of XORed words, block by block, (4, ...), the least distance of the four mirrorings, (...)."""
    same, across, down, both = np.bitwise_count(differing).astype(np.int16)
    least: npt.NDArray[np.int16] = across + down + both
    for one, other, left in ((across, both, down), (down, both, across), (across, down, both)):
        np.minimum(least, 2 * BLOCK_BITS - one - other + left, out=least)
    least += same
    return least.astype(np.int64)


def is_near_block(differing: Words) -> npt.NDArray[np.bool_]:
    """Is a word of one block within 7 of another or of its complement? Of what differs in them."""
    counts = np.bitwise_count(differing)
    # Of a byte, 0 - 8 is 248.
    near: npt.NDArray[np.bool_] = counts - np.uint8(BLOCK_DISTANCE_MAX + 1) > BLOCK_BITS - 2 * BLOCK_DISTANCE_MAX - 2
    return near


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
            table = ordered.words[piece], ordered.rows[piece], ordered.starts[piece]
            for whole, part in zip(table, piece_table(codes, piece), strict=True):
                whole[:] = part
        return ordered


def piece_table(codes: Words, piece: int) -> PieceTable:
    """Codes by blocks in the order of the keys of one piece: words, rows and starts, as of `PieceOrder`."""
    words, rows = np.zeros(len(codes) + LANES, dtype=np.uint64), np.zeros(len(codes) + LANES, dtype=np.uint32)
    starts = np.zeros(CELLS + 1, dtype=np.int32)
    keys = cell_keys(codes, piece)
    order = keys.argsort(kind="stable")  # numpy sorts 16 bits by radix
    rows[: len(codes)] = order
    np.take(codes[:, piece // (PIECES // BLOCKS)], order, out=words[: len(codes)], mode="clip")
    starts[1:] = np.bincount(keys, minlength=CELLS).cumsum()
    return words, rows, starts
