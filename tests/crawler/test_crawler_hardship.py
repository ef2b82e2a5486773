"""A whole crawl against a real server that makes it hard: what it is asked, when, and what comes of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import replace
from email.utils import format_datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from crawl_bench import Here
from local_web import LocalWeb, local_web

from checker.progress import Progress
from checker.records.folder import DataFolder
from checker.settings import Settings
from crawler.crawl import Run, Surroundings, crawl
from crawler.endless import BARREN_MAX
from crawler.fetch import HttpFetcher
from crawler.metrics import Metrics
from crawler.plan import make_plan
from crawler.reading import Reading
from crawler.resolver import Resolver
from crawler.settings import CrawlSettings
from crawler.tally import Tally
from crawler.turns import Clock

QUICK = CrawlSettings(backoff_first_s=0.1, turn_wait_max_s=20.0, request_s_max=5.0)
PICTURES = replace(Settings(), robust="off", stored_parts="off")


@pytest.fixture
def server() -> Iterator[LocalWeb]:
    with local_web() as served:
        yield served


def run(server: LocalWeb, data: Path, settings: CrawlSettings = QUICK, resolver: Resolver | None = None) -> Tally:
    """Crawl the server's start page over real sockets; times are real, the first pause after an error is short."""
    plan = make_plan([server.url("/")], settings=settings, opened=[server.opened], delay_s=0.0)

    async def crawled() -> Tally:
        with DataFolder.open(data, create=True) as folder, Progress(every_s=1e9) as progress:
            reader = Here(Reading(PICTURES, plan.settings, plan.scope))
            async with HttpFetcher(plan.settings, plan.guard, resolver) as fetcher:
                around = Surroundings(fetcher, reader, Clock(), asyncio.Event(), progress, Metrics(None))
                return await crawl(plan, PICTURES, folder, around, Run())

    return asyncio.run(crawled())


def picture(images: Path) -> bytes:
    return (images / "coins.jpg").read_bytes()


class Times:
    """A handler that notes when it was asked, and answers one after the other; the last answer is given for ever."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.at_s: list[float] = []

    async def __call__(self, _: web.Request) -> web.Response:
        self.at_s.append(time.monotonic())
        status, body, headers = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return web.Response(status=status, body=body, headers=headers)

    def gaps_s(self) -> list[float]:
        return [after - before for before, after in pairwise(self.at_s)]


BUSY = (429, b"", {})


def test_a_storm_of_429_slows_the_crawl_down_and_never_speeds_it_up(
    server: LocalWeb, tmp_path: Path, images: Path
) -> None:
    """scrapy issue 4424: fast error replies made a crawler ask faster."""
    times = Times(BUSY)
    server.put("/", "".join(f'<img src="/{n}.jpg">' for n in range(30)))
    for n in range(30):
        server.handlers[f"/{n}.jpg"] = times
    tally = run(server, tmp_path / "data", replace(QUICK, host_failures_max=5))
    assert len(times.at_s) == 5
    assert all(gap >= 0.1 * 2**n for n, gap in enumerate(times.gaps_s()))
    assert tally.parked == (server.url("").rstrip("/"),)


def test_retry_after_in_seconds_and_as_a_date_is_waited_for(server: LocalWeb, tmp_path: Path, images: Path) -> None:
    """RFC 9110 10.2.3. What is nonsense or past shortens nothing."""
    soon = format_datetime(Clock().now().replace(year=2001), usegmt=True)
    times = Times(
        (503, b"", {"Retry-After": "1"}),
        (503, b"", {"Retry-After": "-5"}),
        (429, b"", {"Retry-After": soon}),
        (200, picture(images), {"Content-Type": "image/jpeg"}),
    )
    server.put("/", '<img src="/a.jpg">')
    server.handlers["/a.jpg"] = times
    tally = run(server, tmp_path / "data", replace(QUICK, attempts_max=9))
    first, second, third = times.gaps_s()
    assert first >= 1.0
    assert second >= 0.2
    assert third >= 0.4
    assert tally.images == 1


def test_a_robots_txt_that_fails_closes_the_host_until_it_answers(
    server: LocalWeb, tmp_path: Path, images: Path
) -> None:
    """RFC 9309 2.3.1.4."""
    server.handlers["/robots.txt"] = Times((500, b"", {}), (200, b"User-agent: *\nDisallow: /no\n", {}))
    server.put("/", '<img src="/a.jpg"><img src="/no.jpg">')
    server.put("/a.jpg", picture(images), "image/jpeg")
    tally = run(server, tmp_path / "data")
    assert [path for path, _ in server.requests[:2]] == ["/robots.txt", "/robots.txt"]
    assert (tally.images, len(tally.disallowed)) == (1, 1)


def test_a_loop_of_redirects_ends(server: LocalWeb, tmp_path: Path) -> None:
    async def around(request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": "/b" if request.path == "/a" else "/a"})

    server.put("/", '<img src="/a">')
    server.handlers["/a"] = server.handlers["/b"] = around
    assert run(server, tmp_path / "data").failed == {"too-many-redirects": 1}
    assert len([path for path in server.paths() if path != "/"]) == 6


def test_a_redirect_inwards_is_refused_after_the_robots_txt_of_nobody_was_asked(
    server: LocalWeb, tmp_path: Path
) -> None:
    async def inwards(_: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": "http://192.168.0.1/a.jpg"})

    server.put("/", '<img src="/a.jpg">')
    server.handlers["/a.jpg"] = inwards
    assert run(server, tmp_path / "data").failed == {"blocked-address": 1}


def test_a_name_that_begins_to_point_inwards_is_refused_at_the_socket(server: LocalWeb, tmp_path: Path) -> None:
    """DNS rebinding: the first answer is an address of the outside, the second one of this machine."""
    answers = [["93.184.215.14"], ["127.0.0.1"]]

    async def lookup(_: str) -> list[str]:
        return answers.pop(0) if len(answers) > 1 else answers[0]

    server.put("/", f'<img src="http://rebind.example:{server.port}/a.jpg">')
    tally = run(server, tmp_path / "data", resolver=Resolver(lookup, age_s_max=0.0))
    assert tally.failed == {"blocked-address": 1}
    assert server.paths() == ["/"]


def test_an_endless_calendar_ends(server: LocalWeb, tmp_path: Path) -> None:
    async def month(request: web.Request) -> web.Response:
        after = int(request.query.get("month", "0")) + 1
        return web.Response(text=f'<a href="/calendar?month={after}">next</a>', content_type="text/html")

    server.put("/", '<a href="/calendar?month=1">calendar</a>')
    server.handlers["/calendar"] = month
    tally = run(server, tmp_path / "data", replace(QUICK, depth_max=10_000))
    assert len(server.paths()) == 1 + BARREN_MAX
    assert tally.endless == 1


def test_of_ten_thousand_links_on_a_page_some_are_taken(server: LocalWeb, tmp_path: Path) -> None:
    server.put("/", "".join(f'<a href="/{n}">{n}</a>' for n in range(10_000)))
    run(server, tmp_path / "data", replace(QUICK, pages_max=3, page_links_max=500))
    with DataFolder.open(tmp_path / "data", create=False) as folder:
        counts = folder.frontier.counts()
    assert (counts.queued, len(server.paths())) == (500 - 2, 3)


def test_what_a_picture_is_called_does_not_matter(server: LocalWeb, tmp_path: Path, images: Path) -> None:
    server.put("/", '<img src="/a"><img src="/b.jpg"><img src="/c.jpg"><a href="/d.html">d</a>')
    server.put("/a", picture(images), "text/html")
    server.put("/b.jpg", "<p>no picture</p>", "image/jpeg")
    server.put("/c.jpg", b"\xff\xd8\xff" + b"cut off", "image/jpeg")
    server.put("/d.html", picture(images), "text/html")
    tally = run(server, tmp_path / "data")
    assert tally.images == 1
    assert tally.failed == {"not-a-picture": 1, "damaged": 1}


def test_a_body_that_is_cut_off_is_no_picture(server: LocalWeb, tmp_path: Path, images: Path) -> None:
    async def cut(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Length": "100000", "Content-Type": "image/jpeg"})
        await answer.prepare(request)
        await answer.write(picture(images)[:2000])
        assert request.transport
        request.transport.close()
        return answer

    server.put("/", '<img src="/a.jpg">')
    server.handlers["/a.jpg"] = cut
    assert run(server, tmp_path / "data").failed == {"bad-response": 1}


def test_figures_for_prometheus_are_served_on_this_machine(tmp_path: Path) -> None:
    from urllib.error import HTTPError
    from urllib.request import Request, urlopen

    from checker.records.crawl_interfaces import FrontierCounts
    from crawler.hosts import HostCounts
    from crawler.progress import State

    tally = Tally(pages=2, images=3, new=1, visits=7)
    tally.failed["timeout"] = 2
    state = State(tally, FrontierCounts(9, 0, 5, 2, 0), HostCounts(1, 2, 3), parked=4, seconds=2.0)
    with local_web() as free:
        port = free.port
    with Metrics(port) as metrics:
        metrics.note(state)
        served = urlopen(f"http://127.0.0.1:{port}/metrics").read().decode()
        rebound = Request(f"http://127.0.0.1:{port}/metrics", headers={"Host": "evil.test"})
        with pytest.raises(HTTPError, match="421"):
            urlopen(rebound)
    assert 'hibs_crawl_visits_total{outcome="picture"} 3.0' in served
    assert 'hibs_crawl_failures_total{reason="timeout"} 2.0' in served
    assert 'hibs_crawl_hosts{state="parked"} 4.0' in served
    assert "hibs_crawl_queued 9.0" in served


def test_the_progress_line_tells_what_is_left_and_what_failed() -> None:
    from checker.records.crawl_interfaces import FrontierCounts
    from crawler.hosts import HostCounts
    from crawler.progress import State

    tally = Tally(pages=10, images=90, new=80, visits=100)
    tally.failed["http-404"] = 3
    state = State(tally, FrontierCounts(500, 0, 97, 3, 0), HostCounts(1, 2, 3), parked=4, seconds=50.0)
    assert state.line() == (
        "10 pages, 90 pictures (80 new), 2.0/s; 500 wait, 4 min left at this rate; "
        "hosts: 3 asked, 1 ready, 2 resting, 4 parked; failed: 3 http-404"
    )
