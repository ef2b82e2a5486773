"""The loop of a crawl: many hosts at once, one visit a host at a time.

    frontier --lease--> visit --> record --> frontier
                 |        |
            writer thread '- event loop; pictures and HTML in threads

What a visit gave, the links it found and its new state commit together, so a killed run repeats at most what was
under way. SQLite is used from one thread. Wishing to stop starts nothing more, lets requests under way end, and puts
back what was leased.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TypeVar

from checker.errors import SandboxError
from checker.model import Outcome, Source, Visit
from checker.records.folder import DataFolder
from checker.records.interfaces import Lease, Recorded
from crawler.fetch import NotFetchedReason
from crawler.progress import Progress
from crawler.tally import Tally
from crawler.turns import Clock, StoppedError, Turns
from crawler.visit import ROBOTS_UNREACHABLE, Limits, Visitor

T = TypeVar("T")

_NOT_ASKED = (ROBOTS_UNREACHABLE, NotFetchedReason.HOST_FAILS.value)

_LOOK_AGAIN_S = 1.0
"""How often the frontier is asked which hosts have work; a host that just answered is asked at once."""


class Records:
    """The one thread in which the databases are used."""

    def __init__(self, thread: ThreadPoolExecutor) -> None:
        self._thread = thread

    async def do(self, work: Callable[..., T], *args: object, **options: object) -> T:
        """Do `work` there."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, partial(work, *args, **options))


class Crawl:
    """One run over one data folder."""

    def __init__(
        self,
        folder: DataFolder,
        source: Source,
        visitor: Visitor,
        turns: Turns,
        limits: Limits,
        clock: Clock,
        stop: asyncio.Event,
        progress: Progress,
        *,
        records: Records,
        refresh: bool = False,
    ) -> None:
        self._folder = folder
        self._source = source
        self._visitor = visitor
        self._turns = turns
        self._limits = limits
        self._clock = clock
        self._stop = stop
        self._progress = progress
        self._refresh = refresh
        self._records = records
        self._wake = asyncio.Event()
        self._running: dict[str, Lease] = {}
        self._hosts: tuple[str, ...] = ()
        self._hosts_at_s: float | None = None
        self._ended_before = {"page": 0, "image": 0}
        self.tally = Tally()

    async def run(self) -> Tally:
        """Visit everything that is due, until nothing is left, a limit is reached, or the run is to stop."""
        await self._prepare()
        async with asyncio.TaskGroup() as group:
            wake_on_stop = group.create_task(self._wake_on_stop())
            while not self._stop.is_set():
                self._wake.clear()
                await self._start_due(group)
                wait_s = await self._until_next()
                if wait_s is None:
                    break
                await self._wait(wait_s)
            wake_on_stop.cancel()
        self.tally.stopped = self._stop.is_set()
        await self._records.do(self._folder.frontier.release, now=self._clock.now())
        return self.tally

    async def _prepare(self) -> None:
        frontier = self._folder.frontier
        await self._records.do(frontier.release, now=self._clock.now())
        if self._refresh:
            await self._records.do(frontier.requeue, now=self._clock.now())
        else:
            # Their hosts were down and they were not asked for; a host may be up again.
            await self._records.do(frontier.requeue, now=self._clock.now(), reasons=_NOT_ASKED)
            for kind in self._ended_before:
                counts = await self._records.do(frontier.counts, kinds=(kind,))
                self._ended_before[kind] = counts.done + counts.failed

    # --- what to start, and when -------------------------------------------------------------------------------

    async def _start_due(self, group: asyncio.TaskGroup) -> None:
        frontier, seconds = self._folder.frontier, self._limits.crawl.lease_s
        for host in await self._due_hosts():
            kinds = self._kinds_within_limits()
            if not kinds or not self._may_start(host):
                continue
            found = await self._records.do(
                frontier.lease, host=host, seconds=seconds, now=self._clock.now(), kinds=kinds
            )
            if found is not None:
                self._start(group, found)
            else:
                self._hosts = tuple(name for name in self._hosts if name != host)

    def _start(self, group: asyncio.TaskGroup, lease: Lease) -> None:
        self._running[lease.host] = lease
        group.create_task(self._visit(lease))

    def _may_start(self, host: str) -> bool:
        """Is the host free and rested, and the run not too wide?"""
        return (
            host not in self._running
            and len(self._running) < self._limits.crawl.hosts_at_once_max
            and self._turns.wait_s(host) <= 0
        )

    def _kinds_within_limits(self) -> tuple[str, ...]:
        """What may still be started: a visit under way counts as if it gave something.

        What failed counts as well: a page may name any number of pictures that are none, on the hosts of others.
        """
        under_way = Counter(lease.kind for lease in self._running.values())
        limits = self._limits.crawl
        pages = self._ended_before["page"] + self.tally.ended["page"] + under_way["page"]
        images = self._ended_before["image"] + self.tally.ended["image"] + under_way["image"]
        return tuple(
            kind
            for kind, number, number_max in (("page", pages, limits.pages_max), ("image", images, limits.images_max))
            if number < number_max
        )

    async def _due_hosts(self) -> tuple[str, ...]:
        now_s = self._clock.monotonic_s()
        if not self._hosts or self._hosts_at_s is None or now_s - self._hosts_at_s >= _LOOK_AGAIN_S:
            kinds = self._kinds_within_limits()
            self._hosts = await self._records.do(self._folder.frontier.hosts_due, now=self._clock.now(), kinds=kinds)
            self._hosts_at_s = now_s
        return self._hosts

    async def _until_next(self) -> float | None:
        """Seconds until there may be something to start. None: the run is over."""
        resting = [self._turns.wait_s(host) for host in self._hosts if host not in self._running]
        if self._running:
            return min([*(wait_s for wait_s in resting if wait_s > 0), _LOOK_AGAIN_S])
        frontier, kinds = self._folder.frontier, self._kinds_within_limits()
        due = await self._records.do(frontier.next_due, kinds=kinds)
        self._hosts_at_s = None
        if due is None:
            self.tally.limit_reached = await self._queued() > 0
            return None
        now = self._clock.now()
        until_s = max((due - now).total_seconds(), min(resting, default=0.0), 0.0)
        if until_s > self._limits.crawl.turn_wait_max_s:
            self.tally.retries, self.tally.retries_from = await self._queued(), now + timedelta(seconds=until_s)
            return None
        return until_s

    async def _queued(self) -> int:
        return (await self._records.do(self._folder.frontier.counts)).queued

    async def _wait(self, seconds: float) -> None:
        """Wait, or until a visit ends or the run is to stop."""
        counts = f"{self.tally.pages} pages, {self.tally.images} pictures"
        hosts = ", ".join(sorted(host.partition("://")[2] for host in self._running)[:3])
        self._progress.show(f"{counts} so far{'; asking ' if hosts else ''}{hosts}")
        tasks = {asyncio.ensure_future(self._clock.sleep(seconds)), asyncio.ensure_future(self._wake.wait())}
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()

    async def _wake_on_stop(self) -> None:
        await self._stop.wait()
        self._wake.set()

    # --- one visit ---------------------------------------------------------------------------------------------

    async def _visit(self, lease: Lease) -> None:
        try:
            visits = await self._visitor.visit(lease)
        except StoppedError:
            visits = ()
        except SandboxError:
            raise  # this machine's trouble, which says nothing of any address
        except Exception as error:  # noqa: BLE001 - one address must not end a crawl; the row tells what happened
            visits = (self._broken(lease, error),)
        try:
            if visits:
                await self._records.do(self._record, visits)
                self._hosts_at_s = None if any(visit.links for visit in visits) else self._hosts_at_s
        finally:
            del self._running[lease.host]
            self._wake.set()

    def _broken(self, lease: Lease, error: Exception) -> Visit:
        return Visit(
            url=lease.url,
            kind=lease.kind,
            outcome=Outcome.FAILED,
            seen_at=self._clock.now(),
            reason=f"internal-error: {type(error).__name__}",
            depth=lease.depth,
        )

    def _record(self, visits: tuple[Visit, ...]) -> None:
        """Runs in the writer thread."""
        for visit in visits:
            if visit.seen and visit.url in self.tally.disallowed:
                continue  # a page that forbids this picture was read while it was under way
            recorded: Recorded = self._folder.store.record(self._with_opt_outs(visit), source=self._source)
            self.tally.count(visit, recorded)

    def _with_opt_outs(self, visit: Visit) -> Visit:
        """A picture that somebody opted out is recorded as seen, with no code that look-ups could find."""
        distance_bits_max = self._limits.pictures.opt_out_distance_bits_max
        if visit.seen is None or not self._folder.hides(visit.seen.picture, distance_bits_max=distance_bits_max):
            return visit
        return replace(visit, seen=replace(visit.seen, servable=False))
