"""What counts for which sighting, and what another look at a site that changed does to what is recorded."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from crawl_bench import CRAWL, PAGE, Bench
from site_simulator import Headers

from checker.handles import Handles
from checker.lookup import Checker
from checker.settings import Settings
from crawler.fetch import NotFetchedReason

CDN = "https://cdn.example"
DAY_S = 86_400.0
NOAI = '<meta name="robots" content="noai">'
NOINDEX = '<meta name="robots" content="noindex">'


def change(bench: Bench, url: str) -> None:
    """Let a day pass, and take away what stands at `url`."""
    bench.web.time.passed_s += DAY_S
    bench.web.answers.pop(url, None)


def where(bench: Bench, name: str) -> list[tuple[int, bool]]:
    """Shown sightings and whether something is withheld, of each match of a picture."""
    checker = Checker(bench.folder, Settings(), Handles(b"k" * 32))
    report = checker.check(bench.pictures[name], now=bench.web.time.now())
    return [(len(match.sightings), match.withheld is not None) for match in report.matches]


def test_what_a_page_says_of_training_counts_for_the_picture_on_that_page(bench: Bench) -> None:
    bench.web.page(PAGE, f'{NOAI}<img src="/a.jpg"><a href="/open">open</a>')
    bench.web.page(f"{PAGE}open", '<img src="/a.jpg">')
    bench.web.file(f"{PAGE}a.jpg", bench.pictures["rocket"])
    bench.crawl()
    said = {s.page_url: s.verdict["train-ai"] for s in bench.sightings()}
    assert said == {PAGE: "deny", f"{PAGE}open": "unspecified"}


def test_a_known_picture_met_on_a_second_page_gets_what_that_page_says(bench: Bench) -> None:
    bench.web.page(PAGE, f'<img src="{CDN}/a.jpg"><a href="/noai">noai</a>')
    bench.web.answer(f"{PAGE}noai", 429, headers=[("Retry-After", "60")])  # so the picture comes first
    bench.web.page(f"{PAGE}noai", f'{NOAI}<img src="{CDN}/a.jpg">')
    bench.web.file(f"{CDN}/a.jpg", bench.pictures["rocket"], headers=[("Content-Signal", "search=no")])
    bench.crawl()
    said = {s.page_url: (s.verdict["train-ai"], s.verdict["search"], s.verdict["crawl"]) for s in bench.sightings()}
    assert said == {PAGE: ("unspecified", "deny", "allow"), f"{PAGE}noai": ("deny", "deny", "allow")}
    assert [asked.url for asked in bench.web.asked].count(f"{CDN}/a.jpg") == 1


def test_a_link_to_a_picture_that_stands_on_the_page_hears_the_page(bench: Bench) -> None:
    bench.web.page(PAGE, f'{NOAI}<a href="/a.jpg"><img src="/a.jpg"></a>')
    bench.web.file(f"{PAGE}a.jpg", bench.pictures["rocket"], headers=[("Content-Type", "image/jpeg")])
    bench.crawl()
    assert [s.verdict["train-ai"] for s in bench.sightings()] == ["deny"]


@pytest.mark.parametrize("status", [503, 404])
def test_a_page_that_does_not_answer_has_not_taken_back_its_no(bench: Bench, status: int) -> None:
    bench.web.page(PAGE, f'<a href="/shut">shut</a><img src="{CDN}/b.jpg">')
    bench.web.page(f"{PAGE}shut", f'{NOINDEX}<img src="{CDN}/a.jpg">')
    bench.web.file(f"{CDN}/a.jpg", bench.pictures["rocket"])
    bench.web.file(f"{CDN}/b.jpg", bench.pictures["coins"])
    bench.crawl()
    change(bench, f"{PAGE}shut")
    bench.web.answer(f"{PAGE}shut", status, headers=[("X-Robots-Tag", "noindex")])
    for _ in range(2):
        bench.crawl(refresh=True)
        bench.web.time.passed_s += DAY_S
    assert f"{CDN}/a.jpg" not in bench.web.urls()
    assert bench.coded() == 1


@pytest.mark.parametrize("status", [404, 410])
def test_a_picture_that_is_gone_was_last_seen_when_it_was_there(bench: Bench, status: int) -> None:
    bench.web.page(PAGE, '<img src="/a.jpg">')
    bench.web.file(f"{PAGE}a.jpg", bench.pictures["rocket"])
    bench.crawl()
    (before,) = bench.sightings()
    change(bench, f"{PAGE}a.jpg")
    bench.web.answer(f"{PAGE}a.jpg", status)
    assert bench.crawl(refresh=True).failed == {f"http-{status}": 1}
    (after,) = bench.sightings()
    assert replace(after, gone_since=None) == before
    assert after.gone_since is not None
    assert after.gone_since - before.last_seen >= timedelta(days=1)
    assert where(bench, "rocket") == [(0, True)]
    change(bench, f"{PAGE}a.jpg")
    bench.crawl(refresh=True)
    assert bench.sightings()[0].gone_since == after.gone_since  # the first day on which it was not there


def test_a_picture_that_came_back_is_not_gone(bench: Bench) -> None:
    bench.web.page(PAGE, '<img src="/a.jpg">')
    bench.web.file(f"{PAGE}a.jpg", bench.pictures["rocket"])
    bench.crawl()
    change(bench, f"{PAGE}a.jpg")
    bench.crawl(refresh=True)
    bench.web.file(f"{PAGE}a.jpg", bench.pictures["rocket"])
    bench.crawl(refresh=True)
    assert [sighting.gone_since for sighting in bench.sightings()] == [None]
    assert where(bench, "rocket") == [(1, False)]


def test_a_picture_that_was_replaced_leaves_the_old_sighting_as_it_was(bench: Bench) -> None:
    bench.web.page(PAGE, '<img src="/a.jpg">')
    bench.web.file(f"{PAGE}a.jpg", bench.pictures["rocket"])
    bench.crawl()
    (before,) = bench.sightings()
    change(bench, f"{PAGE}a.jpg")
    bench.web.file(f"{PAGE}a.jpg", bench.pictures["coins"])
    bench.crawl(refresh=True)
    old, new = bench.sightings()
    assert replace(old, gone_since=None) == before
    assert old.gone_since == new.first_seen
    assert new.first_seen - old.last_seen >= timedelta(days=1)


def test_a_picture_that_moved_to_another_page_is_not_seen_on_the_first_any_more(bench: Bench) -> None:
    bench.web.page(PAGE, '<img src="/a.jpg"><a href="/more">more</a>')
    bench.web.file(f"{PAGE}a.jpg", bench.pictures["rocket"])
    bench.crawl()
    (before,) = bench.sightings()
    change(bench, PAGE)
    bench.web.page(PAGE, '<a href="/more">more</a>')
    bench.web.page(f"{PAGE}more", '<img src="/a.jpg">')
    bench.crawl(refresh=True)
    old, new = bench.sightings()
    assert old == before
    assert (new.page_url, new.last_seen > old.last_seen) == (f"{PAGE}more", True)


def test_a_picture_that_no_page_shows_any_more_and_that_was_refused_is_not_asked_for(bench: Bench) -> None:
    bench.web.page(PAGE, f'{NOINDEX}<img src="{CDN}/a.jpg">')
    bench.web.file(f"{CDN}/a.jpg", bench.pictures["rocket"])
    bench.crawl()
    change(bench, PAGE)
    bench.web.page(PAGE, "nothing")
    for _ in range(3):
        bench.crawl(refresh=True)
    assert f"{CDN}/a.jpg" not in bench.web.urls()


@pytest.mark.parametrize(
    ("what", "headers", "status"),
    [
        ("noindex", [("X-Robots-Tag", "noindex")], 200),
        ("for us", [("X-Robots-Tag", "haveibeenscrapedbot: none")], 200),
        ("refused and gone", [("X-Robots-Tag", "noindex")], 404),
        ("pay", [], 402),
    ],
)
def test_a_no_that_came_later_withholds_the_sightings(bench: Bench, what: str, headers: Headers, status: int) -> None:
    bench.web.page(PAGE, '<img src="/a.jpg">')
    bench.web.file(f"{PAGE}a.jpg", bench.pictures["rocket"])
    bench.crawl()
    assert where(bench, "rocket") == [(1, False)]
    change(bench, f"{PAGE}a.jpg")
    bench.web.answer(f"{PAGE}a.jpg", status, bench.pictures["rocket"], headers=headers)
    bench.crawl(refresh=True)
    assert where(bench, "rocket") == [(0, True)], what


@pytest.mark.parametrize("how", ["robots.txt", "page"])
def test_a_later_no_of_robots_txt_or_the_page_withholds_the_sightings(bench: Bench, how: str) -> None:
    bench.web.page(PAGE, '<img src="/a.jpg">')
    bench.web.file(f"{PAGE}a.jpg", bench.pictures["rocket"])
    bench.crawl()
    change(bench, PAGE)
    bench.web.page(PAGE, f'{NOINDEX if how == "page" else ""}<img src="/a.jpg">')
    if how == "robots.txt":
        bench.web.robots("https://a.example", "User-agent: *\nDisallow: /a.jpg\n")
    bench.crawl(refresh=True)
    assert where(bench, "rocket") == [(0, True)]


def test_a_robots_txt_that_fails_for_once_withholds_nothing(bench: Bench) -> None:
    bench.web.page(PAGE, f'<img src="{CDN}/a.jpg">')
    bench.web.file(f"{CDN}/a.jpg", bench.pictures["rocket"])
    bench.crawl()
    bench.web.time.passed_s += DAY_S
    bench.web.fail(f"{CDN}/robots.txt", NotFetchedReason.UNREACHABLE)
    assert bench.crawl(refresh=True).failed == {"robots-unreachable": 1}
    assert where(bench, "rocket") == [(1, False)]


def test_pictures_that_are_none_count_for_the_limit(bench: Bench) -> None:
    bench.web.page(PAGE, "".join(f'<img src="https://victim.example/?{n}">' for n in range(20)))
    tally = bench.crawl(settings=replace(CRAWL, images_max=5))
    assert len([url for url in bench.web.urls() if "victim" in url]) == 5
    assert (tally.failed, tally.limit_reached) == ({"http-404": 5}, True)


def test_a_page_that_forbids_a_picture_keeps_forbidding_it_when_visited_again(bench: Bench) -> None:
    bench.web.page(PAGE, '<meta name="robots" content="noindex"><img src="https://cdn.example/a.jpg">')
    bench.web.file("https://cdn.example/a.jpg", bench.pictures["rocket"])
    bench.crawl()
    bench.crawl(refresh=True)
    assert "https://cdn.example/a.jpg" not in bench.web.urls()
    bench.web.answers[PAGE].clear()
    bench.web.page(PAGE, '<img src="https://cdn.example/a.jpg">')
    bench.crawl(refresh=True)
    bench.crawl(refresh=True)
    assert bench.coded() == 1


def test_what_a_page_says_of_training_reaches_its_pictures_even_in_a_later_run(bench: Bench) -> None:
    bench.web.page(PAGE, '<meta name="robots" content="noai"><img src="/a.jpg">')
    bench.web.file(f"{PAGE}a.jpg", bench.pictures["rocket"])
    bench.crawl(stop_after=2)  # robots.txt, the page
    assert bench.sightings() == []
    bench.crawl()
    assert bench.sightings()[0].verdict["train-ai"] == "deny"


def test_refresh_visits_everything_again_and_adds_nothing_twice(bench: Bench) -> None:
    bench.web.page(PAGE, '<img src="/a.jpg">')
    bench.web.file(f"{PAGE}a.jpg", bench.pictures["rocket"])
    bench.crawl()
    tally = bench.crawl(refresh=True)
    assert (tally.pages, tally.images, tally.new) == (1, 1, 0)
    assert len(bench.sightings()) == 1
