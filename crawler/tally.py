"""What one run came to: counts for scripts, sentences for people."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from checker.model import utc_text
from checker.records.interfaces import Recorded
from checker.visits import Outcome, Visit
from crawler.addresses import host_of

_NAMES = {"page": ("page", "pages"), "image": ("picture", "pictures"), "address": ("address", "addresses")}

_NAMED_MAX = 20
ENDLESS = "endless-pages"
"""Reason of a page that was not asked for, since it is one of too many of its form."""


@dataclass(slots=True)
class Tally:
    """Counts of one run; filled by `run`."""

    pages: int = 0
    """Pages read; a link that led to something else is none."""
    images: int = 0
    """Pictures recorded; one at two addresses counts twice."""
    new: int = 0
    """Pictures that were not known before, by their bytes."""
    ended: Counter[str] = field(default_factory=Counter)
    """Visits that a publisher had to answer, done or failed for good, by kind: what the limits count."""
    disallowed: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    """Kind, reason and host by address: a picture that three pages forbid is one."""
    failed: Counter[str] = field(default_factory=Counter)
    """Addresses that failed for good, by reason."""
    failed_named: list[tuple[str, str]] = field(default_factory=list)
    """The first of them, with the reason."""
    retries_from: datetime | None = None
    """Addresses are left that are to be tried again from then on, too late to wait for."""
    retries: int = 0
    limit_reached: bool = False
    stopped: bool = False
    parked: tuple[str, ...] = ()
    """Hosts that failed so often in a row that they were left alone."""
    others: int = 0
    """Pictures that were met and not recorded: another one than the list means, or erased here."""
    forgotten: int = 0
    """Sightings that were deleted, since nothing confirmed them for as long as the settings keep them."""
    endless: int = 0
    """Pages that were not asked for, since many of their form gave nothing new."""
    visits: int = 0
    """Addresses that were ended, however."""

    def count(self, visit: Visit, recorded: Recorded) -> None:
        """Take one recorded visit in."""
        self.visits += visit.retry_at is None
        if visit.retry_at is None and visit.outcome is not Outcome.DISALLOWED:
            self.ended[visit.kind] += 1
        if visit.outcome is Outcome.DISALLOWED:
            self.disallowed[visit.url] = (visit.kind, visit.reason or "", host_of(visit.url))
        elif visit.outcome is Outcome.FAILED:
            if visit.retry_at is None:
                self.failed[visit.reason or ""] += 1
                if len(self.failed_named) < _NAMED_MAX:
                    self.failed_named.append((visit.url, visit.reason or ""))
        elif visit.seen is not None and recorded.image_id is None:
            self.others += 1
        elif visit.seen is not None:
            self.images += 1
            self.new += recorded.new_image
        elif visit.unchanged:
            self.images += 1
        elif visit.reason is None:
            self.pages += 1
        elif visit.reason == ENDLESS:
            self.endless += 1

    @property
    def nothing_done(self) -> bool:
        """Was there no address to visit?"""
        visited = self.pages or self.images or self.others or self.disallowed or self.failed
        return not (visited or self.retries or self.stopped or self.limit_reached)

    def to_dict(self, seconds: float) -> dict[str, object]:
        """The document of `--json`."""
        return {
            "pages": self.pages,
            "images": self.images,
            "new": self.new,
            "disallowed": len(self.disallowed),
            "failed": dict(sorted(self.failed.items())),
            "parked": [host.partition("://")[2] for host in self.parked],
            "waiting": self.retries,
            "seconds": round(seconds, 1),
        }

    def failures(self) -> list[str]:
        """The addresses that failed, the first of them by name."""
        lines = sorted(f"{url}: {reason}" for url, reason in self.failed_named)
        more = sum(self.failed.values()) - len(lines)
        return [*lines, f"and {count_of(more, 'address')} more"] if more else lines

    def lines(self, seconds: float) -> list[str]:
        """What was not taken and why, then the sum."""
        lines = []
        for (kind, reason, host), number in sorted(Counter(self.disallowed.values()).items()):
            lines.append(f"{count_of(number, kind)} not taken: {reason} at {host.partition('://')[2]}")
        for reason, number in sorted(self.failed.items()):
            lines.append(f"{count_of(number, 'address')} failed: {reason}")
        for host in self.parked[:_NAMED_MAX]:
            lines.append(f"{host.partition('://')[2]} failed too often in a row and was left alone for this run")
        if len(self.parked) > _NAMED_MAX:
            lines.append(f"and {len(self.parked) - _NAMED_MAX} more hosts")
        if self.forgotten:
            lines.append(f"{self.forgotten} sightings forgotten: not confirmed for as long as they are kept")
        if self.endless:
            lines.append(f"{count_of(self.endless, 'page')} not asked for: many of the same form gave nothing new")
        if self.others:
            lines.append(
                f"{count_of(self.others, 'image')} not recorded: not the one that a list means, or erased here"
            )
        if self.retries_from:
            lines.append(
                f"{self.retries} to be tried again, the first from {utc_text(self.retries_from)} on; "
                "the same command goes on"
            )
        if self.limit_reached:
            lines.append("a limit was reached before everything was visited (--max-pages, --max-images)")
        lines.append(
            f"{count_of(self.pages, 'page')}, {count_of(self.images, 'image')} ({self.new} new), {seconds:.1f} s"
        )
        return lines


def count_of(number: int, kind: str) -> str:
    """ "1 page", "2 pictures"; `kind` is "page", "image" or "address"."""
    return f"{number} {_NAMES[kind][number != 1]}"
