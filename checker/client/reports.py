"""JSON of a look-up -> the `Report` that `Checker` gives: one type, whoever was asked.

Every member is checked before anything is made of it: a server may be anybody's, and a case of hours must not end in a
report that cannot be written.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from checker.client.answers import NUMBER_MAX, Count, CoverageTold, LocatorTold, SourceTold, Time
from checker.client.asking import Asker
from checker.errors import RemoteError
from checker.model import Locator, Sighting, Source
from checker.report import CheckStatus, Coverage, Match, MatchKind, Orientation, Report, Withheld

_MATCHES_MAX = _PLACES_MAX = 10_000
Share = Annotated[float, Field(ge=0, le=NUMBER_MAX, allow_inf_nan=False)]
Box = Annotated[list[Share], Field(min_length=4, max_length=4)]


@dataclass(frozen=True, slots=True)
class SightingTold:
    """A picture, at a place, from one time to another."""

    image_url: str | None
    page_url: str | None
    caption: str | None
    source: SourceTold
    locator: LocatorTold | None
    first_seen: Time
    last_seen: Time
    verdict: dict[str, str]

    def sighting(self) -> Sighting:
        """The same as `Checker` gives it."""
        at = self.locator
        return Sighting(
            image_url=self.image_url,
            page_url=self.page_url,
            caption=self.caption,
            source=Source(self.source.id, self.source.name, self.source.kind),
            locator=Locator(at.file, at.row, at.key, at.column) if at else None,
            first_seen=self.first_seen,
            last_seen=self.last_seen,
            verdict=self.verdict,
        )


@dataclass(frozen=True, slots=True)
class WithheldTold:
    """How much is not shown."""

    count: Count
    first_seen_month: Annotated[str, Field(pattern=r"^\d{4}-\d\d$")]


@dataclass(frozen=True, slots=True)
class MatchTold:
    """A picture that is near."""

    handle: str | None
    """None: not told (a list without a reason)."""
    kind: MatchKind
    orientation: Orientation
    crop: Box | None
    stored_crop: Box | None
    codes: dict[str, Count]
    codes_disagree: bool
    expected_chance_matches: Share | None
    where: Literal["shown", "withheld"]
    sightings: Annotated[list[SightingTold], Field(max_length=_PLACES_MAX)]
    withheld: WithheldTold | None = None

    def match(self) -> Match:
        """The same as `Checker` gives it."""
        held = self.withheld
        return Match(
            handle=self.handle or "",  # which opens nothing
            kind=self.kind,
            orientation=self.orientation,
            crop=_box(self.crop),
            stored_crop=_box(self.stored_crop),
            distances=self.codes,
            sightings=tuple(one.sighting() for one in self.sightings),
            withheld=Withheld(held.count, held.first_seen_month) if held else None,
            expected_chance_matches=self.expected_chance_matches,
            codes_disagree=self.codes_disagree,
        )


@dataclass(frozen=True, slots=True)
class ReportTold:
    """The answer to a look-up."""

    status: Literal["checked"]
    """A server refuses what it cannot read with a problem."""
    reason: str | None
    coverage: CoverageTold
    matches: Annotated[list[MatchTold], Field(max_length=_MATCHES_MAX)]


@dataclass(frozen=True, slots=True)
class RowTold:
    """The answer to one row of a list."""

    row: Count
    id: str | None
    status: Literal["checked"]
    found: bool
    matches: Annotated[list[MatchTold], Field(max_length=_MATCHES_MAX)]


@dataclass(frozen=True, slots=True)
class BulkAnswer:
    """One row of a list, answered."""

    row: int
    """1 is the first that was sent."""
    id: str | None
    """As it was sent."""
    matches: tuple[Match, ...]

    def report(self, coverage: Coverage) -> Report:
        """The same as the answer to one look-up."""
        return Report(CheckStatus.CHECKED, None, coverage, self.matches)


def read_report(asker: Asker, body: bytes) -> Report:
    """One report. Raises RemoteError."""
    told = asker.read(ReportTold, body, "report")
    matches = tuple(one.match() for one in told.matches)
    return Report(CheckStatus.CHECKED, told.reason, told.coverage.coverage(), matches)


def read_match(asker: Asker, body: bytes) -> Match:
    """One match. Raises RemoteError."""
    return asker.read(MatchTold, body, "picture of an answer").match()


def read_rows(asker: Asker, body: bytes) -> Iterator[BulkAnswer]:
    """NDJSON: one answer a line, numbered from 1.

    Raises:
        RemoteError: a line is of another form, is missing or stands twice.
    """
    for number, line in enumerate(body.splitlines(), start=1):
        told = asker.read(RowTold, line, "answer to a row")
        if told.row != number:
            raise RemoteError(f"{asker.name} answered row {told.row} where row {number} was to come; try again later")
        yield BulkAnswer(told.row, told.id, tuple(one.match() for one in told.matches))


def _box(sides: list[float] | None) -> tuple[float, float, float, float] | None:
    return (sides[0], sides[1], sides[2], sides[3]) if sides else None
