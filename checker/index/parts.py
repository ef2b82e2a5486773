"""What a search is made over: parts that each answer for some of the codes, wherever they live.

A part may be a mapped file, the tail in memory, or something that answers from another process or machine: it takes
words and gives arrays, and knows nothing of the other parts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

Words = npt.NDArray[np.uint64]
"""(codes, bits // 64): codes in the index's order of bits (`bits.permuted`), a row each."""


@dataclass(frozen=True, slots=True)
class Hits:
    """Stored codes near some queries, in no order. Three arrays of one length."""

    query_nos: npt.NDArray[np.int64]
    code_ids: npt.NDArray[np.int64]
    distances: npt.NDArray[np.uint16]
    """In bits."""


class Part(Protocol):
    """Answers for the codes that it holds."""

    def near(self, queries: Words, *, distance_bits_max: int) -> Hits:
        """All of its codes within `distance_bits_max` bits of a query; one row for every such pair.

        Raises:
            PartUnavailableError: it lives elsewhere and did not answer.
        """
        ...

    def nearest(self, queries: Words, *, count: int) -> Hits:
        """Its `count` codes that lie nearest to any of the queries (fewer when it holds fewer).

        Every code once at most, with the first of the queries that it is nearest to; of equally near codes those with
        the lowest ids.
        """
        ...
