"""A question gets its answer with evidence: found, not found with coverage, withheld, too plain, unreadable."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from PIL import Image

from checker.documents import match_document, report_document
from checker.errors import DataError, EmptyCorpusError
from checker.fingerprint import fingerprint_file
from checker.lookup import Checker
from checker.model import Locator, Picture, Stance, Use, Verdict
from checker.optout.entry import Evidence
from checker.optout.request import OptOuts
from checker.records.folder import DataFolder
from checker.report import CheckStatus, MatchKind, Withheld
from checker.settings import Settings
from checker.visits import FoundLink, Outcome, PictureSeen, Visit

SILENT = Verdict(crawl=Stance.ALLOW, uses=dict.fromkeys(Use, Stance.UNSPECIFIED), findings=())
SEEN = ("astronaut.jpg", "chelsea.jpg", "coffee.jpg")
URL = "http://gallery.localhost:8001/"


def picture(path: Path) -> Picture:
    found = fingerprint_file(path, Settings())
    assert isinstance(found, Picture)
    return found


def crawled(name: str, images: Path, *, at: datetime) -> Visit:
    seen = PictureSeen(picture(images / name), servable=True)
    return Visit(URL + name, "image", Outcome.DONE, at, status=200, verdict=SILENT, seen=seen)


@pytest.fixture
def data(tmp_path: Path, images: Path, now: datetime) -> Path:
    folder = tmp_path / "data"
    with DataFolder.open(folder, create=True) as opened:
        source = opened.store.source("our crawl", kind="crawl", now=now)
        links = tuple(FoundLink(URL + name, "image", "img src", f"About {name}") for name in SEEN)
        page = Visit(URL, "page", Outcome.DONE, now, status=200, verdict=SILENT, links=links)
        opened.store.record(page, source=source)
        for name in SEEN:
            opened.store.record(crawled(name, images, at=now), source=source)
    return folder


@pytest.fixture
def checker(data: Path) -> Iterator[Checker]:
    with Checker.open(data) as opened:
        yield opened


def smaller_copy(path: Path) -> bytes:
    """Half the size, JPEG quality 40: what a repost does to a photo."""
    with Image.open(path) as image:
        half = image.convert("RGB").resize((image.width // 2, image.height // 2))
    out = io.BytesIO()
    half.save(out, "JPEG", quality=40)
    return out.getvalue()


def test_a_smaller_recompressed_copy_is_found_with_where_and_when(
    checker: Checker, images: Path, now: datetime
) -> None:
    report = checker.check(smaller_copy(images / "chelsea.jpg"), now=now)
    assert report.status is CheckStatus.CHECKED
    (match,) = report.matches
    assert match.kind is MatchKind.SAME
    assert match.distances["phash256"] <= 31
    (sighting,) = match.sightings
    assert (sighting.image_url, sighting.page_url) == (URL + "chelsea.jpg", URL)
    assert sighting.caption == "About chelsea.jpg"
    assert sighting.first_seen == now


def test_another_photo_is_not_found_and_the_answer_says_what_was_looked_at(
    checker: Checker, images: Path, now: datetime
) -> None:
    report = checker.check((images / "rocket.jpg").read_bytes(), now=now)
    assert report.matches == ()
    assert (report.coverage.images, report.coverage.sources, report.coverage.newest) == (3, 1, now)
    assert report.coverage.checks == ("phash256",)


def test_codes_alone_give_the_same_answer(checker: Checker, images: Path, now: datetime) -> None:
    """But for the second kind of code and how sure it is, which a picture brings more of."""
    (by_picture,) = checker.check((images / "coffee.jpg").read_bytes(), now=now).matches
    (by_codes,) = checker.check_codes(picture(images / "coffee.jpg").fingerprints, now=now).matches
    assert by_codes.kind is by_picture.kind is MatchKind.SAME
    assert by_codes.distances == {"phash256": 0}
    assert by_codes.sightings == by_picture.sightings
    assert by_codes.handle == by_picture.handle


def test_an_opt_out_hides_the_addresses_from_the_next_answer(
    checker: Checker, data: Path, images: Path, now: datetime
) -> None:
    body = smaller_copy(images / "astronaut.jpg")
    assert checker.check(body, now=now).matches[0].sightings != ()
    mine = picture(images / "astronaut.jpg")
    opt_outs = OptOuts.open(data, Settings(), now=now)
    opt_outs.record([mine.fingerprints], uses=[Use.TRAIN_AI], evidence=Evidence.PICTURE, now=now)
    (match,) = checker.check(body, now=now).matches
    assert match.sightings == ()
    assert match.withheld == Withheld(count=1, first_seen_month="2026-11")
    assert checker.check((images / "coffee.jpg").read_bytes(), now=now).matches[0].sightings != ()


def test_a_later_noindex_is_withheld_in_the_same_words(
    checker: Checker, data: Path, images: Path, now: datetime
) -> None:
    denied = Verdict(Stance.ALLOW, {**SILENT.uses, Use.INDEX: Stance.DENY}, ())
    visit = Visit(URL + "coffee.jpg", "image", Outcome.DISALLOWED, now, reason="x-robots-tag", verdict=denied)
    with DataFolder.open(data, create=False) as folder:
        folder.store.record(visit, source=folder.store.source("our crawl", kind="crawl", now=now))
    document = match_document(checker.check((images / "coffee.jpg").read_bytes(), now=now).matches[0])
    assert document["where"] == "withheld"
    assert document["withheld"] == {"count": 1, "first_seen_month": "2026-11"}
    assert URL not in json.dumps(document)


def test_an_erased_picture_is_no_match(checker: Checker, images: Path, now: datetime) -> None:
    body = (images / "coffee.jpg").read_bytes()
    assert checker.check(body, now=now).matches
    checker._folder.store._db.execute("DELETE FROM code WHERE image_id = 3")
    assert checker.check(body, now=now).matches == ()


def test_a_handle_opens_the_same_match_for_a_day(checker: Checker, images: Path, now: datetime) -> None:
    match = checker.check((images / "coffee.jpg").read_bytes(), now=now).matches[0]
    again = checker.sightings(match.handle, now=now + timedelta(hours=23))
    assert again is not None
    assert again.sightings == match.sightings
    assert checker.sightings(match.handle, now=now + timedelta(hours=26)) is None
    assert checker.sightings("1", now=now) is None


def test_a_plain_picture_gets_a_reason_and_no_match(checker: Checker, now: datetime) -> None:
    out = io.BytesIO()
    Image.new("RGB", (200, 200), "white").save(out, "PNG")
    report = checker.check(out.getvalue(), now=now)
    assert report.status is CheckStatus.TOO_PLAIN
    assert report.reason is not None
    assert "too little in it" in report.reason


def test_what_is_no_picture_gets_a_reason(checker: Checker, now: datetime) -> None:
    report = checker.check(b"hello", now=now)
    assert report.status is CheckStatus.UNREADABLE
    assert report.matches == ()
    assert report.coverage.images == 3


def test_an_empty_corpus_gives_no_answer(tmp_path: Path, images: Path, now: datetime) -> None:
    DataFolder.open(tmp_path / "new", create=True).close()
    with Checker.open(tmp_path / "new") as checker, pytest.raises(EmptyCorpusError, match="0 pictures yet"):
        checker.check((images / "coffee.jpg").read_bytes(), now=now)


def test_a_folder_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is no data folder"):
        Checker.open(tmp_path)


def test_a_picture_from_an_archive_names_its_file(checker: Checker, data: Path, images: Path, now: datetime) -> None:
    with DataFolder.open(data, create=False) as folder:
        source = folder.store.source("old archive", kind="folder", now=now)
        seen = PictureSeen(picture(images / "rocket.jpg"), servable=True)
        folder.store.record_file(seen, source=source, locator=Locator(file="a/rocket.jpg"), now=now)
    document = report_document(checker.check((images / "rocket.jpg").read_bytes(), now=now))
    (sighting,) = document["matches"][0]["sightings"]
    assert sighting["locator"] == {"file": "a/rocket.jpg", "row": None, "key": None}
    assert (sighting["image_url"], sighting["source"]["name"]) == (None, "old archive")


def test_the_document_has_the_contract_s_members(checker: Checker, images: Path, now: datetime) -> None:
    document = report_document(checker.check((images / "coffee.jpg").read_bytes(), now=now))
    assert set(document) == {"status", "reason", "coverage", "matches"}
    assert document["coverage"] == {
        "images": 3,
        "sources": 1,
        "newest": "2026-11-22T14:03:00Z",
        "checks": ["phash256"],
    }
    (match,) = document["matches"]
    assert (match["kind"], match["orientation"], match["crop"], match["codes"]) == (
        "same",
        "as-is",
        None,
        {"phash256": 0},
    )
    assert match["sightings"][0]["verdict"]["train-ai"] == "unspecified"


def test_many_threads_ask_at_once(checker: Checker, images: Path, now: datetime) -> None:
    bodies = [(images / name).read_bytes() for name in SEEN] * 8
    with ThreadPoolExecutor(4) as pool:
        reports = list(pool.map(lambda body: checker.check(body, now=now), bodies))
    assert all(len(report.matches) == 1 for report in reports)
