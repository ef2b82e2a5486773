"""What runs for long keeps the index built, in a process beside it."""

from __future__ import annotations

import queue
import random
import sys
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from index_corpus import NOON, add, add_many

from checker.index import upkeep
from checker.index.build import build
from checker.index.due import SEAL_ROWS, reason_to_build
from checker.index.live import LiveIndex, kind_folder
from checker.index.upkeep import Upkeep
from checker.model import PHASH256
from checker.records.folder import DataFolder
from checker.settings import Settings

SETTINGS = Settings()


def state_of(folder: DataFolder) -> tuple[int, int]:
    with LiveIndex(folder.path, folder.store, PHASH256) as index:
        return index.state().segments, index.state().tail


def test_enough_new_codes_are_a_reason_to_build(tmp_path: Path) -> None:
    rng = random.Random(1)
    with DataFolder.open(tmp_path, create=True) as folder:
        add_many(folder, [rng.randbytes(32) for _ in range(SEAL_ROWS - 1)])
        assert reason_to_build(folder, SETTINGS, PHASH256, now=NOON) is None
        add(folder, [rng.randbytes(32)])
        assert reason_to_build(folder, SETTINGS, PHASH256, now=NOON) == "65536 new codes"
        build(folder, SETTINGS, now=NOON)
        assert reason_to_build(folder, SETTINGS, PHASH256, now=NOON) is None
        add(folder, [rng.randbytes(32)])
        assert reason_to_build(folder, SETTINGS, PHASH256, now=NOON) is None


def test_what_was_erased_is_a_reason_twelve_hours_after_the_last_sweep(tmp_path: Path) -> None:
    with DataFolder.open(tmp_path, create=True) as folder:
        add(folder, [bytes(32), b"\xff" * 32])
        build(folder, SETTINGS, now=NOON)
        assert reason_to_build(folder, SETTINGS, PHASH256, now=NOON + timedelta(days=9)) is None
        folder.store.erase([1], now=NOON)
        assert reason_to_build(folder, SETTINGS, PHASH256, now=NOON + timedelta(hours=11)) is None
        assert reason_to_build(folder, SETTINGS, PHASH256, now=NOON + timedelta(hours=12)) == "1 codes were erased"


def test_a_damaged_manifest_is_a_reason(tmp_path: Path) -> None:
    with DataFolder.open(tmp_path, create=True) as folder:
        add(folder, [bytes(32)])
        build(folder, SETTINGS, now=NOON)
        manifest = kind_folder(folder.path, PHASH256) / "MANIFEST.json"
        manifest.write_bytes(manifest.read_bytes().replace(b'"upto": 2', b'"upto": 3'))
        assert "MANIFEST.json is altered" in str(reason_to_build(folder, SETTINGS, PHASH256, now=NOON))


def test_a_run_that_ends_builds_what_is_due_before_it_does(tmp_path: Path) -> None:
    rng = random.Random(2)
    with DataFolder.open(tmp_path, create=True) as folder:
        said: list[str] = []
        with Upkeep(folder, SETTINGS, said.append):
            add_many(folder, [rng.randbytes(32) for _ in range(SEAL_ROWS)])
        assert state_of(folder) == (1, 0)
        assert said == []


def test_a_build_that_cannot_be_started_is_said_and_started_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = random.Random(2)
    said: queue.Queue[str] = queue.Queue()
    monkeypatch.setattr(upkeep, "_START_REST_S", 0.0)
    with DataFolder.open(tmp_path, create=True) as folder:
        add_many(folder, [rng.randbytes(32) for _ in range(SEAL_ROWS)])
        with monkeypatch.context() as broken:
            broken.setattr(sys, "executable", str(tmp_path / "no-python"))
            kept = Upkeep(folder, SETTINGS, said.put)
            assert said.get(timeout=60).startswith("the index could not be built: ")
        kept.finish()
        assert state_of(folder) == (1, 0)


def test_a_run_that_fails_waits_for_no_build(tmp_path: Path) -> None:
    rng = random.Random(3)
    with DataFolder.open(tmp_path, create=True) as folder:
        add_many(folder, [rng.randbytes(32) for _ in range(SEAL_ROWS)])
        with pytest.raises(ZeroDivisionError), Upkeep(folder, SETTINGS, print):
            raise ZeroDivisionError
        segments, tail = state_of(folder)
        assert segments * SEAL_ROWS + tail == SEAL_ROWS  # built in time or not at all


def test_a_damaged_file_that_a_reader_met_is_mended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "EVERY_S", 0.05)
    with DataFolder.open(tmp_path, create=True) as folder:
        add(folder, [bytes(32)])
        build(folder, SETTINGS, now=NOON)
        with LiveIndex(folder.path, folder.store, PHASH256) as index:
            segment = next(kind_folder(folder.path, PHASH256).glob("*.seg"))
            content = bytearray(segment.read_bytes())
            content[4096] ^= 1
            segment.write_bytes(content)
            assert index.state().damaged == (segment.name,)
            mended = threading.Event()

            def damaged() -> bool:
                if not index.state().damaged:
                    mended.set()
                    return False
                return True

            with Upkeep(folder, SETTINGS, print, damaged=damaged):
                assert mended.wait(60)
            assert index.state().damaged == ()
            assert [hit.distance_bits for hit in index.near([bytes(32)], distance_bits_max=0).hits] == [0]


def test_a_build_that_fails_is_told(tmp_path: Path) -> None:
    rng = random.Random(4)
    with DataFolder.open(tmp_path, create=True) as folder:
        add_many(folder, [rng.randbytes(32) for _ in range(SEAL_ROWS)])
        (tmp_path / "index").write_text("in the way")
        said: list[str] = []
        with Upkeep(folder, SETTINGS, said.append):
            pass
        assert said
        assert said[0].startswith("the index could not be built: cannot make the data folder")
