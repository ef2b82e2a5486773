"""What a long run says while it works: one line that changes on a terminal, else one line now and then.

On standard error, as all that is for people.
"""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING

from checker.console import printable, say

if TYPE_CHECKING:
    from rich.status import Status

_TERMINAL_EVERY_S = 0.5
EVERY_S = 30.0


class Progress:
    """Shows one line of state. A context manager."""

    def __init__(self, *, every_s: float = EVERY_S) -> None:
        """`every_s`: between two lines where standard error is no terminal."""
        self._every_s = every_s
        self._began_s = self._said_s = time.monotonic()
        self._status: Status | None = None

    def __enter__(self) -> Progress:
        if sys.stderr.isatty():
            from rich.console import Console

            self._status = Console(stderr=True).status("starting")
            self._status.start()
            self._said_s = 0.0
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._status:
            self._status.stop()
            self._status = None

    @property
    def seconds(self) -> float:
        """Since the run began; never nought."""
        return max(time.monotonic() - self._began_s, 0.001)

    @property
    def on_terminal(self) -> bool:
        """Is there one line that changes?"""
        return self._status is not None

    def is_due(self) -> bool:
        """Is it time to say something? For what takes time to find out."""
        return time.monotonic() - self._said_s >= (_TERMINAL_EVERY_S if self._status else self._every_s)

    def show(self, text: str, *, now: bool = False) -> None:
        """Say how far it is; cheap to call often. `now`: also where it is not time to."""
        if self._status:
            self._said_s = time.monotonic()
            self._status.update(printable(text).replace("[", "\\["))
        elif now or self.is_due():
            self._said_s = time.monotonic()
            say(text)

    def show_rows(self, place: str, rows: int) -> None:
        """Say how many rows were read, and where it is."""
        if self.is_due():
            self.show(f"{rows:,} rows, {rows / self.seconds:,.0f}/s; at {place}")
