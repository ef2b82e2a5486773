"""Sources: their rows, what whoever ingested one said of it, and what each of them holds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlite_utils import Database

from checker.errors import InputError
from checker.model import NO_DETAILS, Source, SourceDetails, parse_utc, utc_text


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """One row of /v1/sources."""

    source: Source
    images: int
    sightings: int
    first_seen: datetime
    last_seen: datetime | None
    details: SourceDetails = NO_DETAILS


def intern_source(db: Database, name: str, *, kind: str, details: SourceDetails, now: datetime) -> Source:
    """The source of this name and kind; made when it is new. Runs inside the caller's transaction.

    What is said of it now counts from now on, what is left unsaid stays. Its version never changes: what was seen in
    the first release would be said to stand in the second.

    Raises:
        InputError: it is known as another version.
    """
    db.execute(
        "INSERT INTO source (name, kind, first_seen) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        (name, kind, utc_text(now)),
    )
    source_id, version = db.execute(
        "SELECT source_id, version FROM source WHERE name = ? AND kind = ?", (name, kind)
    ).fetchone()
    if details.version is not None and version not in (None, details.version):
        raise InputError(
            f"the source {name!r} is recorded here as version {version}, not {details.version}; "
            f"give another version a name of its own, for example --source {f'{name} {details.version}'!r}"
        )
    if details != NO_DETAILS:
        db.execute(
            "UPDATE source SET version = COALESCE(?, version), run_by = COALESCE(?, run_by), "
            "contact = COALESCE(?, contact), opt_out = COALESCE(?, opt_out) WHERE source_id = ?",
            (details.version, details.run_by, details.contact, details.opt_out, source_id),
        )
    return Source(id=str(source_id), name=name, kind=kind)


def source_facts(db: Database) -> tuple[SourceFacts, ...]:
    """Every source with what it holds, oldest first."""
    rows = db.execute(
        # An archive was seen by its maker, long before it was read here.
        "SELECT source.source_id, name, kind, MIN(source.first_seen, COALESCE(MIN(sighting.first_seen), "
        "source.first_seen)), COUNT(DISTINCT image_id), COUNT(sighting_id), "
        "MAX(last_seen), version, run_by, contact, opt_out "
        "FROM source LEFT JOIN sighting USING (source_id) GROUP BY source.source_id ORDER BY 1"
    ).fetchall()
    return tuple(
        SourceFacts(
            source=Source(id=str(source_id), name=name, kind=kind),
            images=images,
            sightings=sightings,
            first_seen=parse_utc(first),
            last_seen=parse_utc(last) if last else None,
            details=SourceDetails(*details),
        )
        for source_id, name, kind, first, images, sightings, last, *details in rows
    )
