"""The loop of a crawl: many hosts at once, one request a host at a time.

    frontier --leases--> visits --> records --> frontier
                 |          |
          writer thread     '- event loop; pages and pictures are read in processes

What a visit gave, the links it found and its new state commit together, so a killed run repeats at most what was
under way. A host may be asked again once it has rested, while its last answer is still being read. Wishing to stop
starts nothing more, lets requests under way end, and puts back what was leased.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from datetime import timedelta

from checker.errors import DataError, SandboxError
from checker.progress import Progress
from checker.records.crawl_interfaces import FrontierCounts
from checker.records.folder import DataFolder
from checker.visits import Outcome, Visit
from crawler.addresses import storable
from crawler.endings import ROBOTS_UNREACHABLE
from crawler.fetch import NotFetchedReason
from crawler.hosts import Hosts
from crawler.metrics import Metrics
from crawler.progress import State
from crawler.recorder import Errand, Recorder, Records
from crawler.settings import CrawlSettings
from crawler.tally import Tally
from crawler.turns import Clock, StoppedError, Turns
from crawler.visit import Visitor

_NOT_ASKED = (ROBOTS_UNREACHABLE, NotFetchedReason.HOST_FAILS.value)

_LOOK_AGAIN_S = 1.0
"""How often the frontier is asked which hosts have work; a host that just answered is asked at once."""
_WINDOW_MIN = 2
"""Visits under way at first, and at least. There may be one more after each that ended while all of them were in use
and the readers kept up, and one less where they did not: what was fetched and not recorded is fetched again after a
kill, and takes memory."""
_LEASES_MAX = 8
"""Addresses of one host that are leased together, where it needs no rest between them."""


class Crawl:
    """One run over one data folder."""

    def __init__(
        self,
        folder: DataFolder,
        recorder: Recorder,
        visitor: Visitor,
        turns: Turns,
        settings: CrawlSettings,
        clock: Clock,
        stop: asyncio.Event,
        progress: Progress,
        *,
        records: Records,
        metrics: Metrics,
        refresh: bool = False,
    ) -> None:
        self._folder = folder
        self._recorder = recorder
        self._visitor = visitor
        self._turns = turns
        self._settings = settings
        self._clock = clock
        self._stop = stop
        self._progress = progress
        self._refresh = refresh
        self._records = records
        self._wake = asyncio.Event()
        self._hosts = Hosts(turns.rested_at_s)
        self._leased: dict[str, deque[Errand]] = {}
        self._under_way: Counter[str] = Counter()
        self._looked_at_s: float | None = None
        self._window = _WINDOW_MIN
        self._metrics = metrics
        self._begun_at_s = self._noted_at_s = clock.monotonic_s()
        self._ended_before = {"page": 0, "image": 0}
        self.tally = Tally()

    async def run(self) -> Tally:
        """Visit everything that is due, until nothing is left, a limit is reached, or the run is to stop."""
        await self._prepare()
        async with asyncio.TaskGroup() as group:
            wake_on_stop = group.create_task(self._wake_on_stop())
            while not self._stop.is_set():
                self._wake.clear()
                await self._tell()
                if await self._start_due(group):
                    continue
                wait_s = await self._until_next()
                if wait_s is None:
                    break
                await self._wait(wait_s)
            wake_on_stop.cancel()
        self.tally.stopped = self._stop.is_set()
        self.tally.parked = self._turns.parked()
        await self._records.do(self._folder.frontier.rest, self._turns.rests())
        await self._records.do(self._folder.frontier.release, now=self._clock.now())
        return self.tally

    async def _prepare(self) -> None:
        frontier, now = self._folder.frontier, self._clock.now()
        await self._records.do(frontier.release, now=now)
        self._turns.restore(await self._records.do(frontier.rests, now=now))
        if self._refresh:
            await self._records.do(frontier.requeue, now=now)
        else:
            # Their hosts were down and they were not asked for; a host may be up again.
            await self._records.do(frontier.requeue, now=now, reasons=_NOT_ASKED)
            for kind in self._ended_before:
                counts = await self._records.do(frontier.counts, kinds=(kind,))
                self._ended_before[kind] = counts.done + counts.failed

    # --- what to start, and when -------------------------------------------------------------------------------

    async def _start_due(self, group: asyncio.TaskGroup) -> bool:
        """Start what may be started; was there anything?"""
        left = {kind: number for kind, number in self._left().items() if number > 0}
        await self._look(tuple(left))
        room = min(
            self._window - sum(self._under_way.values()),
            self._settings.hosts_at_once_max - self._hosts.busy,
        )
        hosts = self._hosts.take(room, now_s=self._clock.monotonic_s())
        wanted = [host for host in hosts if not self._leased.get(host)][: min(left.values(), default=0)]
        if wanted:
            await self._lease(wanted, tuple(left), count=max(1, min(left.values()) // len(wanted)))
        for host in hosts:
            if errands := self._leased.pop(host, None):
                errand = errands.popleft()
                if errands:
                    self._leased[host] = errands
                self._under_way[errand.lease.kind] += 1
                group.create_task(self._visit(errand))
            else:
                self._hosts.drop(host)
        return bool(hosts)

    async def _lease(self, hosts: list[str], kinds: tuple[str, ...], *, count: int) -> None:
        errands = await self._recorder.errands(
            hosts,
            count=min(count, _LEASES_MAX) if self._settings.delay_local_s == 0 else 1,
            seconds=self._settings.lease_s,
            now=self._clock.now(),
            kinds=kinds,
        )
        for errand in errands:
            self._leased.setdefault(errand.lease.host, deque()).append(errand)

    def _left(self) -> dict[str, int]:
        """How many of each kind may still be started: a visit under way counts as if it gave something.

        What failed counts as well: a page may name any number of pictures that are none, on the hosts of others.
        """
        begun = Counter(errand.lease.kind for errands in self._leased.values() for errand in errands)
        begun += self._under_way + self.tally.ended
        return {
            "page": self._settings.pages_max - self._ended_before["page"] - begun["page"],
            "image": self._settings.images_max - self._ended_before["image"] - begun["image"],
        }

    async def _look(self, kinds: tuple[str, ...]) -> None:
        """Ask the frontier now and then which hosts have work."""
        now_s = self._clock.monotonic_s()
        if self._looked_at_s is None or now_s - self._looked_at_s >= _LOOK_AGAIN_S:
            self._looked_at_s = now_s
            self._hosts.offer(
                await self._records.do(self._folder.frontier.hosts_due, now=self._clock.now(), kinds=kinds)
            )

    async def _until_next(self) -> float | None:
        """Seconds until there may be something to start. None: the run is over."""
        now_s, next_s = self._clock.monotonic_s(), self._hosts.next_s()
        if self._under_way:
            rests = [next_s - now_s] if next_s is not None and next_s > now_s else []
            return min([*rests, _LOOK_AGAIN_S])
        if self._leased and next_s is not None:
            return max(next_s - now_s, 0.0)
        kinds = tuple(kind for kind, number in self._left().items() if number > 0)
        due = await self._records.do(self._folder.frontier.next_due, kinds=kinds)
        self._looked_at_s = None
        if due is None:
            self.tally.limit_reached = (await self._counts()).queued > 0
            return None
        now = self._clock.now()
        rest_s = 0.0 if next_s is None else next_s - now_s
        until_s = max((due - now).total_seconds(), rest_s, 0.0)
        if until_s > self._settings.turn_wait_max_s:
            self.tally.retries = (await self._counts()).queued
            self.tally.retries_from = now + timedelta(seconds=until_s)
            return None
        return until_s

    async def _counts(self) -> FrontierCounts:
        return await self._records.do(self._folder.frontier.counts)

    async def _wait(self, seconds: float) -> None:
        """Wait, or until a visit ends or the run is to stop."""
        tasks = {asyncio.ensure_future(self._clock.sleep(seconds)), asyncio.ensure_future(self._wake.wait())}
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()

    async def _tell(self) -> None:
        """Say how far it is, when that is due."""
        now_s = self._clock.monotonic_s()
        metrics_due = self._metrics.wanted and now_s - self._noted_at_s >= _LOOK_AGAIN_S
        if metrics_due or self._progress.is_due():
            hosts, parked = self._hosts.counts(now_s=now_s), len(self._turns.parked())
            state = State(self.tally, await self._counts(), hosts, parked, now_s - self._begun_at_s)
            self._progress.show(state.line())
            self._metrics.note(state)
            self._noted_at_s = now_s

    async def _wake_on_stop(self) -> None:
        await self._stop.wait()
        self._wake.set()

    # --- one visit ---------------------------------------------------------------------------------------------

    async def _visit(self, errand: Errand) -> None:
        host, free = errand.lease.host, False

        def asked() -> None:
            nonlocal free
            if not free:
                free = True
                self._hosts.back(host)
                self._wake.set()

        try:
            visits = await self._visits(errand, asked)
            if visits:
                await self._record(visits)
        finally:
            self._fit_window()
            self._under_way[errand.lease.kind] -= 1
            self._under_way += Counter()  # drops what is zero
            asked()
            self._wake.set()

    def _fit_window(self) -> None:
        """Where fewer are under way than may be, more would not help: then it would only widen for the next burst."""
        full = self._under_way.total() >= self._window
        wider = -1 if not self._visitor.keeps_up() else 1 if full else 0
        self._window = max(_WINDOW_MIN, min(self._window + wider, self._settings.visits_at_once_max))

    async def _visits(self, errand: Errand, asked: object) -> tuple[Visit, ...]:
        try:
            return await self._visitor.visit(errand, asked)  # type: ignore[arg-type]
        except StoppedError:
            return ()
        except (DataError, SandboxError):
            raise  # this machine's trouble, which says nothing of any address
        except Exception as error:  # noqa: BLE001 - one address must not end a crawl; the row tells what happened
            return (self._broken(errand, error),)

    def _broken(self, errand: Errand, error: Exception) -> Visit:
        return Visit(
            url=storable(errand.lease.url),
            kind=errand.lease.kind,
            outcome=Outcome.FAILED,
            seen_at=self._clock.now(),
            reason=f"internal-error: {type(error).__name__}",
            depth=errand.lease.depth,
        )

    async def _record(self, visits: tuple[Visit, ...]) -> None:
        # A page that forbids this picture may have been read while it was under way.
        wanted = tuple(visit for visit in visits if not (visit.seen and visit.url in self.tally.disallowed))
        for visit, recorded in zip(wanted, await self._recorder.record(wanted), strict=True):
            self.tally.count(visit, recorded)
            if visit.kind == "page" and visit.outcome is Outcome.DONE and visit.reason is None:
                self._visitor.endless.note(visit.url, new_pictures=recorded.images_added > 0)
            if visit.links:
                self._looked_at_s = None
        if rests := self._turns.rests():
            await self._records.do(self._folder.frontier.rest, rests)
