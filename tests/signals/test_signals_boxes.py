"""Files made of boxes: AVIF, HEIC, JPEG XL, JPEG 2000; written by Pillow's libavif, and byte by byte."""

from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, features
from signed_pictures import mining, signed, tiff, xmp

from checker.model import Finding, Stance
from checker.signals.blocks import Kind
from checker.signals.c2pa_reader import Manifests
from checker.signals.containers import find_blocks
from checker.signals.embedded import read_picture
from checker.signals.verdict import combine, with_doubt

THREE = ("tdm", "train-ai", "train-genai")
PACKET = mining("DMI-ALLOWED")
XMP_UUID = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
JXL = b"\0\0\0\x0cJXL \r\n\x87\n"
EXIF = tiff((0x8298, 2, b"somebody\0"))


def no_manifests(body: bytes, mime: str) -> Manifests:
    raise AssertionError("no process is started for a file without C2PA boxes")


def said(findings: tuple[Finding, ...]) -> dict[str, str]:
    uses = with_doubt(combine(findings)).uses
    return {use.value: stance.value for use, stance in uses.items() if stance is not Stance.UNSPECIFIED}


def read(body: bytes) -> dict[str, str]:
    return said(read_picture(body, read_manifests=no_manifests))


def box(name: bytes, data: bytes) -> bytes:
    return (8 + len(data)).to_bytes(4) + name + data


FTYP = box(b"ftyp", b"avif\0\0\0\0")


def infe(number: int, kind: bytes, rest: bytes = b"", *, protection: int = 0) -> bytes:
    """ISO/IEC 14496-12, 8.11.6: version 2, without a name."""
    return box(b"infe", b"\2\0\0\0" + number.to_bytes(2) + protection.to_bytes(2) + kind + b"\0" + rest)


RDF = infe(1, b"mime", b"application/rdf+xml\0")
PRIMARY = infe(2, b"av01")


def meta(*infes: bytes, iloc: bytes, idat: bytes = b"", speaks_of: int | None = 2) -> bytes:
    """A `meta` box with these items (8.11.1); item 1 speaks of `speaks_of`, and 2 is the picture."""
    return box(
        b"meta",
        b"\0\0\0\0"
        + box(b"hdlr", b"\0" * 8 + b"pict" + b"\0" * 13)
        + box(b"pitm", b"\0\0\0\0\0\2")
        + box(b"iinf", b"\0\0\0\0" + len(infes).to_bytes(2) + b"".join(infes))
        + (b"" if speaks_of is None else box(b"iref", b"\0\0\0\0" + box(b"cdsc", b"\0\1\0\1" + speaks_of.to_bytes(2))))
        + box(b"idat", idat)
        + iloc,
    )


def iloc(*extents: tuple[int, int], method: int = 1, reference: int = 0) -> bytes:
    """Where item 1 lies (8.11.3): version 1, 32-bit offsets and lengths."""
    places = b"".join(offset.to_bytes(4) + length.to_bytes(4) for offset, length in extents)
    head = b"\0\1" + method.to_bytes(2) + reference.to_bytes(2) + len(extents).to_bytes(2)
    return box(b"iloc", b"\1\0\0\0\x44\0\0\1" + head + places)


def in_idat(packet: bytes = PACKET, *, kind: bytes = RDF, speaks_of: int | None = 2) -> bytes:
    return FTYP + meta(kind, PRIMARY, iloc=iloc((0, len(packet))), idat=packet, speaks_of=speaks_of)


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow writes no AVIF")
def test_what_libavif_writes_is_read() -> None:
    for key, stance in (("DMI-ALLOWED", "allow"), ("DMI-PROHIBITED", "deny")):
        exif, written = Image.Exif(), io.BytesIO()
        exif[0x8298] = "somebody"
        Image.new("RGB", (64, 64), (200, 30, 30)).save(written, "AVIF", xmp=mining(key), exif=exif)
        blocks = find_blocks(written.getvalue())
        assert [(b.place, b.body, b.exact) for b in blocks.of(Kind.XMP)] == [("item XMP", mining(key), True)]
        assert blocks.cut == {}
        findings = read_picture(written.getvalue(), read_manifests=no_manifests)
        assert said(findings) == dict.fromkeys(THREE, stance)
        assert [f.raw for f in findings if f.place == "item Exif 0x8298"] == ["copyright notice: somebody"]


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow writes no AVIF")
def test_a_picture_without_metadata_says_nothing_and_one_that_is_cut_off_in_its_items_leaves_doubt() -> None:
    written = io.BytesIO()
    Image.new("RGB", (64, 64)).save(written, "AVIF")
    body = written.getvalue()
    assert read(body) == {}
    assert read(body[:-20]) == {}, "the picture itself is cut off, not what tells of its items"
    assert read(body[: body.index(b"iinf")]) == dict.fromkeys(THREE, "unknown")
    assert read(body[: body.index(b"infe") + 6]) == dict.fromkeys(THREE, "unknown")


def test_an_item_may_lie_in_the_file_or_in_idat_in_one_piece_or_in_several_8_11_3() -> None:
    half = len(PACKET) // 2
    pieces = ((0, half), (half, len(PACKET) - half))
    assert read(FTYP + meta(RDF, PRIMARY, iloc=iloc(*pieces), idat=PACKET)) == dict.fromkeys(THREE, "allow")
    head = FTYP + meta(RDF, PRIMARY, iloc=iloc((0, 0), method=0))
    at = len(head) + 8
    body = FTYP + meta(RDF, PRIMARY, iloc=iloc((at, len(PACKET)), method=0)) + box(b"mdat", PACKET)
    assert body.index(PACKET) == at
    assert read(body) == dict.fromkeys(THREE, "allow")
    to_the_end = FTYP + meta(RDF, PRIMARY, iloc=iloc((0, 0)), idat=PACKET)
    assert read(to_the_end) == dict.fromkeys(THREE, "allow"), "length 0: all of it"


@pytest.mark.parametrize("version", [0, 1, 2])
def test_every_version_of_iloc_is_read_8_11_3(version: int) -> None:
    one = (1).to_bytes(4 if version == 2 else 2)
    # 64-bit base and length, no offset; an extent has an index of 32 bits from version 1 on, and the construction
    # method: `idat`. In version 0 everything lies in the file; `idat` stands before `iloc`, so its place is known.
    base = (FTYP + meta(RDF, PRIMARY, iloc=b"", idat=PACKET)).index(PACKET) if version == 0 else 0
    head = one + (b"\0\1" if version else b"") + b"\0\0" + base.to_bytes(8) + b"\0\1"
    extent = (b"\0\0\0\7" if version else b"") + len(PACKET).to_bytes(8)
    written = box(b"iloc", bytes([version, 0, 0, 0, 0x08, 0x84]) + one + head + extent)
    assert read(FTYP + meta(RDF, PRIMARY, iloc=written, idat=PACKET)) == dict.fromkeys(THREE, "allow")


def test_a_permission_counts_only_where_it_speaks_of_the_primary_item_8_11_12() -> None:
    assert read(in_idat(speaks_of=2)) == dict.fromkeys(THREE, "allow")
    assert read(in_idat(speaks_of=None)) == dict.fromkeys(THREE, "allow"), "of the file"
    assert read(in_idat(speaks_of=3)) == {}
    assert read(in_idat(mining("DMI-PROHIBITED"), speaks_of=3)) == dict.fromkeys(THREE, "deny")


def test_the_kind_of_an_item_is_exact_for_permissions_8_11_6() -> None:
    for kind in (b"application/RDF+xml\0", b"application/rdf+xml; charset=utf-8\0"):
        assert read(in_idat(kind=infe(1, b"mime", kind))) == {}
        refused = in_idat(mining("DMI-PROHIBITED"), kind=infe(1, b"mime", kind))
        assert read(refused) == dict.fromkeys(THREE, "deny")


@pytest.mark.parametrize(
    "kind",
    [infe(1, b"mime", b"application/rdf+xml\0deflate\0"), infe(1, b"mime", b"application/rdf+xml\0", protection=1)],
    ids=["encoded", "protected"],
)
def test_an_item_that_is_encoded_or_protected_leaves_doubt_8_11_6(kind: bytes) -> None:
    assert read(in_idat(b"\x78\x9c not read", kind=kind)) == dict.fromkeys(THREE, "unknown")


@pytest.mark.parametrize(
    "place",
    [
        iloc((0, len(PACKET) + 1)),
        iloc((2**32 - 1, 2**32 - 1)),
        iloc((len(PACKET) + 1, 0)),
        iloc((0, len(PACKET)), method=2),
        iloc((0, len(PACKET)), reference=1),
        iloc(),
        iloc((0, 10))[:-9],
        box(b"iloc", b"\1\0\0\0\x33\0\0\1" + b"\0" * 20),
        box(b"iloc", b"\3\0\0\0\x44\0\0\1" + b"\0" * 20),
        b"",
    ],
    ids=["too-long", "far", "behind", "of-items", "elsewhere", "no-piece", "cut", "sizes", "version", "none"],
)
def test_an_item_that_cannot_be_had_whole_permits_nothing_and_leaves_doubt(place: bytes) -> None:
    assert read(FTYP + meta(RDF, PRIMARY, iloc=place, idat=PACKET))["tdm"] == "unknown"


def test_a_second_meta_box_leaves_doubt() -> None:
    assert read(in_idat() + in_idat()[len(FTYP) :]) == dict.fromkeys(THREE, "unknown")


def test_packets_in_utf_16_and_without_a_wrapper_are_read_where_an_item_holds_them() -> None:
    bare = mining("DMI-PROHIBITED").partition(b"<x:xmpmeta")[2].partition(b">")[2].partition(b"</x:xmpmeta>")[0]
    assert bare.startswith(b"<rdf:RDF")
    for packet in (bare, mining("DMI-PROHIBITED").decode().encode("utf-16")):
        assert read(in_idat(packet)) == dict.fromkeys(THREE, "deny")


@pytest.mark.parametrize("start", [FTYP, b"\0\0\0\x0cjP  \r\n\x87\n" + box(b"ftyp", b"jp2 ")], ids=["AVIF", "JP2"])
def test_the_uuid_box_of_xmp_is_read_xmp_part_3(start: bytes) -> None:
    body = start + box(b"uuid", XMP_UUID + PACKET)
    assert read(body) == dict.fromkeys(THREE, "allow")
    assert read(body[:-40]) == dict.fromkeys(THREE, "unknown")
    long = start + b"\0\0\0\1uuid" + (32 + len(PACKET)).to_bytes(8) + XMP_UUID + PACKET
    assert read(long) == dict.fromkeys(THREE, "allow"), "a size of 64 bits"
    last = start + b"\0\0\0\0uuid" + XMP_UUID + PACKET
    assert read(last) == dict.fromkeys(THREE, "allow"), "a size of 0: up to the end"


def test_the_boxes_of_jpeg_xl_are_read_18181_2() -> None:
    start = JXL + box(b"ftyp", b"jxl \0\0\0\0jxl ")
    assert read(start + box(b"xml ", PACKET)) == dict.fromkeys(THREE, "allow")
    assert read(start + box(b"xml ", b"<other/>")) == {}
    assert read(start + box(b"brob", b"xml \x0b\x02\x80")) == dict.fromkeys(THREE, "unknown")
    assert read(start + box(b"brob", b"Exif\x0b\x02\x80")) == {}, "Exif holds no such term"
    shown = read_picture(start + box(b"Exif", b"\0\0\0\0" + EXIF), read_manifests=no_manifests)
    assert [(f.place, f.raw) for f in shown] == [("Exif box 0x8298", "copyright notice: somebody")]


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow writes no AVIF")
def test_the_manifest_of_an_avif_is_read_beside_its_packet() -> None:
    written = io.BytesIO()
    Image.new("RGB", (64, 64)).save(written, "AVIF", xmp=PACKET)
    entries = {"entries": {"cawg.ai_generative_training": {"use": "notAllowed"}}}
    body = signed(written.getvalue(), "image/avif", ("cawg.training-mining", entries))
    assert said(read_picture(body)) == {"tdm": "allow", "train-ai": "allow", "train-genai": "deny"}


@pytest.mark.parametrize("size", [0, 1, 7, 2**31, 2**32 - 1])
def test_sizes_that_lie_end_the_walk(size: int) -> None:
    forged = size.to_bytes(4) + b"free" + b"\0" * 20
    find_blocks(FTYP + forged)
    for name in (b"iinf", b"iloc", b"iref", b"infe", b"meta"):
        body = bytearray(in_idat())
        at = body.index(name) - 4
        body[at : at + 4] = size.to_bytes(4)
        last = size == 0 and name in (b"iloc", b"meta")  # 0 is up to the end, and these are at the end
        assert read(bytes(body)).get("tdm") == ("allow" if last else "unknown")
    huge = FTYP + b"\0\0\0\1free" + (2**63).to_bytes(8)
    assert find_blocks(huge + in_idat()).cut == {}


REAL = [
    in_idat(xmp('plus:DataMining="DMI-ALLOWED"')),
    FTYP + meta(RDF, PRIMARY, infe(3, b"Exif"), iloc=iloc((0, 9), (9, 9), method=0), idat=PACKET),
    FTYP + box(b"uuid", XMP_UUID + PACKET),
    JXL + box(b"xml ", PACKET) + box(b"Exif", b"\0\0\0\0" + EXIF),
]


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(REAL), st.data())
def test_no_change_to_a_file_of_boxes_makes_the_reader_raise_or_permit_in_doubt(
    body: bytes, data: st.DataObject
) -> None:
    changed = bytearray(body)
    for _ in range(data.draw(st.integers(1, 8))):
        changed[data.draw(st.integers(0, min(400, len(changed) - 1)))] = data.draw(st.integers(0, 255))
    for finding in read_picture(bytes(changed), read_manifests=lambda body, mime: None):
        assert not (finding.malformed and Stance.ALLOW in finding.uses.values())
