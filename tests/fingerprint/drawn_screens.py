"""Photos on telephone screens and on pages, drawn here; nothing is loaded."""

from __future__ import annotations

from PIL import Image, ImageDraw, ImageFont

WORDS = [
    "we",
    "walked",
    "all",
    "day",
    "along",
    "the",
    "river",
    "and",
    "came",
    "home",
    "late",
    "with",
    "wet",
    "shoes",
    "and",
    "no",
    "regrets",
    "at",
    "all",
]
WHITE, BLACK, GREY = (255, 255, 255), (0, 0, 0), (120, 124, 130)
Colour = tuple[int, int, int]
Box = tuple[int, int, int, int]


def fitted(image: Image.Image, width: int, height: int) -> Image.Image:
    """As large as fits, its shape kept."""
    factor = min(width / image.width, height / image.height)
    return image.resize((round(image.width * factor), round(image.height * factor)), Image.Resampling.LANCZOS)


def phone(image: Image.Image, back: Colour = WHITE, ink: Colour = BLACK) -> tuple[Image.Image, Box]:
    """A post in a feed, 296 x 640 px: the photo from side to side. The screen, and the photo's box."""
    shown = fitted(image, 296, 420)
    left, top = (296 - shown.width) // 2, 110
    screen = Image.new("RGB", (296, 640), back)
    draw = ImageDraw.Draw(screen)
    write(draw, 16, 8, "9:41", ink, 12)
    write(draw, 12, 36, "snapfeed", ink, 18)
    draw.ellipse((12, 74, 38, 100), GREY)
    write(draw, 46, 80, "river_shoes", ink, 12)
    screen.paste(shown, (left, top))
    below = top + shown.height
    for x in (12, 44, 76):
        draw.ellipse((x, below + 8, x + 16, below + 24), None, ink, 2)
    for line in range((600 - below) // 18):
        write(draw, 12, below + 32 + 18 * line, " ".join(WORDS[line : line + 5]), ink, 11)
    return screen, (left, top, left + shown.width, below)


def page(image: Image.Image, back: Colour = WHITE, ink: Colour = BLACK) -> tuple[Image.Image, Box]:
    """An article in a browser, 640 x 400 px: the photo at the left, text beside and below it."""
    shown = fitted(image, 330, 240)
    left, top = 30, 90
    screen = Image.new("RGB", (640, 400), back)
    draw = ImageDraw.Draw(screen)
    draw.rectangle((0, 0, 640, 22), GREY)
    write(draw, 30, 40, "Home late with wet shoes", ink, 22)
    screen.paste(shown, (left, top))
    for number, y in enumerate(range(top, 380, 15)):
        write(draw, left + shown.width + 16, y, " ".join(WORDS[number % 5 : number % 5 + 4]), ink, 10)
    for y in range(top + shown.height + 8, 380, 15):
        write(draw, left, y, " ".join(WORDS[3:8]), GREY, 10)
    return screen, (left, top, left + shown.width, top + shown.height)


def write(draw: ImageDraw.ImageDraw, x: int, y: int, text: str, ink: Colour, size: int) -> None:
    """A line of text in Pillow's own font."""
    draw.text((x, y), text, ink, ImageFont.load_default(size=size))
