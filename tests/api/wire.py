"""A service of three addresses on 127.0.0.1, asked by bytes: what connections do beside any real route.

/read      reads its body and says how long it was
/stream    begins its answer, and ends it when the test says so
anything   answers at once and reads nothing
"""

from __future__ import annotations

import asyncio
import http.client
import io
import json
import queue
import select
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import uvicorn
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from api.connections import BoundedConnection
from api.guards import Guards, refusal
from api.limits import read_body
from api.problems import ProblemError, problem_response

READ_BYTES_MAX = 2**20
HOST = b"Host: 127.0.0.1\r\n"
DRIPS_MAX = 500
"""A connection that takes so many bytes, one every 20 ms, is held to be open for ever."""


@dataclass
class Answer:
    """One answer as it came."""

    status: int
    headers: dict[str, str]
    body: bytes

    def problem(self) -> str:
        """The kind of problem that it tells."""
        assert self.headers["content-type"] == "application/problem+json"
        told = json.loads(self.body)
        assert told["status"] == self.status
        return str(told["type"]).removeprefix("/problems/")


@dataclass
class Wire:
    """The running service."""

    port: int
    end_stream: Callable[[], object]
    """Lets `/stream` come to its end."""

    def connect(self) -> socket.socket:
        """A connection that never waits longer than a minute."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=60)

    def ask(self, sent: bytes) -> list[Answer]:
        """All answers to bytes that are sent at once; the service has to close the connection after them."""
        with self.connect() as line:
            line.sendall(sent)
            return list(answers(rest(line)))

    def ask_once(self, sent: bytes) -> Answer:
        """The one answer after which the connection is closed."""
        (only,) = self.ask(sent)
        return only


class _Came(io.BytesIO):
    """What http.client takes for a socket and for its file; the next answer is read from it as well."""

    def makefile(self, _mode: str) -> _Came:
        return self

    def close(self) -> None:
        pass


def rest(line: socket.socket) -> bytes:
    """All that comes until the service closes the connection."""
    came = b""
    while piece := line.recv(65_536):
        came += piece
    return came


def answers(came: bytes) -> Iterator[Answer]:
    """Each answer in what came, as http.client reads it; interim ones are left out."""
    source = _Came(came)
    while source.tell() < len(came):
        told = http.client.HTTPResponse(source)  # type: ignore[arg-type]
        told.begin()
        headers = {name.lower(): value for name, value in told.getheaders()}
        yield Answer(told.status, headers, told.read())


def drip(line: socket.socket, piece: bytes) -> bytes:
    """Send a piece every 20 ms until the service ends the connection; what came back."""
    came = b""
    for _ in range(DRIPS_MAX):
        try:
            if select.select([line], [], [], 0.02)[0]:
                if not (got := line.recv(65_536)):
                    return came
                came += got
            line.sendall(piece)
        except ConnectionError:
            return came
    raise AssertionError("the connection stays open")


@contextmanager
def serving_on(new_loop: Callable[[], asyncio.AbstractEventLoop]) -> Iterator[Wire]:
    """Run the service in a thread."""
    stream_ends, stop = asyncio.Event(), asyncio.Event()
    begun: queue.SimpleQueue[tuple[asyncio.AbstractEventLoop, int]] = queue.SimpleQueue()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await (await _answer(Request(scope, receive), stream_ends))(scope, receive, send)

    config = uvicorn.Config(Guards(app), log_config=None, lifespan="off", ws="none")
    state = ServerState()
    state.default_headers = [(b"date", b"Mon, 23 Nov 2026 12:00:00 GMT")]

    async def serve() -> None:
        loop = asyncio.get_running_loop()
        connection = partial(BoundedConnection, config, state, {}, refusal=refusal)
        server = await loop.create_server(connection, "127.0.0.1", 0)
        begun.put((loop, server.sockets[0].getsockname()[1]))
        await stop.wait()
        server.close()
        for open_one in list(state.connections):
            open_one.shutdown()

    def run() -> None:
        with asyncio.Runner(loop_factory=new_loop) as runner:
            runner.run(serve())

    thread = threading.Thread(target=run)
    thread.start()
    loop, port = begun.get(timeout=10)
    try:
        yield Wire(port, partial(loop.call_soon_threadsafe, stream_ends.set))
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()


async def _answer(request: Request, stream_ends: asyncio.Event) -> Response:
    if request.url.path == "/read":
        try:
            return Response(str(len(await read_body(request, bytes_max=READ_BYTES_MAX))))
        except ProblemError as problem:
            return problem_response(problem)
    if request.url.path == "/stream":
        return StreamingResponse(_stream(stream_ends))
    return Response(f"{request.method} {request.url.path}")


async def _stream(ends: asyncio.Event) -> AsyncIterator[bytes]:
    yield b"begun, "
    await ends.wait()
    yield b"ended"
