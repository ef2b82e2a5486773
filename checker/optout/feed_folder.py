"""The files of a feed folder, and who may write them: one sync at a time, into a folder that is its own."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from checker.errors import InputError
from checker.model import parse_utc, utc_text
from checker.optout.feed import CHECKPOINT_FILE, OPENINGS_FILE, STATE_FILE, FeedState

CONFLICT_FILE = "checkpoint.conflict"
STAGING_FOLDER = ".sync"
LOCK_FILE = ".lock"
_WRITTEN_WHOLE = (CHECKPOINT_FILE, STATE_FILE, CONFLICT_FILE)
OURS = frozenset(
    {
        *(*_WRITTEN_WHOLE, OPENINGS_FILE, STAGING_FOLDER, LOCK_FILE, "tile"),
        *(f".{name}.partial" for name in _WRITTEN_WHOLE),  # of a sync that was killed
    }
)
SYNC_WAIT_MIN = timedelta(seconds=10)
"""Between two syncs from one server. Nobody needs the news sooner, and a loop without a pause is somebody's mistake."""


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold the folder against other syncs; make it when it is missing.

    Raises:
        InputError: it holds something else, another sync is at work in it, or it cannot be written.
    """
    made = False
    try:
        made = not folder.exists()
        folder.mkdir(parents=True, exist_ok=True)
        strangers = {path.name for path in folder.iterdir()} - OURS
        if strangers and not (folder / STATE_FILE).exists():
            raise InputError(f"{folder} holds other files and is no feed folder; choose an empty one")
        with (folder / LOCK_FILE).open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise InputError(f"another sync is at work in {folder}; wait for it to end") from error
            yield
    except OSError as error:
        raise InputError(
            f"cannot write to the feed folder {folder}: {error.strerror}; check it and try again"
        ) from error
    finally:
        if made:
            _drop_if_empty(folder)


def _drop_if_empty(folder: Path) -> None:
    """A folder made for a sync that got nothing goes again: it would look like a feed."""
    with suppress(OSError):
        if [path.name for path in folder.iterdir()] == [LOCK_FILE]:
            shutil.rmtree(folder)


def require_pause(state: FeedState | None, server: str, now: datetime) -> None:
    """Refuse to ask a server again right after a sync that it answered. A server on this machine may be asked any time.

    Raises:
        InputError: `SYNC_WAIT_MIN` is not over. It says when it is.
    """
    if state is None or state.source != server.rstrip("/") or _is_here(server):
        return
    try:
        again = parse_utc(state.synced_at) + SYNC_WAIT_MIN
    except ValueError:
        return
    if again - SYNC_WAIT_MIN <= now < again:  # a time in the future is a clock that was put right since
        raise InputError(
            f"{state.source} was asked at {state.synced_at}; wait until {utc_text(again)}, and better some hours: "
            "a feed that is a day old is fresh"
        )


def _is_here(server: str) -> bool:
    host = urlsplit(server).hostname or ""
    return host in ("localhost", "::1") or host.startswith("127.")


def write_whole(path: Path, data: bytes) -> None:
    """Write beside and rename: the file is the old one or the new one, whatever happens."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("wb") as file:
        file.write(data)
        if STAGING_FOLDER not in path.parts:  # what power loss takes from staging is proved missing and fetched again
            file.flush()
            os.fsync(file.fileno())
    partial.replace(path)
