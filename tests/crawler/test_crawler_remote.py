"""Reaching a server of ours."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from aiohttp import web
from local_web import LocalWeb, local_web

from checker.errors import InputError, RemoteError
from checker.remote import connect
from crawler.remote import HttpRemote


@pytest.fixture
def server() -> Iterator[LocalWeb]:
    with local_web() as served:
        yield served


def test_a_reply_has_status_body_and_media_type(server: LocalWeb) -> None:
    server.put("/v1/stats", '{"a": 1}', "application/json")
    reply = HttpRemote(server.url("/")).get("/v1/stats", bytes_max=100)
    assert (reply.status, reply.body, reply.media_type) == (200, b'{"a": 1}', "application/json")
    assert HttpRemote(server.url("/")).get("/nothing", bytes_max=100).status == 404


def test_a_body_is_posted_with_its_type_and_the_authorization(server: LocalWeb) -> None:
    got: list[tuple[str, bytes, str, str | None]] = []

    async def take(request: web.Request) -> web.Response:
        got.append((request.method, await request.read(), request.content_type, request.headers.get("Authorization")))
        return web.Response(status=201)

    server.handlers["/v1/opt-outs"] = take
    remote = HttpRemote(server.url("", "localhost"))
    assert remote.post("/v1/opt-outs", b"{}", "application/json", bytes_max=10, authorization="Key k").status == 201
    assert remote.delete("/v1/opt-outs", bytes_max=10, authorization="Receipt c").status == 201
    assert got[0] == ("POST", b"{}", "application/json", "Key k")
    assert (got[1][0], got[1][3]) == ("DELETE", "Receipt c")


def test_a_path_before_ours_is_kept(server: LocalWeb) -> None:
    server.put("/hibs/v1/stats", "x", "text/plain")
    assert HttpRemote(server.url("/hibs/")).get("/v1/stats", bytes_max=100).status == 200


def test_too_much_is_refused(server: LocalWeb) -> None:
    server.put("/a", b"x" * 101)
    with pytest.raises(RemoteError, match="more than the 100 bytes"):
        HttpRemote(server.url()).get("/a", bytes_max=100)


def test_a_redirect_is_refused(server: LocalWeb) -> None:
    async def leave(_: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": "http://10.0.0.1/"})

    server.handlers["/a"] = leave
    with pytest.raises(RemoteError, match="redirects"):
        HttpRemote(server.url()).get("/a", bytes_max=100)


def test_a_server_that_does_not_answer_is_named() -> None:
    with local_web() as gone:
        pass
    with pytest.raises(RemoteError, match=f"cannot reach http://127.0.0.1:{gone.port} "):
        HttpRemote(gone.url()).get("/a", bytes_max=100)


def test_the_whole_time_is_limited(server: LocalWeb) -> None:
    async def hang(_: web.Request) -> web.Response:
        await asyncio.sleep(60)
        return web.Response()

    server.handlers["/a"] = hang
    with pytest.raises(RemoteError, match=r"within 0\.1 s"):
        HttpRemote(server.url(), total_s=0.1).get("/a", bytes_max=100)


@pytest.mark.parametrize(
    "address", ["ftp://a.example", "a.example", "", "http://me:secret@a.example/", "http://a.example/?q=1", "file:///x"]
)
def test_only_the_address_of_a_server_is_taken(address: str) -> None:
    with pytest.raises(InputError) as raised:
        HttpRemote(address)
    assert "secret" not in str(raised.value)


def test_the_installed_implementation_is_found(server: LocalWeb) -> None:
    server.put("/a", "hello")
    assert connect(server.url()).get("/a", bytes_max=100).body == b"hello"


# --- many at once ------------------------------------------------------------------------------------------------


def test_many_replies_come_in_the_order_of_their_paths(server: LocalWeb) -> None:
    last_was_asked = asyncio.Event()

    async def first(_: web.Request) -> web.Response:
        await last_was_asked.wait()
        return web.Response(text="0")

    async def last(_: web.Request) -> web.Response:
        last_was_asked.set()
        return web.Response(text="2")

    server.handlers |= {"/0": first, "/2": last}
    server.put("/1", "1")
    replies = HttpRemote(server.url()).get_many(["/0", "/1", "/2", "/none"], bytes_max=100)
    assert [(reply.status, reply.body) for reply in replies] == [(200, b"0"), (200, b"1"), (200, b"2"), (404, b"")]
    assert list(HttpRemote(server.url()).get_many([], bytes_max=100)) == []


def test_hundreds_of_paths_take_few_connections(server: LocalWeb) -> None:
    ports: set[int] = set()

    async def give(request: web.Request) -> web.Response:
        assert request.transport is not None
        ports.add(request.transport.get_extra_info("peername")[1])
        return web.Response(text=request.path)

    paths = [f"/tile/{number}" for number in range(600)]
    server.handlers |= dict.fromkeys(paths, give)
    replies = HttpRemote(server.url()).get_many(paths, bytes_max=100)
    assert [reply.body.decode() for reply in replies] == paths
    assert server.most_at_once <= 8
    assert len(ports) <= 8 * 3, "eight for every 256 paths"


def test_replies_before_the_first_failure_are_given(server: LocalWeb) -> None:
    for path in ("/0", "/1", "/3"):
        server.put(path, "fine")
    server.put("/2", "x" * 101)
    replies = HttpRemote(server.url()).get_many(["/0", "/1", "/2", "/3"], bytes_max=100)
    assert [next(replies).body, next(replies).body] == [b"fine", b"fine"]
    with pytest.raises(RemoteError, match="more than the 100 bytes"):
        next(replies)


def test_a_server_that_is_gone_is_named_once_and_not_asked_for_every_path() -> None:
    with local_web() as gone:
        pass
    with pytest.raises(RemoteError, match=f"cannot reach http://127.0.0.1:{gone.port} "):
        list(HttpRemote(gone.url()).get_many([f"/{number}" for number in range(10_000)], bytes_max=100))
