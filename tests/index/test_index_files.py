"""A file of the index is whole and as it was written, or it is refused by name; a disk that says no leaves nothing."""

from __future__ import annotations

import errno
import math
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from index_forging import FACTS, PAGE, laid_out

from checker.errors import DataError, IndexDamagedError
from checker.index.files import ArrayPlan, MappedFile, NewFile

TYPES = {"<u4": np.uint32, "<u8": np.uint64, "<i8": np.int64, "|u1": np.uint8}


def written(path: Path, arrays: Mapping[str, npt.NDArray[Any]], facts: Mapping[str, Any] = FACTS) -> int:
    plans = [ArrayPlan(name, _name_of(array), array.shape) for name, array in arrays.items()]
    with NewFile(path, plans) as file:
        for name, array in arrays.items():
            file.array(name)[...] = array
        return file.finish("test", facts)


def _name_of(array: npt.NDArray[Any]) -> str:
    return next(name for name, dtype in TYPES.items() if array.dtype == dtype)


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A file of two arrays."""
    path = tmp_path / "small.seg"
    written(path, {"codes": np.arange(12, dtype=np.uint64).reshape(3, 4), "ids": np.array([1, 2, 9], np.uint32)})
    return path


def ids_of(path: Path) -> list[int]:
    with closing(MappedFile(path)) as file:
        ids: list[int] = file.array("ids", "<u4", 1).tolist()
        return ids


def refused(path: Path) -> str:
    """What is said of a file that is not used; it names the file and what to do."""
    with pytest.raises(IndexDamagedError) as caught:
        MappedFile(path)
    said = str(caught.value)
    assert str(path) in said
    assert said.endswith("; `hibs index build` replaces it") or "cannot be opened" in said
    return said


# --- what was written is read ------------------------------------------------------------------------------------


@settings(max_examples=50)
@given(
    arrays=st.lists(
        st.tuples(st.sampled_from(sorted(TYPES)), st.lists(st.integers(0, 40), max_size=3), st.integers(0, 2**32)),
        max_size=4,
    )
)
def test_arrays_of_any_shape_come_back_as_they_were(
    tmp_path_factory: pytest.TempPathFactory, arrays: list[tuple[str, list[int], int]]
) -> None:
    path = tmp_path_factory.mktemp("files") / "one.seg"
    stored = {}
    for number, (dtype, shape, seed) in enumerate(arrays):
        data = np.random.default_rng(seed).bytes(math.prod(shape) * np.dtype(dtype).itemsize)
        stored[f"array {number}"] = np.frombuffer(data, dtype).reshape(shape)
    crc = written(path, stored)
    file = MappedFile(path)
    assert (file.header_crc, file.what, file.facts, file.bytes) == (crc, "test", FACTS, path.stat().st_size)
    for name, array in stored.items():
        found = file.array(name, array.dtype.str, array.ndim)
        assert np.array_equal(found, array)
        assert not found.flags.writeable
    file.close()
    assert path.read_bytes() == laid_out([(n, a.dtype.str, a.shape, a.tobytes()) for n, a in stored.items()])
    assert [one.name for one in path.parent.iterdir()] == ["one.seg"]
    shutil.rmtree(path.parent)


def test_an_array_outlives_the_file_that_it_came_from(small: Path) -> None:
    file = MappedFile(small)
    ids = file.array("ids", "<u4", 1)
    file.close()
    small.unlink()
    assert ids.tolist() == [1, 2, 9]


def test_a_file_that_is_replaced_stays_as_it_was_for_who_has_it_open(small: Path) -> None:
    file = MappedFile(small)
    written(small, {"ids": np.array([7], np.uint32)})
    assert file.unchanged()
    assert file.array("ids", "<u4", 1).tolist() == [1, 2, 9]
    assert ids_of(small) == [7]
    file.close()


def test_an_array_of_another_name_type_or_number_of_sides_is_not_given_out(small: Path) -> None:
    file = MappedFile(small)
    for name, dtype, dimensions in (("rows", "<u4", 1), ("ids", "<u8", 1), ("ids", "<u4", 2), ("codes", "<u8", 1)):
        with pytest.raises(IndexDamagedError, match=f"has no array '{name}' of the expected form"):
            file.array(name, dtype, dimensions)
    file.close()


# --- what is not as it was written is refused --------------------------------------------------------------------


def test_every_single_altered_byte_is_found(small: Path) -> None:
    whole = small.read_bytes()
    assert len(whole) == 3 * PAGE
    with small.open("r+b", buffering=0) as file:
        for place, byte in enumerate(whole):
            os.pwrite(file.fileno(), bytes([byte ^ (1 << place % 8)]), place)
            with pytest.raises(IndexDamagedError, match=r"small\.seg (is altered|has an altered|does not begin)"):
                MappedFile(small)
            os.pwrite(file.fileno(), whole[place : place + 1], place)
    MappedFile(small).close()


@pytest.mark.parametrize("size", [1, 8, 16, 4095, 4096, 4097, 8191, 8192, 8193, 12287])
def test_a_file_that_ends_too_early_is_found(small: Path, size: int) -> None:
    os.truncate(small, size)
    assert "is cut off" in refused(small)


def test_an_empty_file_a_missing_one_and_a_folder_are_found(small: Path) -> None:
    os.truncate(small, 0)
    assert "is cut off" in refused(small)
    small.unlink()
    assert "cannot be opened: No such file" in refused(small)
    small.mkdir()
    assert "cannot be opened: Is a directory" in refused(small)


@pytest.mark.parametrize("more", [b"\0", b"x", bytes(PAGE), bytes(5 * PAGE)])
def test_a_file_that_has_grown_is_found(small: Path, more: bytes) -> None:
    with small.open("ab") as file:
        file.write(more)
    assert "has grown" in refused(small)


def test_files_of_others_are_found(small: Path, images: Path) -> None:
    for foreign in (images / "astronaut.jpg", Path(__file__)):
        shutil.copy(foreign, small)
        assert "does not begin as a file of the index does" in refused(small)
    small.write_bytes(bytes(3 * PAGE))
    assert "does not begin as a file of the index does" in refused(small)


def test_a_file_of_a_newer_version_says_so(small: Path) -> None:
    small.write_bytes(laid_out([], version=2))
    assert "was written by a newer version of hibs" in refused(small)


CODES = bytes(range(96))
FORGED: dict[str, Callable[[], bytes]] = {
    "more rows than the file has": lambda: laid_out([("codes", "<u8", [4096, 4], CODES)]),
    "far more rows than there is memory": lambda: laid_out([("codes", "<u8", [2**60, 4], CODES)]),
    "more rows than a number can say": lambda: laid_out([("codes", "<u8", [2**200, 4], CODES)]),
    "no rows of more words than a number can say": lambda: laid_out([("codes", "<u8", [0, 2**200], b"")]),
    "no rows of more words than there is memory": lambda: laid_out([("codes", "<u8", [0, 2**63 - 1], b"")]),
    "infinitely many rows": lambda: laid_out([("codes", "<u8", [math.inf, 4], CODES)]),
    "rows that are no number": lambda: laid_out([("codes", "<u8", [math.nan, 4], CODES)]),
    "a negative side": lambda: laid_out([("codes", "<u8", [-3, 4], CODES)]),
    "two negative sides": lambda: laid_out([("codes", "<u8", [-3, -4], CODES)]),
    "sides that are no list": lambda: laid_out([("codes", "<u8", 12, CODES)]),  # type: ignore[list-item]
    "an unknown type": lambda: laid_out([("codes", "<f8", [3, 4], CODES)]),
    "objects": lambda: laid_out([("codes", "|O", [3, 4], CODES)]),
    "a type that is no word": lambda: laid_out([("codes", ["<u8"], [3, 4], CODES)]),  # type: ignore[list-item]
    "facts that are no mapping": lambda: laid_out([("codes", "<u8", [3, 4], CODES)], facts=[1, 2]),
    "no header": lambda: laid_out([], header=b""),
    "a header of another kind": lambda: laid_out([], header=b"[]"),
    "a header that does not end": lambda: laid_out([], header=b'{"what": '),
    "a header that is no text": lambda: laid_out([], header=b"\xff\xfe"),
    "a header of brackets": lambda: laid_out([], header=b"[" * 4000),
    "arrays that are no list": lambda: laid_out([], header=b'{"what": "test", "facts": {}, "arrays": 7}'),
    "a checksum that is none": lambda: laid_out(
        [],
        header=b'{"what": "", "facts": {}, "arrays": [{"name": "codes", "dtype": "<u8", "shape": [], "crc32": 1e999}]}',
    ),
}


@pytest.mark.parametrize("name", FORGED)
def test_a_header_with_a_right_checksum_that_claims_what_cannot_be_is_refused(small: Path, name: str) -> None:
    small.write_bytes(FORGED[name]())
    refused(small)


def test_the_second_writer_writes_what_is_read(small: Path) -> None:
    whole = np.arange(12, dtype=np.uint64), np.array([1, 2, 9], np.uint32)
    content = laid_out([("codes", "<u8", [3, 4], whole[0].tobytes()), ("ids", "<u4", [3], whole[1].tobytes())])
    assert small.read_bytes() == content


# --- a file that changes while it is in use ----------------------------------------------------------------------


def test_a_file_that_is_touched_while_it_is_open_is_noticed(small: Path) -> None:
    os.utime(small, (0, 0))
    file = MappedFile(small)
    assert file.unchanged()
    with small.open("r+b") as same:
        same.seek(PAGE)
        same.write(b"x")
    assert not file.unchanged()
    file.close()
    os.utime(small, (0, 0))
    with small.open("r+b") as same:
        same.seek(PAGE)
        same.write(b"\0")
    file = MappedFile(small)
    os.truncate(small, 2 * PAGE)
    assert not file.unchanged()
    file.close()


# --- disks that say no -------------------------------------------------------------------------------------------

_WITHOUT_ROOM = """
import resource, signal, sys
from pathlib import Path
from checker.errors import DataError
from checker.index.files import ArrayPlan, NewFile
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    NewFile(Path(sys.argv[1]), [ArrayPlan("codes", "<u8", (10_000, 4))])
except DataError as error:
    print(error)
"""


def test_a_file_that_does_not_fit_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    path = tmp_path / "large.seg"
    done = subprocess.run(
        [sys.executable, "-c", _WITHOUT_ROOM, path], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.startswith(f"cannot write {path}.tmp: File too large; the index stays as it was")
    assert done.stderr == ""
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_says_how_much_room_is_wanted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(DataError, match=r"no space left for .*large\.seg\.tmp \(40 MB are wanted\); .* make room"):
        NewFile(tmp_path / "large.seg", [ArrayPlan("codes", "<u8", (1_250_000, 4))])
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_gone_or_no_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder, why in ((tmp_path / "gone", "No such file"), (tmp_path / "file", "Not a directory")):
        with pytest.raises(DataError, match=f"cannot write {folder}/a.seg.tmp: {why}.*check its folder's permissions"):
            NewFile(folder / "a.seg", [])


def test_a_folder_that_vanishes_meanwhile_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(DataError, match=f"cannot write {folder}/a.seg: No such file"):  # noqa: SIM117
        with NewFile(folder / "a.seg", [ArrayPlan("ids", "<u4", (5,))]) as file:
            shutil.rmtree(folder)
            file.finish("test", {})


def test_who_breaks_off_leaves_neither_the_file_nor_its_beginnings(tmp_path: Path) -> None:
    def broken_off() -> None:
        with NewFile(tmp_path / "a.seg", [ArrayPlan("ids", "<u4", (5,))]) as file:
            file.array("ids")[:] = 7
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken_off()
    assert list(tmp_path.iterdir()) == []


def test_until_it_is_finished_a_file_has_not_got_its_name(small: Path) -> None:
    before = small.read_bytes()
    with NewFile(small, [ArrayPlan("ids", "<u4", (5,))]) as file:
        file.array("ids")[:] = 7
        assert small.read_bytes() == before
        file.finish("test", {})
    assert ids_of(small) == [7] * 5
