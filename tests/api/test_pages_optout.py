"""Saying no on the page: four screens, what each must have, what is sent, what is taken home."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from api_service import CHECKS, IMAGES
from PIL import Image
from playwright.sync_api import expect
from visitor import Visitor

from checker.fingerprint import fingerprint_file
from checker.model import Picture
from checker.optout.receipt import read_receipt, verify_receipt
from checker.settings import Settings

pytest_plugins = ("api_service", "visitor")
pytestmark = pytest.mark.browser
DEFAULTS = {"train-ai", "train-genai", "tdm"}


def focused(visit: Visitor) -> str:
    return str(visit.page.evaluate("document.activeElement.textContent"))


def download(visit: Visitor, what: str, folder: Path, receipt: int = 0) -> Path:
    with visit.page.expect_download() as saved:
        visit.page.locator(f"[data-save={what}]").nth(receipt).click()
    path = folder / saved.value.suggested_filename
    saved.value.save_as(path)
    return path


def posted(visit: Visitor) -> list[dict[str, object]]:
    return [r.post_data_json for r in visit.requests if r.url.endswith("/v1/opt-outs") and r.method == "POST"]


def begin(visit: Visitor, *names: str | Path) -> None:
    visit.open("/")
    visit.check(*names)
    visit.page.locator("[data-act=no] >> visible=true").first.click()


def test_the_four_screens_say_what_happens_before_anything_is_sent(visit: Visitor, tmp_path: Path) -> None:
    begin(visit, "coffee.jpg")
    assert focused(visit) == "Photos"
    assert "Step 1 of 4" in visit.page.inner_text("#no")
    visit.page.click("[data-go=next]")
    expect(visit.page.locator("#no-status")).to_have_text(
        "Please tick that the photos are yours, or that you act for the person shown."
    )
    visit.page.check("#mine")
    visit.page.click("[data-go=next]")

    assert focused(visit) == "What to say no to"
    assert {tick.get_attribute("value") for tick in visit.page.locator("[name=use]:checked").all()} == DEFAULTS
    assert "Hiding it here is always part of a no" in visit.page.inner_text("#no")
    for use in DEFAULTS:
        visit.page.uncheck(f"[value={use}]")
    visit.page.click("[data-go=next]")
    expect(visit.page.locator("#no-status")).to_have_text("Please tick at least one thing to say no to.")
    visit.page.check("[value=train-ai]")
    visit.page.click("[data-go=next]")

    assert focused(visit) == "Who gets it"
    who = visit.page.inner_text("#no")
    assert "Codes sent out cannot be called back." in who
    assert "It does not delete copies, bind anyone who ignores the list, or change models already trained." in who
    visit.page.click("[data-go=next]")

    assert focused(visit) == "Record it"
    last = visit.page.inner_text("#no")
    assert "coffee.jpg" in last
    assert "The code of 1 photo, made in your browser. No picture." in last
    assert visit.sent() == []
    visit.page.click("[data-go=record]")
    visit.page.wait_for_selector("#done:not([hidden])")
    assert visit.sent() == [("POST", "/v1/opt-outs")]
    assert visit.panel()[-1].startswith("POST /v1/opt-outs the whole code of 1 photo, for your no;")
    opt_out = verify_receipt(read_receipt(download(visit, "receipt", tmp_path).read_bytes()).to_bytes()).opt_out
    assert {use.value for use in opt_out.uses} == {"train-ai"}
    download(visit, "code", tmp_path)


def test_back_keeps_the_photo_and_the_ticks(visit: Visitor) -> None:
    begin(visit, "coffee.jpg")
    visit.page.check("#mine")
    visit.page.click("[data-go=next]")
    visit.page.check("[value=search]")
    visit.page.click("[data-go=next]")
    visit.page.click("[data-act=back]")
    assert visit.page.is_checked("[value=search]")
    visit.page.click("[data-act=back]")
    assert visit.page.is_checked("#mine")
    visit.page.click("[data-act=back]")
    assert "Not found in what we have looked at" in visit.page.inner_text("#results")
    assert visit.sent() == []


def test_several_photos_are_one_no_by_the_codes_that_the_browser_made(visit: Visitor, tmp_path: Path) -> None:
    begin(visit, "coffee.jpg", "flower.jpg")
    visit.page.locator("[name=picture]").nth(1).check()
    visit.page.check("#mine")
    for _ in range(3):
        visit.page.click("[data-go=next]")
    visit.page.click("[data-go=record]")
    visit.page.wait_for_selector("#done:not([hidden])")
    (sent,) = posted(visit)
    for picture, name in zip(sent["pictures"], ("coffee.jpg", "flower.jpg"), strict=True):  # type: ignore[arg-type]
        ours = fingerprint_file(IMAGES / name, Settings())
        assert isinstance(ours, Picture)
        theirs = int(picture["codes"]["phash256"]["hex"], 16)
        assert (int(ours.fingerprints[0].hex, 16) ^ theirs).bit_count() <= 8
    assert visit.page.locator(".receipt").count() == 1
    assert "coffee.jpg, flower.jpg" in visit.page.inner_text(".receipt")
    receipt = read_receipt(download(visit, "receipt", tmp_path).read_bytes())
    assert len(verify_receipt(receipt.to_bytes()).opt_out.pictures) == 2
    download(visit, "code", tmp_path)


@pytest.mark.skipif(CHECKS == ["phash256"], reason="the extra `robust` is not installed: there is no stronger code")
def test_for_the_stronger_code_each_photo_is_sent_and_has_a_number(visit: Visitor, tmp_path: Path) -> None:
    begin(visit, "coffee.jpg", "flower.jpg")
    visit.page.locator("[name=picture]").nth(1).check()
    visit.page.check("#mine")
    for _ in range(2):
        visit.page.click("[data-go=next]")
    visit.page.check("[value=photo]")
    visit.page.click("[data-go=next]")
    assert "2 photos, once each, to make their codes from." in visit.page.inner_text("#no")
    visit.page.click("[data-go=record]")
    visit.page.wait_for_selector("#done:not([hidden])")
    uses = "uses=train-ai,train-genai,tdm"
    assert visit.sent() == [("POST", f"/v1/opt-outs?{uses}")] * 2
    assert all("the photo itself, once, for your no;" in line for line in visit.panel()[-2:])
    numbers = visit.page.locator(".receipt .number").all_text_contents()
    assert len(set(numbers)) == 2
    for n in range(2):
        download(visit, "code", tmp_path, n)
    assert sorted(path.name for path in tmp_path.glob("*.withdraw.txt")) == sorted(f"{n}.withdraw.txt" for n in numbers)


def test_what_one_takes_home_is_a_receipt_a_code_a_page_and_an_address(visit: Visitor, tmp_path: Path) -> None:
    visit.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    begin(visit, "flower.jpg")
    visit.page.check("#mine")
    for _ in range(3):
        visit.page.click("[data-go=next]")
    visit.page.click("[data-go=record]")
    visit.page.wait_for_selector("#done:not([hidden])")
    number = visit.page.inner_text("#done .number")
    assert download(visit, "receipt", tmp_path).name == f"{number}.receipt.json"
    saved = (tmp_path / f"{number}.receipt.json").read_bytes()
    assert read_receipt(saved).to_bytes() == saved, "the file has its one spelling"
    assert verify_receipt(read_receipt(saved).to_bytes()).opt_out.number == number
    assert "<svg" in download(visit, "page", tmp_path).read_text(), "the page to print has a QR code"
    assert "for the page to print" in visit.panel()[-1]
    visit.page.click("[data-save=address]")
    assert visit.page.evaluate("navigator.clipboard.readText()") == f"{visit.server}/receipts#{number}"
    visit.page.click("[data-save=alerts]")
    alerts = visit.page.evaluate("navigator.clipboard.readText()")
    assert alerts.startswith(f"{visit.server}/v1/alerts/{number}-")
    assert visit.page.request.get(alerts).ok
    assert "hibs-w1-" in download(visit, "code", tmp_path).read_text()
    assert "hibs opt-out verify NUMBER.receipt.json" in visit.page.inner_text("#done")
    visit.page.click("[data-act=results]")
    assert "flower.jpg" in visit.page.inner_text("#results")


def test_a_withdraw_code_that_was_not_saved_is_not_lost_by_one_press(visit: Visitor) -> None:
    begin(visit, "coffee.jpg")
    visit.page.check("#mine")
    for _ in range(3):
        visit.page.click("[data-go=next]")
    visit.page.click("[data-go=record]")
    visit.page.wait_for_selector("#done:not([hidden])")
    visit.page.click("#done [data-act=again]")
    expect(visit.page.locator("#done-status")).to_have_text(
        "Save the withdraw code first. This page forgets it when you go on."
    )
    with visit.page.expect_event("dialog") as asked:
        visit.page.evaluate("setTimeout(() => location.assign('/about'))")
    assert asked.value.type == "beforeunload"
    visit.complaints.clear()
    expect(visit.page.locator("#done")).to_be_visible()
    visit.page.click("#leave")
    visit.page.wait_for_url("about:blank")  # leaving quickly never asks


def test_a_plain_picture_is_not_offered_and_says_why(visit: Visitor, tmp_path: Path) -> None:
    Image.new("RGB", (300, 200), "white").save(tmp_path / "wall.png")
    begin(visit, "coffee.jpg", tmp_path / "wall.png")
    assert visit.page.locator("[name=picture]").nth(1).is_disabled()
    assert "its code is that of every plain picture" in visit.page.inner_text("#picked")


def test_one_may_come_to_say_no_without_a_result_first(visit: Visitor, tmp_path: Path) -> None:
    visit.open("/opt-out")
    assert visit.page.inner_text("h1") == "Say no for a photo"
    visit.choose("coffee.jpg")
    expect(visit.page.locator("#step-1")).to_be_focused()
    with visit.page.expect_file_chooser() as asked:
        visit.page.click("[data-act=more]")
    asked.value.set_files(IMAGES / "flower.jpg")
    expect(visit.page.locator("#picked li")).to_have_count(2)
    assert visit.page.locator("[name=picture]:checked").count() == 2
    assert visit.sent() == []


def test_photos_that_are_added_come_to_those_that_were_ticked(visit: Visitor) -> None:
    begin(visit, "coffee.jpg", "rocket.jpg")
    assert [tick.is_checked() for tick in visit.page.locator("[name=picture]").all()] == [True, False]
    with visit.page.expect_file_chooser() as asked:
        visit.page.click("[data-act=more]")
    asked.value.set_files(IMAGES / "flower.jpg")
    expect(visit.page.locator("#picked li")).to_have_count(3)
    assert [tick.is_checked() for tick in visit.page.locator("[name=picture]").all()] == [True, False, True]


def test_a_no_that_cannot_be_recorded_says_why_and_keeps_everything(visit: Visitor) -> None:
    begin(visit, "coffee.jpg")
    visit.page.check("#mine")
    for _ in range(3):
        visit.page.click("[data-go=next]")
    visit.page.route("**/v1/opt-outs", lambda route: route.abort())
    visit.page.click("[data-go=record]")
    expect(visit.page.locator("#no-status")).to_contain_text("The server could not be reached.")
    visit.page.unroute("**/v1/opt-outs")
    document = {"type": "/problems/rate-limited", "title": "", "status": 429, "detail": "Many came.", "next": "Wait."}
    visit.page.route(
        "**/v1/opt-outs",
        lambda route: route.fulfill(status=429, body=json.dumps(document), content_type="application/problem+json"),
    )
    visit.page.click("[data-go=record]")
    expect(visit.page.locator("#no-status")).to_have_text("Many came. Wait.")
    assert visit.page.is_visible("[data-go=record]")
    visit.complaints.clear()


def test_names_of_those_who_get_it_are_told(visit: Visitor) -> None:
    begin(visit, "coffee.jpg")
    visit.page.check("#mine")
    visit.page.click("[data-go=next]")
    visit.page.click("[data-go=next]")
    assert "No operator follows it yet. Those who come later get it too." in visit.page.inner_text("#no")
