"""All parts of the sources, one after the other, into one destination and one report."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from checker.datasets.code_lines import CodeLines
from checker.datasets.codes import CodesFolder
from checker.datasets.coding import Coder
from checker.datasets.columns import Named
from checker.datasets.parts import Part, parts_of
from checker.fingerprint import Decoder
from checker.optout.arrivals import Arrivals
from checker.optout.feed import read_state
from checker.optout.honour import OptOutTable
from checker.optout.parts.honour_part import Each, HonouredPart, honour_part
from checker.optout.parts.report import Report, decisions_file, document_of, read_decisions, report
from checker.optout.parts.workplace import Workplace, workplace
from checker.settings import Settings

_VERSION = 2
"""Of what is written: a run that another version left unfinished starts anew."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be honoured, and where to."""

    sources: tuple[Path, ...]
    feed: Path
    named: Named
    codes: Path | None = None
    out: Path | None = None
    reports: tuple[Path, ...] = ()
    feed_age_days_max: int = 7


def honour_all(
    asked: Asked,
    table: OptOutTable,
    settings: Settings,
    *,
    decoder: Decoder,
    each: Callable[[Part, pa.RecordBatch], None],
    now: datetime,
) -> dict[str, Any]:
    """Decide about every row of the sources; returns the report without its rows.

    Args:
        each: is given every decided row, in order.
    Raises:
        InputError: a source, the codes, the destination or a report cannot be used.
    """
    parts = parts_of(asked.sources, asked.named)
    codes = open_codes(asked.codes) if asked.codes is not None else None
    coder = Coder(settings, decoder, known=codes)
    by_place = codes if isinstance(codes, CodesFolder) else None
    not_in = [*asked.sources, asked.feed, *([asked.codes] if asked.codes else [])]
    with ExitStack() as written:
        paper = written.enter_context(report(asked.reports, not_in)) if asked.reports else None
        place = written.enter_context(workplace(asked.out, not_in, _run(asked, table))) if asked.out else None
        if place is not None:
            place.keep_only(parts)
        honoured = []
        for part in parts:
            give = _giver(part, each, paper)
            if place is None:
                honoured.append(honour_part(part, table, coder, each=give, codes=by_place))
            else:
                honoured.append(_into(place, part, table, coder, give, by_place))
        mode = "dry-run" if place is None else "rewrite"
        document = document_of(
            table, honoured, _arrivals(asked.feed), now=now, mode=mode, feed_age_days_max=asked.feed_age_days_max
        )
        if place is not None:
            place.complete()
        if paper is not None:
            paper.end(document)
    return document


def open_codes(path: Path) -> CodesFolder | CodeLines:
    """Codes made before: Parquet of `hibs fingerprint --out`, or lines of `hibs fingerprint --json`.

    Raises:
        InputError: they cannot be read.
    """
    return CodesFolder(path) if path.is_dir() or path.suffix.lower() == ".parquet" else CodeLines(path)


def _giver(part: Part, each: Callable[[Part, pa.RecordBatch], None], paper: Report | None) -> Each:
    def give(batch: pa.RecordBatch) -> None:
        each(part, batch)
        if paper is not None:
            paper.add(batch)

    return give


def _into(
    place: Workplace, part: Part, table: OptOutTable, coder: Coder, give: Each, codes: CodesFolder | None
) -> HonouredPart:
    """One part into the destination, unless an earlier run did it."""
    there = place.done(part)
    decisions = place.decisions_of(part)
    if there is not None:
        for batch in read_decisions(decisions):
            give(batch)
        return there
    place.restart(part)
    with decisions_file(decisions) as rows:

        def both(batch: pa.RecordBatch) -> None:
            rows.add(batch)
            give(batch)

        honoured = honour_part(part, table, coder, each=both, codes=codes, copy_to=place.data)
    place.finish(part, honoured)
    return honoured


def _run(asked: Asked, table: OptOutTable) -> dict[str, Any]:
    """What decides about the result."""
    return {
        "v": _VERSION,
        "feed": [table.feed_origin, table.feed_size, table.feed_root],
        "uses": list(table.uses),
        "radius_bits": table.radius_bits,
        "columns": [asked.named.url, asked.named.image],
        "sources": [str(source.resolve()) for source in asked.sources],
        "codes": str(asked.codes.resolve()) if asked.codes else None,
    }


def _arrivals(feed: Path) -> Arrivals:
    state = read_state(feed)
    return state.arrivals if state else ()
