"""A stored picture is found in another by its tiles: where it lies, and only where it is."""

from __future__ import annotations

from itertools import combinations_with_replacement

import numpy as np
import pytest
from fixture_photos import NAMES, photo, pixels_of
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from checker.fingerprint.alignment import (
    REFINEMENTS,
    TILES,
    Alignment,
    Windows,
    _neighbours,
    alignment_at,
    grey_of_windows,
    neighbour_coefficients,
    unpack,
    window_coefficients,
)
from checker.fingerprint.cosine import Codes, coefficients
from checker.fingerprint.stored import tiles_of
from checker.fingerprint.views import contents, grey_image

Box = tuple[float, float, float, float]
NEAR_BITS, FAR_BITS = 40, 60
OFF_MAX = 0.02


def grey(image: Image.Image) -> np.ndarray:
    return np.asarray(image.convert("L").resize((128, 128), Image.Resampling.LANCZOS))


def tiles(image: Image.Image) -> Codes:
    found = pixels_of(image)
    small = grey_image(found)
    return unpack(tiles_of(small, contents(found, small)[0]).bits)


def align(asked: Image.Image, stored: Image.Image, codes: Codes | None = None) -> Alignment:
    shape = (stored.width / stored.height) / (asked.width / asked.height)
    return Windows(grey_of_windows(grey(asked)), shape).align(tiles(stored) if codes is None else codes)


def on_another_photo(name: str) -> tuple[Image.Image, Box]:
    """A photo scaled down on a larger one; and where it lies."""
    back = photo("gravel" if name != "gravel" else "coffee").resize((640, 640))
    small = photo(name)
    small.thumbnail((380, 380))
    back.paste(small, (200, 60))
    return back, (200 / 640, 60 / 640, (200 + small.width) / 640, (60 + small.height) / 640)


def cut(name: str) -> tuple[Image.Image, Box]:
    """A part of a photo, a quarter less wide and high; and where the whole photo lies around it."""
    image = photo(name)
    left, top = image.width // 5, image.height // 10
    right, bottom = left + image.width * 3 // 4, top + image.height * 3 // 4
    wide, high = right - left, bottom - top
    around = (-left / wide, -top / high, (image.width - left) / wide, (image.height - top) / high)
    return image.crop((left, top, right, bottom)), around


def off(found: Alignment, truth: Box) -> float:
    return max(abs(one - other) for one, other in zip(found.placed, truth, strict=True))


@pytest.mark.parametrize("edit", [on_another_photo, cut])
@pytest.mark.parametrize("name", NAMES)
def test_photo_is_placed_within_2_percent_as_it_is_and_mirrored(name: str, edit: object) -> None:
    asked, (x0, y0, x1, y1) = edit(name)  # type: ignore[operator]
    for picture, mirrored, truth in (
        (asked, False, (x0, y0, x1, y1)),
        (ImageOps.mirror(asked), True, (1 - x1, y0, 1 - x0, y1)),
    ):
        found = align(picture, photo(name))
        assert found.distance_bits <= NEAR_BITS
        assert found.mirrored is mirrored
        assert off(found, truth) <= OFF_MAX


def test_cut_photo_shows_some_of_the_nine_tiles() -> None:
    assert align(on_another_photo("coffee")[0], photo("coffee")).tiles == 9
    assert 1 <= align(cut("coffee")[0], photo("coffee")).tiles < 9


def test_no_photo_is_found_in_another() -> None:
    stored = {name: tiles(photo(name)) for name in NAMES}
    for asked, name in combinations_with_replacement(NAMES, 2):
        found = align(photo(asked), photo(name), stored[name])
        assert (found.distance_bits <= FAR_BITS) == (asked == name), (asked, name)


def test_tiles_overlap_by_half_and_cover_the_picture() -> None:
    assert TILES[0] == (0, 0, 0.5, 0.5)
    assert TILES[4] == (0.25, 0.25, 0.75, 0.75)
    assert TILES[8] == (0.5, 0.5, 1, 1)


def test_flat_tile_has_no_bits_and_is_not_asked() -> None:
    """The upper half is a plain wall: its three tiles say nothing, six are left."""
    image = Image.new("RGB", (400, 400), (120, 130, 140))
    image.paste(photo("coffee").resize((400, 200)), (0, 200))
    stored = tiles(image)
    assert stored.any(axis=1).tolist() == [False] * 3 + [True] * 6
    found = alignment_at(grey_of_windows(grey(image)), (0, 0, 1, 1), stored)
    assert found.tiles == 6
    assert found.distance_bits <= 8


def test_nothing_is_told_where_no_tile_can_be_seen() -> None:
    stored = tiles(photo("coffee"))
    prepared = grey_of_windows(grey(photo("coffee")))
    assert alignment_at(prepared, (2, 2, 3, 3), stored).tiles == 0
    assert alignment_at(prepared, (0, 0, 1, 1), np.zeros_like(stored)).tiles == 0
    assert alignment_at(prepared, (2, 2, 3, 3), stored).distance_bits == 128


def test_place_that_is_known_is_asked_about_directly() -> None:
    stored = tiles(photo("chelsea"))
    prepared = grey_of_windows(grey(photo("chelsea")))
    mirrored = grey_of_windows(grey(ImageOps.mirror(photo("chelsea"))))
    whole = (0.0, 0.0, 1.0, 1.0)
    assert alignment_at(prepared, whole, stored).distance_bits <= 12
    assert alignment_at(mirrored, whole, stored).distance_bits > FAR_BITS
    assert alignment_at(mirrored, whole, stored, mirrored=True).distance_bits <= 12


# --- windows ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_window_that_is_the_whole_picture_has_its_coefficients(name: str) -> None:
    levels = grey(photo(name))
    expected = coefficients(levels)
    found = window_coefficients(levels.astype(np.float32), np.array([[0.0, 0.0, 1.0, 1.0]]))[0]
    assert np.allclose(found, expected, rtol=1e-4, atol=1e-4 * np.abs(expected[1:]).max())


def test_window_on_whole_pixels_has_the_coefficients_of_that_part() -> None:
    """Times four: each of its pixels counts as if the window had as many as the picture."""
    levels = grey(photo("rocket"))
    expected = 4 * coefficients(levels[32:96, 64:128])
    found = window_coefficients(levels.astype(np.float32), np.array([[0.5, 0.25, 1.0, 0.75]]))[0]
    assert np.allclose(found, expected, rtol=1e-4, atol=1e-4 * np.abs(expected[1:]).max())


def test_many_windows_have_the_coefficients_that_each_has_alone() -> None:
    levels = grey(photo("china")).astype(np.float32)
    boxes = np.random.default_rng(5).uniform(-0.2, 0.6, (40, 4)) + np.array([0, 0, 0.6, 0.6])
    together = window_coefficients(levels, boxes)
    alone = np.concatenate([window_coefficients(levels, box[None]) for box in boxes])
    assert np.allclose(together, alone, rtol=1e-3, atol=1.0)
    few = window_coefficients(levels, boxes, frequencies=8)
    assert np.allclose(few, together[:, :8, :8], rtol=1e-3, atol=1.0)


@pytest.mark.parametrize("step", REFINEMENTS)
def test_neighbours_together_have_the_coefficients_that_each_has_alone(step: float) -> None:
    levels = grey_of_windows(grey(photo("coffee")))
    boxes = np.random.default_rng(6).uniform(-0.2, 0.6, (6, 4)) + np.array([0, 0, 0.6, 0.6])
    tries = _neighbours(boxes, step)
    alone = window_coefficients(levels, tries.reshape(-1, 4)).reshape(len(boxes), 27, 16, 16)
    assert np.allclose(neighbour_coefficients(levels, tries), alone, rtol=1e-4, atol=1e-4 * np.abs(alone).max())


@pytest.mark.parametrize("shape", [0.3, 1.0, 1.7])
def test_first_look_reads_the_signs_of_every_window(shape: float) -> None:
    levels = grey_of_windows(grey(photo("coffee")))
    windows = Windows(levels, shape)
    signs = window_coefficients(levels, windows._boxes, frequencies=8).reshape(-1, 64) > 0
    expected = np.packbits(signs, axis=1).view(np.uint64).ravel()
    assert np.bitwise_count(expected ^ windows._low).mean() < 0.01  # where one is as good as zero


@given(
    seed=st.integers(0, 2**32 - 1), shape=st.floats(0.25, 4.0), flat=st.integers(0, 9), level=st.sampled_from([1, 256])
)
@hypothesis_settings(max_examples=12)
def test_any_tiles_in_any_picture_have_an_answer(seed: int, shape: float, flat: int, level: int) -> None:
    rng = np.random.default_rng(seed)
    stored = rng.integers(0, 256, (9, 32), dtype=np.uint8)
    stored[:flat] = 0
    asked = rng.integers(0, level, (128, 128), dtype=np.uint8)
    found = Windows(grey_of_windows(asked), shape).align(stored)
    assert 0 <= found.distance_bits <= 256
    assert 0 <= found.tiles <= 9 - flat


def test_stored_tiles_that_are_not_nine_codes_are_refused() -> None:
    with pytest.raises(ValueError, match="reshape"):
        unpack(bytes(287))
