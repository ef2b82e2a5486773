"""A whole crawl on the in-memory web: what is asked for, what is not, and what is recorded."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from crawl_bench import CRAWL, PAGE, Bench
from site_simulator import START

from checker.errors import InputError
from checker.fingerprint.pictures import fingerprint_bytes
from checker.model import Picture, Use
from checker.optout.entry import Evidence
from checker.optout.request import OptOuts
from checker.settings import Settings
from crawler.fetch import NotFetchedReason


def test_a_picture_is_recorded_with_page_caption_and_verdict(bench: Bench) -> None:
    bench.web.page(PAGE, '<img src="/cat.jpg" alt="A cat"><a href="/more">more</a>')
    bench.web.page(f"{PAGE}more", '<img src="/cat.jpg" alt="The same cat">')
    bench.web.file(f"{PAGE}cat.jpg", bench.pictures["chelsea"], headers=[("X-Robots-Tag", "noai")])
    tally = bench.crawl()
    assert (tally.pages, tally.images, tally.new) == (2, 1, 1)
    first, second = bench.sightings()
    assert (first.image_url, first.page_url, first.caption) == (f"{PAGE}cat.jpg", PAGE, "A cat")
    assert (second.page_url, second.caption) == (f"{PAGE}more", "The same cat")
    assert first.verdict["train-ai"] == "deny"
    assert first.verdict["index"] == "unspecified"
    assert bench.coded() == 1


def test_robots_txt_is_asked_first_and_a_disallowed_address_never(bench: Bench) -> None:
    bench.web.robots("https://a.example", "User-agent: HaveIBeenScrapedBot\nDisallow: /private/\n")
    bench.web.page(PAGE, '<img src="/private/x.jpg"><img src="/open.jpg"><a href="/private/">p</a>')
    bench.web.file(f"{PAGE}open.jpg", bench.pictures["coins"])
    tally = bench.crawl()
    assert bench.web.asked[0].url == f"{PAGE}robots.txt"
    assert bench.web.urls() == [PAGE, f"{PAGE}open.jpg"]
    assert "1 page not taken: robots.txt at a.example" in tally.lines(0.0)
    assert "1 picture not taken: robots.txt at a.example" in tally.lines(0.0)


def test_pictures_on_another_host_obey_that_hosts_robots_txt(bench: Bench) -> None:
    bench.web.page(PAGE, '<img src="https://cdn.example/a.jpg"><img src="https://open.example/b.jpg">')
    bench.web.robots("https://cdn.example", "User-agent: *\nDisallow: /\n")
    bench.web.file("https://open.example/b.jpg", bench.pictures["brick"])
    tally = bench.crawl()
    assert bench.web.urls() == [PAGE, "https://open.example/b.jpg"]
    assert tally.images == 1


def test_every_hop_of_a_redirect_has_its_own_robots_check(bench: Bench) -> None:
    bench.web.page(PAGE, '<img src="/moved.jpg"><img src="/closed.jpg">')
    bench.web.redirect(f"{PAGE}moved.jpg", "https://b.example/real.jpg")
    bench.web.file("https://b.example/real.jpg", bench.pictures["coffee"])
    bench.web.redirect(f"{PAGE}closed.jpg", "https://c.example/closed.jpg")
    bench.web.robots("https://c.example", "User-agent: *\nDisallow: /closed\n")
    tally = bench.crawl()
    assert "https://c.example/closed.jpg" not in bench.web.urls()
    assert "https://b.example/robots.txt" in [asked.url for asked in bench.web.asked]
    assert (tally.images, len(tally.disallowed)) == (1, 1)
    assert bench.sightings()[0].image_url == f"{PAGE}moved.jpg"


def test_five_redirects_are_followed_and_no_more(bench: Bench) -> None:
    bench.web.page(PAGE, '<img src="/0.jpg">')
    for hop in range(20):
        bench.web.redirect(f"{PAGE}{hop}.jpg", f"/{hop + 1}.jpg")
    tally = bench.crawl()
    assert bench.web.urls() == [PAGE, *(f"{PAGE}{hop}.jpg" for hop in range(6))]
    assert tally.failed == {"too-many-redirects": 1}


def test_a_no_in_the_headers_spares_the_body(bench: Bench) -> None:
    bench.web.page(PAGE, '<img src="/a.jpg"><img src="/b.jpg">')
    bench.web.file(f"{PAGE}a.jpg", bench.pictures["rocket"], headers=[("X-Robots-Tag", "noindex")])
    bench.web.answer(f"{PAGE}b.jpg", 402, b"pay", headers=[("crawler-price", "USD 0.01")])
    tally = bench.crawl()
    read = {asked.url: asked.body_read for asked in bench.web.asked}
    assert read[f"{PAGE}a.jpg"] is False
    assert bench.coded() == 0
    assert bench.sightings() == []
    assert sorted(reason for _, reason, _ in tally.disallowed.values()) == ["http-402", "x-robots-tag"]


@pytest.mark.parametrize("how", ["meta", "header"])
def test_a_page_that_says_noindex_speaks_for_its_pictures(bench: Bench, how: str) -> None:
    meta = '<meta name="robots" content="noindex">' if how == "meta" else ""
    headers = [("X-Robots-Tag", "noindex")] if how == "header" else []
    bench.web.page(PAGE, f'{meta}<img src="/a.jpg"><a href="/next">next</a>', headers=headers)
    bench.web.page(f"{PAGE}next", '<img src="/a.jpg"><img src="/b.jpg">')
    bench.web.file(f"{PAGE}a.jpg", bench.pictures["rocket"])
    bench.web.file(f"{PAGE}b.jpg", bench.pictures["coins"])
    tally = bench.crawl()
    assert f"{PAGE}a.jpg" not in bench.web.urls()
    assert tally.images == 1
    assert list(tally.disallowed) == [f"{PAGE}a.jpg"]


def test_a_host_is_asked_one_thing_at_a_time_and_not_too_soon(bench: Bench) -> None:
    bench.web.page(PAGE, "".join(f'<img src="https://{h}.example/{n}.jpg">' for h in "bc" for n in range(3)))
    bench.crawl(settings=replace(CRAWL, delay_min_s=2.0))
    assert bench.web.most_at_once == 1
    for host in ("a.example", "b.example", "c.example"):
        times = [asked.at_s for asked in bench.web.asked if f"//{host}/" in asked.url]
        assert len(times) >= 3
        assert all(later - earlier >= 2.0 for earlier, later in pairwise(times))


def test_a_crawl_delay_is_kept(bench: Bench) -> None:
    bench.web.robots("https://a.example", "User-agent: *\nCrawl-delay: 30\n")
    bench.web.page(PAGE, '<img src="/a.jpg">')
    bench.crawl()
    times = [asked.at_s for asked in bench.web.asked]
    assert all(later - earlier >= 30.0 for earlier, later in pairwise(times[1:]))


def test_retry_after_is_waited_for_and_the_picture_taken_then(bench: Bench) -> None:
    bench.web.page(PAGE, '<img src="/a.jpg">')
    bench.web.answer(f"{PAGE}a.jpg", 429, headers=[("Retry-After", "90")])
    bench.web.file(f"{PAGE}a.jpg", bench.pictures["rocket"])
    tally = bench.crawl()
    first, second = (asked.at_s for asked in bench.web.asked if asked.url == f"{PAGE}a.jpg")
    assert second - first >= 90.0
    assert (tally.images, dict(tally.failed)) == (1, {})


def test_a_long_retry_after_ends_the_run_and_is_named(bench: Bench) -> None:
    bench.web.page(PAGE, '<img src="/a.jpg"><img src="/b.jpg">')
    bench.web.answer(f"{PAGE}a.jpg", 503, headers=[("Retry-After", "7200")])
    tally = bench.crawl()
    assert tally.retries == 2  # the host rests, so its other picture waits as well
    assert any("2 to be tried again, the first from 2026-11-22T16:0" in line for line in tally.lines(0.0))
    assert bench.web.urls().count(f"{PAGE}a.jpg") == 1


def test_three_tries_and_then_it_has_failed_for_good(bench: Bench) -> None:
    bench.web.page(PAGE, '<img src="/a.jpg"><img src="/gone.jpg">')
    bench.web.fail(f"{PAGE}a.jpg", NotFetchedReason.TIMEOUT)
    tally = bench.crawl()
    assert bench.web.urls().count(f"{PAGE}a.jpg") == 3
    assert bench.web.urls().count(f"{PAGE}gone.jpg") == 1
    assert tally.failed == {"timeout": 1, "http-404": 1}


def test_an_unreachable_robots_txt_closes_the_host_and_is_asked_for_three_times(bench: Bench) -> None:
    bench.web.page(PAGE, "".join(f'<img src="https://b.example/{n}.jpg">' for n in range(5)))
    bench.web.answer("https://b.example/robots.txt", 503)
    tally = bench.crawl()
    assert bench.web.urls() == [PAGE]
    assert [asked.url for asked in bench.web.asked].count("https://b.example/robots.txt") == 3
    assert tally.failed == {"robots-unreachable": 5}


def test_robots_txt_that_comes_back_opens_the_host(bench: Bench) -> None:
    bench.web.page(PAGE, '<img src="/a.jpg">')
    bench.web.fail(f"{PAGE}robots.txt", NotFetchedReason.UNREACHABLE)
    bench.web.robots("https://a.example", "")
    bench.web.file(f"{PAGE}a.jpg", bench.pictures["rocket"])
    assert bench.crawl().images == 1


def test_what_was_not_asked_for_because_its_host_was_down_is_asked_for_in_the_next_run(bench: Bench) -> None:
    bench.web.fail(f"{PAGE}robots.txt", NotFetchedReason.UNREACHABLE)
    assert bench.crawl().failed == {"robots-unreachable": 1}
    bench.web.answers.clear()
    bench.web.page(PAGE, '<img src="/a.jpg">')
    bench.web.file(f"{PAGE}a.jpg", bench.pictures["rocket"])
    assert bench.crawl().images == 1
    assert bench.crawl().nothing_done


def test_a_host_that_keeps_failing_is_left_alone(bench: Bench) -> None:
    bench.web.page(PAGE, "".join(f'<img src="https://b.example/{n}.jpg">' for n in range(20)))
    for n in range(20):
        bench.web.fail(f"https://b.example/{n}.jpg", NotFetchedReason.UNREACHABLE)
    tally = bench.crawl()
    assert len([url for url in bench.web.urls() if "b.example" in url]) == 6
    assert tally.failed == {"host-fails": 20}


def test_a_few_broken_files_are_no_host_that_fails(bench: Bench) -> None:
    names = sorted(bench.pictures)[:4]
    bench.web.page(PAGE, "".join(f'<img src="/{n}.jpg">' for n in ("broken", "torn", *names)))
    bench.web.fail(f"{PAGE}broken.jpg", NotFetchedReason.BAD_RESPONSE)
    bench.web.fail(f"{PAGE}torn.jpg", NotFetchedReason.BAD_RESPONSE)
    for name in names:
        bench.web.file(f"{PAGE}{name}.jpg", bench.pictures[name])
    tally = bench.crawl()
    assert (tally.images, tally.failed) == (4, {"bad-response": 2})


def test_an_address_that_is_closed_to_us_is_not_tried_again(bench: Bench) -> None:
    bench.web.page(PAGE, '<img src="http://10.0.0.1/a.jpg">')
    bench.web.fail("http://10.0.0.1/robots.txt", NotFetchedReason.BLOCKED_ADDRESS)
    tally = bench.crawl()
    assert tally.failed == {"blocked-address": 1}
    assert [asked.url for asked in bench.web.asked].count("http://10.0.0.1/robots.txt") == 1


def test_what_is_no_picture_fails_with_the_reason(bench: Bench) -> None:
    bench.web.page(PAGE, '<img src="/a.jpg"><img src="/b.jpg"><img src="/c.jpg">')
    bench.web.file(f"{PAGE}a.jpg", b"<html>not a picture</html>", headers=[("Content-Type", "image/jpeg")])
    bench.web.file(f"{PAGE}b.jpg", bench.pictures["rocket"][:2000])
    bench.web.file(f"{PAGE}c.jpg", bench.pictures["coins"], headers=[("Content-Type", "text/html")])
    tally = bench.crawl()
    assert tally.failed == {"not-a-picture": 1, "cut-off": 1}
    assert tally.images == 1  # what it is, is found out by reading it


def test_a_link_that_leads_to_a_picture_is_taken_as_one(bench: Bench) -> None:
    bench.web.page(PAGE, '<a href="/large">large</a><a href="/paper.pdf">paper</a>')
    bench.web.file(f"{PAGE}large", bench.pictures["coins"], headers=[("Content-Type", "image/jpeg")])
    bench.web.file(f"{PAGE}paper.pdf", b"%PDF-", headers=[("Content-Type", "application/pdf")])
    tally = bench.crawl()
    assert (tally.pages, tally.images, dict(tally.failed)) == (1, 1, {})
    assert bench.sightings()[0].image_url == f"{PAGE}large"


def test_the_scope_is_the_start_hosts(bench: Bench) -> None:
    bench.web.page(PAGE, '<a href="https://b.example/">b</a><a href="/away">away</a>')
    bench.web.redirect(f"{PAGE}away", "https://b.example/")
    bench.web.page("https://b.example/", '<img src="/b.jpg">')
    tally = bench.crawl()
    assert "https://b.example/b.jpg" not in bench.web.urls()
    assert dict(tally.failed) == {}


def test_a_start_address_that_leads_elsewhere_is_named(bench: Bench) -> None:
    bench.web.redirect(PAGE, "https://b.example/")
    assert bench.crawl().failed == {"redirect-out-of-scope": 1}


def test_a_start_address_that_is_no_page_is_named(bench: Bench) -> None:
    bench.web.file(PAGE, b"%PDF-", headers=[("Content-Type", "application/pdf")])
    tally = bench.crawl()
    assert (tally.pages, tally.failed) == (0, {"not-a-page": 1})
    assert tally.failures() == [f"{PAGE}: not-a-page"]


def test_limits_hold_over_all_runs_and_can_be_raised(bench: Bench) -> None:
    bench.web.page(PAGE, "".join(f'<a href="/{n}">{n}</a>' for n in range(5)))
    for n in range(5):
        bench.web.page(f"{PAGE}{n}", f'<img src="/{n}.jpg">')
        bench.web.file(f"{PAGE}{n}.jpg", list(bench.pictures.values())[n])
    few = replace(CRAWL, pages_max=3, images_max=1)
    tally = bench.crawl(settings=few)
    assert (tally.pages, tally.images, tally.limit_reached) == (3, 1, True)
    assert bench.crawl(settings=few).pages == 0
    tally = bench.crawl()
    assert (tally.pages, tally.images, tally.limit_reached) == (3, 4, False)


def test_depth_is_counted_from_the_start_addresses(bench: Bench) -> None:
    for n in range(5):
        bench.web.page(f"{PAGE}{n}", f'<a href="/{n + 1}">deeper</a><img src="/{n}.jpg">')
    bench.crawl(f"{PAGE}0", settings=replace(CRAWL, depth_max=2))
    assert [url for url in bench.web.urls() if not url.endswith(".jpg")] == [f"{PAGE}{n}" for n in range(3)]
    assert f"{PAGE}2.jpg" in bench.web.urls()


def test_the_same_command_goes_on_where_it_was_stopped(bench: Bench) -> None:
    names = sorted(bench.pictures)[:6]
    bench.web.page(PAGE, "".join(f'<img src="/{name}.jpg">' for name in names))
    for name in names:
        bench.web.file(f"{PAGE}{name}.jpg", bench.pictures[name])
    first = bench.crawl(stop_after=5)
    assert first.stopped
    second = bench.crawl()
    assert first.images + second.images == 6
    assert sorted(bench.web.urls()) == sorted([PAGE, *(f"{PAGE}{name}.jpg" for name in names)])
    assert bench.crawl().nothing_done


def test_another_start_address_needs_another_folder(bench: Bench) -> None:
    bench.web.page(PAGE, "")
    bench.crawl()
    with pytest.raises(InputError, match="another --data folder"):
        bench.crawl("https://b.example/")
    assert bench.crawl().nothing_done


def test_an_error_of_our_own_is_a_row_and_not_the_end(bench: Bench) -> None:
    bench.web.page(PAGE, '<img src="/a.jpg"><img src="/b.jpg">')
    bench.web.answers[f"{PAGE}a.jpg"] = [None]  # type: ignore[list-item]  # the simulator stumbles over it
    bench.web.file(f"{PAGE}b.jpg", bench.pictures["rocket"])
    tally = bench.crawl()
    assert tally.failed == {"internal-error: AttributeError": 1}
    assert tally.images == 1


def test_a_picture_that_was_opted_out_gets_no_code(bench: Bench) -> None:
    picture = fingerprint_bytes(bench.pictures["rocket"], Settings())
    assert isinstance(picture, Picture)
    with OptOuts.open(bench.folder.path, Settings(), now=START) as opt_outs:
        opt_outs.record([picture.fingerprints], uses=[Use.ALL], evidence=Evidence.PICTURE, now=START)
    bench.web.page(PAGE, '<img src="/a.jpg">')
    bench.web.file(f"{PAGE}a.jpg", bench.pictures["rocket"])
    assert bench.crawl().images == 1
    assert (bench.coded(), len(bench.sightings())) == (0, 1)


def test_signed_addresses_and_passwords_are_not_stored(bench: Bench) -> None:
    bench.web.page(PAGE, '<img src="https://me:secret@a.example/a.jpg?v=1&X-Amz-Signature=abc">')
    bench.web.file(f"{PAGE}a.jpg?v=1&X-Amz-Signature=abc", bench.pictures["rocket"])
    bench.crawl()
    assert [sighting.image_url for sighting in bench.sightings()] == [f"{PAGE}a.jpg?v=1"]


def test_tdmrep_is_fetched_once_a_host_and_heeded(bench: Bench) -> None:
    bench.web.page(PAGE, '<img src="/a.jpg"><img src="/b.jpg">')
    bench.web.file(f"{PAGE}a.jpg", bench.pictures["rocket"])
    bench.web.file(f"{PAGE}b.jpg", bench.pictures["coins"])
    bench.web.file(f"{PAGE}.well-known/tdmrep.json", b'[{"location": "/a.jpg", "tdm-reservation": 1}]')
    bench.crawl()
    assert [asked.url for asked in bench.web.asked].count(f"{PAGE}.well-known/tdmrep.json") == 1
    said = {sighting.image_url: sighting.verdict["tdm"] for sighting in bench.sightings()}
    assert said == {f"{PAGE}a.jpg": "deny", f"{PAGE}b.jpg": "unspecified"}


def test_the_sitemaps_that_robots_txt_names_are_read_and_lead_to_pages_and_pictures(bench: Bench) -> None:
    bench.web.robots("https://a.example", "Sitemap: https://a.example/map.xml\nSitemap: https://else.example/map.xml\n")
    bench.web.page(PAGE, "nothing")
    bench.web.page(f"{PAGE}hidden", "nothing either")
    sitemap = f"""<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"
        xmlns:image="http://www.google.com/schemas/sitemap-image/1.1"><url><loc>{PAGE}hidden</loc>
        <image:image><image:loc>{PAGE}a.jpg</image:loc><image:caption>A rocket</image:caption></image:image>
        </url></urlset>"""
    bench.web.file(f"{PAGE}map.xml", sitemap.encode(), headers=[("Content-Type", "text/plain")])
    bench.web.file(f"{PAGE}a.jpg", bench.pictures["rocket"])
    tally = bench.crawl()
    assert (tally.pages, tally.images) == (3, 1)
    assert "https://else.example/map.xml" not in bench.web.urls()
    (sighting,) = bench.sightings()
    assert (sighting.page_url, sighting.caption) == (f"{PAGE}hidden", "A rocket")
