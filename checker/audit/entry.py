"""One act in the audit log: what it says, and the bytes that the log commits to.

    commitment = SHA-256(TEXT_TAG || salt || text)          text: who, for what purpose and case, about what, how much
    leaf       = SHA-256(LEAF_TAG || head || commitment)    head: when, and what kind of act

Both parts are canonical JSON. The text may have to be erased one day, and the leaf must still show that something was
done then, and that it was not erased before its time: so time and kind stand outside of the salted commitment. The tags
are others than those of the opt-out log, so no entry of one log can pass for one of the other.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from checker.model import utc_text
from checker.optout.canonical import canonical_json
from checker.records.audit import AuditRow

LEAF_TAG = b"haveibeenscraped/audit-leaf/v1\n"
TEXT_TAG = b"haveibeenscraped/audit-text/v1\n"
SALT_BYTES = 32
TEXT_KEPT = timedelta(days=3 * 366)
"""Three years, the leap day among them included. Afterwards the text may be erased; a case is closed by then."""


class Act(StrEnum):
    """What was done."""

    KEY_MADE = "key-made"
    KEY_REVOKED = "key-revoked"
    BULK_MADE = "bulk-made"
    BULK_FETCHED = "bulk-fetched"
    BULK_DELETED = "bulk-deleted"
    OPENINGS_FETCHED = "openings-fetched"
    HONOUR_STATED = "honour-stated"


@dataclass(frozen=True, slots=True)
class Done:
    """One act."""

    act: Act
    holder: str
    """Name of the key."""
    at: datetime
    purpose: str = ""
    case_ref: str = ""
    subject: str = ""
    """What it was about: a job, a range of entries, the digest of a report."""
    amount: int = 0
    """Rows or lines."""


def audit_row(done: Done, index: int, salt: bytes) -> AuditRow:
    """The act as it is kept."""
    text = (done.holder, done.purpose, done.case_ref, done.subject, done.amount)
    return AuditRow(index, utc_text(done.at), done.act.value, commitment_of(salt, *text), salt, *text)


def commitment_of(salt: bytes, holder: str, purpose: str, case_ref: str, subject: str, amount: int) -> bytes:
    """32 bytes that stand for the text of an act. Letters beyond ASCII are written as their codes in hex digits.

    Raises:
        ValueError: a number that is none.
    """
    text = {
        "amount": amount,
        "case": _ascii(case_ref),
        "holder": _ascii(holder),
        "purpose": _ascii(purpose),
        "subject": _ascii(subject),
    }
    return hashlib.sha256(TEXT_TAG + salt + canonical_json(text)).digest()


def leaf_of(row: AuditRow) -> bytes:
    """32 bytes: the entry of the log for this row, whether its text is still there or not.

    Raises:
        ValueError: the row says something that no act says.
    """
    head = canonical_json({"act": _ascii(row.act), "at": _ascii(row.at), "v": 1})
    return hashlib.sha256(LEAF_TAG + head + row.commitment).digest()


def text_holds(row: AuditRow) -> bool:
    """Is the text of the row the one that was committed to? An erased one holds."""
    if row.salt is None:
        return (row.holder, row.purpose, row.case_ref, row.subject, row.amount) == (None,) * 5
    if row.holder is None or row.purpose is None or row.case_ref is None or row.subject is None or row.amount is None:
        return False
    try:
        made = commitment_of(row.salt, row.holder, row.purpose, row.case_ref, row.subject, row.amount)
    except ValueError:
        return False
    return made == row.commitment


def _ascii(text: str) -> str:
    """Canonical JSON is ASCII here; a backslash is doubled, so that no two texts are written alike."""
    return text.replace("\\", "\\\\").encode("ascii", "backslashreplace").decode("ascii")
