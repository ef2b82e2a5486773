"""One request over real sockets: limits, compression, and what the guard refuses."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import Iterator
from dataclasses import replace

import pytest
from aiohttp import web
from local_web import LocalWeb, local_web

from crawler.fetch import Ask, Fetched, HttpFetcher, NotFetched, NotFetchedReason
from crawler.guard import Guard, parse_opened
from crawler.settings import CrawlSettings

SETTINGS = CrawlSettings(contact="me@example.org")


@pytest.fixture
def server() -> Iterator[LocalWeb]:
    with local_web() as served:
        yield served


def fetch(
    server: LocalWeb, ask: Ask, *, settings: CrawlSettings = SETTINGS, opened: bool = True
) -> Fetched | NotFetched:
    guard = Guard(opened=parse_opened([server.opened] if opened else []))

    async def run() -> Fetched | NotFetched:
        async with HttpFetcher(settings, guard) as fetcher:
            return await fetcher.fetch(ask)

    return asyncio.run(run())


def body_of(answer: Fetched | NotFetched) -> bytes | None:
    assert isinstance(answer, Fetched)
    return answer.body


def test_status_headers_and_body_come_back(server: LocalWeb) -> None:
    server.put("/a", "hello", X_Robots_Tag="noai")
    answer = fetch(server, Ask(server.url("/a?u=%2Fx"), bytes_max=100))
    assert isinstance(answer, Fetched)
    assert (answer.head.status, answer.head.get("x-robots-tag"), answer.body) == (200, "noai", b"hello")
    path, headers = server.requests[0]
    assert path == "/a?u=%2Fx"  # sent as it was written
    assert headers["User-Agent"] == "HaveIBeenScrapedBot/0.1.0 (+me@example.org)"
    assert headers["Accept-Encoding"] == "gzip, deflate, br, zstd"
    assert "Cookie" not in headers


def test_what_is_sent_goes_out_as_it_is(server: LocalWeb) -> None:
    async def echo(request: web.Request) -> web.Response:
        return web.Response(body=await request.read(), headers={"X-Method": request.method})

    server.handlers["/a"] = echo
    ask = Ask(server.url("/a"), bytes_max=100, method="POST", body=b"{}", headers=(("Content-Type", "a/b"),))
    answer = fetch(server, ask)
    assert isinstance(answer, Fetched)
    assert (answer.head.get("X-Method"), answer.body) == ("POST", b"{}")
    assert server.requests[0][1]["Content-Type"] == "a/b"
    assert "a/b" not in repr(ask)  # a header may hold a key


def test_names_under_localhost_reach_this_machine_without_dns(server: LocalWeb) -> None:
    server.put("/", "hello")
    assert body_of(fetch(server, Ask(server.url("/", "gallery.localhost"), bytes_max=100))) == b"hello"
    assert server.requests[0][1]["Host"] == f"gallery.localhost:{server.port}"


@pytest.mark.parametrize("host", ["127.0.0.1", "gallery.localhost", "[::ffff:127.0.0.1]"])
def test_this_machine_is_refused_unless_it_was_opened(server: LocalWeb, host: str) -> None:
    answer = fetch(server, Ask(server.url("/", host), bytes_max=100), opened=False)
    assert answer == NotFetched(NotFetchedReason.BLOCKED_ADDRESS)
    assert server.requests == []


def test_another_port_of_an_opened_address_is_refused(server: LocalWeb) -> None:
    answer = fetch(server, Ask(f"http://127.0.0.1:{server.port % 65_535 + 1}/", bytes_max=100))
    assert answer == NotFetched(NotFetchedReason.BLOCKED_ADDRESS)


def test_a_redirect_is_not_followed(server: LocalWeb) -> None:
    async def leave(_: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": "/b"})

    server.handlers["/a"] = leave
    answer = fetch(server, Ask(server.url("/a"), bytes_max=100))
    assert isinstance(answer, Fetched)
    assert (answer.head.status, answer.head.get("Location"), answer.body) == (302, "/b", None)
    assert server.paths() == ["/a"]


def test_a_body_that_is_not_wanted_is_not_read(server: LocalWeb) -> None:
    server.put("/a", b"x" * 1000)
    assert body_of(fetch(server, Ask(server.url("/a"), bytes_max=10, wants_body=lambda head: False))) is None


def test_a_body_with_a_length_that_is_too_large_is_refused(server: LocalWeb) -> None:
    server.put("/a", b"x" * 101)
    assert fetch(server, Ask(server.url("/a"), bytes_max=100)) == NotFetched(NotFetchedReason.TOO_LARGE)
    assert body_of(fetch(server, Ask(server.url("/a"), bytes_max=101))) == b"x" * 101
    assert body_of(fetch(server, Ask(server.url("/a"), bytes_max=100, keep_start=True))) == b"x" * 100


def test_a_body_without_length_is_cut_off_at_the_limit(server: LocalWeb) -> None:
    async def pour(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(1_000):
            await response.write(b"x" * 10_000)
        return response

    server.handlers["/a"] = pour
    assert fetch(server, Ask(server.url("/a"), bytes_max=100_000)) == NotFetched(NotFetchedReason.TOO_LARGE)


def test_gzip_and_deflate_are_undone(server: LocalWeb) -> None:
    text = b"hello " * 100
    raw = zlib.compressobj(wbits=-15)
    server.put("/gzip", gzip.compress(text), Content_Encoding="gzip")
    server.put("/two", gzip.compress(text) + gzip.compress(b"more"), Content_Encoding="gzip")
    server.put("/zlib", zlib.compress(text), Content_Encoding="deflate")
    server.put("/raw", raw.compress(text) + raw.flush(), Content_Encoding="deflate")
    for path, expected in (("/gzip", text), ("/two", text + b"more"), ("/zlib", text), ("/raw", text)):
        assert body_of(fetch(server, Ask(server.url(path), bytes_max=1_000))) == expected


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (gzip.compress(b"hello" * 100, mtime=0)[:-12], "gzip"),
        *((b"hello", name) for name in ("gzip", "br", "gzip, gzip")),
    ],
)
def test_an_encoding_that_cannot_be_undone_is_refused(server: LocalWeb, body: bytes, encoding: str) -> None:
    server.put("/a", body, Content_Encoding=encoding)
    assert fetch(server, Ask(server.url("/a"), bytes_max=1_000)) == NotFetched(NotFetchedReason.BAD_ENCODING)


def test_a_gzip_bomb_is_stopped_at_the_limit(server: LocalWeb) -> None:
    server.put("/bomb", gzip.compress(bytes(50_000_000)), Content_Encoding="gzip")
    assert fetch(server, Ask(server.url("/bomb"), bytes_max=100_000)) == NotFetched(NotFetchedReason.TOO_LARGE)


def test_a_drip_is_given_up_though_it_never_pauses(server: LocalWeb) -> None:
    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(200):
            await response.write(b"x")
            await asyncio.sleep(0.02)
        return response

    server.handlers["/a"] = drip
    settings = replace(SETTINGS, rate_grace_s=0.1)
    answer = fetch(server, Ask(server.url("/a"), bytes_max=100_000), settings=settings)
    assert answer == NotFetched(NotFetchedReason.TOO_SLOW)


def test_silence_and_the_whole_time_have_limits(server: LocalWeb) -> None:
    async def hang(_: web.Request) -> web.StreamResponse:
        await asyncio.sleep(60)
        return web.Response()

    server.handlers["/a"] = hang
    for settings in (replace(SETTINGS, silence_s_max=0.1), replace(SETTINGS, request_s_max=0.1)):
        answer = fetch(server, Ask(server.url("/a"), bytes_max=100), settings=settings)
        assert answer == NotFetched(NotFetchedReason.TIMEOUT)


def test_a_port_where_nobody_listens_is_unreachable() -> None:
    with local_web() as gone:
        pass
    assert fetch(gone, Ask(gone.url("/"), bytes_max=100)) == NotFetched(NotFetchedReason.UNREACHABLE)


def test_an_answer_that_is_no_http_is_refused() -> None:
    async def run() -> Fetched | NotFetched:
        async def babble(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"220 mail.example ESMTP\r\n")
            writer.close()

        server = await asyncio.start_server(babble, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        guard = Guard(opened=parse_opened([f"127.0.0.1:{port}"]))
        async with server, HttpFetcher(SETTINGS, guard) as fetcher:
            return await fetcher.fetch(Ask(f"http://127.0.0.1:{port}/", bytes_max=100))

    answer = asyncio.run(run())
    assert isinstance(answer, NotFetched)
    assert answer.reason in (NotFetchedReason.BAD_RESPONSE, NotFetchedReason.UNREACHABLE)
