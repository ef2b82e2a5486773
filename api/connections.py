"""What a connection may cost before there is a request: uvicorn waits for a head without an end, of any length.

A head is the first line and the header fields of a request (RFC 9112 2.1). Bodies have their limits in limits.py; what
is here comes before any of our code is asked.

1. A connection on which nothing arrives is closed after `HEAD_SECONDS_MAX`; one whose head does not end gets 408.
2. A head that is longer than `HEAD_BYTES_MAX` gets 431.
3. Trailers, which are fields behind a body, are dropped: nothing here reads them (RFC 9110 6.5).
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_BYTES_MAX = 64 * 1024
"""As in h11; nginx takes 32 KiB, Node 16."""
HEAD_SECONDS_MAX = 10.0
"""As for a body. A thousand silent connections are all that a process may open on most systems."""


class BoundedConnection(HttpToolsProtocol):
    """uvicorn's protocol with these limits."""

    _deadline: asyncio.TimerHandle | None = None
    """Set while a head is waited for."""
    _head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first head."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is waited for any more."""
        self._end_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what belongs to a head that has not ended."""
        super().data_received(data)
        if self._deadline is not None:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES_MAX:
                self._refuse(b"431 Request Header Fields Too Large")

    def on_message_begin(self) -> None:
        """Called by the parser; on a connection that is used again, this is where the next head begins."""
        self._await_head()
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Called by the parser, for trailers as well."""
        if self._deadline is not None:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Called by the parser at the end of a head."""
        self._end_waiting()
        super().on_headers_complete()

    def _await_head(self) -> None:
        self._end_waiting()
        self._head_bytes = 0
        self._deadline = self.loop.call_later(HEAD_SECONDS_MAX, self._too_late)

    def _end_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_late(self) -> None:
        # A silent connection is closed without a word: browsers open some ahead of need.
        self._refuse(b"408 Request Timeout" if self._head_bytes else b"")

    def _refuse(self, status: bytes) -> None:
        self._end_waiting()
        if status and not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        self.transport.close()
