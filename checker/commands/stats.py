"""`hibs stats`: what a data folder holds, and how its index stands."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from checker.console import answer, answer_json, command, one_line
from checker.errors import DataError

if TYPE_CHECKING:
    from checker.records.folder import DataFolder

_BESIDE = ("", "-wal", "-journal")
"""Endings of the files that together are one database; the write-ahead log may hold most of what is new."""


@command
def stats(
    data: Annotated[Path, typer.Option(metavar="DIR", help="The data folder.", show_default=False, readable=False)],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Say what a data folder holds: pictures, codes, opt-outs, bytes, and how its index stands.

    hibs stats --data data/
    """
    from checker.records.folder import DataFolder

    with DataFolder.open(data, create=False) as folder:
        document = _facts(folder)
    if as_json:
        answer_json(document)
        return
    lines = _lines(document)
    width = max(len(label) for label, _ in lines)
    for label, text in lines:
        answer(one_line(f"{label:<{width}}  {text}"))


def _facts(folder: DataFolder) -> dict[str, Any]:
    """The document of `--json`."""
    from checker.documents import index_document
    from checker.index.live import index_states
    from checker.model import utc_text
    from checker.records.folder import CORPUS_FILE
    from checker.records.registry import REGISTRY_FILE

    counts = folder.store.counts()
    return {
        "images": counts.images,
        "images_findable": counts.images_servable,
        "sightings": counts.sightings,
        "pages": counts.pages,
        "sources": counts.sources,
        "newest": utc_text(counts.newest) if counts.newest else None,
        **_said(folder.path / REGISTRY_FILE),
        "bytes": {name: _bytes_of(folder.path / name) for name in (CORPUS_FILE, REGISTRY_FILE)},
        "index": [index_document(kind, state) for kind, state in index_states(folder)],
    }


def _said(file: Path) -> dict[str, int]:
    """Opt-outs in force and entries of the log. Nothing is made where nobody has opted out yet."""
    from checker.records.folder import is_file
    from checker.records.registry import Registry

    if not is_file(file):
        return {"opt_outs": 0, "log_size": 0}
    registry = Registry.open(file)
    try:
        return {"opt_outs": registry.opt_outs_in_force(), "log_size": registry.log_size()}
    finally:
        registry.close()


def _bytes_of(database: Path) -> int:
    """On disk, with what SQLite keeps beside it; 0: there is none."""
    total = 0
    for ending in _BESIDE:
        path = database.with_name(f"{database.name}{ending}")
        try:
            total += path.stat().st_size
        except FileNotFoundError:
            continue  # most are only there while somebody writes
        except OSError as error:
            raise DataError(f"cannot look at {path}: {error.strerror}; check the permissions") from error
    return total


# --- for a person ----------------------------------------------------------------------------------------------


def _lines(facts: dict[str, Any]) -> list[tuple[str, str]]:
    """A label and what is said of it, a line each."""
    lines = [
        ("pictures", f"{facts['images']:,}, {facts['images_findable']:,} of them findable"),
        ("sightings", f"{facts['sightings']:,}"),
        ("pages", f"{facts['pages']:,}"),
        ("sources", f"{facts['sources']:,}"),
        ("newest", facts["newest"] or "nothing was seen yet"),
        ("opt-outs", f"{facts['opt_outs']:,} in force, log of {facts['log_size']:,}"),
    ]
    lines += [(name, _size(count)) for name, count in facts["bytes"].items()]
    for index in facts["index"]:
        lines += _index_lines(index)
    return lines


def _index_lines(index: dict[str, Any]) -> list[tuple[str, str]]:
    text = f"{index['codes']:,} {_many(index['codes'], 'code')}"
    if index["built_at"] is None:
        text += ", searched from the database"
    else:
        text += f": {index['segments']:,} {_many(index['segments'], 'segment')} of {_size(index['bytes'])} "
        text += f"built {index['built_at']}"
        if tail := index["tail"]:
            text += f", and {tail:,} newer {_many(tail, 'code')}"
    lines = [(f"{index['kind']} {index['version']}", text)]
    if pending := index["pending_erasures"]:
        lines.append(("", f"{pending:,} erased {_many(pending, 'code')} still in its files, in no answer"))
    return lines + [("", f"damaged: {name}; `hibs index build` makes it anew") for name in index["damaged_files"]]


def _many(count: int, noun: str) -> str:
    return noun if count == 1 else f"{noun}s"


def _size(count: int) -> str:
    """Bytes as people read them, in powers of 1,000."""
    for unit, least in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= least:
            return f"{count / least:,.1f} {unit}"
    return f"{count} bytes"
