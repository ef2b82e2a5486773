"""Any order of recording, erasing, hiding, building, damaging and putting back: every answer is that of a scan."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from index_answers import IN_MEMORY, answers_as_a_scan, codes_in, erase, holds, index_of, opt_out
from index_corpus import NOON, add

from checker.index.build import build
from checker.index.live import INDEX_FOLDER
from checker.records.folder import CORPUS_FILE, DataFolder
from checker.records.registry import REGISTRY_FILE, Registry
from checker.settings import Settings


class Troubles(RuleBasedStateMachine):
    """What has happened to the files since the last build is known; what is damaged without it is a mistake of ours."""

    @initialize(seed=st.integers(0, 2**32))
    def begin(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.temporary = TemporaryDirectory(dir=IN_MEMORY)
        self.place = Path(self.temporary.name)
        self.data = self.place / "data"
        self.folder = DataFolder.open(self.data, create=True)
        self.index = index_of(self.folder)
        self.harmed = False
        self.opted_out = 0

    @rule(count=st.integers(1, 9))
    def record(self, count: int) -> None:
        add(self.folder, [self.rng.randbytes(32) for _ in range(count)])

    @rule(count=st.integers(1, 4), newest=st.booleans())
    def erase(self, count: int, newest: bool) -> None:
        ids = sorted(codes_in(self.folder))
        gone = ids[-count:] if newest else self.rng.sample(ids, min(count, len(ids)))
        erase(self.folder, *gone)

    @rule()
    def hide(self) -> None:
        stored = codes_in(self.folder)
        if not stored:
            return
        opt_out(self.folder, stored[self.rng.choice([max(stored), *stored])], self.opted_out)
        self.opted_out += 1

    @precondition(lambda self: self.opted_out)
    @rule()
    def withdraw(self) -> None:
        with closing(Registry.open(self.data / REGISTRY_FILE)) as registry, registry.writing() as writer:
            writer.move(str(self.rng.randrange(self.opted_out)), old="recorded", new="withdrawn")

    @rule(full=st.booleans(), if_due=st.booleans())
    def build(self, full: bool, if_due: bool) -> None:
        built = build(self.folder, Settings(), now=NOON, full=full, if_due=if_due)
        if not self.harmed:
            assert not any(one.repaired for one in built)
        if not if_due:
            self.harmed = False
            holds(self.folder, codes_in(self.folder))

    @rule(how=st.sampled_from(["flip", "cut", "delete"]))
    def damage(self, how: str) -> None:
        files = [file for file in sorted((self.data / INDEX_FOLDER).rglob("*.*")) if file.is_file()]
        if not files:
            return
        file, self.harmed = self.rng.choice(files), True
        size = file.stat().st_size
        if how == "delete":
            file.unlink()
        elif how == "cut":
            os.truncate(file, self.rng.randrange(size) if size else 0)
        elif size:
            with file.open("r+b") as opened:
                opened.seek(self.rng.randrange(size))
                byte = opened.read(1)[0]
                opened.seek(-1, os.SEEK_CUR)
                opened.write(bytes([byte ^ 1 << self.rng.randrange(8)]))
            os.utime(file, ns=(0, self.rng.randrange(1 << 60)))  # as any later moment would, however coarse the clock

    @rule()
    def keep_a_copy(self) -> None:
        self._without_the_folder(lambda: shutil.copy(self.data / CORPUS_FILE, self.place / "older.db"))
        shutil.rmtree(self.place / "older", ignore_errors=True)
        if (self.data / INDEX_FOLDER).is_dir():
            shutil.copytree(self.data / INDEX_FOLDER, self.place / "older")

    @precondition(lambda self: (self.place / "older.db").exists())
    @rule()
    def put_the_database_back(self) -> None:
        self._without_the_folder(lambda: shutil.copy(self.place / "older.db", self.data / CORPUS_FILE))
        self.harmed = True

    @precondition(lambda self: (self.place / "older").exists())
    @rule()
    def put_the_index_back(self) -> None:
        shutil.rmtree(self.data / INDEX_FOLDER, ignore_errors=True)
        shutil.copytree(self.place / "older", self.data / INDEX_FOLDER)
        self.harmed = True

    @rule()
    def reopen(self) -> None:
        self._without_the_folder(lambda: None)

    @invariant()
    def answers_are_those_of_a_scan(self) -> None:
        stored = codes_in(self.folder)
        answers_as_a_scan(self.index, stored)
        with index_of(self.folder) as opened_now:
            answers_as_a_scan(opened_now, stored)
            assert opened_now.state().codes == len(stored)
            if not self.harmed:
                assert opened_now.state().damaged == ()

    def teardown(self) -> None:
        if hasattr(self, "index"):
            build(self.folder, Settings(), now=NOON)
            holds(self.folder, codes_in(self.folder))
            self.index.close()
            self.folder.close()
            self.temporary.cleanup()

    def _without_the_folder(self, work: Callable[[], object]) -> None:
        """What is done to a database is done while nobody has it open."""
        self.index.close()
        self.folder.close()
        work()
        self.folder = DataFolder.open(self.data, create=False)
        self.index = index_of(self.folder)


Troubles.TestCase.settings = settings(max_examples=20, stateful_step_count=25)
TestTroubles = Troubles.TestCase
