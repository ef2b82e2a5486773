"""The index that look-ups ask: segments, what is set aside, and the tail, as one. Implements `interfaces.NearIndex`.

At every question three things are looked at, which cost some microseconds: was the manifest replaced, was a mapped file
touched, was anything committed. A new manifest is opened and checked beside the questions, which go on with the files
that they have: those and the tail hold every code all the same. A file that does not hold what was written there is
named, and the store answers for its ids.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from checker.errors import DataError
from checker.index import search
from checker.index.bits import permuted
from checker.index.loaded import Loaded, load, mark_of
from checker.index.parts import Part, Words
from checker.index.search import Answer, Ids
from checker.index.tail import Tail
from checker.model import CodeKind
from checker.records.folder import DataFolder
from checker.records.interfaces import Hit, IndexState, NearAnswer, Store

INDEX_FOLDER = "index"
QUERIES_MAX = 64
"""Codes a look-up may ask with: eight orientations of eight views."""


def kind_folder(data: Path, kind: CodeKind) -> Path:
    """Where the index of this kind lies, in the data folder `data`."""
    return data / INDEX_FOLDER / f"{kind.name}.{kind.version}"


class LiveIndex:
    """See `interfaces.NearIndex`. A context manager; threads may share it, their searches run beside one another."""

    def __init__(self, data: Path, store: Store, kind: CodeKind) -> None:
        """`data`: the data folder. `kind.bits` is a multiple of 64."""
        if kind.bits % 64:
            raise ValueError(f"codes of {kind.bits} bits cannot be laid out in words of 64")
        self.kind = kind
        self._folder = kind_folder(data, kind)
        self._store = store
        self._lock = threading.Lock()
        self._loading: threading.Thread | None = None
        self._loaded: Loaded | None = None
        self._tail = Tail(kind, 0)
        self._erased: Ids = np.empty(0, np.int64)
        self._erased_mark = 0
        self._seen_version = -1
        self._parts: tuple[Part, ...] = ()

    def near(self, codes: Sequence[bytes], *, distance_bits_max: int) -> NearAnswer:
        """Find all stored codes that differ from a query in at most `distance_bits_max` bits.

        Raises:
            ValueError: more than 64 queries, one of another width, or a radius below 0 or above `kind.bits`.
        """
        queries = self._queries(codes)
        if not 0 <= distance_bits_max <= self.kind.bits:
            raise ValueError(f"a radius of {distance_bits_max} bits; codes of {self.kind.name} have {self.kind.bits}")
        parts, erased, upto = self._refreshed()
        return _answer(search.near(parts, queries, distance_bits_max=distance_bits_max, without=erased), upto)

    def nearest(self, codes: Sequence[bytes], *, count: int) -> NearAnswer:
        """Find the `count` stored codes that lie nearest to any of the queries; see `interfaces.NearIndex.nearest`.

        Raises:
            ValueError: as for `near`, or a count below 1.
        """
        queries = self._queries(codes)
        if count < 1:
            raise ValueError(f"{count} codes cannot be asked for; ask for 1 at least")
        parts, erased, upto = self._refreshed()
        return _answer(search.nearest(parts, queries, count=count, without=erased), upto)

    def named(self, queries: Words) -> Ids:
        """Ids of all codes that equal one of some queries, as answers name them; queries in the index's order of bits.

        For whoever has to prove what is not answered (verify.py).
        """
        parts, erased, _ = self._refreshed()
        found = search.near(parts, queries, distance_bits_max=0, without=erased)
        return found.hits.code_ids

    def state(self) -> IndexState:
        """Size and freshness."""
        _, erased, upto = self._refreshed()
        with self._lock:
            loaded, newest = self._loaded, self._tail.part()
        assert loaded
        pending = sum(segment.count_of(erased) for segment in loaded.segments)
        gone = pending + sum(part.count_of(erased) for part in (*loaded.in_memory, newest))
        return IndexState(
            codes=loaded.rows + len(newest.code_ids) - gone,
            segments=len(loaded.segments),
            tail=len(newest.code_ids),
            upto=upto,
            bytes=loaded.bytes,
            built_at=loaded.manifest.built_at if loaded.manifest else None,
            damaged=tuple(damage.name for damage in loaded.damaged),
            pending_erasures=pending,
        )

    def close(self) -> None:
        """Let go of the files. Questions that were asked before end in peace."""
        if (loading := self._loading) is not None:
            loading.join()
        with self._lock:
            if self._loaded is not None:
                self._loaded.close()

    def __enter__(self) -> LiveIndex:
        return self

    def __exit__(self, *problem: object) -> None:
        self.close()

    def _queries(self, codes: Sequence[bytes]) -> Words:
        if len(codes) > QUERIES_MAX:
            raise ValueError(f"at most {QUERIES_MAX} codes a look-up, not {len(codes)}")
        width = self.kind.bits // 8
        if any(len(code) != width for code in codes):
            raise ValueError(f"codes of {self.kind.name} have {width} bytes each; one of another width was asked for")
        return permuted(b"".join(codes), bits=self.kind.bits)

    # --- freshness ---------------------------------------------------------------------------------------------

    def _refreshed(self) -> tuple[tuple[Part, ...], Ids, int]:
        """Parts that together hold everything that any process has committed by now, and what was erased of it."""
        with self._lock:
            loaded = self._loaded
            if loaded is None or not loaded.unchanged():
                loaded = load(self._folder, self._store, self.kind)
                self._take(loaded, Tail(self.kind, loaded.upto))
            elif loaded.mark != mark_of(self._folder) and self._loading is None:
                self._loading = threading.Thread(target=self._load_beside, name="index", daemon=True)
                self._loading.start()
            version = self._store.version()
            if version != self._seen_version:
                self._seen_version = version
                self._read_on()
            return self._parts, self._erased, self._tail.upto

    def _load_beside(self) -> None:
        """Open and check a new manifest's files while questions go on, then let them take over."""
        try:
            loaded = load(self._folder, self._store, self.kind)
            tail = Tail(self.kind, loaded.upto)
            tail.read(self._store)
            with self._lock:
                self._take(loaded, tail)
        except DataError:
            pass  # of the database: the questions themselves meet it and say so
        finally:
            self._loading = None

    def _take(self, loaded: Loaded, tail: Tail) -> None:
        before, self._loaded, self._tail = self._loaded, loaded, tail
        self._erased, self._erased_mark = np.empty(0, np.int64), loaded.erased_mark
        if before is not None:
            before.close()
        self._read_on()

    def _read_on(self) -> None:
        assert self._loaded
        self._tail.read(self._store)
        newly = self._store.erased_codes_after(self._erased_mark, kind=self.kind)
        if newly.code_ids:
            self._erased, self._erased_mark = np.union1d(self._erased, newly.code_ids), newly.mark
        tail = (self._tail.part(),) if len(self._tail) else ()
        self._parts = (*self._loaded.parts, *tail)


def index_states(folder: DataFolder) -> tuple[tuple[CodeKind, IndexState], ...]:
    """The index of every kind of code that the folder holds."""
    states = []
    for kind in folder.store.kinds():
        with LiveIndex(folder.path, folder.store, kind) as index:
            states.append((kind, index.state()))
    return tuple(states)


def _answer(answer: Answer, upto: int) -> NearAnswer:
    hits = zip(
        answer.hits.query_nos.tolist(), answer.hits.code_ids.tolist(), answer.hits.distances.tolist(), strict=True
    )
    return NearAnswer(
        hits=tuple(Hit(query_no=query_no, code_id=code_id, distance_bits=bits) for query_no, code_id, bits in hits),
        covered_upto=upto,
        parts_asked=answer.parts_asked,
        parts_answered=answer.parts_answered,
    )
