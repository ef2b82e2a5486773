"""What a run says while it works: one line that changes on a terminal, else one line now and then."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from types import TracebackType

from rich.console import Console
from rich.status import Status

from checker.console import printable, say
from checker.records.crawl_interfaces import FrontierCounts
from crawler.hosts import HostCounts
from crawler.tally import Tally, count_of

_TERMINAL_EVERY_S = 0.5
_REASONS_MAX = 3


@dataclass(frozen=True, slots=True)
class State:
    """How far a crawl is."""

    tally: Tally
    frontier: FrontierCounts
    hosts: HostCounts
    parked: int
    seconds: float
    """Since the run began."""

    @property
    def per_second(self) -> float:
        """Addresses that were ended, of this run."""
        return self.tally.visits / self.seconds if self.seconds > 0 else 0.0

    def line(self) -> str:
        """For a person."""
        tally, hosts = self.tally, self.hosts
        parts = [
            f"{count_of(tally.pages, 'page')}, {count_of(tally.images, 'image')} ({tally.new} new), "
            f"{self.per_second:.1f}/s",
            f"{self.frontier.queued} wait{self._left()}",
            f"hosts: {hosts.busy} asked, {hosts.ready} ready, {hosts.snoozed} resting, {self.parked} parked",
        ]
        if tally.failed:
            worst = tally.failed.most_common(_REASONS_MAX)
            parts.append("failed: " + ", ".join(f"{number} {reason}" for reason, number in worst))
        return "; ".join(parts)

    def _left(self) -> str:
        """At the rate so far; nothing where that would be a guess."""
        if self.tally.visits < 20 or not self.frontier.queued:
            return ""
        seconds = self.frontier.queued / self.per_second
        for unit, size in (("h", 3600.0), ("min", 60.0)):
            if seconds >= 2 * size:
                return f", {seconds / size:.0f} {unit} left at this rate"
        return f", {seconds:.0f} s left at this rate"


class Progress:
    """Shows one line of state on standard error. A context manager."""

    def __init__(self, *, every_s: float) -> None:
        """`every_s`: between two lines where standard error is no terminal."""
        self._every_s = every_s
        self._said_at_s = time.monotonic()
        self._status: Status | None = None

    def __enter__(self) -> Progress:
        if sys.stderr.isatty():
            self._status = Console(stderr=True).status("starting")
            self._status.start()
            self._said_at_s = 0.0
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._status:
            self._status.stop()
            self._status = None

    def is_due(self) -> bool:
        """Is it time to say something? For what takes time to find out."""
        return time.monotonic() - self._said_at_s >= (_TERMINAL_EVERY_S if self._status else self._every_s)

    def show(self, text: str) -> None:
        """Say how far it is; cheap to call often."""
        if self._status:
            self._said_at_s = time.monotonic()
            self._status.update(printable(text).replace("[", "\\["))
        elif self.is_due():
            self._said_at_s = time.monotonic()
            say(text)
