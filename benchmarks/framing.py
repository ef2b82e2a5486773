"""What people put around and over photos: borders, captions, stickers, screenshots. Drawn, never loaded from files.

Used by `edits.py`; there is nothing to run here. A screen comes with the box of the picture in it, so that a sloppy
crop of a screenshot can be made from it. Screens are drawn at a width of 390 points, as telephones count, times 1.4.
"""

from __future__ import annotations

import functools
import math
import random
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFilter, ImageFont

Colour = tuple[int, int, int]
WHITE, BLACK, INK, GREY, PALE = (255, 255, 255), (0, 0, 0), (20, 20, 24), (120, 124, 130), (232, 234, 237)
TEXT = (
    "when you finally look at the old photos again and nobody believes that it was you who took them "
    "back then we walked all day along the river and came home late with wet shoes and no regrets at all "
    "read more about the people behind this story and what they found out after years of asking"
)
WORDS = TEXT.split()
POST_ASPECT_MIN = 0.8
"""Feeds cut pictures that are taller than 4:5."""
_POINT = 1.4


class Screen(NamedTuple):
    """A drawn screen, and where the picture lies in it (left, top, right, bottom)."""

    image: Image.Image
    box: tuple[int, int, int, int]


@functools.lru_cache(maxsize=64)
def font(size_px: int) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    """Pillow's own font."""
    return ImageFont.load_default(size=max(6, size_px))


def words(rng: random.Random, count: int) -> str:
    """A piece of text, `count` words long, that begins with a capital."""
    start = rng.randrange(len(WORDS) - count)
    return " ".join(WORDS[start : start + count]).capitalize()


def pasted(canvas: Image.Image, image: Image.Image, left: int, top: int) -> Image.Image:
    """`canvas` with `image` on it."""
    canvas.paste(image, (left, top))
    return canvas


def scaled(image: Image.Image, width: float, height: float) -> Image.Image:
    """The picture, as large as fits into the box, its shape kept."""
    factor = min(width / image.width, height / image.height)
    size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
    return image.resize(size, Image.Resampling.LANCZOS)


# --- around the picture ----------------------------------------------------------------------------------------


def bordered(image: Image.Image, colour: Colour, *, share: float, bottom_share: float | None = None) -> Image.Image:
    """A frame; its width is a share of the shorter side."""
    side = round(min(image.size) * share)
    bottom = side if bottom_share is None else round(min(image.size) * bottom_share)
    canvas = Image.new("RGB", (image.width + 2 * side, image.height + side + bottom), colour)
    return pasted(canvas, image, side, side)


def letterboxed(image: Image.Image, aspect: float, *, blurred: bool = False) -> Image.Image:
    """Made to fit another shape by bars: black, or the picture itself, enlarged, blurred and darkened."""
    width = max(image.width, round(image.height * aspect))
    height = max(image.height, round(image.width / aspect))
    if blurred:
        factor = max(width / image.width, height / image.height)
        large = image.resize((math.ceil(image.width * factor), math.ceil(image.height * factor)))
        left, top = (large.width - width) // 2, (large.height - height) // 2
        canvas = large.crop((left, top, left + width, top + height))
        canvas = canvas.filter(ImageFilter.GaussianBlur(max(width, height) / 30)).point(lambda level: level * 0.85)
    else:
        canvas = Image.new("RGB", (width, height), BLACK)
    return pasted(canvas, image, (width - image.width) // 2, (height - image.height) // 2)


def captioned(image: Image.Image, rng: random.Random) -> Image.Image:
    """A meme: two lines of black text in a white bar above."""
    size = max(8, round(image.width / 17))
    canvas = Image.new("RGB", (image.width, image.height + round(size * 3.4)), WHITE)
    draw = ImageDraw.Draw(canvas)
    for line in range(2):
        draw.text((size * 0.6, size * (0.4 + 1.25 * line)), words(rng, 5), INK, font(size))
    return pasted(canvas, image, 0, canvas.height - image.height)


# --- over the picture ------------------------------------------------------------------------------------------


def lettered(image: Image.Image, rng: random.Random) -> Image.Image:
    """A meme: white capitals with a black outline at the top and at the bottom."""
    canvas = image.copy()
    draw = ImageDraw.Draw(canvas)
    for place, anchor in ((0.03, "ma"), (0.97, "md")):
        text = words(rng, 4).upper()
        size = round(min(image.height / 8, 1.5 * image.width / len(text)))
        at = (image.width / 2, image.height * place)
        draw.text(at, text, WHITE, font(size), anchor, stroke_width=max(1, size // 12), stroke_fill=BLACK)
    return canvas


def watermarked(image: Image.Image) -> Image.Image:
    """A stock agency's pattern: pale slanted text all over."""
    size = max(8, min(image.size) // 14)
    side = round(math.hypot(*image.size)) + 4
    layer = Image.new("L", (side, side), 0)
    draw = ImageDraw.Draw(layer)
    for row, top in enumerate(range(0, side, size * 4)):
        for left in range(-size * 4 * (row % 2), side, size * 8):
            draw.text((left, top), "photostock", 100, font(size))
    layer = layer.rotate(30, Image.Resampling.BICUBIC)
    left, top = (side - image.width) // 2, (side - image.height) // 2
    canvas = image.copy()
    canvas.paste(WHITE, (0, 0, *image.size), layer.crop((left, top, left + image.width, top + image.height)))
    return canvas


def stickered(image: Image.Image, rng: random.Random) -> Image.Image:
    """A smiling face over a tenth of the picture."""
    canvas = image.copy()
    radius = math.sqrt(0.1 * image.width * image.height / math.pi)
    radius = min(radius, image.width / 2.05, image.height / 2.05)
    x, y = rng.uniform(radius, image.width - radius), rng.uniform(radius, image.height - radius)
    draw = ImageDraw.Draw(canvas)
    draw.circle((x, y), radius, (255, 204, 51), (226, 160, 20), max(1, round(radius / 20)))
    for side in (-1, 1):
        draw.circle((x + side * radius * 0.36, y - radius * 0.25), radius * 0.13, (80, 50, 20))
    smile = (x - radius * 0.6, y - radius * 0.55, x + radius * 0.6, y + radius * 0.62)
    draw.arc(smile, 20, 160, (80, 50, 20), max(1, round(radius / 9)))
    return canvas


def barred(image: Image.Image) -> Image.Image:
    """A black bar over the eyes of a portrait: 8 % of the area."""
    canvas = image.copy()
    width, height = image.width * 0.62, image.height * 0.13
    left, top = (image.width - width) / 2, image.height * 0.32
    ImageDraw.Draw(canvas).rectangle((left, top, left + width, top + height), BLACK)
    return canvas


# --- on a screen -----------------------------------------------------------------------------------------------


def _points(*values: float) -> list[int]:
    """Pixels. Pillow takes lists where it takes tuples."""
    return [round(value * _POINT) for value in values]


def _text(draw: ImageDraw.ImageDraw, x: float, y: float, text: str, colour: Colour, size: float) -> None:
    draw.text((x * _POINT, y * _POINT), text, colour, font(round(size * _POINT)))


def _phone(back: Colour, ink: Colour, rng: random.Random) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    """An empty telephone screen with its status bar: the hour, reception, battery."""
    canvas = Image.new("RGB", (round(390 * _POINT), round(844 * _POINT)), back)
    draw = ImageDraw.Draw(canvas)
    _text(draw, 30, 14, f"{rng.randrange(7, 23)}:{rng.randrange(10, 60)}", ink, 16)
    for bar in range(4):
        draw.rectangle(_points(296 + 6 * bar, 27 - 3 * bar, 300 + 6 * bar, 31), ink)
    draw.rounded_rectangle(_points(334, 18, 360, 31), round(3 * _POINT), None, ink, 2)
    draw.rectangle(_points(337, 21, rng.randrange(344, 357), 28), ink)
    return canvas, draw


def _icons(draw: ImageDraw.ImageDraw, y: float, xs: tuple[float, ...], ink: Colour) -> None:
    """A row of small outlines: heart-like circle, square, triangle, in turn."""
    for number, x in enumerate(xs):
        if number % 3 == 0:
            draw.ellipse(_points(x, y, x + 22, y + 22), None, ink, 3)
        elif number % 3 == 1:
            draw.rounded_rectangle(_points(x, y, x + 22, y + 20), 6, None, ink, 3)
        else:
            draw.polygon([_points(x, y + 2), _points(x + 23, y + 2), _points(x + 11, y + 22)], None, ink, 3)


def photo_app(image: Image.Image, rng: random.Random) -> Screen:
    """A telephone's photo app: black, the picture across, title above, buttons below."""
    canvas, draw = _phone(BLACK, WHITE, rng)
    draw.line([_points(26, 66), _points(16, 76), _points(26, 86)], WHITE, 4)
    _text(draw, 130, 60, f"{rng.randrange(1, 29)} August", WHITE, 16)
    _text(draw, 152, 81, f"{rng.randrange(8, 22)}:{rng.randrange(10, 60)}", GREY, 12)
    _icons(draw, 66, (346,), WHITE)
    _icons(draw, 772, (34, 132, 234, 334), WHITE)
    draw.rounded_rectangle(_points(128, 828, 262, 833), 4, WHITE)
    shown = scaled(image, *_points(390, 640))
    left, top = (canvas.width - shown.width) // 2, (canvas.height - shown.height) // 2
    return Screen(pasted(canvas, shown, left, top), (left, top, left + shown.width, top + shown.height))


def social_post(image: Image.Image, rng: random.Random) -> Screen:
    """A telephone with a post in a feed: white, the picture across (cut to 4:5 where it is taller)."""
    canvas, draw = _phone(WHITE, INK, rng)
    _text(draw, 16, 52, "snapfeed", INK, 24)
    _icons(draw, 58, (300, 344), INK)
    draw.line([_points(0, 96), _points(390, 96)], PALE, 2)
    draw.ellipse(_points(14, 108, 50, 144), tuple(rng.randrange(60, 220) for _ in range(3)))
    _text(draw, 60, 108, f"{rng.choice(WORDS)}_{rng.choice(WORDS)}", INK, 15)
    _text(draw, 60, 128, "Lisbon, Portugal", GREY, 12)
    _text(draw, 352, 110, "...", INK, 20)
    cut = min(image.height, round(image.width / POST_ASPECT_MIN))
    above = (image.height - cut) // 2
    shown = scaled(image.crop((0, above, image.width, above + cut)), *_points(390, 900))
    top = _points(156)[0]
    pasted(canvas, shown, 0, top)
    below = (top + shown.height) / _POINT
    _icons(draw, below + 12, (16, 58, 100), INK)
    _icons(draw, below + 12, (350,), INK)
    _text(draw, 16, below + 46, f"{rng.randrange(12, 990)} likes", INK, 15)
    for line in range(3):
        _text(draw, 16, below + 70 + 21 * line, words(rng, 6), INK if line < 2 else GREY, 14)
    draw.line([_points(0, 790), _points(390, 790)], PALE, 2)
    draw.rectangle(_points(0, 791, 390, 844), WHITE)
    _icons(draw, 800, (24, 100, 180, 260, 340), INK)
    return Screen(canvas, (0, top, shown.width, top + shown.height))


def browser(image: Image.Image, rng: random.Random) -> Screen:
    """A browser window of 1280 x 800: tabs, address, an article; the picture fills 45 % where its shape allows."""
    canvas = Image.new("RGB", (1280, 800), WHITE)
    draw = ImageDraw.Draw(canvas)
    draw.rectangle((0, 0, 1280, 40), (222, 225, 230))
    draw.rounded_rectangle((12, 8, 260, 48), 10, WHITE)
    draw.text((30, 15), words(rng, 4), INK, font(14))
    draw.rectangle((0, 40, 1280, 82), WHITE)
    for x in (20, 56, 92):
        draw.ellipse((x, 53, x + 17, 70), None, GREY, 2)
    draw.rounded_rectangle((130, 47, 1150, 76), 14, (241, 243, 244))
    draw.text((150, 53), f"https://www.{rng.choice(WORDS)}.example/{rng.choice(WORDS)}", GREY, font(15))
    draw.line((0, 83, 1280, 83), PALE)
    side = math.sqrt(0.45 * 1280 * 800)
    shape = math.sqrt(image.width / image.height)
    shown = scaled(image, min(side * shape, 1000), min(side / shape, 620))
    left, top = 60, 150
    draw.text((left, 96), words(rng, 6), INK, font(34))
    pasted(canvas, shown, left, top)
    column = left + shown.width + 30
    for y in range(top, 790, 26):
        draw.text((column, y), words(rng, 10 if y % 5 else 6), (60, 64, 67), font(16))
    for y in range(top + shown.height + 12, 800, 24):
        draw.rectangle((left, y, column - 12, y + 24), WHITE)
        draw.text((left, y), words(rng, 8), GREY, font(15))
    return Screen(canvas, (left, top, left + shown.width, top + shown.height))


def card(image: Image.Image, rng: random.Random) -> Screen:
    """A post saved as a picture: name, two lines, the photo with rounded corners, counters; light or dark."""
    back, ink = rng.choice(((WHITE, INK), ((21, 32, 43), WHITE)))
    shown = scaled(image, 560, 640)
    canvas = Image.new("RGB", (600, shown.height + 250), back)
    draw = ImageDraw.Draw(canvas)
    draw.ellipse((20, 20, 76, 76), tuple(rng.randrange(60, 220) for _ in range(3)))
    draw.text((90, 22), words(rng, 2), ink, font(22))
    draw.text((90, 50), f"@{rng.choice(WORDS)}{rng.randrange(10, 99)}", GREY, font(18))
    for line in range(2):
        draw.text((20, 92 + 30 * line), words(rng, 7), ink, font(22))
    left, top = (600 - shown.width) // 2, 166
    mask = Image.new("L", shown.size, 0)
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, shown.width - 1, shown.height - 1), 22, 255)
    canvas.paste(shown, (left, top), mask)
    below = top + shown.height
    draw.text((20, below + 14), f"{rng.randrange(1, 12)}:{rng.randrange(10, 60)} PM - 3 May", GREY, font(17))
    draw.line((20, below + 44, 580, below + 44), GREY)
    draw.text((20, below + 52), f"{rng.randrange(20, 900)} reposts    {rng.randrange(1000, 9000)} likes", ink, font(17))
    return Screen(canvas, (left, top, left + shown.width, below))


def cropped_screen(screen: Screen, rng: random.Random) -> Image.Image:
    """What a hurried finger keeps of a screenshot: the picture, cut a little at one side, with some of the rest."""
    left, top, right, bottom = screen.box
    width, height = right - left, bottom - top
    spare = [rng.uniform(0.02, 0.12) for _ in range(4)]
    spare[rng.randrange(4)] = -rng.uniform(0.01, 0.04)
    edges = (left - spare[0] * width, top - spare[1] * height, right + spare[2] * width, bottom + spare[3] * height)
    across, down = min(screen.image.width, round(edges[2])), min(screen.image.height, round(edges[3]))
    return screen.image.crop((max(0, round(edges[0])), max(0, round(edges[1])), across, down))
