"""`from checker import fingerprint`: bytes, paths, Pillow images and arrays."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from checker import fingerprint
from checker.errors import InputError
from checker.fingerprint import Depth, distance_bits, fingerprint_file
from checker.model import PHASH256, Fingerprint, Picture, Unreadable, UnreadableReason
from checker.settings import Settings


def code(picture: Picture | Unreadable) -> Fingerprint:
    assert isinstance(picture, Picture)
    found = picture.fingerprint(PHASH256)
    assert found is not None
    return found


def test_bytes_and_paths_give_what_look_ups_use(images: Path) -> None:
    path = images / "coffee.jpg"
    expected = fingerprint_file(path, Settings(), depth=Depth.WHOLE)
    body = path.read_bytes()
    for source in (body, bytearray(body), memoryview(body), path, str(path)):
        assert fingerprint(source) == expected


def test_pixels_give_the_same_within_a_few_bits(images: Path) -> None:
    path = images / "rocket.jpg"
    with Image.open(path) as image:
        levels = np.asarray(image)
        for source in (image, levels, np.dstack([levels, np.full(levels.shape[:2], 255, np.uint8)])):
            assert distance_bits(code(fingerprint(source)), code(fingerprint(path))) <= 8
        assert fingerprint(levels) == fingerprint(image)
        assert image.size == (640, 427)


def test_what_is_no_picture_is_a_value_or_a_sentence(images: Path, tmp_path: Path) -> None:
    missing = fingerprint(tmp_path / "missing.jpg")
    assert isinstance(missing, Unreadable)
    assert missing.reason is UnreadableReason.MISSING
    for source in (7, None, np.zeros((4, 4)), np.zeros((4, 4, 2), np.uint8), np.zeros((0, 4), np.uint8)):
        with pytest.raises(InputError, match=r"give one of them|convert it first"):
            fingerprint(source)  # type: ignore[arg-type]


def test_limits_hold_for_pixels_too() -> None:
    found = fingerprint(np.zeros((100, 100), np.uint8), settings=Settings(picture_pixels_max=9999))
    assert isinstance(found, Unreadable)
    assert found.reason is UnreadableReason.TOO_LARGE


@pytest.mark.parametrize("first", ["", "import checker.fingerprint.hashes; ", "import checker.lookup; "])
def test_the_name_is_callable_whatever_was_imported_before(first: str) -> None:
    program = f"{first}from checker import fingerprint; print(fingerprint(b'').reason.value)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "empty\n"
