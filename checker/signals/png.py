"""Find the metadata blocks of a PNG: bytes -> XMP, Exif and IIM of its text chunks, eXIf and caBX.

    iTXt XML:com.adobe.xmp            XMP, plain or compressed: its place by XMP part 3; also behind the picture data
    eXIf, caBX                        Exif, C2PA
    tEXt, zTXt with that keyword      the same packet, written by programs that take a shortcut
    Raw profile type xmp, exif, ...   hexadecimal digits in a text chunk: how ImageMagick writes what it converts

What stands in the last two is no place that a specification names, so it refuses and permits nothing. A keyword is
looked at before anything is decompressed.

Source: PNG third edition 5.3, 5.5, 11.3.3; XMP part 3 (2020) 1.1.5; C2PA 1.4 A.3.2. The form of raw profiles is
ImageMagick's own: a line with the name, one with the number of bytes, then the digits.
"""

from __future__ import annotations

import zlib

from checker.signals.blocks import KIND_BYTES_MAX, STEPS_MAX, XMP_NAME, Blocks, Kind
from checker.signals.iim import add_resources

_KEYWORD = b"XML:com.adobe.xmp"
_RAW_PROFILE = b"raw profile type "
_KEYWORD_BYTES_MAX = 79
_PROFILES = {b"xmp": Kind.XMP, b"app1": Kind.XMP, b"exif": Kind.EXIF, b"iptc": Kind.IIM, b"8bim": Kind.IIM}
_OTHERS = {b"eXIf": Kind.EXIF, b"caBX": Kind.C2PA}
_TEXTS = (b"iTXt", b"tEXt", b"zTXt")
_HEX_BYTES_MAX = 2 * KIND_BYTES_MAX + KIND_BYTES_MAX // 8
"""Two digits a byte, and the ends of lines."""


def read_png(body: bytes, blocks: Blocks) -> None:
    """Find the blocks of a PNG. Never raises."""
    blocks.mime = "image/png"
    at = 8
    for _ in range(STEPS_MAX):
        size, name = int.from_bytes(body[at : at + 4]), body[at + 4 : at + 8]
        if name == b"IEND" or len(name) < 4:
            return
        start, at = at + 8, at + 12 + size
        if name not in _TEXTS and name not in _OTHERS:
            continue
        keyword = body[start : min(start + size, start + _KEYWORD_BYTES_MAX + 1)].partition(b"\0")[0]
        kind = _OTHERS.get(name) or _kind_of(keyword)
        if kind is None:
            continue
        data = body[start : start + size]
        whole = len(data) == size and body[start + size : at] == zlib.crc32(data, zlib.crc32(name)).to_bytes(4)
        place = f"PNG {name.decode()} {kind}"
        if not whole and kind in (Kind.XMP, Kind.C2PA):
            blocks.cut[kind] = f"{place}: cut off or damaged"
        if name in _OTHERS:
            blocks.add(kind, place, data.removeprefix(b"Exif\0\0"), exact=whole)
        elif keyword.lower().startswith(_RAW_PROFILE):
            _add_profile(kind, name, data, blocks)
        else:
            text, in_form = _text(name, data, blocks.bytes_left(kind), blocks)
            if not in_form:
                blocks.cut[kind] = f"{place}: not in its form, or more than is read"
            blocks.add(kind, place, text, exact=whole and in_form and (name, keyword) == (b"iTXt", _KEYWORD))
    blocks.too_many_steps("PNG chunks")


def _kind_of(keyword: bytes) -> Kind | None:
    lower = keyword.lower()
    if lower == _KEYWORD.lower():
        return Kind.XMP
    return _PROFILES.get(lower.removeprefix(_RAW_PROFILE)) if lower.startswith(_RAW_PROFILE) else None


def _text(name: bytes, data: bytes, bytes_max: int, blocks: Blocks) -> tuple[bytes, bool]:
    """The text behind the keyword, and whether it is all there and in its form.

    iTXt has compression flag and method, language and translated keyword before it, zTXt the method, tEXt nothing.
    """
    _, _, text = data.partition(b"\0")
    in_form, compressed = True, name == b"zTXt"
    if name == b"iTXt":
        flag, parts = text[:1], text[2:].split(b"\0", 2)
        in_form, compressed = len(parts) == 3 and flag in (b"\0", b"\1"), flag == b"\1"
        text = parts[-1]
    elif compressed:
        text = text[1:]
    if not compressed:
        return text, in_form
    text, all_of_it = blocks.unpack(text, bytes_max)
    return text, in_form and all_of_it


def _add_profile(kind: Kind, name: bytes, data: bytes, blocks: Blocks) -> None:
    text, whole = _text(name, data, _HEX_BYTES_MAX, blocks)
    try:
        # The name, the number of bytes, the digits.
        _, size, digits = text.split(None, 2)
        profile = bytes.fromhex(digits.decode("ascii"))
        whole = whole and int(size) == len(profile)
    except ValueError:
        profile, whole = b"", False
    if profile.startswith(b"Exif\0\0"):
        kind, profile = Kind.EXIF, profile.removeprefix(b"Exif\0\0")
    place = f"PNG {name.decode()} raw profile {kind}"
    if not whole and kind is Kind.XMP:
        blocks.cut[kind] = f"{place}: cut off or damaged"
    if kind is Kind.IIM:
        add_resources(profile, place, blocks)
    else:
        blocks.add(kind, place, profile.removeprefix(XMP_NAME), exact=False)
