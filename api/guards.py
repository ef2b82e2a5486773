"""What every request and every answer has to pass, before and after any route.

1. The Host must be one of ours. A web page can point a name of its own at 127.0.0.1 and let the reader's browser
   talk to a service there ("DNS rebinding"); the Host header is the one thing it cannot change.
2. A write that a browser sends must come from our own pages (Origin, RFC 6454; Sec-Fetch-Site where there is none).
3. A body must not be compressed: a few bytes could become gigabytes.
4. Every answer carries the security headers. Answers are not stored anywhere unless a route says otherwise.
5. Who asks is told by the connection, or by a proxy that the operator named (proxies.py), before anything looks at it.
6. HEAD is answered wherever GET is, without the content (RFC 9110 9.1: a server has to support both).

There is no CORS header at all: pages of others may not read what is answered here.
"""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import ProblemError, ProblemKind, problem_response
from api.proxies import NO_PROXIES, Proxies
from api.words import speak

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})
WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        # blob: is the reader's own photo, drawn from the device.
        "img-src 'self' blob:",
        "connect-src 'self'",
        "base-uri 'none'",
        # The one form that a browser sends by itself: a closer look without JavaScript (routes/closer.py).
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
SECURITY_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


_SECURITY = tuple((name.lower().encode(), value.encode()) for name, value in SECURITY_HEADERS.items())
_SECURITY_NAMES = frozenset(name for name, _ in _SECURITY)
_NO_STORE = (b"cache-control", b"no-store")


class Guards:
    """ASGI middleware around the whole app, so that also static files and unforeseen errors pass it.

    Args:
        allowed_hosts: names and addresses, without port, beside those of loopback.
        proxies: whose forwarding headers are believed.
        count: told path, status and seconds of every answer when it begins.
    """

    def __init__(
        self,
        app: ASGIApp,
        allowed_hosts: Collection[str] = (),
        proxies: Proxies = NO_PROXIES,
        count: Callable[[str, int, float], None] | None = None,
    ) -> None:
        self._app = app
        self._proxies = proxies
        self._count = count
        self._hosts = LOOPBACK_HOSTS | {host.lower() for host in allowed_hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the module."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        scope = self._proxies.resolve(scope)
        headers = Headers(scope=scope)
        speak(scope["path"], headers.get("accept-language", ""))
        is_head, began_s = scope["method"] == "HEAD", time.perf_counter()

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": _guarded(message["headers"])}
                if self._count:
                    self._count(scope["path"], message["status"], time.perf_counter() - began_s)
            elif is_head and message["type"] == "http.response.body":
                message = {**message, "body": b""}
            try:
                await send(message)
            except RuntimeError as error:
                # What uvloop says of a connection that the client has closed: no fault, and nothing for a log.
                if "handler is closed" not in str(error):
                    raise

        refused = self._refusal(scope["method"], headers)
        app = problem_response(refused) if refused else self._app
        await app({**scope, "method": "GET", "is_head": True} if is_head else scope, receive, send_guarded)

    def _refusal(self, method: str, headers: Headers) -> ProblemError | None:
        hosts = headers.getlist("host")
        if len(hosts) != 1 or host_name(hosts[0]) not in self._hosts:
            return ProblemError(ProblemKind.BAD_HOST)
        if method in WRITES and not _from_our_pages(headers, hosts[0]):
            return ProblemError(ProblemKind.FORBIDDEN_ORIGIN)
        if any(value.lower() != "identity" for value in headers.getlist("content-encoding")):
            return ProblemError(ProblemKind.UNSUPPORTED_MEDIA_TYPE)
        return None


def _guarded(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """The headers of an answer with ours, which nothing overrides, in place of any of their names."""
    kept = [(name, value) for name, value in headers if name.lower() not in _SECURITY_NAMES]
    stored = () if any(name.lower() == b"cache-control" for name, _ in kept) else (_NO_STORE,)
    return [*kept, *_SECURITY, *stored]


def refusal(kind: ProblemKind) -> Response:
    """The answer to what is refused before there is a request, which never passes the middleware; the last one."""
    response = problem_response(ProblemError(kind, headers={"Connection": "close"}))
    response.raw_headers = _guarded(response.raw_headers)
    return response


def host_name(host: str) -> str | None:
    """The name in a Host header, lower case, without port and brackets. None: it is no Host (RFC 9110 7.2)."""
    try:
        parts = urlsplit(f"//{host}")
        parts.port  # noqa: B018 - reading it checks it
    except ValueError:
        return None
    return parts.hostname if parts.netloc == host and "@" not in host else None


def is_loopback(host: str) -> bool:
    """Does binding to `host` keep the service on this machine?"""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _from_our_pages(headers: Headers, host: str) -> bool:
    """Programs send neither header and pass; a browser cannot leave both out on a foreign write."""
    origin = headers.get("origin")
    site = headers.get("sec-fetch-site", "same-origin" if origin is None else "none")
    if origin is None or origin == "null":
        # `Referrer-Policy: no-referrer` turns the Origin of a form on our own page into "null" (Fetch, 3.1).
        return site == "same-origin"
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    return site != "cross-site" and parts.scheme in ("http", "https") and parts.netloc.lower() == host.lower()
