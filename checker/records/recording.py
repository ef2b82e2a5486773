"""Writing one visit or one archived picture. Every function runs inside its caller's transaction.

Every write is idempotent: the same visit told twice changes `last_seen` at most, and adds the codes that a picture
did not have yet. The verdict in a sighting is the newest; those before it stay in `said` (`evidence.py`).

What counts for a sighting is what was said of the picture itself and what the page that shows it said of its
pictures: the same picture may stand on a page that refuses training and on one that does not.
"""

from __future__ import annotations

import json
from datetime import datetime

from sqlite_utils import Database

from checker.model import (
    Finding,
    FoundLink,
    Locator,
    Outcome,
    PictureSeen,
    Source,
    Stance,
    Use,
    Verdict,
    Visit,
    utc_text,
)
from checker.records.codes import record_codes
from checker.records.erasure import is_erased
from checker.records.evidence import Told, keep_files, note_said
from checker.records.frontier import end_visit, queue_link
from checker.records.interfaces import Recorded
from checker.records.rows import digest, finding_document, intern_url, intern_verdict, read_finding
from checker.signals.html import reaches_pictures
from checker.signals.statements import without_permissions
from checker.signals.verdict import as_collected, combine, with_doubt

_Page = tuple[int, str | None, str | None]
"""Id of a page's address (0: none), how the picture was found there, its caption."""
_Known = tuple[int, Finding]
"""A finding and its id."""


def record_visit(db: Database, visit: Visit, *, source: Source) -> Recorded:
    """Findings, picture, codes, sightings, new links and the frontier's state of one visit.

    Nothing is recorded of an address whose picture was erased, not even when the visit began before.
    """
    url_id = intern_url(db, visit.url)
    if is_erased(db, url_id):
        return Recorded()
    verdict_id = intern_verdict(db, visit.verdict.to_dict()) if visit.verdict else None
    keep_files(db, url_id, visit)
    finding_ids = _record_findings(db, url_id, visit)
    if verdict_id is not None:
        note_said(db, url_id, [0], Told(verdict_id, finding_ids, visit.seen_at))
    recorded, added = Recorded(), 0
    if visit.seen is not None:
        recorded = _record_picture(db, visit.seen, visit.seen_at)
        for page in _pages_that_embed(db, url_id):
            _sight(db, recorded.image_id, source, visit, url_id, page)
    elif (refusal := _later_refusal(visit)) is not None:
        # What was said since we recorded this picture counts for the old sightings too (a later no wins).
        refusal_id = intern_verdict(db, refusal.to_dict())
        refused = db.execute(
            "UPDATE sighting SET verdict_id = ? WHERE image_url_id = ? RETURNING sighting_id", (refusal_id, url_id)
        ).fetchall()
        note_said(db, url_id, [row[0] for row in refused], Told(refusal_id, finding_ids, visit.seen_at))
    elif visit.outcome is Outcome.DONE:
        added = _follow_all(db, visit, url_id, source)
    end_visit(db, url_id, visit, verdict_id)
    return Recorded(image_id=recorded.image_id, new_image=recorded.new_image, links_added=added)


def said_of_pictures(db: Database, page_url_id: int) -> tuple[Finding, ...]:
    """What a page said of the pictures on it when it was last read."""
    return tuple(finding for _, finding in _said_of_pictures(db, page_url_id))


def record_archived(
    db: Database, seen: PictureSeen, *, source: Source, locator: Locator, now: datetime, verdict: Verdict | None
) -> Recorded:
    """A picture met in an archive, where in it, and what the file says of itself (None: nothing)."""
    place = {k: v for k, v in (("file", locator.file), ("row", locator.row), ("key", locator.key)) if v is not None}
    recorded = _record_picture(db, seen, now)
    verdict_id = intern_verdict(db, verdict.to_dict()) if verdict else None
    where, at = json.dumps(place, sort_keys=True), utc_text(now)
    # The same bytes say the same: a verdict can only be lacking, from a version that did not read it.
    db.execute(
        "INSERT INTO sighting (image_id, source_id, locator, verdict_id, first_seen, last_seen) "
        "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET last_seen = excluded.last_seen, "
        "verdict_id = COALESCE(verdict_id, excluded.verdict_id)",
        (recorded.image_id, int(source.id), where, verdict_id, at, at),
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
        record_codes(db, row[0], picture)
    return Recorded(image_id=row[0], new_image=added is not None)


def _sight(db: Database, image_id: int | None, source: Source, visit: Visit, image_url_id: int, page: _Page) -> None:
    page_url_id, found_as, caption = page
    headers = json.dumps(visit.seen.headers) if visit.seen else None
    said = (*_in_force(db, image_url_id), *_said_of_pictures(db, page_url_id))
    verdict = with_doubt(combine(finding for _, finding in said)) if visit.verdict else None
    verdict_id = intern_verdict(db, verdict.to_dict()) if verdict else None
    now = utc_text(visit.seen_at)
    row = db.execute(
        "INSERT INTO sighting (image_id, source_id, image_url_id, page_url_id, caption, found_as, headers, "
        "verdict_id, first_seen, last_seen) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
        "last_seen = excluded.last_seen, verdict_id = excluded.verdict_id, caption = excluded.caption, "
        "headers = COALESCE(excluded.headers, headers) RETURNING sighting_id",
        (image_id, int(source.id), image_url_id, page_url_id, caption, found_as, headers, verdict_id, now, now),
    ).fetchone()
    if verdict_id is not None:
        told = Told(verdict_id, [finding_id for finding_id, _ in said], visit.seen_at)
        note_said(db, image_url_id, [row[0]], told)


def _pages_that_embed(db: Database, image_url_id: int) -> list[_Page]:
    """The pages that showed the picture when they were last read, but for those that could not be read since."""
    rows = db.execute(
        "SELECT page_url_id, found_as, caption FROM embed JOIN frontier ON frontier.url_id = page_url_id "
        "WHERE image_url_id = ? AND state NOT IN ('failed', 'disallowed') ORDER BY page_url_id",
        (image_url_id,),
    ).fetchall()
    return rows or [(0, None, None)]  # a start address that is itself a picture stands on no page


def _follow_all(db: Database, visit: Visit, page_url_id: int, source: Source) -> int:
    """Queue the links of a page, and forget the pictures that it shows no more; the number of new addresses."""
    before = {row[0] for row in db.execute("SELECT image_url_id FROM embed WHERE page_url_id = ?", (page_url_id,))}
    added = 0
    for link in visit.links:
        url_id, new = queue_link(db, link, depth=visit.depth + 1, now=visit.seen_at)
        added += new
        if link.kind == "image":
            before.discard(url_id)
            _embed(db, visit, page_url_id, url_id, link, source)
    for url_id in before:
        db.execute("DELETE FROM embed WHERE page_url_id = ? AND image_url_id = ?", (page_url_id, url_id))
        # A picture that no page shows any more and that was never taken is nobody's: it is not asked for.
        db.execute(_FORGET_UNSEEN, (url_id,))
    return added


def _embed(db: Database, visit: Visit, page_url_id: int, url_id: int, link: FoundLink, source: Source) -> None:
    """Note that the page shows the picture. One that was taken already is sighted here."""
    db.execute(
        "INSERT INTO embed (page_url_id, image_url_id, found_as, caption) VALUES (?, ?, ?, ?) "
        "ON CONFLICT DO UPDATE SET found_as = excluded.found_as, caption = excluded.caption",
        (page_url_id, url_id, link.found_as, link.caption),
    )
    # Only where its last visit found it there: queued for another look, gone or refused, it was not seen now.
    known = db.execute(
        "SELECT image_id FROM sighting JOIN frontier ON frontier.url_id = image_url_id AND state = 'done' "
        "WHERE image_url_id = ? ORDER BY last_seen DESC, sighting_id DESC LIMIT 1",
        (url_id,),
    ).fetchone()
    if known:
        _sight(db, known[0], source, visit, url_id, (page_url_id, link.found_as, link.caption))


def _later_refusal(visit: Visit) -> Verdict | None:
    """The verdict of a visit that found a no. An answer that merely failed takes nothing back."""
    if visit.verdict is None:
        return None
    if visit.outcome is Outcome.DISALLOWED:
        return as_collected(visit.verdict)
    refused = any(visit.verdict.uses[use] in (Stance.DENY, Stance.CONDITIONAL) for use in (Use.INDEX, Use.ALL))
    return visit.verdict if refused and visit.outcome is Outcome.FAILED else None


def _record_findings(db: Database, url_id: int, visit: Visit) -> list[int]:
    """Keep what was found; its ids. What was read together with the resource is in force until it is read again.

    Errors leave that as it is: a page that does not answer has not taken back what it said.
    """
    read = visit.outcome is Outcome.DONE
    if read:
        db.execute("UPDATE finding SET in_force = 0 WHERE url_id = ?", (url_id,))
    finding_ids = []
    for finding in visit.verdict.findings if visit.verdict else ():
        document = finding_document(finding)
        row = db.execute(
            "INSERT INTO finding (url_id, signal, place, raw, key, document, in_force, seen_at) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET seen_at = excluded.seen_at, "
            "in_force = MAX(in_force, excluded.in_force) RETURNING finding_id",
            (
                url_id,
                finding.signal,
                finding.place,
                finding.raw,
                digest(document),
                document,
                int(read),
                utc_text(visit.seen_at),
            ),
        ).fetchone()
        finding_ids.append(row[0])
    return finding_ids


def _said_of_pictures(db: Database, page_url_id: int) -> list[_Known]:
    """Refusals only: a page's permissions are its own, its licence was read for its own address."""
    known = [(finding_id, found) for finding_id, found in _in_force(db, page_url_id) if reaches_pictures(found)]
    return [(finding_id, said) for finding_id, found in known for said in without_permissions([found])]


def _in_force(db: Database, url_id: int) -> list[_Known]:
    rows = db.execute(
        "SELECT finding_id, document FROM finding WHERE url_id = ? AND in_force = 1 ORDER BY finding_id", (url_id,)
    ).fetchall()
    return [(finding_id, read_finding(document)) for finding_id, document in rows]


_FORGET_UNSEEN = """
DELETE FROM frontier WHERE url_id = ?1 AND kind = 'image' AND depth > 0 AND state NOT IN ('leased', 'erased')
AND NOT EXISTS (SELECT 1 FROM embed WHERE image_url_id = ?1)
AND NOT EXISTS (SELECT 1 FROM sighting WHERE image_url_id = ?1)
"""
