"""What kernels take and give. kernels.py does it in numpy, compiled.py in machine code; nobody else needs this file."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from checker.index.parts import Words
from checker.index.plan import Plan, flips, radii


class DamagedTablesError(ValueError):
    """Tables of pieces say what no codes can have made them say. Nothing was read outside of them."""


@dataclass(frozen=True, slots=True)
class RowHits:
    """Rows near some queries, in no order. Three arrays of one length."""

    query_nos: npt.NDArray[np.int64]
    rows: npt.NDArray[np.int64]
    distances: npt.NDArray[np.uint16]
    """In bits."""


@dataclass(frozen=True, slots=True)
class Tables:
    """Codes and, for each piece, their rows in the order of its keys. The arrays may be mapped files.

    Raises:
        DamagedTablesError: the arrays do not belong to this plan, or not together.
    """

    plan: Plan
    codes: Words
    """(n, words), rows one after the other."""
    starts: npt.NDArray[np.uint32]
    """(plan.cells,): for each piece, where each of its cells begins in its part of `order`, and where the last ends."""
    order: npt.NDArray[np.uint32]
    """(pieces * n,)"""

    def __post_init__(self) -> None:
        rows, pieces = len(self.codes), len(self.plan.widths)
        forms = (self.codes.shape, self.starts.shape, self.order.shape)
        if forms != ((rows, self.plan.bits // 64), (self.plan.cells,), (pieces * rows,)) or rows >= 1 << 32:
            raise DamagedTablesError(f"arrays of {forms} are no tables of pieces of {self.plan.widths} bits")


class Kernels(Protocol):
    """What both implementations can do."""

    @property
    def name(self) -> str:
        """ "numpy" or "compiled"."""
        ...

    def scan_near(self, columns: Words, queries: Words, distance_bits_max: int) -> RowHits:
        """All rows within `distance_bits_max` of a query, one hit for every such pair.

        Args:
            columns: (words, n), columns one after the other, or rows of words transposed.
            queries: (queries, words)
        """
        ...

    def scan_nearest(self, columns: Words, queries: Words, count: int) -> RowHits:
        """The `count` rows nearest to any of the queries, each once, with the first of the queries nearest to it.

        Of equally near rows those with the lowest numbers. Fewer when there are fewer rows; none without queries.
        """
        ...

    def probe(self, tables: Tables, queries: Words, distance_bits_max: int) -> RowHits:
        """As `scan_near`, by the tables.

        Raises:
            DamagedTablesError: the tables lead out of themselves.
            ValueError: so many cells would have to be looked at that a scan is right (`plan.worth_probing`).
        """
        ...


class Probing(NamedTuple):
    """What a search of some radius looks at. Pieces that are not looked at are left out."""

    pieces: npt.NDArray[np.int64]
    """(looked at, 6): number, word and shift of the lowest bit, mask of a key, radius, start of its cells."""
    masks: npt.NDArray[np.uint32]
    """What keys are XORed with, piece by piece."""
    bounds: npt.NDArray[np.int64]
    """(looked at + 1,): where the masks of each piece begin and end."""


@lru_cache(maxsize=16)
def probing(plan: Plan, distance_bits_max: int, rows: int) -> Probing:
    """How a search among so many rows goes. The last ones are kept."""
    looked_at = [(piece, radius) for piece, radius in enumerate(radii(plan, distance_bits_max, rows)) if radius >= 0]
    masks = [flips(plan.widths[piece], radius) for piece, radius in looked_at]
    starts = [divmod(plan.starts[piece], 64) for piece, _ in looked_at]
    pieces = [
        (piece, word, shift, (1 << plan.widths[piece]) - 1, radius, plan.cell_starts[piece])
        for (piece, radius), (word, shift) in zip(looked_at, starts, strict=True)
    ]
    found = Probing(
        pieces=np.array(pieces, dtype=np.int64),
        masks=np.concatenate(masks),
        bounds=np.cumsum([0, *map(len, masks)], dtype=np.int64),
    )
    for array in found:
        array.flags.writeable = False
    return found


def refuse_unlike(queries: Words, words: int) -> None:
    """Raises: ValueError: queries of another length than the codes; machine code would read beyond their end."""
    if queries.ndim != 2 or queries.shape[1] != words:
        raise ValueError(f"queries of shape {queries.shape} cannot be compared with codes of {words} words")


def refuse_negative(number: int, what: str) -> None:
    """Raises: ValueError: a number below 0, which numpy or a cast would take for something else."""
    if number < 0:
        raise ValueError(f"{number} {what} make no search; ask for 0 or more")
