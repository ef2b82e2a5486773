"""What a run says while it works: one line that changes on a terminal, else one line now and then."""

from __future__ import annotations

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.status import Status

from checker.console import printable, say


class Progress:
    """Shows one line of state on standard error. A context manager."""

    def __init__(self, *, every_s: float) -> None:
        self._every_s = every_s
        self._said_at_s = time.monotonic()
        self._status: Status | None = None

    def __enter__(self) -> Progress:
        if sys.stderr.isatty():
            self._status = Console(stderr=True).status("starting")
            self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._status:
            self._status.stop()
            self._status = None

    def show(self, text: str) -> None:
        """Say how far it is; cheap to call often."""
        if self._status:
            self._status.update(printable(text).replace("[", "\\["))
        elif time.monotonic() - self._said_at_s >= self._every_s:
            self._said_at_s = time.monotonic()
            say(text)
