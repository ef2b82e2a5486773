"""What was erased is in no answer at once, and in no file after the next build; what is hidden leaves the files too."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from index_corpus import NOON, SSCD512, add, distance, opt_out
from sqlite_utils import Database

from checker.index import tail
from checker.index.bits import permuted
from checker.index.build import build
from checker.index.live import LiveIndex, kind_folder
from checker.index.segment import Segment
from checker.index.verify import Verified, verify
from checker.model import PHASH256, CodeKind, Fingerprint, Locator, Picture, Sha256, Variant
from checker.records.folder import CORPUS_FILE, DataFolder
from checker.records.registry import REGISTRY_FILE
from checker.settings import Settings
from checker.visits import PictureSeen

SETTINGS = Settings()


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[DataFolder]:
    with DataFolder.open(tmp_path / "data", create=True) as opened:
        yield opened


@pytest.fixture
def codes() -> list[bytes]:
    rng = random.Random(7)
    return [rng.randbytes(32) for _ in range(50)]


def in_files(folder: DataFolder, code: bytes, kind: CodeKind = PHASH256) -> bool:
    """Do the code's bits stand in any file of the index, in their own order or in that of the index?"""
    words = permuted(code, bits=kind.bits)
    files = [file for file in (folder.path / "index").rglob("*") if file.is_file()]
    if any(code in file.read_bytes() or words.tobytes() in file.read_bytes() for file in files):
        return True
    segments = [Segment(file) for file in kind_folder(folder.path, kind).glob("*.seg")]
    held = any(bool((segment.words == words).all(axis=1).any()) for segment in segments)
    for segment in segments:
        segment.close()
    return held


def image_of(folder: DataFolder, code_id: int) -> int:
    return folder.store.image_ids_of([code_id])[code_id]


def found(index: LiveIndex, code: bytes) -> list[int]:
    return [hit.code_id for hit in index.near([code], distance_bits_max=31).hits]


def only(verified: tuple[Verified, ...], kind: CodeKind = PHASH256) -> Verified:
    return next(one for one in verified if one.kind == kind)


def withdraw(folder: DataFolder) -> None:
    database = Database(folder.path / REGISTRY_FILE)
    with database.conn:
        database.conn.execute("UPDATE opt_out SET state = 'withdrawn'")
    database.close()


# --- erased ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("built", [False, True], ids=["in the tail", "in a segment"])
def test_an_erased_picture_is_in_no_answer_from_the_next_question_on(
    folder: DataFolder, codes: list[bytes], built: bool
) -> None:
    stored = add(folder, codes)
    if built:
        build(folder, SETTINGS, now=NOON)
    first = min(stored)
    with LiveIndex(folder.path, folder.store, PHASH256) as index:
        assert found(index, stored[first]) == [first]
        folder.store.erase([image_of(folder, first)], now=NOON)
        assert found(index, stored[first]) == []
        assert first not in [hit.code_id for hit in index.nearest([stored[first]], count=49).hits]
        assert len(index.nearest([stored[first]], count=49).hits) == 49
        assert index.state().codes == 49
        assert index.state().pending_erasures == built


def test_a_code_that_was_deleted_by_other_means_is_in_no_answer_either(folder: DataFolder, codes: list[bytes]) -> None:
    stored = add(folder, codes)
    build(folder, SETTINGS, now=NOON)
    with LiveIndex(folder.path, folder.store, PHASH256) as index:
        assert found(index, stored[2]) == [2]
        database = Database(folder.path / CORPUS_FILE)
        with database.conn:
            database.conn.execute("DELETE FROM code WHERE code_id = 2")
        database.close()
        assert found(index, stored[2]) == []


def test_a_build_takes_erased_codes_out_of_every_file(folder: DataFolder, codes: list[bytes]) -> None:
    stored = add(folder, codes)
    build(folder, SETTINGS, now=NOON)
    assert in_files(folder, stored[2])
    folder.store.erase([image_of(folder, 2)], now=NOON)
    build(folder, SETTINGS, now=NOON)
    assert not in_files(folder, stored[2])
    assert in_files(folder, stored[4])
    with LiveIndex(folder.path, folder.store, PHASH256) as index:
        assert (index.state().codes, index.state().pending_erasures) == (49, 0)


def test_where_everything_was_erased_nothing_stays_in_the_files(folder: DataFolder, codes: list[bytes]) -> None:
    stored = add(folder, codes)
    build(folder, SETTINGS, now=NOON)
    folder.store.erase([image_of(folder, code_id) for code_id in stored], now=NOON)
    build(folder, SETTINGS, now=NOON)
    assert [file.name for file in (folder.path / "index").rglob("*") if file.is_file()] == ["LOCK"]
    again = add(folder, codes[:1])
    with LiveIndex(folder.path, folder.store, PHASH256) as index:
        assert found(index, codes[0]) == list(again)


def test_an_erased_code_may_wait_in_a_file_for_a_day_and_no_longer(folder: DataFolder, codes: list[bytes]) -> None:
    add(folder, codes)
    build(folder, SETTINGS, now=NOON)
    folder.store.erase([image_of(folder, 2)], now=NOON)
    young = only(verify(folder, SETTINGS, now=NOON + timedelta(hours=24)))
    assert young.holds
    assert [sentence.partition(" lies in")[0] for sentence in young.waiting] == ["1 erased code"]
    old = only(verify(folder, SETTINGS, now=NOON + timedelta(hours=24, seconds=1)))
    assert not old.holds
    assert [sentence.partition(" lies in")[0] for sentence in old.overdue] == ["1 erased code"]
    build(folder, SETTINGS, now=NOON)
    mended = only(verify(folder, SETTINGS, now=NOON + timedelta(days=9)))
    assert (mended.holds, mended.waiting, mended.rows) == (True, [], 49)


def test_a_build_on_a_timer_sweeps_erased_codes_twice_a_day(folder: DataFolder, codes: list[bytes]) -> None:
    stored = add(folder, codes)
    build(folder, SETTINGS, now=NOON)
    folder.store.erase([image_of(folder, 2)], now=NOON)
    assert build(folder, SETTINGS, now=NOON + timedelta(hours=11), if_due=True) == ()
    assert in_files(folder, stored[2])
    build(folder, SETTINGS, now=NOON + timedelta(hours=12), if_due=True)
    assert not in_files(folder, stored[2])


# --- hidden ----------------------------------------------------------------------------------------------------


def test_the_codes_of_a_hidden_picture_leave_the_files_and_are_still_matched(
    folder: DataFolder, codes: list[bytes]
) -> None:
    # The answer keeps its match and loses its addresses (docs/decisions.md, 9): so it has to be found.
    robust = random.Random(8).randbytes(64)
    whole = Fingerprint(PHASH256, codes[0])
    part = Fingerprint(PHASH256, codes[1], Variant.INNER, (0.1, 0.1, 0.9, 0.9))
    picture = Picture(Sha256("a" * 64), 1, 1, 1, "PNG", (whole, part, Fingerprint(SSCD512, robust)), plain=False)
    source = folder.store.source("codes", kind="folder", now=NOON)
    seen = PictureSeen(picture, servable=True)
    folder.store.record_file(seen, source=source, locator=Locator(file="a"), now=NOON)
    others = add(folder, codes[2:])
    build(folder, SETTINGS, now=NOON)
    opt_out(folder, codes[1])
    waiting = only(verify(folder, SETTINGS, now=NOON)).waiting
    assert [sentence.partition(" lie in")[0] for sentence in waiting] == ["2 codes of hidden pictures"]
    assert only(verify(folder, SETTINGS, now=NOON + timedelta(days=2))).overdue
    built = build(folder, SETTINGS, now=NOON)
    assert {one.kind.name: one.aside for one in built} == {"phash256": 2, "sscd512": 1, "other": 0}
    assert not in_files(folder, codes[0])
    assert not in_files(folder, codes[1])
    assert not in_files(folder, robust, SSCD512)
    assert all(one.holds for one in verify(folder, SETTINGS, now=NOON + timedelta(days=2)))
    with LiveIndex(folder.path, folder.store, PHASH256) as index:
        assert [found(index, code) for code in codes[:2]] == [[1], [2]]
        assert index.state().codes == len(others) + 2
    with LiveIndex(folder.path, folder.store, SSCD512) as index:
        assert [hit.distance_bits for hit in index.nearest([robust], count=1).hits] == [0]


def test_only_pictures_within_the_radius_are_set_aside(folder: DataFolder, codes: list[bytes]) -> None:
    near = bytes([codes[0][0] ^ 0xFF, codes[0][1] ^ 0xFF, codes[0][2] ^ 0xFF, codes[0][3] ^ 0x7F, *codes[0][4:]])
    far = bytes([*near[:3], codes[0][3] ^ 0xFF, *near[4:]])
    assert (distance(near, codes[0]), distance(far, codes[0])) == (31, 32)
    add(folder, [near, far])
    opt_out(folder, codes[0])
    build(folder, SETTINGS, now=NOON)
    assert not in_files(folder, near)
    assert in_files(folder, far)


def test_after_a_withdrawal_the_codes_come_back_into_the_files(folder: DataFolder, codes: list[bytes]) -> None:
    stored = add(folder, codes)
    opt_out(folder, stored[2])
    build(folder, SETTINGS, now=NOON)
    withdraw(folder)
    build(folder, SETTINGS, now=NOON)
    assert in_files(folder, stored[2])
    assert only(verify(folder, SETTINGS, now=NOON)).rows == 50
    assert list(kind_folder(folder.path, PHASH256).glob("aside-*")) == []
    with LiveIndex(folder.path, folder.store, PHASH256) as index:
        assert found(index, stored[2]) == [2]


def test_a_hidden_picture_that_is_erased_is_gone_from_answers_and_from_the_list(
    folder: DataFolder, codes: list[bytes]
) -> None:
    stored = add(folder, codes)
    opt_out(folder, stored[2])
    build(folder, SETTINGS, now=NOON)
    with LiveIndex(folder.path, folder.store, PHASH256) as index:
        assert found(index, stored[2]) == [2]
        folder.store.erase([image_of(folder, 2)], now=NOON)
        assert found(index, stored[2]) == []
        build(folder, SETTINGS, now=NOON)
        assert found(index, stored[2]) == []
    assert list(kind_folder(folder.path, PHASH256).glob("aside-*")) == []
    assert only(verify(folder, SETTINGS, now=NOON)).holds


def test_a_build_succeeds_however_much_is_erased_while_it_reads(
    folder: DataFolder, codes: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tail, "READ_AT_ONCE", 5)
    stored = add(folder, codes)
    doomed = sorted(stored, reverse=True)[:15]

    def erase_another(kind: CodeKind, share: float) -> None:
        if kind == PHASH256 and doomed:
            gone = doomed.pop(0)
            del stored[gone]
            folder.store.erase([image_of(folder, gone)], now=NOON)

    build(folder, SETTINGS, now=NOON, progress=erase_another)
    assert doomed == []
    with LiveIndex(folder.path, folder.store, PHASH256) as index:
        assert [found(index, code) for code in stored.values()] == [[code_id] for code_id in stored]
        assert index.state().codes == len(stored) == 35
    assert only(verify(folder, SETTINGS, now=NOON)).holds
