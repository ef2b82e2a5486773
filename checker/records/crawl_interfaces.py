"""What a crawl relies on, as `interfaces` is for the stages after it. `frontier.py` and `recrawl.py` implement it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from checker.model import Finding
from checker.visits import FoundLink


@dataclass(frozen=True, slots=True)
class KnownPicture:
    """What was recorded when the picture at an address was last fetched."""

    headers: tuple[tuple[str, str], ...]
    """Of that answer, as far as they matter: ETag, Last-Modified and signals."""
    findings: tuple[Finding, ...]
    """What the file says of itself."""


@dataclass(frozen=True, slots=True)
class HostBudget:
    """How many addresses of one host are ever queued."""

    pages: int = 2**62
    images: int = 2**62


UNBOUNDED = HostBudget()


@dataclass(frozen=True, slots=True)
class HostRest:
    """How long a host is to be left alone, in a form that outlasts a run."""

    host: str
    ready_at: datetime
    backoff_s: float
    """What the next error doubles."""


@dataclass(frozen=True, slots=True)
class Lease:
    """One address that was handed out."""

    url: str
    kind: str
    """ "page" or "image"."""
    depth: int
    host: str
    """Scheme, host and port: what politeness is counted by."""
    attempt: int
    """1 for the first try."""
    ask_url: str
    """What to ask for: `url` with the secret parts of its query, if it has any. Never written down elsewhere."""


@dataclass(frozen=True, slots=True)
class FrontierCounts:
    """How far a crawl is, by state."""

    queued: int
    leased: int
    done: int
    failed: int
    disallowed: int


class Frontier(Protocol):
    """The addresses to visit. Lives in the corpus database, so that results and states commit together."""

    def add(self, links: Sequence[FoundLink], *, depth: int, now: datetime, budget: HostBudget = UNBOUNDED) -> int:
        """Queue addresses that are not known yet; the number added."""
        ...

    def lease(
        self, *, host: str, seconds: int, now: datetime, kinds: Sequence[str] = ("page", "image")
    ) -> Lease | None:
        """Take the next address of `host` and of these kinds that is due; None: nothing is.

        Expired leases are taken again.
        """
        ...

    def hosts_due(self, *, now: datetime, kinds: Sequence[str] = ("page", "image")) -> tuple[str, ...]:
        """Hosts with at least one address that may be visited now, in order of their oldest address."""
        ...

    def next_due(self, *, kinds: Sequence[str] = ("page", "image")) -> datetime | None:
        """When the next address becomes due (queued for later, or a lease that expires). None: nothing is left."""
        ...

    def release(self, *, now: datetime) -> int:
        """Put every leased address back (the start of a run: the process that held them is gone)."""
        ...

    def requeue(self, *, now: datetime, reasons: Sequence[str] | None = None) -> int:
        """Queue everything that was done, for `--refresh`; with `reasons`, only what failed for one of them."""
        ...

    def counts(self, *, kinds: Sequence[str] = ("page", "image")) -> FrontierCounts:
        """How far the crawl is."""
        ...

    def scope(self, text: str, *, replace: bool = False) -> str:
        """Remember the scope of this crawl on the first call, give back the remembered one ever after."""
        ...
