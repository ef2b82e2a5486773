"""The index of another database, or a database from before the index was built: told apart, and answered for."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from index_answers import IN_MEMORY, answers_as_a_scan, codes_in, erase, holds, index_of, manifest_of
from index_corpus import NOON, add
from index_damaged import is_answered_for_named_and_mended, made

from checker.index.build import build
from checker.index.live import INDEX_FOLDER, kind_folder
from checker.index.manifest import MANIFEST
from checker.model import PHASH256
from checker.records.folder import DataFolder
from checker.settings import Settings


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    with TemporaryDirectory(dir=IN_MEMORY) as path:
        yield Path(path)


@pytest.fixture(scope="module")
def pattern() -> Iterator[Path]:
    with TemporaryDirectory(dir=IN_MEMORY) as path:
        yield made(Path(path) / "data", 1)


@pytest.fixture
def folder(pattern: Path, tmp_path: Path) -> Iterator[DataFolder]:
    """A copy of the data folder that is there to be damaged."""
    shutil.copytree(pattern, tmp_path / "data")
    with DataFolder.open(tmp_path / "data", create=False) as opened:
        yield opened


def test_the_index_of_another_folder(folder: DataFolder, tmp_path: Path) -> None:
    other = made(tmp_path / "other", 2)
    shutil.rmtree(folder.path / INDEX_FOLDER)
    shutil.copytree(other / INDEX_FOLDER, folder.path / INDEX_FOLDER)
    is_answered_for_named_and_mended(folder, MANIFEST, sentence="is not of this database")


def test_an_older_copy_of_the_index_is_an_index(folder: DataFolder, tmp_path: Path) -> None:
    shutil.copytree(folder.path / INDEX_FOLDER, tmp_path / "older")
    add(folder, [random.Random(3).randbytes(32) for _ in range(30)])
    erase(folder, 4, 60, 100)
    build(folder, Settings(), now=NOON)
    shutil.rmtree(folder.path / INDEX_FOLDER)
    shutil.copytree(tmp_path / "older", folder.path / INDEX_FOLDER)
    with index_of(folder) as index:
        answers_as_a_scan(index, codes_in(folder))
        assert index.state().damaged == ()
    build(folder, Settings(), now=NOON)
    holds(folder, codes_in(folder))


def put_back(pattern: Path, newer: Path) -> DataFolder:
    """The database of `pattern`, from before, under the index that `newer` has by now."""
    for name in ("corpus.db", "corpus.db-wal", "corpus.db-shm"):
        (newer / name).unlink(missing_ok=True)
    shutil.copy(pattern / "corpus.db", newer)
    return DataFolder.open(newer, create=False)


@pytest.mark.parametrize("again", [0, 1, 20, 21, 50])
def test_an_older_database_under_a_newer_index_gives_its_ids_to_other_codes(
    pattern: Path, tmp_path: Path, again: int
) -> None:
    newer = tmp_path / "data"
    shutil.copytree(pattern, newer)
    with DataFolder.open(newer, create=False) as folder:
        add(folder, [random.Random(3).randbytes(32) for _ in range(20)])
        build(folder, Settings(), now=NOON)
    with put_back(pattern, newer) as folder:
        add(folder, [random.Random(4).randbytes(32) for _ in range(again)])
        is_answered_for_named_and_mended(folder, MANIFEST, sentence="is not of this database")


@pytest.mark.parametrize("erased_again", [(), (8,), (8, 10), (8, 10, 12), (4,), (6, 4)])
def test_an_older_database_in_which_codes_are_back_that_the_index_has_lost(
    pattern: Path, tmp_path: Path, erased_again: tuple[int, ...]
) -> None:
    """Neither a code that is there nor one that is gone can tell: only what was erased when does."""
    newer = tmp_path / "data"
    shutil.copytree(pattern, newer)
    with DataFolder.open(newer, create=False) as folder:
        erase(folder, 4)
        erase(folder, 6)
        build(folder, Settings(), now=NOON)
    with put_back(pattern, newer) as folder:
        for code_id in erased_again:
            erase(folder, code_id)
        is_answered_for_named_and_mended(folder, MANIFEST, sentence="is not of this database")


def test_an_older_database_after_a_build_that_mended_one_file_and_left_the_others(
    pattern: Path, tmp_path: Path
) -> None:
    """What is written anew lacks the erased code, though the index as a whole was not freed of what was erased."""
    older, newer = tmp_path / "older", tmp_path / "data"
    shutil.copytree(pattern, older)
    with DataFolder.open(older, create=False) as folder:
        build(folder, Settings(), now=NOON, full=True)
        last = max(add(folder, [random.Random(3).randbytes(32) for _ in range(20)]))
        build(folder, Settings(), now=NOON)
    shutil.copytree(older, newer)
    with DataFolder.open(newer, create=False) as folder:
        erase(folder, last - 2)
        (kind_folder(newer, PHASH256) / manifest_of(folder).segments[1].name).unlink()
        build(folder, Settings(), now=NOON, if_due=True)
        manifest = manifest_of(folder)
        assert (len(manifest.segments), manifest.erased_mark) == (2, 0)
    with put_back(older, newer) as folder:
        is_answered_for_named_and_mended(folder, MANIFEST, sentence="is not of this database")


def test_a_database_put_back_to_what_the_index_was_built_from(pattern: Path, tmp_path: Path) -> None:
    newer = tmp_path / "data"
    shutil.copytree(pattern, newer)
    with DataFolder.open(newer, create=False) as folder:
        add(folder, [random.Random(3).randbytes(32) for _ in range(20)])
        erase(folder, 4)
    with put_back(pattern, newer) as folder:
        holds(folder, codes_in(folder))
