"""What a question is answered with, frozen like everything that travels between stages (model.py)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from checker.model import Sighting, Stance


class Orientation(StrEnum):
    """How a copy lies, as seen from the photo that was asked about. Turns are clockwise."""

    AS_IS = "as-is"
    TURNED_90 = "turned-90"
    TURNED_180 = "turned-180"
    TURNED_270 = "turned-270"
    MIRRORED = "mirrored"
    MIRRORED_TURNED_90 = "mirrored-turned-90"
    MIRRORED_TURNED_180 = "mirrored-turned-180"
    MIRRORED_TURNED_270 = "mirrored-turned-270"


class MatchKind(StrEnum):
    """How sure a match is (docs/decisions.md, 4)."""

    SAME = "same"
    EDITED = "edited"
    POSSIBLE = "possible"


@dataclass(frozen=True, slots=True)
class Withheld:
    """Said instead of the sightings of a hidden picture: one wording for all reasons (docs/decisions.md, 9)."""

    count: int
    first_seen_month: str
    """ "2026-05"."""


@dataclass(frozen=True, slots=True)
class Match:
    """A stored picture that is near the one asked about."""

    handle: str
    """Opaque, valid for a day; opens `GET /v1/images/{handle}`. Empty: not told (a list without a reason)."""
    kind: MatchKind
    orientation: Orientation
    crop: tuple[float, float, float, float] | None
    """The part of the asked photo that matched, as fractions x0, y0, x1, y1; None: all of it."""
    distances: Mapping[str, int]
    """Hamming distance in bits by kind of code."""
    sightings: tuple[Sighting, ...]
    """Oldest first. Empty where withheld."""
    withheld: Withheld | None = None
    expected_chance_matches: float | None = None
    """How many unrelated pictures a corpus of this size would show this near; None: nothing was compared (a handle).
    Holds for honest pictures: a code can be forged (docs/decisions.md, 16)."""
    stored_crop: tuple[float, float, float, float] | None = None
    """The part of the stored picture that the asked photo shows; None: all of it, or not told."""
    codes_disagree: bool = False
    """One code says near and the other, or the tiles, that it is not."""


def said_words(verdict: Mapping[str, str]) -> str:
    """A verdict in a cell of a table: `train-ai: deny; tdm: deny`. Empty: nothing was said, or nobody was asked."""
    return "; ".join(f"{use}: {said}" for use, said in verdict.items() if said != Stance.UNSPECIFIED)


@dataclass(frozen=True, slots=True)
class Coverage:
    """What an answer rests on. Goes with every answer: not found is no proof."""

    images: int
    """Pictures that can be found."""
    sources: int
    newest: datetime | None
    checks: tuple[str, ...]
    """Kinds of code that were compared."""


class CheckStatus(StrEnum):
    """What became of one asked picture."""

    CHECKED = "checked"
    UNREADABLE = "unreadable"
    TOO_PLAIN = "too-plain"


@dataclass(frozen=True, slots=True)
class Report:
    """The answer about one picture."""

    status: CheckStatus
    reason: str | None
    """One sentence, when status is not `checked`."""
    coverage: Coverage
    matches: tuple[Match, ...]
    """Nearest first."""
