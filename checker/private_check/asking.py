"""A photo -> its half codes, the few sketches that may be shown of it, and the rows that are near.

Everything a photo is looked up by is compared here (turned, without borders, pictures inside of it, platform shapes);
where a collection is too large for one list, four sketches are shown. Rows are half codes of whole pictures, so a
stored picture that has this photo as a part of it is met by nothing (docs/private.md, section 5).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from checker.fingerprint.asked import AskedCode, Question
from checker.index.halves import Halves, half_codes, sketches
from checker.model import Box, Variant
from checker.report import MatchKind, Orientation

SURE_BITS, NEAR_BITS = 18, 22
"""Of 128. Up to 18 no two of 89,817 pairs of studio portraits met, up to 22 two did (docs/private.md, section 6)."""
PART_SURE_BITS, PART_NEAR_BITS = 14, 18
"""For a part of the photo: many are tried, and the face of one studio portrait met that of another at 18."""
SKETCHES_MAX = 4
"""Shown of one photo. All eight turns and all shapes would show most of its code."""
MATCHES_MAX = 100
"""Told of one photo, nearest first: whoever answers could send any number of rows that are near."""
TURNS = (
    *(Orientation.AS_IS, Orientation.MIRRORED),
    *(Orientation.TURNED_90, Orientation.MIRRORED_TURNED_90),
)
"""Four stand for eight: turning a picture upside down flips the coefficients of odd row + column, and the half has the
others. So it cannot tell a picture from itself upside down."""
_WHOLE = (Variant.WHOLE, Variant.TRIMMED)


@dataclass(frozen=True, slots=True)
class AskedHalves:
    """What one photo is compared by, in the order in which it may be shown."""

    codes: tuple[AskedCode, ...]
    halves: Halves
    """(n, 16), one a code."""

    def shown(self, count_max: int = SKETCHES_MAX) -> tuple[int, ...]:
        """The sketches that are sent for it, rising: so their order does not tell which is of the photo as it lies."""
        found = dict.fromkeys(sketches(self.halves).tolist())
        return tuple(sorted(list(found)[:count_max]))


@dataclass(frozen=True, slots=True)
class NearRow:
    """A row that is near: something this close is in the collection."""

    kind: MatchKind
    orientation: Orientation
    crop: Box | None
    """The part of the photo that is near; None: all of it."""
    distance_bits: int
    """Of 128."""


def asked_halves(question: Question) -> AskedHalves:
    """The half codes of a photo: what it shows as it lies, that mirrored, platform shapes, then everything else."""
    content = question.content.variant
    turns = [code for code in question.codes if code.orientation in TURNS]
    codes = tuple(sorted(turns, key=lambda code: _turn_to_be_shown(code, content)))
    return AskedHalves(codes, half_codes(b"".join(code.bits for code in codes)))


def near_rows(asked: AskedHalves, rows: Halves) -> tuple[NearRow, ...]:
    """The rows near to the photo, the surest and nearest first; each once.

    A part of the photo has to be nearer than all of it: many parts are tried, and each could meet a stranger.
    """
    words = np.ascontiguousarray(rows).view(np.uint64)
    best: dict[int, tuple[bool, int, int]] = {}
    for number, half in enumerate(np.ascontiguousarray(asked.halves).view(np.uint64)):
        sure, limit = _limits(asked.codes[number])
        distances = np.bitwise_count(words ^ half).sum(axis=1, dtype=np.uint8)
        hits = np.flatnonzero(distances <= limit)
        if len(hits) > MATCHES_MAX:
            hits = hits[np.argsort(distances[hits], kind="stable")[:MATCHES_MAX]]
        for row in hits.tolist():
            bits = int(distances[row])
            best[row] = min(best.get(row, (True, 129, 0)), (bits > sure, bits, number))
    nearest = sorted(best.values())[:MATCHES_MAX]
    return tuple(_near_row(asked.codes[number], distance) for _, distance, number in nearest)


def _near_row(code: AskedCode, distance_bits: int) -> NearRow:
    kind = MatchKind.EDITED
    if distance_bits > _limits(code)[0]:
        kind = MatchKind.POSSIBLE
    elif code.orientation is Orientation.AS_IS and code.variant in _WHOLE:
        kind = MatchKind.SAME
    return NearRow(kind, code.orientation, code.crop, distance_bits)


def _limits(code: AskedCode) -> tuple[int, int]:
    """Up to how many bits a row is surely near, and up to how many it is near at all."""
    whole = code.variant is Variant.WHOLE
    return (SURE_BITS, NEAR_BITS) if whole else (PART_SURE_BITS, PART_NEAR_BITS)


def _turn_to_be_shown(code: AskedCode, content: Variant) -> tuple[int, int]:
    """Likely copies first: as it lies, mirrored, cut to a shape, turned; then guesses of what is a picture in it.

    Args:
        content: which part is the photo itself, without what stands around it.
    """
    as_is = code.orientation is Orientation.AS_IS
    likely: Sequence[bool] = (
        as_is and code.variant in (Variant.WHOLE, content),
        code.orientation is Orientation.MIRRORED and code.variant is Variant.WHOLE,
        as_is and code.variant in _SHAPES,
        code.variant in (Variant.WHOLE, content),
    )
    first = likely.index(True) if any(likely) else len(likely)
    return first, _PARTS.index(code.variant)


_PARTS = list(Variant)
_SHAPES = tuple(variant for variant in Variant if variant.name.startswith("CROP_"))
