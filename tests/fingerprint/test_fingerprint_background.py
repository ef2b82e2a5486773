"""How near chance comes: the background that comes with the package, and the tail that is fitted to it."""

from __future__ import annotations

from functools import partial

import numpy as np
import numpy.typing as npt
import pytest
from fixture_photos import NAMES, bits_apart, pixels
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from checker.fingerprint import phash256
from checker.fingerprint.background import FILE, Null, background, distances_to
from checker.fingerprint.robust import PACKAGE_SHA256, RobustModel, is_installed
from checker.model import PHASH256, CodeKind
from checker.settings import Settings

needs_extra = pytest.mark.skipif(not is_installed(), reason="the extra `robust` is not installed (Python 3.12)")


def codes(name: str) -> npt.NDArray[np.uint8]:
    with np.load(FILE, allow_pickle=False) as file:
        found: npt.NDArray[np.uint8] = file[name]
    return found


def words() -> npt.NDArray[np.uint64]:
    found = background(PHASH256)
    assert found is not None
    return found


# --- the file --------------------------------------------------------------------------------------------------


def test_background_holds_codes_of_as_many_photos_in_both_kinds() -> None:
    phash, robust = codes("phash256.1"), codes(f"sscd512.1-{PACKAGE_SHA256[:12]}")
    assert phash.shape[1:] == (32,)
    assert robust.shape[1:] == (64,)
    assert len(phash) == len(robust) > 1500


def test_every_background_code_is_one_that_a_real_picture_has() -> None:
    phash = codes("phash256.1")
    assert set(np.bitwise_count(phash).sum(axis=1).tolist()) == {128}
    assert (phash[:, 0] >= 128).all()  # the mean of the picture, always over the median


def test_no_two_pictures_of_the_background_are_copies() -> None:
    rows = words()
    for number, row in enumerate(rows[:300]):
        others = np.bitwise_count(np.delete(rows, number, axis=0) ^ row).sum(axis=1)
        assert others.min() > 31


def test_no_fixture_photo_is_in_the_background() -> None:
    for name in NAMES:
        assert distances_to(words(), [phash256(pixels(name)).bits]).min() > 31, name


@needs_extra
def test_packaged_model_has_a_background() -> None:
    model = RobustModel.of(Settings())
    assert model is not None
    assert background(model.kind) is not None


def test_another_model_has_none() -> None:
    assert background(CodeKind("sscd512", "1-000000000000", 512)) is None
    assert background(CodeKind("phash256", "2", 256)) is None


# --- distances -------------------------------------------------------------------------------------------------


def test_distance_is_to_the_nearest_of_the_asked_codes() -> None:
    rows = words()[:50]
    asked = [phash256(pixels(name)).bits for name in ("coffee", "rocket", "china")]
    expected = [min(bits_apart(row.tobytes(), code) for code in asked) for row in rows]
    assert distances_to(rows, asked).tolist() == expected


def test_no_asked_codes_are_as_far_away_as_can_be() -> None:
    assert set(distances_to(words(), []).tolist()) == {256}


# --- the null --------------------------------------------------------------------------------------------------


@given(seed=st.integers(0, 999), spread=st.floats(0.0, 30.0), count=st.integers(50, 3000))
def test_chance_grows_with_the_distance_and_lies_between_0_and_1(seed: int, spread: float, count: int) -> None:
    sample = np.random.default_rng(seed).normal(110, spread, count).clip(40, 256).round().astype(np.int64)
    null = Null.of(sample, copies_within=31)
    chances = [null.chance(bits) for bits in np.arange(0, 256.5, 0.5)]
    assert chances == sorted(chances)
    assert 0 <= chances[0] <= chances[-1] == 1


def test_above_the_tail_chance_is_the_share_of_the_background_that_lies_as_near() -> None:
    null = Null.of(np.arange(101, 201), copies_within=31)
    assert null.chance(150) == 0.5
    assert null.chance(200) == 1
    assert null.chance(110) == 0.1


def test_copies_in_the_background_are_left_out() -> None:
    far = np.random.default_rng(3).normal(110, 8, 2000).round().astype(np.int64)
    clean = Null.of(far, copies_within=31)
    mixed = Null.of(np.concatenate([far, [0, 4, 31]]), copies_within=31)
    for bits in (20, 60, 84, 100):
        assert mixed.chance(bits) == clean.chance(bits)
    assert Null.of(np.concatenate([far, [32]]), copies_within=31).chance(40) > clean.chance(40)


@pytest.mark.parametrize("copies", [0, 3])
def test_many_are_fitted_as_each_by_itself(copies: int) -> None:
    distances = np.random.default_rng(4).normal(110, 8, (6, 1000)).round().astype(np.int64)
    distances[2, :copies] = 12
    for many, row in zip(Null.of_each(distances, copies_within=31), distances, strict=True):
        one = Null.of(row, copies_within=31)
        assert (many.edge, many.scale) == (one.edge, one.scale)
        assert many.sorted_distances.tolist() == one.sorted_distances.tolist()


Sample = stats.rv_continuous
TAILS = {
    # As thick as the model supposes, below 130 bits; and thinner, as the distances of real codes are.
    "exponential": (lambda rng, n: 130 - rng.exponential(8, n), lambda bits: stats.expon.sf((130 - bits) / 8)),
    "normal": (lambda rng, n: rng.normal(110, 9, n), partial(stats.norm.cdf, loc=110, scale=9)),
    "binomial": (lambda rng, n: rng.binomial(256, 0.43, n), partial(stats.binom.cdf, n=256, p=0.43)),
}


@pytest.mark.parametrize("tail", TAILS)
def test_chance_is_what_is_seen_among_pictures_that_were_held_apart(tail: str) -> None:
    """Mean over 40 backgrounds of 2,000: how often is a picture as near as a distance that is called p?"""
    draw, share_within = TAILS[tail]
    grid = np.arange(0, 130, 0.25)
    seen: dict[float, list[float]] = {1e-2: [], 1e-3: [], 1e-4: []}
    for seed in range(40):
        null = Null.of(draw(np.random.default_rng(seed), 2000), copies_within=31)
        chances = np.array([null.chance(bits) for bits in grid])
        for chance, shares in seen.items():
            bits = grid[np.searchsorted(chances, chance, side="right") - 1]  # the furthest that is called so rare
            shares.append(float(share_within(bits)))
    for chance, shares in seen.items():
        assert np.mean(shares) <= 3 * chance, "copies would be claimed that are none"
        assert np.mean(shares) >= chance / 3, "copies would be missed"


def test_chance_of_a_real_copy_is_next_to_nothing_and_of_another_photo_is_not() -> None:
    for name in NAMES:
        code = phash256(pixels(name))
        null = Null.of(distances_to(words(), [code.bits]), copies_within=31)
        assert null.chance(8) < 1e-6, name
        other = min(bits_apart(code.bits, phash256(pixels(n)).bits) for n in NAMES if n != name)
        assert null.chance(other) > 1e-4, name
