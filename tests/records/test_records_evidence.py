"""What did the site say on that day? Verdicts and evidence are added to, never overwritten, and asked by time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from evidence_visits import (
    CLOSED,
    DAY,
    HOST,
    IMAGE,
    NO_AI_TAG,
    NO_INDEX,
    NO_TRAINING,
    NOON,
    NOT_HAD,
    OPEN,
    OTHER_PAGE,
    PAGE,
    ROBOTS,
    everything,
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
from sqlite_utils.migrations import Migrations
from sqlite_utils.utils import sqlite3

from checker.errors import DataError
from checker.model import Stance, Use, Verdict
from checker.records.database import Durability, open_database
from checker.records.folder import CORPUS_FILE, DataFolder
from checker.records.schema import CORPUS
from checker.visits import Outcome


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[DataFolder]:
    with DataFolder.open(tmp_path / "data", create=True) as opened:
        yield opened


# --- what was said, by time ------------------------------------------------------------------------------------


def test_a_changed_robots_txt_is_kept_beside_the_old_one(folder: DataFolder) -> None:
    for day, body in ((0, OPEN), (2, OPEN), (5, CLOSED)):
        at = NOON + day * DAY
        told(folder, image_visit(at=at, evidence=(fetched(body=body, at=at),)))
    assert robots_on(folder, NOON - DAY) is None
    assert robots_on(folder, NOON) == OPEN
    between = file_on(folder, NOON + 4 * DAY)
    assert between is not None
    assert (between.first_at, between.last_at) == (NOON, NOON + 2 * DAY)  # known to hold until then, and no longer
    assert (between.digest, between.size) == (hashlib.sha256(OPEN).hexdigest(), len(OPEN))
    assert robots_on(folder, NOON + 5 * DAY) == robots_on(folder, NOON + 99 * DAY) == CLOSED


def test_the_verdict_is_told_as_it_was_before_between_and_after_changes(folder: DataFolder) -> None:
    told(folder, page_visit())
    for day, findings in ((0, ()), (2, ()), (5, (NO_TRAINING,)), (9, ())):
        told(folder, image_visit(*findings, at=NOON + day * DAY))
    assert folder.store.said_on(IMAGE, NOON - timedelta(seconds=1)).sightings == ()
    stances = {}
    for day in (0, 4, 5, 8, 9, 10):
        (sighting,) = folder.store.said_on(IMAGE, NOON + day * DAY).sightings
        stances[day] = sighting.verdict["train-ai"]
        assert [finding.raw for finding in sighting.findings] == (["train-ai=n"] if day in (5, 8) else [])
        assert (sighting.page_url, sighting.source) == (PAGE, "our crawl")
    assert stances == {0: "unspecified", 4: "unspecified", 5: "deny", 8: "deny", 9: "unspecified", 10: "unspecified"}
    assert len(rows(folder, "SELECT 1 FROM said WHERE sighting_id != 0")) == 3


def test_each_page_has_its_own_verdict_with_the_words_that_decided(folder: DataFolder) -> None:
    told(folder, page_visit(), page_visit(NO_AI_TAG, url=OTHER_PAGE), image_visit())
    said = {sighting.page_url: sighting for sighting in folder.store.said_on(IMAGE, NOON).sightings}
    assert said[PAGE].verdict["train-ai"] == "unspecified"
    assert said[OTHER_PAGE].verdict["train-ai"] == "deny"
    assert said[OTHER_PAGE].findings == (NO_AI_TAG,)
    own = folder.store.said_on(IMAGE, NOON).address
    assert own is not None
    assert (own.verdict["train-ai"], own.findings) == ("unspecified", ())


def test_what_a_page_says_later_of_a_known_picture_is_another_row(folder: DataFolder) -> None:
    told(folder, page_visit(), image_visit(), page_visit(NO_AI_TAG, at=NOON + DAY))
    (before,) = folder.store.said_on(IMAGE, NOON).sightings
    (after,) = folder.store.said_on(IMAGE, NOON + DAY).sightings
    assert (before.verdict["train-ai"], after.verdict["train-ai"]) == ("unspecified", "deny")


def test_other_findings_with_the_same_verdict_are_another_row(folder: DataFolder) -> None:
    header = replace(NO_TRAINING, signal="x-robots-tag", place="header X-Robots-Tag", raw="noai")
    told(folder, image_visit(NO_TRAINING), image_visit(header, at=NOON + DAY))
    assert [s.findings for s in folder.store.said_on(IMAGE, NOON).sightings] == [(NO_TRAINING,)]
    assert [s.findings for s in folder.store.said_on(IMAGE, NOON + DAY).sightings] == [(header,)]


@pytest.mark.parametrize("outcome", [Outcome.DISALLOWED, Outcome.FAILED])
def test_a_later_refusal_is_added_to_every_sighting_and_the_old_verdict_stays(
    folder: DataFolder, outcome: Outcome
) -> None:
    told(folder, page_visit(), page_visit(url=OTHER_PAGE), image_visit())
    refusal = image_visit(NO_INDEX, at=NOON + DAY, seen=None, outcome=outcome)
    told(folder, refusal, refusal)
    before, after = (folder.store.said_on(IMAGE, NOON + day * DAY).sightings for day in (0, 1))
    assert [sighting.verdict["index"] for sighting in before] == ["unspecified", "unspecified"]
    assert [sighting.verdict["index"] for sighting in after] == ["deny", "deny"]
    assert [sighting.findings for sighting in after] == [(NO_INDEX,), (NO_INDEX,)]
    assert {sighting.first_at for sighting in after} == {NOON + DAY}
    now = folder.store.sightings_of([1])[1]
    assert [sighting.verdict["index"] for sighting in now] == ["deny", "deny"]


def test_an_answer_that_merely_failed_takes_nothing_back_from_the_sightings(folder: DataFolder) -> None:
    told(folder, image_visit(NO_TRAINING))
    doubt = Verdict(Stance.DENY, dict.fromkeys(Use, Stance.UNKNOWN), (NOT_HAD,))
    told(folder, image_visit(at=NOON + DAY, seen=None, outcome=Outcome.FAILED, verdict=doubt))
    said = folder.store.said_on(IMAGE, NOON + DAY)
    assert said.sightings[0].verdict["train-ai"] == "deny"
    assert said.address is not None
    assert (said.address.verdict["train-ai"], said.address.findings) == ("unknown", (NOT_HAD,))


def test_an_address_that_was_never_taken_has_its_evidence_too(folder: DataFolder) -> None:
    told(folder, image_visit(NO_INDEX, seen=None, outcome=Outcome.DISALLOWED, evidence=(fetched(),)))
    said = folder.store.said_on(IMAGE, NOON)
    assert said.sightings == ()
    assert said.address is not None
    assert said.address.findings == (NO_INDEX,)
    assert [file.url for file in said.files] == [ROBOTS]


def test_of_an_address_that_was_never_met_nothing_is_known(folder: DataFolder) -> None:
    said = folder.store.said_on("http://nobody.localhost/", NOON)
    assert (said.address, said.sightings, said.files, said.complete) == (None, (), (), True)


def test_the_same_visit_again_changes_nothing_and_a_later_one_last_at_alone(folder: DataFolder) -> None:
    page = page_visit(NO_AI_TAG, evidence=(fetched(), fetched(PAGE, b"<html></html>")))
    image = image_visit(NO_TRAINING, evidence=(fetched(), fetched(IMAGE, None, ("X-Robots-Tag", "noai"))))
    told(folder, page, image)
    first = everything(folder)
    told(folder, page, image)
    assert everything(folder) == first
    later = [
        replace(one, seen_at=NOON + DAY, evidence=tuple(replace(f, fetched_at=NOON + DAY) for f in one.evidence))
        for one in (page, image)
    ]
    told(folder, *later)
    after = everything(folder)
    for table in ("evidence", "said"):  # last_at is the last column
        assert [row[:-1] for row in after[table]] == [row[:-1] for row in first[table]]
        assert {row[-1] for row in after[table]} == {"2026-11-23T12:00:00Z"}
    assert after["evidence_body"] == first["evidence_body"]
    told(folder, page, image)  # a visit that was slow to be recorded: an older moment moves nothing back
    assert everything(folder) == after


def test_an_older_answer_that_is_told_late_stands_in_its_own_time(folder: DataFolder) -> None:
    for day, body in ((0, OPEN), (9, OPEN), (5, CLOSED)):
        told(folder, image_visit(at=NOON + 9 * DAY, evidence=(fetched(body=body, at=NOON + day * DAY),)))
    assert [robots_on(folder, NOON + day * DAY) for day in (0, 5, 9, 20)] == [OPEN, CLOSED, OPEN, OPEN]


@given(answers=st.lists(st.tuples(st.integers(0, 3), st.sampled_from([OPEN, CLOSED, b""])), max_size=8))
@settings(max_examples=30, deadline=None)
def test_at_any_moment_the_last_answer_before_it_is_given(answers: list[tuple[int, bytes]]) -> None:
    """Each answer comes so many days after the one before; of one moment the last counts."""
    with TemporaryDirectory() as path, DataFolder.open(Path(path), create=True) as folder:
        day, by_day = 0, {}
        for days_later, body in answers:
            day += days_later
            told(folder, image_visit(at=NOON + day * DAY, evidence=(fetched(body=body, at=NOON + day * DAY),)))
            by_day[day] = body
        for asked in range(day + 2):
            known = [body for when, body in by_day.items() if when <= asked]
            assert robots_on(folder, NOON + asked * DAY) == (known[-1] if known else None)


# --- nobody changes it -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE evidence SET status = 404",
        "UPDATE evidence SET error = 'timeout'",
        "UPDATE evidence SET digest = NULL",
        "UPDATE evidence SET first_at = '2020-01-01T00:00:00Z'",
        "UPDATE evidence SET last_at = '2020-01-01T00:00:00Z'",
        "UPDATE evidence_body SET body = zeroblob(3)",
        "UPDATE said SET verdict_id = 2",
        "UPDATE said SET findings = '[]'",
        "UPDATE said SET last_at = '2020-01-01T00:00:00Z'",
    ],
)
def test_what_was_said_is_never_changed(folder: DataFolder, change: str) -> None:
    told(folder, image_visit(NO_TRAINING, evidence=(fetched(),)), image_visit(url=f"{HOST}/2.jpg"))
    before = everything(folder)
    with pytest.raises(sqlite3.IntegrityError, match="never changed"):
        folder.store._db.execute(change)
    assert everything(folder) == before


@pytest.mark.parametrize("body", [b"altered", b""])
@pytest.mark.parametrize("packed", [0, 1])
def test_a_stored_file_that_is_damaged_is_no_evidence(folder: DataFolder, body: bytes, packed: int) -> None:
    digest = hashlib.sha256(OPEN).digest()
    folder.store._db.execute("INSERT INTO evidence_body VALUES (?, ?, ?)", (digest, packed, body))
    with pytest.raises(DataError, match="does not hold what was written"):
        folder.store.evidence_body(digest.hex())


def test_an_erased_picture_takes_the_verdicts_on_it_and_publishers_words_stay(folder: DataFolder) -> None:
    other = f"{HOST}/dog.jpg"
    files = (fetched(), fetched(IMAGE, None, ("X-Robots-Tag", "noai")))
    told(folder, page_visit())
    image_id, _ = told(folder, image_visit(NO_TRAINING, evidence=files), image_visit(url=other, fill=2))
    assert image_id is not None
    folder.store.erase([image_id], now=NOON + DAY)
    said = folder.store.said_on(IMAGE, NOON + DAY)
    assert said.sightings == ()
    assert said.address is not None
    assert said.address.findings == (NO_TRAINING,)
    assert {file.url for file in said.files} == {IMAGE, ROBOTS}
    assert len(folder.store.said_on(other, NOON).sightings) == 1
    assert rows(folder, "SELECT COUNT(*) FROM said WHERE sighting_id != 0") == [(1,)]


def test_a_sighting_takes_what_was_said_of_it_whoever_deletes_it(folder: DataFolder) -> None:
    told(folder, image_visit(), image_visit(NO_TRAINING, at=NOON + DAY))
    folder.store._db.execute("DELETE FROM sighting")
    assert rows(folder, "SELECT DISTINCT sighting_id FROM said") == [(0,)]


# --- a folder of the third version -------------------------------------------------------------------------------

_THIRD = """
INSERT INTO source VALUES (1, 'our crawl', 'crawl', '2026-05-01T00:00:00Z');
INSERT INTO host VALUES (1, 'http://a.localhost');
INSERT INTO url VALUES (1, 1, 'http://a.localhost/'), (2, 1, 'http://a.localhost/1.jpg'),
                       (3, 1, 'http://a.localhost/2.jpg'), (4, 1, 'http://a.localhost/3.jpg');
INSERT INTO verdict VALUES (1, x'01', '{"train-ai": "deny"}'), (2, x'02', '{"train-ai": "unspecified"}');
INSERT INTO image VALUES (1, zeroblob(32), 9, 8, 8, 'PNG', '2026-05-01T00:00:00Z'),
                         (2, x'01', 9, 8, 8, 'PNG', '2026-05-01T00:00:00Z');
INSERT INTO sighting VALUES
    (5, 1, 1, 2, 1, '', NULL, NULL, NULL, 1, '2026-05-01T00:00:00Z', '2026-05-03T00:00:00Z'),
    (6, 2, 1, 3, 1, '', NULL, NULL, NULL, 1, '2026-05-01T00:00:00Z', '2026-05-03T00:00:00Z'),
    (7, 2, 1, 0, 0, '{"file": "2.jpg"}', NULL, NULL, NULL, NULL, '2026-05-01T00:00:00Z', '2026-05-03T00:00:00Z');
INSERT INTO finding VALUES
    (1, 2, 'content-usage', 'robots.txt line 2', 'old', x'01', ?1, 0, '2026-05-01T00:00:00Z'),
    (2, 2, 'content-usage', 'robots.txt line 2', 'new', x'02', ?1, 1, '2026-05-03T00:00:00Z'),
    (3, 1, 'html-robots', 'meta robots', 'noai', x'03', ?2, 1, '2026-05-03T00:00:00Z'),
    (4, 1, 'tdmrep', 'meta tdm-reservation', '1', x'04', ?1, 1, '2026-05-03T00:00:00Z'),
    (5, 3, 'content-usage', 'robots.txt line 2', 'taken', x'05', ?1, 1, '2026-05-03T00:00:00Z'),
    (6, 3, 'content-usage', 'robots.txt line 2', 'refused', x'06', ?1, 0, '2026-05-08T00:00:00Z');
INSERT INTO frontier (url_id, host_id, kind, depth, state, due_at, attempt, verdict_id, visited_at) VALUES
    (1, 1, 'page', 0, 'done', '', 1, 2, '2026-05-03T00:00:00Z'),
    (2, 1, 'image', 1, 'done', '', 1, 1, '2026-05-03T00:00:00Z'),
    (3, 1, 'image', 1, 'disallowed', '', 1, 1, '2026-05-08T00:00:00Z'),
    (4, 1, 'image', 1, 'queued', '', 0, NULL, NULL)
"""
_DOCUMENT = (
    '{"signal": "%s", "version": "", "place": "", "scope": "", "raw": "", "crawl": "unspecified", '
    '"uses": {"train-ai": "deny"}, "malformed": false, "unreachable": false, "inferred": false}'
)


def test_a_folder_of_the_third_version_keeps_everything_and_answers_from_its_last_looks(tmp_path: Path) -> None:
    third = Migrations("corpus")
    for migration in CORPUS._migrations[:3]:
        third(name=migration.name)(migration.fn)
    database = open_database(tmp_path / CORPUS_FILE, third, durability=Durability.MANY_READERS)
    for statement in _THIRD.split(";\n"):
        documents = (_DOCUMENT % "content-usage", _DOCUMENT % "html-robots")[: 2 if "?2" in statement else 0]
        database.execute(statement, documents)
    tables = ("source", "url", "verdict", "image", "sighting", "finding", "frontier")
    before = {table: list(database[table].rows) for table in tables}
    database.close()
    for _ in range(2):  # the second time nothing is left to do
        with DataFolder.open(tmp_path, create=False) as folder:
            assert rows(folder, "PRAGMA user_version") == [(len(CORPUS._migrations),)]
            for table, kept in before.items():  # columns may have come
                assert [{n: row[n] for n in kept[0]} for row in folder.store._db[table].rows] == kept
            assert rows(folder, "PRAGMA integrity_check") == [("ok",)]
            assert rows(folder, "PRAGMA foreign_key_check") == []
            third_of_may, eighth_of_may = "2026-05-03T00:00:00Z", "2026-05-08T00:00:00Z"
            columns = "url_id, sighting_id, verdict_id, findings, first_at, last_at"
            assert rows(folder, f"SELECT {columns} FROM said ORDER BY url_id, sighting_id") == [
                (1, 0, 2, "[3,4]", third_of_may, third_of_may),
                (2, 0, 1, "[2]", third_of_may, third_of_may),
                (2, 5, 1, "[2,3]", third_of_may, third_of_may),  # the page's robots tag reaches its pictures
                (3, 0, 1, "[6]", eighth_of_may, eighth_of_may),
                (3, 6, 1, "[3,5,6]", eighth_of_may, eighth_of_may),
            ]
            (sighting,) = folder.store.said_on("http://a.localhost/1.jpg", datetime(2026, 6, 1, tzinfo=UTC)).sightings
            assert sighting.verdict == {"train-ai": "deny"}
            assert [finding.signal for finding in sighting.findings] == ["content-usage", "html-robots"]
            # What was said at earlier looks was overwritten, so nothing is claimed of them.
            assert folder.store.said_on("http://a.localhost/1.jpg", datetime(2026, 5, 2, tzinfo=UTC)).sightings == ()
