"""The table of a case as Parquet, for programs: texts as they are, numbers as numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from checker.evidence.rows import COLUMNS, case_rows

_TYPES = {str: pa.string(), int: pa.int64(), float: pa.float64()}


def write_parquet(document: dict[str, Any], path: Path) -> None:
    """Write the table; the same document gives the same bytes with the same version of the library."""
    rows = [{name: _text(value) for name, value in row.items()} for row in case_rows(document)]
    schema = pa.schema([(name, _TYPES[kind]) for name, kind in COLUMNS.items()])
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), path, compression="zstd")


def _text(value: Any) -> Any:
    """Without halves of surrogate pairs, which names of files may have and UTF-8 has not."""
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value
