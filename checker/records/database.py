"""Opening SQLite files: one module, one library, two ways of keeping a database safe.

`corpus.db` is written by one process and read by many: WAL. `registry.db` holds what may never be lost or forked:
rollback journal and FULL sync, so that a commit is on the disk before anything is signed (docs/decisions.md, 5).

SQLite comes from pysqlite3 through sqlite-utils and from nowhere else: Debian 12's own 3.40 has the WAL-reset bug
(fixed in 3.51.3), and two copies of the library in one process drop each other's file locks
(https://sqlite.org/howtocorrupt.html, 2.2.1). tests/test_layout.py bans `import sqlite3`.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Any

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations
from sqlite_utils.utils import sqlite3  # type: ignore[attr-defined]  # it decides which SQLite is used

from checker.errors import DataError, NewerDataError

BUSY_TIMEOUT_MS = 10_000
"""How long a statement waits for another process's commit before it fails."""


class Durability(StrEnum):
    """How a database is kept."""

    MANY_READERS = "many-readers"
    """WAL, NORMAL sync: readers never wait; power loss may cost the last commits, never the file."""
    NEVER_FORGETS = "never-forgets"
    """Rollback journal, FULL sync: what was committed stays."""


def open_database(path: Path, migrations: Migrations, *, durability: Durability) -> Database:
    """Open `path`, making it (0600) and bringing its tables up to date as needed. Autocommit; see `transaction`.

    Raises:
        NewerDataError: a newer version of this program wrote it; nothing was changed.
        DataError: it is no database, or cannot be read or written.
    """
    try:
        # One at a time: two processes that find no tables would both make them. Never open the database file itself
        # to look at it: closing it would drop the locks that SQLite holds on it in this process.
        with path.with_name(f"{path.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not path.exists():
                path.touch(mode=0o600)
            return _open(path, migrations, durability)
    except sqlite3.DatabaseError as error:
        raise unusable(path, error) from error
    except OSError as error:
        raise DataError(f"cannot make {path}: {error.strerror}; check the folder's permissions") from error


def _open(path: Path, migrations: Migrations, durability: Durability) -> Database:
    connection = sqlite3.connect(str(path), isolation_level=None, check_same_thread=False, factory=_Connection)
    connection.path = path
    connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA secure_delete = ON")  # what is erased is overwritten, not left in free pages
    _refuse_newer(connection, path, migrations)
    if durability is Durability.MANY_READERS:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA journal_size_limit = 67108864")
    else:
        connection.execute("PRAGMA journal_mode = TRUNCATE")
        connection.execute("PRAGMA synchronous = FULL")
    database = Database(connection)
    _bring_up_to_date(database, migrations)
    return database


class _Cursor(sqlite3.Cursor):
    """Turns what SQLite says of a damaged, full or locked database into a DataError that names the file."""

    def execute(self, *arguments: Any) -> Any:
        try:
            return super().execute(*arguments)
        except sqlite3.IntegrityError:
            raise  # a mistake of ours, not of the file
        except sqlite3.DatabaseError as error:
            raise unusable(self.connection.path, error) from error  # type: ignore[attr-defined]

    def fetchone(self) -> Any:
        try:
            return super().fetchone()
        except sqlite3.IntegrityError:
            raise  # a mistake of ours, not of the file
        except sqlite3.DatabaseError as error:
            raise unusable(self.connection.path, error) from error  # type: ignore[attr-defined]

    def fetchall(self) -> Any:
        try:
            return super().fetchall()
        except sqlite3.IntegrityError:
            raise  # a mistake of ours, not of the file
        except sqlite3.DatabaseError as error:
            raise unusable(self.connection.path, error) from error  # type: ignore[attr-defined]


class _Connection(sqlite3.Connection):
    """A connection that knows its file, and ids that it gave out or read (`rows.py`)."""

    path: Path

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.ids: dict[tuple[str, object], int] = {}
        """By table and key, of rows that are never deleted. Emptied when a transaction fails, which takes its rows."""

    def cursor(self, *arguments: Any) -> Any:
        return super().cursor(*arguments or (_Cursor,))


def unusable(path: Path, error: Exception) -> DataError:
    """What is said of a database that SQLite cannot read or write."""
    return DataError(f"cannot use the database {path}: {error}; check the file, the space and the permissions")


def _refuse_newer(connection: sqlite3.Connection, path: Path, migrations: Migrations) -> None:
    known = len(migrations._migrations)
    found = connection.execute("PRAGMA user_version").fetchone()[0]
    if found > known:
        raise NewerDataError(
            f"{path} has data format {found}, this version knows up to {known}; "
            "nothing was changed, use the newer version of hibs that wrote it"
        )


def _bring_up_to_date(database: Database, migrations: Migrations) -> None:
    known = len(migrations._migrations)
    if database.execute("PRAGMA user_version").fetchone()[0] == known:
        return
    migrations.apply(database)
    database.execute(f"PRAGMA user_version = {known}")


@contextmanager
def transaction(database: Database, *, turn_ms: int | None = None) -> Iterator[Database]:
    """Everything inside commits together or not at all.

    BEGIN IMMEDIATE takes the write lock at once: a transaction that begins by reading and then writes would fail
    half-way when another process wrote in between.

    Args:
        turn_ms: how long to wait until nobody else writes; None: `BUSY_TIMEOUT_MS`.
    """
    if turn_ms is not None:
        database.conn.execute(f"PRAGMA busy_timeout = {turn_ms}")
    try:
        database.conn.execute("BEGIN IMMEDIATE")
    finally:
        if turn_ms is not None:
            database.conn.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    try:
        yield database
        # Inside the try: a commit can fail too (a reader that stays, a full disk), and a connection that is left
        # inside its transaction would refuse every later one.
        database.conn.execute("COMMIT")
    except BaseException:
        database.conn.ids.clear()  # type: ignore[attr-defined]  # it is our _Connection
        if database.conn.in_transaction:  # SQLite ends some failed ones by itself
            database.conn.execute("ROLLBACK")
        raise
