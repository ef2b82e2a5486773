"""Parquet files: opened without trust in what they say of themselves, read a few rows at a time.

Only the columns that are used are read: files of LAION have millions of rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from checker.datasets.columns import Columns, Named, match_columns, picture_names
from checker.datasets.tar_members import read_document

_ROWS_AT_ONCE, _PICTURES_AT_ONCE = 1_024, 16
_CHUNK_BYTES_MAX = 2**30
"""Of one column in one row group, decoded: what Arrow may have to hold at once."""
TABLE_ERRORS = (pa.ArrowException, OSError, ValueError, KeyError, OverflowError)


def open_table(path: Path) -> pq.ParquetFile:
    """Open a Parquet file, to be closed by the caller. Raises TABLE_ERRORS."""
    # Without pre-buffering, or a whole row group lies in memory before its first row is seen.
    return pq.ParquetFile(path, pre_buffer=False, buffer_size=2**16)


def read_rows(
    table: pq.ParquetFile, *, start: int, columns: Columns, pictures: Sequence[str] = ()
) -> Iterator[tuple[int, dict[str, object]]]:
    """Number and values of every row from `start` on, also of the columns `pictures`. Row groups before it are not
    read."""
    asked = dict.fromkeys([*_wanted(columns), *pictures])
    names = table.schema_arrow.names
    wanted = [name for name in asked if name in names]
    twice = next((name for name in wanted if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"two of its columns are named {twice[:40]!r}")
    groups, row_no, end = [], 0, 0
    for group in range(table.num_row_groups):
        end += table.metadata.row_group(group).num_rows
        if end > start:
            groups.append(group)
        else:
            row_no = end
    rows_at_once = _PICTURES_AT_ONCE if columns.image or pictures else _ROWS_AT_ONCE
    batches = table.iter_batches(rows_at_once, row_groups=groups, columns=wanted, use_threads=False) if groups else ()
    for batch in batches:
        cells = {name: batch.column(name) for name in batch.schema.names}
        for number in range(batch.num_rows):
            if row_no >= start:
                yield row_no, {name: _value(column[number]) for name, column in cells.items()}
            row_no += 1


def _value(scalar: Any) -> object:
    """A cell as Python has it; one that Python cannot hold (a date in the year 10,000) counts as missing."""
    try:
        value: object = scalar.as_py()
    except (pa.ArrowException, ValueError, OverflowError):
        return None
    return value


def columns_of(table: pq.ParquetFile, named: Named) -> Columns:
    """As their names say, but a picture must be bytes: "image" may as well be an address."""
    schema = table.schema_arrow
    columns = match_columns(schema.names, named)
    candidates = [columns.image] if named.image else [match_columns([name]).image for name in schema.names]
    image = next((name for name in candidates if name and holds_bytes(_type_of(schema, name))), None)
    return replace(columns, image=image)


def pictures_of(table: pq.ParquetFile, named: Named) -> tuple[str, ...]:
    """Every column with pictures: one that was named is the only one, else all that are called so by their names or by
    Hugging Face's notes. A row may hold a picture and its edited copy, and both are of somebody."""
    schema = table.schema_arrow
    if named.image is not None:
        image = columns_of(table, named).image
        return () if image is None else (image,)
    called = {*picture_names(schema.names), *_noted_pictures(schema.metadata)}
    return tuple(name for name in dict.fromkeys(schema.names) if name in called and _holds_pictures(schema, name))


def _noted_pictures(metadata: Mapping[bytes, bytes] | None) -> Iterator[str]:
    """Columns that `datasets` wrote as pictures, one a row or a list of them; it says so in the file's metadata."""
    noted = read_document((metadata or {}).get(b"huggingface", b"")) or {}
    features: Any = noted
    for name in ("info", "features"):
        features = features.get(name) if isinstance(features, dict) else None
    for name, feature in features.items() if isinstance(features, dict) else ():
        if any(isinstance(one, dict) and one.get("_type") == "Image" for one in (feature, _of_list(feature))):
            yield name


def _of_list(feature: Any) -> object:
    """What a list is a list of, as `datasets` writes it now, and as its older versions did."""
    if isinstance(feature, dict):
        return feature.get("feature")
    return feature[0] if isinstance(feature, list) and feature else None


def _holds_pictures(schema: pa.Schema, name: str) -> bool:
    kind = _type_of(schema, name)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        kind = kind.value_type
    # Of paths alone `datasets` and pyarrow may write nulls where the bytes would be.
    paths = pa.types.is_struct(kind) and any(field.name == "bytes" and pa.types.is_null(field.type) for field in kind)
    return paths or holds_bytes(kind)


def _type_of(schema: pa.Schema, name: str) -> pa.DataType:
    return schema.field(schema.names.index(name)).type  # a name may stand there twice


def holds_bytes(kind: pa.DataType) -> bool:
    """Can a column of this type hold pictures: bytes, or a struct with `bytes`?"""
    if pa.types.is_dictionary(kind):
        return holds_bytes(kind.value_type)
    if pa.types.is_struct(kind):
        return any(field.name == "bytes" and holds_bytes(field.type) for field in kind)
    return bool(
        pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_binary_view(kind)
        or pa.types.is_fixed_size_binary(kind)
    )


def picture_cells(value: object) -> list[object]:
    """The pictures in a cell, which may hold a list of them. A cell that is empty has none."""
    cells = value if isinstance(value, list) else [value]
    return [cell for cell in cells if cell is not None and cell != {"bytes": None, "path": None}]


def picture_bytes(cell: object) -> bytes:
    """Hugging Face has a struct: bytes, or only the path that they once had. Empty: there is no picture."""
    if isinstance(cell, Mapping):
        cell = cell.get("bytes")
    return cell if isinstance(cell, bytes) else b""


def _wanted(columns: Columns) -> list[str]:
    return [name for name in (getattr(columns, field) for field in Columns.__slots__) if name]


def refuse_bomb(path: Path, table: pq.ParquetFile) -> None:
    """What the file says of itself must be possible. Addresses and pictures differ, so none takes less than a byte."""
    metadata = table.metadata
    if metadata.num_rows > max(path.stat().st_size, 1_000):
        raise ValueError(f"it claims {metadata.num_rows} rows in {path.stat().st_size} bytes")
    for group in range(metadata.num_row_groups):
        of_group = metadata.row_group(group)
        for column in range(of_group.num_columns):
            if of_group.column(column).total_uncompressed_size > _CHUNK_BYTES_MAX:
                raise ValueError(f"row group {group} holds more than {_CHUNK_BYTES_MAX} bytes in one column")


def is_shard_table(path: Path) -> bool:
    """Does this Parquet file only tell of pictures that lie beside it?"""
    if not any(path.with_suffix(suffix).exists() for suffix in (".tar", ".tar.gz", ".tgz", "")):
        return False
    try:
        with open_table(path) as table:
            columns = match_columns(table.schema_arrow.names)
    except TABLE_ERRORS:
        return False
    return columns.of_img2dataset and columns.image is None
