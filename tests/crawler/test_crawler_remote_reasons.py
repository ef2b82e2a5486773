"""Why a server could not be reached, in words."""

from __future__ import annotations

import socket
from threading import Thread

import pytest

from checker.errors import RemoteError
from crawler.remote import HttpRemote


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"", "it closed the connection without an answer"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "what it answers is no HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", "its answer was cut off"),
    ],
)
def test_what_answers_otherwise_is_told(answer: bytes, words: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def once() -> None:
            there, _ = server.accept()
            with there:
                there.recv(65_536)
                there.sendall(answer)

        thread = Thread(target=once)
        thread.start()
        with pytest.raises(RemoteError, match=rf"cannot reach http://127\.0\.0\.1:\d+ \({words}\); check the address"):
            # A GET that was not answered is sent a second time by the library.
            HttpRemote(f"http://127.0.0.1:{server.getsockname()[1]}").post("/", b"x", "text/plain", bytes_max=100)
        thread.join()


def test_nobody_there_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(RemoteError, match=rf"cannot reach http://127\.0\.0\.1:{port} \(connection refused\); check"):
        HttpRemote(f"http://127.0.0.1:{port}").get("/", bytes_max=100)
    with pytest.raises(RemoteError, match=r"\(connection refused\)"):
        list(HttpRemote(f"http://127.0.0.1:{port}").get_many(["/"], bytes_max=100))


def test_a_name_that_nobody_has_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name server would be asked elsewhere; what it makes the system say is said here."""

    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(RemoteError, match=r"cannot reach http://photos\.invalid \(its name is not known\)"):
        HttpRemote("http://photos.invalid").get("/", bytes_max=100)


def test_https_where_none_is_spoken_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def once() -> None:
            there, _ = server.accept()
            with there:
                there.recv(65_536)
                there.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = Thread(target=once)
        thread.start()
        with pytest.raises(RemoteError, match=r"\(no https is spoken there\)"):
            HttpRemote(f"https://127.0.0.1:{server.getsockname()[1]}").get("/", bytes_max=100)
        thread.join()
