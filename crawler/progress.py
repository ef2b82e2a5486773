"""How far a crawl is, in one line."""

from __future__ import annotations

from dataclasses import dataclass

from checker.records.crawl_interfaces import FrontierCounts
from crawler.hosts import HostCounts
from crawler.tally import Tally, count_of

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
