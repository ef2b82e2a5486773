"""Geometry of answers: turned parts back to the asked photo, and what mirroring after a turn amounts to."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from checker.fingerprint.cosine import turn_pixels
from checker.matching.placement import clipped, then_mirrored, unturned
from checker.report import Orientation

PIXELS = np.arange(12 * 20, dtype=np.uint8).reshape(12, 20)


@pytest.mark.parametrize("orientation", Orientation)
def test_a_part_of_the_turned_picture_is_that_part_of_the_picture(orientation: Orientation) -> None:
    """Told with pixels: the part cut from the turned picture has the pixels of the part that `unturned` names."""
    turned = turn_pixels(PIXELS, orientation)
    height, width = turned.shape
    left, top, right, bottom = width // 4, height // 4, width, height // 2
    cut = turned[top:bottom, left:right]
    x0, y0, x1, y1 = unturned((left / width, top / height, right / width, bottom / height), orientation)
    part = PIXELS[round(y0 * 12) : round(y1 * 12), round(x0 * 20) : round(x1 * 20)]
    assert np.array_equal(turn_pixels(part, orientation), cut)


@pytest.mark.parametrize("orientation", Orientation)
def test_mirroring_after_a_turn(orientation: Orientation) -> None:
    expected = turn_pixels(PIXELS, orientation)[:, ::-1]
    assert np.array_equal(turn_pixels(PIXELS, then_mirrored(orientation)), expected)


@given(st.tuples(*[st.floats(-3, 3)] * 4))
def test_what_is_clipped_lies_in_the_picture(box: tuple[float, float, float, float]) -> None:
    assert all(0 <= value <= 1 for value in clipped(box))
