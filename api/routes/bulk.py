"""`/v1/bulk-lookups`: many look-ups at once, for holders of a key of scope bulk, for a purpose and a case.

The list is read row by row onto the disk and answered by a process beside this one (checker/bulk/). Whatever a holder
asks about a list goes through `_job`, where a list of another key and one that never was are the same 404. That a list
was made, fetched or deleted is written into the audit log before the answer goes out.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Security
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.responses import Response, StreamingResponse

from api.deps import Service, ServiceDep, media_type_of, require_key
from api.problems import ProblemError, ProblemKind
from api.schemas.bulk import (
    BULK_KEY,
    JOB_PATTERN,
    NDJSON,
    NDJSON_TYPES,
    PURPOSES,
    DeletedTold,
    JobsTold,
    JobTold,
    list_body,
)
from api.schemas.told import READING_A_BODY, WRITING, answers
from api.words import words
from checker.bulk.jobs import OPEN_MAX, BulkJobs, Cause, Intake, TooManyJobsError, wrong_cause
from checker.bulk.rows import BYTES_MAX, RowError
from checker.bulk.told import FORMS, Form, Reason, Teller, as_parquet
from checker.keys import KeyHolder, Scope
from checker.model import utc_text
from checker.records.jobs import JobRow, JobState

router = APIRouter(prefix="/v1/bulk-lookups", tags=["bulk"])
READ_SECONDS_MAX = 300.0
"""For 64 MiB: 1.8 Mbit/s."""
TAKE_BYTES = 2**18
"""Rows are read and written in pieces of this size, in a thread."""
RETRY_S = 30
_KEYED = (ProblemKind.UNAUTHORIZED, ProblemKind.WRONG_SCOPE)
_TYPES = {Form.NDJSON: NDJSON, Form.CSV: "text/csv; charset=utf-8", Form.PARQUET: "application/vnd.apache.parquet"}

Job = Annotated[str, Path(pattern=JOB_PATTERN, description="As `POST` named it.")]


@router.post(
    "",
    status_code=202,
    summary="Look up many pictures by their codes. Needs a key of scope bulk, a purpose of it and a case.",
    openapi_extra=list_body(),
    response_model=None,
    responses=answers(
        JobTold,
        *(*WRITING, *READING_A_BODY, *_KEYED, ProblemKind.RATE_LIMITED, ProblemKind.CORPUS_EMPTY),
        status=202,
    ),
    dependencies=[Security(BULK_KEY)],
)
async def make(
    request: Request,
    service: ServiceDep,
    purpose: Annotated[
        str, Query(description="One of those that the key names.", json_schema_extra={"enum": PURPOSES})
    ],
    case: Annotated[str, Query(max_length=40, description="Your own case number, in the form that the key names.")],
) -> Response:
    """The list, waiting: where to ask how far it is. A row that cannot be read refuses the whole list and is named.

    `application/ndjson` and `application/jsonl` are taken too.
    """
    holder = await run_in_threadpool(require_key, request, service, Scope.BULK)
    cause = Cause(purpose, case)
    if wrong := wrong_cause(holder, cause):
        detail = " ".join(words().say(f"problem.invalid-request.{place}") for place in wrong)
        raise _refused(ProblemKind.INVALID_REQUEST, detail, then="key-next", places=wrong)
    if media_type_of(request) not in NDJSON_TYPES:
        raise _refused(ProblemKind.UNSUPPORTED_MEDIA_TYPE, words().say("problem.unsupported-media-type.list"))
    await run_in_threadpool(service.checker.require_pictures)
    job = await _take_in(request, service, holder, cause)
    told = json.dumps(_told(job, service.bulk, service.clock()))
    place = {"Location": f"/v1/bulk-lookups/{job.name}"}
    return Response(told, status_code=202, media_type="application/json", headers=place)


@router.get(
    "",
    summary="Your lists, newest first.",
    response_model=None,
    responses=answers(JobsTold, ProblemKind.INVALID_REQUEST, *_KEYED),
    dependencies=[Security(BULK_KEY)],
)
async def list_jobs(request: Request, service: ServiceDep) -> dict[str, Any]:
    """At most 100, of the key that asks."""
    holder = await run_in_threadpool(require_key, request, service, Scope.BULK)
    jobs = await run_in_threadpool(service.bulk.all, holder, now=service.clock())
    return {"jobs": [_told(job, service.bulk, service.clock()) for job in jobs]}


@router.get(
    "/{job}",
    summary="How far a list is.",
    response_model=None,
    responses=answers(JobTold, ProblemKind.INVALID_REQUEST, ProblemKind.NOT_FOUND, *_KEYED),
    dependencies=[Security(BULK_KEY)],
)
async def status(request: Request, service: ServiceDep, job: Job) -> dict[str, Any]:
    """State, rows, how many were answered and found, and the seconds that are left at the speed so far."""
    _, found = await run_in_threadpool(_job, request, service, job)
    return _told(found, service.bulk, service.clock())


@router.get(
    "/{job}/results",
    summary="The answers so far, in the order of the list.",
    response_class=Response,
    responses=answers(
        None,
        *(ProblemKind.INVALID_REQUEST, ProblemKind.NOT_FOUND, *_KEYED),
        application__x_ndjson={"type": "string"},
        text__csv={"type": "string"},
        **{"application/vnd.apache.parquet": {"type": "string", "format": "binary"}},  # type: ignore[arg-type]
    ),
    dependencies=[Security(BULK_KEY)],
)
async def results(
    request: Request,
    service: ServiceDep,
    job: Job,
    format: Annotated[Form, Query(description="One object a line, or a table with a line a sighting.")] = Form.NDJSON,
    reason: Annotated[
        Reason | None, Query(description="What addresses are needed for; without it none is told.")
    ] = None,
) -> StreamingResponse:
    """What was opted out or taken down since the row was answered is withheld; what was erased is no match any more."""
    _, found = await run_in_threadpool(_job, request, service, job)
    now = service.clock()
    pieces: Iterator[bytes] = iter(())
    if not request.scope.get("is_head"):  # else no answer goes out, and none is written down (guards.py)
        await run_in_threadpool(service.catch_up, now)
        await run_in_threadpool(service.bulk.fetched, found, reason=reason or "", now=now)
        pieces = _pieces(service, found, format, addresses=reason is not None, now=now)
    headers = {"Content-Disposition": f'attachment; filename="{found.name[:8]}.{format}"'}
    return StreamingResponse(pieces, media_type=_TYPES[format], headers=headers)


@router.delete(
    "/{job}",
    summary="Delete a list with its codes and answers.",
    response_model=None,
    responses=answers(DeletedTold, *WRITING, ProblemKind.INVALID_REQUEST, ProblemKind.NOT_FOUND, *_KEYED),
    dependencies=[Security(BULK_KEY)],
)
async def delete(request: Request, service: ServiceDep, job: Job) -> dict[str, Any]:
    """At once; what runs ends with its next batch."""
    holder, found = await run_in_threadpool(_job, request, service, job)
    await run_in_threadpool(service.bulk.delete, holder, found.name, now=service.clock())
    return {"deleted": found.name}


def _job(request: Request, service: Service, name: str) -> tuple[KeyHolder, JobRow]:
    """Who asks, and which of its own lists is meant.

    Raises:
        ProblemError: unauthorized, wrong-scope; not-found where it is unknown, gone or somebody else's.
    """
    holder = require_key(request, service, Scope.BULK)
    found = service.bulk.one(holder, name, now=service.clock())
    if found is None:
        raise ProblemError(ProblemKind.NOT_FOUND)
    return holder, found


async def _take_in(request: Request, service: Service, holder: KeyHolder, cause: Cause) -> JobRow:
    """Read the list onto the disk and make it a job.

    Raises:
        ProblemError: busy, too-large, too-slow, rate-limited; invalid-request, naming the row.
    """
    try:
        async with service.gates.lists.place():
            with service.bulk.intake() as intake:
                async with asyncio.timeout(READ_SECONDS_MAX):
                    await _read(request, intake)
                return await run_in_threadpool(service.bulk.add, intake, holder, cause, now=service.clock())
    except RowError as error:
        raise _wrong_row(error) from None
    except TooManyJobsError:
        detail = words().say("problem.rate-limited.list", limit=OPEN_MAX)
        raise _refused(ProblemKind.RATE_LIMITED, detail, retry_after_s=RETRY_S) from None
    except (TimeoutError, ClientDisconnect) as error:
        raise ProblemError(ProblemKind.TOO_SLOW, headers={"Connection": "close"}) from error


async def _read(request: Request, intake: Intake) -> None:
    waiting = bytearray()
    async for chunk in request.stream():
        waiting += chunk
        if len(waiting) >= TAKE_BYTES:
            await _feed(intake, waiting)
    await _feed(intake, waiting)
    if await run_in_threadpool(intake.finish) == 0:
        detail = words().say("problem.invalid-request.no-rows")
        raise _refused(ProblemKind.INVALID_REQUEST, detail, places=("rows",))


async def _feed(intake: Intake, waiting: bytearray) -> None:
    piece = bytes(waiting)
    waiting.clear()
    if not await run_in_threadpool(intake.feed, piece):
        detail = words().say("problem.too-large.list", limit=f"{BYTES_MAX // 2**20} MiB")
        raise _refused(ProblemKind.TOO_LARGE, detail, headers={"Connection": "close"})


def _wrong_row(error: RowError) -> ProblemError:
    """The refusal that says which row, and what is wrong with it; nothing that was sent."""
    texts = words()
    told = {name: texts.number(one) if isinstance(one, int) else one for name, one in error.values.items()}
    what = texts.say(f"problem.invalid-request.row-{error.fault}", **told)
    key = "problem.invalid-request.row-member" if error.place else "problem.invalid-request.row"
    detail = texts.say(key, row=texts.number(error.row), member=error.place, what=what)
    return _refused(ProblemKind.INVALID_REQUEST, detail, places=(error.where,))


def _refused(
    kind: ProblemKind, detail: str, *, then: str = "list-next", places: Sequence[str] = (), **more: Any
) -> ProblemError:
    """A refusal that says what to do with a list, in place of a photo."""
    members: dict[str, Any] = {"next": words().say(f"problem.{kind}.{then}")}
    if places:
        members["places"] = list(places)
    return ProblemError(kind, detail, members=members, **more)


def _pieces(service: Service, job: JobRow, form: Form, *, addresses: bool, now: datetime) -> Iterator[bytes]:
    """The answers, while they are read."""
    teller = Teller(service.checker, addresses=addresses, now=now)
    rows = teller.rows(service.bulk.results(job))
    return as_parquet(rows, service.bulk.scratch(job)) if form is Form.PARQUET else FORMS[form](rows)


def _told(job: JobRow, bulk: BulkJobs, now: datetime) -> dict[str, Any]:
    place = f"/v1/bulk-lookups/{job.name}"
    return {
        "job": job.name,
        "status": place,
        "results": f"{place}/results",
        "state": job.state.value,
        "purpose": job.purpose,
        "case": job.case_ref,
        "rows": job.rows,
        "done": job.rows_done,
        "found": job.rows_found,
        "seconds_left": _seconds_left(job, now),
        "coverage": json.loads(job.coverage) if job.coverage else None,
        "made_at": utc_text(job.made_at),
        "started_at": utc_text(job.started_at) if job.started_at else None,
        "ended_at": utc_text(job.ended_at) if job.ended_at else None,
        "gone_at": utc_text(bulk.ends_at(job)),
    }


def _seconds_left(job: JobRow, now: datetime) -> int | None:
    if job.state is not JobState.RUNNING or not job.rows_done or job.started_at is None:
        return None
    took_s = max(0.0, (now - job.started_at).total_seconds())
    return round(took_s / job.rows_done * (job.rows - job.rows_done))
