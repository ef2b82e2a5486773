"""Text chunks of a PNG: the form of the specification, shortcuts of programs, and ImageMagick's raw profiles."""

from __future__ import annotations

import io
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from signed_pictures import XMP_NAME, iim, itxt, mining, png, tiff

from checker.model import Finding, Stance
from checker.signals.blocks import Kind
from checker.signals.c2pa_reader import Manifests
from checker.signals.containers import find_blocks
from checker.signals.embedded import read_picture
from checker.signals.verdict import combine, with_doubt

THREE = ("tdm", "train-ai", "train-genai")
REFUSED, ALLOWED = mining("DMI-PROHIBITED"), mining("DMI-ALLOWED")


def no_manifests(body: bytes, mime: str) -> Manifests:
    raise AssertionError("no process is started for a file without C2PA boxes")


def findings_in(body: bytes) -> tuple[Finding, ...]:
    return read_picture(body, read_manifests=no_manifests)


def said(body: bytes) -> dict[str, str]:
    uses = with_doubt(combine(findings_in(body))).uses
    return {use.value: stance.value for use, stance in uses.items() if stance is not Stance.UNSPECIFIED}


def raw_profile(name: str, data: bytes, *, chunk: bytes = b"zTXt", length: int | None = None) -> tuple[bytes, bytes]:
    """A profile as ImageMagick writes it: its name, its size in eight columns, lines of 36 bytes in digits."""
    lines = [data[at : at + 36].hex() for at in range(0, len(data), 36)]
    text = "\n".join(("", name, f"{len(data) if length is None else length:8}", *lines, "")).encode()
    keyword = f"Raw profile type {name}".encode() + b"\0"
    if chunk == b"iTXt":
        return chunk, keyword + b"\1\0\0\0" + zlib.compress(text)
    return chunk, keyword + (b"\0" + zlib.compress(text) if chunk == b"zTXt" else text)


@pytest.mark.parametrize("chunk", [b"zTXt", b"tEXt", b"iTXt"])
@pytest.mark.parametrize(("name", "start"), [("xmp", b""), ("XMP", b""), ("APP1", XMP_NAME)])
def test_a_packet_in_a_raw_profile_refuses_and_never_permits(chunk: bytes, name: str, start: bytes) -> None:
    assert said(png(raw_profile(name, start + REFUSED, chunk=chunk))) == dict.fromkeys(THREE, "deny")
    assert said(png(raw_profile(name, start + ALLOWED, chunk=chunk), at_end=True)) == {}


def test_the_rights_fields_of_raw_profiles_are_shown() -> None:
    exif = b"Exif\0\0" + tiff((0x8298, 2, b"somebody\0"))
    resources = iim((116, b"an agency"))[14:]
    for name, data, place, raw in (
        ("exif", exif, "PNG zTXt raw profile Exif 0x8298", "copyright notice: somebody"),
        ("APP1", exif, "PNG zTXt raw profile Exif 0x8298", "copyright notice: somebody"),
        ("iptc", resources, "PNG zTXt raw profile IIM 2:116", "copyright notice: an agency"),
        ("8bim", resources, "PNG zTXt raw profile IIM 2:116", "copyright notice: an agency"),
    ):
        assert [(f.place, f.raw) for f in findings_in(png(raw_profile(name, data)))] == [(place, raw)]


def test_a_packet_that_pillow_writes_as_plain_text_refuses_and_never_permits() -> None:
    for packet, uses in ((REFUSED, dict.fromkeys(THREE, "deny")), (ALLOWED, {})):
        info, written = PngInfo(), io.BytesIO()
        info.add_text("XML:com.adobe.xmp", packet.decode().replace("\ufeff", ""), zip=packet is ALLOWED)
        Image.new("RGB", (16, 16)).save(written, "PNG", pnginfo=info)
        assert b"iTXt" not in written.getvalue()
        assert said(written.getvalue()) == uses


def test_the_keyword_is_exact_for_permissions_11_3_3_4() -> None:
    for packet, uses in ((REFUSED, dict.fromkeys(THREE, "deny")), (ALLOWED, {})):
        name, data = itxt(packet)
        assert said(png((name, data.replace(b"XML:com", b"xml:COM")))) == uses
    assert said(png(itxt(ALLOWED))) == dict.fromkeys(THREE, "allow")


@pytest.mark.parametrize(
    "broken",
    [
        raw_profile("xmp", ALLOWED, length=5),
        (b"tEXt", b"Raw profile type xmp\0\nxmp\n 4\n3c3"),
        (b"tEXt", b"Raw profile type xmp\0\nxmp\n four\n3c3c3c3c"),
        (b"tEXt", b"Raw profile type xmp\0\nxmp"),
        (b"tEXt", b"Raw profile type xmp\0\nxmp\n" + b"9" * 5000 + b"\n3c"),
        (b"zTXt", b"Raw profile type xmp\0\0no zlib"),
        (b"zTXt", b"Raw profile type xmp"),
        (b"zTXt", b"XML:com.adobe.xmp\0\0no zlib"),
    ],
)
def test_a_packet_that_cannot_be_had_out_of_a_text_chunk_leaves_doubt(broken: tuple[bytes, bytes]) -> None:
    assert said(png(broken)) == dict.fromkeys(THREE, "unknown")


def test_a_broken_profile_that_is_no_xmp_leaves_no_doubt_and_other_texts_are_not_opened() -> None:
    for chunk in (
        (b"zTXt", b"Raw profile type exif\0\0no zlib"),
        (b"zTXt", b"Raw profile type iptc\0\0no zlib"),
        (b"zTXt", b"Raw profile type icc\0\0no zlib"),
        (b"zTXt", b"Comment\0\0no zlib"),
        (b"tEXt", b"Title\0" + REFUSED),
    ):
        assert said(png(chunk)) == {}
    other = (b"zTXt", b"Comment\0\0" + zlib.compress(b" " * 10_000_000))
    assert find_blocks(png(other)).unpacked_bytes == 0


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from([b"tEXt", b"zTXt", b"iTXt"]),
    st.sampled_from([b"XML:com.adobe.xmp", b"Raw profile type xmp", b"Raw profile type APP1", b""]),
    st.binary(max_size=40) | st.binary(max_size=40).map(lambda text: b"\0\0" + zlib.compress(text)),
)
def test_no_text_chunk_makes_the_reader_raise(name: bytes, keyword: bytes, rest: bytes) -> None:
    blocks = find_blocks(png((name, keyword + rest), (name, keyword + b"\0" + rest)))
    assert not any(block.exact for block in blocks.of(Kind.XMP)) or name == b"iTXt"
