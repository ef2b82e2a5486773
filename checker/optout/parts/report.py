"""The report of a run: one JSON document, and a page of the same for people (docs/honour.md, "The report").

Rows are gathered in a Parquet file first, so that their number needs no memory. Up to 100,000 of them then go into the
document; of more the Parquet file stays beside it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from checker.errors import InputError
from checker.model import utc_text
from checker.optout.arrivals import Arrivals, days_waited
from checker.optout.honour import OptOutTable
from checker.optout.honour_page import write_page
from checker.optout.parts.decided import SCHEMA
from checker.optout.parts.honour_part import HonouredPart
from checker.optout.parts.tally import Tally
from checker.optout.parts.workplace import refuse_inside

ROWS_MAX = 100_000
_ENTRIES_MAX, _DOMAINS_MAX = 1_000, 100
VERSION = 1


class Decisions:
    """Decided rows on their way into a Parquet file. Made by `decisions_file`."""

    def __init__(self, writer: pq.ParquetWriter) -> None:
        self._writer = writer
        self.rows = 0

    def add(self, batch: pa.RecordBatch) -> None:
        """Write rows."""
        self._writer.write_batch(batch)
        self.rows += batch.num_rows


@contextmanager
def decisions_file(path: Path) -> Iterator[Decisions]:
    """A Parquet file of decided rows, which appears when it is whole."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        with pq.ParquetWriter(partial, SCHEMA, compression="zstd") as writer:
            yield Decisions(writer)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def read_decisions(path: Path) -> Iterator[pa.RecordBatch]:
    """The rows that such a file holds."""
    with pq.ParquetFile(path, pre_buffer=False) as table:
        yield from table.iter_batches(1_024, use_threads=False)


class Report:
    """A report that is being gathered. Made by `report`."""

    def __init__(self, paths: Sequence[Path], rows_path: Path, rows: Decisions) -> None:
        self._paths = paths
        self._rows_path = rows_path
        self._rows = rows
        self.document: dict[str, Any] | None = None

    def add(self, batch: pa.RecordBatch) -> None:
        """Take rows."""
        self._rows.add(batch)

    def end(self, document: dict[str, Any]) -> None:
        """All rows are there."""
        self.document = document


@contextmanager
def report(paths: Sequence[Path], not_in: Sequence[Path]) -> Iterator[Report]:
    """Write the files of a report when all is done: .html as a page, the others as JSON.

    Args:
        not_in: the sources and the feed.
    Raises:
        InputError: one lies inside one of these, or cannot be written.
    """
    for path in paths:
        refuse_inside(path, not_in)
    rows_path = paths[0].with_name(f"{paths[0].name}.rows.parquet")
    try:
        with ExitStack() as written:
            rows = written.enter_context(decisions_file(rows_path))
            gathered = Report(paths, rows_path, rows)
            yield gathered
        if gathered.document is not None:
            _write(paths, rows_path, gathered.document, rows.rows)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise InputError(f"cannot write the report {paths[0]}: {error.strerror}; choose another place") from error


def _write(paths: Sequence[Path], rows_path: Path, document: dict[str, Any], rows: int) -> None:
    many = rows > ROWS_MAX
    document["rows_file"] = rows_path.name if many else None
    for path in paths:
        partial = path.with_name(f".{path.name}.partial")
        try:
            with partial.open("w", encoding="utf-8") as file:
                if path.suffix.lower() in (".html", ".htm"):
                    file.write(write_page(document, _rows(rows_path)))
                else:
                    file.write(json.dumps(document).removesuffix("}") + ', "rows": ')
                    file.writelines(_rows_json(None if many else _rows(rows_path)))
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
    if not many:
        rows_path.unlink()


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    for batch in read_decisions(path):
        yield from batch.to_pylist()


def _rows_json(rows: Iterable[dict[str, Any]] | None) -> Iterator[str]:
    if rows is None:
        yield "null}\n"
        return
    yield "["
    separator = "\n"
    for row in rows:
        yield separator + json.dumps(row)
        separator = ",\n"
    yield "\n]}\n"


def document_of(
    table: OptOutTable,
    parts: Sequence[HonouredPart],
    arrivals: Arrivals,
    *,
    now: datetime,
    mode: str,
    feed_age_days_max: int,
) -> dict[str, Any]:
    """The report without its rows. `arrivals`: when the feed's entries came."""
    whole = Tally()
    for part in parts:
        whole.merge(part.tally)
    entries = whole.entries.most_common()
    domains = sorted(whole.domains.items(), key=lambda item: (-item[1].total(), item[0]))
    with_domain = sum(counts.total() for _, counts in domains)
    shown = [(domain, counts) for domain, counts in domains if domain][:_DOMAINS_MAX]
    return {
        "v": VERSION,
        "tool": {"name": "hibs", "version": version("haveibeenscraped")},
        "made_at": utc_text(now),
        "mode": mode,
        "feed": _feed(table, now),
        "uses": list(table.uses),
        "settings": {"radius_bits": table.radius_bits, "feed_age_days_max": feed_age_days_max},
        "inputs": [part.to_dict() for part in parts],
        "counts": whole.counts(),
        "reasons": _reasons(whole),
        "decoded": whole.decoded,
        "known": {how: whole.known[how] for how in ("place", "sha256", "url")},
        "entries": [{"entry": entry, "rows": count} for entry, count in entries[:_ENTRIES_MAX]],
        "entries_other": max(len(entries) - _ENTRIES_MAX, 0),
        "domains": [{"domain": domain, **_by_action(counts)} for domain, counts in shown],
        "domains_other": len(domains) - len(shown),
        "rows_without_domain": whole.rows - with_domain,
        "days_to_drop": days_waited(arrivals, whole.dropped, now),
    }


def _feed(table: OptOutTable, now: datetime) -> dict[str, Any]:
    return {
        "size": table.feed_size,
        "root": table.feed_root,
        "origin": table.feed_origin,
        "signed_at": utc_text(table.signed_at),
        "age_hours": round((now - table.signed_at).total_seconds() / 3600, 1),
        "opt_outs": table.opt_outs,
        "not_compared": table.not_compared,
        "other_uses": table.other_uses,
    }


def _reasons(whole: Tally) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for (action, reason), count in sorted(whole.reasons.items()):
        found.setdefault(action, {})[reason] = count
    return found


def _by_action(counts: Any) -> dict[str, int]:
    return {"rows": counts.total(), **{name: counts[name] for name in ("keep", "drop", "review", "not-checked")}}
