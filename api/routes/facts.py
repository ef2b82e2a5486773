"""What this service rests on: sources, figures, and whether it is alive."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool

from api.deps import ServiceDep
from api.schemas.told import HealthTold, ReadyTold, SourcesTold, StatsTold, answers
from checker.lookup import index_document
from checker.model import CodeKind, utc_text
from checker.records.interfaces import IndexState

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
    return {
        "sources": [
            {
                "id": row.source.id,
                "name": row.source.name,
                "kind": row.source.kind,
                "images": row.images,
                "sightings": row.sightings,
                "first_seen": utc_text(row.first_seen),
                "last_seen": utc_text(row.last_seen) if row.last_seen else None,
                "version": row.details.version,
                "run_by": row.details.run_by,
                "contact": row.details.contact,
                "opt_out": row.details.opt_out,
            }
            for row in rows
        ]
    }


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


@router.get("/healthz", summary="Does the process answer?", response_model=None, responses=answers(HealthTold))
async def healthz() -> dict[str, str]:
    """Touches no database."""
    return {"status": "ok"}


@router.get(
    "/readyz", summary="Can it answer look-ups and take opt-outs?", response_model=None, responses=answers(ReadyTold)
)
async def readyz(service: ServiceDep) -> dict[str, Any]:
    """Reads both databases. An empty one is ready too, and says how many pictures it holds.

    So is one whose index is damaged: the database answers in its place, slower, and the files are named here.
    """
    coverage = await run_in_threadpool(service.checker.coverage)
    size = await run_in_threadpool(service.opt_outs.registry.log_size)
    states = await run_in_threadpool(service.checker.index_states)
    index = [_index_told(kind, state, "damaged_files") for kind, state in states]
    return {"status": "ready", "images": coverage.images, "log_size": size, "index": index}


def _index_told(kind: CodeKind, state: IndexState, *more: str) -> dict[str, Any]:
    return {name: value for name, value in index_document(kind, state).items() if name in (*_INDEX_TOLD, *more)}
