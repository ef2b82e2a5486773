"""phash256 as two matrix products: the 16 x 16 lowest cosine frequencies of a grey picture, thresholded at the median.

`imagehash.phash(hash_size=16)` is the definition (`hashes.phash256` calls it for what is stored of a whole picture);
this gives the same bits for many pictures, turns and parts at once. The cosine transform is linear, so turning a
picture flips signs of its coefficients, and a part of it is the same picture under other matrices.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from checker.report import Orientation

Floats = npt.NDArray[np.floating]
Codes = npt.NDArray[np.uint8]
"""(n, 32): the bits of n codes, big-endian."""

FREQUENCIES = 16
CODE_BYTES = FREQUENCIES * FREQUENCIES // 8


def coefficients(grey: npt.NDArray[np.generic]) -> Floats:
    """The 16 x 16 lowest frequencies of a square grey picture, rows down, columns across."""
    matrix = basis(grey.shape[0])
    # In double precision, as imagehash computes: near the median the last digits decide a bit.
    product: Floats = matrix @ grey.astype(np.float64) @ matrix.T
    return product


def codes_of(stack: Floats) -> Codes:
    """The codes of a stack of coefficients, (n, 16, 16)."""
    flat = stack.reshape(-1, FREQUENCIES * FREQUENCIES)
    middle = flat.shape[1] // 2
    ordered = np.sort(flat, axis=1)  # a tenth of the time of `np.partition` by two places
    median = (ordered[:, middle - 1] + ordered[:, middle]) / 2
    return np.packbits(flat > median[:, None], axis=1)


def turned(values: Floats, orientation: Orientation) -> Floats:
    """The coefficients of the picture turned: what `turn_pixels` does to pixels, done to frequencies."""
    mirrored, quarters = TURNS[orientation]
    signs = (-1.0) ** np.arange(FREQUENCIES)
    if mirrored:
        values = values * signs
    for _ in range(quarters):  # clockwise: transpose, then mirror
        values = values.T * signs
    return values


def turned_bits(code: bytes) -> list[bytes]:
    """A bare phash256 code in the eight orientations, in the order of `Orientation`.

    Turning flips signs of coefficients, and a bit says whether its coefficient lies above their median, which is next
    to zero: so bits turn as signs do, within a few bits (on 290 photos 5 in the mean, 24 at most). A copy that lies
    turned has to be that much nearer to be found.
    """
    return [row.tobytes() for row in turned_rows(np.frombuffer(code, dtype=np.uint8).reshape(1, -1))[0]]


def turned_rows(codes: Codes) -> npt.NDArray[np.uint8]:
    """Each of n codes in the eight orientations, (n, 8, 32); as `turned_bits`."""
    exchanged, flips = _turns()
    across = np.packbits(np.unpackbits(codes, axis=1).take(_EXCHANGED, axis=1), axis=1)
    both = np.stack([codes, across], axis=1)
    rows: npt.NDArray[np.uint8] = both.take(exchanged, axis=1)
    rows ^= flips
    return rows


_EXCHANGED = np.arange(FREQUENCIES**2).reshape(FREQUENCIES, FREQUENCIES).T.ravel()
"""Rows and columns exchanged: where each bit comes from."""


@cache
def _turns() -> tuple[npt.NDArray[np.intp], Codes]:
    """Of each orientation: are rows and columns exchanged, (8,), 0 or 1; and which bits are turned over, (8, 32)."""
    places = np.arange(1.0, FREQUENCIES**2 + 1).reshape(FREQUENCIES, FREQUENCIES)
    moved = np.array([turned(places, turn).ravel() for turn in Orientation])
    exchanged = (np.abs(moved) != places.ravel()).any(axis=1)
    assert (np.abs(moved[exchanged]) == places.T.ravel()).all()
    return exchanged.astype(np.intp), np.packbits(moved < 0, axis=1)


def turn_pixels(pixels: npt.NDArray[np.uint8], orientation: Orientation) -> npt.NDArray[np.uint8]:
    """A picture, (height, width, ...), mirrored left to right first and then turned clockwise."""
    mirrored, quarters = TURNS[orientation]
    return np.rot90(pixels[:, ::-1] if mirrored else pixels, -quarters)


TURNS = {
    Orientation.AS_IS: (False, 0),
    Orientation.TURNED_90: (False, 1),
    Orientation.TURNED_180: (False, 2),
    Orientation.TURNED_270: (False, 3),
    Orientation.MIRRORED: (True, 0),
    Orientation.MIRRORED_TURNED_90: (True, 1),
    Orientation.MIRRORED_TURNED_180: (True, 2),
    Orientation.MIRRORED_TURNED_270: (True, 3),
}
"""Mirrored first, then quarter turns clockwise."""


@cache
def basis(side: int) -> npt.NDArray[np.float64]:
    """The 16 lowest rows of the cosine transform of `side` samples (DCT-II, unnormalised), (16, side)."""
    rows = np.arange(FREQUENCIES)[:, None]
    matrix = np.cos(np.pi * rows * (2 * np.arange(side)[None] + 1) / (2 * side))
    matrix.setflags(write=False)
    return matrix
