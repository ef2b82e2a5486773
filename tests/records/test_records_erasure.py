"""Erasing pictures: what goes, what stays, that every code leaves a tombstone, and that nobody brings it back."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlite_utils.utils import sqlite3

from checker.model import (
    PHASH256,
    CodeKind,
    Finding,
    Fingerprint,
    Locator,
    Picture,
    Sha256,
    Stance,
    Tiles,
    Use,
    Variant,
    Verdict,
)
from checker.records.folder import CORPUS_FILE, DataFolder
from checker.visits import FoundLink, Outcome, PictureSeen, Visit

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
LATER = NOON + timedelta(hours=1)
HOST = "http://gallery.localhost:8001"
PAGE = f"{HOST}/index.html"
IMAGE = f"{HOST}/cat.jpg"
SSCD512 = CodeKind("sscd512", "1-240436cc531e", 512)
SILENT = Verdict(crawl=Stance.ALLOW, uses=dict.fromkeys(Use, Stance.UNSPECIFIED), findings=())


def bits_of(fill: int, kind: CodeKind = PHASH256) -> bytes:
    """A code that is nowhere else in the database."""
    return (b"code" + bytes([fill]) * 4) * (kind.bits // 64)


def picture(fill: int) -> Picture:
    """With a code of the whole and of a part, one of a second kind, and tiles."""
    codes = (
        Fingerprint(PHASH256, bits_of(fill)),
        Fingerprint(PHASH256, bits_of(fill + 100), Variant.TRIMMED, (0.0, 0.0, 0.5, 0.5)),
        Fingerprint(SSCD512, bits_of(fill, SSCD512)),
    )
    tiles = Tiles(bits=b"tile" + bytes([fill]) * 284, crop=(0.0, 0.0, 1.0, 1.0))
    return Picture(Sha256(f"{fill:02x}" * 32), 1000, 640, 480, "JPEG", codes, plain=False, tiles=tiles)


def page_visit(*links: FoundLink) -> Visit:
    return Visit(url=PAGE, kind="page", outcome=Outcome.DONE, seen_at=NOON, status=200, verdict=SILENT, links=links)


def image_visit(url: str = IMAGE, fill: int = 1) -> Visit:
    seen = PictureSeen(picture(fill), servable=True)
    return Visit(url=url, kind="image", outcome=Outcome.DONE, seen_at=NOON, status=200, verdict=SILENT, seen=seen)


def link(url: str = IMAGE) -> FoundLink:
    return FoundLink(url=url, kind="image", found_as="img src", caption="A cat called Chelsea")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[DataFolder]:
    with DataFolder.open(tmp_path / "data", create=True) as opened:
        yield opened


def crawled(folder: DataFolder, *visits: Visit) -> list[int | None]:
    source = folder.store.source("our crawl", kind="crawl", now=NOON)
    return [folder.store.record(visit, source=source).image_id for visit in visits]


def archived(folder: DataFolder, *fills: int) -> list[int]:
    source = folder.store.source("archive", kind="folder", now=NOON)
    recorded = [
        folder.store.record_file(
            PictureSeen(picture(fill), servable=True), source=source, locator=Locator(file=f"{fill}.jpg"), now=NOON
        )
        for fill in fills
    ]
    return [one.image_id for one in recorded if one.image_id is not None]


def rows(folder: DataFolder, query: str) -> list[tuple[object, ...]]:
    return list(folder.store._db.execute(query).fetchall())


# --- what goes -------------------------------------------------------------------------------------------------


def test_all_of_a_picture_goes_and_nothing_of_another(folder: DataFolder) -> None:
    first, second = archived(folder, 1, 2)
    kept = folder.store.codes_of_images([second])
    assert folder.store.erase([first, 999], now=LATER) == 1
    assert folder.store.codes_of_images([first, second]) == kept
    assert set(folder.store.tiles_of([first, second])) == {second}
    assert set(folder.store.sightings_of([first, second])) == {second}
    counts = folder.store.counts()
    assert (counts.images, counts.images_servable, counts.sightings) == (1, 1, 1)
    assert folder.store.erase([first], now=LATER) == 0


def test_an_erasure_is_seen_by_other_processes_as_a_new_version(folder: DataFolder) -> None:
    (image_id,) = archived(folder, 1)
    with DataFolder.open(folder.path, create=False) as other:
        before, own = other.store.version(), folder.store.version()
        folder.store.erase([image_id], now=LATER)
        assert other.store.version() != before
        assert folder.store.version() != own
        assert other.store.codes_of_images([image_id]) == ()


def test_what_was_erased_is_in_no_file_any_more(folder: DataFolder) -> None:
    """Neither in free pages nor in the write-ahead log, while another process has the folder open too."""
    with DataFolder.open(folder.path, create=False):
        erased = [image_id for image_id in crawled(folder, page_visit(link()), image_visit()) if image_id]
        archived(folder, 2)
        folder.store.erase(erased, now=LATER)
        there = b"".join(path.read_bytes() for path in folder.path.iterdir() if path.name.startswith(CORPUS_FILE))
    assert bits_of(2) in there
    for trace in (bits_of(1), bits_of(101), bits_of(1, SSCD512), b"tile" + bytes([1]) * 284, b"Chelsea", b"\x01" * 32):
        assert trace not in there


def test_who_is_killed_amid_an_erasure_has_erased_nothing(folder: DataFolder) -> None:
    ids = archived(folder, 1, 2, 3)
    program = """if True:
        import pathlib, sys
        from datetime import UTC, datetime
        from checker.records.database import transaction
        from checker.records.erasure import erase_pictures
        from checker.records.folder import DataFolder
        store = DataFolder.open(pathlib.Path(sys.argv[1]), create=False).store
        with transaction(store._db) as db:
            print(erase_pictures(db, [1, 2], now=datetime.now(UTC)), flush=True)
            sys.stdin.read()
    """
    command = [sys.executable, "-c", program, str(folder.path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"2\n"
        child.kill()
    assert len(folder.store.codes_of_images(ids)) == 9
    assert list(folder.store.erased_codes_after(0, kind=PHASH256).code_ids) == []
    assert folder.store.erase(ids, now=LATER) == 3


# --- tombstones ------------------------------------------------------------------------------------------------


def test_tombstones_come_by_kind_in_the_order_in_which_codes_went(folder: DataFolder) -> None:
    archived(folder, 1, 2, 3)  # codes 1 2 (3), 4 5 (6), 7 8 (9); of the second kind those in brackets
    empty = folder.store.erased_codes_after(0, kind=PHASH256)
    assert (empty.mark, list(empty.code_ids)) == (0, [])
    folder.store.erase([3], now=LATER)
    first = folder.store.erased_codes_after(empty.mark, kind=PHASH256)
    assert sorted(first.code_ids) == [7, 8]
    assert list(first.erased_at) == [int(LATER.timestamp())] * 2
    folder.store.erase([1], now=LATER + timedelta(days=1))
    second = folder.store.erased_codes_after(first.mark, kind=PHASH256)
    assert sorted(second.code_ids) == [1, 2]
    assert list(second.erased_at) == [int(LATER.timestamp()) + 86_400] * 2
    assert folder.store.erased_codes_after(second.mark, kind=PHASH256).mark == second.mark
    assert list(folder.store.erased_codes_after(0, kind=SSCD512).code_ids) == [9, 3]
    assert list(folder.store.erased_codes_after(0, kind=CodeKind("other", "1", 64)).code_ids) == []


@pytest.mark.parametrize(
    ("statement", "gone"),
    [
        ("DELETE FROM code WHERE code_id = 4", [4]),
        ("DELETE FROM code WHERE variant = 'trimmed'", [2, 5]),
        ("DELETE FROM code", [1, 2, 4, 5]),
    ],
)
def test_a_code_leaves_a_tombstone_whoever_deletes_it(folder: DataFolder, statement: str, gone: list[int]) -> None:
    """Another program, without a line of ours."""
    archived(folder, 1, 2)
    program = (
        "import sys; from sqlite_utils.utils import sqlite3; "
        "sqlite3.connect(sys.argv[1], isolation_level=None).execute(sys.argv[2])"
    )
    before = int(datetime.now(UTC).timestamp())
    subprocess.run([sys.executable, "-c", program, folder.path / CORPUS_FILE, statement], check=True, timeout=60)
    block = folder.store.erased_codes_after(0, kind=PHASH256)
    assert sorted(block.code_ids) == gone
    assert all(before <= moment <= datetime.now(UTC).timestamp() for moment in block.erased_at)


@pytest.mark.parametrize("change", ["bits = zeroblob(32)", "code_id = 77", "kind_id = 2", "image_id = 2"])
def test_a_code_is_never_changed(folder: DataFolder, change: str) -> None:
    archived(folder, 1, 2)
    with pytest.raises(sqlite3.IntegrityError, match="never changed"):
        folder.store._db.execute(f"UPDATE code SET {change} WHERE code_id = 1")
    assert folder.store.codes_of([1])[1].bits == bits_of(1)


STEPS = st.lists(st.one_of(st.integers(1, 6), st.lists(st.integers(1, 9), max_size=3)), max_size=10)


@given(steps=STEPS)
@settings(max_examples=25)
def test_every_code_is_either_there_or_has_a_tombstone(steps: list[int | list[int]]) -> None:
    """A number records the picture of that number, a list erases pictures by their ids."""
    with TemporaryDirectory() as path, DataFolder.open(Path(path), create=True) as folder:
        given_out: set[int] = set()
        mark, told = 0, []
        for step in steps:
            if isinstance(step, list):
                folder.store.erase(step, now=LATER)
            else:
                archived(folder, step)
            there = {code_id for (code_id,) in rows(folder, "SELECT code_id FROM code WHERE kind_id = 1")}
            given_out |= {int(str(code_id)) for code_id in there}
            block = folder.store.erased_codes_after(mark, kind=PHASH256)
            mark, told = block.mark, [*told, *block.code_ids]
            assert sorted(told) == sorted(given_out - there)


# --- nobody brings it back -------------------------------------------------------------------------------------


def waiting(folder: DataFolder) -> list[str]:
    """The addresses that a crawl would ask for now, all of them."""
    found = []
    while lease := folder.frontier.lease(host=HOST, seconds=3600, now=LATER):
        found.append(lease.url)
    return found


def test_no_later_run_asks_for_an_erased_address(folder: DataFolder) -> None:
    _, image_id = crawled(folder, page_visit(link()), image_visit())
    assert image_id is not None
    folder.store.erase([image_id], now=LATER)
    folder.frontier.add([link()], depth=0, now=LATER)  # named at the start of another run
    folder.frontier.requeue(now=LATER)  # --refresh
    assert waiting(folder) == [PAGE]
    crawled(folder, page_visit())  # the page shows it no more, and then again
    crawled(folder, page_visit(link()))
    folder.frontier.requeue(now=LATER)
    assert waiting(folder) == [PAGE]
    assert folder.store.counts().sightings == 0


def test_an_address_that_says_no_since_stays_erased(folder: DataFolder) -> None:
    """Its page forbids the index now: that is written down for every picture on it, and must not queue this one."""
    _, image_id = crawled(folder, page_visit(link()), image_visit())
    assert image_id is not None
    folder.store.erase([image_id], now=LATER)
    barred = Visit(IMAGE, "image", Outcome.DISALLOWED, LATER, reason="robots-meta", verdict=SILENT)
    crawled(folder, barred)
    folder.frontier.requeue(now=LATER)
    assert waiting(folder) == [PAGE]


def test_a_visit_that_was_under_way_does_not_bring_the_picture_back(folder: DataFolder) -> None:
    _, image_id = crawled(folder, page_visit(link()), image_visit())
    assert image_id is not None
    folder.frontier.requeue(now=NOON)
    assert waiting(folder) == [PAGE, IMAGE]  # both are being fetched
    folder.store.erase([image_id], now=LATER)
    assert crawled(folder, image_visit()) == [None]
    assert folder.store.counts().images == 0


def test_an_address_where_another_picture_was_seen_stays(folder: DataFolder) -> None:
    """The file behind the address was replaced between two visits."""
    _, first, second = crawled(folder, page_visit(link()), image_visit(fill=1), image_visit(fill=2))
    assert first is not None
    assert second is not None
    folder.store.erase([first], now=LATER)
    (sighting,) = folder.store.sightings_of([second])[second]
    assert (sighting.image_url, sighting.caption) == (IMAGE, "A cat called Chelsea")
    folder.frontier.requeue(now=LATER)
    assert waiting(folder) == [PAGE, IMAGE]


def test_what_publishers_said_stays(folder: DataFolder) -> None:
    said = Finding("x-robots-tag", "header X-Robots-Tag", "noai", {Use.TRAIN_AI: Stance.DENY})
    verdict = Verdict(Stance.ALLOW, {**SILENT.uses, Use.TRAIN_AI: Stance.DENY}, (said,))
    _, image_id = crawled(folder, page_visit(link()), replace(image_visit(), verdict=verdict))
    assert image_id is not None
    folder.store.erase([image_id], now=LATER)
    assert rows(folder, "SELECT url, signal, raw FROM finding JOIN url USING (url_id)") == [
        (IMAGE, "x-robots-tag", "noai")
    ]


def test_the_same_picture_met_elsewhere_is_a_new_one(folder: DataFolder) -> None:
    """Nothing is kept that it could be known by. To keep it out wherever it is met, somebody opts it out."""
    _, image_id = crawled(folder, page_visit(link()), image_visit())
    assert image_id is not None
    old = {code.code_id for code in folder.store.codes_of_images([image_id])}
    folder.store.erase([image_id], now=LATER)
    (anew,) = archived(folder, 1)
    assert anew > image_id
    assert min(code.code_id for code in folder.store.codes_of_images([anew])) > max(old)
