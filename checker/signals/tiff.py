"""Read a few tags of a TIFF structure: of a TIFF file, or of the Exif block of another format, which is one.

The entries of every directory of the chain are looked at, never pixel data. Nothing is followed but the chain, whose
length is bounded, and the positions of the wanted values, which must lie inside of what was given.

Source: TIFF 6.0 section 2; Exif 3.0 4.6. BigTIFF is not read.
"""

from __future__ import annotations

import struct
from collections.abc import Collection
from dataclasses import dataclass, field

DIRECTORIES_MAX = 64
"""Pages and layers; a chain that runs in a circle ends as well."""
ENTRIES_MAX = 100_000
VALUE_BYTES_MAX = 16 * 2**20
"""Of all values together: directories may all point at the same bytes."""

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
"""Bytes of one value, by type."""


@dataclass(slots=True)
class Tags:
    """What was found."""

    values: dict[int, list[bytes]] = field(default_factory=dict)
    """By tag number, one for each directory that has it, in the order of the chain."""
    first: set[int] = field(default_factory=set)
    """Wanted tags of the first directory, which is the one of the main picture."""
    cut: set[int] = field(default_factory=set)
    """Wanted tags that are there while their value, or a part of it, lies outside of the file."""
    broken: bool = False
    """The chain of directories leads outside of the file, or is longer than is read."""


def is_tiff(body: bytes) -> bool:
    """Does it begin like a TIFF structure, in either byte order?"""
    return body.startswith((b"II*\0", b"MM\0*"))


def read_tags(body: bytes, wanted: Collection[int]) -> Tags:
    """Read the values of the wanted tags. Never raises; what is no TIFF has none."""
    tags = Tags()
    if not is_tiff(body):
        return tags
    order = "<" if body.startswith(b"II") else ">"
    entry = struct.Struct(order + "HHI4s")
    seen: set[int] = set()
    entries_left, bytes_left = ENTRIES_MAX, VALUE_BYTES_MAX
    offset = _number(body, 4, order + "I")
    while offset:
        count = _number(body, offset, order + "H")
        if count is None or offset in seen or len(seen) == DIRECTORIES_MAX or count > entries_left:
            tags.broken = True
            return tags
        seen.add(offset)
        entries_left -= count
        end = offset + 2 + count * entry.size
        for number, kind, length, inline in entry.iter_unpack(_whole(body[offset + 2 : end], entry.size)):
            if number in wanted:
                size = length * _SIZES.get(kind, 1)
                start = struct.unpack(order + "I", inline)[0]
                value = inline[:size] if size <= 4 else body[start : start + min(size, bytes_left)]
                bytes_left -= len(value)
                if len(value) < size:
                    tags.cut.add(number)
                tags.values.setdefault(number, []).append(value)
                if len(seen) == 1:
                    tags.first.add(number)
        offset = _number(body, end, order + "I")
    tags.broken = offset is None
    return tags


def _number(body: bytes, offset: int, form: str) -> int | None:
    """None: it lies outside."""
    try:
        return int(struct.unpack_from(form, body, offset)[0])
    except struct.error:
        return None


def _whole(entries: bytes, size: int) -> bytes:
    return entries[: len(entries) // size * size]
