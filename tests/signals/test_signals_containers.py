"""Where XMP, IIM, Exif and C2PA boxes sit in a file, whole, cut off and hostile."""

from __future__ import annotations

import hashlib
import io
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from signed_pictures import XMP_NAME, extended, gif, iim, itxt, jpeg, mining, plain, png, tiff, webp, xmp

from checker.signals.blocks import BLOCKS_MAX, KIND_BYTES_MAX, Kind
from checker.signals.containers import find_blocks

PACKET = mining("DMI-PROHIBITED")
JUMBF = (
    b"JP\0\1\0\0\0\1" + b"\0\0\0\x40jumb\0\0\0\x1ejumdc2pa\0\x11\0\x10\x80\0\0\xaa\0\x38\x9b\x71\x03c2pa\0" + b"\0" * 30
)
LONG = xmp(elements=f"<dc:description>{'long ' * 30_000}</dc:description>")
DIGEST = hashlib.md5(LONG, usedforsecurity=False).hexdigest().upper().encode()
MAIN = (1, XMP_NAME + xmp(f'xmpNote:HasExtendedXMP="{DIGEST.decode()}"'))


def packets(body: bytes) -> list[tuple[bytes, bool]]:
    return [(block.body, block.exact) for block in find_blocks(body).of(Kind.XMP)]


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (jpeg((1, XMP_NAME + PACKET)), "JPEG APP1 XMP"),
        (jpeg((1, b"Exif\0\0II*\0"), (2, b"x"), (1, XMP_NAME + PACKET)), "JPEG APP1 XMP"),
        (png(itxt(PACKET)), "PNG iTXt XMP"),
        (png(itxt(PACKET, compressed=True)), "PNG iTXt XMP"),
        (png(itxt(PACKET), at_end=True), "PNG iTXt XMP"),
        (webp((b"XMP ", PACKET)), "WebP XMP chunk"),
        (gif(PACKET), "GIF XMP extension"),
        (tiff((700, 7, PACKET)), "TIFF tag 700 XMP"),
        (PACKET, "sidecar"),
        (PACKET.decode().encode("utf-16"), "sidecar"),
    ],
    ids=["jpeg", "jpeg-behind", "png", "png-compressed", "png-end", "webp", "gif", "tiff", "sidecar", "sidecar-utf-16"],
)
def test_xmp_is_found_where_each_format_puts_it(body: bytes, place: str) -> None:
    blocks = find_blocks(body)
    (block,) = blocks.of(Kind.XMP)
    assert block.place == place
    assert block.exact
    assert blocks.cut == {}
    assert block.body == (body if place == "sidecar" else PACKET)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_what_pillow_writes_is_found(format: str) -> None:
    body = io.BytesIO()
    image = Image.new("RGB", (16, 16))
    exif = Image.Exif()
    exif[0x8298] = "somebody"
    if format == "PNG":
        from PIL.PngImagePlugin import PngInfo

        info = PngInfo()
        info.add_itxt("XML:com.adobe.xmp", PACKET.decode(), zip=True)
        image.save(body, format, pnginfo=info, exif=exif)
    elif format == "TIFF":
        image.save(body, format, tiffinfo={700: PACKET, 0x8298: "somebody"})
    else:
        image.save(body, format, xmp=PACKET, exif=exif)
    blocks = find_blocks(body.getvalue())
    assert [block.body for block in blocks.of(Kind.XMP)] == [PACKET]
    assert b"somebody" in blocks.of(Kind.EXIF)[0].body
    assert blocks.cut == {}


def test_pillow_reads_the_gif_that_these_tests_write() -> None:
    with Image.open(io.BytesIO(gif(PACKET))) as image:
        image.load()
        assert image.size == (16, 16)


def test_a_packet_in_the_sub_blocks_of_a_gif_is_read_too() -> None:
    body = gif(b"")
    at = body.index(b"XMP DataXMP") + 11
    parts = b"".join(bytes([len(PACKET[n : n + 200])]) + PACKET[n : n + 200] for n in range(0, len(PACKET), 200))
    assert packets(body[:at] + parts + b"\0" + body[at + 258 :]) == [(PACKET, True)]


def test_parts_of_extended_xmp_may_come_in_any_order() -> None:
    parts = extended(LONG, DIGEST)
    assert len(parts) == 3
    for order in ((0, 1, 2), (2, 0, 1), (2, 1, 0)):
        blocks = find_blocks(jpeg(MAIN, *(parts[n] for n in order)))
        assert [(b.body, b.exact) for b in blocks.of(Kind.XMP)][1:] == [(LONG, True)]
        assert blocks.cut == {}
    assert packets(jpeg(*parts[::-1], MAIN))[1] == (LONG, True), "before the main packet"


def test_extended_xmp_with_a_missing_part_is_kept_as_cut_off() -> None:
    parts = extended(LONG, DIGEST)
    for missing in range(3):
        rest = [part for n, part in enumerate(parts) if n != missing]
        blocks = find_blocks(jpeg(MAIN, *rest))
        assert [block.exact for block in blocks.of(Kind.XMP)] == [True, False]
        assert Kind.XMP in blocks.cut


def test_extended_xmp_that_the_main_packet_does_not_name_permits_nothing() -> None:
    parts = extended(LONG, b"0" * 32)
    assert packets(jpeg(MAIN, *parts))[1] == (LONG, False)


@pytest.mark.parametrize("total", [0, 2**32 - 1])
def test_a_stated_size_is_not_believed(total: int) -> None:
    (number, data), *rest = extended(LONG, DIGEST)
    forged = [(n, d[:67] + total.to_bytes(4) + d[71:]) for n, d in ((number, data), *rest)]
    assert Kind.XMP in find_blocks(jpeg(MAIN, *forged)).cut


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (jpeg((1, XMP_NAME + PACKET))[:200], Kind.XMP),
        (png(itxt(PACKET))[:200], Kind.XMP),
        (png(itxt(PACKET)).replace(b"DMI-PROHIBITED", b"DMI-ALLOWED\0\0\0"), Kind.XMP),
        (webp((b"XMP ", PACKET))[:-20], Kind.XMP),
        (gif(PACKET)[:100], Kind.XMP),
        (tiff((700, 7, PACKET))[:-20], Kind.XMP),
        (jpeg((11, JUMBF))[:60], Kind.C2PA),
        (png((b"caBX", JUMBF[8:]))[:60], Kind.C2PA),
    ],
)
def test_a_block_that_is_evidently_cut_off_or_damaged_is_marked(body: bytes, kind: Kind) -> None:
    blocks = find_blocks(body)
    assert set(blocks.cut) == {kind}
    assert not blocks.of(kind) or kind is Kind.C2PA or not blocks.of(kind)[0].exact


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "GIF", "TIFF"])
def test_a_picture_without_metadata_that_is_cut_off_leaves_no_mark(format: str) -> None:
    body = plain(format, side=64)
    for size in (len(body), len(body) - 40, len(body) // 2, *(() if format == "TIFF" else (30, 10))):
        blocks = find_blocks(body[:size])
        assert [block for block in blocks.found if block.place != "TIFF"] == []
        assert blocks.cut == {}


def test_a_tiff_whose_directory_is_cut_off_is_marked() -> None:
    for size in (7, 30, 60):
        assert Kind.XMP in find_blocks(plain("TIFF")[:size]).cut


def test_what_stands_behind_the_end_of_a_file_does_not_count() -> None:
    for body in (plain("PNG"), plain("WEBP"), plain("GIF"), plain("JPEG")):
        assert find_blocks(body + png(itxt(PACKET))[8:]).found == []


def test_c2pa_boxes_are_told_from_other_jumbf() -> None:
    other = JUMBF.replace(b"c2pa", b"else")
    assert [(b.place, b.exact) for b in find_blocks(jpeg((11, JUMBF))).of(Kind.C2PA)] == [("JPEG APP11 JUMBF", True)]
    assert [b.exact for b in find_blocks(jpeg((11, other), (11, JUMBF))).of(Kind.C2PA)] == [False, True]
    assert find_blocks(jpeg((11, b"HDR_RI ver=11"))).of(Kind.C2PA) == [], "APP11 has other users"
    assert [b.place for b in find_blocks(png((b"caBX", JUMBF[8:]))).of(Kind.C2PA)] == ["PNG caBX C2PA"]
    assert [b.place for b in find_blocks(webp((b"C2PA", JUMBF[8:]))).of(Kind.C2PA)] == ["WebP C2PA chunk"]


def test_iim_is_found_in_photoshop_resources_spread_over_segments() -> None:
    resources = iim((116, b"somebody"), (80, b"a name"))
    head, rest = resources[:40], b"Photoshop 3.0\0" + resources[40:]
    (block,) = find_blocks(jpeg((13, head), (13, rest))).of(Kind.IIM)
    assert block.body == b"\x1c\x02\x74\0\x08somebody\x1c\x02\x50\0\x06a name"
    assert find_blocks(tiff((33723, 7, block.body))).of(Kind.IIM)[0].body == block.body


def box(name: bytes, data: bytes) -> bytes:
    return (8 + len(data)).to_bytes(4) + name + data


def test_packets_that_stand_in_no_place_of_a_format_refuse_only() -> None:
    core = PACKET[PACKET.index(b"<x:xmpmeta") : PACKET.index(b"<?xpacket end")]
    avif = box(b"ftyp", b"avif\0\0\0\0") + box(b"mdat", b"\0\1" + core + b"\2")
    jxl = b"\0\0\0\x0cJXL \r\n\x87\n" + box(b"ftyp", b"jxl ") + box(b"jxlc", core)
    for body, mime in ((avif, "image/avif"), (jxl, "image/jxl"), (b"anything" + core, "")):
        blocks = find_blocks(body)
        assert blocks.mime == mime
        assert [(b.body, b.exact) for b in blocks.of(Kind.XMP)] == [(core, False)]
    assert Kind.XMP in find_blocks(avif[:-60]).cut
    manifest = box(b"uuid", bytes.fromhex("d8fec3d61b0e483c92975828877ec481") + b"\0" * 40)
    assert find_blocks(avif + manifest).of(Kind.C2PA)[0].exact


def test_a_compressed_box_of_jpeg_xl_is_not_read_and_marked() -> None:
    jxl = b"\0\0\0\x0cJXL \r\n\x87\n" + box(b"ftyp", b"jxl ") + box(b"brob", b"xml \x0b\x02\x80")
    assert Kind.XMP in find_blocks(jxl).cut


def test_a_compressed_bomb_is_opened_no_further_than_the_bound() -> None:
    bomb = itxt(b" " * (KIND_BYTES_MAX + 2), compressed=True)
    assert len(bomb[1]) < 20_000
    blocks = find_blocks(png(*[bomb] * 50))
    assert Kind.XMP in blocks.cut
    assert sum(len(block.body) for block in blocks.found) <= KIND_BYTES_MAX
    assert not any(block.exact for block in blocks.found)


def test_compressed_text_that_cannot_be_opened_is_marked() -> None:
    name, data = itxt(PACKET, compressed=True)
    assert Kind.XMP in find_blocks(png((name, data[:-10]))).cut
    assert Kind.XMP in find_blocks(png((name, data[:22] + b"no zlib"))).cut


def test_bytes_between_the_segments_of_a_jpeg_are_passed_over_as_decoders_do() -> None:
    body = jpeg((1, XMP_NAME + PACKET))
    littered = body[:2] + b"\0litter\xff\0more" + body[2:]
    with Image.open(io.BytesIO(b"\xff\xd8\xff\xe0\0\2litter" + body[2:])) as image:
        image.load()
        assert image.size == (16, 16), "libjpeg shows such a picture"
    blocks = find_blocks(littered)
    assert packets(littered) == [(PACKET, False)]
    assert Kind.XMP in blocks.cut


def test_parts_of_extended_xmp_that_contradict_each_other_permit_nothing() -> None:
    parts = extended(LONG, DIGEST)
    other = extended(LONG.replace(b"long", b"else"), DIGEST)
    blocks = find_blocks(jpeg(MAIN, *parts, other[1]))
    assert [block.exact for block in blocks.of(Kind.XMP)] == [True, False]
    assert Kind.XMP in blocks.cut


@pytest.mark.parametrize(
    "body",
    [
        jpeg((1, b"another name\0" + PACKET)),
        jpeg((1, b"Exif\0\0" + tiff((700, 7, PACKET)))),
        webp((b"EXIF", tiff((700, 1, PACKET)))),
        jpeg((13, b"Photoshop 3.0\x008BIM\x04\x24\0\0" + len(PACKET).to_bytes(4) + PACKET + b"\0")),
        b"unknown" + PACKET.replace(b"x:xmpmeta", b"y"),
    ],
    ids=["APP1", "Exif in JPEG", "Exif in WebP", "Photoshop", "rdf:RDF alone"],
)
def test_packets_in_places_that_no_specification_names_refuse_only(body: bytes) -> None:
    blocks = find_blocks(body)
    assert [block.exact for block in blocks.of(Kind.XMP)] == [False]
    assert b"DMI-PROHIBITED" in blocks.of(Kind.XMP)[0].body


def test_what_stands_in_the_directory_of_a_later_page_is_not_said_of_the_file() -> None:
    first, second = tiff((270, 2, b"first page")), tiff((700, 7, PACKET))
    # The second directory lies behind the first file; its values move along with it.
    at, pointer = len(first), 22  # behind two bytes of count and one entry of twelve
    moved = second[8:18] + (int.from_bytes(second[18:22], "little") + at - 8).to_bytes(4, "little") + second[22:]
    body = first[:pointer] + at.to_bytes(4, "little") + first[pointer + 4 :] + moved
    assert packets(body) == [(PACKET, False)]


def test_more_packets_than_are_read_leave_a_mark() -> None:
    blocks = find_blocks(png(*[itxt(PACKET)] * (BLOCKS_MAX + 1)))
    assert len(blocks.found) == BLOCKS_MAX
    assert Kind.XMP in blocks.cut


@pytest.mark.parametrize(
    "body",
    [
        b"\xff\xd8" + b"\xff\xe1\0\2" * 1_000_000,
        b"\xff\xd8" + b"\xff" * 4_000_000,
        b"\x89PNG\r\n\x1a\n" + (b"\0\0\0\x16iTXtXML:com.adobe.xmp\0\0\0\0\0" + b"\0" * 4) * 100_000,
        b"RIFF\xff\xff\xff\xffWEBP" + b"XMP \0\0\0\0" * 500_000,
        b"GIF89a" + b"\0" * 7 + b"!\xff\x0bXMP DataXMP" + b"\1A" * 2_000_000,
        b"GIF89a" + b"\0" * 7 + b"!\xf9\0" * 1_000_000,
        b"II*\0\x08\0\0\0" + b"\xff\xff" + b"\xbc\x02\7\0\0\0\0\2\0\0\0\0" * 65_535,
        b"II*\0\x08\0\0\0" + b"\0\0\x08\0\0\0",
        b"<x:xmpmeta " * 500_000,
        b"\0\0\0\x08ftyp" * 500_000,
    ],
    ids=["segments", "fill", "chunks", "riff", "gif-chain", "gif-blocks", "tags", "circle", "scan", "boxes"],
)
def test_hostile_chains_are_walked_in_linear_time(body: bytes) -> None:
    started = time.process_time()
    find_blocks(body)
    assert time.process_time() - started < 3.0


REAL = [
    jpeg((1, XMP_NAME + PACKET), *extended(PACKET, b"A" * 32, 100), (11, JUMBF), (13, iim((116, b"c")))),
    png(itxt(PACKET, compressed=True), (b"caBX", JUMBF[8:])),
    webp((b"XMP ", PACKET), (b"EXIF", b"II*\0\x08\0\0\0\0\0")),
    gif(PACKET),
    tiff((700, 7, PACKET), (0x8298, 2, b"somebody\0")),
    box(b"ftyp", b"avif\0\0\0\0") + box(b"mdat", PACKET),
]


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(REAL), st.data())
def test_no_change_to_a_real_file_makes_the_reader_raise(body: bytes, data: st.DataObject) -> None:
    changed = bytearray(body)
    for _ in range(data.draw(st.integers(1, 8))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    changed = changed[: data.draw(st.integers(0, len(changed)))]
    blocks = find_blocks(bytes(changed))
    assert sum(len(block.body) for block in blocks.found) <= 4 * len(body) + KIND_BYTES_MAX


@settings(max_examples=200, deadline=None)
@given(st.sampled_from([b"", *(body[:n] for body in REAL for n in (2, 8, 13))]), st.binary(max_size=200))
def test_no_bytes_make_the_reader_raise(start: bytes, rest: bytes) -> None:
    find_blocks(start + rest)
