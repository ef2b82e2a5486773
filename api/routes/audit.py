"""`/v1/audit`: what holders of keys do here, for everybody to count, and for each of them to read what it did itself.

The signed size and root of the log are public, its entries are not: they name cases. Counts by holder and purpose are.
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.responses import PlainTextResponse, Response

from api.deps import ServiceDep
from api.problems import ProblemError, ProblemKind
from api.schemas.bulk import CountsTold
from api.schemas.told import answers
from api.words import words
from checker.records.audit import audit_counts

router = APIRouter(prefix="/v1/audit", tags=["audit"])


@router.get(
    "/checkpoint",
    summary="Signed size and root of the audit log (C2SP tlog-checkpoint).",
    response_class=Response,
    responses=answers(None, ProblemKind.NOT_FOUND, text__plain={"type": "string"}),
)
async def checkpoint(service: ServiceDep) -> Response:
    """Who keeps a copy can tell later whether acts were taken out. Not found: nothing was done with a key yet."""
    note = await run_in_threadpool(service.bulk.audit.checkpoint)
    if note is None:
        raise _nothing_yet()
    return Response(note, media_type="text/plain; charset=utf-8")


@router.get(
    "/key",
    summary="The key that its checkpoints verify under (C2SP signed-note).",
    response_class=PlainTextResponse,
    responses=answers(None, ProblemKind.NOT_FOUND, text__plain={"type": "string"}),
)
async def key(service: ServiceDep) -> PlainTextResponse:
    """One line, to pin. It is made with the first act; before that it is not found."""
    vkey = await run_in_threadpool(service.bulk.audit.vkey)
    if vkey is None:
        raise _nothing_yet()
    return PlainTextResponse(f"{vkey}\n")


@router.get(
    "/counts",
    summary="What holders of keys did, by month and purpose.",
    response_model=None,
    responses=answers(CountsTold),
)
async def counts(service: ServiceDep) -> dict[str, Any]:
    """Newest month first. No case, no row, no picture."""
    found = await run_in_threadpool(audit_counts, service.opt_outs.registry)
    return {"counts": [{name: getattr(one, name) for name in one.__slots__} for one in found]}


def _nothing_yet() -> ProblemError:
    return ProblemError(ProblemKind.NOT_FOUND, words().say("problem.not-found.audit"))
