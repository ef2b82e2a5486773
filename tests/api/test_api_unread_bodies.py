"""Bodies that no route reads: dropped for a while, so that the answer is seen, and never for ever."""

from __future__ import annotations

import asyncio
import socket
import urllib.request
from collections.abc import Iterator

import pytest
import uvloop
from wire import HOST, READ_BYTES_MAX, Wire, answers, drip, rest, serving_on

from api import connections

CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
ENDLESS = b"Content-Length: 100000000000\r\n\r\n"
MIB = bytes(2**20)
TAKEN_MIB_MAX = 64
"""What a test sends at the most to a service that takes one MiB; the rest are buffers of the system."""


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def wire(request: pytest.FixtureRequest) -> Iterator[Wire]:
    with serving_on(request.param) as wire:
        yield wire


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits longer than that."""
    monkeypatch.setattr(connections, "WAIT_SECONDS_MAX", 0.1)


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """No more than that is dropped."""
    monkeypatch.setattr(connections, "DISCARD_BYTES_MAX", 2**20)


def flood(line: socket.socket, piece: bytes) -> None:
    """Send until the service ends the connection."""
    with pytest.raises(ConnectionError):
        for _ in range(TAKEN_MIB_MAX * 2**20 // len(piece)):
            line.sendall(piece)


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (b"GET / HTTP/1.1\r\n" + HOST + ENDLESS, b"x"),
        (b"GET / HTTP/1.1\r\n" + HOST + CHUNKED, b"1\r\nx\r\n"),
        (b"POST / HTTP/1.1\r\n" + HOST + ENDLESS, b"x"),
        (b"POST / HTTP/1.1\r\n" + HOST + b"Connection: close\r\n" + ENDLESS, b"x"),
        (b"GET / HTTP/1.1\r\n" + HOST + CHUNKED + b"1;", b"x"),
        (b"GET / HTTP/1.1\r\n" + HOST + CHUNKED + b"0\r\n", b"x"),
        (b"GET / HTTP/1.1\r\n" + HOST + b"\r\n", b"\r\n"),
        (b"GET / HTTP/1.1\r\nHost: evil.test\r\n" + ENDLESS, b"x"),
    ],
    ids=["length", "chunks", "post", "close", "extension", "trailer", "blank lines behind", "refused"],
)
@pytest.mark.usefixtures("hurried")
def test_whoever_goes_on_sending_after_the_answer_is_left(wire: Wire, head: bytes, piece: bytes) -> None:
    with wire.connect() as line:
        line.sendall(head)
        first = next(answers(drip(line, piece)))
    assert first.status == (421 if b"evil" in head else 200)


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\n" + HOST + ENDLESS,
        b"GET / HTTP/1.0\r\n" + HOST + ENDLESS,
        b"POST /read HTTP/1.1\r\n" + HOST + ENDLESS,
        b"GET /stream HTTP/1.1\r\n" + HOST + ENDLESS,
        b"NONSENSE\r\n\r\n",
    ],
    ids=["unread", "close", "refused", "while it is answered", "no HTTP"],
)
@pytest.mark.usefixtures("narrow")
def test_no_more_is_dropped_than_the_limit(wire: Wire, head: bytes) -> None:
    with wire.connect() as line:
        line.sendall(head)
        assert line.recv(9) == b"HTTP/1.1 "
        flood(line, MIB)


@pytest.mark.parametrize("begin", [b"1;", b"0\r\nX: "], ids=["extension", "trailer"])
def test_what_chunks_bring_beside_a_body_has_the_limit_of_a_head(wire: Wire, begin: bytes) -> None:
    """The route still reads: nothing was answered yet, so this is."""
    only = wire.ask_once(b"POST /read HTTP/1.1\r\n" + HOST + CHUNKED + begin + bytes([0x78]) * 2 * 2**16)
    assert only.problem() == "head-too-large"


@pytest.mark.usefixtures("hurried")
def test_a_route_that_reads_keeps_its_own_time(wire: Wire) -> None:
    with wire.connect() as line:
        line.sendall(b"POST /read HTTP/1.1\r\n" + HOST + b"Content-Length: 20\r\n\r\n")
        first = next(answers(drip(line, b"x")))
    assert (first.status, first.body) == (200, b"20")


@pytest.mark.parametrize("path", [b"/", b"/read"])
@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
def test_a_refused_upload_sees_its_answer_on_a_connection_that_closes(wire: Wire, path: bytes, version: bytes) -> None:
    """RFC 9112 9.6. It was reset: whoever sends everything before he reads saw no answer at all."""
    body = bytes(20 * 2**20)
    with wire.connect() as line:
        head = b"POST %s HTTP/%s\r\n%sConnection: close\r\nContent-Length: %d\r\n\r\n"
        line.sendall(head % (path, version, HOST, len(body)) + body)
        (only,) = answers(rest(line))
    assert only.status == (413 if path == b"/read" else 200)


def test_an_ordinary_client_sees_it_too(wire: Wire) -> None:
    request = urllib.request.Request(f"http://127.0.0.1:{wire.port}/", data=bytes(20 * 2**20))
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert answer.read() == b"POST /"


@pytest.mark.parametrize("length", [READ_BYTES_MAX + 1, 20 * 2**20])
def test_after_a_refused_body_the_connection_goes_on(wire: Wire, length: int) -> None:
    refused = b"POST /read HTTP/1.1\r\n" + HOST + b"Content-Length: %d\r\n\r\n" % length + bytes(length)
    first, second = wire.ask(refused + b"GET /next HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n")
    assert (first.status, second.body) == (413, b"GET /next")


def test_a_body_that_breaks_after_its_answer_gets_no_second_one(wire: Wire) -> None:
    with wire.connect() as line:
        line.sendall(b"POST / HTTP/1.1\r\n" + HOST + CHUNKED)
        came = line.recv(65_536)
        line.sendall(b"no chunk\r\n")
        came += rest(line)
    assert [one.status for one in answers(came)] == [200]


@pytest.mark.parametrize(
    "behind", [HOST + b"\r\nno HTTP\r\n\r\n", HOST + CHUNKED + b"no chunk\r\n"], ids=["no HTTP", "no chunk"]
)
def test_an_answer_that_is_due_is_not_broken_into(wire: Wire, behind: bytes) -> None:
    """A second answer in its middle would be read as a part of it (RFC 9112 9.3.2)."""
    wire.end_stream()
    first, *_, last = wire.ask(b"GET /stream HTTP/1.1\r\n" + HOST + b"\r\nGET /next HTTP/1.1\r\n" + behind)
    assert (first.body, last.status) == (b"begun, ended", 200)


def test_a_body_is_asked_for_only_by_a_route_that_reads(wire: Wire) -> None:
    """RFC 9110 10.1.1."""
    expecting = HOST + b"Expect: 100-continue\r\nConnection: close\r\nContent-Length: 2\r\n\r\n"
    with wire.connect() as line:
        line.sendall(b"POST /read HTTP/1.1\r\n" + expecting)
        assert line.recv(65_536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        line.sendall(b"ab")
        assert next(answers(rest(line))).body == b"2"
    with wire.connect() as line:
        line.sendall(b"POST / HTTP/1.1\r\n" + expecting)
        assert line.recv(65_536).startswith(b"HTTP/1.1 200 ")


def test_requests_behind_one_another_are_answered_in_their_order(wire: Wire) -> None:
    """RFC 9112 9.3.2."""
    three = b"".join(b"GET /%d HTTP/1.1\r\n%s\r\n" % (number, HOST) for number in range(3))
    read = b"POST /read HTTP/1.1\r\n" + HOST + b"Connection: close\r\nContent-Length: 2\r\n\r\nab"
    assert [one.body for one in wire.ask(three + read)] == [b"GET /0", b"GET /1", b"GET /2", b"2"]
