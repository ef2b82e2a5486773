"""registry.db: what people asked, the log that proves it, and who holds an API key. All of its SQL.

    log_entry     one row an entry, numbered without a gap from 0; salt and entry go when it is erased, the leaf stays
    log_node      the hash of every complete subtree, written in the transaction of the entry that completed it
    opt_out       the state of each request       opt_out_code, opt_out_address    what it names (`requests.py`)
    api_key       hashes of API keys              day_count       how much somebody did today

Kept in a rollback journal with FULL sync: a commit is on the disk before anything is signed over it, and there is no
WAL in which erased bytes live on. Every write goes through `Registry.writing()`, one immediate transaction, so that
two processes number the log without a gap. Reads are short and return whole lists: an open cursor would hold up a
commit. What states mean and what is hashed is decided in checker/optout/; here it is kept.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from checker.errors import DataError
from checker.model import parse_utc, utc_text
from checker.records.database import BUSY_TIMEOUT_MS, Durability, open_database, transaction, unusable
from checker.records.registry_schema import REGISTRY
from checker.records.requests import HIDING_STATES as HIDING_STATES
from checker.records.requests import OptOutRow as OptOutRow
from checker.records.requests import RequestReader, RequestWriter

REGISTRY_FILE = "registry.db"


@dataclass(frozen=True, slots=True)
class LogRow:
    """One entry of the log."""

    index: int
    leaf: bytes
    entry: bytes | None
    """None: erased."""
    salt: bytes | None


@dataclass(frozen=True, slots=True)
class KeyRow:
    """One API key, without the key."""

    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None = None


class Registry(RequestReader):
    """An open registry.db. Safe to share between threads. Requests are read by `requests.RequestReader`."""

    def __init__(self, reader: Database, writer: Database, path: Path) -> None:
        """Two connections to one file: whoever waits to write keeps nobody from reading."""
        super().__init__(reader)
        self._path = path
        self._writer = writer
        self._turn = threading.Lock()

    @classmethod
    def open(cls, path: Path) -> Registry:
        """Open the database, making it when it is missing; its file is readable by its owner alone.

        Raises:
            DataError: it cannot be used. NewerDataError: a newer version wrote it.
        """
        writer = open_database(path, REGISTRY, durability=Durability.NEVER_FORGETS)
        return cls(open_database(path, REGISTRY, durability=Durability.NEVER_FORGETS), writer, path)

    def close(self) -> None:
        """Close the database; what was committed stays."""
        with self._turn, self._lock:
            self._writer.close()
            self._db.close()

    @contextmanager
    def writing(self) -> Iterator[RegistryWriter]:
        """One transaction, across processes the only one at that time: all inside is kept, or nothing.

        What is read inside of it is read by the writer: others see what was committed.

        Raises:
            DataError: others write, and it was not its turn within `BUSY_TIMEOUT_MS`.
        """
        begin_s = time.monotonic()
        if not self._turn.acquire(timeout=BUSY_TIMEOUT_MS / 1000):
            raise unusable(self._path, TimeoutError("database is locked"))
        try:
            # One wait in all, however many are before this one: else the tenth would wait ten times as long.
            waited_ms = round(1000 * (time.monotonic() - begin_s))
            with transaction(self._writer, turn_ms=max(0, BUSY_TIMEOUT_MS - waited_ms)):
                yield RegistryWriter(self._writer)
        finally:
            self._turn.release()

    def version(self) -> int:
        """Changes whenever anybody committed (SQLite's `data_version`, of a connection that writes nothing)."""
        return int(self._rows("PRAGMA data_version")[0][0])

    # --- the log -----------------------------------------------------------------------------------------------

    def log_size(self) -> int:
        """How many entries the log has, signed or not."""
        return _log_size(self._rows)

    def node(self, level: int, index: int) -> bytes:
        """The hash of a complete subtree; see `checker.optout.tree.Nodes`."""
        return _log_node(self._rows, level, index)

    def nodes(self, level: int, first: int, count: int) -> tuple[bytes, ...]:
        """The hashes of up to `count` neighbouring subtrees."""
        rows = self._rows(
            "SELECT hash FROM log_node WHERE level = ? AND node_index >= ? AND node_index < ? ORDER BY node_index",
            (level, first, first + count),
        )
        return tuple(bytes(hashed) for (hashed,) in rows)

    def log_rows(self, first: int, count: int) -> tuple[LogRow, ...]:
        """Up to `count` entries from index `first` on, in order."""
        rows = self._rows(
            "SELECT log_index, leaf, entry, salt FROM log_entry WHERE log_index >= ? AND log_index < ? "
            "ORDER BY log_index",
            (first, first + count),
        )
        return tuple(LogRow(index=i, leaf=bytes(leaf), entry=_bytes(e), salt=_bytes(s)) for i, leaf, e, s in rows)

    # --- counts ------------------------------------------------------------------------------------------------

    def counted(self, subject: str, *, day: date) -> int:
        """How much was counted of a subject that day; see `RegistryWriter.count_up`."""
        rows = self._rows("SELECT count FROM day_count WHERE day = ? AND subject = ?", (day.isoformat(), subject))
        return int(rows[0][0]) if rows else 0

    # --- keys --------------------------------------------------------------------------------------------------

    def key_by_hash(self, key_hash: bytes) -> KeyRow | None:
        """The API key with this SHA-256, expired and revoked ones included. None: there is none."""
        rows = self._rows(f"{_KEY} WHERE key_hash = ?", (key_hash,))
        return _key_row(rows[0]) if rows else None

    def key_rows(self) -> tuple[KeyRow, ...]:
        """Every API key that was ever made, oldest first."""
        return tuple(_key_row(row) for row in self._rows(f"{_KEY} ORDER BY api_key_id"))


class RegistryWriter(RequestWriter):
    """What may be written, inside one transaction. Made by `Registry.writing` alone."""

    def log_size(self) -> int:
        """How many entries the log has, as this transaction sees it: the index of the next one."""
        return _log_size(self._rows)

    def node(self, level: int, index: int) -> bytes:
        """As `Registry.node`."""
        return _log_node(self._rows, level, index)

    def add_log_entry(self, row: LogRow, nodes: Sequence[tuple[int, int, bytes]]) -> None:
        """Append an entry with the subtrees that it completes: (level, index, hash)."""
        self._db.execute(
            "INSERT INTO log_entry (log_index, leaf, entry, salt) VALUES (?, ?, ?, ?)",
            (row.index, row.leaf, row.entry, row.salt),
        )
        for node in nodes:
            self._db.execute("INSERT INTO log_node (level, node_index, hash) VALUES (?, ?, ?)", node)

    def add_key(self, row: KeyRow, key_hash: bytes) -> bool:
        """Write a new API key. False: the name is taken, and nothing was changed."""
        return bool(
            self._rows(
                "INSERT INTO api_key (name, key_hash, scopes, created_at, expires_at) VALUES (?, ?, ?, ?, ?) "
                "ON CONFLICT DO NOTHING RETURNING 1",
                (row.name, key_hash, json.dumps(row.scopes), utc_text(row.created_at), utc_text(row.expires_at)),
            )
        )

    def revoke_key(self, name: str, *, now: datetime) -> bool:
        """End an API key. False: there is none of this name that is not revoked."""
        return bool(
            self._rows(
                "UPDATE api_key SET revoked_at = ? WHERE name = ? AND revoked_at IS NULL RETURNING 1",
                (utc_text(now), name),
            )
        )

    def count_up(self, subject: str, *, day: date, amount: int, limit: int) -> bool:
        """Count what somebody did today, unless that passes the limit; counts of earlier days are deleted.

        One counter for all processes: one in memory would multiply the limit by the number of workers.

        Args:
            subject: a pseudonym that cannot be turned back (an HMAC of an address under a key of the day).
        Returns:
            False: `amount` more would pass `limit`; nothing was counted.
        """
        self._db.execute("DELETE FROM day_count WHERE day < ?", (day.isoformat(),))
        return amount <= limit and bool(
            self._rows(
                "INSERT INTO day_count (day, subject, count) VALUES (?, ?, ?) ON CONFLICT DO UPDATE "
                "SET count = count + excluded.count WHERE count + excluded.count <= ? RETURNING 1",
                (day.isoformat(), subject, amount, limit),
            )
        )


_Rows = Callable[..., list[tuple[Any, ...]]]


def _log_size(rows: _Rows) -> int:
    return int(rows("SELECT COALESCE(MAX(log_index) + 1, 0) FROM log_entry")[0][0])


def _log_node(rows: _Rows, level: int, index: int) -> bytes:
    found = rows("SELECT hash FROM log_node WHERE level = ? AND node_index = ?", (level, index))
    if not found:
        raise DataError(f"registry.db lacks the hash ({level}, {index}) of its log; restore it from a backup")
    return bytes(found[0][0])


def _bytes(value: bytes | None) -> bytes | None:
    return None if value is None else bytes(value)


_KEY = "SELECT name, scopes, created_at, expires_at, revoked_at FROM api_key"


def _key_row(row: Sequence[Any]) -> KeyRow:
    return KeyRow(
        name=row[0],
        scopes=tuple(json.loads(row[1])),
        created_at=parse_utc(row[2]),
        expires_at=parse_utc(row[3]),
        revoked_at=parse_utc(row[4]) if row[4] else None,
    )
