"""Sizes and rates: what one asker may cost, and what one address may write in a day.

A decode costs up to 100 ms of a core, so two run at once and 32 wait; everyone after them is told at once to come
back, instead of waiting without an end. Nothing here outlives the process, and no address is kept: the day's counter
knows an HMAC under a key that is drawn anew each day.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import ipaddress
import math
import secrets
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import date, datetime, timedelta

from starlette.requests import ClientDisconnect, Request

from api.problems import ProblemError, ProblemKind
from api.words import words

DECODES_MAX = 2
"""Decodes at once: the cores of the machine this was measured on. More only makes all of them slower."""
QUEUE_MAX = 32
"""Requests that may wait for a decode. Their bodies are in memory: 34 x 20 MiB at most."""
RETRY_BUSY_S = 5
JSON_BYTES_MAX = 256 * 1024
"""A code with its name is about 130 bytes; the most pictures that one opt-out may hold need 65 KB."""
READ_SECONDS_MAX = 10.0
"""From the first to the last byte of a body: 20 MiB at 16 Mbit/s. A slower sender holds a place of the queue."""
ADDRESSES_MAX = 100_000
"""Counters in memory (about 150 bytes each). When all are taken, new addresses wait for tomorrow."""
IPV6_PREFIX_BITS = 64
"""One household has a /64 at least, so counting single IPv6 addresses would count nothing."""


async def read_body(request: Request, *, bytes_max: int, seconds_max: float = READ_SECONDS_MAX) -> bytes:
    """Read the whole body into memory, never onto a disk.

    Raises:
        ProblemError: too-large (also while it is still arriving) or too-slow.
    """
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > bytes_max:
        raise _too_large(bytes_max)
    body = bytearray()
    try:
        async with asyncio.timeout(seconds_max):
            async for chunk in request.stream():
                body += chunk
                if len(body) > bytes_max:
                    raise _too_large(bytes_max)
    except TimeoutError as error:
        raise ProblemError(ProblemKind.TOO_SLOW, headers={"Connection": "close"}) from error
    except ClientDisconnect as error:
        # Nobody reads this answer; it only ends the request without a traceback.
        raise ProblemError(ProblemKind.TOO_SLOW) from error
    return bytes(body)


def _too_large(bytes_max: int) -> ProblemError:
    limit = f"{bytes_max / 2**20:.0f} MiB" if bytes_max >= 2**20 else f"{bytes_max / 2**10:.0f} KiB"
    detail = words().say("problem.too-large.detail", limit=limit)
    return ProblemError(ProblemKind.TOO_LARGE, detail, headers={"Connection": "close"})


class Gate:
    """Lets `decodes_max` work and `queue_max` wait; refuses the rest."""

    def __init__(self, decodes_max: int = DECODES_MAX, queue_max: int = QUEUE_MAX) -> None:
        self._places = decodes_max + queue_max
        self._taken = 0
        self._working = asyncio.Semaphore(decodes_max)

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Hold a place from before the body is read, so that the bodies in memory are bounded too.

        Raises:
            ProblemError: busy, at once.
        """
        if self._taken >= self._places:
            raise ProblemError(ProblemKind.BUSY, retry_after_s=RETRY_BUSY_S, headers={"Connection": "close"})
        self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1

    @asynccontextmanager
    async def work(self) -> AsyncIterator[None]:
        """Wait for a turn to decode."""
        async with self._working:
            yield


class DailyQuota:
    """Counts by network address and UTC day, in memory. Thread-safe.

    Args:
        per_day_max: what one address may use in a day.
        new_key: draws the key of a day.
    """

    def __init__(self, per_day_max: int, new_key: Callable[[], bytes] = lambda: secrets.token_bytes(32)) -> None:
        self._per_day_max = per_day_max
        self._new_key = new_key
        self._lock = threading.Lock()
        self._day: date | None = None
        self._key = b""
        self._used: dict[bytes, int] = {}

    def take(self, address: str, amount: int, *, now: datetime) -> None:
        """Use `amount` of the day's share of `address`, all or nothing.

        Raises:
            ProblemError: rate-limited, with the seconds until midnight UTC.
        """
        with self._lock:
            if self._day != now.date():
                self._day, self._key, self._used = now.date(), self._new_key(), {}
            name = hmac.digest(self._key, network_of(address).encode(), hashlib.sha256)[:16]
            used = self._used.get(name)
            if (used or 0) + amount > self._per_day_max or (used is None and len(self._used) >= ADDRESSES_MAX):
                raise _rate_limited(now)
            self._used[name] = (used or 0) + amount

    def counters(self) -> Mapping[bytes, int]:
        """What is kept, for the test that no address is among it."""
        return dict(self._used)


def network_of(address: str) -> str:
    """The IPv4 address itself, or the /64 of an IPv6 address; an IPv4-mapped one counts as IPv4."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed.packed, IPV6_PREFIX_BITS), strict=False))
    return str(parsed)


def _rate_limited(now: datetime) -> ProblemError:
    midnight = datetime.combine(now.date() + timedelta(days=1), datetime.min.time(), tzinfo=now.tzinfo)
    wait_s = max(1, math.ceil((midnight - now).total_seconds()))
    hours, minutes = wait_s // 3600, math.ceil(wait_s % 3600 / 60)
    texts = words()
    wait = texts.count("wait.hours", hours) if hours else texts.count("wait.minutes", minutes)
    return ProblemError(
        ProblemKind.RATE_LIMITED, texts.say("problem.rate-limited.detail", wait=wait), retry_after_s=wait_s
    )
