"""How far each file of an ingest was read, so that a run that was broken off goes on where it stopped.

A cursor is written in the transaction that records what it has passed. A file that is not what it was when its cursor
was written (another digest) is read again from its start; recording is idempotent, so that adds nothing twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlite_utils import Database

from checker.model import Source, utc_text


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far one file of a source was read."""

    file: str
    """As in the locators of what it holds."""
    digest: bytes
    """Of what tells whether the file is still the same; its reader decides what that is."""
    position: int
    """What its reader takes to go on; 0: its start."""
    finished: bool = False
    """Everything in it was read."""


def read_cursor(db: Database, source: Source, file: str) -> Cursor | None:
    """How far this file was read. None: it is not known."""
    row = db.execute(
        "SELECT digest, position, finished FROM ingest_cursor WHERE source_id = ? AND file = ?", (int(source.id), file)
    ).fetchone()
    return Cursor(file=file, digest=bytes(row[0]), position=row[1], finished=bool(row[2])) if row else None


def write_cursor(db: Database, source: Source, cursor: Cursor, *, now: datetime) -> None:
    """Remember how far the file was read. Runs inside the transaction of what was read."""
    db.execute(
        "INSERT INTO ingest_cursor (source_id, file, digest, position, finished, updated_at) VALUES (?, ?, ?, ?, ?, ?) "
        "ON CONFLICT DO UPDATE SET digest = excluded.digest, position = excluded.position, "
        "finished = excluded.finished, updated_at = excluded.updated_at",
        (int(source.id), cursor.file, cursor.digest, cursor.position, int(cursor.finished), utc_text(now)),
    )
