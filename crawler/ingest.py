"""`hibs ingest`, past its signature: what archives, lists and folders hold goes into a data folder.

    paths --> files --> entries --> codes, verdicts --> records      (crawler/archives, no network)
                            '--- addresses of lists --> frontier --> fetched as politely as in a crawl

Every file has a cursor: a run that was broken off goes on, a file that was read is not read again until it changes.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from checker.console import ExitCode, answer, answer_json, one_line, say
from checker.datasets.columns import Named
from checker.errors import InputError
from checker.fingerprint import Depth, fingerprint_bytes
from checker.fingerprint.robust import RobustModel
from checker.fingerprint.sandbox import SandboxDecoder
from checker.index.upkeep import Upkeep
from checker.model import PHASH256
from checker.optout.log import require_whole_folder
from checker.progress import Progress
from checker.records.folder import DataFolder
from checker.settings import Settings
from crawler.archives.folders import Kind, Readable, check_paths, lists_left, readable_files
from crawler.archives.intake import Intake
from crawler.archives.source_facts import SourceFacts
from crawler.archives.summary import IngestSummary
from crawler.discover import Scope
from crawler.jobs import PictureJob, PictureRead
from crawler.reading import Reading
from crawler.settings import CrawlSettings
from crawler.tally import Tally
from crawler.workers import Workers

_READER_VERSION = b"2"
"""Of what is made of a file: where it becomes another one, every file is read again."""


@dataclass(frozen=True, slots=True)
class IngestOrder:
    """What was asked for."""

    paths: tuple[Path, ...]
    facts: SourceFacts = SourceFacts()  # noqa: RUF009 - frozen
    named: Named = Named()  # noqa: RUF009 - frozen
    again: bool = False
    """Read everything again, also what was read before."""
    contact: str = ""
    opened: tuple[str, ...] = ()
    """Values of --allow-address."""
    delay_s: float | None = None
    """Value of --delay; None: not given."""


def run_command(order: IngestOrder, settings: Settings, data: Path, *, as_json: bool) -> ExitCode:
    """Record what lies at the paths and say what came of it.

    Raises:
        InputError: a path is missing, is of a kind that is not read, holds nothing; or a list is to be fetched and
            there is nobody to write to.
    """
    begin_s = time.monotonic()
    require_whole_folder(data)
    check_paths(order.paths)
    made_of = _READER_VERSION + repr((PHASH256, _robust_kind(settings))).encode()
    files = readable_files(order.paths, order.facts.name, settings, named=order.named, made_of=made_of)
    found = list(files)
    fetch = _fetch_of(order) if any(one.kind is Kind.LIST for one in found) else None
    with DataFolder.open(data, create=True) as folder, Upkeep(folder, settings, say):
        with Progress(every_s=CrawlSettings().progress_every_s) as progress:
            summary = ingest(found, order, folder, settings, progress, now=datetime.now(UTC))
        if fetch is not None:
            begin_fetch_s = time.monotonic()
            summary.fetched = fetch(settings, folder)
            summary.fetched_s = time.monotonic() - begin_fetch_s
    left = lists_left(order.paths, order.named)
    if summary.nothing_met:
        more = f"; {_lists(left)} there: name them to have their pictures fetched" if left else ""
        raise InputError(
            f"there is no picture in {', '.join(map(str, order.paths))}{more}; JPEG, PNG, WebP and GIF are read, "
            "in folders, tar, WARC and Parquet, and lists of their addresses"
        )
    if left:
        say(f"{_lists(left)} in the folders and not read; name them to have their pictures fetched")
    return _tell(summary, time.monotonic() - begin_s, as_json=as_json)


def ingest(
    files: Sequence[Readable],
    order: IngestOrder,
    folder: DataFolder,
    settings: Settings,
    progress: Progress,
    *,
    now: datetime,
) -> IngestSummary:
    """Record every file, in order."""
    with PictureCoder(settings) as coder:
        intake = Intake(folder, settings, coder, progress.show, now=now)
        for file in files:
            source = folder.store.source(file.source_name, kind=file.kind.value, details=order.facts.details, now=now)
            intake.take(file, source, again=order.again)
    return intake.summary


class PictureCoder:
    """The processes that read pictures for a crawl, for code that has no event loop. A context manager.

    Started at the first picture: what was read before is told without them.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._workers = Workers(Reading(settings, CrawlSettings(), Scope(frozenset())), count=settings.decode_workers)
        self._decoder = SandboxDecoder(settings, workers=1)

    def code(self, body: bytes, depth: Depth) -> Future[PictureRead]:
        """See `intake.Coder.code`."""
        return asyncio.run_coroutine_threadsafe(self._code(body, depth), self._loop or self._start())

    async def _code(self, body: bytes, depth: Depth) -> PictureRead:
        read = await self._workers.picture(PictureJob(body, depth))
        if read.picture is not None:
            return read
        # The file says that it is not to be indexed. A crawl leaves it at that; an archive holds it all the same.
        coded = await asyncio.to_thread(fingerprint_bytes, body, self._settings, decoder=self._decoder, depth=depth)
        return replace(read, picture=coded)

    def _start(self) -> asyncio.AbstractEventLoop:
        self._loop = loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=loop.run_forever, name="pictures")
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._workers.__aenter__(), loop).result()
        return loop

    async def _stop(self) -> None:
        under_way = asyncio.all_tasks() - {asyncio.current_task()}
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
        await self._workers.__aexit__(None, None, None)

    def __enter__(self) -> PictureCoder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._decoder.close()
        if self._loop is not None and self._thread is not None:
            asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result()
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()


def _fetch_of(order: IngestOrder) -> Callable[[Settings, DataFolder], Tally]:
    """How the pictures of lists are fetched. Imported here: whoever reads a folder needs no network."""
    from crawler.listed import Manners, fetch_listed, make_list_plan

    plan = make_list_plan(Manners(order.contact, order.opened, order.delay_s))
    return lambda settings, folder: fetch_listed(plan, settings, folder)


def _robust_kind(settings: Settings) -> object:
    """The second code that pictures get here. None: none."""
    model = RobustModel.of(settings)
    return model.kind if model else None


def _lists(number: int) -> str:
    return "1 list of addresses lies" if number == 1 else f"{number} lists of addresses lie"


def _tell(summary: IngestSummary, seconds: float, *, as_json: bool) -> ExitCode:
    for line in summary.failures():
        say(line)
    if summary.fetched is not None:
        for line in summary.fetched.failures():
            say(line)
    if as_json:
        answer_json(summary.to_dict(seconds))
    else:
        for line in summary.lines(seconds):
            answer(one_line(line))
    if summary.fetched is not None and summary.fetched.stopped:
        say("hibs: stopped; everything so far is kept, the same command goes on")
        return ExitCode.DONE
    return ExitCode.PARTLY if summary.partly else ExitCode.DONE
