"""What a candidate is: the same picture, an edited copy, a possible one, or nothing worth saying.

A code that stands alone is never taken at its word: where the tiles or the other code contradict it, the answer is
"possible" at most (forged codes), and what the robust code alone holds for a copy has to be found in the pixels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from checker.fingerprint.asked import AskedCode
from checker.matching.chance import BULK_CHANCE, Chances, of_placement
from checker.matching.placement import CLEAR_BITS, Placement, Placer
from checker.model import PHASH256, ROBUST_NAME, Box, Variant
from checker.records.interfaces import CodeRow, StoredTiles
from checker.report import MatchKind, Orientation

PLACED_ALWAYS, PLACED_CHANCE_MAX = 3, 1e-3
"""The nearest three are searched for whatever their chance; a true copy is the nearest in 999 of 1,000 questions."""
EXPECTED_MAX = 1e-3
"""More expected chance matches than this, and a match is `possible` at most."""
POSSIBLE_BITS_MAX = 150
"""Of sscd512: further off lie photos of one kind of place, which nobody would call a copy."""
TILTED_MAX, TILTED_EXPECTED_MAX = 3, 1000.0
"""Candidates that are searched for aslant as well, and how likely chance may make them before."""
CONTRADICTED_BITS = 90.0
"""Tiles this far off say that a near code is forged, or a coincidence."""
WHOLE_VARIANTS = (Variant.WHOLE, Variant.TRIMMED)


@dataclass(frozen=True, slots=True)
class Found:
    """A stored picture that answers a question."""

    image_id: int
    kind: MatchKind
    orientation: Orientation
    crop: Box | None
    """The part of the asked picture that it shows; None: all of it."""
    stored_crop: Box | None
    """The part of the stored picture that shows it; None: all of it, or not told."""
    distances: Mapping[str, int]
    expected: float | None
    codes_disagree: bool
    phash_codes: tuple[bytes, ...]
    """Every phash256 code of the stored picture: what an opt-out hides it by."""


@dataclass(slots=True)
class Candidate:
    """A stored picture that may answer a question."""

    image_id: int
    asked: AskedCode | None = None
    row: CodeRow | None = None
    phash_bits: int | None = None
    robust_asked: AskedCode | None = None
    robust_row: CodeRow | None = None
    robust_bits: int | None = None
    phash_codes: list[bytes] = field(default_factory=list)


class Weigher:
    """Decides about candidates of one question."""

    def __init__(
        self, chances: Chances, placer: Placer | None, tiles: Mapping[int, StoredTiles], pictures: int
    ) -> None:
        self._chances = chances
        self._placer = placer
        self._tiles = tiles
        self._pictures = pictures
        self._tilts_left = TILTED_MAX
        self._looked_at = 0

    def weigh(self, candidate: Candidate) -> Found | None:
        """What a candidate is; None: nothing worth saying."""
        robust = 1.0
        if candidate.robust_bits is not None and candidate.robust_row:
            robust = self._chances.of_robust(candidate.robust_bits, candidate.robust_row.bits)
        elif candidate.phash_bits is None:
            return None
        if candidate.phash_bits is not None:
            return self._near(candidate, candidate.phash_bits, robust)
        self._looked_at += 1
        if self._looked_at > PLACED_ALWAYS and robust > PLACED_CHANCE_MAX:
            return None
        return self._by_robust(candidate, robust)

    def _near(self, candidate: Candidate, distance_bits: int, robust: float) -> Found:
        """A candidate whose phash256 is near."""
        assert candidate.asked
        assert candidate.row
        tiles = self._tiles.get(candidate.image_id)
        placement = self._placer.confirm(candidate.asked, candidate.row, tiles) if self._placer and tiles else None
        forged = placement is not None and placement.tiles > 0 and placement.distance_bits > CONTRADICTED_BITS
        robust_contradicts = candidate.robust_bits is not None and robust > BULK_CHANCE
        hash_chance = self._chances.of_phash(distance_bits, stored=max(1, len(candidate.phash_codes)))
        chance = hash_chance * robust
        if placement and not forged:
            # The tiles' chance was measured among pictures that a code holds for alike: the surer code counts once.
            chance = min(hash_chance, robust) * of_placement(placement)
        unsure = (
            placement is not None and placement.distance_bits > CLEAR_BITS and self._expected(chance) > EXPECTED_MAX
        )
        whole = candidate.asked.variant in WHOLE_VARIANTS and candidate.row.variant in WHOLE_VARIANTS
        as_is = candidate.asked.orientation is Orientation.AS_IS
        if forged or unsure or (robust_contradicts and placement is None):
            kind = MatchKind.POSSIBLE
        elif whole and as_is and not robust_contradicts:
            kind = MatchKind.SAME
        else:
            kind = MatchKind.EDITED
        where = (candidate.asked.orientation, candidate.asked.crop, candidate.row.crop)
        return self._found(candidate, kind, where, chance, disagree=forged or robust_contradicts)

    def _by_robust(self, candidate: Candidate, robust: float) -> Found | None:
        """A candidate that the robust code alone holds for a copy: it has to be found in the pixels."""
        assert candidate.robust_asked
        tiles = self._tiles.get(candidate.image_id)
        if self._placer is None or tiles is None:
            if not self._possible(candidate, robust):
                return None
            where = (candidate.robust_asked.orientation, None, None)
            return self._found(candidate, MatchKind.POSSIBLE, where, robust)
        placement = self._place(tiles, candidate.robust_asked.orientation, robust)
        chance = robust * of_placement(placement)
        if self._expected(chance) <= EXPECTED_MAX and of_placement(placement) < BULK_CHANCE:
            kind = MatchKind.EDITED
        elif self._possible(candidate, min(chance, robust)):
            kind = MatchKind.POSSIBLE
        else:
            return None
        return self._found(candidate, kind, (placement.orientation, placement.crop, placement.stored_crop), chance)

    def _possible(self, candidate: Candidate, chance: float) -> bool:
        """Is it worth a look, though it could not be found in the pixels?"""
        bits = candidate.robust_bits
        return bits is not None and bits <= POSSIBLE_BITS_MAX and self._expected(chance) <= EXPECTED_MAX

    def _place(self, tiles: StoredTiles, orientation: Orientation, robust: float) -> Placement:
        assert self._placer
        placement = self._placer.search(tiles, orientation)
        worth = self._tilts_left > 0 and self._expected(robust) <= TILTED_EXPECTED_MAX
        if placement.distance_bits <= CLEAR_BITS or not worth:
            return placement
        self._tilts_left -= 1
        tilted = self._placer.search(tiles, orientation, tilts=True)
        return min(placement, tilted, key=lambda found: found.distance_bits)

    def _expected(self, chance: float) -> float:
        return chance * self._pictures

    def _found(
        self,
        candidate: Candidate,
        kind: MatchKind,
        where: tuple[Orientation, Box | None, Box | None],
        chance: float,
        *,
        disagree: bool = False,
    ) -> Found:
        distances = {}
        if candidate.phash_bits is not None:
            distances[PHASH256.name] = candidate.phash_bits
        if candidate.robust_bits is not None:
            distances[ROBUST_NAME] = candidate.robust_bits
        return Found(
            image_id=candidate.image_id,
            kind=kind,
            orientation=where[0],
            crop=where[1],
            stored_crop=where[2],
            distances=distances,
            expected=self._expected(chance),
            codes_disagree=disagree,
            phash_codes=tuple(candidate.phash_codes),
        )
