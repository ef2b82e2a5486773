"""Measured figures that pages tell. They stand in docs/benchmarks.md, and a test holds the two together."""

from __future__ import annotations

from typing import NamedTuple


class Pairs(NamedTuple):
    """Pairs of different photos that were asked about, and how many of them were called copies."""

    pairs: int
    called_copies: int


PORTRAITS_OF_TWO = Pairs(4_753, 0)
"""Studio portraits of two persons of one series, with and without the second code."""
PHOTOS_OF_ONE = Pairs(47, 0)
"""Two photos of one person, with the first code alone."""
PHOTOS_OF_ONE_ROBUST = Pairs(47, 1)
"""The same, with both codes."""
