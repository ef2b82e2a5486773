"""Servers that break the rules, over raw sockets: each gives an answer with a reason, in time, never an exception."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import brotli
import pytest
from backports import zstd
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.fetch import Ask, Fetched, HttpFetcher, NotFetched, NotFetchedReason
from crawler.guard import Guard, parse_opened
from crawler.settings import CrawlSettings

SETTINGS = CrawlSettings(contact="me@example.org")
OK = b"HTTP/1.1 200 OK\r\nConnection: close\r\n"

Talk = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass
class RawServer:
    """Says what it is told to, whatever it is asked."""

    port: int = 0
    talk: Talk | None = None
    heads: list[str] = field(default_factory=list)

    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/a"

    def says(self, *parts: bytes) -> None:
        """Answer every request with these bytes, then close."""

        async def talk(writer: asyncio.StreamWriter) -> None:
            writer.write(b"".join(parts))
            await writer.drain()

        self.talk = talk

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            self.heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
            assert self.talk
            await self.talk(writer)
        except (OSError, asyncio.IncompleteReadError):
            pass  # the client left
        finally:
            writer.close()


@asynccontextmanager
async def raw_server() -> AsyncIterator[RawServer]:
    served = RawServer()
    server = await asyncio.start_server(served.handle, "127.0.0.1", 0)
    served.port = server.sockets[0].getsockname()[1]
    try:
        yield served
    finally:
        server.close()


async def fetch_from(served: RawServer, ask: Ask, limits: CrawlSettings = SETTINGS) -> Fetched | NotFetched:
    guard = Guard(opened=parse_opened([f"127.0.0.1:{served.port}"]))
    async with HttpFetcher(limits, guard) as fetcher:
        return await fetcher.fetch(ask)


def fetch(
    *parts: bytes, talk: Talk | None = None, limits: CrawlSettings = SETTINGS, keep_start: bool = False
) -> Fetched | NotFetched:
    async def run() -> Fetched | NotFetched:
        async with raw_server() as served:
            served.says(*parts)
            served.talk = talk or served.talk
            return await fetch_from(served, Ask(served.url(), bytes_max=100_000, keep_start=keep_start), limits)

    return asyncio.run(run())


def reason(answer: Fetched | NotFetched) -> NotFetchedReason | None:
    return answer.reason if isinstance(answer, NotFetched) else None


def drip(begin: bytes, every: bytes) -> Talk:
    """Send `begin`, then `every` again and again with the shortest of pauses, until the client leaves."""

    async def talk(writer: asyncio.StreamWriter) -> None:
        writer.write(begin)
        while not writer.is_closing():
            writer.write(every)
            await writer.drain()
            await asyncio.sleep(0.005)

    return talk


@pytest.mark.parametrize(
    ("begin", "every"),
    [
        (b"HTTP/1.1 200 OK\r\nX-Slow: ", b"x"),
        (b"HTTP/1.1 2", b""),
        (b"", b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
    ids=["one header", "silence", "early hints", "continue"],
)
def test_a_head_that_never_ends_is_given_up_when_the_whole_time_is_over(begin: bytes, every: bytes) -> None:
    answer = fetch(talk=drip(begin, every), limits=replace(SETTINGS, request_s_max=0.15))
    assert reason(answer) is NotFetchedReason.TIMEOUT


@pytest.mark.parametrize(
    ("head", "every"),
    [(OK + b"Content-Length: 90000\r\n\r\n", b"x"), (OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n")],
    ids=["length", "chunks"],
)
def test_a_body_that_drips_is_given_up_for_its_rate(head: bytes, every: bytes) -> None:
    answer = fetch(talk=drip(head, every), limits=replace(SETTINGS, rate_grace_s=0.05))
    assert reason(answer) is NotFetchedReason.TOO_SLOW


def test_chunks_with_more_extension_than_body_are_given_up_in_time() -> None:
    every = b"1;" + b"x" * 2_000 + b"\r\nx\r\n"
    answer = fetch(
        talk=drip(OK + b"Transfer-Encoding: chunked\r\n\r\n", every), limits=replace(SETTINGS, request_s_max=0.2)
    )
    assert reason(answer) in (NotFetchedReason.TIMEOUT, NotFetchedReason.TOO_SLOW, NotFetchedReason.BAD_RESPONSE)


@pytest.mark.parametrize("keep_start", [False, True])
@pytest.mark.parametrize(
    "rest",
    [
        b"Content-Length: 100\r\n\r\nhalf of it",
        b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n5\r\nhel",
        b"Transfer-Encoding: chunked\r\n\r\nZZ\r\nhello\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n",
    ],
)
def test_a_body_that_is_cut_off_is_a_bad_response(rest: bytes, keep_start: bool) -> None:
    """RFC 9112 8: it is incomplete. Half a robots.txt says less than all of it."""
    assert reason(fetch(OK, rest, keep_start=keep_start)) is NotFetchedReason.BAD_RESPONSE


def test_a_body_without_length_ends_with_the_connection() -> None:
    answer = fetch(OK, b"\r\nhello")  # RFC 9112 6.3, rule 8
    assert isinstance(answer, Fetched)
    assert answer.body == b"hello"


BOMB = bytes(30_000_000)
BOMBS = {
    "gzip": gzip.compress(BOMB),
    "deflate": zlib.compress(BOMB),
    "br": brotli.compress(BOMB, quality=5),
    "zstd": zstd.compress(BOMB),
    "gzip, br": brotli.compress(gzip.compress(BOMB), quality=5),
}


@pytest.mark.parametrize("coding", BOMBS)
def test_a_bomb_of_each_coding_is_too_large_before_it_is_whole(coding: str) -> None:
    head = OK + f"Content-Encoding: {coding}\r\nContent-Length: {len(BOMBS[coding])}\r\n\r\n".encode()
    assert reason(fetch(head, BOMBS[coding])) is NotFetchedReason.TOO_LARGE


@pytest.mark.parametrize("coding", BOMBS)
def test_a_compressed_body_that_is_cut_off_is_a_bad_encoding(coding: str) -> None:
    head = OK + f"Content-Encoding: {coding}\r\n\r\n".encode()
    compressed = {"gzip": gzip.compress, "deflate": zlib.compress, "br": brotli.compress, "zstd": zstd.compress}
    body = b"Disallow: /private\n" * 99
    for name in coding.split(", "):
        body = compressed[name](body)
    assert reason(fetch(head, body[:-4])) is NotFetchedReason.BAD_ENCODING


def test_codings_in_two_header_lines_are_both_undone() -> None:
    body = brotli.compress(gzip.compress(b"hello"))
    answer = fetch(OK, b"Content-Encoding: gzip\r\ncontent-encoding: br\r\n\r\n", body)
    assert isinstance(answer, Fetched)
    assert answer.body == b"hello"


def test_what_a_body_is_called_does_not_change_its_bytes() -> None:
    jpeg = b"\xff\xd8\xff\xe0 not a page"
    for content_type in (b"text/html; charset=utf-16", b"", b"image/jpeg; charset", b"\xff\xfe", b"x" * 5_000):
        answer = fetch(OK, b"Content-Type: ", content_type, b"\r\n\r\n", jpeg)
        assert isinstance(answer, Fetched)
        assert answer.body == jpeg
        answer.head.get("Content-Type").encode()  # can be stored


@pytest.mark.parametrize(
    "headers",
    [b"X-Long: " + b"x" * 40_000, b"\r\n".join(b"X-%d: y" % n for n in range(5_000)), b"X" * 40_000 + b": y"],
    ids=["one long value", "many", "one long name"],
)
def test_a_head_that_is_too_large_is_a_bad_response(headers: bytes) -> None:
    assert reason(fetch(OK, headers, b"\r\nContent-Length: 0\r\n\r\n")) is NotFetchedReason.BAD_RESPONSE


def test_a_header_of_thirty_thousand_bytes_is_read() -> None:
    answer = fetch(OK, b"Content-Security-Policy: ", b"x" * 30_000, b"\r\nContent-Length: 2\r\n\r\nhi")
    assert isinstance(answer, Fetched)
    assert answer.body == b"hi"


def test_interim_answers_are_passed_over() -> None:
    interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nX-Robots-Tag: noindex\r\n\r\n"
    answer = fetch(interim, OK, b"Content-Length: 2\r\n\r\nhi")
    assert isinstance(answer, Fetched)
    assert (answer.head.status, answer.body) == (200, b"hi")
    assert answer.head.get("X-Robots-Tag") == ""  # RFC 8297 2: hints are not the header fields of the answer


@pytest.mark.parametrize("status", [101, 204, 304, 404, 410, 429, 503, 600, 999])
def test_a_status_without_a_body_for_us_comes_back_as_it_is(status: int) -> None:
    answer = fetch(f"HTTP/1.1 {status} Whatever\r\nContent-Length: 0\r\nRetry-After: 7\r\n\r\n".encode())
    assert isinstance(answer, Fetched)
    assert (answer.head.status, answer.head.get("Retry-After")) == (status, "7")
    assert not answer.body


@pytest.mark.parametrize(
    "rubbish",
    [
        b"",
        b"<html>HTTP/0.9 had no head</html>",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 -200 OK\r\n\r\n",
        b"HTTP/9.9 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: ten\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5_000 + b"\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\nhello",
        b"\x16\x03\x01\x02\x00",
        bytes(5_000),
    ],
)
def test_rubbish_is_no_answer(rubbish: bytes) -> None:
    assert reason(fetch(rubbish)) in (NotFetchedReason.BAD_RESPONSE, NotFetchedReason.UNREACHABLE)


def test_a_connection_that_is_reset_is_no_answer() -> None:
    async def reset(writer: asyncio.StreamWriter) -> None:
        writer.write(OK + b"Content-Length: 50\r\n\r\nhalf")
        await writer.drain()
        writer.transport.abort()

    assert reason(fetch(talk=reset)) in (NotFetchedReason.BAD_RESPONSE, NotFetchedReason.UNREACHABLE)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_answer_is_survived(data: st.DataObject) -> None:
    """Bytes, and heads with bytes in the places where something is expected."""
    known = [b"HTTP/1.1 200 OK\r\n", b"\r\n", b"\r\n\r\n", b"Content-Encoding: br\r\n", b"Content-Length: 3\r\n"]
    piece = st.binary(max_size=60) | st.sampled_from(known)
    said = b"".join(data.draw(st.lists(piece, max_size=8)))
    answer = fetch(data.draw(st.sampled_from([b"", OK, b"HTTP/1.1 "])), said)
    assert isinstance(answer, Fetched | NotFetched)


def test_after_a_body_that_was_not_wanted_the_next_answer_is_the_right_one() -> None:
    async def run() -> list[bytes | None]:
        async with raw_server() as served:
            guard = Guard(opened=parse_opened([f"127.0.0.1:{served.port}"]))
            async with HttpFetcher(SETTINGS, guard) as fetcher:
                served.says(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nfirst!")
                first = await fetcher.fetch(Ask(served.url(), bytes_max=100, wants_body=lambda _: False))
                served.says(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecond")
                second = await fetcher.fetch(Ask(served.url(), bytes_max=100))
                assert isinstance(first, Fetched)
                assert isinstance(second, Fetched)
                return [first.body, second.body]

    assert asyncio.run(run()) == [None, b"second"]


def test_conditions_are_sent_and_an_unchanged_address_has_no_body() -> None:
    async def run() -> None:
        async with raw_server() as served:
            served.says(b'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\nConnection: close\r\n\r\n')
            conditions = (("If-None-Match", '"a"'), ("If-Modified-Since", "Sun, 22 Nov 2026 14:03:00 GMT"))
            answer = await fetch_from(served, Ask(served.url(), bytes_max=100, headers=conditions))
            assert isinstance(answer, Fetched)
            assert (answer.head.status, answer.body, answer.address) == (304, None, "127.0.0.1")
            assert 'If-None-Match: "a"\r\n' in served.heads[0]
            assert "If-Modified-Since: Sun, 22 Nov 2026 14:03:00 GMT\r\n" in served.heads[0]

    asyncio.run(run())


@pytest.mark.parametrize("value", ['"a\r\nX-Evil: 1"', '"\x00"', '"\u20ac"', '"' + "x" * 2_000 + '"', '"\udc80"'])
def test_a_condition_that_fits_into_no_header_line_is_left_out(value: str) -> None:
    async def run() -> None:
        async with raw_server() as served:
            served.says(OK + b"Content-Length: 2\r\n\r\nhi")
            answer = await fetch_from(served, Ask(served.url(), bytes_max=100, headers=(("If-None-Match", value),)))
            assert isinstance(answer, Fetched)
            assert "If-None-Match" not in served.heads[0]
            assert "Evil" not in served.heads[0]

    asyncio.run(run())


def test_who_answered_is_known_also_when_the_body_is_empty_or_the_connection_is_used_again() -> None:
    for rest in (b"Content-Length: 0\r\n\r\n", b"Content-Length: 2\r\n\r\nhi"):
        answer = fetch(b"HTTP/1.1 200 OK\r\n", rest)
        assert isinstance(answer, Fetched)
        assert answer.address == "127.0.0.1"


@pytest.mark.parametrize(
    "url", ["", "a", "http://", "ftp://127.0.0.1/", "http://me:pw@127.0.0.1/", "http://me@127.0.0.1/", "http://[::1",
            "http://127.0.0.1:99999/", "http://a b/", "http:///", "\ud800"],
)  # fmt: skip
def test_what_is_no_address_or_carries_credentials_is_not_asked(url: str) -> None:
    async def run() -> Fetched | NotFetched:
        async with HttpFetcher(SETTINGS, Guard()) as fetcher:
            return await fetcher.fetch(Ask(url, bytes_max=100))

    assert reason(asyncio.run(run())) is NotFetchedReason.BAD_ADDRESS


@settings(deadline=None)
@given(st.text(max_size=60))
def test_any_address_is_survived(text: str) -> None:
    async def run() -> Fetched | NotFetched:
        async with HttpFetcher(SETTINGS, Guard(public=False)) as fetcher:
            return await fetcher.fetch(Ask(f"http://127.0.0.1{text}", bytes_max=100))

    assert isinstance(asyncio.run(run()), NotFetched)
