"""Writing one visit. Every function runs inside its caller's transaction; `archived.py` writes what archives hold.

Every write is idempotent: the same visit told twice changes `last_seen` at most, and adds the codes that a picture
did not have yet. The verdict in a sighting is the newest; those before it stay in `said` (`evidence.py`).

What counts for a sighting is what was said of the picture itself and what the page that shows it said of its
pictures: the same picture may stand on a page that refuses training and on one that does not.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

from sqlite_utils import Database

from checker.model import Finding, Source, Stance, Use, Verdict, parse_utc, utc_text
from checker.records.codes import record_codes
from checker.records.crawl_interfaces import UNBOUNDED, HostBudget
from checker.records.erasure import is_erased
from checker.records.evidence import Told, keep_files, note_said
from checker.records.frontier import end_visit, queue_link
from checker.records.interfaces import Recorded
from checker.records.listed import lists_mean_others, places_listed
from checker.records.rows import digest, finding_document, intern_url, intern_verdict, read_finding
from checker.signals.html import reaches_pictures
from checker.signals.statements import without_permissions
from checker.signals.verdict import as_collected, combine, with_doubt
from checker.visits import FoundLink, Outcome, PictureSeen, Visit

_Page = tuple[int, str | None, str | None]
"""Id of a page's address (0: none), how the picture was found there, its caption."""
_Known = tuple[int, Finding]
"""A finding and its id."""


def record_visit(db: Database, visit: Visit, *, source: Source, budget: HostBudget = UNBOUNDED) -> Recorded:
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
    recorded, added = Recorded(), (0, 0)
    if visit.seen is not None and _is_only_listed_as_another(db, url_id, visit.seen):
        _note_gone(db, url_id, visit, but=_NO_PICTURE)
    elif visit.seen is not None:
        recorded = record_picture(db, visit.seen, visit.seen_at)
        _note_gone(db, url_id, visit, but=recorded.image_id)
        _sight_everywhere(db, recorded.image_id, source, visit, url_id)
    elif visit.unchanged:
        recorded = Recorded(image_id=_image_seen_at(db, url_id))
        if recorded.image_id is not None:
            _sight_everywhere(db, recorded.image_id, source, visit, url_id)
    elif (refusal := _later_refusal(visit)) is not None:
        # What was said since we recorded this picture counts for the old sightings too (a later no wins).
        refusal_id = intern_verdict(db, refusal.to_dict())
        refused = db.execute(
            "UPDATE sighting SET verdict_id = ? WHERE image_url_id = ? RETURNING sighting_id", (refusal_id, url_id)
        ).fetchall()
        note_said(db, url_id, [row[0] for row in refused], Told(refusal_id, finding_ids, visit.seen_at))
    elif visit.outcome is Outcome.DONE:
        added = _follow_all(db, visit, url_id, source, budget)
    if visit.outcome is Outcome.FAILED and visit.status in _GONE:
        _note_gone(db, url_id, visit)
    end_visit(db, url_id, visit, verdict_id)
    links, images = added
    return Recorded(image_id=recorded.image_id, new_image=recorded.new_image, links_added=links, images_added=images)


def said_of_pictures(db: Database, page_url_id: int) -> tuple[Finding, ...]:
    """What a page said of the pictures on it when it was last read."""
    return tuple(finding for _, finding in _said_of_pictures(db, page_url_id))


def record_picture(db: Database, seen: PictureSeen, now: datetime) -> Recorded:
    """The picture's row and its codes, when they are new. Runs inside the caller's transaction."""
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


def sight_listed(db: Database, image_url_id: int, url: str) -> None:
    """Sight the picture at an address for the lists that name it, where its last visit found one there."""
    done = db.execute("SELECT visited_at FROM frontier WHERE url_id = ? AND state = 'done'", (image_url_id,)).fetchone()
    image_id = _image_seen_at(db, image_url_id) if done else None
    if image_id is not None:
        nothing_new = combine(())  # what was said of the address is read from its findings
        visit = Visit(url, "image", Outcome.DONE, parse_utc(done[0]), verdict=nothing_new)
        for place in places_listed(db, image_url_id, image_id):
            of_list = (place.page_url_id, "list", place.caption)
            _sight(db, image_id, place.source, visit, image_url_id, of_list, locator=place.locator)


def _sight_everywhere(db: Database, image_id: int | None, source: Source, visit: Visit, image_url_id: int) -> None:
    """On every page that shows the picture, and at every row of a list that names its address."""
    pages = _pages_that_embed(db, image_url_id)
    listed = places_listed(db, image_url_id, image_id)
    if not pages and not listed and not lists_mean_others(db, image_url_id):
        pages = [(0, None, None)]  # a start address that is itself a picture stands on no page
    for page in pages:
        _sight(db, image_id, source, visit, image_url_id, page)
    for place in listed:
        of_list = (place.page_url_id, "list", place.caption)
        _sight(db, image_id, place.source, visit, image_url_id, of_list, locator=place.locator)


def _sight(
    db: Database,
    image_id: int | None,
    source: Source,
    visit: Visit,
    image_url_id: int,
    page: _Page,
    *,
    locator: str = "",
) -> None:
    page_url_id, found_as, caption = page
    headers = json.dumps(visit.seen.headers) if visit.seen else None
    said = (*_in_force(db, image_url_id), *_said_of_pictures(db, page_url_id))
    verdict = with_doubt(combine(finding for _, finding in said)) if visit.verdict else None
    verdict_id = intern_verdict(db, verdict.to_dict()) if verdict else None
    now, place = utc_text(visit.seen_at), (image_id, int(source.id), image_url_id, page_url_id, locator)
    row = db.execute(
        "INSERT INTO sighting (image_id, source_id, image_url_id, page_url_id, locator, caption, found_as, headers, "
        "verdict_id, first_seen, last_seen) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
        "last_seen = excluded.last_seen, verdict_id = excluded.verdict_id, caption = excluded.caption, "
        "gone_since = NULL, headers = COALESCE(excluded.headers, headers) RETURNING sighting_id",
        (*place, caption, found_as, headers, verdict_id, now, now),
    ).fetchone()
    if verdict_id is not None:
        told = Told(verdict_id, [finding_id for finding_id, _ in said], visit.seen_at)
        note_said(db, image_url_id, [row[0]], told)


def _is_only_listed_as_another(db: Database, image_url_id: int, seen: PictureSeen) -> bool:
    """Is this address known from lists alone, and do they all mean another picture than the one that is there now?

    Then none of them holds this one, and nobody showed it to us.
    """
    sha256 = bytes.fromhex(seen.picture.sha256)
    return lists_mean_others(db, image_url_id, sha256) and not _pages_that_embed(db, image_url_id)


def _pages_that_embed(db: Database, image_url_id: int) -> list[_Page]:
    """The pages that showed the picture when they were last read, but for those that could not be read since."""
    return db.execute(
        "SELECT page_url_id, found_as, caption FROM embed JOIN frontier ON frontier.url_id = page_url_id "
        "WHERE image_url_id = ? AND state NOT IN ('failed', 'disallowed') ORDER BY page_url_id",
        (image_url_id,),
    ).fetchall()


def _follow_all(db: Database, visit: Visit, page_url_id: int, source: Source, budget: HostBudget) -> tuple[int, int]:
    """Queue the links of a page, and forget the pictures that it shows no more; how many addresses were new, and
    how many of these pictures."""
    # What a sitemap or a feed said of this page was not taken back by the page.
    before = {row[0] for row in db.execute(_SHOWN, (page_url_id,))}
    added = images = 0
    for link in visit.links:
        url_id, new = queue_link(db, link, depth=visit.depth + 1, now=visit.seen_at, budget=budget)
        added += new
        if link.kind == "image":
            images += new
            before.discard(url_id)
            _embed(db, visit, page_url_id, url_id, link, source)
    for url_id in before:
        db.execute("DELETE FROM embed WHERE page_url_id = ? AND image_url_id = ?", (page_url_id, url_id))
        # A picture that no page shows any more and that was never taken is nobody's: it is not asked for.
        db.execute(_FORGET_UNSEEN, (url_id,))
    return added, images


def _embed(db: Database, visit: Visit, page_url_id: int, url_id: int, link: FoundLink, source: Source) -> None:
    """Note that the page shows the picture. One that was taken already is sighted here."""
    if link.shown_on is not None:  # a sitemap or a feed is no page that shows anything
        page_url_id = intern_url(db, link.shown_on)
    db.execute(
        "INSERT INTO embed (page_url_id, image_url_id, found_as, caption) VALUES (?, ?, ?, ?) "
        "ON CONFLICT DO UPDATE SET found_as = excluded.found_as, caption = excluded.caption",
        (page_url_id, url_id, link.found_as, link.caption),
    )
    # Only where its last visit found it there: queued for another look, gone or refused, it was not seen now.
    done = db.execute("SELECT 1 FROM frontier WHERE url_id = ? AND state = 'done'", (url_id,)).fetchone()
    if done and (image_id := _image_seen_at(db, url_id)) is not None:
        _sight(db, image_id, source, visit, url_id, (page_url_id, link.found_as, link.caption))


def _image_seen_at(db: Database, image_url_id: int) -> int | None:
    """The picture that we saw last at an address. What an archive says of it does not count: it may hold it resized."""
    row = db.execute(
        "SELECT image_id FROM sighting JOIN source USING (source_id) WHERE image_url_id = ? "
        "AND kind NOT IN ('archive', 'web-archive') ORDER BY last_seen DESC, sighting_id DESC LIMIT 1",
        (image_url_id,),
    ).fetchone()
    return int(row[0]) if row else None


def _note_gone(db: Database, image_url_id: int, visit: Visit, *, but: int | None = None) -> None:
    """The address does not show what it showed, `but` for this picture. The first such day stays.

    Another picture there says nothing of what an archive holds of the address: that may be the same one, resized.
    """
    db.execute(
        "UPDATE sighting SET gone_since = ?1 WHERE image_url_id = ?2 AND gone_since IS NULL AND image_id IS NOT ?3 "
        "AND (?3 IS NULL OR source_id NOT IN (SELECT source_id FROM source WHERE kind = 'archive'))",
        (utc_text(visit.seen_at), image_url_id, but),
    )


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
    findings = visit.verdict.findings if visit.verdict else ()
    return keep_findings(db, url_id, findings, visit.seen_at, in_force=read)


def keep_findings(db: Database, url_id: int, findings: Sequence[Finding], at: datetime, *, in_force: bool) -> list[int]:
    """Write down what was found of an address at a moment; the ids. Runs inside the caller's transaction."""
    finding_ids = []
    for finding in findings:
        document = finding_document(finding)
        key = digest(document)
        row = db.execute(
            "INSERT INTO finding (url_id, signal, place, raw, key, document, in_force, seen_at) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET seen_at = MAX(seen_at, excluded.seen_at), "
            "in_force = MAX(in_force, excluded.in_force) RETURNING finding_id",
            (url_id, finding.signal, finding.place, finding.raw, key, document, int(in_force), utc_text(at)),
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


_GONE = (404, 410)
_NO_PICTURE = 0
"""Ids begin at 1."""

_SHOWN = """
SELECT image_url_id FROM embed WHERE page_url_id = ? AND found_as NOT LIKE 'sitemap %' AND found_as NOT LIKE 'feed %'
"""

_FORGET_UNSEEN = """
DELETE FROM frontier WHERE url_id = ?1 AND kind = 'image' AND depth > 0 AND state NOT IN ('leased', 'erased')
AND NOT EXISTS (SELECT 1 FROM embed WHERE image_url_id = ?1)
AND NOT EXISTS (SELECT 1 FROM listed WHERE image_url_id = ?1)
AND NOT EXISTS (SELECT 1 FROM sighting WHERE image_url_id = ?1)
"""
