"""What a connection may cost where no route looks: uvicorn takes heads without an end, and bodies that nobody reads.

A head is the first line and the header fields of a request (RFC 9112 2.1). A body that a route reads has the limits of
that route (limits.py); those of all others are here.

1. A connection on which nothing arrives is closed after `WAIT_SECONDS_MAX`; one whose head does not end gets 408.
2. A head that is longer than `FIELDS_BYTES_MAX` gets 431, or 414 where its first line is to blame. So does what chunks
   bring beside a body. Trailers, which are fields behind a body, are dropped: nothing here reads them (RFC 9110 6.5).
3. What is no HTTP gets 400. All of these answers are problem documents, and the last ones of their connection.
4. What is left of a body when its answer begins is dropped: up to `DISCARD_BYTES_MAX`, and until `WAIT_SECONDS_MAX`
   after the answer has gone out. Then the connection ends.
5. A connection is closed by halves while the other end still sends (RFC 9112 9.6): closed at once, it would be reset,
   and browsers report a broken network instead of the answer. What comes then is dropped within the same limits.
6. A host in the target of a request replaces that of its field (RFC 9112 3.2.2), before anybody judges it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any

import uvicorn
from starlette.responses import Response
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from api.problems import ProblemKind

FIELDS_BYTES_MAX = 64 * 1024
"""Of a head, as in h11; nginx takes 32 KiB, Node 16. A head that begins in the middle of what arrives at once, behind
another request, may have twice that."""
WAIT_SECONDS_MAX = 10.0
"""As for a body. A thousand silent connections are all that a process may open on most systems."""
DISCARD_BYTES_MAX = 64 * 2**20
"""Above every body that people send by mistake."""
_ABSOLUTE = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]*://([^/?#]*)")
"""The begin of an absolute URI: scheme and authority (RFC 3986 appendix B)."""

Refusal = Callable[[ProblemKind], Response]


class BoundedConnection(HttpToolsProtocol):
    """uvicorn's protocol with these limits.

    Args:
        refusal: makes the answer to what is refused before there is a request.
    """

    url = b""
    """Target of the request that arrives, or arrived last."""

    def __init__(
        self, config: uvicorn.Config, server_state: ServerState, app_state: dict[str, Any], *, refusal: Refusal
    ) -> None:
        super().__init__(config, server_state, app_state)
        self._refusal = refusal
        self._deadline: asyncio.TimerHandle | None = None
        self._field_bytes = 0
        """Arrived since a head, or a piece of a body, ended last."""
        self._dropped_bytes = 0
        self._in_body = False
        self._is_deaf = False
        """The parser gets nothing more."""
        self._is_mute = False
        """The last word was said, and this half of the connection is closed."""
        self._service_ends = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first head."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is waited for any more."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what no route reads, and give the parser no more at once than a head may still have."""
        if self._is_deaf or (self._in_body and self.cycle.response_started):
            self._dropped_bytes += len(data)
            if self._dropped_bytes > DISCARD_BYTES_MAX:
                self.transport.abort()
                return
        while data and not self._is_deaf:
            piece = data[: FIELDS_BYTES_MAX - self._field_bytes]
            if not piece:
                of_target = len(self.url) > FIELDS_BYTES_MAX // 2
                self._refuse(ProblemKind.TARGET_TOO_LONG if of_target else ProblemKind.HEAD_TOO_LARGE)
                return
            self._field_bytes += len(piece)
            super().data_received(piece)
            data = data[len(piece) :]

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's words; ours are in the catalogue
        """Called where the parser, or uvicorn itself, cannot read what arrives."""
        self._refuse(ProblemKind.MALFORMED_REQUEST)

    def on_message_begin(self) -> None:
        """Called by the parser; on a connection that is used again, this is where the next head begins."""
        self._await_head()
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Called by the parser, for trailers as well."""
        if not self._in_body:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Called by the parser at the end of a head."""
        self._stop_waiting()
        self._field_bytes = self._dropped_bytes = 0
        self._take_host_of_target()
        super().on_headers_complete()
        self._in_body = True
        self.cycle.transport = _Line(self)

    def on_body(self, body: bytes) -> None:
        """Called by the parser with a piece of a body."""
        self._field_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Called by the parser at the end of a request, also where there is no body."""
        super().on_message_complete()
        self._stop_waiting()
        self._field_bytes = 0
        self._in_body = False
        self._await_next()

    def on_response_complete(self) -> None:
        """Called at the end of an answer."""
        if not self._is_mute:
            super().on_response_complete()
            self._await_next()

    def shutdown(self) -> None:
        """Called when the service ends: nobody is waited for, but answers that have begun."""
        self._service_ends = True
        if self._is_mute:
            self.transport.abort()
        else:
            super().shutdown()

    def end(self) -> None:
        """Close; by halves where the other end may still be sending."""
        if self.transport.is_closing():
            return
        if self._service_ends or not (self._is_deaf or self._in_body):
            self.transport.close()
            return
        self._is_deaf = self._is_mute = True
        self.transport.write_eof()
        self.flow.resume_reading()
        self._wait(self.transport.abort)

    def _take_host_of_target(self) -> None:
        """Also leaves the path alone in the target, as every other request has it."""
        found = _ABSOLUTE.match(self.url)
        if found is None:
            return
        path = self.url[found.end() :]
        self.url = path if path.startswith(b"/") else b"/" + path
        # As many fields as before: a request without Host, or with two, stays one (RFC 9112 3.2).
        self.headers[:] = [(name, found[1] if name == b"host" else value) for name, value in self.headers]

    def _await_next(self) -> None:
        """Both an answer and what was asked have to come to their ends."""
        if self._is_deaf or self.transport.is_closing() or not self.cycle.response_complete:
            return
        if self._in_body:
            self._wait(self.transport.abort)
        elif self._deadline is None:
            self._await_head()

    def _await_head(self) -> None:
        self._wait(self._too_late)

    def _wait(self, then: Callable[[], None]) -> None:
        self._stop_waiting()
        self._deadline = self.loop.call_later(WAIT_SECONDS_MAX, then)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_late(self) -> None:
        if self._field_bytes:
            self._refuse(ProblemKind.TOO_SLOW)
        else:
            # A silent connection is closed without a word: browsers open some ahead of need.
            self.transport.close()

    def _refuse(self, kind: ProblemKind) -> None:
        """Answer what arrives with a problem where it is its turn, and take nothing more."""
        self._stop_waiting()
        self._is_deaf = True
        cycle = self.cycle
        is_answered = cycle is None or cycle.response_complete
        if not is_answered and (not self._in_body or self.pipeline or cycle.response_started):
            # In the middle of an answer, or before that to an earlier request, ours would be taken for a part of it.
            cycle.keep_alive = False
            return
        if not is_answered:
            cycle.disconnected = True
            cycle.message_event.set()
        if not (is_answered and self._in_body):
            self._write(self._refusal(kind))
        self.end()

    def _write(self, answer: Response) -> None:
        fields = [*self.server_state.default_headers, *answer.raw_headers]
        lines = [name + b": " + value + b"\r\n" for name, value in fields]
        if not self.transport.is_closing():
            self.transport.write(b"".join([STATUS_LINE[answer.status_code], *lines, b"\r\n", bytes(answer.body)]))


class _Line(asyncio.Transport):
    """A connection as its answers see it: what they close may first have to hear the other end out."""

    def __init__(self, connection: BoundedConnection) -> None:
        super().__init__()
        self._connection = connection

    def write(self, data: Any) -> None:
        self._connection.transport.write(data)

    def is_closing(self) -> bool:
        return self._connection.transport.is_closing()

    def close(self) -> None:
        self._connection.end()
