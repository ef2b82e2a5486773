"""Where a request stands, and the allowed moves.

              .---------- review releases ----------.
              v                                     |
    held -> recorded -> disputed --------------------'     held, disputed -> erased: review refuses
       |        |          |
       '--------+----------+-> withdrawing -> withdrawn    every state but the last may move to erased

A held request has no entry in the log yet, so no follower knows of it; here it hides all the same. What is refused is
erased: nothing is kept of a picture that no opt-out speaks for. The reason stays for whoever holds the withdraw code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from checker.model import utc_text


class State(StrEnum):
    """Where a request stands."""

    RECORDED = "recorded"
    HELD = "held"
    """It would hide suspiciously much, or too many came that day; a person looks at it first."""
    DISPUTED = "disputed"
    """Somebody else claims the picture. It hides here; operators decide by their own policy."""
    WITHDRAWING = "withdrawing"
    """Withdrawn, not yet in effect: it still hides and is still in the feed."""
    WITHDRAWN = "withdrawn"
    ERASED = "erased"
    """What was said is deleted; only the leaf is left, of one that was held not even that."""


MOVES: Mapping[State, frozenset[State]] = {
    State.HELD: frozenset({State.RECORDED, State.WITHDRAWING, State.ERASED}),
    State.RECORDED: frozenset({State.DISPUTED, State.WITHDRAWING, State.ERASED}),
    State.DISPUTED: frozenset({State.RECORDED, State.WITHDRAWING, State.ERASED}),
    State.WITHDRAWING: frozenset({State.WITHDRAWN, State.ERASED}),
    State.WITHDRAWN: frozenset({State.ERASED}),
    State.ERASED: frozenset(),
}
"""The allowed moves. Whatever is not here is refused."""


@dataclass(frozen=True, slots=True)
class Status:
    """How a request stands."""

    number: str
    state: State
    index: int | None
    """Of its entry in the log. None: it is held, or ended without one."""
    uses: tuple[str, ...]
    """Empty: they are erased."""
    evidence: str
    pictures: int
    """0: it names addresses alone, or they are erased."""
    addresses: tuple[str, ...]
    recorded_at: datetime
    """Cut to the minute."""
    withdraw_at: datetime | None
    """When the withdrawal takes or took effect; None: it was not withdrawn."""
    reason: str | None
    """Why it is held, disputed or was refused. None: it is not, or the asker has the number only."""

    def to_dict(self) -> dict[str, str | int | list[str] | None]:
        """As `hibs opt-out status --json` and the API give it."""
        return {
            "number": self.number,
            "state": self.state.value,
            "index": self.index,
            "uses": list(self.uses),
            "evidence": self.evidence,
            "pictures": self.pictures,
            "addresses": list(self.addresses),
            "recorded_at": utc_text(self.recorded_at),
            "withdraw_at": utc_text(self.withdraw_at) if self.withdraw_at else None,
            "reason": self.reason,
        }
