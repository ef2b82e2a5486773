"""Writing what an archive holds: pictures, and files of hosts that it kept. Runs inside the caller's transaction.

Idempotent like a visit: the same picture at the same place again changes `last_seen` at most. What an archive says of
a picture is hearsay of its keeper; only what was sent along with it (WARC) is evidence of what the publisher said, at
the moment at which the archive was made. It is in force at no other: the present is asked by a visit.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlite_utils import Database

from checker.model import Locator, Source, Verdict, utc_text
from checker.records.erasure import is_erased
from checker.records.evidence import Told, keep_files, note_said
from checker.records.interfaces import Recorded
from checker.records.listed import locator_text
from checker.records.recording import keep_findings, record_picture
from checker.records.rows import host_of, intern_url, intern_verdict
from checker.visits import FetchedFile, Outcome, PictureSeen, Visit


@dataclass(frozen=True, slots=True)
class Archived:
    """One picture met in an archive or a folder."""

    seen: PictureSeen
    locator: Locator
    seen_at: datetime
    """When it was fetched, where the archive tells; else when we read it there."""
    verdict: Verdict | None = None
    """What the file says of itself, and what was sent along with it. None: nothing."""
    image_url: str | None = None
    """Where the archive has it from."""
    page_url: str | None = None
    caption: str | None = None
    evidence: tuple[FetchedFile, ...] = ()
    """What asking for `image_url` gave then."""
    opt_outs: tuple[str, ...] = ()
    """Numbers of those that hide it; then it has no servable code."""


def record_archived(db: Database, one: Archived, *, source: Source) -> Recorded:
    """The picture, its codes and the sighting. Nothing, where the picture at its address was erased."""
    url_id = intern_url(db, one.image_url) if one.image_url else 0
    if url_id and is_erased(db, url_id):
        return Recorded()
    page_url_id = intern_url(db, one.page_url) if one.page_url else 0
    recorded = record_picture(db, one.seen, one.seen_at)
    verdict_id = intern_verdict(db, one.verdict.to_dict()) if one.verdict else None
    headers, at = json.dumps(one.seen.headers) if one.seen.headers else None, utc_text(one.seen_at)
    place = (recorded.image_id, int(source.id), url_id, page_url_id, locator_text(one.locator))
    found_as = "archive" if url_id else None
    # The same bytes say the same: a verdict can only be lacking, from a version that did not read it.
    row = db.execute(
        "INSERT INTO sighting (image_id, source_id, image_url_id, page_url_id, locator, caption, found_as, headers, "
        "verdict_id, first_seen, last_seen) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
        "last_seen = MAX(last_seen, excluded.last_seen), verdict_id = COALESCE(verdict_id, excluded.verdict_id), "
        "caption = COALESCE(excluded.caption, caption) RETURNING sighting_id",
        (*place, one.caption, found_as, headers, verdict_id, at, at),
    ).fetchone()
    if url_id and one.evidence:
        keep_files(db, url_id, _visit(one.image_url or "", "image", one.seen_at, one.evidence))
    if url_id and one.verdict and verdict_id is not None:
        findings = keep_findings(db, url_id, one.verdict.findings, one.seen_at, in_force=False)
        note_said(db, url_id, [row[0]], Told(verdict_id, findings, one.seen_at))
    return recorded


def keep_host_files(db: Database, files: Sequence[FetchedFile]) -> None:
    """Files that speak for a whole host (robots.txt), as an archive has them: evidence of their date.

    They are marked: whoever made the archive may have written what he liked, and a crawl asks the host itself.
    """
    for file in files:
        root = f"{host_of(file.url)}/"
        keep_files(db, intern_url(db, root), _visit(root, "page", file.fetched_at, (file,)))
        db.execute(_MARK, {"url": file.url, "at": utc_text(file.fetched_at)})


_MARK = """
INSERT INTO archived_evidence SELECT evidence_id FROM evidence JOIN url USING (url_id)
WHERE url = :url AND last_at = :at ORDER BY first_at DESC, evidence_id DESC LIMIT 1 ON CONFLICT DO NOTHING
"""


def _visit(url: str, kind: str, at: datetime, evidence: tuple[FetchedFile, ...]) -> Visit:
    """As `keep_files` takes it. The frontier is not told: nobody was there now."""
    return Visit(url=url, kind=kind, outcome=Outcome.DONE, seen_at=at, evidence=evidence)
