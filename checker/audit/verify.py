"""Is the audit log in a data folder the one that was signed? Everything is computed anew from the rows.

Each row's text is compared with its commitment, each row with its leaf in the tree, every hash of the tree with what
follows from the rows, and the root at the signed size with the checkpoint. Whoever changes a row and all hashes above
it meets the signature; whoever takes rows away at the end meets the size.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from checker.audit.entry import TEXT_KEPT, Act, leaf_of, text_holds
from checker.audit.log import CHECKPOINT_FILE, AuditLog
from checker.errors import VerificationError
from checker.model import utc_text
from checker.optout.tree import MemoryTree
from checker.records.audit import AuditRow, audit_nodes, audit_rows, audit_time
from checker.records.registry import Registry

NAMED_MAX = 10
"""Rows that a message names."""


@dataclass(frozen=True, slots=True)
class Audited:
    """A log that holds."""

    acts: int
    """Of them all; those after the last signature included."""
    signed: int
    erased: int
    """Acts without their text, because it was old."""
    root: str
    """At the signed size; 64 hex digits."""
    signed_at: str
    key: str
    """Verifier key (C2SP signed-note)."""


def verify_audit(folder: Path, registry: Registry, *, now: datetime, pinned: str | None = None) -> Audited:
    """Check all of it.

    Args:
        pinned: the verifier key as somebody else keeps it; else the folder's own.
    Raises:
        VerificationError: part "audit-row", naming the rows; "audit-tree", "audit-checkpoint" or "audit-key".
        DataError: the key or the checkpoint is missing.
    """
    log = AuditLog(folder, registry)
    head = log.head()
    key = log.vkey()
    if head is None or key is None:
        if any(audit_rows(registry)):
            raise VerificationError(
                f"{folder} holds acts, and neither key nor {CHECKPOINT_FILE} of their log; restore both",
                part="audit-checkpoint",
            )
        return Audited(0, 0, 0, "", utc_text(now), "")
    if pinned is not None and pinned != key:
        raise VerificationError(f"the audit log of {folder} is signed by {key}, not by {pinned}", part="audit-key")

    tree, erased, wrong, signed_root = MemoryTree(), 0, [], ""
    for place, row in enumerate(audit_rows(registry)):
        if tree.size == head.size:
            signed_root = tree.root().hex()
        if row.index != place:
            raise VerificationError(
                f"row {place} of the table audit is gone; restore registry.db from a backup", part="audit-row"
            )
        if problem := _problem(row, now):
            wrong.append(f"{row.index} ({problem})")
        erased += row.salt is None
        tree.append(_leaf(row))
    if tree.size == head.size:
        signed_root = tree.root().hex()
    wrong += [f"{index} (its leaf is another one)" for index in _other_leaves(registry, tree)]
    _require(not wrong, f"row {', row '.join(wrong[:NAMED_MAX])} of the table audit was changed", "audit-row")
    _require(tree.size >= head.size, f"{tree.size} acts are there and {head.size} were signed", "audit-checkpoint")
    _require(signed_root == head.root.hex(), "the acts are not those that were signed", "audit-checkpoint")
    there = set()
    for level, index, hashed in audit_nodes(registry):
        known = index < tree.size >> level
        _require(known and tree.nodes(level, index) == hashed, f"hash ({level}, {index}) is another one", "audit-tree")
        there.add((level, index))
    for level in range(tree.size.bit_length()):
        for index in range(tree.size >> level):
            _require((level, index) in there, f"hash ({level}, {index}) is gone", "audit-tree")
    return Audited(tree.size, head.size, erased, signed_root, utc_text(head.time), key)


def _problem(row: AuditRow, now: datetime) -> str | None:
    """What is wrong with a row by itself. None: nothing."""
    try:
        at = audit_time(row)
    except ValueError:
        return "it has no time"
    if row.act not in set(Act):
        return "it is of no known kind"
    if row.salt is None and at > now - TEXT_KEPT:
        return "its text was erased before its time"
    return None if text_holds(row) else "its text is another one"


def _leaf(row: AuditRow) -> bytes:
    try:
        return leaf_of(row)
    except ValueError:
        return bytes(32)  # of no act; the row is named


def _other_leaves(registry: Registry, tree: MemoryTree) -> list[int]:
    return [
        index
        for level, index, hashed in audit_nodes(registry)
        if level == 0 and index < tree.size and tree.nodes(0, index) != hashed
    ]


def _require(holds: bool, what: str, part: str) -> None:
    if not holds:
        raise VerificationError(f"the audit log does not verify: {what}; restore registry.db from a backup", part=part)
