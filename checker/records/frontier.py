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
        """Take the next address of `host` that is due: pages before pictures, fresh ones first, in the order found.

        What failed comes last, because a few broken files in a row would look like a host that is down.
        """
        until = utc_text(now + timedelta(seconds=seconds))
        with self._lock, transaction(self._db) as db:
            for kind in (kind for kind in KINDS if kind in kinds):
                values = {"until": until, "host": host, "now": utc_text(now), "kind": kind}
                row = db.execute(_LEASE, values).fetchone()
                if row is not None:
                    url = db.execute("SELECT url FROM url WHERE url_id = ?", (row[0],)).fetchone()[0]
                    return Lease(url=url, kind=kind, depth=row[1], host=host, attempt=row[2])
        return None

    def hosts_due(self, *, now: datetime, kinds: Sequence[str] = KINDS) -> tuple[str, ...]:
        """Hosts with an address that may be visited now, in the order in which they were met."""
        with self._lock:
            rows = self._db.execute(_HOSTS_DUE, {"now": utc_text(now), "kinds": json.dumps(list(kinds))}).fetchall()
        return tuple(name for (name,) in rows)

    def next_due(self, *, kinds: Sequence[str] = KINDS) -> datetime | None:
        """When the next address becomes due. None: nothing is left."""
        with self._lock:
            found = [
                self._db.execute(query, (kind,)).fetchone()[0]
                for kind in kinds
                for query in (_NEXT_QUEUED, _NEXT_LEASED)
            ]
        return parse_utc(min(filter(None, found))) if any(found) else None

    def release(self, *, now: datetime) -> int:
        """Put every leased address back; a broken-off attempt is not counted."""
        with self._lock, transaction(self._db) as db:
            rows = db.execute(
                "UPDATE frontier SET state = 'queued', lease_until = NULL, attempt = MAX(attempt - 1, 0), due_at = ? "
                "WHERE state = 'leased' RETURNING 1",
                (utc_text(now),),
            ).fetchall()
        return len(rows)

    def requeue(self, *, now: datetime, reasons: Sequence[str] | None = None) -> int:
        """Queue everything that was visited for another look, or what failed for one of these reasons."""
        query = _REQUEUE_ALL if reasons is None else _REQUEUE_FAILED
        with self._lock, transaction(self._db) as db:
            rows = db.execute(query, {"now": utc_text(now), "reasons": json.dumps(reasons)}).fetchall()
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
    SELECT url_id FROM (
        SELECT * FROM (
            SELECT url_id, attempt, depth FROM frontier INDEXED BY frontier_next
            WHERE host_id = (SELECT host_id FROM host WHERE name = :host)
            AND state = 'queued' AND kind = :kind AND due_at <= :now ORDER BY attempt, depth, url_id LIMIT 1
        ) UNION ALL SELECT * FROM (
            SELECT url_id, attempt, depth FROM frontier INDEXED BY frontier_next
            WHERE host_id = (SELECT host_id FROM host WHERE name = :host)
            AND state = 'leased' AND kind = :kind AND lease_until <= :now ORDER BY attempt, depth, url_id LIMIT 1
        )
    ) ORDER BY attempt, depth, url_id LIMIT 1
) RETURNING url_id, depth, attempt
"""
# In each half the rows of one state and kind come in the order of the index, so the first one is the answer, however
# many wait. The planner would take the other index and sort: of 100,000 rows that takes 17 ms instead of 0.03.

_HOSTS_DUE = """
SELECT name FROM host WHERE EXISTS (
    SELECT 1 FROM frontier INDEXED BY frontier_next WHERE frontier.host_id = host.host_id AND state = 'queued'
    AND kind IN (SELECT value FROM json_each(:kinds)) AND due_at <= :now
) OR EXISTS (
    SELECT 1 FROM frontier INDEXED BY frontier_next WHERE frontier.host_id = host.host_id AND state = 'leased'
    AND kind IN (SELECT value FROM json_each(:kinds)) AND lease_until <= :now
) ORDER BY host_id
"""

_REQUEUE_ALL = """
UPDATE frontier SET state = 'queued', attempt = 0, reason = NULL, due_at = :now
WHERE state IN ('done', 'failed', 'disallowed') RETURNING 1
"""
# Its tries stay counted: a file that is broken for good ends with its own reason after a few runs.
_REQUEUE_FAILED = """
UPDATE frontier SET state = 'queued', reason = NULL, due_at = :now
WHERE state = 'failed' AND reason IN (SELECT value FROM json_each(:reasons)) RETURNING 1
"""

_NEXT_QUEUED = "SELECT MIN(due_at) FROM frontier WHERE state = 'queued' AND kind = ?"
_NEXT_LEASED = "SELECT MIN(lease_until) FROM frontier WHERE state = 'leased' AND kind = ?"
