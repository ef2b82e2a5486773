"""What became of an opt-out at those who follow the list, in words that are true.

An operator is whoever holds a key that opens the feed or states what was filtered. Of each we know what was sent to it
and what it says, and nothing else: it "states" that it acted, and who was sent an entry may have done nothing with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from checker.records.operators import Acts, acts_about, received_by
from checker.records.registry import Registry

FEED_SCOPE = "feed"
SCOPES = frozenset({FEED_SCOPE, "honour"})
"""Keys that make somebody an operator (checker/keys.py, Scope)."""
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
"""Not strftime: its words change with the locale."""


@dataclass(frozen=True, slots=True)
class OperatorWord:
    """One operator and one opt-out."""

    operator: str
    """Name of its key."""
    received_at: datetime | None
    """The day on which the entry was sent to it. None: it was not."""
    stated_at: datetime | None
    """When it first stated that it went by a list with the entry in it."""
    stated_size: int | None
    """Entries of that list; the last one is `stated_size - 1`."""

    @property
    def sentence(self) -> str:
        """What is known of it, without its name: "received on 22 November 2026"."""
        known = []
        if self.received_at is not None:
            known.append(f"received on {day_in_words(self.received_at)}")
        if self.stated_at is not None and self.stated_size is not None:
            known.append(stated_words(self.stated_size, self.stated_at))
        return "; ".join(known) or "not heard from"

    def to_dict(self) -> dict[str, str | int | None]:
        """Days as `2026-11-22`, and the sentence."""
        return {
            "operator": self.operator,
            "received_on": self.received_at.date().isoformat() if self.received_at else None,
            "stated_on": self.stated_at.date().isoformat() if self.stated_at else None,
            "stated_size": self.stated_size,
            "says": self.sentence,
        }


@dataclass(frozen=True, slots=True)
class Follower:
    """Whoever may read the opt-outs now, and so gets the next one."""

    operator: str
    """Name of its key."""
    size: int
    """Entries of the list that were sent to it. 0: none."""
    received_at: datetime | None
    """The day on which it last got new ones. None: it never did."""


def followers(registry: Registry, now: datetime) -> tuple[Follower, ...]:
    """Who follows the list: holders of a valid key for the feed, by name.

    A key for statements alone opens nothing, and one that ran out or was revoked opens nothing any more; what was sent
    to its holder before is not called back.
    """
    got = received_by(registry)
    names = sorted(
        row.name
        for row in registry.key_rows()
        if FEED_SCOPE in row.scopes and row.revoked_at is None and row.expires_at > now
    )
    return tuple(Follower(name, *got.get(name, (0, None))) for name in names)


def operators_of(registry: Registry, index: int | None, now: datetime) -> tuple[OperatorWord, ...]:
    """What every operator did about one opt-out.

    Args:
        index: of its entry in the log. None: it is held, so nobody can have been sent it.
        now: keys that ran out by now count only where their holder did something.
    Returns:
        By name; every holder of a key for the feed or for statements that was not revoked, also whoever did nothing.
    """
    acts = {} if index is None else acts_about(registry, index)
    holders = sorted(
        row.name
        for row in registry.key_rows()
        if SCOPES & set(row.scopes) and row.revoked_at is None and (row.expires_at > now or row.name in acts)
    )
    return tuple(_word(name, acts.get(name, Acts())) for name in holders)


def stated_words(feed_size: int, stated_at: datetime) -> str:
    """What an operator says, by the last entry of its list: "states that it acted up to entry 18,204 on ..."."""
    return f"states that it acted up to entry {feed_size - 1:,} on {day_in_words(stated_at)}"


def day_in_words(moment: datetime) -> str:
    """`22 November 2026`: the month is a word, because 3/4 is read in two ways."""
    return f"{moment.day} {_MONTHS[moment.month - 1]} {moment.year}"


def _word(name: str, acts: Acts) -> OperatorWord:
    return OperatorWord(
        operator=name, received_at=acts.received_at, stated_at=acts.stated_at, stated_size=acts.stated_size
    )
