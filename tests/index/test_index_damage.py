"""Whatever happens to its files or to the database under it, the index answers as a scan of the database does.

What is damaged is named, and the next build mends it and says so.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import combinations, product
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from index_answers import IN_MEMORY, answers_as_a_scan, codes_in, holds, index_of
from index_corpus import NOON, add

from checker.index.build import build
from checker.index.live import INDEX_FOLDER, LiveIndex, kind_folder
from checker.index.manifest import MANIFEST, Manifest, read_manifest
from checker.index.verify import Verified, verify
from checker.model import PHASH256, Fingerprint
from checker.records.folder import DataFolder
from checker.records.registry import REGISTRY_FILE, LogRow, OptOutRow, Registry
from checker.settings import Settings

SEGMENTS = ("segment 0", "segment 1", "segment 2")
FILES = ("manifest", "aside", "halves", *SEGMENTS)
Damage = Callable[[Path], None]


def opt_out(folder: DataFolder, code: bytes) -> None:
    row = OptOutRow("A", 0, "recorded", "picture", ("tdm",), 1, b"A", NOON)
    with closing(Registry.open(folder.path / REGISTRY_FILE)) as registry, registry.writing() as writer:
        writer.add_log_entry(LogRow(index=0, leaf=bytes(32), entry=b"entry", salt=b"salt"), [])
        writer.add_opt_out(row, [[Fingerprint(PHASH256, code)]])


def erase(folder: DataFolder, *code_ids: int) -> None:
    folder.store.erase(list(folder.store.image_ids_of(code_ids).values()), now=NOON)


def made(path: Path, seed: int) -> Path:
    """A data folder whose index has three segments, something set aside, and codes that are newer."""
    rng = random.Random(seed)
    with DataFolder.open(path, create=True) as folder:
        stored: dict[int, bytes] = {}
        for number, count in enumerate((40, 12, 5)):
            stored |= add(folder, [rng.randbytes(32) for _ in range(count)])
            if not number:
                opt_out(folder, stored[2])
            build(folder, Settings(), now=NOON)
        add(folder, [rng.randbytes(32) for _ in range(3)])
    return path


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


def manifest_of(folder: DataFolder) -> Manifest:
    manifest = read_manifest(kind_folder(folder.path, PHASH256), PHASH256)
    assert manifest
    return manifest


def file_of(folder: DataFolder, what: str) -> Path:
    """One of the files of the index."""
    manifest = manifest_of(folder)
    names = {"manifest": MANIFEST} | {f"segment {n}": entry.name for n, entry in enumerate(manifest.segments)}
    names |= {name: entry.name for name, entry in (("aside", manifest.aside), ("halves", manifest.halves)) if entry}
    assert set(names) == set(FILES)
    path = kind_folder(folder.path, PHASH256) / names[what]
    os.utime(path, (0, 0))  # the file is not of this moment: a change of it shows however coarse the clock is
    return path


def flip(place: Callable[[int], int]) -> Damage:
    """Alter one bit, in the file as it lies there: a process that has it mapped sees it too."""

    def damage(path: Path) -> None:
        with path.open("r+b") as file:
            at = place(path.stat().st_size)
            file.seek(at)
            byte = file.read(1)[0]
            file.seek(at)
            file.write(bytes([byte ^ 4]))

    return damage


def put_in_its_place(path: Path) -> None:
    """Another file of the same size, under the same name."""
    other = path.with_name("other")
    other.write_bytes(random.Random(1).randbytes(path.stat().st_size))
    other.replace(path)


DAMAGES: dict[str, Damage] = {
    "a bit at the start": flip(lambda size: 0),
    "a bit in the header": flip(lambda size: 60),
    "a bit in the middle": flip(lambda size: size // 2),
    "a bit at the end": flip(lambda size: size - 1),
    "cut in half": lambda path: os.truncate(path, path.stat().st_size // 2),
    "cut by a byte": lambda path: os.truncate(path, path.stat().st_size - 1),
    "emptied": lambda path: os.truncate(path, 0),
    "grown": lambda path: os.truncate(path, path.stat().st_size + 1),
    "deleted": lambda path: path.unlink(),
    "another file": put_in_its_place,
}


def only(verified: tuple[Verified, ...]) -> Verified:
    return next(one for one in verified if one.kind == PHASH256)


def is_answered_for_named_and_mended(folder: DataFolder, *names: str, sentence: str | None = None) -> None:
    """Answers are right, the damage is named, does not verify, and is mended by the next build, which says so."""
    stored = codes_in(folder)
    assert stored
    with index_of(folder) as index:
        answers_as_a_scan(index, stored)
        assert sorted(index.state().damaged) == sorted(names)
        assert index.state().codes == len(stored)
    found = only(verify(folder, Settings(), now=NOON))
    assert not found.holds
    assert len(found.damaged) == len(names)
    built = next(one for one in build(folder, Settings(), now=NOON) if one.kind == PHASH256)
    assert len(built.repaired) == len(names)
    for said in (found.damaged, built.repaired):
        text = "\n".join(said)
        assert all((sentence or name) in text for name in names)
        assert "hibs index build" in text or "cannot be opened" in text
    assert not any(one.repaired for one in build(folder, Settings(), now=NOON))
    holds(folder, stored)


def test_the_folder_is_sound_before_it_is_damaged(folder: DataFolder) -> None:
    holds(folder, codes_in(folder))
    assert len(manifest_of(folder).segments) == 3
    for what in FILES:
        assert file_of(folder, what).is_file()


# --- files -------------------------------------------------------------------------------------------------------


# A manifest that is gone is a case of its own: there is no index then.
@pytest.mark.parametrize(("what", "damage"), [one for one in product(FILES, DAMAGES) if one != ("manifest", "deleted")])
def test_a_damaged_file(folder: DataFolder, what: str, damage: str) -> None:
    path = file_of(folder, what)
    DAMAGES[damage](path)
    is_answered_for_named_and_mended(folder, path.name)


@pytest.mark.parametrize("damage", ["a bit in the middle", "deleted"])
def test_all_files_damaged_at_once(folder: DataFolder, damage: str) -> None:
    paths = [file_of(folder, what) for what in ("halves", *SEGMENTS)]
    for path in paths:
        DAMAGES[damage](path)
    is_answered_for_named_and_mended(folder, *(path.name for path in paths))


def test_without_a_manifest_there_is_no_index_and_the_next_build_makes_one(folder: DataFolder) -> None:
    file_of(folder, "manifest").unlink()
    stored = codes_in(folder)
    with index_of(folder) as index:
        answers_as_a_scan(index, stored)
        state = index.state()
    assert (state.segments, state.tail, state.built_at, state.damaged) == (0, len(stored), None, ())
    assert len(only(verify(folder, Settings(), now=NOON)).waiting) == len(FILES) - 1
    build(folder, Settings(), now=NOON)
    holds(folder, stored)


@pytest.mark.parametrize(("one", "other"), [*combinations(SEGMENTS, 2), ("segment 0", "aside"), ("segment 2", "aside")])
def test_two_files_that_changed_places(folder: DataFolder, one: str, other: str) -> None:
    first, second = file_of(folder, one), file_of(folder, other)
    first.rename(first.with_name("third"))
    second.rename(first)
    first.with_name("third").rename(second)
    # Without the list of what was set aside nothing can be told of the rest.
    names = [second.name] if other == "aside" else [first.name, second.name]
    is_answered_for_named_and_mended(folder, *names)


def test_a_damaged_file_and_codes_that_were_erased_or_recorded_since(folder: DataFolder) -> None:
    erase(folder, 4, 6, 90)
    path = file_of(folder, "segment 0")
    DAMAGES["a bit in the middle"](path)
    add(folder, [random.Random(9).randbytes(32) for _ in range(3)])
    is_answered_for_named_and_mended(folder, path.name)


@pytest.mark.parametrize(
    "text",
    [b"", b"{}", b"[]", b"null", b'{"format": 2}', b"\xff", b"[" * 100_000, b'{"format": 1e999}', b"7" * 5_000],
    ids=lambda text: str(text[:20]),
)
def test_a_manifest_with_a_right_checksum_that_says_nonsense(folder: DataFolder, text: bytes) -> None:
    path = file_of(folder, "manifest")
    path.write_bytes(text + f"\n{zlib.crc32(text):08x}\n".encode())
    is_answered_for_named_and_mended(folder, MANIFEST)


def test_a_manifest_of_which_one_value_is_nonsense(folder: DataFolder) -> None:
    path = file_of(folder, "manifest")
    document, stored = json.loads(path.read_bytes().partition(b"\n")[0]), codes_in(folder)
    for name in document:
        for nonsense in (-1, 1e999, "x", 7.5, [[]], [{"name": "../x"}], 2**200):
            line = json.dumps({**document, name: nonsense}).encode()
            path.write_bytes(line + f"\n{zlib.crc32(line):08x}\n".encode())
            with index_of(folder) as index:
                answers_as_a_scan(index, stored)


# --- another index, another database -----------------------------------------------------------------------------


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


# --- an index that was open before -------------------------------------------------------------------------------


def opened_and_asked(folder: DataFolder, stored: dict[int, bytes]) -> LiveIndex:
    index = index_of(folder)
    answers_as_a_scan(index, stored)
    assert index.state().damaged == ()
    return index


@pytest.mark.parametrize("what", FILES)
@pytest.mark.parametrize("damage", DAMAGES)
def test_an_index_that_was_open_before_the_damage(folder: DataFolder, what: str, damage: str) -> None:
    path, stored = file_of(folder, what), codes_in(folder)
    with opened_and_asked(folder, stored) as index:
        DAMAGES[damage](path)
        in_place = damage not in ("deleted", "another file")
        if what in SEGMENTS and in_place:
            assert index.state().damaged == (path.name,), "what is mapped changes under its reader: noticed at once"
        answers_as_a_scan(index, stored)
        stored |= add(folder, [random.Random(5).randbytes(32)])
        answers_as_a_scan(index, stored)
        build(folder, Settings(), now=NOON)
        answers_as_a_scan(index, stored)
    holds(folder, stored)


def test_an_open_index_goes_on_while_its_whole_folder_is_removed(folder: DataFolder) -> None:
    stored = codes_in(folder)
    with opened_and_asked(folder, stored) as index:
        shutil.rmtree(folder.path / INDEX_FOLDER)
        answers_as_a_scan(index, stored)
        erase(folder, min(stored))
        del stored[min(stored)]
        answers_as_a_scan(index, stored)
    build(folder, Settings(), now=NOON)
    holds(folder, stored)
