"""From the entries of one file to what is recorded of it: decode, code, read what was said, write, go on.

    reader --entries--> batch --coder--> codes, verdicts --> one transaction: pictures, evidence, rows, cursor
                          '- the next one is read while this one is coded

A batch has a bounded number of pictures and of bytes, and two of them are in memory at a time. The cursor commits with
what it has passed, so a run that is killed repeats two batches at most, and recording is idempotent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

from checker.fingerprint import Depth
from checker.model import Finding, Source, Stance, Unreadable, Verdict
from checker.records.archived import Archived
from checker.records.cursors import Cursor
from checker.records.folder import DataFolder
from checker.records.interfaces import Recorded
from checker.records.listed import ListedRow
from checker.settings import Settings
from checker.signals.read import Evidence, read_findings
from checker.signals.verdict import combine, with_doubt
from checker.visits import FetchedFile, PictureSeen
from crawler.archives.entries import Entry, Failed, HostFile, Item, Limits, Passed
from crawler.archives.folders import Readable
from crawler.archives.summary import IngestSummary
from crawler.jobs import PictureRead
from crawler.settings import AGENT_TOKEN

_ENTRIES_AT_ONCE, _BYTES_AT_ONCE = 64, 64 * 2**20
_ROWS_AT_ONCE = 2_000
"""Of a list: rows are small, and a transaction costs as much as a few of them."""
_KEPT_HEADERS = frozenset(
    {
        *("content-type", "last-modified", "etag", "x-robots-tag", "tdm-reservation", "tdm-policy"),
        *("content-usage", "content-signal", "link"),
    }
)
"""As a crawl keeps them with a sighting."""


@dataclass(slots=True)
class _Batch:
    """Entries that are recorded together."""

    entries: list[Entry] = field(default_factory=list)
    bytes: int = 0

    def full(self) -> bool:
        """Is it time to record?"""
        most = _ENTRIES_AT_ONCE if self.bytes else _ROWS_AT_ONCE
        return len(self.entries) >= most or self.bytes >= _BYTES_AT_ONCE


class Coder(Protocol):
    """Reads pictures in processes of their own."""

    def code(self, body: bytes, depth: Depth) -> Future[PictureRead]:
        """The codes of a picture, and what the file says of itself."""
        ...


class Intake:
    """Records files into a data folder, one after the other."""

    def __init__(
        self,
        folder: DataFolder,
        settings: Settings,
        coder: Coder,
        show: Callable[[str], None],
        *,
        now: datetime,
    ) -> None:
        """`show` is told how far it is."""
        self._folder = folder
        self._settings = settings
        self._coder = coder
        self._show = show
        self._now = now
        self.summary = IngestSummary()

    def take(self, readable: Readable, source: Source, *, again: bool) -> None:
        """Record what a file holds, from where an earlier run stopped; with `again`, from its start."""
        start = 0
        cursor = self._folder.store.cursor(source, _storable(readable.file.name))
        if cursor is not None and cursor.digest == readable.digest and not again:
            if cursor.finished:
                self.summary.unchanged += 1
                return
            start = cursor.position
        self.summary.files += 1
        self._record_all(readable, source, start)

    def _record_all(self, readable: Readable, source: Source, start: int) -> None:
        entries = readable.read(readable.file, start=start, limits=Limits.of(self._settings))
        before: tuple[_Batch, list[Future[PictureRead]]] | None = None
        position = start
        for batch in _batches(entries):
            reading = self._begin(batch)
            if before is not None:
                self._record(readable, source, *before)
            before = (batch, reading)
            position = batch.entries[-1].after
        if before is not None:
            self._record(readable, source, *before)
        done = replace(_cursor(readable, position), finished=True)
        self._folder.store.record_archive((), source=source, now=self._now, cursor=done)

    # --- reading pictures --------------------------------------------------------------------------------------

    def _begin(self, batch: _Batch) -> list[Future[PictureRead]]:
        bodies = [entry.body for entry in batch.entries if isinstance(entry, Item) and entry.body is not None]
        if not bodies:
            return []
        depth = Depth.stored(self._folder.store.counts().images, self._settings)
        return [self._coder.code(body, depth) for body in bodies]

    def _verdict(self, item: Item, from_file: Sequence[Finding]) -> Verdict | None:
        """What was said of a picture: by the file itself, and by what was sent along with it. None: nothing."""
        if item.status is None:
            verdict = with_doubt(combine(from_file))
            return verdict if any(stance is not Stance.UNSPECIFIED for stance in verdict.uses.values()) else None
        evidence = Evidence(url=item.told.image_url or "", status=item.status, headers=item.headers)
        sent_along = read_findings(evidence, agent=AGENT_TOKEN, now=self._now)
        return with_doubt(combine((*sent_along, *from_file)))

    # --- recording ---------------------------------------------------------------------------------------------

    def _record(
        self, readable: Readable, source: Source, batch: _Batch, reading: Sequence[Future[PictureRead]]
    ) -> None:
        pictures, rows, files = [], [], []
        read = iter(reading)
        for entry in batch.entries:
            if isinstance(entry, Failed):
                self.summary.fail(readable.show(entry.locator), entry.trouble.value, entry.detail)
            elif isinstance(entry, Passed):
                self.summary.passed[entry.why] += 1
            elif isinstance(entry, HostFile):
                files.append(entry.file)
            elif entry.url_only:
                rows.append(_listed(entry))
            elif (archived := self._archived(readable, entry, next(read).result())) is not None:
                pictures.append(archived)
        store, cursor = self._folder.store, _cursor(readable, batch.entries[-1].after)
        if rows:
            self.summary.queued += store.queue_list(rows, source=source, now=self._now, cursor=cursor)
        if pictures or files or not rows:
            recorded = store.record_archive(pictures, source=source, now=self._now, host_files=files, cursor=cursor)
            self._count(pictures, recorded)
        self.summary.listed += len(rows)
        self.summary.host_files += len(files)
        self._show(self.summary.so_far())

    def _archived(self, readable: Readable, item: Item, read: PictureRead) -> Archived | None:
        """None: it cannot be read, and is named."""
        picture = read.picture
        assert picture is not None, "a coder codes whatever a file says of itself"
        if isinstance(picture, Unreadable):
            self.summary.fail(readable.show(item.locator), picture.reason.value, picture.detail)
            return None
        told = item.told
        if told.sha256 is not None and not told.resized and told.sha256 != picture.sha256:
            self.summary.differ(readable.show(item.locator))
            told = replace(told, image_url=None, page_url=None)
        opt_outs = self._folder.hides(
            picture,
            distance_bits_max=self._settings.opt_out_distance_bits_max,
            urls=(told.image_url, told.page_url),
        )
        self.summary.opted_out += bool(opt_outs)
        kept = tuple((name, value) for name, value in item.headers if name.lower() in _KEPT_HEADERS)
        at = item.fetched_at or self._now
        answer = FetchedFile(told.image_url or "", item.status, None, None, item.headers, at)
        return Archived(
            seen=PictureSeen(picture=picture, servable=not (picture.plain or opt_outs), headers=kept),
            locator=item.locator,
            seen_at=at,
            verdict=self._verdict(item, read.findings),
            image_url=told.image_url,
            page_url=told.page_url,
            caption=told.caption,
            evidence=(answer,) if item.status is not None and item.fetched_at is not None else (),
            opt_outs=opt_outs,
        )

    def _count(self, pictures: Sequence[Archived], recorded: Sequence[Recorded]) -> None:
        for one, result in zip(pictures, recorded, strict=True):
            if result.image_id is None:
                self.summary.erased += 1
                continue
            self.summary.recorded += 1
            self.summary.new += result.new_image
            self.summary.plain += one.seen.picture.plain


def _batches(entries: Iterable[Entry]) -> Iterator[_Batch]:
    batch = _Batch()
    for entry in entries:
        batch.entries.append(entry)
        batch.bytes += len(entry.body or b"") if isinstance(entry, Item) else 0
        if batch.full():
            yield batch
            batch = _Batch()
    if batch.entries:
        yield batch


def _cursor(readable: Readable, position: int) -> Cursor:
    return Cursor(file=_storable(readable.file.name), digest=readable.digest, position=position)


def _listed(item: Item) -> ListedRow:
    told = item.told
    assert told.image_url is not None, "a reader names an address or a trouble"
    return ListedRow(told.image_url, item.locator, told.page_url, told.caption, told.sha256, item.ask_url)


def _storable(name: str) -> str:
    return name.encode("utf-8", "replace").decode()
