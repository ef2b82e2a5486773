"""Reaches a server of ours for checker's own commands. Implements `checker.remote.Remote` over HTTP.

The person names the server, so no guard stands before it; but a redirect could lead anywhere and is refused. Sizes
and the whole time are limited, and no cookie, proxy setting or compressed body is taken.
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import ada_url
import aiohttp
from yarl import URL

from checker.errors import InputError, RemoteError
from checker.remote import Reply
from crawler.guard import LocalhostResolver

_TOTAL_S = 60.0
_CONNECT_S = 10.0
_CHUNK_BYTES = 65_536
_AT_ONCE = 8
"""Connections of one `get_many`: enough to hide the way to the server, few enough to be no burden."""
_BATCH = 256
"""Requests of a `get_many` that share their connections; their replies are held until all have come."""


class HttpRemote:
    """One server, by its address.

    Synchronous: each call opens a session of its own and must not be made from inside an event loop. Nothing stays open
    between calls, so nobody has to close anything; who fetches thousands of things asks with `get_many`.
    """

    def __init__(self, server: str, *, total_s: float = _TOTAL_S) -> None:
        """Point at `server` ("http://127.0.0.1:8000", with or without a path before ours).

        Raises:
            InputError: it is no http(s) address, or carries a user name, a query or a fragment.
        """
        try:
            url = ada_url.URL(server)
        except ValueError:
            url = None
        if url is None or url.protocol not in ("http:", "https:"):
            raise InputError(f"{server!r} is no address of a server; give one like http://127.0.0.1:8000")
        if url.username or url.password or url.search or url.hash:
            raise InputError("the address of a server has no user name, query or fragment; give scheme, host and port")
        self._server = str(url.href).rstrip("/")
        self._total_s = total_s

    def get(
        self, path: str, *, bytes_max: int, authorization: str | None = None, if_none_match: str | None = None
    ) -> Reply:
        """See `Remote.get`."""
        return self._run("GET", path, None, "", bytes_max, authorization, if_none_match)

    def get_many(self, paths: Sequence[str], *, bytes_max: int) -> Iterator[Reply]:
        """See `Remote.get_many`."""
        for first in range(0, len(paths), _BATCH):
            with self._naming_server():
                replies = asyncio.run(self._ask_many(paths[first : first + _BATCH], bytes_max))
            for reply in replies:
                if isinstance(reply, RemoteError):
                    raise reply
                yield reply

    def post(
        self, path: str, body: bytes, media_type: str, *, bytes_max: int, authorization: str | None = None
    ) -> Reply:
        """See `Remote.post`."""
        return self._run("POST", path, body, media_type, bytes_max, authorization)

    def delete(self, path: str, *, bytes_max: int, authorization: str | None = None) -> Reply:
        """See `Remote.delete`."""
        return self._run("DELETE", path, None, "", bytes_max, authorization)

    def _run(
        self,
        method: str,
        path: str,
        body: bytes | None,
        media_type: str,
        bytes_max: int,
        authorization: str | None,
        if_none_match: str | None = None,
    ) -> Reply:
        headers = {}
        if media_type:
            headers["Content-Type"] = media_type
        if authorization:
            headers["Authorization"] = authorization
        if if_none_match:
            headers["If-None-Match"] = if_none_match
        with self._naming_server():
            return asyncio.run(self._ask_once(method, path, body, headers, bytes_max))

    @contextmanager
    def _naming_server(self) -> Iterator[None]:
        """Tell what a library raised in our words."""
        try:
            yield
        except aiohttp.ConnectionTimeoutError as error:
            raise RemoteError(
                f"cannot reach {self._server} (no connection within {_CONNECT_S:g} s); check the address and that it "
                "is running"
            ) from error
        except TimeoutError as error:
            raise RemoteError(f"{self._server} did not answer within {self._total_s:g} s; try again later") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise RemoteError(
                f"cannot reach {self._server} ({_why(error)}); check the address and that it is running"
            ) from error

    async def _ask_once(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str], bytes_max: int
    ) -> Reply:
        async with self._session() as session:
            return await self._ask(session, method, path, body, headers, bytes_max)

    async def _ask_many(self, paths: Sequence[str], bytes_max: int) -> list[Reply | RemoteError]:
        """The replies up to the first that failed, in order; the last one may be the failure."""
        answers: dict[int, Reply | RemoteError] = {}
        waiting = iter(enumerate(paths))

        async def work(session: aiohttp.ClientSession) -> None:
            for place, path in waiting:
                try:
                    with self._naming_server():
                        answers[place] = await self._ask(session, "GET", path, None, {}, bytes_max)
                except RemoteError as error:
                    answers[place] = error
                    return

        async with self._session() as session, asyncio.TaskGroup() as workers:
            for _ in range(min(_AT_ONCE, len(paths))):
                workers.create_task(work(session))
        failed = min(
            (place for place, answer in answers.items() if isinstance(answer, RemoteError)), default=len(paths)
        )
        return [answers[place] for place in range(min(failed + 1, len(paths)))]

    def _session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(resolver=LocalhostResolver()),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"Accept-Encoding": "identity"},
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=self._total_s, sock_connect=_CONNECT_S),
        )

    async def _ask(
        self,
        session: aiohttp.ClientSession,
        method: str,
        path: str,
        body: bytes | None,
        headers: dict[str, str],
        bytes_max: int,
    ) -> Reply:
        assert path.startswith("/"), "paths are absolute"
        url = URL(self._server + path, encoded=True)
        async with session.request(method, url, data=body, headers=headers, allow_redirects=False) as response:
            unchanged = response.status == 304 and "If-None-Match" in headers
            if 300 <= response.status < 400 and not unchanged:
                raise RemoteError(
                    f"{self._server} redirects elsewhere (status {response.status}); "
                    "give the address that it redirects to, if you trust it"
                )
            if response.headers.get("Content-Encoding", "identity").lower() != "identity":
                raise RemoteError(f"{self._server} compressed its answer though it was asked not to")
            return Reply(
                status=response.status,
                body=await _read(response, bytes_max, self._server),
                media_type=response.headers.get("Content-Type", "").partition(";")[0].strip().lower(),
                etag=response.headers.get("ETag", ""),
                retry_after_s=_seconds(response.headers.get("Retry-After", "")),
            )


def _why(error: Exception) -> str:
    """Why a server could not be reached, in words."""
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "its name is not known"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return "its certificate cannot be trusted"
    if isinstance(error, aiohttp.ClientSSLError):
        return "no https is spoken there"
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "it closed the connection without an answer"
    if isinstance(error, aiohttp.ClientPayloadError):
        return "its answer was cut off"
    if isinstance(error, aiohttp.ClientResponseError):
        return "what it answers is no HTTP"
    number = error.errno if isinstance(error, OSError) else None
    return _REASONS.get(number or 0, "the connection failed")


_REASONS = {
    errno.ECONNREFUSED: "connection refused",
    errno.ECONNRESET: "it closed the connection without an answer",
    errno.EPIPE: "it closed the connection without an answer",
    errno.ETIMEDOUT: "no connection in time",
    errno.ENETUNREACH: "there is no way to it from this network",
    errno.EHOSTUNREACH: "there is no way to it from this network",
}


def _seconds(text: str) -> int | None:
    """Seconds of Retry-After. Its other form, a date, is not read: our services write seconds."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None


async def _read(response: aiohttp.ClientResponse, bytes_max: int, server: str) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
        body += chunk
        if len(body) > bytes_max:
            response.close()
            raise RemoteError(f"{server} sent more than the {bytes_max:,} bytes that such an answer may have")
    return bytes(body)
