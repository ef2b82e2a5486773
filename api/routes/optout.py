"""`/v1/opt-outs`: say no, ask what became of it, take it back.

Whether a picture was registered before never shows: each opt-out is a new entry with a new number, and an unknown
number and a wrong withdraw code get the same bytes.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Security
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, JSONResponse, Response

from api.answers import standing_words
from api.deps import (
    Body,
    Service,
    ServiceDep,
    credentials,
    is_json,
    read_picture,
    read_picture_or_json,
    unauthorized,
    wants_page,
)
from api.limits import expected_bytes
from api.problems import ProblemError, ProblemKind
from api.routes.alerts import alerts_address
from api.schemas.optouts import HolderTold, RecordedTold, StatusTold
from api.schemas.requests import DEFAULT_USES, OptOutIn, invalid_request, json_body, read_codes, read_json, read_uses
from api.schemas.told import (
    READING_A_BODY,
    READING_A_PICTURE,
    WITHDRAW_CODE,
    WRITING,
    ReceiptTold,
    answers,
)
from api.words import link, words
from checker.errors import InputError
from checker.model import Fingerprint, Use
from checker.optout.alerts import ENDED
from checker.optout.entry import Evidence
from checker.optout.holder import holder_view
from checker.optout.paper_page import receipt_page
from checker.optout.states import State, Status

router = APIRouter(prefix="/v1/opt-outs", tags=["opt-out"])
Pictures = tuple[tuple[Fingerprint, ...], ...]


@router.post(
    "",
    status_code=201,
    summary="Say no, by the picture itself or by its codes, and get a receipt. Only codes are kept.",
    openapi_extra=json_body(OptOutIn),
    response_model=None,
    responses=answers(
        RecordedTold, *WRITING, *READING_A_BODY, *READING_A_PICTURE, ProblemKind.RATE_LIMITED, status=201
    ),
)
async def add(
    request: Request,
    service: ServiceDep,
    uses: Annotated[
        str | None,
        Query(max_length=200, description="With a picture: what the no is about, separated by commas."),
    ] = None,
) -> dict[str, Any]:
    """The receipt is the proof and may be shown; the withdraw code is the key and should be kept apart from it."""
    now, address = service.clock(), request.client.host if request.client else ""
    if not is_json(request):
        # To decode it costs what a look-up costs, also where nothing comes of it that could be opted out.
        service.look_up_limit.take(request, now=now)
        await run_in_threadpool(service.opt_out_quota.require_some, address, now=now)
    async with service.gates.pictures.place(expected_bytes(request, bytes_max=service.settings.picture_bytes_max)):
        body = await read_picture_or_json(request, service)
        pictures, named, evidence = await _read(body, uses, service)
    await run_in_threadpool(service.opt_out_quota.take, address, len(pictures), now=now)
    hold = await run_in_threadpool(service.opt_out_quota.hold_reason, len(pictures), now=now)
    recorded = await run_in_threadpool(
        service.opt_outs.record, pictures, uses=named, evidence=evidence, now=now, hold=hold
    )
    return {
        "number": recorded.number,
        "receipt": recorded.receipt.to_dict() if recorded.receipt else None,
        "withdraw_code": recorded.withdraw_code,
        "withdraw_text": recorded.withdraw_text,
        "held": recorded.held,
        "alerts": alerts_address(request, recorded.number, recorded.withdraw_code),
    }


@router.get(
    "/{number}",
    summary="How an opt-out stands, and where its pictures were seen. Needs Authorization: Receipt CODE.",
    response_model=None,
    responses=answers(HolderTold, ProblemKind.UNAUTHORIZED, ProblemKind.NOT_FOUND, text__html={"type": "string"}),
    dependencies=[Security(WITHDRAW_CODE)],
)
async def status(number: str, request: Request, service: ServiceDep) -> Response:
    """Without the code there is no answer: the number stands on receipts that others see.

    With `Accept: text/html` the same as a piece of a page.
    """
    code = _withdraw_code(request)
    found = await run_in_threadpool(_status, service, number, code)
    view = await run_in_threadpool(holder_view, service.opt_outs, found, now=service.clock())
    alerts = None if found.state in ENDED else alerts_address(request, found.number, code)
    if wants_page(request):
        standing = standing_words(view, service.pages.words)
        address = f"{status_page(request)}#{found.number}"
        page = service.pages.html("standing.html", standing=standing, alerts=alerts, status_address=address)
        return HTMLResponse(page)
    return JSONResponse({**view.to_dict(), "alerts": alerts})


@router.get(
    "/{number}/receipt",
    summary="The receipt once more: of a request that was held and is released, or a lost one. Needs the code.",
    response_model=None,
    responses=answers(ReceiptTold, ProblemKind.UNAUTHORIZED, ProblemKind.NOT_FOUND, text__html={"type": "string"}),
    dependencies=[Security(WITHDRAW_CODE)],
)
async def receipt(number: str, request: Request, service: ServiceDep) -> Response:
    """Not found where there is none: of a request that is held, and of an erased one.

    With `Accept: text/html` the sheet NUMBER.receipt.html, to read and to print; it proves nothing by itself.
    """
    code = _withdraw_code(request)
    found = await run_in_threadpool(_status, service, number, code)
    try:
        made = await run_in_threadpool(service.opt_outs.receipt, code, now=service.clock())
    except InputError:
        # Whoever has the code may know why.
        why = "erased" if found.state is State.ERASED else "held"
        raise ProblemError(ProblemKind.NOT_FOUND, words().say(f"problem.not-found.{why}")) from None
    if wants_page(request):
        sheet = receipt_page(made, status_address=status_page(request), language=words().language)
        name = f'attachment; filename="{made.number}.receipt.html"'
        return HTMLResponse(sheet, headers={"Content-Disposition": name})
    return JSONResponse(made.to_dict())


@router.delete(
    "/{number}",
    summary="Take an opt-out back, which ends it some days later; or with erase=true delete what it says, at once.",
    response_model=None,
    responses=answers(StatusTold, *WRITING, ProblemKind.UNAUTHORIZED, ProblemKind.NOT_FOUND),
    dependencies=[Security(WITHDRAW_CODE)],
)
async def withdraw(
    number: str,
    request: Request,
    service: ServiceDep,
    erase: Annotated[
        Literal["true"] | None,
        Query(description="Delete codes, addresses and uses. The pictures can be found again then."),
    ] = None,
) -> dict[str, Any]:
    """How it stands after that. Asking twice changes nothing."""
    code = _withdraw_code(request)
    await run_in_threadpool(_status, service, number, code)
    end = service.opt_outs.erase if erase else service.opt_outs.withdraw
    return (await run_in_threadpool(end, code, now=service.clock())).to_dict()


def status_page(request: Request) -> str:
    """Where a holder asks, in the language of the request."""
    return str(request.base_url).rstrip("/") + link("/receipts")


async def _read(body: Body, uses: str | None, service: Service) -> tuple[Pictures, tuple[Use, ...], Evidence]:
    if not body.is_json:
        named = DEFAULT_USES if uses is None else read_uses(uses.split(","))
        picture = await read_picture(body.data, service)
        return (picture.fingerprints,), named, Evidence.PICTURE
    if uses is not None:
        raise invalid_request(("uses",), words().say("problem.invalid-request.uses-in-json"))
    asked = read_json(OptOutIn, body.data)
    pictures = tuple(read_codes(codes, place) for place, codes in asked.every_picture().items())
    return pictures, read_uses(asked.uses), Evidence.CODE


def _withdraw_code(request: Request) -> str:
    code = credentials(request, "Receipt")
    if code is None:
        raise unauthorized("code", 'Receipt realm="hibs"')
    return code


def _status(service: Service, number: str, code: str) -> Status:
    found = service.opt_outs.status(number, code, now=service.clock())
    if found is None:
        raise ProblemError(ProblemKind.NOT_FOUND, words().say("problem.not-found.receipt"))
    return found
