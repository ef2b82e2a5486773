"""A collection of pictures for tests of opt-outs: recorded as a crawl records them, with codes that a test chooses."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from registry_child import code

from checker.model import CodeKind, Fingerprint, Picture, Sha256, Stance, Use, Verdict
from checker.records.folder import DataFolder
from checker.visits import FoundLink, Outcome, PictureSeen, Visit

SEEN = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
SSCD512 = CodeKind("sscd512", "1-240436cc531e", 512)
_SAID_NOTHING = Verdict(Stance.ALLOW, dict.fromkeys(Use, Stance.UNSPECIFIED), ())


def phash(seed: int) -> Fingerprint:
    """A code as a real picture has it; codes of two seeds lie far apart."""
    return code(random.Random(seed))


def with_bits_changed(given: Fingerprint, bits: int, seed: int = 0) -> Fingerprint:
    """The code of a copy that lies `bits` away; an even number, so that half of the bits stay set."""
    value, draw = int.from_bytes(given.bits), random.Random(seed)
    ones = [place for place in range(given.kind.bits) if value >> place & 1]
    zeros = [place for place in range(given.kind.bits) if not value >> place & 1]
    for place in draw.sample(ones, bits // 2) + draw.sample(zeros, bits // 2):
        value ^= 1 << place
    return Fingerprint(given.kind, value.to_bytes(given.kind.bits // 8))


def second(seed: int) -> Fingerprint:
    """A code of the second kind; two seeds lie some 256 of 512 bits apart, as far as unrelated photos do."""
    return Fingerprint(SSCD512, random.Random(f"second {seed}").randbytes(64))


def picture(number: int, *codes: Fingerprint) -> Picture:
    """A picture with these codes. `number` stands for its bytes."""
    return Picture(Sha256(f"{number:064x}"), 1000, 640, 480, "JPEG", codes, plain=False)


def visit(url: str, shown: Picture, *, at: datetime = SEEN) -> Visit:
    """A visit that found a picture."""
    seen = PictureSeen(shown, servable=True)
    return Visit(url, "image", Outcome.DONE, at, verdict=_SAID_NOTHING, seen=seen)


def page(url: str, *images: str, at: datetime = SEEN) -> Visit:
    """A visit to a page that shows pictures."""
    links = tuple(FoundLink(image, "image", "img src", None) for image in images)
    return Visit(url, "page", Outcome.DONE, at, verdict=_SAID_NOTHING, links=links)


def collect(path: Path, visits: Sequence[Visit]) -> None:
    """Record visits into a data folder, which is made when it is missing."""
    with DataFolder.open(path, create=True) as folder:
        source = folder.store.source("Crawl of example", kind="crawl", now=SEEN)
        folder.store.record_all(visits, source=source)
