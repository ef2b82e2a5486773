"""What operators state: read, and told."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi.security import HTTPBearer
from pydantic import Field

from api.schemas.requests import Strict
from api.schemas.told import Time, Told
from checker.optout.canonical import INTEGER_MAX

HONOUR_KEY = HTTPBearer(scheme_name="HonourKey", description="An API key of scope `honour`.", auto_error=False)
"""Only describes; the route itself looks at the header."""
STATEMENTS_TOLD_MAX = 1_000
_ROOT = "9f2c40d17be55a3f08c1d2e3f4a5b6c79f2c40d17be55a3f08c1d2e3f4a5b6c7"
_DIGEST = "4be1a09c55d0f7e2b3c4d5e6f708192a4be1a09c55d0f7e2b3c4d5e6f708192a"
EXAMPLE = {"feed_size": 18205, "root": _ROOT, "rows_in": 1000, "rows_out": 990, "report_digest": _DIGEST}

Whole = Annotated[int, Field(ge=0, le=INTEGER_MAX)]
Hex = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class HonourIn(Strict):
    """What an operator says that it did: a list that it went by, and how many rows it kept."""

    feed_size: Annotated[int, Field(ge=1, le=INTEGER_MAX, description="Entries of the list that decided.")]
    root: Annotated[Hex, Field(description="Of the log at that size; `feed.root` of the report.")]
    rows_in: Annotated[Whole, Field(description="All rows of the dataset.")]
    rows_out: Annotated[Whole, Field(description="Rows that were kept; at most `rows_in`.")]
    report_digest: Annotated[Hex, Field(description="SHA-256 of the report file, which stays with its maker.")]


class HonourTold(Told):
    """A statement. Nobody has checked what the operator did; that the list is this one was checked."""

    operator: Annotated[str, Field(description="Name of its key.", examples=["ACME datasets"])]
    states: Annotated[str, Field(examples=["states that it acted up to entry 18,204 on 25 November 2026"])]
    feed_size: Annotated[int, Field(examples=[18205])]
    root: Annotated[Hex, Field(examples=[_ROOT])]
    rows_in: Annotated[int, Field(examples=[1000])]
    rows_out: Annotated[int, Field(examples=[990])]
    report_digest: Annotated[Hex, Field(examples=[_DIGEST])]
    stated_at: Time


class HonoursTold(Told):
    """The newest statements, newest first, at most 1,000."""

    statements: list[HonourTold]


def honour_body() -> dict[str, Any]:
    """How OpenAPI describes the body."""
    content = {"application/json": {"schema": HonourIn.model_json_schema(), "example": EXAMPLE}}
    return {"requestBody": {"required": True, "content": content}}
