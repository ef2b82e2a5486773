"""Codes of parts and of two kinds, and tiles: written once, added to when they were lacking, read back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlite_utils.migrations import Migrations

from checker.model import PHASH256, Box, CodeKind, Fingerprint, Locator, Picture, Sha256, Tiles, Variant
from checker.records.codes import pack_box, unpack_box
from checker.records.database import Durability, open_database
from checker.records.folder import CORPUS_FILE, DataFolder
from checker.records.interfaces import CodeRow, StoredTiles
from checker.records.schema import CORPUS, m001_everything_seen
from checker.visits import FoundLink, Outcome, PictureSeen, Visit

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SSCD512 = CodeKind("sscd512", "1-240436cc531e", 512)
ANOTHER_MODEL = CodeKind("sscd512", "1-ffffffffffff", 512)
INNER: Box = (0.0, 0.2, 1.0, 0.8)
"""Stands in the database as 0000 3333 ffff cccc: 0.2 is 13107 of 65535, hex 3333."""
WHOLE = Fingerprint(PHASH256, b"\x01" * 32)
PART = Fingerprint(PHASH256, b"\x02" * 32, Variant.INNER, INNER)
ROBUST = Fingerprint(SSCD512, b"\x03" * 64)
TILES = Tiles(bytes(range(144)) * 2, crop=INNER)


def picture(*codes: Fingerprint, tiles: Tiles | None = None, plain: bool = False, fill: int = 1) -> Picture:
    return Picture(Sha256(f"{fill:064x}"), 1000, 640, 480, "JPEG", codes, plain=plain, tiles=tiles)


def record(folder: DataFolder, seen: Picture, *, servable: bool = True) -> int:
    source = folder.store.source("holiday", kind="folder", now=NOON)
    at = Locator(file=f"{seen.sha256[-2:]}.jpg")
    recorded = folder.store.record_file(PictureSeen(seen, servable), source=source, locator=at, now=NOON)
    assert recorded.image_id is not None
    return recorded.image_id


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[DataFolder]:
    with DataFolder.open(tmp_path / "data", create=True) as opened:
        yield opened


def test_codes_of_parts_are_read_back_with_part_and_variant(folder: DataFolder) -> None:
    image_id = record(folder, picture(WHOLE, PART, ROBUST))
    whole = CodeRow(1, image_id, WHOLE.bits, Variant.WHOLE, None)
    part = CodeRow(2, image_id, PART.bits, Variant.INNER, INNER)
    robust = CodeRow(3, image_id, ROBUST.bits, Variant.WHOLE, None)
    assert folder.store.codes_after(0, kind=PHASH256, count=10) == (whole, part)
    assert folder.store.codes_after(1, kind=PHASH256, count=10) == (part,)
    assert folder.store.codes_after(0, kind=SSCD512, count=10) == (robust,)
    assert folder.store.codes_of([3, 2, 9]) == {2: part, 3: robust}
    assert folder.store.codes_of_images([image_id]) == (whole, part, robust)
    assert folder.store.codes_of_images([image_id], PHASH256) == (whole, part)
    assert folder.store.codes_of_images([image_id], kind=SSCD512) == (robust,)
    assert folder.store.codes_of_images([image_id], ANOTHER_MODEL) == ()


def test_a_block_holds_the_same_codes_as_the_rows(folder: DataFolder) -> None:
    record(folder, picture(WHOLE, ROBUST, PART))
    rows = folder.store.codes_after(0, kind=PHASH256, count=10)
    block = folder.store.code_block_after(0, kind=PHASH256, count=10)
    assert list(block.code_ids) == [row.code_id for row in rows] == [1, 3]
    assert block.bits == WHOLE.bits + PART.bits
    assert list(folder.store.code_block_after(1, kind=PHASH256, count=1).code_ids) == [3]
    assert folder.store.code_block_after(3, kind=PHASH256, count=1).bits == b""


def test_every_variant_is_stored(folder: DataFolder) -> None:
    record(folder, picture(*(Fingerprint(PHASH256, bytes(32), variant, INNER) for variant in Variant)))
    assert [row.variant for row in folder.store.codes_after(0, kind=PHASH256, count=99)] == list(Variant)


def test_tiles_come_with_the_size_of_their_picture(folder: DataFolder) -> None:
    first = record(folder, picture(WHOLE, tiles=TILES))
    second = record(folder, picture(WHOLE, fill=2))
    assert folder.store.tiles_of([first, second, 99]) == {first: StoredTiles(TILES.bits, INNER, width=640, height=480)}


@pytest.mark.parametrize("box", [(0.0, 0.0, 1.0, 1.0), (0.123456, 0.2, 0.3337, 0.999999), (0.5, 0.1, 0.50002, 1.0)])
def test_a_part_is_kept_to_a_65535th_of_the_picture(box: Box) -> None:
    assert unpack_box(pack_box(box)) == pytest.approx(box, abs=0.5 / 65_535)


def test_a_part_takes_8_bytes_big_endian() -> None:
    assert pack_box(INNER) == bytes.fromhex("00003333ffffcccc")


@pytest.mark.parametrize(
    "box", [(0.0, 0.0, 1.1, 1.0), (-0.1, 0.0, 1.0, 1.0), (0.5, 0.0, 0.5, 1.0), (0.0, 0.9, 1.0, 0.1)]
)
def test_what_is_no_part_of_a_picture_is_not_stored(folder: DataFolder, box: Box) -> None:
    with pytest.raises(ValueError, match="no part of a picture"):
        record(folder, picture(WHOLE, replace(PART, crop=box)))
    assert folder.store.counts().images == 0


# --- met again -------------------------------------------------------------------------------------------------


def test_a_picture_met_again_gains_what_it_lacked_and_keeps_what_it_had(folder: DataFolder) -> None:
    image_id = record(folder, picture(WHOLE))
    other = record(folder, picture(WHOLE, fill=2))
    changed = replace(WHOLE, bits=b"\x09" * 32)
    assert record(folder, picture(changed, PART, ROBUST, tiles=TILES)) == image_id
    whole, part, robust = folder.store.codes_of_images([image_id])
    assert (whole.code_id, whole.bits) == (1, WHOLE.bits)
    assert (part.bits, part.crop, robust.bits) == (PART.bits, INNER, ROBUST.bits)
    assert min(part.code_id, robust.code_id) > folder.store.codes_of_images([other])[0].code_id
    assert folder.store.tiles_of([image_id])[image_id].bits == TILES.bits


def test_the_same_codes_again_change_nothing(folder: DataFolder) -> None:
    full = picture(WHOLE, PART, ROBUST, tiles=TILES)
    image_id = record(folder, full)
    before = folder.store.codes_of_images([image_id]), folder.store.tiles_of([image_id])
    record(folder, full)
    record(folder, replace(full, tiles=Tiles(bytes(288), crop=(0.0, 0.0, 1.0, 1.0))))
    record(folder, picture(WHOLE))
    assert (folder.store.codes_of_images([image_id]), folder.store.tiles_of([image_id])) == before


def test_a_crawled_picture_gains_codes_in_the_same_way(folder: DataFolder) -> None:
    source = folder.store.source("our crawl", kind="crawl", now=NOON)
    folder.frontier.add([FoundLink(url := "http://a.localhost/1.jpg", "image", "img src")], depth=0, now=NOON)
    for day, seen in enumerate((picture(WHOLE), picture(WHOLE, ROBUST, tiles=TILES))):
        at = NOON + timedelta(days=day)
        visit = Visit(url, "image", Outcome.DONE, at, seen=PictureSeen(seen, servable=True))
        image_id = folder.store.record(visit, source=source).image_id
    assert image_id is not None
    assert [row.bits for row in folder.store.codes_of_images([image_id])] == [WHOLE.bits, ROBUST.bits]
    assert image_id in folder.store.tiles_of([image_id])


@pytest.mark.parametrize(("servable", "plain"), [(False, False), (True, True), (False, True)])
def test_what_may_not_or_cannot_be_found_leaves_neither_codes_nor_tiles(
    folder: DataFolder, servable: bool, plain: bool
) -> None:
    image_id = record(folder, picture(WHOLE, PART, ROBUST, tiles=TILES, plain=plain), servable=servable)
    assert folder.store.codes_of_images([image_id]) == ()
    assert folder.store.tiles_of([image_id]) == {}
    assert folder.store.counts().images_servable == 0
    assert folder.store.robust_kinds() == ()


# --- what an answer rests on -----------------------------------------------------------------------------------


def test_a_picture_of_many_codes_counts_once(folder: DataFolder) -> None:
    record(folder, picture(WHOLE, PART, ROBUST))
    assert folder.store.counts().images_servable == 1


def test_checks_name_only_kinds_that_are_stored(folder: DataFolder) -> None:
    assert folder.store.coverage((PHASH256, SSCD512)).checks == ("phash256",)
    record(folder, picture(WHOLE))
    assert folder.store.coverage((PHASH256, SSCD512)).checks == ("phash256",)
    record(folder, picture(WHOLE, ROBUST))
    assert folder.store.coverage((PHASH256, SSCD512)).checks == ("phash256", "sscd512")
    assert folder.store.coverage((PHASH256,)).checks == ("phash256",)
    assert folder.store.coverage((PHASH256, ANOTHER_MODEL)).checks == ("phash256",)


def test_the_models_whose_codes_are_stored_are_known(folder: DataFolder) -> None:
    assert folder.store.robust_kinds() == ()
    record(folder, picture(WHOLE, ROBUST))
    record(folder, picture(WHOLE, Fingerprint(ANOTHER_MODEL, bytes(64)), fill=2))
    assert folder.store.robust_kinds() == (SSCD512, ANOTHER_MODEL)


def test_counts_are_those_of_this_moment_whoever_wrote(folder: DataFolder) -> None:
    assert folder.store.counts().images == 0
    record(folder, picture(WHOLE))
    assert folder.store.counts().images == 1
    with DataFolder.open(folder.path, create=False) as other:
        record(other, picture(WHOLE, ROBUST, fill=2))
    assert folder.store.counts().images == 2
    assert folder.store.robust_kinds() == (SSCD512,)


def test_pages_are_counted_after_the_frontier_changed_too(folder: DataFolder) -> None:
    source = folder.store.source("our crawl", kind="crawl", now=NOON)
    folder.store.record(Visit("http://a.localhost/", "page", Outcome.DONE, NOON), source=source)
    assert folder.store.counts().pages == 1
    folder.frontier.requeue(now=NOON)
    assert folder.store.counts().pages == 0


# --- a folder of the first version ------------------------------------------------------------------------------


def test_a_folder_of_the_first_version_opens_keeps_its_code_and_takes_more(tmp_path: Path) -> None:
    first = Migrations("corpus")
    first()(m001_everything_seen)
    (tmp_path / "data").mkdir(mode=0o700)
    old = open_database(tmp_path / "data" / CORPUS_FILE, first, durability=Durability.MANY_READERS)
    assert old.execute("PRAGMA user_version").fetchone() == (1,)
    old.execute("INSERT INTO source (name, kind, first_seen) VALUES ('holiday', 'folder', '2026-11-22T12:00:00Z')")
    old.execute("INSERT INTO image VALUES (7, ?, 1000, 640, 480, 'JPEG', '2026-11-22T12:00:00Z')", (bytes(31) + b"\1",))
    old.execute("INSERT INTO code_kind VALUES (1, 'phash256', '1', 256)")
    old.execute("INSERT INTO code VALUES (5, 7, 1, 'whole', ?)", (WHOLE.bits,))
    old.close()
    for _ in range(2):
        with DataFolder.open(tmp_path / "data", create=False) as folder:
            assert folder.store.codes_of_images([7], PHASH256)[0] == CodeRow(5, 7, WHOLE.bits, Variant.WHOLE, None)
            assert record(folder, picture(WHOLE, PART, tiles=TILES)) == 7
            whole, part = folder.store.codes_of_images([7])
            assert whole.code_id == 5 < part.code_id
            assert (part.bits, part.crop) == (PART.bits, INNER)
            assert folder.store.tiles_of([7])[7].crop == INNER
            assert folder.store._rows("PRAGMA user_version", ())[0][0] == len(CORPUS._migrations)
            assert folder.store._rows("PRAGMA integrity_check", ()) == [("ok",)]
