"""Millions of codes with the statistics of real photos, for the benchmarks of the index. Nothing to run here.

No free collection holds ten million photos, so three kinds of codes stand in, and `benchmarks/index.py` prints how
alike they are in what an index pays for:

    whole      the codes of the photos themselves: as real as can be, and few
    modelled   drawn from a Gaussian copula that was fitted to them: the same share of set bits at every place, the same
               correlation of every two bits, half of the bits set in every phash256 code. As many as wanted
    windows    real codes of random windows of the photos (30 to 100 % of the sides): real, but thousands of overlapping
               windows of one photo, so that a code has more neighbours than in any real corpus

Of the modelled codes a tenth are copies of another one with 0 to 20 bits flipped, as copies are in a corpus. Queries
that are to find nothing are windows of photos, never modelled.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import measuring
import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy.special import ndtri

from checker.fingerprint import Depth, fingerprint_file
from checker.fingerprint.alignment import _bases
from checker.fingerprint.cosine import FREQUENCIES, Codes, Floats, codes_of
from checker.index.bits import permuted
from checker.index.plan import Plan, flips, radii
from checker.model import PHASH256, Picture
from checker.settings import Settings

COPY_SHARE = 0.1
COPY_FLIPS_MAX = 20
WINDOW_SIDE_PX = 256
"""Of the grey picture that windows are taken from: one of 30 % still has 77 px for 16 frequencies."""
WINDOW_MIN = 0.3
WINDOW_JITTER = 0.2
"""Sides of one window differ by this, as a logarithm, each way."""
_WINDOWS_ACROSS = 8
"""Intervals across and down that are combined with each other: 64 windows for the price of 16 half products."""
_BLOCK = 50_000


@dataclass(frozen=True, slots=True)
class RealCodes:
    """The codes of whole photos."""

    phash256: Codes
    """(photos, 32)"""
    sscd512: Codes
    """(photos, 64); no rows without the extra `robust`."""
    is_portrait: npt.NDArray[np.bool_]
    """(photos,): a studio portrait, which are the most alike."""


def real_codes(photos: Sequence[Path], cache: Path) -> RealCodes:
    """The codes of whole photos, plain ones left out."""
    names = hashlib.sha256("\n".join(path.name for path in photos).encode()).hexdigest()[:12]
    kept = cache / f"real-{names}.npz"
    if not kept.exists():
        found = [fingerprint_file(path, Settings(), depth=Depth.WHOLE) for path in photos]
        both = zip(photos, found, strict=True)
        kept_of = [(path, picture) for path, picture in both if isinstance(picture, Picture) and not picture.plain]
        codes = [{code.kind.name: code.bits for code in picture.fingerprints} for _, picture in kept_of]
        arrays = {
            name: np.frombuffer(b"".join(each[name] for each in codes if name in each), dtype=np.uint8)
            for name in (PHASH256.name, "sscd512")
        }
        portraits = [measuring.group_of(path.name) == "studio portraits" for path, _ in kept_of]
        np.savez(kept, **arrays, portraits=np.array(portraits))
    loaded = np.load(kept)
    phash256, sscd512 = loaded[PHASH256.name].reshape(-1, 32), loaded["sscd512"].reshape(-1, 64)
    return RealCodes(phash256=phash256, sscd512=sscd512, is_portrait=loaded["portraits"])


# --- modelled --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Copula:
    """Normal variables, one a bit; a bit is set where its variable plus its threshold is high enough."""

    thresholds: npt.NDArray[np.float32]
    mixing: npt.NDArray[np.float32]
    """(bits, bits): independent variables times its transpose have the correlations wanted."""
    balanced: bool
    """High enough is above the median of all bits, as in phash256; else above zero."""


def _fitted(codes: Codes, *, balanced: bool) -> _Copula:
    bits = np.unpackbits(codes, axis=1)
    share = (bits.sum(axis=0) + 0.5) / (len(bits) + 1)
    steady = bits.min(axis=0) == bits.max(axis=0)  # the first bit of phash256 is set in every code
    correlation = np.zeros((bits.shape[1], bits.shape[1]))
    moving = np.flatnonzero(~steady)
    correlation[np.ix_(moving, moving)] = np.corrcoef(bits[:, moving].T.astype(np.float64))
    # Two signs of normal variables that correlate by r correlate by 2/pi asin(r) where both are balanced.
    wanted = np.sin(np.pi / 2 * correlation)
    np.fill_diagonal(wanted, 1.0)
    values, vectors = np.linalg.eigh(wanted)
    mixing = vectors * np.sqrt(np.maximum(values, 1e-6))
    mixing /= np.linalg.norm(mixing, axis=1, keepdims=True)
    thresholds = np.where(steady, np.where(bits[0], 1e9, -1e9), ndtri(share))
    return _Copula(thresholds.astype(np.float32), mixing.astype(np.float32), balanced)


def _drawn(copula: _Copula, count: int, random: np.random.Generator) -> Codes:
    width = len(copula.thresholds)
    values = random.standard_normal((count, width), dtype=np.float32) @ copula.mixing.T
    values += copula.thresholds
    codes = (
        codes_of(values.reshape(-1, FREQUENCIES, FREQUENCIES)) if copula.balanced else np.packbits(values > 0, axis=1)
    )
    copies = random.permutation(count)[: round(count * COPY_SHARE)]
    codes[copies] = flipped(codes[random.integers(0, count, len(copies))], COPY_FLIPS_MAX, random)
    return codes


def modelled(real: Codes, rows: int, cache: Path) -> Path:
    """A .npy file in `cache` with modelled codes: `rows` of them or more, of which the first ones are the same."""
    balanced = real.shape[1] * 8 == PHASH256.bits
    mark = hashlib.sha256(real.tobytes()).hexdigest()[:12]
    there = sorted((int(path.stem.rsplit("-", 1)[1]), path) for path in cache.glob(f"modelled-{mark}-*.npy"))
    for found, path in there:
        if found >= rows:
            return path
    copula = _fitted(real, balanced=balanced)
    path, beside = cache / f"modelled-{mark}-{rows}.npy", cache / f"modelled-{mark}.tmp"
    codes = np.lib.format.open_memmap(beside, mode="w+", dtype=np.uint8, shape=(rows, real.shape[1]))
    for block, first in enumerate(range(0, rows, _BLOCK)):
        # A generator for each block, so that a code does not depend on how many are wanted.
        drawn = _drawn(copula, _BLOCK, np.random.default_rng([block, real.shape[1]]))
        codes[first : first + _BLOCK] = drawn[: rows - first]
    codes.flush()
    del codes
    return beside.rename(path)


def flipped(codes: Codes, flips_max: int, random: np.random.Generator) -> Codes:
    """Each code with 0 to `flips_max` of its bits flipped, every number of flips equally often."""
    width = codes.shape[1] * 8
    counts = random.integers(0, flips_max + 1, len(codes))
    places = random.random((len(codes), width), dtype=np.float32).argsort(axis=1).argsort(axis=1)
    return codes ^ np.packbits(places < counts[:, None], axis=1)


# --- windows ---------------------------------------------------------------------------------------------------


def windows(
    photos: Sequence[Path], rows: int, *, seed: int, smallest: float = WINDOW_MIN
) -> tuple[Codes, npt.NDArray[np.int64]]:
    """`rows` codes of random windows, spread evenly over the photos in random order; and which photo each is of."""
    random = np.random.default_rng(seed)
    groups = math.ceil(rows / len(photos) / _WINDOWS_ACROSS**2)
    codes = np.concatenate([_windows_of(path, groups, smallest, random) for path in photos])
    photo_of = np.repeat(np.arange(len(photos)), len(codes) // len(photos))
    chosen = random.permutation(len(codes))[:rows]
    return codes[chosen], photo_of[chosen]


def _windows_of(path: Path, groups: int, smallest: float, random: np.random.Generator) -> Codes:
    with Image.open(path) as image:
        image.draft("L", (2 * WINDOW_SIDE_PX, 2 * WINDOW_SIDE_PX))
        square = image.convert("L").resize((WINDOW_SIDE_PX, WINDOW_SIDE_PX), Image.Resampling.LANCZOS)
    grey = np.asarray(square, dtype=np.float32)
    grey = grey - grey.mean()
    found = []
    for _ in range(groups):
        side = math.exp(random.uniform(math.log(smallest), 0))
        stack = _bands(side, random) @ (grey @ _bands(side, random).T)
        across = (_WINDOWS_ACROSS, FREQUENCIES)
        coefficients: Floats = stack.reshape(across * 2).transpose(0, 2, 1, 3).reshape(-1, FREQUENCIES, FREQUENCIES)
        # The mean was taken off for the sake of rounding. With it the first coefficient is above all others.
        coefficients[:, 0, 0] = np.float32(1e12)
        found.append(codes_of(coefficients))
    return np.concatenate(found)


def _bands(side: float, random: np.random.Generator) -> Floats:
    """Cosine matrices of random intervals about as long as `side`, one below the other."""
    lengths = np.minimum(1.0, side * np.exp(random.uniform(-WINDOW_JITTER, WINDOW_JITTER, _WINDOWS_ACROSS)))
    starts = random.uniform(0.0, 1.0 - lengths)
    return _bases(np.stack([starts, starts + lengths], axis=1), WINDOW_SIDE_PX, FREQUENCIES).reshape(-1, WINDOW_SIDE_PX)


# --- how alike they are ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Statistics:
    """What an index pays for, and what decides about it."""

    codes: int
    share_off: float
    """How far the share of set bits is from a half, root of the mean square over bits."""
    correlation: float
    """Of two bits, root of the mean square over all pairs."""
    candidates: float
    """Of a million unrelated codes, those that a look-up of one code compares in full: mean."""
    candidates_p99: float
    neighbours: float
    """Of a million codes, those within 31 bits of one: mean."""


def statistics(codes: Codes, plan: Plan, *, photo_of: npt.NDArray[np.int64] | None = None) -> Statistics:
    """`photo_of`: codes of one photo are no unrelated ones."""
    bits = np.unpackbits(codes[:_BLOCK], axis=1)[:, 1:].astype(np.float32)
    correlation = np.corrcoef(bits.T)[~np.eye(bits.shape[1], dtype=bool)]
    some = np.ascontiguousarray(codes[: 2 * _BLOCK])
    asked = np.random.default_rng(0).permutation(len(some))[:500]
    words = permuted(some.tobytes(), bits=plan.bits)
    found, near, others = (np.zeros(len(asked)) for _ in range(3))
    keys = list(_piece_keys(words, plan))
    for number, row in enumerate(asked):
        other = np.ones(len(some), dtype=bool) if photo_of is None else photo_of[: len(some)] != photo_of[row]
        near[number] = (np.bitwise_count(words ^ words[row]).sum(axis=1) <= 31).sum() - 1
        for key, radius in zip(keys, radii(plan, 31), strict=True):
            found[number] += ((np.bitwise_count(key ^ key[row]) <= radius) & other).sum() if radius >= 0 else 0
            found[number] -= (radius >= 0) and bool(other[row])
        others[number] = other.sum() - bool(other[row])
    rate = found / others * 1e6
    return Statistics(
        codes=len(codes),
        share_off=float(np.sqrt(((bits.mean(axis=0) - 0.5) ** 2).mean())),
        correlation=float(np.sqrt((correlation**2).mean())),
        candidates=float(rate.mean()),
        candidates_p99=float(np.percentile(rate, 99)),
        neighbours=float(near.mean()) / len(some) * 1e6,
    )


def fair_candidates(plan: Plan) -> float:
    """The same of codes made of fair coins."""
    pairs = zip(plan.widths, radii(plan, 31), strict=True)
    return sum(len(flips(width, radius)) / 2**width for width, radius in pairs if radius >= 0) * 1e6


def _piece_keys(words: npt.NDArray[np.uint64], plan: Plan) -> Iterator[npt.NDArray[np.uint32]]:
    bits = np.unpackbits(words.view(np.uint8), axis=1, bitorder="little")
    for start, width in zip(plan.starts, plan.widths, strict=True):
        piece = np.zeros((len(words), 32), dtype=np.uint8)
        piece[:, :width] = bits[:, start : start + width]
        yield np.packbits(piece, axis=1, bitorder="little").view("<u4").ravel()
