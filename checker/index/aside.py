"""Codes of pictures that somebody hid: they leave the index's files, and are searched from the database instead.

An answer about a hidden picture keeps its match and loses its addresses (docs/decisions.md, 9), so its codes have to be
found; but no file that is copied, cached or backed up as "the index" is to hold them.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from checker.index.files import ArrayPlan, NewFile
from checker.index.live import QUERIES_MAX, LiveIndex
from checker.index.manifest import FileEntry
from checker.index.search import Ids
from checker.model import PHASH256, CodeKind
from checker.records.folder import DataFolder
from checker.records.interfaces import Store

_WHAT = "aside"


def hidden_digest(codes: Sequence[bytes], distance_bits_max: int) -> str:
    """Stands for what is hidden: equal for equal codes and radius."""
    digest = hashlib.sha256(f"{distance_bits_max} {len(codes)}".encode())
    for code in codes:
        digest.update(code)
    return digest.hexdigest()[:32]


def hidden_images(folder: DataFolder, codes: Sequence[bytes], *, distance_bits_max: int) -> list[int]:
    """Ids of the recorded pictures that these codes hide: any phash256 code of theirs, of a part too, is this near."""
    near: set[int] = set()
    with LiveIndex(folder.path, folder.store, PHASH256) as index:
        for begin in range(0, len(codes), QUERIES_MAX):
            hits = index.near(codes[begin : begin + QUERIES_MAX], distance_bits_max=distance_bits_max).hits
            near.update(hit.code_id for hit in hits)
    return sorted(set(folder.store.image_ids_of(sorted(near)).values()))


def codes_of_images(store: Store, image_ids: Sequence[int], kind: CodeKind) -> Ids:
    """Ids of every code of this kind that these pictures have, rising."""
    found = store.code_ids_of_images(image_ids, kind=kind).values()
    return np.array(sorted(code_id for code_ids in found for code_id in code_ids), dtype=np.int64)


def write_aside(folder: Path, ids: Ids) -> FileEntry | None:
    """Write down which ids are set aside; None where none is.

    Raises:
        DataError: no space, or the folder cannot be written.
    """
    if not len(ids):
        return None
    name = f"aside-{secrets.token_hex(4)}.ids"
    with NewFile(folder / name, [ArrayPlan("ids", "<i8", (len(ids),))]) as file:
        file.array("ids")[:] = ids
        crc = file.finish(_WHAT, {})
    return FileEntry(name=name, rows=len(ids), bytes=file.bytes, header_crc=crc)
