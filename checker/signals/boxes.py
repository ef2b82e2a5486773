"""Find the metadata blocks of files made of boxes: AVIF, HEIC, JPEG XL and JPEG 2000.

    uuid BE7ACFCB...    XMP; uuid D8FEC3D6... is C2PA; both on the outermost level
    meta                items: `iinf` tells their kinds (mime application/rdf+xml, Exif), `iloc` where they lie, in the
                        file or in `idat`, `iref` of which item they speak, `pitm` which one the file is about
    xml, Exif, jumb     of JPEG XL, on the outermost level; brob, which is compressed, is not read and leaves doubt

An item that speaks of another item than the primary one, is protected or encoded, lies in another file, or not within
this one, permits nothing. No box is read twice and none is entered but `meta` and what it holds.

Bounds: `STEPS_MAX` boxes, items and extents, those that are skipped not counted; what `Blocks` keeps.

Source: ISO/IEC 14496-12, 4.2 and 8.11; ISO/IEC 23008-12, 6.2 and Annex A (Exif, XMP); ISO/IEC 18181-2, 9 (JPEG XL);
XMP part 3 (2020) for the identifier of the uuid box; C2PA 1.4 A.3.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from checker.signals.blocks import BLOCKS_MAX, STEPS_MAX, Blocks, Kind
from checker.signals.xmp import is_packet

JXL_SIGNATURE = b"\0\0\0\x0cJXL \r\n\x87\n"
JP2_SIGNATURE = b"\0\0\0\x0cjP  \r\n\x87\n"

_XMP_UUID = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_C2PA_UUID = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
_C2PA_LABEL = b"c2pa\0"
_RDF_XML = b"application/rdf+xml"
_MIMES = {b"avif": "image/avif", b"avis": "image/avif", b"heic": "image/heic", b"heix": "image/heic"}
ITEMS_MAX = 2 * BLOCKS_MAX
"""Metadata items of a file that are looked at. Each may point at the same bytes. Real files have two."""

_IN_FILE, _IN_IDAT = 0, 1
"""Construction methods of an item (14496-12, 8.11.3); 2, out of other items, is not read."""


@dataclass(frozen=True, slots=True)
class _Box:
    name: bytes
    start: int
    """Of its content."""
    end: int
    whole: bool
    """False: it claims more bytes than there are."""


@dataclass(slots=True)
class _Item:
    kind: Kind
    exact: bool = True
    """Its kind is told in the exact words."""
    plain: bool = True
    """It is neither protected nor encoded."""
    places: list[_Place] = field(default_factory=list)
    speaks_of: set[int] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class _Place:
    method: int
    extents: tuple[tuple[int, int], ...]
    """Position and length; the base is added. Length 0: up to the end of what it lies in."""


class _BrokenError(ValueError):
    """A box does not hold what it says; raised and caught in this file."""


class _Cursor:
    """Reads numbers and strings of a box, and counts what is walked over."""

    def __init__(self, body: bytes, box: _Box, at: int = 0) -> None:
        self.body, self.at, self.end = body, box.start + at, box.end
        self.steps = 0

    def number(self, size: int) -> int:
        self.steps += 1
        if self.at + size > self.end or self.steps > STEPS_MAX:
            raise _BrokenError
        self.at += size
        return int.from_bytes(self.body[self.at - size : self.at])

    def text(self) -> bytes:
        """Up to a NUL; what has none ends with the box."""
        end = self.body.find(b"\0", self.at, self.end)
        start, self.at = self.at, self.end if end < 0 else end + 1
        return self.body[start : self.end if end < 0 else end]


def read_boxes(body: bytes, blocks: Blocks) -> list[range]:
    """Find the blocks of a file made of boxes. Never raises.

    Returns:
        Where the XMP that was found begins: whoever looks for packets in all the bytes has seen what begins there.
    """
    jxl = body.startswith(JXL_SIGNATURE)
    jp2 = body.startswith(JP2_SIGNATURE)
    blocks.mime = "image/jxl" if jxl else "image/jp2" if jp2 else _MIMES.get(body[8:12], "image/heif")
    seen: list[range] = []
    metas = end = 0
    for steps, box in enumerate(_boxes(body, _Box(b"", 0, len(body), whole=True))):
        head = body[box.start : min(box.start + 4096, box.end)]
        end = box.end
        if box.name == b"meta":
            metas += 1
            seen += _read_meta(body, box, blocks) if metas == 1 else []
        elif box.name == b"uuid" and head.startswith(_XMP_UUID):
            seen += _add_xmp(body, _Box(box.name, box.start + 16, box.end, box.whole), blocks)
        elif box.name == b"xml " and jxl and is_packet(head):
            seen += _add_xmp(body, box, blocks)
        elif box.name == b"Exif" and jxl:
            _add_exif(body[box.start : box.end], "Exif box", blocks)
        elif box.name == b"jumb" or (box.name == b"uuid" and head.startswith(_C2PA_UUID)):
            exact = box.name == b"uuid" or _C2PA_LABEL in head[:200]
            blocks.add(Kind.C2PA, f"{box.name.decode()} box JUMBF", head, exact=exact)
        elif box.name == b"brob" and head.startswith((b"xml ", b"jumb")):
            kind = Kind.XMP if head.startswith(b"xml ") else Kind.C2PA
            blocks.cut[kind] = f"brob box {kind}: this compression is not read"
        if steps == STEPS_MAX:
            blocks.too_many_steps("boxes")
    if metas > 1:
        blocks.cut.setdefault(Kind.XMP, "meta boxes: more than the one that a file has")
    if not metas and not jxl and not jp2 and end + 8 < len(body):
        blocks.cut.setdefault(Kind.XMP, "boxes: they end in bytes that are none, before any tells of metadata")
    return seen


def _boxes(body: bytes, outer: _Box, at: int = 0) -> Iterator[_Box]:
    """The boxes inside of another one, one more than `STEPS_MAX` at most. Size 0: up to its end; 1: 64 bits follow."""
    at += outer.start
    for _ in range(STEPS_MAX + 1):
        size, name = int.from_bytes(body[at : at + 4]), body[at + 4 : at + 8]
        header = 16 if size == 1 else 8
        if at + header > outer.end:
            return
        size = int.from_bytes(body[at + 8 : at + 16]) if size == 1 else size or outer.end - at
        if size < header:
            return
        yield _Box(name, at + header, min(at + size, outer.end), at + size <= outer.end)
        at += size


def _add_xmp(body: bytes, box: _Box, blocks: Blocks) -> list[range]:
    place = f"{box.name.decode().strip()} box XMP"
    if not box.whole:
        blocks.cut[Kind.XMP] = f"{place}: cut off"
    there = len(blocks.found)
    blocks.add(Kind.XMP, place, body[box.start : box.end], exact=box.whole)
    return [range(box.start, box.end)] if len(blocks.found) > there else []


def _add_exif(data: bytes, place: str, blocks: Blocks) -> None:
    """The first four bytes say how far behind them the TIFF header is."""
    blocks.add(Kind.EXIF, place, data[4 + int.from_bytes(data[:4]) :])


def _read_meta(body: bytes, meta: _Box, blocks: Blocks) -> list[range]:
    inner: dict[bytes, _Box] = {}
    for box in _boxes(body, meta, 4):
        inner.setdefault(box.name, box)
    items: dict[int, _Item] = {}
    # A picture's file says what its items are; where it does not, nobody knows.
    broken = {b"iinf"} - set(inner)
    if not meta.whole:
        broken.add(b"meta")
    for name, read in ((b"iinf", _read_kinds), (b"iloc", _read_places), (b"iref", _read_references)):
        try:
            if name in inner:
                read(body, inner[name], items)
                if not inner[name].whole:
                    raise _BrokenError
        except _BrokenError:
            broken.add(name)
    if b"iinf" in broken or (broken and any(item.kind is Kind.XMP for item in items.values())):
        blocks.cut[Kind.XMP] = "items of the file: they cannot be read"
    primary = _primary(body, inner.get(b"pitm"))
    seen: list[range] = []
    for item in islice(items.values(), ITEMS_MAX):
        item.exact = item.exact and not broken and (not item.speaks_of or primary in item.speaks_of)
        seen += _add_item(body, item, inner.get(b"idat"), blocks)
    if len(items) > ITEMS_MAX:
        blocks.cut[Kind.XMP] = "items of the file: more than are read"
    return seen


def _read_kinds(body: bytes, box: _Box, items: dict[int, _Item]) -> None:
    """`iinf`: the items that are metadata, by number."""
    cursor = _Cursor(body, box)
    version = cursor.number(4) >> 24
    count = cursor.number(2 if version == 0 else 4)
    read = 0
    for entry in _boxes(body, box, cursor.at - box.start):
        if entry.name != b"infe":
            continue
        read += 1
        if read > min(count, STEPS_MAX) or not entry.whole:
            raise _BrokenError
        inside = _Cursor(body, entry)
        version = inside.number(4) >> 24
        number = inside.number(4 if version == 3 else 2)
        protected = inside.number(2) != 0
        kind = body[inside.at : inside.at + 4] if version >= 2 else b"mime"
        inside.at += 4 if version >= 2 else 0
        inside.text()
        if kind == b"Exif":
            items[number] = _Item(Kind.EXIF)
        elif kind == b"mime":
            media_type, encoding = inside.text(), inside.text()
            if media_type.strip().lower().startswith(_RDF_XML):
                plain = not protected and not encoding
                items[number] = _Item(Kind.XMP, exact=media_type == _RDF_XML, plain=plain)
    if read < count:
        raise _BrokenError


def _read_places(body: bytes, box: _Box, items: dict[int, _Item]) -> None:
    """`iloc`: where the metadata items lie. The extents of others are skipped, not walked over."""
    cursor = _Cursor(body, box)
    version = cursor.number(4) >> 24
    sizes = cursor.number(2)
    offset_size, length_size, base_size, index_size = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
    index_size = index_size if version in (1, 2) else 0
    if version > 2 or {offset_size, length_size, base_size, index_size} - {0, 4, 8}:
        raise _BrokenError
    for _ in range(cursor.number(4 if version == 2 else 2)):
        item = items.get(cursor.number(4 if version == 2 else 2))
        method = cursor.number(2) & 15 if version else _IN_FILE
        elsewhere = cursor.number(2) != 0
        base = cursor.number(base_size)
        count = cursor.number(2)
        if item is None:
            cursor.at += count * (index_size + offset_size + length_size)
            continue
        extents = []
        for _ in range(count):
            cursor.number(index_size)
            extents.append((base + cursor.number(offset_size), cursor.number(length_size)))
        # What lies in another file is not to be had, like what is put together from other items.
        item.places.append(_Place(-1 if elsewhere else method, tuple(extents)))


def _read_references(body: bytes, box: _Box, items: dict[int, _Item]) -> None:
    """`iref`: of which items the metadata items speak (`cdsc`)."""
    id_size = 4 if _Cursor(body, box).number(4) >> 24 else 2
    for reference in _boxes(body, box, 4):
        cursor = _Cursor(body, reference)
        item = items.get(cursor.number(id_size))
        if item is not None and reference.name == b"cdsc":
            item.speaks_of.update(cursor.number(id_size) for _ in range(cursor.number(2)))


def _primary(body: bytes, box: _Box | None) -> int | None:
    try:
        cursor = _Cursor(body, box) if box is not None else None
        return cursor.number(4 if cursor.number(4) >> 24 else 2) if cursor is not None else None
    except _BrokenError:
        return None


def _add_item(body: bytes, item: _Item, idat: _Box | None, blocks: Blocks) -> list[range]:
    place = f"item {item.kind}"
    source: _Box | None = None
    if len(item.places) == 1:
        source = {_IN_FILE: _Box(b"", 0, len(body), whole=True), _IN_IDAT: idat}.get(item.places[0].method)
    spans, whole = _spans(item.places[0], source, blocks.bytes_left(item.kind)) if source else ([], False)
    data = b"".join(body[span.start : span.stop] for span in spans)
    if item.kind is Kind.EXIF:
        _add_exif(data, place, blocks)
        return []
    if not whole or not item.plain:
        blocks.cut[item.kind] = f"{place}: encoded, not whole, or not within this file"
    if item.plain:
        blocks.add(item.kind, place, data, exact=item.exact and whole)
    return spans[:1]


def _spans(place: _Place, source: _Box, bytes_max: int) -> tuple[list[range], bool]:
    """The bytes of an item, and whether these are all of them."""
    spans: list[range] = []
    for offset, length in place.extents:
        start = source.start + offset
        end = start + length if length else source.end
        bytes_max -= end - start
        if start > source.end or end > source.end or bytes_max < 0:
            return spans, False
        spans.append(range(start, end))
    return spans, bool(spans)
