"""Find the metadata blocks of a picture file: bytes -> XMP packets, IIM, Exif and C2PA boxes, each with its place.

    JPEG    APP1 XMP, APP1 extended XMP (joined), APP13 IIM, APP1 Exif, APP11 JUMBF; up to the first scan
    PNG     iTXt XML:com.adobe.xmp (may be compressed), eXIf, caBX; also behind the picture data; see `png`
    WebP    chunks "XMP ", EXIF, C2PA
    GIF     application extensions XMP DataXMP, C2PA_GIF
    TIFF    tags 700 (XMP), 33723 and 34377 (IIM), 0xCD41 (C2PA), and its rights tags as Exif's; what stands in the
            directory of a later page is said of that page
    AVIF, HEIC, JPEG XL, JPEG 2000    boxes and items, see `boxes`
    others  a sidecar is one packet; in all others, and in files of boxes, packets are looked for in the bytes

Places that no specification names are looked at too, for refusals: Exif tag 700, Photoshop resource 0x0424, an APP1
segment of another name, the text chunks of `png`. Whatever is found there permits nothing.

No pixel is decoded, so no decoder is at risk. Nothing raises: a broken file gives what was found, and a kind whose
block is evidently there and not whole stands in `cut`. Trailing bytes behind the end of a format do not count.

Bounds: what `blocks` keeps, decompressed text included; `STEPS_MAX` blocks walked over, where more leave doubt; time
linear in the bytes.

Source: XMP part 3 (2020) 1.1; T.81 B.1; PNG third edition 5, 11.3.3; the WebP container; GIF89a; C2PA 1.4 A.3.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from checker.signals.blocks import KIND_BYTES_MAX, STEPS_MAX, XMP_NAME, Block, Blocks, Kind
from checker.signals.boxes import JP2_SIGNATURE, JXL_SIGNATURE, read_boxes
from checker.signals.iim import add_resources
from checker.signals.png import read_png
from checker.signals.tiff import is_tiff, read_tags
from checker.signals.xmp import is_packet

_XMP_TAG = 700
_EXTENSION_NAME = b"http://ns.adobe.com/xmp/extension/\0"
_PACKET = re.compile(rb"<(x:x[am]pmeta|rdf:RDF)\b.*?(</\1>|\Z)", re.DOTALL)
_EXTENDED_BY = re.compile(rb"HasExtendedXMP\s*(?:=\s*[\"']|>)\s*([0-9A-Fa-f]{32})")
_C2PA_LABEL = b"c2pa\0"


def find_blocks(body: bytes) -> Blocks:
    """Find the metadata blocks of a picture or of a sidecar file. Never raises.

    Args:
        body: the whole file, of any format; what is none that is known gives packets that stand in its bytes.
    """
    blocks = Blocks()
    for begins, read in _FORMATS:
        if begins(body):
            read(body, blocks)
            _add_xmp_of_exif(blocks)
            return blocks
    if is_packet(body):
        blocks.add(Kind.XMP, "sidecar", body)
        if not blocks.found:
            blocks.add(Kind.XMP, "sidecar", body[:KIND_BYTES_MAX], exact=False)
        return blocks
    _find_packets(body, blocks)
    return blocks


def _add_xmp_of_exif(blocks: Blocks) -> None:
    """Some programs keep a packet in the Exif of another format, as a TIFF does. No specification puts it there."""
    for block in blocks.of(Kind.EXIF):
        if block.place != "TIFF":
            for packet in read_tags(block.body, (_XMP_TAG,)).values.get(_XMP_TAG, []):
                blocks.add(Kind.XMP, f"{block.place} tag {_XMP_TAG} XMP", packet, exact=False)


def _read_jpeg(body: bytes, blocks: Blocks) -> None:
    blocks.mime = "image/jpeg"
    photoshop: list[bytes] = []
    extension = _Extension()
    main_packets: list[bytes] = []
    for marker, data, whole in _jpeg_segments(body, blocks):
        kind = None
        if marker == 0xE1 and data.startswith(XMP_NAME):
            kind = Kind.XMP
            main_packets.append(data[len(XMP_NAME) :])
            blocks.add(Kind.XMP, "JPEG APP1 XMP", main_packets[-1], exact=whole)
        elif marker == 0xE1 and data.startswith(_EXTENSION_NAME):
            kind = Kind.XMP
            extension.add(data[len(_EXTENSION_NAME) :])
        elif marker == 0xE1 and data.startswith(b"Exif\0"):
            blocks.add(Kind.EXIF, "JPEG APP1 Exif", data[6:])
        elif marker == 0xE1 and is_packet(data[data.find(b"<") :][:4096]):
            blocks.add(Kind.XMP, "JPEG APP1 XMP under another name", data[data.find(b"<") :], exact=False)
        elif marker == 0xED and data.startswith(b"Photoshop 3.0\0"):
            photoshop.append(data[14:])
        elif marker == 0xEB and data.startswith(b"JP") and data[12:16] == b"jumb":
            kind = Kind.C2PA
            blocks.add(Kind.C2PA, "JPEG APP11 JUMBF", data[8:], exact=_C2PA_LABEL in data[:200])
        if kind is not None and not whole:
            blocks.cut[kind] = f"JPEG APP{marker - 0xE0} {kind}: cut off or damaged"
    extension.join(blocks, main_packets)
    add_resources(b"".join(photoshop), "JPEG APP13 IIM", blocks)


def _jpeg_segments(body: bytes, blocks: Blocks) -> Iterator[tuple[int, bytes, bool]]:
    """Marker, payload, and whether it is all there, of each segment before the first scan.

    Decoders pass over bytes between segments that belong to none, so a picture is shown whose segments go on behind
    them. What stands there counts as damaged.
    """
    at, orderly = 2, True
    for _ in range(STEPS_MAX):
        marked = body.find(b"\xff", at)
        if marked < 0:
            return
        orderly = orderly and marked == at
        at = marked + 1
        while body[at : at + 1] == b"\xff":  # fill bytes
            at += 1
        marker = body[at] if at < len(body) else 0xD9
        at += 1
        if marker in (0xDA, 0xD9):
            return
        if marker == 0:
            orderly = False
        if marker <= 0x01 or 0xD0 <= marker <= 0xD8:
            continue
        size = int.from_bytes(body[at : at + 2])
        data = body[at + 2 : at + size]
        yield marker, data, orderly and len(data) == size - 2
        at += max(size, 2)
    blocks.too_many_steps("JPEG segments")


class _Extension:
    """The parts of extended XMP, which may come in any order and carry the digest of the whole they belong to."""

    def __init__(self) -> None:
        self._parts: dict[bytes, dict[int, bytes]] = {}
        self._totals: dict[bytes, int] = {}
        self._contradicted: set[bytes] = set()

    def add(self, data: bytes) -> None:
        """Keep one part: 32 characters of digest, the size of the whole, the position of this part, its bytes."""
        digest, total, offset = data[:32], int.from_bytes(data[32:36]), int.from_bytes(data[36:40])
        known = self._parts.setdefault(digest, {}).setdefault(offset, data[40:])
        if known != data[40:] or self._totals.setdefault(digest, total) != total:
            self._contradicted.add(digest)

    def join(self, blocks: Blocks, main: Sequence[bytes]) -> None:
        """Join each extension. One that the main packet does not name, or that is not whole, permits nothing."""
        named = {digest for packet in main for digest in _EXTENDED_BY.findall(packet.replace(b"\0", b""))}
        for digest, parts in self._parts.items():
            ordered = sorted(parts.items())
            packet = b"".join(part for _, part in ordered)
            ends = [offset + len(part) for offset, part in ordered]
            whole = [offset for offset, _ in ordered] == [0, *ends[:-1]] and ends[-1] == self._totals[digest]
            whole = whole and digest not in self._contradicted
            place = "JPEG APP1 extended XMP"
            if not whole:
                blocks.cut[Kind.XMP] = f"{place}: not all parts are there"
            blocks.add(Kind.XMP, place, packet, exact=whole and digest in named)


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
    blocks.too_many_steps("WebP chunks")


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
    blocks.too_many_steps("GIF blocks")


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
        for place, value in enumerate(values):
            whole = number not in tags.cut
            of_file = place == 0 and number in tags.first
            if kind is Kind.IIM:
                add_resources(value, f"TIFF tag {number} IIM", blocks)
            else:
                blocks.add(kind, f"TIFF tag {number} {kind}", value, exact=whole and of_file)
            if not whole and kind in (Kind.XMP, Kind.C2PA):
                blocks.cut[kind] = f"TIFF tag {number} {kind}: cut off"
    blocks.found.append(Block(Kind.EXIF, "TIFF", body))
    if tags.broken:
        blocks.cut.setdefault(Kind.XMP, "TIFF directories: cut off")


def _read_boxes(body: bytes, blocks: Blocks) -> None:
    _find_packets(body, blocks, read_boxes(body, blocks))


def _find_packets(body: bytes, blocks: Blocks, seen: Sequence[range] = ()) -> None:
    """Look for packets by how they begin and end. They may be about anything, so they permit nothing."""
    for match in _PACKET.finditer(body):
        if any(match.start() in span for span in seen):
            continue
        if not match[2]:
            blocks.cut[Kind.XMP] = "XMP packet inside the file: cut off"
        blocks.add(Kind.XMP, "XMP packet inside the file", match[0][:KIND_BYTES_MAX], exact=False)


_WEBP_KINDS = {b"XMP ": Kind.XMP, b"XMP\0": Kind.XMP, b"EXIF": Kind.EXIF, b"C2PA": Kind.C2PA}
_GIF_KINDS = {b"XMP DataXMP": Kind.XMP, b"C2PA_GIF\x01\x00\x00": Kind.C2PA}
_GIF_TRAILER = b"\x01\xff\xfe\xfd"
_TIFF_KINDS = {_XMP_TAG: Kind.XMP, 33723: Kind.IIM, 34377: Kind.IIM, 0xCD41: Kind.C2PA}
_FORMATS: tuple[tuple[Callable[[bytes], bool], Callable[[bytes, Blocks], None]], ...] = (
    (lambda body: body.startswith(b"\xff\xd8"), _read_jpeg),
    (lambda body: body.startswith(b"\x89PNG\r\n\x1a\n"), read_png),
    (lambda body: body[:4] == b"RIFF" and body[8:12] == b"WEBP", _read_webp),
    (lambda body: body.startswith((b"GIF87a", b"GIF89a")), _read_gif),
    (is_tiff, _read_tiff),
    (lambda body: body[4:8] == b"ftyp" or body.startswith((JXL_SIGNATURE, JP2_SIGNATURE)), _read_boxes),
)
