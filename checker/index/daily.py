"""The private list of the day: made once, kept on the disk, shared by every process that answers from a data folder.

    DATA/private/2026-11-22/about.json      what stands beside the rows, and which of the two files there is
    DATA/private/2026-11-22/list            the whole list as it is sent, up to `private_list_rows_max` rows
    DATA/private/2026-11-22/halves.idx      above that, the rows by sketch (halves.py)

Rules:
1. One day (UTC), one list: what is hidden, withdrawn, erased or gone leaves with the next one, all together, so that
   the time at which a row goes tells nothing about the reason.
2. Yesterday's list is not served, not even while today's is made: within a day everything hidden is out.
3. It is written beside and renamed as a whole; the list of a day is never changed, only replaced when it is damaged.
4. It is made beside the answers, by one thread of one process; the others find the lock taken and look again.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import mmap
import os
import secrets
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Self

from checker.errors import CheckerError, DataError, EmptyCorpusError, IndexDamagedError
from checker.index.files import sync_folder
from checker.index.halves import CELLS, HalfCodes
from checker.index.private import shown_half_codes
from checker.index.private_answer import (
    SPREAD_BITS,
    About,
    header_line,
    read_answer,
    write_list,
    write_sketch_answer,
)
from checker.model import PHASH256
from checker.records.folder import DataFolder, make_private_folder
from checker.settings import Settings

PRIVATE_FOLDER = "private"
_LOCK = "LOCK"
_ABOUT, _LIST, _HALVES = "about.json", "list", "halves.idx"


@dataclass(frozen=True, slots=True)
class DayList:
    """The answers of one day. Immutable; safe to share between threads."""

    day: date
    tag: str
    """Stands for the bytes of every answer of this list: for an ETag."""
    about: About
    rows: int
    whole: mmap.mmap | None
    """The list as it is sent; None: there are too many rows, ask by sketch."""
    halves: HalfCodes | None
    """Exactly where `whole` is None."""

    def sketch_answer(self, sketch: int) -> bytes:
        """The answer to a sketch as it is sent.

        Raises:
            ValueError: it is not 0 to 65,535, or this collection is answered by the whole list.
        """
        if self.halves is None or not 0 <= sketch < CELLS:
            raise ValueError(f"there is no answer to the sketch {sketch}")
        return write_sketch_answer(self.halves.sketch_rows(sketch, spread_bits=SPREAD_BITS), self.about)

    def close(self) -> None:
        """Let go of the files; answers that are being sent end in peace."""
        if self.halves:
            self.halves.close()

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Check every byte of a day's files and map them.

        Raises:
            FileNotFoundError: there is no such day.
            IndexDamagedError: they are not what was written.
        """
        try:
            document = json.loads((folder / _ABOUT).read_bytes())
            # The header of an answer without rows: its reader checks every member.
            about, _ = read_answer(document["about"].encode())
            rows, tag, day = int(document["rows"]), str(document["tag"]), date.fromisoformat(folder.name)
            if document["way"] == _LIST:
                with (folder / _LIST).open("rb") as file:
                    whole = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
                if _tag(whole) != tag:
                    raise ValueError("altered")
                return cls(day, tag, about, rows, whole, None)
            return cls(day, tag, about, rows, None, HalfCodes.open(folder / _HALVES))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise IndexDamagedError(f"the private list in {folder} is damaged; it is made again") from error
        except FileNotFoundError as error:
            if folder.is_dir():
                raise IndexDamagedError(f"the private list in {folder} lacks a file; it is made again") from error
            raise
        except OSError as error:
            raise DataError(f"cannot read {folder}: {error.strerror}; check its permissions") from error


class DailyLists:
    """Opens the list of the day, and makes it when there is none. Thread-safe."""

    def __init__(self, folder: DataFolder, settings: Settings) -> None:
        """`folder` stays open, and belongs to whoever gave it."""
        self._folder = folder
        self._settings = settings
        self._place = folder.path / PRIVATE_FOLDER
        self._lock = threading.Lock()
        self._opened: DayList | None = None
        self._making: threading.Thread | None = None
        self._failed: CheckerError | None = None

    def ready(self, now: datetime) -> DayList | None:
        """The list of this day where it is open; costs nothing. None: see `prepare`."""
        opened = self._opened
        return opened if opened and opened.day == now.astimezone(UTC).date() else None

    def prepare(self, now: datetime) -> DayList | None:
        """Open the list of this day, or begin to make it in a thread of its own: look again in a moment.

        Raises:
            EmptyCorpusError: there is nothing to make it of yet.
            DataError: the last try failed; the next call tries again.
        """
        with self._lock:
            if opened := self.ready(now):
                return opened
            if self._making and self._making.is_alive():
                return None
            failed, self._failed = self._failed, None
            if failed:
                raise failed
            if self._opened:
                self._opened.close()
                self._opened = None
            try:
                self._opened = DayList.open(self._day_folder(now))
            except (FileNotFoundError, IndexDamagedError):
                self._making = threading.Thread(target=self._make, args=(now,), name="private list", daemon=True)
                self._making.start()
                return None
            return self._opened

    def close(self) -> None:
        """Wait for a list that is being made; answers that are being sent end in peace."""
        making = self._making
        if making:
            making.join()
        if self._opened:
            self._opened.close()
            self._opened = None

    def _day_folder(self, now: datetime) -> Path:
        return self._place / now.astimezone(UTC).date().isoformat()

    def _make(self, now: datetime) -> None:
        try:
            with _locked(self._place) as is_ours:
                if is_ours:
                    make_day(self._folder, self._settings, self._day_folder(now), now=now)
        except CheckerError as error:
            self._failed = error
        except OSError as error:
            self._failed = DataError(f"cannot write {self._place}: {error.strerror}; check space and permissions")


def make_day(folder: DataFolder, settings: Settings, place: Path, *, now: datetime) -> None:
    """Write the list of a day into `place`, whose name is the day, and remove those of other days.

    Raises:
        EmptyCorpusError: the collection holds no picture; nothing is written.
        DataError: the database cannot be used, or the disk refused.
    """
    facts = folder.store.coverage((PHASH256,))
    if not facts.images:
        raise EmptyCorpusError(f"{folder.path} holds 0 pictures yet, so there is no private list")
    with suppress(FileNotFoundError, IndexDamagedError):
        DayList.open(place).close()
        return  # another process was faster
    # Before, not after: what was hidden since is not to lie there for as long as a new list takes.
    for other in place.parent.iterdir():
        if other.is_dir():
            shutil.rmtree(other)
    now = now.astimezone(UTC)
    halves = shown_half_codes(folder, settings, now=now)
    about = About(
        built_at=halves.built_at,
        next_at=datetime.combine(now.date() + timedelta(days=1), datetime.min.time(), tzinfo=UTC),
        images=facts.images,
        sources=facts.sources,
        newest=facts.newest,
    )
    write_day(place, halves, about, list_rows_max=settings.private_list_rows_max)


def write_day(place: Path, halves: HalfCodes, about: About, *, list_rows_max: int) -> None:
    """Write the answers of a day beside `place` and give them their name once they are whole and on the disk."""
    beside = place.with_name(f".{place.name}-{secrets.token_hex(4)}")
    beside.mkdir(mode=0o700)
    if halves.rows <= list_rows_max:
        body = write_list(halves.whole_list(), about)
        tag, way = _tag(body), _LIST
        _write(beside / _LIST, body)
    else:
        halves.write(beside / _HALVES)
        tag, way = secrets.token_hex(16), _HALVES
    document = {"way": way, "rows": halves.rows, "tag": tag, "about": header_line(0, about).decode()}
    _write(beside / _ABOUT, json.dumps(document).encode())
    sync_folder(beside)
    beside.rename(place)
    sync_folder(place.parent)


@contextmanager
def _locked(place: Path) -> Iterator[bool]:
    """False: another process is making the list."""
    make_private_folder(place)
    with (place / _LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


def _write(path: Path, content: bytes) -> None:
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _tag(content: bytes | mmap.mmap) -> str:
    return hashlib.sha256(content).hexdigest()[:32]
