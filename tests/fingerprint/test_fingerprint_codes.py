"""Codes: the frozen ones, their distance, how they are read, and which pictures are too plain for one."""

from __future__ import annotations

import json
from pathlib import Path

import imagehash
import numpy as np
import pytest

from checker.errors import NotACodeError
from checker.fingerprint import distance_bits, fingerprint_file, is_plain, parse_code, phash256, popcount
from checker.model import PHASH256, CodeKind, Fingerprint, Picture, Pixels
from checker.settings import Settings

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
GOLDEN = json.loads((FIXTURES / "golden" / "phash256.json").read_text())

A_CODE = "0f" * 32
"""128 bits set, as every real code has."""


def _code(text: str) -> Fingerprint:
    return Fingerprint(kind=PHASH256, bits=bytes.fromhex(text))


def _pixels(grey: np.ndarray) -> Pixels:
    return Pixels(grey64=grey.astype(np.uint8), width=64, height=64, format="PNG")


@pytest.mark.parametrize("name", sorted(GOLDEN["codes"]))
def test_code_is_the_golden_one_to_the_bit(name: str, settings: Settings) -> None:
    """The codes of version 1 are frozen. They were made by another implementation (fixtures/make_golden.py).

    No picture is kept, so stored codes cannot be made again: a difference here means a new version of the code, with
    its own name in `CodeKind.version`, and never a new golden file.
    """
    expected = GOLDEN["codes"][name]
    picture = fingerprint_file(FIXTURES / name, settings)
    assert isinstance(picture, Picture)
    assert [(code.kind, code.hex) for code in picture.fingerprints] == [(PHASH256, expected["hex"])]
    assert (picture.width, picture.height) == (expected["width"], expected["height"])
    assert picture.format == expected["format"]
    assert picture.plain is expected["plain"]


def test_golden_file_holds_every_photo_and_the_recipe_it_was_made_by(images: Path) -> None:
    assert {f"images/{path.name}" for path in images.iterdir()} <= set(GOLDEN["codes"])
    assert GOLDEN["recipe"] == {
        "draft_side_px": 512,
        "grey_side_px": 64,
        "resampling": "lanczos",
        "reducing_gap": 3.0,
        "hash_size": 16,
        "highfreq_factor": 4,
    }


def test_code_reads_as_the_text_that_imagehash_writes_and_reads() -> None:
    grey = np.random.default_rng(7).integers(0, 255, (64, 64))
    code = phash256(_pixels(grey))
    assert code.kind == CodeKind(name="phash256", version="1", bits=256)
    assert np.packbits(imagehash.hex_to_hash(code.hex).hash).tobytes() == code.bits


def test_distance_counts_the_bits_that_differ() -> None:
    assert distance_bits(_code(A_CODE), _code(A_CODE)) == 0
    assert distance_bits(_code(A_CODE), _code("f0" * 32)) == 256
    assert distance_bits(_code(A_CODE), _code("0e" + "0f" * 30 + "8f")) == 2


def test_codes_of_unlike_versions_do_not_compare() -> None:
    other = Fingerprint(kind=CodeKind(name="phash256", version="2", bits=256), bits=bytes(32))
    with pytest.raises(ValueError, match="phash256/1 and phash256/2 differ"):
        distance_bits(_code(A_CODE), other)


def test_popcount_counts_the_bits_that_are_set() -> None:
    assert popcount(_code("00" * 32)) == 0
    assert popcount(_code(A_CODE)) == 128
    assert popcount(_code("ff" * 31 + "01")) == 249


def test_code_given_as_hex_digits_of_either_case_is_read() -> None:
    assert parse_code("phash256", "1", A_CODE) == _code(A_CODE)
    assert parse_code("phash256", "1", A_CODE.upper()) == _code(A_CODE)


@pytest.mark.parametrize(
    ("kind", "version", "text", "sentence"),
    [
        ("pdq", "1", A_CODE, "codes of kind 'pdq' version '1' are not known here; use phash256 version 1"),
        ("phash256", "2", A_CODE, "codes of kind 'phash256' version '2' are not known here"),
        ("phash256", "1", "", "has 64 hex digits, this one has 0"),
        ("phash256", "1", A_CODE[:-2], "has 64 hex digits, this one has 62"),
        ("phash256", "1", A_CODE + "0f", "has 64 hex digits, this one has 66"),
        ("phash256", "1", A_CODE[:-1] + "g", "is written as 64 hex digits"),
        ("phash256", "1", A_CODE[:-2] + " 0f", "has 64 hex digits, this one has 65"),
        ("phash256", "1", "0x" + A_CODE[2:], "is written as 64 hex digits"),
        ("phash256", "1", "00" * 32, "no picture has this code: 0 of its bits are set, a real one has 128"),
        ("phash256", "1", "0f" * 31 + "1f", "129 of its bits are set"),
    ],
)
def test_what_is_no_code_is_refused_with_the_reason(kind: str, version: str, text: str, sentence: str) -> None:
    with pytest.raises(NotACodeError) as caught:
        parse_code(kind, version, text)
    assert sentence in str(caught.value)


def test_refusal_does_not_repeat_the_code_that_was_given() -> None:
    with pytest.raises(NotACodeError) as caught:
        parse_code("phash256", "1", "ab" * 31)
    assert "abab" not in str(caught.value)


def test_faint_noise_is_plain_although_half_of_its_bits_are_set() -> None:
    noise = np.random.default_rng(1).integers(-1, 2, (64, 64))  # levels -1, 0, 1: a deviation of 0.8
    pixels = _pixels(128 + noise)
    assert popcount(phash256(pixels)) == 128
    assert is_plain(pixels, phash256(pixels))


def test_noise_of_several_levels_is_not_plain() -> None:
    pixels = _pixels(128 + np.random.default_rng(1).integers(-9, 10, (64, 64)))
    assert not is_plain(pixels, phash256(pixels))


def test_steep_gradient_with_faint_noise_is_plain_and_with_detail_is_not() -> None:
    across, down = np.meshgrid(np.linspace(0, 120, 64), np.linspace(0, 120, 64))
    noise = np.random.default_rng(2).integers(-1, 2, (64, 64))
    faint, detailed = _pixels(across + down + noise + 5), _pixels(across + down + 6 * noise + 7)
    assert is_plain(faint, phash256(faint))
    assert not is_plain(detailed, phash256(detailed))
