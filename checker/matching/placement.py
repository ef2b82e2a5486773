"""Where a stored picture lies in the asked one. Needs the asked picture's pixels and the stored one's tiles."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product

from checker.fingerprint.alignment import Alignment, Windows, alignment_at, grey_of_windows, unpack
from checker.fingerprint.asked import AskedCode, Question
from checker.fingerprint.cosine import TURNS, Floats, turn_pixels
from checker.fingerprint.rectangle import Rectangle
from checker.model import Box
from checker.records.interfaces import CodeRow, StoredTiles
from checker.report import Orientation

CLEAR_BITS = 45
"""An alignment this near needs no other place tried."""
SHAPE_STEP = 0.04
"""Shapes (width by height, logarithm) are rounded to this, so that candidates share their windows."""
SHAPE_MAX = 4.0
TILTS_DEGREES = (-2.5, 2.5, -5.0, 5.0)
"""A tile bears 1.5 degrees either way, so these cover what people straighten or set aslant."""
TRIMMED_SHARE_MIN = 0.6
"""Tiles of this share of a stored picture are of a trimmed photo; of less, of a photo on a page."""
WHOLE_SHARE_MIN = 0.9
"""A match on this much of the asked picture is a match on all of it."""


@dataclass(frozen=True, slots=True)
class Placement:
    """A stored picture's content, found in the asked one."""

    distance_bits: float
    """See `alignment.Alignment`."""
    tiles: int
    orientation: Orientation
    crop: Box | None
    """The part of the asked picture that the copy shows; None: all of it."""
    stored_crop: Box | None
    """The part of the stored picture that the asked one shows; None: all of it."""


@dataclass(frozen=True, slots=True)
class _Frame:
    """A part of the asked picture as it is searched."""

    box: Rectangle
    orientation: Orientation
    tilt: float = 0.0


class Placer:
    """Places stored pictures in one asked picture."""

    def __init__(self, question: Question) -> None:
        self._question = question
        self._greys: dict[_Frame, Floats] = {}
        self._windows: dict[tuple[_Frame, float], Windows] = {}

    def search(self, stored: StoredTiles, orientation: Orientation, *, tilts: bool = False) -> Placement:
        """Look for the stored content anywhere in the asked picture, turned so, as it is and mirrored.

        Args:
            tilts: look in the picture set aslant instead.
        """
        whole, content = self._question.whole.box, self._question.content.box
        boxes = (content,) if tilts else dict.fromkeys((content, whole))
        best: Placement | None = None
        for box, tilt in product(boxes, TILTS_DEGREES if tilts else (0.0,)):
            frame = _Frame(box, orientation, tilt)
            alignment = self._align(frame, stored)
            if best is None or alignment.distance_bits < best.distance_bits:
                best = self._placement(frame, alignment, stored)
            if best.distance_bits <= CLEAR_BITS:
                break
        assert best is not None
        return best

    def confirm(self, asked: AskedCode, row: CodeRow, stored: StoredTiles) -> Placement:
        """Ask the tiles where a near phash256 code says that they are; look elsewhere when they are not there."""
        box = asked.box or self._question.whole.box
        part = row.crop or (0.0, 0.0, 1.0, 1.0)
        wide, high = part[2] - part[0], part[3] - part[1]
        tiled = stored.crop
        placed = (
            (tiled[0] - part[0]) / wide,
            (tiled[1] - part[1]) / high,
            (tiled[2] - part[0]) / wide,
            (tiled[3] - part[1]) / high,
        )
        frame = _Frame(box, asked.orientation)
        alignment = alignment_at(self._grey(frame), placed, unpack(stored.bits))
        found = self._placement(frame, alignment, stored)
        # A narrow crop shows no whole tile: then nothing speaks for the code, and nothing against it.
        if alignment.distance_bits <= CLEAR_BITS or alignment.tiles == 0:
            return found
        other = self.search(stored, asked.orientation)
        return min(found, other, key=lambda placement: placement.distance_bits)

    def _align(self, frame: _Frame, stored: StoredTiles) -> Alignment:
        asked_shape = frame.box.width / frame.box.height
        if TURNS[frame.orientation][1] % 2:
            asked_shape = 1 / asked_shape
        width = (stored.crop[2] - stored.crop[0]) * stored.width
        height = (stored.crop[3] - stored.crop[1]) * stored.height
        shape = min(SHAPE_MAX, max(1 / SHAPE_MAX, width / height / asked_shape))
        shape = math.exp(round(math.log(shape) / SHAPE_STEP) * SHAPE_STEP)
        key = (frame, shape)
        if key not in self._windows:
            self._windows[key] = Windows(self._grey(frame), shape)
        return self._windows[key].align(unpack(stored.bits))

    def _grey(self, frame: _Frame) -> Floats:
        if frame not in self._greys:
            grey = self._question.grey(frame.box, tilt_degrees=frame.tilt)
            self._greys[frame] = grey_of_windows(turn_pixels(grey, frame.orientation))
        return self._greys[frame]

    def _placement(self, frame: _Frame, alignment: Alignment, stored: StoredTiles) -> Placement:
        whole, box = self._question.whole.box, frame.box
        placed, part = _of_whole(alignment, stored)
        shown = unturned(placed, frame.orientation)
        crop = clipped(
            (
                (box.left + shown[0] * box.width) / whole.width,
                (box.top + shown[1] * box.height) / whole.height,
                (box.left + shown[2] * box.width) / whole.width,
                (box.top + shown[3] * box.height) / whole.height,
            )
        )
        orientation = then_mirrored(frame.orientation) if alignment.mirrored else frame.orientation
        seen = _within_stored(_seen_part(placed, mirrored=alignment.mirrored), part)
        return Placement(alignment.distance_bits, alignment.tiles, orientation, _or_all(crop), _or_all(seen))


def _or_all(crop: Box) -> Box | None:
    share = (crop[2] - crop[0]) * (crop[3] - crop[1])
    return None if share >= WHOLE_SHARE_MIN else crop


def _seen_part(placed: Box, *, mirrored: bool) -> Box:
    """What the asked picture shows of something that lies at `placed` in it, in fractions of that thing."""
    wide, high = placed[2] - placed[0], placed[3] - placed[1]
    x0, y0, x1, y1 = clipped((-placed[0] / wide, -placed[1] / high, (1 - placed[0]) / wide, (1 - placed[1]) / high))
    return (1 - x1, y0, 1 - x0, y1) if mirrored else (x0, y0, x1, y1)


def _within_stored(part: Box, of: Box) -> Box:
    wide, high = of[2] - of[0], of[3] - of[1]
    return of[0] + part[0] * wide, of[1] + part[1] * high, of[0] + part[2] * wide, of[1] + part[3] * high


def _of_whole(alignment: Alignment, stored: StoredTiles) -> tuple[Box, Box]:
    """Where the whole stored picture lies when its tiled part is most of it, else where that part lies; and which.

    What was trimmed off a photo is mostly sky or wall and belongs to it; what stands around a small part is a page.
    """
    x0, y0, x1, y1 = stored.crop
    if (x1 - x0) * (y1 - y0) < TRIMMED_SHARE_MIN:
        return alignment.placed, stored.crop
    if alignment.mirrored:
        x0, x1 = 1 - x1, 1 - x0
    left, top, right, bottom = alignment.placed
    wide, high = (right - left) / (x1 - x0), (bottom - top) / (y1 - y0)
    whole = (left - x0 * wide, top - y0 * high, right + (1 - x1) * wide, bottom + (1 - y1) * high)
    return whole, (0.0, 0.0, 1.0, 1.0)


def then_mirrored(orientation: Orientation) -> Orientation:
    """The orientation of what was turned so and mirrored left to right after that.

    Mirroring after a turn is mirroring before the opposite turn.
    """
    mirrored, quarters = TURNS[orientation]
    return next(o for o, turn in TURNS.items() if turn == (not mirrored, -quarters % 4))


def clipped(box: Box) -> Box:
    """The part of a box that lies in the picture."""
    x0, y0, x1, y1 = (min(1.0, max(0.0, value)) for value in box)
    return x0, y0, x1, y1


def unturned(box: Box, orientation: Orientation) -> Box:
    """A part of the turned picture as a part of the picture before it was turned."""
    mirrored, quarters = TURNS[orientation]
    x0, y0, x1, y1 = box
    for _ in range(quarters):  # a quarter turn clockwise took (x, y) to (1 - y, x)
        x0, y0, x1, y1 = y0, 1 - x1, y1, 1 - x0
    return (1 - x1, y0, 1 - x0, y1) if mirrored else (x0, y0, x1, y1)
