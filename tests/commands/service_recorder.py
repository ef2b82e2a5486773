"""A service behind a listener that keeps every word that was sent to it."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

from hibs_command import POLL_S, serving


class Recorder(BaseHTTPRequestHandler):
    """Hands every request on to the service, and keeps what it said."""

    said: list[bytes]
    service: str

    def _hand_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.said.append(f"{self.command} {self.path} {self.headers}".encode() + body)
        headers = {name: self.headers[name] for name in ("Content-Type", "Authorization") if self.headers[name]}
        with closing(http.client.HTTPConnection(self.service, timeout=30)) as there:
            there.request(self.command, self.path, body=body or None, headers=headers)
            reply = there.getresponse()
            answered = reply.read()
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.headers["Content-Type"])
        self.send_header("Content-Length", str(len(answered)))
        self.end_headers()
        self.wfile.write(answered)

    do_GET = do_POST = do_DELETE = _hand_on

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


@contextmanager
def recording(folder: Path, data: str) -> Iterator[tuple[str, list[bytes]]]:
    """Serve `data` of this folder: the listener's address, and what was sent to it so far."""
    with serving(folder, data) as address:
        said: list[bytes] = []
        handler = type("Handler", (Recorder,), {"said": said, "service": urlsplit(address).netloc})
        with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            thread = Thread(target=server.serve_forever, args=(POLL_S,))
            thread.start()
            yield f"http://127.0.0.1:{server.server_port}", said
            server.shutdown()
            thread.join()
