"""Reading stored codes in bulk: for look-ups by id, and for an index that is built from all of them.

Every question is answered from an index of the database, and none passes over a whole table. Ids are given in any
order and any number: they travel as JSON, `_IDS_AT_ONCE` a statement, so that other threads get their turn between.
Such an answer is then no snapshot; a code that is erased meanwhile is missing, as it should be.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlite_utils import Database

from checker.model import CodeKind
from checker.records.codes import code_row
from checker.records.interfaces import CodeBlock, CodeRow, ErasedBlock

_IDS_AT_ONCE = 20_000
"""Some 20 ms a statement."""
_NO_END = 2**63 - 1
"""The largest id that SQLite can give."""


class CodeReader:
    """The part of `interfaces.Store` that reads codes."""

    def __init__(self, database: Database, lock: threading.RLock) -> None:
        self._db = database
        self._lock = lock

    # --- for look-ups ------------------------------------------------------------------------------------------

    def codes_after(self, code_id: int, *, kind: CodeKind, count: int) -> tuple[CodeRow, ...]:
        """Codes of every variant with a larger id, in commit order; see `interfaces.Store.codes_after`."""
        return tuple(map(code_row, self._rows(_CODES_AFTER, (kind.name, kind.version, code_id, count))))

    def codes_of(self, code_ids: Sequence[int]) -> Mapping[int, CodeRow]:
        """Codes by id; an erased picture's are missing."""
        if not code_ids:  # most look-ups find nothing
            return {}
        rows = self._rows(_CODES_BY_ID, (json.dumps(list(code_ids)),))
        return {row[0]: code_row(row) for row in rows}

    def codes_of_images(self, image_ids: Sequence[int], kind: CodeKind | None = None) -> tuple[CodeRow, ...]:
        """The codes of these pictures, in commit order; see `interfaces.Store.codes_of_images`."""
        if not image_ids:
            return ()
        name, version = (kind.name, kind.version) if kind else (None, None)
        return tuple(map(code_row, self._rows(_CODES_BY_IMAGE, (json.dumps(list(image_ids)), name, version))))

    # --- for an index ------------------------------------------------------------------------------------------

    def kinds(self) -> tuple[CodeKind, ...]:
        """The kinds of which a code is stored, oldest first."""
        return tuple(CodeKind(*row) for row in self._rows(_STORED_KINDS, ()))

    def code_block_after(self, code_id: int, *, kind: CodeKind, count: int) -> CodeBlock:
        """Ids and bits alone; see `interfaces.Store.code_block_after`."""
        return self.code_block_between(code_id, _NO_END, kind=kind, count=count)

    def code_block_between(self, after_id: int, upto_id: int, *, kind: CodeKind, count: int) -> CodeBlock:
        """The first `count` codes with after_id < id <= upto_id."""
        return _block(self._rows(_BLOCK, (kind.name, kind.version, after_id, upto_id, count)))

    def whole_code_block_after(self, code_id: int, *, kind: CodeKind, count: int) -> CodeBlock:
        """As `code_block_after`, but only codes of whole pictures."""
        return _block(self._rows(_WHOLE_BLOCK, (kind.name, kind.version, code_id, count)))

    def code_block_of(self, code_ids: Sequence[int], *, kind: CodeKind) -> CodeBlock:
        """These codes in the order of their ids; see `interfaces.Store.code_block_of`."""
        return _block(self._rows_of(_BLOCK_BY_ID, code_ids, kind.name, kind.version))

    def last_code_id(self, kind: CodeKind) -> int:
        """The largest id of a stored code; 0: none is stored."""
        return int(self._rows(_LAST, (kind.name, kind.version))[0][0])

    def codes_between_count(self, first_id: int, last_id: int, *, kind: CodeKind) -> int:
        """How many codes are stored with first_id <= id <= last_id."""
        return int(self._rows(_COUNT_BETWEEN, (kind.name, kind.version, first_id, last_id))[0][0])

    def image_ids_of(self, code_ids: Sequence[int]) -> Mapping[int, int]:
        """The picture of each code. Missing: erased."""
        return dict(self._rows_of(_IMAGES_BY_CODE, code_ids))

    def code_ids_of_images(self, image_ids: Sequence[int], *, kind: CodeKind) -> Mapping[int, tuple[int, ...]]:
        """The codes of each picture, lowest id first; see `interfaces.Store.code_ids_of_images`."""
        found: dict[int, list[int]] = {}
        for image_id, code_id in self._rows_of(_CODE_IDS_BY_IMAGE, image_ids, kind.name, kind.version):
            found.setdefault(image_id, []).append(code_id)
        return {image_id: tuple(sorted(code_ids)) for image_id, code_ids in found.items()}

    def withheld_images(self) -> tuple[int, ...]:
        """Pictures of which no sighting is shown; see `interfaces.Store.withheld_images`."""
        return tuple(image_id for (image_id,) in self._rows(_WITHHELD, ()))

    def erased_codes_after(self, mark: int, *, kind: CodeKind) -> ErasedBlock:
        """Codes that were erased since `mark`, oldest first; see `interfaces.Store.erased_codes_after`."""
        rows = self._rows(_ERASED_AFTER, (kind.name, kind.version, mark))
        return ErasedBlock(
            mark=rows[-1][0] if rows else mark,
            code_ids=[row[1] for row in rows],
            erased_at=[row[2] for row in rows],
        )

    # --- inside ------------------------------------------------------------------------------------------------

    def _rows(self, sql: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        with self._lock:
            return list(self._db.execute(sql, values).fetchall())

    def _rows_of(self, sql: str, ids: Sequence[int], *values: str) -> list[tuple[Any, ...]]:
        """The rows for many ids, lowest first. Ids may come from an array: json knows no numbers of numpy."""
        rows: list[tuple[Any, ...]] = []
        for some in _in_parts(sorted({int(one) for one in ids})):
            rows += self._rows(sql, (json.dumps(some), *values))
        return rows


def _in_parts(ids: list[int]) -> Iterator[list[int]]:
    for first in range(0, len(ids), _IDS_AT_ONCE):
        yield ids[first : first + _IDS_AT_ONCE]


def _block(rows: list[tuple[Any, ...]]) -> CodeBlock:
    return CodeBlock(code_ids=[row[0] for row in rows], bits=b"".join([row[1] for row in rows]))


_CODES_AFTER = """
SELECT code_id, image_id, bits, variant, crop FROM code
WHERE kind_id = (SELECT kind_id FROM code_kind WHERE name = ? AND version = ?) AND code_id > ? ORDER BY code_id LIMIT ?
"""

_CODES_BY_ID = """
SELECT code_id, image_id, bits, variant, crop FROM code WHERE code_id IN (SELECT value FROM json_each(?))
"""

_CODES_BY_IMAGE = """
SELECT code_id, image_id, bits, variant, crop FROM code WHERE image_id IN (SELECT value FROM json_each(?1))
AND (?2 IS NULL OR kind_id = (SELECT kind_id FROM code_kind WHERE name = ?2 AND version = ?3)) ORDER BY code_id
"""

_STORED_KINDS = """
SELECT name, version, bits FROM code_kind
WHERE EXISTS (SELECT 1 FROM code WHERE code.kind_id = code_kind.kind_id) ORDER BY kind_id
"""

_BLOCK = """
SELECT code_id, bits FROM code WHERE kind_id = (SELECT kind_id FROM code_kind WHERE name = ? AND version = ?)
AND code_id > ? AND code_id <= ? ORDER BY code_id LIMIT ?
"""

_WHOLE_BLOCK = """
SELECT code_id, bits FROM code WHERE kind_id = (SELECT kind_id FROM code_kind WHERE name = ? AND version = ?)
AND variant = 'whole' AND code_id > ? ORDER BY code_id LIMIT ?
"""

# The plus keeps the planner from looking each id up in the index by kind first: a quarter slower.
_BLOCK_BY_ID = """
SELECT code_id, bits FROM code WHERE code_id IN (SELECT value FROM json_each(?))
AND +kind_id = (SELECT kind_id FROM code_kind WHERE name = ? AND version = ?) ORDER BY code_id
"""

_LAST = """
SELECT COALESCE(MAX(code_id), 0) FROM code
WHERE kind_id = (SELECT kind_id FROM code_kind WHERE name = ? AND version = ?)
"""

_COUNT_BETWEEN = """
SELECT COUNT(*) FROM code
WHERE kind_id = (SELECT kind_id FROM code_kind WHERE name = ? AND version = ?) AND code_id BETWEEN ? AND ?
"""

_IMAGES_BY_CODE = "SELECT code_id, image_id FROM code WHERE code_id IN (SELECT value FROM json_each(?))"

_CODE_IDS_BY_IMAGE = """
SELECT image_id, code_id FROM code WHERE image_id IN (SELECT value FROM json_each(?))
AND kind_id = (SELECT kind_id FROM code_kind WHERE name = ? AND version = ?)
"""

# As `lookup` decides it for one picture: gone, or said later that it is not to be kept in an index.
_WITHHELD = """
SELECT image_id FROM sighting GROUP BY image_id HAVING SUM(gone_since IS NULL AND COALESCE(verdict_id, 0) NOT IN (
    SELECT verdict_id FROM verdict WHERE json_extract(document, '$.index') IN ('deny', 'conditional', 'unknown')
    OR json_extract(document, '$.all') IN ('deny', 'conditional', 'unknown')
)) = 0 ORDER BY image_id
"""

_ERASED_AFTER = """
SELECT erasure_id, code_id, unixepoch(erased_at) FROM erasure
WHERE kind_id = (SELECT kind_id FROM code_kind WHERE name = ? AND version = ?) AND erasure_id > ? ORDER BY erasure_id
"""
