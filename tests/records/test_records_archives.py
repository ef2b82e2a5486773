"""What is recorded of archives: places, dates, evidence of then, cursors, lists, and who made a source."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from evidence_visits import (
    CLOSED,
    DAY,
    HOST,
    IMAGE,
    NO_TRAINING,
    NOON,
    OPEN,
    ROBOTS,
    fetched,
    image_visit,
    told,
    verdict,
)
from sqlite_utils.migrations import Migrations

from checker.errors import InputError
from checker.model import (
    PHASH256,
    Finding,
    Fingerprint,
    Locator,
    Picture,
    Sha256,
    Source,
    SourceDetails,
    Stance,
    Use,
    utc_text,
)
from checker.records.archived import Archived
from checker.records.cursors import Cursor
from checker.records.database import Durability, open_database
from checker.records.folder import CORPUS_FILE, DataFolder
from checker.records.listed import ListedRow
from checker.records.schema import CORPUS
from checker.visits import FetchedFile, Outcome, PictureSeen

THEN = datetime(2021, 3, 4, 5, 6, 7, tzinfo=UTC)
NO_AI_THEN = Finding("x-robots-tag", "header X-Robots-Tag", "noai", {Use.TRAIN_AI: Stance.DENY})


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[DataFolder]:
    with DataFolder.open(tmp_path / "data", create=True) as opened:
        yield opened


@pytest.fixture
def source(folder: DataFolder) -> Source:
    return folder.store.source("Example-400M", kind="archive", now=NOON)


def archived(fill: int = 1, *, row: int = 0, **more: object) -> Archived:
    codes = (Fingerprint(PHASH256, bytes([fill]) * 32),)
    picture = Picture(Sha256(f"{fill:064x}"), 9, 8, 8, "JPEG", codes, plain=False)
    one = Archived(PictureSeen(picture, servable=True), Locator("0.tar", row, f"k{row}"), NOON)
    return replace(one, **more)  # type: ignore[arg-type]


def record(folder: DataFolder, source: Source, *pictures: Archived, **more: object) -> list[int | None]:
    done = folder.store.record_archive(pictures, source=source, now=NOON, **more)  # type: ignore[arg-type]
    return [one.image_id for one in done]


def rows(folder: DataFolder, query: str) -> list[tuple[object, ...]]:
    return list(folder.store._db.execute(query).fetchall())


# --- pictures --------------------------------------------------------------------------------------------------


def test_a_picture_of_an_archive_has_its_place_address_caption_and_date(folder: DataFolder, source: Source) -> None:
    one = archived(image_url=IMAGE, page_url=f"{HOST}/index.html", caption="A cat", seen_at=THEN)
    (image_id,) = record(folder, source, one)
    assert image_id is not None
    (sighting,) = folder.store.sightings_of([image_id])[image_id]
    assert (sighting.image_url, sighting.page_url, sighting.caption) == (IMAGE, f"{HOST}/index.html", "A cat")
    assert (sighting.locator, sighting.source) == (Locator("0.tar", 0, "k0"), source)
    assert (sighting.first_seen, sighting.last_seen) == (THEN, THEN)


def test_the_same_again_adds_nothing_and_an_older_date_takes_nothing_back(folder: DataFolder, source: Source) -> None:
    record(folder, source, archived(image_url=IMAGE))
    (image_id,) = record(folder, source, archived(image_url=IMAGE, seen_at=THEN))
    assert image_id is not None
    (sighting,) = folder.store.sightings_of([image_id])[image_id]
    assert sighting.last_seen == NOON
    assert rows(folder, "SELECT COUNT(*) FROM image") == [(1,)]


def test_what_was_said_then_answers_for_that_day_and_is_not_in_force_now(folder: DataFolder, source: Source) -> None:
    answer = FetchedFile(IMAGE, 200, None, None, (("X-Robots-Tag", "noai"),), THEN)
    one = archived(image_url=IMAGE, verdict=verdict(NO_AI_THEN), seen_at=THEN, evidence=(answer,))
    record(folder, source, one)
    (said,) = folder.store.said_on(IMAGE, THEN + DAY).sightings
    assert (said.verdict["train-ai"], said.findings, said.source) == ("deny", (NO_AI_THEN,), "Example-400M")
    assert folder.store.said_on(IMAGE, THEN - DAY).sightings == ()
    (file,) = folder.store.said_on(IMAGE, NOON).files
    assert (file.url, file.status, file.headers, file.digest) == (IMAGE, 200, (("x-robots-tag", "noai"),), None)
    assert rows(folder, "SELECT in_force FROM finding") == [(0,)]


def test_a_visit_of_today_is_not_judged_by_what_an_archive_heard(folder: DataFolder, source: Source) -> None:
    record(folder, source, archived(image_url=IMAGE, verdict=verdict(NO_AI_THEN), seen_at=THEN))
    (image_id,) = told(folder, image_visit(fill=2))
    assert image_id is not None
    (sighting,) = folder.store.sightings_of([image_id])[image_id]
    assert sighting.verdict["train-ai"] == "unspecified"


def test_a_later_no_at_the_address_counts_for_what_an_archive_holds_of_it(folder: DataFolder, source: Source) -> None:
    (image_id,) = record(folder, source, archived(image_url=IMAGE, seen_at=THEN))
    told(folder, image_visit(NO_TRAINING, outcome=Outcome.DISALLOWED, seen=None))
    assert image_id is not None
    (sighting,) = folder.store.sightings_of([image_id])[image_id]
    assert sighting.verdict["train-ai"] == "deny"


def test_an_archive_does_not_queue_its_addresses(folder: DataFolder, source: Source) -> None:
    record(folder, source, archived(image_url=IMAGE))
    assert rows(folder, "SELECT COUNT(*) FROM frontier") == [(0,)]


def test_a_picture_whose_address_was_erased_is_not_recorded_again(folder: DataFolder, source: Source) -> None:
    (image_id,) = told(folder, image_visit())
    assert image_id is not None
    folder.store.erase([image_id], now=NOON)
    assert record(folder, source, archived(image_url=IMAGE)) == [None]
    assert rows(folder, "SELECT COUNT(*) FROM image") == [(0,)]


# --- evidence of hosts -----------------------------------------------------------------------------------------


def test_a_robots_txt_of_an_archive_answers_for_its_day(folder: DataFolder, source: Source) -> None:
    now = fetched(ROBOTS, CLOSED, at=NOON)
    told(folder, image_visit(evidence=(now,)))
    folder.store.record_archive((), source=source, now=NOON, host_files=[fetched(ROBOTS, OPEN, at=THEN)])
    for at, body in ((THEN, OPEN), (NOON - DAY, OPEN), (NOON, CLOSED)):
        (file,) = (file for file in folder.store.said_on(IMAGE, at).files if file.url == ROBOTS)
        assert file.digest is not None
        assert folder.store.evidence_body(file.digest) == body


def test_what_an_archive_says_of_a_host_is_marked_and_what_the_host_said_is_not(
    folder: DataFolder, source: Source
) -> None:
    told(folder, image_visit(evidence=(fetched(ROBOTS, CLOSED, at=NOON - DAY),)))
    folder.store.record_archive((), source=source, now=NOON, host_files=[fetched(ROBOTS, OPEN, at=NOON)])
    marked = rows(folder, "SELECT first_at FROM evidence JOIN archived_evidence USING (evidence_id)")
    assert marked == [(utc_text(NOON),)]
    # The same answer only moves the date of the row that the host gave: then that date is the archive's word as well.
    folder.store.record_archive((), source=source, now=NOON, host_files=[fetched(ROBOTS, OPEN, at=NOON + DAY)])
    assert rows(folder, "SELECT COUNT(*) FROM archived_evidence") == [(1,)]


def test_no_crawl_takes_what_an_archive_says_of_a_host_for_what_the_host_says(
    folder: DataFolder, source: Source
) -> None:
    folder.store.record_archive((), source=source, now=NOON, host_files=[fetched(ROBOTS, OPEN, at=NOON)])
    assert folder.store.host_file(ROBOTS, since=NOON - DAY) is None
    told(folder, image_visit(evidence=(fetched(ROBOTS, CLOSED, at=NOON + DAY),)))
    found = folder.store.host_file(ROBOTS, since=NOON)
    assert found is not None
    assert found.body == CLOSED


def test_erasing_closes_an_address_that_only_an_archive_told_of(folder: DataFolder, source: Source) -> None:
    (image_id,) = record(folder, source, archived(image_url=IMAGE))
    assert image_id is not None
    folder.store.erase([image_id], now=NOON)
    assert record(folder, source, archived(image_url=IMAGE)) == [None]
    assert folder.frontier.lease(host=HOST, seconds=60, now=NOON) is None


# --- cursors ---------------------------------------------------------------------------------------------------


def test_a_cursor_commits_with_what_it_has_passed(folder: DataFolder, source: Source) -> None:
    cursor = Cursor("0.tar", b"digest", 2)
    record(folder, source, archived(), cursor=cursor)
    assert folder.store.cursor(source, "0.tar") == cursor
    finished = replace(cursor, position=3, finished=True)
    record(folder, source, cursor=finished)
    assert folder.store.cursor(source, "0.tar") == finished
    assert folder.store.cursor(source, "1.tar") is None


def test_a_batch_that_fails_moves_nothing(folder: DataFolder, source: Source) -> None:
    broken = archived(2, image_url="http://\ud800/")  # no text that can be stored
    with pytest.raises(UnicodeEncodeError):
        record(folder, source, archived(1), broken, cursor=Cursor("0.tar", b"digest", 2))
    assert folder.store.cursor(source, "0.tar") is None
    assert rows(folder, "SELECT COUNT(*) FROM image") == [(0,)]


# --- lists -----------------------------------------------------------------------------------------------------


@pytest.fixture
def laion(folder: DataFolder) -> Source:
    return folder.store.source("laion", kind="list", now=NOON)


def queue(folder: DataFolder, source: Source, *listed: ListedRow) -> int:
    return folder.store.queue_list(listed, source=source, now=NOON, cursor=Cursor("l.csv", b"d", len(listed)))


def row(number: int = 0, url: str = IMAGE, **more: object) -> ListedRow:
    return replace(ListedRow(url, Locator("l.csv", number)), **more)  # type: ignore[arg-type]


def test_a_listed_address_is_queued_as_a_picture_and_sighted_at_its_row(folder: DataFolder, laion: Source) -> None:
    assert queue(folder, laion, row(0, caption="A cat", page_url=f"{HOST}/p"), row(7)) == 1
    lease = folder.frontier.lease(host=HOST, seconds=60, now=NOON)
    assert lease is not None
    assert (lease.url, lease.kind, lease.depth) == (IMAGE, "image", 0)
    (image_id,) = told(folder, image_visit(NO_TRAINING))
    assert image_id is not None
    found = folder.store.sightings_of([image_id])[image_id]
    assert [(one.locator, one.source, one.caption, one.page_url) for one in found] == [
        (Locator("l.csv", 0), laion, "A cat", f"{HOST}/p"),
        (Locator("l.csv", 7), laion, None, None),
    ]
    assert found[0].verdict["train-ai"] == "deny"
    assert folder.store.cursor(laion, "l.csv") == Cursor("l.csv", b"d", 2)


def test_a_picture_that_is_known_already_is_sighted_at_once(folder: DataFolder, laion: Source) -> None:
    (image_id,) = told(folder, image_visit(NO_TRAINING))
    assert queue(folder, laion, row()) == 0
    assert image_id is not None
    of_list = [one for one in folder.store.sightings_of([image_id])[image_id] if one.source == laion]
    assert [(one.locator, one.last_seen, one.verdict["train-ai"]) for one in of_list] == [
        (Locator("l.csv", 0), NOON, "deny")
    ]
    assert queue(folder, laion, row()) == 0
    assert len(folder.store.sightings_of([image_id])[image_id]) == 2


def test_another_picture_than_the_list_means_is_not_said_to_be_in_it(folder: DataFolder, laion: Source) -> None:
    queue(folder, laion, row(sha256=Sha256(f"{9:064x}")))
    told(folder, image_visit(fill=1))
    assert rows(folder, "SELECT COUNT(*) FROM sighting WHERE locator <> ''") == [(0,)]
    (image_id,) = told(folder, image_visit(fill=9, at=NOON + DAY))
    assert image_id is not None
    assert [one.source for one in folder.store.sightings_of([image_id])[image_id]] == [laion]


def test_erasing_a_picture_takes_the_rows_that_named_it_along(folder: DataFolder, laion: Source) -> None:
    queue(folder, laion, row(caption="A cat", sha256=Sha256(f"{1:064x}")))
    (image_id,) = told(folder, image_visit())
    assert image_id is not None
    folder.store.erase([image_id], now=NOON)
    assert rows(folder, "SELECT COUNT(*) FROM listed") == [(0,)]
    assert queue(folder, laion, row(caption="A cat")) == 0
    assert rows(folder, "SELECT COUNT(*) FROM listed") == [(0,)]


# --- sources ---------------------------------------------------------------------------------------------------


def test_what_is_said_of_a_source_stays_until_something_else_is_said(folder: DataFolder) -> None:
    first = SourceDetails(version="2", run_by="Example e.V.", contact="data@example.org")
    later = SourceDetails(contact="new@example.org", opt_out="https://example.org/no")
    folder.store.source("a", kind="archive", now=NOON, details=first)
    folder.store.source("a", kind="archive", now=NOON, details=later)
    folder.store.source("a", kind="archive", now=NOON)
    (facts,) = folder.store.sources()
    assert facts.details == SourceDetails("2", "Example e.V.", "new@example.org", "https://example.org/no")


def test_another_version_is_another_source(folder: DataFolder) -> None:
    folder.store.source("a", kind="archive", now=NOON, details=SourceDetails(version="1"))
    with pytest.raises(InputError, match=r"recorded here as version 1, not 2; .* for example --source 'a 2'"):
        folder.store.source("a", kind="archive", now=NOON, details=SourceDetails(version="2"))


def test_a_folder_of_the_fourth_version_gains_the_tables(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o700)
    four = Migrations("corpus")
    for migration in CORPUS._migrations[:4]:
        four()(migration.fn)
    older = open_database(tmp_path / "data" / CORPUS_FILE, four, durability=Durability.MANY_READERS)
    older.execute("INSERT INTO source (name, kind, first_seen) VALUES ('a', 'folder', ?)", (utc_text(NOON),))
    older.close()
    with DataFolder.open(tmp_path / "data", create=False) as folder:
        (facts,) = folder.store.sources()
        assert (facts.source.name, facts.details) == ("a", SourceDetails())
        assert folder.store.cursor(facts.source, "x") is None
        assert rows(folder, "PRAGMA user_version") == [(len(CORPUS._migrations),)]
