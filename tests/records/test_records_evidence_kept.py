"""Which answers belong to a sighting, what is kept of each, what never is, and what it costs."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from evidence_visits import (
    DAY,
    HOST,
    IMAGE,
    NO_AI_TAG,
    NO_INDEX,
    NOON,
    OPEN,
    PAGE,
    ROBOTS,
    fetched,
    file_on,
    image_visit,
    page_visit,
    robots_on,
    rows,
    told,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from checker.records.evidence import BODY_BYTES_MAX, SIGHTINGS_MAX
from checker.records.folder import DataFolder
from checker.visits import FetchedFile, FoundLink, Outcome


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[DataFolder]:
    with DataFolder.open(tmp_path / "data", create=True) as opened:
        yield opened


# --- which evidence ----------------------------------------------------------------------------------------------


def test_a_sighting_has_the_files_of_its_own_host_of_its_page_s_and_what_else_spoke_of_it(folder: DataFolder) -> None:
    image, licence = "http://cdn.localhost:8002/cat.jpg", "http://terms.localhost:8003/art.xml"
    small = [f"http://cdn.localhost:8002{path}" for path in ("/robots.txt", "/ai.txt", "/.well-known/tdmrep.json")]
    link = FoundLink(url=image, kind="image", found_as="img src")
    page = replace(page_visit(evidence=(fetched(), fetched(PAGE, b"<html></html>"))), links=(link,))
    files = (fetched(image, None), fetched(licence, b"<rsl/>"), *(fetched(url) for url in small))
    other = image_visit(url="http://other.localhost/x.jpg", evidence=(fetched("http://other.localhost/robots.txt"),))
    told(folder, page, image_visit(url=image, evidence=files), other)
    urls = [file.url for file in folder.store.said_on(image, NOON).files]
    assert sorted(urls) == sorted([image, PAGE, ROBOTS, licence, *small])
    assert folder.store.said_on(image, NOON - DAY).files == ()


def test_a_file_that_began_to_speak_of_an_address_later_is_no_evidence_of_before(folder: DataFolder) -> None:
    licence = f"{HOST}/licence.xml"
    told(folder, image_visit(url=f"{HOST}/dog.jpg", evidence=(fetched(licence, b"<rsl/>"),)), image_visit())
    told(folder, image_visit(at=NOON + 3 * DAY, evidence=(fetched(licence, b"<rsl/>", at=NOON + 3 * DAY),)))
    assert file_on(folder, NOON + DAY, url=licence) is None
    assert file_on(folder, NOON + 3 * DAY, url=licence) is not None


def test_what_could_not_be_had_is_evidence_too(folder: DataFolder) -> None:
    failed = FetchedFile(ROBOTS, None, "timeout", b"", (), NOON)  # no answer has no bytes, not even none
    told(folder, image_visit(evidence=(failed,)))
    told(folder, image_visit(at=NOON + DAY, evidence=(fetched(body=b"gone", status=404, at=NOON + DAY),)))
    first, second = file_on(folder, NOON), file_on(folder, NOON + DAY)
    assert first is not None
    assert second is not None
    assert (first.status, first.error, first.digest, first.size, first.stored) == (None, "timeout", None, None, False)
    assert (second.status, second.error, second.size) == (404, None, 4)


def test_header_lines_that_carry_signals_are_kept_and_no_others(folder: DataFolder) -> None:
    licence = '</l.xml>; rel="license"; type="application/rsl+xml"'
    sent = (
        ("Content-Type", "image/jpeg"),
        ("X-Robots-Tag", "noai"),
        ("X-ROBOTS-TAG", "unavailable_after: \udcff"),
        ("Set-Cookie", "id=1"),
        ("Link", "</style.css>; rel=preload"),
        ("Link", licence),
        ("TDM-Reservation", "1"),
        ("Content-Usage", "train-ai=n"),
        ("ETag", '"1"'),
    )
    told(folder, image_visit(evidence=(fetched(IMAGE, None, *sent),)))
    file = file_on(folder, NOON, url=IMAGE)
    assert file is not None
    assert file.headers == (
        ("x-robots-tag", "noai"),
        ("x-robots-tag", "unavailable_after: \udcff"),
        ("link", licence),
        ("tdm-reservation", "1"),
        ("content-usage", "train-ai=n"),
    )
    told(folder, image_visit(at=NOON + DAY, evidence=(fetched(IMAGE, None, *sent[:-1], at=NOON + DAY),)))
    assert len(rows(folder, "SELECT 1 FROM evidence")) == 1  # an ETag is nothing that anybody said


def test_endless_headers_are_cut(folder: DataFolder) -> None:
    told(folder, image_visit(evidence=(fetched(IMAGE, None, *[("X-Robots-Tag", "n" * 988)] * 9000),)))
    file = file_on(folder, NOON, url=IMAGE)
    assert file is not None
    assert len(file.headers) == 16  # of 16,384 characters, a thousand a line


# --- what is never kept ------------------------------------------------------------------------------------------

JPEG = b"\xff\xd8\xff\xe0" + b"somebody's face" * 20


@pytest.mark.parametrize(
    ("url", "body", "content_type"),
    [
        (IMAGE, b"bytes of no format that is known", ""),
        ("http://cdn.localhost/behind-a-redirect", JPEG, ""),
        ("http://cdn.localhost/behind-a-redirect", b"somebody's drawing", "Image/SVG+XML; charset=utf-8"),
        (ROBOTS, b"\x89PNG\r\n\x1a\nsomebody", "text/plain"),
        (ROBOTS, b"RIFF\0\0\0\0WEBPVP8 somebody", ""),
        (ROBOTS, b"BM\x36\x10\0\0\0\0\0\0\x36somebody", ""),
        (ROBOTS, b"\0\0\0\x1cftypavif somebody", ""),
    ],
)
def test_of_a_picture_neither_bytes_nor_digest_are_kept(
    folder: DataFolder, url: str, body: bytes, content_type: str
) -> None:
    told(folder, image_visit(evidence=(fetched(url, body, ("Content-Type", content_type), ("X-Robots-Tag", "noai")),)))
    file = file_on(folder, NOON, url=url)
    assert file is not None
    assert (file.digest, file.size, file.stored) == (None, None, False)
    assert file.headers == (("x-robots-tag", "noai"),)
    assert rows(folder, "SELECT * FROM evidence_body") == []


@pytest.mark.parametrize(
    ("url", "body", "content_type"),
    [
        (PAGE, b"no tag at all", ""),
        (f"{HOST}/after-a-redirect", b"Dear Ada, ...", "text/html; charset=utf-8"),
        (ROBOTS, b"\xef\xbb\xbf\n<!-- not found --><!-- --><!DOCTYPE html><p>Dear Ada", "text/plain"),
        (ROBOTS, b'<?xml version="1.0"?>\n<HTML lang="en">', "text/html"),
        ("http://cdn.localhost/behind-a-redirect", b"<!-- drawn by Ada -->\n<svg/>", ""),
    ],
)
def test_of_a_page_digest_and_size_are_kept_and_no_words(
    folder: DataFolder, url: str, body: bytes, content_type: str
) -> None:
    told(folder, page_visit(evidence=(fetched(url, body, ("Content-Type", content_type)),)))
    file = file_on(folder, NOON, url=url, of=PAGE)
    assert file is not None
    assert (file.digest, file.size, file.stored) == (hashlib.sha256(body).hexdigest(), len(body), False)
    assert folder.store.evidence_body(hashlib.sha256(body).hexdigest()) is None


@pytest.mark.parametrize(
    ("url", "body", "content_type"),
    [
        (ROBOTS, OPEN, "text/html"),  # served under the wrong type, as many are
        (ROBOTS, b"", ""),
        (ROBOTS, b"BMW press pictures\nDisallow: /", ""),
        (ROBOTS, b"Disallow: /\0\xff\xfe", ""),
        (f"{HOST}/licence.xml", b'<!-- terms --><rsl xmlns="https://rslstandard.org/rsl"/>', "application/rsl+xml"),
        (f"{HOST}/.well-known/tdmrep.json", b'[{"location": "/", "tdm-reservation": 1}]', "application/json"),
    ],
)
def test_the_bytes_of_a_small_file_are_kept_as_they_came(
    folder: DataFolder, url: str, body: bytes, content_type: str
) -> None:
    told(folder, image_visit(evidence=(fetched(url, body, ("Content-Type", content_type)),)))
    assert folder.store.evidence_body(hashlib.sha256(body).hexdigest()) == body


def test_the_largest_file_that_is_kept_and_one_that_is_too_large(folder: DataFolder) -> None:
    fits = random.Random(1).randbytes(BODY_BYTES_MAX - 9) + b"# the end"  # does not compress
    told(folder, image_visit(evidence=(fetched(body=fits),)))
    assert robots_on(folder, NOON) == fits
    told(folder, image_visit(at=NOON + DAY, evidence=(fetched(body=fits + b"!", at=NOON + DAY),)))
    file = file_on(folder, NOON + DAY)
    assert file is not None
    assert (file.digest, file.size) == (hashlib.sha256(fits + b"!").hexdigest(), BODY_BYTES_MAX + 1)
    assert not file.stored
    assert robots_on(folder, NOON + DAY) is None


@pytest.mark.parametrize("hostile", [b"<!--" * 100_000, b"<?" * 200_000, b"<!---->" * 60_000, b" " * 400_000])
def test_no_file_takes_long_to_tell_from_a_page(folder: DataFolder, hostile: bytes) -> None:
    begin = datetime.now(UTC)
    told(folder, image_visit(evidence=(fetched(body=hostile),)))
    assert datetime.now(UTC) - begin < timedelta(seconds=2)
    assert robots_on(folder, NOON) == hostile


@given(
    body=st.none() | st.binary(max_size=300) | st.text(max_size=100).map(str.encode),
    headers=st.lists(st.tuples(st.text(max_size=20), st.text(max_size=30)), max_size=4),
    status=st.none() | st.integers(0, 999),
)
@settings(max_examples=60, deadline=None)
def test_any_answer_can_be_written_down_and_read_back(
    body: bytes | None, headers: list[tuple[str, str]], status: int | None
) -> None:
    with TemporaryDirectory() as path, DataFolder.open(Path(path), create=True) as folder:
        told(folder, image_visit(evidence=(FetchedFile(ROBOTS, status, None, body, tuple(headers), NOON),)))
        file = file_on(folder, NOON)
        assert file is not None
        assert file.status == status
        assert not file.stored or folder.store.evidence_body(str(file.digest)) == body


# --- cost --------------------------------------------------------------------------------------------------------


def test_a_body_is_stored_once_for_many_hosts_and_packed_where_that_is_shorter(folder: DataFolder) -> None:
    body = b"User-agent: GPTBot\nDisallow: /\n" * 100
    for number in range(20):
        host = f"http://h{number}.localhost"
        told(folder, image_visit(url=f"{host}/a.jpg", evidence=(fetched(f"{host}/robots.txt", body),)))
    ((packed, size),) = rows(folder, "SELECT packed, length(body) FROM evidence_body")
    assert packed == 1
    assert isinstance(size, int)
    assert size < 200
    assert len(rows(folder, "SELECT 1 FROM evidence")) == 20
    short = image_visit(at=NOON + DAY, evidence=(fetched(body=b"\n", at=NOON + DAY),))
    told(folder, short)
    assert (0, b"\n") in rows(folder, "SELECT packed, body FROM evidence_body")


def test_a_robots_txt_that_a_thousand_pictures_carry_is_written_once(folder: DataFolder) -> None:
    evidence = (fetched(), fetched(f"{HOST}/ai.txt", status=404))
    for number in range(1000):
        at = NOON + timedelta(seconds=number)
        told(folder, image_visit(url=f"{HOST}/{number}.jpg", at=at, evidence=evidence))
    assert len(rows(folder, "SELECT 1 FROM evidence")) == 2
    assert rows(folder, "SELECT 1 FROM evidence_link") == []
    assert rows(folder, "SELECT DISTINCT last_at FROM evidence") == [("2026-11-22T12:00:00Z",)]  # fetched once


def test_an_answer_about_a_picture_on_very_many_pages_says_that_it_is_not_complete(folder: DataFolder) -> None:
    told(folder, image_visit(), *(page_visit(url=f"{HOST}/{number}.html") for number in range(SIGHTINGS_MAX)))
    said = folder.store.said_on(IMAGE, NOON)
    assert (len(said.sightings), said.complete) == (SIGHTINGS_MAX, False)


def test_no_statement_reads_a_whole_table(folder: DataFolder) -> None:
    told(folder, page_visit(), image_visit())
    statements: list[str] = []
    connection = folder.store._db.conn
    connection.set_trace_callback(statements.append)
    told(
        folder,
        page_visit(NO_AI_TAG, evidence=(fetched(), fetched(f"{HOST}/l.xml"))),
        image_visit(evidence=(fetched(),)),
    )
    told(folder, image_visit(NO_INDEX, at=NOON + DAY, seen=None, outcome=Outcome.DISALLOWED))
    folder.store.said_on(IMAGE, NOON)
    folder.store.erase([1], now=NOON)
    connection.set_trace_callback(None)
    ours = [one for one in statements if "said" in one or "evidence" in one]
    assert len(ours) > 10
    for statement in ours:
        if not statement.startswith("--"):  # what a trigger does is traced as a comment
            plan = [str(row[3]) for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}")]
            scans = [line for line in plan if line.startswith("SCAN")]
            assert all("json_each" in line or "VIRTUAL" in line or line in _SMALL for line in scans), (statement, plan)


_SMALL = {"SCAN sightings", "SCAN asked", "SCAN files", "SCAN CONSTANT ROW", "SCAN 2 CONSTANT ROWS"}
"""The ids that were asked about, not tables."""
