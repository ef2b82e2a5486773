"""Does one picture contain a part of another? Answered from pixels on one side and codes on the other.

A stored picture keeps, beside the code of the whole, the codes of nine overlapping tiles, each half as wide and half as
high. A copy that was cut, captioned, covered or screenshotted still shows some of them whole. `Windows.align` looks for
a window of the asked picture whose code is that of a tile, refines it, and then asks all other tiles at the place where
that one window says they must be. Two photos of the same scene, or of two people before the same curtain, may share one
tile by chance; they do not share the others.

The cosine transform is linear, so all windows of a picture are two matrix products (docs/decisions.md, 16).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from checker.fingerprint.cosine import CODE_BYTES, FREQUENCIES, Codes, Floats, codes_of
from checker.model import Box

Words = npt.NDArray[np.uint64]

GREY_SIDE_PX = 128
"""Of the asked picture: a window of a quarter of its side has the 32 px that 16 frequencies want."""
TILES: tuple[Box, ...] = tuple((x / 4, y / 4, x / 4 + 0.5, y / 4 + 0.5) for y in range(3) for x in range(3))
WINDOW_MIN, WINDOW_MAX = 0.22, 1.0
"""Of the asked picture's longer side, in windows."""
SCALE_STEP = 1.1
SHIFT_STEP = 0.1
"""Of the window's side: as far as the lowest 8 x 8 frequencies bear."""
COARSE = 8
STARTS = 6
"""Best coarse places that are refined."""
PLACED_MAX = 3
"""Of these, the nearest that all tiles are asked about."""
REFINEMENTS = (0.05, 0.025, 0.0125, 0.006)
NOTHING_SHOWN = 128.0
OUTSIDE_MAX = 0.04
"""How far a tile may reach over the edge of the asked picture and still be asked, of the window's side."""
MIRROR = ((-1.0) ** np.arange(FREQUENCIES)).astype(np.float32)
"""Signs that mirror a picture left to right, by frequency across."""


@dataclass(frozen=True, slots=True)
class Alignment:
    """The best place found for a stored picture's content in the asked one."""

    distance_bits: float
    """Mean over the better half of the tiles that the asked picture should show, 0 to 128; by chance about 105."""
    tiles: int
    """Of nine: how many the asked picture should show."""
    placed: Box
    """Where the whole stored content would lie, in fractions of the asked picture; may reach outside."""
    mirrored: bool
    """The stored content lies there mirrored left to right."""


def grey_of_windows(grey: npt.NDArray[np.uint8]) -> Floats:
    """Prepare a (128, 128) grey picture for `Windows` and `alignment_at`."""
    prepared: Floats = grey.astype(np.float32)
    return prepared - prepared.mean()


class Windows:
    """The lowest frequencies of many windows of one asked picture, all of the same shape, for many candidates."""

    def __init__(self, grey: Floats, shape: float) -> None:
        """`shape`: a window's width by its height, both as fractions of the asked picture's sides."""
        self._grey = grey
        grid = _grid(round(shape, 6))
        self._boxes = np.concatenate([size.boxes for size in grid])
        low = []
        for size in grid:
            half = grey @ size.across.T
            stack = (size.down @ half).reshape(len(size.down) // COARSE, COARSE, -1, COARSE)
            # The median of all coefficients but the first is next to zero; for a first look zero will do.
            low.append((stack > 0).transpose(0, 2, 1, 3).reshape(-1, COARSE**2))
        self._low = np.packbits(np.concatenate(low), axis=1).view(np.uint64).ravel()

    def align(self, stored: Codes) -> Alignment:
        """Place a stored picture by its tiles, (9, 32), as they are or mirrored."""
        tiles = np.concatenate([_low_bits(stored), _low_bits(_mirrored(stored))])
        distance = np.bitwise_count(self._low[:, None] ^ tiles[None]).ravel()
        starts = np.argpartition(distance, STARTS)[:STARTS]
        windows, which = np.divmod(starts, len(tiles))
        mirrored, tile = np.divmod(which, len(TILES))
        boxes, distances = self._refined(self._boxes[windows], stored[tile], mirrored == 1)
        found = []
        for start in np.argsort(distances)[:PLACED_MAX]:
            flip = bool(mirrored[start])
            placed = _placed(boxes[start], _tile(int(tile[start]), flip))
            found.append(alignment_at(self._grey, placed, stored, mirrored=flip))
        return min(found, key=lambda alignment: alignment.distance_bits)

    def _refined(
        self, boxes: npt.NDArray[np.float64], codes: Codes, mirrored: npt.NDArray[np.bool_]
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
        """Shift and scale each window to where its code is nearest; the windows, and how near they came."""
        signs = np.where(mirrored[:, None], MIRROR[None], np.float32(1))
        for step in REFINEMENTS:
            tries = _neighbours(boxes, step)
            stack = neighbour_coefficients(self._grey, tries) * signs[:, None, None]
            found = codes_of(stack.reshape(-1, FREQUENCIES, FREQUENCIES)).reshape(len(boxes), -1, CODE_BYTES)
            distances = np.bitwise_count(found ^ codes[:, None]).sum(axis=2, dtype=np.int64)
            rows, best = np.arange(len(boxes)), distances.argmin(axis=1)
            boxes = tries[rows, best]
        return boxes, distances[rows, best]


def alignment_at(grey: Floats, placed: Box, stored: Codes, *, mirrored: bool = False) -> Alignment:
    """Ask all tiles at the place where the stored content is said to lie."""
    boxes = np.array([_within(placed, _tile(number, mirrored)) for number in range(len(TILES))])
    slack = OUTSIDE_MAX * np.array([placed[2] - placed[0], placed[3] - placed[1]])
    shown = (boxes[:, :2] >= -slack).all(axis=1) & (boxes[:, 2:] <= 1 + slack).all(axis=1)
    shown &= stored.any(axis=1)  # a tile without a bit is flat and says nothing
    if not shown.any():
        return Alignment(NOTHING_SHOWN, 0, placed, mirrored)
    stack = window_coefficients(grey, boxes[shown])
    codes = codes_of(stack * MIRROR if mirrored else stack)
    distances = np.sort(np.bitwise_count(codes ^ stored[shown]).sum(axis=1))
    half = (len(distances) + 1) // 2
    return Alignment(float(distances[:half].mean()), len(distances), placed, mirrored)


def window_coefficients(grey: Floats, boxes: npt.NDArray[np.float64], *, frequencies: int = FREQUENCIES) -> Floats:
    """The lowest frequencies of each window, (n, frequencies, frequencies). Boxes are (n, 4) fractions."""
    side = grey.shape[0]
    across, which_across = _unique(boxes[:, [0, 2]])
    down, which_down = _unique(boxes[:, [1, 3]])
    half = np.matmul(grey, _bases(across, side, frequencies).transpose(0, 2, 1))
    stack: Floats = np.matmul(_bases(down, side, frequencies)[which_down], half[which_across])
    return stack


def neighbour_coefficients(grey: Floats, tries: npt.NDArray[np.float64]) -> Floats:
    """The same of the 27 neighbours of each of n windows (`_neighbours`), (n, 27, frequencies, frequencies).

    Three shifts across and three down make nine windows of one size: one product of matrices for all nine.
    """
    side, count = grey.shape[0], len(tries)
    by_size = tries.reshape(count, 3, 3, 3, 4).transpose(0, 3, 1, 2, 4)  # window, size, shift across, shift down
    across = _bases(by_size[:, :, :, 0, ::2].reshape(-1, 2), side, FREQUENCIES).reshape(-1, side)
    down = _bases(by_size[:, :, 0, :, 1::2].reshape(-1, 2), side, FREQUENCIES)
    half = (grey @ across.T).reshape(side, 3 * count, 3 * FREQUENCIES).transpose(1, 0, 2)
    stack: Floats = np.matmul(down.reshape(3 * count, 3 * FREQUENCIES, side), half)
    stack = stack.reshape(count, 3, 3, FREQUENCIES, 3, FREQUENCIES)  # window, size, down, row, across, column
    return stack.transpose(0, 4, 2, 1, 3, 5).reshape(count, 27, FREQUENCIES, FREQUENCIES)


def _unique(intervals: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.intp]]:
    keys = np.ascontiguousarray(intervals.round(5)).view(np.complex128).ravel()
    _, first, which = np.unique(keys, return_index=True, return_inverse=True)
    return intervals[first], which


def _bases(intervals: npt.NDArray[np.float64], side: int, frequencies: int) -> Floats:
    """Cosine matrices that see only an interval of the picture's side, (n, frequencies, side); outside counts zero."""
    low, high = intervals[:, :1], intervals[:, 1:]
    edges = np.arange(side + 1) / side
    start, end = np.maximum(edges[None, :-1], low), np.minimum(edges[None, 1:], high)
    weight = np.clip(end - start, 0, None) * side
    at = ((start + end) / 2 - low) / (high - low)
    # cos(k a) = 2 cos(a) cos((k - 1) a) - cos((k - 2) a): sixteen rows for the price of one cosine.
    first = np.cos(np.pi * at).astype(np.float32)
    matrices = np.empty((len(intervals), frequencies, side), dtype=np.float32)
    matrices[:, 0], matrices[:, 1] = 1.0, first
    twice = 2 * first
    for row in range(2, frequencies):
        np.multiply(twice, matrices[:, row - 1], out=matrices[:, row])
        matrices[:, row] -= matrices[:, row - 2]
    matrices *= (weight / (high - low)).astype(np.float32)[:, None, :]
    return matrices


@dataclass(frozen=True, slots=True, eq=False)
class _Size:
    """Windows of one size at all places."""

    boxes: npt.NDArray[np.float64]
    """(places down x places across, 4), row by row."""
    across: Floats
    """(places across x COARSE, side): see `_bases`."""
    down: Floats
    """(places down x COARSE, side)."""


@lru_cache(maxsize=4)  # 1 to 2 MB each; most pictures have one of few shapes
def _grid(shape: float) -> tuple[_Size, ...]:
    """All windows of one shape: sizes a tenth apart, places a tenth of the window apart."""
    sizes = []
    size = WINDOW_MAX
    while size >= WINDOW_MIN:
        width, height = (size, size / shape) if shape >= 1 else (size * shape, size)
        left, top = np.meshgrid(_places(width), _places(height))
        boxes = np.stack([left, top, left + width, top + height], axis=-1).reshape(-1, 4)
        sizes.append(_Size(boxes, _coarse_bases(width), _coarse_bases(height)))
        size /= SCALE_STEP
    return tuple(sizes)


@lru_cache(maxsize=64)  # 70 KB each; one side of a window has the same lengths in all shapes
def _coarse_bases(length: float) -> Floats:
    """The cosine matrices of all places of windows of one length, (places x COARSE, side)."""
    starts = _places(length)
    return _bases(np.stack([starts, starts + length], axis=1), GREY_SIDE_PX, COARSE).reshape(-1, GREY_SIDE_PX)


def _places(length: float) -> npt.NDArray[np.float64]:
    count = max(1, round((1 - length) / (SHIFT_STEP * length)) + 1)
    return np.linspace(0, 1 - length, count)


def _neighbours(boxes: npt.NDArray[np.float64], step: float) -> npt.NDArray[np.float64]:
    """Each window, shifted and scaled by one step each way: (n, 27, 4) of (n, 4)."""
    width, height = boxes[:, 2:3] - boxes[:, 0:1], boxes[:, 3:4] - boxes[:, 1:2]
    centre_x = (boxes[:, 0:1] + boxes[:, 2:3]) / 2 + _SHIFT_X[None] * step * width
    centre_y = (boxes[:, 1:2] + boxes[:, 3:4]) / 2 + _SHIFT_Y[None] * step * height
    half_width, half_height = width * (1 + _SCALE[None] * step) / 2, height * (1 + _SCALE[None] * step) / 2
    return np.stack(
        [centre_x - half_width, centre_y - half_height, centre_x + half_width, centre_y + half_height], axis=-1
    )


_SHIFT_X, _SHIFT_Y, _SCALE = (axis.ravel() for axis in np.meshgrid(*[(-1.0, 0.0, 1.0)] * 3, indexing="ij"))


def _mirrored(codes: Codes) -> Codes:
    """The codes of the mirrored pictures, within a few bits: signs turn exactly, a median next to zero hardly moves."""
    signs = np.unpackbits(codes, axis=1).reshape(-1, FREQUENCIES, FREQUENCIES) * np.float32(2) - 1
    return np.packbits((signs * MIRROR > 0).reshape(len(codes), -1), axis=1)


def _low_bits(codes: Codes) -> Words:
    bits = np.unpackbits(codes, axis=1).reshape(-1, FREQUENCIES, FREQUENCIES)[:, :COARSE, :COARSE]
    return np.packbits(bits.reshape(len(codes), -1), axis=1).view(np.uint64).ravel()


def _tile(number: int, mirrored: bool) -> Box:
    x0, y0, x1, y1 = TILES[number]
    return (1 - x1, y0, 1 - x0, y1) if mirrored else (x0, y0, x1, y1)


def _placed(window: npt.NDArray[np.float64], tile: Box) -> Box:
    """Where the whole lies when its tile lies at the window."""
    x0, y0, x1, y1 = (float(value) for value in window)
    wide, high = (x1 - x0) / (tile[2] - tile[0]), (y1 - y0) / (tile[3] - tile[1])
    left, top = x0 - tile[0] * wide, y0 - tile[1] * high
    return left, top, left + wide, top + high


def _within(placed: Box, tile: Box) -> Box:
    wide, high = placed[2] - placed[0], placed[3] - placed[1]
    return (
        placed[0] + tile[0] * wide,
        placed[1] + tile[1] * high,
        placed[0] + tile[2] * wide,
        placed[1] + tile[3] * high,
    )


def unpack(stored: bytes) -> Codes:
    """Nine codes, one after the other, as (9, 32).

    Raises:
        ValueError: it is not nine codes.
    """
    return np.frombuffer(stored, dtype=np.uint8).reshape(len(TILES), CODE_BYTES)
