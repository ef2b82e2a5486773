"""Killed at any moment, whoever records or builds: nothing that was told is lost, nothing that is answered is wrong."""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any

from index_answers import answers_as_a_scan, codes_in, holds, index_of
from index_corpus import NOON
from index_processes import Nursery
from sqlite_utils import Database

from checker.index.build import build
from checker.index.live import kind_folder
from checker.index.manifest import read_manifest
from checker.model import PHASH256
from checker.records.folder import CORPUS_FILE, DataFolder
from checker.settings import Settings

ROUNDS = 25
"""Of two kills each."""


class Told:
    """What the killed processes said that they had done."""

    def __init__(self) -> None:
        self.added: dict[int, bytes] = {}
        self.erasing: set[int] = set()
        self.erased: set[int] = set()
        self.builds = 0

    def take(self, said: list[Any]) -> None:
        match said:
            case ["added", code_id, code]:
                self.added[code_id] = bytes.fromhex(code)
            case ["erasing", code_id]:
                self.erasing.add(code_id)
            case ["erased", code_id]:
                self.erased.add(code_id)
            case ["built", _, repaired]:
                assert not repaired, "a kill is no damage"
                self.builds += 1


def is_right(data: Path, told: Told) -> None:
    """The database is intact and holds all that was told; an index that is opened now answers as a scan of it."""
    with DataFolder.open(data, create=False) as folder:
        database = Database(data / CORPUS_FILE)
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        database.close()
        stored = codes_in(folder)
        for code_id in told.added.keys() - told.erasing:
            assert stored[code_id] == told.added[code_id]
        assert not told.erased & stored.keys()
        with index_of(folder) as index:
            answers_as_a_scan(index, stored)
            assert (index.state().damaged, index.state().codes) == ((), len(stored))


def test_fifty_kills_lose_nothing_and_leave_nothing(tmp_path: Path) -> None:
    data, rng, told = tmp_path / "data", random.Random(11), Told()
    DataFolder.open(data, create=True).close()
    with Nursery() as nursery:
        for seed in range(ROUNDS):
            processes = [nursery.start("write", data, seed, 0.2), nursery.start("build", data, seed)]
            # The first one dies while both are at work, the other while it is alone.
            for process in rng.sample(processes, 2):
                # At whatever comes first: so many more messages, or the end of some time.
                messages, end_s = rng.randrange(100), time.monotonic() + rng.uniform(0, 0.25)
                while messages and (message := nursery.wait(max(0.0, end_s - time.monotonic()))):
                    told.take(message[1])
                    messages -= 1
                nursery.end(process)
            for _, said in nursery.heard():
                told.take(said)
            is_right(data, told)
    assert told.added
    assert told.erased
    assert told.builds
    with DataFolder.open(data, create=False) as folder:
        build(folder, Settings(), now=NOON)
        holds(folder, codes_in(folder))
        place = kind_folder(data, PHASH256)
        manifest = read_manifest(place, PHASH256)
        assert manifest
        assert {file.name for file in place.iterdir()} == {"MANIFEST.json", *manifest.names}
