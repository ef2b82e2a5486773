"""Ring 0, the private check: half codes for everybody, the asker compares at home (docs/private.md).

    GET /v1/private/list                 every row, where there are few enough
    GET /v1/private/sketches/{hex4}      the rows near 16 bits of a code, where there are more

Everybody gets the same bytes, made once a day and sent from the disk. No address of a request is written anywhere
(api/server.py: the access log is off), because a sketch in a path is a piece of somebody's photo.
"""

from __future__ import annotations

import asyncio
import mmap
import re
from collections.abc import AsyncIterator
from datetime import datetime

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from api.deps import Service, ServiceDep
from api.problems import ProblemError, ProblemKind
from api.schemas.private import BINARY
from api.schemas.told import answers
from api.words import words
from checker.index.daily import DayList

router = APIRouter(prefix="/v1/private", tags=["private"])
WAIT_S = 2.0
"""How long the first asker of a day waits for the list to be made: enough for some hundred thousand pictures."""
LOOK_EVERY_S = 0.05
RETRY_S = 5
CHUNK_BYTES = 256 * 1024
"""Sent at once; so a slow reader holds this much of the list in memory and not all of it."""
_SKETCH = re.compile("[0-9a-f]{4}")
_KEPT = (ProblemKind.CORPUS_EMPTY, ProblemKind.INDEX_LOADING, ProblemKind.ASK_OTHERWISE)


@router.get(
    "/list",
    summary="Half of every code, for a comparison at home. The same bytes for everybody, one list a day.",
    response_class=Response,
    responses=answers(None, *_KEPT, application__octet_stream=BINARY),
)
async def whole_list(request: Request, service: ServiceDep) -> Response:
    """A line of JSON, then rows of 16 bytes, sorted, then zeros. Above a number of rows: 404 `ask-otherwise`."""
    today = await _today(service)
    if today.whole is None:
        raise _otherwise("sketches", "/v1/private/sketches/{hex4}")
    headers = _headers(today, service.clock())
    if has_it(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    headers["Content-Length"] = str(len(today.whole))
    return StreamingResponse(_pieces(today.whole), media_type="application/octet-stream", headers=headers)


@router.get(
    "/sketches/{hex4}",
    summary="The half codes near a sketch: four hex digits, 16 bits of a code. Where the list would be too long.",
    response_class=Response,
    responses=answers(None, *_KEPT, ProblemKind.NOT_FOUND, application__octet_stream=BINARY),
)
async def sketch_rows(hex4: str, request: Request, service: ServiceDep) -> Response:
    """As the list, with the rows of all sketches within two bits; its length is one of few, whatever was asked."""
    if not _SKETCH.fullmatch(hex4):
        raise ProblemError(ProblemKind.NOT_FOUND)
    today = await _today(service)
    if today.halves is None:
        raise _otherwise("list", "/v1/private/list")
    headers = _headers(today, service.clock())
    headers["Cache-Control"] += ", immutable"
    if has_it(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    body = await run_in_threadpool(today.sketch_answer, int(hex4, 16))
    return Response(body, media_type="application/octet-stream", headers=headers)


async def _today(service: Service) -> DayList:
    """The list of the day; one that is being made is waited for a little, without holding a thread."""
    end_s = asyncio.get_running_loop().time() + WAIT_S
    while (found := service.private.ready(service.clock())) is None:
        found = await run_in_threadpool(service.private.prepare, service.clock())
        if found is not None:
            break
        if asyncio.get_running_loop().time() >= end_s:
            raise ProblemError(ProblemKind.INDEX_LOADING, retry_after_s=RETRY_S)
        await asyncio.sleep(LOOK_EVERY_S)
    return found


def _headers(today: DayList, now: datetime) -> dict[str, str]:
    """Kept by whoever likes until the next list takes its place, a day at the most."""
    left_s = min(86_400, max(0, int((today.about.next_at - now).total_seconds())))
    return {"ETag": f'"{today.tag}"', "Cache-Control": f"public, max-age={left_s}"}


def has_it(request: Request, etag: str) -> bool:
    """If-None-Match (RFC 9110 13.1.2): compared weakly, so a cache's `W/` changes nothing."""
    given = ",".join(request.headers.getlist("if-none-match"))
    return any(one.strip().removeprefix("W/") in (etag, "*") for one in given.split(","))


def _otherwise(way: str, path: str) -> ProblemError:
    detail = words().say(f"problem.ask-otherwise.{way}")
    return ProblemError(ProblemKind.ASK_OTHERWISE, detail, members={"ask": path})


async def _pieces(whole: mmap.mmap) -> AsyncIterator[bytes]:
    for at in range(0, len(whole), CHUNK_BYTES):
        yield whole[at : at + CHUNK_BYTES]
