"""Sources: their rows, what whoever ingested one said of it, and what each of them holds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

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
    gone: int
    """Sightings whose address has the picture no more."""
    listed: int | None
    """Rows of a list of addresses, fetched or not; None: it is no list."""
    details: SourceDetails = NO_DETAILS


def source_document(facts: SourceFacts) -> dict[str, Any]:
    """As `GET /v1/sources` and `hibs sources --json` tell it."""
    return {
        "id": facts.source.id,
        "name": facts.source.name,
        "kind": facts.source.kind,
        "version": facts.details.version,
        "run_by": facts.details.run_by,
        "contact": facts.details.contact,
        "opt_out": facts.details.opt_out,
        "images": facts.images,
        "sightings": facts.sightings,
        "gone": facts.gone,
        "listed": facts.listed,
        "first_seen": utc_text(facts.first_seen),
        "last_seen": utc_text(facts.last_seen) if facts.last_seen else None,
    }


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
        "MAX(last_seen), COUNT(gone_since), listed.rows, version, run_by, contact, opt_out "
        "FROM source LEFT JOIN sighting USING (source_id) "
        "LEFT JOIN (SELECT source_id, COUNT(*) AS rows FROM listed GROUP BY source_id) AS listed USING (source_id) "
        "GROUP BY source.source_id ORDER BY 1"
    ).fetchall()
    return tuple(
        SourceFacts(
            source=Source(id=str(source_id), name=name, kind=kind),
            images=images,
            sightings=sightings,
            first_seen=parse_utc(first),
            last_seen=parse_utc(last) if last else None,
            gone=gone,
            listed=listed,
            details=SourceDetails(*details),
        )
        for source_id, name, kind, first, images, sightings, last, gone, listed, *details in rows
    )
