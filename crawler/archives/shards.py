"""img2dataset's own tables: `00042.parquet` beside `00042.tar` or the folder `00042`.

Each of its rows is an address that was tried. Those with the status "success" are the pictures of the shard; the others
are no pictures, and no failures of ours. Source: github.com/rom1504/img2dataset, README, "Output format".
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from checker.datasets.columns import match_columns, text_of
from checker.datasets.tables import TABLE_ERRORS, open_table, read_rows

_ROWS_MAX = 200_000
"""Held in memory at once. img2dataset writes 10,000 a shard; of more the first ones are used."""


def told_by_shard(path: Path) -> Mapping[str, Mapping[str, object]]:
    """Its rows by key. Empty: there is no such file, or it cannot be read."""
    found: dict[str, Mapping[str, object]] = {}
    try:
        with open_table(path) as table:
            columns = match_columns(table.schema_arrow.names)
            if columns.key is None or not columns.of_img2dataset:
                return {}
            for _, row in read_rows(table, start=0, columns=columns):
                key = text_of(row.get(columns.key), characters_max=500)
                if key:
                    found[key] = row
                if len(found) >= _ROWS_MAX:
                    break
    except TABLE_ERRORS:
        return found
    return found
