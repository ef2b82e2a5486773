"""What the private check answers from: half of every code, sorted so that a question can name a part of them.

    codes, 32 bytes each --> half codes, 16 bytes --> sorted by (sketch, half code) --> whole list, or cells by sketch

Rules:
1. A row is half a code and nothing else: no id, no order that tells one, none of the other 128 bits.
2. Equal rows are one row. The question is whether something this near is here; how many copies there are, and the day
   on which one of them goes, is nobody's business.
3. One file, replaced as a whole (`files`); nothing in it is used before every byte was checked.

The half is the bits of even row + column of the 16 x 16 cosine coefficients. Copies stay as near to each other as they
were, and a linear model tells 51 % of the other half's bits, next to guessing; but 68 % where it was taught portraits
of the same studio. docs/private.md is the specification; benchmarks/halves.py made and measured every figure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from checker.errors import IndexDamagedError
from checker.index.files import ArrayPlan, MappedFile, NewFile
from checker.model import PHASH256

Codes = npt.NDArray[np.uint8]
"""(n, 32): phash256 codes of whole pictures."""
Halves = npt.NDArray[np.uint8]
"""(n, 16): byte r holds the eight kept bits of row r of the coefficients, the lowest frequency first."""

WHAT = "half codes"
VERSION = 1
"""Of what is kept and of its order; docs/private.md describes it."""
HALF_BITS = 128
HALF_BYTES = HALF_BITS // 8
HALF_MASK = bytes.fromhex("aaaa5555" * 8)
"""The kept bits of a code: of even rows the even columns, of odd rows the odd ones."""
SKETCH_BITS = (10, 23, 27, 40, 44, 53, 55, 70, 85, 102, 113, 130, 145, 147, 162, 213)
"""The 16 bits of the sketch, as positions in the whole code (16 x row + column); the first is the sketch's highest.

Frozen: both sides of a question have to cut the same cells. Chosen on 415 photos with six parts of each, 20 edits, and
2,413 unrelated photos (`benchmarks/halves.py --choose`) to lose few copies at two bits and to fill the cells evenly,
from the eighth diagonal on: lower frequencies show more of the picture. On photos that had no part in it 99.6 % of
plain copies lie within two bits (the same cell: 88.4 %), and an answer holds 0.21 % of a million rows in the mean,
0.29 % at the most; even cells would give 0.21 %. A linear model draws a thumbnail from these bits that correlates 0.20
with the picture, from none of them 0.16, from the half 0.51, from the whole code 0.73. The sixteen bits that flip least
would give 0.37 and an answer of up to 4.3 % of unrelated photos, those of the lowest frequencies 0.47 and 5.1 %.
"""
CELLS = 1 << len(SKETCH_BITS)
ROWS_MAX = (1 << 32) - 1
"""What a cell's start can name. Past it a node would hold 64 GiB of rows."""


def half_codes(codes: bytes | Codes) -> Halves:
    """The half of every code that the private check shows.

    Args:
        codes: (n, 32) uint8, or the same as bytes, one code after the other.
    Returns:
        (n, 16) uint8, in the same order.
    Raises:
        ValueError: these are no codes of 32 bytes.
    """
    array = np.frombuffer(codes, dtype=np.uint8) if isinstance(codes, bytes) else codes
    if array.ndim == 1 and array.size % len(HALF_MASK) == 0:
        array = array.reshape(-1, len(HALF_MASK))
    if array.dtype != np.uint8 or array.ndim != 2 or array.shape[1] != len(HALF_MASK):
        raise ValueError(f"{PHASH256.name} codes are rows of 32 bytes, not {array.shape} of {array.dtype}")
    rows = np.ascontiguousarray(array).view(">u2")
    halves = np.empty((len(array), HALF_BYTES), dtype=np.uint8)
    halves[:, 0::2] = _KEPT_OF_EVEN_ROWS[rows[:, 0::2]]
    halves[:, 1::2] = _KEPT_OF_ODD_ROWS[rows[:, 1::2]]
    return halves


def sketches(halves: Halves) -> npt.NDArray[np.uint16]:
    """The 16 bits by which a half code is asked for, (n,).

    Raises:
        ValueError: these are no half codes, (n, 16) uint8.
    """
    if halves.dtype != np.uint8 or halves.ndim != 2 or halves.shape[1] != HALF_BYTES:
        raise ValueError(f"half codes are rows of 16 bytes, not {halves.shape} of {halves.dtype}")
    total = np.zeros(len(halves), dtype=np.uint16)
    for byte, table in _SKETCH_OF_BYTES:
        total |= table[halves[:, byte]]
    return total


class HalfCodes:
    """The half codes of a collection on one day. Never changed once built; safe to share between threads."""

    def __init__(
        self, rows: Halves, starts: npt.NDArray[np.uint32], built_at: datetime, file: MappedFile | None = None
    ) -> None:
        """Use `build` or `open`; these arrays are believed."""
        self.built_at = built_at
        """UTC, to the second: as of when a picture that was hidden later is still in here."""
        self._rows = rows
        self._starts = starts
        self._file = file

    @classmethod
    def build(cls, blocks: Iterable[bytes | Codes], *, built_at: datetime) -> Self:
        """Sort the half codes of these codes. Memory: some 80 bytes a row at the most.

        Args:
            blocks: codes of the whole picture (no crops), servable ones alone, one a picture, a block at a time.
            built_at: aware; kept to the second.
        Raises:
            ValueError: a block holds no codes, there are more than `ROWS_MAX`, or the time is naive.
        """
        if built_at.tzinfo is None:
            raise ValueError("the time at which a list is built needs a time zone")
        empty = np.empty((0, HALF_BYTES), dtype=np.uint8)
        halves = np.concatenate([empty, *(half_codes(block) for block in blocks)])
        if len(halves) > ROWS_MAX:
            raise ValueError(f"{len(halves)} half codes are more than one file can hold")
        cells = sketches(halves)
        order = _sorted(halves, cells)
        halves, cells = halves[order], cells[order]
        first = np.ones(len(halves), dtype=bool)
        first[1:] = (halves[1:] != halves[:-1]).any(axis=1)
        rows = halves[first]
        starts = np.zeros(CELLS + 1, dtype=np.uint32)
        np.cumsum(np.bincount(cells[first], minlength=CELLS), out=starts[1:])
        rows.setflags(write=False)
        starts.setflags(write=False)
        return cls(rows, starts, built_at.astimezone(UTC).replace(microsecond=0))

    @classmethod
    def open(cls, path: Path) -> Self:
        """Check every byte of a file and map it.

        Raises:
            IndexDamagedError: it is gone, cut off, altered, another's, or of another version; the message names it.
        """
        file = MappedFile(path)
        try:
            if file.what != WHAT or file.facts.get("version") != VERSION:
                raise _refused(path, f"does not hold version {VERSION} of the {WHAT}")
            if any(file.facts.get(name) != fact for name, fact in _FACTS.items()):
                raise _refused(path, "holds other bits of the codes than this version of hibs asks for")
            rows, starts = file.array("rows", "|u1", 2), file.array("starts", "<u4", 1)
            built_at = datetime.fromtimestamp(int(file.facts["built_at"]), UTC)
            _check(rows, starts, path)
        except (KeyError, TypeError, ValueError, OverflowError, OSError) as error:
            file.close()
            raise _refused(path, "has a header that cannot be read") from error
        except BaseException:
            file.close()
            raise
        return cls(rows, starts, built_at, file)

    def write(self, path: Path) -> int:
        """Write the file and give it its name once it is whole and on the disk; the CRC-32 of its header.

        Raises:
            DataError: no space, or the folder cannot be written. What was there stays.
        """
        arrays = [ArrayPlan("starts", "<u4", self._starts.shape), ArrayPlan("rows", "|u1", self._rows.shape)]
        with NewFile(path, arrays) as file:
            file.array("starts")[:] = self._starts
            file.array("rows")[:] = self._rows
            return file.finish(WHAT, {"version": VERSION, **_FACTS, "built_at": int(self.built_at.timestamp())})

    @property
    def rows(self) -> int:
        """How many different half codes there are."""
        return len(self._rows)

    def whole_list(self) -> bytes:
        """Every row, 16 bytes each, sorted bytewise: the same bytes for the same set, in whatever order it came."""
        return self._rows[_sorted(self._rows)].tobytes()

    def sketch_rows(self, sketch: int, *, spread_bits: int) -> bytes:
        """All rows whose sketch differs from `sketch` in `spread_bits` bits at most, 16 bytes each.

        Sorted by sketch and then bytewise, so that an answer depends on the set of rows alone.

        Args:
            sketch: 0 to 65,535, as `sketches` gives it.
            spread_bits: 0 to 16.
        Raises:
            ValueError: outside of these.
        """
        return b"".join(self.sketch_cells(sketch, spread_bits=spread_bits))

    def sketch_cells(self, sketch: int, *, spread_bits: int) -> Iterator[bytes]:
        """The same as `sketch_rows`, one piece for every cell that holds any: to send a large answer as it is read."""
        if not 0 <= sketch < CELLS or not 0 <= spread_bits <= len(SKETCH_BITS):
            raise ValueError(
                f"a sketch is 0 to {CELLS - 1} and its spread 0 to {len(SKETCH_BITS)} bits, not {sketch}, {spread_bits}"
            )
        cells = np.sort(_BY_DISTANCE[: _WITHIN[spread_bits]] ^ np.uint16(sketch)).astype(np.intp)
        begins, ends = self._starts[cells], self._starts[cells + 1]
        filled = begins < ends
        return self._slices(begins[filled].tolist(), ends[filled].tolist())

    def unchanged(self) -> bool:
        """Is the file still the one that was checked? True as well for what was never in a file."""
        return self._file is None or self._file.unchanged()

    def close(self) -> None:
        """Let go of the file; answers that are being sent end in peace."""
        if self._file is not None:
            self._file.close()

    def _slices(self, begins: list[int], ends: list[int]) -> Iterator[bytes]:
        for begin, end in zip(begins, ends, strict=True):
            yield self._rows[begin:end].tobytes()


def _sorted(halves: Halves, *first: npt.NDArray[np.uint16]) -> npt.NDArray[np.intp]:
    """The order of rows by `first`, if given, and then bytewise."""
    words = np.ascontiguousarray(halves).view(">u8").astype(np.uint64)
    keys: tuple[npt.NDArray[np.unsignedinteger[Any]], ...] = (words[:, 1], words[:, 0], *first)
    return np.lexsort(keys)


def _check(rows: Halves, starts: npt.NDArray[np.uint32], path: Path) -> None:
    """Whatever the checksums say, no cell may lead out of the rows."""
    if rows.shape[1] != HALF_BYTES or starts.shape != (CELLS + 1,):
        raise _refused(path, "has arrays of other sizes")
    if starts[0] != 0 or starts[-1] != len(rows) or (starts[1:] < starts[:-1]).any():
        raise _refused(path, "has cells that do not cover its rows")


def _refused(path: Path, how: str) -> IndexDamagedError:
    return IndexDamagedError(f"the index file {path} {how}; `hibs index build` replaces it")


def _kept_of_row(first_column: int) -> npt.NDArray[np.uint8]:
    """For every row of coefficients, 16 bits, the eight of every other column."""
    bits = np.unpackbits(np.arange(1 << 16).astype(">u2").view(np.uint8).reshape(-1, 2), axis=1)
    return np.packbits(bits[:, first_column::2], axis=1)[:, 0]


def _sketch_tables() -> list[tuple[int, npt.NDArray[np.uint16]]]:
    """For every byte of a half code that holds bits of the sketch: its number, and what each value adds to a sketch."""
    values = np.arange(256, dtype=np.uint16)
    tables: dict[int, npt.NDArray[np.uint16]] = {}
    for place, bit in enumerate(reversed(SKETCH_BITS)):
        row, column = divmod(bit, 16)
        assert (row + column) % 2 == 0, "a bit of the sketch lies outside of the half"
        found = (values >> np.uint16(7 - column // 2) & np.uint16(1)) << np.uint16(place)
        tables[row] = tables.get(row, np.zeros(256, dtype=np.uint16)) | found
    return sorted(tables.items(), key=lambda item: item[0])


_KEPT_OF_EVEN_ROWS, _KEPT_OF_ODD_ROWS = _kept_of_row(0), _kept_of_row(1)
_SKETCH_OF_BYTES = _sketch_tables()
_DISTANCES = np.bitwise_count(np.arange(CELLS, dtype=np.uint16))
_BY_DISTANCE = np.argsort(_DISTANCES, kind="stable").astype(np.uint16)
"""What a sketch is changed by, fewest bits first."""
_WITHIN = np.cumsum(np.bincount(_DISTANCES)).tolist()
"""How many cells lie within so many bits: 1, 17, 137, 697, ..."""
_FACTS: dict[str, Any] = {
    "kind": PHASH256.name,
    "kind_version": PHASH256.version,
    "mask": HALF_MASK.hex(),
    "sketch_bits": list(SKETCH_BITS),
}
