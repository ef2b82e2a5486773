"""A page that has the private check and nothing else, in headless Chromium, over a service with four photos.

A plugin that test files import from as well, hence PYTEST_DONT_REWRITE.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hibs_command import CHECKOUT, hibs_in, serving
from playwright.sync_api import Browser, BrowserContext, Page, Request, sync_playwright

IMAGES = CHECKOUT / "fixtures" / "images"
ODD = CHECKOUT / "fixtures" / "odd"
CHROMIUM_ARGUMENTS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
HELD = ("coffee.jpg", "chelsea.jpg", "rocket.jpg", "flower.jpg")
"""What the collection of these tests holds."""
_BEGIN = """async () => {
    const { PrivateCheck } = await import("/static/private/check.js");
    window.steps = [];
    window.check = new PrivateCheck({ onStep: (name) => window.steps.push(name) });
    document.body.innerHTML = '<input type="file" id="private-check" multiple>';
}"""
_ASK = """async () => {
    const files = [...document.getElementById("private-check").files];
    return Promise.all(files.map((file) => window.check.photo(file)));
}"""


@dataclass
class CheckPage:
    """A page of the service, with its own policy, in which one `PrivateCheck` lives."""

    page: Page
    server: str
    asked: list[Request] = field(default_factory=list)
    """Everything that left the browser, by its own record; scripts included."""

    def record(self, request: Request) -> None:
        """Called by the browser."""
        self.asked.append(request)

    def begin(self) -> None:
        """Open the page and make the check."""
        self.page.goto(f"{self.server}/about")
        self.asked.clear()
        self.page.evaluate(_BEGIN)

    def photos(self, *paths: Path) -> list[dict[str, Any]]:
        """What the check says of these files, in their order."""
        self.page.set_input_files("#private-check", [str(path) for path in paths])
        results: list[dict[str, Any]] = self.page.evaluate(_ASK)
        return results

    def photo(self, path: Path) -> dict[str, Any]:
        """What the check says of one file."""
        return self.photos(path)[0]

    def told(self) -> list[dict[str, Any]]:
        """What the check says that it asked."""
        requests: list[dict[str, Any]] = self.page.evaluate("() => window.check.requests")
        return requests

    def sent(self) -> list[tuple[str, str]]:
        """What the browser asked beside its scripts: method and path."""
        paths = [(request.method, request.url.removeprefix(self.server)) for request in self.asked]
        return [(method, path) for method, path in paths if not path.startswith("/static/")]


@contextmanager
def chromium_started() -> Iterator[Browser]:
    """Headless Chromium."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        pytest.fail("these tests need Chromium: `apt-get install chromium`, or leave them out with `-m 'not browser'`")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()


@contextmanager
def page_of(context: BrowserContext, server: str) -> Iterator[CheckPage]:
    """A page that recorded what it asked, and asked nobody else."""
    opened = CheckPage(context.new_page(), server)
    context.on("request", opened.record)
    yield opened
    assert not [request.url for request in opened.asked if not request.url.startswith((server, "blob:"))]
    assert not [request.url for request in opened.asked if request.post_data_buffer], "a check sends no body"
    assert not context.cookies()
    opened.page.close()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with chromium_started() as browser:
        yield browser


@pytest.fixture(scope="session")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a data folder `d` that holds `HELD`."""
    folder = tmp_path_factory.mktemp("browser")
    hibs_in(folder)("ingest", *(IMAGES / name for name in HELD), "--data", "d")
    return folder


@pytest.fixture(scope="module")
def photo_service(collection: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The service over a copy of it, which answers the whole list."""
    with serving(_copy(collection, tmp_path_factory), "d") as address:
        yield address


@pytest.fixture(scope="module")
def sketch_service(collection: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The same, which answers sketches only."""
    with ExitStack() as opened:
        with pytest.MonkeyPatch.context() as patch:  # for its start only: other services begin while it runs
            patch.setenv("HIBS_PRIVATE_LIST_ROWS_MAX", "1")
            address = opened.enter_context(serving(_copy(collection, tmp_path_factory), "d"))
        yield address


def _copy(collection: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copytree(collection, tmp_path_factory.mktemp("served") / "folder"))


Opener = Callable[[str], CheckPage]


@pytest.fixture
def open_check(chromium: Browser) -> Iterator[Opener]:
    """Open a page of a service with a check in it; every page has a browser profile of its own."""
    contexts: list[tuple[BrowserContext, Any]] = []

    def open_(server: str) -> CheckPage:
        context = chromium.new_context()
        held = page_of(context, server)
        opened = held.__enter__()
        contexts.append((context, held))
        opened.begin()
        return opened

    yield open_
    for context, held in contexts:
        held.__exit__(None, None, None)
        context.close()
