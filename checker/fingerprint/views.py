"""The parts of a picture that are worth a code of their own: without borders, inside a screenshot, in platform shapes.

The same parts are made of what is stored and of what is asked about, so that a copy which is framed, screenshotted or
cut to a shape meets the original halfway, whichever of the two is in the corpus (docs/decisions.md, 16).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from PIL import Image

from checker.fingerprint.inner import inner_pictures
from checker.fingerprint.rectangle import Rectangle
from checker.fingerprint.trim import trim
from checker.model import Pixels, Variant

GREY_SIDE_PX = 64
SHAPES = {
    Variant.CROP_1X1: 1.0,
    Variant.CROP_4X5: 4 / 5,
    Variant.CROP_16X9: 16 / 9,
    Variant.CROP_9X16: 9 / 16,
    Variant.CROP_3X2: 3 / 2,
    Variant.CROP_4X3: 4 / 3,
    Variant.CROP_3X1: 3.0,
}
"""Width by height of what platforms cut pictures to, from the middle."""
SHAPE_DIFFERS = 0.015
"""A picture whose shape is this near to a platform's is not cut: the whole stands for it."""
SAME_OVERLAP = 0.985
"""Parts that have more than this in common share a code."""
_SIDE_PX_MIN = 16


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """A part of a picture."""

    variant: Variant
    box: Rectangle
    """In pixels of the picture's view."""
    grey64: npt.NDArray[np.uint8]
    """(64, 64)."""
    clear: bool = True
    """Surely a picture of its own. The others are guesses, which cost a cheap code each and no more."""


def contents(pixels: Pixels, grey: Image.Image) -> tuple[View, ...]:
    """The whole picture, then what is left of it without borders, then the pictures inside of it, at most five.

    Args:
        grey: its `grey_image`.
    """
    view = seen(pixels)
    height, width = view.shape[:2]
    views = [View(Variant.WHOLE, Rectangle(0, 0, width, height), pixels.grey64)]
    if box := trim(view):
        views.append(part(grey, Variant.TRIMMED, box))
    for variant, guess in zip((Variant.INNER, Variant.INNER_2, Variant.INNER_3), inner_pictures(view), strict=False):
        box = guess.box
        if inside := trim(view[box.top : box.bottom, box.left : box.right]):  # a letterbox inside of a page
            box = inside.moved(box.left, box.top)
        if all(box.overlap(other.box) < SAME_OVERLAP for other in views):
            views.append(replace(part(grey, variant, box), clear=guess.clear))
    return tuple(views)


def content_of(views: Sequence[View]) -> View:
    """The photo itself: the clear picture inside, else the picture without borders, else the whole."""
    inner = (view for view in views if view.variant is Variant.INNER and view.clear)
    trimmed = (view for view in views if view.variant is Variant.TRIMMED)
    return next(inner, None) or next(trimmed, None) or views[0]


def platform_crops(grey: Image.Image, content: View) -> tuple[View, ...]:
    """The middle of `content` in every shape that platforms cut to and that it does not have already.

    Args:
        grey: the `grey_image` that it is a part of.
    """
    return tuple(part(grey, variant, box) for variant, box in _shapes(content.box))


def seen(pixels: Pixels) -> npt.NDArray[np.uint8]:
    """The view of decoded pixels.

    Raises:
        ValueError: they were decoded without one.
    """
    if pixels.view is None:
        raise ValueError("these pixels were decoded without a view; decode with view=True")
    return pixels.view


def _shapes(box: Rectangle) -> Iterator[tuple[Variant, Rectangle]]:
    own = box.width / box.height
    for variant, shape in SHAPES.items():
        width = min(box.width, round(box.height * shape))
        height = min(box.height, round(box.width / shape))
        if abs(shape / own - 1) < SHAPE_DIFFERS or min(width, height) < _SIDE_PX_MIN:
            continue
        left = box.left + (box.width - width) // 2
        top = box.top + (box.height - height) // 2
        yield variant, Rectangle(left, top, left + width, top + height)


def grey_image(pixels: Pixels) -> Image.Image:
    """The view in grey, to cut parts from."""
    return Image.fromarray(seen(pixels)).convert("L")


def part(grey: Image.Image, variant: Variant, box: Rectangle) -> View:
    """A part of a grey view as a view of its own."""
    return View(variant, box, pressed(grey, box, GREY_SIDE_PX))


def pressed(grey: Image.Image, box: Rectangle, side_px: int) -> npt.NDArray[np.uint8]:
    """A part pressed into (side_px, side_px)."""
    cut = grey.crop((box.left, box.top, box.right, box.bottom))
    small = cut.resize((side_px, side_px), Image.Resampling.LANCZOS, reducing_gap=3.0)
    return np.asarray(small, dtype=np.uint8)
