"""Sizes and rates: what one asker may cost, and what one address may write in a day.

A decode costs up to 100 ms of a core, so two run at once and 32 wait; everyone after them is told to come back, instead
of waiting without an end. How many look-ups one address may make is in rates.py. No address is kept: what is counted
is a pseudonym that changes daily.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import ipaddress
import math
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from starlette.requests import ClientDisconnect, Request

from api.problems import ProblemError, ProblemKind
from api.words import words
from checker.records.registry import Registry

DECODES_MAX = 2
"""Decodes at once: the cores of the machine this was measured on. More only makes all of them slower."""
QUEUE_MAX = 32
"""Requests that may wait for a decode."""
TURN_SECONDS_MAX = 8.0
"""How long they may. The dearest pictures keep a decoder for a second, and 32 of them would be half a minute."""
BODIES_BYTES_MAX = 160 * 2**20
"""Of all bodies in memory together: 34 phone photos of 4.7 MiB, or eight of the largest (34 of those held 2.7 GB)."""
CODES_MAX = 128
"""Look-ups by codes that are read or wait, in all processes: they need no decode, and 128 are answered in 0.1 s. Their
places are their own, so that photos that take long keep nobody out who asks by codes."""
LISTS_MAX = 4
"""Lists of bulk look-ups that arrive at once in one process; they go to the disk."""
RETRY_BUSY_S = 5
JSON_BYTES_MAX = 256 * 1024
"""A code with its name is about 130 bytes; the most pictures that one opt-out may hold need 65 KB."""
READ_SECONDS_MAX = 10.0
"""From the first to the last byte of a body: 20 MiB at 16 Mbit/s. A slower sender holds a place of the queue."""
IPV6_PREFIX_BITS = 64
"""One household has a /64 at least, so counting single IPv6 addresses would count nothing."""


async def read_body(request: Request, *, bytes_max: int, seconds_max: float = READ_SECONDS_MAX) -> bytes:
    """Read the whole body into memory, never onto a disk. What is not read is left to connections.py.

    Raises:
        ProblemError: too-large (also while it is still arriving) or too-slow.
    """
    if _declared_bytes(request) > bytes_max:
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


def expected_bytes(request: Request, *, bytes_max: int) -> int:
    """What the body will take in memory: what it declares, else the most that is read."""
    return min(_declared_bytes(request) or bytes_max, bytes_max)


def _declared_bytes(request: Request) -> int:
    """Content-Length; 0: it came in chunks, or says nothing that can be read."""
    declared = request.headers.get("content-length", "")
    return int(declared) if declared.isdecimal() and len(declared) < 20 else 0


def _too_large(bytes_max: int) -> ProblemError:
    limit = f"{bytes_max / 2**20:.0f} MiB" if bytes_max >= 2**20 else f"{bytes_max / 2**10:.0f} KiB"
    detail = words().say("problem.too-large.detail", limit=limit)
    return ProblemError(ProblemKind.TOO_LARGE, detail)


class Gate:
    """Lets `decodes_max` work and `queue_max` wait `wait_seconds_max` at most, with `bytes_max` of bodies in all."""

    def __init__(
        self,
        decodes_max: int = DECODES_MAX,
        queue_max: int = QUEUE_MAX,
        bytes_max: int = BODIES_BYTES_MAX,
        *,
        wait_seconds_max: float = TURN_SECONDS_MAX,
    ) -> None:
        self._wait_seconds_max = wait_seconds_max
        self._places = decodes_max + queue_max
        self._taken = 0
        self._bytes_left = bytes_max
        self._working = asyncio.Semaphore(decodes_max)

    @asynccontextmanager
    async def place(self, body_bytes: int = 0) -> AsyncIterator[None]:
        """Hold a place from before the body is read, so that the bodies in memory are bounded too.

        Args:
            body_bytes: what the body may come to; see `expected_bytes`.
        Raises:
            ProblemError: busy, at once.
        """
        # One body alone always passes, however large the settings let it be.
        if self._taken >= self._places or (self._taken and body_bytes > self._bytes_left):
            raise ProblemError(ProblemKind.BUSY, retry_after_s=RETRY_BUSY_S)
        self._taken += 1
        self._bytes_left -= body_bytes
        try:
            yield
        finally:
            self._taken -= 1
            self._bytes_left += body_bytes

    @asynccontextmanager
    async def work(self) -> AsyncIterator[None]:
        """Wait for a turn to decode.

        Raises:
            ProblemError: busy; those before took too long.
        """
        try:
            async with asyncio.timeout(self._wait_seconds_max):
                await self._working.acquire()
        except TimeoutError:
            raise ProblemError(ProblemKind.BUSY, retry_after_s=RETRY_BUSY_S) from None
        try:
            yield
        finally:
            self._working.release()


@dataclass(frozen=True, slots=True)
class Gates:
    """The places of one process."""

    pictures: Gate
    codes: Gate
    """For look-ups by codes: they are not decoded."""
    lists: Gate
    """For lists of codes: they are not decoded either, and arrive for minutes."""

    @classmethod
    def of(cls, workers: int) -> Gates:
        """The share of one of so many processes in what all of them may read at once."""
        return cls(
            pictures=Gate(max(1, DECODES_MAX // workers), max(1, QUEUE_MAX // workers), BODIES_BYTES_MAX // workers),
            codes=Gate(max(1, CODES_MAX // workers), queue_max=0),
            lists=Gate(LISTS_MAX, queue_max=0),
        )


OPT_OUTS_OF_ALL_PER_DAY_MAX = 2_000
"""Photos that all addresses together may opt out in a day; what comes after is held for a person to look at."""
_ALL = "all"
"""Subject of the count of everybody; no pseudonym is called so."""


class DailyQuota:
    """Counts opt-outs by network address and UTC day, in registry.db: one counter for all processes. Thread-safe.

    An address that has had its share is refused. A flood from many addresses refuses nobody: past the budget of all,
    opt-outs are held, where they hide and wait for a person before others are told.

    What is written is an HMAC of the address under the day's key, and the day's key is an HMAC of the date under a
    secret of the data folder. So all processes count alike, two days cannot be joined, and nobody without that secret
    can try addresses out. The rows of a day go when the next begins: see `forget`.

    Args:
        per_day_max: what one address may use in a day.
        secret: 32 bytes, of the data folder.
        of_all_per_day_max: what all addresses together may use before opt-outs are held.
    """

    def __init__(
        self,
        registry: Registry,
        per_day_max: int,
        *,
        secret: bytes,
        of_all_per_day_max: int = OPT_OUTS_OF_ALL_PER_DAY_MAX,
    ) -> None:
        self._registry = registry
        self._per_day_max = per_day_max
        self._of_all_per_day_max = of_all_per_day_max
        self._secret = secret
        self._lock = threading.Lock()
        self._swept: date | None = None

    def take(self, address: str, amount: int, *, now: datetime) -> None:
        """Use `amount` of the day's share of `address`, all or nothing.

        Raises:
            ProblemError: rate-limited, with the seconds until midnight UTC; invalid-request where the share of no day
                is so much, and waiting would not help.
        """
        if amount > self._per_day_max:
            raise self._never(amount)
        day = now.date()
        subject = self._subject(address, day)
        with self._registry.writing() as writer:
            taken = writer.count_up(subject, day=day, amount=amount, limit=self._per_day_max)
        if not taken:
            raise _rate_limited(now, self._per_day_max, some_left=self._has_some(subject, day))

    def require_some(self, address: str, *, now: datetime) -> None:
        """Refuse whoever has used the whole share of the day, before any work is done for it. Uses nothing.

        Raises:
            ProblemError: rate-limited, as `take`.
        """
        day = now.date()
        if not self._has_some(self._subject(address, day), day):
            raise _rate_limited(now, self._per_day_max, some_left=False)

    def hold_reason(self, amount: int, *, now: datetime) -> str | None:
        """Use `amount` of the day's budget of all; why an opt-out is to be held where that is used up, else None."""
        with self._registry.writing() as writer:
            if writer.count_up(_ALL, day=now.date(), amount=amount, limit=self._of_all_per_day_max):
                return None
        return f"more than {self._of_all_per_day_max} photos were opted out that day, so a person looks at the rest"

    def forget(self, now: datetime) -> None:
        """Drop the counts of earlier days; costs nothing but on the first call of a day."""
        with self._lock:
            if self._swept == now.date():
                return
            with self._registry.writing() as writer:
                # An amount above the limit counts nothing; earlier days are dropped all the same.
                writer.count_up("", day=now.date(), amount=1, limit=0)
            self._swept = now.date()

    def _has_some(self, subject: str, day: date) -> bool:
        return self._registry.counted(subject, day=day) < self._per_day_max

    def _never(self, amount: int) -> ProblemError:
        texts = words()
        told = {"share": texts.number(self._per_day_max), "given": texts.number(amount)}
        detail = texts.say("problem.invalid-request.too-many-photos", **told)
        then = texts.say("problem.invalid-request.too-many-photos-next", **told)
        return ProblemError(ProblemKind.INVALID_REQUEST, detail, members={"places": ["pictures"], "next": then})

    def _subject(self, address: str, day: date) -> str:
        return pseudonym(address, "opt-outs", day=day, secret=self._secret).hex()


def pseudonym(address: str, subject: str, *, day: date, secret: bytes) -> bytes:
    """16 bytes that stand for a network for a day and a subject, and say nothing to whoever lacks the secret."""
    key = hmac.digest(secret, f"{subject} on {day.isoformat()}".encode(), hashlib.sha256)
    return hmac.digest(key, network_of(address).encode(), hashlib.sha256)[:16]


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


def _rate_limited(now: datetime, per_day_max: int, *, some_left: bool) -> ProblemError:
    midnight = datetime.combine(now.date() + timedelta(days=1), datetime.min.time(), tzinfo=now.tzinfo)
    wait_s = max(1, math.ceil((midnight - now).total_seconds()))
    # Rounded up: whoever comes back after that is not sent away again.
    hours, minutes, texts = math.ceil(wait_s / 3600), math.ceil(wait_s / 60), words()
    wait = texts.count("wait.hours", hours) if wait_s >= 3600 else texts.count("wait.minutes", minutes)
    policy = {"RateLimit-Policy": f'"opt-outs";q={per_day_max};w=86400'}
    if some_left:
        detail = texts.say("problem.rate-limited.some-left", share=texts.number(per_day_max))
        then = {"next": texts.say("problem.rate-limited.some-left-next", wait=wait)}
        return ProblemError(ProblemKind.RATE_LIMITED, detail, retry_after_s=wait_s, headers=policy, members=then)
    detail = texts.say("problem.rate-limited.detail", wait=wait)
    return ProblemError(ProblemKind.RATE_LIMITED, detail, retry_after_s=wait_s, headers=policy)
