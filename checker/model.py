"""The values that travel from stage to stage, all frozen.

    Finding, Verdict                what a publisher said                       (signals)
    Pixels, Fingerprint, Picture    what the picture is                         (fingerprint)
    Sighting, Visit, Source         what was seen, where and when               (records)

Times are aware datetimes in UTC. A mapping held by a frozen value is never changed after it was made.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import NewType

import numpy as np
import numpy.typing as npt

Sha256 = NewType("Sha256", str)
"""64 lower-case hex digits."""
_UTC_TEXT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")


@lru_cache(maxsize=1024)  # one visit writes the same moment many times
def utc_text(moment: datetime) -> str:
    """Write `moment` as RFC 3339 in UTC, whole seconds: `2026-11-22T14:03:00Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_utc(text: str) -> datetime:
    """Read what `utc_text` wrote. Raises ValueError on anything else."""
    if not _UTC_TEXT.fullmatch(text):
        raise ValueError(f"{text[:40]!r} is no time as 2026-01-31T12:00:00Z")
    return datetime.fromisoformat(text)  # a tenth of strptime's time


# --- signals ---------------------------------------------------------------------------------------------------


class Use(StrEnum):
    """What somebody may want to do with a picture (docs/signals.md, vocabulary)."""

    TRAIN_AI = "train-ai"
    TRAIN_GENAI = "train-genai"
    TDM = "tdm"
    SEARCH = "search"
    INDEX = "index"
    ALL = "all"


class Stance(StrEnum):
    """What was said about a use. Combined by strength: deny > conditional > allow > unspecified.

    `unknown` stands in verdicts only: something was said that could not be read, and doubt is never consent.
    """

    ALLOW = "allow"
    DENY = "deny"
    CONDITIONAL = "conditional"
    UNSPECIFIED = "unspecified"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Finding:
    """One signal read in one place."""

    signal: str
    """The protocol: "robots.txt", "x-robots-tag", "tdmrep", ..."""
    place: str
    """Where exactly: "robots.txt line 3", "header X-Robots-Tag", "tdmrep.json rule 2"."""
    raw: str
    """The text that decided, as it was read, at most 500 characters."""
    uses: Mapping[Use, Stance] = field(default_factory=dict)
    """What this signal says of each use, closed by rule R5; a use that is absent was not spoken of."""
    crawl: Stance = Stance.UNSPECIFIED
    """May our agent fetch the address: allow, deny or unspecified."""
    version: str = ""
    """The document that gives the grammar: "RFC 9309", "draft-ietf-aipref-attach-05"."""
    scope: str = ""
    """What it speaks of: a path pattern, an agent, or empty for the whole resource."""
    malformed: bool = False
    """It was there and could not be read as its grammar demands."""
    unreachable: bool = False
    """It could not be fetched, so what it says is not known."""
    inferred: bool = False
    """Concluded from something said to others (AI crawler tokens), not said to us."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """All findings taken together. Never a bare bool: the findings come along as the evidence."""

    crawl: Stance
    uses: Mapping[Use, Stance]
    """Every use has a value."""
    findings: tuple[Finding, ...]
    """Those that decided first."""

    def to_dict(self) -> dict[str, str]:
        """`{"crawl": "allow", "train-ai": "deny", ...}` in the contract's order."""
        return {"crawl": self.crawl.value, **{use.value: self.uses[use].value for use in Use}}


# --- fingerprint -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CodeKind:
    """A way to make codes. Codes of unlike kinds never compare."""

    name: str
    version: str
    """Names the whole recipe, decoding included: another recipe is another version."""
    bits: int


PHASH256 = CodeKind(name="phash256", version="1", bits=256)
ROBUST_NAME, ROBUST_BITS = "sscd512", 512
"""The second kind. Its version names the model, so one corpus may hold several of them."""


Box = tuple[float, float, float, float]
"""A part of a picture as shares of its width and height: x0, y0, x1, y1, from the top left."""


class Variant(StrEnum):
    """Which part of a picture a stored code was made from."""

    WHOLE = "whole"
    TRIMMED = "trimmed"
    """Without its uniform borders."""
    INNER = "inner"
    INNER_2 = "inner-2"
    INNER_3 = "inner-3"
    """The picture-like rectangles of a screenshot, a captioned or a framed picture, best first."""
    CROP_1X1 = "crop-1x1"
    CROP_4X5 = "crop-4x5"
    CROP_16X9 = "crop-16x9"
    CROP_9X16 = "crop-9x16"
    CROP_3X2 = "crop-3x2"
    CROP_4X3 = "crop-4x3"
    CROP_3X1 = "crop-3x1"
    """The middle of the picture in the shapes that platforms cut to."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """One code: kind with version, and the bits. It carries its kind, so nothing is guessed from a length."""

    kind: CodeKind
    bits: bytes
    """Big-endian, `kind.bits // 8` bytes; for phash256 the order of `str(imagehash.ImageHash)`."""
    variant: Variant = Variant.WHOLE
    crop: Box | None = None
    """The part of the picture that it was made from; None: all of it."""

    def __post_init__(self) -> None:
        if len(self.bits) * 8 != self.kind.bits:
            raise ValueError(f"a {self.kind.name} code has {self.kind.bits} bits, not {len(self.bits) * 8}")

    @property
    def hex(self) -> str:
        """The bits as lower-case hex digits."""
        return self.bits.hex()


class UnreadableReason(StrEnum):
    """Why no picture came out of some bytes. Closed: `Unreadable.detail` has the sentence for a person."""

    MISSING = "missing"
    EMPTY = "empty"
    NOT_A_PICTURE = "not-a-picture"
    FORMAT_NOT_READ = "format-not-read"
    CUT_OFF = "cut-off"
    TOO_LARGE = "too-large"
    DAMAGED = "damaged"
    TOO_COSTLY = "too-costly"
    READER_FAILED = "reader-failed"


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Bytes that gave no picture. A value, not an exception: a bad file among many is a row like the others."""

    reason: UnreadableReason
    detail: str
    """One sentence that says what and what to do, for the person who gave the file."""


@dataclass(frozen=True, slots=True, eq=False)
class Pixels:
    """A picture decoded by the frozen recipe of phash256 version 1 (docs/decisions.md, 3)."""

    grey64: npt.NDArray[np.uint8]
    """(64, 64), rows from the top, EXIF turn applied."""
    width: int
    """Of the picture as shown, in pixels (after the EXIF turn)."""
    height: int
    format: str
    """ "JPEG", "PNG", "WEBP" or "GIF"."""
    view: npt.NDArray[np.uint8] | None = None
    """(height, width, 3) sRGB, at most 640 px a side, EXIF turn applied; None: not asked for."""


@dataclass(frozen=True, slots=True)
class Tiles:
    """Nine phash256 codes of overlapping tiles of a picture: what a candidate is verified by, never searched for.

    Each tile is half as wide and half as high as `crop`; row by row, a quarter of the side apart.
    """

    bits: bytes
    """288 bytes: nine codes one after the other."""
    crop: Box
    """The part of the picture that is tiled: a screenshot's photo, a framed picture without its frame, or all."""

    def __post_init__(self) -> None:
        if len(self.bits) != 9 * PHASH256.bits // 8:
            raise ValueError(f"nine tiles have {9 * PHASH256.bits // 8} bytes, not {len(self.bits)}")


@dataclass(frozen=True, slots=True)
class Picture:
    """What `fingerprint` gives: codes and facts, no pixels."""

    sha256: Sha256
    """Of the bytes as given."""
    byte_size: int
    width: int
    height: int
    format: str
    fingerprints: tuple[Fingerprint, ...]
    plain: bool
    """Too little in it to tell it from other pictures: such a code is never stored, looked up or opted out."""
    tiles: Tiles | None = None
    """None: not made."""

    def fingerprint(self, kind: CodeKind) -> Fingerprint | None:
        """The whole picture's code of this kind, or None where this picture has none."""
        return next((f for f in self.fingerprints if f.kind == kind and f.variant is Variant.WHOLE), None)


# --- records ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Source:
    """A collection of sightings: one crawl or one archive."""

    id: str
    name: str
    kind: str
    """ "crawl", "folder", "archive" (tar, Parquet), "web-archive" (WARC) or "list" (of addresses)."""


@dataclass(frozen=True, slots=True)
class SourceDetails:
    """What whoever ingests a collection says of it. None: nothing was said."""

    version: str | None = None
    """Of the collection."""
    run_by: str | None = None
    """Who made it, or keeps it."""
    contact: str | None = None
    """Where they can be reached: a mail or web address."""
    opt_out: str | None = None
    """Where they take objections."""


NO_DETAILS = SourceDetails()


@dataclass(frozen=True, slots=True)
class Locator:
    """Where in a source a picture lies, so that its keeper can find the record."""

    file: str | None = None
    """Path relative to what was ingested, "/" between parts."""
    row: int | None = None
    key: str | None = None
    column: str | None = None
    """Of the row, where a table has several columns with pictures."""

    def to_dict(self) -> dict[str, str | int | None]:
        """As every answer holds it; `column` is there only where it says something."""
        place: dict[str, str | int | None] = {"file": self.file, "row": self.row, "key": self.key}
        return place if self.column is None else {**place, "column": self.column}


@dataclass(frozen=True, slots=True)
class Sighting:
    """This picture, this address, this time."""

    image_url: str | None
    page_url: str | None
    caption: str | None
    """The alternative text that stood with the picture."""
    source: Source
    locator: Locator | None
    first_seen: datetime
    """When we saw it first; not when it was put there."""
    last_seen: datetime
    verdict: Mapping[str, str]
    """What the publisher said when we last looked, as `Verdict.to_dict` gives it; empty: not asked (a folder)."""
    gone_since: datetime | None = None
    """When we first looked and the address did not show this picture any more (404, 410, another picture)."""
