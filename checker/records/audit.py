"""What was done with keys: the rows of the audit log in registry.db, and the hashes of its tree. All of its SQL.

    audit         one row an act, numbered without a gap from 0; salt and text go after some years, the commitment stays
    audit_node    the hash of every complete subtree, written in the transaction of the row that completed it

What is hashed, signed and checked is decided in checker/audit/; here it is kept. Whoever asks as a holder of a key
gets the rows of that key alone (`audit_rows_of`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from checker.errors import DataError
from checker.model import parse_utc, utc_text
from checker.records.registry import Registry, RegistryWriter

_PAGE = 1_000
"""Rows read at a time: short reads, because a reader holds up a commit in a rollback journal."""


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One act, as it is kept. Nothing of it is trusted before it was verified, hence plain texts."""

    index: int
    at: str
    act: str
    commitment: bytes
    salt: bytes | None
    """None: the text was erased, and the next five are None too."""
    holder: str | None
    purpose: str | None
    case_ref: str | None
    subject: str | None
    amount: int | None


@dataclass(frozen=True, slots=True)
class AuditCount:
    """How often one holder did something for one purpose in one month."""

    month: str
    """ "2026-11"."""
    holder: str
    act: str
    purpose: str
    """Empty: the act has none."""
    acts: int
    amount: int
    """Rows of look-ups, lines of openings."""


def audit_size(registry: Registry | RegistryWriter) -> int:
    """How many acts were recorded, signed or not; in a transaction: the index of the next one."""
    return int(registry._rows("SELECT COALESCE(MAX(audit_index) + 1, 0) FROM audit")[0][0])


def audit_node(registry: Registry | RegistryWriter, level: int, index: int) -> bytes:
    """The hash of a complete subtree; see `checker.optout.tree.Nodes`."""
    found = registry._rows("SELECT hash FROM audit_node WHERE level = ? AND node_index = ?", (level, index))
    if not found:
        raise DataError(f"registry.db lacks the hash ({level}, {index}) of its audit log; restore it from a backup")
    return bytes(found[0][0])


def add_audit_row(writer: RegistryWriter, row: AuditRow, nodes: Sequence[tuple[int, int, bytes]]) -> None:
    """Append an act with the subtrees that it completes: (level, index, hash)."""
    writer._rows(
        "INSERT INTO audit (audit_index, at, act, commitment, salt, holder, purpose, case_ref, subject, amount) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *(row.index, row.at, row.act, row.commitment, row.salt),
            *(row.holder, row.purpose, row.case_ref, row.subject, row.amount),
        ),
    )
    for node in nodes:
        writer._rows("INSERT INTO audit_node (level, node_index, hash) VALUES (?, ?, ?)", node)


def audit_rows(registry: Registry) -> Iterator[AuditRow]:
    """Every act, in order, read page by page."""
    return _pages(registry._rows, "audit_index >= ?", ())


def audit_rows_of(registry: Registry, holder: str, *, first: int = 0) -> Iterator[AuditRow]:
    """The acts of one holder from index `first` on, and of nobody else."""
    return _pages(registry._rows, "audit_index >= ? AND holder = ?", (holder,), first)


def audit_nodes(registry: Registry) -> Iterator[tuple[int, int, bytes]]:
    """Every hash that is kept: level, index, hash."""
    after = (-1, -1)
    while rows := registry._rows(
        "SELECT level, node_index, hash FROM audit_node WHERE (level, node_index) > (?, ?) "
        "ORDER BY level, node_index LIMIT ?",
        (*after, _PAGE),
    ):
        yield from ((level, index, bytes(hashed)) for level, index, hashed in rows)
        after = rows[-1][:2]


def erase_audit_text(writer: RegistryWriter, *, before: datetime) -> int:
    """Delete who did what for what from the acts before this time; how many had it still."""
    return len(
        writer._rows(
            "UPDATE audit SET salt = NULL, holder = NULL, purpose = NULL, case_ref = NULL, subject = NULL, "
            "amount = NULL WHERE at < ? AND salt IS NOT NULL RETURNING 1",
            (utc_text(before),),
        )
    )


def audit_counts(registry: Registry) -> tuple[AuditCount, ...]:
    """What each holder did, by month and purpose: newest month first, then by holder."""
    rows = registry._rows(
        "SELECT substr(at, 1, 7) AS month, holder, act, COALESCE(purpose, '') AS why, COUNT(*), "
        "COALESCE(SUM(amount), 0) FROM audit WHERE holder IS NOT NULL GROUP BY month, holder, act, why "
        "ORDER BY month DESC, holder, act, why"
    )
    return tuple(AuditCount(*row) for row in rows)


def audit_time(row: AuditRow) -> datetime:
    """When it was done. Raises ValueError where the row says no time."""
    return parse_utc(row.at)


def _pages(
    rows: Callable[..., list[tuple[Any, ...]]], where: str, values: tuple[Any, ...], first: int = 0
) -> Iterator[AuditRow]:
    sql = (
        "SELECT audit_index, at, act, commitment, salt, holder, purpose, case_ref, subject, amount FROM audit "  # noqa: S608 - of constants
        f"WHERE {where} ORDER BY audit_index LIMIT ?"
    )
    while page := rows(sql, (first, *values, _PAGE)):
        for index, at, act, commitment, salt, *text in page:
            yield AuditRow(index, at, act, bytes(commitment), None if salt is None else bytes(salt), *text)
        first = int(page[-1][0]) + 1
