"""Rows of lists that name the address of a picture: what LAION and its like hand out. Runs inside the caller's
transaction.

    row --queue--> frontier (an image, depth 0) --polite visit--> sighting at the list's row
          '-- the picture there is known already: the sighting is made at once (`recording.sight_listed`)

A row says that its list holds what lay at the address when the list was made. Where it gives the SHA-256 of that and
the picture there is another one by now, nothing is recorded for the row: the list does not hold this picture.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlite_utils import Database

from checker.model import Locator, Sha256, Source
from checker.records.erasure import is_erased
from checker.records.frontier import queue_link
from checker.records.rows import intern_url
from checker.visits import FoundLink


@dataclass(frozen=True, slots=True)
class ListedRow:
    """One row of a list."""

    image_url: str
    """What may be stored of it, as the crawler writes addresses."""
    locator: Locator
    page_url: str | None = None
    caption: str | None = None
    sha256: Sha256 | None = None
    """Of the picture when the list was made, as the list has it."""
    ask_url: str | None = None
    """As in `FoundLink`."""


@dataclass(frozen=True, slots=True)
class ListedPlace:
    """A row that names an address: where a sighting of the picture there is written."""

    source: Source
    locator: str
    page_url_id: int
    """0: none."""
    caption: str | None


@dataclass(frozen=True, slots=True)
class Queued:
    """What became of some rows."""

    added: int
    """Addresses that were not known before."""
    known: tuple[tuple[int, str], ...]
    """The other addresses, with their ids."""


def locator_text(locator: Locator) -> str:
    """As it stands in `sighting` and `listed`."""
    return json.dumps({name: value for name, value in locator.to_dict().items() if value is not None}, sort_keys=True)


def queue_rows(db: Database, rows: Sequence[ListedRow], *, source: Source, now: datetime) -> Queued:
    """Note the rows, and queue the addresses that are not known yet. An erased one stays what it is."""
    added, known = 0, []
    for row in rows:
        link = FoundLink(url=row.image_url, kind="image", found_as="list", caption=row.caption, ask_url=row.ask_url)
        url_id, new = queue_link(db, link, depth=0, now=now)
        if is_erased(db, url_id):
            continue
        added += new
        page_url_id = intern_url(db, row.page_url) if row.page_url else 0
        sha256 = bytes.fromhex(row.sha256) if row.sha256 else None
        db.execute(
            "INSERT INTO listed (image_url_id, source_id, locator, page_url_id, caption, sha256) "
            "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET page_url_id = excluded.page_url_id, "
            "caption = excluded.caption, sha256 = excluded.sha256",
            (url_id, int(source.id), locator_text(row.locator), page_url_id, row.caption, sha256),
        )
        if not new:
            known.append((url_id, row.image_url))
    return Queued(added, tuple(dict.fromkeys(known)))


def lists_mean_others(db: Database, image_url_id: int, sha256: bytes | None = None) -> bool:
    """Do lists name this address, and every row for another picture than that of this digest? None: than any."""
    rows, this_one = db.execute(
        "SELECT COUNT(*), COUNT(*) FILTER (WHERE sha256 IS NULL OR sha256 = ?) FROM listed WHERE image_url_id = ?",
        (sha256, image_url_id),
    ).fetchone()
    return bool(rows and not this_one)


def places_listed(db: Database, image_url_id: int, image_id: int | None) -> list[ListedPlace]:
    """The rows that name this address, but for those that mean another picture than this one."""
    rows = db.execute(
        "SELECT source_id, name, kind, locator, page_url_id, caption FROM listed JOIN source USING (source_id) "
        "WHERE image_url_id = ? AND (sha256 IS NULL OR sha256 = (SELECT sha256 FROM image WHERE image_id = ?)) "
        "ORDER BY source_id, locator",
        (image_url_id, image_id),
    ).fetchall()
    return [
        ListedPlace(Source(id=str(source_id), name=name, kind=kind), locator, page, caption)
        for source_id, name, kind, locator, page, caption in rows
    ]
