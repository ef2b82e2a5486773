"""Keeping the index built while something runs for long: a service, a crawl, an ingest.

A build is a process of its own (`hibs index build --if-due`), so that its memory goes when it ends and it takes no turn
from the searches of this one. One runs at a time, whoever starts it: the others find the lock taken and go on.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

from checker.errors import DataError
from checker.index.due import reason_to_build
from checker.records.folder import DataFolder
from checker.settings import Settings

EVERY_S = 30.0
"""How often it is asked whether a build is due; asking takes some milliseconds."""
_REST_S = 600.0
"""After a build that failed: what kept it (a full disk, a folder that cannot be written) takes a person to mend."""
_START_REST_S = 60.0
"""After one that could not be started."""
_END_S = 10.0
"""How long a build may take to end after it was told to. It leaves the old state whenever it ends."""
_LOCKED = "another build is at work"


class Upkeep:
    """Starts builds of one data folder when they are due, from a thread of its own. A context manager."""

    def __init__(
        self,
        folder: DataFolder,
        settings: Settings,
        say: Callable[[str], None],
        *,
        damaged: Callable[[], bool] = lambda: False,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """
        Args:
            say: told, in a sentence, of a build that failed.
            damaged: has the caller met a damaged file of the index?
        """
        self._folder = folder
        self._settings = settings
        self._say = say
        self._damaged = damaged
        self._now = now
        self._ending = threading.Event()
        self._running: subprocess.Popen[str] | None = None
        self._rest_until_s = 0.0
        self._thread = threading.Thread(target=self._run, name="upkeep", daemon=True)
        self._thread.start()

    def finish(self) -> None:
        """Build what is due by now, wait for it, and end."""
        if self._ending.is_set():
            return
        self._end()
        self._look()
        if self._running is not None:
            self._running.wait()
            self._reap(self._running)

    def close(self) -> None:
        """End, and end the build that is running, if one is: the index stays as it was."""
        self._end()
        if self._running is None:
            return
        self._running.terminate()
        try:
            self._running.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._running.kill()
            self._running.wait()
        if self._running.stderr:
            self._running.stderr.close()
        self._running = None

    def __enter__(self) -> Upkeep:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.finish()
        else:
            self.close()

    def _run(self) -> None:
        self._look()
        while not self._ending.wait(EVERY_S):
            self._look()

    def _end(self) -> None:
        self._ending.set()
        self._thread.join()

    def _look(self) -> None:
        """Start a build if one is due and none is running."""
        if self._running is not None:
            if self._running.poll() is None:
                return
            self._reap(self._running)
        if time.monotonic() < self._rest_until_s:
            return
        store = self._folder.store
        try:
            due = self._damaged() or any(
                reason_to_build(self._folder, self._settings, kind, now=self._now()) for kind in store.kinds()
            )
        except DataError:
            return  # of the database: whoever works with it meets it and says so
        if due:
            self._start()

    def _start(self) -> None:
        try:
            self._running = subprocess.Popen(  # noqa: S603 - our own command, a list and no shell
                [sys.executable, "-P", "-m", "checker", "index", "build", "--if-due", "--data", str(self._folder.path)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                errors="backslashreplace",
            )
        except OSError as error:  # too many files or processes at this moment
            self._failed(str(error), rest_s=_START_REST_S)

    def _reap(self, ended: subprocess.Popen[str]) -> None:
        # A build says little: what it wrote fits into the pipe, so that reading it at the end is enough.
        _, said = ended.communicate()
        if ended.returncode and _LOCKED not in said:
            self._failed(said.strip().removeprefix("hibs: "), rest_s=_REST_S)
        self._running = None

    def _failed(self, why: str, *, rest_s: float) -> None:
        self._say(f"the index could not be built: {why}")
        self._rest_until_s = time.monotonic() + rest_s
