"""The counts for Prometheus, read over HTTP."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator

import pytest

from api.metrics import Counters, Metrics


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Where they are served."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    counters = Counters(1)
    counters.count(0, "/healthz", 200, 0.5)
    with Metrics(counters, port, workers=1):
        yield port


def ask(port: int, *hosts: str) -> tuple[int, bytes]:
    """Status and content of an answer to a request with these Host fields."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.putrequest("GET", "/metrics", skip_host=True)
    for host in hosts:
        connection.putheader("Host", host)
    connection.endheaders()
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, body


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:9100", "localhost:9100", "LocalHost", "[::1]:9100"])
def test_loopback_names_are_answered(port: int, host: str) -> None:
    status, body = ask(port, host)
    assert status == 200
    assert b'hibs_answers_total{endpoint="health",outcome="2xx"} 1.0' in body


@pytest.mark.parametrize(
    "hosts",
    [
        ("evil.test",),
        ("evil.test:9100",),
        ("127.0.0.1.evil.test",),
        ("localhost.evil.test",),
        ("evil@localhost",),
        ("localhost:9100/",),
        ("localhost", "evil.test"),
        ("localhost", "localhost"),
        ("",),
        (),
    ],
)
def test_a_page_that_calls_this_machine_by_another_name_reads_nothing(port: int, hosts: tuple[str, ...]) -> None:
    """DNS rebinding; RFC 9110 15.5.20."""
    status, body = ask(port, *hosts)
    assert status == 421
    assert json.loads(body)["type"] == "/problems/bad-host"
    assert b"hibs_answers" not in body
