"""What a crawl refuses before it asks anybody anything."""

from __future__ import annotations

import re

import pytest

from checker.errors import InputError
from crawler.plan import make_plan, scope_of
from crawler.settings import CrawlSettings, check_contact

NOBODY = CrawlSettings()
SOMEBODY = CrawlSettings(contact="me@example.org")


@pytest.mark.parametrize("url", ["ftp://a.example/", "a.example", "file:///etc/passwd", "http://", ""])
def test_only_http_addresses_are_start_addresses(url: str) -> None:
    with pytest.raises(InputError, match="http://"):
        make_plan([url], settings=SOMEBODY)


def test_beyond_this_machine_somebody_must_be_reachable() -> None:
    with pytest.raises(InputError, match="HIBS_CONTACT"):
        make_plan(["https://a.example/"], settings=NOBODY)
    plan = make_plan(["https://a.example/"], settings=SOMEBODY)
    assert plan.settings.user_agent == "HaveIBeenScrapedBot/0.1.0 (+me@example.org)"
    assert plan.guard.allows("8.8.8.8", 443)


def test_a_crawl_of_this_machine_needs_nobody_and_reaches_nothing_else() -> None:
    plan = make_plan(["http://g.localhost:8001/"], settings=NOBODY, opened=["127.0.0.1:8001"], delay_s=0.0)
    assert not plan.guard.allows("8.8.8.8", 443)
    assert (plan.settings.delay_local_s, plan.settings.delay_min_s) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("urls", "opened"),
    [
        (["https://a.example/"], ["127.0.0.1:8001"]),
        (["http://127.0.0.1:8001/", "https://a.example/"], ["127.0.0.1:8001"]),
        (["http://10.0.0.1:8001/"], ["10.0.0.1:8001"]),
    ],
)
def test_a_short_pause_is_for_opened_addresses_of_this_machine_only(urls: list[str], opened: list[str]) -> None:
    with pytest.raises(InputError, match="too short"):
        make_plan(urls, settings=SOMEBODY, opened=opened, delay_s=0.5)
    assert make_plan(urls, settings=SOMEBODY, opened=opened, delay_s=2.0).settings.delay_min_s == 2.0


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("http://127.0.0.1:8002/", "open it with --allow-address 127.0.0.1:8002"),
        ("http://[::1]/", "open it with --allow-address [::1]:80"),
        ("http://g.localhost:8001/", "open it with --allow-address g.localhost:8001"),
        ("https://a.example:8443/", "only 80 and 443"),
    ],
)
@pytest.mark.parametrize("settings", [NOBODY, SOMEBODY])
def test_a_start_address_that_the_guard_would_close_is_refused_at_once(
    url: str, sentence: str, settings: CrawlSettings
) -> None:
    with pytest.raises(InputError, match=re.escape(sentence)):
        make_plan([url], settings=settings)


@pytest.mark.parametrize("delay_s", [-1.0, float("nan"), float("inf")])
def test_a_pause_is_a_number_of_seconds(delay_s: float) -> None:
    with pytest.raises(InputError, match="no pause"):
        make_plan(["http://127.0.0.1:8001/"], settings=NOBODY, opened=["127.0.0.1:8001"], delay_s=delay_s)


def test_limits_below_what_makes_sense_are_refused() -> None:
    with pytest.raises(InputError, match="--max-pages 0"):
        make_plan(["https://a.example/"], settings=CrawlSettings(contact="me@example.org", pages_max=0))


def test_start_addresses_are_kept_without_passwords() -> None:
    plan = make_plan(["https://me:secret@a.example/x#y", "https://a.example/x"], settings=SOMEBODY)
    assert plan.start == ("https://a.example/x",)
    assert plan.scope.takes_page("https://a.example/")


def test_the_order_of_start_addresses_is_no_change_of_scope() -> None:
    one = make_plan(["https://a.example/", "https://b.example/"], settings=SOMEBODY)
    two = make_plan(["https://b.example/", "https://a.example/"], settings=SOMEBODY)
    assert one.scope_text == two.scope_text
    assert one.source_name == "a.example, b.example"


@pytest.mark.parametrize("contact", ["me@example.org", "mailto:me@example.org", "https://example.org/bot?x=1", ""])
def test_a_contact_is_an_address(contact: str) -> None:
    assert check_contact(contact) == contact


@pytest.mark.parametrize(
    "contact", ["me", "me@", "x (y)", "a@b.example\r\nX: y", "https://a.example/ b", "https://a/(b)"]
)
def test_a_contact_that_reaches_nobody_or_breaks_the_header_is_refused(contact: str) -> None:
    with pytest.raises(InputError, match=re.escape("--contact")):
        check_contact(contact)


@pytest.mark.parametrize(
    ("start", "taken", "left"),
    [
        ("http://example.org/", "https://www.example.org/a", "https://blog.example.org/a"),
        ("https://www.example.org/", "http://example.org/a", "https://example.com/a"),
        ("http://example.org:8080/", "http://example.org:8080/a", "https://example.org/a"),
        ("http://203.0.113.5/", "http://203.0.113.5/a", "https://203.0.113.5/a"),
        ("http://gallery.localhost:8001/", "http://gallery.localhost:8001/a", "http://www.gallery.localhost:8001/a"),
    ],
)
def test_a_site_is_taken_in_the_spellings_that_it_redirects_between(start: str, taken: str, left: str) -> None:
    scope = scope_of([start])
    assert scope.takes_page(start)
    assert scope.takes_page(taken)
    assert not scope.takes_page(left)
