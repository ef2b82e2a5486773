"""Opting out at a server of this kind: what is sent, and what is accepted as an answer.

Only codes are sent, never the picture. A receipt is verified before it is believed, and it must say what was asked.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from checker.errors import InputError, RemoteError, VerificationError
from checker.model import Fingerprint, Use
from checker.optout.entry import picture_codes
from checker.optout.papers import Paper
from checker.optout.receipt import RECEIPT_BYTES_MAX, Receipt, parse_receipt, verify_receipt
from checker.optout.tokens import read_withdraw_code, withdraw_text
from checker.remote import Remote, Reply

PATH = "/v1/opt-outs"
_MEDIA_TYPE = "application/json"
_DETAIL_LETTERS_MAX = 400


def record_at(
    remote: Remote, pictures: Sequence[Sequence[Fingerprint]], uses: Sequence[Use], *, days: int
) -> tuple[Receipt, str, bool]:
    """Record an opt-out at a server: the verified receipt, the text of the withdraw file, whether it is held.

    Raises:
        RemoteError: the server refused, or its answer is not a receipt of what was asked.
    """
    body = {
        "pictures": [
            {
                "codes": {
                    code.kind.name: {"version": code.kind.version, "hex": code.hex} for code in picture_codes(codes)
                }
            }
            for codes in pictures
        ],
        "uses": [use.value for use in uses],
    }
    reply = remote.post(PATH, json.dumps(body).encode(), _MEDIA_TYPE, bytes_max=2 * RECEIPT_BYTES_MAX)
    document = _document(reply, expected=201)
    try:
        receipt = parse_receipt(document["receipt"])
        asked = verify_receipt(receipt.to_bytes()).opt_out
        code = read_withdraw_code(document["withdraw_code"])
        if asked.pictures != tuple(picture_codes(codes) for codes in pictures) or asked.uses != tuple(uses):
            raise ValueError("the receipt is of another opt-out")
        if code is None:
            raise ValueError("there is no withdraw code")
    except (VerificationError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise RemoteError(f"the server's answer cannot be believed: {error}; tell whoever runs it") from error
    return receipt, withdraw_text(receipt.number, code, days=days), bool(document.get("held"))


def status_at(remote: Remote, paper: Paper) -> dict[str, Any]:
    """How a request stands at a server, as it says.

    Raises:
        RemoteError: it does not know the number with this code, or did not answer as agreed.
    """
    path, authorization = _address(paper)
    return _status(remote.get(path, bytes_max=RECEIPT_BYTES_MAX, authorization=authorization))


def withdraw_at(remote: Remote, paper: Paper) -> dict[str, Any]:
    """Begin a withdrawal at a server: the status after it.

    Raises:
        RemoteError: it does not know the number with this code, or did not answer as agreed.
    """
    path, authorization = _address(paper)
    return _status(remote.delete(path, bytes_max=RECEIPT_BYTES_MAX, authorization=authorization))


def _address(paper: Paper) -> tuple[str, str]:
    if paper.code is None or paper.number is None:
        raise InputError("a server needs number and withdraw code; give the file NUMBER.withdraw.txt as it was written")
    return f"{PATH}/{paper.number}", f"Receipt {paper.code}"


def _status(reply: Reply) -> dict[str, Any]:
    """The status that a server tells, when it has all of it: what `Status.to_dict` writes."""
    document = _document(reply, expected=200)
    fits = all(isinstance(document.get(name), str) for name in ("number", "state", "recorded_at", "evidence"))
    fits &= all(isinstance(document.get(name), int) for name in ("index", "pictures"))
    uses, withdraw_at = document.get("uses"), document.get("withdraw_at")
    fits &= isinstance(uses, list) and all(isinstance(use, str) for use in uses)
    if not fits or not isinstance(withdraw_at, str | None):
        raise RemoteError("the server's answer is no status of an opt-out; check the address")
    return document


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
