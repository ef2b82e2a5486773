"""Rows that several tables point to: addresses and verdicts, each written once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Hashable, Mapping
from typing import TypeVar
from urllib.parse import urlsplit

from sqlite_utils import Database

from checker.model import Finding, Stance, Use

HOST_FILES = ("/robots.txt", "/.well-known/tdmrep.json", "/ai.txt", "/trust.txt", "/.well-known/trust.txt")
"""Files that speak for a whole host: found by their address, so that no picture needs a link to them."""
K = TypeVar("K", bound=Hashable)


def host_of(url: str) -> str:
    """Scheme, host and port of an address: what robots.txt and politeness are counted by (RFC 9309 2.3)."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


_IDS_MAX = 20_000


def remembered(table: str) -> Callable[[Callable[[Database, K], int]], Callable[[Database, K], int]]:
    """Keep the ids of rows that are never deleted in the connection: most of what is written names a few of them."""

    def remember(intern: Callable[[Database, K], int]) -> Callable[[Database, K], int]:
        def known(db: Database, key: K) -> int:
            ids: dict[tuple[str, object], int] = db.conn.ids  # type: ignore[attr-defined]  # it is our _Connection
            found = ids.get((table, key))
            if found is None:
                if len(ids) >= _IDS_MAX:
                    ids.clear()
                found = ids[(table, key)] = intern(db, key)
            return found

        return known

    return remember


@remembered("url")
def intern_url(db: Database, url: str) -> int:
    """The id of an address, which is written down when it is new."""
    row = db.execute("SELECT url_id FROM url WHERE url = ?", (url,)).fetchone()
    if row is None:
        row = db.execute(
            "INSERT INTO url (host_id, url) VALUES (?, ?) RETURNING url_id", (intern_host(db, host_of(url)), url)
        ).fetchone()
    return int(row[0])


@remembered("host")
def intern_host(db: Database, name: str) -> int:
    """The id of a host, which is written down when it is new."""
    row = db.execute("SELECT host_id FROM host WHERE name = ?", (name,)).fetchone()
    if row is None:
        row = db.execute("INSERT INTO host (name) VALUES (?) RETURNING host_id", (name,)).fetchone()
    return int(row[0])


def intern_verdict(db: Database, verdict: Mapping[str, str]) -> int:
    """The id of a verdict. Most addresses share a few, so each is written once."""
    return _intern_verdict(db, json.dumps(verdict))


@remembered("verdict")
def _intern_verdict(db: Database, document: str) -> int:
    key = digest(document)
    row = db.execute("SELECT verdict_id FROM verdict WHERE key = ?", (key,)).fetchone()
    if row is None:
        row = db.execute(
            "INSERT INTO verdict (key, document) VALUES (?, ?) RETURNING verdict_id", (key, document)
        ).fetchone()
    return int(row[0])


def digest(document: str) -> bytes:
    """16 bytes that stand for a document in a key."""
    return hashlib.sha256(document.encode()).digest()[:16]


def host_files(url: str) -> tuple[str, ...]:
    """The addresses of the files that speak for the host of this address."""
    host = host_of(url)
    return tuple(host + path for path in HOST_FILES)


def finding_document(finding: Finding) -> str:
    """A finding as JSON, for the evidence table."""
    return json.dumps(
        {
            "signal": finding.signal,
            "version": finding.version,
            "place": finding.place,
            "scope": finding.scope,
            "raw": finding.raw,
            "crawl": finding.crawl.value,
            "uses": {use.value: stance.value for use, stance in finding.uses.items()},
            "malformed": finding.malformed,
            "unreachable": finding.unreachable,
            "inferred": finding.inferred,
        }
    )


def read_finding(document: str) -> Finding:
    """A finding as `finding_document` wrote it."""
    values = json.loads(document)
    uses = {Use(use): Stance(stance) for use, stance in values.pop("uses").items()}
    return Finding(**{**values, "crawl": Stance(values["crawl"]), "uses": uses})
