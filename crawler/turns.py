"""Whose turn it is: every request of a run goes through here, so a host never sees two at once, nor two too soon.

Robots files, redirects and pictures on other hosts count like pages. `politeness` says how long to wait; this file
waits, and wakes up when the run is to end.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from checker.records.crawl_interfaces import HostRest
from crawler.addresses import host_of, name_and_port
from crawler.fetch import Ask, Fetched, Fetcher, NotFetched, NotFetchedReason
from crawler.guard import Guard
from crawler.politeness import HostPace, read_retry_after
from crawler.settings import CrawlSettings

_COMPLAINTS = frozenset(
    {
        NotFetchedReason.TIMEOUT,
        NotFetchedReason.TOO_SLOW,
        NotFetchedReason.UNREACHABLE,
        NotFetchedReason.BAD_RESPONSE,
    }
)


_HOSTS_MAX = 20_000
"""Hosts that are remembered before those with nothing to remember are dropped."""


class StoppedError(Exception):
    """The run is to end; the request was not begun."""


@dataclass(frozen=True, slots=True)
class PutOff:
    """The host rests for longer than a request waits."""

    until: datetime


@dataclass(frozen=True, slots=True)
class Clock:
    """Time, passed in so that tests need not wait."""

    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    monotonic_s: Callable[[], float] = field(default=time.monotonic)
    sleep: Callable[[float], Awaitable[None]] = field(default=asyncio.sleep)


class Turns:
    """Makes the requests of one run, one at a time per host."""

    def __init__(
        self,
        fetcher: Fetcher,
        settings: CrawlSettings,
        guard: Guard,
        clock: Clock,
        stop: asyncio.Event,
        *,
        addresses_of: Callable[[str], Awaitable[Sequence[str]]] | None = None,
    ) -> None:
        """`addresses_of` gives the IP addresses of a host's name, the one that is tried first before the others."""
        self._fetcher = fetcher
        self._addresses_of = addresses_of
        self._slots: dict[str, asyncio.Semaphore] = {}
        self._settings = settings
        self._guard = guard
        self._clock = clock
        self._stop = stop
        self._locks: dict[str, asyncio.Lock] = {}
        self._paces: dict[str, HostPace] = {}
        self._complained: set[str] = set()
        self._hosts_max = _HOSTS_MAX

    def wait_s(self, host: str) -> float:
        """How long this host still rests; 0 as well where it was given up, since nobody will ask it."""
        return 0.0 if self.given_up(host) else self._pace(host).wait_s(self._clock.monotonic_s())

    def given_up(self, host: str) -> bool:
        """Did this host fail so often in a row that the run leaves it alone?"""
        return self._pace(host).failures >= self._settings.host_failures_max

    def heed_crawl_delay(self, host: str, seconds: float | None) -> None:
        """Rest as robots.txt asks, from the next request on."""
        self._paces[host] = self._pace(host).with_crawl_delay(seconds, self._settings)

    async def fetch(self, ask: Ask) -> Fetched | NotFetched | PutOff:
        """Make one request when it is the host's turn.

        Raises:
            StoppedError: the run is to end, and this request had not begun.
        """
        host = host_of(ask.url)
        async with self._locks.setdefault(host, asyncio.Lock()):
            if self.given_up(host):
                return NotFetched(NotFetchedReason.HOST_FAILS)
            wait_s = self.wait_s(host)
            if wait_s > self._settings.turn_wait_max_s:
                return PutOff(until=self._clock.now() + timedelta(seconds=wait_s))
            if wait_s:
                await self._rest(wait_s)
            if self._stop.is_set():
                raise StoppedError
            async with await self._slot(ask.url):
                begin_s = self._clock.monotonic_s()
                answer = await self._fetcher.fetch(ask)
                self._learn(host, ask.url, answer, self._clock.monotonic_s() - begin_s)
            return answer

    def rested_at_s(self, host: str) -> float:
        """From when on this host may be asked again, on the clock that never goes back."""
        return 0.0 if self.given_up(host) else self._pace(host).ready_at_s

    def restore(self, rests: Iterable[HostRest]) -> None:
        """Take over how long hosts are to be left alone from runs before."""
        now, now_s = self._clock.now(), self._clock.monotonic_s()
        for one in rests:
            wait_s = min((one.ready_at - now).total_seconds(), self._settings.retry_after_max_s)
            self._paces[one.host] = HostPace(ready_at_s=now_s + wait_s, backoff_s=one.backoff_s)

    def rests(self) -> tuple[HostRest, ...]:
        """The hosts that a run to come should leave alone for a while, since this was asked for last."""
        now, now_s = self._clock.now(), self._clock.monotonic_s()
        found = []
        for host in self._complained:
            pace = self._pace(host)
            ready_at = now + timedelta(seconds=pace.wait_s(now_s))
            found.append(HostRest(host, ready_at, pace.backoff_s))
        self._complained.clear()
        return tuple(found)

    def parked(self) -> tuple[str, ...]:
        """The hosts that were given up, in the order of their names."""
        return tuple(sorted(host for host in self._paces if self.given_up(host)))

    async def _slot(self, url: str) -> contextlib.AbstractAsyncContextManager[object]:
        """A place among the requests to one IP address: many names may be one machine."""
        if self._addresses_of is None:
            return contextlib.nullcontext()
        addresses = await self._addresses_of(name_and_port(url)[0])
        if not addresses:
            return contextlib.nullcontext()  # the request says why
        return self._slots.setdefault(addresses[0], asyncio.Semaphore(self._settings.address_requests_max))

    def retry_at(self, host: str, answer: Fetched | NotFetched | PutOff | None) -> datetime:
        """When to try again after a complaint: when the host has rested."""
        if isinstance(answer, PutOff):
            return answer.until
        return self._clock.now() + timedelta(seconds=self.wait_s(host))

    def _learn(self, host: str, url: str, answer: Fetched | NotFetched, duration_s: float) -> None:
        if isinstance(answer, NotFetched) and answer.reason is NotFetchedReason.BLOCKED_ADDRESS:
            return  # nobody was asked
        if len(self._paces) > self._hosts_max:
            self._forget()
            self._hosts_max = max(_HOSTS_MAX, 2 * len(self._paces))
        pace, now_s = self._pace(host), self._clock.monotonic_s()
        delay_min_s, settings = self._rests(url)
        if not is_complaint(answer):
            pace = pace.after_answer(now_s=now_s, duration_s=duration_s, delay_min_s=delay_min_s, settings=settings)
        else:
            retry_after = answer.head.get("Retry-After") if isinstance(answer, Fetched) else ""
            pace = pace.after_error(
                now_s=now_s,
                duration_s=duration_s,
                delay_min_s=delay_min_s,
                retry_after_s=read_retry_after(retry_after, now=self._clock.now(), settings=settings),
                settings=settings,
            )
            self._complained.add(host)
        self._paces[host] = pace

    def _rests(self, url: str) -> tuple[float, CrawlSettings]:
        """The least pause, and the settings for the others: an opened address rests as long as was typed, no more."""
        local_s = self._settings.delay_local_s
        if local_s is not None and self._guard.opens_host(*name_and_port(url)):
            return local_s, replace(self._settings, delay_factor=0.0)
        return self._settings.delay_min_s, self._settings

    def _forget(self) -> None:
        """Drop hosts that rested long ago and asked for nothing: a crawl may meet a million of them."""
        now_s = self._clock.monotonic_s()
        for host, pace in tuple(self._paces.items()):
            lock = self._locks.get(host)
            if pace.ready_at_s < now_s and not (pace.failures or pace.crawl_delay_s or (lock and lock.locked())):
                del self._paces[host]
                self._locks.pop(host, None)

    def _pace(self, host: str) -> HostPace:
        return self._paces.get(host, _FRESH)

    async def _rest(self, seconds: float) -> None:
        """Wait, or until the run is to end."""
        tasks = {
            asyncio.ensure_future(self._clock.sleep(seconds)),
            asyncio.ensure_future(self._stop.wait()),
        }
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()


def is_complaint(answer: Fetched | NotFetched | PutOff) -> bool:
    """Did the host say "not now", or nothing at all? Such an address is worth another try, later."""
    if isinstance(answer, Fetched):
        return answer.head.status in (408, 425, 429) or answer.head.status >= 500
    return isinstance(answer, PutOff) or answer.reason in _COMPLAINTS


_FRESH = HostPace()
