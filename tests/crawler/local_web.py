"""A real web server on 127.0.0.1, in a thread, for what only sockets show."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class LocalWeb:
    """One server. `requests` is its own log: path with query, and the headers."""

    port: int = 0
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    most_at_once: int = 0
    handlers: dict[str, Handler] = field(default_factory=dict)
    _under_way: int = 0

    @property
    def opened(self) -> str:
        """As --allow-address takes it."""
        return f"127.0.0.1:{self.port}"

    def url(self, path: str = "/", host: str = "127.0.0.1") -> str:
        """An address on this server."""
        return f"http://{host}:{self.port}{path}"

    def paths(self) -> list[str]:
        """What was asked for, robots.txt and the other files about the host left out."""
        about_host = ("/robots.txt", "/tdmrep.json", "/ai.txt", "/trust.txt")
        return [p for p, _ in self.requests if not p.endswith(about_host)]

    def put(self, path: str, body: bytes | str, content_type: str = "text/html", **headers: str) -> None:
        """Serve `body` at `path`; header names are written with underscores."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}

        async def give(_: web.Request) -> web.Response:
            raw = body.encode() if isinstance(body, str) else body
            return web.Response(body=raw, content_type=content_type, headers=named)

        self.handlers[path] = give

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append((request.path_qs, dict(request.headers)))
        self._under_way += 1
        self.most_at_once = max(self.most_at_once, self._under_way)
        try:
            handler = self.handlers.get(request.path)
            return await handler(request) if handler else web.Response(status=404)
        finally:
            self._under_way -= 1


@contextmanager
def local_web() -> Iterator[LocalWeb]:
    """Run a server for the length of a test."""
    served, loop = LocalWeb(), asyncio.new_event_loop()
    ready, stop = threading.Event(), asyncio.Event()

    async def serve() -> None:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", served.handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        served.port = runner.addresses[0][1]
        ready.set()
        await stop.wait()
        await runner.cleanup()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    try:
        assert ready.wait(10)
        yield served
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()
