"""An answer in words: found, not found, possible; which part, how sure, where; what was tried and what was sent."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from api_service import JPEG, TestClient, picture, visible

from api.answers import answer_words, coverage_words, said_words
from api.pages import Pages
from api.words import catalogue
from checker.model import Box, Locator, Sighting, Source
from checker.report import CheckStatus, Coverage, Match, MatchKind, Orientation, Report, Withheld

pytest_plugins = ("api_service",)
NOW = datetime(2026, 11, 22, 14, 3, tzinfo=UTC)
COVERAGE = Coverage(images=12_404, sources=2, newest=datetime(2026, 11, 20, tzinfo=UTC), checks=("phash256",))


def match(kind: MatchKind, **fields: object) -> Match:
    values = {"handle": "h", "orientation": Orientation.AS_IS, "crop": None, "distances": {}, "sightings": (), **fields}
    return Match(kind=kind, **values)  # type: ignore[arg-type]


def test_not_found_is_no_proof_and_carries_what_was_looked_at(service: TestClient, coffee: bytes) -> None:
    headers = {**JPEG, "Accept": "text/html"}
    shown = visible(service.post("/v1/lookups", content=coffee, headers=headers).text)
    assert "Not found in what we have looked at" in shown
    assert "This is no proof that nobody has it." in shown
    assert "We have looked at 2 pictures in 2 sources; the newest on 20 November 2026." in shown
    assert "Missed: heavy edits, a small part of a larger picture, drawings over most of it." in shown
    assert "What was sent: your photo, once, for this answer. It has been dropped." in shown


@pytest.mark.parametrize(
    ("checks", "said", "unsaid"),
    [
        (("phash256",), "Missed here: other cuts, slight turns, and stickers", "Also found as a rule"),
        (("phash256", "sscd512"), "Also found as a rule: other cuts, slight turns, and stickers", "Missed here"),
    ],
)
def test_what_was_tried_follows_from_the_codes_that_were_compared(
    checks: tuple[str, ...], said: str, unsaid: str
) -> None:
    coverage = replace(COVERAGE, checks=checks)
    told = " ".join(answer_words(Report(CheckStatus.CHECKED, None, coverage, ()), catalogue("en"), now=NOW).reach)
    assert "mirrored, turned, framed, captioned, in a screenshot, or cut as platforms cut" in told
    assert said in told
    assert unsaid not in told
    assert "Another photo of the same person is not looked for." in told


def test_whoever_sent_codes_is_told_that_less_was_tried(service: TestClient) -> None:
    codes = {"codes": {"phash256": {"version": "1", "hex": picture("coffee.jpg").fingerprints[0].hex}}}
    headers = {"Accept": "text/html", "Content-Type": "application/json"}
    shown = visible(service.post("/v1/lookups", json=codes, headers=headers).text)
    assert "Framed copies and screenshots need the photo itself." in shown
    assert "What was sent: photo codes, once, for this answer. They have been dropped." in shown
    assert "What was sent: your photo" not in shown


def test_found_says_what_where_since_when_and_what_the_site_had_said(service: TestClient, chelsea: bytes) -> None:
    page = service.post("/v1/lookups", content=chelsea, headers={**JPEG, "Accept": "text/html"}).text
    shown = visible(page)
    assert "Found: 1 copy" in shown
    assert "https://img.example/p/88.jpg" in shown
    assert "https://blog.example/trip" in shown
    assert "20 November 2026 first seen by us" in shown
    assert "no AI training" in shown
    assert "Opening this address shows your internet address to that site." in shown
    assert len(page.encode()) % 4096 == 0


def test_what_strangers_wrote_is_shown_and_never_run(service: TestClient, chelsea: bytes) -> None:
    page = service.post("/v1/lookups", content=chelsea, headers={**JPEG, "Accept": "text/html"}).text
    assert "<img" not in page
    assert "&lt;img src=x onerror=alert(1)&gt; \\u202egnp.exe \\u001b]0;x\\u0007" in page
    assert set(re.findall(r'href="([^"]*)"', page)) == {"/sources#source-1", "/sources", "/opt-out", "/receipts"}
    assert "src=" not in page.replace("img src=x onerror", "")


def test_a_photo_seen_in_a_hundred_places_leaves_the_way_to_say_no_in_reach(service: TestClient) -> None:
    seen = tuple(
        Sighting(f"https://img.example/{n}.jpg", None, None, Source("1", "web", "crawl"), None, NOW, NOW, {})
        for n in range(100)
    )
    report = Report(CheckStatus.CHECKED, None, COVERAGE, (match(MatchKind.SAME, sightings=seen),) * 7)
    pages: Pages = service.app.state.service.pages  # type: ignore[attr-defined]
    page = pages.html("answer.html", answer=answer_words(report, catalogue("en"), now=NOW))
    assert "Seen in 100 places, the first ones first." in page
    folded = page.split('<details class="more">')
    assert folded[0].count("<dl") == 3
    assert "<summary>Show 97 more places</summary>" in page
    assert "<summary>Show 2 more copies</summary>" in page
    assert page.count("<dl") == 700, "nothing is left out"


def test_first_and_last_are_two_points_and_one_where_it_was_seen_once(service: TestClient) -> None:
    source = Source("1", "web", "crawl")
    twice = Sighting("https://img.example/1.jpg", None, None, source, None, NOW - timedelta(days=90), NOW, {})
    once = replace(twice, first_seen=NOW)
    pages: Pages = service.app.state.service.pages  # type: ignore[attr-defined]
    for sighting, points in (
        (twice, "24 August 2026 first seen by us 22 November 2026 last seen by us"),
        (once, "When 22 November 2026 first seen by us The site"),
    ):
        report = Report(CheckStatus.CHECKED, None, COVERAGE, (match(MatchKind.SAME, sightings=(sighting,)),))
        assert points in visible(pages.html("answer.html", answer=answer_words(report, catalogue("en"), now=NOW)))


def test_what_one_can_do_now_follows_from_what_was_found(service: TestClient) -> None:
    pages: Pages = service.app.state.service.pages  # type: ignore[attr-defined]
    ask, site, no = "Ask those who hold it", "Ask the site to take it down", "Say no for this photo, and get a receipt"
    place = Sighting("https://img.example/1.jpg", None, None, Source("1", "web", "crawl"), None, NOW, NOW, {})
    for matches, told, untold in (
        (
            (match(MatchKind.SAME, sightings=(place,)),),
            (no, ask, site, "Learn of new copies"),
            ("Say no for the future",),
        ),
        ((match(MatchKind.SAME, withheld=Withheld(1, "2026-05")),), (no, "Learn of new copies"), (ask, site)),
        ((match(MatchKind.POSSIBLE),), ("Say no for the future",), (no, ask, site)),
        ((), ("Say no for the future", "This is no proof that nobody has it."), (no, ask, site)),
    ):
        report = Report(CheckStatus.CHECKED, None, COVERAGE, matches)
        page = visible(pages.html("answer.html", answer=answer_words(report, catalogue("en"), now=NOW)))
        assert all(text in page for text in told)
        assert not any(text in page for text in untold)


def test_why_places_are_withheld_is_said_once(service: TestClient) -> None:
    report = Report(CheckStatus.CHECKED, None, COVERAGE, (match(MatchKind.SAME, withheld=Withheld(3, "2026-05")),) * 3)
    pages: Pages = service.app.state.service.pages  # type: ignore[attr-defined]
    page = visible(pages.html("answer.html", answer=answer_words(report, catalogue("en"), now=NOW)))
    assert page.count("Where they are is not shown.") == 3
    assert page.count("The wording is always this one") == 1


def test_a_possible_copy_is_shown_apart_and_never_counted_as_found(service: TestClient) -> None:
    report = Report(CheckStatus.CHECKED, None, COVERAGE, (match(MatchKind.POSSIBLE),))
    answer = answer_words(report, catalogue("en"), now=NOW)
    assert (answer.found, answer.heading) == (False, "Not found in what we have looked at")
    assert [copy.title for copy in answer.possible] == ["Possible copy"]
    both = Report(CheckStatus.CHECKED, None, COVERAGE, (match(MatchKind.EDITED), match(MatchKind.POSSIBLE)))
    answer = answer_words(both, catalogue("en"), now=NOW)
    assert (answer.found, answer.heading) == (True, "Found: 1 copy")
    pages: Pages = service.app.state.service.pages  # type: ignore[attr-defined]
    page = visible(pages.html("answer.html", answer=answer))
    assert page.index("Edited copy") < page.index("1 possible copy: please compare yourself")
    assert "Too little agrees to be sure, so these are not counted as found." in page


def test_how_a_copy_was_edited_is_said_in_words() -> None:
    report = Report(CheckStatus.CHECKED, None, COVERAGE, (match(MatchKind.EDITED, orientation=Orientation.MIRRORED),))
    assert answer_words(report, catalogue("en"), now=NOW).copies[0].title == "Edited copy (mirrored)"
    for orientation in Orientation:
        if orientation is not Orientation.AS_IS:
            assert catalogue("en").has(f"orientation.{orientation.value}")


@pytest.mark.parametrize(
    ("kind", "crop", "stored_crop", "said"),
    [
        (MatchKind.EDITED, None, None, None),
        (MatchKind.EDITED, (0.1, 0.0, 0.9, 1.0), None, "It shows a part of your photo."),
        (MatchKind.EDITED, None, (0.1, 0.0, 0.9, 1.0), "Your photo is a part of it."),
        (MatchKind.POSSIBLE, (0.1, 0.0, 0.9, 1.0), (0.0, 0.0, 0.5, 0.5), "It shares a part with your photo."),
        (MatchKind.SAME, (0.1, 0.1, 0.9, 0.9), None, None),  # your photo has a border, the copy has none
    ],
)
def test_which_part_was_found_is_said_in_words(
    kind: MatchKind, crop: Box | None, stored_crop: Box | None, said: str | None
) -> None:
    report = Report(CheckStatus.CHECKED, None, COVERAGE, (match(kind, crop=crop, stored_crop=stored_crop),))
    answer = answer_words(report, catalogue("en"), now=NOW)
    (copy,) = answer.copies + answer.possible
    assert copy.part == said
    assert copy.frame == (",".join(f"{value:.4f}" for value in crop) if crop else None)


@pytest.mark.parametrize(
    ("expected", "said"),
    [
        (3e-31, "below 1 in 1,000,000."),
        (0.00043, "below 1 in 2,000."),
        (0.9, None),
        (None, None),
    ],
)
def test_how_likely_a_coincidence_is_is_said_in_round_numbers(expected: float | None, said: str | None) -> None:
    report = Report(CheckStatus.CHECKED, None, COVERAGE, (match(MatchKind.EDITED, expected_chance_matches=expected),))
    (copy,) = answer_words(report, catalogue("en"), now=NOW).copies
    assert (said in copy.sureness and "honest pictures" in copy.sureness) if said else copy.sureness is None


def test_codes_that_disagree_send_the_reader_to_the_pictures() -> None:
    forged = match(MatchKind.POSSIBLE, codes_disagree=True, expected_chance_matches=1e-9)
    (copy,) = answer_words(Report(CheckStatus.CHECKED, None, COVERAGE, (forged,)), catalogue("en"), now=NOW).possible
    assert copy.sureness == "Two ways of comparing disagree about this one, so look at both pictures yourself."


def test_a_withheld_place_has_one_wording() -> None:
    report = Report(CheckStatus.CHECKED, None, COVERAGE, (match(MatchKind.SAME, withheld=Withheld(3, "2026-05")),))
    (copy,) = answer_words(report, catalogue("en"), now=NOW).copies
    assert copy.places == ()
    assert copy.withheld == "We have seen it in 3 places; we saw the first in May 2026. Where they are is not shown."


def test_an_address_that_is_none_of_the_web_is_not_shown() -> None:
    source = Source("1", "x\u202ey", "folder")
    sighting = Sighting("javascript:alert(1)", "data:text/html,x", None, source, Locator("a.tar", 3, "k"), NOW, NOW, {})
    report = Report(CheckStatus.CHECKED, None, COVERAGE, (match(MatchKind.SAME, sightings=(sighting,)),))
    (place,) = answer_words(report, catalogue("en"), now=NOW).copies[0].places
    assert (place.image_url, place.page_url) == (None, None)
    assert place.source == "x\\u202ey"
    assert place.record == "a.tar, row 3, k"


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [
        ({}, "not asked: this source is a folder of pictures, not a site"),
        ({"crawl": "allow", "train-ai": "unspecified"}, "nothing that we could find"),
        ({"train-ai": "deny", "tdm": "conditional"}, "no AI training, automatic analysis only under conditions"),
        (
            {"search": "allow", "all": "unknown"},
            "search engines allowed, something about use of any kind that could not be read",
        ),
    ],
)
def test_what_the_site_had_said(verdict: dict[str, str], expected: str) -> None:
    assert said_words(verdict, catalogue("en")) == expected


def test_nothing_looked_at_is_no_answer_and_an_old_look_is_told() -> None:
    empty = Coverage(images=0, sources=0, newest=None, checks=())
    assert coverage_words(empty, catalogue("en"), now=NOW) == (
        "This service has looked at 0 pictures yet, so it cannot answer.",
    )
    fresh = coverage_words(COVERAGE, catalogue("en"), now=NOW)
    assert fresh == ("We have looked at 12,404 pictures in 2 sources; the newest on 20 November 2026.",)
    old = coverage_words(COVERAGE, catalogue("en"), now=NOW + timedelta(days=40))
    assert old[1] == "Nothing was looked at in the last 42 days."
