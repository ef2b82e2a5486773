"""A whole crawl on the in-memory web, as the tests of this folder run it."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any

from site_simulator import SiteSimulator

from checker.fingerprint import InProcessDecoder
from checker.model import PHASH256, Sighting
from checker.progress import Progress
from checker.records.folder import DataFolder
from checker.settings import Settings
from crawler.crawl import Run, Surroundings, crawl
from crawler.jobs import PageJob, PageRead, PictureJob, PictureRead, packed_answer, unpacked_page, unpacked_picture
from crawler.metrics import Metrics
from crawler.plan import make_plan
from crawler.reading import Reading
from crawler.settings import CrawlSettings
from crawler.tally import Tally

PAGE = "https://a.example/"
CRAWL = CrawlSettings(contact="me@example.org")
PICTURES = Settings()


@dataclass(frozen=True)
class Here:
    """Reads as the workers do, without a process for each of many small crawls."""

    reading: Reading

    async def page(self, job: PageJob) -> PageRead:
        return unpacked_page(_sent(packed_answer(await asyncio.to_thread(self.reading.page, job))))

    async def picture(self, job: PictureJob) -> PictureRead:
        decoder = InProcessDecoder(self.reading.pictures)
        return unpacked_picture(_sent(packed_answer(await asyncio.to_thread(self.reading.picture, job, decoder))))

    async def ready(self) -> None:
        pass

    def keeps_up(self) -> bool:
        return True


def _sent(parts: list[bytes]) -> dict[str, Any]:
    """A message as it arrives."""
    return dict(json.loads(parts[1]))


@dataclass
class Bench:
    """One data folder and one web; every `crawl` is a new run over both."""

    web: SiteSimulator
    folder: DataFolder
    pictures: dict[str, bytes]

    def crawl(
        self,
        *urls: str,
        settings: CrawlSettings = CRAWL,
        stop_after: int = 0,
        refresh: bool = False,
        pictures: Settings = PICTURES,
    ) -> Tally:
        plan = make_plan(urls or (PAGE,), settings=settings)

        async def run() -> Tally:
            stop = asyncio.Event()
            fetcher = _StopAfter(self.web, stop, stop_after) if stop_after else self.web
            clock = self.web.time.clock()
            with Progress(every_s=1e9) as progress:
                reader = Here(Reading(pictures, plan.settings, plan.scope))
                around = Surroundings(fetcher, reader, clock, stop, progress, Metrics(None))
                return await crawl(plan, pictures, self.folder, around, Run(refresh=refresh))

        return asyncio.run(run())

    def sightings(self) -> list[Sighting]:
        """By address: pictures are read several at once, so their order is not that of the page."""
        found = self.folder.store.sightings_of(list(range(1, 100)))
        sightings = [sighting for image_id in sorted(found) for sighting in found[image_id]]
        return sorted(sightings, key=lambda sighting: sighting.image_url or "")

    def coded(self) -> int:
        """How many pictures can be found by a code, of whichever of their parts."""
        return len({row.image_id for row in self.folder.store.codes_after(0, kind=PHASH256, count=1000)})


@dataclass
class _StopAfter:
    """Wishes the run to stop once so many requests were answered."""

    web: SiteSimulator
    stop: asyncio.Event
    left: int

    async def fetch(self, ask: Any) -> Any:
        answer = await self.web.fetch(ask)
        self.left -= 1
        if self.left <= 0:
            self.stop.set()
        return answer
