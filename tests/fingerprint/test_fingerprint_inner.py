"""The photo inside of a screenshot is found; it is a guess, so what counts is that one of at most three is right."""

from __future__ import annotations

import io

import numpy as np
import pytest
from drawn_screens import BLACK, WHITE, page, phone
from fixture_photos import NAMES, photo
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from checker.fingerprint.inner import Guess, inner_pictures
from checker.fingerprint.rectangle import Rectangle

OFF_MAX = 0.015


def guesses(screen: Image.Image) -> tuple[Guess, ...]:
    """Of the screenshot as people send it, as JPEG."""
    file = io.BytesIO()
    screen.save(file, "JPEG", quality=80)
    return inner_pictures(np.asarray(Image.open(file).convert("RGB")))


def off(guess: Rectangle, box: tuple[int, int, int, int]) -> float:
    """How far the worst side lies from where it should, in shares of the photo's width or height."""
    left, top, right, bottom = box
    across = max(abs(guess.left - left), abs(guess.right - right)) / (right - left)
    return max(across, max(abs(guess.top - top), abs(guess.bottom - bottom)) / (bottom - top))


@pytest.mark.parametrize("draw", [phone, page])
@pytest.mark.parametrize("name", NAMES)
def test_photo_on_a_screen_is_among_the_guesses(name: str, draw: object) -> None:
    for back, ink in ((WHITE, BLACK), (BLACK, WHITE)):
        screen, box = draw(photo(name), back, ink)  # type: ignore[operator]
        found = guesses(screen)
        assert min(off(guess.box, box) for guess in found) <= OFF_MAX, found


@pytest.mark.parametrize("name", ["astronaut", "brick", "chelsea", "coffee", "gravel"])
def test_photo_before_its_own_blurred_enlargement_is_among_the_guesses(name: str) -> None:
    """Of photos with detail all over: plain sky is as blurred as what stands behind it."""
    shown = photo(name).resize((360, 240))
    back = shown.resize((960, 640)).crop((300, 0, 660, 640)).filter(ImageFilter.GaussianBlur(20))
    back.paste(shown, (0, 200))
    assert min(off(guess.box, (0, 200, 360, 440)) for guess in guesses(back)) <= OFF_MAX


@pytest.mark.parametrize("name", NAMES)
def test_straight_edges_around_the_best_guess_are_told(name: str) -> None:
    screen, _ = page(photo(name))
    assert guesses(screen)[0].clear


def test_text_alone_is_no_picture() -> None:
    blank = Image.new("RGB", (640, 400), WHITE)
    assert [guess for guess in guesses(page(blank)[0]) if guess.clear] == []


def check(view: np.ndarray) -> None:
    """At most three different guesses, each a rectangle inside of the picture and smaller than it."""
    height, width = view.shape[:2]
    found = inner_pictures(view)
    boxes = [guess.box for guess in found]
    assert len(set(boxes)) == len(boxes) <= 3
    for box in boxes:
        assert 0 <= box.left < box.right <= width
        assert 0 <= box.top < box.bottom <= height
        assert box.area < width * height


@given(height=st.integers(1, 200), width=st.integers(1, 200), seed=st.integers(0, 2**32 - 1), grain=st.integers(1, 40))
@hypothesis_settings(max_examples=150)
def test_noise_of_any_shape_and_grain_has_an_answer(height: int, width: int, seed: int, grain: int) -> None:
    coarse = np.random.default_rng(seed).integers(0, 256, (height // grain + 1, width // grain + 1, 3), dtype=np.uint8)
    check(np.kron(coarse, np.ones((grain, grain, 1), dtype=np.uint8))[:height, :width])


@given(height=st.integers(90, 200), width=st.integers(90, 640), level=st.integers(0, 255), seed=st.integers(0, 999))
@hypothesis_settings(max_examples=100)
def test_flat_picture_with_a_detailed_part_anywhere_has_an_answer(
    height: int, width: int, level: int, seed: int
) -> None:
    view = np.full((height, width, 3), level, dtype=np.uint8)
    rng = np.random.default_rng(seed)
    top, left = rng.integers(0, height), rng.integers(0, width)
    part = view[top : top + rng.integers(1, height), left : left + rng.integers(1, width)]
    part[:] = rng.integers(0, 256, part.shape, dtype=np.uint8)
    check(view)
