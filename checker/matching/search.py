"""From a question to the stored pictures that are copies, each with how sure that is (docs/decisions.md, 16).

    64 codes -> index within 31 bits --.
                                       +-> candidates -> tiles, placed by pixels -> chance -> same, edited, possible
    robust codes -> nearest 48 --------'

weighing.py decides about the candidates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from checker.fingerprint.asked import CODES_MAX, AskedCode, Question, turned_codes
from checker.matching.chance import Chances, turned_nulls
from checker.matching.placement import Placer
from checker.matching.weighing import Candidate, Found, Weigher
from checker.model import PHASH256, Box, CodeKind, Fingerprint, Variant
from checker.records.interfaces import CodeRow, Hit, NearIndex
from checker.records.store import CorpusStore
from checker.report import MatchKind, Orientation

SHORT_LIST = 48
"""Nearest pictures by the robust code that are looked at; 16 of them at most are searched for in the pixels."""
PLACED_MAX = 16
CORPUS_MIN = 100_000
"""A smaller corpus is weighed as if it had this many pictures: someone else's photo is as wrong in a small one."""
PART_BITS = 30
"""A match of half of a picture counts as 15 bits further than one of all of it: parts of a photo match in many ways."""
TOGETHER_MAX = CODES_MAX // len(Orientation)
"""Questions by codes that are answered together."""

_Candidates = dict[int, Candidate]
"""Of one question, by image id."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """One question."""

    codes: Sequence[AskedCode]
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

    def search_codes(
        self,
        questions: Sequence[Sequence[Fingerprint]],
        *,
        pictures: int,
        near: Sequence[Sequence[Hit]] | None = None,
    ) -> list[list[Found]]:
        """The same of each of several pictures, by codes that came without it: less is found, and nothing is placed.

        What the index and the store are asked for all of them is asked once.

        Args:
            questions: each the codes of one picture, the phash256 code first; `TOGETHER_MAX` at most for the index.
            near: what is near to each, where it is known already; `query_no` is the orientation. None: ask the index.
        """
        asked = []
        turned = iter(turned_codes([code for codes in questions for code in codes if code.kind == PHASH256]))
        for codes in questions:
            each = [next(turned) for code in codes if code.kind == PHASH256]
            turns = each[0] if len(each) == 1 else tuple(turn for one in each for turn in one)
            robust = tuple(AskedCode(code.bits, Orientation.AS_IS) for code in codes if code.kind == self._robust_kind)
            asked.append(self._asked(turns, robust, None))
        return self._answers(asked, pictures, near)

    @property
    def _robust_kind(self) -> CodeKind | None:
        return self._robust.kind if self._robust else None

    def _asked(self, codes: Sequence[AskedCode], robust: tuple[AskedCode, ...], placer: Placer | None) -> _Asked:
        robust = robust if self._robust and codes else ()
        return _Asked(codes, robust, placer, Chances(codes, robust, self._robust_kind))

    def _answers(
        self, asked: Sequence[_Asked], pictures: int, near: Sequence[Sequence[Hit]] | None = None
    ) -> list[list[Found]]:
        found = self._candidates(asked, self._near(asked) if near is None else near)
        for one, candidates in zip(asked, found, strict=True):
            self._add_robust(one, candidates)
        self._add_codes(found)
        both = zip(asked, found, strict=True)
        bare = [one for one, candidates in both if candidates and not one.placer and len(one.codes) == len(Orientation)]
        for one, null in zip(bare, turned_nulls([one.codes[0].bits for one in bare]), strict=True):
            one.chances.phash_null = null
        return [self._answer(one, candidates, pictures) for one, candidates in zip(asked, found, strict=True)]

    def _answer(self, one: _Asked, candidates: _Candidates, pictures: int) -> list[Found]:
        tiles = self._store.tiles_of(list(candidates)) if one.placer else {}
        weigher = Weigher(one.chances, one.placer, tiles, max(pictures, CORPUS_MIN))
        found = [answer for candidate in _ordered(candidates) if (answer := weigher.weigh(candidate))]
        return sorted(found, key=lambda f: (_RANK[f.kind], f.expected or 0.0, f.image_id))

    def _near(self, asked: Sequence[_Asked]) -> list[list[Hit]]:
        """Of each question, what is near by phash256; `query_no` counts its codes."""
        near: list[list[Hit]] = [[] for _ in asked]
        codes = [
            (hits, number, code) for one, hits in zip(asked, near, strict=True) for number, code in enumerate(one.codes)
        ]
        if codes:
            answer = self._index.near([code.bits for _, _, code in codes], distance_bits_max=self._radius)
            for hit in answer.hits:
                hits, number, _ = codes[hit.query_no]
                hits.append(Hit(number, hit.code_id, hit.distance_bits))
        return near

    def _candidates(self, asked: Sequence[_Asked], near: Sequence[Sequence[Hit]]) -> list[_Candidates]:
        """Of each question, the pictures whose phash256 is near."""
        rows = self._store.codes_of([hit.code_id for hits in near for hit in hits])
        found: list[_Candidates] = [{} for _ in asked]
        for one, hits, candidates in zip(asked, near, found, strict=True):
            for hit in hits:
                if row := rows.get(hit.code_id):
                    code = one.codes[hit.query_no]
                    candidate = candidates.setdefault(row.image_id, Candidate(row.image_id))
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
            candidates.setdefault(row.image_id, Candidate(row.image_id))
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


_RANK = {MatchKind.SAME: 0, MatchKind.EDITED: 1, MatchKind.POSSIBLE: 2}


def _ordered(candidates: Mapping[int, Candidate]) -> list[Candidate]:
    """Those near by phash256, then the nearest by the robust code; of the latter no more than can be placed."""
    near = [c for c in candidates.values() if c.phash_bits is not None]
    others = sorted((c for c in candidates.values() if c.phash_bits is None), key=lambda c: c.robust_bits or 0)
    return near + others[:PLACED_MAX]


def _better(distance_bits: int, asked: AskedCode, row: CodeRow, candidate: Candidate) -> bool:
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


def _compare_robust(candidate: Candidate, row: CodeRow, robust: tuple[AskedCode, ...]) -> None:
    stored = np.frombuffer(row.bits, dtype=np.uint64)
    for asked in robust:
        distance = int(np.bitwise_count(np.frombuffer(asked.bits, dtype=np.uint64) ^ stored).sum())
        if candidate.robust_bits is None or distance < candidate.robust_bits:
            candidate.robust_bits, candidate.robust_asked, candidate.robust_row = distance, asked, row
