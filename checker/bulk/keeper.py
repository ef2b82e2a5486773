"""Keeping a worker at work while the service runs: a thread that starts the process when there is something to do.

Or when there soon will be: a long list takes seconds to arrive, and a process as long to be ready for it.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import datetime

from checker.bulk.jobs import BulkJobs
from checker.errors import DataError

EVERY_S = 0.5
LONG_BYTES = 2**17
"""A list of so many bytes is worth starting for while it arrives: 1,700 rows."""
SWEEP_S = 3600.0
"""How often what is to be deleted is looked for."""
_REST_S = 60.0
"""After a worker that failed: what kept it (a full disk) takes a person to mend."""
_END_S = 10.0


class Keeper:
    """Starts the worker of one data folder. `close` ends it; jobs go on where they were at the next start."""

    def __init__(self, jobs: BulkJobs, say: Callable[[str], None], clock: Callable[[], datetime]) -> None:
        """`say` is told, in a sentence, of a worker that failed."""
        self._jobs = jobs
        self._say = say
        self._clock = clock
        self._swept_s = time.monotonic()
        self._running: subprocess.Popen[bytes] | None = None
        self._rest_until_s = 0.0
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="bulk", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End, and let the worker end its batch."""
        self._ending.set()
        self._thread.join()
        if self._running is None:
            return
        self._running.terminate()
        try:
            self._running.communicate(timeout=_END_S)
        except subprocess.TimeoutExpired:
            self._running.kill()
            self._running.communicate()
        self._running = None

    def _run(self) -> None:
        while not self._ending.is_set():
            self._look()
            self._ending.wait(EVERY_S)

    def _look(self) -> None:
        if self._running is not None:
            if self._running.poll() is None:
                return
            self._reap(self._running)
        try:
            if time.monotonic() - self._swept_s > SWEEP_S:
                self._swept_s = time.monotonic()
                self._jobs.sweep(self._clock())
            rested = time.monotonic() >= self._rest_until_s
            waits = rested and (self._jobs.waiting() or self._jobs.arriving_bytes() >= LONG_BYTES)
        except (DataError, OSError):
            return  # of the database: whoever works with it meets it and says so
        if waits:
            self._start()

    def _start(self) -> None:
        try:
            self._running = subprocess.Popen(  # noqa: S603 - our own command, a list and no shell
                [sys.executable, "-P", "-m", "checker.bulk", str(self._jobs.data)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
            )
        except OSError as error:  # too many files or processes at this moment
            self._failed(str(error))

    def _reap(self, ended: subprocess.Popen[bytes]) -> None:
        _, said = ended.communicate()
        self._running = None
        if ended.returncode > 0:  # below 0: somebody killed it, and the next one goes on
            self._failed(said.decode(errors="backslashreplace").strip()[-500:])

    def _failed(self, why: str) -> None:
        self._say(f"bulk look-ups stopped: {why}")
        self._rest_until_s = time.monotonic() + _REST_S
