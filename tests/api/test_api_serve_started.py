"""`hibs serve`: where it listens, by which names it answers, and how it is cut off."""

from __future__ import annotations

import errno
import http.client
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from test_api_serve import COMMAND, end, start

from api.accepting import bind
from checker.errors import InputError

pytest_plugins = ("api_service",)
WITHOUT_GRACE = f"import api.server; api.server.GRACE_S = 0; {COMMAND}"


def port_of(process: subprocess.Popen[str]) -> int:
    assert process.stdout is not None
    found = re.search(r":(\d+)$", process.stdout.readline().strip())
    assert found
    return int(found[1])


def has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


def status(port: int, host: str, at: str = "127.0.0.1") -> int:
    with closing(http.client.HTTPConnection(at, port, timeout=30)) as connection:
        connection.request("GET", "/healthz", headers={"Host": host})
        return connection.getresponse().status


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1", "bü..x"])
def test_an_address_of_another_machine_is_not_put_down_to_the_port(host: str) -> None:
    """192.0.2.0/24 and 2001:db8::/32 are nobody's (RFC 5737, RFC 3849)."""
    with pytest.raises(InputError, match=r"give --host an address of this machine") as refused:
        bind(host, 0)
    assert "--port" not in str(refused.value)


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (PermissionError(errno.EACCES, "Permission denied"), "port 80: Permission denied; choose another with --port"),
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "service not known; give --host an address"),
    ],
    ids=["kept for root", "no such name"],
)
def test_what_the_system_refuses_is_put_down_to_what_it_is_about(
    monkeypatch: pytest.MonkeyPatch, error: OSError, sentence: str
) -> None:
    """Root may take every port, and a name is asked of a server elsewhere: the answer is given here."""

    class Refusing(socket.socket):
        def bind(self, _: object) -> None:
            raise error

    monkeypatch.setattr("api.accepting.socket.socket", Refusing)
    with pytest.raises(InputError, match=sentence):
        bind("127.0.0.1", 80)


def test_a_system_without_ipv6_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def lacking(*_: object) -> socket.socket:
        raise OSError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT))

    monkeypatch.setattr("api.accepting.socket.socket", lacking)
    with pytest.raises(InputError, match="on ::1 port 0: Address family not supported by protocol; give --host"):
        bind("::1", 0)


def test_an_address_in_brackets_is_of_this_machine_too(corpus: Path) -> None:
    own = "::1" if has_ipv6() else "127.0.0.1"
    process = start("--data", str(corpus), "--host", f"[{own}]", "--port", "0")
    try:
        port = port_of(process)
        assert status(port, f"[{own}]:{port}" if ":" in own else own, at=own) == 200
    finally:
        process.terminate()
        assert end(process) == (0, "")


def test_a_name_may_be_given_as_it_was_copied(corpus: Path) -> None:
    names = ("https://One.Example/", "Two.Example:8443", "three.example.", "[2001:DB8::1]:80")
    process = start("--data", str(corpus), "--port", "0", *(word for name in names for word in ("--allow-host", name)))
    try:
        port = port_of(process)
        for host in ("one.example", "two.example:8443", "three.example", "[2001:db8::1]"):
            assert status(port, host) == 200, host
        assert status(port, "four.example") == 421
    finally:
        process.terminate()
        assert end(process) == (0, "")


@pytest.mark.parametrize(
    "name", ["https://one.example/photos", "*.example.org", "bücher.example", "a b", "one..example"]
)
def test_a_name_that_no_request_could_have_is_refused(corpus: Path, name: str) -> None:
    code, err = end(start("--data", str(corpus), "--port", "0", "--allow-host", name))
    assert code == 2
    assert err.startswith(f"hibs: --allow-host {name!r} is no name that a browser could ask for")


def test_blanks_are_no_operator(corpus: Path) -> None:
    given = {"HIBS_OPERATOR": " ", "HIBS_CONTACT": " "}
    code, err = end(start("--data", str(corpus), "--host", "0.0.0.0", "--port", "0", **given))
    assert code == 2
    assert "HIBS_OPERATOR" in err
    assert "HIBS_CONTACT" in err


# --- cut off ---------------------------------------------------------------------------------------------------


@contextmanager
def half_an_upload(process: subprocess.Popen[str]) -> Iterator[socket.socket]:
    """A connection whose body is being read: the service has asked for it (RFC 9110 10.1.1)."""
    with socket.create_connection(("127.0.0.1", port_of(process)), timeout=30) as upload:
        upload.sendall(
            b"POST /v1/lookups HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/jpeg\r\n"
            b"Content-Length: 100000\r\nExpect: 100-continue\r\n\r\n"
        )
        assert upload.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        upload.sendall(b"x" * 500)
        yield upload


def rest_of(connection: socket.socket) -> bytes:
    try:
        return connection.recv(1000)
    except ConnectionResetError:
        return b""


def test_a_second_signal_closes_what_has_begun_without_a_word(corpus: Path) -> None:
    process = start("--data", str(corpus), "--port", "0")
    with half_an_upload(process) as upload:
        process.send_signal(signal.SIGINT)
        address = upload.getpeername()
        while True:  # until the first signal was heard
            try:
                socket.create_connection(address, timeout=30).close()
            except ConnectionError:
                break
        process.send_signal(signal.SIGINT)
        code, err = end(process)
        assert (code, err) == (130, "")
        assert rest_of(upload) == b"", "closed, not answered 500"


def test_so_does_the_end_of_the_grace_after_a_first_one(corpus: Path) -> None:
    command = [sys.executable, "-c", WITHOUT_GRACE, "--data", str(corpus), "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with half_an_upload(process) as upload:
        process.send_signal(signal.SIGINT)
        assert end(process) == (0, "")
        assert rest_of(upload) == b""
