"""The picture inside of a picture: a photo in a screenshot, under a caption, before its own blurred enlargement.

Two marks tell the surroundings from the photo: they share one flat colour (pages, apps, caption bars), or they have no
fine detail (blurred fills, plain areas). By either mark each cell of a coarse grid speaks for or against belonging to
a photo, and the rectangle that gathers the most is taken; text and icons are too sparse to pay for the empty cells
around them. Its sides are then moved to the straightest edges nearby.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from checker.fingerprint.rectangle import Rectangle

Grid = npt.NDArray[np.floating]
Planes = npt.NDArray[np.int16]
"""(3, height, width): red, green and blue apart, since numpy is slow over an axis of three."""

CELLS = 64
"""Of the longer side."""
COLOUR_LEVELS = 12
"""How far a pixel may lie from the surroundings' colour, in levels of 255 and any channel."""
COLOUR_SHARE_MIN = 0.08
"""Least share of the picture that the surroundings' colour covers."""
DETAIL_LEVELS_MIN = 3.0
"""Mean step between neighbouring pixels, in levels, from which a cell counts as detailed."""
SHARE_MIN, SHARE_MAX = 0.08, 0.95
"""What share of the picture a photo in it may cover; more is the picture itself."""
SIDE_PX_MIN = 48
GUESSES_MAX = 3
CLEAR_EDGE_SHARE_MIN = 0.45
"""Measured: nine screenshots in ten lie above 0.65, seven photos in eight below this."""
EVENED_SHARE_MIN = 0.5
FILLS_SHARE_MIN = 0.9
SLIVER_SHARE_MAX = 0.03
"""Of the picture's width."""
EDGE_STRENGTH_MIN = 0.35
"""Share of a side along which colours change (and their mean step by 255), from which it is an edge."""


@dataclass(frozen=True, slots=True)
class Guess:
    """A rectangle that may be a picture of its own."""

    box: Rectangle
    clear: bool
    """Straight edges stand around it, as a screen draws them. Of 868 photos 114 have such a guess all the same."""


def inner_pictures(view: npt.NDArray[np.uint8]) -> tuple[Guess, ...]:
    """The picture-like rectangles of a view, (height, width, 3): at most three that differ, the best guess first."""
    height, width = view.shape[:2]
    if min(height, width) < 2 * SIDE_PX_MIN:
        return ()
    planes = np.ascontiguousarray(view.transpose(2, 0, 1)).astype(np.int16)
    reach = max(2, round(1.2 * max(width, height) / CELLS))
    counts = (_count(height, view.shape), _count(width, view.shape))
    found: list[Guess] = []
    for cells in (_unlike_surroundings(planes, counts), _detailed(planes, counts)):
        box = _best(cells, width, height) if cells is not None else None
        if box is None:
            continue
        box = _snapped(planes, box, reach=reach)
        clear = _edge_share(planes, box) >= CLEAR_EDGE_SHARE_MIN
        evened = _evened(box, width)
        # A photo that nearly fills the width does: its side has the colour of what stands around it.
        fills = evened.width == width and box.width >= FILLS_SHARE_MIN * width
        for guess in (evened, box) if fills else (box, evened):
            fits = SHARE_MIN * width * height <= guess.area <= SHARE_MAX * width * height
            if fits and min(guess.width, guess.height) >= SIDE_PX_MIN and all(guess != other.box for other in found):
                found.append(Guess(guess, clear))
    return tuple(found[:GUESSES_MAX])


def _edge_share(planes: Planes, box: Rectangle) -> float:
    """Share of the rectangle's sides along which colours change; sides on the picture's own edge do not count."""
    rows = planes[:, box.top : box.bottom]
    columns = planes.swapaxes(1, 2)[:, box.left : box.right]
    shares = []
    for lines, at in ((rows, box.left), (rows, box.right), (columns, box.top), (columns, box.bottom)):
        if 0 < at < lines.shape[2]:
            steps = _largest(np.abs(lines[:, :, at] - lines[:, :, at - 1]))
            shares.append(float((steps > COLOUR_LEVELS).mean()))
    return sum(shares) / len(shares) if shares else 0.0


def _evened(box: Rectangle, width: int) -> Rectangle:
    """The rectangle with margins as wide on one side as on the other, the narrower one; a sliver of a margin is none.

    A photo whose side has the colour of the page seems to end early on that side; pages are laid out evenly.
    """
    margin = min(box.left, width - box.right)
    if box.width < EVENED_SHARE_MIN * width:
        return box
    if margin < SLIVER_SHARE_MAX * width:
        margin = 0
    return Rectangle(margin, box.top, width - margin, box.bottom)


def _unlike_surroundings(planes: Planes, counts: tuple[int, int]) -> Grid | None:
    """+ for cells of other colours than the commonest one, - for cells of that colour."""
    small = np.ascontiguousarray(planes[:, ::2, ::2])
    bins = small >> 3
    keys = bins[0] << 10 | bins[1] << 5 | bins[2]
    commonest = np.bincount(keys.ravel(), minlength=1 << 15).argmax()
    colour = np.median(small[:, keys == commonest], axis=1).astype(np.int16)
    like = _largest(np.abs(small - colour[:, None, None])) <= COLOUR_LEVELS
    if like.mean() < COLOUR_SHARE_MIN:
        return None
    share = _cells(like.astype(np.float32), counts)
    return np.where(share > 0.5, -1.5 * share, 1.0 - share)


def _detailed(planes: Planes, counts: tuple[int, int]) -> Grid:
    """+ for cells with fine detail, - for cells without."""
    grey = planes[0] + planes[1] + planes[2]
    step = np.abs(grey[1:, 1:] - grey[:-1, 1:]) + np.abs(grey[1:, 1:] - grey[1:, :-1])
    level = _cells(step.astype(np.float32), counts) / 6
    return np.clip(level / DETAIL_LEVELS_MIN - 1, -1.0, 1.0)


def _cells(values: npt.NDArray[np.float32], counts: tuple[int, int]) -> Grid:
    """Means over the cells of the coarse grid, `counts` rows and columns of them."""
    rows, columns = _edges(values.shape[0], counts[0]), _edges(values.shape[1], counts[1])
    sums = np.add.reduceat(np.add.reduceat(values, rows[:-1], axis=0), columns[:-1], axis=1)
    means: Grid = sums / np.outer(np.diff(rows), np.diff(columns))
    return means


def _count(side: int, shape: tuple[int, ...]) -> int:
    # A cell has four pixels a side at least: half of them are looked at.
    return max(1, min(round(side * CELLS / max(shape)), side // 4))


def _edges(side: int, count: int) -> npt.NDArray[np.intp]:
    return np.linspace(0, side, count + 1).round().astype(np.intp)


def _best(cells: Grid, width: int, height: int) -> Rectangle | None:
    """The rectangle of cells with the largest sum (Kadane's scan over every pair of rows, all pairs at once)."""
    rows = cells.shape[0]
    sums = np.concatenate([np.zeros((1, cells.shape[1])), cells.cumsum(axis=0)]).T.copy()
    first, last = _pairs(rows + 1)
    strips = sums[:, last] - sums[:, first]
    running, best = np.zeros(len(first)), np.zeros(len(first))
    for column in strips:
        np.maximum(running, 0, out=running)
        running += column
        np.maximum(best, running, out=best)
    at = int(best.argmax())
    if best[at] <= 0:
        return None
    left, right = _best_run(strips[:, at].tolist())
    across, down = _edges(width, cells.shape[1]), _edges(height, cells.shape[0])
    return Rectangle(int(across[left]), int(down[first[at]]), int(across[right]), int(down[last[at]]))


@cache
def _pairs(edges: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """First and last edge of every strip of rows."""
    first, last = np.triu_indices(edges, 1)
    return first, last


def _best_run(values: list[float]) -> tuple[int, int]:
    """From where to where the largest sum goes (Kadane)."""
    running = best = 0.0
    start = left = right = 0
    for at, value in enumerate(values):
        if running <= 0:
            start, running = at, 0.0
        running += value
        if running > best:
            best, left, right = running, start, at + 1
    return left, right


def _snapped(planes: Planes, box: Rectangle, *, reach: int) -> Rectangle:
    """Each side moved to the line near it where colours change most along the whole side."""
    turned = planes.swapaxes(1, 2)
    for _ in range(2):  # a moved side changes how far the others reach
        rows, columns = slice(box.top, box.bottom), slice(box.left, box.right)
        left, right = _edge(planes[:, rows], box.left, reach), _edge(planes[:, rows], box.right, reach)
        top, bottom = _edge(turned[:, columns], box.top, reach), _edge(turned[:, columns], box.bottom, reach)
        if right - left < SIDE_PX_MIN or bottom - top < SIDE_PX_MIN:
            return box
        box = Rectangle(left, top, right, bottom)
    return box


def _edge(lines: Planes, at: int, reach: int) -> int:
    """Between which two columns of `lines` the most of them change; the picture's own edge where nothing stands out."""
    side = lines.shape[2]
    low, high = max(1, at - reach), min(side - 1, at + reach)
    near = _largest(np.abs(np.diff(lines[:, :, low - 1 : high + 1], axis=2)))
    # The share of the side that changes there: one strong spot is no edge.
    strength = (near > COLOUR_LEVELS).mean(axis=0) + near.mean(axis=0) / 255
    best = int(strength.argmax())
    if strength[best] < EDGE_STRENGTH_MIN:
        return 0 if at <= reach else side if at + reach >= side else at
    return low + best


def _largest(planes: Planes) -> npt.NDArray[np.int16]:
    largest: npt.NDArray[np.int16] = np.maximum(np.maximum(planes[0], planes[1]), planes[2])
    return largest
