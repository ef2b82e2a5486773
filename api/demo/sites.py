"""The demo's web: four small sites, each a virtual host with a port of its own on loopback.

Names under `.localhost` mean this machine (RFC 6761 6.3), so a site is `http://gallery.localhost:40123` for the crawler
and for a browser alike. What a site says about its pictures is data: web/sites.json and the files beside it.
"""

from __future__ import annotations

import json
import socket
import threading
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from types import TracebackType

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from checker.errors import InputError

_START_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Site:
    """One virtual host while it stands."""

    name: str
    says: str
    """What its publisher says, in a sentence."""
    port: int

    @property
    def url(self) -> str:
        """Where it begins."""
        return f"http://{self.name}.localhost:{self.port}/"

    @property
    def address(self) -> str:
        """What a crawler's guard has to be opened for."""
        return f"127.0.0.1:{self.port}"


class DemoWeb:
    """A context manager: inside, the sites answer; they listen on ports that were free."""

    def __init__(self) -> None:
        self.sites: tuple[Site, ...] = ()
        self._open = ExitStack()
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> DemoWeb:
        folder = self._open.enter_context(as_file(files("api.demo") / "web"))
        described = json.loads((folder / "sites.json").read_text("utf-8"))["sites"]
        listeners = [self._open.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in described]
        ports = [listener.getsockname()[1] for listener in listeners]
        self.sites = tuple(Site(d["name"], d["says"], port) for d, port in zip(described, ports, strict=True))
        apps = {port: _site_app(folder, d) for d, port in zip(described, ports, strict=True)}
        config = uvicorn.Config(_ByPort(apps), log_level="error", access_log=False, lifespan="off")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": listeners}, name="demo web")
        self._thread.start()
        self._wait_until_it_answers(ports[0])
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            self._thread.join()
        self._open.close()

    def _wait_until_it_answers(self, port: int) -> None:
        # The socket listens already, so this waits in the kernel's queue until the server takes it up.
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=_START_TIMEOUT_S) as probe:
                probe.sendall(b"GET /robots.txt HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                probe.recv(1)
        except OSError as error:
            raise InputError(f"the demo's web did not start within {_START_TIMEOUT_S:.0f} s; try again") from error


class _ByPort:
    """Hands a request to the site that listens on the port it came to."""

    def __init__(self, apps: dict[int, ASGIApp]) -> None:
        self._apps = apps

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._apps[scope["server"][1]](scope, receive, send)


class _WithHeaders:
    """Adds response headers below a path prefix: how a publisher speaks about pictures."""

    def __init__(self, app: ASGIApp, headers: list[dict[str, object]]) -> None:
        self._app = app
        self._headers = [(str(h["prefix"]), h["headers"]) for h in headers]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                sent = MutableHeaders(scope=message)
                for prefix, headers in self._headers:
                    if scope["path"].startswith(prefix) and isinstance(headers, dict):
                        for name, value in headers.items():
                            sent.append(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers)


def _site_app(folder: Path, described: dict[str, object]) -> ASGIApp:
    headers = described["headers"]
    files = StaticFiles(directory=folder / str(described["folder"]), html=True)
    # Starlette around it turns "no such file" into a 404.
    return _WithHeaders(Starlette(routes=[Mount("/", files)]), headers if isinstance(headers, list) else [])
