"""How likely is it that an unrelated picture lies this near? One number for both codes and the tiles.

    phash256    the asked picture's own null: its distances to the background (fingerprint/background.py)
    sscd512     the same, and the stored picture's own null; the larger chance counts, since either may be a portrait
                that looks like all portraits
    tiles       measured on the pairs that the robust code takes for copies and that are none

Expected chance matches = pictures in the corpus x chance, as BLAST's E-value (Karlin and Altschul 1990). The chance of
the surer code is multiplied by that of the tiles, which was measured among pictures that a code holds for alike.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache, cached_property

import numpy as np
import numpy.typing as npt

from checker.fingerprint.asked import AskedCode
from checker.fingerprint.background import TAIL_SHARE, Null, background, distances_to
from checker.index.turned_blocks import both_ways, by_blocks, turned_distances
from checker.matching.placement import Placement
from checker.model import PHASH256, ROBUST_NAME, CodeKind

COPY_BITS = {PHASH256.name: 31, ROBUST_NAME: 75}
"""Pictures of the background that lie this near to the asked one are copies of it and no part of its null."""
BULK_CHANCE = 0.05
"""A code that every twentieth unrelated picture reaches says nothing for a copy: it lies in the bulk of its null."""
CHANCE_MIN = 1e-30

# Of tiles, by how many tiles were asked: the distance that one unrelated pair in a hundred reaches among those that
# the robust code takes for copies, and the bits over which the share falls by e (docs/benchmarks.md, calibration).
_TILES_EDGE_BITS = {1: 64.0, 2: 56.0, 4: 63.0, 7: 76.0}
_TILES_SCALE_BITS = 5.0
_TILES_EDGE_CHANCE = 0.01

_TOGETHER = 8
"""Codes whose distances are taken at once: as many as stay in the cache."""

_ANY_EDGE_BITS, _ANY_SCALE_BITS = 140.0, 8.0
"""The null of a studio portrait among 776 others (in the median; the least of them have 113)."""


class Chances:
    """The nulls of one question. Made once a question, used for all its candidates."""

    def __init__(self, codes: Sequence[AskedCode], robust: Sequence[AskedCode], robust_kind: CodeKind | None):
        self._codes = codes
        self._robust = robust
        self._robust_kind = robust_kind

    def of_phash(self, distance_bits: int, *, stored: int) -> float:
        """The chance that one of an unrelated picture's codes lies this near to some code of the question.

        Args:
            stored: how many codes that picture has; the background has one a picture.
        """
        null = self.phash_null
        return 1.0 if null is None else min(1.0, max(CHANCE_MIN, stored * null.chance(distance_bits)))

    def of_robust(self, distance_bits: int, stored: bytes) -> float:
        """The same for sscd512, by the asked and by the stored picture's null.

        Of a model that the package has no background for, as of the hardest pictures there are, studio portraits.
        """
        null = self._robust_null
        if null is None:
            return min(1.0, max(CHANCE_MIN, TAIL_SHARE * math.exp((distance_bits - _ANY_EDGE_BITS) / _ANY_SCALE_BITS)))
        return max(CHANCE_MIN, null.chance(distance_bits), self._stored_null(stored).chance(distance_bits))

    def robust_edge(self) -> float:
        """The distance that one unrelated picture in fifty reaches; further away nothing is looked for."""
        null = self._robust_null
        return null.edge if null else _ANY_EDGE_BITS

    @cached_property
    def phash_null(self) -> Null | None:
        """Of all codes of the question together. Of a bare code and its turns `turned_nulls` makes it sooner."""
        return _null(PHASH256, [code.bits for code in self._codes])

    @cached_property
    def _robust_null(self) -> Null | None:
        if self._robust_kind is None or not self._robust:
            return None
        return _null(self._robust_kind, [code.bits for code in self._robust])

    def _stored_null(self, stored: bytes) -> Null:
        assert self._robust_kind
        null = _null(self._robust_kind, [stored])
        assert null
        return null


def of_placement(placement: Placement) -> float:
    """The chance that the tiles of an unrelated but similar picture agree this well somewhere in the asked one."""
    if placement.tiles == 0:
        return 1.0
    edge = next(bits for tiles, bits in sorted(_TILES_EDGE_BITS.items(), reverse=True) if placement.tiles >= tiles)
    chance = _TILES_EDGE_CHANCE * math.exp((placement.distance_bits - edge) / _TILES_SCALE_BITS)
    return min(1.0, max(CHANCE_MIN, chance))


def turned_nulls(codes: Sequence[bytes]) -> list[Null]:
    """Of each phash256 code, the null of its eight orientations together: a third of the time of eight codes."""
    columns = _background_blocks()
    nulls: list[Null] = []
    for first in range(0, len(codes), _TOGETHER):
        some = np.frombuffer(b"".join(codes[first : first + _TOGETHER]), dtype=np.uint64).reshape(-1, len(columns))
        asked = both_ways(some)
        distances = turned_distances(columns[:, None] ^ asked.T[:, :, None]).reshape(2, len(some), -1).min(axis=0)
        nulls += Null.of_each(distances, copies_within=COPY_BITS[PHASH256.name])
    return nulls


@cache
def _background_blocks() -> npt.NDArray[np.uint64]:
    codes = background(PHASH256)
    assert codes is not None, "the package comes with codes of its own kind"
    return np.ascontiguousarray(by_blocks(np.ascontiguousarray(codes)).T)


def _null(kind: CodeKind, queries: list[bytes]) -> Null | None:
    codes = background(kind)
    if codes is None:
        return None
    distances = distances_to(codes, queries)
    null: Null = Null.of(np.asarray(distances), copies_within=COPY_BITS[kind.name])
    return null
