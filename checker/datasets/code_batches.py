"""Codes in columns: those of `hibs fingerprint --out`, and of any Parquet file that has a column of them.

A code is believed only where a picture can have it; one of another version counts as none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from checker.datasets.tables import TABLE_ERRORS, open_table, refuse_bomb
from checker.fingerprint.hashes import POPCOUNT
from checker.model import PHASH256

ROWS_AT_ONCE = 262_144
"""Of which a batch is decided: the more rows meet the entries together, the less each costs (benchmarks/honour.py)."""


@dataclass(frozen=True, slots=True)
class CodeBatch:
    """Codes of some rows, in columns."""

    rows: npt.NDArray[np.int64]
    """Of the part; pictures of one row follow one another."""
    files: pa.Array | None
    keys: pa.Array
    urls: pa.Array
    sha256s: pa.Array
    codes: npt.NDArray[np.uint64]
    """(n, 4); zeros where there is none."""
    has_code: npt.NDArray[np.bool_]
    plain: npt.NDArray[np.bool_]
    no_picture: npt.NDArray[np.bool_]
    details: pa.Array
    robust: pa.Array | None = None
    robust_versions: pa.Array | None = None

    def slice(self, start: int, stop: int) -> CodeBatch:
        """Some of them."""
        length = stop - start

        def cut(array: pa.Array | None) -> pa.Array | None:
            return None if array is None else array.slice(start, length)

        return CodeBatch(
            self.rows[start:stop],
            cut(self.files),
            self.keys.slice(start, length),
            self.urls.slice(start, length),
            self.sha256s.slice(start, length),
            self.codes[start:stop],
            self.has_code[start:stop],
            self.plain[start:stop],
            self.no_picture[start:stop],
            self.details.slice(start, length),
            cut(self.robust),
            cut(self.robust_versions),
        )


def joined(first: CodeBatch, second: CodeBatch) -> CodeBatch:
    """One after the other."""

    def both(one: pa.Array | None, other: pa.Array | None) -> pa.Array | None:
        return None if one is None or other is None else pa.concat_arrays([one, other])

    return CodeBatch(
        np.concatenate([first.rows, second.rows]),
        both(first.files, second.files),
        pa.concat_arrays([first.keys, second.keys]),
        pa.concat_arrays([first.urls, second.urls]),
        pa.concat_arrays([first.sha256s, second.sha256s]),
        np.concatenate([first.codes, second.codes]),
        np.concatenate([first.has_code, second.has_code]),
        np.concatenate([first.plain, second.plain]),
        np.concatenate([first.no_picture, second.no_picture]),
        pa.concat_arrays([first.details, second.details]),
        both(first.robust, second.robust),
        both(first.robust_versions, second.robust_versions),
    )


def is_table_of_codes(path: Path) -> bool:
    """Has this Parquet file a column of codes?"""
    try:
        with open_table(path) as table:
            return _spelled(table.schema_arrow.names).get("phash256") is not None
    except TABLE_ERRORS:
        return False


def read_codes(path: Path, *, own_rows: bool = False) -> Iterator[CodeBatch]:
    """The codes of a Parquet file, a batch at a time.

    Args:
        own_rows: count the rows of this file; else the numbers in its column `row` are those of the part.
    Raises:
        TABLE_ERRORS: it cannot be read (any further).
    """
    with open_table(path) as table:
        refuse_bomb(path, table)
        names = _spelled(table.schema_arrow.names)
        wanted = [names[name] for name in _WANTED if name in names]
        start = 0
        for batch in table.iter_batches(ROWS_AT_ONCE, columns=wanted, use_threads=False):
            columns = {name: batch.column(names[name]) for name in _WANTED if name in names}
            yield _batch(columns, start, batch.num_rows, own_rows=own_rows)
            start += batch.num_rows


_WANTED = (
    *("file", "row", "key", "url", "sha256", "phash256", "phash256_version"),
    *("sscd512", "sscd512_version", "plain", "status", "reason"),
)


def _spelled(names: list[str]) -> dict[str, str]:
    """Columns by their lower-case names; of several the first."""
    found: dict[str, str] = {}
    for name in names:
        found.setdefault(name.strip().lower(), name)
    return found


def _batch(columns: Mapping[str, Any], start: int, length: int, *, own_rows: bool) -> CodeBatch:
    strings = {name: _texts(columns.get(name), length) for name in ("key", "url", "status", "reason", "file")}
    codes, has_code = _words(columns["phash256"], length, code_bytes=32)
    versions = columns.get("phash256_version")
    if versions is not None:
        has_code &= np.array([version in (PHASH256.version, None) for version in versions.to_pylist()], dtype=np.bool_)
    status = strings["status"]
    statuses = np.array(status.to_pylist(), dtype=object) if status.null_count < length else np.full(length, None)
    plain = np.zeros(length, dtype=np.bool_)
    if "plain" in columns and pa.types.is_boolean(columns["plain"].type):
        plain = np.array([value is True for value in columns["plain"].to_pylist()], dtype=np.bool_)
    robust = "sscd512_version" in columns and "sscd512" in columns and columns["sscd512"].type == pa.binary(64)
    rows = np.arange(start, start + length)
    if not own_rows and "row" in columns:
        rows = columns["row"].cast(pa.int64()).to_numpy(zero_copy_only=False).astype(np.int64)
    return CodeBatch(
        rows=rows,
        files=strings["file"] if "file" in columns else None,
        keys=strings["key"],
        urls=strings["url"],
        sha256s=columns.get("sha256", pa.nulls(length, pa.binary(32))),
        codes=codes,
        has_code=has_code & ~plain,
        plain=plain,
        no_picture=(statuses == "no-picture") & ~has_code,
        details=strings["reason"],
        robust=columns["sscd512"] if robust else None,
        robust_versions=_texts(columns["sscd512_version"], length) if robust else None,
    )


def _texts(column: Any, length: int) -> pa.Array:
    """As text; what is none counts as missing."""
    if column is None:
        return pa.nulls(length, pa.string())
    if pa.types.is_string(column.type):
        return column
    if pa.types.is_integer(column.type) or pa.types.is_large_string(column.type):
        return column.cast(pa.string())
    return pa.array([value if isinstance(value, str) else None for value in column.to_pylist()], pa.string())


def _words(column: Any, length: int, *, code_bytes: int) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.bool_]]:
    """Codes as words, and where there is one that a picture can have."""
    fixed = pa.binary(code_bytes)
    if column.type != fixed:
        column = pa.array([code_bytes_of(value, code_bytes) for value in column.to_pylist()], fixed)
    has_code = ~column.is_null().to_numpy(zero_copy_only=False)
    filled = column.fill_null(bytes(code_bytes)) if column.null_count else column
    buffer = filled.buffers()[1]
    raw = np.frombuffer(buffer, dtype=np.uint8, count=length * code_bytes, offset=filled.offset * code_bytes)
    words = (
        raw.view(np.uint64).reshape(length, code_bytes // 8) if length else np.zeros((0, code_bytes // 8), np.uint64)
    )
    has_code &= np.bitwise_count(words).sum(axis=1) == POPCOUNT
    return words, has_code


def code_bytes_of(value: object, code_bytes: int) -> bytes | None:
    """A code or a digest from its bytes or its hex digits. None: it is none."""
    if isinstance(value, str) and len(value) == 2 * code_bytes:
        try:
            value = bytes.fromhex(value)
        except ValueError:
            return None
    return value if isinstance(value, bytes) and len(value) == code_bytes else None
