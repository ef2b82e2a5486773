"""What a picture may cost to read, asked of its bytes before any library decodes them.

Size and pixel limits do not bound the work: a JPEG may hold a hundred thousand passes of a few bytes, each over all of
its pixels, and a file may be nothing but metadata. The limits lie far above what cameras and editors write:

    JPEG passes         libjpeg's own scripts write 10, mozjpeg up to some 20; 100 over 50 megapixels take 2 s
    JPEG metadata       20 MiB of whole segments are 320, a colour profile takes 255 at most (ICC.1, annex B.4)
    PNG chunks          an editor that writes 8 KiB at a time needs 2,560 for 20 MiB
"""

from __future__ import annotations

import re

JPEG_PASSES_MAX = 100
JPEG_METADATA_SEGMENTS_MAX = 600
PNG_CHUNKS_MAX = 100_000

_JPEG = b"\xff\xd8\xff"
_PNG = b"\x89PNG\r\n\x1a\n"
_MARKER = re.compile(rb"\xff([^\x00\xff])")
"""Stuffed zeros and fill bytes are no markers (ITU-T T.81 B.1.1.2, B.1.1.5)."""
_SCAN, _END, _COMMENT = 0xDA, 0xD9, 0xFE
_ALONE = frozenset({0x01, 0xD8, *range(0xD0, 0xD8)})
"""Markers without a length: TEM, SOI, RST0 to RST7."""


def too_costly(body: bytes) -> str | None:
    """Why these bytes are not worth decoding, for the person who gave them. None: nothing speaks against it."""
    if body.startswith(_JPEG):
        return _jpeg(body)
    if body.startswith(_PNG):
        return _png(body)
    return None


def _jpeg(body: bytes) -> str | None:
    """Count passes and metadata segments up to the end of the first picture (ITU-T T.81 B.1)."""
    passes = segments = at = 0
    while found := _MARKER.search(body, at):
        marker, at = found[1][0], found.end()
        if marker == _END:
            break
        if marker in _ALONE:
            continue
        passes += marker == _SCAN
        segments += marker == _COMMENT or 0xE0 <= marker <= 0xEF
        if passes > JPEG_PASSES_MAX:
            return f"the picture is saved in more than {JPEG_PASSES_MAX} passes; save it anew"
        if segments > JPEG_METADATA_SEGMENTS_MAX:
            return f"the picture has more than {JPEG_METADATA_SEGMENTS_MAX} pieces of metadata; save it without"
        at += max(2, int.from_bytes(body[at : at + 2]))
    return None


def _png(body: bytes) -> str | None:
    """Count chunks (PNG, third edition, 5.3: length, type, data, check)."""
    at = len(_PNG)
    for _ in range(PNG_CHUNKS_MAX):
        if at >= len(body):
            return None
        at += 12 + int.from_bytes(body[at : at + 4])
    return f"the picture is in more than {PNG_CHUNKS_MAX:,} pieces; save it anew"
