"""A segment: the codes of one range of ids in one immutable file, searched where it lies.

    codes    uint64   (rows, words) with tables, else (words, rows): a scan reads words, a probe reads rows
    ids      uint32   (rows,), rising: code id less the first id of the range
    starts   uint32   where each cell of each piece begins in `order`; absent without tables
    order    uint32   (pieces * rows,): the rows of every cell, piece after piece

The rows are those codes of the range (first, last] of ids that the store held when the segment was built, without those
that were set aside.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from checker.errors import IndexDamagedError
from checker.index import kernels
from checker.index.files import ArrayPlan, MappedFile, NewFile
from checker.index.kernels import Tables
from checker.index.parts import Hits, Words
from checker.index.pieces import piece_tables
from checker.index.plan import Plan, plan_for, worth_probing

WHAT = "segment"
ROWS_MAX = 1 << 26
"""Of one segment: bounds the memory of a build (some 20 bytes a row) and the time that it is away."""
SPAN_MAX = 1 << 32
"""Ids that one segment may span, since it keeps them as 32-bit differences."""


class CountChangedError(ValueError):
    """The codes that were to be written are not as many as were counted: some were erased meanwhile."""


@dataclass(frozen=True, slots=True)
class Span:
    """A range of ids: those above `after`, up to `upto`."""

    after: int
    upto: int


class Segment:
    """A mapped segment. Implements `parts.Part`; safe to share between threads."""

    def __init__(self, path: Path) -> None:
        """Check every byte of the file and map it.

        Raises:
            IndexDamagedError: it is not what was written there.
        """
        self._file = MappedFile(path)
        try:
            facts = self._file.facts
            if self._file.what != WHAT:
                raise self._foreign()
            self.bits = int(facts["bits"])
            self.span = Span(int(facts["after"]), int(facts["upto"]))
            widths = tuple(int(width) for width in facts["widths"])
            self._offsets = self._file.array("ids", "<u4", 1)
            self.rows = len(self._offsets)
            codes = self._file.array("codes", "<u8", 2)
            self.plan = Plan(self.bits, widths) if widths else None
            self._codes: Words = codes if self.plan else codes.T
            if self._codes.shape != (self.rows, self.bits // 64):
                raise self._foreign()
            self._tables = self._read_tables(self.plan) if self.plan else None
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            self.close()
            raise self._foreign() from error
        except BaseException:
            self.close()
            raise

    @property
    def path(self) -> Path:
        """The file."""
        return self._file.path

    @property
    def bytes(self) -> int:
        """Size of the file."""
        return self._file.bytes

    @property
    def header_crc(self) -> int:
        """What tells this file from every other: its header holds the checksums of all the rest."""
        return self._file.header_crc

    @property
    def words(self) -> Words:
        """(rows, words): every code, in the order of ids."""
        return self._codes

    @property
    def code_ids(self) -> npt.NDArray[np.int64]:
        """(rows,): every id, rising."""
        return self._offsets.astype(np.int64) + (self.span.after + 1)

    def code_ids_at(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """The ids of some rows."""
        return self._offsets[rows].astype(np.int64) + (self.span.after + 1)

    def count_of(self, code_ids: npt.NDArray[np.int64]) -> int:
        """How many of these ids (rising) it holds."""
        inside = code_ids[(code_ids > self.span.after) & (code_ids <= self.span.upto)] - (self.span.after + 1)
        places = np.searchsorted(self._offsets, inside.astype(np.uint32))
        return int((self._offsets[np.minimum(places, self.rows - 1)] == inside).sum()) if self.rows else 0

    def near(self, queries: Words, *, distance_bits_max: int) -> Hits:
        """See `parts.Part.near`."""
        engine = kernels.active()
        if self._tables and self.plan and worth_probing(self.plan, self.rows, distance_bits_max):
            # Tables with right checksums and wrong contents were forged; the codes themselves still answer.
            with suppress(kernels.DamagedTablesError):
                return self._hits(engine.probe(self._tables, queries, distance_bits_max))
        return self._hits(engine.scan_near(self._codes.T, queries, distance_bits_max))

    def nearest(self, queries: Words, *, count: int) -> Hits:
        """See `parts.Part.nearest`."""
        return self._hits(kernels.active().scan_nearest(self._codes.T, queries, count))

    def unchanged(self) -> bool:
        """Is the file still the one that was checked?"""
        return self._file.unchanged()

    def close(self) -> None:
        """Let go of the file; searches under way end in peace."""
        self._file.close()

    def _hits(self, found: kernels.RowHits) -> Hits:
        return Hits(found.query_nos, self.code_ids_at(found.rows), found.distances)

    def _read_tables(self, plan: Plan) -> Tables:
        starts, order = self._file.array("starts", "<u4", 1), self._file.array("order", "<u4", 1)
        if len(starts) != plan.cells or len(order) != len(plan.widths) * self.rows:
            raise self._foreign()
        return Tables(plan=plan, codes=self._codes, starts=starts, order=order)

    def _foreign(self) -> IndexDamagedError:
        return IndexDamagedError(f"the index file {self._file.path} is no segment; `hibs index build` replaces it")


def write_segment(
    path: Path,
    span: Span,
    blocks: Iterable[tuple[npt.NDArray[np.int64], Words]],
    *,
    rows: int,
    bits: int,
    progress: Callable[[float], None] = lambda _: None,
    plan: Plan | None = None,
) -> int:
    """Write a segment and give it its name; the CRC-32 of its header.

    Memory: the file is filled through its mapping, so that beside it only one piece at a time is held (20 bytes a row).

    Args:
        blocks: ids and codes, ids rising over all blocks; together `rows` of them.
        progress: told the share that is done, 0 to 1.
        plan: how the codes are cut; None: what `plan_for` says of so many rows.
    Raises:
        DataError: no space, or the folder cannot be written.
        CountChangedError: the blocks do not hold `rows` codes.
    """
    if span.upto - span.after > SPAN_MAX or rows > ROWS_MAX:
        raise ValueError(f"a segment of {rows} rows over the ids {span.after} to {span.upto} is too large")
    plan = plan or plan_for(rows, bits=bits)
    words = bits // 64
    shape = (rows, words) if plan else (words, rows)
    arrays = [ArrayPlan("codes", "<u8", shape), ArrayPlan("ids", "<u4", (rows,))]
    if plan:
        arrays.append(ArrayPlan("starts", "<u4", (plan.cells,)))
        arrays.append(ArrayPlan("order", "<u4", (len(plan.widths) * rows,)))
    with NewFile(path, arrays) as file:
        codes = file.array("codes") if plan else file.array("codes").T
        _fill(codes, file.array("ids"), span, blocks, lambda share: progress(share / 2 if plan else share))
        if plan:
            _cut(codes, plan, file.array("starts"), file.array("order"), lambda share: progress(0.5 + share / 2))
        facts: dict[str, Any] = {"bits": bits, "after": span.after, "upto": span.upto}
        return file.finish(WHAT, {**facts, "widths": plan.widths if plan else ()})


def _fill(
    codes: Words,
    offsets: npt.NDArray[np.uint32],
    span: Span,
    blocks: Iterable[tuple[npt.NDArray[np.int64], Words]],
    progress: Callable[[float], None],
) -> None:
    at, rows = 0, len(offsets)
    for ids, block in blocks:
        if at + len(ids) > rows:
            raise CountChangedError(f"more than the {rows} codes that were counted")
        codes[at : at + len(ids)] = block
        offsets[at : at + len(ids)] = ids - (span.after + 1)
        at += len(ids)
        progress(at / rows if rows else 1.0)
    if at != rows:
        raise CountChangedError(f"{at} codes where {rows} were counted")


def _cut(
    codes: Words,
    plan: Plan,
    starts: npt.NDArray[np.uint32],
    order: npt.NDArray[np.uint32],
    progress: Callable[[float], None],
) -> None:
    rows, cell = len(codes), 0
    for piece, width in enumerate(plan.widths):
        cells = (1 << width) + 1
        found = piece_tables(codes, plan, piece)
        starts[cell : cell + cells], order[piece * rows : (piece + 1) * rows] = found
        cell += cells
        progress((piece + 1) / len(plan.widths))
