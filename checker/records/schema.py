"""The tables of corpus.db and how they came to be.

    source       one crawl or archive               host, url    every address once
    image        a picture, by SHA-256              code         its codes; ids in commit order, never reused
    tiles        what a find of it is verified by   code_kind    which codes there are
    sighting     picture, address, page, source     embed        which page shows which picture, as what
    verdict      what a publisher said, once each   finding      the evidence for it
    frontier     addresses to visit                 crawl_scope  what this folder's crawl covers
    erasure      which codes are gone, since when
    said         what a verdict was, from when to when, and the findings behind it
    opted_out    pictures without a code that an opt-out is about (`sightings.py`)
    evidence     what asking for an address gave, from when to when; evidence_body, evidence_link (`evidence.py`)

A picture's bytes are never stored. A code is never changed: what was built from codes (the index) rests on that, and
learns from `erasure` which of them are gone. What was said is never changed either. Triggers see to all this, whoever
writes; only REPLACE would pass them by (SQLite fires none for the row that it replaces), and no statement uses it.

Migrations are only ever added; `PRAGMA user_version` is their number.
"""

from __future__ import annotations

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

CORPUS = Migrations("corpus")


@CORPUS()
def m001_everything_seen(db: Database) -> None:
    """The tables of the first version."""
    _run(db, _FIRST)


@CORPUS()
def m002_parts_of_pictures(db: Database) -> None:
    """Codes of parts of a picture, and tiles. What was recorded before keeps its code of the whole."""
    _run(db, _PARTS)


@CORPUS()
def m003_erasures(db: Database) -> None:
    """Tombstones of codes, and an index of the codes of whole pictures."""
    _run(db, _ERASURES)


@CORPUS()
def m004_evidence(db: Database) -> None:
    """What was said and when, beside what is so now. Of the time before, only the newest verdict is known."""
    _run(db, _EVIDENCE)


@CORPUS()
def m005_archives(db: Database) -> None:
    """Who made a source, how far each of its files was read, and what lists name."""
    _run(db, _ARCHIVES)


@CORPUS()
def m006_recrawl(db: Database) -> None:
    """What a crawl that goes on, or looks again, has to know."""
    _run(db, _RECRAWL)


@CORPUS()
def m007_opted_out(db: Database) -> None:
    """Which opt-out a picture without a code belongs to. What was recorded before cannot be told any more."""
    _run(db, _OPTED_OUT)


def _run(db: Database, statements: str) -> None:
    for statement in statements.split(";\n"):
        if statement.strip():
            db.execute(statement)


_FIRST = """
CREATE TABLE source (
    source_id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, kind TEXT NOT NULL, first_seen TEXT NOT NULL,
    UNIQUE (name, kind)
) STRICT;
CREATE TABLE host (host_id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE url (
    url_id INTEGER PRIMARY KEY, host_id INTEGER NOT NULL REFERENCES host, url TEXT NOT NULL UNIQUE
) STRICT;
CREATE TABLE verdict (
    verdict_id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, document TEXT NOT NULL
) STRICT;
CREATE TABLE image (
    image_id INTEGER PRIMARY KEY AUTOINCREMENT, sha256 BLOB NOT NULL UNIQUE, byte_size INTEGER NOT NULL,
    width INTEGER NOT NULL, height INTEGER NOT NULL, format TEXT NOT NULL, first_seen TEXT NOT NULL
) STRICT;
CREATE TABLE code_kind (
    kind_id INTEGER PRIMARY KEY, name TEXT NOT NULL, version TEXT NOT NULL, bits INTEGER NOT NULL,
    UNIQUE (name, version)
) STRICT;
CREATE TABLE code (
    code_id INTEGER PRIMARY KEY AUTOINCREMENT, image_id INTEGER NOT NULL REFERENCES image,
    kind_id INTEGER NOT NULL REFERENCES code_kind, variant TEXT NOT NULL, bits BLOB NOT NULL,
    UNIQUE (image_id, kind_id, variant)
) STRICT;
CREATE TABLE sighting (
    sighting_id INTEGER PRIMARY KEY AUTOINCREMENT, image_id INTEGER NOT NULL REFERENCES image,
    source_id INTEGER NOT NULL REFERENCES source,
    image_url_id INTEGER NOT NULL DEFAULT 0, page_url_id INTEGER NOT NULL DEFAULT 0, locator TEXT NOT NULL DEFAULT '',
    caption TEXT, found_as TEXT, headers TEXT, verdict_id INTEGER REFERENCES verdict,
    first_seen TEXT NOT NULL, last_seen TEXT NOT NULL,
    UNIQUE (image_id, source_id, image_url_id, page_url_id, locator)
) STRICT;
CREATE INDEX sighting_by_image_url ON sighting (image_url_id);
CREATE TABLE embed (
    page_url_id INTEGER NOT NULL REFERENCES url, image_url_id INTEGER NOT NULL REFERENCES url,
    found_as TEXT NOT NULL, caption TEXT, PRIMARY KEY (image_url_id, page_url_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX embed_by_page ON embed (page_url_id);
CREATE TABLE finding (
    finding_id INTEGER PRIMARY KEY, url_id INTEGER NOT NULL REFERENCES url, signal TEXT NOT NULL,
    place TEXT NOT NULL, raw TEXT NOT NULL, key BLOB NOT NULL, document TEXT NOT NULL, in_force INTEGER NOT NULL,
    seen_at TEXT NOT NULL, UNIQUE (url_id, key)
) STRICT;
CREATE TABLE frontier (
    url_id INTEGER PRIMARY KEY REFERENCES url, host_id INTEGER NOT NULL REFERENCES host, kind TEXT NOT NULL,
    depth INTEGER NOT NULL, state TEXT NOT NULL, due_at TEXT NOT NULL, lease_until TEXT, attempt INTEGER NOT NULL,
    reason TEXT, status INTEGER, verdict_id INTEGER REFERENCES verdict, visited_at TEXT
) STRICT;
CREATE INDEX frontier_next ON frontier (host_id, state, kind, attempt, depth, url_id);
CREATE INDEX frontier_due ON frontier (state, kind, due_at);
CREATE TABLE crawl_scope (scope_id INTEGER PRIMARY KEY CHECK (scope_id = 1), document TEXT NOT NULL) STRICT
"""

_PARTS = """
ALTER TABLE code ADD COLUMN crop BLOB CHECK (crop IS NULL OR length(crop) = 8);
CREATE INDEX code_by_kind ON code (kind_id);
CREATE TABLE tiles (
    image_id INTEGER PRIMARY KEY REFERENCES image, bits BLOB NOT NULL CHECK (length(bits) = 288),
    crop BLOB NOT NULL CHECK (length(crop) = 8)
) STRICT
"""
"""A box is four big-endian uint16, x0 y0 x1 y1, in 1/65535 of the picture (`codes.pack_box`); NULL: all of it."""

_ERASURES = """
CREATE TABLE erasure (
    erasure_id INTEGER PRIMARY KEY AUTOINCREMENT, code_id INTEGER NOT NULL UNIQUE,
    kind_id INTEGER NOT NULL REFERENCES code_kind, erased_at TEXT NOT NULL
) STRICT;
CREATE INDEX erasure_by_kind ON erasure (kind_id);
CREATE TRIGGER code_leaves_a_tombstone AFTER DELETE ON code BEGIN
    INSERT INTO erasure (code_id, kind_id, erased_at)
    VALUES (OLD.code_id, OLD.kind_id, strftime('%Y-%m-%dT%H:%M:%SZ', 'now')); END;
CREATE TRIGGER code_never_changes BEFORE UPDATE ON code BEGIN
    SELECT RAISE(ABORT, 'a code is never changed: delete it and add another'); END;
CREATE INDEX code_of_whole ON code (kind_id) WHERE variant = 'whole'
"""
"""`erasure_id` rises in commit order, so that an index of codes can ask for all after N."""

_EVIDENCE = """
CREATE TABLE evidence_body (
    digest BLOB NOT NULL PRIMARY KEY CHECK (length(digest) = 32), packed INTEGER NOT NULL, body BLOB NOT NULL
) STRICT;
CREATE TABLE evidence (
    evidence_id INTEGER PRIMARY KEY, url_id INTEGER NOT NULL REFERENCES url, digest BLOB, size INTEGER,
    status INTEGER, error TEXT, headers TEXT, first_at TEXT NOT NULL, last_at TEXT NOT NULL
) STRICT;
CREATE INDEX evidence_of_url ON evidence (url_id, first_at);
CREATE TABLE evidence_link (
    url_id INTEGER NOT NULL REFERENCES url, file_url_id INTEGER NOT NULL REFERENCES url, first_at TEXT NOT NULL,
    PRIMARY KEY (url_id, file_url_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE said (
    said_id INTEGER PRIMARY KEY, url_id INTEGER NOT NULL REFERENCES url, sighting_id INTEGER NOT NULL,
    verdict_id INTEGER NOT NULL REFERENCES verdict, findings TEXT NOT NULL,
    first_at TEXT NOT NULL, last_at TEXT NOT NULL
) STRICT;
CREATE INDEX said_of_sighting ON said (url_id, sighting_id, first_at);
CREATE TRIGGER sighting_takes_what_was_said AFTER DELETE ON sighting BEGIN
    DELETE FROM said WHERE url_id = OLD.image_url_id AND sighting_id = OLD.sighting_id; END;
CREATE TRIGGER said_never_changes BEFORE UPDATE ON said
WHEN NEW.last_at < OLD.last_at OR (NEW.said_id, NEW.url_id, NEW.sighting_id, NEW.verdict_id, NEW.findings, NEW.first_at)
    IS NOT (OLD.said_id, OLD.url_id, OLD.sighting_id, OLD.verdict_id, OLD.findings, OLD.first_at)
BEGIN SELECT RAISE(ABORT, 'what was said is never changed: add a row'); END;
CREATE TRIGGER evidence_never_changes BEFORE UPDATE ON evidence
WHEN NEW.last_at < OLD.last_at
    OR (NEW.evidence_id, NEW.url_id, NEW.digest, NEW.size, NEW.status, NEW.error, NEW.headers, NEW.first_at)
    IS NOT (OLD.evidence_id, OLD.url_id, OLD.digest, OLD.size, OLD.status, OLD.error, OLD.headers, OLD.first_at)
BEGIN SELECT RAISE(ABORT, 'evidence is never changed: add a row'); END;
CREATE TRIGGER evidence_body_never_changes BEFORE UPDATE ON evidence_body BEGIN
    SELECT RAISE(ABORT, 'evidence is never changed: add a row'); END;
INSERT INTO said (url_id, sighting_id, verdict_id, findings, first_at, last_at)
SELECT url_id, 0, verdict_id, (
    SELECT json_group_array(finding_id ORDER BY finding_id) FROM finding
    WHERE finding.url_id = frontier.url_id AND seen_at = visited_at
), visited_at, visited_at FROM frontier WHERE verdict_id IS NOT NULL AND visited_at IS NOT NULL;
INSERT INTO said (url_id, sighting_id, verdict_id, findings, first_at, last_at)
SELECT image_url_id, sighting_id, verdict_id, (
    SELECT json_group_array(finding_id ORDER BY finding_id) FROM finding
    WHERE (finding.url_id = image_url_id AND (in_force = 1 OR seen_at = visited_at))
    OR (finding.url_id = page_url_id AND in_force = 1
        AND (signal IN ('html-robots', 'x-robots-tag') OR place = 'link to a licence in the page'))
), asked_at, asked_at FROM (
    SELECT image_url_id, page_url_id, sighting_id, sighting.verdict_id AS verdict_id, visited_at,
           CASE WHEN state = 'disallowed' THEN MAX(last_seen, visited_at) ELSE last_seen END AS asked_at
    FROM sighting LEFT JOIN frontier ON frontier.url_id = image_url_id WHERE sighting.verdict_id IS NOT NULL
)
"""
"""`sighting_id` 0: said of the address itself. `findings`: their ids as a JSON array, lowest first.

A verdict that stands in a sighting of before is that of the last look; what was said at earlier looks was overwritten,
and nothing is claimed of it. A later refusal was no look at the picture, so it counts from the visit that met it."""

_RECRAWL = """
ALTER TABLE frontier ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;
ALTER TABLE frontier ADD COLUMN ask_url TEXT;
DROP INDEX frontier_next;
CREATE INDEX frontier_next ON frontier (host_id, state, kind, attempt, priority, depth, url_id);
ALTER TABLE sighting ADD COLUMN gone_since TEXT;
CREATE TABLE crawl_host (
    host_id INTEGER PRIMARY KEY REFERENCES host, pages INTEGER NOT NULL DEFAULT 0, images INTEGER NOT NULL DEFAULT 0,
    ready_at TEXT, backoff_s REAL NOT NULL DEFAULT 0
) STRICT;
INSERT INTO crawl_host (host_id, pages, images)
SELECT host_id, SUM(kind = 'page'), SUM(kind = 'image') FROM frontier GROUP BY host_id
"""
"""`ask_url` holds the secret parts of an address while it waits, and is emptied when its visit ends. `pages` and
`images` count the addresses of a host that were ever queued; the rest of `crawl_host` is how a host wants to be left
alone when that has to outlast a run (Retry-After, errors)."""

_ARCHIVES = """
ALTER TABLE source ADD COLUMN version TEXT;
ALTER TABLE source ADD COLUMN run_by TEXT;
ALTER TABLE source ADD COLUMN contact TEXT;
ALTER TABLE source ADD COLUMN opt_out TEXT;
CREATE TABLE ingest_cursor (
    source_id INTEGER NOT NULL REFERENCES source, file TEXT NOT NULL, digest BLOB NOT NULL, position INTEGER NOT NULL,
    finished INTEGER NOT NULL, updated_at TEXT NOT NULL, PRIMARY KEY (source_id, file)
) STRICT, WITHOUT ROWID;
CREATE TABLE listed (
    image_url_id INTEGER NOT NULL REFERENCES url, source_id INTEGER NOT NULL REFERENCES source, locator TEXT NOT NULL,
    page_url_id INTEGER NOT NULL, caption TEXT, sha256 BLOB CHECK (sha256 IS NULL OR length(sha256) = 32),
    PRIMARY KEY (image_url_id, source_id, locator)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER sighting_takes_its_listing AFTER DELETE ON sighting WHEN OLD.locator <> '' BEGIN
    DELETE FROM listed
    WHERE image_url_id = OLD.image_url_id AND source_id = OLD.source_id AND locator = OLD.locator; END;
CREATE TABLE archived_evidence (evidence_id INTEGER PRIMARY KEY REFERENCES evidence) STRICT
"""
"""`ingest_cursor`: `digest` tells whether the file is the one that was read (`cursors.py`). `listed`: the rows of lists
that name an address; `locator` as in `sighting`, `page_url_id` 0: none. What erasing takes from `sighting` it takes
from here as well, since a caption and a digest would leave something to know the picture by. `archived_evidence`: what
an archive says that a host said; no crawl may take it for what the host told us."""

_OPTED_OUT = """
CREATE TABLE opted_out (
    number TEXT NOT NULL, image_id INTEGER NOT NULL REFERENCES image ON DELETE CASCADE, PRIMARY KEY (number, image_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX opted_out_of_image ON opted_out (image_id)
"""
"""`number` is that of an opt-out in registry.db. The row goes with its picture, and with what the opt-out said."""
