"""From a question to the stored pictures that are copies, each with how sure that is (docs/decisions.md, 16).

    64 codes -> index within 31 bits --.
                                       +-> candidates -> tiles, placed by pixels -> chance -> same, edited, possible
    robust codes -> nearest 48 --------'

A code that stands alone is never taken at its word: where the tiles or the other code contradict it, the answer is
"possible" at most (forged codes), and what the robust code alone holds for a copy has to be found in the pixels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from checker.fingerprint.asked import CODES_MAX, AskedCode, Question, turned_codes
from checker.matching.chance import BULK_CHANCE, Chances, of_placement
from checker.matching.placement import CLEAR_BITS, Placement, Placer
from checker.model import PHASH256, ROBUST_NAME, Box, CodeKind, Fingerprint, Variant
from checker.records.interfaces import CodeRow, NearIndex, StoredTiles
from checker.records.store import CorpusStore
from checker.report import MatchKind, Orientation

SHORT_LIST = 48
"""Nearest pictures by the robust code that are looked at; 16 of them at most are searched for in the pixels."""
PLACED_MAX = 16
PLACED_ALWAYS, PLACED_CHANCE_MAX = 3, 1e-3
"""The nearest three are searched for whatever their chance; a true copy is the nearest in 999 of 1,000 questions."""
EXPECTED_MAX = 1e-3
"""More expected chance matches than this, and a match is `possible` at most."""
POSSIBLE_BITS_MAX = 150
"""Of sscd512: further off lie photos of one kind of place, which nobody would call a copy."""
TILTED_MAX, TILTED_EXPECTED_MAX = 3, 1000.0
"""Candidates that are searched for aslant as well, and how likely chance may make them before."""
CORPUS_MIN = 100_000
"""A smaller corpus is weighed as if it had this many pictures: someone else's photo is as wrong in a small one."""
CONTRADICTED_BITS = 90.0
"""Tiles this far off say that a near code is forged, or a coincidence."""
PART_BITS = 30
"""A match of half of a picture counts as 15 bits further than one of all of it: parts of a photo match in many ways."""
TOGETHER_MAX = CODES_MAX // len(Orientation)
"""Questions by codes that are answered together."""
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
class _Candidate:
    image_id: int
    asked: AskedCode | None = None
    row: CodeRow | None = None
    phash_bits: int | None = None
    robust_asked: AskedCode | None = None
    robust_row: CodeRow | None = None
    robust_bits: int | None = None
    phash_codes: list[bytes] = field(default_factory=list)


_Candidates = dict[int, _Candidate]
"""Of one question, by image id."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """One question."""

    codes: tuple[AskedCode, ...]
    robust: tuple[AskedCode, ...]
    placer: Placer | None
    """None: its codes came without their picture."""
    chances: Chances


class Matcher:
    """Answers questions from one corpus. Safe to share between threads."""

    def __init__(self, store: CorpusStore, index: NearIndex, robust_index: NearIndex | None, *, radius: int) -> None:
        """`radius`: of phash256, in bits. `robust_index`: of the kind of code that questions bring; None: none."""
        self._store = store
        self._index = index
        self._robust = robust_index
        self._radius = radius

    def search(self, question: Question, *, pictures: int) -> list[Found]:
        """The stored pictures that are copies of the asked one, the surest first.

        Args:
            pictures: how many the corpus has that can be found.
        """
        (found,) = self._answers([self._asked(question.codes, question.robust, Placer(question))], pictures)
        return found

    def search_codes(self, questions: Sequence[Sequence[Fingerprint]], *, pictures: int) -> list[list[Found]]:
        """The same of each of several pictures, by codes that came without it: less is found, and nothing is placed.

        What the index and the store are asked for all of them is asked once.

        Args:
            questions: `TOGETHER_MAX` of them at most, each the codes of one picture.
        """
        asked = []
        for codes in questions:
            turns = tuple(turn for code in codes if code.kind == PHASH256 for turn in turned_codes(code))
            robust = tuple(AskedCode(code.bits, Orientation.AS_IS) for code in codes if code.kind == self._robust_kind)
            asked.append(self._asked(turns, robust, None))
        return self._answers(asked, pictures)

    @property
    def _robust_kind(self) -> CodeKind | None:
        return self._robust.kind if self._robust else None

    def _asked(self, codes: tuple[AskedCode, ...], robust: tuple[AskedCode, ...], placer: Placer | None) -> _Asked:
        robust = robust if self._robust and codes else ()
        return _Asked(codes, robust, placer, Chances(codes, robust, self._robust_kind))

    def _answers(self, asked: Sequence[_Asked], pictures: int) -> list[list[Found]]:
        found = self._near(asked)
        for one, candidates in zip(asked, found, strict=True):
            self._add_robust(one, candidates)
        self._add_codes(found)
        return [self._answer(one, candidates, pictures) for one, candidates in zip(asked, found, strict=True)]

    def _answer(self, one: _Asked, candidates: _Candidates, pictures: int) -> list[Found]:
        tiles = self._store.tiles_of(list(candidates)) if one.placer else {}
        weigher = _Weigher(one.chances, one.placer, tiles, max(pictures, CORPUS_MIN))
        found = [answer for candidate in _ordered(candidates) if (answer := weigher.weigh(candidate))]
        return sorted(found, key=lambda f: (_RANK[f.kind], f.expected or 0.0, f.image_id))

    def _near(self, asked: Sequence[_Asked]) -> list[_Candidates]:
        """Of each question, the pictures whose phash256 is near."""
        found: list[_Candidates] = [{} for _ in asked]
        codes = [(candidates, code) for one, candidates in zip(asked, found, strict=True) for code in one.codes]
        if not codes:
            return found
        hits = self._index.near([code.bits for _, code in codes], distance_bits_max=self._radius).hits
        rows = self._store.codes_of([hit.code_id for hit in hits])
        for hit in hits:
            if row := rows.get(hit.code_id):
                candidates, code = codes[hit.query_no]
                candidate = candidates.setdefault(row.image_id, _Candidate(row.image_id))
                if _better(hit.distance_bits, code, row, candidate):
                    candidate.phash_bits, candidate.asked, candidate.row = hit.distance_bits, code, row
        return found

    def _add_robust(self, one: _Asked, candidates: _Candidates) -> None:
        """Those that are nearest by the robust code, and how far all of them are by it."""
        if not one.robust or not self._robust:
            return
        edge = one.chances.robust_edge()
        nearest = self._robust.nearest([code.bits for code in one.robust], count=SHORT_LIST).hits
        rows = self._store.codes_of([hit.code_id for hit in nearest if hit.distance_bits <= edge])
        for row in rows.values():
            candidates.setdefault(row.image_id, _Candidate(row.image_id))
        for row in self._store.codes_of_images(list(candidates), self._robust.kind):
            _compare_robust(candidates[row.image_id], row, one.robust)

    def _add_codes(self, found: Sequence[_Candidates]) -> None:
        """Every phash256 code of every candidate."""
        ids = {image_id for candidates in found for image_id in candidates}
        codes: dict[int, list[bytes]] = {image_id: [] for image_id in ids}
        for row in self._store.codes_of_images(sorted(ids), PHASH256):
            codes[row.image_id].append(row.bits)
        for candidates in found:
            for image_id, candidate in candidates.items():
                candidate.phash_codes = codes[image_id]


class _Weigher:
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

    def weigh(self, candidate: _Candidate) -> Found | None:
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

    def _near(self, candidate: _Candidate, distance_bits: int, robust: float) -> Found:
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

    def _by_robust(self, candidate: _Candidate, robust: float) -> Found | None:
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

    def _possible(self, candidate: _Candidate, chance: float) -> bool:
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
        candidate: _Candidate,
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


_RANK = {MatchKind.SAME: 0, MatchKind.EDITED: 1, MatchKind.POSSIBLE: 2}


def _ordered(candidates: Mapping[int, _Candidate]) -> list[_Candidate]:
    """Those near by phash256, then the nearest by the robust code; of the latter no more than can be placed."""
    near = [c for c in candidates.values() if c.phash_bits is not None]
    others = sorted((c for c in candidates.values() if c.phash_bits is None), key=lambda c: c.robust_bits or 0)
    return near + others[:PLACED_MAX]


def _better(distance_bits: int, asked: AskedCode, row: CodeRow, candidate: _Candidate) -> bool:
    """The whole of both as they lie, where that is near; else the nearest, a part counting as further away."""
    if candidate.phash_bits is None or candidate.asked is None or candidate.row is None:
        return True
    return _rank(distance_bits, asked, row) < _rank(candidate.phash_bits, candidate.asked, candidate.row)


def _rank(distance_bits: int, asked: AskedCode, row: CodeRow) -> tuple[bool, float, int]:
    parts = asked.variant is not Variant.WHOLE or row.variant is not Variant.WHOLE
    turned = list(Orientation).index(asked.orientation)
    left_out = (1 - _area(asked.crop)) + (1 - _area(row.crop))
    return parts or turned > 0, distance_bits + PART_BITS * left_out, turned


def _area(crop: Box | None) -> float:
    return (crop[2] - crop[0]) * (crop[3] - crop[1]) if crop else 1.0


def _compare_robust(candidate: _Candidate, row: CodeRow, robust: tuple[AskedCode, ...]) -> None:
    stored = np.frombuffer(row.bits, dtype=np.uint64)
    for asked in robust:
        distance = int(np.bitwise_count(np.frombuffer(asked.bits, dtype=np.uint64) ^ stored).sum())
        if candidate.robust_bits is None or distance < candidate.robust_bits:
            candidate.robust_bits, candidate.robust_asked, candidate.robust_row = distance, asked, row
