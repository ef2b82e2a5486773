"""Opting out at a server of this kind: what is sent, and what is accepted as an answer.

Only codes are sent, never the picture. A receipt is verified before it is believed, and it must say what was asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from checker.client import Client
from checker.client.answers import OptOutStatus
from checker.client.asking import told
from checker.errors import InputError, RemoteError, VerificationError
from checker.model import Fingerprint, Use
from checker.optout.gates import entry_codes
from checker.optout.papers import Paper
from checker.optout.receipt import Receipt, parse_receipt, verify_receipt
from checker.optout.tokens import NUMBER, read_withdraw_code, withdraw_text

_OF_HOLDER = ("sightings", "sightings_all", "new", "operators", "alerts")


@dataclass(frozen=True, slots=True)
class RecordedThere:
    """An opt-out that a server recorded."""

    number: str
    receipt: Receipt | None
    """Verified. None: it is held, and there is no receipt before a person has released it."""
    withdraw_text: str
    """The withdraw file."""


def record_at(
    client: Client, pictures: Sequence[Sequence[Fingerprint]], uses: Sequence[Use], *, days: int
) -> RecordedThere:
    """Record an opt-out at a server.

    Raises:
        RemoteError: the server refused, or its answer is not a receipt of what was asked.
    """
    asked = tuple(entry_codes(codes) for codes in pictures)
    recorded = client.opt_out(asked, uses)
    try:
        number, code = recorded.number, read_withdraw_code(recorded.withdraw_code)
        if code is None or not NUMBER.fullmatch(number):
            raise ValueError("there is no number or no withdraw code")
        receipt = None
        if recorded.receipt is not None or not recorded.held:
            receipt = parse_receipt(recorded.receipt or {})
            said = verify_receipt(receipt.to_bytes()).opt_out
            if said.pictures != asked or said.uses != tuple(uses) or said.number != number:
                raise ValueError("the receipt is of another opt-out")
    except (VerificationError, ValueError) as error:
        raise RemoteError(f"{client.name}'s answer cannot be believed: {error}; tell whoever runs it") from error
    return RecordedThere(number, receipt, withdraw_text(number, code, days=days))


def status_at(client: Client, paper: Paper) -> dict[str, Any]:
    """How a request stands at a server, as it says: what `hibs opt-out status --json` prints.

    Raises:
        RemoteError: it does not know the number with this code, or did not answer as agreed.
    """
    return _document(client.opt_out_status(*_of(paper)))


def withdraw_at(client: Client, paper: Paper) -> dict[str, Any]:
    """Begin a withdrawal at a server: the status after it.

    Raises:
        RemoteError: it does not know the number with this code, or did not answer as agreed.
    """
    return _document(client.withdraw(*_of(paper)))


def erase_at(client: Client, paper: Paper) -> dict[str, Any]:
    """Have a server erase what an opt-out says: the status after it.

    Raises:
        RemoteError: it does not know the number with this code, or did not answer as agreed.
    """
    return _document(client.erase(*_of(paper)))


def receipt_at(client: Client, paper: Paper) -> Receipt:
    """The receipt of an opt-out, made anew by a server, and verified.

    Raises:
        RemoteError: it does not know the number with this code, has no receipt of it, or it is another's.
    """
    try:
        receipt = parse_receipt(client.receipt(*_of(paper)))
        if verify_receipt(receipt.to_bytes()).opt_out.number != paper.number:
            raise ValueError("the receipt is of another opt-out")
    except (VerificationError, ValueError) as error:
        raise RemoteError(f"{client.name}'s answer cannot be believed: {error}; tell whoever runs it") from error
    return receipt


def _of(paper: Paper) -> tuple[str, str]:
    """Number and withdraw code."""
    if paper.code is None or paper.number is None:
        raise InputError("a server needs number and withdraw code; give the file NUMBER.withdraw.txt as it was written")
    return paper.number, paper.code


def _document(status: OptOutStatus) -> dict[str, Any]:
    """The status as JSON, without what was not told."""
    left_out = {"alerts"} if status.alerts is None else set()
    left_out |= set(_OF_HOLDER) if status.sightings is None else set()
    return {name: value for name, value in told(status).items() if name not in left_out}
