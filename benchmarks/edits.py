"""The edits people make to photos, one table row each, the same at every run.

`python benchmarks/edits.py PHOTO OUT.jpg [--small]` draws all edits of one photo on one sheet, to look at.

An edit takes an RGB picture and a `random.Random`, seeded by the photo's name and the edit's, and gives a picture. It
is then saved as JPEG of quality 85, unless the row says otherwise. `kept` is the share of the photo's area that can
still be seen: a crop of half the area has nothing of the other half, so no method can find what is not there.
"""

from __future__ import annotations

import argparse
import io
import math
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import framing
import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps

Function = Callable[[Image.Image, random.Random], Image.Image]
Size = tuple[int, int]
SMALL_SIDE_PX = 200
"""What counts as a small photo: a preview, an avatar."""


class Edit(NamedTuple):
    """One row of the table."""

    function: Function
    kept: float | Callable[[Size], float]
    """Share of the area that is still seen, 0 to 1, or a function of the photo's (width, height)."""
    group: str
    format: str = "JPEG"
    quality: int = 85

    def kept_of(self, size: Size) -> float:
        """The share for a photo of this size."""
        return self.kept(size) if callable(self.kept) else self.kept


def open_photo(path: Path, *, side_px_max: int | None = None) -> Image.Image:
    """The photo in RGB, turned as EXIF says, scaled down where a longest side is given."""
    with Image.open(path) as file:
        image = ImageOps.exif_transpose(file).convert("RGB")
    if side_px_max and max(image.size) > side_px_max:
        image = framing.scaled(image, side_px_max, side_px_max)
    return image


def copies(path: Path, *, side_px_max: int | None = None) -> Iterator[tuple[str, bytes]]:
    """Every edit of a photo: name and file."""
    image = open_photo(path, side_px_max=side_px_max)
    for name in EDITS:
        yield name, edited(image, path.name, name)


def copy_of(path: Path, edit: str, *, side_px_max: int | None = None) -> bytes:
    """One edit of a photo, as a file."""
    return edited(open_photo(path, side_px_max=side_px_max), path.name, edit)


def edited(image: Image.Image, name: str, edit: str) -> bytes:
    """One edit of an open photo that is called `name`, as a file."""
    row = EDITS[edit]
    result = row.function(image, random.Random(f"{name}/{edit}"))
    file = io.BytesIO()
    result.save(file, row.format, quality=row.quality)
    return file.getvalue()


# --- size, colour, detail --------------------------------------------------------------------------------------


def _plainly(change: Callable[[Image.Image], Image.Image]) -> Function:
    """An edit without chance in it."""
    return lambda image, _: change(image)


def _then(*steps: Function) -> Function:
    """One edit after another."""

    def chain(image: Image.Image, rng: random.Random) -> Image.Image:
        for step in steps:
            image = step(image, rng)
        return image

    return chain


def _resize(factor: float) -> Function:
    def resize(image: Image.Image, _: random.Random) -> Image.Image:
        size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
        return image.resize(size, Image.Resampling.LANCZOS)

    return resize


def _fit(side: int) -> Function:
    return lambda image, _: framing.scaled(image, side, side)


def _saved(quality: int) -> Function:
    """Saved as JPEG on the way."""

    def save(image: Image.Image, _: random.Random) -> Image.Image:
        file = io.BytesIO()
        image.save(file, "JPEG", quality=quality)
        return Image.open(file).convert("RGB")

    return save


def _enhance(kind: type, factor: float) -> Function:
    return lambda image, _: kind(image).enhance(factor)


def _gamma(image: Image.Image) -> Image.Image:
    return image.point(lambda level: 255 * (level / 255) ** 0.6)


def _sepia(image: Image.Image) -> Image.Image:
    return ImageOps.colorize(image.convert("L"), (30, 15, 0), (255, 240, 205), (160, 125, 90))


def _filter(image: Image.Image) -> Image.Image:
    """A preset of a photo app: more contrast and colour, warmer, darker corners."""
    image = ImageEnhance.Color(ImageEnhance.Contrast(image).enhance(1.25)).enhance(1.15)
    red, green, blue = image.split()
    red, blue = red.point(lambda level: min(255, level * 1.08 + 6)), blue.point(lambda level: level * 0.86)
    dark = Image.radial_gradient("L").resize(image.size).point(lambda level: max(0, level - 110) * 1.1)
    warm = Image.merge("RGB", (red, green, blue))
    warm.paste((10, 5, 15), (0, 0, *image.size), dark)
    return warm


def _blur(image: Image.Image) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(max(image.size) / 320))


def _sharpen(image: Image.Image) -> Image.Image:
    return image.filter(ImageFilter.UnsharpMask(radius=2, percent=200, threshold=2))


def _noise(image: Image.Image, rng: random.Random) -> Image.Image:
    noise = np.random.default_rng(rng.getrandbits(32)).normal(0, 14, (image.height, image.width, 3))
    return Image.fromarray(np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8))


# --- turns and crops -------------------------------------------------------------------------------------------


def _turn(how: Image.Transpose) -> Function:
    return lambda image, _: image.transpose(how)


def _rotate(degrees: float, *, zoomed: bool = False) -> Function:
    """Turned a little; the corners stay black, or the picture is cut to the largest upright part of its shape."""

    def rotate(image: Image.Image, rng: random.Random) -> Image.Image:
        turned = image.rotate(rng.choice((-degrees, degrees)), Image.Resampling.BICUBIC)
        if not zoomed:
            return turned
        share = math.sqrt(_kept_by_rotation(degrees)(image.size))
        return _cut(turned, image.width * share, image.height * share, 0.5, 0.5)

    return rotate


def _kept_by_rotation(degrees: float) -> Callable[[Size], float]:
    def kept(size: Size) -> float:
        long, short = max(size), min(size)
        sine, cosine = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
        return (short / (long * sine + short * cosine)) ** 2

    return kept


def _cut(image: Image.Image, width: float, height: float, across: float, down: float) -> Image.Image:
    """A part of this size; `across` and `down` are 0 for left and top, 1 for right and bottom."""
    width, height = max(1, round(width)), max(1, round(height))
    left, top = round((image.width - width) * across), round((image.height - height) * down)
    return image.crop((left, top, left + width, top + height))


def _crop(kept: float) -> Function:
    """A part of the same shape, anywhere."""
    side = math.sqrt(kept)
    return lambda image, rng: _cut(image, image.width * side, image.height * side, rng.random(), rng.random())


def _crop_one_side(image: Image.Image, rng: random.Random) -> Image.Image:
    wide, high = rng.choice(((0.8, 1.0), (1.0, 0.8)))
    return _cut(image, image.width * wide, image.height * high, rng.choice((0, 1)), rng.choice((0, 1)))


def _shape(aspect: float, *, off_centre: bool = False) -> Function:
    """The largest part of this shape: in the middle, or off it, as a portrait is cut to its head."""

    def shape(image: Image.Image, rng: random.Random) -> Image.Image:
        width, height = min(image.width, image.height * aspect), min(image.height, image.width / aspect)
        across, down = (rng.choice((0.15, 0.85)), 0.1) if off_centre else (0.5, 0.5)
        return _cut(image, width, height, across, down)

    return shape


def _kept_by_shape(aspect: float) -> Callable[[Size], float]:
    return lambda size: min(aspect * size[1] / size[0], size[0] / size[1] / aspect)


def _kept_in_post(size: Size) -> float:
    return min(1.0, size[0] / size[1] / framing.POST_ASPECT_MIN)


def _screen(draw: Callable[[Image.Image, random.Random], framing.Screen]) -> Function:
    return lambda image, rng: draw(image, rng).image


def _cropped_screen(image: Image.Image, rng: random.Random) -> Image.Image:
    draw = rng.choice((framing.photo_app, framing.social_post))
    return framing.cropped_screen(draw(image, rng), rng)


# --- the table -------------------------------------------------------------------------------------------------

_WHITE = _plainly(lambda image: framing.bordered(image, framing.WHITE, share=0.1))
_FRAME = _plainly(lambda image: framing.bordered(image, (150, 40, 60), share=0.06))
_POLAROID = _plainly(lambda image: framing.bordered(image, (248, 248, 244), share=0.07, bottom_share=0.26))
_LETTERBOX = _plainly(lambda image: framing.letterboxed(image, 16 / 9))
_STORY = _plainly(lambda image: framing.letterboxed(image, 9 / 16, blurred=True))
_BLURRED_SQUARE = _plainly(lambda image: framing.letterboxed(image, 1, blurred=True))
_MIRROR = _turn(Image.Transpose.FLIP_LEFT_RIGHT)
_AS_IS = _plainly(lambda image: image)

EDITS: dict[str, Edit] = {
    "saved again": Edit(_AS_IS, 1, "size"),
    "half size": Edit(_resize(0.5), 1, "size"),
    "quarter size": Edit(_resize(0.25), 1, "size"),
    "thumbnail 64 px": Edit(_fit(64), 1, "size"),
    "twice the size": Edit(_resize(2), 1, "size"),
    "JPEG 50": Edit(_AS_IS, 1, "compression", quality=50),
    "JPEG 30": Edit(_AS_IS, 1, "compression", quality=30),
    "JPEG 10": Edit(_AS_IS, 1, "compression", quality=10),
    "WebP 50": Edit(_AS_IS, 1, "compression", "WEBP", 50),
    "grey": Edit(_plainly(lambda image: image.convert("L").convert("RGB")), 1, "colour"),
    "saturation + 60 %": Edit(_enhance(ImageEnhance.Color, 1.6), 1, "colour"),
    "brightness + 30 %": Edit(_enhance(ImageEnhance.Brightness, 1.3), 1, "colour"),
    "brightness - 30 %": Edit(_enhance(ImageEnhance.Brightness, 0.7), 1, "colour"),
    "contrast + 40 %": Edit(_enhance(ImageEnhance.Contrast, 1.4), 1, "colour"),
    "gamma 0.6": Edit(_plainly(_gamma), 1, "colour"),
    "sepia": Edit(_plainly(_sepia), 1, "colour"),
    "filter": Edit(_plainly(_filter), 1, "colour"),
    "blur": Edit(_plainly(_blur), 1, "detail"),
    "sharpen": Edit(_plainly(_sharpen), 1, "detail"),
    "noise": Edit(_noise, 1, "detail"),
    "mirror": Edit(_MIRROR, 1, "turn"),
    "upside down": Edit(_turn(Image.Transpose.FLIP_TOP_BOTTOM), 1, "turn"),
    "turn 90": Edit(_turn(Image.Transpose.ROTATE_90), 1, "turn"),
    "turn 180": Edit(_turn(Image.Transpose.ROTATE_180), 1, "turn"),
    "turn 270": Edit(_turn(Image.Transpose.ROTATE_270), 1, "turn"),
    "rotate 2, black corners": Edit(_rotate(2), 0.98, "turn"),
    "rotate 5, black corners": Edit(_rotate(5), 0.95, "turn"),
    "rotate 2, zoomed": Edit(_rotate(2, zoomed=True), _kept_by_rotation(2), "turn"),
    "rotate 5, zoomed": Edit(_rotate(5, zoomed=True), _kept_by_rotation(5), "turn"),
    "crop 2 %": Edit(_crop(0.98), 0.98, "crop"),
    "crop 5 %": Edit(_crop(0.95), 0.95, "crop"),
    "crop 10 %": Edit(_crop(0.9), 0.9, "crop"),
    "crop 20 %": Edit(_crop(0.8), 0.8, "crop"),
    "crop 30 %": Edit(_crop(0.7), 0.7, "crop"),
    "crop 50 %": Edit(_crop(0.5), 0.5, "crop"),
    "crop one side 20 %": Edit(_crop_one_side, 0.8, "crop"),
    "square": Edit(_shape(1), _kept_by_shape(1), "shape"),
    "square, off centre": Edit(_shape(1, off_centre=True), _kept_by_shape(1), "shape"),
    "4:5": Edit(_shape(4 / 5), _kept_by_shape(4 / 5), "shape"),
    "16:9": Edit(_shape(16 / 9), _kept_by_shape(16 / 9), "shape"),
    "9:16": Edit(_shape(9 / 16), _kept_by_shape(9 / 16), "shape"),
    "3:2": Edit(_shape(3 / 2), _kept_by_shape(3 / 2), "shape"),
    "4:3": Edit(_shape(4 / 3), _kept_by_shape(4 / 3), "shape"),
    "3:1": Edit(_shape(3), _kept_by_shape(3), "shape"),
    "white border": Edit(_WHITE, 1, "border"),
    "black letterbox 16:9": Edit(_LETTERBOX, 1, "border"),
    "blurred fill 9:16": Edit(_STORY, 1, "border"),
    "blurred fill 1:1": Edit(_BLURRED_SQUARE, 1, "border"),
    "coloured frame": Edit(_FRAME, 1, "border"),
    "polaroid": Edit(_POLAROID, 1, "border"),
    "caption above": Edit(framing.captioned, 1, "overlay"),
    "text over": Edit(framing.lettered, 0.9, "overlay"),
    "watermark": Edit(_plainly(framing.watermarked), 1, "overlay"),
    "sticker 10 %": Edit(framing.stickered, 0.9, "overlay"),
    "bar over the eyes": Edit(_plainly(framing.barred), 0.92, "overlay"),
    "phone, photo app": Edit(_screen(framing.photo_app), 1, "screen"),
    "phone, post": Edit(_screen(framing.social_post), _kept_in_post, "screen"),
    "browser": Edit(_screen(framing.browser), 1, "screen"),
    "card": Edit(_screen(framing.card), 1, "screen"),
    "square, 320 px, JPEG 40": Edit(_then(_shape(1), _fit(320)), _kept_by_shape(1), "chain", quality=40),
    "phone, cropped": Edit(_cropped_screen, 0.9, "chain"),
    "mirror, square, filter": Edit(_then(_MIRROR, _shape(1), _plainly(_filter)), _kept_by_shape(1), "chain"),
    "caption, JPEG 30, quarter": Edit(_then(framing.captioned, _saved(30), _resize(0.25)), 1, "chain"),
    "crop 20 %, mirror": Edit(_then(_crop(0.8), _MIRROR), 0.8, "chain"),
    "border, mirror": Edit(_then(_WHITE, _MIRROR), 1, "chain"),
}


# --- a look at them --------------------------------------------------------------------------------------------


def contact_sheet(path: Path, *, side_px_max: int | None = None) -> Image.Image:
    """All edits of one photo, with name, size and share kept."""
    cell, columns = 230, 9
    size = open_photo(path, side_px_max=side_px_max).size
    rows = math.ceil(len(EDITS) / columns)
    sheet = Image.new("RGB", (columns * cell, rows * (cell + 20)), (205, 208, 214))
    draw = ImageDraw.Draw(sheet)
    for number, (name, body) in enumerate(copies(path, side_px_max=side_px_max)):
        left, top = number % columns * cell, number // columns * (cell + 20)
        picture = Image.open(io.BytesIO(body)).convert("RGB")
        label = f"{name}  {picture.width}x{picture.height}  {EDITS[name].kept_of(size):.0%}"
        draw.text((left + 4, top + 3), label, (0, 0, 0), framing.font(11))
        sheet.paste(framing.scaled(picture, cell - 8, cell - 8), (left + 4, top + 20))
    return sheet


def main() -> None:
    """Draw the sheet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photo", type=Path, metavar="PHOTO")
    parser.add_argument("out", type=Path, metavar="OUT.jpg")
    parser.add_argument("--small", action="store_true", help=f"scale the photo to {SMALL_SIDE_PX} px first")
    arguments = parser.parse_args()
    side = SMALL_SIDE_PX if arguments.small else None
    contact_sheet(arguments.photo, side_px_max=side).save(arguments.out, quality=90)


if __name__ == "__main__":
    main()
