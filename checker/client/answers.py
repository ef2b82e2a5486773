"""What a server answers, beside reports: frozen, of the form that docs/api.md tells; unknown members are left out."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, PlainSerializer, PlainValidator

from checker.model import parse_utc, utc_text
from checker.report import Coverage

NUMBER_MAX = 2**53 - 1
"""Larger ones are not the same in every reader of JSON (RFC 8259 6)."""


def _time(value: Any) -> datetime:
    if not isinstance(value, str):
        raise ValueError("a time is a text")
    return parse_utc(value)


Time = Annotated[datetime, PlainValidator(_time), PlainSerializer(utc_text)]
Count = Annotated[int, Field(ge=0, le=NUMBER_MAX)]


@dataclass(frozen=True, slots=True)
class SourceTold:
    """A source, in a sighting."""

    id: str
    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class LocatorTold:
    """Where in a source a picture lies."""

    file: str | None
    row: Count | None
    key: str | None
    column: str | None = None


@dataclass(frozen=True, slots=True)
class CoverageTold:
    """What an answer rests on."""

    images: Count
    sources: Count
    newest: Time | None
    checks: Annotated[list[str], Field(max_length=100)]

    def coverage(self) -> Coverage:
        """The same as `Checker` gives it."""
        return Coverage(self.images, self.sources, self.newest, tuple(self.checks))


# --- opt-outs --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RecordedOptOut:
    """What whoever opted out takes home. Not verified here: `verify_receipt` does that."""

    number: str
    receipt: dict[str, Any] | None
    """NUMBER.receipt.json. None: it is held."""
    withdraw_code: str
    """The secret."""
    held: bool
    alerts: str | None = None
    """Address of an Atom feed of new copies: a secret."""


@dataclass(frozen=True, slots=True)
class SeenByHolder:
    """Where a picture of an opt-out was seen, as its holder is told."""

    image_url: str | None
    page_url: str | None
    source: SourceTold
    locator: LocatorTold | None
    first_seen: Time
    last_seen: Time
    new: bool
    look: str


@dataclass(frozen=True, slots=True)
class OperatorTold:
    """What is known of one of those who follow the list."""

    operator: str
    received_on: str | None
    stated_on: str | None
    stated_size: Count | None
    says: str


@dataclass(frozen=True, slots=True)
class OptOutStatus:
    """How an opt-out stands. The last five are for the holder; None: they were not told."""

    number: str
    state: str
    index: Count | None
    uses: list[str]
    evidence: str
    pictures: Count
    recorded_at: Time
    withdraw_at: Time | None
    addresses: list[str] = field(default_factory=list)
    reason: str | None = None
    sightings: list[SeenByHolder] | None = None
    sightings_all: Count | None = None
    new: Count | None = None
    operators: list[OperatorTold] | None = None
    alerts: str | None = None
    """As in `RecordedOptOut`. None: the opt-out has ended, too."""


# --- what operators state --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Statement:
    """What an operator says that it did; nobody has checked it."""

    operator: str
    states: str
    feed_size: Count
    root: str
    rows_in: Count
    rows_out: Count
    report_digest: str
    stated_at: Time


@dataclass(frozen=True, slots=True)
class Statements:
    """Newest first."""

    statements: list[Statement]


# --- many look-ups ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class BulkJob:
    """A list of look-ups, and how far it is."""

    job: Annotated[str, Field(pattern="^[0-9a-f]{32}$")]
    state: Literal["waiting", "running", "done", "failed"]
    purpose: str
    case: str
    rows: Count
    done: Count
    found: Count
    seconds_left: Count | None
    coverage: CoverageTold | None
    made_at: Time
    gone_at: Time


@dataclass(frozen=True, slots=True)
class BulkJobs:
    """The lists of a key, newest first."""

    jobs: list[BulkJob]


@dataclass(frozen=True, slots=True)
class Deleted:
    """A list that is gone."""

    deleted: str


# --- facts -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """A source with what it holds."""

    id: str
    name: str
    kind: str
    images: Count
    sightings: Count
    gone: Count
    listed: Count | None
    first_seen: Time
    last_seen: Time | None
    version: str | None
    run_by: str | None
    contact: str | None
    opt_out: str | None


@dataclass(frozen=True, slots=True)
class Sources:
    """All sources, oldest first."""

    sources: list[SourceFacts]


@dataclass(frozen=True, slots=True)
class LogFacts:
    """The opt-out log."""

    origin: str
    size: Count


@dataclass(frozen=True, slots=True)
class Stats:
    """Figures of a service."""

    images: Count
    images_findable: Count
    sightings: Count
    pages: Count
    sources: Count
    newest: Time | None
    log: LogFacts


@dataclass(frozen=True, slots=True)
class LookUpMonth:
    """Look-ups that were answered in one month."""

    month: str
    kind: str
    """look-up, private-list (a whole list for a private check), private-sketch (a part of one)."""
    count: Count


@dataclass(frozen=True, slots=True)
class OptOutMonth:
    """Opt-outs that were recorded in one month, by how they stand now."""

    month: str
    state: str
    count: Count


@dataclass(frozen=True, slots=True)
class ActMonth:
    """Acts of holders of keys in one month."""

    month: str
    act: str
    count: Count


@dataclass(frozen=True, slots=True)
class Transparency:
    """What a service did; newest month first."""

    counted_at: Time
    look_ups_since: str | None
    """The first day counted ("2026-11-22"). None: none yet."""
    look_ups: list[LookUpMonth]
    opt_outs: list[OptOutMonth]
    acts: list[ActMonth]


@dataclass(frozen=True, slots=True)
class Ready:
    """The databases of a service answer."""

    status: str
    images: Count
    log_size: Count


@dataclass(frozen=True, slots=True)
class AuditCount:
    """What one holder of a key did for one purpose in one month."""

    month: str
    holder: str
    act: str
    purpose: str
    acts: Count
    amount: Count


@dataclass(frozen=True, slots=True)
class AuditCounts:
    """Newest month first."""

    counts: list[AuditCount]
