"""Decoding: every odd file has a stated result, and no bytes at all raise."""

from __future__ import annotations

import io
import json
import struct
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, seed
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from PIL import Image

from checker.fingerprint import InProcessDecoder, distance_bits, fingerprint_bytes, fingerprint_file, picture_files
from checker.model import PHASH256, Fingerprint, Picture, Pixels, Unreadable, UnreadableReason
from checker.settings import Settings

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
ODD = FIXTURES / "odd"
UPRIGHT = Fingerprint(
    kind=PHASH256,
    bits=bytes.fromhex(
        json.loads((FIXTURES / "golden" / "phash256.json").read_text())["codes"]["odd/exif-1.jpg"]["hex"],
    ),
)
"""The code of the small coffee photo, of which many odd files are other encodings."""


def _picture(path: Path, settings: Settings) -> Picture:
    picture = fingerprint_file(path, settings)
    assert isinstance(picture, Picture), picture
    return picture


def _unreadable(body: bytes, settings: Settings | None = None) -> Unreadable:
    result = fingerprint_bytes(body, settings or Settings())
    assert isinstance(result, Unreadable), result
    return result


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_turn_is_undone_in_code_width_and_height(orientation: int, settings: Settings) -> None:
    """EXIF 2.32, tag 0x0112: all eight files show one picture; only the JPEG noise of turned blocks may differ."""
    picture = _picture(ODD / f"exif-{orientation}.jpg", settings)
    assert (picture.width, picture.height) == (160, 107)
    assert distance_bits(picture.fingerprints[0], UPRIGHT) <= 8


@pytest.mark.parametrize(
    ("name", "distance_bits_max"),
    [
        ("exif-9.jpg", 0),
        ("broken-exif.jpg", 0),
        ("broken-profile.jpg", 0),
        ("srgb.jpg", 0),
        ("progressive.jpg", 0),
        ("two-pictures.jpg", 8),
        ("grey-16-bit.png", 8),
        ("cmyk.jpg", 8),
        ("animated.gif", 8),
        ("animated.webp", 8),
        ("display-p3.jpg", 8),
        ("swapped-colours.jpg", 8),
        ("one-bit.png", 16),
    ],
)
def test_other_encoding_of_one_picture_gives_its_code(name: str, distance_bits_max: int, settings: Settings) -> None:
    """First frame, right byte of 16 bits, colours by the profile, damaged metadata left aside.

    `swapped-colours.jpg` without its profile lies 18 bits away; the second frames show another photo.
    """
    assert distance_bits(_picture(ODD / name, settings).fingerprints[0], UPRIGHT) <= distance_bits_max


def test_transparent_part_counts_as_white_in_every_format(settings: Settings) -> None:
    codes = [_picture(ODD / name, settings).fingerprints[0] for name in ("alpha.png", "alpha.webp", "grey-alpha.png")]
    with Image.open(ODD / "alpha.png") as picture:
        on_white = Image.new("RGB", picture.size, "white")
        on_white.paste(picture, mask=picture.getchannel("A"))
    body = io.BytesIO()
    on_white.save(body, "PNG")
    expected = fingerprint_bytes(body.getvalue(), settings)
    assert isinstance(expected, Picture)
    assert [distance_bits(code, expected.fingerprints[0]) <= 8 for code in codes] == [True, True, True]


def test_jpeg_with_further_pictures_behind_it_is_a_jpeg(settings: Settings) -> None:
    assert _picture(ODD / "two-pictures.jpg", settings).format == "JPEG"


@pytest.mark.parametrize(
    ("name", "reason", "sentence"),
    [
        ("cut-off.jpg", "cut-off", "the picture is cut off: its end is missing; get a whole copy"),
        ("cut-off.png", "cut-off", "the picture is cut off: its end is missing; get a whole copy"),
        ("cut-off.gif", "cut-off", "the picture is cut off: its end is missing; get a whole copy"),
        ("cut-off.webp", "cut-off", "the picture is cut off: its end is missing; get a whole copy"),
        ("empty.jpg", "empty", "the file is empty; choose another"),
        ("text.jpg", "not-a-picture", "this file is not a picture; choose a JPEG, PNG, WebP or GIF"),
        ("heic.jpg", "format-not-read", "HEIC, AVIF and video are not read; save the picture as JPEG or PNG"),
        ("tiff.jpg", "format-not-read", "this format is not read; save the picture as JPEG, PNG, WebP or GIF"),
        ("claims-60000-px.png", "too-large", "the picture has far too many pixels; save it smaller"),
        ("no-such-file.jpg", "missing", "there is no such file; check the path"),
    ],
)
def test_file_that_gives_no_picture_says_why(name: str, reason: str, sentence: str, settings: Settings) -> None:
    assert fingerprint_file(ODD / name, settings) == Unreadable(UnreadableReason(reason), sentence)


def test_every_odd_file_has_a_stated_result_in_these_tests_or_the_golden_codes() -> None:
    golden = set(json.loads((FIXTURES / "golden" / "phash256.json").read_text())["codes"])
    marks = [
        *test_other_encoding_of_one_picture_gives_its_code.pytestmark,  # type: ignore[attr-defined]
        *test_file_that_gives_no_picture_says_why.pytestmark,  # type: ignore[attr-defined]
    ]
    stated = {row[0] for mark in marks for row in mark.args[1]}
    assert {path.name for path in ODD.iterdir()} <= stated | {name.removeprefix("odd/") for name in golden}


def test_damaged_png_is_not_read_as_a_picture_with_a_black_lower_half() -> None:
    with Image.open(ODD / "exif-1.jpg") as photo:
        file = io.BytesIO()
        photo.save(file, "PNG")
    body = bytearray(file.getvalue())
    middle = len(body) // 2
    body[middle : middle + 40] = bytes(40)
    assert _unreadable(bytes(body)).reason is UnreadableReason.DAMAGED


def test_start_of_a_picture_without_the_rest_is_damaged_not_another_kind_of_file() -> None:
    starts = [b"\xff\xd8\xff\xe0\0\x10JFIF", b"\x89PNG\r\n\x1a\n\0\0", b"GIF89a\1", b"RIFF\xff\0\0\0WEBPVP8 "]
    assert [_unreadable(start).reason.value in ("damaged", "cut-off") for start in starts] == [True] * 4


@pytest.mark.parametrize(
    "exif",
    [b"I", b"II*\0", b"II*\0\x08\0\0", b"MM\0+", b"II+\0" + bytes(12), b"II*\0\x08\0\0\0\xff\xff" + b"\x12\x01" * 9],
)
@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP"])
def test_damaged_exif_leaves_the_picture_as_it_lies(file_format: str, exif: bytes) -> None:
    """The PNG and WebP readers of Pillow let a `struct.error` through for some of these."""
    file = io.BytesIO()
    Image.new("RGB", (20, 10), "red").save(file, file_format, exif=b"Exif\0\0" + exif)
    pixels = InProcessDecoder(Settings()).decode(file.getvalue())
    assert isinstance(pixels, Pixels)
    assert (pixels.width, pixels.height) == (20, 10)


def test_limit_of_bytes_comes_from_the_settings(images: Path) -> None:
    body = (images / "coins.jpg").read_bytes()
    assert isinstance(fingerprint_bytes(body, Settings(picture_bytes_max=len(body))), Picture)
    refused = _unreadable(body, Settings(picture_bytes_max=len(body) - 1))
    assert refused.reason is UnreadableReason.TOO_LARGE
    assert refused.detail == "the file has more than the 35,154 bytes allowed; save it smaller"
    assert fingerprint_file(images / "coins.jpg", Settings(picture_bytes_max=1000)) == Unreadable(
        UnreadableReason.TOO_LARGE, "the file has more than the 1,000 bytes allowed; save it smaller"
    )


def test_limit_of_pixels_comes_from_the_settings(images: Path) -> None:
    body = (images / "coins.jpg").read_bytes()
    assert isinstance(fingerprint_bytes(body, Settings(picture_pixels_max=384 * 303)), Picture)
    refused = _unreadable(body, Settings(picture_pixels_max=384 * 303 - 1))
    assert refused.reason is UnreadableReason.TOO_LARGE
    assert refused.detail == "the picture has 384 x 303 pixels, more than 116,351 in all; save it smaller"


def test_folder_gives_its_pictures_sorted_and_follows_no_link_out(tmp_path: Path) -> None:
    outside = tmp_path / "outside.jpg"
    outside.write_bytes(b"x")
    folder = tmp_path / "folder"
    (folder / "b").mkdir(parents=True)
    for name in ("c.PNG", "a.jpg", "b/d.webp", "notes.txt"):
        (folder / name).write_bytes(b"x")
    (folder / "link.jpg").symlink_to(outside)
    missing = tmp_path / "missing.jpg"
    found = list(picture_files([folder, outside, missing]))
    assert found == [folder / "a.jpg", folder / "b/d.webp", folder / "c.PNG", outside, missing]


SMALL = Settings(picture_pixels_max=2_000_000)
MAGIC = (b"", b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"RIFF\x40\0\0\0WEBPVP8X", b"\0\0\0\x18ftypheic")
SMALL_FILES = tuple((ODD / name).read_bytes() for name in ("exif-6.jpg", "srgb.jpg", "one-bit.png", "animated.gif"))
SMALL_FILES += tuple((ODD / name).read_bytes() for name in ("alpha.webp", "two-pictures.jpg"))
EDITS = st.lists(
    st.tuples(st.sampled_from(["flip", "cut", "insert"]), st.floats(0, 1, exclude_max=True), st.binary(max_size=12)),
    min_size=1,
    max_size=8,
)


@seed(20261122)
@given(start=st.sampled_from(MAGIC), rest=st.binary(max_size=200))
@hypothesis_settings(max_examples=150, deadline=None)
def test_no_bytes_raise(start: bytes, rest: bytes) -> None:
    assert isinstance(InProcessDecoder(SMALL).decode(start + rest), Pixels | Unreadable)


@seed(20261122)
@given(body=st.sampled_from(SMALL_FILES), edits=EDITS, near_start=st.booleans())
@hypothesis_settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_damage_to_a_real_file_raises(body: bytes, edits: list[tuple[str, float, bytes]], near_start: bool) -> None:
    damaged = bytearray(body)
    for kind, where, data in edits:
        at = int(where * (min(len(damaged), 600) if near_start else len(damaged)))
        if kind == "insert":
            damaged[at:at] = data
        else:
            damaged[at : at + len(data)] = b"" if kind == "cut" else bytes(byte ^ 0xFF for byte in data)
    result = InProcessDecoder(SMALL).decode(bytes(damaged))  # made here: pytest forgets which warnings it silences
    assert isinstance(result, Pixels | Unreadable)
    if isinstance(result, Pixels):
        assert result.grey64.shape == (64, 64)
        assert result.width * result.height <= 2_000_000


def test_png_that_claims_more_pixels_than_its_data_is_cut_off_or_damaged() -> None:
    body = bytearray((ODD / "one-bit.png").read_bytes())
    body[16:24] = struct.pack(">II", 3000, 3000)
    assert _unreadable(bytes(body)).reason in (UnreadableReason.CUT_OFF, UnreadableReason.DAMAGED)
