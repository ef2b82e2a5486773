"""What is refused before there is a request: heads that are too large, and what is no HTTP. And whose host counts."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
import uvloop
from wire import HOST, Wire, answers, drip, rest, serving_on

from api import connections
from api.guards import SECURITY_HEADERS

MARKER = b"marker7c1"
HEAD_BYTES_MAX = 65_536
"""docs/api.md, "Limits"."""
CLOSE = b"Connection: close\r\n"


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def wire(request: pytest.FixtureRequest) -> Iterator[Wire]:
    with serving_on(request.param) as wire:
        yield wire


def head(target: bytes = b"/", fields: bytes = b"", *, length: int = 0) -> bytes:
    """A whole head; with a `length` its last field makes it as long as that."""
    rest = b"GET " + target + b" HTTP/1.1\r\n" + HOST + CLOSE + fields
    return rest + (b"X: " + b"x" * (length - len(rest) - 7) + b"\r\n\r\n" if length else b"\r\n")


def test_a_head_of_64_kib_is_read_and_a_byte_more_is_not(wire: Wire) -> None:
    assert wire.ask_once(head(length=HEAD_BYTES_MAX)).status == 200
    refused = wire.ask_once(head(length=HEAD_BYTES_MAX + 1))
    assert (refused.status, refused.problem()) == (431, "head-too-large")


@pytest.mark.parametrize("length", [66_000, 120_000, 200_000, 2**20])
@pytest.mark.parametrize("field", [b"x", b" ", b"\r\nX-Many: x"], ids=["one field", "blanks", "many fields"])
def test_a_head_that_comes_at_once_has_the_same_limit(wire: Wire, length: int, field: bytes) -> None:
    """RFC 6585 5."""
    refused = wire.ask_once(head(fields=b"X-Long: x" + field * (length // len(field)) + b"x\r\n"))
    assert (refused.status, refused.problem()) == (431, "head-too-large")


@pytest.mark.parametrize("length", [65_530, 70_000, 200_000])
def test_a_target_that_takes_all_of_it_is_too_long(wire: Wire, length: int) -> None:
    """RFC 9112 3."""
    refused = wire.ask_once(head(b"/" + b"x" * length))
    assert (refused.status, refused.problem()) == (414, "target-too-long")


def test_a_head_behind_a_long_body_is_counted_by_itself(wire: Wire) -> None:
    read = b"POST /read HTTP/1.1\r\n" + HOST + b"Content-Length: 500000\r\n\r\n" + bytes(500_000)
    first, second = wire.ask(read + head(length=60_000))
    assert (first.body, second.status) == (b"500000", 200)


def test_a_head_that_does_not_end_is_too_slow(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 9110 15.5.9."""
    monkeypatch.setattr(connections, "WAIT_SECONDS_MAX", 0.1)
    with wire.connect() as line:
        line.sendall(b"GET / HTTP/1.1\r\n")
        (refused,) = answers(drip(line, b"x"))
    assert (refused.status, refused.problem(), refused.headers["connection"]) == (408, "too-slow", "close")


@pytest.mark.parametrize(
    "sent",
    [
        MARKER + b"\r\n\r\n",
        MARKER + b" / HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET / HTTP/3.7\r\n" + HOST + b"\r\n",
        b"GET /" + MARKER + b" \x00 HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET /" + MARKER + "ä".encode() + b" HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + MARKER + b" X: 1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + b"X: " + MARKER + b"\x00\r\n\r\n",
        b"POST /read HTTP/1.1\r\n" + HOST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n" + MARKER,
        b"POST /read HTTP/1.1\r\n" + HOST + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /read HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n" + MARKER + b"\r\n",
        b"POST /read HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n1\r\nxx\r\n",
        b"CONNECT " + MARKER + b":443 HTTP/1.1\r\n" + HOST + b"\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + MARKER,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
    ids=[
        *("no method", "unknown method", "version", "nul", "no ascii", "field name", "field value"),
        *("two lengths", "length and chunks", "chunk size", "chunk end", "connect", "tls", "http/2"),
    ],
)
def test_what_is_no_http_is_told_in_the_one_shape(wire: Wire, sent: bytes) -> None:
    """RFC 9112 2.2, 3, 5.1, 6.3, 7.1; and RFC 9457."""
    refused = wire.ask_once(sent)
    assert (refused.status, refused.problem()) == (400, "malformed-request")
    assert {name: refused.headers[name.lower()] for name in SECURITY_HEADERS} == dict(SECURITY_HEADERS)
    assert (refused.headers["cache-control"], refused.headers["connection"]) == ("no-store", "close")
    assert "date" in refused.headers
    assert MARKER not in refused.body


def test_an_answer_in_front_of_what_is_no_http_is_seen_first(wire: Wire) -> None:
    with wire.connect() as line:
        line.sendall(b"GET /first HTTP/1.1\r\n" + HOST + b"\r\n")
        came = line.recv(65_536)
        line.sendall(b"no HTTP\r\n\r\n")
        came += rest(line)
    first, second = answers(came)
    assert (first.body, second.status) == (b"GET /first", 400)


@pytest.mark.parametrize(
    ("target", "host", "status"),
    [
        (b"http://evil.test/v1/stats", b"localhost", 421),
        (b"http://evil.test", b"localhost", 421),
        (b"HTTP://evil.test?x=1", b"localhost", 421),
        (b"https://127.0.0.1.evil.test:8000/", b"127.0.0.1", 421),
        (b"http://localhost@evil.test/", b"localhost", 421),
        (b"http://evil.test@localhost/", b"localhost", 421),
        (b"http://127.0.0.1:8000/v1/stats", b"evil.test", 200),
        (b"http://[::1]/", b"evil.test", 200),
        (b"http://localhost", b"localhost", 200),
        (b"/?at=http://evil.test/", b"localhost", 200),
    ],
)
def test_the_host_of_the_target_counts(wire: Wire, target: bytes, host: bytes, status: int) -> None:
    """RFC 9112 3.2.2: the field is ignored and replaced."""
    answer = wire.ask_once(b"GET " + target + b" HTTP/1.1\r\nHost: " + host + b"\r\n" + CLOSE + b"\r\n")
    assert answer.status == status


@pytest.mark.parametrize("fields", [b"", HOST + HOST])
def test_a_host_in_the_target_excuses_no_missing_or_second_field(wire: Wire, fields: bytes) -> None:
    """RFC 9112 3.2."""
    answer = wire.ask_once(b"GET http://localhost/ HTTP/1.1\r\n" + fields + CLOSE + b"\r\n")
    assert answer.problem() == "bad-host"


@pytest.mark.parametrize(
    ("target", "path"),
    [(b"http://localhost/a/b?c", b"/a/b"), (b"http://localhost", b"/"), (b"http://localhost?c", b"/")],
)
def test_of_an_absolute_target_the_path_is_left(wire: Wire, target: bytes, path: bytes) -> None:
    """RFC 9110 4.2.3: an empty path is "/"."""
    assert wire.ask_once(head(target)).body == b"GET " + path
