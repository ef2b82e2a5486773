"""Borders of one colour are taken off, whatever the colour, down to the photo and not into it."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
import pytest
from fixture_photos import NAMES, photo
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from PIL import Image

from checker.fingerprint.rectangle import Rectangle
from checker.fingerprint.trim import trim

Levels = npt.NDArray[np.uint8]
PLAIN_AT_AN_EDGE = {"camera": Rectangle(0, 64, 512, 512), "clock": Rectangle(147, 0, 400, 214)}
"""Cloudless sky above the photographer, bare wall beside the clock: no different from a border. The whole picture
keeps its code, so nothing is lost by it."""
FRAMELESS = tuple(name for name in NAMES if name not in PLAIN_AT_AN_EDGE)
COLOURS = {"white": (255, 255, 255), "black": (0, 0, 0), "grey": (128, 128, 128), "red": (200, 30, 40)}
Widths = tuple[int, int, int, int]


def framed(image: Image.Image, colour: tuple[int, int, int], widths: Widths) -> tuple[Image.Image, Rectangle]:
    """The photo with borders at the left, top, right and bottom; and where it lies."""
    left, top, right, bottom = widths
    canvas = Image.new("RGB", (image.width + left + right, image.height + top + bottom), colour)
    canvas.paste(image, (left, top))
    return canvas, Rectangle(left, top, left + image.width, top + image.height)


def saved(image: Image.Image, quality: int) -> Levels:
    """As JPEG, with the colours at half the resolution, as nearly all programs save it."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file).convert("RGB"))


def off_px(found: Rectangle | None, truth: Rectangle) -> int:
    assert found is not None
    sides = zip((found.left, found.top, found.right, found.bottom), _sides(truth), strict=True)
    return max(abs(one - other) for one, other in sides)


def _sides(box: Rectangle) -> tuple[int, int, int, int]:
    return box.left, box.top, box.right, box.bottom


@pytest.mark.parametrize("name", NAMES)
def test_photo_without_border_is_left_alone(name: str) -> None:
    assert trim(np.asarray(photo(name))) == PLAIN_AT_AN_EDGE.get(name)


@pytest.mark.parametrize("colour", COLOURS)
def test_border_is_found_to_the_pixel_and_one_more_line_is_taken(colour: str) -> None:
    """The line more is where scaling mixed border and photo."""
    for name in FRAMELESS:
        canvas, truth = framed(photo(name), COLOURS[colour], (40, 12, 25, 60))
        assert off_px(trim(np.asarray(canvas)), truth) <= 1, name


@pytest.mark.parametrize("colour", ["white", "black", "grey"])
def test_border_in_a_jpeg_is_found_within_2_px(colour: str) -> None:
    for name in FRAMELESS:
        canvas, truth = framed(photo(name), COLOURS[colour], (32, 32, 32, 96))
        assert off_px(trim(saved(canvas, 85)), truth) <= 2, name


def test_border_of_a_strong_colour_in_a_poor_jpeg_is_found_within_a_block() -> None:
    """Colours run into the border by up to a block of 16 px. None of the photo is lost."""
    for name in FRAMELESS:
        canvas, truth = framed(photo(name), COLOURS["red"], (41, 23, 57, 30))
        found = trim(saved(canvas, 30))
        assert off_px(found, truth) <= 16, name
        assert found is not None
        assert (found.left - truth.left, found.top - truth.top) <= (1, 1), name


def test_letterbox_and_two_frames_of_unlike_colours_are_found() -> None:
    cinema, bars = framed(photo("coffee"), COLOURS["black"], (0, 70, 0, 70))
    assert off_px(trim(np.asarray(cinema)), bars) <= 1
    twice, outer = framed(cinema, COLOURS["white"], (20, 20, 20, 20))
    assert off_px(trim(np.asarray(twice)), bars.moved(outer.left, outer.top)) <= 2


@pytest.mark.parametrize("level", [0, 128, 255])
def test_picture_of_one_colour_is_all_border(level: int) -> None:
    assert trim(np.full((200, 300, 3), level, dtype=np.uint8)) is None


def test_small_drawing_on_a_background_is_no_framed_photo() -> None:
    canvas, _ = framed(photo("coffee").resize((60, 40)), COLOURS["white"], (150, 150, 150, 150))
    assert trim(np.asarray(canvas)) is None


@given(
    name=st.sampled_from(NAMES),
    colour=st.tuples(*[st.integers(0, 255)] * 3),
    widths=st.tuples(*[st.integers(0, 90)] * 4),
    quality=st.integers(30, 95),
)
@hypothesis_settings(max_examples=60)
def test_nothing_is_left_to_trim_of_what_was_trimmed(
    name: str, colour: tuple[int, int, int], widths: Widths, quality: int
) -> None:
    image = photo(name).resize((240, 180))
    levels = saved(framed(image, colour, widths)[0], quality)
    box = trim(levels)
    if box:
        assert trim(levels[box.top : box.bottom, box.left : box.right]) is None


@given(
    height=st.integers(1, 60),
    width=st.integers(1, 60),
    seed=st.integers(0, 2**32 - 1),
    levels=st.sampled_from([1, 256]),
)
def test_any_shape_has_an_answer_that_lies_in_the_picture(height: int, width: int, seed: int, levels: int) -> None:
    view = np.random.default_rng(seed).integers(0, levels, (height, width, 3), dtype=np.uint8)
    box = trim(view)
    assert box is None or (0 <= box.left < box.right <= width and 0 <= box.top < box.bottom <= height)
