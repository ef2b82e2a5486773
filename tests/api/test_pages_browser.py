"""The pages in a browser: choose, send, read, say no, save, ask, take back; on a phone, by keyboard, light and dark."""

from __future__ import annotations

from pathlib import Path

import pytest
from api_service import IMAGES
from PIL import Image, ImageOps
from playwright.sync_api import Browser, expect
from visitor import DESK, PAGES, PHONE, Visitor, open_page

from checker.optout.receipt import read_receipt, verify_receipt

pytest_plugins = ("api_service", "visitor")
pytestmark = pytest.mark.browser


def test_choosing_sends_nothing_and_one_click_sends_the_photo_once(visit: Visitor) -> None:
    visit.open("/")
    assert visit.status() == "Choose a photo to begin."
    visit.choose("chelsea.jpg")
    assert visit.status() == "Photo chosen. Nothing has been sent yet."
    assert visit.page.is_visible("#preview")
    assert visit.sent() == []
    visit.page.click("#send")
    visit.page.wait_for_selector(".answer")
    assert visit.sent() == [("POST", "/v1/lookups")]
    assert visit.status() == "The answer is below."


def test_a_person_finds_says_no_saves_the_papers_and_takes_it_back(visit: Visitor, tmp_path: Path) -> None:
    visit.open("/")
    answer = visit.look_up("rocket.jpg")
    assert "Found: 1 copy" in answer
    assert "a/rocket.jpg" in answer
    visit.accessible()

    visit.page.click("#no-form button[type=submit]")
    assert visit.page.inner_text("#no-status").startswith("Please tick that the photo is yours")
    visit.say_no()
    number = visit.page.inner_text("#done-number")
    visit.accessible()
    with visit.page.expect_download() as receipt:
        visit.page.click("#save-receipt")
    with visit.page.expect_download() as code:
        visit.page.click("#save-code")
    assert receipt.value.suggested_filename == f"{number}.receipt.json"
    assert code.value.suggested_filename == f"{number}.withdraw.txt"
    receipt.value.save_as(tmp_path / "receipt.json")
    code.value.save_as(tmp_path / f"{number}.withdraw.txt")
    saved = (tmp_path / "receipt.json").read_bytes()
    opt_out = verify_receipt(read_receipt(saved).to_bytes()).opt_out
    assert read_receipt(saved).to_bytes() == saved, "the file has its one spelling"
    assert opt_out.number == number
    assert {use.value for use in opt_out.uses} == {"train-ai", "train-genai", "tdm"}

    visit.open("/")
    withheld = visit.look_up("rocket.jpg")
    assert "Where it was is not shown." in withheld
    assert "a/rocket.jpg" not in withheld
    visit.accessible()

    visit.open("/receipts")
    visit.page.set_input_files("#code-file", tmp_path / f"{number}.withdraw.txt")
    visit.page.wait_for_selector("#result:not([hidden])")
    assert "Recorded. Operators who follow the list can read it." in visit.page.inner_text("#result")
    assert "Training AI" in visit.page.inner_text("#result")
    visit.accessible()
    visit.page.click("#withdraw summary")
    visit.page.click("[data-act=withdraw]")
    expect(visit.page.locator("[data-fact=state]")).to_contain_text("You took this no back. It ends on")


def test_not_found_is_no_proof_and_a_no_is_offered_all_the_same(visit: Visitor) -> None:
    visit.open("/")
    answer = visit.look_up("coffee.jpg")
    assert "Not found in what we have looked at" in answer
    assert "This is no proof that nobody has it." in answer
    assert visit.page.is_visible("#no-form")
    visit.accessible()


def test_the_part_that_was_found_is_framed_on_the_photo_from_the_device(visit: Visitor, tmp_path: Path) -> None:
    with Image.open(IMAGES / "rocket.jpg") as rocket:
        ImageOps.expand(rocket, 60, "white").save(tmp_path / "framed.png")
        width, height = rocket.width + 120, rocket.height + 120
    visit.open("/")
    assert "Found: 1 copy" in visit.look_up(tmp_path / "framed.png")
    photo, frame = (visit.page.locator(f"#answer .own {part}").bounding_box() for part in ("img", ".frame"))
    assert photo
    assert frame
    assert photo["width"] / photo["height"] == pytest.approx(width / height, rel=0.02)
    assert (frame["x"] - photo["x"]) / photo["width"] == pytest.approx(60 / width, abs=0.02)
    assert (frame["y"] - photo["y"]) / photo["height"] == pytest.approx(60 / height, abs=0.02)
    assert frame["width"] / photo["width"] == pytest.approx(1 - 120 / width, abs=0.03)
    assert frame["height"] / photo["height"] == pytest.approx(1 - 120 / height, abs=0.03)
    visit.accessible()
    visit.fits()
    assert [r.url for r in visit.requests if r.url.startswith("blob:")], "the photo is drawn from the device"
    visit.choose("coffee.jpg")
    assert visit.page.locator("#answer img").count() == 0


def test_a_mirrored_copy_is_said_to_be_mirrored(visit: Visitor, tmp_path: Path) -> None:
    with Image.open(IMAGES / "rocket.jpg") as rocket:
        ImageOps.mirror(rocket).save(tmp_path / "mirrored.png")
    visit.open("/")
    answer = visit.look_up(tmp_path / "mirrored.png")
    assert "Edited copy (mirrored)" in answer
    assert "The copy shows it mirrored." in answer
    assert "Chance of a coincidence in a collection of this size: below 1 in 1,000,000." in answer
    assert visit.page.locator("#answer .own img").is_visible()
    visit.accessible()


def test_text_of_strangers_runs_nothing(visit: Visitor) -> None:
    visit.open("/")
    assert "<img src=x onerror=alert(1)>" in visit.look_up("chelsea.jpg")
    assert visit.page.locator("#answer img, #answer script").count() == 0
    assert visit.page.locator("#answer a:not([href^='/'])").count() == 0


def test_what_cannot_be_used_gets_a_sentence_and_nothing_is_sent(visit: Visitor, tmp_path: Path) -> None:
    visit.open("/")
    (tmp_path / "photo.heic").write_bytes(b"\0\0\0\x18ftypheic")
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "big.jpg").write_bytes(bytes(20 * 2**20 + 1))
    for name, sentence in (
        ("photo.heic", "Your browser cannot open this photo format (HEIC). Save it as JPEG"),
        ("notes.txt", "We could not read this file as a picture. Nothing was sent."),
        ("big.jpg", "This file is too large."),
    ):
        visit.choose(tmp_path / name)
        assert visit.status().startswith(sentence)
        assert not visit.page.is_visible("#send")
    assert visit.sent() == []


def test_a_plain_and_a_broken_picture_get_the_servers_sentence(visit: Visitor, tmp_path: Path) -> None:
    visit.open("/")
    Image.new("RGB", (300, 200), "white").save(tmp_path / "wall.png")
    (tmp_path / "cut.jpg").write_bytes((IMAGES / "chelsea.jpg").read_bytes()[:9000])
    for name, sentence in (
        ("wall.png", "This picture has too little in it to tell it from others (for example a plain wall)."),
        ("cut.jpg", "The picture is cut off"),
    ):
        visit.choose(tmp_path / name)
        visit.page.click("#send")
        expect(visit.page.locator("#status")).to_contain_text(sentence)
        assert not visit.page.is_visible("#no")
    # Chromium itself reports the two refusals (422) in its console.
    assert [c for c in visit.complaints if "422" not in c] == []
    visit.complaints.clear()


def test_a_server_that_is_gone_leaves_the_photo_chosen(visit: Visitor) -> None:
    visit.open("/")
    visit.choose("coffee.jpg")
    visit.page.route("**/v1/lookups", lambda route: route.abort())
    visit.page.click("#send")
    expect(visit.page.locator("#status")).to_contain_text(
        "The server could not be reached. Your photo is still chosen."
    )
    expect(visit.page.locator("#send")).to_be_visible()
    visit.complaints.clear()


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (413, "This file is too large."),
        (429, "Many requests came from your connection."),
        (503, "The server is busy right now."),
        (502, "That did not work. Try again."),
    ],
)
def test_the_answer_of_a_proxy_gets_a_sentence_too(visit: Visitor, status: int, sentence: str) -> None:
    visit.open("/")
    visit.choose("coffee.jpg")
    visit.page.route("**/v1/lookups", lambda route: route.fulfill(status=status, body="<h1>proxy</h1>"))
    visit.page.click("#send")
    expect(visit.page.locator("#status")).to_contain_text(sentence)
    expect(visit.page.locator("#status")).to_have_class("status trouble")
    expect(visit.page.locator("#send")).to_be_visible()
    visit.complaints.clear()


def test_a_withdraw_code_that_was_not_saved_is_not_lost_by_one_press(visit: Visitor) -> None:
    visit.open("/")
    visit.look_up("coffee.jpg")
    visit.say_no()
    number = visit.page.inner_text("#done-number")
    visit.choose("rocket.jpg")
    assert visit.status() == "Save the withdraw code first. This page forgets it when you go on."
    assert visit.page.inner_text("#done-number") == number
    with visit.page.expect_event("dialog") as asked:
        visit.page.evaluate("setTimeout(() => location.assign('/about'))")
    assert asked.value.type == "beforeunload"
    visit.complaints.clear()
    expect(visit.page.locator("#done")).to_be_visible()
    visit.page.click("#leave")
    visit.page.wait_for_url("about:blank")  # leaving quickly never asks


def test_what_went_wrong_is_in_view_on_a_phone(visit: Visitor, tmp_path: Path) -> None:
    visit.open("/")
    with Image.open(IMAGES / "coffee.jpg") as coffee:
        coffee.crop((0, 0, 180, 400)).save(tmp_path / "portrait.png")
    visit.choose(tmp_path / "portrait.png")
    visit.page.route("**/v1/lookups", lambda route: route.abort())
    visit.page.click("#send")
    expect(visit.page.locator("#status")).to_contain_text("Try again")
    expect(visit.page.locator("#status")).to_be_in_viewport()
    visit.complaints.clear()


def test_the_door_for_intimate_pictures_takes_the_button_away(visit: Visitor) -> None:
    visit.open("/")
    visit.page.click("#door summary")
    assert "Please do not choose such a picture on this page" in visit.page.inner_text("#door")
    expect(visit.page.locator("#chooser")).to_be_hidden()
    visit.accessible()
    visit.page.click("#door summary")
    expect(visit.page.locator("#chooser")).to_be_visible()


def test_three_escapes_leave_and_there_is_no_way_back(visit: Visitor) -> None:
    visit.open("/")
    for _ in range(3):
        visit.page.keyboard.press("Escape")
    visit.page.wait_for_url("about:blank")
    visit.page.go_back()
    assert not visit.page.url.startswith(visit.server)


def test_the_keyboard_is_enough(visit: Visitor) -> None:
    visit.open("/")
    reached = []
    for _ in range(8):
        visit.page.keyboard.press("Tab")
        reached.append(visit.page.evaluate("document.activeElement.id || document.activeElement.tagName"))
    assert reached[0] == "A"
    assert "leave" in reached
    assert reached.index("SUMMARY") < reached.index("photo"), "the door comes first"
    visit.choose("coffee.jpg")
    assert visit.page.evaluate("document.activeElement.id") == "send"
    visit.page.keyboard.press("Enter")
    visit.page.wait_for_selector(".answer")
    assert visit.page.evaluate("document.activeElement.id") == "answer"
    visit.page.focus("#mine")
    visit.page.keyboard.press("Space")
    visit.page.keyboard.press("Tab")
    visit.page.keyboard.press("Enter")
    visit.page.wait_for_selector("#done:not([hidden])")
    assert visit.page.evaluate("document.activeElement.id") == "done"


@pytest.mark.parametrize(
    ("size", "scheme", "pages"),
    [(PHONE, "light", PAGES), (DESK, "dark", PAGES), (PHONE, "dark", ("/",)), (DESK, "light", ("/",))],
    ids=["phone-light", "desk-dark", "phone-dark", "desk-light"],
)
def test_pages_are_accessible_and_fit(
    browser: Browser, server: str, size: tuple[int, int], scheme: str, pages: tuple[str, ...]
) -> None:
    for visitor in open_page(browser, server, size, scheme):
        for path in pages:
            visitor.open(path)
            visitor.accessible()
            visitor.fits()
        # Chromium itself reports the page that is not there.
        visitor.complaints[:] = [c for c in visitor.complaints if "404" not in c]
        visitor.open("/")
        visitor.look_up("coffee.jpg")
        visitor.accessible()
        visitor.fits()


def test_320_pixels_are_wide_enough(browser: Browser, server: str) -> None:
    for visitor in open_page(browser, server, (320, 640), "light"):
        for path in PAGES:
            visitor.open(path)
            visitor.fits()
        visitor.complaints[:] = [c for c in visitor.complaints if "404" not in c]
        visitor.open("/")
        visitor.look_up("chelsea.jpg")
        visitor.fits()


def test_without_scripts_the_page_says_how_to_go_on(browser: Browser, server: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(server)
    assert not page.is_visible("#photo")
    assert f"hibs check photo.jpg --server {server}" in page.inner_text("noscript")
    context.close()
