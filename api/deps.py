"""What a route works with: one `Service` made by the app, and the reading of requests that several routes share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool

from api.limits import JSON_BYTES_MAX, DailyQuota, Gates, read_body
from api.pages import Pages
from api.problems import ProblemError, ProblemKind
from api.rates import LookUpLimit
from api.schemas.requests import invalid_request
from api.together import Together
from api.transparency import Transparency
from checker.bulk.jobs import BulkJobs
from checker.fingerprint import Decoder, fingerprint_bytes
from checker.index.daily import DailyLists
from checker.keys import KeyHolder, Scope, verify_key
from checker.lookup import TOGETHER_MAX, Checker
from checker.model import Fingerprint, Picture, Unreadable
from checker.optout.request import OptOuts
from checker.report import Report
from checker.settings import Settings

JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Service:
    """Everything that lives as long as the process."""

    checker: Checker
    opt_outs: OptOuts
    decoder: Decoder
    """Never in this process: what is uploaded is anybody's."""
    settings: Settings
    clock: Callable[[], datetime]
    gates: Gates
    opt_out_quota: DailyQuota
    look_up_limit: LookUpLimit
    pages: Pages
    private: DailyLists
    bulk: BulkJobs
    transparency: Transparency
    together: Together = field(default_factory=lambda: Together(count_max=TOGETHER_MAX))
    """For look-ups by codes: those that wait are answered in one call of `check_together`."""

    def catch_up(self, now: datetime) -> None:
        """Put into effect what the time alone brings: withdrawals that are due, counts of yesterday forgotten.

        No timer runs it; whoever answers from the registry calls it before.
        """
        self.opt_outs.settle(now)
        self.opt_out_quota.forget(now)

    def check_together(self, questions: Sequence[Sequence[Fingerprint]]) -> Sequence[Report]:
        """The reports of several pictures by their codes, after everything that is due.

        Raises:
            EmptyCorpusError: nothing was looked at yet, so there is no answer.
        """
        now = self.clock()
        self.catch_up(now)
        self.checker.require_pictures()
        return self.checker.check_together(questions, now=now)


async def _service(request: Request) -> Service:  # else FastAPI would call a thread for it, at every request
    service: Service = request.app.state.service
    return service


ServiceDep = Annotated[Service, Depends(_service)]


@dataclass(frozen=True, slots=True)
class Body:
    """A request body that was read within the limits."""

    data: bytes
    is_json: bool


def media_type_of(request: Request) -> str:
    """What the body says that it is, without parameters; empty: nothing."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def is_json(request: Request) -> bool:
    """Does the body say that it is JSON?"""
    return media_type_of(request) == JSON


async def read_picture_or_json(request: Request, service: Service) -> Body:
    """Read a picture (raw, never multipart: its parser writes large parts to a disk) or JSON.

    Raises:
        ProblemError: unsupported-media-type, too-large, too-slow.
    """
    if is_json(request):
        return Body(await read_body(request, bytes_max=JSON_BYTES_MAX), is_json=True)
    media_type = media_type_of(request)
    if media_type.startswith("image/") or media_type == "application/octet-stream":
        return Body(await read_body(request, bytes_max=service.settings.picture_bytes_max), is_json=False)
    raise ProblemError(ProblemKind.UNSUPPORTED_MEDIA_TYPE)


async def read_picture(body: bytes, service: Service) -> Picture:
    """Make the codes of an uploaded picture, in turn with the others.

    Raises:
        ProblemError: unreadable, too-plain.
    """
    async with service.gates.pictures.work():
        picture = await run_in_threadpool(fingerprint_bytes, body, service.settings, decoder=service.decoder)
    if isinstance(picture, Unreadable):
        raise unreadable(picture.detail)
    if picture.plain:
        raise ProblemError(ProblemKind.TOO_PLAIN)
    return picture


def unreadable(detail: str) -> ProblemError:
    """The refusal of bytes that gave no picture, with the decoder's sentence."""
    return ProblemError(ProblemKind.UNREADABLE, detail[:1].upper() + detail[1:] + ".")


def require_query(request: Request, *known: str) -> None:
    """Refuse parameters that are unknown or stand twice, as unknown members of JSON are: `?use=tdm` is a no to all.

    Raises:
        ProblemError: invalid-request.
    """
    names = [name for name, _ in request.query_params.multi_items()]
    if not set(names) <= set(known) or len(names) != len(set(names)):
        raise invalid_request(known or ("query",))


def credentials(request: Request, scheme: str) -> str | None:
    """What follows `Authorization: SCHEME `. The scheme's case does not matter (RFC 9110 11.1). None: not given."""
    given, _, value = request.headers.get("authorization", "").partition(" ")
    return value.strip() or None if given.lower() == scheme.lower() else None


def wants_page(request: Request) -> bool:
    """Does the asker read HTML rather than JSON?"""
    accept = request.headers.get("accept", "")
    return "text/html" in accept and "json" not in accept


def require_key(request: Request, service: Service, scope: Scope) -> KeyHolder:
    """Who asks, by its key.

    RFC 6750 3: a challenge where no key was given or it is not valid, 403 where it is for something else.

    Raises:
        ProblemError: unauthorized, wrong-scope.
    """
    text = credentials(request, "Bearer")
    holder = verify_key(service.opt_outs.registry, text, scope=None, now=service.clock()) if text else None
    if holder is None:
        raise ProblemError(ProblemKind.UNAUTHORIZED, headers={"WWW-Authenticate": 'Bearer realm="hibs"'})
    if scope not in holder.scopes:
        raise ProblemError(ProblemKind.WRONG_SCOPE)
    return holder
