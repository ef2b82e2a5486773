"""One photo in every kind of file that people have: for codes made in a browser beside those of `hibs fingerprint`."""

from __future__ import annotations

import io
import struct
import sys
import zlib
from collections.abc import Iterator

import numpy as np
from hibs_command import CHECKOUT
from PIL import Image, ImageCms

sys.path.insert(0, str(CHECKOUT / "fixtures"))

from colour_profile import DISPLAY_P3, SRGB, Primaries, matrix_profile

ADOBE_RGB = Primaries("Adobe RGB", (0.6097, 0.3111, 0.0195), (0.2053, 0.6257, 0.0609), (0.1492, 0.0632, 0.7446))
"""Primaries of Adobe RGB (1998), adapted to D50; its gamma is that of `matrix_profile` as well."""
_ORIENTATION = 0x0112
_STORED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""EXIF orientation to how a camera held so stores the picture."""


def kinds_of(photo: Image.Image) -> Iterator[tuple[str, str, bytes]]:
    """An RGB photo as files: a kind for tables, a name, the bytes."""
    yield "JPEG", "plain.jpg", _saved(photo, "JPEG", quality=90)
    yield "JPEG", "progressive.jpg", _saved(photo, "JPEG", quality=90, progressive=True)
    yield "JPEG", "full-colour.jpg", _saved(photo, "JPEG", quality=90, subsampling="4:4:4")
    yield "grey", "grey.jpg", _saved(photo.convert("L"), "JPEG", quality=90)
    yield "CMYK", "cmyk.jpg", _saved(photo.convert("CMYK"), "JPEG", quality=90)
    for orientation, turn in _STORED.items():
        exif = Image.Exif()
        exif[_ORIENTATION] = orientation
        stored = photo.transpose(turn)
        yield "EXIF turn", f"exif-{orientation}.jpg", _saved(stored, "JPEG", quality=90, exif=exif)
    exif = Image.Exif()
    exif[_ORIENTATION] = 6
    for file_format in ("PNG", "WEBP"):
        turned = photo.transpose(_STORED[6])
        yield "EXIF turn", f"exif-6.{file_format.lower()}", _saved(turned, file_format, exif=exif)
    for space in (DISPLAY_P3, ADOBE_RGB):
        profile = matrix_profile(space)
        wide = ImageCms.profileToProfile(photo, io.BytesIO(matrix_profile(SRGB)), io.BytesIO(profile))
        for file_format in ("JPEG", "PNG", "WEBP"):
            name = f"{space.name.split()[0].strip(',').lower()}.{file_format.lower()}"
            yield "wide colours", name, _saved(wide, file_format, quality=90, icc_profile=profile)
    yield "transparent", "alpha.png", _saved(_fading(photo), "PNG")
    yield "transparent", "alpha.webp", _saved(_fading(photo), "WEBP", quality=90)
    yield "16 bits", "deep.png", _deep_png(photo)
    yield "palette", "palette.png", _saved(photo.quantize(64), "PNG")
    yield "PNG, WebP, GIF", "plain.png", _saved(photo, "PNG")
    yield "PNG, WebP, GIF", "lossy.webp", _saved(photo, "WEBP", quality=80)
    yield "PNG, WebP, GIF", "lossless.webp", _saved(photo, "WEBP", lossless=True)
    frames = {"save_all": True, "append_images": [photo.transpose(Image.Transpose.ROTATE_180)], "duration": 100}
    yield "PNG, WebP, GIF", "animated.gif", _saved(photo, "GIF", **frames)
    yield "PNG, WebP, GIF", "animated.webp", _saved(photo, "WEBP", **frames)
    for side in (1600, 4000):
        size = (side, round(photo.height * side / photo.width))
        yield "large JPEG", f"{side}-px.jpg", _saved(photo.resize(size, Image.Resampling.BICUBIC), "JPEG", quality=85)


def _saved(picture: Image.Image, file_format: str, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, file_format, **options)
    return file.getvalue()


def _fading(photo: Image.Image) -> Image.Image:
    alpha = np.tile(np.linspace(255, 60, photo.width).astype(np.uint8), (photo.height, 1))
    faded = photo.copy()
    faded.putalpha(Image.fromarray(alpha))
    return faded


def _deep_png(photo: Image.Image) -> bytes:
    """RGB of 16 bits, which Pillow reads and does not write. The low byte is that of the picture upside down."""
    levels = np.asarray(photo).astype(">u2")
    rows = levels * 256 + levels[::-1]
    scanlines = b"".join(b"\0" + row.tobytes() for row in rows)
    header = struct.pack(">IIBBBBB", photo.width, photo.height, 16, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(scanlines, 1)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(map(_chunk, chunks))


def _chunk(chunk: tuple[bytes, bytes]) -> bytes:
    name, data = chunk
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
