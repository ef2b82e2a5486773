"""The parts of a picture that are stored and asked with: the same parts on both sides, and never too many."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from drawn_screens import page
from fixture_photos import NAMES, bits_apart, by_imagehash, photo, pixels, pixels_of
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from PIL import Image

from checker.fingerprint import Depth, fingerprint_file, is_plain, phash256
from checker.fingerprint.asked import CODES_MAX, Question
from checker.fingerprint.hashes import is_flat
from checker.fingerprint.rectangle import Rectangle
from checker.fingerprint.robust import RobustModel, is_installed
from checker.fingerprint.stored import stored_codes
from checker.fingerprint.views import SHAPES, View, content_of, contents, grey_image, platform_crops, seen
from checker.model import PHASH256, Picture, Pixels, Variant
from checker.report import Orientation
from checker.settings import Settings

needs_extra = pytest.mark.skipif(not is_installed(), reason="the extra `robust` is not installed (Python 3.12)")
NUMBERS = {variant: tuple(map(int, variant.value.removeprefix("crop-").split("x"))) for variant in SHAPES}
"""Width and height as the variants' names say them."""


def framed(name: str, width: int) -> Pixels:
    """A photo in a white frame."""
    shown = photo(name).resize((360, 240))
    canvas = Image.new("RGB", (360 + 2 * width, 240 + 2 * width), "white")
    canvas.paste(shown, (width, width))
    return pixels_of(canvas)


def contents_of(found: Pixels) -> tuple[View, ...]:
    """The parts of a picture that are pictures of their own."""
    return contents(found, grey_image(found))


# --- platform crops --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_platform_crops_have_the_shape_they_are_named_after_and_lie_in_the_middle(name: str) -> None:
    whole = contents_of(pixels(name))[0]
    for crop in platform_crops(grey_image(pixels(name)), whole):
        wide, high = NUMBERS[crop.variant]
        box = crop.box
        assert abs(box.width * high - box.height * wide) <= max(wide, high)  # to the pixel
        assert box.width == whole.box.width or box.height == whole.box.height  # as large as it can be
        assert abs(box.left - (whole.box.width - box.right)) <= 1
        assert abs(box.top - (whole.box.height - box.bottom)) <= 1


@pytest.mark.parametrize("variant", SHAPES)
def test_picture_that_has_a_shape_already_is_not_cut_to_it(variant: Variant) -> None:
    wide, high = NUMBERS[variant]
    side = 600 // max(wide, high)
    square = pixels_of(photo("gravel").resize((side * wide, side * high)))
    cut = {crop.variant for crop in platform_crops(grey_image(square), contents_of(square)[0])}
    assert cut == set(SHAPES) - {variant}


def test_crop_of_the_middle_has_the_code_of_the_cropped_picture() -> None:
    image = photo("coffee")  # 600 x 400
    whole, cropped = pixels_of(image), pixels_of(image.crop((100, 0, 500, 400)))
    crops = {crop.variant: crop for crop in platform_crops(grey_image(whole), contents_of(whole)[0])}
    assert crops[Variant.CROP_1X1].box == Rectangle(100, 0, 500, 400)
    assert np.array_equal(crops[Variant.CROP_1X1].grey64, cropped.grey64)


def test_framed_photo_is_asked_with_crops_of_what_is_inside_of_the_frame() -> None:
    """So a square cut of it is found, of which the framed copy knows nothing."""
    square = pixels_of(photo("rocket").resize((360, 240)).crop((60, 0, 300, 240)))
    near = [
        code.variant
        for code in Question(framed("rocket", 60), None).codes
        if bits_apart(code.bits, phash256(square).bits) <= 31 and code.orientation is Orientation.AS_IS
    ]
    assert near == [Variant.CROP_1X1]


# --- contents --------------------------------------------------------------------------------------------------


def test_whole_comes_first_and_no_two_parts_are_alike() -> None:
    for name in NAMES:
        views = contents_of(pixels(name))
        assert views[0].variant is Variant.WHOLE
        assert views[0].grey64 is pixels(name).grey64
        assert len(views) <= 5
        boxes = [view.box for view in views]
        assert all(one is other or one.overlap(other) < 0.985 for one in boxes for other in boxes)


def test_content_of_a_framed_photo_is_the_photo() -> None:
    content = content_of(contents_of(framed("coffee", 50)))
    assert content.box.overlap(Rectangle(50, 50, 410, 290)) > 0.97


def test_content_of_a_screenshot_is_the_photo() -> None:
    screen, box = page(photo("chelsea"))
    content = content_of(contents_of(pixels_of(screen)))
    assert content.variant is Variant.INNER
    assert content.box.overlap(Rectangle(*box)) > 0.97


def test_pixels_without_a_view_are_refused() -> None:
    bare = Pixels(pixels("coffee").grey64, 600, 400, "JPEG")
    with pytest.raises(ValueError, match="decode with view=True"):
        seen(bare)


# --- codes -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_first_stored_code_is_imagehash_s_of_the_whole(name: str, images: Path) -> None:
    picture = fingerprint_file(images / f"{name}.jpg", Settings(robust="off"), depth=Depth.STORED)
    assert isinstance(picture, Picture)
    assert picture.fingerprints[0] == phash256(pixels(name))
    assert picture.fingerprints[0].bits == by_imagehash(pixels(name).grey64)
    assert {code.kind for code in picture.fingerprints} == {PHASH256}
    variants = [code.variant for code in picture.fingerprints]
    assert len(set(variants)) == len(variants) <= 1 + 4 + 7
    assert all((code.crop is None) == (code.variant is Variant.WHOLE) for code in picture.fingerprints)
    assert picture.tiles is not None


def test_large_corpus_keeps_no_platform_crops(images: Path) -> None:
    few, many = Depth.stored(10, Settings()), Depth.stored(10_000_000, Settings())
    lean = fingerprint_file(images / "coffee.jpg", Settings(robust="off"), depth=many)
    rich = fingerprint_file(images / "coffee.jpg", Settings(robust="off"), depth=few)
    assert isinstance(lean, Picture)
    assert isinstance(rich, Picture)
    assert set(lean.fingerprints) < set(rich.fingerprints)
    assert {code.variant for code in lean.fingerprints} & set(SHAPES) == set()
    assert lean.tiles == rich.tiles


@pytest.mark.parametrize("name", NAMES)
def test_asked_codes_are_at_most_64_and_hold_every_content_with_detail_in_eight_orientations(name: str) -> None:
    asked = Question(pixels(name), None).codes
    assert len(asked) <= CODES_MAX == 64
    for view in contents_of(pixels(name)):
        turns = {code.orientation for code in asked if code.variant is view.variant}
        assert turns == (set() if is_flat(view.grey64) else set(Orientation))


@pytest.mark.parametrize("name", NAMES)
def test_what_is_stored_of_a_picture_is_what_it_is_asked_with(name: str) -> None:
    """So the same file lies at distance 0, by every content."""
    stored, _ = stored_codes(pixels(name), None, crops=True)
    asked = {code.bits for code in Question(pixels(name), None).codes if code.orientation is Orientation.AS_IS}
    assert min(bits_apart(stored[0].bits, code) for code in asked) == 0
    assert {code.bits for code in stored} <= asked


@needs_extra
@pytest.mark.parametrize("name", NAMES)
def test_same_file_lies_at_distance_0_by_the_robust_code_too(name: str) -> None:
    model = RobustModel.of(Settings())
    stored, _ = stored_codes(pixels(name), model, crops=False)
    asked = {code.bits for code in Question(pixels(name), model).robust}
    assert len(asked) <= 5
    whole = next(code for code in stored if code.kind != PHASH256)
    assert whole.variant is Variant.WHOLE
    assert whole.bits in asked


def test_flat_parts_get_no_code() -> None:
    """The middle of this picture is a plain wall, so crops to wide shapes see nothing else."""
    image = Image.new("RGB", (400, 600), (120, 130, 140))
    image.paste(photo("gravel").resize((400, 150)), (0, 0))
    image.paste(photo("brick").resize((400, 150)), (0, 450))
    stored, _ = stored_codes(pixels_of(image), None, crops=True)
    variants = {code.variant for code in stored}
    assert Variant.CROP_1X1 in variants
    assert variants & {Variant.CROP_16X9, Variant.CROP_3X1} == set()
    assert all(int.from_bytes(code.bits).bit_count() == 128 for code in stored)


@given(
    width=st.integers(1, 200), height=st.integers(1, 200), seed=st.integers(0, 2**32 - 1), colours=st.integers(1, 255)
)
@hypothesis_settings(max_examples=50)
def test_picture_of_any_shape_is_stored_and_asked_with(width: int, height: int, seed: int, colours: int) -> None:
    levels = np.random.default_rng(seed).integers(0, colours, (height, width, 3), dtype=np.uint8)
    found = pixels_of(Image.fromarray(levels))
    stored, tiles = stored_codes(found, None, crops=True)
    question = Question(found, None)
    assert len(question.codes) <= 64
    assert question.plain == is_plain(found, phash256(found))
    assert len(stored) <= 12
    assert len(tiles.bits) == 288
