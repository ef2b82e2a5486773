"""Opt-outs on one side, an operator's pictures on the other: one Decision a picture, each with its reason.

Rules, in order; the first that applies decides:

1. A file that gives no picture is `not-checked`: `no-picture` where neither its name nor its content is one,
   `unreadable` otherwise. It is never kept, because nobody knows what it shows.
2. A picture too plain to be told from others is `plain`: review.
3. Standing entries only: a withdrawn or erased entry does not count, whatever it held.
4. An entry lies near when one of its codes and one of the picture's, of the same kind, differ by at most the
   radius of the settings. An entry made from a code alone, without the picture, needs half of it: codes can be
   forged to lie next to a stranger's picture, and a look-alike must not be dropped on one code's word. Between the
   two radii it is `codes-disagree`: review. A disputed entry is never more than review.
5. Of several near entries one that drops wins over one for review, then the nearest, then the oldest.

An entry counts whatever uses it names, unless the operator says what the pictures are for: then those that are about
other uses do not. A larger use takes the smaller with it: a no to `tdm` is one to `train-ai`.
The fingerprints come from elsewhere; which files there are and where kept ones go is `part.py`'s.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from checker.model import PHASH256, CodeKind, Fingerprint, Picture, Unreadable, UnreadableReason, Use
from checker.optout.feed import Feed, StandingOptOut
from checker.settings import Settings
from checker.signals.statements import with_contained

KINDS = (PHASH256,)
"""Codes that this version compares. Entries with none of them are counted as not compared, and said."""
LONE_CODE_RADIUS_DIVISOR = 2
"""15 instead of 31 bits. Our choice until a second kind of code can confirm the first."""


class Action(StrEnum):
    """What an operator does with a picture. Closed."""

    KEEP = "keep"
    DROP = "drop"
    REVIEW = "review"
    NOT_CHECKED = "not-checked"


class Reason(StrEnum):
    """Why. Closed; `address-entry` waits for entries that name hosts."""

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


@dataclass(frozen=True, slots=True, eq=False)
class CodeTable:
    """All standing codes of one kind, laid out for one scan."""

    kind: CodeKind
    words: npt.NDArray[np.uint64]
    """(bits // 64, n): columns, so that each step of a scan reads memory in order."""
    entries: npt.NDArray[np.int64]
    """(n,) index in the log, rising."""
    lone: npt.NDArray[np.bool_]
    """(n,) made from a code alone."""
    disputed: npt.NDArray[np.bool_]
    """(n,)"""

    def distances_bits(self, code: Fingerprint) -> npt.NDArray[np.uint16]:
        """(n,) Hamming distances of one code to all."""
        # uint16: four counts of 64 add up to 256, which a uint8 would show as 0, the nearest of all.
        total = np.zeros(self.entries.shape, dtype=np.uint16)
        for column, word in zip(self.words, np.frombuffer(code.bits, dtype=np.uint64), strict=True):
            total += np.bitwise_count(column ^ word)
        return total


@dataclass(frozen=True, slots=True, eq=False)
class OptOutTable:
    """The standing opt-outs of one feed, ready to decide. Holds all it needs: no file, no clock."""

    feed_size: int
    feed_root: str
    """Hex digits."""
    feed_origin: str
    """Name of the log."""
    uses: tuple[str, ...]
    """What the pictures are for, sorted; "all" where every opt-out counts."""
    tables: tuple[CodeTable, ...]
    opt_outs: int
    """Standing opt-outs."""
    not_compared: int
    """Of these, with a picture that has no code of a kind that this version compares."""
    other_uses: int
    """Opt-outs left aside because they are about none of the uses that were asked for."""
    radius_bits: int

    def decide_codes(self, codes: Sequence[Fingerprint]) -> Decision:
        """Decide by the codes of one picture: rules 3 to 5 above. Codes of no known kind decide nothing."""
        if not any(code.kind in KINDS for code in codes):
            return Decision(Action.NOT_CHECKED, Reason.UNREADABLE, self.feed_size)
        nearest: tuple[bool, int, int, Decision] | None = None
        for code in codes:
            for table in self.tables:
                if table.kind != code.kind:
                    continue
                distances = table.distances_bits(code)
                for row in np.flatnonzero(distances <= self.radius_bits).tolist():
                    found = self._weigh(table, row, int(distances[row]))
                    if nearest is None or found[:3] < nearest[:3]:
                        nearest = found
        return nearest[3] if nearest else Decision(Action.KEEP, Reason.NONE, self.feed_size)

    def _weigh(self, table: CodeTable, row: int, distance_bits: int) -> tuple[bool, int, int, Decision]:
        """One near code as a decision, after what it is ordered by (rule 5)."""
        entry = int(table.entries[row])
        far_for_a_lone_code = distance_bits > self.radius_bits // LONE_CODE_RADIUS_DIVISOR
        if table.lone[row] and far_for_a_lone_code:
            action, reason = Action.REVIEW, Reason.CODES_DISAGREE
        elif table.disputed[row]:
            action, reason = Action.REVIEW, Reason.NEAR_ENTRY
        else:
            action, reason = Action.DROP, Reason.NEAR_ENTRY
        decision = Decision(action, reason, self.feed_size, entry, table.kind.name, distance_bits)
        return action is not Action.DROP, distance_bits, entry, decision

    def decide_picture(self, picture: Picture | Unreadable, *, named_as_picture: bool = True) -> Decision:
        """Decide about what `fingerprint` gave: rules 1 to 5 above.

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


@dataclass(frozen=True, slots=True)
class _Row:
    entry: int
    lone: bool
    disputed: bool
    bits: bytes


def opt_out_table(feed: Feed, settings: Settings, *, uses: Collection[Use] | None = None) -> OptOutTable:
    """Lay out the standing opt-outs of a verified feed.

    Args:
        uses: what the pictures are for. None: anything, so every opt-out counts.
    """
    rows: dict[CodeKind, list[_Row]] = {kind: [] for kind in KINDS}
    everything = feed.standing()
    standing = [opt_out for opt_out in everything if _is_about(opt_out, uses)]
    not_compared = 0
    for opt_out in standing:
        for picture in opt_out.pictures:
            for code in picture:
                if code.kind in rows:
                    rows[code.kind].append(_Row(opt_out.index, opt_out.lone_code, opt_out.disputed, code.bits))
        not_compared += any(all(code.kind not in rows for code in picture) for picture in opt_out.pictures)
    return OptOutTable(
        feed_size=feed.size,
        feed_root=feed.root.hex(),
        feed_origin=feed.origin,
        uses=(Use.ALL.value,) if uses is None else tuple(sorted(use.value for use in uses)),
        tables=tuple(_code_table(kind, found) for kind, found in rows.items()),
        opt_outs=len(standing),
        not_compared=not_compared,
        other_uses=len(everything) - len(standing),
        radius_bits=settings.opt_out_distance_bits_max,
    )


def _is_about(opt_out: StandingOptOut, uses: Collection[Use] | None) -> bool:
    if uses is None or Use.ALL in uses:
        return True
    return not with_contained(opt_out.uses).isdisjoint(uses)


def _code_table(kind: CodeKind, rows: Sequence[_Row]) -> CodeTable:
    packed = np.frombuffer(b"".join(row.bits for row in rows), dtype=np.uint64).reshape(len(rows), kind.bits // 64)
    return CodeTable(
        kind=kind,
        words=np.ascontiguousarray(packed.T),
        entries=np.array([row.entry for row in rows], dtype=np.int64),
        lone=np.array([row.lone for row in rows], dtype=np.bool_),
        disputed=np.array([row.disputed for row in rows], dtype=np.bool_),
    )
