"""`hibs crawl`, past its signature: one run from the open data folder to the summary and the exit code."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import uvloop

from checker.console import ExitCode, answer, answer_json, say
from checker.errors import CheckerError, InputError
from checker.fingerprint import Depth
from checker.fingerprint.robust import RobustModel
from checker.index.upkeep import Upkeep
from checker.model import Source
from checker.optout.log import require_whole_folder
from checker.progress import Progress
from checker.records.crawl_interfaces import HostBudget
from checker.records.folder import DataFolder
from checker.settings import Settings
from checker.visits import FetchedFile, FoundLink
from crawler.fetch import Fetcher, HttpFetcher
from crawler.jobs import Reader
from crawler.metrics import Metrics
from crawler.plan import Plan
from crawler.reading import Reading
from crawler.recorder import Recorder, Records
from crawler.resolver import Resolver
from crawler.run import Crawl
from crawler.sites import Sites
from crawler.tally import Tally, count_of
from crawler.turns import Clock, Turns
from crawler.visit import Limits, Visitor
from crawler.workers import Workers


@dataclass(frozen=True, slots=True)
class Run:
    """How one run is to be made, beside its plan."""

    refresh: bool = False
    """Visit again what was visited."""
    new_scope: bool = False
    """Take these start addresses though the folder belongs to a crawl of others."""
    as_json: bool = False
    metrics_port: int | None = None


def run_command(plan: Plan, pictures: Settings, data: Path, how: Run) -> ExitCode:
    """Crawl into `data` and say what came of it.

    Raises:
        InputError: the folder belongs to a crawl of other start addresses.
        DataError: the folder cannot be used, or another crawl is at work in it.
        KeyboardInterrupt: it was stopped at once.
    """
    begin_s = time.monotonic()
    require_whole_folder(data)
    with (
        DataFolder.open(data, create=True) as folder,
        folder.exclusive("crawl"),
        Upkeep(folder, pictures, say) as upkeep,
    ):
        tally = _run(plan, pictures, folder, how)
        if tally.stopped:
            upkeep.close()  # who stopped it does not want to wait for a build
        counts = folder.store.counts()
    seconds = time.monotonic() - begin_s
    for line in tally.failures():
        say(line)
    if how.as_json:
        answer_json(tally.to_dict(seconds))
    elif tally.nothing_done:
        answer(
            f"nothing left to do: {count_of(counts.pages, 'page')} and {count_of(counts.images, 'image')} recorded; "
            "--refresh looks at everything again"
        )
    else:
        for line in tally.lines(seconds):
            answer(line)
    if tally.stopped:
        say("hibs: stopped; everything so far is kept, the same command goes on")
        return ExitCode.DONE
    return ExitCode.PARTLY if tally.failed or tally.retries_from else ExitCode.DONE


def _run(plan: Plan, pictures: Settings, folder: DataFolder, how: Run) -> Tally:
    try:
        return uvloop.run(_over_http(plan, pictures, folder, how))
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    except BaseExceptionGroup as group:
        raise _first_of_ours(group) from group


async def _over_http(plan: Plan, pictures: Settings, folder: DataFolder, how: Run) -> Tally:
    stop = asyncio.Event()
    resolver = Resolver()
    reading = Reading(pictures, plan.settings, plan.scope)
    with (
        _stop_signals(stop),
        Metrics(how.metrics_port) as metrics,
        Progress(every_s=plan.settings.progress_every_s) as progress,
    ):
        async with (
            HttpFetcher(plan.settings, plan.guard, resolver) as fetcher,
            Workers(reading, count=pictures.decode_workers) as reader,
        ):
            surroundings = Surroundings(fetcher, reader, Clock(), stop, progress, metrics, resolver.addresses_of)
            return await crawl(plan, pictures, folder, surroundings, how)


def fetch_pictures(plan: Plan, pictures: Settings, folder: DataFolder) -> Tally:
    """Ask for the pictures that are queued in the folder and for no page; `plan` has no start addresses.

    Raises:
        KeyboardInterrupt: it was stopped at once.
    """
    return _run(plan, pictures, folder, Run())


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a crawl meets the world by."""

    fetcher: Fetcher
    reader: Reader
    clock: Clock
    stop: asyncio.Event
    """Set when the run is to end."""
    progress: Progress
    metrics: Metrics
    addresses_of: Callable[[str], Awaitable[Sequence[str]]] | None = None
    """The IP addresses of a name; None: not looked at."""


async def crawl(plan: Plan, pictures: Settings, folder: DataFolder, around: Surroundings, how: Run) -> Tally:
    """Crawl with any fetcher and clock, until nothing is left or `around.stop` is set.

    Raises:
        InputError: the folder belongs to a crawl of other start addresses.
    """
    settings, clock = plan.settings, around.clock
    turns = Turns(around.fetcher, settings, plan.guard, clock, around.stop, addresses_of=around.addresses_of)
    with ThreadPoolExecutor(1, thread_name_prefix="records") as thread:
        records = Records(thread)
        source = await records.do(_begin, plan, folder, clock, new_scope=how.new_scope)

        async def recall(url: str) -> FetchedFile | None:
            since = clock.now() - timedelta(seconds=settings.robots_age_s_max)
            return await records.do(folder.store.host_file, url, since=since)

        sites = Sites(turns, settings, clock, recall=None if how.refresh else recall)
        limits = Limits(crawl=settings, pictures=pictures)
        depth = Depth.stored(folder.store.counts().images, pictures)
        visitor = Visitor(sites, turns, limits, clock, plan.scope, around.reader, depth)
        recorder = Recorder(
            folder,
            source,
            records,
            budget=HostBudget(settings.host_pages_max, settings.host_images_max),
            opt_out_distance_bits_max=pictures.opt_out_distance_bits_max,
            known_kinds=_kinds(pictures, depth) if how.refresh else None,
        )
        run = Crawl(
            folder,
            recorder,
            visitor,
            turns,
            settings,
            clock,
            around.stop,
            around.progress,
            records=records,
            metrics=around.metrics,
            refresh=how.refresh,
        )
        tally = await run.run()
        if how.refresh and pictures.retention_days and not tally.stopped:
            now = clock.now()
            before = now - timedelta(days=pictures.retention_days)
            tally.forgotten = (await records.do(folder.store.forget, before=before, now=now))[0]
        return tally


def _kinds(pictures: Settings, depth: Depth) -> int:
    """How many kinds of codes a picture gets: one that has fewer is fetched anew."""
    return 1 if depth is Depth.HASH or RobustModel.of(pictures) is None else 2


def _begin(plan: Plan, folder: DataFolder, clock: Clock, *, new_scope: bool) -> Source:
    """Check that the folder is this crawl's, and queue the start addresses."""
    if not plan.start:
        return folder.store.newest_source(kind="crawl") or Source(id="0", name="", kind="crawl")
    if folder.frontier.scope(plan.scope_text, replace=new_scope) != plan.scope_text:
        raise InputError(
            f"{folder.path} holds a crawl of other start addresses or another --max-depth; "
            "give the same ones to go on with it, another --data folder, or --new-scope to go on here with these"
        )
    asked = {url: typed for url, typed in plan.asked.items() if typed != url}
    start = [FoundLink(url=url, kind="page", found_as="start", ask_url=asked.get(url)) for url in plan.start]
    folder.frontier.add(start, depth=0, now=clock.now())
    return folder.store.source(plan.source_name, kind="crawl", now=clock.now())


@contextlib.contextmanager
def _stop_signals(stop: asyncio.Event) -> Iterator[None]:
    """The first Ctrl-C (or SIGTERM) lets what is under way end, the second ends it."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task, "a task is running, or this code would not"

    def heard() -> None:
        if stop.is_set():
            task.cancel()
            return
        stop.set()
        say("hibs: finishing the requests under way; Ctrl-C again stops at once")

    numbers = (signal.SIGINT, signal.SIGTERM)
    _for_each(numbers, lambda number: loop.add_signal_handler(number, heard))
    try:
        yield
    finally:
        _for_each(numbers, loop.remove_signal_handler)


def _for_each(numbers: tuple[signal.Signals, ...], act: Callable[[int], object]) -> None:
    for number in numbers:
        with contextlib.suppress(NotImplementedError):  # Windows: Ctrl-C then stops at once, and resuming is safe
            act(number)


def _first_of_ours(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """A task group wraps what ended it; the person gets the sentence of our own error in it, if there is one."""
    for error in group.exceptions:
        found = _first_of_ours(error) if isinstance(error, BaseExceptionGroup) else error
        if isinstance(found, CheckerError):
            return found
    return group
