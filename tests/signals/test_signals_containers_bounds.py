"""What hostile files cost: counted in calls and in bytes that are decompressed, not in seconds."""

from __future__ import annotations

import sys
import zlib
from collections import Counter
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest
from signed_pictures import XMP_NAME, itxt, jpeg, mining, png

from checker.signals import boxes, containers
from checker.signals import png as png_reader
from checker.signals.blocks import BLOCKS_MAX, KIND_BYTES_MAX, UNPACKED_BYTES_MAX, Kind
from checker.signals.containers import find_blocks

MAIN = (1, XMP_NAME + mining("DMI-PROHIBITED"))


def calls_in(function: Callable[[bytes], object], body: bytes) -> Counter[str]:
    """How often each function is called, those written in C as well."""
    names: Counter[str] = Counter()

    def count(frame: FrameType, event: str, argument: Any) -> None:
        if event == "call":
            names[frame.f_code.co_name] += 1
        elif event == "c_call":
            names[argument.__name__] += 1

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        function(body)
    finally:
        sys.setprofile(before)
    return names


def test_all_that_a_file_has_decompressed_is_bounded_also_where_nothing_more_is_kept() -> None:
    small, bomb = itxt(b"<x/>"), itxt(b" " * (KIND_BYTES_MAX - 5000), compressed=True)
    raw = b"zTXt", b"Raw profile type xmp\0\0" + zlib.compress(b" " * KIND_BYTES_MAX)
    blocks = find_blocks(png(*[small] * BLOCKS_MAX, *[bomb] * 20, *[raw] * 20))
    assert blocks.unpacked_bytes <= UNPACKED_BYTES_MAX
    assert Kind.XMP in blocks.cut


def test_the_main_packets_are_searched_once_however_many_extensions_there_are() -> None:
    start = b"http://ns.adobe.com/xmp/extension/\0"
    parts = [(1, start + b"%032d" % n + b"\0\0\0\1" + b"\0\0\0\0" + b"x") for n in range(500)]
    calls = calls_in(find_blocks, jpeg(*[MAIN] * 3, *parts))
    assert calls["findall"] == calls["replace"] == 3


def chains(count: int) -> list[bytes]:
    segments = b"\xff\xd8" + b"\xff\xe2\0\2" * count
    chunks = b"\x89PNG\r\n\x1a\n" + b"\0\0\0\0aaaa\0\0\0\0" * count
    riff = b"RIFF\xff\xff\xff\xffWEBP" + b"ABCD\0\0\0\0" * count
    blocks = b"GIF89a" + b"\0" * 7 + b"!\xf9\0" * count
    boxes = b"\0\0\0\x0cftypavif" + b"\0\0\0\x08free" * count
    return [segments, chunks, riff, blocks, boxes]


@pytest.mark.parametrize("which", range(5), ids=["JPEG", "PNG", "WebP", "GIF", "boxes"])
def test_a_chain_costs_the_same_for_each_link(which: int) -> None:
    short, long = (calls_in(find_blocks, chains(count)[which]).total() for count in (1000, 4000))
    assert long < 4.1 * short


@pytest.mark.parametrize("which", range(5), ids=["JPEG", "PNG", "WebP", "GIF", "boxes"])
def test_more_links_than_are_walked_over_are_never_silence(which: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (containers, boxes, png_reader):
        monkeypatch.setattr(module, "STEPS_MAX", 100)
    assert Kind.XMP in find_blocks(chains(101)[which]).cut
    assert find_blocks(chains(90)[which]).cut == {}


def box(name: bytes, data: bytes) -> bytes:
    return (8 + len(data)).to_bytes(4) + name + data


def many_items(count: int, *, extents: int, sizes: bytes, extent: bytes) -> bytes:
    """An AVIF whose items are XMP and all point at the same bytes."""
    kinds = b"".join(
        box(b"infe", b"\2\0\0\0" + number.to_bytes(2) + b"\0\0mime\0application/rdf+xml\0") for number in range(count)
    )
    places = b"".join(number.to_bytes(2) + b"\0\0" + extents.to_bytes(2) + extent * extents for number in range(count))
    meta = b"\0\0\0\0" + box(b"iinf", b"\0\0\0\0" + count.to_bytes(2) + kinds)
    meta += box(b"iloc", b"\0\0\0\0" + sizes + count.to_bytes(2) + places)
    return box(b"ftyp", b"avif\0\0\0\0") + box(b"meta", meta) + box(b"mdat", b"x" * 10_000)


def test_items_that_all_point_at_the_whole_file_are_copied_to_a_bound() -> None:
    body = many_items(5000, extents=1, sizes=b"\x44\0", extent=b"\0" * 8)
    blocks = find_blocks(body)
    assert len(blocks.found) <= BLOCKS_MAX
    assert sum(len(block.body) for block in blocks.found) <= KIND_BYTES_MAX
    assert Kind.XMP in blocks.cut
    calls = [
        calls_in(find_blocks, many_items(count, extents=1, sizes=b"\x44\0", extent=b"\0" * 8)).total()
        for count in (1000, 4000)
    ]
    assert calls[1] < 4.1 * calls[0]


def test_extents_that_take_no_bytes_are_walked_over_to_a_bound() -> None:
    """Without offset and length 65,535 extents stand in no byte at all, and 1,000 such items in 6 KB."""
    body = many_items(1000, extents=65_535, sizes=b"\0\0", extent=b"")
    assert len(body) < 70_000
    calls = calls_in(find_blocks, body)
    assert calls["number"] < 250_000
    assert Kind.XMP in find_blocks(body).cut
