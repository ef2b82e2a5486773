"""Copies of a photo lie near it, other photos far from it, and all codes near those of plain imagehash."""

from __future__ import annotations

import io
from itertools import combinations
from pathlib import Path

import imagehash
import pytest
from PIL import Image

from checker.fingerprint import distance_bits, fingerprint_bytes, fingerprint_file
from checker.model import Fingerprint, Picture
from checker.settings import Settings

DISTANCE_BITS_COPY = 31
PHOTOS = sorted((Path(__file__).resolve().parents[2] / "fixtures" / "images").glob("*.jpg"), key=lambda path: path.name)


def _code(picture: object) -> Fingerprint:
    assert isinstance(picture, Picture), picture
    assert not picture.plain
    return picture.fingerprints[0]


def _saved(photo: Image.Image, quality: int) -> bytes:
    file = io.BytesIO()
    photo.save(file, "JPEG", quality=quality)
    return file.getvalue()


@pytest.mark.parametrize("path", PHOTOS, ids=lambda path: path.stem)
def test_half_sized_and_strongly_compressed_copies_are_within_the_radius(path: Path, settings: Settings) -> None:
    code = _code(fingerprint_file(path, settings))
    with Image.open(path) as photo:
        half = _saved(photo.resize((photo.width // 2, photo.height // 2)), 90)
        compressed = _saved(photo, 30)
    assert distance_bits(code, _code(fingerprint_bytes(half, settings))) <= DISTANCE_BITS_COPY
    assert distance_bits(code, _code(fingerprint_bytes(compressed, settings))) <= DISTANCE_BITS_COPY


def test_two_different_photos_are_more_than_60_bits_apart(settings: Settings) -> None:
    codes = {path.stem: _code(fingerprint_file(path, settings)) for path in PHOTOS}
    near = [(one, other) for one, other in combinations(codes, 2) if distance_bits(codes[one], codes[other]) <= 60]
    assert near == []


@pytest.mark.photos
def test_codes_are_those_of_plain_imagehash_within_2_bits_on_average_and_8_at_most(
    photos_folder: Path, settings: Settings
) -> None:
    distances = []
    for path in sorted(photos_folder.glob("*.jpg")):
        code = fingerprint_file(path, settings)
        assert isinstance(code, Picture), (path.name, code)
        with Image.open(path) as photo:
            plain_imagehash = int(str(imagehash.phash(photo, hash_size=16)), 16)
        distances.append((int.from_bytes(code.fingerprints[0].bits) ^ plain_imagehash).bit_count())
    assert len(distances) > 100
    assert sum(distances) / len(distances) <= 2
    assert max(distances) <= 8
