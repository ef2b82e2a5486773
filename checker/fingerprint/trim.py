"""Uniform borders of any colour: white and black frames, letterboxes, the margin of a scan.

A line belongs to a border where nearly all of it lies near one colour; JPEG noise and a stray pixel are allowed for.
Trimming repeats until nothing is left to trim, so trimming what was trimmed changes nothing.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from checker.fingerprint.rectangle import Rectangle

LEVELS_MAX = 14
"""How far from the border's colour, in levels of 255 and any channel: JPEG of quality 30 stays within 10."""
STRAY_SHARE_MAX = 0.02
"""Share of a line that may lie further off."""
LEFT_SHARE_MIN = 0.1
"""Less of the picture than this left over: it is a drawing on a background, not a framed photo, and stays whole."""
SIDE_PX_MIN = 24
_BLOCK_LINES = 8


def trim(view: npt.NDArray[np.uint8]) -> Rectangle | None:
    """What is left of a view, (height, width, 3), without its uniform borders. None: it has none, or is all border."""
    height, width = view.shape[:2]
    box = Rectangle(0, 0, width, height)
    while (smaller := _trim_once(view, box)) != box:
        if smaller is None or smaller.area < LEFT_SHARE_MIN * width * height:
            return None
        box = smaller
    return None if box == Rectangle(0, 0, width, height) else box


def _trim_once(view: npt.NDArray[np.uint8], box: Rectangle) -> Rectangle | None:
    """Take the borders of one colour each off the four sides, and one line more where the border bleeds into it."""
    inside = view[box.top : box.bottom, box.left : box.right]
    top, bottom = _run(inside), _run(inside[::-1])
    if top + bottom >= inside.shape[0]:
        return None
    rows = inside[top : inside.shape[0] - bottom].swapaxes(0, 1)
    left, right = _run(rows), _run(rows[::-1])
    if left + right >= inside.shape[1]:
        return None
    top, bottom, left, right = (n + 1 if n else 0 for n in (top, bottom, left, right))
    smaller = Rectangle(box.left + left, box.top + top, box.right - right, box.bottom - bottom)
    return smaller if min(smaller.width, smaller.height) >= SIDE_PX_MIN else None


def _run(lines: npt.NDArray[np.uint8]) -> int:
    """How many lines from the first on lie near the colour of the first."""
    colour = _median(lines[0])
    if not _near(lines[:1], colour).all():
        return 0  # so a photo without a border is told, at an eighth of the price of a block
    for start in range(0, len(lines), _BLOCK_LINES):
        near = _near(lines[start : start + _BLOCK_LINES], colour)
        if not near.all():
            return start + int(np.argmin(near))
    return len(lines)


def _near(lines: npt.NDArray[np.uint8], colour: npt.NDArray[np.int16]) -> npt.NDArray[np.bool_]:
    """Does nearly all of each line lie near the colour?"""
    off = np.abs(lines - colour)
    far = np.maximum(np.maximum(off[..., 0], off[..., 1]), off[..., 2]) > LEVELS_MAX
    near: npt.NDArray[np.bool_] = far.mean(axis=1) <= STRAY_SHARE_MAX
    return near


def _median(line: npt.NDArray[np.uint8]) -> npt.NDArray[np.int16]:
    """Of each channel, in whole levels; numpy's own takes five times as long over a line."""
    middle = (len(line) - 1) // 2, len(line) // 2
    both = np.partition(line.T, middle, axis=1)[:, middle]
    median: npt.NDArray[np.int16] = both.sum(axis=1, dtype=np.int16) // 2
    return median
