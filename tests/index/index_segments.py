"""Segments of few codes, what a plain scan finds among them, and the kernels that search them."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from index_answers import IN_MEMORY

from checker.index import kernels
from checker.index.codefolder import CannotLoadError, code_folder
from checker.index.fast import CompiledKernels
from checker.index.parts import Hits, Words
from checker.index.plan import Plan
from checker.index.segment import Segment, Span, write_segment

Ids = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Stored:
    """Some codes, and what a plain scan finds among them."""

    ids: list[int]
    words: Words

    @classmethod
    def drawn(cls, seed: int, rows: int, bits: int, *, after: int = 0) -> Stored:
        """Codes around a few centres, some of them equal, under ids with gaps."""
        rng = np.random.default_rng(seed)
        centres = rng.integers(0, 2**64, (3, bits // 64), dtype=np.uint64)
        words = centres[rng.integers(0, 3, rows)] ^ flips(rng, rows, bits)
        copied = rng.integers(0, max(rows, 1), rows // 4)
        words[: rows // 4] = words[copied] if rows else words[:0]
        ids = after + 1 + np.cumsum(rng.integers(1, 4, rows)) - 1
        return cls(ids.tolist(), words)

    def blocks(self, seed: int = 0) -> Iterator[tuple[Ids, Words]]:
        """The codes, cut anywhere; empty blocks among them."""
        rng, ids = random.Random(seed), np.array(self.ids, dtype=np.int64)
        cuts = sorted(rng.choices(range(len(ids) + 1), k=4))
        for begin, end in zip([0, *cuts], [*cuts, len(ids)], strict=True):
            yield ids[begin:end], self.words[begin:end]

    def distances(self, queries: Words) -> npt.NDArray[np.int64]:
        """(queries, rows), counted bit by bit."""
        stored, asked = (np.unpackbits(words.view(np.uint8), axis=1) for words in (self.words, queries))
        return np.array([(stored != query).sum(axis=1) for query in asked], dtype=np.int64).reshape(len(asked), -1)

    def near(self, queries: Words, radius: int) -> list[tuple[int, int, int]]:
        """(query, id, distance), sorted."""
        measured = self.distances(queries)
        return [(q, self.ids[row], int(measured[q, row])) for q, row in np.argwhere(measured <= radius).tolist()]

    def nearest(self, queries: Words, count: int) -> list[tuple[int, int, int]]:
        """(distance, id, query), nearest first."""
        measured = self.distances(queries)
        if not measured.size:
            return []
        least, first = measured.min(axis=0).tolist(), measured.argmin(axis=0).tolist()
        return sorted(zip(least, self.ids, first, strict=True))[:count]


def flips(rng: np.random.Generator, rows: int, bits: int) -> Words:
    """Rows with a few bits set, some with many."""
    share = rng.choice([0.0, 0.02, 0.08, 0.15, 0.3], (rows, 1))
    packed = np.packbits(rng.random((rows, bits)) < share, axis=1)
    return np.ascontiguousarray(packed).view(np.uint64).reshape(rows, bits // 64)


def near_of(hits: Hits) -> list[tuple[int, int, int]]:
    return sorted(zip(hits.query_nos.tolist(), hits.code_ids.tolist(), hits.distances.tolist(), strict=True))


def nearest_of(hits: Hits) -> list[tuple[int, int, int]]:
    return sorted(zip(hits.distances.tolist(), hits.code_ids.tolist(), hits.query_nos.tolist(), strict=True))


def span_of(stored: Stored, after: int) -> Span:
    return Span(after, stored.ids[-1] if stored.ids else after)


@contextmanager
def segment_of(stored: Stored, plan: Plan | None, *, after: int = 0) -> Iterator[Segment]:
    with tempfile.TemporaryDirectory(dir=IN_MEMORY) as folder:
        path, bits = Path(folder) / "one.seg", stored.words.shape[1] * 64
        write_segment(path, span_of(stored, after), stored.blocks(), rows=len(stored.ids), bits=bits, plan=plan)
        with closing(Segment(path)) as segment:
            yield segment


@contextmanager
def tables_always_asked() -> Iterator[None]:
    """Few codes are scanned, cut or not; here the tables are looked into however few there are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("checker.index.segment.worth_probing", lambda *_: True)
        yield


def search_with(name: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Have all searches use the kernels of this name until the test ends."""
    used: kernels.Kernels = kernels.NumpyKernels()
    if name == "compiled":
        try:
            used = CompiledKernels(code_folder())
        except CannotLoadError as error:
            pytest.skip(str(error))
    monkeypatch.setattr(kernels, "active", lambda: used)
    return used.name
