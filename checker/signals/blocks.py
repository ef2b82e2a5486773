"""The metadata blocks of one picture file, and how much of them is kept.

A block is bytes with its place and with whether it stands there whole and where its specification puts it: what does
not may refuse, but it permits nothing. `containers` finds blocks, `embedded` reads what they say.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

BLOCKS_MAX = 8
"""Of each kind. Real files have one, JPEGs with extended XMP two packets. A packet can take 0.3 s to read."""
KIND_BYTES_MAX = 8 * 2**20
"""Of each kind, all blocks together, decompressed: a compressed block of 8 KiB can hold as much."""
C2PA_BYTES_MAX = 4096
"""Of a C2PA block: enough to tell what it is. The manifest is read from the file by a library of its own."""


class Kind(StrEnum):
    """What a block holds."""

    XMP = "XMP"
    IIM = "IIM"
    EXIF = "Exif"
    C2PA = "C2PA"


@dataclass(frozen=True, slots=True)
class Block:
    """One metadata block."""

    kind: Kind
    place: str
    """ "JPEG APP1 XMP", "PNG iTXt XMP", ..."""
    body: bytes
    exact: bool = True
    """It stands where its specification puts it, whole, and is what it seems to be. False: it permits nothing."""


@dataclass(slots=True)
class Blocks:
    """All that was found in one file."""

    mime: str = ""
    """Told by how the file begins; empty: none that is known here."""
    found: list[Block] = field(default_factory=list)
    cut: dict[Kind, str] = field(default_factory=dict)
    """Kinds of which something is there that could not be had whole, and where."""
    _bytes: dict[Kind, int] = field(default_factory=dict)
    _counts: dict[tuple[Kind, bool], int] = field(default_factory=dict)

    def add(self, kind: Kind, place: str, body: bytes, *, exact: bool = True) -> None:
        """Keep a block, within the bounds. Of C2PA blocks the first is enough."""
        if not body:
            return
        count = self._counts.get((kind, exact), 0)
        if kind is Kind.C2PA:
            body = body[:C2PA_BYTES_MAX]
            if count:
                return
        if len(body) > self.bytes_left(kind) or count == BLOCKS_MAX:
            self.cut.setdefault(kind, f"{place}: more than is read")
            return
        self._bytes[kind] = self._bytes.get(kind, 0) + len(body)
        self._counts[kind, exact] = count + 1
        self.found.append(Block(kind, place, body, exact))

    def bytes_left(self, kind: Kind) -> int:
        """How many bytes of this kind may still be added."""
        return KIND_BYTES_MAX - self._bytes.get(kind, 0)

    def of(self, kind: Kind) -> list[Block]:
        """The blocks of one kind, in the order of the file."""
        return [block for block in self.found if block.kind is kind]
