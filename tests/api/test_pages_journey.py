"""A person's whole way through the pages on a phone: found, looked closer, said no, saw who heard of it, took it back.

By touch, and once more with the keyboard alone. The collection and the operator are run with `hibs`, as on a machine.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from api_service import IMAGES
from hibs_command import Hibs, hibs_in
from PIL import Image, ImageOps
from playwright.sync_api import Browser, expect
from visitor import PHONE, Visitor, open_page, serving

pytest_plugins = ("api_service", "visitor")
pytestmark = pytest.mark.browser


@dataclass
class Hands:
    """How this person works a page."""

    visit: Visitor
    by_touch: bool

    def press(self, selector: str) -> None:
        """A button, a link, or a tick."""
        place = self.visit.page.locator(f"{selector} >> visible=true").first
        if self.by_touch:
            place.tap()
            return
        if not place.evaluate("element => element === document.activeElement"):
            self.visit.tab_to(selector)
        kind = place.evaluate("element => element.matches('[type=checkbox]') ? ' ' : 'Enter'")
        self.visit.page.keyboard.press(kind)

    def choose(self, selector: str, path: Path) -> None:
        """A file: the keyboard reaches the field and opens the same dialog."""
        if not self.by_touch:
            self.visit.tab_to(selector)
        with self.visit.page.expect_file_chooser() as asked:
            if self.by_touch:
                self.visit.page.tap(f"label[for={selector.removeprefix('#')}]")
            else:
                self.visit.page.keyboard.press("Enter")
        asked.value.set_files(path)


@pytest.fixture(scope="module")
def world_made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A collection with a holiday photo, an operator with a key, and the photo as its owner has it: mirrored."""
    folder = tmp_path_factory.mktemp("world")
    hibs = hibs_in(folder)
    (folder / "seen").mkdir()
    with Image.open(IMAGES / "rocket.jpg") as photo:
        photo.resize((photo.width * 3 // 4, photo.height * 3 // 4)).save(folder / "seen" / "r.jpg", quality=85)
        ImageOps.mirror(photo).save(folder / "mirrored.jpg", quality=90)
    hibs("ingest", "seen", IMAGES / "chelsea.jpg", "--data", "data", "--source", "Example-400M")
    key = hibs("keys", "create", "--name", "Example e.V.", "--scopes", "feed,honour", "--data", "data").stdout
    (folder / "key").write_text(re.search(r"hibs_\S+", key)[0])  # type: ignore[index]
    return folder


@pytest.fixture
def world(world_made: Path, tmp_path: Path) -> Path:
    """A copy of that for one test."""
    return Path(shutil.copytree(world_made, tmp_path, dirs_exist_ok=True))


@pytest.fixture(params=["touch", "keyboard"])
def hands(request: pytest.FixtureRequest, browser: Browser, world: Path) -> Iterator[Hands]:
    with serving(world / "data") as address:
        for visit in open_page(browser, address, PHONE, "light", has_touch=True):
            yield Hands(visit, by_touch=request.param == "touch")


def test_from_a_photo_to_a_no_that_is_taken_back(hands: Hands, hibs: Hibs, world: Path) -> None:
    visit, page = hands.visit, hands.visit.page
    visit.open("/")
    assert page.locator("input[type=file]").count() == 1
    assert "We have looked at 2 pictures in 1 source" in page.inner_text("#ground")
    visit.accessible()

    before = len(visit.requests)
    hands.choose("#photo", world / "mirrored.jpg")
    expect(page.locator(".result h3")).to_have_text("Found: a picture very close to yours")
    assert "Edited copy (mirrored)" in page.inner_text(".result")
    assert visit.asked_since(before) == ["GET /v1/private/list"]
    visit.accessible()

    hands.press("[name=agreed]")
    hands.press(".closer [type=submit]")
    expect(page.locator(".answer h2")).to_have_text("Found: 1 copy")
    answer = page.inner_text(".answer")
    assert "Edited copy (mirrored)" in answer
    assert "Example-400M" in answer
    assert "first seen by us" in answer
    assert page.locator(".answer .own .frame").is_visible()
    assert visit.sent() == [("POST", "/v1/lookups")]
    visit.accessible()
    photo = (world / "mirrored.jpg").read_bytes()[-400:]
    assert not [file for file in (world / "data").rglob("*") if file.is_file() and photo in file.read_bytes()]

    number = say_no(hands, world)
    receipt = f"{number}.receipt.json"
    assert f"holds: opt-out {number} is entry 0" in hibs("opt-out", "verify", receipt).stdout
    flipped = bytearray((world / receipt).read_bytes())
    flipped[len(flipped) // 2] ^= 1
    (world / "flipped.json").write_bytes(flipped)
    hibs("opt-out", "verify", "flipped.json", exit_code=4)

    hears_and_acts(hands, hibs, world, number)

    hands.press("#withdraw summary")
    hands.press("[data-act=withdraw]")
    expect(page.locator("[data-fact=state]")).to_contain_text("You took this no back.")


def say_no(hands: Hands, world: Path) -> str:
    """Through the four screens, and save both files: the number."""
    page = hands.visit.page
    hands.press(".answer [data-act=no]")
    expect(page.locator("#step-1")).to_be_focused()
    hands.press("#mine")
    for step in (2, 3, 4):
        hands.press("[data-go=next]")
        expect(page.locator(f"#step-{step}")).to_be_focused()
        hands.visit.accessible()
        if step == 3:
            assert "1 operator follows it now:\n\nExample e.V." in page.inner_text("#no")
    hands.press("[data-go=record]")
    expect(page.locator("#done")).to_be_focused()
    for what in ("code", "receipt"):
        with page.expect_download() as saved:
            hands.press(f"[data-save={what}]")
        saved.value.save_as(world / saved.value.suggested_filename)
    hands.visit.accessible()
    return page.inner_text("#done .number")


def hears_and_acts(hands: Hands, hibs: Hibs, world: Path, number: str) -> None:
    """The operator fetches the list and states what it did; each time the receipts page says what is known."""
    visit = hands.visit

    def asked() -> str:
        visit.open("/receipts")
        hands.choose("#code-file", world / f"{number}.withdraw.txt")
        expect(visit.page.locator("#result")).to_be_visible()
        return visit.page.inner_text("#result")

    steps: list[tuple[Callable[[], object], str]] = [
        (lambda: None, "not heard from"),
        (lambda: hibs("feed", "sync", visit.server, "feed", "--key-file", "key"), "received on"),
        (lambda: states(hibs, visit.server), "states that it acted up to entry 0"),
    ]
    for act, said in steps:
        act()
        assert said in asked()
        assert "removed" not in visit.page.inner_text("#result")


def states(hibs: Hibs, server: str) -> None:
    hibs("honour", "seen", "--feed", "feed", "--report", "report.json")
    hibs("honour", "state", "report.json", "--server", server, "--key-file", "key")
