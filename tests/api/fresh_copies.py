"""A smaller copy of a photo is met anew, and recorded as `hibs ingest` and `hibs crawl` do, at a time that is given."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from api_service import IMAGES
from PIL import Image

from checker.fingerprint import Depth, fingerprint_file
from checker.model import Locator, Picture
from checker.records.archived import Archived
from checker.records.folder import DataFolder
from checker.settings import Settings
from checker.visits import FoundLink, Outcome, PictureSeen, Visit


def met(data: Path, name: str, width: int) -> tuple[PictureSeen, tuple[str, ...]]:
    """A photo, `width` pixels wide, with the numbers of the opt-outs that hide it; then it leaves no code."""
    copy = data.parent / f"{width}.png"
    with Image.open(IMAGES / name) as image:
        image.resize((width, width * image.height // image.width)).save(copy)
    picture = fingerprint_file(copy, Settings(), depth=Depth.STORED)
    assert isinstance(picture, Picture)
    with DataFolder.open(data, create=False) as folder:
        numbers = folder.hides(picture, distance_bits_max=31)
    return PictureSeen(picture, servable=not numbers), numbers


def met_in_a_folder(data: Path, name: str, *files: str, width: int, at: datetime) -> None:
    """As files of the source "holiday"."""
    seen, numbers = met(data, name, width)
    with DataFolder.open(data, create=False) as folder:
        source = folder.store.source("holiday", kind="folder", now=at)
        copies = [Archived(seen, Locator(file=file), at, opt_outs=numbers) for file in files]
        folder.store.record_archive(copies, source=source, now=at)


def met_on_a_page(data: Path, name: str, page_url: str, *, width: int, at: datetime, caption: str = "") -> None:
    """As the picture PAGE/copy.png of our own crawl."""
    seen, numbers = met(data, name, width)
    image_url = f"{page_url}/copy.png"
    link = FoundLink(image_url, "image", "img src", caption or None)
    with DataFolder.open(data, create=False) as folder:
        source = folder.store.source("Crawl", kind="crawl", now=at)
        page = Visit(page_url, "page", Outcome.DONE, at, links=(link,))
        image = Visit(image_url, "image", Outcome.DONE, at, seen=seen)
        folder.store.record_all([page, image], source=source, opt_outs=[(), numbers])
