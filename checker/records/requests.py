"""The requests in registry.db: who asked for what, by which codes and addresses, and where it stands.

The halves of `Registry` and `RegistryWriter` that are about requests; all of their SQL. What a state means and which
moves are allowed is decided in checker/optout/request.py.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlite_utils import Database

from checker.model import CodeKind, Fingerprint, parse_utc, utc_text

HIDING_STATES = ("recorded", "held", "disputed", "withdrawing")
"""States in which an opt-out hides its pictures here."""
ENDED_STATES = ("withdrawn", "erased")
"""The others. No request leaves them for one that hides."""
_IN_FORCE = "SELECT COUNT(*) FROM opt_out WHERE state IN (SELECT value FROM json_each(?))"


@dataclass(frozen=True, slots=True)
class OptOutRow:
    """One request."""

    number: str
    index: int | None
    """Of its entry in the log. None: it is held, or never got one."""
    state: str
    evidence: str
    uses: tuple[str, ...]
    pictures: int
    withdraw_hash: bytes
    """SHA-256 of the withdraw code."""
    recorded_at: datetime
    withdraw_at: datetime | None = None
    """When a withdrawal takes effect."""
    reason: str | None = None
    """Why it is held, disputed or was refused, for its holder and for whoever looks at it."""


class RequestReader:
    """The part of `Registry` that reads requests."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._lock = threading.RLock()

    def hidden_codes(self, kind: CodeKind) -> tuple[bytes, ...]:
        """The codes of this kind of every opt-out that hides now, in the order in which they were recorded."""
        return tuple(bits for bits, _ in self.hiding_codes(kind))

    def hiding_codes(self, kind: CodeKind, *, after: int = 0) -> tuple[tuple[bytes, str], ...]:
        """The same with the number of the opt-out that each belongs to; of opt-outs with a larger id than `after`."""
        rows = self._rows(
            "SELECT bits, number FROM opt_out_code JOIN opt_out USING (opt_out_id) WHERE kind = ? AND version = ? "
            "AND opt_out_id > ? AND state IN (SELECT value FROM json_each(?)) ORDER BY code_id",
            (kind.name, kind.version, after, json.dumps(HIDING_STATES)),
        )
        return tuple((bytes(bits), number) for bits, number in rows)

    def hiding_addresses(self, *, after: int = 0) -> tuple[tuple[str, str], ...]:
        """The addresses of every opt-out that hides now, each with the number of its opt-out; as `hiding_codes`."""
        rows = self._rows(
            "SELECT address, number FROM opt_out_address JOIN opt_out USING (opt_out_id) "
            "WHERE opt_out_id > ? AND state IN (SELECT value FROM json_each(?)) ORDER BY address_id",
            (after, json.dumps(HIDING_STATES)),
        )
        return tuple((address, number) for address, number in rows)

    def hiding_mark(self) -> tuple[int, int]:
        """The newest request's id, and how many have ended: what hides changes only when one of them does.

        A request that ended never hides again, so nothing can come and go between two equal marks.
        """
        rows = self._rows(
            "SELECT (SELECT COALESCE(MAX(opt_out_id), 0) FROM opt_out), (SELECT COUNT(*) FROM opt_out WHERE state "
            "IN (SELECT value FROM json_each(?)))",
            (json.dumps(ENDED_STATES),),
        )
        return int(rows[0][0]), int(rows[0][1])

    def opt_outs_in_force(self) -> int:
        """How many requests hide their pictures now."""
        return int(self._rows(_IN_FORCE, (json.dumps(HIDING_STATES),))[0][0])

    def opt_out(self, number: str) -> OptOutRow | None:
        """The request of this number. None: there is none."""
        return self._opt_out("number = ?", number)

    def opt_out_by_code(self, withdraw_hash: bytes) -> OptOutRow | None:
        """The request whose withdraw code has this SHA-256. None: there is none."""
        return self._opt_out("withdraw_hash = ?", withdraw_hash)

    def opt_outs_in(self, states: Collection[str]) -> tuple[OptOutRow, ...]:
        """Requests in one of these states, in the order in which they were recorded."""
        where = " WHERE state IN (SELECT value FROM json_each(?)) ORDER BY opt_out_id"
        return tuple(_opt_out_row(row) for row in self._rows(_OPT_OUT + where, (json.dumps(sorted(states)),)))

    def pictures_of(self, number: str) -> tuple[tuple[Fingerprint, ...], ...]:
        """The codes of each picture of a request, in the order in which they were given. Empty: it has none left."""
        rows = self._rows(
            "SELECT picture_no, kind, version, bits FROM opt_out_code JOIN opt_out USING (opt_out_id) "
            "WHERE number = ? ORDER BY code_id",
            (number,),
        )
        pictures: dict[int, list[Fingerprint]] = {}
        for picture_no, kind, version, bits in rows:
            code = Fingerprint(CodeKind(kind, version, len(bits) * 8), bytes(bits))
            pictures.setdefault(picture_no, []).append(code)
        return tuple(tuple(codes) for codes in pictures.values())

    def addresses_of(self, number: str) -> tuple[str, ...]:
        """The addresses that a request names, sorted."""
        rows = self._rows(
            "SELECT address FROM opt_out_address JOIN opt_out USING (opt_out_id) WHERE number = ? ORDER BY address",
            (number,),
        )
        return tuple(address for (address,) in rows)

    def withdrawals_due(self, now: datetime) -> tuple[OptOutRow, ...]:
        """Requests whose withdrawal takes effect by now, in the order in which they were recorded."""
        due = f"{_OPT_OUT} WHERE state = 'withdrawing' AND withdraw_at <= ? ORDER BY opt_out_id"
        return tuple(_opt_out_row(row) for row in self._rows(due, (utc_text(now),)))

    def _opt_out(self, where: str, value: str | bytes) -> OptOutRow | None:
        rows = self._rows(f"{_OPT_OUT} WHERE {where}", (value,))
        return _opt_out_row(rows[0]) if rows else None

    def _rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with self._lock:
            return list(self._db.execute(sql, values).fetchall())


class RequestWriter:
    """The part of `RegistryWriter` that writes requests. Runs inside its transaction."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def number_taken(self, number: str) -> bool:
        """Is there a request of this number already?"""
        return bool(self._rows("SELECT 1 FROM opt_out WHERE number = ?", (number,)))

    def add_opt_out(
        self, row: OptOutRow, pictures: Sequence[Sequence[Fingerprint]], addresses: Sequence[str] = ()
    ) -> None:
        """Write a new request with the codes of each of its pictures, and its addresses."""
        added = self._db.execute(
            "INSERT INTO opt_out (number, log_index, state, evidence, uses, pictures, withdraw_hash, recorded_at, "
            "reason) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING opt_out_id",
            (
                row.number,
                row.index,
                row.state,
                row.evidence,
                json.dumps(row.uses),
                row.pictures,
                row.withdraw_hash,
                utc_text(row.recorded_at),
                row.reason,
            ),
        ).fetchone()
        codes = [
            (added[0], picture_no, code.kind.name, code.kind.version, code.bits)
            for picture_no, picture in enumerate(pictures)
            for code in picture
        ]
        for code in codes:
            self._db.execute(_ADD_CODE, code)
        for address in addresses:
            self._db.execute("INSERT INTO opt_out_address (opt_out_id, address) VALUES (?, ?)", (added[0], address))

    def move(
        self, number: str, *, old: str, new: str, withdraw_at: datetime | None = None, reason: str | None = None
    ) -> bool:
        """Change a request's state. False: it was not in the state `old` any more, and nothing was changed."""
        return bool(
            self._rows(
                "UPDATE opt_out SET state = ?, withdraw_at = ?, reason = ? WHERE number = ? AND state = ? RETURNING 1",
                (new, utc_text(withdraw_at) if withdraw_at else None, reason, number, old),
            )
        )

    def enter(self, number: str, log_index: int) -> None:
        """Note which entry of the log a request got that had none yet."""
        self._db.execute("UPDATE opt_out SET log_index = ? WHERE number = ? AND log_index IS NULL", (log_index, number))

    def forget(self, number: str, log_index: int | None) -> None:
        """Delete the codes, addresses and uses of a request and what its entry said; the leaf and the state stay."""
        if log_index is not None:
            self.forget_entry(log_index)
        self._db.execute("UPDATE opt_out SET uses = '[]', pictures = 0 WHERE number = ?", (number,))
        for table in ("opt_out_code", "opt_out_address"):
            self._db.execute(
                f"DELETE FROM {table} "  # noqa: S608 - of constants
                "WHERE opt_out_id = (SELECT opt_out_id FROM opt_out WHERE number = ?)",
                (number,),
            )

    def forget_entry(self, log_index: int) -> None:
        """Delete what an entry of the log said, and its salt; the leaf stays."""
        self._db.execute("UPDATE log_entry SET entry = NULL, salt = NULL WHERE log_index = ?", (log_index,))

    def entries_that_say(self, entry: bytes, *, after: int) -> tuple[int, ...]:
        """Indexes of the entries with exactly these bytes that come after the one at `after`. Reads the log's rows."""
        rows = self._rows(
            "SELECT log_index FROM log_entry WHERE log_index > ? AND entry = ? ORDER BY log_index", (after, entry)
        )
        return tuple(index for (index,) in rows)

    def _rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return list(self._db.execute(sql, values).fetchall())


_ADD_CODE = "INSERT INTO opt_out_code (opt_out_id, picture_no, kind, version, bits) VALUES (?, ?, ?, ?, ?)"
_OPT_OUT = (
    "SELECT number, log_index, state, evidence, uses, pictures, withdraw_hash, recorded_at, withdraw_at, reason "
    "FROM opt_out"
)


def _opt_out_row(row: Sequence[Any]) -> OptOutRow:
    return OptOutRow(
        number=row[0],
        index=row[1],
        state=row[2],
        evidence=row[3],
        uses=tuple(json.loads(row[4])),
        pictures=row[5],
        withdraw_hash=bytes(row[6]),
        recorded_at=parse_utc(row[7]),
        withdraw_at=parse_utc(row[8]) if row[8] else None,
        reason=row[9],
    )
