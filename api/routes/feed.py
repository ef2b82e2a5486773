"""The opt-out log as C2SP tlog-tiles, public, and the openings beside it, for holders of a key.

    /v1/feed/checkpoint                 the signed size and root
    /v1/feed/key                        the verifier key (C2SP signed-note)
    /v1/feed/tile/L/N[.p/W]             hashes            /v1/feed/tile/entries/N[.p/W]   the leaves
    /v1/feed/openings?from=N            codes, uses and salts, one JSON a line

Without the openings the log shows how long it is, that it only grows, and nothing of what people asked.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Security
from starlette.concurrency import run_in_threadpool
from starlette.responses import PlainTextResponse, Response

from api.deps import ServiceDep, require_key
from api.problems import ProblemError, ProblemKind
from api.schemas.requests import invalid_request
from api.schemas.told import FEED_KEY, answers
from checker.audit.entry import Act, Done
from checker.errors import InputError
from checker.keys import Scope
from checker.optout.entry import parse_opening
from checker.optout.log import Log
from checker.optout.tree import ENTRIES, parse_tile_path
from checker.records.operators import record_received

router = APIRouter(prefix="/v1/feed", tags=["feed"])
OPENINGS_MAX = 10_000
"""Lines in one page; of a kilobyte as a rule."""
OPENINGS_BYTES_MAX = 8 * 2**20
"""A page ends after the line that passes this: an opt-out of many photos is a line of up to 2 MiB."""
KEEP = "public, max-age=31536000, immutable"
"""No tile ever changes, a partial one neither (C2SP tlog-tiles: "caching headers SHOULD be long-lived")."""
INDEX_MAX = 2**63 - 1


@router.get(
    "/checkpoint",
    summary="Signed size and root of the log (C2SP tlog-checkpoint).",
    response_class=Response,
    responses=answers(text__plain={"type": "string"}),
)
async def checkpoint(service: ServiceDep) -> Response:
    """A signed note over everything that is due by now; signed anew each hour, so that silence is no frozen copy."""
    note = await run_in_threadpool(service.opt_outs.checkpoint, service.clock())
    return Response(note, media_type="text/plain; charset=utf-8")


@router.get(
    "/key",
    summary="The key that checkpoints verify under (C2SP signed-note).",
    response_class=PlainTextResponse,
    responses=answers(),
)
async def key(service: ServiceDep) -> PlainTextResponse:
    """One line, to pin."""
    return PlainTextResponse(f"{service.opt_outs.log.vkey}\n")


@router.get(
    "/tile/{place:path}",
    summary="Hashes (0/x001/234, 0/001.p/17) and leaves (entries/000) of the log (C2SP tlog-tiles).",
    response_class=Response,
    responses=answers(None, ProblemKind.NOT_FOUND, application__octet_stream={"type": "string", "format": "binary"}),
)
async def tile(place: str, service: ServiceDep) -> Response:
    """One spelling for each tile, so that a cache holds it once. What lies beyond the signed tree is not found."""
    wanted = parse_tile_path(f"tile/{place}")
    if wanted is None:
        raise ProblemError(ProblemKind.NOT_FOUND)
    log = service.opt_outs.log
    try:
        if wanted.level == ENTRIES:
            body = await run_in_threadpool(log.entries, wanted.index, wanted.width)
        else:
            body = await run_in_threadpool(log.tile, wanted.level, wanted.index, wanted.width)
    except InputError as error:
        raise ProblemError(ProblemKind.NOT_FOUND) from error
    return Response(body, media_type="application/octet-stream", headers={"Cache-Control": KEEP})


@router.get(
    "/openings",
    summary="Codes, uses and salts of the log's entries, as NDJSON. Needs a key of scope feed.",
    response_class=Response,
    responses=answers(
        None,
        *(ProblemKind.UNAUTHORIZED, ProblemKind.WRONG_SCOPE),
        application__x_ndjson={"type": "string"},
    ),
    dependencies=[Security(FEED_KEY)],
)
async def openings(
    request: Request,
    service: ServiceDep,
    start: Annotated[int, Query(alias="from", ge=0, le=INDEX_MAX, description="Index of the first entry.")] = 0,
) -> Response:
    """At most 10,000 lines; ask again from the index after the last one. An empty page: that was all."""
    if request.query_params.get("from", str(start)) != str(start):  # "+1", "01" and "1_0" are numbers for Python alone
        raise invalid_request(("from",))
    holder = await run_in_threadpool(require_key, request, service, Scope.FEED)
    body, end = await run_in_threadpool(_page, service.opt_outs.log, start)
    registry, now = service.opt_outs.registry, service.clock()
    await run_in_threadpool(record_received, registry, holder.name, start=start, end=end, now=now)
    if body:  # an empty page gives nothing away
        done = Done(Act.OPENINGS_FETCHED, holder.name, now, subject=f"{start} to {end - 1}", amount=body.count(b"\n"))
        await run_in_threadpool(service.bulk.audit.record, done, now=now)
    return Response(body, media_type="application/x-ndjson")


def _page(log: Log, start: int) -> tuple[bytes, int]:
    """The lines, and the first index that they say nothing of.

    Erased entries have no opening, so the page goes on until it has lines or the log ends.
    """
    lines: list[bytes] = []
    size, size_bytes = log.size, 0
    for line in log.openings(start, max(0, size - start)):
        lines.append(line)
        size_bytes += len(line)
        if len(lines) == OPENINGS_MAX or size_bytes > OPENINGS_BYTES_MAX:
            return b"".join(lines), parse_opening(line).index + 1
    return b"".join(lines), size
