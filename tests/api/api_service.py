"""Fixtures: a small corpus of real photos, and the service over it. Each test file names it in `pytest_plugins`.

Not a conftest.py: the one above it is imported by that name elsewhere. It is imported before it is a plugin, hence
PYTEST_DONT_REWRITE.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from html import unescape
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from api.app import create_app
from checker.fingerprint import Depth, fingerprint_file
from checker.fingerprint.robust import RobustModel
from checker.model import Finding, Locator, Picture, Stance, Use, Verdict
from checker.records.folder import DataFolder
from checker.settings import Settings
from checker.visits import FoundLink, Outcome, PictureSeen, Visit

IMAGES = Path(__file__).resolve().parents[2] / "fixtures" / "images"
SEEN = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
HOSTILE_CAPTION = "<img src=x onerror=alert(1)> \u202egnp.exe \x1b]0;x\x07"
JPEG = {"Content-Type": "image/jpeg"}


CHECKS = ["phash256", "sscd512"] if RobustModel.of(Settings()) else ["phash256"]
"""The second kind of code runs where the extra is installed."""


def picture(name: str) -> Picture:
    """A photo with the code that look-ups and opt-outs by code carry."""
    found = fingerprint_file(IMAGES / name, Settings())
    assert isinstance(found, Picture)
    return found


def visible(page: str) -> str:
    """What a reader sees of a page, in one line."""
    without_data = re.sub(r"<script.*?</script>", " ", page, flags=re.DOTALL)
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", without_data)))


def seen(name: str) -> PictureSeen:
    """A photo with everything that a stored one is found by."""
    found = fingerprint_file(IMAGES / name, Settings(), depth=Depth.STORED)
    assert isinstance(found, Picture)
    return PictureSeen(found, servable=True)


@pytest.fixture(scope="session")
def built_corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """chelsea.jpg on a page that said no AI training, rocket.jpg in a folder; nothing else."""
    path = tmp_path_factory.mktemp("corpus") / "data"
    said = {use: Stance.DENY if use is Use.TRAIN_AI else Stance.UNSPECIFIED for use in Use}
    no_training = Finding("x-robots-tag", "header X-Robots-Tag", "noai", {Use.TRAIN_AI: Stance.DENY})
    verdict = Verdict(crawl=Stance.ALLOW, uses=said, findings=(no_training,))
    image_url = "https://img.example/p/88.jpg"
    link = FoundLink(image_url, "image", "img src", HOSTILE_CAPTION)
    with DataFolder.open(path, create=True) as folder:
        web = folder.store.source("Crawl of blog.example", kind="crawl", now=SEEN)
        archive = folder.store.source("holiday", kind="folder", now=SEEN)
        page = Visit("https://blog.example/trip", "page", Outcome.DONE, SEEN, verdict=verdict, links=(link,))
        folder.store.record(page, source=web)
        image = Visit(image_url, "image", Outcome.DONE, SEEN, verdict=verdict, seen=seen("chelsea.jpg"))
        folder.store.record(image, source=web)
        folder.store.record_file(seen("rocket.jpg"), source=archive, locator=Locator(file="a/rocket.jpg"), now=SEEN)
    return path


@pytest.fixture
def corpus(built_corpus: Path, tmp_path: Path) -> Path:
    """A copy of it for one test."""
    return Path(shutil.copytree(built_corpus, tmp_path / "data"))


class Clock:
    """A clock that a test turns."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock(now: datetime) -> Clock:
    return Clock(now)


Opener = Callable[..., TestClient]


@pytest.fixture
def open_service(clock: Clock) -> Iterator[Opener]:
    """Open a service over a folder; it closes after the test."""
    opened: list[TestClient] = []

    def open_(folder: Path, settings: Settings | None = None, *, address: str = "203.0.113.7") -> TestClient:
        app = create_app(folder, settings or Settings(), clock=clock, allowed_hosts=("photos.example",))
        client = TestClient(app, base_url="http://127.0.0.1:8000", client=(address, 50_000))
        client.__enter__()
        opened.append(client)
        return client

    yield open_
    for client in opened:
        client.__exit__(None, None, None)


@pytest.fixture
def service(open_service: Opener, corpus: Path) -> TestClient:
    """The service over the small corpus."""
    return open_service(corpus)


@pytest.fixture
def chelsea() -> bytes:
    """In the corpus, with an address."""
    return (IMAGES / "chelsea.jpg").read_bytes()


@pytest.fixture
def coffee() -> bytes:
    """Not in the corpus."""
    return (IMAGES / "coffee.jpg").read_bytes()
