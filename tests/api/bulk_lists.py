"""What the tests of bulk look-ups share: keys, lists of codes, and waiting for another process."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from api_service import picture

from checker.audit.cases import Purpose
from checker.keys import CaseRules, Scope, create_key
from checker.model import PHASH256
from checker.records.registry import Registry

NDJSON = {"Content-Type": "application/x-ndjson"}
RULES = CaseRules(frozenset({Purpose.COMPLAINT, Purpose.ACCESS_REQUEST}), "AZ-####")
WHY = "?purpose=complaint&case=AZ-2041"
PLACE = "/v1/bulk-lookups"


def make_key(corpus: Path, now: datetime, name: str) -> dict[str, str]:
    registry = Registry.open(corpus / "registry.db")
    text = create_key(registry, name=name, scopes=[Scope.BULK], now=now, bulk=RULES)
    registry.close()
    return {"Authorization": f"Bearer {text}"}


def codes(name: str) -> dict[str, Any]:
    bits = next(code.bits for code in picture(name).fingerprints if code.kind == PHASH256)
    return {"phash256": {"version": "1", "hex": bits.hex()}}


def unrelated(number: int) -> dict[str, Any]:
    """A code with 128 bits set that is near to nothing: of no photo."""
    half = hashlib.sha256(b"%d" % number).digest()[:16]
    return {"phash256": {"version": "1", "hex": half.hex() + bytes(~byte & 255 for byte in half).hex()}}


def lines(*rows: object) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def until(said: Callable[[], Any], *, seconds: float = 60) -> None:
    """Wait for another process; fails when it takes too long."""
    end = time.monotonic() + seconds
    while not said():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.05)
