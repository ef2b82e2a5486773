"""Why there is no answer, on the start page: each failure has its sentence and its next step, and no negative comes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from api_service import IMAGES
from PIL import Image
from playwright.sync_api import Browser, Route, expect
from visitor import PHONE, Visitor, open_page

pytest_plugins = ("api_service", "visitor")
pytestmark = pytest.mark.browser
LIST = "GET /v1/private/list"
PROBLEM = {"Content-Type": "application/problem+json"}
NOISE = """
  const read = CanvasRenderingContext2D.prototype.getImageData;
  CanvasRenderingContext2D.prototype.getImageData = function (...place) {
    const pixels = read.apply(this, place);
    for (let i = 0; i < pixels.data.length; i += 97) pixels.data[i] ^= 1;
    return pixels;
  };
"""
"""What browsers do that protect their users from tracking: a few levels are one off."""


def test_what_cannot_be_used_gets_a_sentence_and_a_next_step_and_nothing_is_sent(
    visit: Visitor, tmp_path: Path
) -> None:
    visit.open("/")
    before = len(visit.requests)
    (tmp_path / "photo.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "big.jpg").write_bytes(bytes(20 * 2**20 + 1))
    (tmp_path / "cut.jpg").write_bytes((IMAGES / "chelsea.jpg").read_bytes()[:9000])
    Image.new("RGB", (300, 200), "white").save(tmp_path / "wall.png")
    for name, sentence, then in (
        ("photo.heic", "Your browser cannot open this photo format (HEIC).", "Save it as JPEG, or open this page on"),
        ("notes.txt", "We could not read this file as a picture. Nothing was sent.", "Choose another."),
        ("cut.jpg", "We could not read this file as a picture. Nothing was sent.", "Choose another."),
        ("big.jpg", "This file is too large.", "Save the picture smaller"),
        ("wall.png", "This picture has too little in it to tell it from others", "Try another photo. A no is not off"),
    ):
        result = visit.check(tmp_path / name)
        assert sentence in result, name
        assert then in result, name
        assert visit.status().startswith(sentence)
        assert not visit.page.is_visible(".closer")
        assert not visit.page.is_visible("[data-act=no]")
        visit.accessible()
        visit.page.click(".told [data-act=again]")
    assert visit.asked_since(before) == []


def test_a_browser_that_alters_pictures_gives_no_negative(browser: Browser, server: str) -> None:
    for visit in open_page(browser, server, PHONE, "light"):
        visit.page.add_init_script(NOISE)
        visit.open("/")
        before = len(visit.requests)
        result = visit.check("coffee.jpg")
        assert "Your browser changes pictures to protect you from tracking" in result
        assert "Not found" not in result
        assert "hibs check photo.jpg --private" in result
        assert visit.asked_since(before) == []
        visit.accessible()
        assert "Found: 1 copy" in (visit.page.click("[data-act=again] >> visible=true") or visit.look_up("rocket.jpg"))


def test_in_flight_mode_the_code_is_made_and_the_choice_is_kept(visit: Visitor) -> None:
    visit.open("/")
    visit.page.context.set_offline(True)
    result = visit.check("rocket.jpg")
    assert "The code is made, the comparison needs the network. Your photo is still only here." in result
    assert visit.panel() == [f"{LIST} the whole list of codes; nothing of your photo; no answer came"]
    visit.accessible()
    visit.page.context.set_offline(False)
    visit.page.click("[data-act=retry]")
    expect(visit.page.locator(".result h3")).to_have_text("Found: a picture very close to yours")
    visit.complaints.clear()  # Chromium reports the request that failed


@pytest.mark.parametrize(
    ("status", "kind", "headers", "sentence"),
    [
        (
            429,
            "rate-limited",
            {"Retry-After": "200"},
            "Many checks came from your connection. You can go on in 4 minutes.",
        ),
        (
            503,
            "index-loading",
            {"Retry-After": "20"},
            "This service is not ready yet. You can go on in about 20 seconds.",
        ),
        (503, "corpus-empty", {}, "This service has looked at 0 pictures yet, so it cannot answer."),
        (503, None, {}, "This service is not ready yet. You can go on in about 1 minute."),
        (502, None, {}, "Something went wrong with this photo."),
    ],
)
def test_a_server_that_does_not_answer_gets_a_sentence(
    visit: Visitor, status: int, kind: str | None, headers: dict[str, str], sentence: str
) -> None:
    """What the server says is written here, as docs/api.md has it; a proxy says nothing that is ours."""

    def refuse(route: Route) -> None:
        body = json.dumps({"type": f"/problems/{kind}", "title": "", "status": status}) if kind else "<h1>proxy</h1>"
        route.fulfill(status=status, body=body, headers={**(PROBLEM if kind else {}), **headers})

    visit.page.route("**/v1/private/list", refuse)
    visit.open("/")
    result = visit.check("coffee.jpg")
    assert sentence in result
    assert "Not found" not in result
    assert visit.panel() == [f"{LIST} the whole list of codes; nothing of your photo; answered with status {status}"]
    visit.accessible()
    visit.page.unroute("**/v1/private/list")
    if kind != "corpus-empty":
        visit.page.click("[data-act=retry]")
        expect(visit.page.locator(".result h3")).to_have_text("Not found in what we have looked at")
    visit.complaints.clear()  # Chromium reports every answer of 400 and above


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (413, "This file is too large."),
        (429, "Many requests came from your connection."),
        (503, "The server is busy right now."),
        (502, "That did not work. Try again."),
        (0, "The server could not be reached. Your photo is still chosen."),
    ],
)
def test_a_closer_look_that_fails_keeps_the_photo_and_the_tick(visit: Visitor, status: int, sentence: str) -> None:
    visit.open("/")
    visit.check("coffee.jpg")
    visit.page.route(
        "**/v1/lookups", lambda route: route.fulfill(status=status, body="<h1>proxy</h1>") if status else route.abort()
    )
    visit.page.check("[name=agreed]")
    visit.page.click(".closer [type=submit]")
    expect(visit.page.locator(".closer .status")).to_contain_text(sentence)
    expect(visit.page.locator(".closer .status")).to_be_in_viewport()
    assert visit.page.is_checked("[name=agreed]")
    visit.complaints.clear()
