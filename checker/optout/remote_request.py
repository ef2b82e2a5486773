"""Opting out at a server of this kind: what is sent, and what is accepted as an answer.

Only codes are sent, never the picture. A receipt is verified before it is believed, and it must say what was asked.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from checker.errors import InputError, RemoteError, VerificationError
from checker.model import Fingerprint, Use
from checker.optout.gates import entry_codes
from checker.optout.papers import Paper
from checker.optout.receipt import RECEIPT_BYTES_MAX, Receipt, parse_receipt, verify_receipt
from checker.optout.tokens import NUMBER, read_withdraw_code, withdraw_text
from checker.remote import Remote, Reply

PATH = "/v1/opt-outs"
_MEDIA_TYPE = "application/json"
_DETAIL_LETTERS_MAX = 400


@dataclass(frozen=True, slots=True)
class RecordedThere:
    """An opt-out that a server recorded."""

    number: str
    receipt: Receipt | None
    """Verified. None: it is held, and there is no receipt before a person has released it."""
    withdraw_text: str
    """The withdraw file."""


def record_at(
    remote: Remote, pictures: Sequence[Sequence[Fingerprint]], uses: Sequence[Use], *, days: int
) -> RecordedThere:
    """Record an opt-out at a server.

    Raises:
        RemoteError: the server refused, or its answer is not a receipt of what was asked.
    """
    asked = tuple(entry_codes(codes) for codes in pictures)
    body = {
        "pictures": [
            {"codes": {code.kind.name: {"version": code.kind.version, "hex": code.hex} for code in codes}}
            for codes in asked
        ],
        "uses": [use.value for use in uses],
    }
    reply = remote.post(PATH, json.dumps(body).encode(), _MEDIA_TYPE, bytes_max=2 * RECEIPT_BYTES_MAX)
    document = _document(reply, expected=201)
    try:
        number, code = document["number"], read_withdraw_code(document["withdraw_code"])
        if code is None or not NUMBER.fullmatch(number):
            raise ValueError("there is no number or no withdraw code")
        receipt = None
        if document["receipt"] is not None or not document["held"]:
            receipt = parse_receipt(document["receipt"])
            said = verify_receipt(receipt.to_bytes()).opt_out
            if said.pictures != asked or said.uses != tuple(uses) or said.number != number:
                raise ValueError("the receipt is of another opt-out")
    except (VerificationError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise RemoteError(f"the server's answer cannot be believed: {error}; tell whoever runs it") from error
    return RecordedThere(number, receipt, withdraw_text(number, code, days=days))


def status_at(remote: Remote, paper: Paper) -> dict[str, Any]:
    """How a request stands at a server, as it says.

    Raises:
        RemoteError: it does not know the number with this code, or did not answer as agreed.
    """
    path, authorization = _address(paper)
    return _status(remote.get(path, bytes_max=2 * RECEIPT_BYTES_MAX, authorization=authorization))


def withdraw_at(remote: Remote, paper: Paper) -> dict[str, Any]:
    """Begin a withdrawal at a server: the status after it.

    Raises:
        RemoteError: it does not know the number with this code, or did not answer as agreed.
    """
    path, authorization = _address(paper)
    return _status(remote.delete(path, bytes_max=RECEIPT_BYTES_MAX, authorization=authorization))


def erase_at(remote: Remote, paper: Paper) -> dict[str, Any]:
    """Have a server erase what an opt-out says: the status after it.

    Raises:
        RemoteError: it does not know the number with this code, or did not answer as agreed.
    """
    path, authorization = _address(paper)
    return _status(remote.delete(f"{path}?erase=true", bytes_max=RECEIPT_BYTES_MAX, authorization=authorization))


def receipt_at(remote: Remote, paper: Paper) -> Receipt:
    """The receipt of an opt-out, made anew by a server, and verified.

    Raises:
        RemoteError: it does not know the number with this code, has no receipt of it, or it is another's.
    """
    path, authorization = _address(paper)
    reply = remote.get(f"{path}/receipt", bytes_max=2 * RECEIPT_BYTES_MAX, authorization=authorization)
    try:
        receipt = parse_receipt(_document(reply, expected=200))
        if verify_receipt(receipt.to_bytes()).opt_out.number != paper.number:
            raise ValueError("the receipt is of another opt-out")
    except (VerificationError, ValueError) as error:
        raise RemoteError(f"the server's answer cannot be believed: {error}; tell whoever runs it") from error
    return receipt


def _address(paper: Paper) -> tuple[str, str]:
    if paper.code is None or paper.number is None:
        raise InputError("a server needs number and withdraw code; give the file NUMBER.withdraw.txt as it was written")
    return f"{PATH}/{paper.number}", f"Receipt {paper.code}"


def _status(reply: Reply) -> dict[str, Any]:
    """The status that a server tells, when it has all of it: what `Status.to_dict` writes."""
    document = _document(reply, expected=200)
    fits = all(isinstance(document.get(name), str) for name in ("number", "state", "recorded_at", "evidence"))
    fits &= isinstance(document.get("pictures"), int) and isinstance(document.get("index"), int | None)
    fits &= _are(str, document.get("uses"))
    fits &= all(isinstance(document.get(name), str | None) for name in ("withdraw_at", "reason"))
    fits &= _are(str, document.get("addresses", [])) and _are(dict, document.get("operators", []))
    sightings = document.get("sightings", [])
    fits &= _are(dict, sightings) and all(
        isinstance(seen.get(name) or {}, dict) for seen in sightings for name in ("locator", "source")
    )
    fits &= all(type(document.get(name, 0)) is int for name in ("new", "sightings_all"))
    if not fits:
        raise RemoteError("the server's answer is no status of an opt-out; check the address")
    return document


def _are(kind: type, values: Any) -> bool:
    return isinstance(values, list) and all(isinstance(value, kind) for value in values)


def _document(reply: Reply, *, expected: int) -> dict[str, Any]:
    try:
        document = json.loads(reply.body)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise RemoteError(f"the server answered {reply.status} and no JSON; check the address")
    if reply.status != expected:
        detail = str(document.get("detail") or document.get("title") or "no reason given")[:_DETAIL_LETTERS_MAX]
        if reply.status < 400:
            raise RemoteError(f"the server answered {reply.status} where {expected} is agreed; check the address")
        raise RemoteError(f"the server refused ({reply.status}): {detail}")
    return document
