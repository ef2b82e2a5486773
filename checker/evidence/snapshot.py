"""What a case was asked of: which state of which collection, named so that a later one is told from it.

The id is SHA-256 over the facts below. In a data folder a digest over all codes with their ids is among them, so that a
picture added, erased or coded anew makes another id. A server tells its figures and its signed log, not its codes:
there the id says which figures it told.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from checker.client import Client
from checker.errors import RemoteProblemError, VerificationError
from checker.model import utc_text
from checker.optout.log import CHECKPOINT_FILE, folder_keys
from checker.optout.log_keys import KEY_FILE
from checker.optout.note import Checkpoint, VerifierKey, open_checkpoint, parse_verifier_key
from checker.records.folder import DataFolder
from checker.records.interfaces import Store

_CODES_AT_ONCE = 100_000


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One state of a collection."""

    facts: dict[str, Any]
    """Figures, `codes_sha256` (None: not told), `log` (None: there is none)."""
    checkpoint: bytes | None
    """The log's signed checkpoint, of which `facts` hold size and root: it is signed again every hour."""
    sources: tuple[dict[str, Any], ...]
    """Name, kind and who runs it, oldest first."""

    @property
    def id(self) -> str:
        """64 hex digits."""
        return hashlib.sha256(json.dumps(self.facts, sort_keys=True, separators=(",", ":")).encode()).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """As it stands in the report."""
        return {"id": self.id, **self.facts}


def folder_snapshot(data: Path) -> Snapshot:
    """The state of a data folder now. Reads every code once (32 bytes each).

    Raises:
        DataError, VerificationError: the folder or its log cannot be used.
    """
    with DataFolder.open(data, create=False) as folder:
        counts = folder.store.counts()
        sources = folder.store.sources()
        facts = {
            "images": counts.images,
            "images_findable": counts.images_servable,
            "sightings": counts.sightings,
            "sources": counts.sources,
            "newest": utc_text(counts.newest) if counts.newest else None,
            "codes_sha256": _codes_sha256(folder.store),
        }
    note = None
    if (data / KEY_FILE).exists() and (data / CHECKPOINT_FILE).exists():
        note = (data / CHECKPOINT_FILE).read_bytes()
    keys = [key.verifier for key in folder_keys(data)] if note else []
    return Snapshot(
        {**facts, "log": _log(note, keys)},
        note,
        tuple(_source(row.source.name, row.source.kind, row.details.run_by) for row in sources),
    )


def server_snapshot(client: Client) -> Snapshot:
    """What a server tells of its state now.

    Raises:
        RemoteError: it tells it in another form.
        VerificationError: its log is not signed with its key.
    """
    stats = client.stats()
    facts = {
        "images": stats.images,
        "images_findable": stats.images_findable,
        "sightings": stats.sightings,
        "sources": stats.sources,
        "newest": utc_text(stats.newest) if stats.newest else None,
        "codes_sha256": None,
    }
    sources = tuple(_source(one.name, one.kind, one.run_by) for one in client.sources())
    try:
        key, note = client.feed_key(), client.feed_checkpoint()
    except RemoteProblemError:
        return Snapshot({**facts, "log": None}, None, sources)
    verifiers = [parse_verifier_key(line) for line in key.splitlines()[:2] if line]
    return Snapshot({**facts, "log": _log(note, verifiers)}, note, sources)


def _codes_sha256(store: Store) -> str:
    """Over every code: its kind, its id in 8 bytes (big-endian), its bits; by kind and id."""
    digest = hashlib.sha256()
    for kind in sorted(store.kinds(), key=lambda kind: (kind.name, kind.version)):
        digest.update(f"{kind.name} {kind.version} {kind.bits}\n".encode())
        after = 0
        while (block := store.code_block_after(after, kind=kind, count=_CODES_AT_ONCE)).code_ids:
            digest.update(np.asarray(block.code_ids, dtype=">i8").tobytes())
            digest.update(block.bits)
            after = block.code_ids[-1]
    return digest.hexdigest()


def _log(note: bytes | None, keys: list[VerifierKey]) -> dict[str, Any] | None:
    if note is None:
        return None
    try:
        head: Checkpoint = open_checkpoint(note, keys)
    except VerificationError as error:
        raise VerificationError(f"the opt-out log that was asked does not verify: {error}", part=error.part) from error
    return {"origin": head.origin, "size": head.size, "root": head.root.hex(), "keys": [key.text for key in keys]}


def _source(name: str | None, kind: str | None, run_by: str | None) -> dict[str, Any]:
    return {"name": name, "kind": kind, "run_by": run_by}
