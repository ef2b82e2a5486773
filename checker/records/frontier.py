"""The addresses to visit, in the corpus database. Implements `interfaces.Frontier`.

    queued --lease--> leased --record--> done | failed | disallowed
      ^                 |
      '--- expired, or worth another try (failed with a later due time)

Results, discovered links and the new state are written by `store.record` in one transaction, so a killed crawl
repeats at most the addresses that were leased at that moment.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlite_utils import Database

from checker.model import FoundLink, Outcome, Visit, parse_utc, utc_text
from checker.records.database import transaction
from checker.records.interfaces import FrontierCounts, Lease
from checker.records.rows import host_of, intern_host, intern_url

KINDS = ("page", "image")


def queue_link(db: Database, link: FoundLink, *, depth: int, now: datetime) -> tuple[int, int]:
    """Queue an address that is not known yet; its id, and 1 when it was new. Runs inside the caller's transaction."""
    url_id = intern_url(db, link.url)
    added = db.execute(
        "INSERT INTO frontier (url_id, host_id, kind, depth, state, due_at, attempt) "
        "VALUES (?, ?, ?, ?, 'queued', ?, 0) ON CONFLICT DO NOTHING RETURNING 1",
        (url_id, intern_host(db, host_of(link.url)), link.kind, depth, utc_text(now)),
    ).fetchone()
    return url_id, 1 if added else 0


def end_visit(db: Database, url_id: int, visit: Visit, verdict_id: int | None) -> None:
    """Write how a visit ended. Runs inside the caller's transaction."""
    state = "queued" if visit.retry_at else visit.outcome.value
    if visit.retry_at and visit.outcome is not Outcome.FAILED:
        raise ValueError("only a failed visit is tried again")
    due_at = utc_text(visit.retry_at or visit.seen_at)
    db.execute(
        "INSERT INTO frontier (url_id, host_id, kind, depth, state, due_at, attempt, reason, status, verdict_id, "
        "visited_at) VALUES (?, ?, ?, ?, ?, ?, 1, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET state = excluded.state, "
        "due_at = excluded.due_at, lease_until = NULL, reason = excluded.reason, status = excluded.status, "
        "verdict_id = excluded.verdict_id, visited_at = excluded.visited_at",
        (
            url_id,
            intern_host(db, host_of(visit.url)),
            visit.kind,
            visit.depth,
            state,
            due_at,
            visit.reason,
            visit.status,
            verdict_id,
            utc_text(visit.seen_at),
        ),
    )


class CorpusFrontier:
    """See `interfaces.Frontier`."""

    def __init__(self, database: Database, lock: threading.RLock) -> None:
        self._db = database
        self._lock = lock

    def add(self, links: Sequence[FoundLink], *, depth: int, now: datetime) -> int:
        """Queue addresses that are not known yet; the number added."""
        with self._lock, transaction(self._db) as db:
            return sum(queue_link(db, link, depth=depth, now=now)[1] for link in links)

    def lease(self, *, host: str, seconds: int, now: datetime, kinds: Sequence[str] = KINDS) -> Lease | None:
        """Take the next address of `host` that is due, pages before pictures, in the order they were found."""
        with self._lock, transaction(self._db) as db:
            row = db.execute(
                _LEASE,
                {
                    "until": utc_text(now + timedelta(seconds=seconds)),
                    "host": host,
                    "now": utc_text(now),
                    "kinds": json.dumps(list(kinds)),
                },
            ).fetchone()
            if row is None:
                return None
            url = db.execute("SELECT url FROM url WHERE url_id = ?", (row[0],)).fetchone()[0]
        return Lease(url=url, kind=row[1], depth=row[2], host=host, attempt=row[3])

    def hosts_due(self, *, now: datetime, kinds: Sequence[str] = KINDS) -> tuple[str, ...]:
        """Hosts with an address that may be visited now, in the order in which they were met."""
        with self._lock:
            rows = self._db.execute(_HOSTS_DUE, {"now": utc_text(now), "kinds": json.dumps(list(kinds))}).fetchall()
        return tuple(name for (name,) in rows)

    def next_due(self, *, kinds: Sequence[str] = KINDS) -> datetime | None:
        """When the next address becomes due. None: nothing is left."""
        with self._lock:
            row = self._db.execute(
                "SELECT MIN(CASE state WHEN 'queued' THEN due_at ELSE lease_until END) FROM frontier "
                "WHERE state IN ('queued', 'leased') AND kind IN (SELECT value FROM json_each(?))",
                (json.dumps(list(kinds)),),
            ).fetchone()
        return parse_utc(row[0]) if row[0] else None

    def release(self, *, now: datetime) -> int:
        """Put every leased address back; a broken-off attempt is not counted."""
        with self._lock, transaction(self._db) as db:
            rows = db.execute(
                "UPDATE frontier SET state = 'queued', lease_until = NULL, attempt = MAX(attempt - 1, 0), due_at = ? "
                "WHERE state = 'leased' RETURNING 1",
                (utc_text(now),),
            ).fetchall()
        return len(rows)

    def requeue(self, *, now: datetime) -> int:
        """Queue everything that was visited, for another look."""
        with self._lock, transaction(self._db) as db:
            rows = db.execute(
                "UPDATE frontier SET state = 'queued', attempt = 0, reason = NULL, due_at = ? "
                "WHERE state IN ('done', 'failed', 'disallowed') RETURNING 1",
                (utc_text(now),),
            ).fetchall()
        return len(rows)

    def counts(self, *, kinds: Sequence[str] = KINDS) -> FrontierCounts:
        """How far the crawl is, by state."""
        with self._lock:
            rows = self._db.execute(
                "SELECT state, COUNT(*) FROM frontier WHERE kind IN (SELECT value FROM json_each(?)) GROUP BY state",
                (json.dumps(list(kinds)),),
            ).fetchall()
        found = dict(rows)
        return FrontierCounts(
            queued=found.get("queued", 0),
            leased=found.get("leased", 0),
            done=found.get("done", 0),
            failed=found.get("failed", 0),
            disallowed=found.get("disallowed", 0),
        )

    def scope(self, text: str, *, replace: bool = False) -> str:
        """Remember the scope on the first call (or when told to replace it), give back the remembered one."""
        with self._lock, transaction(self._db) as db:
            if replace:
                db.execute("DELETE FROM crawl_scope")
            db.execute("INSERT INTO crawl_scope (scope_id, document) VALUES (1, ?) ON CONFLICT DO NOTHING", (text,))
            return str(db.execute("SELECT document FROM crawl_scope").fetchone()[0])


_LEASE = """
UPDATE frontier SET state = 'leased', lease_until = :until, attempt = attempt + 1 WHERE url_id = (
    SELECT url_id FROM frontier JOIN host USING (host_id) WHERE host.name = :host
    AND ((state = 'queued' AND due_at <= :now) OR (state = 'leased' AND lease_until <= :now))
    AND kind IN (SELECT value FROM json_each(:kinds))
    ORDER BY kind = 'image', depth, url_id LIMIT 1
) RETURNING url_id, kind, depth, attempt
"""

_HOSTS_DUE = """
SELECT name FROM frontier JOIN host USING (host_id)
WHERE ((state = 'queued' AND due_at <= :now) OR (state = 'leased' AND lease_until <= :now))
AND kind IN (SELECT value FROM json_each(:kinds))
GROUP BY host_id ORDER BY MIN(url_id)
"""
