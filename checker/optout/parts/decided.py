"""Decisions about rows, in columns: what reports, decision files and copies are made of.

Of several pictures in one row the strictest decision counts: drop, then not-checked, then review. An address entry
drops a row whatever its picture is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from checker.datasets.code_batches import CodeBatch, joined
from checker.datasets.code_parts import NO_PICTURE
from checker.datasets.coding import CodedPicture, CodedSample
from checker.model import PHASH256, ROBUST_BITS, ROBUST_NAME, CodeKind, Fingerprint, Picture, Unreadable
from checker.optout.honour import ACTIONS, REASONS, STRICTEST, Action, Decision, OptOutTable, Reason

SCHEMA = pa.schema(
    [
        ("path", pa.string()),
        ("row", pa.int64()),
        ("key", pa.string()),
        ("url", pa.string()),
        ("detail", pa.string()),
        ("hibs_decision", pa.string()),
        ("hibs_reason", pa.string()),
        ("hibs_entry", pa.int64()),
        ("hibs_code", pa.string()),
        ("hibs_distance_bits", pa.int32()),
        ("hibs_feed_size", pa.int64()),
    ]
)
_RANK = {action: rank for rank, action in enumerate(STRICTEST)}
_RANK_OF_ACTION = np.array([_RANK[action] for action in ACTIONS], dtype=np.uint8)
_HELD_MAX = 65_536
"""Pictures of one row. No reader gives so many."""
_NO_CODE = "there is no code in this row that a picture can have"


@dataclass(frozen=True, slots=True)
class DecidedRow:
    """One row and what was decided about it."""

    path: str
    row: int | None
    key: str | None
    url: str | None
    detail: str | None
    decision: Decision

    def to_dict(self) -> dict[str, str | int | None]:
        """As the columns of `SCHEMA`."""
        place = {"path": self.path, "row": self.row, "key": self.key, "url": self.url, "detail": self.detail}
        return {**place, **self.decision.to_dict()}


def decide_samples(table: OptOutTable, samples: Sequence[CodedSample], *, in_folder: bool) -> list[DecidedRow]:
    """Decide about rows. Their codes meet the entries together: that takes a fraction of one by one."""
    found = [_Asked(picture, None) for coded in samples for picture in coded.pictures]
    asked = [number for number, one in enumerate(found) if _code_of(one.coded) is not None]
    codes = b"".join(_code_of(found[number].coded) or b"" for number in asked)
    decisions = table.decide_codes_many(np.frombuffer(codes, dtype=np.uint64).reshape(-1, PHASH256.bits // 64))
    for number, decision in zip(asked, decisions, strict=True):
        found[number] = _Asked(found[number].coded, decision)
    left = iter(found)
    return [_decided_row(table, coded, [next(left) for _ in coded.pictures], in_folder) for coded in samples]


@dataclass(frozen=True, slots=True)
class _Asked:
    """A picture, and what its phash256 code alone came to. None: it has none, or several."""

    coded: CodedPicture
    decision: Decision | None


def _code_of(coded: CodedPicture) -> bytes | None:
    picture = coded.picture
    if isinstance(picture, Unreadable) or picture.plain:
        return None
    codes = [code.bits for code in picture.fingerprints if code.kind == PHASH256]
    return codes[0] if len(codes) == 1 else None


def _decided_row(table: OptOutTable, coded: CodedSample, asked: Sequence[_Asked], in_folder: bool) -> DecidedRow:
    sample = coded.sample
    decision, detail = _decision(table, coded, asked)
    return DecidedRow(
        path=_text(str(sample.path)) or "",
        row=None if in_folder else sample.row,
        key=_text(sample.key),
        url=_text(sample.url),
        detail=detail if decision.action is Action.NOT_CHECKED else None,
        decision=decision,
    )


def _decision(table: OptOutTable, coded: CodedSample, asked: Sequence[_Asked]) -> tuple[Decision, str | None]:
    by_address = table.decide_address(coded.sample.url) if coded.sample.url else None
    if by_address is not None and by_address.action is Action.DROP:
        return by_address, None
    decision, detail = _by_picture(table, coded, asked)
    if by_address is not None and _RANK[by_address.action] <= _RANK[decision.action]:
        return by_address, None
    return decision, detail


def _by_picture(table: OptOutTable, coded: CodedSample, asked: Sequence[_Asked]) -> tuple[Decision, str | None]:
    if coded.sample.trouble is not None:
        return Decision(Action.NOT_CHECKED, Reason.UNREADABLE, table.feed_size), coded.sample.trouble
    if not asked:
        return Decision(Action.NOT_CHECKED, Reason.NO_PICTURE, table.feed_size), NO_PICTURE
    decided = [(_of_picture(table, one), one.coded) for one in asked]
    decision, picture = min(decided, key=lambda pair: _RANK[pair[0].action])
    return decision, picture.picture.detail if isinstance(picture.picture, Unreadable) else None


def _of_picture(table: OptOutTable, asked: _Asked) -> Decision:
    coded, decision = asked.coded, asked.decision
    if decision is None or decision.action is Action.DROP:  # few: another code of it may say that it is not the one
        decision = table.decide_picture(coded.picture, named_as_picture=coded.named_as_picture)
    if decision.action is Action.DROP and coded.with_every_code is not None:
        # Few are dropped, so the costly second code is made only now: it may say that this is another picture.
        again = coded.with_every_code()
        return table.decide_picture(again) if isinstance(again, Picture) else decision
    return decision


def batch_of(rows: Sequence[DecidedRow]) -> pa.RecordBatch:
    """Rows in columns."""
    return pa.RecordBatch.from_pylist([row.to_dict() for row in rows], SCHEMA)


def rows_of(batch: pa.RecordBatch, *, kept: bool) -> list[dict[str, Any]]:
    """Rows of a batch, all of them or those that are not kept."""
    chosen = batch if kept else batch.filter(pc.not_equal(batch.column("hibs_decision"), Action.KEEP.value))
    return list(chosen.to_pylist())


def decide_codes(
    table: OptOutTable, batches: Iterable[CodeBatch], *, path: str, folder: str | None = None
) -> Iterator[tuple[npt.NDArray[np.int64], pa.RecordBatch]]:
    """Decide about rows whose codes were made before; gives their numbers, rising, and the decisions.

    Args:
        path: of the part, as a person finds it.
        folder: the same, where the rows are files in a folder; their own names follow it.
    """
    for batch in _whole_rows(batches):
        yield _decided(table, batch, path, folder)


def _whole_rows(batches: Iterable[CodeBatch]) -> Iterator[CodeBatch]:
    """Batches cut so that the pictures of one row stay together."""
    held: CodeBatch | None = None
    for batch in batches:
        whole = batch if held is None else joined(held, batch)
        if not len(whole.rows):
            continue
        others = np.flatnonzero(whole.rows != whole.rows[-1])
        cut = int(others[-1]) + 1 if len(others) else 0
        if not cut and len(whole.rows) > _HELD_MAX:
            cut = len(whole.rows)
        if cut:
            yield whole.slice(0, cut)
        held = whole.slice(cut, len(whole.rows))
    if held is not None and len(held.rows):
        yield held


@dataclass(frozen=True, slots=True)
class _Columns:
    """Decisions about pictures."""

    rank: npt.NDArray[np.uint8]
    """In STRICTEST."""
    reason: npt.NDArray[np.uint8]
    """In REASONS."""
    entry: npt.NDArray[np.int64]
    """-1: none."""
    distance_bits: npt.NDArray[np.int32]
    """-1: none."""

    def take(self, numbers: npt.NDArray[np.int64]) -> _Columns:
        """Some of them."""
        return _Columns(self.rank[numbers], self.reason[numbers], self.entry[numbers], self.distance_bits[numbers])


def _decided(
    table: OptOutTable, batch: CodeBatch, path: str, folder: str | None
) -> tuple[npt.NDArray[np.int64], pa.RecordBatch]:
    columns = _of_pictures(table, batch)
    _by_address(table, batch.urls, columns)
    # Of the pictures of one row the strictest; they stay in the order of the rows.
    order = np.lexsort((np.arange(len(batch.rows)), columns.rank, batch.rows))
    first = np.ones(len(order), dtype=np.bool_)
    first[1:] = batch.rows[order][1:] != batch.rows[order][:-1]
    numbers = order[first]
    columns = columns.take(numbers)
    chosen = pa.array(numbers)
    rows = batch.rows[numbers]
    return rows, _batch(
        columns,
        table.feed_size,
        path=_paths(batch, chosen, path, folder),
        row=pa.nulls(len(numbers), pa.int64()) if folder is not None else pa.array(rows),
        key=batch.keys.take(chosen),
        url=batch.urls.take(chosen),
        detail=_details(batch.details.take(chosen), columns),
    )


def _of_pictures(table: OptOutTable, batch: CodeBatch) -> _Columns:
    length = len(batch.rows)
    columns = _Columns(
        np.full(length, _RANK[Action.NOT_CHECKED], np.uint8),
        np.full(length, REASONS.index(Reason.UNREADABLE), np.uint8),
        np.full(length, -1, np.int64),
        np.full(length, -1, np.int32),
    )
    columns.reason[batch.no_picture] = REASONS.index(Reason.NO_PICTURE)
    columns.rank[batch.plain] = _RANK[Action.REVIEW]
    columns.reason[batch.plain] = REASONS.index(Reason.PLAIN)
    with_code = np.flatnonzero(batch.has_code)
    if len(with_code):
        _by_code(table, batch, with_code, columns)
    return columns


def _by_code(table: OptOutTable, batch: CodeBatch, rows: npt.NDArray[np.int64], columns: _Columns) -> None:
    found = table.decide_codes_many(np.ascontiguousarray(batch.codes[rows]))
    columns.rank[rows] = _RANK_OF_ACTION[found.actions]
    columns.reason[rows] = found.reasons
    columns.entry[rows] = found.entries
    columns.distance_bits[rows] = found.distances
    if batch.robust is None or batch.robust_versions is None:
        return
    for row in rows[columns.rank[rows] == _RANK[Action.DROP]].tolist():  # few: a second code may say that it is another
        bits, version = batch.robust[row].as_py(), batch.robust_versions[row].as_py()
        if bits and version:
            codes = [Fingerprint(PHASH256, batch.codes[row].tobytes())]
            codes.append(Fingerprint(CodeKind(ROBUST_NAME, version, ROBUST_BITS), bits))
            _set(columns, row, table.decide_codes(codes))


def _set(columns: _Columns, row: int, decision: Decision) -> None:
    columns.rank[row], columns.reason[row] = _RANK[decision.action], REASONS.index(decision.reason)
    columns.entry[row] = -1 if decision.entry is None else decision.entry
    columns.distance_bits[row] = -1 if decision.distance_bits is None else decision.distance_bits


def _by_address(table: OptOutTable, urls: pa.Array, columns: _Columns) -> None:
    if not table.addresses or urls.null_count == len(urls):
        return
    for row, url in enumerate(urls.to_pylist()):
        decision = table.decide_address(url) if url else None
        if decision is not None and _RANK[decision.action] <= columns.rank[row]:
            _set(columns, row, decision)


def _paths(batch: CodeBatch, chosen: pa.Array, path: str, folder: str | None) -> pa.Array:
    if folder is None or batch.files is None:
        return pa.array([path] * len(chosen), pa.string())
    names = batch.files.take(chosen).fill_null("")
    return pc.binary_join_element_wise(pa.scalar(folder), names, "/")


def _details(details: pa.Array, columns: _Columns) -> pa.Array:
    not_checked = pa.array(columns.rank == _RANK[Action.NOT_CHECKED])
    return pc.if_else(not_checked, details.fill_null(_NO_CODE), pa.scalar(None, pa.string()))


def _batch(columns: _Columns, feed_size: int, **place: pa.Array) -> pa.RecordBatch:
    length = len(columns.rank)
    near = columns.distance_bits >= 0
    names = pa.array([PHASH256.name], pa.string())
    codes = pa.DictionaryArray.from_arrays(pa.array(np.zeros(length, np.int8), mask=~near), names)
    arrays = {
        **place,
        "hibs_decision": _named(columns.rank, [action.value for action in STRICTEST]),
        "hibs_reason": _named(columns.reason, [reason.value for reason in REASONS]),
        "hibs_entry": pa.array(columns.entry, mask=columns.entry < 0),
        "hibs_code": codes.cast(pa.string()),
        "hibs_distance_bits": pa.array(columns.distance_bits, mask=~near),
        "hibs_feed_size": pa.array(np.full(length, feed_size, np.int64)),
    }
    return pa.RecordBatch.from_arrays([arrays[name] for name in SCHEMA.names], schema=SCHEMA)


def _named(numbers: npt.NDArray[np.uint8], names: list[str]) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(numbers.astype(np.int8)), pa.array(names)).cast(pa.string())


def _text(text: str | None) -> str | None:
    """Names of files may hold bytes that are no UTF-8."""
    return None if text is None else text.encode("utf-8", "replace").decode()
