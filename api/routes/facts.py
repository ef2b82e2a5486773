"""What this service rests on: sources, figures, and whether it is alive."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse

from api.deps import ServiceDep
from api.problems import ProblemError, ProblemKind
from api.schemas.told import HealthTold, ReadyTold, SourceFactsTold, SourcesTold, StatsTold, TransparencyTold, answers
from checker.documents import index_document
from checker.model import CodeKind, utc_text
from checker.records.interfaces import IndexState
from checker.records.sources import source_document
from checker.records.totals import MonthCount

_INDEX_TOLD = ("kind", "version", "codes", "segments", "tail", "bytes", "built_at", "damaged")
router = APIRouter(tags=["facts"])


@router.get(
    "/v1/sources",
    summary="Every source that answers rest on.",
    response_model=None,
    responses=answers(SourcesTold),
)
async def sources(service: ServiceDep) -> dict[str, Any]:
    """Oldest first. `first_seen` and `last_seen` are when we looked."""
    rows = await run_in_threadpool(service.checker.sources)
    return {"sources": [source_document(row) for row in rows]}


@router.get(
    "/v1/sources/{source_id}",
    summary="One source: what it holds, who runs it, where they take objections.",
    response_model=None,
    responses=answers(SourceFactsTold, ProblemKind.NOT_FOUND),
)
async def source(source_id: str, service: ServiceDep) -> dict[str, Any]:
    """Every `source.id` of an answer is one of these."""
    rows = await run_in_threadpool(service.checker.sources)
    for row in rows:
        if row.source.id == source_id:
            return source_document(row)
    raise ProblemError(ProblemKind.NOT_FOUND)


@router.get(
    "/v1/stats",
    summary="How much was looked at, and how long the opt-out log is.",
    response_model=None,
    responses=answers(StatsTold),
)
async def stats(service: ServiceDep) -> dict[str, Any]:
    """`images_findable`: those that a look-up can find."""
    counts = await run_in_threadpool(service.checker.counts)
    states = await run_in_threadpool(service.checker.index_states)
    return {
        "images": counts.images,
        "images_findable": counts.images_servable,
        "sightings": counts.sightings,
        "pages": counts.pages,
        "sources": counts.sources,
        "newest": utc_text(counts.newest) if counts.newest else None,
        "log": {"origin": service.opt_outs.log.origin, "size": service.opt_outs.log.size},
        "index": [_index_told(kind, state) for kind, state in states],
    }


@router.get(
    "/v1/transparency",
    summary="How often photos were looked up, opted out, and what was done with keys, by month.",
    response_model=None,
    responses=answers(TransparencyTold),
)
async def transparency(service: ServiceDep) -> dict[str, Any]:
    """A minute old at most; newest month first. What each holder of a key did is in `GET /v1/audit/counts`."""
    found = await run_in_threadpool(service.transparency.figures)
    return {
        "counted_at": utc_text(found.counted_at),
        "look_ups_since": found.since.isoformat() if found.since else None,
        "look_ups": [_month_told(one, "kind") for one in found.look_ups],
        "opt_outs": [_month_told(one, "state") for one in found.opt_outs],
        "acts": [_month_told(one, "act") for one in found.acts],
    }


@router.get("/openapi.json", include_in_schema=False)
async def openapi(request: Request) -> JSONResponse:
    """The description of the API (OpenAPI 3.1)."""
    return JSONResponse(request.app.openapi())


@router.get("/healthz", summary="Does the process answer?", response_model=None, responses=answers(HealthTold))
async def healthz() -> dict[str, str]:
    """Touches no database."""
    return {"status": "ok"}


@router.get(
    "/readyz", summary="Can it answer look-ups and take opt-outs?", response_model=None, responses=answers(ReadyTold)
)
async def readyz(service: ServiceDep) -> dict[str, Any]:
    """Reads both databases. An empty one is ready too: it takes opt-outs, and says that look-ups are not.

    So is one whose index is damaged: the database answers in its place, slower, and the files are named here.
    """
    coverage = await run_in_threadpool(service.checker.coverage)
    size = await run_in_threadpool(service.opt_outs.registry.log_size)
    states = await run_in_threadpool(service.checker.index_states)
    index = [_index_told(kind, state, "damaged_files") for kind, state in states]
    look_ups = "ready" if coverage.images else ProblemKind.CORPUS_EMPTY.value
    return {"status": "ready", "look_ups": look_ups, "images": coverage.images, "log_size": size, "index": index}


def _index_told(kind: CodeKind, state: IndexState, *more: str) -> dict[str, Any]:
    return {name: value for name, value in index_document(kind, state).items() if name in (*_INDEX_TOLD, *more)}


def _month_told(one: MonthCount, what: str) -> dict[str, Any]:
    return {"month": one.month, what: one.what, "count": one.count}
