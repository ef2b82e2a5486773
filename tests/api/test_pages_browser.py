"""Every page in a browser: accessible and wide enough, by keyboard, left quickly, with and without scripts."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Browser
from visitor import DESK, PAGES, PHONE, Visitor, open_page

pytest_plugins = ("api_service", "visitor")
pytestmark = pytest.mark.browser
SIZES = pytest.mark.parametrize(
    ("size", "scheme"),
    [(PHONE, "light"), (DESK, "dark"), (PHONE, "dark"), (DESK, "light")],
    ids=["phone-light", "desk-dark", "phone-dark", "desk-light"],
)


def test_the_door_for_intimate_pictures_stands_above_the_button(visit: Visitor) -> None:
    visit.open("/")
    door, button = (visit.page.locator(place).bounding_box() for place in ("#door a", "label[for=photo]"))
    assert door
    assert button
    assert door["y"] + door["height"] <= button["y"]
    visit.page.click("#door a")
    assert visit.page.url == f"{visit.server}/intimate"


def test_three_escapes_leave_and_there_is_no_way_back(visit: Visitor) -> None:
    visit.open("/")
    for _ in range(3):
        visit.page.keyboard.press("Escape")
    visit.page.wait_for_url("about:blank")
    visit.page.go_back()
    assert not visit.page.url.startswith(visit.server)


@SIZES
def test_pages_are_accessible_and_fit(browser: Browser, server: str, size: tuple[int, int], scheme: str) -> None:
    pages = PAGES if (size == PHONE) == (scheme == "light") else ("/", "/opt-out", "/intimate")
    for visitor in open_page(browser, server, size, scheme):
        for path in pages:
            visitor.open(path)
            visitor.accessible()
            visitor.fits()
        # Chromium itself reports the page that is not there.
        visitor.complaints[:] = [c for c in visitor.complaints if "404" not in c]


def missed(visit: Visitor) -> None:
    visit.check("coffee.jpg")


def many(visit: Visitor) -> None:
    visit.check("rocket.jpg", "coffee.jpg")
    visit.page.click("#panel summary")


def answered(visit: Visitor) -> None:
    visit.look_up("chelsea.jpg")


def step(n: int) -> Callable[[Visitor], None]:
    def reach(visit: Visitor) -> None:
        visit.check("coffee.jpg")
        visit.page.click("[data-act=no] >> visible=true")
        visit.page.check("#mine")
        for _ in range(n - 1):
            visit.page.click("[data-go=next]")

    reach.__name__ = f"step-{n}"
    return reach


def recorded(visit: Visitor) -> None:
    visit.check("coffee.jpg")
    visit.say_no()


@pytest.mark.parametrize(("size", "scheme"), [(PHONE, "light"), (DESK, "dark")], ids=["phone", "desk"])
@pytest.mark.parametrize(
    "state", [missed, many, answered, *map(step, (1, 2, 3, 4)), recorded], ids=lambda state: state.__name__
)
def test_every_state_of_the_start_page_is_accessible_and_fits(
    browser: Browser, server: str, size: tuple[int, int], scheme: str, state: Callable[[Visitor], None]
) -> None:
    for visitor in open_page(browser, server, size, scheme):
        visitor.open("/")
        state(visitor)
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


def test_main_buttons_are_44_pixels_high(visit: Visitor) -> None:
    visit.open("/")
    visit.check("coffee.jpg")
    for box in (one.bounding_box() for one in visit.page.locator(".button >> visible=true").all()):
        assert box
        assert box["height"] >= 44
        assert box["width"] >= 44


@pytest.mark.parametrize("path", ["/", "/opt-out", "/intimate"])
def test_nothing_moves_for_those_who_asked_for_that(browser: Browser, server: str, path: str) -> None:
    context = browser.new_context(reduced_motion="reduce")
    page = context.new_page()
    page.goto(server + path)
    moving = (
        "[...document.querySelectorAll('*')].filter(e => parseFloat(getComputedStyle(e).transitionDuration)).length"
    )
    assert page.evaluate(moving) == 0
    context.close()


def test_without_scripts_the_page_says_how_to_go_on(browser: Browser, server: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(server)
    assert not page.is_visible("#photo")
    assert page.is_visible("#door a")
    assert f"hibs check photo.jpg --server {server}" in page.inner_text("noscript")
    context.close()
