"""The corpus in SQLite: what was seen, where and when. Implements `interfaces.Store`.

One connection, guarded by a lock, so that a service's threads and a crawler's writer may share the object; other
processes open their own. Every write is one transaction, and every write is idempotent: the same visit told twice
changes `last_seen` at most.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlite_utils import Database

from checker.model import (
    NO_DETAILS,
    PHASH256,
    ROBUST_NAME,
    CodeKind,
    Finding,
    Locator,
    Source,
    SourceDetails,
    Verdict,
    parse_utc,
)
from checker.records.archived import Archived, keep_host_files, record_archived
from checker.records.codes import stored_tiles
from checker.records.crawl_interfaces import UNBOUNDED, HostBudget, KnownPicture
from checker.records.cursors import Cursor, read_cursor, write_cursor
from checker.records.database import transaction
from checker.records.erasure import erase_pictures
from checker.records.evidence import Said, said_on, stored_body
from checker.records.interfaces import Counts, Recorded, StoredTiles
from checker.records.listed import ListedRow, queue_rows
from checker.records.recording import record_visit, said_of_pictures, sight_listed
from checker.records.recrawl import forget, host_file, known_at
from checker.records.sightings import SightingReader, link_opt_outs, unlink_opt_out
from checker.records.sources import SourceFacts as SourceFacts  # of `sources` below
from checker.records.sources import intern_source, source_facts
from checker.report import Coverage
from checker.visits import FetchedFile, PictureSeen, Visit

_COUNT_LONG_S, _COUNT_SHARE = 0.02, 20
"""Counting that takes longer than this is left for twenty times as long, so that it takes a twentieth of the time."""


@dataclass(frozen=True, slots=True)
class _Facts:
    """What is counted over all tables, and the state of the database that it was counted in."""

    counted_in: tuple[int, int]
    good_until_s: float
    """Until then they are not counted again, on the clock of `time.monotonic`."""
    counts: Counts
    kinds: tuple[CodeKind, ...]
    """Of which at least one code is stored, oldest first."""


class CorpusStore(SightingReader):
    """See `interfaces.Store`. Codes are read by `code_reader.CodeReader`, sightings by `sightings.SightingReader`."""

    def __init__(self, database: Database, lock: threading.RLock) -> None:
        super().__init__(database, lock)
        self._own_commits = 0
        self._facts: _Facts | None = None

    # --- writing -----------------------------------------------------------------------------------------------

    def source(self, name: str, *, kind: str, now: datetime, details: SourceDetails = NO_DETAILS) -> Source:
        """The source of this name and kind; made when it is new. Raises InputError: it is known as another version."""
        with self._writing() as db:
            return intern_source(db, name, kind=kind, details=details, now=now)

    def newest_source(self, *, kind: str) -> Source | None:
        """The source of this kind that was made last."""
        rows = self._rows(
            "SELECT source_id, name, kind FROM source WHERE kind = ? ORDER BY source_id DESC LIMIT 1", (kind,)
        )
        return Source(id=str(rows[0][0]), name=rows[0][1], kind=rows[0][2]) if rows else None

    def record(self, visit: Visit, *, source: Source) -> Recorded:
        """Write one crawler visit in one transaction; see `interfaces.Store.record`."""
        return self.record_all([visit], source=source)[0]

    def record_all(
        self,
        visits: Sequence[Visit],
        *,
        source: Source,
        budget: HostBudget = UNBOUNDED,
        opt_outs: Sequence[Sequence[str]] = (),
    ) -> tuple[Recorded, ...]:
        """Write several visits in one transaction, in this order: all of them or none.

        Args:
            opt_outs: numbers of those that hide the picture of each visit. Empty: none does.
        """
        with self._writing() as db:
            recorded = tuple(record_visit(db, visit, source=source, budget=budget) for visit in visits)
            for one, numbers in zip(recorded, opt_outs, strict=bool(opt_outs)):
                link_opt_outs(db, one.image_id, numbers)
        return recorded

    def record_file(
        self, seen: PictureSeen, *, source: Source, locator: Locator, now: datetime, verdict: Verdict | None = None
    ) -> Recorded:
        """Write one picture met in an archive; see `interfaces.Store.record_file`."""
        with self._writing() as db:
            return record_archived(db, Archived(seen, locator, now, verdict), source=source)

    def record_archive(
        self,
        pictures: Sequence[Archived],
        *,
        source: Source,
        now: datetime,
        host_files: Sequence[FetchedFile] = (),
        cursor: Cursor | None = None,
    ) -> tuple[Recorded, ...]:
        """Write what was read of an archive, and how far it was read, in one transaction."""
        with self._writing() as db:
            recorded = tuple(record_archived(db, one, source=source) for one in pictures)
            for one, done in zip(pictures, recorded, strict=True):
                link_opt_outs(db, done.image_id, one.opt_outs)
            keep_host_files(db, host_files)
            if cursor is not None:
                write_cursor(db, source, cursor, now=now)
        return recorded

    def queue_list(self, rows: Sequence[ListedRow], *, source: Source, now: datetime, cursor: Cursor) -> int:
        """Queue the addresses that rows of a list name, and note how far it was read, in one transaction.

        Returns:
            How many addresses were not known before.
        """
        with self._writing() as db:
            queued = queue_rows(db, rows, source=source, now=now)
            for url_id, url in queued.known:
                sight_listed(db, url_id, url)
            write_cursor(db, source, cursor, now=now)
        return queued.added

    def erase(self, image_ids: Sequence[int], *, now: datetime) -> int:
        """Erase these pictures in one transaction; see `erasure.py` for what goes and what stays.

        Then the write-ahead log is emptied, where the erased rows would live on. That waits for readers of other
        processes, up to the busy timeout; past it the log is emptied by a later erasure, or when the last one closes.
        """
        with self._writing() as db:
            erased = erase_pictures(db, image_ids, now=now)
        self._rows("PRAGMA wal_checkpoint(TRUNCATE)", ())
        return erased

    def forget_opt_out(self, number: str) -> None:
        """Forget which pictures an opt-out was about, in one transaction; the pictures and sightings stay."""
        with self._writing() as db:
            unlink_opt_out(db, number)
        self._rows("PRAGMA wal_checkpoint(TRUNCATE)", ())

    def forget(self, *, before: datetime, now: datetime) -> tuple[int, int]:
        """Delete what was not seen since then in one transaction; see `recrawl.forget`."""
        with self._writing() as db:
            forgotten = forget(db, before=before, now=now)
        self._rows("PRAGMA wal_checkpoint(TRUNCATE)", ())
        return forgotten

    # --- reading -----------------------------------------------------------------------------------------------

    def tiles_of(self, image_ids: Sequence[int]) -> Mapping[int, StoredTiles]:
        """Tiles by image id; see `interfaces.Store.tiles_of`."""
        rows = self._rows(
            "SELECT image_id, bits, crop, width, height FROM tiles JOIN image USING (image_id) "
            "WHERE image_id IN (SELECT value FROM json_each(?))",
            (json.dumps(list(image_ids)),),
        )
        return {image_id: stored_tiles(row) for image_id, *row in rows}

    def said_by_pages(self, image_url: str) -> tuple[Finding, ...]:
        """What the pages that show the picture at this address said of their pictures when they were last read."""
        with self._lock:
            pages = self._db.execute(_PAGES_OF, (image_url,)).fetchall()
            said = [finding for (page_url_id,) in pages for finding in said_of_pictures(self._db, page_url_id)]
        return tuple(said)

    def said_on(self, url: str, at: datetime) -> Said:
        """What was known of this address at that moment; see `interfaces.Store.said_on`."""
        with self._lock:
            return said_on(self._db, url, at)

    def known_at(self, url: str, *, kinds: int) -> KnownPicture | None:
        """The picture that was seen last at this address; see `recrawl.known_at`."""
        with self._lock:
            return known_at(self._db, url, kinds=kinds)

    def host_file(self, url: str, *, since: datetime) -> FetchedFile | None:
        """A small file as it was fetched since then; see `recrawl.host_file`."""
        with self._lock:
            return host_file(self._db, url, since=since)

    def evidence_body(self, digest: str) -> bytes | None:
        """The bytes of a file in `Said.files`; see `interfaces.Store.evidence_body`."""
        with self._lock:
            return stored_body(self._db, digest)

    def cursor(self, source: Source, file: str) -> Cursor | None:
        """How far this file of a source was read. None: it is not known."""
        with self._lock:
            return read_cursor(self._db, source, file)

    def counts(self) -> Counts:
        """Facts about all that is recorded."""
        return self._counted().counts

    def coverage(self, kinds: Sequence[CodeKind]) -> Coverage:
        """What a look-up over these kinds rests on; see `interfaces.Store.coverage`."""
        facts = self._counted()
        return Coverage(
            images=facts.counts.images_servable,
            sources=facts.counts.sources,
            newest=facts.counts.newest,
            checks=tuple(kind.name for kind in kinds if kind == PHASH256 or kind in facts.kinds),
        )

    def robust_kinds(self) -> tuple[CodeKind, ...]:
        """The kinds named sscd512 of which a code is stored, oldest first."""
        return tuple(kind for kind in self._counted().kinds if kind.name == ROBUST_NAME)

    def sources(self) -> tuple[SourceFacts, ...]:
        """Every source with what it holds, oldest first."""
        with self._lock:
            return source_facts(self._db)

    def version(self) -> int:
        """Changes when this or another process committed (SQLite's `data_version` counts the others only)."""
        return int(self._rows("PRAGMA data_version", ())[0][0]) << 32 | self._own_commits

    def close(self) -> None:
        """Close the database; what was committed stays."""
        with self._lock:
            self._db.close()

    # --- inside ------------------------------------------------------------------------------------------------

    def _counted(self) -> _Facts:
        """Counting passes over whole tables and stands in every answer, so it is done once a commit, whoever's.

        Where it takes long (a tenth of a second at four million codes) it is done less often: the figures of an
        answer may then be some seconds older than its matches.
        """
        with self._lock:
            begin_s = time.monotonic()
            # Not `version()`: the frontier commits on this connection too, and pages are counted from it.
            state = int(self._rows("PRAGMA data_version", ())[0][0]), int(self._db.conn.total_changes)
            facts = self._facts
            if facts is None or (facts.counted_in != state and begin_s >= facts.good_until_s):
                counts, kinds = _counts(self._rows(_COUNTS, ())[0]), self.kinds()
                end_s = time.monotonic()
                took_s = end_s - begin_s
                good_until_s = end_s + (_COUNT_SHARE * took_s if took_s > _COUNT_LONG_S else 0.0)
                self._facts = facts = _Facts(counted_in=state, good_until_s=good_until_s, counts=counts, kinds=kinds)
            return facts

    def _writing(self) -> _Writing:
        return _Writing(self._db, self._lock, self._committed)

    def _committed(self) -> None:
        self._own_commits += 1


class _Writing:
    """The lock and a transaction, together; counts what was committed."""

    def __init__(self, database: Database, lock: threading.RLock, committed: Callable[[], None]) -> None:
        self._lock = lock
        self._committed = committed
        self._transaction = transaction(database)

    def __enter__(self) -> Database:
        self._lock.acquire()
        try:
            return self._transaction.__enter__()
        except BaseException:
            self._lock.release()
            raise

    def __exit__(self, *problem: Any) -> None:
        try:
            self._transaction.__exit__(*problem)
            self._committed()
        finally:
            self._lock.release()


_PAGES_OF = """
SELECT page_url_id FROM url JOIN embed ON image_url_id = url_id WHERE url = ? ORDER BY page_url_id
"""

_COUNTS = """
SELECT (SELECT COUNT(*) FROM image), (SELECT COUNT(DISTINCT image_id) FROM code), (SELECT COUNT(*) FROM sighting),
       (SELECT COUNT(*) FROM frontier WHERE kind = 'page' AND state = 'done'),
       (SELECT COUNT(*) FROM source), (SELECT MAX(last_seen) FROM sighting)
"""


def _counts(row: Sequence[Any]) -> Counts:
    images, servable, sightings, pages, sources, newest = row
    return Counts(
        images=images,
        images_servable=servable,
        sightings=sightings,
        pages=pages,
        sources=sources,
        newest=parse_utc(newest) if newest else None,
    )
