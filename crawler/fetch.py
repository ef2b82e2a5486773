"""One request: an address in, bytes or a reason out. No redirect is followed, nothing is judged.

Limits, in the order in which they bite: the address may be contacted (guard), the connection stands in time, the
head decides whether the body is wanted, Content-Length is not too large, the body comes fast enough, is not too
large, and not too large once decoded.

Compression is undone here and not by the client, because only so is its output bounded: 200 KB of gzip can hold
200 MB.
"""

from __future__ import annotations

import asyncio
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from types import TracebackType
from typing import Protocol

import aiohttp
from yarl import URL

from crawler.guard import BlockedAddressError, Guard, LocalhostResolver
from crawler.settings import CrawlSettings

_CHUNK_BYTES = 65_536


class NotFetchedReason(StrEnum):
    """Why a request gave no response. Closed; these stand in the frontier's `reason`."""

    TIMEOUT = "timeout"
    TOO_SLOW = "too-slow"
    TOO_LARGE = "too-large"
    UNREACHABLE = "unreachable"
    BLOCKED_ADDRESS = "blocked-address"
    BAD_ENCODING = "bad-encoding"
    BAD_RESPONSE = "bad-response"
    BAD_ADDRESS = "bad-address"
    HOST_FAILS = "host-fails"
    """Not asked: it failed too often in a row."""


@dataclass(frozen=True, slots=True)
class NotFetched:
    """A request that gave no response we can use."""

    reason: NotFetchedReason


@dataclass(frozen=True, slots=True)
class Head:
    """Status and header lines, before any of the body was read."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    """In order of arrival, names as sent."""

    def get(self, name: str) -> str:
        """The first line of this name (any case); empty: there is none."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), "")


@dataclass(frozen=True, slots=True)
class Fetched:
    """A response."""

    head: Head
    body: bytes | None
    """Decoded. None: it was not wanted, or the status is not 2xx."""
    duration_s: float


def _always(_: Head) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Ask:
    """One request to make."""

    url: str
    bytes_max: int
    """Of the body, before and after decoding."""
    keep_start: bool = False
    """A longer body is cut at `bytes_max` instead of refused (robots.txt, RFC 9309 2.5)."""
    wants_body: Callable[[Head], bool] = field(default=_always)
    """Asked once the head is there; a body that is not wanted is never read."""


class Fetcher(Protocol):
    """Makes one request. The tests' SiteSimulator implements it without sockets."""

    async def fetch(self, ask: Ask) -> Fetched | NotFetched:
        """Ask for one address, following nothing."""
        ...


class HttpFetcher:
    """Fetches over HTTP. An async context manager: one session a run."""

    def __init__(self, settings: CrawlSettings, guard: Guard) -> None:
        self._settings = settings
        self._guard = guard
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> HttpFetcher:
        limits = self._settings
        connector = aiohttp.TCPConnector(
            limit=limits.hosts_at_once_max,
            limit_per_host=1,
            ttl_dns_cache=300,
            resolver=LocalhostResolver(),
            socket_factory=self._guard.make_socket,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,  # a proxy would make the connections, and the guard would see only the proxy
            headers={"User-Agent": limits.user_agent, "Accept-Encoding": "gzip, deflate"},
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=limits.connect_s_max, sock_read=limits.silence_s_max
            ),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session:
            await self._session.close()

    async def fetch(self, ask: Ask) -> Fetched | NotFetched:
        """See `Fetcher.fetch`."""
        try:
            async with asyncio.timeout(self._settings.request_s_max):
                return await self._fetch(ask)
        except aiohttp.InvalidURL:
            return NotFetched(NotFetchedReason.BAD_ADDRESS)
        except TimeoutError:
            return NotFetched(NotFetchedReason.TIMEOUT)
        except aiohttp.ClientConnectorError as error:
            blocked = isinstance(error.os_error, BlockedAddressError)
            return NotFetched(NotFetchedReason.BLOCKED_ADDRESS if blocked else NotFetchedReason.UNREACHABLE)
        except (aiohttp.ClientPayloadError, aiohttp.ClientResponseError):
            return NotFetched(NotFetchedReason.BAD_RESPONSE)
        except (aiohttp.ClientError, OSError):
            return NotFetched(NotFetchedReason.UNREACHABLE)
        except _UnusableBodyError as error:
            return NotFetched(error.reason)

    async def _fetch(self, ask: Ask) -> Fetched:
        assert self._session, "open the fetcher with `async with`"
        begin = time.monotonic()
        # encoded=True: the address goes out as it was written; yarl would change %2F inside a query.
        async with self._session.get(URL(ask.url, encoded=True), allow_redirects=False) as response:
            head = Head(
                status=response.status,
                headers=tuple((_readable(name), _readable(value)) for name, value in response.headers.items()),
            )
            body = None
            if 200 <= head.status < 300 and ask.wants_body(head):
                body = await self._read(response, head, ask)
            else:
                response.close()  # what is not read must not arrive later on the same connection
        return Fetched(head=head, body=body, duration_s=time.monotonic() - begin)

    async def _read(self, response: aiohttp.ClientResponse, head: Head, ask: Ask) -> bytes:
        length = head.get("Content-Length")
        if length.isdecimal() and int(length) > ask.bytes_max and not ask.keep_start:
            response.close()
            raise _UnusableBodyError(NotFetchedReason.TOO_LARGE)
        decoder = _Decoder(head.get("Content-Encoding"), ask)
        begin, raw_bytes = time.monotonic(), 0
        async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
            raw_bytes += len(chunk)
            passed_s = time.monotonic() - begin
            if passed_s > self._settings.rate_grace_s and raw_bytes < self._settings.rate_bytes_per_s_min * passed_s:
                response.close()
                raise _UnusableBodyError(NotFetchedReason.TOO_SLOW)
            if not decoder.feed(chunk, raw_bytes):
                response.close()
                break
        return decoder.finish()


class _UnusableBodyError(Exception):
    """Ends the reading of a body; turned into a `NotFetched` in this file."""

    def __init__(self, reason: NotFetchedReason) -> None:
        super().__init__(reason.value)
        self.reason = reason


class _Decoder:
    """Undoes one Content-Encoding within a bound. gzip may have several members (RFC 1952 2.2)."""

    def __init__(self, encoding: str, ask: Ask) -> None:
        self._encoding = encoding.strip().lower()
        if self._encoding not in ("", "identity", "gzip", "x-gzip", "deflate"):
            raise _UnusableBodyError(NotFetchedReason.BAD_ENCODING)
        self._ask = ask
        self._body = bytearray()
        self._inflate = self._new_inflate(b"\x78") if self._encoding not in ("", "identity") else None
        self._begun = self._cut = False

    def feed(self, chunk: bytes, raw_bytes: int) -> bool:
        """Take the next bytes, `raw_bytes` in all. False: enough was read. Raises when they cannot be used."""
        if self._inflate is None:
            self._body += chunk
        else:
            try:
                self._inflate_all(chunk)
            except zlib.error as error:
                raise _UnusableBodyError(NotFetchedReason.BAD_ENCODING) from error
        # Both sides of the decoder: what follows a compressed end is thrown away, and would never count.
        if max(len(self._body), raw_bytes) <= self._ask.bytes_max:
            return True
        if not self._ask.keep_start:
            raise _UnusableBodyError(NotFetchedReason.TOO_LARGE)
        del self._body[self._ask.bytes_max :]
        self._cut = True
        return False

    def finish(self) -> bytes:
        """All of it. Raises when the compressed form has no end."""
        if self._inflate is not None and self._begun and not self._inflate.eof and not self._cut:
            raise _UnusableBodyError(NotFetchedReason.BAD_ENCODING)
        return bytes(self._body)

    def _inflate_all(self, data: bytes) -> None:
        assert self._inflate is not None
        if not self._begun and data:
            self._inflate, self._begun = self._new_inflate(data), True
        while data and len(self._body) <= self._ask.bytes_max:
            if self._inflate.eof:
                if self._encoding == "deflate" or data.strip(b"\0") == b"":
                    return  # padding after the end; deflate has one member
                self._inflate = self._new_inflate(data)
            self._body += self._inflate.decompress(data, self._ask.bytes_max + 1 - len(self._body))
            data = self._inflate.unconsumed_tail or self._inflate.unused_data

    def _new_inflate(self, start: bytes) -> zlib._Decompress:
        if self._encoding == "deflate":
            # RFC 9110 8.4.1.2 means the zlib format; some servers send raw deflate all the same.
            return zlib.decompressobj(zlib.MAX_WBITS if start[0] & 0x0F == 8 else -zlib.MAX_WBITS)
        return zlib.decompressobj(zlib.MAX_WBITS | 16)


def _readable(text: str) -> str:
    """Header text as UTF-8 that can be stored; aiohttp hides stray bytes as surrogates."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
