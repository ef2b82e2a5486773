"""The engines that `benchmarks/index.py` compares, ours and others', behind one face. Nothing to run here.

Each is asked in its own words: FAISS's `range_search` takes a radius and finds what is *below* it, so it is given one
more; graphs and usearch know no radius and are asked for the nearest, of which those within the radius count. Rows are
numbered from 0. One thread each.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Codes = npt.NDArray[np.uint8]
"""(n, bytes of a code)"""
Found = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]
"""Of every hit: number of the query, row, distance in bits."""
NEAREST = 48
"""Asked of engines that know no radius, and where the nearest are wanted."""
_BLOCK = 50_000


class Engine(Protocol):
    """One way to find codes. Made with the bits of a code and a folder for what it keeps."""

    name: str
    exact: bool

    def build(self, codes: Codes) -> None:
        """Take the codes in, `codes` being a mapped file."""
        ...

    def near(self, queries: Codes, radius: int) -> Found:
        """All within `radius` bits."""
        ...

    def nearest(self, queries: Codes, count: int) -> Found:
        """The nearest of each query; ours: of all queries together, as its users ask."""
        ...

    def bytes_on_disk(self) -> int:
        """Of what it would be opened from the next time."""
        ...


class _Faiss:
    """What all binary indexes of FAISS share."""

    exact = True

    def __init__(self, bits: int, folder: Path) -> None:
        import faiss

        faiss.omp_set_num_threads(1)
        self._folder = folder
        self._faiss = faiss
        self._index: Any = self._make(bits)

    def _make(self, bits: int) -> Any:
        raise NotImplementedError

    def build(self, codes: Codes) -> None:
        """See `Engine.build`."""
        for block in _blocks(codes):
            self._index.add(block)

    def near(self, queries: Codes, radius: int) -> Found:
        """See `Engine.near`."""
        limits, distances, rows = self._index.range_search(queries, radius + 1)
        return np.repeat(np.arange(len(queries)), np.diff(limits.astype(np.int64))), rows, distances.astype(np.int64)

    def nearest(self, queries: Codes, count: int) -> Found:
        """See `Engine.nearest`."""
        distances, rows = self._index.search(queries, count)
        return np.repeat(np.arange(len(queries)), count), rows.ravel(), distances.ravel().astype(np.int64)

    def bytes_on_disk(self) -> int:
        """See `Engine.bytes_on_disk`."""
        path = self._folder / "faiss.index"
        self._faiss.write_index_binary(self._index, str(path))
        size = path.stat().st_size
        path.unlink()
        return size


class FaissFlat(_Faiss):
    """A scan of all codes."""

    name = "FAISS IndexBinaryFlat"

    def _make(self, bits: int) -> Any:
        return self._faiss.IndexBinaryFlat(bits)


class FaissMultiHash(_Faiss):
    """Multi-index hashing: 16 pieces of 16 bits; within 31 bits some piece differs by 1 at most, so it is exact."""

    name = "FAISS IndexBinaryMultiHash(256, 16, 16), nflip 1"

    def _make(self, bits: int) -> Any:
        index = self._faiss.IndexBinaryMultiHash(bits, 16, bits // 16)
        index.nflip = 1
        return index


class FaissGraph(_Faiss):
    """A navigable graph: approximate."""

    name = "FAISS IndexBinaryHNSW(256, 16), efSearch 64"
    exact = False

    def _make(self, bits: int) -> Any:
        index = self._faiss.IndexBinaryHNSW(bits, 16)
        index.hnsw.efSearch = 64  # usearch's own value; FAISS's is 16
        return index

    def near(self, queries: Codes, radius: int) -> Found:
        """See `Engine.near`: of the nearest, those within the radius."""
        return _within(self.nearest(queries, NEAREST), radius)


class UsearchGraph:
    """usearch's navigable graph, as it comes: approximate."""

    name = "usearch Index(256, b1, hamming)"
    exact = False

    def __init__(self, bits: int, folder: Path) -> None:
        from usearch.index import Index

        self._folder = folder
        self._index = Index(ndim=bits, metric="hamming", dtype="b1")

    def build(self, codes: Codes) -> None:
        """See `Engine.build`."""
        first = 0
        for block in _blocks(codes):
            self._index.add(np.arange(first, first + len(block)), block, threads=1)
            first += len(block)

    def near(self, queries: Codes, radius: int) -> Found:
        """See `Engine.near`: of the nearest, those within the radius."""
        return _within(self.nearest(queries, NEAREST), radius)

    def nearest(self, queries: Codes, count: int) -> Found:
        """See `Engine.nearest`."""
        return _from_usearch(self._index.search(queries, count, threads=1), len(queries))

    def bytes_on_disk(self) -> int:
        """See `Engine.bytes_on_disk`."""
        path = self._folder / "usearch.index"
        self._index.save(str(path))
        size = path.stat().st_size
        path.unlink()
        return size


class UsearchScan:
    """usearch's search without an index."""

    name = "usearch search(exact=True)"
    exact = True

    def __init__(self, bits: int, _: Path) -> None:
        from usearch import index

        self._usearch = index
        self._codes: Codes = np.empty((0, bits // 8), dtype=np.uint8)

    def build(self, codes: Codes) -> None:
        """See `Engine.build`."""
        self._codes = np.array(codes)

    def near(self, queries: Codes, radius: int) -> Found:
        """See `Engine.near`: of the nearest, those within the radius."""
        return _within(self.nearest(queries, NEAREST), radius)

    def nearest(self, queries: Codes, count: int) -> Found:
        """See `Engine.nearest`."""
        hamming = self._usearch.MetricKind.Hamming
        found = self._usearch.search(self._codes, queries, count, hamming, exact=True, threads=1, dtype="b1")
        return _from_usearch(found, len(queries))

    def bytes_on_disk(self) -> int:
        """See `Engine.bytes_on_disk`."""
        return self._codes.nbytes


def _from_usearch(found: Any, queries: int) -> Found:
    keys, distances = np.atleast_2d(found.keys), np.atleast_2d(found.distances)
    query_nos = np.repeat(np.arange(queries), keys.shape[1])
    return query_nos, keys.ravel().astype(np.int64), distances.ravel().astype(np.int64)


def _within(found: Found, radius: int) -> Found:
    near = found[2] <= radius
    return found[0][near], found[1][near], found[2][near]


def _blocks(codes: Codes) -> Iterator[Codes]:
    for first in range(0, len(codes), _BLOCK):
        yield np.array(codes[first : first + _BLOCK])


# --- ours ------------------------------------------------------------------------------------------------------


class Ours:
    """A segment, as `hibs index build` writes it, without the store around it."""

    exact = True

    def __init__(self, bits: int, folder: Path, *, compiled: bool) -> None:
        """Without `compiled`, as where the extra `fast` is not installed.

        Raises:
            SystemExit: the compiled kernels cannot be used here; it says why.
        """
        if not compiled:
            sys.modules["numba"] = None  # type: ignore[assignment]  # as if it were not installed
        from checker.index import kernels

        if compiled and not (loading := kernels.load_compiled()).in_use:
            raise SystemExit(f"no compiled kernels: {loading.why_not}")
        self.name = f"ours, {kernels.active().name}"
        self._bits = bits
        self._path = folder / "ours.seg"
        self._segment: Any = None

    def build(self, codes: Codes) -> None:
        """See `Engine.build`. The file is synced, and checked when it is opened."""
        from checker.index.segment import Segment, Span, write_segment

        write_segment(self._path, Span(0, len(codes)), self._read(codes), rows=len(codes), bits=self._bits)
        self._segment = Segment(self._path)

    def near(self, queries: Codes, radius: int) -> Found:
        """See `Engine.near`."""
        hits = self._segment.near(self._permuted(queries), distance_bits_max=radius)
        return hits.query_nos, hits.code_ids - 1, hits.distances

    def nearest(self, queries: Codes, count: int) -> Found:
        """See `Engine.nearest`."""
        hits = self._segment.nearest(self._permuted(queries), count=count)
        return hits.query_nos, hits.code_ids - 1, hits.distances

    def bytes_on_disk(self) -> int:
        """See `Engine.bytes_on_disk`."""
        return self._path.stat().st_size

    def tables_us(self, codes: Codes) -> float:
        """The kernels alone: the time to make all tables of a code's pieces, in memory."""
        from checker.index import kernels
        from checker.index.plan import plan_for

        plan = plan_for(len(codes), bits=self._bits)
        if plan is None:
            return 0.0
        words = np.concatenate([words for _, words in self._read(codes)])
        begin_s = perf_counter()
        for piece in range(len(plan.widths)):
            kernels.piece_tables(words, plan, piece)
        return (perf_counter() - begin_s) / len(codes) * 1e6

    def pieces(self) -> int:
        """How many pieces codes are cut into; 0: they are scanned."""
        return len(self._segment.plan.widths) if self._segment.plan else 0

    def _permuted(self, queries: Codes) -> npt.NDArray[np.uint64]:
        from checker.index.bits import permuted

        return permuted(queries.tobytes(), bits=self._bits)

    def _read(self, codes: Codes) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.uint64]]]:
        first = 1
        for block in _blocks(codes):
            yield np.arange(first, first + len(block)), self._permuted(block)
            first += len(block)


ENGINES: dict[str, Callable[[int, Path], Engine]] = {
    "compiled": partial(Ours, compiled=True),
    "numpy": partial(Ours, compiled=False),
    "flat": FaissFlat,
    "multihash": FaissMultiHash,
    "faiss-graph": FaissGraph,
    "usearch-scan": UsearchScan,
    "usearch-graph": UsearchGraph,
}
"""By the names that a job uses."""
