"""What a crawl that goes on, or looks again, asks of what was recorded. Runs inside its caller's transaction or lock.

known_at     the picture that was seen last at an address, so that the server need not send it again
host_file    robots.txt and its like as they were fetched not long ago, so that no restart asks for them anew
forget       sightings that were not confirmed for too long, and the pictures that nothing is left of
"""

from __future__ import annotations

import json
from datetime import datetime

from sqlite_utils import Database

from checker.errors import DataError
from checker.model import Finding, parse_utc, utc_text
from checker.records.crawl_interfaces import KnownPicture
from checker.records.erasure import erase_pictures
from checker.records.evidence import stored_body
from checker.records.rows import read_finding
from checker.signals.read import is_of_file
from checker.visits import FetchedFile


def known_at(db: Database, url: str, *, kinds: int) -> KnownPicture | None:
    """The picture seen last at this address. None: none was, or it has codes of fewer than so many kinds.

    Source: RFC 9110 13.1 (conditional requests); RFC 9111 4.3.4 (what a 304 updates).
    """
    row = db.execute(_KNOWN, {"url": url, "kinds": kinds}).fetchone()
    if row is None:
        return None
    findings = db.execute("SELECT document FROM finding WHERE url_id = ? AND in_force = 1", (row[0],)).fetchall()
    of_file: tuple[Finding, ...] = tuple(
        finding for (document,) in findings if is_of_file(finding := read_finding(document))
    )
    return KnownPicture(headers=tuple((name, value) for name, value in json.loads(row[1])), findings=of_file)


def host_file(db: Database, url: str, *, since: datetime) -> FetchedFile | None:
    """What asking for a small file gave, when that was last done. None: not since then, or not all of it was kept.

    What an archive says that a host said is not what the host told us, and opens nothing.
    """
    row = db.execute(_NEWEST_FILE, (url,)).fetchone()
    if row is None:
        return None
    status, error, headers, digest, last_at = row
    if parse_utc(last_at) < since:
        return None
    try:
        body = stored_body(db, digest.hex()) if digest is not None else b""
    except DataError:  # damaged: the host can be asked again
        body = None
    if body is None:
        return None
    return FetchedFile(url, status, error, body, tuple(map(tuple, json.loads(headers or "[]"))), parse_utc(last_at))


def forget(db: Database, *, before: datetime, now: datetime) -> tuple[int, int]:
    """Delete crawled sightings that were last confirmed before this moment, and pictures without any other.

    Returns:
        How many sightings and how many pictures.
    """
    doomed = db.execute(_DOOMED, (utc_text(before),)).fetchall()
    images = [row[0] for row in doomed]
    gone = db.execute(_FORGET, (utc_text(before),)).fetchall()
    unseen = db.execute(_UNSEEN, (json.dumps(images),)).fetchall()
    return len(gone), erase_pictures(db, [row[0] for row in unseen], now=now)


_KNOWN = """
SELECT url.url_id, headers FROM url JOIN frontier USING (url_id) JOIN sighting ON sighting_id = (
    SELECT sighting_id FROM sighting JOIN source USING (source_id)
    WHERE image_url_id = url.url_id AND kind NOT IN ('archive', 'web-archive')
    ORDER BY last_seen DESC, sighting_id DESC LIMIT 1
) WHERE url = :url AND headers IS NOT NULL AND gone_since IS NULL AND status BETWEEN 200 AND 304
AND (SELECT COUNT(DISTINCT kind_id) FROM code WHERE code.image_id = sighting.image_id) >= :kinds
"""
_NEWEST_FILE = """
SELECT status, error, headers, digest, last_at FROM evidence JOIN url USING (url_id) WHERE url = ?
AND NOT EXISTS (SELECT 1 FROM archived_evidence WHERE archived_evidence.evidence_id = evidence.evidence_id)
ORDER BY first_at DESC, evidence_id DESC LIMIT 1
"""
_CRAWLED = "last_seen < ?1 AND source_id IN (SELECT source_id FROM source WHERE kind = 'crawl')"
_DOOMED = f"SELECT DISTINCT image_id FROM sighting WHERE {_CRAWLED}"  # noqa: S608 - of constants
_FORGET = f"DELETE FROM sighting WHERE {_CRAWLED} RETURNING 1"  # noqa: S608 - of constants
_UNSEEN = """
SELECT value FROM json_each(?1) WHERE NOT EXISTS (SELECT 1 FROM sighting WHERE image_id = value)
"""
