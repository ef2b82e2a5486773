"""What the private check answers from: compared with plain Python, bit by bit."""

from __future__ import annotations

import io
import json
import os
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from checker.errors import DataError, IndexDamagedError
from checker.fingerprint import fingerprint_bytes
from checker.index.files import ArrayPlan, NewFile
from checker.index.halves import CELLS, HALF_MASK, SKETCH_BITS, HalfCodes, half_codes, sketches
from checker.model import PHASH256, Picture
from checker.settings import Settings

NOW = datetime(2026, 11, 22, 14, 3, 7, 250_000, tzinfo=UTC)
FROZEN_SKETCH = (10, 23, 27, 40, 44, 53, 55, 70, 85, 102, 113, 130, 145, 147, 162, 213)
"""Written out once more: both sides of a question cut the same cells, so these never change within version 1."""

Opened = Callable[[Path], HalfCodes]

codes = st.binary(min_size=32, max_size=32)
few_bits = st.sets(st.sampled_from(range(256)), max_size=6).map(lambda bits: sum(1 << bit for bit in bits).to_bytes(32))
"""Codes that lie near to one another, so that cells are shared and rows repeat."""
collections = st.lists(st.one_of(few_bits, codes), max_size=40)


def bit_of(code: bytes, position: int) -> int:
    """Row by row, the first bit is the highest of the first byte."""
    return code[position // 8] >> (7 - position % 8) & 1


def plain_half(code: bytes) -> bytes:
    kept = [bit_of(code, 16 * row + column) for row in range(16) for column in range(16) if (row + column) % 2 == 0]
    return int("".join(map(str, kept)), 2).to_bytes(16)


def plain_sketch(code: bytes) -> int:
    return int("".join(str(bit_of(code, position)) for position in FROZEN_SKETCH), 2)


def plain_answer(held: list[bytes], sketch: int, spread_bits: int) -> list[bytes]:
    """Halves by sketch, then bytewise, none twice."""
    near = {(plain_sketch(code), plain_half(code)) for code in held}
    return [half for own, half in sorted(near) if (own ^ sketch).bit_count() <= spread_bits]


def built(held: list[bytes], at: datetime = NOW) -> HalfCodes:
    return HalfCodes.build([b"".join(held)], built_at=at)


def rows_of(answer: bytes) -> list[bytes]:
    assert len(answer) % 16 == 0
    return [answer[start : start + 16] for start in range(0, len(answer), 16)]


@pytest.fixture
def opened() -> Iterator[Opened]:
    """Open files for one test."""
    with ExitStack() as stack:
        yield lambda path: stack.enter_context(closing(HalfCodes.open(path)))


def test_the_half_is_the_checkerboard() -> None:
    kept = [position for position in range(256) if bit_of(HALF_MASK, position)]
    assert kept == [p for p in range(256) if (p // 16 + p % 16) % 2 == 0]
    assert len(kept) == 128


def test_the_sketch_bits_are_frozen_and_lie_inside_of_the_half() -> None:
    assert SKETCH_BITS == FROZEN_SKETCH
    assert len(set(SKETCH_BITS)) == 16
    assert all(bit_of(HALF_MASK, position) for position in SKETCH_BITS)


def test_a_known_code_has_this_half_and_this_sketch() -> None:
    code = bytes([0b10100000, 0, 0b01000000, 0b00000001]) + bytes(28)
    assert half_codes(code).tobytes() == bytes([0b11000000, 0b10000001]) + bytes(14)
    assert sketches(half_codes(code)).tolist() == [0]
    first_and_last_of_the_sketch = bytes([0, 0b00100000, *[0] * 24, 0b00000100, *[0] * 5])
    assert sketches(half_codes(first_and_last_of_the_sketch)).tolist() == [0x8001]


@given(held=collections)
def test_halves_and_sketches_equal_those_of_plain_python(held: list[bytes]) -> None:
    halves = half_codes(b"".join(held))
    assert [half.tobytes() for half in halves] == [plain_half(code) for code in held]
    assert sketches(halves).tolist() == [plain_sketch(code) for code in held]
    assert sketches(halves).dtype == np.uint16


def test_codes_come_as_bytes_or_as_any_array_of_rows() -> None:
    array = np.random.default_rng(1).integers(0, 256, (50, 64), dtype=np.uint8)[:, ::2]
    assert half_codes(array).tobytes() == half_codes(array.tobytes()).tobytes()


@pytest.mark.parametrize("wrong", [bytes(31), np.zeros((2, 31), np.uint8), np.zeros((2, 32), np.int64), bytes(33)])
def test_other_rows_are_no_codes(wrong: Any) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        half_codes(wrong)


def test_whole_codes_have_no_sketch() -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        sketches(np.zeros((3, 32), np.uint8))


@given(held=collections, sketch=st.integers(0, CELLS - 1), spread_bits=st.integers(0, 16))
def test_an_answer_equals_a_scan(held: list[bytes], sketch: int, spread_bits: int) -> None:
    index = built(held)
    for asked in {sketch, *(plain_sketch(code) for code in held[:3])}:
        expected = plain_answer(held, asked, spread_bits)
        assert rows_of(index.sketch_rows(asked, spread_bits=spread_bits)) == expected
        assert b"".join(index.sketch_cells(asked, spread_bits=spread_bits)) == b"".join(expected)


@given(held=collections)
def test_the_whole_list_is_every_half_once_sorted(held: list[bytes]) -> None:
    index = built(held)
    assert rows_of(index.whole_list()) == sorted({plain_half(code) for code in held})
    assert index.rows == len({plain_half(code) for code in held})


def test_large_collections_answer_the_same_in_many_blocks() -> None:
    array = np.random.default_rng(2).integers(0, 256, (100_000, 32), dtype=np.uint8)
    index = HalfCodes.build([array[:40_000], array[40_000:40_000], array[40_000:]], built_at=NOW)
    halves = half_codes(array)
    for asked in (0, 12_345, 65_535):
        near = np.bitwise_count(sketches(halves) ^ np.uint16(asked)) <= 2
        assert sorted(rows_of(index.sketch_rows(asked, spread_bits=2))) == sorted(h.tobytes() for h in halves[near])


def test_nothing_held_answers_with_nothing(tmp_path: Path, opened: Opened) -> None:
    HalfCodes.build([], built_at=NOW).write(tmp_path / "halves")
    index = opened(tmp_path / "halves")
    assert (index.rows, index.whole_list(), index.sketch_rows(7, spread_bits=16)) == (0, b"", b"")


@pytest.mark.parametrize(("sketch", "spread_bits"), [(-1, 2), (65_536, 2), (0, -1), (0, 17)])
def test_what_cannot_be_asked_is_refused_before_anything_is_sent(sketch: int, spread_bits: int) -> None:
    index = built([bytes(32)])
    with pytest.raises(ValueError, match="sketch"):
        index.sketch_cells(sketch, spread_bits=spread_bits)


def test_answers_go_on_after_the_file_was_closed(tmp_path: Path) -> None:
    built([bytes(32), b"\xff" * 32]).write(tmp_path / "halves")
    index = HalfCodes.open(tmp_path / "halves")
    pieces = index.sketch_cells(0, spread_bits=16)
    first = next(pieces)
    index.close()
    assert [first, *pieces] == [bytes(16), b"\xff" * 16]


def test_a_resaved_photo_is_found_by_its_sketch(images: Path) -> None:
    held, asked = [], []
    for path in sorted(images.glob("*.jpg")):
        picture = fingerprint_bytes(path.read_bytes(), Settings())
        file = io.BytesIO()
        with Image.open(path) as photo:
            photo.convert("RGB").reduce(2).save(file, "JPEG", quality=60)
        copy = fingerprint_bytes(file.getvalue(), Settings())
        assert isinstance(picture, Picture)
        assert isinstance(copy, Picture)
        held.append(next(code.bits for code in picture.fingerprints if code.kind == PHASH256))
        asked.append(next(code.bits for code in copy.fingerprints if code.kind == PHASH256))
    assert held
    index = built(held)
    for own, other in zip(held, asked, strict=True):
        answer = rows_of(index.sketch_rows(plain_sketch(other), spread_bits=2))
        wanted = int.from_bytes(plain_half(other))
        near = [row for row in answer if (int.from_bytes(row) ^ wanted).bit_count() <= 22]
        assert near == [plain_half(own)]


@given(held=st.lists(codes, min_size=2, max_size=20), order=st.randoms(use_true_random=False))
@settings(max_examples=15)
def test_the_file_tells_neither_the_order_nor_the_number_of_copies_nor_the_other_half(
    held: list[bytes], order: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("files")
    other_half = [bytes(b ^ 0xFF ^ m for b, m in zip(code, HALF_MASK, strict=True)) for code in held]
    shuffled = [*held, *other_half, held[0]]
    order.shuffle(shuffled)
    built(held).write(folder / "one")
    built(shuffled).write(folder / "two")
    assert (folder / "one").read_bytes() == (folder / "two").read_bytes()


def test_the_file_is_laid_out_as_the_specification_says(tmp_path: Path) -> None:
    held = [bytes([n]) * 32 for n in (200, 3, 77)]
    path = tmp_path / "halves"
    built(held).write(path)
    body = path.read_bytes()
    magic, version, length = struct.unpack_from("<8sII", body)
    assert (magic, version) == (b"hibs.idx", 1)
    assert struct.unpack_from("<I", body, 4092)[0] == zlib.crc32(body[:4092])
    header = json.loads(body[16 : 16 + length])
    assert header["what"] == "half codes"
    names = {"version": 1, "kind": "phash256", "kind_version": "1", "mask": "aaaa5555" * 8, "built_at": 1_795_356_187}
    assert header["facts"] == {**names, "sketch_bits": list(FROZEN_SKETCH)}
    starts = struct.unpack_from("<65537I", body, 4096)
    assert len(body) == 4096 + 266_240 + 4096
    assert rows_of(body[4096 + 266_240 :])[:3] == plain_answer(held, 0, 16)
    for code in held:
        assert starts[plain_sketch(code) + 1] - starts[plain_sketch(code)] >= 1
    assert (starts[0], starts[-1]) == (0, 3)
    assert not any(body[4096 + 266_240 + 48 :])


def test_a_file_is_read_as_it_was_written(tmp_path: Path, opened: Opened) -> None:
    held = [bytes([n]) * 32 for n in range(200)]
    index = built(held, datetime(2026, 11, 22, 15, 3, 7, 250_000, tzinfo=timezone(timedelta(hours=1))))
    index.write(tmp_path / "halves")
    again = opened(tmp_path / "halves")
    assert again.whole_list() == index.whole_list()
    assert again.sketch_rows(5, spread_bits=9) == index.sketch_rows(5, spread_bits=9)
    assert (again.rows, again.built_at) == (200, datetime(2026, 11, 22, 14, 3, 7, tzinfo=UTC))
    assert os.listdir(tmp_path) == ["halves"]


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        HalfCodes.build([], built_at=datetime(2026, 11, 22))  # noqa: DTZ001


# --- files that do not hold what was written ---------------------------------------------------------------------


@pytest.fixture
def written(tmp_path: Path) -> Path:
    array = np.random.default_rng(3).integers(0, 256, (700, 32), dtype=np.uint8)
    HalfCodes.build([array], built_at=NOW).write(tmp_path / "halves")
    return tmp_path / "halves"


def test_a_flipped_byte_is_refused_wherever_it_lies(written: Path, opened: Opened) -> None:
    size = written.stat().st_size
    with written.open("r+b", buffering=0) as file:
        for position in [*range(0, size, 97), size - 1]:
            own = os.pread(file.fileno(), 1, position)
            os.pwrite(file.fileno(), bytes([own[0] ^ 0x10]), position)
            with pytest.raises(IndexDamagedError, match="halves"):
                HalfCodes.open(written)
            os.pwrite(file.fileno(), own, position)
    assert opened(written).rows == 700


def test_a_truncated_file_is_refused_wherever_it_ends(written: Path) -> None:
    size = written.stat().st_size
    for length in sorted({*range(0, size, 97), size - 1, 4096, 4096 + 266_240}, reverse=True):
        os.truncate(written, length)
        with pytest.raises(IndexDamagedError, match="halves"):
            HalfCodes.open(written)


def test_a_longer_file_a_foreign_one_and_none_are_refused(written: Path, tmp_path: Path) -> None:
    with written.open("ab") as file:
        file.write(bytes(4096))
    (tmp_path / "photo").write_bytes(b"\xff\xd8\xff" + bytes(300_000))
    for path in (written, tmp_path / "photo", tmp_path / "gone", tmp_path):
        with pytest.raises(IndexDamagedError, match=path.name):
            HalfCodes.open(path)


def cells_with(change: dict[int, int]) -> np.ndarray[Any, Any]:
    """Where the cells begin of three empty codes, all of them in the first; and something else at some places."""
    cells = np.full(65_537, 3, np.uint32)
    for place, value in ({0: 0} | change).items():
        cells[place] = value
    return cells


def forged(path: Path, *, what: str = "half codes", starts: Any = None, width: int = 16, **facts: Any) -> Path:
    """A file with true checksums, of three empty codes, that says something else about them."""
    said = {"version": 1, "kind": "phash256", "kind_version": "1", "mask": "aaaa5555" * 8, "built_at": 0}
    said |= {"sketch_bits": list(FROZEN_SKETCH), **facts}
    cells = cells_with({}) if starts is None else np.asarray(starts, np.uint32)
    with NewFile(path, [ArrayPlan("starts", "<u4", cells.shape), ArrayPlan("rows", "|u1", (3, width))]) as file:
        file.array("starts")[:] = cells
        file.finish(what, {name: fact for name, fact in said.items() if fact is not None})
    return path


@pytest.mark.parametrize(
    "said",
    [
        {"what": "segment"},
        {"version": 2},
        {"version": None},
        {"kind": "sscd512"},
        {"kind_version": "2"},
        {"mask": "5555aaaa" * 8},
        {"sketch_bits": [*FROZEN_SKETCH[1:], FROZEN_SKETCH[0]]},
        {"built_at": "yesterday"},
        {"built_at": 10**30},
        {"built_at": None},
        {"width": 32},
        {"starts": [0, 3]},
        {"starts": cells_with({0: 1})},
        {"starts": cells_with({65_536: 4})},
        {"starts": cells_with({500: 4_000_000_000})},
        {"starts": cells_with({500: 2})},
    ],
    ids=str,
)
def test_a_file_with_true_checksums_and_false_words_is_refused(
    tmp_path: Path, said: dict[str, Any], opened: Opened
) -> None:
    assert opened(forged(tmp_path / "true")).sketch_rows(0, spread_bits=0) == bytes(48)
    with pytest.raises(IndexDamagedError, match="forged"):
        HalfCodes.open(forged(tmp_path / "forged", **said))


def test_a_file_that_was_cut_under_its_reader_is_noticed(written: Path, opened: Opened) -> None:
    index = opened(written)
    assert index.unchanged()
    os.truncate(written, 8192)
    assert not index.unchanged()
    assert built([bytes(32)]).unchanged()


def test_replacing_a_file_leaves_its_readers_what_they_had(written: Path, opened: Opened) -> None:
    index = opened(written)
    before = index.whole_list()
    built([bytes(32)]).write(written)
    assert index.unchanged()
    assert index.whole_list() == before
    assert opened(written).rows == 1


def test_a_folder_that_is_not_there_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot write"):
        built([bytes(32)]).write(tmp_path / "gone" / "halves")
