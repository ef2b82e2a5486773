"""What a person who runs the registry decides: about requests that are held, and about those that somebody disputes.

    release   held: it gets its entry in the log, and with it a receipt    disputed: the dispute is taken back
    refuse    either: what was asked is erased, and the holder reads why
    dispute   somebody else claims the picture: an entry says so, and what operators do about it is their policy

A withdrawal ends neither: it hides for some days more, and whoever held pictures of others down would only have to
withdraw to go on undecided. So one that was never released still waits here, and it can be refused.

The log has no entry for a dispute that came to nothing, and needs none: the `dispute` entry itself is erased, as
docs/feed.md section 2 lets any entry be. Its leaf stays, and followers delete what it said.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from checker.errors import InputError
from checker.model import Use
from checker.optout.entry import EntryType, Evidence, OptOut, Reference, write_entry
from checker.optout.request import OptOuts
from checker.optout.states import MOVES, State, Status
from checker.optout.tokens import read_number
from checker.records.registry import OptOutRow, RegistryWriter

REASON_LETTERS_MAX = 500
WAITING = (State.HELD, State.DISPUTED)
"""What waits for a person to release or refuse it."""
REFUSABLE = (*WAITING, State.WITHDRAWING)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A request that a person has to look at."""

    status: Status
    images: int
    """Pictures of this collection that it hides."""
    hosts: int
    """Hosts on which these were seen."""

    def to_dict(self) -> dict[str, Any]:
        """As `hibs opt-out review --json` gives it."""
        return {**self.status.to_dict(), "images_near": self.images, "hosts_near": self.hosts}


def waiting(opt_outs: OptOuts, *, now: datetime) -> tuple[Waiting, ...]:
    """The requests that are held, also when withdrawn since, or disputed; oldest first, with how much each hides."""
    opt_outs.settle(now)
    rows = opt_outs.registry.opt_outs_in(REFUSABLE)
    return tuple(_waiting(opt_outs, row) for row in rows if row.state in WAITING or row.index is None)


def release(opt_outs: OptOuts, number: str, *, now: datetime) -> Status:
    """Let a held request into the log, or take the dispute of one back.

    Raises:
        InputError: there is no such request, or nothing waits for a decision about it.
    """
    row = _row(opt_outs, number)
    _require_waiting(row)
    with opt_outs.registry.writing() as writer:
        _move(writer, row, State.RECORDED)
        if row.index is None:
            entry = OptOut(
                number=row.number,
                evidence=Evidence(row.evidence),
                pictures=opt_outs.registry.pictures_of(row.number),
                uses=tuple(Use(use) for use in row.uses),
                addresses=opt_outs.registry.addresses_of(row.number),
            )
            writer.enter(row.number, opt_outs.log.append(writer, entry).index)
        else:
            said = write_entry(Reference(EntryType.DISPUTE, row.index))
            for index in writer.entries_that_say(said, after=row.index):
                opt_outs.log.append(writer, Reference(EntryType.ERASE, index))
                writer.forget_entry(index)
    opt_outs.log.sign(now)
    return opt_outs.describe(_row(opt_outs, number))


def refuse(opt_outs: OptOuts, number: str, *, reason: str, now: datetime) -> Status:
    """End a request that is held, disputed or about to end: what it said is erased.

    Raises:
        InputError: there is no such request, nothing waits for a decision about it, or the reason says nothing.
    """
    row, why = _row(opt_outs, number), _reason(reason)
    if row.state not in REFUSABLE:
        _require_waiting(row)
    if not opt_outs.end(row, now=now, reason=f"refused: {why}"):
        raise _moved(row)
    return opt_outs.describe(_row(opt_outs, number))


def dispute(opt_outs: OptOuts, number: str, *, reason: str, now: datetime) -> Status:
    """Note that somebody else claims the pictures of a request. It goes on hiding here.

    Raises:
        InputError: there is no such request, it is not recorded, or the reason says nothing.
    """
    opt_outs.settle(now)
    row, why = _row(opt_outs, number), _reason(reason)
    if State.DISPUTED not in MOVES[State(row.state)] or row.index is None:
        raise InputError(f"the opt-out {row.number} is {row.state}; only a recorded one can be disputed")
    with opt_outs.registry.writing() as writer:
        _move(writer, row, State.DISPUTED, reason=why)
        opt_outs.log.append(writer, Reference(EntryType.DISPUTE, row.index))
    opt_outs.log.sign(now)
    return opt_outs.describe(_row(opt_outs, number))


def _waiting(opt_outs: OptOuts, row: OptOutRow) -> Waiting:
    images = opt_outs.collection.near(opt_outs.registry.pictures_of(row.number))
    folder = opt_outs.collection.folder()
    return Waiting(opt_outs.describe(row), len(images), folder.store.hosts_of(images) if folder else 0)


def _row(opt_outs: OptOuts, number: str) -> OptOutRow:
    row = opt_outs.registry.opt_out(read_number(number))
    if row is None:
        raise InputError("there is no opt-out of this number here; `hibs opt-out review` lists those that wait")
    return row


def _require_waiting(row: OptOutRow) -> None:
    if row.state not in WAITING:
        raise InputError(f"the opt-out {row.number} is {row.state}; only what is held or disputed is decided about")


def _move(writer: RegistryWriter, row: OptOutRow, new: State, *, reason: str | None = None) -> None:
    if not writer.move(row.number, old=row.state, new=new.value, reason=reason):
        raise _moved(row)


def _moved(row: OptOutRow) -> InputError:
    return InputError(f"the opt-out {row.number} is not {row.state} any more; look at it again")


def _reason(text: str) -> str:
    words = " ".join(text.split())
    if not words or len(words) > REASON_LETTERS_MAX:
        raise InputError(f"a reason has 1 to {REASON_LETTERS_MAX} letters; its holder reads it, so say what was wrong")
    return words
