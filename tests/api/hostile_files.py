"""Over a hundred damaged and lying files, after the ideas of the files that Pillow tests itself with; none is theirs.

A small photo is saved in each format and then cut, or one of its claims is replaced: sizes, lengths, offsets, counts,
compressed data. Names begin with what is wrong: `cut`, `claim`, `length`, `data`, `other` (a format that is not read)
and `metadata`, where only what stands beside the picture is broken and the picture may be read all the same.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image

CHELSEA = Path(__file__).resolve().parents[2] / "fixtures" / "images" / "chelsea.jpg"
HUGE = 2**31 - 1


def hostile_files() -> dict[str, bytes]:
    """By name; the same bytes at every run."""
    return dict((*_cut(), *_png(), *_jpeg(), *_gif(), *_webp(), *_other(), *_metadata()))


Files = Iterator[tuple[str, bytes]]


def _photo() -> Image.Image:
    with Image.open(CHELSEA) as photo:
        return photo.convert("RGB").resize((160, 120))


def _saved(image_format: str, image: Image.Image | None = None, **options: Any) -> bytes:
    out = io.BytesIO()
    (image or _photo()).save(out, image_format, **options)
    return out.getvalue()


def _put(body: bytes, at: int, form: str, *values: int) -> bytes:
    """Replace what stands at this place."""
    data = struct.pack(form, *values)
    return body[:at] + data + body[at + len(data) :]


def _cut() -> Files:
    whole = {
        "jpg": _saved("JPEG"),
        "progressive.jpg": _saved("JPEG", progressive=True),
        "png": _saved("PNG"),
        "gif": _saved("GIF", _photo().quantize()),
        "webp": _saved("WEBP"),
        "lossless.webp": _saved("WEBP", lossless=True),
    }
    for kind, body in whole.items():
        for at in (4, 30, len(body) // 4, len(body) // 2, 3 * len(body) // 4):
            yield f"cut-at-{at}.{kind}", body[:at]


# --- PNG (PNG, third edition) ----------------------------------------------------------------------------------


def _chunk(kind: bytes, data: bytes, *, length: int | None = None, check: int | None = None) -> bytes:
    crc = zlib.crc32(kind + data) if check is None else check
    return struct.pack(">I", len(data) if length is None else length) + kind + data + struct.pack(">I", crc)


def _png_of(*chunks: bytes) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _head(width: int = 160, height: int = 120, depth: int = 8, colour: int = 2, interlaced: int = 0) -> bytes:
    return _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced))


def _png() -> Files:
    rows = zlib.compress(bytes(120 * 481))
    pixels, end = _chunk(b"IDAT", rows), _chunk(b"IEND", b"")
    for width, height in (
        (0, 0),
        (0, 120),
        (HUGE, HUGE),
        (HUGE, 1),
        (1, HUGE),
        (2**32 - 1, 2**32 - 1),
        (60_000, 60_000),
    ):
        yield f"claim-{width}x{height}.png", _png_of(_head(width, height), pixels, end)
    for depth, colour in ((3, 2), (8, 5), (255, 255), (16, 3)):
        yield f"claim-depth-{depth}-colour-{colour}.png", _png_of(_head(depth=depth, colour=colour), pixels, end)
    yield "length-of-head-0.png", _png_of(_chunk(b"IHDR", b""), pixels, end)
    yield "length-of-pixels-huge.png", _png_of(_head(), _chunk(b"IDAT", rows, length=HUGE), end)
    yield "length-of-text-huge.png", _png_of(_head(), _chunk(b"tEXt", b"a\0b", length=2**32 - 1), pixels, end)
    yield "data-no-pixels.png", _png_of(_head(), end)
    yield "data-no-head.png", _png_of(pixels, end)
    yield "data-no-palette.png", _png_of(_head(colour=3), pixels, end)
    yield "data-check-wrong.png", _png_of(_head(), _chunk(b"IDAT", rows, check=0), end)
    yield "data-no-zlib.png", _png_of(_head(), _chunk(b"IDAT", b"\xff" * 400), end)
    yield "data-too-few-rows.png", _png_of(_head(), _chunk(b"IDAT", zlib.compress(bytes(481))), end)
    yield "data-filter-9.png", _png_of(_head(), _chunk(b"IDAT", zlib.compress(b"\x09" * 120 * 481)), end)
    yield "data-head-alone.png", _png_of(_head())
    yield "data-interlaced-nothing.png", _png_of(_head(interlaced=1), _chunk(b"IDAT", zlib.compress(b"")), end)


# --- JPEG (ITU-T T.81) -----------------------------------------------------------------------------------------


def _jpeg() -> Files:
    body = _saved("JPEG", quality=80)
    frame, tables, quantizer, scan = (body.index(b"\xff" + bytes([m])) for m in (0xC0, 0xC4, 0xDB, 0xDA))
    for height, width in ((0, 0), (65_535, 65_535), (0, 160)):
        yield f"claim-{width}x{height}.jpg", _put(body, frame + 5, ">HH", height, width)
    for count in (0, 2, 5, 255):
        yield f"claim-components-{count}.jpg", _put(body, frame + 9, "B", count)
    yield "claim-sampling-15.jpg", _put(body, frame + 11, "B", 0xFF)
    yield "claim-precision-255.jpg", _put(body, frame + 4, "B", 255)
    for name, at in (("frame", frame), ("tables", tables), ("quantizer", quantizer), ("scan", scan)):
        yield f"length-of-{name}-0.jpg", _put(body, at + 2, ">H", 0)
        yield f"length-of-{name}-65535.jpg", _put(body, at + 2, ">H", 65_535)
    yield "data-no-frame.jpg", body[:frame] + body[tables:]
    yield "data-no-end-and-no-scan.jpg", body[:scan]
    yield "data-scan-of-an-unknown-component.jpg", _put(body, scan + 5, "B", 77)
    yield "data-markers-alone.jpg", b"\xff\xd8" + b"\xff\xd0" * 50_000
    yield "data-fill-bytes.jpg", b"\xff\xd8" + b"\xff" * 1_000_000


# --- GIF (GIF89a) and WebP (RFC 9649) --------------------------------------------------------------------------


def _gif() -> Files:
    body = _saved("GIF", _photo().quantize())
    frame = body.index(b"\x2c\0\0\0\0")
    for width, height in ((0, 0), (65_535, 65_535)):
        yield f"claim-{width}x{height}.gif", _put(_put(body, 6, "<HH", width, height), frame + 5, "<HH", width, height)
    yield "data-code-size-0.gif", _put(body, body.index(b"\x08", frame + 9), "B", 0)
    yield "data-code-size-255.gif", _put(body, body.index(b"\x08", frame + 9), "B", 255)
    yield "data-no-frame.gif", body[:13] + b";"
    yield "data-endless-extension.gif", body[:13] + b"\x21\xfe" + b"\xff" + bytes(254)
    yield "data-noise.gif", body[: frame + 11] + b"\xff" * (len(body) - frame - 11)
    yield "data-bomb.gif", b"GIF89a" + struct.pack("<HH", 40_000, 40_000) + b"\0\0\0" + body[frame:]


def _webp() -> Files:
    body, lossless = _saved("WEBP"), _saved("WEBP", lossless=True)
    canvas = b"VP8X" + struct.pack("<I", 10) + b"\x10\0\0\0" + b"\xff" * 6
    yield (
        "claim-canvas-16777216.webp",
        b"RIFF" + struct.pack("<I", 4 + len(canvas) + len(body) - 12) + b"WEBP" + canvas + body[12:],
    )
    yield "claim-0x0.webp", _put(body, 26, "<HH", 0, 0)
    yield "claim-16383x16383.webp", _put(body, 26, "<HH", 16_383, 16_383)
    yield "claim-16384x16384-lossless.webp", _put(lossless, 21, "<I", 0x0FFFFFFF)
    yield "length-of-file-0.webp", _put(body, 4, "<I", 0)
    yield "length-of-picture-huge.webp", _put(body, 16, "<I", 2**32 - 1)
    yield "data-noise.webp", body[:40] + b"\xff" * (len(body) - 40)
    yield "data-noise-lossless.webp", lossless[:26] + b"\xaa" * (len(lossless) - 26)
    frame = b"ANMF" + struct.pack("<I", 16) + b"\xff" * 16
    moving = b"VP8X" + struct.pack("<I", 10) + b"\x02\0\0\0" + bytes(6) + b"ANIM" + struct.pack("<I", 6) + bytes(6)
    yield "data-frame-outside.webp", b"RIFF" + struct.pack("<I", 4 + len(moving + frame)) + b"WEBP" + moving + frame


# --- what is not read ------------------------------------------------------------------------------------------


def _other() -> Files:
    """Formats whose readers have had most of the faults; none of them may be reached."""
    bmp, tiff, ico, tga = (_saved(kind) for kind in ("BMP", "TIFF", "ICO", "TGA"))
    for name, body in (
        ("bmp", bmp),
        ("tif", tiff),
        ("ico", ico),
        ("tga", tga),
        ("pcx", _saved("PCX")),
        ("ppm", _saved("PPM")),
    ):
        yield f"other-whole.{name}", body
    yield "other-height-of-minus-2-gib.bmp", _put(bmp, 22, "<i", -(2**31))
    yield "other-huge.bmp", _put(bmp, 18, "<ii", HUGE, HUGE)
    first = struct.unpack("<I", tiff[4:8])[0]
    yield "other-loop.tif", tiff[:4] + struct.pack("<I", 8) + struct.pack("<HI", 0, 8)
    yield "other-65535-entries.tif", _put(tiff, first, "<H", 65_535)
    yield "other-nowhere.tif", _put(tiff, 4, "<I", 2**32 - 1)
    yield "other-65535-pictures.ico", _put(ico, 4, "<H", 65_535)
    yield "other-no-length.icns", b"icns" + struct.pack(">I", 16) + b"ic07" + bytes(4)
    yield "other-huge.psd", b"8BPS\0\1" + bytes(6) + struct.pack(">HIIHH", 3, 2**31, 2**31, 8, 3) + bytes(12)
    yield "other-huge.eps", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 999999999 999999999\n%%EndComments\n{}loop\n"
    yield "other-huge.ppm", b"P6 " + b"9" * 4000 + b" 9999999999 255 "
    yield "other-no-end.fli", struct.pack("<IHHHHHH", 2**31, 0xAF11, 9999, 65_535, 65_535, 8, 3) + bytes(120)
    yield "other-huge.dds", b"DDS " + struct.pack("<IIII", 124, 0x1007, 2**31, 2**31) + bytes(108)
    yield "other-huge.jp2", b"\0\0\0\x0cjP  \r\n\x87\n" + b"\0\0\0\x16ihdr" + b"\xff" * 14
    yield "other-drawing.svg", b"<svg xmlns='http://www.w3.org/2000/svg'><image href='file:///etc/passwd'/></svg>"
    yield "other-page.pdf", b"%PDF-1.7\n1 0 obj<</Length 99999999999>>stream\n"
    yield "other-photo.heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\xff" * 400
    yield "other-photo.avif", b"\0\0\0\x18ftypavif\0\0\0\0mif1avif" + b"\xff" * 400
    yield "other-one-byte", b"\xff"
    yield "other-zeros", bytes(100_000)


# --- what stands beside a picture ------------------------------------------------------------------------------


def _metadata() -> Files:
    body, png, webp = _saved("JPEG"), _saved("PNG"), _saved("WEBP")

    def segment(marker: int, data: bytes) -> bytes:
        return body[:2] + b"\xff" + bytes([marker]) + struct.pack(">H", len(data) + 2) + data + body[2:]

    def exif(offset: int, *entries: bytes, count: int | None = None) -> bytes:
        listed = struct.pack("<H", len(entries) if count is None else count) + b"".join(entries)
        return b"II*\0" + struct.pack("<I", offset) + listed + struct.pack("<I", 8)

    def entry(tag: int, kind: int, count: int, value: int) -> bytes:
        return struct.pack("<HHII", tag, kind, count, value)

    tiffs = {
        "loop": exif(8),
        "nowhere": exif(2**32 - 1),
        "65535-entries": exif(8, count=65_535),
        "4-gib-text": exif(8, entry(0x10E, 2, 2**32 - 1, 8)),
        "turned-by-9": exif(8, entry(0x112, 3, 1, 9)),
        "sub-directory-of-itself": exif(8, entry(0x8769, 4, 1, 8), entry(0x8825, 4, 1, 8)),
        "kind-99": exif(8, entry(0x112, 99, 1, 6)),
    }
    for name, data in tiffs.items():
        yield f"metadata-exif-{name}.jpg", segment(0xE1, b"Exif\0\0" + data)
        yield f"metadata-exif-{name}.png", png[:33] + _chunk(b"eXIf", data) + png[33:]
    laughs = b"<!DOCTYPE x [<!ENTITY a 'ha'>" + b"".join(
        b"<!ENTITY %c '%s'>" % (letter, b"&%c;" % (letter - 1) * 20) for letter in range(98, 110)
    )
    packet = b"http://ns.adobe.com/xap/1.0/\0" + laughs + b"]><x:xmpmeta xmlns:x='adobe:ns:meta/'>&m;</x:xmpmeta>"
    yield "metadata-xmp-laughs.jpg", segment(0xE1, packet)
    yield "metadata-xmp-outside.jpg", segment(0xE1, packet.replace(b"'ha'", b"SYSTEM 'file:///etc/passwd'"))
    yield "metadata-profile-1-of-255.jpg", segment(0xE2, b"ICC_PROFILE\0\1\xff" + bytes(100))
    yield "metadata-many-pictures.jpg", segment(0xE2, b"MPF\0" + exif(8, entry(0xB001, 4, 1, 2**32 - 1)))
    yield "metadata-profile-no-zlib.png", png[:33] + _chunk(b"iCCP", b"a\0\0" + b"\xff" * 40) + png[33:]
    yield "metadata-colours-of-nothing.png", png[:33] + _chunk(b"tRNS", b"") + _chunk(b"gAMA", b"\0") + png[33:]
    yield "metadata-behind-the-end.png", png + bytes(100_000)
    yield "metadata-file-length-huge.webp", _put(webp, 4, "<I", 2**32 - 10)
