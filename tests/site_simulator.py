"""An in-memory web that implements the crawler's Fetcher, and a clock that need not be waited for.

    web = SiteSimulator()
    web.page("https://a.example/", '<img src="cat.jpg">')
    web.file("https://a.example/cat.jpg", body, headers=[("X-Robots-Tag", "noai")])

Every host has no robots.txt (404) unless one is put there. `web.asked` lists the requests in order, with their times.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from crawler.fetch import Ask, Fetched, Head, NotFetched, NotFetchedReason
from crawler.turns import Clock

Headers = Sequence[tuple[str, str]]

START = datetime(2026, 11, 22, 14, 3, tzinfo=UTC)


@dataclass
class VirtualTime:
    """Seconds since START. A sleeper lets the others go on for a moment, then moves time on."""

    passed_s: float = 0.0

    def clock(self) -> Clock:
        """As the crawler takes it."""
        return Clock(now=self.now, monotonic_s=lambda: self.passed_s, sleep=self.sleep)

    def now(self) -> datetime:
        """The moment it is."""
        return START + timedelta(seconds=self.passed_s)

    async def sleep(self, seconds: float) -> None:
        """Real threads need a few milliseconds to be heard; the virtual wait may be a day."""
        until_s = self.passed_s + seconds
        await asyncio.sleep(0.005)
        self.passed_s = max(self.passed_s, until_s)


@dataclass(frozen=True)
class Asked:
    """One request that arrived."""

    at_s: float
    url: str
    body_read: bool
    headers: Headers = ()


@dataclass
class SiteSimulator:
    """See the module. Answers are lists: the first is given first, the last one for ever."""

    time: VirtualTime = field(default_factory=VirtualTime)
    answers: dict[str, list[Fetched | NotFetched]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    under_way: dict[str, int] = field(default_factory=dict)
    most_at_once: int = 0
    """Largest number of requests that one host had under way."""

    def page(self, url: str, html: str, *, headers: Headers = ()) -> None:
        """Put an HTML page at `url`."""
        self.file(url, html.encode(), headers=[("Content-Type", "text/html; charset=utf-8"), *headers])

    def file(self, url: str, body: bytes, *, headers: Headers = (), takes_s: float = 0.01) -> None:
        """Put any other file there."""
        self.answer(url, 200, body, headers=headers, takes_s=takes_s)

    def robots(self, host: str, text: str) -> None:
        """Put a robots.txt on `host` ("https://a.example")."""
        self.file(f"{host}/robots.txt", text.encode(), headers=[("Content-Type", "text/plain")])

    def redirect(self, url: str, to: str) -> None:
        """Let `url` lead elsewhere."""
        self.answer(url, 302, b"", headers=[("Location", to)])

    def answer(self, url: str, status: int, body: bytes = b"", *, headers: Headers = (), takes_s: float = 0.01) -> None:
        """Add an answer; several for one address are given one after the other."""
        fetched = Fetched(head=Head(status=status, headers=tuple(headers)), body=body, duration_s=takes_s)
        self.answers.setdefault(url, []).append(fetched)

    def fail(self, url: str, reason: NotFetchedReason) -> None:
        """Add a failure; as `answer`."""
        self.answers.setdefault(url, []).append(NotFetched(reason))

    def urls(self) -> list[str]:
        """What was asked for, robots.txt and the other files about the host left out."""
        about_host = ("/robots.txt", "/tdmrep.json", "/ai.txt", "/trust.txt")
        return [a.url for a in self.asked if not a.url.endswith(about_host)]

    async def fetch(self, ask: Ask) -> Fetched | NotFetched:
        """See `crawler.fetch.Fetcher`."""
        host = urlsplit(ask.url).netloc
        self.under_way[host] = self.under_way.get(host, 0) + 1
        self.most_at_once = max(self.most_at_once, self.under_way[host])
        try:
            at_s = self.time.passed_s
            await asyncio.sleep(0)
            found = self._next(ask.url)
            if isinstance(found, NotFetched):
                self.asked.append(Asked(at_s, ask.url, body_read=False, headers=ask.headers))
                return found
            self.time.passed_s += found.duration_s
            wanted = 200 <= found.head.status < 300 and ask.wants_body(found.head)
            self.asked.append(Asked(at_s, ask.url, body_read=wanted, headers=ask.headers))
            if wanted and len(found.body or b"") > ask.bytes_max and not ask.keep_start:
                return NotFetched(NotFetchedReason.TOO_LARGE)
            body = (found.body or b"")[: ask.bytes_max] if wanted else None
            return Fetched(head=found.head, body=body, duration_s=found.duration_s)
        finally:
            self.under_way[host] -= 1

    def _next(self, url: str) -> Fetched | NotFetched:
        answers = self.answers.get(url)
        if not answers:
            return Fetched(head=Head(status=404), body=None, duration_s=0.01)
        return answers.pop(0) if len(answers) > 1 else answers[0]
