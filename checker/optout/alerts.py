"""A secret address for each opt-out, at which its holder hears of new copies, and nothing else can be done.

    token = NUMBER-MAC      MAC = HMAC-SHA256(key, tag | number), its first 160 bits, 32 symbols of Crockford's base32
                            key = what the registry keeps of the withdraw code: its SHA-256

So nothing more is stored, the holder of the code can make the token, and nobody comes from the token to the code or to
what the code opens: status, receipt, withdrawal, erasure. A feed reader that is given it learns where the copies are.
The number finds the request, the MAC is compared in constant time. An unknown number and a wrong MAC are the same.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import uuid
from dataclasses import dataclass
from datetime import datetime

from checker.model import Sighting, utc_text
from checker.optout.canonical import crockford
from checker.optout.entry import NUMBER
from checker.optout.holder import new_sightings
from checker.optout.request import OptOuts
from checker.optout.states import State, Status

ENTRIES_MAX = 100
"""New sightings in one answer, the newest. A reader that asks once a day misses none unless more came that day."""
ENDED = frozenset({State.WITHDRAWN, State.ERASED})
"""States in which nobody is told of new copies any more: the no is over, so they are not looked for."""
_TAG = b"hibs alerts v1\n"
_MAC_BYTES = 20
_NUMBER_LETTERS = 9
_NOBODY = bytes(32)
"""Key for a number that is unknown, so that the same work is done."""


@dataclass(frozen=True, slots=True)
class Alert:
    """One new sighting."""

    id: str
    """The same at every asking, `urn:uuid:...` (RFC 9562 5.5); of one place it differs between opt-outs."""
    sighting: Sighting


def alerts_token(number: str, withdraw_hash: bytes) -> str:
    """The secret part of the address, `4F7K-20M9-` and 32 symbols.

    Args:
        withdraw_hash: SHA-256 of the withdraw code (`tokens.withdraw_code_hash`).
    """
    mac = hmac.digest(withdraw_hash, _TAG + number.encode(), hashlib.sha256)
    return f"{number}-{crockford(mac[:_MAC_BYTES])}"


def opt_out_of_token(opt_outs: OptOuts, token: str, *, now: datetime) -> Status | None:
    """The request whose holder was given this token. None: there is none, or it is another's."""
    opt_outs.settle(now)
    number = token[:_NUMBER_LETTERS]
    row = opt_outs.registry.opt_out(number) if NUMBER.fullmatch(number) else None
    expected = alerts_token(number, row.withdraw_hash if row else _NOBODY)
    if not hmac.compare_digest(expected.encode(), token.encode(errors="replace")) or row is None:
        return None
    return opt_outs.describe(row)


def alerts_of(opt_outs: OptOuts, status: Status) -> tuple[Alert, ...]:
    """What was seen of the pictures of a request for the first time since it was recorded, the newest first."""
    if status.state in ENDED:
        return ()
    seen = new_sightings(opt_outs, status)[:ENTRIES_MAX]
    return tuple(Alert(_stable_id(status.number, sighting), sighting) for sighting in seen)


def feed_id(number: str) -> str:
    """Of the list of an opt-out, whatever name the service goes by."""
    return uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(["hibs alerts", number])).urn


def _stable_id(number: str, sighting: Sighting) -> str:
    """Of what stays as it is for as long as the sighting is kept: the place, and when it was seen first."""
    where = sighting.locator
    record = [where.file, where.row, where.key] if where else []
    place = [sighting.source.id, sighting.image_url, sighting.page_url, record, utc_text(sighting.first_seen)]
    return uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(["hibs alert", number, *place])).urn
