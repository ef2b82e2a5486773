"""Looking again: what is asked conditionally, what a 304 updates, what is forgotten."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from crawl_bench import CRAWL, PAGE, Bench
from site_simulator import Headers

from checker.errors import DataError
from checker.fingerprint.robust import RobustModel
from checker.settings import Settings
from crawler.settings import CrawlSettings

DAY_S = 86_400.0
PICTURE = f"{PAGE}a.jpg"
VALIDATORS = [("ETag", '"v1"'), ("Last-Modified", "Sun, 22 Nov 2026 10:00:00 GMT")]
UNCONFIRMED = replace(Settings(), retention_days=30)
NO_MODEL = replace(Settings(), robust="off")


def seen(bench: Bench, *headers: tuple[str, str]) -> None:
    """A picture was seen, and a day passes."""
    bench.web.page(PAGE, '<img src="/a.jpg">')
    bench.web.file(PICTURE, bench.pictures["rocket"], headers=[*VALIDATORS, *headers])
    bench.crawl()
    bench.web.time.passed_s += DAY_S


def answers(bench: Bench, status: int, *, headers: Headers = ()) -> None:
    """From now on the picture's address answers so."""
    bench.web.answers.pop(PICTURE, None)
    bench.web.answer(PICTURE, status, bench.pictures["rocket"], headers=headers)


def sent(bench: Bench) -> dict[str, str]:
    """The conditions of the last request for the picture."""
    return dict(next(asked.headers for asked in reversed(bench.web.asked) if asked.url == PICTURE))


def test_the_first_look_is_unconditional(bench: Bench) -> None:
    seen(bench)
    assert sent(bench) == {}


def test_a_refresh_asks_whether_the_picture_changed(bench: Bench) -> None:
    """RFC 9110 13.1.2, 13.1.3."""
    seen(bench)
    answers(bench, 304)
    tally = bench.crawl(refresh=True)
    assert sent(bench) == {"If-None-Match": '"v1"', "If-Modified-Since": "Sun, 22 Nov 2026 10:00:00 GMT"}
    assert (tally.images, tally.new, tally.failed) == (1, 0, {})


def test_a_picture_that_did_not_change_was_seen_again(bench: Bench) -> None:
    seen(bench)
    (before,) = bench.sightings()
    answers(bench, 304)
    bench.crawl(refresh=True)
    (after,) = bench.sightings()
    assert after.first_seen == before.first_seen
    assert after.last_seen - before.last_seen >= timedelta(days=1)
    assert bench.coded() == 1


def test_what_the_stored_headers_said_holds_until_a_304_says_otherwise(bench: Bench) -> None:
    """RFC 9111 4.3.4; the rule for opt-outs is that a newer refusal wins."""
    seen(bench, ("X-Robots-Tag", "noai"))
    answers(bench, 304)
    bench.crawl(refresh=True)
    assert bench.sightings()[0].verdict["train-ai"] == "deny"
    answers(bench, 304, headers=[("X-Robots-Tag", "nosnippet")])
    bench.web.time.passed_s += DAY_S
    bench.crawl(refresh=True)
    assert bench.sightings()[0].verdict["train-ai"] == "unspecified"


def test_a_304_that_says_no_withholds_the_sighting(bench: Bench) -> None:
    seen(bench)
    answers(bench, 304, headers=[("X-Robots-Tag", "noindex")])
    assert len(bench.crawl(refresh=True).disallowed) == 1
    assert bench.sightings()[0].verdict["index"] == "deny"


def test_a_picture_without_validators_is_fetched_again(bench: Bench) -> None:
    bench.web.page(PAGE, '<img src="/a.jpg">')
    bench.web.file(PICTURE, bench.pictures["rocket"])
    bench.crawl()
    bench.crawl(refresh=True)
    assert sent(bench) == {}


def test_a_picture_that_lacks_a_code_is_fetched_again(bench: Bench) -> None:
    if RobustModel.of(Settings()) is None:
        pytest.skip("the extra robust is not installed for this Python")
    bench.web.page(PAGE, '<img src="/a.jpg">')
    bench.web.file(PICTURE, bench.pictures["rocket"], headers=VALIDATORS)
    bench.crawl(pictures=NO_MODEL)
    bench.crawl(refresh=True)
    assert sent(bench) == {}
    bench.crawl(refresh=True)
    assert sent(bench) != {}


def test_a_changed_picture_is_a_new_sighting_and_the_old_one_is_gone(bench: Bench) -> None:
    seen(bench)
    bench.web.answers.pop(PICTURE)
    bench.web.file(PICTURE, bench.pictures["coins"], headers=[("ETag", '"v2"')])
    assert bench.crawl(refresh=True).new == 1
    old, new = bench.sightings()
    assert (old.gone_since, new.gone_since) == (new.first_seen, None)


def test_a_304_that_nobody_asked_for_is_no_picture(bench: Bench) -> None:
    bench.web.page(PAGE, '<img src="/a.jpg">')
    bench.web.answer(PICTURE, 304)
    assert bench.crawl().failed == {"http-304": 1}


def test_what_was_not_confirmed_for_too_long_is_forgotten_at_a_refresh(bench: Bench) -> None:
    bench.web.page(PAGE, '<img src="/a.jpg"><img src="/b.jpg">')
    bench.web.file(PICTURE, bench.pictures["rocket"])
    bench.web.file(f"{PAGE}b.jpg", bench.pictures["coins"])
    bench.crawl()
    bench.web.answers.pop(PICTURE)
    bench.web.time.passed_s += 40 * DAY_S
    bench.crawl(pictures=UNCONFIRMED)
    assert len(bench.sightings()) == 2, "only a refresh forgets"
    assert bench.crawl(refresh=True, pictures=UNCONFIRMED).forgotten == 1
    assert [sighting.image_url for sighting in bench.sightings()] == [f"{PAGE}b.jpg"]
    assert bench.coded() == 1


def test_nothing_is_forgotten_unless_the_setting_says_so(bench: Bench) -> None:
    seen(bench)
    bench.web.answers.pop(PICTURE)
    bench.web.time.passed_s += 4000 * DAY_S
    assert bench.crawl(refresh=True).forgotten == 0
    assert len(bench.sightings()) == 1


def test_robots_txt_of_a_run_before_is_good_for_a_day(bench: Bench) -> None:
    """RFC 9309 2.4."""
    bench.web.page(PAGE, '<a href="/more">more</a>')
    bench.web.page(f"{PAGE}more", "")
    bench.crawl(settings=replace(CRAWL, pages_max=1))
    bench.crawl(settings=replace(CRAWL, pages_max=2))
    assert [asked.url for asked in bench.web.asked].count(f"{PAGE}robots.txt") == 1
    bench.web.page(f"{PAGE}more", '<a href="/again">again</a>')
    bench.web.time.passed_s += DAY_S
    bench.crawl(refresh=True)
    assert [asked.url for asked in bench.web.asked].count(f"{PAGE}robots.txt") == 2


def test_a_robots_txt_that_could_not_be_had_is_asked_for_again_by_the_next_run(bench: Bench) -> None:
    bench.web.answer(f"{PAGE}robots.txt", 503)
    bench.web.page(PAGE, '<img src="/a.jpg">')
    bench.web.file(PICTURE, bench.pictures["rocket"])
    bench.crawl()
    bench.web.answers.pop(f"{PAGE}robots.txt")
    bench.web.time.passed_s += 3_600
    assert bench.crawl().images == 1


@pytest.mark.parametrize("asks", ["3600", "Sun, 22 Nov 2026 15:03:10 GMT"])
def test_how_long_a_host_wants_to_be_left_alone_outlasts_the_run(bench: Bench, asks: str) -> None:
    """RFC 9110 10.2.3: seconds or a date."""
    bench.web.answer(PAGE, 503, headers=[("Retry-After", asks)])
    bench.web.page(PAGE, "")
    patience = replace(CRAWL, turn_wait_max_s=10.0)
    assert bench.crawl(settings=patience).retries == 1
    asked = len(bench.web.asked)
    bench.web.time.passed_s += 1_000
    assert bench.crawl(settings=patience).retries == 1
    assert len(bench.web.asked) == asked
    bench.web.time.passed_s += 2_700
    assert bench.crawl(settings=patience).pages == 1


def test_a_host_gives_no_more_than_its_budget(bench: Bench) -> None:
    other = "https://b.example"
    bench.web.page(PAGE, "".join(f'<img src="{other}/{n}.jpg"><a href="/{n}">{n}</a>' for n in range(9)))
    bench.crawl(settings=CrawlSettings(contact=CRAWL.contact, host_pages_max=3, host_images_max=4))
    urls = bench.web.urls()
    assert len([url for url in urls if url.startswith(other)]) == 4
    assert len([url for url in urls if url.startswith(PAGE)]) == 3


def test_the_secret_parts_of_an_address_are_asked_for_and_never_written_down(bench: Bench) -> None:
    signed = f"{PAGE}a.jpg?w=200&X-Amz-Signature=abc"
    bench.web.page(PAGE, f'<img src="{signed.replace("&", "&amp;")}">')
    bench.web.file(signed, bench.pictures["rocket"])
    bench.crawl()
    assert signed in bench.web.urls()
    assert bench.sightings()[0].image_url == f"{PAGE}a.jpg?w=200"
    database = bench.folder.store._db
    written = [str(row) for table in database.table_names() for row in database[table].rows]
    assert not any("X-Amz-Signature" in row for row in written)


def test_a_robots_txt_that_is_damaged_in_the_records_is_asked_for_again(bench: Bench) -> None:
    bench.web.robots("https://a.example", "User-agent: *\nDisallow: /no\n")
    bench.web.page(PAGE, '<a href="/more">more</a>')
    bench.web.page(f"{PAGE}more", "")
    bench.crawl(settings=replace(CRAWL, pages_max=1))
    database = bench.folder.store._db
    database.execute("DROP TRIGGER evidence_body_never_changes")
    database.execute("UPDATE evidence_body SET body = x'00', packed = 0")
    assert bench.crawl().pages == 1
    assert [asked.url for asked in bench.web.asked].count(f"{PAGE}robots.txt") == 2


def test_a_database_that_cannot_be_read_ends_the_crawl_and_fails_no_address(bench: Bench) -> None:
    """It says nothing of any address; a row for each of them would be a lie, and the crawl would be over."""
    bench.web.page(PAGE, '<a href="/more">more</a>')
    bench.crawl(settings=replace(CRAWL, pages_max=1))
    before = bench.folder.frontier.counts()
    bench.folder.store._db.execute("ALTER TABLE evidence RENAME TO elsewhere")
    with pytest.raises(BaseExceptionGroup) as ended:
        bench.crawl()
    assert ended.group_contains(DataError)
    assert bench.folder.frontier.counts().failed == before.failed == 0
