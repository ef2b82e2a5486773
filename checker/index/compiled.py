"""The loops of the kernels in machine code, by numba (extra `fast`). fast.py hands them their arrays.

A search by pieces waits for memory most of the time, at thousands of places that have nothing to do with each other.
Here every place is asked for (prefetched) well before it is read: first all cells, then all lists of rows, then all
codes. That makes it twice as fast as numpy; scans are 3 to 12 times as fast. Functions run without the interpreter's
lock.

Machine code checks no bounds by itself. So whatever is read from a table is compared with the number of rows before
it leads anywhere, and it is read once: the file may change meanwhile. A loop tells of damage by a negative answer.

Codes to scan come as `flat` memory and two steps: word w of row r is flat[w * steps[0] + r * steps[1]].
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, NamedTuple

import numba
import numba.core.cgutils
import numba.extending
import numpy as np
from llvmlite import ir
from numba.core.errors import NumbaError

from checker.index.codefolder import CannotLoadError

cgutils: Any = numba.core.cgutils  # numba's own types say the wrong things
config: Any = numba.core.config
serialize: Any = numba.core.serialize
types: Any = numba.core.types
intrinsic: Any = numba.extending.intrinsic
register_jitable: Any = numba.extending.register_jitable

_BLOCK = 2048
_CANDIDATES = 2048
"""Rows that are asked for before the first of them is read."""
_CELL_DAMAGED = -1
_ROW_DAMAGED = -2


def _count_bits(_: Any, value: Any) -> Any:
    def emit(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.int64(value), emit


def _ask_for(_: Any, array: Any, index: Any) -> Any:
    """Read, into every cache, once: the arguments 0, 3, 1 of LLVM's `llvm.prefetch`."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        pointer = builder.bitcast(builder.gep(data, [arguments[1]]), ir.IntType(8).as_pointer())
        number = ir.IntType(32)
        form = ir.FunctionType(ir.VoidType(), [pointer.type, number, number, number])
        prefetch = cgutils.get_or_insert_function(builder.module, form, "llvm.prefetch.p0")
        builder.call(prefetch, [pointer, number(0), number(3), number(1)])
        return context.get_dummy_value()

    return types.void(array, index), emit


_popcount = intrinsic(_count_bits)
_prefetch = intrinsic(_ask_for)


def _measure_block(flat: Any, steps: Any, first: Any, size: Any, query: Any, head: Any, partial: Any) -> Any:
    """Distances over the first `head` words of `size` rows, into `partial`; gives the least of them."""
    word_step, row_step = steps
    if row_step == 1:
        one = head & 1
        a, word_a = flat[first : first + size], query[0]
        if one:
            for i in range(size):
                partial[i] = _popcount(a[i] ^ word_a)
        else:
            b, word_b = flat[word_step + first : word_step + first + size], query[1]
            for i in range(size):
                partial[i] = _popcount(a[i] ^ word_a) + _popcount(b[i] ^ word_b)
        for word in range(2 - one, head, 2):
            at = word * word_step + first
            a, word_a = flat[at : at + size], query[word]
            b, word_b = flat[at + word_step : at + word_step + size], query[word + 1]
            for i in range(size):
                partial[i] += _popcount(a[i] ^ word_a) + _popcount(b[i] ^ word_b)
    else:
        for i in range(size):
            at = (first + i) * row_step
            distance = _popcount(flat[at] ^ query[0])
            for word in range(1, head):
                distance += _popcount(flat[at + word * word_step] ^ query[word])
            partial[i] = distance
    least = np.uint16(65535)
    for i in range(size):
        least = min(least, partial[i])
    return least


def _finish_row(flat: Any, at: Any, word_step: Any, query: Any, head: Any) -> Any:
    distance = 0
    for word in range(head, query.shape[0]):
        distance += _popcount(flat[at + word * word_step] ^ query[word])
    return distance


_measured = register_jitable(_measure_block)
_rest = register_jitable(_finish_row)


def _scan_near(
    flat: Any, steps: Any, rows: Any, queries: Any, near: Any, query_nos: Any, row_nos: Any, far: Any
) -> Any:
    """How many hits there are; as many as there is room for are written. `near`: distance and words of the head."""
    limit, head = near
    partial = np.empty(_BLOCK, np.uint16)
    found = 0
    for first in range(0, rows, _BLOCK):
        size = min(_BLOCK, rows - first)
        for q in range(queries.shape[0]):
            query = queries[q]
            if _measured(flat, steps, first, size, query, head, partial) > limit:
                continue
            for i in range(size):
                if partial[i] > limit:
                    continue
                distance = partial[i] + _rest(flat, (first + i) * steps[1], steps[0], query, head)
                if distance <= limit:
                    if found < len(row_nos):
                        query_nos[found], row_nos[found], far[found] = q, first + i, distance
                    found += 1
    return found


def _scan_nearest(
    flat: Any, steps: Any, rows: Any, queries: Any, wanted: Any, query_nos: Any, row_nos: Any, far: Any
) -> Any:
    """Writes every row that is nearer than `count` rows before it, rising; gives their number.

    `wanted`: the count, and the words of the head at each bound. Between two steps of the bound fewer than `count` rows
    are written, so there are count * (bits + 1) at most.
    """
    count, heads = wanted
    bound = queries.shape[1] * 64
    partial, least, nearest_to = np.empty(_BLOCK, np.uint16), np.empty(_BLOCK, np.int64), np.empty(_BLOCK, np.int64)
    with_distance = np.zeros(bound + 1, np.int64)
    found = within = 0
    for first in range(0, rows, _BLOCK):
        size = min(_BLOCK, rows - first)
        head = heads[bound]
        least[:size] = bound + 1
        any_near = False
        for q in range(queries.shape[0]):
            query = queries[q]
            if _measured(flat, steps, first, size, query, head, partial) > bound:
                continue
            any_near = True
            for i in range(size):
                if partial[i] < least[i]:
                    distance = partial[i] + _rest(flat, (first + i) * steps[1], steps[0], query, head)
                    if distance < least[i]:
                        least[i], nearest_to[i] = distance, q
        for i in range(size if any_near else 0):
            if least[i] > bound:
                continue
            query_nos[found], row_nos[found], far[found] = nearest_to[i], first + i, least[i]
            with_distance[least[i]] += 1
            found += 1
            within += 1
            while within >= count:  # a later row has to be nearer than the last of these
                within -= with_distance[bound]
                bound -= 1
            if bound < 0:
                return found
    return found


def _key(codes: Any, row: Any, place: Any) -> Any:
    """The bits of a piece of a code; `place`: word, shift and mask of `tables.Probing.pieces`."""
    word, shift, mask = place
    key = codes[row, word] >> np.uint64(shift)
    if shift and mask >> (64 - shift):
        key |= codes[row, word + 1] << np.uint64(64 - shift)
    return np.int64(key & np.uint64(mask))


def _told_before(codes: Any, row: Any, queries: Any, q: Any, pieces: Any, piece: Any) -> Any:
    """Does a piece before this one find the pair as well? Told by the first one only, every pair is told once."""
    for p in range(piece):
        place = pieces[p, 1], pieces[p, 2], pieces[p, 3]
        if _popcount(_key_of(codes, row, place) ^ _key_of(queries, q, place)) <= pieces[p, 4]:
            return True
    return False


def _compare(candidates: Any, waiting: Any, codes: Any, asked: Any, limit: Any, found: Any, hits: Any) -> Any:
    """Writes those candidates that are near and not told yet to `hits`; gives how many hits there are by now."""
    queries, q, pieces, piece = asked
    query_nos, row_nos, far = hits
    for c in range(waiting):
        row = candidates[c]
        distance = 0
        for word in range(codes.shape[1]):
            distance += _popcount(codes[row, word] ^ queries[q, word])
        if distance <= limit and not _told(codes, row, queries, q, pieces, piece):
            if found < row_nos.shape[0]:
                query_nos[found], row_nos[found], far[found] = q, row, distance
            found += 1
    return found


_key_of = register_jitable(_key)
_told = register_jitable(_told_before)
_compared = register_jitable(_compare)


def _probe(queries: Any, tables: Any, how: Any, limit: Any, query_nos: Any, row_nos: Any, far: Any) -> Any:
    """How many hits there are, or what is damaged; as many as there is room for are written."""
    codes, starts, order = tables
    pieces, masks, bounds = how
    hits = query_nos, row_nos, far
    rows, words = codes.shape
    begins, ends = np.empty(masks.shape[0], np.int64), np.empty(masks.shape[0], np.int64)
    candidates = np.empty(_CANDIDATES, np.int64)
    found = 0
    for q in range(queries.shape[0]):
        for p in range(pieces.shape[0]):
            key = _key_of(queries, q, (pieces[p, 1], pieces[p, 2], pieces[p, 3]))
            for i in range(bounds[p], bounds[p + 1]):
                begins[i] = pieces[p, 5] + (key ^ np.int64(masks[i]))
                _prefetch(starts, begins[i])
        for p in range(pieces.shape[0]):
            asked = queries, q, pieces, p
            listed: Any = 0
            for i in range(bounds[p], bounds[p + 1]):
                begin, end = np.int64(starts[begins[i]]), np.int64(starts[begins[i] + 1])
                if begin > end or end > rows:
                    return _CELL_DAMAGED
                listed += end - begin
                begins[i], ends[i] = pieces[p, 0] * rows + begin, pieces[p, 0] * rows + end
                if begin < end:
                    _prefetch(order, begins[i])
            if listed > rows:  # no row lies in two cells of a piece
                return _CELL_DAMAGED
            waiting = 0
            for i in range(bounds[p], bounds[p + 1]):
                for at in range(begins[i], ends[i]):
                    row = np.int64(order[at])
                    if row >= rows:
                        return _ROW_DAMAGED
                    _prefetch(codes, row * words)
                    candidates[waiting] = row
                    waiting += 1
                    if waiting == _CANDIDATES:
                        found = _compared(candidates, waiting, codes, asked, limit, found, hits)
                        waiting = 0
            found = _compared(candidates, waiting, codes, asked, limit, found, hits)
    return found


_READ, _WRITTEN = True, False


def _array(dtype: Any, dimensions: int, read_only: bool) -> Any:
    return types.Array(dtype, dimensions, "C", readonly=read_only)


_QUERIES = _array(types.uint64, 2, _READ)
_NUMBERS = _array(types.int64, 1, _READ)
_HITS = (_array(types.int64, 1, _WRITTEN), _array(types.int64, 1, _WRITTEN), _array(types.uint16, 1, _WRITTEN))
_SCANNED = (_array(types.uint64, 1, _READ), types.UniTuple(types.int64, 2), types.int64, _QUERIES)
_SMALL = _array(types.uint32, 1, _READ)
_SIGNATURES = {
    _scan_near: types.int64(*_SCANNED, types.UniTuple(types.int64, 2), *_HITS),
    _scan_nearest: types.int64(*_SCANNED, types.Tuple((types.int64, _NUMBERS)), *_HITS),
    _probe: types.int64(
        _QUERIES,
        types.Tuple((_QUERIES, _SMALL, _SMALL)),
        types.Tuple((_array(types.int64, 2, _READ), _SMALL, _NUMBERS)),
        types.int64,
        *_HITS,
    ),
}
"""One form of each, for arrays that may be read only: numba lets arrays that may be written stand for them."""


class Loops(NamedTuple):
    """The compiled functions."""

    scan_near: Any
    scan_nearest: Any
    probe: Any


_LOADING = threading.Lock()
_FAILURES: Any = (
    NumbaError,
    serialize.pickle.PickleError,
    *(OSError, RuntimeError, ValueError, TypeError, LookupError, AttributeError, EOFError, ImportError),
)
"""What numba is known to raise at a cut-off file, and at machines that it does not like."""


def load(folder: Path) -> Loops:
    """Compile the loops, or load what was compiled before. What cannot be read (a power cut) is compiled anew.

    Args:
        folder: where compiled code is kept; see `codefolder.code_folder`.
    Raises:
        CannotLoadError: numba does not want to.
    """
    if config.DISABLE_JIT:
        raise CannotLoadError("NUMBA_DISABLE_JIT is set")
    with _LOADING:
        try:
            return _load(folder)
        except _FAILURES:
            for path in folder.rglob("*.nb?"):
                path.unlink(missing_ok=True)
        try:
            return _load(folder)
        except _FAILURES as error:
            raise CannotLoadError(f"numba {numba.__version__} cannot compile here: {error}") from error


def _load(folder: Path) -> Loops:
    # What the environment says of either is not to be trusted, and the package's own folder never to be written to.
    ours = {"CACHE_DIR": str(folder), "CACHE_LOCATOR_CLASSES": "UserProvidedCacheLocator"}
    before = {name: getattr(config, name, "") for name in ours}
    try:
        for name, value in ours.items():
            setattr(config, name, value)
        return Loops(*map(_compiled, _SIGNATURES))
    finally:
        for name, value in before.items():
            setattr(config, name, value)


def _compiled(function: Any) -> Any:
    return numba.njit([_SIGNATURES[function]], nogil=True, cache=True, error_model="numpy")(function)
