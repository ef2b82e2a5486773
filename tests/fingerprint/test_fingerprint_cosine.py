"""phash256 as two matrix products gives what imagehash gives, to the bit."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from fixture_photos import NAMES, by_imagehash, photo, pixels
from hypothesis import given
from hypothesis import strategies as st
from PIL import ImageFilter
from scipy.fft import dctn

from checker.fingerprint import is_plain, phash256
from checker.fingerprint.cosine import basis, codes_of, coefficients
from checker.model import Pixels

Grey = npt.NDArray[np.uint8]


def by_matrices(*greys: Grey) -> list[bytes]:
    return [row.tobytes() for row in codes_of(np.array([coefficients(grey) for grey in greys]))]


@pytest.mark.parametrize("name", NAMES)
def test_code_of_a_photo_is_that_of_imagehash(name: str) -> None:
    grey = pixels(name).grey64
    assert by_matrices(grey) == [by_imagehash(grey)]


@given(
    name=st.sampled_from(NAMES),
    corner=st.tuples(st.floats(0, 0.7), st.floats(0, 0.7)),
    share=st.floats(0.25, 0.3),
    blur=st.integers(0, 3),
)
def test_code_of_any_part_of_a_photo_is_that_of_imagehash(
    name: str, corner: tuple[float, float], share: float, blur: int
) -> None:
    image = photo(name).convert("L")
    left, top = corner[0] * image.width, corner[1] * image.height
    part = (left, top, left + share * image.width, top + share * image.height)
    grey = np.asarray(image.resize((64, 64), box=part).filter(ImageFilter.BoxBlur(blur)))
    assert by_matrices(grey) == [by_imagehash(grey)]


@given(seed=st.integers(0, 2**32 - 1), contrast=st.integers(4, 127))
def test_code_of_noise_is_that_of_imagehash(seed: int, contrast: int) -> None:
    noise = np.random.default_rng(seed).integers(128 - contrast, 129 + contrast, (64, 64), dtype=np.uint8)
    assert by_matrices(noise) == [by_imagehash(noise)]


def test_many_pictures_at_once_have_the_codes_that_each_has_alone() -> None:
    greys = [pixels(name).grey64 for name in NAMES]
    assert by_matrices(*greys) == [code for grey in greys for code in by_matrices(grey)]


def test_no_pictures_have_no_codes() -> None:
    assert codes_of(np.array([])).shape == (0, 32)


@pytest.mark.parametrize("name", NAMES)
def test_where_rounding_would_decide_the_bits_imagehash_is_asked(name: str) -> None:
    """A photo beside its mirror image: half of its coefficients are nothing, and their order is rounding."""
    half = pixels(name).grey64[:, ::2]
    symmetric = Pixels(np.hstack([half, half[:, ::-1]]), 64, 64, "PNG")
    assert phash256(symmetric).bits == by_imagehash(symmetric.grey64)
    assert is_plain(symmetric, phash256(symmetric))


@pytest.mark.parametrize("side", [16, 64, 128])
def test_coefficients_are_the_lowest_of_the_type_2_cosine_transform(side: int) -> None:
    """scipy's transform without normalisation is 2 x the sum, along each axis."""
    grey = np.random.default_rng(side).integers(0, 256, (side, side), dtype=np.uint8)
    expected = dctn(grey.astype(float), type=2)[:16, :16] / 4
    assert np.allclose(coefficients(grey), expected, rtol=1e-10, atol=1e-6)


def test_nobody_can_write_to_the_shared_matrix() -> None:
    with pytest.raises(ValueError, match="read-only"):
        basis(64)[0, 0] = 2
