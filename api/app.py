"""`create_app`: wiring, and nothing else."""

from __future__ import annotations

import gc
import logging
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.telemetry import TelemetryConfig
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import Lifespan

from api.assets import StaticAssets
from api.counted import LookUpCounts
from api.deps import Service, known_query, wants_page
from api.described import DESCRIPTION, SERVERS, TAGS, complete
from api.guards import Guards
from api.limits import DailyQuota, Gates
from api.pages import Pages
from api.problems import STATUS, ProblemError, ProblemKind, problem_document, problem_response
from api.proxies import NO_PROXIES, Proxies
from api.rates import LOOK_UPS, LookUpLimit, Rate
from api.routes import alerts, audit, bulk, facts, feed, honours, lookup, optout, pages, private
from api.schemas.requests import wrong_members
from api.transparency import Transparency
from api.words import DEFAULT_LANGUAGE, LANGUAGES, nowhere
from checker.bulk.jobs import BulkJobs
from checker.bulk.keeper import Keeper
from checker.errors import DataError, EmptyCorpusError, SandboxError
from checker.fingerprint.sandbox import SandboxDecoder
from checker.handles import KEY_FILE
from checker.index.kernels import load_compiled
from checker.index.plan import PIECES_FROM
from checker.lookup import Checker
from checker.optout.request import OptOuts
from checker.records.folder import CORPUS_FILE, DataFolder, is_file
from checker.records.registry import REGISTRY_FILE
from checker.settings import Settings

RETRY_DATA_S = 60
"""Longer than any of our own transactions; a backup tool that holds a database needs about as long."""
FOR_PROGRAMS = (
    *(lookup.router, private.router, optout.router, alerts.router, feed.router),
    *(honours.router, bulk.router, audit.router, facts.router),
)
FOR_PEOPLE = (
    pages.router,
    *(pages.in_language(language) for language in LANGUAGES if language != DEFAULT_LANGUAGE),
)
METHODS = ("DELETE", "GET", "PATCH", "POST", "PUT")
"""Those that a route may have; HEAD comes with GET (guards.py)."""
_NO_TELEMETRY: TelemetryConfig = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "operation_spans": False,
    "auto_configure": False,
}
"""FastAPI reports requests to OpenTelemetry where the environment has it, refused input included."""


def utc_now() -> datetime:
    """The real clock."""
    return datetime.now(tz=UTC)


@dataclass(frozen=True, slots=True)
class Serving:
    """How this process serves, beside the settings of the installation."""

    proxies: Proxies = NO_PROXIES
    """Whose forwarding headers are believed."""
    look_ups: Rate = LOOK_UPS
    """What one network may ask."""
    workers: int = 1
    """Processes that answer, this one included: they share what may be read at once."""
    is_first: bool = True
    """The one of them that keeps the index built."""
    count: Callable[[str, int, float], None] | None = None
    """Told path, status and seconds of every answer."""


ALONE = Serving()


def create_app(
    folder: Path,
    settings: Settings,
    *,
    clock: Callable[[], datetime] = utc_now,
    allowed_hosts: tuple[str, ...] = (),
    serving: Serving = ALONE,
) -> FastAPI:
    """Open a data folder and answer over it. The databases close when the app shuts down.

    Args:
        allowed_hosts: names this service is reached by, beside those of loopback.
    Raises:
        DataError: the folder cannot be used.
        LogBehindError: its log must not go on.
    """
    settings = replace(settings, decode_workers=max(1, settings.decode_workers // serving.workers))
    decoder = SandboxDecoder(settings)
    _make_empty_corpus(folder)
    checker = Checker.open(folder, settings, decoder=decoder)
    try:
        opt_outs = OptOuts.open(folder, settings, now=clock())
        bulk_jobs = BulkJobs.open(folder, opt_outs.registry, settings, now=clock())
        secret = (folder / KEY_FILE).read_bytes()  # made by Checker.open
        look_up_limit = LookUpLimit(folder, serving.look_ups, secret=secret)
    except BaseException:
        checker.close()
        raise

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        with ExitStack() as open_ones:
            for one in (checker, opt_outs, decoder, look_up_limit, private_lists):
                open_ones.callback(one.close)
            open_ones.callback(_keep_searches_fast(checker, builds=serving.is_first))
            counts.begin()
            open_ones.callback(counts.close)
            if serving.is_first:
                open_ones.callback(Keeper(bulk_jobs, logging.getLogger("uvicorn.error").error, clock).close)
            yield

    counts = LookUpCounts(opt_outs.registry, clock, serving.count)
    private_lists = checker.daily_lists()
    daily = (settings.opt_outs_per_day_max, settings.opt_outs_of_all_per_day_max)
    quota = DailyQuota(opt_outs.registry, daily[0], secret=secret, of_all_per_day_max=daily[1])
    quota.forget(clock())
    app = _described(lifespan)
    app.state.service = Service(
        checker=checker,
        opt_outs=opt_outs,
        decoder=decoder,
        settings=settings,
        clock=clock,
        gates=Gates.of(serving.workers),
        opt_out_quota=quota,
        look_up_limit=look_up_limit,
        pages=Pages(settings),
        private=private_lists,
        bulk=bulk_jobs,
        transparency=Transparency(opt_outs.registry, clock),
    )
    _include_routes(app)
    _answer_errors(app)
    # Not add_middleware: that stands inside of the handler of unforeseen errors, whose answers would go unguarded.
    build = app.build_middleware_stack
    app.build_middleware_stack = lambda: Guards(build(), allowed_hosts, serving.proxies, counts.count)  # type: ignore[method-assign]
    return app


def _make_empty_corpus(folder: Path) -> None:
    """Where opt-outs came before the first picture: they are served, and look-ups are told that there is none yet."""
    if is_file(folder / REGISTRY_FILE) and not is_file(folder / CORPUS_FILE):
        DataFolder.open(folder, create=True).close()


def _described(lifespan: Lifespan[FastAPI]) -> FastAPI:
    app = FastAPI(
        title="Have I Been Scraped",
        summary="Find copies of a photo, say no with a receipt, follow the list of those who did.",
        version=version("haveibeenscraped"),
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        lifespan=lifespan,
        openapi_url=None,  # ours is in routes/facts.py, and refuses what every other address refuses
        docs_url=None,  # FastAPI's own page loads scripts from a CDN; ours is routes/pages.py
        redoc_url=None,
        redirect_slashes=False,
        telemetry=_NO_TELEMETRY,
        description=DESCRIPTION,
        openapi_tags=[{"name": name, "description": text} for name, text in TAGS],
        servers=SERVERS,
    )
    of_routes = app.openapi
    app.openapi = lambda: complete(of_routes())  # type: ignore[method-assign]
    return app


def _include_routes(app: FastAPI) -> None:
    for router in FOR_PROGRAMS:
        app.include_router(router, dependencies=[Depends(known_query)])
    # Links to pages gain parameters on their way, from mailing lists and the like.
    for router in FOR_PEOPLE:
        app.include_router(router)
    app.mount("/static", StaticAssets())


def _keep_searches_fast(checker: Checker, *, builds: bool) -> Callable[[], None]:
    """Keep the index built, and compile the searches of a large one, both beside the answers; what ends that."""
    if any(state.codes >= PIECES_FROM for _, state in checker.index_states()):
        # Takes seconds the first time; until then searches are slower, and no question waits for it.
        threading.Thread(target=_load_searches, name="kernels", daemon=True).start()
    return checker.upkeep(logging.getLogger("uvicorn.error").error).close if builds else lambda: None


def _load_searches() -> None:
    load_compiled()
    # What was loaded by now stays to the end. A pass of the garbage collector over all of it held every answer up for
    # 50 ms, some times a minute.
    gc.collect()
    gc.freeze()


def _answer_errors(app: FastAPI) -> None:
    """Every error has the one shape of problems.py."""

    async def ours(request: Request, error: Exception) -> Response:
        assert isinstance(error, ProblemError)
        return _response(request, error)

    async def empty(request: Request, _: Exception) -> Response:
        return _response(request, ProblemError(ProblemKind.CORPUS_EMPTY))

    async def unavailable(request: Request, error: Exception) -> Response:
        # Its message names a file of ours and what SQLite says of it, and never repeats an input (checker/errors.py).
        logging.getLogger("uvicorn.error").error("%s", error)
        return _response(request, ProblemError(ProblemKind.UNAVAILABLE, retry_after_s=RETRY_DATA_S))

    async def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        # Only the names of our own parameters; FastAPI's answer would repeat what was sent.
        found = ((str(one["loc"][-1]), one["type"]) for one in error.errors())
        return _response(request, wrong_members(found))

    async def by_status(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        kind = _KIND_OF_STATUS.get(error.status_code, ProblemKind.INVALID_REQUEST)
        headers = error.headers
        if kind is ProblemKind.METHOD_NOT_ALLOWED:
            headers = {"Allow": allowed_methods(request)}
        return _response(request, ProblemError(kind, headers=headers))

    async def unforeseen(request: Request, _: Exception) -> Response:
        return _response(request, ProblemError(ProblemKind.INTERNAL_ERROR))

    app.add_exception_handler(ProblemError, ours)
    app.add_exception_handler(EmptyCorpusError, empty)
    app.add_exception_handler(DataError, unavailable)
    app.add_exception_handler(SandboxError, unavailable)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, by_status)
    app.add_exception_handler(Exception, unforeseen)


def allowed_methods(request: Request) -> str:
    """For `Allow` (RFC 9110 10.2.1): of every route of this path; the router names those of the first one alone."""
    routes = request.app.routes
    # Asked one by one, because a router that holds others tells whether it matches and not which methods it has.
    methods = {
        method
        for method in METHODS
        if any(route.matches({**request.scope, "method": method})[0] is Match.FULL for route in routes)
    }
    return ", ".join(sorted(methods | ({"HEAD"} if "GET" in methods else set())))


_KIND_OF_STATUS = {
    404: ProblemKind.NOT_FOUND,
    405: ProblemKind.METHOD_NOT_ALLOWED,
    413: ProblemKind.TOO_LARGE,
}


def _response(request: Request, problem: ProblemError) -> Response:
    """JSON for programs; a page for a person who followed a link to nowhere, or sent a form."""
    answer = problem_response(problem)
    if not wants_page(request) or request.url.path.startswith("/v1/"):
        return answer
    nowhere()
    service: Service = request.app.state.service
    told, status = problem_document(problem), STATUS[problem.kind]
    page = service.pages.page("problem.html", status_code=status, kind=problem.kind.value, status=status, told=told)
    page.headers.update({name: answer.headers[name] for name in answer.headers if not name.startswith("content-")})
    return page
