"""The words of the pages: complete, plain, and none that promises more than is so."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path

import pytest
from api_service import JPEG, Opener, TestClient

from api.answers import answer_words, coverage_words, said_words
from api.pages import Pages
from api.words import words
from checker.model import Locator, Sighting, Source
from checker.records.folder import DataFolder
from checker.report import CheckStatus, Coverage, Match, MatchKind, Orientation, Report, Withheld
from checker.settings import Settings

pytest_plugins = ("api_service",)
API = Path(__file__).resolve().parents[2] / "api"
CATALOGUE: dict[str, str] = json.loads((API / "catalogue" / "en.json").read_text(encoding="utf-8"))
PAGES = ("/", "/receipts", "/operators", "/sources", "/privacy", "/about", "/docs", "/problems/too-plain")
NEVER = (
    *("safe", "not scraped", "removed", "protected", "anonymous", "anonymously", "guaranteed", "deleted", "clean"),
    *(
        "proof of ownership",
        "proof of infringement",
        "gdpr compliant",
        "faces cannot match",
        "never leaves your device",
    ),
    *("stays on your device", "stay on this device", "victim", "exposed", "your face", "leaked"),
)
"""Words that promise what nobody can keep, or that frighten."""
NOT_FOR_PEOPLE = (
    "hash",
    "fingerprint",
    "perceptual",
    "hamming",
    "bits",
    "verdict",
    "corpus",
    "frontier",
    "sketch",
    "deny",
)
"""Words of the trade. Programs and operators get them, on their own pages."""
ALLOWED = {"The file stays on your device; the code in it is sent to this server."}
NOW = datetime(2026, 11, 22, 14, 3, tzinfo=UTC)
COVERAGE = Coverage(images=12_404, sources=2, newest=datetime(2026, 11, 20, tzinfo=UTC), checks=("phash256",))


def visible(page: str) -> str:
    without_data = re.sub(r"<script.*?</script>", " ", page, flags=re.DOTALL)
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", without_data)))


def match(kind: MatchKind, **fields: object) -> Match:
    values = {"handle": "h", "orientation": Orientation.AS_IS, "crop": None, "distances": {}, "sightings": (), **fields}
    return Match(kind=kind, **values)  # type: ignore[arg-type]


# --- the catalogue ---------------------------------------------------------------------------------------------


def test_templates_hold_no_words_of_their_own() -> None:
    for template in (API / "templates").glob("*.html"):
        text = re.sub(r"\{% block robots %\}[a-z]+", "", template.read_text(encoding="utf-8"))
        text = re.sub(r"\{[%{].*?[%}]\}", " ", text, flags=re.DOTALL)
        assert not re.search(r"[A-Za-z]{2,}", visible(text)), template.name
        assert not re.search(r'(alt|title|aria-label|placeholder)="[^"{]*[A-Za-z]', text), template.name


def test_scripts_hold_no_words_of_their_own() -> None:
    for script in (API / "static").glob("*.js"):
        code = re.sub(r"^\s*(//|/\*\*).*$", "", script.read_text(encoding="utf-8"), flags=re.MULTILINE)
        assert not re.search(r"[\"'`][A-Z][a-z]+ [a-z]+", code), script.name


def test_every_key_that_is_asked_for_is_there_and_every_text_is_asked_for() -> None:
    sources = [*(API / "templates").glob("*.html"), *API.glob("*.py"), *(API / "routes").glob("*.py")]
    asked = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    scripts = "\n".join(path.read_text(encoding="utf-8") for path in (API / "static").glob("*.js"))
    for key in re.findall(r'\bsay\("([a-z-]+\.[a-z0-9.-]*[a-z0-9])"', asked):
        assert key in CATALOGUE, key
    for key in re.findall(r'\bwords(?:\.([a-z]+)|\["([a-z-]+)"\])', scripts):
        assert f"script.{key[0] or key[1]}" in CATALOGUE, key
    built = re.compile(
        r"^(no|use|said|kind|orientation|sources\.kind|about\.must-not|problem|nav|script|date|number)[.-]"
    )
    for key in CATALOGUE:
        plain = re.sub(r"\.(one|other)$", "", key)
        assert plain in asked or built.match(key), f"nobody asks for {key}"


def test_no_sentence_is_long() -> None:
    for key, text in CATALOGUE.items():
        for sentence in re.split(r"(?<=[.!?:;])\s", text):
            assert len(sentence.split()) <= 26, f"{key}: {sentence}"


@pytest.mark.parametrize("word", NEVER)
def test_no_text_promises_more_than_is_so(word: str) -> None:
    for key, text in CATALOGUE.items():
        if text not in ALLOWED and not any(allowed in text for allowed in ALLOWED):
            assert not re.search(rf"\b{re.escape(word)}\b", text.lower()), f"{key}: {text}"


def test_pages_for_everybody_use_no_words_of_the_trade(service: TestClient) -> None:
    for path in ("/", "/receipts", "/sources", "/privacy", "/about"):
        shown = visible(service.get(path).text).lower()
        for word in NOT_FOR_PEOPLE:
            assert not re.search(rf"\b{word}\b", shown), f"{path}: {word}"


def test_first_always_says_that_it_was_we_who_saw_it() -> None:
    for key, text in CATALOGUE.items():
        for found in re.finditer(r"first seen|saw it first|saw the first|for the first time", text.lower()):
            around = text.lower()[max(0, found.start() - 40) : found.end() + 8]
            assert re.search(r"\bwe (saw|have seen)\b|by us", around), f"{key}: {text}"


# --- answers ---------------------------------------------------------------------------------------------------


def test_not_found_is_no_proof_and_carries_what_was_looked_at(service: TestClient, coffee: bytes) -> None:
    headers = {**JPEG, "Accept": "text/html"}
    shown = visible(service.post("/v1/lookups", content=coffee, headers=headers).text)
    assert "Not found in what we have looked at" in shown
    assert "This is no proof that nobody has it." in shown
    assert "We have looked at 2 pictures in 2 sources; the newest on 20 November 2026." in shown
    assert "Cropped, mirrored or turned copies are missed." in shown


def test_found_says_what_where_since_when_and_what_the_site_had_said(service: TestClient, chelsea: bytes) -> None:
    page = service.post("/v1/lookups", content=chelsea, headers={**JPEG, "Accept": "text/html"}).text
    shown = visible(page)
    assert "Found: 1 copy" in shown
    assert "https://img.example/p/88.jpg" in shown
    assert "https://blog.example/trip" in shown
    assert "We saw it first on 20 November 2026" in shown
    assert "no AI training" in shown
    assert "Opening this address shows your internet address to that site." in shown
    assert len(page.encode()) % 4096 == 0


def test_what_strangers_wrote_is_shown_and_never_run(service: TestClient, chelsea: bytes) -> None:
    page = service.post("/v1/lookups", content=chelsea, headers={**JPEG, "Accept": "text/html"}).text
    assert "<img" not in page
    assert "&lt;img src=x onerror=alert(1)&gt; \\u202egnp.exe \\u001b]0;x\\u0007" in page
    assert set(re.findall(r'href="([^"]*)"', page)) == {"/sources#source-1"}
    assert "src=" not in page.replace("img src=x onerror", "")


def test_a_photo_seen_in_a_hundred_places_leaves_the_way_to_say_no_in_reach(service: TestClient) -> None:
    seen = tuple(
        Sighting(f"https://img.example/{n}.jpg", None, None, Source("1", "web", "crawl"), None, NOW, NOW, {})
        for n in range(100)
    )
    report = Report(CheckStatus.CHECKED, None, COVERAGE, (match(MatchKind.SAME, sightings=seen),) * 7)
    pages: Pages = service.app.state.service.pages  # type: ignore[attr-defined]
    page = pages.html("answer.html", answer=answer_words(report, words(), now=NOW))
    assert "Seen in 100 places, the first ones first." in page
    folded = page.split('<details class="more">')
    assert folded[0].count("<dl") == 3
    assert "<summary>Show 97 more places</summary>" in page
    assert "<summary>Show 2 more copies</summary>" in page
    assert page.count("<dl") == 700, "nothing is left out"


def test_why_places_are_withheld_is_said_once(service: TestClient) -> None:
    report = Report(CheckStatus.CHECKED, None, COVERAGE, (match(MatchKind.SAME, withheld=Withheld(3, "2026-05")),) * 3)
    pages: Pages = service.app.state.service.pages  # type: ignore[attr-defined]
    page = visible(pages.html("answer.html", answer=answer_words(report, words(), now=NOW)))
    assert page.count("Where they are is not shown.") == 3
    assert page.count("The wording is always this one") == 1


def test_a_possible_copy_is_shown_apart_and_never_counted_as_found() -> None:
    report = Report(CheckStatus.CHECKED, None, COVERAGE, (match(MatchKind.POSSIBLE),))
    answer = answer_words(report, words(), now=NOW)
    assert (answer.found, answer.heading) == (False, "Not found in what we have looked at")
    assert [copy.title for copy in answer.possible] == ["Possible copy"]
    both = Report(CheckStatus.CHECKED, None, COVERAGE, (match(MatchKind.EDITED), match(MatchKind.POSSIBLE)))
    assert answer_words(both, words(), now=NOW).heading == "Found: 1 copy, 1 possible copy"


def test_how_a_copy_was_edited_is_said_in_words() -> None:
    report = Report(CheckStatus.CHECKED, None, COVERAGE, (match(MatchKind.EDITED, orientation=Orientation.MIRRORED),))
    assert answer_words(report, words(), now=NOW).copies[0].title == "Edited copy (mirrored)"
    for orientation in Orientation:
        if orientation is not Orientation.AS_IS:
            assert words().has(f"orientation.{orientation.value}")


def test_a_withheld_place_has_one_wording() -> None:
    report = Report(CheckStatus.CHECKED, None, COVERAGE, (match(MatchKind.SAME, withheld=Withheld(3, "2026-05")),))
    (copy,) = answer_words(report, words(), now=NOW).copies
    assert copy.places == ()
    assert copy.withheld == "We have seen it in 3 places; we saw the first in May 2026. Where they are is not shown."


def test_an_address_that_is_none_of_the_web_is_not_shown() -> None:
    source = Source("1", "x\u202ey", "folder")
    sighting = Sighting("javascript:alert(1)", "data:text/html,x", None, source, Locator("a.tar", 3, "k"), NOW, NOW, {})
    report = Report(CheckStatus.CHECKED, None, COVERAGE, (match(MatchKind.SAME, sightings=(sighting,)),))
    (place,) = answer_words(report, words(), now=NOW).copies[0].places
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
    assert said_words(verdict, words()) == expected


def test_nothing_looked_at_is_no_answer_and_an_old_look_is_told() -> None:
    empty = Coverage(images=0, sources=0, newest=None, checks=())
    assert coverage_words(empty, words(), now=NOW) == (
        "This service has looked at 0 pictures yet, so it cannot answer.",
    )
    fresh = coverage_words(COVERAGE, words(), now=NOW)
    assert fresh == ("We have looked at 12,404 pictures in 2 sources; the newest on 20 November 2026.",)
    old = coverage_words(COVERAGE, words(), now=NOW + timedelta(days=40))
    assert old[1] == "Nothing was looked at in the last 42 days."


# --- pages -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PAGES)
def test_every_page_is_whole_and_loads_nothing_from_elsewhere(service: TestClient, path: str) -> None:
    answer = service.get(path)
    assert answer.status_code == 200
    assert answer.text.startswith('<!doctype html>\n<html lang="en">')
    assert answer.text.count("<h1") == 1
    loaded = re.findall(r'(?:src|href)="([^"]+)"', "\n".join(re.findall(r"<(?:script|link|img)[^>]*>", answer.text)))
    assert loaded
    assert all(address.startswith("/static/") for address in loaded)
    assert not re.search(r"<[^>]+\son[a-z]+=", answer.text)
    assert " style=" not in answer.text


def test_the_first_load_is_small(service: TestClient) -> None:
    start = service.get("/").text
    files = re.findall(r'(?:src|href)="(/static/[^"]+)"', start)
    total = len(start) + sum(len(service.get(file).content) for file in files)
    assert total < 60_000


def test_the_start_page_says_that_the_photo_is_sent_and_how_to_go_on_without_scripts(service: TestClient) -> None:
    page = service.get("/").text
    shown = visible(page)
    assert "the photo is sent to this server. It is compared in memory and dropped with the answer." in shown
    assert "hibs check photo.jpg --server http://127.0.0.1:8000" in shown
    assert page.index('id="door"') < page.index('id="photo"'), "the door stands above the button"
    for link in ("https://stopncii.org/", "https://takeitdown.ncmec.org/"):
        assert f'<a href="{link}" rel="noreferrer noopener">' in page


def test_an_empty_service_says_so_and_offers_no_button(open_service: Opener, tmp_path: Path) -> None:
    DataFolder.open(tmp_path / "empty", create=True).close()
    settings = Settings(operator="Example e.V.", contact="mail@example.org")
    page = open_service(tmp_path / "empty", settings).get("/").text
    assert "This service has looked at 0 pictures yet, so it cannot answer." in page
    assert "This service is run by Example e.V. You can turn to: mail@example.org" in page.replace("e.V..", "e.V.")
    assert 'id="photo"' not in page


def test_the_operators_page_tells_the_log_as_it_is(service: TestClient) -> None:
    page = unescape(service.get("/operators").text)
    key = service.get("/v1/feed/key").text.strip()
    assert f"hibs feed sync http://127.0.0.1:8000 feed/ --pin {key} --key-file feed.key" in page
    assert "hibs honour pictures/ --feed feed/ --dry-run" in page


def test_the_sources_page_shows_what_the_api_says(service: TestClient) -> None:
    shown = visible(service.get("/sources").text)
    assert "Crawl of blog.example" in shown
    assert "holiday" in shown
    assert "First seen by us" in shown


def test_the_docs_page_lists_every_endpoint(service: TestClient) -> None:
    shown = visible(service.get("/docs").text)
    for path, operations in service.get("/openapi.json").json()["paths"].items():
        for method in operations:
            assert f"{method.upper()} {path}" in shown
