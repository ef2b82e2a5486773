"""What became of a request: its states, the allowed moves, and what is recorded on each.

                     .-> disputed --.
    held -> recorded <--------------'
                  |  '-> withdrawing -> withdrawn        every state but the last may move to erased
                  '----------------------------------->  erased

A withdrawal waits `withdraw_after_days`: a code that fell into other hands can be noticed before it works. No timer
runs it; whoever touches the registry after that day settles what is due, with the time that is passed in.

Nothing here tells whether a picture was opted out before: the same codes again are a new entry of the same shape, and
the status of an unknown number and of a wrong code are the same nothing.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from types import TracebackType

from checker.errors import DataError, InputError
from checker.model import Fingerprint, Use, utc_text
from checker.optout.entry import EntryType, Evidence, OptOut, Reference, number_from
from checker.optout.gates import close_uses, gate_pictures, require_small
from checker.optout.log import Log
from checker.optout.note import open_checkpoint, parse_verifier_key
from checker.optout.receipt import Receipt
from checker.optout.tokens import RandomBytes, new_withdraw_code, read_number, withdraw_code_hash, withdraw_text
from checker.records.folder import is_file, make_private_folder
from checker.records.registry import REGISTRY_FILE, LogRow, OptOutRow, Registry
from checker.settings import Settings


class State(StrEnum):
    """Where a request stands."""

    RECORDED = "recorded"
    HELD = "held"
    """It would hide suspiciously much; a person looks at it first. Nothing sets this yet."""
    DISPUTED = "disputed"
    """Somebody else claims the picture. It hides here; operators decide by their own policy."""
    WITHDRAWING = "withdrawing"
    """Withdrawn, not yet in effect: it still hides and is still in the feed."""
    WITHDRAWN = "withdrawn"
    ERASED = "erased"
    """What was said is deleted; only the leaf is left."""


MOVES: Mapping[State, frozenset[State]] = {
    State.HELD: frozenset({State.RECORDED, State.ERASED}),
    State.RECORDED: frozenset({State.DISPUTED, State.WITHDRAWING, State.ERASED}),
    State.DISPUTED: frozenset({State.RECORDED, State.WITHDRAWING, State.ERASED}),
    State.WITHDRAWING: frozenset({State.WITHDRAWN, State.ERASED}),
    State.WITHDRAWN: frozenset({State.ERASED}),
    State.ERASED: frozenset(),
}
"""The allowed moves. Whatever is not here is refused."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What whoever opted out takes home."""

    receipt: Receipt
    receipt_bytes: bytes
    """The file NUMBER.receipt.json: to show."""
    withdraw_code: str
    withdraw_text: str
    """The file NUMBER.withdraw.txt: to keep. The code stands in its first line."""
    held: bool


@dataclass(frozen=True, slots=True)
class Status:
    """How a request stands."""

    number: str
    state: State
    index: int
    uses: tuple[str, ...]
    evidence: str
    pictures: int
    recorded_at: datetime
    """Cut to the minute."""
    withdraw_at: datetime | None
    """When the withdrawal takes or took effect; None: it was not withdrawn."""

    def to_dict(self) -> dict[str, str | int | list[str] | None]:
        """As `hibs opt-out status --json` and the API give it."""
        return {
            "number": self.number,
            "state": self.state.value,
            "index": self.index,
            "uses": list(self.uses),
            "evidence": self.evidence,
            "pictures": self.pictures,
            "recorded_at": utc_text(self.recorded_at),
            "withdraw_at": utc_text(self.withdraw_at) if self.withdraw_at else None,
        }


class OptOuts:
    """The requests of one data folder, with their log. A context manager; safe to share between threads."""

    def __init__(self, registry: Registry, log: Log, settings: Settings, random_bytes: RandomBytes) -> None:
        self.registry = registry
        self.log = log
        self._settings = settings
        self._random_bytes = random_bytes

    @classmethod
    def open(
        cls,
        folder: Path,
        settings: Settings,
        *,
        now: datetime,
        create: bool = True,
        origin: str | None = None,
        random_bytes: RandomBytes = secrets.token_bytes,
    ) -> OptOuts:
        """Open the registry and its log, sign what was committed and not signed, settle what is due.

        Args:
            create: make folder (mode 0700), registry.db and log.key where they are missing.
            origin: name of a log that is made now; see `Log.open`.
        Raises:
            DataError: there is no registry and `create` is false, or it cannot be used.
            LogBehindError: registry.db is older than what was signed.
        """
        path = folder / REGISTRY_FILE
        if not create and not is_file(path):
            raise DataError(f"{folder} holds no opt-outs (it has no {REGISTRY_FILE}); check the path")
        make_private_folder(folder)
        registry = Registry.open(path)
        try:
            log = Log.open(folder, registry, now=now, origin=origin, random_bytes=random_bytes)
            opt_outs = cls(registry, log, settings, random_bytes)
            opt_outs.settle(now)
        except BaseException:
            registry.close()
            raise
        return opt_outs

    def close(self) -> None:
        """Close the database."""
        self.registry.close()

    def __enter__(self) -> OptOuts:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # --- recording ---------------------------------------------------------------------------------------------

    def record(
        self,
        pictures: Sequence[Sequence[Fingerprint]],
        *,
        uses: Collection[Use],
        evidence: Evidence,
        now: datetime,
    ) -> Recorded:
        """Record one opt-out of one or many pictures; returns only when its leaf is under a signed checkpoint.

        Args:
            pictures: the codes of each.
            uses: at least one; `all` stands for the five others.
        Raises:
            InputError: no picture, no use, or more than one entry can hold.
            NotACodeError: bits that no real picture has, or a kind of code that is not known here.
        """
        asked = gate_pictures(pictures)
        closed = close_uses(uses)
        code = new_withdraw_code(self._random_bytes)
        with self.registry.writing() as writer:
            number = number_from(self._random_bytes(5))
            while writer.number_taken(number):
                number = number_from(self._random_bytes(5))
            entry = OptOut(number=number, evidence=evidence, pictures=asked, uses=closed)
            require_small(entry)
            row = self.log.append(writer, entry)
            request = OptOutRow(
                number=number,
                index=row.index,
                state=State.RECORDED.value,
                evidence=evidence.value,
                uses=tuple(use.value for use in closed),
                pictures=len(asked),
                withdraw_hash=withdraw_code_hash(code),
                recorded_at=_minute(now),
            )
            writer.add_opt_out(request, asked)
        receipt = self._receipt(number, row, self.log.sign(now))
        return Recorded(
            receipt=receipt,
            receipt_bytes=receipt.to_bytes(),
            withdraw_code=code,
            withdraw_text=withdraw_text(number, code, days=self._settings.withdraw_after_days),
            held=False,
        )

    def _receipt(self, number: str, row: LogRow, checkpoint: bytes) -> Receipt:
        assert row.entry is not None
        assert row.salt is not None
        head = open_checkpoint(checkpoint, [parse_verifier_key(self.log.vkey)])
        return Receipt(
            origin=self.log.origin,
            key=self.log.vkey,
            number=number,
            entry=row.entry,
            salt=row.salt,
            leaf=row.leaf,
            index=row.index,
            tree_size=head.size,
            proof=self.log.prove(row.index, head.size),
            checkpoint=checkpoint.decode(),
        )

    # --- afterwards --------------------------------------------------------------------------------------------

    def status(self, number: str | None, code: str | None, *, now: datetime) -> Status | None:
        """How a request stands.

        Args:
            number: None: found by its code.
            code: the withdraw code. None is for whoever holds the data folder; a caller from outside must give one,
                be it empty, and gets nothing unless it belongs to the number.
        Returns:
            None: there is no such request, or the code is not its own; which of the two is not told.
        """
        self.settle(now)
        if code is None:
            row = self.registry.opt_out(read_number(number)) if number else None
            return _status(row) if row else None
        row = self.registry.opt_out_by_code(withdraw_code_hash(code))
        if row is None or (
            number is not None and not hmac.compare_digest(row.number.encode(), read_number(number).encode())
        ):
            return None
        return _status(row)

    def withdraw(self, code: str, *, now: datetime) -> Status:
        """Begin a withdrawal; it takes effect after `withdraw_after_days`. Asking again changes nothing.

        Raises:
            InputError: no request has this code.
        """
        self.settle(now)
        row = self._by_code(code)
        if State.WITHDRAWING in MOVES[State(row.state)]:
            takes_effect = now + timedelta(days=self._settings.withdraw_after_days)
            with self.registry.writing() as writer:
                writer.move(row.number, old=row.state, new=State.WITHDRAWING.value, withdraw_at=takes_effect)
        return _status(self._by_code(code))

    def erase(self, code: str, *, now: datetime) -> Status:
        """Delete what a request said: codes, uses, salt. Its leaf stays, and an `erase` entry says that it happened.

        Its pictures can be found again afterwards, because nothing is left to know them by.

        Raises:
            InputError: no request has this code.
        """
        row = self._by_code(code)
        if State.ERASED in MOVES[State(row.state)]:
            with self.registry.writing() as writer:
                if writer.move(row.number, old=row.state, new=State.ERASED.value):
                    self.log.append(writer, Reference(type=EntryType.ERASE, index=row.index))
                    writer.forget(row.number, row.index)
            self.log.sign(now)
        return _status(self._by_code(code))

    def checkpoint(self, now: datetime) -> bytes:
        """What a follower should get now: everything due settled, everything committed signed, and young."""
        self.settle(now)
        return self.log.sign(now)

    def settle(self, now: datetime) -> int:
        """Put into effect every withdrawal that is due; the number of them."""
        settled = 0
        for row in self.registry.withdrawals_due(now):
            with self.registry.writing() as writer:
                # Another process may have settled it since it was read; then the move finds nothing.
                if writer.move(row.number, old=row.state, new=State.WITHDRAWN.value, withdraw_at=row.withdraw_at):
                    self.log.append(writer, Reference(type=EntryType.WITHDRAW, index=row.index))
                    settled += 1
        if settled:
            self.log.sign(now)
        return settled

    def _by_code(self, code: str) -> OptOutRow:
        row = self.registry.opt_out_by_code(withdraw_code_hash(code))
        if row is None:
            raise InputError("no opt-out here has this withdraw code; check that it is complete and of this registry")
        return row


def _status(row: OptOutRow) -> Status:
    return Status(
        number=row.number,
        state=State(row.state),
        index=row.index,
        uses=row.uses,
        evidence=row.evidence,
        pictures=row.pictures,
        recorded_at=row.recorded_at,
        withdraw_at=row.withdraw_at,
    )


def _minute(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(second=0, microsecond=0)
