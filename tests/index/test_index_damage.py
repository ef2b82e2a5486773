"""Whatever happens to its files, closed or in use, the index answers as a scan of the database does.

What is damaged is named, and the next build mends it and says so.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import zlib
from collections.abc import Callable, Iterator
from itertools import combinations, product
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from index_answers import IN_MEMORY, answers_as_a_scan, codes_in, erase, holds, index_of, manifest_of
from index_corpus import NOON, add
from index_damaged import is_answered_for_named_and_mended, made, only

from checker.index.build import build
from checker.index.live import INDEX_FOLDER, LiveIndex, kind_folder
from checker.index.manifest import MANIFEST
from checker.index.verify import verify
from checker.model import PHASH256
from checker.records.folder import DataFolder
from checker.settings import Settings

SEGMENTS = ("segment 0", "segment 1", "segment 2")
FILES = ("manifest", "aside", *SEGMENTS)
Damage = Callable[[Path], None]


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


def file_of(folder: DataFolder, what: str) -> Path:
    """One of the files of the index."""
    manifest = manifest_of(folder)
    names = {"manifest": MANIFEST} | {f"segment {n}": entry.name for n, entry in enumerate(manifest.segments)}
    names |= {"aside": manifest.aside.name} if manifest.aside else {}
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
def test_all_segments_damaged_at_once(folder: DataFolder, damage: str) -> None:
    paths = [file_of(folder, what) for what in SEGMENTS]
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
