"""What a host says of all its addresses, and the walk along redirects that heeds it.

robots.txt is fetched for every scheme, host and port that is contacted, picture hosts and redirect targets included
(RFC 9309 2.3), once a run and at most once a day. One that cannot be had means no, and is asked for again later, but
only so often. tdmrep.json, ai.txt, trust.txt and licence documents are fetched as any other address is: robots.txt
decides whether they may be. Each is asked for once a run and at most once a day.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from checker.model import Finding, Stance
from checker.signals.read import RobotsFetch, crawl_stance
from checker.signals.robots import parse_robots
from checker.visits import FetchedFile
from crawler.addresses import host_of, join
from crawler.fetch import Ask, Fetched, NotFetched
from crawler.settings import AGENT_TOKEN, CrawlSettings
from crawler.turns import Clock, PutOff, Turns

T = TypeVar("T")

_REDIRECTS = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, slots=True)
class Reached:
    """Where a walk along redirects ended."""

    url: str
    robots: RobotsFetch
    """Of the host where it ended."""
    stance: Finding
    """What that robots.txt says of fetching `url`."""
    answer: Fetched | NotFetched | PutOff | None
    """None: robots.txt closed the way, or `trouble` says what else did."""
    trouble: str = ""
    """ "too-many-redirects" or "bad-redirect"."""


@dataclass(frozen=True, slots=True)
class HostFile:
    """What became of fetching a small file that speaks of other addresses."""

    url: str
    status: int | None
    """Of the last response; None: there was none, and `error` says why."""
    body: bytes
    content_type: str
    error: str | None
    fetched_at: datetime


@dataclass(frozen=True, slots=True)
class HostFiles:
    """The small files of one host. None: robots.txt closes it, so it was not asked for."""

    tdmrep: HostFile | None
    ai_txt: HostFile | None
    trust_txt: HostFile | None
    well_known_trust_txt: HostFile | None

    def __iter__(self) -> Iterator[HostFile]:
        """Those that were asked for."""
        return (one for one in (self.tdmrep, self.ai_txt, self.trust_txt, self.well_known_trust_txt) if one)


@dataclass(slots=True)
class _Site:
    """What is known of one host in this run."""

    robots_lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    robots: RobotsFetch | None = None
    robots_at_s: float = 0.0
    robots_at: datetime | None = None
    robots_failures: int = 0
    files: HostFiles | None = None
    files_at_s: float = 0.0


@dataclass(slots=True)
class _Small:
    """What is known of one small file in this run."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    fetched: HostFile | None = None
    at_s: float | None = None


class Sites:
    """The hosts of one run."""

    def __init__(
        self,
        turns: Turns,
        settings: CrawlSettings,
        clock: Clock,
        *,
        recall: Callable[[str], Awaitable[FetchedFile | None]] | None = None,
    ) -> None:
        """`recall` gives a small file as an earlier run fetched it less than a day ago; None: ask for it anew."""
        self._turns = turns
        self._settings = settings
        self._clock = clock
        self._recall = recall
        self._sites: OrderedDict[str, _Site] = OrderedDict()
        self._small: OrderedDict[str, _Small] = OrderedDict()

    async def reach(self, url: str, make_ask: Callable[[str, RobotsFetch], Ask]) -> Reached:
        """Fetch `url`, following redirects; the robots.txt of each hop's own host is asked first (RFC 9309 2.3.1.2).

        Args:
            make_ask: makes the request for one hop.
        """
        for _ in range(self._settings.redirects_max + 1):
            robots = await self.robots(url)
            stance = crawl_stance(robots, url, agent=AGENT_TOKEN)
            if stance.crawl is Stance.DENY:
                return Reached(url=url, robots=robots, stance=stance, answer=None)
            answer = await self._turns.fetch(make_ask(url, robots))
            if not isinstance(answer, Fetched) or answer.head.status not in _REDIRECTS:
                return Reached(url=url, robots=robots, stance=stance, answer=answer)
            following = join(answer.head.get("Location"), url)
            if not answer.head.get("Location") or following is None:
                return Reached(url=url, robots=robots, stance=stance, answer=None, trouble="bad-redirect")
            url = following
        return Reached(url=url, robots=robots, stance=stance, answer=None, trouble="too-many-redirects")

    async def robots(self, url: str) -> RobotsFetch:
        """The robots.txt that speaks for `url`.

        One that was unreachable is asked for again at the next call, `attempts_max` times in all; after that its
        host stays closed for this run.
        """
        host = host_of(url)
        site = self._site(host)
        async with site.robots_lock:  # one request under way for it, however many addresses wait
            if (
                site.robots is not None
                and self._clock.monotonic_s() - site.robots_at_s < self._settings.robots_age_s_max
            ):
                return site.robots
            known = await self._known(f"{host}/robots.txt")
            at = known.fetched_at if known else None
            found = (
                RobotsFetch(known.status, known.body or b"", 0, known.error)
                if known
                else await self._fetch_robots(host)
            )
            site.robots_at_s, site.robots_at = self._fetched_at_s(at), at or self._clock.now()
            if is_unreachable(found):
                site.robots_failures += 1
                site.robots = found if self.robots_given_up(url) else None
            else:
                site.robots, site.robots_failures = found, 0
                self._turns.heed_crawl_delay(host, parse_robots(found.body).crawl_delay_s(AGENT_TOKEN))
            return found

    def robots_at(self, url: str) -> datetime:
        """When the robots.txt that speaks for `url` was fetched."""
        return self._site(host_of(url)).robots_at or self._clock.now()

    def robots_given_up(self, url: str) -> bool:
        """Was robots.txt unreachable so often that it is not asked for again?"""
        return self._site(host_of(url)).robots_failures >= self._settings.attempts_max

    async def files(self, url: str) -> HostFiles:
        """What became of fetching the small files of the host of `url`."""
        host = host_of(url)
        site = self._site(host)
        if site.files is None or self._clock.monotonic_s() - site.files_at_s >= self._settings.robots_age_s_max:
            begin_s = self._clock.monotonic_s()
            site.files = HostFiles(
                tdmrep=await self.small_file(f"{host}/.well-known/tdmrep.json"),
                ai_txt=await self.small_file(f"{host}/ai.txt"),
                trust_txt=await self.small_file(f"{host}/trust.txt"),
                well_known_trust_txt=await self.small_file(f"{host}/.well-known/trust.txt"),
            )
            # The oldest of them decides, which may come from an earlier run.
            ages_s = [(self._clock.now() - file.fetched_at).total_seconds() for file in site.files]
            site.files_at_s = min(begin_s, self._clock.monotonic_s() - max(ages_s, default=0.0))
        return site.files

    async def small_file(self, url: str) -> HostFile | None:
        """What became of fetching one small file. None: robots.txt closes it, so it was not asked for."""
        # A lock a file: the walk asks other hosts for robots.txt, and two hosts may point at each other.
        small = _kept(self._small, url, _Small, lambda one: one.lock.locked())
        async with small.lock:
            now_s = self._clock.monotonic_s()
            if small.at_s is None or now_s - small.at_s >= self._settings.robots_age_s_max:
                if (known := await self._known(url)) is not None:
                    content_type = next((value for name, value in known.headers if name == "content-type"), "")
                    body = known.body or b""
                    small.fetched = HostFile(url, known.status, body, content_type, None, known.fetched_at)
                else:
                    small.fetched = self._small_file(url, await self.reach(url, self._ask))
                small.at_s = self._fetched_at_s(small.fetched.fetched_at if small.fetched else None)
            return small.fetched

    async def _known(self, url: str) -> FetchedFile | None:
        """As an earlier run fetched it. What could not be had then is asked for again."""
        known = await self._recall(url) if self._recall else None
        unreachable = known is None or known.status is None or known.status == 429 or known.status >= 500
        return None if unreachable else known

    def _fetched_at_s(self, at: datetime | None) -> float:
        """That moment on the clock that never goes back."""
        now_s = self._clock.monotonic_s()
        return now_s if at is None else now_s - max(0.0, (self._clock.now() - at).total_seconds())

    def _small_file(self, url: str, reached: Reached) -> HostFile | None:
        answer, now = reached.answer, self._clock.now()
        if isinstance(answer, Fetched):
            head = answer.head
            return HostFile(url, head.status, answer.body or b"", head.get("Content-Type"), None, now)
        if answer is None and not reached.trouble:
            return None
        error = reached.trouble or (answer.reason.value if isinstance(answer, NotFetched) else "host-rests")
        return HostFile(url, None, b"", "", error, now)

    def _ask(self, url: str, _: RobotsFetch) -> Ask:
        return Ask(url, bytes_max=self._settings.robots_bytes_max)

    async def _fetch_robots(self, host: str) -> RobotsFetch:
        url = f"{host}/robots.txt"
        for redirects in range(self._settings.redirects_max + 1):
            answer = await self._turns.fetch(Ask(url, bytes_max=self._settings.robots_bytes_max, keep_start=True))
            if isinstance(answer, NotFetched):
                return _no_robots(redirects, answer.reason.value)
            if isinstance(answer, PutOff):
                return _no_robots(redirects, "host-rests")
            status = answer.head.status
            if status not in _REDIRECTS:
                return RobotsFetch(status=status, body=answer.body or b"", redirects=redirects, error=None)
            following = join(answer.head.get("Location"), url)
            if following is None:
                return _no_robots(redirects, "bad-redirect")
            url = following
        return _no_robots(self._settings.redirects_max + 1, "too-many-redirects")

    def _site(self, host: str) -> _Site:
        return _kept(self._sites, host, _Site, lambda site: site.robots_lock.locked() or site.robots_failures > 0)


_KEPT_MAX = 5_000
"""Hosts, and small files, that are kept in memory. What is put out is read from the records, or asked for again."""


def _kept(kept: OrderedDict[str, T], key: str, make: Callable[[], T], in_use: Callable[[T], bool]) -> T:
    """The entry of this key, made when it is new. The one that was used longest ago goes when there are too many."""
    if key in kept:
        kept.move_to_end(key)
    else:
        kept[key] = make()
        oldest = next(iter(kept))
        if len(kept) > _KEPT_MAX and not in_use(kept[oldest]):
            del kept[oldest]
    return kept[key]


def is_unreachable(robots: RobotsFetch) -> bool:
    """No answer, or one that means "not now" (RFC 9309 2.3.1.4; 429 is treated like a server error)."""
    return robots.status is None or robots.status == 429 or robots.status >= 500


def _no_robots(redirects: int, error: str) -> RobotsFetch:
    return RobotsFetch(status=None, body=b"", redirects=redirects, error=error)
