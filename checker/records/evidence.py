"""What was said, and when: the evidence behind every sighting. Added to, never overwritten.

    evidence        what asking for an address gave: status or error, header lines that carry signals, which bytes
    evidence_body   the bytes of small files (robots.txt, tdmrep.json, licences), once, whoever served them
    evidence_link   files that spoke of an address and do not lie at a well-known place of its own host
    said            the verdict on an address itself (sighting 0) and on each sighting at it, with its findings

Every row holds for a span of time. What says the same as the row before it moves that row's `last_at`, what says
something else is another row; triggers keep anybody from changing what a row says. Asked about a moment between two
rows, the earlier one answers: its `last_at` tells until when it was known to hold.

Never kept: a picture's bytes, nor a digest of them (erasing a picture would leave something to know it by); the bytes
of a page, which hold people's words (its digest and size are kept, and the findings quote the tags that decided); and
header lines that are no signal.

Writing runs inside its caller's transaction. Source: our choice, but for the limits.
"""

from __future__ import annotations

import hashlib
import json
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlite_utils import Database

from checker.errors import DataError
from checker.model import Finding, Sha256, parse_utc, utc_text
from checker.records.rows import host_files, intern_url, read_finding
from checker.signals.verdict import combine
from checker.visits import FetchedFile, Visit

BODY_BYTES_MAX = 512 * 1024
"""RFC 9309 2.5 asks for 500 KiB of a robots.txt to be read. Of a larger file digest and size are kept."""
HEADER_CHARACTERS_MAX = 16_384
"""Of all header lines of one answer; later lines are left out. The findings quote what decided."""
SIGHTINGS_MAX, FILES_MAX = 100, 500
"""In one answer: a logo may stand on ten thousand pages."""

_SIGNAL_HEADERS = frozenset({"content-signal", "content-usage", "crawler-price", "x-robots-tag"})
_LICENCE_LINK = re.compile(r"\blicen[cs]e\b|rsl\+xml|\bc2pa", re.IGNORECASE)
_HTML_TYPES = frozenset({"text/html", "application/xhtml+xml"})
_HTML_START = re.compile(
    rb"(?:\xef\xbb\xbf)?(?>\s+|<!--.*?-->|<\?.*?\?>)*+"
    rb"<(?:!doctype\s+html|html|head|body|script|style|title|meta|link|iframe|h1|div|font|table|a|b|br|p|svg)[\s/>]",
    re.IGNORECASE | re.DOTALL,
)
"""WHATWG MIME Sniffing 7.1 names these tags, but for meta, link and svg. Atomic: no comment is tried twice."""
_PICTURE_START = re.compile(
    rb"\xff\xd8\xff|\x89PNG|GIF8[79]a|RIFF....WEBP|BM.{4}\0{4}|II\*\0|MM\0\*|....ftyp|\xff\x0a|\0{3}\x0cJXL", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Told:
    """What to write down: a verdict, the findings behind it, the moment."""

    verdict_id: int
    finding_ids: Sequence[int]
    at: datetime


@dataclass(frozen=True, slots=True)
class StoredFile:
    """What asking for an address gave, over a span of time."""

    url: str
    status: int | None
    error: str | None
    """Why there was no response; None: there was one."""
    headers: tuple[tuple[str, str], ...]
    """The lines that carry signals, in order."""
    digest: Sha256 | None
    """Of the bytes; None: there were none, or it is a picture."""
    size: int | None
    stored: bool
    """Whether `Store.evidence_body` has the bytes."""
    first_at: datetime
    last_at: datetime
    """The last time at which the answer was this."""


@dataclass(frozen=True, slots=True)
class SaidOf:
    """A verdict and the findings behind it, over a span of time."""

    verdict: Mapping[str, str]
    """As `Verdict.to_dict` gives it."""
    findings: tuple[Finding, ...]
    """Those that decided first."""
    first_at: datetime
    last_at: datetime
    image_id: int | None = None
    """The picture that was seen there; None: said of the address itself."""
    page_url: str | None = None
    source: str | None = None
    """Name of the crawl."""


@dataclass(frozen=True, slots=True)
class Said:
    """What was known of an address at one moment."""

    address: SaidOf | None
    """What the last visit that could tell was told of the address itself. None: there was no such visit yet."""
    sightings: tuple[SaidOf, ...]
    """What counted for each sighting at it, the pages' words included; last confirmed first."""
    files: tuple[StoredFile, ...]
    """The address, the pages of those sightings, the files of their hosts, and what else spoke of them."""
    complete: bool
    """False: there is more than an answer holds (SIGHTINGS_MAX, FILES_MAX)."""


# --- writing ---------------------------------------------------------------------------------------------------


def keep_files(db: Database, url_id: int, visit: Visit) -> None:
    """Write down what the requests of one visit gave. The same answer again costs a look, and moves `last_at`."""
    of_host = host_files(visit.url)
    for file in visit.evidence:
        file_url_id = _keep(db, file, _digest(file, visit), storable=_is_storable(file, visit))
        if file_url_id != url_id and file.url not in of_host:
            db.execute(
                "INSERT INTO evidence_link (url_id, file_url_id, first_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                (url_id, file_url_id, utc_text(file.fetched_at)),
            )


def note_said(db: Database, url_id: int, sighting_ids: Sequence[int], told: Told) -> None:
    """Write down what was said of these sightings at an address; of sighting 0: of the address itself."""
    values = {
        "url": url_id,
        "sightings": json.dumps(list(sighting_ids)),
        "verdict": told.verdict_id,
        "findings": json.dumps(sorted(set(told.finding_ids)), separators=(",", ":")),
        "at": utc_text(told.at),
    }
    if len(db.execute(_SAY_AGAIN, values).fetchall()) < len(sighting_ids):
        db.execute(_SAY_ANEW, values)


def _keep(db: Database, file: FetchedFile, digest: bytes | None, *, storable: bool) -> int:
    """Write one answer down; the id of its address."""
    at, body = utc_text(file.fetched_at), file.body
    size = len(body) if digest is not None and body is not None else None
    answer = (digest, size, file.status, file.error, _signal_headers(file.headers))
    row = db.execute(_NEWEST, (at, file.url)).fetchone()
    url_id, evidence_id, last_at, *before = row or (intern_url(db, file.url), None, "")
    if evidence_id is None or tuple(before) != answer:
        db.execute(_ADD, (url_id, *answer, at, at))
        if storable and digest is not None and body is not None:
            _store(db, digest, body)
    elif last_at < at:
        db.execute("UPDATE evidence SET last_at = ? WHERE evidence_id = ?", (at, evidence_id))
    return int(url_id)


def _store(db: Database, digest: bytes, body: bytes) -> None:
    if db.execute("SELECT 1 FROM evidence_body WHERE digest = ?", (digest,)).fetchone() is None:
        packed = zlib.compress(body)
        shorter = len(packed) < len(body)
        db.execute(
            "INSERT INTO evidence_body (digest, packed, body) VALUES (?, ?, ?)",
            (digest, int(shorter), packed if shorter else body),
        )


# --- what is kept of an answer ---------------------------------------------------------------------------------


def _digest(file: FetchedFile, visit: Visit) -> bytes | None:
    own_picture = file.url == visit.url and (visit.kind == "image" or visit.seen is not None)
    if file.body is None or file.status is None or own_picture or _is_picture(file):
        return None
    return hashlib.sha256(file.body).digest()


def _is_storable(file: FetchedFile, visit: Visit) -> bool:
    """Whether its bytes are evidence: those of a small file that is no page (a picture has no digest already).

    Told by what it is as well: behind a redirect, a robots.txt may be a page and a page a picture.
    """
    if file.body is None or file.url == visit.url or len(file.body) > BODY_BYTES_MAX or _HTML_START.match(file.body):
        return False
    return _media_type(file) not in _HTML_TYPES or file.url in host_files(file.url)


def _is_picture(file: FetchedFile) -> bool:
    if _media_type(file).partition("/")[0] in ("image", "video", "audio"):
        return True
    return file.body is not None and _PICTURE_START.match(file.body) is not None


def _media_type(file: FetchedFile) -> str:
    found = (value for name, value in file.headers if name.strip().lower() == "content-type")
    return next(found, "").partition(";")[0].strip().lower()


def _signal_headers(headers: Sequence[tuple[str, str]]) -> str | None:
    kept, left = [], HEADER_CHARACTERS_MAX
    for name, value in headers:
        key = name.strip().lower()
        signal = key in _SIGNAL_HEADERS or key.startswith("tdm-") or (key == "link" and _LICENCE_LINK.search(value))
        if signal and (left := left - len(name) - len(value)) >= 0:
            kept.append((key, value))
    return json.dumps(kept) if kept else None


# --- reading ---------------------------------------------------------------------------------------------------


def said_on(db: Database, url: str, at: datetime) -> Said:
    """What was known of the address at that moment; see `interfaces.Store.said_on`."""
    moment = {"at": utc_text(at), "max": SIGHTINGS_MAX + 1}
    found = db.execute("SELECT url_id FROM url WHERE url = ?", (url,)).fetchone()
    url_id = found[0] if found else -1  # nobody was there, and its host may have spoken all the same
    of_address = db.execute(_SAID_OF_ADDRESS, {**moment, "url": url_id}).fetchone()
    rows = db.execute(_SAID_OF_SIGHTINGS, {**moment, "url": url_id}).fetchall()
    shown = rows[:SIGHTINGS_MAX]
    pages = {row[5]: row[6] for row in shown if row[6] is not None}
    spoke = {"urls": json.dumps([url_id, *pages]), "at": moment["at"], "max": FILES_MAX + 1}
    of_hosts = {address: None for one in (url, *pages.values()) for address in host_files(one)}
    files = db.execute(_FILES, {**spoke, "hosts": json.dumps(list(of_hosts))}).fetchall()
    return Said(
        address=_said(db, of_address) if of_address else None,
        sightings=tuple(_said(db, row) for row in shown),
        files=tuple(_stored(row) for row in files[:FILES_MAX]),
        complete=len(rows) <= SIGHTINGS_MAX and len(files) <= FILES_MAX,
    )


def stored_body(db: Database, digest: str) -> bytes | None:
    """The bytes of a stored file. None: not kept.

    Args:
        digest: as `StoredFile.digest` has it.
    Raises:
        DataError: they are not what was written there.
    """
    row = db.execute("SELECT packed, body FROM evidence_body WHERE digest = ?", (bytes.fromhex(digest),)).fetchone()
    if row is None:
        return None
    try:
        body = zlib.decompressobj().decompress(row[1], BODY_BYTES_MAX) if row[0] else bytes(row[1])
    except zlib.error:
        body = b""
    if hashlib.sha256(body).hexdigest() != digest:
        raise DataError(f"the stored evidence {digest} does not hold what was written there; restore a backup")
    return body


def _said(db: Database, row: Sequence[Any]) -> SaidOf:
    verdict, finding_ids, first_at, last_at, image_id, _, page_url, source = row
    documents = db.execute(_FINDINGS, (finding_ids,)).fetchall()
    return SaidOf(
        verdict=json.loads(verdict),
        findings=combine(read_finding(document) for (document,) in documents).findings,
        first_at=parse_utc(first_at),
        last_at=parse_utc(last_at),
        image_id=image_id,
        page_url=page_url,
        source=source,
    )


def _stored(row: Sequence[Any]) -> StoredFile:
    url, status, error, headers, digest, size, stored, first_at, last_at = row
    return StoredFile(
        url=url,
        status=status,
        error=error,
        headers=tuple((name, value) for name, value in json.loads(headers or "[]")),
        digest=Sha256(digest.hex()) if digest is not None else None,
        size=size,
        stored=bool(stored),
        first_at=parse_utc(first_at),
        last_at=parse_utc(last_at),
    )


_NEWEST = """
SELECT url.url_id, evidence_id, last_at, digest, size, status, error, headers
FROM url LEFT JOIN evidence ON evidence_id = (
    SELECT evidence_id FROM evidence WHERE url_id = url.url_id AND first_at <= ?
    ORDER BY first_at DESC, evidence_id DESC LIMIT 1
) WHERE url = ?
"""
_ADD = """
INSERT INTO evidence (url_id, digest, size, status, error, headers, first_at, last_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""

_LAST_SAID = """
SELECT said_id FROM said WHERE url_id = :url AND sighting_id = sightings.value AND first_at <= :at
ORDER BY first_at DESC, said_id DESC LIMIT 1
"""
_SAY_AGAIN = f"""
UPDATE said SET last_at = MAX(last_at, :at) WHERE verdict_id = :verdict AND findings = :findings
AND said_id IN (SELECT ({_LAST_SAID}) FROM json_each(:sightings) AS sightings) RETURNING 1
"""  # noqa: S608 - of constants
_SAY_ANEW = f"""
INSERT INTO said (url_id, sighting_id, verdict_id, findings, first_at, last_at)
SELECT :url, value, :verdict, :findings, :at, :at FROM json_each(:sightings) AS sightings WHERE NOT EXISTS (
    SELECT 1 FROM said WHERE verdict_id = :verdict AND findings = :findings AND said_id = ({_LAST_SAID})
)
"""  # noqa: S608 - of constants

# Of the rows that began by then, the one that was last known to hold.
_THEN = "first_at <= :at ORDER BY MIN(last_at, :at) DESC, first_at DESC"
_SAID_OF_ADDRESS = f"""
SELECT document, findings, first_at, last_at, NULL, 0, NULL, NULL FROM said JOIN verdict USING (verdict_id)
WHERE url_id = :url AND sighting_id = 0 AND {_THEN}, said_id DESC LIMIT 1
"""  # noqa: S608 - of constants
_SAID_OF_SIGHTINGS = f"""
SELECT document, findings, said.first_at, said.last_at, image_id, page_url_id, page.url, source.name
FROM sighting JOIN source USING (source_id)
JOIN said ON said_id = (
    SELECT said_id FROM said WHERE url_id = :url AND sighting_id = sighting.sighting_id AND {_THEN}, said_id DESC
    LIMIT 1
)
JOIN verdict ON verdict.verdict_id = said.verdict_id
LEFT JOIN url AS page ON page.url_id = page_url_id
WHERE image_url_id = :url ORDER BY said.last_at DESC, said_id DESC LIMIT :max
"""  # noqa: S608 - of constants
_FILES = f"""
WITH asked AS (SELECT value AS url_id FROM json_each(:urls)), files AS (
    SELECT url_id FROM asked UNION SELECT url_id FROM url WHERE url IN (SELECT value FROM json_each(:hosts))
    UNION SELECT file_url_id FROM evidence_link WHERE url_id IN (SELECT url_id FROM asked) AND first_at <= :at
)
SELECT url, status, error, headers, digest, size,
       EXISTS (SELECT 1 FROM evidence_body WHERE evidence_body.digest = evidence.digest), first_at, last_at
FROM files JOIN url USING (url_id) JOIN evidence ON evidence_id = (
    SELECT evidence_id FROM evidence WHERE url_id = files.url_id AND {_THEN}, evidence_id DESC LIMIT 1
)
ORDER BY last_at DESC, evidence_id LIMIT :max
"""  # noqa: S608 - of constants
_FINDINGS = """
SELECT document FROM finding WHERE finding_id IN (SELECT value FROM json_each(?)) ORDER BY finding_id
"""
