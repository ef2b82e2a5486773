"""What one ingest came to: counts for scripts, sentences for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from checker.console import one_line
from crawler.tally import Tally, count_of

_NAMED_MAX = 20


@dataclass(slots=True)
class IngestSummary:
    """Counts of one run."""

    recorded: int = 0
    """Pictures recorded, whether or not look-ups can find them. Those of lists are counted in `fetched`."""
    new: int = 0
    """Of these, not known before, by their bytes."""
    plain: int = 0
    """Recorded, but too plain to be found again."""
    opted_out: int = 0
    """Recorded, but somebody opted them out, so look-ups do not find them."""
    erased: int = 0
    """Not recorded: the picture at this address was erased here."""
    differs: int = 0
    """Recorded without the address that the archive gives: it tells another SHA-256 than its bytes have."""
    failed: Counter[str] = field(default_factory=Counter)
    """Rows that should have given something, by reason."""
    passed: Counter[str] = field(default_factory=Counter)
    """Rows that hold no picture, and say so."""
    host_files: int = 0
    """robots.txt files kept as evidence."""
    listed: int = 0
    """Addresses that lists name."""
    queued: int = 0
    """Of these, not known before."""
    files: int = 0
    """Files and folders that were read."""
    unchanged: int = 0
    """Files and folders that were read by an earlier run."""
    fetched: Tally | None = None
    """What asking for the addresses of lists gave. None: nothing was asked."""
    named: list[str] = field(default_factory=list)
    """The first rows that failed, with the reason."""

    @property
    def unreadable(self) -> int:
        """Rows that failed, for whatever reason."""
        return sum(self.failed.values())

    @property
    def partly(self) -> bool:
        """Was something left undone?"""
        fetched = self.fetched
        return bool(self.failed or self.differs or (fetched and (fetched.failed or fetched.retries_from)))

    @property
    def nothing_met(self) -> bool:
        """Was there nothing at all to read?"""
        met = self.recorded + self.unreadable + self.erased + self.host_files + self.listed + self.unchanged
        return met + self.passed["not-downloaded"] == 0

    def fail(self, where: str, reason: str, detail: str) -> None:
        """Take in a row that gave nothing."""
        self.failed[reason] += 1
        self._name(f"{where}: {detail}")

    def differ(self, where: str) -> None:
        """Take in a picture whose bytes are not what its archive says."""
        self.differs += 1
        self._name(f"{where}: its SHA-256 is not the one that the archive tells, so the address there is not believed")

    def _name(self, line: str) -> None:
        if len(self.named) < _NAMED_MAX:
            self.named.append(one_line(line))

    def so_far(self) -> str:
        """One line of progress."""
        parts = [f"{self.recorded} pictures recorded", f"{self.unreadable} unreadable"]
        if self.listed:
            parts.append(f"{self.listed} addresses listed")
        if self.host_files:
            parts.append(f"{_many(self.host_files, 'robots.txt file')} kept")
        return f"{', '.join(parts)} so far"

    def to_dict(self, seconds: float) -> dict[str, object]:
        """The document of `--json`."""
        return {
            "recorded": self.recorded,
            "new": self.new,
            "plain": self.plain,
            "opted_out": self.opted_out,
            "unreadable": self.unreadable,
            "seconds": round(seconds, 1),
            "files": self.files,
            "files_unchanged": self.unchanged,
            "failed": dict(sorted(self.failed.items())),
            "sha256_differs": self.differs,
            "not_downloaded": self.passed["not-downloaded"],
            "erased": self.erased,
            "host_files": self.host_files,
            "listed": self.listed,
            "queued": self.queued,
            "fetched": self.fetched.to_dict(self.fetched_s) if self.fetched else None,
        }

    fetched_s: float = 0.0
    """How long that took."""

    def failures(self) -> Iterator[str]:
        """The first rows that failed, then the others by reason."""
        yield from self.named
        more = self.unreadable + self.differs - len(self.named)
        if more > 0:
            by_reason = [f"{number} {reason}" for reason, number in sorted(self.failed.items())]
            by_reason += [f"{self.differs} with another SHA-256"] if self.differs else []
            yield f"and {more} more; in all: {', '.join(by_reason)}"

    def lines(self, seconds: float) -> Iterator[str]:
        """The answer for a person."""
        if self.unchanged and not self.files and self.fetched is None:
            yield f"nothing new: {_many(self.unchanged, 'file')} read before; --refresh reads everything again"
            return
        found_not = [f"{n} {why}" for n, why in ((self.plain, "too plain"), (self.opted_out, "opted out")) if n]
        if self.passed["not-downloaded"]:
            yield f"{_many(self.passed['not-downloaded'], 'row')} without a picture, as their archive says"
        if self.host_files:
            yield f"{_many(self.host_files, 'robots.txt file')} kept as evidence"
        if self.erased:
            yield f"{count_of(self.erased, 'image')} not recorded: erased here before"
        if self.listed:
            yield f"{count_of(self.listed, 'address')} listed ({self.queued} new)"
        if self.fetched is not None:
            done_before = ["nothing left to fetch: every address was asked for before"]
            yield from done_before if self.fetched.nothing_done else self.fetched.lines(self.fetched_s)
        if self.unchanged:
            yield f"{_many(self.unchanged, 'file')} read before and left out"
        if self.fetched is not None and not self.recorded:
            if self.unreadable:
                yield f"{_many(self.unreadable, 'row')} without an address that can be read"
            return
        yield (
            f"{count_of(self.recorded, 'image')} recorded ({self.new} new"
            f"{''.join(f', {part}' for part in found_not)}), {self.unreadable} unreadable, {seconds:.1f} s"
        )


def _many(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' if number != 1 else ''}"
