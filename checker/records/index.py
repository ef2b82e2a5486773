"""Near-match search by a plain scan of the codes in memory. Implements `interfaces.NearIndex`.

The store is the truth: at each question the codes that were committed since are read from it, and an answer is
always joined to it, so a picture that is gone gives no match. Right for some 100,000 codes (0.4 ms a query);
larger engines fit behind the same interface.
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
        self.kind = kind
        self._store = store
        self._lock = threading.Lock()
        self._seen_version = -1
        self._columns: Columns = np.empty((kind.bits // 64, 0), dtype=np.uint64)
        self._ids: npt.NDArray[np.int64] = np.empty(0, dtype=np.int64)

    def near(self, codes: Sequence[bytes], *, distance_bits_max: int) -> NearAnswer:
        """Find all stored codes that differ from a query in at most `distance_bits_max` bits."""
        if len(codes) > QUERIES_MAX:
            raise ValueError(f"at most {QUERIES_MAX} codes a look-up, not {len(codes)}")
        columns, ids = self._refreshed()
        hits: list[Hit] = []
        for query_no, code in enumerate(codes):
            distance = distances(columns, code)
            near = np.flatnonzero(distance <= distance_bits_max)
            near = near[np.lexsort((ids[near], distance[near]))]
            hits += [Hit(query_no=query_no, code_id=int(ids[i]), distance_bits=int(distance[i])) for i in near]
        return NearAnswer(hits=tuple(hits), covered_upto=int(ids[-1]) if len(ids) else 0)

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
        while rows := self._store.codes_after(last, kind=self.kind, count=_READ_AT_ONCE):
            columns.append(to_columns(b"".join(row.bits for row in rows), code_bytes=self.kind.bits // 8))
            ids.append(np.array([row.code_id for row in rows], dtype=np.int64))
            last = rows[-1].code_id
        if len(ids) > 1:
            self._columns, self._ids = np.concatenate(columns, axis=1), np.concatenate(ids)
