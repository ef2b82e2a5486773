"""The order of bits inside of the index: one fixed permutation for each length of code.

Bits of a photo's code are neither even nor independent: a few are set for almost every photo, and those of
neighbouring frequencies go together. Cut as they come, some pieces of a code would have a few values that most photos
share, and a search would look at thousands of codes in vain (20,800 of a million in the worst case, against 6,100
after the permutation). Distances stay as they are, so answers do not depend on it; speed does.

The order is made from SHA-256 and from nothing that a library may change, since it is written into files:
position p of the index holds that bit of a code which comes p-th when the bits 0, 1, 2, ... are sorted by
SHA-256("haveibeenscraped index bits 1: <bits> <number of the bit, decimal>").

Bit b of a code is bit b % 8 of its byte b // 8, the lowest bit first; position p is bit p % 64 of word p // 64, the
lowest bit first again. So a row of words, written little-endian, is the permuted code on every machine.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from checker.index.parts import Words

_TABLES_FROM = 1024
"""Codes from which on looking up whole bytes is faster than moving bits (0.06 against 0.16 us a code)."""
_BLOCK = 4096
"""Codes at once: the words of so many, twice, fit into a core's cache."""


def permuted(codes: bytes, *, bits: int) -> Words:
    """Codes in the index's order of bits.

    Args:
        codes: one after the other, `bits // 8` bytes each.
        bits: of one code; a multiple of 64.
    Returns:
        Shape (codes, bits // 64), a row for each code, rows one after the other in memory.
    Raises:
        ValueError: `codes` is not made of codes of this length.
    """
    if bits < 64 or bits % 64:
        raise ValueError(f"codes of {bits} bits cannot be laid out in words of 64")
    if len(codes) % (bits // 8):
        raise ValueError(f"{len(codes)} bytes are not made of codes of {bits} bits")
    raw = np.frombuffer(codes, dtype=np.uint8).reshape(-1, bits // 8)
    return _moved(raw) if len(raw) < _TABLES_FROM else _looked_up(raw)


def bit_order(bits: int) -> tuple[int, ...]:
    """For each position of the index, the number of the bit of a code that it holds."""

    def key(bit: int) -> bytes:
        return hashlib.sha256(b"haveibeenscraped index bits 1: %d %d" % (bits, bit)).digest()

    return tuple(sorted(range(bits), key=key))


def _moved(raw: npt.NDArray[np.uint8]) -> Words:
    bits = np.unpackbits(raw, axis=1, bitorder="little").take(_order(raw.shape[1] * 8), axis=1)
    return np.packbits(bits, axis=1, bitorder="little").view("<u8").astype(np.uint64, copy=False)


def _looked_up(raw: npt.NDArray[np.uint8]) -> Words:
    """Each byte gives the words that it alone would make; a code is all of its bytes' words put together."""
    tables = _byte_tables(raw.shape[1])
    words = np.empty((len(raw), raw.shape[1] // 8), dtype=np.uint64)
    scratch = np.empty((_BLOCK, words.shape[1]), dtype=np.uint64)
    for first in range(0, len(raw), _BLOCK):
        block = words[first : first + _BLOCK]
        values = raw[first : first + _BLOCK].T.astype(np.intp)
        # "clip" changes nothing, a byte is at most 255; without it numpy would fill a copy of `out` first.
        np.take(tables[0], values[0], axis=0, out=block, mode="clip")
        for table, value in zip(tables[1:], values[1:], strict=True):
            part = scratch[: len(block)]
            np.take(table, value, axis=0, out=part, mode="clip")
            np.bitwise_or(block, part, out=block)
    return words


@lru_cache(maxsize=4)
def _order(bits: int) -> npt.NDArray[np.intp]:
    return np.array(bit_order(bits), dtype=np.intp)


@lru_cache(maxsize=4)
def _byte_tables(code_bytes: int) -> Words:
    """Shape (code_bytes, 256, words): the words of a code that is zero but for this value of this byte."""
    lone = np.zeros((code_bytes, 256, code_bytes), dtype=np.uint8)
    place = np.arange(code_bytes)
    lone[place, :, place] = np.arange(256, dtype=np.uint8)
    return _moved(lone.reshape(-1, code_bytes)).reshape(code_bytes, 256, -1)
