"""Which SQLite this process uses: the one of database.py, and no other."""

from __future__ import annotations

from sqlite_utils.utils import sqlite3  # type: ignore[attr-defined]  # as in database.py

SOUND = (3, 51, 3)
"""The WAL-reset bug, by which a commit could be lost, is fixed from here on (sqlite.org/wal.html)."""


def sqlite_version() -> tuple[int, ...]:
    """As 3, 53, 0."""
    return tuple(int(part) for part in sqlite3.sqlite_version.split("."))
