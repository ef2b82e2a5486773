"""Codes that come without their picture: turned copies are found, and what cannot be checked is said with care."""

from __future__ import annotations

from pathlib import Path

import pytest
from matching.corpora import NOW, WITH, WITHOUT, corpus, cut, jpeg, named, opened
from PIL import Image

from checker.fingerprint import Depth, fingerprint_bytes
from checker.fingerprint.robust import is_installed
from checker.lookup import Checker
from checker.model import Picture
from checker.report import MatchKind, Orientation
from checker.settings import Settings

needs_robust = pytest.mark.skipif(not is_installed(), reason="the extra `robust` is not installed (Python 3.12)")


def codes(body: bytes, settings: Settings) -> Picture:
    found = fingerprint_bytes(body, settings, depth=Depth.WHOLE)
    assert isinstance(found, Picture)
    return found


def data(tmp_path: Path, images: Path, settings: Settings) -> Path:
    names = ("astronaut.jpg", "coffee.jpg", "china.jpg")
    return corpus(tmp_path / "data", [(name, (images / name).read_bytes()) for name in names], settings)


def test_the_code_of_a_smaller_copy_is_the_same_photo(tmp_path: Path, images: Path) -> None:
    photo = opened(images / "coffee.jpg")
    body = jpeg(photo.resize((photo.width // 2, photo.height // 2)), 75)
    with Checker.open(data(tmp_path, images, WITHOUT), WITHOUT) as checker:
        found = named(checker.check_picture(codes(body, WITHOUT), now=NOW))
    assert found["coffee.jpg"].kind is MatchKind.SAME


def test_the_code_of_a_mirrored_copy_finds_it(tmp_path: Path, images: Path) -> None:
    body = jpeg(opened(images / "coffee.jpg").transpose(Image.Transpose.FLIP_LEFT_RIGHT))
    with Checker.open(data(tmp_path, images, WITHOUT), WITHOUT) as checker:
        found = named(checker.check_picture(codes(body, WITHOUT), now=NOW))
    assert found["coffee.jpg"].orientation is Orientation.MIRRORED
    assert found["coffee.jpg"].kind is MatchKind.EDITED


@needs_robust
def test_what_only_the_robust_code_finds_is_possible_at_most(tmp_path: Path, images: Path) -> None:
    body = jpeg(cut(opened(images / "coffee.jpg"), (0.1, 0.1, 0.9, 0.9)))
    with Checker.open(data(tmp_path, images, WITH), WITH) as checker:
        found = named(checker.check_picture(codes(body, WITH), now=NOW))
    assert found["coffee.jpg"].kind is MatchKind.POSSIBLE
    assert set(found["coffee.jpg"].distances) == {"sscd512"}


@needs_robust
def test_codes_of_two_photos_given_as_one_are_never_the_same(tmp_path: Path, images: Path) -> None:
    """phash256 of one photo with sscd512 of another: a forgery, or a mistake of the sender."""
    cup, cat = ((images / name).read_bytes() for name in ("coffee.jpg", "chelsea.jpg"))
    mixed = (codes(cup, WITH).fingerprints[0], codes(cat, WITH).fingerprints[1])
    with Checker.open(data(tmp_path, images, WITH), WITH) as checker:
        match = named(checker.check_codes(mixed, now=NOW))["coffee.jpg"]
    assert match.kind is not MatchKind.SAME
    assert match.codes_disagree


@pytest.mark.parametrize("settings", [WITHOUT, pytest.param(WITH, marks=needs_robust)], ids=["phash256", "both"])
def test_questions_that_are_asked_together_are_answered_as_one_by_one(
    tmp_path: Path, images: Path, settings: Settings
) -> None:
    mirrored = jpeg(opened(images / "coffee.jpg").transpose(Image.Transpose.FLIP_LEFT_RIGHT))
    bodies = [(images / name).read_bytes() for name in ("coffee.jpg", "chelsea.jpg", "china.jpg", "coffee.jpg")]
    asked = [codes(body, settings).fingerprints for body in (*bodies, mirrored)]
    asked.append(asked[0][:1])
    with Checker.open(data(tmp_path, images, settings), settings) as checker:
        together = checker.check_together(asked, now=NOW)
        one_by_one = [checker.check_codes(one, now=NOW) for one in asked]
        assert checker.check_together([], now=NOW) == ()
    assert list(together) == one_by_one
    assert [bool(named(report)) for report in together] == [True, False, True, True, True, True]
