"""Which hosts have addresses that wait, and which of them may be asked now.

    ready     rested; the next free place is theirs, longest rested first
    snoozed   resting until a time that is known
    busy      a request of theirs is under way
    parked    failed so often in a row that this run leaves them alone

A heap by time, so that choosing costs the same with ten hosts and with a hundred thousand. Times are seconds of the
clock that never goes back.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HostCounts:
    """How many hosts are in which state."""

    ready: int
    snoozed: int
    busy: int


class Hosts:
    """The hosts of one run."""

    def __init__(self, rested_at_s: Callable[[str], float]) -> None:
        """`rested_at_s`: from when on a host may be asked again."""
        self._rested_at_s = rested_at_s
        self._heap: list[tuple[float, int, str]] = []
        self._waiting: set[str] = set()
        self._busy: set[str] = set()
        self._number = 0

    def offer(self, names: Iterable[str]) -> None:
        """These have an address that is due. Those that are known stay as they are."""
        for name in names:
            if name not in self._waiting and name not in self._busy:
                self._push(name)

    def take(self, count: int, *, now_s: float) -> list[str]:
        """Up to `count` hosts that may be asked now; they are busy until `back` or `drop`."""
        taken: list[str] = []
        while len(taken) < count and self._heap and self._heap[0][0] <= now_s:
            name = heapq.heappop(self._heap)[2]
            self._waiting.discard(name)
            if self._rested_at_s(name) > now_s:  # asked meanwhile: for a robots.txt, or as a redirect's target
                self._push(name)
                continue
            self._busy.add(name)
            taken.append(name)
        return taken

    def back(self, name: str) -> None:
        """Its request is over; there may be more to ask for."""
        self._busy.discard(name)
        if name not in self._waiting:
            self._push(name)

    def drop(self, name: str) -> None:
        """There is nothing to ask it for."""
        self._busy.discard(name)

    def next_s(self) -> float | None:
        """When the next host may be asked; None: none waits."""
        return self._heap[0][0] if self._heap else None

    @property
    def busy(self) -> int:
        """How many have a request under way."""
        return len(self._busy)

    def counts(self, *, now_s: float) -> HostCounts:
        """Takes time that grows with the number of hosts."""
        ready = sum(rested_s <= now_s for rested_s, _, _ in self._heap)
        return HostCounts(ready=ready, snoozed=len(self._heap) - ready, busy=len(self._busy))

    def _push(self, name: str) -> None:
        self._number += 1  # of equal times the first come is first
        self._waiting.add(name)
        heapq.heappush(self._heap, (self._rested_at_s(name), self._number, name))
