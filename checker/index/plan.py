"""How codes are cut into pieces, so that near ones are found without looking at all (multi-index hashing).

Two codes within 31 bits of each other that are cut into 11 pieces cannot differ by 3 bits in ten pieces and by 2 in
the last: that would be 32. So whoever looks up, for each piece, all values within 2 (or 1) bits of the query's own,
finds every code within 31 bits, and some that are not, which are then compared in full. This is the general
pigeonhole principle: it holds for any radii of the pieces with sum(radius + 1) == distance_bits_max + 1, where a piece
of radius -1 is not looked at.

A *cell* is one value of one piece, with the rows that have it; a *probe* looks at one cell. What a search costs is
memory that is not in the cache: about the same for a probe, and for each candidate that a probe turns up. Long pieces
have few rows in a cell, but many cells within a radius, and tables of 2^width entries. Pieces with the smaller radius
are cut shorter, which saves 4 to 12 % over equal ones (all other choices of three radii were tried: no better).

Source: M. Norouzi, A. Punjani, D. J. Fleet, "Fast exact search in Hamming space with multi-index hashing" (2014);
J. Qin et al., "GPH: similarity search in Hamming space" (2018), for the general principle.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate

import numpy as np
import numpy.typing as npt

PIECES_FROM = 100_000
"""Rows from which on pieces are worth their memory; fewer are scanned in 0.1 (numpy: 0.2) ms."""
PIECES_BITS_MAX = 256
"""Longer codes are searched at radii that no cut can serve: sscd512 at 150 of 512 bits."""
BYTES_A_CODE_MAX = 139
"""Code, id, row in every piece and the tables of the cells, together."""
FLIPS_MAX = 1 << 16
"""Cells of one piece that a search may look at; a scan is faster long before."""
WIDTH_MAX = 28
"""Bits of a piece: 1 GiB of cells."""

_WORDS_A_PROBE = 30.0
"""Words that are scanned in the time of one probe or candidate, of codes that lie row after row, as beside tables.

Numpy and machine code agree: of a million codes, 56 bits is as far as pieces are faster.
"""
_FIXED_BYTES = 36.0
"""Of a code itself: 32, and 4 of its id."""
_CELL_BYTES = _ROW_BYTES = 4.0


@dataclass(frozen=True, slots=True)
class Plan:
    """A cut of codes into pieces that follow one another."""

    bits: int
    """Of a code."""
    widths: tuple[int, ...]
    """Bits of each piece."""

    def __post_init__(self) -> None:
        if sum(self.widths) != self.bits or not all(1 <= width <= WIDTH_MAX for width in self.widths):
            raise ValueError(f"pieces of {self.widths} bits do not make up codes of {self.bits} bits")

    @property
    def starts(self) -> tuple[int, ...]:
        """Position of the first bit of each piece; it is the lowest bit of the piece's key."""
        return (0, *accumulate(self.widths[:-1]))

    @property
    def cell_starts(self) -> tuple[int, ...]:
        """Where the table of each piece begins, when all of them follow one another."""
        return (0, *accumulate((1 << width) + 1 for width in self.widths[:-1]))

    @property
    def cells(self) -> int:
        """Entries of all tables together: one for each value of each piece, and one more to end it."""
        return sum((1 << width) + 1 for width in self.widths)


def plan_for(rows: int, *, bits: int, distance_bits_max: int = 31) -> Plan | None:
    """The cut that makes searches for `distance_bits_max` cheapest within `BYTES_A_CODE_MAX`; None: scan instead."""
    if rows < PIECES_FROM or bits > PIECES_BITS_MAX:
        return None
    cheapest: tuple[float, tuple[int, ...]] | None = None
    for widths, piece_radii in _cuts(bits, distance_bits_max):
        if _bytes_a_code(widths, rows) <= BYTES_A_CODE_MAX:
            price = _price(widths, piece_radii, rows)
            if cheapest is None or price < cheapest[0]:
                cheapest = price, widths
    if cheapest is None:
        return None
    plan = Plan(bits=bits, widths=cheapest[1])
    return plan if worth_probing(plan, rows, distance_bits_max) else None


def radii(plan: Plan, distance_bits_max: int, rows: int | None = None) -> tuple[int, ...]:
    """How many bits of each piece are flipped to find all codes within `distance_bits_max`, as cheaply as possible.

    Args:
        distance_bits_max: 0 or more; above the bits of a code it means all of them.
        rows: how many codes are searched; None: as many as the cells of a piece.
    Returns:
        A radius for each piece, -1 to its width; -1: it is not looked at.
    """
    if distance_bits_max < 0:
        raise ValueError(f"{distance_bits_max} bits are no distance")
    return _radii(plan, min(distance_bits_max, plan.bits), rows or 1 << (plan.bits // len(plan.widths)))


def cost(plan: Plan, rows: int, distance_bits_max: int) -> float:
    """Probes and candidates of one query over random codes."""
    return _price(plan.widths, radii(plan, distance_bits_max, rows), rows)


@lru_cache(maxsize=256)
def worth_probing(plan: Plan, rows: int, distance_bits_max: int) -> bool:
    """Is looking at cells cheaper than scanning all rows?"""
    piece_radii = radii(plan, distance_bits_max, rows)
    if max(map(_flip_count, plan.widths, piece_radii)) > FLIPS_MAX:
        return False
    scanned = rows * head_words(plan.bits // 64, distance_bits_max)
    return cost(plan, rows, distance_bits_max) * _WORDS_A_PROBE < scanned


def head_words(words: int, distance_bits_max: int) -> int:
    """How many words of a code tell, for almost every unrelated one, that it is further off than this.

    A scan looks at these of every row, and at the rest of the few rows that may still be near: nothing is missed.
    """
    # Of 64 h random bits 32 h differ, give or take 4 sqrt(h); four times that leaves 1 row in 30,000.
    for head in range(1, words):
        if 32 * head - 16 * head**0.5 >= distance_bits_max:
            return head
    return words


@lru_cache(maxsize=64)
def flips(width: int, radius: int) -> npt.NDArray[np.uint32]:
    """All values of `width` bits with at most `radius` bits set, rising: what a key is XORed with to find its cells.

    Raises:
        ValueError: there are more than `FLIPS_MAX`; scan instead (`worth_probing`).
    """
    if _flip_count(width, radius) > FLIPS_MAX:
        raise ValueError(f"flipping {radius} of {width} bits means too many cells to look at; scan instead")
    # within[r]: values of the bits so far with at most r set. The next bit doubles them: without it, then with it.
    nothing = np.empty(0, dtype=np.uint32)
    within = [np.zeros(1, dtype=np.uint32) for _ in range(radius + 1)]
    for bit in range(width):
        fewer = [nothing, *within]
        within = [np.concatenate((same, less | np.uint32(1 << bit))) for same, less in zip(within, fewer, strict=False)]
    masks = within[-1] if within else nothing
    masks.flags.writeable = False
    return masks


@lru_cache(maxsize=1024)
def _radii(plan: Plan, distance_bits_max: int, rows: int) -> tuple[int, ...]:
    # Each further bit of a piece costs more than the one before, up to half of its width and far beyond what is worth
    # probing: taking the cheapest next step each time is best.
    chosen = [-1] * len(plan.widths)
    for _ in range(distance_bits_max + 1):
        steps = [
            (math.comb(width, radius + 1) * (1 + rows / 2**width), piece)
            for piece, (width, radius) in enumerate(zip(plan.widths, chosen, strict=True))
            if radius < width
        ]
        chosen[min(steps)[1]] += 1
    return tuple(chosen)


def _cuts(bits: int, distance_bits_max: int) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Cuts worth a try, with radii: as even as can be, but for one group of pieces that has a bit more of each."""
    for pieces in range(1, min(bits, distance_bits_max + 1) + 1):
        radius, wider = divmod(distance_bits_max + 1, pieces)
        piece_radii = (radius,) * wider + (radius - 1,) * (pieces - wider)
        for wider_bits in range(bits + 1) if wider else (0,):
            widths = _even(wider_bits, wider) + _even(bits - wider_bits, pieces - wider)
            if sum(widths) == bits and min(widths) >= 1 and max(widths) <= WIDTH_MAX:
                yield widths, piece_radii


def _even(bits: int, pieces: int) -> tuple[int, ...]:
    if not pieces:
        return ()
    width, wider = divmod(bits, pieces)
    return (width + 1,) * wider + (width,) * (pieces - wider)


def _flip_count(width: int, radius: int) -> int:
    return sum(math.comb(width, flipped) for flipped in range(radius + 1))


def _price(widths: Sequence[int], piece_radii: Sequence[int], rows: int) -> float:
    return sum(_flip_count(w, r) * (1.0 + rows / (1 << w)) for w, r in zip(widths, piece_radii, strict=True))


def _bytes_a_code(widths: Sequence[int], rows: int) -> float:
    cells = sum((1 << width) + 1 for width in widths)
    return _FIXED_BYTES + _ROW_BYTES * len(widths) + _CELL_BYTES * cells / rows
