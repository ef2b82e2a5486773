"""Codes read in bulk: what a plain look at all of them gives, and never a pass over a table for it."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checker.model import PHASH256, CodeKind, Fingerprint, Locator, Picture, Sha256, Variant
from checker.records import code_reader
from checker.records.folder import DataFolder
from checker.records.interfaces import CodeBlock
from checker.visits import PictureSeen

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SSCD512 = CodeKind("sscd512", "1-240436cc531e", 512)
NEVER_STORED = CodeKind("other", "1", 64)
PICTURES = 40


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DataFolder]:
    """40 pictures with one to four codes of two kinds; three of them erased again."""
    rng = random.Random(8)
    with DataFolder.open(tmp_path_factory.mktemp("codes") / "data", create=True) as opened:
        source = opened.store.source("codes", kind="folder", now=NOON)
        for number in range(PICTURES):
            codes = [Fingerprint(PHASH256, rng.randbytes(32))]
            if number % 2:
                codes.append(Fingerprint(SSCD512, rng.randbytes(64)))
            codes += [
                Fingerprint(PHASH256, rng.randbytes(32), variant, (0.0, 0.0, 0.5, 0.5))
                for variant in rng.sample([Variant.TRIMMED, Variant.CROP_1X1], rng.randrange(3))
            ]
            picture = Picture(Sha256(f"{number:064x}"), 1, 8, 8, "PNG", tuple(codes), plain=False)
            seen = PictureSeen(picture, servable=True)
            opened.store.record_file(seen, source=source, locator=Locator(file=str(number)), now=NOON)
        opened.store.erase([1, 17, 18], now=NOON)
        yield opened


Row = tuple[int, int, str, bytes]


def rows_of(folder: DataFolder, kind: CodeKind) -> list[Row]:
    """All codes of a kind, by a look at every row: (code_id, image_id, variant, bits)."""
    query = "SELECT code_id, image_id, variant, code.bits FROM code JOIN code_kind USING (kind_id) WHERE name = ?"
    rows = folder.store._db.execute(query, (kind.name,)).fetchall()
    return sorted((code_id, image_id, variant, bytes(bits)) for code_id, image_id, variant, bits in rows)


def pairs(block: CodeBlock, kind: CodeKind) -> list[tuple[int, bytes]]:
    width = kind.bits // 8
    assert len(block.bits) == width * len(block.code_ids)
    return [(code_id, block.bits[width * n : width * (n + 1)]) for n, code_id in enumerate(block.code_ids)]


IDS = st.lists(st.integers(-1, 160), max_size=60)
KINDS = st.sampled_from([PHASH256, SSCD512, NEVER_STORED])


@given(kind=KINDS, after=st.integers(-1, 140), upto=st.integers(-1, 140), count=st.integers(0, 200))
@settings(max_examples=150)
def test_a_block_between_two_ids_is_what_lies_there(
    folder: DataFolder, kind: CodeKind, after: int, upto: int, count: int
) -> None:
    there = [(row[0], row[3]) for row in rows_of(folder, kind) if after < row[0] <= upto]
    assert pairs(folder.store.code_block_between(after, upto, kind=kind, count=count), kind) == there[:count]
    assert folder.store.codes_between_count(after + 1, upto, kind=kind) == len(there)


@given(kind=KINDS, after=st.integers(-1, 140), count=st.integers(0, 60))
@settings(max_examples=100)
def test_codes_of_whole_pictures_alone_can_be_read(folder: DataFolder, kind: CodeKind, after: int, count: int) -> None:
    there = [(row[0], row[3]) for row in rows_of(folder, kind) if row[0] > after and row[2] == "whole"]
    assert pairs(folder.store.whole_code_block_after(after, kind=kind, count=count), kind) == there[:count]


@given(kind=KINDS, ids=IDS)
@settings(max_examples=150)
def test_codes_and_pictures_are_found_by_any_ids_in_any_order(
    folder: DataFolder, kind: CodeKind, ids: list[int]
) -> None:
    rows = rows_of(folder, kind)
    assert pairs(folder.store.code_block_of(ids, kind=kind), kind) == [(r[0], r[3]) for r in rows if r[0] in ids]
    every = [row for one in (PHASH256, SSCD512) for row in rows_of(folder, one)]
    assert folder.store.image_ids_of(ids) == {row[0]: row[1] for row in every if row[0] in ids}
    assert folder.store.code_ids_of_images(ids, kind=kind) == {
        image_id: tuple(row[0] for row in rows if row[1] == image_id)
        for image_id in ids
        if image_id in {row[1] for row in rows}
    }


def test_more_ids_than_fit_one_statement_come_in_order(folder: DataFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code_reader, "_IDS_AT_ONCE", 7)
    ids = np.arange(200, 0, -1)  # an index asks with arrays
    rows = rows_of(folder, PHASH256)
    block = folder.store.code_block_of(ids, kind=PHASH256)  # type: ignore[arg-type]
    assert pairs(block, PHASH256) == [(row[0], row[3]) for row in rows]


def test_the_last_id_and_the_kinds_are_those_that_are_stored(folder: DataFolder) -> None:
    for kind in (PHASH256, SSCD512):
        assert folder.store.last_code_id(kind) == rows_of(folder, kind)[-1][0]
    assert folder.store.last_code_id(NEVER_STORED) == 0
    assert folder.store.kinds() == (PHASH256, SSCD512)


def test_the_last_id_falls_with_the_last_picture_and_is_never_given_again(tmp_path: Path) -> None:
    with DataFolder.open(tmp_path, create=True) as folder:
        assert (folder.store.last_code_id(PHASH256), folder.store.kinds()) == (0, ())
        source = folder.store.source("codes", kind="folder", now=NOON)
        for code_id in (1, 2):
            picture = Picture(Sha256(64 * "a"), 1, 8, 8, "PNG", (Fingerprint(PHASH256, bytes(32)),), plain=False)
            seen = PictureSeen(picture, servable=True)
            recorded = folder.store.record_file(seen, source=source, locator=Locator(file="a"), now=NOON)
            assert recorded.image_id == folder.store.last_code_id(PHASH256) == code_id
            assert folder.store.erase([code_id], now=NOON) == 1
            assert (folder.store.last_code_id(PHASH256), folder.store.kinds()) == (0, ())


QUESTIONS: dict[str, Callable[[DataFolder], object]] = {
    "codes_after": lambda folder: folder.store.codes_after(3, kind=PHASH256, count=5),
    "codes_of": lambda folder: folder.store.codes_of([3, 4]),
    "codes_of_images": lambda folder: folder.store.codes_of_images([3], PHASH256),
    "kinds": lambda folder: folder.store.kinds(),
    "code_block_after": lambda folder: folder.store.code_block_after(3, kind=PHASH256, count=5),
    "code_block_between": lambda folder: folder.store.code_block_between(3, 9, kind=PHASH256, count=5),
    "whole_code_block_after": lambda folder: folder.store.whole_code_block_after(3, kind=PHASH256, count=5),
    "code_block_of": lambda folder: folder.store.code_block_of([3, 4], kind=PHASH256),
    "last_code_id": lambda folder: folder.store.last_code_id(PHASH256),
    "codes_between_count": lambda folder: folder.store.codes_between_count(3, 9, kind=PHASH256),
    "withheld_images": lambda folder: folder.store.withheld_images(),
    "image_ids_of": lambda folder: folder.store.image_ids_of([3, 4]),
    "code_ids_of_images": lambda folder: folder.store.code_ids_of_images([3, 4], kind=PHASH256),
    "erased_codes_after": lambda folder: folder.store.erased_codes_after(0, kind=PHASH256),
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_no_question_passes_over_a_table_or_sorts(folder: DataFolder, name: str) -> None:
    connection = folder.store._db.conn
    asked: list[str] = []
    connection.set_trace_callback(asked.append)
    QUESTIONS[name](folder)
    connection.set_trace_callback(None)
    assert asked
    for statement in asked:
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}").fetchall()]
        slow = [step for step in plan if step.startswith(("SCAN", "USE TEMP B-TREE"))]
        # The ids that were given are a list, and there are two or three kinds of code.
        few = ("SCAN json_each", "SCAN code_kind")
        wanted = {
            "codes_of_images": ["USE TEMP B-TREE FOR ORDER BY"],
            # Asked once a day, of every sighting.
            "withheld_images": ["SCAN sighting USING INDEX sqlite_autoindex_sighting_1", "SCAN verdict"],
        }.get(name, [])
        assert [step for step in slow if not step.startswith(few)] == wanted, plan


def test_every_question_of_the_reader_is_explained() -> None:
    assert set(QUESTIONS) == {name for name in vars(code_reader.CodeReader) if not name.startswith("_")}
