"""Bulk look-ups and the audit: what is read of an address, and what answers hold."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from fastapi.security import HTTPBearer
from pydantic import Field

from api.schemas.told import CoverageTold, MatchTold, Time, Told
from checker.audit.cases import Purpose
from checker.bulk.rows import BYTES_MAX, ID_MAX, LINE_BYTES_MAX

BULK_KEY = HTTPBearer(scheme_name="BulkKey", description="An API key of scope `bulk`.", auto_error=False)
"""Only describes; the routes themselves look at the header."""
NDJSON = "application/x-ndjson"
NDJSON_TYPES = frozenset({NDJSON, "application/ndjson", "application/jsonl"})
JOB_PATTERN = "^[0-9a-f]{32}$"
_CODES = (
    "b1ac5ffee6df46225131214897e25edba410e16552ca376ab8c93d465d07426f",
    "bb2483cc209e37f24cf10fc336bc37cf32c29b277241330e60ce9936333c773c",
)
_ROWS = [
    {"id": f"F-17/{n}.jpg", "codes": {"phash256": {"version": "1", "hex": code}}} for n, code in enumerate(_CODES, 1)
]
EXAMPLE = "".join(json.dumps(row) + "\n" for row in _ROWS)

PURPOSES = [purpose.value for purpose in Purpose]
JobName = Annotated[str, Field(pattern=JOB_PATTERN, examples=["0b7e6a7f33d14c2a9d2e5b8c4f6a1d90"])]


class JobTold(Told):
    """A list of look-ups, and how far it is."""

    job: JobName
    status: Annotated[str, Field(description="Where to ask how far it is.")]
    results: Annotated[str, Field(description="Where the answers so far are.")]
    state: Annotated[
        Literal["waiting", "running", "done", "failed"],
        Field(description="failed: its files were damaged; send the list again."),
    ]
    purpose: Annotated[str, Field(examples=["complaint"])]
    case: Annotated[str, Field(examples=["AZ-2041"])]
    rows: Annotated[int, Field(examples=[100000])]
    done: Annotated[int, Field(examples=[40960], description="Rows that are answered.")]
    found: Annotated[int, Field(examples=[12], description="Of these, with a match that is not `possible` only.")]
    seconds_left: Annotated[int | None, Field(description="At the speed so far; null: not known yet, or ended.")]
    coverage: CoverageTold | None
    made_at: Time
    started_at: Time | None
    ended_at: Time | None
    gone_at: Annotated[Time, Field(description="From then on it is as if it had never been.")]


class JobsTold(Told):
    """The jobs of a key, newest first, at most 100."""

    jobs: list[JobTold]


class DeletedTold(Told):
    """A list that is gone."""

    deleted: JobName


class RowMatchTold(MatchTold):
    """A match; without a reason its handle opens where it was seen, so it has none."""

    handle: Annotated[  # type: ignore[assignment]  # wider than that of a look-up, and nobody writes to either
        str | None, Field(description="null: not told without a reason.")
    ]


class RowTold(Told):
    """The answer to one row, one a line."""

    row: Annotated[int, Field(description="1 is the first that was sent.")]
    id: str | None
    status: Literal["checked"]
    found: bool
    matches: list[RowMatchTold]


class CountTold(Told):
    """What one holder did for one purpose in one month."""

    month: Annotated[str, Field(pattern=r"^\d{4}-\d\d$", examples=["2026-11"])]
    holder: str
    act: Annotated[str, Field(examples=["bulk-made"])]
    purpose: Annotated[str, Field(description="Empty: the act has none.", examples=["complaint"])]
    acts: int
    amount: Annotated[int, Field(description="Rows looked up, rows or openings fetched.")]


class CountsTold(Told):
    """Newest month first."""

    counts: list[CountTold]


def list_body() -> dict[str, Any]:
    """How OpenAPI describes the list."""
    members = f"`id` (not needed, at most {ID_MAX} characters) and `codes`"
    limits = f"at most {LINE_BYTES_MAX:,} bytes a line, {BYTES_MAX // 2**20} MiB in all"
    schema = {"type": "string", "description": f"One JSON object a line: {members}; {limits}."}
    return {"requestBody": {"required": True, "content": {NDJSON: {"schema": schema, "example": EXAMPLE}}}}
