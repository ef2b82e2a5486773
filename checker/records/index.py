"""Near-match search by a plain scan of the codes in memory. Implements `interfaces.NearIndex`.

The store is the truth: at each question the codes that were committed since are read from it, and an answer is
always joined to it, so a picture that is gone gives no match. Right for some 100,000 codes (0.4 ms a query);
larger engines fit behind the same interface. Of several codes of one picture each is a row of its own.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from checker.model import CodeKind
from checker.records.interfaces import Hit, IndexState, NearAnswer, Store
from checker.records.kernels import Columns, distances, to_columns

QUERIES_MAX = 64
"""Codes a look-up may ask with: eight orientations of eight views."""
_READ_AT_ONCE = 50_000


class ScanIndex:
    """See `interfaces.NearIndex`."""

    def __init__(self, store: Store, kind: CodeKind) -> None:
        """`kind.bits` is a multiple of 64."""
        if kind.bits % 64:
            raise ValueError(f"codes of {kind.bits} bits cannot be laid out in words of 64")
        self.kind = kind
        self._store = store
        self._lock = threading.Lock()
        self._seen_version = -1
        self._columns: Columns = np.empty((kind.bits // 64, 0), dtype=np.uint64)
        self._ids: npt.NDArray[np.int64] = np.empty(0, dtype=np.int64)

    def near(self, codes: Sequence[bytes], *, distance_bits_max: int) -> NearAnswer:
        """Find all stored codes that differ from a query in at most `distance_bits_max` bits."""
        _refuse_too_many(codes)
        columns, ids = self._refreshed()
        hits: list[Hit] = []
        for query_no, code in enumerate(codes):
            distance = distances(columns, code)
            near = np.flatnonzero(distance <= distance_bits_max)
            near = near[np.lexsort((ids[near], distance[near]))]
            hits += [Hit(query_no=query_no, code_id=int(ids[i]), distance_bits=int(distance[i])) for i in near]
        return NearAnswer(hits=tuple(hits), covered_upto=int(ids[-1]) if len(ids) else 0)

    def nearest(self, codes: Sequence[bytes], *, count: int) -> NearAnswer:
        """Find the `count` stored codes that lie nearest to any of the queries; see `interfaces.NearIndex.nearest`."""
        _refuse_too_many(codes)
        if count < 1:
            raise ValueError(f"{count} codes cannot be asked for; ask for 1 at least")
        columns, ids = self._refreshed()
        covered_upto = int(ids[-1]) if len(ids) else 0
        if not codes or not len(ids):
            return NearAnswer(hits=(), covered_upto=covered_upto)
        least = distances(columns, codes[0])
        query_nos = np.zeros(len(ids), dtype=np.uint8)
        for query_no, code in enumerate(codes[1:], start=1):
            distance = distances(columns, code)
            query_nos[distance < least] = query_no
            np.minimum(least, distance, out=least)
        # Sorting only what can be among the nearest; ids rise, so a stable sort leaves the lowest first.
        furthest = np.partition(least, count - 1)[count - 1] if count < len(ids) else least.max()
        among = np.flatnonzero(least <= furthest)
        nearest = among[np.argsort(least[among], kind="stable")][:count]
        hits = (Hit(query_no=int(query_nos[i]), code_id=int(ids[i]), distance_bits=int(least[i])) for i in nearest)
        return NearAnswer(hits=tuple(hits), covered_upto=covered_upto)

    def state(self) -> IndexState:
        """Size and freshness."""
        _, ids = self._refreshed()
        return IndexState(codes=len(ids), segments=0, tail=len(ids), upto=int(ids[-1]) if len(ids) else 0)

    def _refreshed(self) -> tuple[Columns, npt.NDArray[np.int64]]:
        """The codes, with everything that any process has committed by now."""
        with self._lock:
            version = self._store.version()
            if version != self._seen_version:
                self._append_newer()
                self._seen_version = version
            return self._columns, self._ids

    def _append_newer(self) -> None:
        last = int(self._ids[-1]) if len(self._ids) else 0
        columns, ids = [self._columns], [self._ids]
        while (block := self._store.code_block_after(last, kind=self.kind, count=_READ_AT_ONCE)).code_ids:
            columns.append(to_columns(block.bits, code_bytes=self.kind.bits // 8))
            ids.append(np.array(block.code_ids, dtype=np.int64))
            last = block.code_ids[-1]
        if len(ids) > 1:
            self._columns, self._ids = np.concatenate(columns, axis=1), np.concatenate(ids)


def _refuse_too_many(codes: Sequence[bytes]) -> None:
    if len(codes) > QUERIES_MAX:
        raise ValueError(f"at most {QUERIES_MAX} codes a look-up, not {len(codes)}")
