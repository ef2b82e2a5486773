"""The bytes that the private check is answered with, written and read: docs/private.md, section 4.

    header, one line of JSON | rows of half codes, 16 bytes each | zeros up to a size that tells little

Everybody gets the same bytes. They name no picture: no id, no address, no date of one. The figures in the header are
those of the whole collection on that day.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from checker.index.halves import HALF_BYTES, HALF_MASK, SKETCH_BITS, VERSION, Halves
from checker.model import PHASH256, parse_utc, utc_text
from checker.report import Coverage

SPREAD_BITS = 2
"""An answer to a sketch holds the rows whose sketch differs in so many bits at most (docs/private.md, section 2)."""
STEP_BYTES = 16 * 1024
"""The list is filled up to a multiple of it, an answer to a sketch to a power of two times it."""
HEADER_BYTES_MAX = 16 * 1024
CHECK = "phash256-half"
"""What a private check compares, beside phash256 and sscd512 in `coverage.checks`."""


@dataclass(frozen=True, slots=True)
class About:
    """What stands beside the rows."""

    built_at: datetime
    """UTC: as of when the collection is shown."""
    next_at: datetime
    """UTC: another list takes the place of this one."""
    images: int
    """Pictures in the collection that can be found."""
    sources: int
    newest: datetime | None
    """When something was looked at last; None: never."""

    @property
    def coverage(self) -> Coverage:
        """What an answer rests on."""
        return Coverage(images=self.images, sources=self.sources, newest=self.newest, checks=(CHECK,))


def header_line(rows: int, about: About) -> bytes:
    """The first line of an answer of so many rows."""
    document = {
        **_FACTS,
        "rows": rows,
        "built_at": utc_text(about.built_at),
        "next_at": utc_text(about.next_at),
        "coverage": {
            "images": about.images,
            "sources": about.sources,
            "newest": utc_text(about.newest) if about.newest else None,
        },
    }
    return json.dumps(document, separators=(",", ":")).encode() + b"\n"


def list_bytes(rows: int, about: About) -> int:
    """How long `write_list` makes an answer of so many rows."""
    header = len(header_line(rows, about))
    return -(-(header + rows * HALF_BYTES) // STEP_BYTES) * STEP_BYTES


def write_list(rows: bytes, about: About) -> bytes:
    """The whole list as it is sent. `rows`: every row, sorted bytewise."""
    count = len(rows) // HALF_BYTES
    return (header_line(count, about) + rows).ljust(list_bytes(count, about), b"\0")


def write_sketch_answer(rows: bytes, about: About) -> bytes:
    """The answer to a sketch as it is sent.

    Its length names the sketch on the line, encrypted or not; so lengths double, and most are equal. Two lengths for
    a collection whose cells are about equally full, and few whatever was put into it.
    """
    body = header_line(len(rows) // HALF_BYTES, about) + rows
    size = STEP_BYTES
    while size < len(body):
        size *= 2
    return body.ljust(size, b"\0")


def read_answer(body: bytes) -> tuple[About, Halves]:
    """The rows of an answer, (n, 16), in whatever order they came.

    Raises:
        ValueError: it is none, is cut off, or holds other bits of the codes than this version asks for.
    """
    line, found, _ = body[:HEADER_BYTES_MAX].partition(b"\n")
    if not found:
        raise ValueError("it does not begin with a line of JSON")
    try:
        document = json.loads(line)
        is_ours = all(document[name] == fact for name, fact in _FACTS.items())
        count, about = _count(document["rows"]), _read_about(document)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        raise ValueError("its first line is not that of a private list") from error
    if not is_ours:
        raise ValueError("it holds other bits of the codes than this version of hibs asks for")
    if len(body) < len(line) + 1 + count * HALF_BYTES:
        raise ValueError("it is cut off")
    rows = np.frombuffer(body, dtype=np.uint8, count=count * HALF_BYTES, offset=len(line) + 1)
    return about, rows.reshape(count, HALF_BYTES)


def _read_about(document: dict[str, Any]) -> About:
    coverage = document["coverage"]
    return About(
        built_at=parse_utc(document["built_at"]),
        next_at=parse_utc(document["next_at"]),
        images=_count(coverage["images"]),
        sources=_count(coverage["sources"]),
        newest=parse_utc(coverage["newest"]) if coverage["newest"] is not None else None,
    )


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 63:
        raise ValueError("a number in its first line is none")
    return value


_FACTS: dict[str, Any] = {
    "version": VERSION,
    "kind": PHASH256.name,
    "kind_version": PHASH256.version,
    "mask": HALF_MASK.hex(),
    "sketch_bits": list(SKETCH_BITS),
    "spread_bits": SPREAD_BITS,
}
"""Of whoever answers and of whoever asks alike, or nothing can be compared."""
