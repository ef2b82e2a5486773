"""The polite rate: what a crawl reaches of what its delays admit, and the proof that no host was ever pressed.

Run by `crawl.py`. Everything is read from the server's own log. Between an answer and the next request to the same
host lies the delay, so a host that is known for T seconds admits 1 + T / delay requests, or as many as there are to
make, whichever is less; the bound is the sum over the hosts, however many of them there are.
"""

from __future__ import annotations

import json
import math
import statistics
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import measuring
from crawl_peers import HASH_ALONE, crawl_command
from crawl_run import Request, Run, Web, WebPlan, ended_well, read_log, run, web
from crawl_server import PAGE_PICTURES, addresses, picture_counts

DELAY_S = 0.2
HOTTEST = 0.064
"""Share of the hottest host in 10,000 addresses of a LAION sample: 641 of them, on 4,474 hosts."""
HOSTS_A_PICTURE = 0.4474
START_UP_S = 3.0
"""The crawl gets so much longer than is counted, so that all of the counted time is crawled in."""
EVERYTHING = "/everything"


@dataclass(frozen=True, slots=True)
class Politeness:
    """What the log says of the pauses."""

    pauses: int
    at_once: int
    """Requests that came while the host was answering another one."""
    too_soon: int
    """Requests that came sooner after the last answer than the delay, those above among them."""
    least_pause_s: float


def politeness(requests: Sequence[Request], *, delay_s: float) -> Politeness:
    """Look at every two requests in a row to one host."""
    pauses: list[float] = []
    for asked in _by_host(requests).values():
        free_s = asked[0].end_s
        for request in asked[1:]:
            pauses.append(request.begin_s - free_s)
            free_s = max(free_s, request.end_s)
    return Politeness(
        pauses=len(pauses),
        at_once=sum(pause < 0 for pause in pauses),
        too_soon=sum(pause < delay_s for pause in pauses),
        least_pause_s=min(pauses, default=math.inf),
    )


def _by_host(requests: Sequence[Request]) -> dict[str, list[Request]]:
    found: dict[str, list[Request]] = defaultdict(list)
    for request in sorted(requests, key=lambda one: one.begin_s):
        found[request.host].append(request)
    return found


@dataclass(frozen=True, slots=True)
class Polite:
    """One crawl."""

    name: str
    hosts: int
    pictures: int
    alone: int
    """Pictures on hosts that have only one."""
    seconds: float
    requests: int
    requests_bound: int
    requests_bound_with_answers: int
    """The same where the server's time to answer counts as part of the pause."""
    pictures_had: int
    pictures_bound: int
    hosts_met: int
    cpu_s: float
    """Of the whole crawl, its start and end included."""
    pace: Politeness


def polite(name: str, plan: WebPlan, seconds: float, *, everything: bool) -> Polite:
    """Crawl for a while.

    Args:
        everything: start from one page that shows all pictures, instead of from every host's first page.
    """
    with web(plan) as found, TemporaryDirectory(prefix="hibs-crawl-") as folder:
        start = [found.start[0].rstrip("/") + EVERYTHING] if everything else None
        command = crawl_command(found, Path(folder) / "data", "--delay", str(DELAY_S), start=start)
        done = run(command, found, seconds_max=seconds + START_UP_S, interrupt=True, environ=HASH_ALONE)
        ended_well(done, name)
        return _judged(name, found, read_log(found), done, seconds, everything=everything)


def _judged(
    name: str, found: Web, requests: Sequence[Request], done: Run, seconds: float, *, everything: bool
) -> Polite:
    said = json.loads(done.out.splitlines()[-1])
    if said["failed"]:
        raise SystemExit(f"{name}: of a web without errors, ours could not have {said['failed']}")
    first_s = min(request.begin_s for request in requests)
    counted = [request for request in requests if request.begin_s <= first_s + seconds]
    counts = picture_counts(found.plan.images, found.plan.hosts, found.plan.hottest)
    known_s = 0.0
    if everything:
        known_s = min((one.end_s for one in requests if one.path == EVERYTHING), default=math.inf) - first_s
    works = _works(requests, counts, everything=everything)
    answer_s = sum(request.end_s - request.begin_s for request in counted) / len(counted)
    return Polite(
        name=name,
        hosts=sum(count > 0 for count in counts),
        pictures=sum(counts),
        alone=sum(count == 1 for count in counts),
        seconds=seconds,
        requests=len(counted),
        requests_bound=sum(work.bound(seconds, known_s, DELAY_S)[0] for work in works),
        requests_bound_with_answers=sum(work.bound(seconds, known_s, DELAY_S + answer_s)[0] for work in works),
        pictures_had=sum(map(_is_picture, counted)),
        pictures_bound=sum(work.bound(seconds, known_s, DELAY_S)[1] for work in works),
        hosts_met=len({request.host for request in counted}),
        cpu_s=done.cpu_s,
        pace=politeness(requests, delay_s=DELAY_S),
    )


@dataclass(frozen=True, slots=True)
class Work:
    """What there is to ask of one host."""

    files: int
    """robots.txt and the like, before any picture."""
    pages: int
    pictures: int
    is_start: bool

    def bound(self, seconds: float, known_s: float, pause_s: float) -> tuple[int, int]:
        """Requests, and pictures among them, that the pause admits; a host is known from `known_s` on, or at once."""
        passed_s = seconds - (0.0 if self.is_start else known_s)
        admitted = 1 + math.floor(passed_s / pause_s) if passed_s >= 0 else 0
        before = self.files + self.pages
        return min(before + self.pictures, admitted), min(self.pictures, max(0, admitted - before))


def _works(requests: Sequence[Request], counts: Sequence[int], *, everything: bool) -> list[Work]:
    """Small files are counted where the crawl asked for all of them; elsewhere as for the host in the middle."""
    files = {
        host: len({one.path for one in asked if not _is_picture(one) and not _is_page(one)})
        for host, asked in _by_host(requests).items()
        if any(map(_is_picture, asked))
    }
    usual = round(statistics.median(files.values() or [0]))
    works = []
    for number, (host, count) in enumerate(zip(addresses(len(counts)), counts, strict=True)):
        is_start = not everything or number == 0
        if count or is_start:
            pages = (1 if everything else 1 + math.ceil(count / PAGE_PICTURES)) if is_start else 0
            works.append(Work(files.get(host, usual), pages, count, is_start))
    return works


def _is_page(request: Request) -> bool:
    return request.path in ("/", EVERYTHING) or request.path.startswith("/page/")


def _is_picture(request: Request) -> bool:
    return request.path.startswith("/picture/")


def section(photos: Path, seconds: float, hosts: int) -> tuple[str, dict[str, Any]]:
    """The text of the section, and its raw figures."""
    images = round(seconds / DELAY_S / HOTTEST)  # the hottest host has work for all of the time
    many = min(round(images * HOSTS_A_PICTURE), 4_000)
    few = WebPlan(photos, hosts=hosts, images=images, hottest=HOTTEST)
    found = [
        polite("as many hosts as above", few, seconds, everything=False),
        polite("as many hosts a picture as in the sample", replace(few, hosts=many), seconds, everything=True),
    ]
    columns = (
        *("crawl", "hosts", "pictures", "alone on a host", "seconds", "hosts met"),
        *("requests/s", "of the bound", "answers counted as pause", "pictures/s", "of the bound", "CPU s"),
    )
    rows = [
        [
            *(one.name, f"{one.hosts:,}", f"{one.pictures:,}", f"{one.alone / one.pictures:.0%}"),
            *(f"{one.seconds:.0f}", f"{one.hosts_met:,}", f"{one.requests / one.seconds:.1f}"),
            f"{one.requests / one.requests_bound:.1%}",
            f"{one.requests / one.requests_bound_with_answers:.1%}",
            f"{one.pictures_had / one.seconds:.1f}",
            f"{one.pictures_had / one.pictures_bound:.1%}",
            f"{one.cpu_s:.0f}",
        ]
        for one in found
    ]
    pace_columns = ("pauses", "how many", f"under {DELAY_S:g} s", "two requests at once", "shortest, s")
    paces = [
        [
            *(one.name, f"{one.pace.pauses:,}", f"{one.pace.too_soon:,}", f"{one.pace.at_once:,}"),
            f"{one.pace.least_pause_s:.4f}",
        ]
        for one in found
    ]
    text = f"{measuring.table(columns, rows)}\n\n{measuring.table(pace_columns, paces)}"
    return text, {"crawls": [asdict(one) for one in found]}
