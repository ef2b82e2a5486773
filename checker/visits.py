"""What a crawl brings home: addresses that were found, answers that were had, pictures that were seen."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from checker.model import Picture, Verdict


@dataclass(frozen=True, slots=True)
class FoundLink:
    """An address found on a page."""

    url: str
    kind: str
    """ "page" or "image"."""
    found_as: str
    """How: "a href", "img src", "img srcset"."""
    caption: str | None = None
    ask_url: str | None = None
    """With the secret parts of its query, to be asked for once and then forgotten; None: it has none."""
    priority: int = 0
    """0: a page, or a picture that is shown; 1: another size of one, an icon, a background."""
    shown_on: str | None = None
    """The page that shows the picture, where a sitemap or feed says so; None: the page it was found on."""


@dataclass(frozen=True, slots=True)
class FetchedFile:
    """What asking for one address gave, as evidence; `records/evidence.py` says what of it is kept."""

    url: str
    status: int | None
    error: str | None
    """Why there was no response: "timeout", "connection", ..."""
    body: bytes | None
    headers: tuple[tuple[str, str], ...]
    fetched_at: datetime


@dataclass(frozen=True, slots=True)
class PictureSeen:
    """One picture as it was met: by the crawler at an address, or in a folder."""

    picture: Picture
    servable: bool
    """False: its codes are not stored (index is denied, conditional or unknown; or an opt-out names it)."""
    headers: tuple[tuple[str, str], ...] = ()
    """Response headers that matter as evidence, in order of arrival."""


class Outcome(StrEnum):
    """How a visit ended."""

    DONE = "done"
    FAILED = "failed"
    DISALLOWED = "disallowed"


@dataclass(frozen=True, slots=True)
class Visit:
    """Everything one visit to one address gave; recorded in one transaction."""

    url: str
    kind: str
    """ "page" or "image"."""
    outcome: Outcome
    seen_at: datetime
    reason: str | None = None
    """Why it failed or was disallowed, from a closed list of short names ("http-404", "timeout", "robots.txt")."""
    retry_at: datetime | None = None
    """Failed and worth another try from then on."""
    status: int | None = None
    verdict: Verdict | None = None
    seen: PictureSeen | None = None
    links: tuple[FoundLink, ...] = ()
    depth: int = 0
    """Of this page; its links are one deeper."""
    evidence: tuple[FetchedFile, ...] = ()
    unchanged: bool = False
    """The picture is the one that was seen there last (304)."""
