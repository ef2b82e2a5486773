"""Make the codes of one part: rows in, one Parquet file out, which appears when it is whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from checker.datasets.codes import SCHEMA, AboutPart, codes_name, made_of_columns
from checker.datasets.coding import CodedPicture, CodedSample, Coder
from checker.datasets.parts import Part, PartKind, stamp_of
from checker.datasets.reading import FolderDigest, read_part, size_and_digest
from checker.errors import InputError
from checker.fingerprint.robust import RobustModel
from checker.model import PHASH256, ROBUST_NAME, Unreadable, UnreadableReason
from checker.settings import Settings

Each = Callable[[CodedSample], None]

_ROWS_AT_ONCE = 16_384
"""Rows that are held before they are written: as dictionaries they take 2 KB each."""


@dataclass(frozen=True, slots=True)
class CodedPart:
    """What became of one part."""

    about: AboutPart
    made: bool
    """False: its codes were there already."""


def made_of(part: Part, settings: Settings) -> str:
    """Names the codes that this installation makes of a part."""
    model = RobustModel.of(settings)
    kinds = [PHASH256, *([model.kind] if model else [])]
    return f"{' '.join(f'{kind.name}/{kind.version}' for kind in kinds)} {made_of_columns(part)}"


def code_part(part: Part, folder: Path, coder: Coder, *, each: Each) -> CodedPart:
    """Write the codes of a part into a folder, unless they are there.

    Args:
        each: is told every row, for progress and messages.
    Raises:
        InputError: the part or the folder cannot be read or written, or the part changed meanwhile.
    """
    target = folder / codes_name(part.name)
    stamp, made = stamp_of(part), made_of(part, coder.settings)
    there = AboutPart.of(target) if target.is_file() else None
    if there is not None and (there.stamp, there.made_of, there.name) == (stamp, made, part.name):
        return CodedPart(there, made=False)
    partial = target.with_name(f".{target.name}.partial")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with pq.ParquetWriter(partial, SCHEMA, compression="zstd") as writer:
            about = _write(part, stamp, made, coder, writer, each)
            writer.add_key_value_metadata(about.to_metadata())
        if stamp_of(part) != stamp:
            raise InputError(f"{part.path} changed while it was read; run the command again")
        partial.replace(target)
    except OSError as error:
        raise InputError(f"cannot write the codes to {target}: {error.strerror}; choose another place") from error
    finally:
        partial.unlink(missing_ok=True)
    return CodedPart(about, made=True)


def _write(part: Part, stamp: str, made: str, coder: Coder, writer: pq.ParquetWriter, each: Each) -> AboutPart:
    folder, rows, counts = FolderDigest(), 0, Counter[object]()
    held: list[dict[str, object]] = []
    for coded in coder.code(read_part(part, coder.settings)):
        each(coded)
        rows += 1
        for row in _rows_of(part, coded):
            counts[row["status"]] += 1
            held.append(row)
        if part.kind is PartKind.FOLDER:
            of_file = coded.pictures[0].sha256 if coded.pictures else None
            folder.add(coded.sample.path.relative_to(part.path).as_posix(), of_file)
        if len(held) >= _ROWS_AT_ONCE:
            writer.write_batch(pa.RecordBatch.from_pylist(held, SCHEMA))
            held.clear()
    writer.write_batch(pa.RecordBatch.from_pylist(held, SCHEMA))
    size, digest = (0, folder.hex()) if part.kind is PartKind.FOLDER else size_and_digest(part)
    pictures = counts["ok"] + counts["too-plain"]
    return AboutPart(part.name, stamp, made, digest, size, rows, pictures, counts["unreadable"])


def _rows_of(part: Part, coded: CodedSample) -> Iterator[dict[str, object]]:
    sample = coded.sample
    place = {
        "file": _file_of(part, coded),
        "row": sample.row,
        "key": sample.key,
        "url": sample.url,
        "plain": False,
    }
    if sample.trouble is not None or not coded.pictures:
        status = "unreadable" if sample.trouble is not None else "no-picture"
        yield {**place, "status": status, "reason": sample.trouble or NO_PICTURE}
        return
    for picture in coded.pictures:
        yield {**place, **_picture_columns(picture)}


def _file_of(part: Part, coded: CodedSample) -> str:
    path = coded.sample.path.relative_to(part.path).as_posix() if part.kind is PartKind.FOLDER else part.path.name
    return path.encode("utf-8", "replace").decode()


NO_PICTURE = "there is no picture in this row, so nothing was compared"


def _picture_columns(coded: CodedPicture) -> dict[str, object]:
    picture = coded.picture
    sha256 = bytes.fromhex(coded.sha256) if coded.sha256 else None
    name = coded.name.encode("utf-8", "replace").decode() if coded.name else None
    if isinstance(picture, Unreadable):
        status = "no-picture" if shows_nothing(picture, coded.named_as_picture) else "unreadable"
        return {"name": name, "sha256": sha256, "status": status, "reason": picture.detail}
    row: dict[str, object] = {"name": name, "sha256": sha256, "plain": picture.plain}
    row["status"] = "too-plain" if picture.plain else "ok"
    for code in picture.fingerprints:
        if code.kind == PHASH256 or code.kind.name == ROBUST_NAME:
            row |= {code.kind.name: code.bits, f"{code.kind.name}_version": code.kind.version}
    return row


def shows_nothing(picture: Unreadable, named_as_picture: bool) -> bool:
    """Is it no picture at all, by its name and its content?"""
    return not named_as_picture and picture.reason in (UnreadableReason.NOT_A_PICTURE, UnreadableReason.EMPTY)
