"""Answers of a bulk look-up as their holder gets them: NDJSON, CSV or Parquet, made anew at each fetch.

Where a picture was seen is read now, not when the row was answered: what was opted out or taken down since is withheld,
what was erased is no match any more. Addresses are told only with a second reason (`Reason`), which is written down;
without one an answer says how many sightings there are and of which source. Nor is there a handle then, which would
open the addresses for anybody, written down by nobody. Only a match whose places are withheld keeps its own: it opens
nothing but for whoever holds a withdraw code of that picture. Cells of a CSV that a spreadsheet would run as a formula
are told with an apostrophe before them (OWASP, "CSV Injection").
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import Any

from checker.console import safe_cell
from checker.documents import match_document
from checker.lookup import Checker
from checker.report import Match, MatchKind, Orientation, said_words

PIECE_LINES = 512
PARQUET_ROWS = 20_000
PIECE_BYTES = 2**18


class Form(StrEnum):
    """How answers are written."""

    NDJSON = "ndjson"
    CSV = "csv"
    PARQUET = "parquet"


class Reason(StrEnum):
    """Why the addresses of sightings are needed, beside the answer whether a picture was found."""

    WRITE_TO_HOST = "write-to-host"
    INFORM_PERSON = "inform-person"
    SECURE_EVIDENCE = "secure-evidence"
    COUNT_HOSTS = "count-hosts"


COLUMNS: dict[str, str] = {
    "row": "int64",
    "id": "string",
    "found": "bool",
    "kind": "string",
    "orientation": "string",
    "phash256": "int64",
    "sscd512": "int64",
    "codes_disagree": "bool",
    "expected_chance_matches": "double",
    "handle": "string",
    "where": "string",
    "sightings": "int64",
    "image_url": "string",
    "page_url": "string",
    "source": "string",
    "first_seen": "string",
    "last_seen": "string",
    "file": "string",
    "file_row": "int64",
    "file_key": "string",
    "file_column": "string",
    "caption": "string",
    "site_said": "string",
}
"""Of CSV and Parquet, with the name of their type there: a line a sighting, or one for a row or a match without any.
Empty: it has none. Names are those of `hibs check --csv`, where that has the same; new ones come last."""
_LOCATOR = {"file": "file", "row": "file_row", "key": "file_key", "column": "file_column"}
_HIDDEN = ("image_url", "page_url", "caption", "locator")


class Teller:
    """Turns kept answers into told ones."""

    def __init__(self, checker: Checker, *, addresses: bool, now: datetime) -> None:
        self._checker = checker
        self._addresses = addresses
        self._now = now

    def rows(self, lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
        """One document a row, in the order in which they were sent."""
        left = iter(lines)
        while some := [json.loads(line) for line in islice(left, PIECE_LINES)]:
            # What is known of their pictures is read for all of them together: one by one takes three times as long.
            seen = self._checker.seen([one["image"] for *_, kept in some for one in kept], now=self._now)
            for number, name, kept in some:
                matches = [self._match(one, seen[one["image"]]) for one in kept if one["image"] in seen]
                found = any(match["kind"] != MatchKind.POSSIBLE for match in matches)
                yield {"row": number, "id": name, "status": "checked", "found": found, "matches": matches}

    def _match(self, kept: dict[str, Any], stored: Match) -> dict[str, Any]:
        """A match with what is known of the picture now."""
        document = match_document(
            replace(
                stored,
                kind=MatchKind(kept["kind"]),
                orientation=Orientation(kept["orientation"]),
                distances=kept["codes"],
                codes_disagree=kept["codes_disagree"],
                expected_chance_matches=kept["expected_chance_matches"],
            )
        )
        if not self._addresses:
            if not stored.withheld:
                document["handle"] = None
            for sighting in document["sightings"]:
                sighting.update(dict.fromkeys(_HIDDEN))
        return document


def as_ndjson(rows: Iterable[dict[str, Any]]) -> Iterator[bytes]:
    """One JSON object a line."""
    encode = json.JSONEncoder(separators=(",", ":")).encode
    return _pieces(encode(row) + "\n" for row in rows)


def as_csv(rows: Iterable[dict[str, Any]]) -> Iterator[bytes]:
    """RFC 4180, UTF-8, with a header line."""
    text = io.StringIO()
    writer = csv.writer(text)

    def lines() -> Iterator[str]:
        writer.writerow(COLUMNS)
        for row in rows:
            for cells in flat(row):
                writer.writerow([_cell(cells[name]) for name in COLUMNS])
            yield text.getvalue()
            text.seek(0)
            text.truncate()
        yield text.getvalue()

    return _pieces(lines())


def as_parquet(rows: Iterable[dict[str, Any]], scratch: Path) -> Iterator[bytes]:
    """The same columns; written to the file `scratch` first, which is deleted when it was told."""
    # Here, because each process of the service would hold 20 MB of it, and most never write a table.
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([(name, pa.type_for_alias(kind)) for name, kind in COLUMNS.items()])
    scratch.touch(mode=0o600, exist_ok=False)
    try:
        with pq.ParquetWriter(scratch, schema, compression="zstd") as writer:
            batch: list[dict[str, Any]] = []
            for row in rows:
                batch += flat(row)
                if len(batch) >= PARQUET_ROWS:
                    writer.write_table(pa.Table.from_pylist(batch, schema=schema))
                    batch = []
            writer.write_table(pa.Table.from_pylist(batch, schema=schema))
        with scratch.open("rb") as file:
            while piece := file.read(PIECE_BYTES):
                yield piece
    finally:
        scratch.unlink(missing_ok=True)


def flat(row: dict[str, Any]) -> list[dict[str, Any]]:
    """The lines of a table for one row."""
    empty: dict[str, Any] = dict.fromkeys(COLUMNS)
    empty |= {"row": row["row"], "id": row["id"], "found": row["found"]}
    lines = []
    for match in row["matches"]:
        line = empty | {name: match[name] for name in ("kind", "orientation", "codes_disagree", "handle", "where")}
        line |= match["codes"]
        line["expected_chance_matches"] = match["expected_chance_matches"]
        line["sightings"] = len(match["sightings"])
        if withheld := match.get("withheld"):
            line |= {"sightings": withheld["count"], "first_seen": withheld["first_seen_month"]}
        for seen in match["sightings"] or [None]:
            lines.append(line | _seen(seen) if seen else line)
    return lines or [empty]


def _seen(sighting: dict[str, Any]) -> dict[str, Any]:
    told = {name: sighting[name] for name in ("image_url", "page_url", "caption", "first_seen", "last_seen")}
    locator = sighting["locator"] or {}
    told |= {column: locator.get(name) for name, column in _LOCATOR.items()}
    return told | {"source": sighting["source"]["name"], "site_said": said_words(sighting["verdict"]) or None}


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return safe_cell(value)


def _pieces(lines: Iterable[str]) -> Iterator[bytes]:
    """Lines in pieces that are worth sending."""
    waiting: list[str] = []
    size = 0
    for line in lines:
        waiting.append(line)
        size += len(line)
        if size >= PIECE_BYTES:
            yield "".join(waiting).encode()
            waiting, size = [], 0
    if waiting:
        yield "".join(waiting).encode()


FORMS: dict[Form, Callable[[Iterable[dict[str, Any]]], Iterator[bytes]]] = {
    Form.NDJSON: as_ndjson,
    Form.CSV: as_csv,
}
"""Those that need no file."""
