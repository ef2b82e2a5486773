"""The loops of turned.py in machine code, by numba (extra `fast`), beside those of compiled.py.

Cells are compared by 48 words, without a look at where the cell ends: what lies beyond belongs to the next cell or to
the room at the end, and is left out where something near was met. So the inner loop has a fixed length, which becomes
vector instructions (from 32 on; shorter ones LLVM takes apart), and most cells are one round, which is well predicted.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numba
import numpy as np

from checker.index import compiled
from checker.index.codefolder import CannotLoadError

register_jitable = compiled.register_jitable
types = compiled.types
popcount = compiled._popcount

_LANES = 48
_RUN = 256
"""Questions of one key that are asked together."""
_HALF = 32
_NEAR = 25
"""A count of differing bits, of 64, that is this far from 32 is within 7 of the word or of its complement."""
_LINE = 64
_UNSURE = np.uint64(1 << 63)


def _least_distance(codes: Any, row: Any, asked: Any, q: Any) -> Any:
    same = popcount(codes[row, 0] ^ asked[q, 0])
    across = popcount(codes[row, 1] ^ asked[q, 1])
    down = popcount(codes[row, 2] ^ asked[q, 2])
    both = popcount(codes[row, 3] ^ asked[q, 3])
    least = min(across + down + both, 128 - across - both + down)
    return same + min(least, 128 - down - both + across, 128 - across - down + both)


def _rank_of(distance: Any, sure: Any, row: Any) -> Any:
    rank = (np.uint64(distance) << np.uint64(32)) | np.uint64(row)
    return rank | _UNSURE if distance > sure else rank


_distance = register_jitable(_least_distance)
_rank = register_jitable(_rank_of)


def _gather(asked: Any, order: Any, number: Any, place: Any, run: Any) -> Any:
    """The words of the questions from `number` on that have one key, as many as there is room for; gives how many."""
    block, shift = place
    first = np.int64((asked[order[number], block] >> shift) & np.uint64(0xFFFF))
    size = 0
    while size < run.shape[0] and number + size < order.shape[0]:
        word = asked[order[number + size], block]
        bits = np.int64((word >> shift) & np.uint64(0xFFFF))
        if bits != first and bits != first ^ 0xFFFF:
            break
        run[size] = word
        size += 1
    return size


_gathered = register_jitable(_gather)


def _join(table: Any, codes: Any, sure: Any, asked: Any, order: Any, how: Any, best: Any, met: Any) -> Any:
    """Look up one piece of every question, in the order of keys: those of one key share every look at a cell.

    Into `best` goes the best of each question, into `met` all pairs of a question and a row as far as there is room;
    gives how many pairs there are.
    """
    words, rows, starts = table
    piece, limit = how
    met_asked, met_rows = met
    pairs = 0
    place = piece // 4, np.uint64(16 * (piece % 4))
    run = np.empty(_RUN, np.uint64)
    number: Any = 0
    while number < order.shape[0]:
        size: Any = _gathered(asked, order, number, place, run)
        bits = np.int64((run[0] >> place[1]) & np.uint64(0xFFFF))
        for flip in range(17):
            key = bits ^ ((1 << flip) >> 1)
            key = (key ^ -(key >> 15)) & 0x7FFF
            begin, end = np.int64(starts[key]), np.int64(starts[key + 1])
            for first in range(begin, end, _LANES):
                until: Any = min(first + _LANES, end)
                lanes = words[first : first + _LANES]
                for r in range(size):
                    word, near = run[r], False
                    for i in range(_LANES):
                        near |= abs(popcount(lanes[i] ^ word) - _HALF) >= _NEAR
                    if not near:
                        continue
                    q = order[number + r]
                    for i in range(first, until):
                        if abs(popcount(words[i] ^ word) - _HALF) >= _NEAR:
                            row = np.int64(rows[i])
                            distance = _distance(codes, row, asked, q)
                            if distance <= limit:
                                best[q] = min(best[q], _rank(distance, sure[row], row))
                                if pairs < met_asked.shape[0]:
                                    met_asked[pairs] = q
                                    met_rows[pairs] = row
                                pairs += 1
        number += size
    return pairs


def _scan(columns: Any, sure: Any, asked: Any, limit: Any, best: Any) -> Any:
    """Look at every code for every question, half of the words first."""
    stored = columns.shape[1]
    same, across, down, both = columns[0], columns[1], columns[2], columns[3]
    for q in range(asked.shape[0]):
        a, b, c, d = asked[q, 0], asked[q, 1], asked[q, 2], asked[q, 3]
        for first in range(0, stored, _LINE):
            until = min(first + _LINE, stored)
            least = np.int64(256)
            for i in range(first, until):
                turned = popcount(across[i] ^ b)
                least = min(least, popcount(same[i] ^ a) + min(turned, 64 - turned))
            if least > limit:
                continue
            for i in range(first, until):
                s, t = popcount(same[i] ^ a), popcount(across[i] ^ b)
                if s + min(t, 64 - t) > limit:
                    continue
                u, v = popcount(down[i] ^ c), popcount(both[i] ^ d)
                distance = s + min(t + u + v, 128 - t - v + u, 128 - u - v + t, 128 - t - u + v)
                if distance <= limit:
                    best[q] = min(best[q], _rank(distance, sure[i], i))
    return 0


def _array(dtype: Any, dimensions: int, *, read_only: bool = True) -> Any:
    return types.Array(dtype, dimensions, "C", readonly=read_only)


_CODES, _SURE = _array(types.uint64, 2), _array(types.int16, 1)
_BEST = _array(types.uint64, 1, read_only=False)
_TABLE = types.Tuple((_array(types.uint64, 1), _array(types.uint32, 1), _array(types.int32, 1)))
_PAIR = types.UniTuple(types.int64, 2)
_MET = types.UniTuple(_array(types.int64, 1, read_only=False), 2)
_SIGNATURES: dict[Any, Any] = {
    _join: types.int64(_TABLE, _CODES, _SURE, _CODES, _array(types.int64, 1), _PAIR, _BEST, _MET),
    _scan: types.int64(_CODES, _SURE, _CODES, types.int64, _BEST),
}


class Loops(NamedTuple):
    """The compiled functions."""

    join: Any
    scan: Any


def load(folder: Path) -> Loops:
    """Compile the loops, or load what was compiled before.

    Args:
        folder: where compiled code is kept; see `codefolder.code_folder`.
    Raises:
        CannotLoadError: numba does not want to.
    """
    if compiled.config.DISABLE_JIT:
        raise CannotLoadError("NUMBA_DISABLE_JIT is set")
    try:
        return _load(folder)
    except compiled._FAILURES as error:
        raise CannotLoadError(f"numba {numba.__version__} cannot compile here: {error}") from error


def _load(folder: Path) -> Loops:
    ours = {"CACHE_DIR": str(folder), "CACHE_LOCATOR_CLASSES": "UserProvidedCacheLocator"}
    with compiled._LOADING:  # numba's settings are one for the process
        before = {name: getattr(compiled.config, name, "") for name in ours}
        try:
            for name, value in ours.items():
                setattr(compiled.config, name, value)
            options: Any = {"nogil": True, "cache": True, "error_model": "numpy"}
            return Loops(*(numba.njit([form], **options)(loop) for loop, form in _SIGNATURES.items()))
        finally:
            for name, value in before.items():
                setattr(compiled.config, name, value)
