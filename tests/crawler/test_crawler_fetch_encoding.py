"""Content codings are undone whole, in any pieces, and never past the bound."""

from __future__ import annotations

import contextlib
import gzip
import os
import tracemalloc
import zlib
from collections.abc import Callable, Iterable

import brotli
import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from crawler.encoding import BodyDecoder, TooLargeError, UndecodableError, decode_body


def raw_deflate(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-15)
    return compressor.compress(data) + compressor.flush()


WAYS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "identity": ("identity", bytes),
    "none": ("", bytes),
    "gzip": ("gzip", gzip.compress),
    "x-gzip": ("X-GZip", gzip.compress),
    "gzip-members": ("gzip", lambda data: gzip.compress(data[:7]) + gzip.compress(b"") + gzip.compress(data[7:])),
    "gzip-padded": ("gzip", lambda data: gzip.compress(data[:7]) + bytes(9) + gzip.compress(data[7:]) + bytes(600)),
    "zlib": ("deflate", zlib.compress),
    "deflate": ("deflate", raw_deflate),
    "deflate-and-checksum": ("deflate", lambda data: raw_deflate(data) + zlib.adler32(data).to_bytes(4)),
    "br": ("br", lambda data: brotli.compress(data, quality=5)),
    "zstd": ("zstd", zstd.compress),
    "zstd-frames": (
        "zstd",
        lambda data: zstd.compress(data[:7]) + b"\x50\x2a\x4d\x18\x04\0\0\0skip" + zstd.compress(data[7:]),
    ),
    "gzip-then-br": ("gzip, br", lambda data: brotli.compress(gzip.compress(data), quality=5)),
    "br-then-zstd": ("br,, identity , ZSTD", lambda data: zstd.compress(brotli.compress(data, quality=5))),
}
"""A coding, and what another library makes of a body with it."""

BOMBS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    name: WAYS[name] for name in ("gzip", "zlib", "deflate", "br", "zstd", "gzip-then-br", "br-then-zstd")
}


def decoded(encoding: str, chunks: Iterable[bytes], bytes_max: int = 10_000_000) -> bytes:
    decoder = BodyDecoder(encoding, bytes_max)
    for chunk in chunks:
        assert decoder.feed(chunk)
    return decoder.finish()


def cut_up(data: bytes, sizes: list[int]) -> list[bytes]:
    chunks, begin = [], 0
    for size in sizes:
        chunks.append(data[begin : begin + size])
        begin += size
    return [*chunks, data[begin:]]


@pytest.mark.parametrize("way", WAYS)
@given(data=st.binary(max_size=300), sizes=st.lists(st.integers(0, 40), max_size=12))
def test_any_body_in_any_pieces_is_the_same_body(way: str, data: bytes, sizes: list[int]) -> None:
    encoding, compress = WAYS[way]
    assert decoded(encoding, cut_up(compress(data), sizes)) == data


@pytest.mark.parametrize("way", WAYS)
def test_a_body_longer_than_a_piece_is_whole(way: str) -> None:
    encoding, compress = WAYS[way]
    data = os.urandom(200_000) + bytes(3 * 65_536) + b"the end"
    body = compress(data)
    assert decode_body(encoding, body, 1_000_000) == data
    assert decoded(encoding, [body[n : n + 1_000] for n in range(0, len(body), 1_000)]) == data


@pytest.mark.parametrize("way", WAYS)
def test_nothing_at_all_is_an_empty_body(way: str) -> None:
    assert decode_body(WAYS[way][0], b"", 0) == b""


@pytest.mark.parametrize("way", BOMBS)
def test_a_body_that_ends_too_early_cannot_be_undone(way: str) -> None:
    encoding, compress = BOMBS[way]
    body = compress(b"Disallow: /private\n" * 50)
    for length in (1, len(body) // 2, len(body) - 1):
        with pytest.raises(UndecodableError):
            decode_body(encoding, body[:length], 10_000)


@pytest.mark.parametrize("way", BOMBS)
def test_the_start_of_a_body_that_is_too_long_can_be_kept(way: str) -> None:
    encoding, compress = BOMBS[way]
    data = os.urandom(70_000)
    with pytest.raises(TooLargeError):
        decode_body(encoding, compress(data), 50_000)
    decoder = BodyDecoder(encoding, 50_000, keep_start=True)
    assert not decoder.feed(compress(data))
    assert not decoder.feed(b"what still comes")
    assert decoder.finish() == data[: len(decoder.finish())]
    assert decoder.finish()


def test_keeping_the_start_does_not_excuse_a_body_that_breaks_off() -> None:
    decoder = BodyDecoder("gzip", 10_000, keep_start=True)
    decoder.feed(gzip.compress(b"User-agent: *\nDisallow: /\n")[:-9])
    with pytest.raises(UndecodableError, match="ends too early"):
        decoder.finish()


@pytest.mark.parametrize("way", BOMBS)
def test_a_bomb_is_stopped_at_the_bound_in_little_memory(way: str) -> None:
    encoding, compress = BOMBS[way]
    bomb = compress(bytes(60_000_000))
    assert len(bomb) < 200_000
    tracemalloc.start()
    try:
        with pytest.raises(TooLargeError):
            decode_body(encoding, bomb, 1_000_000)
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak_bytes < 4_000_000


def test_a_bomb_inside_a_bomb_is_stopped_by_the_layer_between() -> None:
    inner = gzip.compress(b"") + bytes(50_000_000)  # padding, of which nothing comes out
    with pytest.raises(TooLargeError):
        decode_body("gzip, br", brotli.compress(inner, quality=5), 1_000_000)


@pytest.mark.parametrize(("encoding", "member"), [("gzip", gzip.compress(b"", mtime=0)), ("zstd", zstd.compress(b""))])
def test_members_without_end_are_refused_however_small(encoding: str, member: bytes) -> None:
    assert decode_body(encoding, member * 9_000, 10_000_000) == b""
    with pytest.raises(UndecodableError, match="10,000 members"):
        decode_body(encoding, member * 11_000, 10_000_000)


def test_a_zstd_window_above_8_mib_is_refused_as_rfc_9659_says() -> None:
    data = os.urandom(9 << 20)
    large = {zstd.CompressionParameter.window_log: 24}
    with pytest.raises(UndecodableError):
        decode_body("zstd", zstd.compress(data, options=large), len(data))
    small = {zstd.CompressionParameter.window_log: 23, zstd.CompressionParameter.content_size_flag: 0}
    assert decode_body("zstd", zstd.compress(data, options=small), len(data) + 10_000) == data


@pytest.mark.parametrize(
    "encoding",
    ["compress", "utf-8", "dcb", "gzip; q=1", "gzip gzip", "*", "gzip, gzip, gzip", "gzip, br, zstd", "x" * 9_000],
)
def test_a_coding_that_we_did_not_ask_for_is_refused(encoding: str) -> None:
    with pytest.raises(UndecodableError):
        BodyDecoder(encoding, 100)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "br, gzip"])
@given(data=st.binary(min_size=1, max_size=200))
def test_rubbish_is_an_error_and_nothing_else(encoding: str, data: bytes) -> None:
    with contextlib.suppress(UndecodableError):
        assert isinstance(decode_body(encoding, data, 10_000), bytes)


def test_what_follows_the_end_is_not_taken_for_a_part_of_the_body() -> None:
    for encoding, compress in (WAYS["gzip"], WAYS["br"], WAYS["zstd"]):
        with pytest.raises(UndecodableError):
            decode_body(encoding, compress(b"hello") + b"more", 1_000)
    assert decode_body("deflate", zlib.compress(b"hello") + b"more", 1_000) == b"hello"


def test_the_bytes_that_arrive_count_as_well() -> None:
    padded = gzip.compress(b"hello") + bytes(1_000)
    assert decode_body("gzip", padded, len(padded)) == b"hello"
    with pytest.raises(TooLargeError):
        decode_body("gzip", padded, len(padded) - 1)
