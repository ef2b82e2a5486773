"""`hibs crawl`, past its signature: one run from the open data folder to the summary and the exit code."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from checker.console import ExitCode, answer, answer_json, say
from checker.errors import CheckerError, InputError
from checker.fingerprint import Depth, fingerprint_bytes
from checker.fingerprint.sandbox import SandboxDecoder
from checker.index.upkeep import Upkeep
from checker.model import FoundLink, Picture, Source, Unreadable
from checker.records.folder import DataFolder
from checker.settings import Settings
from crawler.fetch import Fetcher, HttpFetcher
from crawler.plan import Plan
from crawler.progress import Progress
from crawler.run import Crawl, Records
from crawler.sites import Sites
from crawler.tally import Tally, count_of
from crawler.turns import Clock, Turns
from crawler.visit import Limits, Visitor


def run_command(plan: Plan, pictures: Settings, data: Path, *, refresh: bool, as_json: bool) -> ExitCode:
    """Crawl into `data` and say what came of it.

    Raises:
        InputError: the folder belongs to a crawl of other start addresses.
        DataError: the folder cannot be used, or another crawl is at work in it.
        KeyboardInterrupt: it was stopped at once.
    """
    begin_s = time.monotonic()
    with (
        DataFolder.open(data, create=True) as folder,
        folder.exclusive("crawl"),
        Upkeep(folder, pictures, say) as upkeep,
    ):
        try:
            tally = asyncio.run(_over_http(plan, pictures, folder, refresh=refresh))
        except asyncio.CancelledError:
            raise KeyboardInterrupt from None
        except BaseExceptionGroup as group:
            raise _first_of_ours(group) from group
        if tally.stopped:
            upkeep.close()  # who stopped it does not want to wait for a build
        counts = folder.store.counts()
    seconds = time.monotonic() - begin_s
    for line in tally.failures():
        say(line)
    if as_json:
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


async def _over_http(plan: Plan, pictures: Settings, folder: DataFolder, *, refresh: bool) -> Tally:
    stop = asyncio.Event()
    with _stop_signals(stop), Progress(every_s=plan.settings.progress_every_s) as progress:
        async with HttpFetcher(plan.settings, plan.guard) as fetcher:
            return await crawl(plan, pictures, folder, fetcher, Clock(), stop, progress, refresh=refresh)


async def crawl(
    plan: Plan,
    pictures: Settings,
    folder: DataFolder,
    fetcher: Fetcher,
    clock: Clock,
    stop: asyncio.Event,
    progress: Progress,
    *,
    refresh: bool = False,
) -> Tally:
    """Crawl with any fetcher and clock, until nothing is left or `stop` is set.

    Raises:
        InputError: the folder belongs to a crawl of other start addresses.
    """
    limits = Limits(crawl=plan.settings, pictures=pictures)
    turns = Turns(fetcher, plan.settings, plan.guard, clock, stop)
    sites = Sites(turns, plan.settings, clock)
    with SandboxDecoder(pictures) as decoder, ThreadPoolExecutor(1, thread_name_prefix="records") as thread:
        records = Records(thread)
        source = await records.do(_begin, plan, folder, clock)
        said_by_pages = partial(records.do, folder.store.said_by_pages)
        depth = Depth.stored(folder.store.counts().images, pictures)

        def code(body: bytes) -> Picture | Unreadable:
            return fingerprint_bytes(body, pictures, decoder=decoder, depth=depth)

        visitor = Visitor(sites, turns, limits, clock, plan.scope, said_by_pages, code)
        run = Crawl(folder, source, visitor, turns, limits, clock, stop, progress, records=records, refresh=refresh)
        return await run.run()


def _begin(plan: Plan, folder: DataFolder, clock: Clock) -> Source:
    """Check that the folder is this crawl's, and queue the start addresses."""
    if folder.frontier.scope(plan.scope_text) != plan.scope_text:
        raise InputError(
            f"{folder.path} holds a crawl of other start addresses or another --max-depth; "
            "give the same ones to go on with it, or another --data folder"
        )
    start = [FoundLink(url=url, kind="page", found_as="start") for url in plan.start]
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
