"""The metadata blocks of one picture file, and how much of them is kept.

A block is bytes with its place and with whether it stands there whole and where its specification puts it: what does
not may refuse, but it permits nothing. `containers` finds blocks, with `png` and `boxes` for those formats; `embedded`
reads what they say.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from enum import StrEnum

STEPS_MAX = 200_000
"""Segments, chunks or boxes that are walked over. Real files have a few hundred; more leave doubt."""
BLOCKS_MAX = 8
"""Of each kind. Real files have one, JPEGs with extended XMP two packets. A packet can take 0.3 s to read."""
KIND_BYTES_MAX = 8 * 2**20
"""Of each kind, all blocks together, decompressed: a compressed block of 8 KiB can hold as much."""
UNPACKED_BYTES_MAX = 3 * KIND_BYTES_MAX
"""Of all compressed text of a file, kept or not. A packet may be written in hexadecimal digits, at twice its size."""
XMP_NAME = b"http://ns.adobe.com/xap/1.0/\0"
"""Stands before the packet in a JPEG's segment, and wherever such a segment was copied to."""
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
    unpacked_bytes: int = 0
    """How much was decompressed so far."""
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

    def unpack(self, data: bytes, bytes_max: int) -> tuple[bytes, bool]:
        """Decompress zlib data to at most this many bytes, and no more of all such data together than a file may have.

        Returns:
            What came out, and whether it is everything.
        """
        bytes_max = min(bytes_max, UNPACKED_BYTES_MAX - self.unpacked_bytes)
        unpacker = zlib.decompressobj()
        try:
            # 0 would mean without a bound.
            unpacked = unpacker.decompress(data, bytes_max) if bytes_max > 0 else b""
        except zlib.error:
            unpacked = b""
        self.unpacked_bytes += len(unpacked)
        return unpacked, unpacker.eof

    def of(self, kind: Kind) -> list[Block]:
        """The blocks of one kind, in the order of the file."""
        return [block for block in self.found if block.kind is kind]

    def too_many_steps(self, place: str) -> None:
        """Mark a file that goes on where it is no longer walked over: XMP may stand there, and C2PA."""
        self.cut.setdefault(Kind.XMP, f"{place}: more of them than are walked over")
