"""How far a long run is: one line that changes on a terminal, else one line now and then. On standard error."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING

from checker.console import printable, say

if TYPE_CHECKING:
    from rich.status import Status

_TERMINAL_EVERY_S = 0.5
_EVERY_S = 30.0


class Progress:
    """Shows one line of state. A context manager; cheap to tell often."""

    def __init__(self) -> None:
        self._began_s = self._said_s = time.monotonic()
        self._status: Status | None = None

    def __enter__(self) -> Progress:
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
            self._status = None

    @property
    def seconds(self) -> float:
        """Since the run began; never nought."""
        return max(time.monotonic() - self._began_s, 0.001)

    def show(self, place: str, rows: int) -> None:
        """Say how far it is, where it is time to."""
        now_s = time.monotonic()
        if now_s - self._said_s < (_TERMINAL_EVERY_S if self._status else _EVERY_S):
            return
        self._said_s = now_s
        text = f"{rows:,} rows, {rows / self.seconds:,.0f}/s; at {place}"
        if self._status:
            self._status.update(printable(text).replace("[", "\\["))
        else:
            say(text)
