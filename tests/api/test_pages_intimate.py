"""The page for intimate pictures: help first, a comparison that sends and shows nothing, and a way out."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect
from visitor import DESK, PHONE, Visitor, open_page

pytest_plugins = ("api_service", "visitor")
pytestmark = pytest.mark.browser


def test_help_comes_first_and_limits_are_said(visit: Visitor) -> None:
    visit.open("/intimate")
    shown = visit.page.inner_text("main")
    links = [link.get_attribute("href") for link in visit.page.locator("main .help a").all()]
    assert links == ["https://stopncii.org/", "https://takeitdown.ncmec.org/"]
    assert all(link.get_attribute("rel") == "noreferrer noopener" for link in visit.page.locator(".help a").all())
    assert shown.index("Go to stopncii.org") < shown.index("Choose photos")
    assert "A helpline listens" in shown
    assert "It takes no picture down from other sites." in shown


def test_nothing_is_sent_shown_or_named_whatever_is_pressed(visit: Visitor) -> None:
    visit.open("/intimate")
    before = len(visit.requests)
    result = visit.check("rocket.jpg")
    assert "Found: a picture very close to yours" in result
    assert "rocket.jpg" not in visit.page.inner_text("main")
    assert "Photo 1" in result
    assert visit.page.locator("main img").count() == 0
    assert visit.page.locator(".closer, [data-act=no], [data-act=save], [data-act=print], #no").count() == 0
    for n in range(visit.page.locator("main button, main summary").count()):
        button = visit.page.locator("main button, main summary").nth(n)
        if button.is_visible():
            button.click()
            visit.page.keyboard.press("Enter")
    assert visit.sent() == []
    assert visit.asked_since(before) == ["GET /v1/private/list"]
    assert all(request.post_data is None for request in visit.requests)
    assert not [r for r in visit.requests if r.url.startswith("blob:")]


def test_the_way_out_takes_the_place_of_the_page_in_the_history(visit: Visitor) -> None:
    visit.open("/about")
    visit.open("/intimate")
    visit.check("coffee.jpg")
    for _ in range(3):
        visit.page.keyboard.press("Escape")
    visit.page.wait_for_url("about:blank")
    visit.page.go_back()
    assert "/intimate" not in visit.page.url


def test_a_photo_that_is_not_found_is_no_proof_here_either(visit: Visitor) -> None:
    visit.open("/intimate")
    result = visit.check("coffee.jpg")
    assert "This is no proof that nobody has it." in result
    assert "closer look" not in result.lower()


@pytest.mark.parametrize(("size", "scheme"), [(PHONE, "dark"), (DESK, "light")], ids=["phone-dark", "desk-light"])
def test_it_is_accessible_with_a_result_too(browser: Browser, server: str, size: tuple[int, int], scheme: str) -> None:
    for visitor in open_page(browser, server, size, scheme):
        visitor.open("/intimate")
        visitor.check("rocket.jpg")
        visitor.accessible()
        visitor.fits()


def test_in_flight_mode_the_choice_is_kept(visit: Visitor) -> None:
    visit.open("/intimate")
    visit.page.context.set_offline(True)
    assert "The code is made, the comparison needs the network." in visit.check("coffee.jpg")
    visit.page.context.set_offline(False)
    visit.page.click("[data-act=retry]")
    expect(visit.page.locator(".result h3")).to_have_text("Not found in what we have looked at")
    visit.complaints.clear()  # Chromium reports the request that failed
