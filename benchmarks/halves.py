"""What the private check finds, and what it shows: half codes, the sketch, answers at a million rows.

    python benchmarks/halves.py [PHOTOS] [--photos-max N] [--rows 1000000] [--processes 2]
    python benchmarks/halves.py [PHOTOS] --choose       how SKETCH_BITS came about; measures nothing

`--choose` sees the photos whose SHA-256 begins with 0-7, and the background that comes with the package; everything
else is measured on the other half. The rows are windows of the measured photos, anywhere, 6 to 60 % of their area, and
their mirror pictures; asked for are photos of which none is in there. `--choose` looks for the bits that lose the
fewest copies at two bits and fill the cells most evenly (swapped one at a time, from eight random starts) among those
from the eighth diagonal on: the sixteen of the lowest frequencies draw most of a thumbnail, see its table.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple

import measuring
import numpy as np
import numpy.typing as npt
from edits import edited, open_photo

from checker.fingerprint import InProcessDecoder, is_plain, phash256
from checker.fingerprint.background import background
from checker.fingerprint.cosine import basis, codes_of
from checker.index.halves import CELLS, HALF_MASK, SKETCH_BITS, HalfCodes, half_codes
from checker.model import PHASH256, Unreadable
from checker.settings import Settings

CHECKOUT = Path(__file__).resolve().parent.parent
Bits = npt.NDArray[np.bool_]
"""(..., 256)"""
PLAIN = (
    *("saved again", "half size", "quarter size", "thumbnail 64 px", "JPEG 50", "JPEG 30", "WebP 50"),
    *("saturation + 60 %", "brightness - 30 %", "contrast + 40 %", "blur", "sharpen", "noise"),
)
HARDER = ("JPEG 10", "brightness + 30 %", "gamma 0.6", "filter", "watermark", "crop 2 %", "crop 5 %")
RADII = (16, 18, 20, 22, 24)
RADIUS = 22
SPREADS = (0, 1, 2, 3)
HALF = np.flatnonzero(np.unpackbits(np.frombuffer(HALF_MASK, dtype=np.uint8)))
STUDIO = "studio portraits"
STUDIO_IN_BACKGROUND = 776
"""The first of the background are official portraits (background.py)."""
NEAR_BITS = 31
"""Within so many of 256 a code sent without its picture finds where the picture was seen."""
EVEN_SHARE = 137 / CELLS
"""Of all rows, what two bits around a sketch hold where all cells are equally full."""


class Copies(NamedTuple):
    """Pictures and their copies."""

    originals: Bits
    """(pictures, 256)"""
    copies: Bits
    """(pictures, edits, 256)"""
    thumbnails: npt.NDArray[np.uint8]
    """(pictures, 1024): 32 x 32 grey."""
    names: npt.NDArray[np.str_]

    @property
    def flips(self) -> Bits:
        """Which bits of a copy differ from the picture's."""
        return np.asarray(self.copies != self.originals[:, None])

    @property
    def studio(self) -> npt.NDArray[np.bool_]:
        """Which are studio portraits."""
        return np.array([measuring.group_of(name) == STUDIO for name in self.names])


# --- photos ----------------------------------------------------------------------------------------------------


def code(body: bytes) -> tuple[Bits, npt.NDArray[np.uint8]] | None:
    """The code of a file and its thumbnail. None: too plain for one."""
    pixels = InProcessDecoder(Settings()).decode(body)
    if isinstance(pixels, Unreadable):
        raise SystemExit(f"a photo cannot be read: {pixels.detail}")
    found = phash256(pixels)
    thumbnail = pixels.grey64.reshape(32, 2, 32, 2).mean(axis=(1, 3)).astype(np.uint8).reshape(-1)
    plain = is_plain(pixels, found)
    return None if plain else (np.unpackbits(np.frombuffer(found.bits, dtype=np.uint8)).astype(bool), thumbnail)


def copied(path: Path, *, windows: int) -> list[tuple[Bits, list[Bits], npt.NDArray[np.uint8], str]]:
    """A photo, and `windows` parts of it, each with its copies. A copy that became too plain is left as it was."""
    image, chance, found = open_photo(path), random.Random(path.name), []
    for number in range(windows + 1):
        part = image if number == 0 else image.crop(window(image.size, chance, least=0.1, most=0.7))
        original = code(path.read_bytes() if number == 0 else edited(part, path.name, "saved again"))
        if original:
            made = [code(edited(part, f"{path.name}{number or ''}", edit)) for edit in (*PLAIN, *HARDER)]
            found.append((original[0], [copy[0] if copy else original[0] for copy in made], original[1], path.name))
    return found


def window(size: tuple[int, int], chance: random.Random, *, least: float, most: float) -> tuple[int, int, int, int]:
    """A part of a picture, anywhere, with this share of its area and another shape."""
    area, shape = chance.uniform(least, most) * size[0] * size[1], 2.0 ** chance.uniform(-1, 1)
    width, height = (
        min(side, max(32, round(wanted)))
        for side, wanted in zip(size, ((area * shape) ** 0.5, (area / shape) ** 0.5), strict=True)
    )
    left, top = chance.randint(0, size[0] - width), chance.randint(0, size[1] - height)
    return left, top, left + width, top + height


def windows_of(path: Path, *, count: int) -> npt.NDArray[np.uint8]:
    """The codes of `count` windows of a photo and of their mirror pictures, (2 * count, 32).

    By two matrix products a window, without scaling it first: some bits from what its pixels would give, which is
    nothing to how full the cells are.
    """
    grey = np.asarray(open_photo(path, side_px_max=320).convert("L"), dtype=np.float64)
    chance, values = random.Random(path.name), np.empty((count, 16, 16))
    for number in range(count):
        left, top, right, bottom = window((grey.shape[1], grey.shape[0]), chance, least=0.06, most=0.6)
        values[number] = basis(bottom - top) @ grey[top:bottom, left:right] @ basis(right - left).T
    return np.concatenate([codes_of(values), codes_of(values * (-1.0) ** np.arange(16))])


def gathered(files: list[Path], processes: int, *, windows: int = 0) -> Copies:
    """The copies of many photos."""
    with ProcessPoolExecutor(processes) as pool:
        found = [row for rows in pool.map(partial(copied, windows=windows), files) for row in rows]
    return Copies(*(np.array(column) for column in zip(*found, strict=True)))


def background_bits() -> Bits:
    """The codes of unrelated photos that come with the package."""
    codes = background(PHASH256)
    assert codes is not None
    return np.unpackbits(np.ascontiguousarray(codes).view(np.uint8), axis=1).astype(bool)


# --- how good sixteen bits are ---------------------------------------------------------------------------------


def values_of(codes: Bits, bits: Iterable[int]) -> npt.NDArray[np.uint16]:
    """Sketches of other bits than those that were chosen."""
    packed = np.packbits(codes[:, list(bits)], axis=1).astype(np.uint16)
    return packed[:, 0] << 8 | packed[:, 1]


def lost(flips: Bits, bits: Iterable[int]) -> float:
    """Share of copies, (n, 256), that lie more than two bits away in these bits."""
    return float((flips[:, list(bits)].sum(axis=1) > 2).mean())


def shares(codes: Bits, bits: Iterable[int]) -> npt.NDArray[np.float64]:
    """For every code the share of the others that its answer holds."""
    sketch = values_of(codes, bits)
    near = np.bitwise_count(sketch[:, None] ^ sketch[None]) <= 2
    return (near.sum(axis=1) - 1) / (len(sketch) - 1)


def rebuilt(seen: Bits, pictures: npt.NDArray[np.uint8], new: Bits, truth: npt.NDArray[np.uint8]) -> float:
    """Mean correlation of thumbnails drawn from bits by a linear model with the pictures that the bits are of."""
    model, *_ = np.linalg.lstsq(np.c_[np.ones(len(seen)), seen], pictures.astype(float), rcond=None)
    drawn, wanted = np.c_[np.ones(len(new)), new] @ model, truth.astype(float)
    drawn, wanted = (array - array.mean(axis=1, keepdims=True) for array in (drawn, wanted))
    return float(((drawn * wanted).sum(1) / np.sqrt((drawn**2).sum(1) * (wanted**2).sum(1) + 1e-9)).mean())


# --- choosing --------------------------------------------------------------------------------------------------


def choose(files: list[Path], test: list[Path], processes: int) -> None:
    """Search for the bits; print them beside others."""
    made = gathered(files, processes, windows=6)
    flips = made.flips[(made.flips[..., HALF].sum(axis=2) <= RADIUS)]
    whole = gathered(files, processes).originals
    codes = np.concatenate([background_bits(), whole])
    diagonal = {int(bit): int(bit) // 16 + int(bit) % 16 for bit in HALF}
    allowed = [bit for bit in diagonal if diagonal[bit] >= 8 and abs(codes[:, bit].mean() - 0.5) < 0.1]
    with ProcessPoolExecutor(processes) as pool:
        found = min(pool.map(partial(search, flips, codes, allowed), range(8)), key=lambda pair: pair[0])[1]
    seen = gathered(test, processes)
    steady = sorted(diagonal, key=lambda bit: (bit == 0, flips[:, bit].mean()))[:16]
    lowest = sorted(diagonal, key=lambda bit: (bit == 0, diagonal[bit], bit))[:16]
    sets = {"chosen": found, "SKETCH_BITS": list(SKETCH_BITS), "flip least": steady, "lowest": lowest}
    rows = []
    for name, bits in {**sets, "the half": [int(b) for b in HALF], "the code": list(range(256)), "none": []}.items():
        drawn = rebuilt(made.originals[:, bits], made.thumbnails, seen.originals[:, bits], seen.thumbnails)
        share = shares(codes, bits) if len(bits) == 16 else None
        facts = (
            (f"{lost(flips, bits):.2%}", f"{share.mean():.3%}", f"{share.max():.2%}") if share is not None else "---"
        )
        rows.append([name, *facts, f"{drawn:.2f}", ", ".join(map(str, sorted(bits))) if len(bits) == 16 else ""])
    print(measuring.table(["bits", "copies lost", "share, mean", "share, worst", "thumbnail, correlation", ""], rows))


def search(flips: Bits, codes: Bits, allowed: list[int], seed: int) -> tuple[float, list[int]]:
    """Swap one bit after another for a better one until none is; how bad the rest is, and the bits.

    A hundredth of the copies lost weighs as much as answers twice as large as they have to be.
    """
    chance = np.random.default_rng(seed)
    likeness = np.corrcoef(codes[:, allowed].T) ** 2
    place = {bit: number for number, bit in enumerate(allowed)}

    def badness(bits: list[int]) -> float:
        share = shares(codes, bits) / EVEN_SHARE
        return float(100 * lost(flips, bits) + share.mean() - 1 + 0.1 * (share.max() - 1))

    def guess(bit: int, rest: list[int]) -> float:
        return float(100 * lost(flips, [*rest, bit]) + 2 * likeness[place[bit], [place[other] for other in rest]].sum())

    bits = [int(bit) for bit in chance.choice(allowed, 16, replace=False)]
    least, better = badness(bits), True
    while better:
        better = False
        for old in [int(bit) for bit in chance.permutation(bits)]:
            rest = [bit for bit in bits if bit != old]
            for new in sorted(set(allowed) - set(bits), key=lambda bit, rest=rest: guess(bit, rest))[:8]:
                if (value := badness([*rest, new])) < least - 1e-9:
                    least, bits, better = value, [*rest, new], True
    return least, sorted(bits)


# --- measuring -------------------------------------------------------------------------------------------------


def recall_rows(made: Copies) -> Iterable[list[str]]:
    """Per edit: found at each radius, and found at `RADIUS` where the sketch lies within each spread."""
    distances, spread = made.flips[..., HALF].sum(axis=2), made.flips[..., list(SKETCH_BITS)].sum(axis=2)
    lines: list[tuple[str, slice]] = [(edit, slice(at, at + 1)) for at, edit in enumerate((*PLAIN, *HARDER))]
    lines.insert(len(PLAIN), (f"**the {len(PLAIN)} above**", slice(0, len(PLAIN))))
    for name, at in lines:
        half = [(distances[:, at] <= radius).mean() for radius in RADII]
        both = [((distances[:, at] <= RADIUS) & (spread[:, at] <= within)).mean() for within in SPREADS]
        yield [name, *(f"{found:.1%}" for found in (*half, *both))]


def pair_rows(made: Copies, others: Bits, studio: npt.NDArray[np.bool_]) -> Iterable[list[str]]:
    """Unrelated pairs: how many lie within each radius, and how many within each spread."""
    right, is_studio = np.concatenate([made.originals, others]), np.concatenate([made.studio, studio])
    distances = np.array([(code[HALF] != right[:, HALF]).sum(axis=1) for code in made.originals])
    spread = np.bitwise_count(values_of(made.originals, SKETCH_BITS)[:, None] ^ values_of(right, SKETCH_BITS)[None])
    once = np.arange(len(right))[None] > np.arange(len(made.originals))[:, None]
    both = made.studio[:, None] & is_studio[None]
    for name, pairs in {"two studio portraits": once & both, "other photos": once & ~both}.items():
        near = [f"{int((distances[pairs] <= radius).sum())}" for radius in RADII]
        title = f"{name}: {int(pairs.sum()):,} unrelated pairs, nearest {distances[pairs].min()}"
        yield [title, *near, *(f"{(spread[pairs] <= within).mean():.4%}" for within in SPREADS)]


def chance_row(asked: Bits, index: HalfCodes) -> list[str]:
    """Unrelated pairs of other photos and rows."""
    rows = np.frombuffer(index.whole_list(), dtype=">u8").reshape(-1, 2)
    near, nearest = np.zeros(len(RADII), dtype=np.int64), 128
    for words in half_codes(np.packbits(asked, axis=1)).view(">u8"):
        distances = np.bitwise_count(rows ^ words).sum(axis=1, dtype=np.uint8)
        near, nearest = near + [int((distances <= r).sum()) for r in RADII], min(nearest, int(distances.min()))
    title = f"other photos among the rows: {len(rows) * len(asked):,} pairs, nearest {nearest}"
    return [title, *map(str, near), *[""] * len(SPREADS)]


def answer_rows(asked: npt.NDArray[np.uint16], index: HalfCodes) -> Iterable[list[str]]:
    """How large answers are, and what they take."""
    cells = np.array([len(index.sketch_rows(sketch, spread_bits=0)) // 16 for sketch in range(CELLS)])
    numbers, sizes, taken, blank = np.arange(CELLS), [], [], [""] * len(RADII)
    for within in SPREADS:
        every = sum(cells[numbers ^ change] for change in np.flatnonzero(np.bitwise_count(numbers) <= within))
        found = every[asked]
        sizes.append((found.mean(), np.quantile(found, 0.99), found.max(), every.max()))
        rounds = []
        for _ in range(7):
            start = time.perf_counter()
            for sketch in asked[:200].tolist():
                index.sketch_rows(sketch, spread_bits=within)
            rounds.append((time.perf_counter() - start) / len(asked[:200]))
        taken.append(f"{min(rounds) * 1000:.3f}")
    names = ("mean", "99th of 100", "worst asked", "worst of all")
    for name, counts in zip(names, zip(*sizes, strict=True), strict=True):
        yield [f"rows of an answer, {name}", *blank, *(f"{count:,.0f} ({count / index.rows:.2%})" for count in counts)]
    yield ["ms an answer", *blank, *taken]


def guessed(seen: Bits, made: Copies) -> str:
    """How well a linear model tells the bits outside of the half from those inside."""
    other = np.setdiff1d(np.arange(256), HALF)
    model, *_ = np.linalg.lstsq(np.c_[np.ones(len(seen)), seen[:, HALF]], seen[:, other].astype(float), rcond=None)
    drawn = np.c_[np.ones(len(made.originals)), made.originals[:, HALF]] @ model
    wrong = (drawn > 0.5) != made.originals[:, other]
    told = []
    for name, bits in {STUDIO: wrong[made.studio].sum(1), "other photos": wrong[~made.studio].sum(1)}.items():
        near = f"within {NEAR_BITS}: {(bits <= NEAR_BITS).sum()} of {len(bits)}"
        told.append(f"{name} {1 - bits.mean() / len(other):.1%} (fewest wrong {bits.min()}; {near})")
    return ", ".join(told)


def measure(files: list[Path], chosen: list[Path], rows: int, processes: int) -> None:
    """Print the table."""
    made, asked, known = gathered(files, processes), gathered(chosen, processes), background_bits()
    others = np.concatenate([known, asked.originals])
    studio = np.concatenate([np.arange(len(known)) < STUDIO_IN_BACKGROUND, asked.studio])
    with ProcessPoolExecutor(processes) as pool:
        codes = list(pool.map(partial(windows_of, count=-(-rows // (2 * len(files)))), files))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "halves"
        HalfCodes.build(codes, built_at=datetime.now(UTC)).write(path)
        start = time.perf_counter()
        index = HalfCodes.open(path)
        taken = f"checked and opened in {(time.perf_counter() - start) * 1000:.0f} ms"
        facts = {
            "photos": f"{len(made.originals)}; asked among the rows: {len(others)} others",
            "rows": f"{index.rows:,}, {path.stat().st_size:,} bytes, {taken}",
            "bits of the other half that a linear model tells": guessed(others, made),
        }
        lines = [*recall_rows(made), *pair_rows(made, others, studio), chance_row(others, index)]
        lines += answer_rows(values_of(others, SKETCH_BITS), index)
    print(measuring.heading("The private check", facts))
    columns = [f"half code, {radius} of 128" for radius in RADII]
    print(measuring.table(["", *columns, *(f"{RADIUS} and sketch within {within}" for within in SPREADS)], lines))


def main() -> None:
    default = CHECKOUT / os.environ.get("PHOTOS", "../shared/data/photos")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path, nargs="?", default=default, help="folder of JPEG files (or PHOTOS)")
    parser.add_argument("--photos-max", type=int)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--choose", action="store_true", help="search for the bits of the sketch")
    given = parser.parse_args()
    chosen, files = (
        measuring.photos_of(given.photos, half=h, photos_max=given.photos_max) for h in ("choose", "measure")
    )
    print(f"{len(files)} photos to measure on, {len(chosen)} to choose by", file=sys.stderr)
    if given.choose:
        choose(chosen, files, given.processes)
    else:
        measure(files, chosen, given.rows, given.processes)


if __name__ == "__main__":
    main()
