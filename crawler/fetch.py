"""One request: an address in, bytes or a reason out. No redirect is followed, nothing is judged.

Limits, in the order in which they bite: the address may be contacted (guard), the connection stands in time, the
head decides whether the body is wanted, Content-Length is not too large, the body comes fast enough, is not too
large, and not too large once decoded.

Compression is undone by `encoding` and not by the client, because only so is its output bounded: 200 KB of gzip can
hold 200 MB.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from types import TracebackType
from typing import Protocol

import ada_url
import aiohttp
from aiohttp.connector import Connection
from yarl import URL

from crawler.encoding import ACCEPT_ENCODING, BodyDecoder, TooLargeError, UndecodableError
from crawler.guard import BlockedAddressError, Guard
from crawler.resolver import Resolver
from crawler.settings import CrawlSettings

_CHUNK_BYTES = 65_536
_HEADER_BYTES_MAX = 32_768
"""Of one header line; Content-Security-Policy grows past aiohttp's 8,190. curl takes 100 KiB, Chrome 256 KiB in all."""


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

    def joined(self, name: str) -> str:
        """All lines of this name with commas between, as a list field is read (RFC 9110 5.3)."""
        return ", ".join(value for key, value in self.headers if key.lower() == name.lower())


@dataclass(frozen=True, slots=True)
class Fetched:
    """A response."""

    head: Head
    body: bytes | None
    """Decoded. None: it was not wanted, or the status is not 2xx (304: what we have still holds)."""
    duration_s: float
    address: str = ""
    """The IP address that answered; empty: not known."""


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
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """If-None-Match and If-Modified-Since (RFC 9110 13.1) when an address is asked for again, or what a registry asks
    for, its key among it, so they are not shown. A value that fits into no header line is left out."""
    method: str = "GET"
    """A crawl only ever gets; registries are asked with POST."""
    body: bytes | None = None
    """What is sent."""


class Fetcher(Protocol):
    """Makes one request. The tests' SiteSimulator implements it without sockets."""

    async def fetch(self, ask: Ask) -> Fetched | NotFetched:
        """Ask for one address, following nothing."""
        ...


class HttpFetcher:
    """Fetches over HTTP. An async context manager: one session a run."""

    def __init__(self, settings: CrawlSettings, guard: Guard, resolver: Resolver | None = None) -> None:
        """Take the limits and the rule. `resolver`: None: one that asks the system."""
        self._settings = settings
        self._guard = guard
        self._resolver = resolver or Resolver()
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> HttpFetcher:
        limits = self._settings
        connector = aiohttp.TCPConnector(
            limit=limits.hosts_at_once_max,
            limit_per_host=1,
            use_dns_cache=False,  # the resolver has its own
            resolver=self._resolver,
            socket_factory=self._guard.make_socket,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,  # a proxy would make the connections, and the guard would see only the proxy
            headers={"User-Agent": limits.user_agent, "Accept-Encoding": ACCEPT_ENCODING},
            max_line_size=_HEADER_BYTES_MAX,
            max_field_size=_HEADER_BYTES_MAX,
            response_class=_Response,
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
        await self._resolver.close()

    async def addresses_of(self, host: str) -> tuple[str, ...]:
        """See `Resolver.addresses_of`: where a request to this host would go."""
        return await self._resolver.addresses_of(host)

    async def fetch(self, ask: Ask) -> Fetched | NotFetched:
        """See `Fetcher.fetch`."""
        try:
            async with asyncio.timeout(self._settings.request_s_max):
                return await self._fetch(ask)
        except (aiohttp.InvalidURL, _BadAddressError):
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
        except TooLargeError:
            return NotFetched(NotFetchedReason.TOO_LARGE)
        except UndecodableError:
            return NotFetched(NotFetchedReason.BAD_ENCODING)
        except _TooSlowError:
            return NotFetched(NotFetchedReason.TOO_SLOW)

    async def _fetch(self, ask: Ask) -> Fetched:
        assert self._session, "open the fetcher with `async with`"
        begin = time.monotonic()
        url, headers = _target(ask.url), _sendable(ask.headers)
        async with self._session.request(
            ask.method, url, headers=headers, data=ask.body, allow_redirects=False
        ) as response:
            head = Head(
                status=response.status,
                headers=tuple((_readable(name), _readable(value)) for name, value in response.headers.items()),
            )
            body = None
            if 200 <= head.status < 300 and ask.wants_body(head):
                try:
                    body = await self._read(response, head, ask)
                except (TooLargeError, UndecodableError, _TooSlowError):
                    response.close()
                    raise
            else:
                response.close()  # what is not read must not arrive later on the same connection
            address = response.address if isinstance(response, _Response) else ""
        return Fetched(head=head, body=body, duration_s=time.monotonic() - begin, address=address)

    async def _read(self, response: aiohttp.ClientResponse, head: Head, ask: Ask) -> bytes:
        if (response.content_length or 0) > ask.bytes_max and not ask.keep_start:
            raise TooLargeError("the Content-Length is larger than the body may be")
        decoder = BodyDecoder(head.joined("Content-Encoding"), ask.bytes_max, keep_start=ask.keep_start)
        begin, raw_bytes = time.monotonic(), 0
        async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
            raw_bytes += len(chunk)
            passed_s = time.monotonic() - begin
            if passed_s > self._settings.rate_grace_s and raw_bytes < self._settings.rate_bytes_per_s_min * passed_s:
                raise _TooSlowError
            if not decoder.feed(chunk):
                response.close()
                break
        return decoder.finish()


class _Response(aiohttp.ClientResponse):
    """Remembers who answered; the connection is given back as soon as the last byte is there."""

    address = ""

    async def start(self, connection: Connection) -> aiohttp.ClientResponse:
        """See aiohttp."""
        peer = connection.transport.get_extra_info("peername") if connection.transport else None
        self.address = str(peer[0]) if peer else ""
        return await super().start(connection)


class _TooSlowError(Exception):
    """The body comes slower than `rate_bytes_per_s_min`."""


class _BadAddressError(Exception):
    """This is no address that can be asked."""


def _target(url: str) -> URL:
    """The address as it goes out.

    The guard, robots.txt and the pace go by the host that ada reads. Where the client would read another one, or
    would make credentials of a part, nothing is asked.
    """
    try:
        parts = ada_url.URL(url)
        target = URL(str(parts.href), encoded=True)  # encoded: yarl would change %2F inside a query
        port = int(parts.port) if parts.port else None
        agreed = (target.raw_host, target.explicit_port) == (str(parts.hostname).strip("[]"), port)
    except ValueError as error:
        raise _BadAddressError from error
    if parts.protocol not in ("http:", "https:") or not agreed or target.raw_user or target.raw_password:
        raise _BadAddressError
    return target


def _sendable(headers: tuple[tuple[str, str], ...]) -> dict[str, str]:
    """Those that fit into a header line; an ETag comes from an earlier answer, so it may be anything."""
    return {name: value for name, value in headers if value.isascii() and value.isprintable() and len(value) <= 1_024}


def _readable(text: str) -> str:
    """Header text as UTF-8 that can be stored; aiohttp hides stray bytes as surrogates."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
