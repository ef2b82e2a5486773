"""A crawl reads every no that it can: files of the host, licences, and what a picture says itself."""

from __future__ import annotations

import io

import pytest
from crawl_bench import PAGE, Bench
from PIL import Image

XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:plus="http://ns.useplus.org/ldf/xmp/1.0/" '
    'plus:DataMining="http://ns.useplus.org/ldf/vocab/DMI-PROHIBITED-AIMLTRAINING"/></rdf:RDF></x:xmpmeta>'
)
LICENCE = "https://licences.example/rsl.xml"


def with_xmp(picture: bytes) -> bytes:
    saved = io.BytesIO()
    Image.open(io.BytesIO(picture)).save(saved, "JPEG", quality=90, xmp=XMP.encode())
    return saved.getvalue()


def rsl(terms: str) -> bytes:
    document = f'<rsl xmlns="https://rslstandard.org/rsl"><content url="https://a.example/"><license>{terms}</license></content></rsl>'
    return document.encode()


def asked(bench: Bench, url: str) -> int:
    return [one.url for one in bench.web.asked].count(url)


def test_what_a_picture_says_of_itself_is_heeded(bench: Bench) -> None:
    bench.web.page(PAGE, '<img src="/a.jpg"><img src="/b.jpg">')
    bench.web.file(f"{PAGE}a.jpg", with_xmp(bench.pictures["rocket"]))
    bench.web.file(f"{PAGE}b.jpg", bench.pictures["coins"])
    bench.crawl()
    assert [sighting.verdict["train-ai"] for sighting in bench.sightings()] == ["deny", "unspecified"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("ai.txt", b"User-Agent: *\nDisallow: *.jpg\n"),
        ("trust.txt", b"datatrainingallowed=no\n"),
        (".well-known/trust.txt", b"datatrainingallowed=no\n"),
    ],
)
def test_files_of_the_host_are_fetched_once_and_heeded(bench: Bench, name: str, content: bytes) -> None:
    bench.web.page(PAGE, '<img src="/a.jpg"><img src="/b.jpg">')
    bench.web.file(f"{PAGE}a.jpg", bench.pictures["rocket"])
    bench.web.file(f"{PAGE}b.jpg", bench.pictures["coins"])
    bench.web.file(f"{PAGE}{name}", content, headers=[("Content-Type", "text/plain")])
    bench.crawl()
    assert asked(bench, f"{PAGE}{name}") == 1
    assert [sighting.verdict["train-ai"] for sighting in bench.sightings()] == ["deny", "deny"]


def test_a_start_page_in_place_of_ai_txt_says_nothing(bench: Bench) -> None:
    bench.web.page(PAGE, '<img src="/a.jpg">')
    bench.web.file(f"{PAGE}a.jpg", bench.pictures["rocket"])
    bench.web.page(f"{PAGE}ai.txt", "<p>Disallow: *.jpg")
    bench.crawl()
    assert [sighting.verdict["train-ai"] for sighting in bench.sightings()] == ["unspecified"]


def test_a_licence_named_in_robots_is_read_before_the_picture_is_asked_for(bench: Bench) -> None:
    bench.web.robots("https://a.example", f"User-agent: *\nAllow: /\nLicense: {LICENCE}\n")
    bench.web.file(LICENCE, rsl('<permits type="usage">search ai-index</permits><payment type="free"/>'))
    bench.web.page(PAGE, '<img src="/a.jpg"><img src="/b.jpg">')
    bench.web.file(f"{PAGE}a.jpg", bench.pictures["rocket"])
    bench.web.file(f"{PAGE}b.jpg", bench.pictures["coins"])
    bench.crawl()
    assert asked(bench, LICENCE) == 1
    assert asked(bench, f"{PAGE}a.jpg") == 1
    # `all` is refused, as a closed list does not name it, and a picture is kept for index only where `all` allows it.
    assert bench.coded() == 0


def test_a_licence_that_permits_everything_lets_the_picture_be_found(bench: Bench) -> None:
    bench.web.robots("https://a.example", f"User-agent: *\nAllow: /\nLicense: {LICENCE}\n")
    bench.web.file(LICENCE, rsl('<permits type="usage">all</permits><payment type="free"/>'))
    bench.web.page(PAGE, '<img src="/a.jpg">')
    bench.web.file(f"{PAGE}a.jpg", bench.pictures["rocket"])
    bench.crawl()
    assert bench.coded() == 1
    assert [sighting.verdict["train-ai"] for sighting in bench.sightings()] == ["allow"]


def test_a_licence_that_only_the_response_names_is_read_before_the_body(bench: Bench) -> None:
    link = [("Link", f'<{LICENCE}>; rel="license"; type="application/rsl+xml"')]
    bench.web.file(LICENCE, rsl('<prohibits type="usage">ai-train</prohibits>'))
    bench.web.page(PAGE, '<img src="/a.jpg">')
    bench.web.file(f"{PAGE}a.jpg", bench.pictures["rocket"], headers=link)
    bench.crawl()
    bodies = [one.body_read for one in bench.web.asked if one.url == f"{PAGE}a.jpg"]
    assert bodies == [False, True]
    assert [sighting.verdict["train-ai"] for sighting in bench.sightings()] == ["deny"]
    assert bench.coded() == 1


def test_a_licence_that_cannot_be_had_keeps_the_picture_out(bench: Bench) -> None:
    bench.web.robots("https://a.example", f"User-agent: *\nAllow: /\nLicense: {LICENCE}\n")
    bench.web.page(PAGE, '<img src="/a.jpg">')
    bench.web.file(f"{PAGE}a.jpg", bench.pictures["rocket"])
    tally = bench.crawl()
    assert (bench.coded(), tally.images) == (0, 0)
    assert all(not one.body_read for one in bench.web.asked if one.url == f"{PAGE}a.jpg")


def test_what_the_site_said_on_a_day_can_be_answered_later(bench: Bench) -> None:
    bench.web.robots("https://a.example", "User-agent: *\nContent-Usage: train-ai=n\nAllow: /\n")
    bench.web.page(PAGE, '<img src="/a.jpg">')
    bench.web.file(f"{PAGE}a.jpg", bench.pictures["rocket"])
    bench.crawl()
    first = bench.web.time.now()
    bench.web.answers["https://a.example/robots.txt"].clear()
    bench.web.robots("https://a.example", "User-agent: *\nAllow: /\n")
    bench.web.time.passed_s += 86_400
    bench.crawl(refresh=True)
    store = bench.folder.store
    then, later = (store.said_on(f"{PAGE}a.jpg", at) for at in (first, bench.web.time.now()))
    assert [of.verdict["train-ai"] for of in then.sightings] == ["deny"]
    assert [of.verdict["train-ai"] for of in later.sightings] == ["unspecified"]
    robots = next(file for file in then.files if file.url == "https://a.example/robots.txt")
    assert robots.digest is not None
    assert store.evidence_body(robots.digest) == b"User-agent: *\nContent-Usage: train-ai=n\nAllow: /\n"
    assert not any(file.digest for file in then.files if file.url == f"{PAGE}a.jpg"), "no trace of a picture's bytes"


def test_a_page_that_only_its_header_calls_utf_16_is_heard(bench: Bench) -> None:
    """Encoding Standard: the transport's name for it counts. The words of such a page are not readable as ASCII."""
    page = '<meta name="robots" content="noindex"><img src="/a.jpg">'.encode("utf-16-le")
    bench.web.file(PAGE, page, headers=[("Content-Type", "text/html; charset=utf-16le")])
    bench.web.file(f"{PAGE}a.jpg", bench.pictures["rocket"])
    tally = bench.crawl()
    assert (tally.images, len(tally.disallowed)) == (0, 1)
