"""Both implementations of the kernels, and the plain loops that they are compared with."""

from __future__ import annotations

import atexit
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from checker.index.codefolder import code_folder
from checker.index.fast import CompiledKernels
from checker.index.kernels import Kernels, NumpyKernels, RowHits, Tables, piece_tables
from checker.index.plan import Plan

Words = npt.NDArray[np.uint64]
ENGINES = ("numpy", "compiled")


@cache
def cache_home() -> Path:
    """A home for compiled code that is gone with the process, so that each run compiles what it tests."""
    folder = tempfile.TemporaryDirectory(prefix="hibs-kernels-")
    atexit.register(folder.cleanup)
    return Path(folder.name)


@cache
def engine(name: str) -> Kernels:
    if name == "numpy":
        return NumpyKernels()
    return CompiledKernels(code_folder({"XDG_CACHE_HOME": str(cache_home())}))


def tables_of(codes: Words, plan: Plan) -> Tables:
    pieces = [piece_tables(codes, plan, piece) for piece in range(len(plan.widths))]
    starts, order = (np.concatenate(parts) for parts in zip(*pieces, strict=True))
    return Tables(plan=plan, codes=codes, starts=starts, order=order)


def told(hits: RowHits) -> list[tuple[int, int, int]]:
    """(query, row, distance), sorted; a pair that is told twice is there twice."""
    assert hits.query_nos.dtype == hits.rows.dtype == np.int64
    assert hits.distances.dtype == np.uint16
    return sorted(zip(hits.query_nos.tolist(), hits.rows.tolist(), hits.distances.tolist(), strict=True))


def all_distances(codes: Words, queries: Words) -> npt.NDArray[np.int64]:
    """(queries, rows), in bits: by unpacking both."""
    rows, asked = (np.unpackbits(np.ascontiguousarray(w).view(np.uint8), axis=1) for w in (codes, queries))
    return np.array([(rows != one).sum(axis=1) for one in asked], dtype=np.int64).reshape(len(queries), len(codes))


def near_by_scan(codes: Words, queries: Words, distance_bits_max: int) -> list[tuple[int, int, int]]:
    found = all_distances(codes, queries)
    return [
        (query, row, int(distance))
        for query, line in enumerate(found)
        for row, distance in enumerate(line)
        if distance <= distance_bits_max
    ]


def nearest_by_sorting(codes: Words, queries: Words, count: int) -> list[tuple[int, int, int]]:
    if not len(queries):
        return []
    columns = all_distances(codes, queries).T.tolist()
    rows = [(min(column), row, column.index(min(column))) for row, column in enumerate(columns)]
    return sorted((query, row, distance) for distance, row, query in sorted(rows)[:count])


def flipped(code: Words, bits: list[int]) -> Words:
    other = code.copy()
    for bit in bits:
        other[bit // 64] ^= np.uint64(1) << np.uint64(bit % 64)
    return other
