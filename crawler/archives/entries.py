"""What comes out of an archive, row by row, whatever its format is.

A reader takes one file and gives its entries in order. It is a function of that file alone: it reads forwards, holds a
bounded part of it in memory, contacts nobody and raises nothing. What it cannot read it names: damage is one entry
like the others, after which the file ends.

Every entry says where the reader goes on behind it (`after`), in units that only the reader knows. A run that is
broken off gives that back as `start`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from checker.model import Locator, Sha256
from checker.settings import Settings
from checker.visits import FetchedFile


class Trouble(StrEnum):
    """Why a row gave no picture and no address. Closed; these stand in the summary."""

    DAMAGED = "damaged"
    """The file cannot be read from here on."""
    TOO_LARGE = "too-large"
    NOT_READ = "not-read"
    """The picture is there in a form that is not read: a link, a format, an encoding."""
    NO_PICTURE = "no-picture"
    """The row should hold a picture and does not."""
    NO_ADDRESS = "no-address"
    """The row should hold an address and does not."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What readers keep to."""

    picture_bytes_max: int
    """Of one picture; larger ones are named and passed over."""
    url_characters_max: int = 2_048
    """As in a crawl (`CrawlSettings`)."""

    @classmethod
    def of(cls, settings: Settings) -> Limits:
        """Those of an installation."""
        return cls(picture_bytes_max=settings.picture_bytes_max)


@dataclass(frozen=True, slots=True)
class Told:
    """What an archive says of one of its pictures. Hearsay of whoever made it."""

    image_url: str | None = None
    """What may be stored of it (`crawler.addresses.storable`); None: not said, or no address."""
    page_url: str | None = None
    caption: str | None = None
    sha256: Sha256 | None = None
    """Of the bytes that lay at `image_url`, which an archive may hold resized."""
    resized: bool = False
    """It says that it holds another size than it found, so `sha256` is not of its own bytes."""


NOTHING_TOLD = Told()


@dataclass(frozen=True, slots=True)
class Item:
    """One picture, or the address of one."""

    locator: Locator
    after: int
    body: bytes | None
    """None: only its address is there, and it has to be fetched."""
    told: Told = NOTHING_TOLD
    headers: tuple[tuple[str, str], ...] = ()
    """Of the response that carried it, in order."""
    status: int | None = None
    """Of that response; None: there is none."""
    fetched_at: datetime | None = None
    """None: not known."""
    ask_url: str | None = None
    """The address as it is asked for, where it has parts that must not be stored."""

    @property
    def url_only(self) -> bool:
        """Has it to be fetched?"""
        return self.body is None


@dataclass(frozen=True, slots=True)
class HostFile:
    """A robots.txt, as an archive has it."""

    after: int
    file: FetchedFile


@dataclass(frozen=True, slots=True)
class Failed:
    """A row that should have given something."""

    locator: Locator
    after: int
    trouble: Trouble
    detail: str
    """One sentence for a person: what, and what to do."""


@dataclass(frozen=True, slots=True)
class Passed:
    """Rows that hold nothing for us, and that is no failure."""

    after: int
    why: str
    """ "not-downloaded" (their archive has no picture there) or "no-picture" (a page, a request)."""


Entry = Item | HostFile | Failed | Passed


@dataclass(frozen=True, slots=True)
class ArchiveFile:
    """One file to read, or one folder of pictures."""

    path: Path
    name: str
    """What its locators say: the path relative to the folder as given, "/" between parts."""


class Reader(Protocol):
    """Reads one file."""

    def __call__(self, file: ArchiveFile, *, start: int, limits: Limits) -> Iterator[Entry]:
        """Give its entries, from the one at `start` on (0: all of them)."""
        ...
