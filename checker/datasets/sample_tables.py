"""Parquet: its rows with pictures or addresses, and a Parquet of some of them: same columns, types and metadata."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from checker.datasets.columns import KEY_CHARACTERS_MAX, Columns, address_text, match_columns, sha256_of, text_of
from checker.datasets.parts import Part
from checker.datasets.samples import SAMPLE_BYTES_MAX, SAMPLE_PICTURES_MAX, Found, Sample, rest_of
from checker.datasets.tables import (
    TABLE_ERRORS,
    columns_of,
    open_table,
    picture_bytes,
    picture_cells,
    pictures_of,
    read_rows,
    refuse_bomb,
)
from checker.model import Unreadable, UnreadableReason
from checker.settings import Settings

_GROUP_BYTES = 64 * 2**20
"""Of rows that are kept, gathered before they are written. A larger row group is cut."""
_ROWS_AT_ONCE = 64
"""Rows may hold pictures."""
_STATS_BYTES_MAX = 2**20


def read_table(part: Part, settings: Settings) -> Iterator[Sample]:
    """The rows of a Parquet file; see `samples`."""
    row_no = -1
    try:
        with open_table(part.path) as table:
            columns = columns_of(table, part.named)
            pictures = pictures_of(table, part.named)
            refuse_bomb(part.path, table)
            if not pictures and columns.url is None:
                names = ", ".join(name[:40] for name in table.schema_arrow.names[:12])
                detail = (
                    f"none of its columns holds pictures, addresses or codes ({names}); name one with --image-column"
                )
                yield from (Sample(row, part.path, trouble=detail) for row in range(table.metadata.num_rows))
                return
            columns = replace(columns, image=None)
            for row_no, row in read_rows(table, start=0, columns=columns, pictures=pictures):
                yield _sample(part, row_no, row, columns, pictures, settings)
    except TABLE_ERRORS as error:
        yield rest_of(part, row_no + 1, error)


def _sample(
    part: Part,
    row_no: int,
    row: Mapping[str, object],
    columns: Columns,
    pictures: Sequence[str],
    settings: Settings,
) -> Sample:
    cells = [(name, cell) for name in pictures for cell in picture_cells(row.get(name))]
    key = text_of(row.get(columns.key or ""), characters_max=KEY_CHARACTERS_MAX)
    if len(cells) > SAMPLE_PICTURES_MAX or sum(len(picture_bytes(cell)) for _, cell in cells) > SAMPLE_BYTES_MAX:
        detail = f"the row has more than {SAMPLE_PICTURES_MAX} pictures or {SAMPLE_BYTES_MAX} bytes of them"
        return Sample(row_no, part.path, key=key, trouble=f"{detail}; cut it into several")
    # A row of which no picture is there may still tell its address or digest; one of several that is not, is missed.
    some = any(picture_bytes(cell) for _, cell in cells)
    found = tuple(Found(name, *_body(cell, name, settings)) for name, cell in cells) if some else ()
    return Sample(
        row_no,
        part.path,
        key=key,
        url=address_text(row, columns),
        sha256=sha256_of(row.get(columns.sha256 or "")) if not found else None,
        found=found,
    )


def _body(cell: object, column: str, settings: Settings) -> tuple[bytes | Unreadable, bool]:
    """A picture, and whether there is anything at all."""
    body = picture_bytes(cell)
    if not body:
        return Unreadable(UnreadableReason.EMPTY, f"the row has no picture in the column {column}"), False
    if len(body) > settings.picture_bytes_max:
        detail = "it is larger than a picture may be (HIBS_PICTURE_BYTES_MAX)"
        return Unreadable(UnreadableReason.TOO_LARGE, detail), True
    return body, True


def copy_table(path: Path, target: IO[bytes], mask: Callable[[int, pa.RecordBatch], npt.NDArray[np.bool_]]) -> int:
    """Write the rows that are kept, row group by row group; returns how many.

    Args:
        mask: which rows of a batch are kept, given the number of its first row.
    Raises:
        TABLE_ERRORS: the file cannot be read or written. One that cannot be opened has no rows to keep.
    """
    kept = 0
    with (
        open_table(path) as table,
        pq.ParquetWriter(target, table.schema_arrow, compression=_compression(table)) as writer,
    ):
        start = 0
        for group in range(table.num_row_groups):
            held: list[pa.RecordBatch] = []
            for batch in table.iter_batches(_ROWS_AT_ONCE, row_groups=[group], use_threads=False):
                chosen = batch.filter(pa.array(mask(start, batch)))
                start += batch.num_rows
                kept += chosen.num_rows
                held.append(chosen)
                if sum(one.nbytes for one in held) >= _GROUP_BYTES:
                    held = _write(writer, held)
            _write(writer, held)
    return kept


def _write(writer: pq.ParquetWriter, held: list[pa.RecordBatch]) -> list[pa.RecordBatch]:
    rows = pa.Table.from_batches(held) if held else None
    if rows is not None and rows.num_rows:
        writer.write_table(rows, row_group_size=rows.num_rows)
    return []


def _compression(table: pq.ParquetFile) -> dict[str, str] | str:
    if not table.num_row_groups:
        return "snappy"
    group = table.metadata.row_group(0)
    chunks = (group.column(number) for number in range(group.num_columns))
    known = {chunk.path_in_schema: chunk.compression for chunk in chunks}
    return {path: "NONE" if name == "UNCOMPRESSED" else name for path, name in known.items()}


def copy_shard_table(path: Path, target: IO[bytes], keys: set[str]) -> int:
    """Write the rows of img2dataset's table whose pictures are kept; returns how many there are."""
    with open_table(path) as table:
        key = match_columns(table.schema_arrow.names).key

    def mask(_: int, batch: pa.RecordBatch) -> npt.NDArray[np.bool_]:
        cells = batch.column(key).to_pylist() if key else [None] * batch.num_rows
        texts = (text_of(cell, characters_max=KEY_CHARACTERS_MAX) for cell in cells)
        return np.array([text in keys for text in texts], dtype=np.bool_)

    return copy_table(path, target, mask)


def stats_of(path: Path, kept: int) -> bytes:
    """img2dataset's counts of a shard, of which `kept` pictures are left; its other members stay."""
    with path.open("rb") as file:
        body = file.read(_STATS_BYTES_MAX + 1)
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = None
    if len(body) > _STATS_BYTES_MAX or not isinstance(document, dict):
        document = {}
    counts = {"count": kept, "successes": kept, "failed_to_download": 0, "failed_to_resize": 0}
    document |= {name: number for name, number in counts.items() if name in document or name == "count"}
    if "status_dict" in document:
        document["status_dict"] = {"success": kept}
    return json.dumps(document, indent=4).encode()
