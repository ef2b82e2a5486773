"""Find the metadata blocks of a picture file: bytes -> XMP packets, IIM, Exif and C2PA boxes, each with its place.

    JPEG    APP1 XMP, APP1 extended XMP (joined), APP13 IIM, APP1 Exif, APP11 JUMBF; up to the first scan
    PNG     iTXt XML:com.adobe.xmp (may be compressed), eXIf, caBX; also behind the picture data
    WebP    chunks "XMP ", EXIF, C2PA
    GIF     application extensions XMP DataXMP, C2PA_GIF
    TIFF    tags 700 (XMP), 33723 and 34377 (IIM), 0xCD41 (C2PA), and its rights tags as Exif's
    others  a sidecar is one packet; in AVIF, HEIC, JPEG XL and the rest packets are looked for in the bytes

No pixel is decoded, so no decoder is at risk. Nothing raises: a broken file gives what was found, and a kind whose
block is evidently there and not whole stands in `cut`. Trailing bytes behind the end of a format do not count.

Bounds: what `blocks` keeps, decompressed text included; a million blocks walked over; time linear in the bytes.

Source: XMP part 3 (2020) 1.1; T.81 B.1; PNG third edition 5, 11.3.3; the WebP container; GIF89a; C2PA 1.4 A.3.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterator

from checker.signals.blocks import KIND_BYTES_MAX, Block, Blocks, Kind
from checker.signals.iim import IIM_RESOURCE, image_resource
from checker.signals.tiff import is_tiff, read_tags
from checker.signals.xmp import is_packet

STEPS_MAX = 1_000_000

_XMP_NAME = b"http://ns.adobe.com/xap/1.0/\0"
_EXTENSION_NAME = b"http://ns.adobe.com/xmp/extension/\0"
_PACKET = re.compile(rb"<x:x[am]pmeta\b.*?(</x:x[am]pmeta>|\Z)", re.DOTALL)
_C2PA_LABEL = b"c2pa\0"
_C2PA_UUID = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
_JXL_SIGNATURE = b"\0\0\0\x0cJXL \r\n\x87\n"
_MIMES = {b"avif": "image/avif", b"avis": "image/avif", b"heic": "image/heic", b"heix": "image/heic"}


def find_blocks(body: bytes) -> Blocks:
    """Find the metadata blocks of a picture or of a sidecar file. Never raises.

    Args:
        body: the whole file, of any format; what is none that is known gives packets that stand in its bytes.
    """
    blocks = Blocks()
    for begins, read in _FORMATS:
        if begins(body):
            read(body, blocks)
            return blocks
    if is_packet(body):
        blocks.add(Kind.XMP, "sidecar", body)
        if not blocks.found:
            blocks.add(Kind.XMP, "sidecar", body[:KIND_BYTES_MAX], exact=False)
        return blocks
    _find_packets(body, blocks)
    return blocks


def _read_jpeg(body: bytes, blocks: Blocks) -> None:
    blocks.mime = "image/jpeg"
    photoshop: list[bytes] = []
    extension = _Extension()
    main_packets: list[bytes] = []
    for marker, data, whole in _jpeg_segments(body):
        kind = None
        if marker == 0xE1 and data.startswith(_XMP_NAME):
            kind = Kind.XMP
            main_packets.append(data[len(_XMP_NAME) :])
            blocks.add(Kind.XMP, "JPEG APP1 XMP", main_packets[-1], exact=whole)
        elif marker == 0xE1 and data.startswith(_EXTENSION_NAME):
            kind = Kind.XMP
            extension.add(data[len(_EXTENSION_NAME) :])
        elif marker == 0xE1 and data.startswith(b"Exif\0"):
            blocks.add(Kind.EXIF, "JPEG APP1 Exif", data[6:])
        elif marker == 0xED and data.startswith(b"Photoshop 3.0\0"):
            photoshop.append(data[14:])
        elif marker == 0xEB and data.startswith(b"JP") and data[12:16] == b"jumb":
            kind = Kind.C2PA
            blocks.add(Kind.C2PA, "JPEG APP11 JUMBF", data[8:], exact=_C2PA_LABEL in data[:200])
        if kind is not None and not whole:
            blocks.cut[kind] = f"JPEG APP{marker - 0xE0} {kind}: cut off"
    extension.join(blocks, b"".join(main_packets))
    _add_iim(b"".join(photoshop), "JPEG APP13 IIM", blocks)


def _jpeg_segments(body: bytes) -> Iterator[tuple[int, bytes, bool]]:
    """Marker, payload, and whether it is all there, of each segment before the first scan."""
    at = 2
    for _ in range(STEPS_MAX):
        if body[at : at + 1] != b"\xff":
            return
        while body[at + 1 : at + 2] == b"\xff":  # fill bytes
            at += 1
        marker = body[at + 1] if at + 1 < len(body) else 0xD9
        at += 2
        if marker in (0xDA, 0xD9):
            return
        if marker == 0x01 or 0xD0 <= marker <= 0xD8:
            continue
        size = int.from_bytes(body[at : at + 2])
        data = body[at + 2 : at + size]
        yield marker, data, len(data) == size - 2
        at += max(size, 2)


class _Extension:
    """The parts of extended XMP, which may come in any order and carry the digest of the whole they belong to."""

    def __init__(self) -> None:
        self._parts: dict[bytes, dict[int, bytes]] = {}
        self._totals: dict[bytes, int] = {}

    def add(self, data: bytes) -> None:
        """Keep one part: 32 characters of digest, the size of the whole, the position of this part, its bytes."""
        digest, total, offset = data[:32], int.from_bytes(data[32:36]), int.from_bytes(data[36:40])
        self._parts.setdefault(digest, {}).setdefault(offset, data[40:])
        self._totals.setdefault(digest, total)

    def join(self, blocks: Blocks, main: bytes) -> None:
        """Join each extension. One that the main packet does not name, or that is not whole, permits nothing."""
        for digest, parts in self._parts.items():
            ordered = sorted(parts.items())
            packet = b"".join(part for _, part in ordered)
            ends = [offset + len(part) for offset, part in ordered]
            whole = [offset for offset, _ in ordered] == [0, *ends[:-1]] and ends[-1] == self._totals[digest]
            place = "JPEG APP1 extended XMP"
            if not whole:
                blocks.cut[Kind.XMP] = f"{place}: not all parts are there"
            blocks.add(Kind.XMP, place, packet, exact=whole and digest in main.replace(b"\0", b""))


def _read_png(body: bytes, blocks: Blocks) -> None:
    blocks.mime = "image/png"
    at = 8
    for _ in range(STEPS_MAX):
        size, name = int.from_bytes(body[at : at + 4]), body[at + 4 : at + 8]
        if name == b"IEND" or len(name) < 4:
            return
        kind = _PNG_KINDS.get(name)
        start, at = at + 8, at + 12 + size
        if kind is None:
            continue
        data = body[start : start + size]
        is_xmp = data.startswith(b"XML:com.adobe.xmp\0")
        if kind is Kind.XMP and not is_xmp:
            continue
        whole = len(data) == size and body[start + size : at] == zlib.crc32(name + data).to_bytes(4)
        place = f"PNG {name.decode()} {kind}"
        if not whole and kind is not Kind.EXIF:
            blocks.cut[kind] = f"{place}: cut off or damaged"
        if kind is Kind.XMP:
            data, whole = _itxt(data, whole, place, blocks)
        blocks.add(kind, place, data, exact=whole)


def _itxt(data: bytes, whole: bool, place: str, blocks: Blocks) -> tuple[bytes, bool]:
    """The text of an iTXt chunk: keyword, compression flag and method, language, translated keyword, text."""
    _, _, rest = data.partition(b"\0")
    parts = rest[2:].split(b"\0", 2)
    text, whole = parts[-1], whole and len(parts) == 3
    if rest[:1] != b"\1":
        return text, whole and rest[:1] == b"\0"
    unpacker = zlib.decompressobj()
    try:
        text = unpacker.decompress(text, blocks.bytes_left(Kind.XMP) + 1)
    except zlib.error:
        text = b""
    if not unpacker.eof:
        blocks.cut[Kind.XMP] = f"{place}: cannot be decompressed, or to more than is read"
        return text[: blocks.bytes_left(Kind.XMP)], False
    return text, whole


def _read_webp(body: bytes, blocks: Blocks) -> None:
    blocks.mime = "image/webp"
    end = min(len(body), 8 + int.from_bytes(body[4:8], "little"))
    at = 12
    for _ in range(STEPS_MAX):
        if at + 8 > end:
            return
        name, size = body[at : at + 4], int.from_bytes(body[at + 4 : at + 8], "little")
        kind = _WEBP_KINDS.get(name)
        if kind is not None:
            data = body[at + 8 : min(at + 8 + size, end)]
            place = f"WebP {kind} chunk"
            if len(data) < size and kind is not Kind.EXIF:
                blocks.cut[kind] = f"{place}: cut off"
            data = data.removeprefix(b"Exif\0\0") if kind is Kind.EXIF else data
            blocks.add(kind, place, data, exact=name != b"XMP\0" and len(data) == size)
        at += 8 + size + size % 2


def _read_gif(body: bytes, blocks: Blocks) -> None:
    blocks.mime = "image/gif"
    at = 13 + _colour_table(body, 10)
    for _ in range(STEPS_MAX):
        introducer = body[at : at + 1]
        if introducer == b"\x2c":  # a picture: its descriptor, its colours, the size of its codes
            at += 11 + _colour_table(body, at + 9)
        elif introducer == b"\x21":
            kind = _GIF_KINDS.get(body[at + 3 : at + 14]) if body[at + 1 : at + 3] == b"\xff\x0b" else None
            if kind is not None:
                _add_gif_block(body, at + 14, kind, blocks)
            at += 2
        else:  # the end, or no GIF any more
            return
        at = _sub_blocks_end(body, at)


def _add_gif_block(body: bytes, start: int, kind: Kind, blocks: Blocks) -> None:
    end = _sub_blocks_end(body, start)
    place = f"GIF {kind} extension"
    whole = end <= len(body)
    if not whole:
        blocks.cut[kind] = f"{place}: cut off"
    # XMP stands there as it is, not in sub-blocks; a trailer that counts down from 255 leads any reader to its end.
    data = body[start:end]
    trailer = data.rfind(_GIF_TRAILER)
    if trailer < 0 and whole:
        data = b"".join(body[at + 1 : at + 1 + body[at]] for at in _sub_block_starts(body, start))
    blocks.add(kind, place, data[:trailer] if trailer >= 0 else data, exact=whole)


def _colour_table(body: bytes, at: int) -> int:
    flags = body[at] if at < len(body) else 0
    return 3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0


def _sub_block_starts(body: bytes, at: int) -> Iterator[int]:
    while at < len(body) and body[at]:
        yield at
        at += 1 + body[at]


def _sub_blocks_end(body: bytes, at: int) -> int:
    """The position behind the empty sub-block that ends a chain; beyond the body where there is none."""
    while at < len(body) and body[at]:
        at += 1 + body[at]
    return at + 1


def _read_tiff(body: bytes, blocks: Blocks) -> None:
    blocks.mime = "image/tiff"
    tags = read_tags(body, _TIFF_KINDS)
    for number, values in tags.values.items():
        kind = _TIFF_KINDS[number]
        for value in values:
            whole = number not in tags.cut
            if kind is Kind.IIM:
                _add_iim(value, f"TIFF tag {number} IIM", blocks)
            else:
                blocks.add(kind, f"TIFF tag {number} {kind}", value, exact=whole)
            if not whole and kind in (Kind.XMP, Kind.C2PA):
                blocks.cut[kind] = f"TIFF tag {number} {kind}: cut off"
    blocks.found.append(Block(Kind.EXIF, "TIFF", body))
    if tags.broken:
        blocks.cut.setdefault(Kind.XMP, "TIFF directories: cut off")


def _add_iim(data: bytes, place: str, blocks: Blocks) -> None:
    if data.startswith(b"8BIM"):
        data, _ = image_resource(data, IIM_RESOURCE)
    if data:
        blocks.add(Kind.IIM, place, data)


def _read_boxes(body: bytes, blocks: Blocks) -> None:
    """AVIF, HEIC and JPEG XL: boxes on the outermost level; items inside of `meta` by looking for packets."""
    jxl = body.startswith(_JXL_SIGNATURE)
    blocks.mime = "image/jxl" if jxl else _MIMES.get(body[8:12], "image/heif")
    at = 0
    for _ in range(STEPS_MAX):
        size, name = int.from_bytes(body[at : at + 4]), body[at + 4 : at + 8]
        header = 16 if size == 1 else 8
        size = int.from_bytes(body[at + 8 : at + 16]) if size == 1 else size or len(body) - at
        data = body[at + header : at + size]
        if size < header or len(name) < 4:
            break
        if (name == b"uuid" and data.startswith(_C2PA_UUID)) or name == b"jumb":
            exact = name == b"uuid" or _C2PA_LABEL in data[:200]
            blocks.add(Kind.C2PA, f"{name.decode()} box JUMBF", data, exact=exact)
        elif name == b"brob" and data.startswith((b"xml ", b"jumb")):
            kind = Kind.XMP if data.startswith(b"xml ") else Kind.C2PA
            blocks.cut[kind] = f"brob box {kind}: this compression is not read"
        at += size
    _find_packets(body, blocks)


def _find_packets(body: bytes, blocks: Blocks) -> None:
    """Look for packets by how they begin and end. They may be about anything, so they permit nothing."""
    for match in _PACKET.finditer(body):
        if not match[1]:
            blocks.cut[Kind.XMP] = "XMP packet inside the file: cut off"
        blocks.add(Kind.XMP, "XMP packet inside the file", match[0][:KIND_BYTES_MAX], exact=False)


_PNG_KINDS = {b"iTXt": Kind.XMP, b"eXIf": Kind.EXIF, b"caBX": Kind.C2PA}
_WEBP_KINDS = {b"XMP ": Kind.XMP, b"XMP\0": Kind.XMP, b"EXIF": Kind.EXIF, b"C2PA": Kind.C2PA}
_GIF_KINDS = {b"XMP DataXMP": Kind.XMP, b"C2PA_GIF\x01\x00\x00": Kind.C2PA}
_GIF_TRAILER = b"\x01\xff\xfe\xfd"
_TIFF_KINDS = {700: Kind.XMP, 33723: Kind.IIM, 34377: Kind.IIM, 0xCD41: Kind.C2PA}
_FORMATS: tuple[tuple[Callable[[bytes], bool], Callable[[bytes, Blocks], None]], ...] = (
    (lambda body: body.startswith(b"\xff\xd8"), _read_jpeg),
    (lambda body: body.startswith(b"\x89PNG\r\n\x1a\n"), _read_png),
    (lambda body: body[:4] == b"RIFF" and body[8:12] == b"WEBP", _read_webp),
    (lambda body: body.startswith((b"GIF87a", b"GIF89a")), _read_gif),
    (is_tiff, _read_tiff),
    (lambda body: body[4:8] == b"ftyp" or body.startswith(_JXL_SIGNATURE), _read_boxes),
)
