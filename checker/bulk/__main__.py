"""The worker as a process: `python -m checker.bulk DATA`. It ends when no job is left, or when whoever started it does.

A process of its own, so that a list of a hundred thousand takes no turn from the service's answers and its memory goes
when it ends. One works on a data folder at a time, whoever starts it.
"""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import threading
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from checker.bulk.jobs import BulkJobs
from checker.bulk.rows import LINE_BYTES
from checker.bulk.work import Worker
from checker.console import say
from checker.errors import CheckerError
from checker.records.registry import REGISTRY_FILE, Registry
from checker.settings import Settings

LINGER_S = 10.0
"""How long it waits for another job before it ends: starting costs a second, a table of stored codes as much."""
LOOK_S = 0.2


def main(data: Path) -> int:
    """Work until there is nothing to do. 0: done, or another worker is at it; 2: it cannot work, and said why."""
    ending = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ending.set())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        with (data / "bulk.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                return 0
            _work(data, ending)
    except (CheckerError, OSError) as error:
        say(f"hibs: {error}")
        return 2
    return 0


def _work(data: Path, ending: threading.Event) -> None:
    with closing(Registry.open(data / REGISTRY_FILE)) as registry:
        settings = Settings.from_environment(os.environ)
        jobs = BulkJobs(data, registry, settings)
        jobs.sweep(_now())
        with closing(Worker(data, registry, settings, _now)) as worker:
            idle_since = time.monotonic()
            while not ending.is_set() and time.monotonic() - idle_since < LINGER_S:
                if worker.work(ending=ending.is_set):
                    idle_since = time.monotonic()
                elif arriving := jobs.arriving_bytes():
                    worker.prepare(arriving // LINE_BYTES)
                ending.wait(LOOK_S)


def _end_with_parent() -> None:
    """Standard input ends when the service does, however it ends. What was not written down is done again."""
    sys.stdin.buffer.read()
    os._exit(1)


def _now() -> datetime:
    return datetime.now(UTC)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
