"""API keys: made once, shown once, kept as a hash.

    hibs_<64 hex digits><8 hex digits>       256 random bits, then the first 4 bytes of their SHA-256

The prefix lets a scanner for leaked secrets find one; the checksum tells a mistyped key from a wrong one without asking
the registry. Only the SHA-256 of the text is stored: 256 random bits need no slow hash. A key is read from the registry
on every request, so a revoked one ends in every process at once. Scopes do not contain each other: `admin` alone opens
no feed. A key for many look-ups (`bulk`) also names the purposes that it may be used for and the form of its holder's
case numbers (checker/audit/cases.py); without them it opens no job. That a key was made or revoked is recorded in the
audit log, in the same transaction; whoever calls signs it (`AuditLog.sign`).
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from checker.audit.cases import Purpose, require_case_pattern
from checker.audit.entry import Act, Done
from checker.audit.log import record
from checker.errors import InputError
from checker.records.jobs import BulkRight, add_bulk_right, bulk_right
from checker.records.registry import KeyRow, Registry

PREFIX = "hibs_"
EXPIRY_DAYS = 365
_KEY = re.compile(r"hibs_([0-9a-f]{64})([0-9a-f]{8})")
_NAME = re.compile(r"[\w][\w .@-]{0,79}")


class Scope(StrEnum):
    """What a key opens."""

    BULK = "bulk"
    """Many look-ups at once, with purpose and audit."""
    FEED = "feed"
    """The openings of the log: the codes that people opted out."""
    HONOUR = "honour"
    """Stating what was filtered."""
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class KeyHolder:
    """Whoever showed a valid key."""

    name: str
    scopes: frozenset[Scope]
    expires_at: datetime
    purposes: frozenset[Purpose] = field(default_factory=frozenset)
    """What many look-ups may be for. Empty: a key of another scope, or one that was given none."""
    case_pattern: str = ""
    """Form of its holder's case numbers."""


@dataclass(frozen=True, slots=True)
class CaseRules:
    """What a key of scope bulk may be used for."""

    purposes: frozenset[Purpose]
    """At least one."""
    pattern: str
    """See `checker.audit.cases`."""


def create_key(
    registry: Registry,
    *,
    name: str,
    scopes: Collection[Scope],
    now: datetime,
    days: int = EXPIRY_DAYS,
    bulk: CaseRules | None = None,
    random_bytes: Callable[[int], bytes] = secrets.token_bytes,
) -> str:
    """Make a key; its text is given out here and never again.

    Args:
        name: who holds it; 1-80 letters, digits, spaces and `. @ - _`. One key a name, revoked ones included.
        days: until it expires, 1-3650.
        bulk: for a key of scope bulk; one without may be used for no purpose.
    Raises:
        InputError: the name is taken or not of that form, no scope, another number of days, purposes for a key of
            other scopes, none of them, or a pattern that is none.
    """
    if not _NAME.fullmatch(name):
        raise InputError(f"a key cannot be named {name!r}; use up to 80 letters, digits, spaces and . @ - _")
    if not scopes:
        raise InputError(f"the key {name} has no scope; name some of {', '.join(Scope)}")
    if not 1 <= days <= 3650:
        raise InputError(f"a key lasts 1 to 3650 days, not {days}")
    if bulk is not None:
        _require_rules(name, scopes, bulk)
    body = random_bytes(32)
    text = f"{PREFIX}{body.hex()}{_checksum(body)}"
    row = KeyRow(
        name=name,
        scopes=tuple(sorted({scope.value for scope in scopes})),
        created_at=now,
        expires_at=now + timedelta(days=days),
    )
    with registry.writing() as writer:
        added = writer.add_key(row, _key_hash(text))
        if added:
            if bulk is not None:
                add_bulk_right(writer, name, BulkRight(frozenset(p.value for p in bulk.purposes), bulk.pattern))
            record(writer, Done(Act.KEY_MADE, name, now, subject=" ".join(row.scopes)))
    if not added:
        raise InputError(f"there is a key named {name} already; choose another name (`hibs keys list` shows them)")
    return text


def verify_key(registry: Registry, text: str, *, scope: Scope | None, now: datetime) -> KeyHolder | None:
    """Who holds this key?

    Args:
        scope: what it must open. None: any valid key will do, so that a caller can tell an unknown key from
            one that is for something else.
    Returns:
        None: malformed, unknown, expired, revoked, or without the scope; which of them is not told.
    """
    found = _KEY.fullmatch(text)
    if not found or _checksum(bytes.fromhex(found[1])) != found[2]:
        return None
    row = registry.key_by_hash(_key_hash(text))
    if row is None or row.revoked_at is not None or row.expires_at <= now:
        return None
    scopes = frozenset(Scope(s) for s in row.scopes)
    right = bulk_right(registry, row.name) if Scope.BULK in scopes else None
    holder = KeyHolder(
        name=row.name,
        scopes=scopes,
        expires_at=row.expires_at,
        purposes=frozenset(Purpose(p) for p in right.purposes) if right else frozenset(),
        case_pattern=right.case_pattern if right else "",
    )
    return holder if scope is None or scope in holder.scopes else None


def revoke_key(registry: Registry, *, name: str, now: datetime) -> None:
    """End a key, in every process at its next request.

    Raises:
        InputError: there is no key of this name that is still in force.
    """
    with registry.writing() as writer:
        revoked = writer.revoke_key(name, now=now)
        if revoked:
            record(writer, Done(Act.KEY_REVOKED, name, now))
    if not revoked:
        raise InputError(f"there is no key named {name} to revoke; `hibs keys list` shows them")


def _require_rules(name: str, scopes: Collection[Scope], bulk: CaseRules) -> None:
    if Scope.BULK not in scopes:
        raise InputError(f"the key {name} is not of scope bulk, so it has no purposes; leave them out or add the scope")
    if not bulk.purposes:
        raise InputError(f"the key {name} names no purpose; name some of {', '.join(Purpose)}")
    require_case_pattern(bulk.pattern)


def _checksum(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()[:8]


def _key_hash(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
