"""The receipts page in a browser: by file, by number, held, new copies, operators, saved anew, taken back, erased."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from api_service import IMAGES, SEEN
from fresh_copies import met_in_a_folder
from playwright.sync_api import Browser, expect
from visitor import DESK, PHONE, Visitor, open_page, serving

from checker.keys import Scope, create_key
from checker.optout.receipt import read_receipt, verify_receipt
from checker.optout.request import OptOuts
from checker.optout.review import release
from checker.records.operators import Statement, add_statement, record_received
from checker.records.registry import REGISTRY_FILE, Registry
from checker.settings import Settings

pytest_plugins = ("api_service", "visitor")
pytestmark = pytest.mark.browser


@pytest.fixture
def data(built_corpus: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built_corpus, tmp_path / "data"))


@pytest.fixture
def holding(browser: Browser, data: Path) -> Iterator[Visitor]:
    """A visitor of a service that holds whatever it has seen more than once: rocket.jpg, here twice."""
    met_in_a_folder(data, "rocket.jpg", "b/rocket.jpg", width=420, at=SEEN)
    with serving(data, HIBS_HOLD_IMAGES_MAX="1") as address:
        yield from open_page(browser, address, PHONE, "light")


def say_no(visit: Visitor, name: str, folder: Path) -> str:
    """Look a photo up, say no, save the withdraw code: the number."""
    visit.open("/")
    visit.look_up(name)
    visit.say_no()
    number = visit.page.inner_text("#done .number")
    save(visit, "[data-save=code]", folder / f"{number}.withdraw.txt")
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
    assert visit.page.inner_text("#done-status").startswith("The withdraw code was given to your browser")
    assert "There is no receipt yet. Save the withdraw code" in done
    assert "The receipt proves" not in done
    assert "hibs opt-out verify" not in done
    assert not visit.page.is_visible("[data-save=receipt]")
    assert not visit.page.is_visible("[data-save=page]")
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
    save(visit, "[data-save=page]", tmp_path / f"{number}.receipt.html")
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
            met_in_a_folder(data, "rocket.jpg", "late/copy.png", width=300, at=now + timedelta(minutes=2))
            with closing(Registry.open(data / REGISTRY_FILE)) as registry:
                for name in ("ACME datasets", "quiet one"):
                    create_key(registry, name=name, scopes=[Scope.FEED, Scope.HONOUR], now=now)
                record_received(registry, "ACME datasets", start=0, end=1, now=now)
                add_statement(registry, Statement("ACME datasets", 1, "9f" * 32, 12_000, 11_990, "4b" * 32, now))
            shown = ask(visit, tmp_path / f"{number}.withdraw.txt")
            assert visit.page.inner_text("[data-fact=new]") == "1"
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
            assert f"ACME datasets\nlast got new entries on {day}, up to entry 0" in operators
            assert "quiet one\nhas not fetched the list yet" in operators
            assert "12,000" in operators
            assert "4b" * 32 in operators
            assert "Nobody has checked these statements" in operators
            visit.accessible()
            visit.fits()


def test_both_addresses_are_copied_and_the_no_is_taken_back_by_keyboard(
    browser: Browser, data: Path, tmp_path: Path
) -> None:
    photo, jpeg = (IMAGES / "chelsea.jpg").read_bytes(), {"Content-Type": "image/jpeg"}
    with serving(data) as address:
        with urlopen(Request(f"{address}/v1/opt-outs", photo, jpeg), timeout=60) as answer:
            made = json.load(answer)
        (tmp_path / "withdraw.txt").write_text(made["withdraw_text"])
        for visit in open_page(browser, address, PHONE, "light"):
            visit.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
            shown = ask(visit, tmp_path / "withdraw.txt")
            assert visit.page.inner_text("[data-fact=new]") == "0"
            assert made["withdraw_code"] not in shown
            for name, expected in (
                ("Copy the address of this page", f"{address}/receipts#{made['number']}"),
                ("Copy the address for a feed reader", made["alerts"]),
            ):
                button = visit.page.get_by_role("button", name=name)
                button.press("Enter")
                expect(visit.page.locator("button:focus")).to_have_text("Copied.")
                assert visit.page.evaluate("navigator.clipboard.readText()") == expected
            visit.accessible()
            visit.fits()
            visit.page.locator("#withdraw summary").press("Enter")
            visit.page.locator("[data-act=withdraw]").press("Enter")
            expect(visit.page.locator("#status")).to_have_text("Taken back. How it stands is shown below.")
            assert "You took this no back. It ends on" in visit.page.inner_text("#result")
            visit.accessible()


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
