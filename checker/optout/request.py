"""Requests: what is recorded when somebody opts out, takes it back, or has it erased.

    gates -> near too much here? -> entry in the log -> signed -> receipt
                   '-> held: no entry, no receipt, until a person has looked (`review.py`); it hides here all the same

Where a request stands, and which moves there are, is in `states.py`. A withdrawal waits `withdraw_after_days`: a code
that fell into other hands can be noticed before it works. No timer runs it; whoever touches the registry after that
day settles what is due, with the time that is passed in.

Nothing here tells whether a picture was opted out before: the same codes again are a new entry of the same shape, and
the status of an unknown number and of a wrong code are the same nothing.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable, Sequence
from collections.abc import Collection as SeveralOf
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType

from checker.errors import DataError, InputError
from checker.model import Fingerprint, Use
from checker.optout.entry import EntryType, Evidence, OptOut, Reference, number_from
from checker.optout.gates import close_uses, gate_addresses, gate_pictures, gate_withdraw_code, require_small
from checker.optout.log import Log
from checker.optout.note import open_checkpoint
from checker.optout.reach import Collection, hold_reason
from checker.optout.receipt import Receipt
from checker.optout.states import MOVES as MOVES
from checker.optout.states import State as State
from checker.optout.states import Status as Status
from checker.optout.tokens import RandomBytes, new_withdraw_code, read_number, withdraw_code_hash, withdraw_text
from checker.records.folder import is_file, make_private_folder
from checker.records.registry import REGISTRY_FILE, LogRow, OptOutRow, Registry
from checker.settings import Settings

Keep = Callable[[str, str], AbstractContextManager[None]]
"""Writes number and withdraw paper down before they count, and takes them back when they come to nothing."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What whoever opted out takes home."""

    number: str
    receipt: Receipt | None
    """None: it is held, and there is no receipt before a person has released it."""
    withdraw_code: str
    withdraw_text: str
    """The file NUMBER.withdraw.txt: to keep. The code stands in its first line."""
    held: bool

    @property
    def receipt_bytes(self) -> bytes | None:
        """The file NUMBER.receipt.json: to show."""
        return self.receipt.to_bytes() if self.receipt else None


class OptOuts:
    """The requests of one data folder, with their log. A context manager; safe to share between threads."""

    def __init__(
        self, registry: Registry, log: Log, collection: Collection, settings: Settings, random_bytes: RandomBytes
    ) -> None:
        self.registry = registry
        self.log = log
        self.collection = collection
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
            origin: name of a log that is made now. None: the setting's; see `Log.open`.
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
            log = Log.open(
                folder, registry, now=now, origin=origin or settings.log_origin or None, random_bytes=random_bytes
            )
            collection = Collection(folder, distance_bits_max=settings.opt_out_distance_bits_max)
            opt_outs = cls(registry, log, collection, settings, random_bytes)
            opt_outs.settle(now)
        except BaseException:
            registry.close()
            raise
        return opt_outs

    def close(self) -> None:
        """Close the databases."""
        self.collection.close()
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
        uses: SeveralOf[Use],
        evidence: Evidence,
        now: datetime,
        addresses: SeveralOf[str] = (),
        withdraw_code: str | None = None,
        hold: str | None = None,
        keep: Keep | None = None,
    ) -> Recorded:
        """Record one opt-out; returns only when its leaf is under a signed checkpoint, or it is held.

        Args:
            pictures: the codes of each. Empty only where addresses are named.
            uses: at least one; `all` stands for the five others.
            addresses: hosts and parts of them; whoever calls has seen the evidence on each host.
            withdraw_code: one that was made before. None: a new one is drawn.
            hold: why a person has to look first, whatever the pictures are. None: the collection here decides.
            keep: called with the number and the withdraw paper before anything counts, so that no kill loses the code.
        Raises:
            InputError: no picture, no use, or more than one entry can hold.
            NotACodeError: bits that no real picture has, or a kind of code that is not known here.
        """
        asked = gate_pictures(pictures) if pictures or not addresses else ()
        entry = OptOut(
            number=number_from(self._random_bytes(5)),
            evidence=evidence,
            pictures=asked,
            uses=close_uses(uses),
            addresses=gate_addresses(addresses, evidence),
        )
        require_small(entry)
        code = gate_withdraw_code(withdraw_code) if withdraw_code else new_withdraw_code(self._random_bytes)
        hold = hold or self._hold_reason(asked)
        with ExitStack() as papers, self.registry.writing() as writer:
            if self.registry.opt_out_by_code(withdraw_code_hash(code)):
                raise InputError("this withdraw code belongs to an opt-out already; begin with a new one")
            while writer.number_taken(entry.number):
                entry = replace(entry, number=number_from(self._random_bytes(5)))
            paper = withdraw_text(entry.number, code, days=self._settings.withdraw_after_days)
            if keep is not None:
                papers.enter_context(keep(entry.number, paper))
            row = None if hold else self.log.append(writer, entry)
            request = OptOutRow(
                number=entry.number,
                index=row.index if row else None,
                state=(State.HELD if hold else State.RECORDED).value,
                evidence=evidence.value,
                uses=tuple(use.value for use in entry.uses),
                pictures=len(asked),
                withdraw_hash=withdraw_code_hash(code),
                recorded_at=_minute(now),
                reason=hold,
            )
            writer.add_opt_out(request, asked, entry.addresses)
        receipt = self._receipt(entry.number, row, self.log.sign(now)) if row else None
        return Recorded(entry.number, receipt, code, paper, held=row is None)

    def _hold_reason(self, pictures: Sequence[Sequence[Fingerprint]]) -> str | None:
        hosts_max, images_max = self._settings.hold_hosts_max, self._settings.hold_images_max
        reaches = (self.collection.reach(picture) for picture in pictures)
        reasons = (hold_reason(reach, hosts_max=hosts_max, images_max=images_max) for reach in reaches)
        return next((reason for reason in reasons if reason), None)

    def _receipt(self, number: str, row: LogRow, checkpoint: bytes) -> Receipt:
        assert row.entry is not None
        assert row.salt is not None
        key, signed = self.log.for_receipt(checkpoint)
        head = open_checkpoint(signed, [key])
        return Receipt(
            origin=self.log.origin,
            key=key.text,
            number=number,
            entry=row.entry,
            salt=row.salt,
            leaf=row.leaf,
            index=row.index,
            tree_size=head.size,
            proof=self.log.prove(row.index, head.size),
            checkpoint=signed.decode(),
        )

    # --- afterwards --------------------------------------------------------------------------------------------

    def status(self, number: str | None, code: str | None, *, now: datetime) -> Status | None:
        """How a request stands.

        Args:
            number: None: found by its code.
            code: the withdraw code. None is for whoever holds the data folder; a caller from outside must give one,
                be it empty, and gets nothing unless it belongs to the number.
        Returns:
            None: there is no such request, or the code is not its own; which of the two is not told. Without the code
            the reason is left out: it is for the holder.
        """
        self.settle(now)
        if code is None:
            row = self.registry.opt_out(read_number(number)) if number else None
            return replace(self.describe(row), reason=None) if row else None
        row = self.registry.opt_out_by_code(withdraw_code_hash(code))
        if row is None or (
            number is not None and not hmac.compare_digest(row.number.encode(), read_number(number).encode())
        ):
            return None
        return self.describe(row)

    def describe(self, row: OptOutRow) -> Status:
        """How a request stands, all of it: for its holder, and for whoever runs the registry."""
        erased = row.state == State.ERASED
        return Status(
            number=row.number,
            state=State(row.state),
            index=row.index,
            uses=() if erased else row.uses,
            evidence=row.evidence,
            pictures=0 if erased else row.pictures,
            addresses=self.registry.addresses_of(row.number),
            recorded_at=row.recorded_at,
            withdraw_at=row.withdraw_at,
            reason=row.reason,
        )

    def receipt(self, code: str, *, now: datetime) -> Receipt:
        """The receipt of a request, made anew: of one that was held and is released, or that was lost.

        Raises:
            InputError: no request has this code, or there is no entry to prove: it is held, or erased.
        """
        self.settle(now)
        row = self._by_code(code)
        if row.index is None or row.state == State.ERASED:
            why = "a person has not released it yet" if row.state == State.HELD else f"it is {row.state}"
            raise InputError(f"there is no receipt of the opt-out {row.number}: {why}; see `hibs opt-out status`")
        (entry,) = self.registry.log_rows(row.index, 1)
        return self._receipt(row.number, entry, self.log.sign(now))

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
        return self.describe(self._by_code(code))

    def erase(self, code: str, *, now: datetime) -> Status:
        """Delete what a request said: codes, addresses, salt. Its leaf stays, and an `erase` entry says that it
        happened.

        Its pictures can be found again afterwards, because nothing is left to know them by.

        Raises:
            InputError: no request has this code.
        """
        row = self._by_code(code)
        while not self.end(row, now=now, reason=None) and row.state != State.ERASED:
            row = self._by_code(code)  # somebody moved it in between
        return self.describe(self._by_code(code))

    def end(self, row: OptOutRow, *, now: datetime, reason: str | None) -> bool:
        """Erase a request. False: it was erased before, or moved since `row` was read; nothing was changed.

        Args:
            reason: what its holder is told. None: nothing; it was their own wish.
        """
        erased = False
        if State.ERASED in MOVES[State(row.state)]:
            with self.registry.writing() as writer:
                erased = writer.move(row.number, old=row.state, new=State.ERASED.value, reason=reason)
                if erased:
                    if row.index is not None:
                        self.log.append(writer, Reference(type=EntryType.ERASE, index=row.index))
                    writer.forget(row.number, row.index)
            self.log.sign(now)
        # Outside of that transaction, which is another database's; asked for again, it is done again.
        if folder := self.collection.folder():
            folder.store.forget_opt_out(row.number)
        return erased

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
                    if row.index is not None:  # of one that was held, no follower ever knew
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


def _minute(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(second=0, microsecond=0)
