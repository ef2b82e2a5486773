"""Pictures that are cheap to send and dear to read are refused before anything decodes them."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from checker.fingerprint import InProcessDecoder
from checker.fingerprint.bounds import JPEG_METADATA_SEGMENTS_MAX, JPEG_PASSES_MAX, PNG_CHUNKS_MAX, too_costly
from checker.model import Pixels, Unreadable, UnreadableReason
from checker.settings import Settings

CHECKOUT = Path(__file__).resolve().parents[2]
COMMITTED = sorted(
    path for path in (CHECKOUT / "fixtures").rglob("*") if path.suffix in (".jpg", ".png", ".gif", ".webp")
)


def jpeg(**options: object) -> bytes:
    out = io.BytesIO()
    Image.radial_gradient("L").save(out, "JPEG", **options)
    return out.getvalue()


def png() -> bytes:
    out = io.BytesIO()
    Image.radial_gradient("L").save(out, "PNG")
    return out.getvalue()


def last_scan(body: bytes) -> bytes:
    """The last pass of a progressive JPEG with its tables, up to the end marker."""
    return body[min(body.rfind(b"\xff\xda"), body.rfind(b"\xff\xc4")) : -2]


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.name)
def test_no_picture_of_ours_is_too_costly(path: Path) -> None:
    assert too_costly(path.read_bytes()) is None


def test_passes_are_counted() -> None:
    body = jpeg(progressive=True)
    passes = body.count(b"\xff\xda")
    for added, refused in ((JPEG_PASSES_MAX - passes, False), (JPEG_PASSES_MAX - passes + 1, True)):
        bomb = body[:-2] + last_scan(body) * added + body[-2:]
        assert (too_costly(bomb) is not None) == refused
    found = InProcessDecoder(Settings()).decode(body[:-2] + last_scan(body) * 5000 + body[-2:])
    assert found == Unreadable(UnreadableReason.TOO_LARGE, "the picture is saved in more than 100 passes; save it anew")


@pytest.mark.parametrize("segment", [b"\xff\xe1\x00\x0aExif\0\0ab", b"\xff\xfe\x00\x03a"], ids=["EXIF", "comment"])
def test_metadata_segments_are_counted(segment: bytes) -> None:
    body = jpeg()
    assert too_costly(body[:2] + segment * (JPEG_METADATA_SEGMENTS_MAX - 1) + body[2:]) is None  # and JFIF itself
    reason = too_costly(body[:2] + segment * (JPEG_METADATA_SEGMENTS_MAX + 1) + body[2:])
    assert reason == "the picture has more than 600 pieces of metadata; save it without"


def test_what_stands_behind_the_first_picture_does_not_count() -> None:
    """Telephones put further pictures behind the first one."""
    assert too_costly(jpeg() * (JPEG_METADATA_SEGMENTS_MAX + 5)) is None


def test_chunks_are_counted() -> None:
    body = png()
    chunk = struct.pack(">I", 0) + b"abCd" + struct.pack(">I", zlib.crc32(b"abCd"))
    assert too_costly(body[:33] + chunk * 1000 + body[33:]) is None
    assert too_costly(body[:33] + chunk * PNG_CHUNKS_MAX + body[33:]) == (
        "the picture is in more than 100,000 pieces; save it anew"
    )


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
@pytest.mark.parametrize("height", [255, 256, 257, 600])
def test_transparency_over_white_is_the_same_strip_by_strip_and_at_once(mode: str, height: int) -> None:
    levels = np.random.default_rng(1).integers(0, 256, (height, 70, 4), dtype=np.uint8)
    image = Image.fromarray(levels).convert(mode)
    out = io.BytesIO()
    image.save(out, "PNG", **({"transparency": 7} if mode == "P" else {}))
    found = InProcessDecoder(Settings()).decode(out.getvalue())
    assert isinstance(found, Pixels)
    with Image.open(io.BytesIO(out.getvalue())) as opened:
        layer = opened.convert("RGBA")
    shown = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB").convert("L")
    expected = shown.resize((64, 64), Image.Resampling.LANCZOS, reducing_gap=3.0)
    assert np.array_equal(found.grey64, np.asarray(expected))
