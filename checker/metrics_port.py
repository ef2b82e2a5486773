"""Counts for Prometheus on a port of this machine: for the crawler and the service alike.

The Host has to be a loopback name. A web page could point a name of its own at 127.0.0.1 and read along otherwise (DNS
rebinding); it cannot say another Host than that name.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable
from types import TracebackType
from wsgiref.simple_server import WSGIRequestHandler, make_server
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.exposition import ThreadingWSGIServer
from prometheus_client.registry import Collector

from checker.errors import InputError

_LOOPBACK = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:[0-9]+)?", re.IGNORECASE)
"""Host fields that are ours; two of them come joined by a comma, and are none."""


def misdirected(_: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """What is said to another Host (RFC 9110 15.5.20)."""
    start_response("421 Misdirected Request", [("Content-Type", "text/plain; charset=utf-8")])
    return [b"Ask for 127.0.0.1 or localhost.\n"]


class MetricsPort:
    """Serves what a collector counts at http://127.0.0.1:PORT/metrics. A context manager."""

    def __init__(self, collector: Collector, port: int, *, refused: WSGIApplication = misdirected) -> None:
        """`refused`: answers whoever asked for another Host."""
        self._collector = collector
        self._port = port
        self._refused = refused

    def __enter__(self) -> MetricsPort:
        """Raises InputError: the port cannot be had."""
        registry = CollectorRegistry()
        registry.register(self._collector)
        app = self._guarded(make_wsgi_app(registry))
        try:
            self._server = make_server("127.0.0.1", self._port, app, ThreadingWSGIServer, handler_class=_Quiet)
        except (OSError, OverflowError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else "no such port"
            raise InputError(
                f"cannot serve metrics on 127.0.0.1 port {self._port}: {reason}; choose another with --metrics-port"
            ) from error
        self._thread = threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _guarded(self, app: WSGIApplication) -> WSGIApplication:
        def guarded(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            ours = _LOOPBACK.fullmatch(environ.get("HTTP_HOST", ""))
            return (app if ours else self._refused)(environ, start_response)

        return guarded


class _Quiet(WSGIRequestHandler):
    """Logs nothing."""

    def log_message(self, *_: object) -> None:
        pass
