"""The pages. Each is true on its own, works without scripts as far as it can, and loads nothing from elsewhere."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from api.answers import coverage_words, reach_words, statement_words
from api.deps import ServiceDep
from api.problems import STATUS, ProblemError, ProblemKind
from checker.model import Use
from checker.optout.entry import USES
from checker.records.operators import statements

router = APIRouter(include_in_schema=False)
TICKED = (Use.TRAIN_AI, Use.TRAIN_GENAI, Use.TDM)
"""Said no to unless a tick is taken away; the others must be ticked, because they also take a photo out of search."""
STATEMENTS_SHOWN = 50
"""Of operators, the newest; `GET /v1/honours` has more of them."""


@router.get("/")
async def start(request: Request, service: ServiceDep) -> Response:
    """Choose a photo, send it, read the answer, say no."""
    coverage = await run_in_threadpool(service.checker.coverage)
    return service.pages.page(
        "start.html",
        coverage=coverage_words(coverage, service.pages.words, now=service.clock()),
        can_answer=coverage.images > 0,
        server=_server(request),
        uses=[use.value for use in Use if use in USES],
        ticked=[use.value for use in TICKED],
    )


@router.get("/receipts")
async def receipts(request: Request, service: ServiceDep) -> Response:
    """Ask with a withdraw code how an opt-out stands, or take it back."""
    return service.pages.page("receipts.html", server=_server(request))


@router.get("/operators")
async def operators(request: Request, service: ServiceDep) -> Response:
    """For whoever builds a dataset or runs a crawler: how to follow the feed and honour it, and who states they did."""
    log = service.opt_outs.log
    head = await run_in_threadpool(log.head)
    stated = await run_in_threadpool(statements, service.opt_outs.registry, count=STATEMENTS_SHOWN)
    return service.pages.page(
        "operators.html",
        server=_server(request),
        size=head.size,
        signed_at=head.time,
        origin=log.origin,
        verifier_key=log.vkey,
        statements=[statement_words(statement, service.pages.words) for statement in stated],
        older_keys=[key.verifier.text for key in log.keys()[:-1]],
    )


@router.get("/sources")
async def sources(service: ServiceDep) -> Response:
    """What was looked at, source by source."""
    rows = await run_in_threadpool(service.checker.sources)
    coverage = await run_in_threadpool(service.checker.coverage)
    words = service.pages.words
    return service.pages.page(
        "sources.html", sources=rows, coverage=coverage_words(coverage, words, now=service.clock())
    )


@router.get("/privacy")
async def privacy(service: ServiceDep) -> Response:
    """Who runs this, what is kept and what is not."""
    return service.pages.page("privacy.html")


@router.get("/about")
async def about(service: ServiceDep) -> Response:
    """Photos, never faces; what an answer means and what must not be concluded."""
    coverage = await run_in_threadpool(service.checker.coverage)
    return service.pages.page("about.html", reach=reach_words(coverage.checks, service.pages.words))


@router.get("/docs")
async def docs(request: Request, service: ServiceDep) -> Response:
    """The endpoints on one page, read from the OpenAPI document."""
    return service.pages.page(
        "docs.html", server=_server(request), endpoints=endpoints(request.app.openapi()), problems=_problems()
    )


@router.get("/problems/{kind}")
async def problem(kind: str, service: ServiceDep) -> Response:
    """What a problem type means and what to do."""
    if kind not in {known.value for known in ProblemKind}:  # Python 3.11 refuses a text in an enum
        raise ProblemError(ProblemKind.NOT_FOUND)
    return service.pages.page("problem.html", kind=kind, status=STATUS[ProblemKind(kind)])


def endpoints(document: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Method, path and summary of every operation."""
    return [
        (method.upper(), path, operation.get("summary", ""))
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    ]


def _server(request: Request) -> str:
    """This service as the reader reached it; the Host was checked before."""
    return str(request.base_url).rstrip("/")


def _problems() -> list[tuple[str, int]]:
    return [(kind.value, STATUS[kind]) for kind in ProblemKind]
