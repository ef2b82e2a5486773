"""Writing one visit or one archived picture. Every function runs inside its caller's transaction.

Every write is idempotent: the same visit told twice changes `last_seen` at most.
"""

from __future__ import annotations

import json
from datetime import datetime

from sqlite_utils import Database

from checker.model import CodeKind, FoundLink, Locator, Outcome, PictureSeen, Source, Visit, utc_text
from checker.records.frontier import end_visit, queue_link
from checker.records.interfaces import Recorded
from checker.records.rows import finding_document, intern_url, intern_verdict

_Page = tuple[int, str | None, str | None]
"""Id of a page's address (0: none), how the picture was found there, its caption."""


def record_visit(db: Database, visit: Visit, *, source: Source) -> Recorded:
    """Findings, picture, codes, sightings, new links and the frontier's state of one visit."""
    url_id = intern_url(db, visit.url)
    verdict_id = intern_verdict(db, visit.verdict.to_dict()) if visit.verdict else None
    _record_findings(db, url_id, visit)
    recorded = Recorded()
    if visit.seen is not None:
        recorded = _record_picture(db, visit.seen, visit.seen_at)
        for page in _pages_that_embed(db, url_id):
            _sight(db, recorded.image_id, source, visit, url_id, page, verdict_id)
    elif visit.outcome is Outcome.DISALLOWED and verdict_id is not None:
        # What was said since we recorded this picture counts for the old sightings too (a later no wins).
        db.execute("UPDATE sighting SET verdict_id = ? WHERE image_url_id = ?", (verdict_id, url_id))
    added = sum(_follow(db, visit, url_id, link, source) for link in visit.links)
    end_visit(db, url_id, visit, verdict_id)
    return Recorded(image_id=recorded.image_id, new_image=recorded.new_image, links_added=added)


def record_archived(db: Database, seen: PictureSeen, *, source: Source, locator: Locator, now: datetime) -> Recorded:
    """A picture met in an archive, and where in it."""
    place = {k: v for k, v in (("file", locator.file), ("row", locator.row), ("key", locator.key)) if v is not None}
    recorded = _record_picture(db, seen, now)
    db.execute(
        "INSERT INTO sighting (image_id, source_id, locator, first_seen, last_seen) VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT DO UPDATE SET last_seen = excluded.last_seen",
        (recorded.image_id, int(source.id), json.dumps(place, sort_keys=True), utc_text(now), utc_text(now)),
    )
    return recorded


def _record_picture(db: Database, seen: PictureSeen, now: datetime) -> Recorded:
    picture = seen.picture
    sha256 = bytes.fromhex(picture.sha256)
    added = db.execute(
        "INSERT INTO image (sha256, byte_size, width, height, format, first_seen) VALUES (?, ?, ?, ?, ?, ?) "
        "ON CONFLICT DO NOTHING RETURNING image_id",
        (sha256, picture.byte_size, picture.width, picture.height, picture.format, utc_text(now)),
    ).fetchone()
    row = added or db.execute("SELECT image_id FROM image WHERE sha256 = ?", (sha256,)).fetchone()
    if seen.servable and not picture.plain:
        for code in picture.fingerprints:
            db.execute(
                "INSERT INTO code (image_id, kind_id, variant, bits) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (row[0], _kind_id(db, code.kind), code.variant.value, code.bits),
            )
    return Recorded(image_id=row[0], new_image=added is not None)


def _sight(
    db: Database,
    image_id: int | None,
    source: Source,
    visit: Visit,
    image_url_id: int,
    page: _Page,
    verdict_id: int | None,
) -> None:
    page_url_id, found_as, caption = page
    headers = json.dumps(visit.seen.headers) if visit.seen else None
    now = utc_text(visit.seen_at)
    db.execute(
        "INSERT INTO sighting (image_id, source_id, image_url_id, page_url_id, caption, found_as, headers, "
        "verdict_id, first_seen, last_seen) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
        "last_seen = excluded.last_seen, verdict_id = excluded.verdict_id, caption = excluded.caption, "
        "headers = COALESCE(excluded.headers, headers)",
        (image_id, int(source.id), image_url_id, page_url_id, caption, found_as, headers, verdict_id, now, now),
    )


def _pages_that_embed(db: Database, image_url_id: int) -> list[_Page]:
    rows = db.execute(
        "SELECT page_url_id, found_as, caption FROM embed WHERE image_url_id = ? ORDER BY page_url_id",
        (image_url_id,),
    ).fetchall()
    return rows or [(0, None, None)]  # a start address that is itself a picture stands on no page


def _follow(db: Database, visit: Visit, page_url_id: int, link: FoundLink, source: Source) -> int:
    """Queue one link of a page; 1 when its address was new. A picture that is known already is sighted here."""
    url_id, added = queue_link(db, link, depth=visit.depth + 1, now=visit.seen_at)
    if link.kind != "image":
        return added
    db.execute(
        "INSERT INTO embed (page_url_id, image_url_id, found_as, caption) VALUES (?, ?, ?, ?) "
        "ON CONFLICT DO UPDATE SET found_as = excluded.found_as, caption = excluded.caption",
        (page_url_id, url_id, link.found_as, link.caption),
    )
    known = db.execute(
        "SELECT image_id, verdict_id FROM sighting WHERE image_url_id = ? ORDER BY last_seen DESC LIMIT 1", (url_id,)
    ).fetchone()
    if known:
        _sight(db, known[0], source, visit, url_id, (page_url_id, link.found_as, link.caption), known[1])
    return added


def _record_findings(db: Database, url_id: int, visit: Visit) -> None:
    for finding in visit.verdict.findings if visit.verdict else ():
        db.execute(
            "INSERT INTO finding (url_id, signal, place, raw, document, seen_at) VALUES (?, ?, ?, ?, ?, ?) "
            "ON CONFLICT DO UPDATE SET seen_at = excluded.seen_at",
            (url_id, finding.signal, finding.place, finding.raw, finding_document(finding), utc_text(visit.seen_at)),
        )


def _kind_id(db: Database, kind: CodeKind) -> int:
    db.execute(
        "INSERT INTO code_kind (name, version, bits) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        (kind.name, kind.version, kind.bits),
    )
    row = db.execute(
        "SELECT kind_id FROM code_kind WHERE name = ? AND version = ?", (kind.name, kind.version)
    ).fetchone()
    return int(row[0])
