"""What a picture is found by (codes) and what a find is verified by (tiles): their rows, written and read.

A code belongs to a picture, a kind and a variant, and is written once: a picture that is met again keeps the codes it
has and gains those it lacks, for example when the extra that makes them was installed later. Writing runs inside the
caller's transaction.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from sqlite_utils import Database

from checker.model import Box, CodeKind, Picture, Variant
from checker.records.interfaces import CodeRow, StoredTiles
from checker.records.rows import remembered

_CORNERS = struct.Struct(">4H")
_STEPS = 65_535
"""A picture's side in the units of a stored box: finer than the pixels of any side that is looked at."""
_VARIANTS = {variant.value: variant for variant in Variant}


def record_codes(db: Database, image_id: int, picture: Picture) -> None:
    """Write the codes and tiles that this picture does not have yet; nothing that it has is changed."""
    kinds = {kind: _kind_id(db, kind) for kind in dict.fromkeys(code.kind for code in picture.fingerprints)}
    for code in picture.fingerprints:
        db.execute(
            "INSERT INTO code (image_id, kind_id, variant, bits, crop) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (image_id, kinds[code.kind], code.variant.value, code.bits, pack_box(code.crop) if code.crop else None),
        )
    if picture.tiles is not None:
        db.execute(
            "INSERT INTO tiles (image_id, bits, crop) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
            (image_id, picture.tiles.bits, pack_box(picture.tiles.crop)),
        )


def code_row(row: Sequence[Any]) -> CodeRow:
    """A row of code_id, image_id, bits, variant, crop."""
    code_id, image_id, bits, variant, crop = row
    return CodeRow(
        code_id=code_id,
        image_id=image_id,
        bits=bytes(bits),
        variant=_VARIANTS[variant],
        crop=unpack_box(bytes(crop)) if crop is not None else None,
    )


def stored_tiles(row: Sequence[Any]) -> StoredTiles:
    """A row of bits, crop, width, height."""
    bits, crop, width, height = row
    return StoredTiles(bits=bytes(bits), crop=unpack_box(bytes(crop)), width=width, height=height)


def pack_box(box: Box) -> bytes:
    """8 bytes: x0, y0, x1, y1 as big-endian uint16, in 1/65535 of the picture's width and height.

    Raises:
        ValueError: it reaches out of the picture, or there is nothing in it.
    """
    corners = [round(share * _STEPS) for share in box]
    x0, y0, x1, y1 = corners
    if not (0 <= x0 < x1 <= _STEPS and 0 <= y0 < y1 <= _STEPS):
        raise ValueError(f"{box} is no part of a picture")
    return _CORNERS.pack(*corners)


@lru_cache(maxsize=4096)  # cuts from the middle are the same for all pictures of one shape
def unpack_box(packed: bytes) -> Box:
    """What `pack_box` wrote, to 1/65535."""
    x0, y0, x1, y1 = _CORNERS.unpack(packed)
    return x0 / _STEPS, y0 / _STEPS, x1 / _STEPS, y1 / _STEPS


@remembered("code_kind")
def _kind_id(db: Database, kind: CodeKind) -> int:
    db.execute(
        "INSERT INTO code_kind (name, version, bits) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        (kind.name, kind.version, kind.bits),
    )
    row = db.execute(
        "SELECT kind_id FROM code_kind WHERE name = ? AND version = ?", (kind.name, kind.version)
    ).fetchone()
    return int(row[0])
