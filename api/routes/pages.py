"""The pages. Each is true on its own, works without scripts as far as it can, and loads nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import APIRouter, Request
from markupsafe import Markup
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from api.answers import coverage_words, follower_words, reach_words, statement_words
from api.counted import LOOK_UP
from api.deps import Service, ServiceDep
from api.described import sections
from api.measured import PHOTOS_OF_ONE, PHOTOS_OF_ONE_ROBUST, PORTRAITS_OF_TWO
from api.problems import STATUS, ProblemError, ProblemKind
from api.routes import closer
from api.transparency import of_months, table
from api.words import Words, prefix
from checker.audit.entry import Act
from checker.console import printable
from checker.model import ROBUST_NAME, Use
from checker.optout.charts import Bar, bar_chart
from checker.optout.entry import USES
from checker.optout.operators import followers
from checker.optout.states import State
from checker.records.operators import statements
from checker.report import Orientation

router = APIRouter(include_in_schema=False)
router.include_router(closer.router)
TICKED = (Use.TRAIN_AI, Use.TRAIN_GENAI, Use.TDM)
"""Said no to unless a tick is taken away; the others must be ticked, because they also take a photo out of search."""
PHOTOS_MAX = 10
"""Chosen at once: more take a phone minutes, and are a case for the command line."""
STATEMENTS_SHOWN = 50
"""Of operators, the newest; `GET /v1/honours` has more of them."""


def in_language(language: str) -> APIRouter:
    """The same pages with `/de` before each address, and `/de` itself leading to `/de/`."""
    localised = APIRouter(prefix=prefix(language), include_in_schema=False)
    localised.include_router(router)
    localised.add_api_route("", lambda: RedirectResponse(f"{prefix(language)}/", 308), response_model=None)
    return localised


@router.get("/")
async def start(request: Request, service: ServiceDep) -> Response:
    """Choose photos, have them compared in the browser, ask for a closer look, say no."""
    return await _choosing("start.html", "check", request, service)


@router.get("/opt-out")
async def opt_out(request: Request, service: ServiceDep) -> Response:
    """The same page for whoever comes to say no, with or without a hit."""
    return await _choosing("start.html", "opt-out", request, service)


@router.get("/intimate")
async def intimate(request: Request, service: ServiceDep) -> Response:
    """Who can help with an intimate picture, and a comparison that sends and shows nothing of it."""
    return await _choosing("intimate.html", "intimate", request, service)


async def _choosing(template: str, mode: str, request: Request, service: Service) -> Response:
    coverage = await run_in_threadpool(service.checker.coverage)
    following = await run_in_threadpool(followers, service.opt_outs.registry, service.clock())
    return service.pages.page(
        template,
        mode=mode,
        followers=[printable(follower.operator) for follower in following],
        coverage=coverage_words(coverage, service.pages.words, now=service.clock()),
        can_answer=coverage.images > 0,
        has_second_code=ROBUST_NAME in coverage.checks,
        server=_server(request),
        photos_max=PHOTOS_MAX,
        orientations=[one.value for one in Orientation if one is not Orientation.AS_IS],
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
    following = await run_in_threadpool(followers, service.opt_outs.registry, service.clock())
    return service.pages.page(
        "operators.html",
        server=_server(request),
        size=head.size,
        signed_at=head.time,
        origin=log.origin,
        verifier_key=log.vkey,
        followers=[follower_words(follower, service.pages.words) for follower in following],
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


@router.get("/transparency")
async def transparency(request: Request, service: ServiceDep) -> Response:
    """What this service did, in numbers that equal the audit trail."""
    found = await run_in_threadpool(service.transparency.figures)
    look_ups, opt_outs = table(found.look_ups), table(found.opt_outs)
    words = service.pages.words
    asked = {month: kinds.get(LOOK_UP, 0) for month, kinds in look_ups.items()}
    recorded = {month: sum(states.values()) for month, states in opt_outs.items()}
    return service.pages.page(
        "transparency.html",
        figures=found,
        look_ups=look_ups,
        look_ups_chart=_chart(words, "transparency.look-ups-chart", asked),
        opt_outs=opt_outs,
        opt_outs_chart=_chart(words, "transparency.opt-outs-chart", recorded),
        recorded=recorded,
        acts=table(found.acts),
        act_kinds=[act.value for act in Act],
        states=[state.value for state in State],
        holders=of_months(found.holders),
        log_size=service.opt_outs.log.size,
        server=_server(request),
    )


@router.get("/privacy")
async def privacy(service: ServiceDep) -> Response:
    """Who runs this, what is kept and what is not."""
    return service.pages.page("privacy.html")


@router.get("/about")
async def about(service: ServiceDep) -> Response:
    """Photos, never faces; what an answer means and what must not be concluded."""
    coverage = await run_in_threadpool(service.checker.coverage)
    faces = {
        "of-two": PORTRAITS_OF_TWO,
        "of-one": PHOTOS_OF_ONE,
        "of-one-robust": PHOTOS_OF_ONE_ROBUST,
    }
    reach = reach_words(coverage.checks, service.pages.words)
    return service.pages.page("about.html", reach=reach, faces=faces.items())


@router.get("/docs")
async def docs(request: Request, service: ServiceDep) -> Response:
    """The whole API on one page, read from the OpenAPI document."""
    described = sections(request.app.openapi(), _server(request))
    return service.pages.page("docs.html", sections=described, problems=_problems())


@router.get("/problems/{kind}")
async def problem(kind: str, service: ServiceDep) -> Response:
    """What a problem type means and what to do."""
    if kind not in {known.value for known in ProblemKind}:  # Python 3.11 refuses a text in an enum
        raise ProblemError(ProblemKind.NOT_FOUND)
    return service.pages.page("problem.html", kind=kind, status=STATUS[ProblemKind(kind)])


def _server(request: Request) -> str:
    """This service as the reader reached it; the Host was checked before."""
    return str(request.base_url).rstrip("/")


def _chart(words: Words, title: str, counts: Mapping[str, int]) -> Markup:
    """Bars by month, the longest as long as the page is wide."""
    bars = [Bar(words.month(month), count, words.number(count)) for month, count in counts.items()]
    return bar_chart(words.say(title), bars, whole=max(counts.values(), default=0))


def _problems() -> list[tuple[str, int]]:
    return [(kind.value, STATUS[kind]) for kind in ProblemKind]
