"""Receipt and report in a browser and on paper: nothing is fetched, nothing runs over, A4 holds it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright
from test_honour_report import HOSTILE, hostile
from test_receipt_page import SERVER, example

from checker.optout.paper_page import receipt_page

pytestmark = pytest.mark.browser
CHROMIUM_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
PHONE, DESK = (360, 640), (1280, 800)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=CHROMIUM_ARGUMENTS)
        yield started
        started.close()


@pytest.fixture(scope="module")
def sheets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Addresses of the pages as files, as people open them."""
    folder = tmp_path_factory.mktemp("sheets")
    pages = {
        "receipt": receipt_page(example(), status_address=SERVER),
        "receipt-offline": receipt_page(example(), status_address=None),
        "receipt-german": receipt_page(example(), status_address=SERVER, language="de"),
        "report": hostile(HOSTILE),
    }
    for name, page in pages.items():
        (folder / f"{name}.html").write_text(page, encoding="utf-8")
    return {name: (folder / f"{name}.html").as_uri() for name in pages}


def opened(browser: Browser, address: str, size: tuple[int, int], scheme: str) -> tuple[Page, list[str]]:
    """A page, and everything that it asked for or complained about beside itself."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme=scheme,  # type: ignore[arg-type]
    )
    page, noticed = context.new_page(), list[str]()
    page.on("request", lambda request: noticed.append(request.url))
    page.on("console", lambda said: noticed.append(said.text))
    page.on("dialog", lambda dialog: (noticed.append(dialog.message), dialog.dismiss()))
    page.goto(address)
    return page, [text for text in noticed if text != address]


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
@pytest.mark.parametrize("name", ["receipt", "receipt-offline", "receipt-german", "report"])
def test_it_fits_fetches_nothing_and_can_be_read_by_everybody(
    browser: Browser, sheets: dict[str, str], name: str, size: tuple[int, int]
) -> None:
    scheme = "dark" if size == PHONE else "light"
    page, noticed = opened(browser, sheets[name], size, scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    assert page.evaluate("getComputedStyle(document.body).maxWidth") == "832px", "its own style is let through"
    found = Axe().run(page).response["violations"]
    assert not found, [(one["id"], [node["target"] for node in one["nodes"]]) for one in found]
    assert not noticed
    page.context.close()


def test_the_receipt_is_one_sheet_of_a4_with_a_code_of_four_centimetres(
    browser: Browser, sheets: dict[str, str], tmp_path: Path
) -> None:
    for name in ("receipt", "receipt-offline", "receipt-german"):
        page, _ = opened(browser, sheets[name], DESK, "dark")
        pdf = page.pdf(prefer_css_page_size=True, print_background=True)
        assert len(re.findall(rb"/Type\s*/Page\b", pdf)) == 1
        assert re.search(rb"/MediaBox\s*\[0 0 59[45](\.\d+)? 84[12]", pdf), "A4 in points"
        page.emulate_media(media="print")
        box = page.locator(".qr svg").bounding_box()
        assert box
        assert box["width"] == pytest.approx(42 / 25.4 * 96, abs=1)
        page.context.close()
