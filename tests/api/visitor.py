"""A person at the service in headless Chromium: fixtures `browser`, `server` and `visit`.

A plugin that test files import from as well, hence PYTEST_DONT_REWRITE.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from api_service import IMAGES
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Dialog, Page, Request, sync_playwright

CHROMIUM_ARGUMENTS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
COMMAND = "import typer, api.cli; app = typer.Typer(); app.command()(api.cli.serve); app()"
PHONE, DESK = (360, 640), (1280, 800)
PAGES = (
    *("/", "/opt-out", "/intimate", "/receipts", "/operators", "/sources", "/transparency"),
    *("/privacy", "/about", "/docs", "/problems/busy", "/nowhere"),
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.fail("these tests need Chromium: `apt-get install chromium`, or leave them out with `-m 'not browser'`")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_ARGUMENTS)
        yield started
        started.close()


@contextmanager
def serving(data: Path, **environment: str) -> Iterator[str]:
    """`hibs serve` over a data folder; gives its address."""
    command = [sys.executable, "-c", COMMAND, "--data", str(data), "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **environment})
    assert process.stdout is not None
    try:
        yield process.stdout.readline().removeprefix("open ").strip()
    finally:
        process.terminate()
        process.communicate(timeout=20)
    assert process.returncode == 0


@pytest.fixture(scope="module")
def server(built_corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service over a copy of the corpus."""
    data = shutil.copytree(built_corpus, tmp_path_factory.mktemp("served") / "data")
    with serving(data, HIBS_OPT_OUTS_PER_DAY_MAX="200") as address:
        yield address


@dataclass
class Visitor:
    """A page with a record of everything it asked for and complained about."""

    page: Page
    server: str
    requests: list[Request] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def asked(self, request: Request) -> None:
        self.requests.append(request)

    def asked_by_dialog(self, dialog: Dialog) -> None:
        self.complaints.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def open(self, path: str) -> None:
        self.page.goto(self.server + path)

    def choose(self, *names: str | Path) -> None:
        self.page.set_input_files("#photo", [IMAGES / name for name in names])

    def check(self, *names: str | Path) -> str:
        """Choose photos and wait for the private check of each: what the results say."""
        self.choose(*names)
        self.page.locator(".result:not(.waiting)").nth(len(names) - 1).wait_for()
        return self.page.inner_text("#results")

    def look_closer(self) -> str:
        """Tick and press for the first photo: the answer."""
        self.page.locator("[name=agreed]").first.check()
        self.page.locator(".closer [type=submit]").first.click()
        self.page.wait_for_selector(".answer")
        return self.page.inner_text(".closer-answer")

    def look_up(self, name: str | Path) -> str:
        """The private check and then the closer look: the answer of the latter."""
        self.check(name)
        return self.look_closer()

    def say_no(self) -> None:
        """For the first photo, through the four screens, as they are filled in."""
        self.page.locator("[data-act=no] >> visible=true").first.click()
        self.page.check("#mine")
        for _ in range(3):
            self.page.click("[data-go=next]")
        self.page.click("[data-go=record]")
        self.page.wait_for_selector("#done:not([hidden])")

    def status(self) -> str:
        return self.page.inner_text("#status")

    def panel(self) -> list[str]:
        """What "See exactly what is sent" says, a request a line."""
        return self.page.locator("#requests li").all_text_contents()

    def asked_since(self, count: int) -> list[str]:
        """Method and path of the requests that the record has after the first `count`, files of the page left out."""
        paths = [(r.method, r.url.removeprefix(self.server)) for r in self.requests[count:]]
        return [f"{method} {path}" for method, path in paths if not path.startswith(("/static/", "blob:", "data:"))]

    def tab_to(self, selector: str, *, presses_max: int = 60) -> None:
        """Reach an element as somebody without a mouse does."""
        for _ in range(presses_max):
            self.page.keyboard.press("Tab")
            if self.page.evaluate("selector => document.activeElement.matches(selector)", selector):
                return
        raise AssertionError(f"{selector} cannot be reached with the Tab key")

    def sent(self) -> list[tuple[str, str]]:
        """Method and path of all that was not a plain GET."""
        return [(r.method, r.url.removeprefix(self.server)) for r in self.requests if r.method != "GET"]

    def accessible(self) -> None:
        found = Axe().run(self.page).response["violations"]
        assert not found, [(v["id"], [n["target"] for n in v["nodes"]]) for v in found]

    def fits(self) -> None:
        width = self.page.evaluate("document.documentElement.scrollWidth")
        assert width <= self.page.viewport_size["width"]  # type: ignore[index]


@pytest.fixture
def visit(browser: Browser, server: str) -> Iterator[Visitor]:
    yield from open_page(browser, server, PHONE, "light")


def open_page(
    browser: Browser, server: str, size: tuple[int, int], scheme: str, *, has_touch: bool = False
) -> Iterator[Visitor]:
    context = browser.new_context(
        has_touch=has_touch,
        viewport={"width": size[0], "height": size[1]},
        color_scheme=scheme,  # type: ignore[arg-type]
        accept_downloads=True,
    )
    visitor = Visitor(context.new_page(), server)
    visitor.page.on("request", visitor.asked)
    visitor.page.on("pageerror", lambda error: visitor.complaints.append(str(error)))
    visitor.page.on("console", lambda said: visitor.complaints.append(said.text) if said.type == "error" else None)
    visitor.page.on("dialog", visitor.asked_by_dialog)
    # Listened to from the start: Playwright does not wait until the browser knows that dialogs for files are caught.
    visitor.page.on("filechooser", lambda _: None)
    yield visitor
    foreign = [r.url for r in visitor.requests if not r.url.startswith((server, "blob:", "about:", "data:"))]
    assert not foreign
    assert not context.cookies()
    assert not visitor.complaints
    context.close()
