"""Codes in memory: what is newer than the last segment, and what no file holds.

The store is read for it, in blocks; what was read once is never read again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from checker.hamming import Columns
from checker.index import kernels
from checker.index.bits import permuted
from checker.index.parts import Hits, Words
from checker.model import CodeKind
from checker.records.interfaces import CodeBlock, Store

READ_AT_ONCE = 50_000


class MemoryPart:
    """Codes in the order of their ids. Implements `parts.Part`; frozen, so that threads may share it."""

    __slots__ = ("_columns", "code_ids")

    def __init__(self, code_ids: npt.NDArray[np.int64], columns: Columns) -> None:
        self.code_ids = code_ids
        self._columns = columns

    def count_of(self, code_ids: npt.NDArray[np.int64]) -> int:
        """How many of these ids it holds."""
        return int(np.isin(self.code_ids, code_ids).sum())

    def near(self, queries: Words, *, distance_bits_max: int) -> Hits:
        """See `parts.Part.near`."""
        return self._hits(kernels.active().scan_near(self._columns, queries, distance_bits_max))

    def nearest(self, queries: Words, *, count: int) -> Hits:
        """See `parts.Part.nearest`."""
        return self._hits(kernels.active().scan_nearest(self._columns, queries, count))

    def _hits(self, found: kernels.RowHits) -> Hits:
        return Hits(found.query_nos, self.code_ids[found.rows], found.distances)


class Tail:
    """Codes of one kind that grow at the end. Not for several threads at once; the parts it gives are."""

    def __init__(self, kind: CodeKind, after: int) -> None:
        """`after`: the id after which it begins."""
        self._kind = kind
        self.upto = after
        self._rows = 0
        self._ids = np.empty(0, np.int64)
        self._columns: Columns = np.empty((kind.bits // 64, 0), np.uint64)

    def __len__(self) -> int:
        return self._rows

    def read(self, store: Store) -> None:
        """Take in everything that was committed since."""
        while (block := store.code_block_after(self.upto, kind=self._kind, count=READ_AT_ONCE)).code_ids:
            self.add(block)

    def add(self, block: CodeBlock) -> None:
        """Append codes with higher ids."""
        count = len(block.code_ids)
        if not count:
            return
        end = self._rows + count
        if end > len(self._ids):
            self._grow(end)
        # Parts that were given out see their own rows only, which are never written again.
        self._ids[self._rows : end] = block.code_ids
        self._columns[:, self._rows : end] = permuted(block.bits, bits=self._kind.bits).T
        self._rows, self.upto = end, int(self._ids[end - 1])

    def part(self, *, after: int = 0) -> MemoryPart:
        """All codes with an id above `after`, as they are now."""
        begin = int(np.searchsorted(self._ids[: self._rows], after, side="right"))
        return MemoryPart(self._ids[begin : self._rows], self._columns[:, begin : self._rows])

    def _grow(self, rows: int) -> None:
        room = max(rows, 2 * len(self._ids), 1024)
        ids, columns = np.empty(room, np.int64), np.empty((len(self._columns), room), np.uint64)
        ids[: self._rows] = self._ids[: self._rows]
        columns[:, : self._rows] = self._columns[:, : self._rows]
        self._ids, self._columns = ids, columns


def part_of(blocks: Iterable[CodeBlock], kind: CodeKind) -> MemoryPart:
    """The codes of some blocks, ids rising over all of them."""
    held = Tail(kind, 0)
    for block in blocks:
        held.add(block)
    return held.part()


def blocks_between(store: Store, after: int, upto: int, kind: CodeKind) -> Iterable[CodeBlock]:
    """The store's codes of a range of ids, read in blocks."""
    while (block := store.code_block_between(after, upto, kind=kind, count=READ_AT_ONCE)).code_ids:
        yield block
        after = block.code_ids[-1]


def blocks_of(store: Store, code_ids: Sequence[int], kind: CodeKind) -> Iterable[CodeBlock]:
    """The store's codes of these ids (rising), read in blocks; erased ones are missing."""
    for begin in range(0, len(code_ids), READ_AT_ONCE):
        yield store.code_block_of(code_ids[begin : begin + READ_AT_ONCE], kind=kind)
