"""Opt-outs on one side, an operator's pictures on the other: one Decision a picture, each with its reason.

Rules, in order; the first that applies decides:

1. A row with an address that a standing entry names is dropped, whatever is there: `address-entry`.
2. A file that gives no picture is `not-checked`: `no-picture` where neither its name nor its content is one,
   `unreadable` otherwise. It is never kept, because nobody knows what it shows.
3. A picture too plain to be told from others is `plain`: review.
4. Standing entries only: a withdrawn or erased entry does not count, whatever it held.
5. An entry lies near when one of its codes and one of the picture's, of the same kind, differ by at most the
   radius of the settings, however the picture is turned or mirrored: who says no to a photo says no to its mirror
   image. An entry made from a code alone, without the picture, needs half of the radius: codes can be
   forged to lie next to a stranger's picture, and a look-alike must not be dropped on one code's word. Between the
   two radii it is `codes-disagree`: review. A disputed entry is never more than review.
6. Of several near entries one that drops wins over one for review, then the nearest, then the oldest.
7. Where entry and picture both have an sscd512 code of one model, and lie alike, that code must not lie in the bulk of
   unrelated pictures (docs/decisions.md, 16); else the entry is `codes-disagree`: review, unless another one drops.
   sscd512 alone drops nothing: it takes two portraits before one curtain for copies.

An entry counts whatever uses it names, unless the operator says what the pictures are for: then those that are about
other uses do not. A larger use takes the smaller with it: a no to `tdm` is one to `train-ai`.
The fingerprints come from elsewhere; which files there are and where kept ones go is told elsewhere, too.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path

import numpy as np
import numpy.typing as npt

from checker.addresses import covering_addresses
from checker.fingerprint.asked import AskedCode
from checker.index.turned import NONE, TurnedCodes, unpacked
from checker.matching.chance import BULK_CHANCE, Chances
from checker.model import PHASH256, Fingerprint, Picture, Unreadable, UnreadableReason, Use
from checker.optout.feed import Feed, is_stale, verify_feed
from checker.optout.table import AddressEntry, OptOutRows, RobustCodes, StandingRows, is_robust
from checker.report import Orientation
from checker.settings import Settings

LONE_CODE_RADIUS_DIVISOR = 2
"""15 instead of 31 bits. Our choice until a second kind of code can confirm the first."""
ROWS_AT_ONCE = 1 << 18
"""Of `decide_codes_many`: more do not get faster, and take 150 bytes each."""
CONTRADICTED_MAX = 16
"""Entries that sscd512 may contradict before the picture is for review: each takes a tenth of a millisecond."""


class Action(StrEnum):
    """What an operator does with a picture. Closed."""

    KEEP = "keep"
    DROP = "drop"
    REVIEW = "review"
    NOT_CHECKED = "not-checked"


class Reason(StrEnum):
    """Why. Closed."""

    NEAR_ENTRY = "near-entry"
    ADDRESS_ENTRY = "address-entry"
    CODES_DISAGREE = "codes-disagree"
    PLAIN = "plain"
    UNREADABLE = "unreadable"
    NO_PICTURE = "no-picture"
    FEED_STALE = "feed-stale"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do with one picture, and why."""

    action: Action
    reason: Reason
    feed_size: int
    """Entries of the feed that decided, in all."""
    entry: int | None = None
    """Index in the log of the entry that decided; None: no entry did."""
    code: str | None = None
    """Name of the kind of code that was near."""
    distance_bits: int | None = None
    """Between the picture and that entry."""

    def to_dict(self) -> dict[str, str | int | None]:
        """The columns that a decision adds to an operator's row."""
        return {
            "hibs_decision": self.action.value,
            "hibs_reason": self.reason.value,
            "hibs_entry": self.entry,
            "hibs_code": self.code,
            "hibs_distance_bits": self.distance_bits,
            "hibs_feed_size": self.feed_size,
        }


ACTIONS, REASONS = tuple(Action), tuple(Reason)
STRICTEST = (Action.DROP, Action.NOT_CHECKED, Action.REVIEW, Action.KEEP)
"""Of several decisions about one row the first of these counts."""


def strictest(decisions: Sequence[Decision]) -> Decision:
    """Of decisions about one row, the first of the strictest: drop, not-checked, review, keep."""
    return min(decisions, key=lambda decision: STRICTEST.index(decision.action))


@dataclass(frozen=True, slots=True, eq=False)
class Decisions:
    """Decisions about many pictures, as arrays of one length."""

    feed_size: int
    actions: npt.NDArray[np.int8]
    """Places in `ACTIONS`."""
    reasons: npt.NDArray[np.int8]
    """Places in `REASONS`."""
    entries: npt.NDArray[np.int64]
    """Index in the log; -1: no entry decided."""
    distances: npt.NDArray[np.int16]
    """In bits; -1: no entry decided."""

    def __len__(self) -> int:
        return len(self.actions)

    def __iter__(self) -> Iterator[Decision]:
        """One by one."""
        columns = (self.actions.tolist(), self.reasons.tolist(), self.entries.tolist(), self.distances.tolist())
        for action, reason, entry, distance in zip(*columns, strict=True):
            by = (entry, PHASH256.name, distance) if entry >= 0 else (None, None, None)
            yield Decision(ACTIONS[action], REASONS[reason], self.feed_size, *by)

    def counts(self) -> dict[Action, int]:
        """How many of each action."""
        return dict(zip(ACTIONS, np.bincount(self.actions, minlength=len(ACTIONS)).tolist(), strict=True))


@dataclass(frozen=True, slots=True, eq=False)
class OptOutTable:
    """The standing opt-outs of one feed, ready to decide. Holds all it needs: no file, no clock."""

    feed_size: int
    feed_root: str
    """Hex digits."""
    feed_origin: str
    """Name of the log."""
    signed_at: datetime
    """Time of its checkpoint."""
    uses: tuple[str, ...]
    """What the pictures are for, sorted; "all" where every opt-out counts."""
    opt_outs: int
    """Standing opt-outs."""
    not_compared: int
    """Of these, with a picture that has no code of a kind that this version compares."""
    other_uses: int
    """Opt-outs left aside because they are about none of the uses that were asked for."""
    radius_bits: int
    addresses: Mapping[str, AddressEntry]
    """What opted-out addresses there are."""
    _codes: TurnedCodes
    _entries: npt.NDArray[np.int64]
    """Index in the log, by row of `_codes`, as the following."""
    _lone: npt.NDArray[np.bool_]
    _disputed: npt.NDArray[np.bool_]
    _robust: RobustCodes

    def is_stale(self, *, now: datetime, age_max: timedelta) -> bool:
        """See `Feed.is_stale`."""
        return is_stale(self.signed_at, now=now, age_max=age_max)

    def decide_address(self, url: str) -> Decision | None:
        """Decide by the address of a row (rule 1); None: no entry names it, and the picture is to be looked at."""
        if not self.addresses:
            return None
        found = [self.addresses[one] for one in covering_addresses(url) if one in self.addresses]
        if not found:
            return None
        entry, disputed = min(found, key=lambda one: (one.disputed, one.entry))
        action = Action.REVIEW if disputed else Action.DROP
        return Decision(action, Reason.ADDRESS_ENTRY, self.feed_size, entry)

    def decide_codes(self, codes: Sequence[Fingerprint]) -> Decision:
        """Decide by the codes of one picture: rules 4 to 7 above. Codes of no known kind decide nothing."""
        asked = [code.bits for code in codes if code.kind == PHASH256]
        if not asked:
            return Decision(Action.NOT_CHECKED, Reason.UNREADABLE, self.feed_size)
        questions = np.frombuffer(b"".join(asked), dtype=np.uint64).reshape(len(asked), -1)
        best = self._codes.best(questions, distance_bits_max=self.radius_bits).min(keepdims=True)
        decided = next(iter(self._decisions(best)))
        robust = [code for code in codes if is_robust(code.kind)]
        if decided.action is Action.DROP and robust and len(self._robust.rows):
            return self._confirmed(decided, int(unpacked(best)[0][0]), questions, robust)
        return decided

    def decide_codes_many(self, codes: npt.NDArray[np.uint64]) -> Decisions:
        """Decide about many pictures, each by one phash256 code: equal to `decide_codes` of each.

        Args:
            codes: (n, 4), the bytes of each code as four words.
        """
        parts = range(0, len(codes), ROWS_AT_ONCE)
        best = [self._codes.best(codes[at : at + ROWS_AT_ONCE], distance_bits_max=self.radius_bits) for at in parts]
        return self._decisions(np.concatenate([np.empty(0, dtype=np.uint64), *best]))

    def decide_picture(self, picture: Picture | Unreadable, *, named_as_picture: bool = True) -> Decision:
        """Decide about what `fingerprint` gave: rules 2 to 7 above.

        Args:
            named_as_picture: False where the file's name says that it is none ("notes.txt").
        """
        if isinstance(picture, Unreadable):
            nothing = picture.reason in (UnreadableReason.NOT_A_PICTURE, UnreadableReason.EMPTY)
            reason = Reason.NO_PICTURE if nothing and not named_as_picture else Reason.UNREADABLE
            return Decision(Action.NOT_CHECKED, reason, self.feed_size)
        if picture.plain:
            return Decision(Action.REVIEW, Reason.PLAIN, self.feed_size)
        return self.decide_codes(picture.fingerprints)

    def _decisions(self, best: npt.NDArray[np.uint64]) -> Decisions:
        """Rules 5 and 6: what the best of the near entries means, of each question."""
        near = np.flatnonzero(best != NONE)
        rows, distances = unpacked(best[near])
        actions = np.full(len(best), ACTIONS.index(Action.KEEP), dtype=np.int8)
        reasons = np.full(len(best), REASONS.index(Reason.NONE), dtype=np.int8)
        entries, far = np.full(len(best), -1, dtype=np.int64), np.full(len(best), -1, dtype=np.int16)
        alone = self._lone[rows] & (distances > self.radius_bits // LONE_CODE_RADIUS_DIVISOR)
        review = alone | self._disputed[rows]
        actions[near] = np.where(review, ACTIONS.index(Action.REVIEW), ACTIONS.index(Action.DROP))
        reasons[near] = np.where(alone, REASONS.index(Reason.CODES_DISAGREE), REASONS.index(Reason.NEAR_ENTRY))
        entries[near], far[near] = self._entries[rows], distances
        return Decisions(self.feed_size, actions, reasons, entries, far)

    def _confirmed(
        self, decided: Decision, row: int, questions: npt.NDArray[np.uint64], robust: Sequence[Fingerprint]
    ) -> Decision:
        """Rule 7: what drops a picture by phash256, and whether sscd512 lets it."""
        if not self._contradicted(row, questions, robust):
            return decided
        surest: list[tuple[int, int]] = []
        for question in questions:
            rows, distances = self._codes.near(question, distance_bits_max=self.radius_bits)
            sure = distances <= self._codes.sure_bits[rows]
            surest += zip(distances[sure].tolist(), rows[sure].tolist(), strict=True)
        for distance, other in sorted(surest)[:CONTRADICTED_MAX]:
            if not self._contradicted(other, questions, robust):
                entry = int(self._entries[other])
                return Decision(Action.DROP, Reason.NEAR_ENTRY, self.feed_size, entry, PHASH256.name, distance)
        doubt = (decided.entry, PHASH256.name, decided.distance_bits)
        return Decision(Action.REVIEW, Reason.CODES_DISAGREE, self.feed_size, *doubt)

    def _contradicted(self, row: int, questions: npt.NDArray[np.uint64], robust: Sequence[Fingerprint]) -> bool:
        """Does sscd512 say that this is another picture? Codes of unlike models, and turned copies, say nothing."""
        if self._codes.distance_as_is(row, questions) > self.radius_bits:
            return False
        pairs = [(asked, stored) for stored in self._robust.of(row) for asked in robust if asked.kind == stored.kind]
        return bool(pairs) and all(_in_bulk(asked, stored) for asked, stored in pairs)


def _in_bulk(asked: Fingerprint, stored: Fingerprint) -> bool:
    words = [np.frombuffer(code.bits, dtype=np.uint64) for code in (asked, stored)]
    distance_bits = int(np.bitwise_count(words[0] ^ words[1]).sum())
    chances = Chances((), (AskedCode(asked.bits, Orientation.AS_IS),), asked.kind)
    return chances.of_robust(distance_bits, stored.bits) > BULK_CHANCE


def read_table(folder: Path, settings: Settings, *, uses: Collection[Use] | None = None) -> OptOutTable:
    """Verify a feed folder and lay out its standing opt-outs, in one pass. Whether it is stale is for the caller.

    Args:
        uses: what the pictures are for. None: anything, so every opt-out counts.
    Raises:
        InputError: this is no feed folder.
        VerificationError: something in it does not hold.
    """
    rows = OptOutRows(uses)
    return table_of(verify_feed(folder, each=rows), rows, settings, uses=uses)


def table_of(feed: Feed, rows: OptOutRows, settings: Settings, *, uses: Collection[Use] | None = None) -> OptOutTable:
    """Lay out the standing opt-outs of a verified feed.

    Args:
        rows: took every entry of it, for the same uses.
    """
    found: StandingRows = rows.standing(ended=feed.ended, disputed=feed.disputed)
    radius = settings.opt_out_distance_bits_max
    sure = np.where(found.lone, radius // LONE_CODE_RADIUS_DIVISOR, radius)
    return OptOutTable(
        feed_size=feed.size,
        feed_root=feed.root.hex(),
        feed_origin=feed.origin,
        signed_at=feed.signed_at,
        uses=(Use.ALL.value,) if uses is None else tuple(sorted(use.value for use in uses)),
        opt_outs=found.opt_outs,
        not_compared=found.not_compared,
        other_uses=found.other_uses,
        radius_bits=radius,
        addresses=found.addresses,
        _codes=TurnedCodes(found.codes, np.where(found.disputed, -1, sure).astype(np.int16)),
        _entries=found.entries,
        _lone=found.lone,
        _disputed=found.disputed,
        _robust=found.robust,
    )
