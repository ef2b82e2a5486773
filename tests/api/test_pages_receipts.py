"""The receipts page in a browser: by file, by number, held, new copies, operators, saved anew, taken back, erased."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from api_service import IMAGES
from PIL import Image
from playwright.sync_api import Browser, expect
from visitor import COMMAND, DESK, PHONE, Visitor, open_page

from checker.fingerprint import Depth, fingerprint_file
from checker.keys import Scope, create_key
from checker.model import Locator, Picture
from checker.optout.receipt import read_receipt, verify_receipt
from checker.optout.request import OptOuts
from checker.optout.review import release
from checker.records.archived import Archived
from checker.records.folder import DataFolder
from checker.records.operators import Statement, add_statement, record_received
from checker.records.registry import REGISTRY_FILE, Registry
from checker.settings import Settings
from checker.visits import PictureSeen

pytest_plugins = ("api_service", "visitor")
pytestmark = pytest.mark.browser


@contextmanager
def serving(data: Path, **environment: str) -> Iterator[str]:
    command = [sys.executable, "-c", COMMAND, "--data", str(data), "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **environment})
    assert process.stdout is not None
    try:
        yield process.stdout.readline().removeprefix("open ").strip()
    finally:
        process.terminate()
        process.communicate(timeout=20)


@pytest.fixture
def data(built_corpus: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built_corpus, tmp_path / "data"))


@pytest.fixture
def holding(browser: Browser, data: Path) -> Iterator[Visitor]:
    """A visitor of a service that holds whatever it has seen more than once: rocket.jpg, here twice."""
    seen_again(data, "rocket.jpg", "b/rocket.jpg", width=420)
    with serving(data, HIBS_HOLD_IMAGES_MAX="1") as address:
        yield from open_page(browser, address, PHONE, "light")


def seen_again(data: Path, name: str, file: str, *, width: int, at: datetime | None = None) -> None:
    """A smaller copy of a photo is met in a folder; what opt-outs hide leaves no code, as at `hibs ingest`."""
    copy = data.parent / f"{width}.png"
    with Image.open(IMAGES / name) as image:
        image.resize((width, width * image.height // image.width)).save(copy)
    picture = fingerprint_file(copy, Settings(), depth=Depth.STORED)
    assert isinstance(picture, Picture)
    now = at or datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
    with DataFolder.open(data, create=False) as folder:
        source = folder.store.source("holiday", kind="folder", now=now)
        numbers = folder.hides(picture, distance_bits_max=31)
        met = PictureSeen(picture, servable=not numbers)
        folder.store.record_archive([Archived(met, Locator(file=file), now, opt_outs=numbers)], source=source, now=now)


def say_no(visit: Visitor, name: str, folder: Path) -> str:
    """Look a photo up, say no, save the withdraw code: the number."""
    visit.open("/")
    visit.look_up(name)
    visit.say_no()
    number = visit.page.inner_text("#done-number")
    save(visit, "#save-code", folder / f"{number}.withdraw.txt")
    return number


def save(visit: Visitor, button: str, path: Path) -> None:
    with visit.page.expect_download() as download:
        visit.page.click(button)
    assert download.value.suggested_filename == path.name
    download.value.save_as(path)


def ask(visit: Visitor, file: Path, path: str = "/receipts") -> str:
    """Give the withdraw file: how it stands."""
    visit.open(path)
    visit.page.set_input_files("#code-file", file)
    visit.page.wait_for_selector("#result:not([hidden])")
    return visit.page.inner_text("#result")


def test_a_held_no_has_no_receipt_until_a_person_lets_it_through(holding: Visitor, data: Path, tmp_path: Path) -> None:
    visit = holding
    number = say_no(visit, "rocket.jpg", tmp_path)
    done = visit.page.inner_text("#done")
    assert visit.status() == "Held for a person to look at. Save the withdraw code now."
    assert "There is no receipt yet. Save the withdraw code" in done
    assert "The receipt proves" not in done
    assert "hibs opt-out verify" not in done
    assert not visit.page.is_visible("#save-receipt")
    assert not visit.page.is_visible("#save-page")
    visit.accessible()
    visit.fits()

    shown = ask(visit, tmp_path / f"{number}.withdraw.txt")
    assert "A person will look at it before operators get it. There is no receipt yet." in shown
    assert "it is near 2 pictures of this collection" in shown
    assert "Operators do not get it before it is let through." in shown
    assert "Seen in 2 places" in shown
    assert visit.page.locator("[data-act=save-page]").count() == 0
    visit.accessible()
    visit.fits()

    with OptOuts.open(data, Settings(), now=datetime.now(UTC)) as opt_outs:
        release(opt_outs, number, now=datetime.now(UTC))
    shown = ask(visit, tmp_path / f"{number}.withdraw.txt")
    assert "Recorded. Operators who follow the list can read it." in shown
    save(visit, "[data-act=save-receipt]", tmp_path / f"{number}.receipt.json")
    saved = (tmp_path / f"{number}.receipt.json").read_bytes()
    assert read_receipt(saved).to_bytes() == saved, "the file has its one spelling"
    assert verify_receipt(saved).opt_out.number == number


def test_the_receipt_page_is_saved_and_leads_back_with_its_number(visit: Visitor, tmp_path: Path) -> None:
    number = say_no(visit, "coffee.jpg", tmp_path)
    save(visit, "#save-page", tmp_path / f"{number}.receipt.html")
    expect(visit.page.locator("#done-status")).to_have_text("The file was given to your browser to save.")
    page = (tmp_path / f"{number}.receipt.html").read_text()
    code = (tmp_path / f"{number}.withdraw.txt").read_text().splitlines()[0]
    assert f"{visit.server}/receipts#{number}" in page
    assert code not in page

    visit.open(f"/receipts#{number.lower()}")
    assert visit.page.input_value("#number") == number
    assert visit.status() == "The number is filled in. Choose the file, or type the code."
    assert all(number not in request.url.partition("#")[0] for request in visit.requests[-1:])
    visit.page.fill("#code", code)
    visit.page.keyboard.press("Enter")
    visit.page.wait_for_selector("#result:not([hidden])")
    assert visit.page.evaluate("document.activeElement.id") == "result"
    save(visit, "[data-act=save-page]", tmp_path / f"{number}.receipt.html")


def test_what_stands_behind_the_fragment_is_a_number_or_nothing(visit: Visitor) -> None:
    for fragment in ("<img src=x onerror=alert(1)>", "4F7K-20M9-AAAA", "content", "hibs-w1-" + "0" * 32):
        visit.open("/about")
        visit.open(f"/receipts#{fragment}")
        expect(visit.page.locator("#ask")).to_be_visible()
        assert visit.page.input_value("#number") == ""
    visit.page.evaluate("location.hash = '4F7K-20M9'")
    expect(visit.page.locator("#number")).to_have_value("4F7K-20M9")


def test_the_wrong_file_is_told_from_the_right_one(visit: Visitor, tmp_path: Path) -> None:
    visit.open("/receipts")
    (tmp_path / "4F7K-20M9.receipt.json").write_text(json.dumps({"v": 1, "number": "4F7K-20M9"}, indent=2))
    (tmp_path / "4F7K-20M9.txt").write_text("hibs-w1-0000\n")
    for name, sentence in (
        ("4F7K-20M9.receipt.json", "This file is the receipt, which you may show."),
        ("4F7K-20M9.txt", "No withdraw code was found in this file."),
    ):
        visit.page.set_input_files("#code-file", tmp_path / name)
        expect(visit.page.locator("#status")).to_contain_text(sentence)
    assert visit.sent() == []


def test_a_withdraw_file_goes_by_what_stands_in_it_not_by_its_name(visit: Visitor, tmp_path: Path) -> None:
    number = say_no(visit, "coffee.jpg", tmp_path)
    renamed = (tmp_path / f"{number}.withdraw.txt").rename(tmp_path / "IMG-2024-0001.txt")
    assert number in ask(visit, renamed)


def test_new_copies_and_operators_are_told_as_they_are(browser: Browser, data: Path, tmp_path: Path) -> None:
    with serving(data) as address:
        for visit in open_page(browser, address, DESK, "light"):
            number = say_no(visit, "rocket.jpg", tmp_path)
            now = datetime.now(UTC)
            seen_again(data, "rocket.jpg", "late/copy.png", width=300, at=now + timedelta(minutes=2))
            with closing(Registry.open(data / REGISTRY_FILE)) as registry:
                for name in ("ACME datasets", "quiet one"):
                    create_key(registry, name=name, scopes=[Scope.FEED, Scope.HONOUR], now=now)
                record_received(registry, "ACME datasets", start=0, end=1, now=now)
                add_statement(registry, Statement("ACME datasets", 1, "9f" * 32, 12_000, 11_990, "4b" * 32, now))
            shown = ask(visit, tmp_path / f"{number}.withdraw.txt")
            assert "Seen in 2 places, the newest first. 1 of them is new since your no." in shown
            assert shown.index("late/copy.png") < shown.index("a/rocket.jpg")
            assert shown.count("New\nsince your no") == 1
            day = f"{now.day} {now:%B %Y}"
            assert f"received on {day}; states that it acted up to entry 0 on {day}" in shown
            assert "not heard from" in shown
            assert "Nobody here has checked it." in shown
            assert "removed" not in shown
            visit.accessible()
            visit.fits()
            visit.open("/operators")
            operators = visit.page.inner_text("main")
            assert f"states that it acted up to entry 0 on {day}" in operators
            assert "12,000" in operators
            assert "4b" * 32 in operators
            assert "Nobody has checked these statements" in operators
            visit.accessible()
            visit.fits()


def test_erasing_takes_two_presses_and_says_what_it_costs(visit: Visitor, tmp_path: Path) -> None:
    number = say_no(visit, "coffee.jpg", tmp_path)
    ask(visit, tmp_path / f"{number}.withdraw.txt")
    visit.page.click("#erase summary")
    assert "it can be found and recorded again" in visit.page.inner_text("#erase")
    assert "This cannot be undone." in visit.page.inner_text("#erase")
    visit.accessible()
    visit.page.click("[data-act=erase]")
    expect(visit.page.locator("#status")).to_have_text("Erased. How it stands is shown below.")
    shown = visit.page.inner_text("#result")
    assert "What was said has been erased. The entry in the list stays" in shown
    assert "You said no to" not in shown
    assert visit.page.locator("#result button").count() == 0
    visit.accessible()


def test_without_scripts_the_receipts_page_and_the_operators_page_say_all(browser: Browser, server: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{server}/receipts")
    assert f"hibs opt-out status NUMBER.withdraw.txt --server {server}" in page.inner_text("noscript")
    assert not page.is_visible("#ask")
    page.goto(f"{server}/operators")
    assert "What operators state" in page.inner_text("main")
    context.close()
