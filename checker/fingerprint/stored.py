"""What is kept of a picture: the codes it can be found by, and the tiles that a find is verified by."""

from __future__ import annotations

import numpy as np
from PIL import Image

from checker.fingerprint.alignment import TILES
from checker.fingerprint.cosine import codes_of, coefficients
from checker.fingerprint.hashes import is_balanced, is_flat, phash256
from checker.fingerprint.rectangle import Rectangle
from checker.fingerprint.robust import RobustModel
from checker.fingerprint.views import (
    GREY_SIDE_PX,
    View,
    content_of,
    contents,
    grey_image,
    platform_crops,
    pressed,
    seen,
)
from checker.model import PHASH256, Box, Fingerprint, Pixels, Tiles, Variant

SAME_CONTENT = 0.9
"""A content that covers more of the picture than this gets no robust code of its own."""


def stored_codes(pixels: Pixels, model: RobustModel | None, *, crops: bool) -> tuple[tuple[Fingerprint, ...], Tiles]:
    """The codes of a picture decoded with its view, the whole picture's first.

    Args:
        model: makes the robust codes; None: there are none.
        crops: a code for each platform shape as well.
    """
    grey = grey_image(pixels)
    views = contents(pixels, grey)
    whole, content = views[0], content_of(views)
    parts = [*views[1:], *(platform_crops(grey, whole) if crops else ())]
    parts = [view for view in parts if not is_flat(view.grey64)]  # the strip of sky that a wide crop may be
    codes = [phash256(pixels), *phash_codes(parts, whole.box)]
    if model:
        robust = [whole] if whole.box.overlap(content.box) > SAME_CONTENT else [whole, content]
        codes += robust_codes(pixels, robust, model)
    return tuple(codes), tiles_of(grey, content)


def phash_codes(views: list[View], whole: Rectangle) -> list[Fingerprint]:
    """The phash256 codes of parts of a picture."""
    if not views:
        return []
    bits = codes_of(np.array([coefficients(view.grey64) for view in views], dtype=np.float64))
    return [
        Fingerprint(PHASH256, row.tobytes(), view.variant, crop_of(view, whole))
        for row, view in zip(bits, views, strict=True)
        if is_balanced(row)
    ]


def whole_robust_code(pixels: Pixels, model: RobustModel) -> list[Fingerprint]:
    """The sscd512 code of the whole picture, in a list of one."""
    height, width = seen(pixels).shape[:2]
    return robust_codes(pixels, [View(Variant.WHOLE, Rectangle(0, 0, width, height), pixels.grey64)], model)


def robust_codes(pixels: Pixels, views: list[View], model: RobustModel) -> list[Fingerprint]:
    """The sscd512 codes of parts of a picture."""
    view, whole = seen(pixels), views[0].box
    pictures = [view[v.box.top : v.box.bottom, v.box.left : v.box.right] for v in views]
    return [
        Fingerprint(model.kind, bits, v.variant, crop_of(v, whole))
        for bits, v in zip(model.codes(pictures), views, strict=True)
    ]


def tiles_of(grey: Image.Image, content: View) -> Tiles:
    """The codes of the nine tiles of a picture's content; all zero where a tile is flat and says nothing.

    Args:
        grey: the `grey_image` that it is a part of.
    """
    box = content.box
    tiles = [pressed(grey, tile_box(box, tile), GREY_SIDE_PX) for tile in TILES]
    codes = codes_of(np.array([coefficients(tile) for tile in tiles]))
    codes[[is_flat(tile) or not is_balanced(code) for tile, code in zip(tiles, codes, strict=True)]] = 0
    return Tiles(codes.tobytes(), box.fractions(grey.width, grey.height))


def tile_box(box: Rectangle, tile: Box) -> Rectangle:
    """One tile of a part, in whole pixels and never empty."""
    left, top = box.left + round(tile[0] * box.width), box.top + round(tile[1] * box.height)
    right, bottom = box.left + round(tile[2] * box.width), box.top + round(tile[3] * box.height)
    return Rectangle(left, top, max(right, left + 1), max(bottom, top + 1))


def crop_of(view: View, whole: Rectangle) -> Box | None:
    """The part of the picture that a view shows; None: all of it."""
    return None if view.variant is Variant.WHOLE else view.box.fractions(whole.width, whole.height)
