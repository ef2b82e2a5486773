"""One part, decided and copied. A function of the part, the table and what was coded before: nothing else is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from checker.datasets.code_batches import CodeBatch, is_table_of_codes, read_codes
from checker.datasets.codes import CodesFolder
from checker.datasets.coding import CodedPicture, CodedSample, Coder
from checker.datasets.columns import Columns, downloaded, match_columns
from checker.datasets.parts import Part, PartKind, stamp_of
from checker.datasets.reading import FolderDigest, read_part, size_and_digest
from checker.datasets.samples import rest_of
from checker.datasets.tables import TABLE_ERRORS, open_table, pictures_of, read_rows
from checker.errors import InputError
from checker.model import Unreadable
from checker.optout.honour import Action, OptOutTable
from checker.optout.parts.copies import Copied, copy_part
from checker.optout.parts.decided import batch_of, decide_codes, decide_samples
from checker.optout.parts.tally import Tally

_ROWS_AT_ONCE, _BYTES_AT_ONCE = 1_024, 32 * 2**20
"""Rows that are decided together. Their pictures may lie in memory until then, for a second code of those dropped."""
Each = Callable[[pa.RecordBatch], None]
"""Is given every decided row, in order (`decided.SCHEMA`)."""


@dataclass(frozen=True, slots=True)
class HonouredPart:
    """What became of one part."""

    kind: PartKind
    path: str
    bytes: int
    sha256: str
    tally: Tally
    not_downloaded: int = 0
    """Rows of img2dataset's table without a picture."""
    copied: Copied | None = None
    """None: nothing was to be copied."""

    def to_dict(self) -> dict[str, Any]:
        """The input's line of a report; see docs/honour.md."""
        copied = self.copied
        return {
            "path": self.path,
            "kind": self.kind.value,
            "bytes": self.bytes,
            "sha256": self.sha256,
            **self.tally.counts(),
            "not_downloaded": self.not_downloaded,
            "decoded": self.tally.decoded,
            "output": None if copied is None else copied.to_dict(),
        }


def honour_part(
    part: Part,
    table: OptOutTable,
    coder: Coder,
    *,
    each: Each,
    codes: CodesFolder | None = None,
    copy_to: Path | None = None,
) -> HonouredPart:
    """Decide about every row of a part, and write what is kept.

    Args:
        coder: makes the codes of pictures, or knows them by their digest.
        each: is given the decisions.
        codes: made before; those of just this part are taken without a look at its pictures.
        copy_to: the folder that gets the part under its name. None: nothing is written.
    Raises:
        InputError: the part cannot be read or changed meanwhile, or the copy cannot be written.
    """
    stamp = stamp_of(part)
    run = _Run(part, table, coder, each)
    ready = codes.of_part(part, stamp) if codes is not None else None
    if ready is not None:
        file, about = ready
        run.by_place(file)
        size, sha256 = about.part_bytes, about.sha256
    elif part.kind is PartKind.TABLE and _is_of_codes(part):
        run.by_column()
        size, sha256 = size_and_digest(part)
    else:
        run.by_picture()
        size, sha256 = (run.folder.bytes, run.folder.hex()) if part.kind is PartKind.FOLDER else size_and_digest(part)
    copied = copy_part(part, copy_to, run.keeps, rows=run.tally.actions[Action.KEEP.value]) if copy_to else None
    if stamp_of(part) != stamp:
        raise InputError(f"{part.path} changed while it was read; run the command again")
    return HonouredPart(part.kind, str(part.path), size, sha256, run.tally, _not_downloaded(part), copied)


class _Run:
    """The first reading of a part: every row decided, counted and handed on."""

    def __init__(self, part: Part, table: OptOutTable, coder: Coder, each: Each) -> None:
        self._part = part
        self._table = table
        self._coder = coder
        self._each = each
        self._kept = bytearray()
        self.tally = Tally()
        self.folder = FolderDigest()

    def keeps(self, row: int) -> bool:
        """Is this row kept?"""
        return row < len(self._kept) and bool(self._kept[row])

    def by_place(self, file: Path) -> None:
        """From codes of just this part."""
        in_folder = self._part.kind is PartKind.FOLDER
        try:
            self._from_codes(read_codes(file), in_folder=in_folder)
        except TABLE_ERRORS as error:
            raise InputError(f"cannot read the codes in {file} ({error}); delete it and make it anew") from error

    def by_column(self) -> None:
        """From the codes that a table itself holds."""
        try:
            self._from_codes(read_codes(self._part.path, own_rows=True), in_folder=False)
        except TABLE_ERRORS as error:
            self._give_samples([_rest(self._part, len(self._kept), error)])

    def _from_codes(self, batches: Iterator[CodeBatch], *, in_folder: bool) -> None:
        folder = str(self._part.path) if in_folder else None
        for rows, decided in decide_codes(self._table, self._counted(batches), path=_text(self._part), folder=folder):
            kept = pc.equal(decided.column("hibs_decision"), Action.KEEP.value).to_numpy(zero_copy_only=False)
            self._kept.extend(bytes(max(int(rows[-1]) + 1 - len(self._kept), 0)))
            np.frombuffer(self._kept, dtype=np.uint8)[rows[kept]] = 1
            self._give(decided)

    def _counted(self, batches: Iterator[CodeBatch]) -> Iterator[CodeBatch]:
        for batch in batches:
            self.tally.known["place"] += int(batch.has_code.sum() + batch.plain.sum())
            yield batch

    def by_picture(self) -> None:
        """From the pictures themselves."""
        held: list[CodedSample] = []
        held_bytes = 0
        for coded in self._coder.code(read_part(self._part, self._coder.settings)):
            self._count(coded)
            held.append(coded)
            held_bytes += sum(_byte_size(picture) for picture in coded.pictures)
            if len(held) >= _ROWS_AT_ONCE or held_bytes >= _BYTES_AT_ONCE:
                self._give_samples(held)
                held, held_bytes = [], 0
        self._give_samples(held)

    def _count(self, coded: CodedSample) -> None:
        for picture in coded.pictures:
            self.tally.decoded += picture.how == "decoded"
            if picture.how in ("sha256", "url"):
                self.tally.known[picture.how] += 1
        if self._part.kind is PartKind.FOLDER:
            digest = coded.pictures[0].sha256 if coded.pictures else None
            self.folder.add(coded.sample.path.relative_to(self._part.path).as_posix(), digest)

    def _give_samples(self, samples: list[CodedSample]) -> None:
        rows = decide_samples(self._table, samples, in_folder=self._part.kind is PartKind.FOLDER)
        self._kept.extend(row.decision.action is Action.KEEP for row in rows)
        if rows:
            self._give(batch_of(rows))

    def _give(self, batch: pa.RecordBatch) -> None:
        self.tally.add(batch)
        self._each(batch)


def _byte_size(coded: CodedPicture) -> int:
    return 0 if isinstance(coded.picture, Unreadable) else coded.picture.byte_size


def _rest(part: Part, row: int, error: BaseException) -> CodedSample:
    return CodedSample(rest_of(part, row, error), ())


def _text(part: Part) -> str:
    return str(part.path).encode("utf-8", "replace").decode()


def _is_of_codes(part: Part) -> bool:
    """Has a table codes and no pictures? Where it has both, the pictures are looked at."""
    if not is_table_of_codes(part.path):
        return False
    try:
        with open_table(part.path) as table:
            return not pictures_of(table, part.named)
    except TABLE_ERRORS:
        return False


def _not_downloaded(part: Part) -> int:
    if part.table is None:
        return 0
    missing = 0
    try:
        with open_table(part.table) as table:
            columns = match_columns(table.schema_arrow.names)
            for _, row in read_rows(table, start=0, columns=Columns(status=columns.status, error=columns.error)):
                missing += not downloaded(row, columns)
    except TABLE_ERRORS:
        return 0
    return missing
