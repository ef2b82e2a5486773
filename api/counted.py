"""How many look-ups were answered: one number a day for each kind, kept in registry.db over restarts.

Nothing about who asked, what was asked or what was found is counted. Numbers wait in memory and are written by a
thread, once a minute at most, so that no look-up waits for a disk; a process that is killed loses those of its last
minute. Each process adds its own.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from datetime import date, datetime

from api.words import LANGUAGES, prefix
from checker.errors import DataError
from checker.records.registry import Registry
from checker.records.totals import add_look_ups

EVERY_S = 60.0
LOOK_UP, PRIVATE_LIST, PRIVATE_SKETCH = "look-up", "private-list", "private-sketch"
KINDS = (LOOK_UP, PRIVATE_LIST, PRIVATE_SKETCH)
"""A photo looked up by itself or by its codes; half codes fetched, all of them or those near a sketch. What is then
compared with them stays at home: how many photos that were, nobody here knows."""
_PREFIXES = (
    ("/v1/lookups", LOOK_UP),
    # The same without JavaScript; in front of it may stand a language.
    *((f"{prefix(language)}/closer-look", LOOK_UP) for language in LANGUAGES),
    ("/v1/private/list", PRIVATE_LIST),
    ("/v1/private/sketches/", PRIVATE_SKETCH),
)
Count = Callable[[str, int, float], None]
"""Told path, status and seconds of every answer (`guards.Guards`)."""


class LookUpCounts:
    """Counts the look-ups that one process answers. Thread-safe. `close` writes what is left."""

    def __init__(self, registry: Registry, clock: Callable[[], datetime], also: Count | None = None) -> None:
        """`also` is told of every answer too."""
        self._registry = registry
        self._clock = clock
        self._also = also
        self._waiting: Counter[tuple[date, str]] = Counter()
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="counts", daemon=True)

    def begin(self) -> None:
        """Write from time to time from now on."""
        self._thread.start()

    def count(self, path: str, status: int, seconds: float) -> None:
        """An answer was begun. Only those that went well count here."""
        if self._also:
            self._also(path, status, seconds)
        if status != 200:
            return
        kind = _kind(path)
        if kind is not None:
            with self._lock:
                self._waiting[self._clock().date(), kind] += 1

    def close(self) -> None:
        """End, and write what is left."""
        self._ending.set()
        self._thread.join()
        self._write()

    def _run(self) -> None:
        while not self._ending.wait(EVERY_S):
            self._write()

    def _write(self) -> None:
        with self._lock:
            waiting, self._waiting = self._waiting, Counter()
        if not waiting:
            return
        try:
            with self._registry.writing() as writer:
                add_look_ups(writer, waiting)
        except DataError:  # of the database: whoever works with it meets it and says so
            with self._lock:
                self._waiting.update(waiting)


def _kind(path: str) -> str | None:
    return next((kind for begin, kind in _PREFIXES if path.startswith(begin)), None)
