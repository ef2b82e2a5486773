"""How far a case is: photos, found, unreadable, rate and time left. On standard error."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING

from checker.console import say

if TYPE_CHECKING:
    from rich.status import Status

_TERMINAL_EVERY_S = 0.5
_EVERY_S = 30.0
_STEPS = 10
"""Lines of a run whose output is kept, at least: one each tenth, so that a short one shows its way too."""
_PHOTOS_WITH_STEPS = 100


class CaseProgress:
    """One line that changes on a terminal, else a line each tenth or half minute. A context manager."""

    def __init__(self, photos: int, *, done: int) -> None:
        """`done`: how many were answered by an earlier run; the rate does not count them."""
        self._photos, self._before, self._done = photos, done, done
        self._step = -1
        self._began_s = self._said_s = time.monotonic()
        self._status: Status | None = None

    def __enter__(self) -> CaseProgress:
        if sys.stderr.isatty():
            from rich.console import Console

            self._status = Console(stderr=True).status("starting")
            self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._status:
            self._status.stop()

    def answered(self, *, found: int, unreadable: int) -> None:
        """One more photo was asked about."""
        self._done += 1
        now_s = time.monotonic()
        step = self._done * _STEPS // self._photos if self._photos >= _PHOTOS_WITH_STEPS else -1
        due = now_s - self._said_s >= (_TERMINAL_EVERY_S if self._status else _EVERY_S)
        if not due and (self._status or step == self._step):
            return
        self._said_s, self._step = now_s, step
        text = progress_words(
            self._done, self._photos, found, unreadable, seconds=now_s - self._began_s, here=self._done - self._before
        )
        if self._status:
            self._status.update(text)
        else:
            say(text)


def progress_words(done: int, photos: int, found: int, unreadable: int, *, seconds: float, here: int) -> str:
    """One line.

    Args:
        here: photos that this run asked about, in `seconds`.

    >>> progress_words(500, 1000, 7, 1, seconds=10.0, here=500)
    '500 of 1,000 photos, 7 found, 1 unreadable, 50.0/s, 10 s left'
    """
    rate = here / max(seconds, 0.001)
    left_s = (photos - done) / rate if rate else 0.0
    left = (
        f"{left_s:.0f} s" if left_s < 120 else f"{left_s / 60:.0f} min" if left_s < 7200 else f"{left_s / 3600:.1f} h"
    )
    return f"{done:,} of {photos:,} photos, {found:,} found, {unreadable:,} unreadable, {rate:.1f}/s, {left} left"
