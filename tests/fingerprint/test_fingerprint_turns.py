"""Turned and mirrored pictures: what is done to frequencies, to pixels and to bare bits is one and the same turn."""

from __future__ import annotations

import numpy as np
import pytest
from fixture_photos import NAMES, bits_apart, by_imagehash, photo, pixels
from PIL import Image

from checker.fingerprint import phash256
from checker.fingerprint.asked import turned_codes
from checker.fingerprint.cosine import codes_of, coefficients, turn_pixels, turned, turned_bits, turned_rows
from checker.report import Orientation

TRANSPOSES: dict[Orientation, Image.Transpose | None] = {
    Orientation.AS_IS: None,
    Orientation.TURNED_90: Image.Transpose.ROTATE_270,  # Pillow counts against the clock, we count with it
    Orientation.TURNED_180: Image.Transpose.ROTATE_180,
    Orientation.TURNED_270: Image.Transpose.ROTATE_90,
    Orientation.MIRRORED: Image.Transpose.FLIP_LEFT_RIGHT,
    Orientation.MIRRORED_TURNED_90: Image.Transpose.TRANSVERSE,
    Orientation.MIRRORED_TURNED_180: Image.Transpose.FLIP_TOP_BOTTOM,
    Orientation.MIRRORED_TURNED_270: Image.Transpose.TRANSPOSE,
}
"""Mirrored left to right first, then turned clockwise."""


def by_pillow(image: Image.Image, orientation: Orientation) -> Image.Image:
    how = TRANSPOSES[orientation]
    return image if how is None else image.transpose(how)


def code_of_turned(name: str, orientation: Orientation) -> bytes:
    """imagehash's code of the grey picture that Pillow turned."""
    grey = by_pillow(Image.fromarray(pixels(name).grey64), orientation)
    return by_imagehash(np.asarray(grey))


@pytest.mark.parametrize("orientation", Orientation)
def test_pixels_turn_as_pillow_turns_them(orientation: Orientation) -> None:
    image = photo("rocket")
    expected = by_pillow(image, orientation)
    assert np.array_equal(turn_pixels(np.asarray(image), orientation), np.asarray(expected))
    assert np.array_equal(turn_pixels(np.asarray(image)[..., 0], orientation), np.asarray(expected)[..., 0])


@pytest.mark.parametrize("orientation", Orientation)
def test_turned_frequencies_give_the_code_of_the_turned_picture(orientation: Orientation) -> None:
    for name in NAMES:
        bits = codes_of(turned(coefficients(pixels(name).grey64), orientation)[None])[0].tobytes()
        assert bits == code_of_turned(name, orientation), name


def test_four_quarter_turns_and_two_mirrors_change_nothing() -> None:
    values, levels = coefficients(pixels("chelsea").grey64), np.asarray(photo("chelsea"))
    for orientation, times in ((Orientation.TURNED_90, 4), (Orientation.TURNED_180, 2), (Orientation.MIRRORED, 2)):
        turned_values, turned_levels = values, levels
        for _ in range(times):
            turned_values, turned_levels = turned(turned_values, orientation), turn_pixels(turned_levels, orientation)
        assert np.array_equal(turned_values, values)
        assert np.array_equal(turned_levels, levels)


def test_the_eight_orientations_of_a_photo_are_far_apart() -> None:
    codes = [code_of_turned("coffee", orientation) for orientation in Orientation]
    assert min(bits_apart(one, other) for one in codes for other in codes if one is not other) > 60


def test_bits_alone_turn_within_a_few_bits() -> None:
    """A code that came without its picture; a look-up finds what is within 31 bits."""
    apart = []
    for name in NAMES:
        (asked,) = turned_codes([phash256(pixels(name))])
        assert [code.orientation for code in asked] == list(Orientation)
        exact = (Orientation.AS_IS, Orientation.MIRRORED_TURNED_270)  # nothing, and rows for columns: no sign changes
        assert all(code.bits == code_of_turned(name, code.orientation) for code in asked if code.orientation in exact)
        apart += [bits_apart(code.bits, code_of_turned(name, code.orientation)) for code in asked]
    assert max(apart) <= 24
    assert sum(apart) / len(apart) <= 6


def test_bare_bits_of_many_codes_turn_as_frequencies_do() -> None:
    """A bit is the sign of a frequency, so the frequencies +1 and -1 stand for a code."""
    rows = np.random.default_rng(5).integers(0, 256, (40, 32), dtype=np.uint8)
    for row, turns in zip(rows, turned_rows(rows), strict=True):
        signs = np.unpackbits(row).reshape(16, 16) * 2.0 - 1.0
        expected = [np.packbits(turned(signs, orientation) > 0).tobytes() for orientation in Orientation]
        assert [turn.tobytes() for turn in turns] == expected
        assert turned_bits(row.tobytes()) == expected
