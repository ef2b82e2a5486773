"""Erasing pictures from the corpus. Runs inside its caller's transaction.

    gone     the picture, its codes and tiles, every sighting of it with the verdicts on it, the words under it
    stays    that a code with this id was there, and when it went (`erasure`): an index has to leave it out
             the addresses, now in the state "erased", so that no later run of the crawl asks for them again
             what publishers said (`finding`, `verdict`, `evidence`, `said` of the address): of theirs, not the picture

A trigger on `code` writes the tombstones, so that a code leaves one whoever deletes it; one on `sighting` takes what
was said of it along. An address stays as it is where another picture was seen at it as well. Whatever is told of an
erased address is not recorded (`recording.record_visit`), so a visit that was under way cannot bring the picture back.
The same picture at an address that nobody knew, or in an archive, is recorded anew: nothing that could tell it from
others is left. What keeps a picture out wherever it is met is an opt-out.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

from sqlite_utils import Database

from checker.model import utc_text


def erase_pictures(db: Database, image_ids: Sequence[int], *, now: datetime) -> int:
    """Erase these pictures; how many there were."""
    pictures = json.dumps(sorted({int(image_id) for image_id in image_ids}))
    addresses = json.dumps([row[0] for row in db.execute(_ADDRESSES, (pictures,)).fetchall()])
    erased_before = db.execute("SELECT COALESCE(MAX(erasure_id), 0) FROM erasure").fetchone()[0]
    db.execute("DELETE FROM code WHERE image_id IN (SELECT value FROM json_each(?))", (pictures,))
    db.execute("DELETE FROM tiles WHERE image_id IN (SELECT value FROM json_each(?))", (pictures,))
    db.execute("DELETE FROM sighting WHERE image_id IN (SELECT value FROM json_each(?))", (pictures,))
    gone = db.execute(
        "DELETE FROM image WHERE image_id IN (SELECT value FROM json_each(?)) RETURNING 1", (pictures,)
    ).fetchall()
    db.execute("UPDATE erasure SET erased_at = ? WHERE erasure_id > ?", (utc_text(now), erased_before))
    db.execute(_CLOSE_UNVISITED, (addresses, utc_text(now)))
    db.execute(_CLOSE, (addresses,))
    db.execute(_DROP_CAPTIONS, (addresses,))
    return len(gone)


def is_erased(db: Database, url_id: int) -> bool:
    """Was the picture at this address erased?"""
    return db.execute("SELECT 1 FROM frontier WHERE url_id = ? AND state = 'erased'", (url_id,)).fetchone() is not None


_ADDRESSES = """
SELECT DISTINCT image_url_id FROM sighting
WHERE image_id IN (SELECT value FROM json_each(?)) AND image_url_id != 0
"""

# Addresses that only archives tell of: nobody was there, and nobody shall be.
_CLOSE_UNVISITED = """
INSERT INTO frontier (url_id, host_id, kind, depth, state, due_at, attempt)
SELECT url_id, host_id, 'image', 0, 'erased', ?2, 0 FROM url WHERE url_id IN (SELECT value FROM json_each(?1))
AND NOT EXISTS (SELECT 1 FROM sighting WHERE image_url_id = url.url_id) ON CONFLICT DO NOTHING
"""

_CLOSE = """
UPDATE frontier SET state = 'erased', lease_until = NULL, reason = NULL
WHERE url_id IN (SELECT value FROM json_each(?))
AND NOT EXISTS (SELECT 1 FROM sighting WHERE image_url_id = frontier.url_id)
"""

_DROP_CAPTIONS = """
UPDATE embed SET caption = NULL WHERE image_url_id IN (SELECT value FROM json_each(?))
AND NOT EXISTS (SELECT 1 FROM sighting WHERE sighting.image_url_id = embed.image_url_id)
"""
