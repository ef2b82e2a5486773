"""Memory of a crawl by the number of addresses that wait in its frontier. Run by `crawl.py`."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import measuring
from crawl_peers import HASH_ALONE, crawl_command
from crawl_run import Web, WebPlan, ended_well, run, web
from crawl_server import addresses

from checker.records.folder import DataFolder
from checker.visits import FoundLink
from crawler.plan import make_plan
from crawler.settings import CrawlSettings

BATCH = 10_000


@dataclass(frozen=True, slots=True)
class Remembered:
    """One crawl."""

    queued: int
    fill_s: float
    wall_s: float
    peak_bytes: int
    cpu_s: float
    images: int
    database_bytes: int


def remembered(found: Web, queued: int, seconds: float) -> Remembered:
    """Fill a new frontier, and crawl for a while."""
    with TemporaryDirectory(prefix="hibs-crawl-") as folder:
        data = Path(folder) / "data"
        fill_s = _fill(data, found, queued)
        size = sum(path.stat().st_size for path in data.glob("corpus.db*"))
        command = crawl_command(found, data, "--delay", "0")
        done = ended_well(
            run(command, found, seconds_max=seconds, interrupt=True, memory=True, environ=HASH_ALONE), "the crawl"
        )
    images = json.loads(done.out.splitlines()[-1])["images"]
    return Remembered(queued, fill_s, done.wall_s, done.peak_bytes, done.cpu_s, images, size)


def _fill(data: Path, found: Web, queued: int) -> float:
    """Queue so many pictures, as pages of this crawl would have named them."""
    begin_s, now = time.monotonic(), datetime.now(UTC)
    plan = make_plan(found.start, settings=CrawlSettings(), opened=found.opened[1::2], delay_s=0.0)
    hosts = addresses(found.plan.hosts)

    def link(number: int) -> FoundLink:
        host = hosts[number % len(hosts)]
        return FoundLink(f"http://{host}:{found.port}/picture/{number}.jpg", "image", "img src", None)

    with DataFolder.open(data, create=True) as folder:
        folder.frontier.scope(plan.scope_text)
        for first in range(0, queued, BATCH):
            numbers = range(first, min(first + BATCH, queued))
            folder.frontier.add([link(number) for number in numbers], depth=1, now=now)
    return time.monotonic() - begin_s


def section(photos: Path, sizes: Sequence[int], seconds: float, hosts: int) -> tuple[str, dict[str, Any]]:
    """The text of the section, and its raw figures."""
    found = []
    with web(WebPlan(photos, hosts=hosts, images=0)) as up:
        for queued in sizes:
            found.append(remembered(up, queued, seconds))
            print(f"({queued:,} queued: {found[-1].peak_bytes / 2**20:.0f} MiB)", file=sys.stderr)
    columns = (
        *("addresses queued", "peak memory, MiB", "of the first", "seconds crawled", "pictures"),
        *("CPU s", "corpus.db, MiB", "seconds to fill"),
    )
    rows = [
        [
            *(f"{one.queued:,}", f"{one.peak_bytes / 2**20:.0f}", f"{one.peak_bytes / found[0].peak_bytes:.2f} x"),
            *(f"{one.wall_s:.1f}", f"{one.images:,}", f"{one.cpu_s:.1f}"),
            *(f"{one.database_bytes / 2**20:.0f}", f"{one.fill_s:.0f}"),
        ]
        for one in found
    ]
    return measuring.table(columns, rows), {"crawls": [asdict(one) for one in found]}
