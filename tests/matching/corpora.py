"""Small corpora of the fixture photos, and the copies that people make of them."""

from __future__ import annotations

import io
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, ImageOps

from checker.fingerprint import Depth, fingerprint_bytes
from checker.model import Locator, Picture
from checker.records.folder import DataFolder
from checker.report import Match, Report
from checker.settings import Settings
from checker.visits import PictureSeen

NOW = datetime(2026, 11, 22, 14, 3, tzinfo=UTC)
WITHOUT, WITH = Settings(robust="off"), Settings(robust="on")


def corpus(folder: Path, pictures: Iterable[tuple[str, bytes]], settings: Settings) -> Path:
    """A data folder that holds these pictures, coded as `hibs ingest` codes them."""
    with DataFolder.open(folder, create=True) as opened:
        source = opened.store.source("photos", kind="folder", now=NOW)
        for name, body in pictures:
            picture = fingerprint_bytes(body, settings, depth=Depth.STORED)
            assert isinstance(picture, Picture)
            seen = PictureSeen(picture, servable=not picture.plain)
            opened.store.record_file(seen, source=source, locator=Locator(file=name), now=NOW)
    return folder


def named(report: Report) -> dict[str, Match]:
    """The matches of a report by the names of the stored files."""
    return {str(sighting.locator and sighting.locator.file): m for m in report.matches for sighting in m.sightings}


def jpeg(image: Image.Image, quality: int = 85) -> bytes:
    out = io.BytesIO()
    image.convert("RGB").save(out, "JPEG", quality=quality)
    return out.getvalue()


def opened(path: Path) -> Image.Image:
    return Image.open(path).convert("RGB")


def squared(photo: Image.Image) -> Image.Image:
    side = min(photo.size)
    return ImageOps.fit(photo, (side, side))


def bordered(photo: Image.Image) -> Image.Image:
    return ImageOps.expand(photo, border=round(0.08 * min(photo.size)), fill=(250, 250, 246))


def captioned(photo: Image.Image) -> Image.Image:
    """A white bar with words above the photo."""
    bar = round(0.2 * photo.height)
    canvas = Image.new("RGB", (photo.width, photo.height + bar), "white")
    canvas.paste(photo, (0, bar))
    font = ImageFont.load_default(size=max(12, bar // 3))
    ImageDraw.Draw(canvas).text((10, bar // 4), "When you see it", fill="black", font=font)
    return canvas


def screenshotted(photo: Image.Image) -> Image.Image:
    """A post on a phone: a head with a name, the photo from side to side, lines of text."""
    screen = Image.new("RGB", (540, 1170), "white")
    pen = ImageDraw.Draw(screen)
    pen.text((20, 12), "9:41", fill="black", font=ImageFont.load_default(size=22))
    pen.ellipse((20, 80, 70, 130), fill=(90, 120, 160))
    pen.text((90, 92), "somebody", fill="black", font=ImageFont.load_default(size=24))
    height = round(540 * photo.height / photo.width)
    screen.paste(photo.resize((540, height)), (0, 150))
    for line in range(4):
        pen.text((20, 170 + height + 40 * line), "some words about it", fill=(40, 40, 40))
    return screen


def cut(photo: Image.Image, box: tuple[float, float, float, float]) -> Image.Image:
    """The part between shares x0, y0, x1, y1 of the sides."""
    width, height = photo.size
    return photo.crop((round(box[0] * width), round(box[1] * height), round(box[2] * width), round(box[3] * height)))
