"""The one thread in which the databases are used, and the queue before it.

Visits that end while it is busy are written together: a commit for each would cost more than the writing. What
belongs to one visit always commits as one, so a killed run repeats at most what was under way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import TypeVar

from checker.model import Finding, Source
from checker.records.crawl_interfaces import HostBudget, KnownPicture, Lease
from checker.records.folder import DataFolder
from checker.records.interfaces import Recorded
from checker.records.rows import host_files
from checker.visits import Visit

T = TypeVar("T")

_KEPT_MAX = 20_000
"""Fetches of host files that are remembered as written."""
_TOGETHER_MAX = 64
"""Visits in one transaction; readers of other processes never wait for it, writers do."""


_Waiting = tuple[tuple[Visit, ...], "asyncio.Future[tuple[Recorded, ...]]"]


class Records:
    """The thread."""

    def __init__(self, thread: ThreadPoolExecutor) -> None:
        self._thread = thread

    async def do(self, work: Callable[..., T], *args: object, **options: object) -> T:
        """Do `work` there."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, partial(work, *args, **options))


@dataclass(frozen=True, slots=True)
class Errand:
    """One address to visit, with what was recorded about it before."""

    lease: Lease
    said: tuple[Finding, ...]
    """By the pages that show the picture, of their pictures."""
    known: KnownPicture | None
    """The picture that was there last; None: none, or it is to be fetched whatever was there."""


class Recorder:
    """Hands out addresses and writes what came of them, for one run."""

    def __init__(
        self,
        folder: DataFolder,
        source: Source,
        records: Records,
        *,
        budget: HostBudget,
        opt_out_distance_bits_max: int,
        known_kinds: int | None,
    ) -> None:
        """
        Args:
            known_kinds: look up pictures seen before that have codes of so many kinds; None: fetch all anew.
        """
        self._folder = folder
        self._source = source
        self._records = records
        self._budget = budget
        self._opt_out_distance_bits_max = opt_out_distance_bits_max
        self._known_kinds = known_kinds
        self._kept: dict[tuple[str, datetime], None] = {}
        self._waiting: list[_Waiting] = []
        self._writing: asyncio.Task[None] | None = None

    async def errands(self, hosts: Sequence[str], **options: object) -> tuple[Errand, ...]:
        """Lease addresses of these hosts; `options` as `Frontier.lease_many` takes them."""
        return await self._records.do(self._errands, hosts, **options)

    def _errands(self, hosts: Sequence[str], **options: object) -> tuple[Errand, ...]:
        store, errands = self._folder.store, []
        for lease in self._folder.frontier.lease_many(hosts, **options):  # type: ignore[arg-type]
            known = None
            if self._known_kinds is not None and lease.kind == "image":
                known = store.known_at(lease.url, kinds=self._known_kinds)
            # Of a link as well: it may lead to a picture that stands on a page.
            errands.append(Errand(lease, store.said_by_pages(lease.url), known))
        return tuple(errands)

    async def record(self, visits: tuple[Visit, ...]) -> tuple[Recorded, ...]:
        """Write these visits, in this order, together with others that wait."""
        written: asyncio.Future[tuple[Recorded, ...]] = asyncio.get_running_loop().create_future()
        self._waiting.append((visits, written))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_all())
        return await written

    async def _write_all(self) -> None:
        while batch := self._waiting[:_TOGETHER_MAX]:
            del self._waiting[:_TOGETHER_MAX]
            # What cannot be written must not take the others with it: then each is tried alone.
            if not await self._write_together(batch):
                for one in batch:
                    await self._write_together([one])

    async def _write_together(self, batch: list[_Waiting]) -> bool:
        """Write and tell those who wait; False: it could not be written, and there are others to try without it."""
        (found,) = await asyncio.gather(
            self._records.do(self._write, [visits for visits, _ in batch]), return_exceptions=True
        )
        if isinstance(found, BaseException) and len(batch) > 1:
            return False
        for number, (_, written) in enumerate(batch):
            if written.done():  # nobody waits any more: the run was broken off
                continue
            if isinstance(found, BaseException):
                written.set_exception(found)
            else:
                written.set_result(found[number])
        return True

    def _write(self, batch: list[tuple[Visit, ...]]) -> list[tuple[Recorded, ...]]:
        """Runs in the thread."""
        visits = [self._with_news(visit) for together in batch for visit in together]
        opt_outs = [self._opt_outs_of(visit) for visit in visits]
        # What somebody opted out is recorded as seen, with no code that look-ups could find.
        visits = [_without_codes(visit) if by else visit for visit, by in zip(visits, opt_outs, strict=True)]
        done = self._folder.store.record_all(visits, source=self._source, budget=self._budget, opt_outs=opt_outs)
        recorded = iter(done)
        for visit in visits:
            self._kept |= dict.fromkeys((file.url, file.fetched_at) for file in visit.evidence)
        while len(self._kept) > _KEPT_MAX:
            del self._kept[next(iter(self._kept))]
        return [tuple(next(recorded) for _ in together) for together in batch]

    def _with_news(self, visit: Visit) -> Visit:
        """Without the files of its host that were written with an earlier visit: they are found by their addresses."""
        of_host = host_files(visit.url)
        news = tuple(
            file for file in visit.evidence if file.url not in of_host or (file.url, file.fetched_at) not in self._kept
        )
        return visit if len(news) == len(visit.evidence) else replace(visit, evidence=news)

    def _opt_outs_of(self, visit: Visit) -> tuple[str, ...]:
        """Numbers of the opt-outs that hide the picture of a visit, by its codes or by where it stands."""
        if visit.seen is None:
            return ()
        urls = [visit.url]
        if self._folder.hidden_addresses.any():
            urls += self._folder.store.pages_that_show(visit.url)
        distance_bits_max = self._opt_out_distance_bits_max
        return self._folder.hides(visit.seen.picture, distance_bits_max=distance_bits_max, urls=urls)


def _without_codes(visit: Visit) -> Visit:
    return replace(visit, seen=replace(visit.seen, servable=False)) if visit.seen else visit
