"""The corpus: one transaction a visit, nothing twice, nothing lost."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from checker.errors import DataError, NewerDataError
from checker.model import PHASH256, Finding, Fingerprint, Locator, Picture, Sha256, Stance, Use, Verdict
from checker.records.database import Durability, open_database, transaction
from checker.records.folder import CORPUS_FILE, DataFolder
from checker.records.interfaces import verdict_forbids_index
from checker.records.schema import CORPUS
from checker.visits import FoundLink, Outcome, PictureSeen, Visit

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
NOW = "2026-11-22T12:00:00Z"
PAGE = "http://gallery.localhost:8001/index.html"
IMAGE = "http://gallery.localhost:8001/cat.jpg"
SILENT = Verdict(crawl=Stance.ALLOW, uses=dict.fromkeys(Use, Stance.UNSPECIFIED), findings=())


def picture(fill: int = 1) -> Picture:
    return Picture(
        sha256=Sha256(f"{fill:064x}"),
        byte_size=1000,
        width=640,
        height=480,
        format="JPEG",
        fingerprints=(Fingerprint(PHASH256, bytes([fill] * 32)),),
        plain=False,
    )


def page_visit(*links: FoundLink, seen_at: datetime = NOON) -> Visit:
    return Visit(url=PAGE, kind="page", outcome=Outcome.DONE, seen_at=seen_at, status=200, verdict=SILENT, links=links)


def image_visit(*, url: str = IMAGE, seen_at: datetime = NOON, fill: int = 1, servable: bool = True) -> Visit:
    seen = PictureSeen(picture(fill), servable=servable, headers=(("content-type", "image/jpeg"),))
    return Visit(url=url, kind="image", outcome=Outcome.DONE, seen_at=seen_at, status=200, verdict=SILENT, seen=seen)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[DataFolder]:
    with DataFolder.open(tmp_path / "data", create=True) as opened:
        yield opened


def link(url: str = IMAGE, kind: str = "image", caption: str | None = "A cat") -> FoundLink:
    return FoundLink(url=url, kind=kind, found_as="img src", caption=caption)


def test_a_picture_is_sighted_with_page_caption_and_dates(folder: DataFolder) -> None:
    source = folder.store.source("our crawl", kind="crawl", now=NOON)
    folder.store.record(page_visit(link()), source=source)
    recorded = folder.store.record(image_visit(seen_at=NOON + timedelta(minutes=1)), source=source)
    assert recorded.new_image
    assert recorded.image_id is not None
    (sighting,) = folder.store.sightings_of([recorded.image_id])[recorded.image_id]
    assert (sighting.image_url, sighting.page_url, sighting.caption) == (IMAGE, PAGE, "A cat")
    assert sighting.first_seen == sighting.last_seen == NOON + timedelta(minutes=1)
    assert sighting.verdict["train-ai"] == "unspecified"
    assert sighting.source == source


def test_the_same_visits_again_change_last_seen_only(folder: DataFolder) -> None:
    source = folder.store.source("our crawl", kind="crawl", now=NOON)
    for day in (0, 1):
        folder.store.record(page_visit(link(), seen_at=NOON + timedelta(days=day)), source=source)
        again = folder.store.record(image_visit(seen_at=NOON + timedelta(days=day)), source=source)
    assert not again.new_image
    assert again.image_id is not None
    (sighting,) = folder.store.sightings_of([again.image_id])[again.image_id]
    assert (sighting.first_seen, sighting.last_seen) == (NOON, NOON + timedelta(days=1))
    counts = folder.store.counts()
    assert (counts.images, counts.images_servable, counts.sightings, counts.pages, counts.sources) == (1, 1, 1, 1, 1)


def test_a_second_page_that_shows_a_known_picture_is_a_sighting_at_once(folder: DataFolder) -> None:
    source = folder.store.source("our crawl", kind="crawl", now=NOON)
    folder.store.record(page_visit(link()), source=source)
    first = folder.store.record(image_visit(), source=source)
    other = replace(page_visit(link(caption="Again")), url="http://gallery.localhost:8001/more.html")
    folder.store.record(other, source=source)
    assert first.image_id is not None
    pages = [s.page_url for s in folder.store.sightings_of([first.image_id])[first.image_id]]
    assert pages == [PAGE, "http://gallery.localhost:8001/more.html"]


def test_one_picture_at_two_addresses_is_one_image_with_two_sightings(folder: DataFolder) -> None:
    source = folder.store.source("our crawl", kind="crawl", now=NOON)
    one = folder.store.record(image_visit(), source=source)
    two = folder.store.record(image_visit(url="http://press.localhost:8002/x.jpg"), source=source)
    assert one.image_id == two.image_id
    assert folder.store.counts().sightings == 2


def test_what_may_not_be_indexed_leaves_no_code(folder: DataFolder) -> None:
    source = folder.store.source("our crawl", kind="crawl", now=NOON)
    folder.store.record(image_visit(servable=False), source=source)
    assert folder.store.codes_after(0, kind=PHASH256, count=10) == ()
    counts = folder.store.counts()
    assert (counts.images, counts.images_servable) == (1, 0)
    assert folder.store.coverage((PHASH256,)).images == 0


def test_codes_come_in_commit_order_and_join_to_their_picture(folder: DataFolder) -> None:
    source = folder.store.source("folder", kind="folder", now=NOON)
    for fill in (3, 1, 2):
        seen = PictureSeen(picture(fill), servable=True)
        folder.store.record_file(seen, source=source, locator=Locator(file=f"{fill}.jpg"), now=NOON)
    rows = folder.store.codes_after(0, kind=PHASH256, count=10)
    assert [row.bits[0] for row in rows] == [3, 1, 2]
    assert folder.store.codes_after(rows[0].code_id, kind=PHASH256, count=1) == (rows[1],)
    assert folder.store.codes_of([rows[1].code_id, 999]) == {rows[1].code_id: rows[1]}


def test_a_folder_read_twice_adds_nothing_twice(folder: DataFolder) -> None:
    source = folder.store.source("holiday", kind="folder", now=NOON)
    for _ in range(2):
        seen = PictureSeen(picture(), servable=True)
        folder.store.record_file(seen, source=source, locator=Locator(file="a/1.jpg"), now=NOON)
    assert folder.store.counts().sightings == 1
    (sightings,) = folder.store.sightings_of([1]).values()
    assert sightings[0].locator == Locator(file="a/1.jpg")
    assert sightings[0].image_url is None


def test_a_later_no_counts_for_the_old_sightings(folder: DataFolder) -> None:
    source = folder.store.source("our crawl", kind="crawl", now=NOON)
    recorded = folder.store.record(image_visit(), source=source)
    finding = Finding(signal="x-robots-tag", place="header X-Robots-Tag", raw="noindex", uses={Use.INDEX: Stance.DENY})
    denied = Verdict(Stance.ALLOW, {**SILENT.uses, Use.INDEX: Stance.DENY}, (finding,))
    visit = Visit(
        url=IMAGE, kind="image", outcome=Outcome.DISALLOWED, seen_at=NOON, reason="x-robots-tag", verdict=denied
    )
    folder.store.record(visit, source=source)
    assert recorded.image_id is not None
    (sighting,) = folder.store.sightings_of([recorded.image_id])[recorded.image_id]
    assert sighting.verdict["index"] == "deny"


@pytest.mark.parametrize(
    ("stance", "forbids"),
    [
        (Stance.DENY, True),
        (Stance.CONDITIONAL, True),
        (Stance.UNKNOWN, True),
        (Stance.ALLOW, False),
        (Stance.UNSPECIFIED, False),
    ],
)
def test_doubt_about_the_index_forbids_it(stance: Stance, forbids: bool) -> None:
    verdict = Verdict(Stance.ALLOW, {**SILENT.uses, Use.INDEX: stance}, ())
    assert verdict_forbids_index(verdict) is forbids


def test_a_failed_transaction_leaves_nothing(folder: DataFolder) -> None:
    source = folder.store.source("our crawl", kind="crawl", now=NOON)
    wrong = replace(page_visit(link()), retry_at=NOON)  # only a failed visit may be tried again
    with pytest.raises(ValueError, match="only a failed visit"):
        folder.store.record(wrong, source=source)
    assert folder.frontier.counts().queued == 0


def test_another_process_s_commit_changes_the_version(folder: DataFolder) -> None:
    before = folder.store.version()
    with DataFolder.open(folder.path, create=False) as other:
        other.store.source("elsewhere", kind="crawl", now=NOON)
    changed = folder.store.version()
    assert changed != before
    folder.store.source("here", kind="crawl", now=NOON)
    assert folder.store.version() != changed


def test_a_newer_data_folder_is_refused_and_left_as_it_is(folder: DataFolder) -> None:
    folder.close()
    file = folder.path / CORPUS_FILE
    with Database(file).conn as connection:
        connection.execute("PRAGMA user_version = 99")
    before = file.read_bytes()
    with pytest.raises(NewerDataError, match="data format 99"):
        DataFolder.open(folder.path, create=True)
    assert file.read_bytes() == before


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / CORPUS_FILE).write_bytes(b"this is a text, not a database at all" * 100)
    with pytest.raises(DataError, match=CORPUS_FILE):
        DataFolder.open(tmp_path, create=True)


def test_a_missing_folder_is_not_made_by_a_question(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no data folder"):
        DataFolder.open(tmp_path / "none", create=False)
    assert not (tmp_path / "none").exists()


def test_a_new_folder_is_readable_by_its_owner_alone(folder: DataFolder) -> None:
    assert folder.path.stat().st_mode & 0o777 == 0o700


def test_one_crawl_at_a_time(folder: DataFolder) -> None:
    with (
        folder.exclusive("crawl"),
        DataFolder.open(folder.path, create=False) as other,
        pytest.raises(DataError, match="another crawl"),
        other.exclusive("crawl"),
    ):
        pass


def test_a_transaction_that_fails_is_rolled_back(folder: DataFolder) -> None:
    database = folder.store._db
    with pytest.raises(RuntimeError), transaction(database) as db:
        db.execute("INSERT INTO source (name, kind, first_seen) VALUES ('x', 'crawl', '')")
        raise RuntimeError
    assert folder.store.sources() == ()


def test_a_commit_that_fails_leaves_the_connection_usable(tmp_path: Path) -> None:
    database = open_database(tmp_path / "x.db", CORPUS, durability=Durability.NEVER_FORGETS)
    other = open_database(tmp_path / "x.db", CORPUS, durability=Durability.NEVER_FORGETS)
    database.execute("PRAGMA busy_timeout = 1")
    add = "INSERT INTO source (name, kind, first_seen) VALUES ('x', 'crawl', '')"
    other.execute("BEGIN")
    other.execute("SELECT COUNT(*) FROM source").fetchone()  # a reader that stays: the commit cannot lock the file
    with pytest.raises(DataError, match="locked"), transaction(database) as db:
        db.execute(add)
    other.execute("COMMIT")
    with transaction(database) as db:
        db.execute(add)
    assert other.execute("SELECT COUNT(*) FROM source").fetchone() == (1,)


def test_processes_that_make_a_folder_at_the_same_moment_share_it(tmp_path: Path) -> None:
    program = (
        "import sys, pathlib; from checker.records.folder import DataFolder; "
        "sys.stdin.read(); DataFolder.open(pathlib.Path(sys.argv[1]), create=True).close()"
    )
    for number in range(3):
        command = [sys.executable, "-c", program, str(tmp_path / str(number))]
        openers = [subprocess.Popen(command, stdin=subprocess.PIPE) for _ in range(4)]
        for opener in openers:
            assert opener.stdin is not None
            opener.stdin.close()
        assert [opener.wait(60) for opener in openers] == [0, 0, 0, 0]


def rows(database: Database, query: str) -> list[tuple[object, ...]]:
    return list(database.execute(query).fetchall())


def test_a_folder_of_the_second_version_opens_keeps_everything_and_erases(tmp_path: Path) -> None:
    second = Migrations("corpus")
    for migration in CORPUS._migrations[:2]:
        second(name=migration.name)(migration.fn)
    path = tmp_path / "data"
    path.mkdir()
    database = open_database(path / CORPUS_FILE, second, durability=Durability.MANY_READERS)
    database.execute("INSERT INTO source VALUES (3, 'archive', 'folder', ?)", (NOW,))
    database.execute("INSERT INTO code_kind VALUES (1, 'phash256', '1', 256)")
    for image_id in (7, 8):
        database.execute("INSERT INTO image VALUES (?, ?, 1, 8, 8, 'PNG', ?)", (image_id, bytes([image_id]) * 32, NOW))
        for variant, code_id in (("whole", image_id * 10), ("trimmed", image_id * 10 + 1)):
            code = (code_id, image_id, variant, bytes([code_id]) * 32)
            database.execute(
                "INSERT INTO code (code_id, image_id, kind_id, variant, bits) VALUES (?, ?, 1, ?, ?)", code
            )
        database.execute(
            "INSERT INTO sighting (image_id, source_id, locator, first_seen, last_seen) VALUES (?, 3, '{}', ?, ?)",
            (image_id, NOW, NOW),
        )
    tables = ("source", "code_kind", "image", "code", "sighting")
    before = {table: list(database[table].rows) for table in tables}
    assert database.execute("PRAGMA user_version").fetchone() == (2,)
    database.close()

    for _ in range(2):  # the second time nothing is left to do
        with DataFolder.open(path, create=False) as folder:
            assert rows(folder.store._db, "PRAGMA user_version") == [(len(CORPUS._migrations),)]
            for table, kept in before.items():  # columns may have come
                assert [{n: row[n] for n in kept[0]} for row in folder.store._db[table].rows] == kept
            assert rows(folder.store._db, "PRAGMA integrity_check") == [("ok",)]
            assert list(folder.store.whole_code_block_after(0, kind=PHASH256, count=9).code_ids) == [70, 80]
    with DataFolder.open(path, create=False) as folder:
        assert folder.store.erase([7], now=NOON) == 1
        assert list(folder.store.erased_codes_after(0, kind=PHASH256).code_ids) == [70, 71]
        source = folder.store.source("archive", kind="folder", now=NOON)
        seen = PictureSeen(picture(), servable=True)
        recorded = folder.store.record_file(seen, source=source, locator=Locator(file="1.jpg"), now=NOON)
        assert recorded.image_id == 9
        assert folder.store.last_code_id(PHASH256) == 82
