"""What `hibs signals --url` fetches, over real sockets."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from aiohttp import web
from local_web import LocalWeb, local_web

from checker.errors import InputError, RemoteError
from crawler.signals_fetch import fetch_evidence


@pytest.fixture
def server() -> Iterator[LocalWeb]:
    with local_web() as served:
        yield served


def test_robots_headers_page_and_tdmrep_are_fetched(server: LocalWeb) -> None:
    server.put("/robots.txt", "User-agent: *\nAllow: /\n", "text/plain")
    server.put("/p", '<meta name="robots" content="noai">', X_Robots_Tag="noindex")
    evidence = fetch_evidence(server.url("/p?token=t"), contact="", allow_addresses=(server.opened,))
    assert [path for path, _ in server.requests] == [
        "/robots.txt",
        "/p?token=t",
        "/.well-known/tdmrep.json",
        "/ai.txt",
        "/trust.txt",
        "/.well-known/trust.txt",
    ]
    assert evidence.robots
    assert evidence.robots.body == b"User-agent: *\nAllow: /\n"
    assert (evidence.status, evidence.html_is_target) == (200, True)
    assert ("X-Robots-Tag", "noindex") in evidence.headers
    assert evidence.html == b'<meta name="robots" content="noai">'
    assert evidence.tdmrep
    assert evidence.tdmrep.status == 404


def test_a_picture_is_not_read(server: LocalWeb) -> None:
    server.put("/a.jpg", b"x", "image/jpeg")
    evidence = fetch_evidence(server.url("/a.jpg"), contact="", allow_addresses=(server.opened,))
    assert (evidence.status, evidence.html, evidence.html_is_target) == (200, None, False)


def test_an_address_that_robots_txt_closes_is_not_asked_for(server: LocalWeb) -> None:
    server.put("/robots.txt", "User-agent: *\nDisallow: /\n", "text/plain")
    evidence = fetch_evidence(server.url("/p"), contact="", allow_addresses=(server.opened,))
    assert [path for path, _ in server.requests] == ["/robots.txt"]
    assert (evidence.status, evidence.headers) == (None, ())


def test_redirects_are_followed_to_where_the_answer_is(server: LocalWeb) -> None:
    async def leave(_: web.Request) -> web.Response:
        return web.Response(status=301, headers={"Location": "/there"})

    server.handlers["/here"] = leave
    server.put("/there", "x", "text/plain")
    evidence = fetch_evidence(server.url("/here"), contact="", allow_addresses=(server.opened,))
    assert evidence.url == server.url("/there")


def test_what_cannot_be_fetched_is_one_sentence(server: LocalWeb) -> None:
    async def leave(_: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": "/a"})

    server.handlers["/a"] = leave
    with pytest.raises(RemoteError, match="too-many-redirects"):
        fetch_evidence(server.url("/a"), contact="", allow_addresses=(server.opened,))
    with pytest.raises(InputError, match="HIBS_CONTACT"):
        fetch_evidence("https://a.example/", contact="", allow_addresses=())
    with pytest.raises(InputError, match=f"--allow-address {server.opened}"):
        fetch_evidence(server.url("/a"), contact="", allow_addresses=())
    with pytest.raises(InputError, match="no address of a page"):
        fetch_evidence("file:///etc/passwd", contact="me@example.org", allow_addresses=())
