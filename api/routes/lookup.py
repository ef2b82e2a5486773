"""`POST /v1/lookups`: is this photo in what we have looked at? `GET /v1/images/{handle}`: where, for a day.

A look-up keeps nothing: the body lives in memory until the answer is written.
"""

from __future__ import annotations

import json

from fastapi import APIRouter, Request, Security
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, JSONResponse, Response

from api.answers import answer_words
from api.deps import (
    Service,
    ServiceDep,
    credentials,
    is_json,
    read_picture_or_json,
    unreadable,
    wants_page,
)
from api.limits import JSON_BYTES_MAX, expected_bytes
from api.problems import ProblemError, ProblemKind
from api.schemas.requests import LookupIn, json_body, read_codes, read_json
from api.schemas.told import READING_A_BODY, READING_A_PICTURE, WITHDRAW_CODE, WRITING, MatchTold, ReportTold, answers
from checker.documents import match_document, report_document
from checker.report import CheckStatus, Match, Report

router = APIRouter(tags=["lookup"])
PAD_BYTES = 4096
"""Answers come in steps of this size, or their length would tell an observer of the line what was found."""


@router.post(
    "/v1/lookups",
    summary="Look a photo up, by the picture itself or by its codes. Nothing is kept.",
    openapi_extra=json_body(LookupIn),
    response_class=JSONResponse,
    responses=answers(
        ReportTold,
        *(*WRITING, *READING_A_BODY, *READING_A_PICTURE, ProblemKind.RATE_LIMITED, ProblemKind.CORPUS_EMPTY),
        text__html={"type": "string"},
    ),
)
async def look_up(request: Request, service: ServiceDep) -> Response:
    """One report: status, coverage, matches. With `Accept: text/html` the same as a piece of a page."""
    left = service.look_up_limit.take(request, now=service.clock())
    by_codes = is_json(request)
    if by_codes:
        place = service.gates.codes.place(expected_bytes(request, bytes_max=JSON_BYTES_MAX))
    else:
        bytes_max = service.settings.picture_bytes_max
        place = service.gates.pictures.place(expected_bytes(request, bytes_max=bytes_max))
    async with place:
        body = await read_picture_or_json(request, service)
        if by_codes:
            codes = read_codes(read_json(LookupIn, body.data).codes)
            report = await service.together.ask(codes, service.check_together)
        else:
            report = await report_by_picture(body.data, service)
    if wants_page(request):
        answer = answer_words(report, service.pages.words, now=service.clock(), by_codes=by_codes)
        page = service.pages.html("answer.html", answer=answer)
        return HTMLResponse(padded(page.encode()), headers=left)
    document = padded(json.dumps(report_document(report)).encode())
    return Response(document, media_type="application/json", headers=left)


@router.get(
    "/v1/images/{handle}",
    summary="Where one picture of an answer was seen. A handle opens for a day.",
    response_model=None,
    responses=answers(MatchTold, ProblemKind.NOT_FOUND, ProblemKind.RATE_LIMITED),
    dependencies=[Security(WITHDRAW_CODE)],
)
async def image(request: Request, handle: str, service: ServiceDep) -> Response:
    """One match of the contract, with its sightings as they are now; all of them for whoever opted it out.

    Counts as a look-up: what it tells is what a look-up tells.
    """
    left = service.look_up_limit.take(request, now=service.clock())
    await run_in_threadpool(service.catch_up, service.clock())
    match = await run_in_threadpool(_image, service, handle, credentials(request, "Receipt"))
    if match is None:
        raise ProblemError(ProblemKind.NOT_FOUND)
    return JSONResponse(match_document(match), headers=left)


def _image(service: Service, handle: str, withdraw_code: str | None) -> Match | None:
    """A code that opens nothing is answered as none is, so nobody can try codes out here."""
    now = service.clock()
    held = service.opt_outs.status(None, withdraw_code, now=now) if withdraw_code else None
    opened = service.checker.opened(handle, held.number, now=now) if held else None
    return opened or service.checker.sightings(handle, now=now)


async def report_by_picture(body: bytes, service: Service) -> Report:
    """Compare a picture, in turn with the others.

    Raises:
        ProblemError: unreadable, too-plain.
        EmptyCorpusError: nothing was looked at yet.
    """

    def checked() -> Report:
        now = service.clock()
        service.catch_up(now)
        return service.checker.check(body, now=now)

    async with service.gates.pictures.work():
        report = await run_in_threadpool(checked)
    if report.status is CheckStatus.UNREADABLE:
        raise unreadable(report.reason or "")
    if report.status is CheckStatus.TOO_PLAIN:
        raise ProblemError(ProblemKind.TOO_PLAIN)
    return report


def padded(document: bytes) -> bytes:
    """With spaces at the end, which JSON and HTML ignore."""
    return document + b" " * (-len(document) % PAD_BYTES)
