"""When a build is worth it. Asked now and then by whatever runs for long; it costs a few look-ups in the database."""

from __future__ import annotations

from datetime import datetime, timedelta

from checker.errors import IndexDamagedError
from checker.index.aside import hidden_digest
from checker.index.live import kind_folder
from checker.index.manifest import Manifest, read_manifest
from checker.model import CodeKind
from checker.records.folder import DataFolder
from checker.settings import Settings

SEAL_ROWS = 65_536
"""New codes that are worth a segment; a search through as many in memory takes a quarter of a millisecond."""
SWEEP_EVERY = timedelta(hours=12)
"""What was erased or hidden leaves the files at the first build this long after the last such one: within a day."""
_LAST_ID = 2**63 - 1


def is_sweep_due(manifest: Manifest | None, now: datetime) -> bool:
    """Is it time to free the files of what was erased or hidden since?"""
    return manifest is None or now - manifest.swept_at >= SWEEP_EVERY


def reason_to_build(folder: DataFolder, settings: Settings, kind: CodeKind, *, now: datetime) -> str | None:
    """Why a build is worth it now; None: it is not."""
    try:
        manifest = read_manifest(kind_folder(folder.path, kind), kind)
    except IndexDamagedError as error:
        return str(error)
    new = folder.store.codes_between_count((manifest.upto if manifest else 0) + 1, _LAST_ID, kind=kind)
    if new >= SEAL_ROWS:
        return f"{new} new codes"
    if manifest is None or not is_sweep_due(manifest, now):
        return None
    if erased := len(folder.store.erased_codes_after(manifest.erased_mark, kind=kind).code_ids):
        return f"{erased} codes were erased"
    digest = hidden_digest(folder.hidden.turned_codes(), settings.opt_out_distance_bits_max)
    return "what is hidden has changed" if digest != manifest.hidden else None
