"""What a route works with: one `Service` made by the app, and the reading of requests that several routes share."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Request
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool

from api.limits import JSON_BYTES_MAX, DailyQuota, Gates, read_body
from api.pages import Pages
from api.problems import MEDIA_TYPE as PROBLEM
from api.problems import ProblemError, ProblemKind
from api.rates import LookUpLimit
from api.schemas.requests import invalid_request
from api.together import Together
from api.transparency import Transparency
from api.words import words
from checker.bulk.jobs import BulkJobs
from checker.fingerprint import Decoder, fingerprint_bytes
from checker.index.daily import DailyLists
from checker.keys import KeyHolder, Scope, verify_key
from checker.lookup import TOGETHER_MAX, Checker
from checker.model import Fingerprint, Picture, Unreadable
from checker.optout.request import OptOuts
from checker.report import Report
from checker.settings import Settings

JSON, HTML = "application/json", "text/html"
_QVALUE = re.compile(r"0(\.\d{0,3})?|1(\.0{0,3})?")
"""A weight (RFC 9110 12.4.2)."""
RANGES_MAX = 32
"""Of an `Accept`; browsers send eight. What comes after is not read."""


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
        return Body(await read_json_body(request), is_json=True)
    media_type = media_type_of(request)
    if media_type.startswith("image/") or media_type == "application/octet-stream":
        return Body(await read_body(request, bytes_max=service.settings.picture_bytes_max), is_json=False)
    raise ProblemError(ProblemKind.UNSUPPORTED_MEDIA_TYPE)


async def read_json_body(request: Request, *, bytes_max: int = JSON_BYTES_MAX) -> bytes:
    """Read JSON, which nobody can be told to save smaller.

    Raises:
        ProblemError: too-large, too-slow.
    """
    try:
        return await read_body(request, bytes_max=bytes_max)
    except ProblemError as error:
        if error.kind is ProblemKind.TOO_LARGE:
            texts = words()
            error.detail = texts.say("problem.too-large.json", limit=f"{bytes_max // 1024} KiB")
            error.members["next"] = texts.say("problem.too-large.json-next")
        raise


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
    names, texts = [name for name, _ in request.query_params.multi_items()], words()
    if not set(names) <= set(known):
        # Its name came from outside and is not repeated.
        few = "parameter" if known else "no-parameters"
        raise invalid_request(("query",), texts.say(f"problem.invalid-request.{few}", known=", ".join(known)))
    if twice := [name for name in known if names.count(name) > 1]:
        raise invalid_request(twice, texts.say("problem.invalid-request.twice", names=", ".join(twice)))


async def known_query(request: Request) -> None:
    """`require_query` with the parameters of the route that answers: what every route for programs depends on.

    Raises:
        ProblemError: invalid-request.
    """
    if not request.scope["query_string"]:
        return  # as with nearly all of them
    route = request.scope["route"]
    assert isinstance(route, APIRoute)
    require_query(request, *(parameter.alias for parameter in route.dependant.query_params))


def credentials(request: Request, scheme: str) -> str | None:
    """What follows `Authorization: SCHEME `. The scheme's case does not matter (RFC 9110 11.1). None: not given."""
    given, _, value = request.headers.get("authorization", "").partition(" ")
    return value.strip() or None if given.lower() == scheme.lower() else None


def wants_page(request: Request) -> bool:
    """Does the asker read HTML rather than JSON? Where both are as welcome, as without `Accept`, it is JSON."""
    accept = ",".join(request.headers.getlist("accept"))
    return welcome(accept, HTML) > max(welcome(accept, JSON), welcome(accept, PROBLEM))


def welcome(accept: str, media_type: str) -> float:
    """The weight of a media type: that of the most specific range which it falls into (RFC 9110 12.5.1).

    Args:
        accept: the value of `Accept`. Empty: everything is welcome.
        media_type: as "text/html"; with parameters, as "text/plain;format=flowed", in a range of these as well.
    Returns:
        0 (refused) to 1. A range whose weight is none is as if it were not there.
    """
    offered, own = _range(media_type)
    kind = offered.partition("/")[0]
    found: dict[tuple[int, int], float] = {}
    for given in accept.split(",", RANGES_MAX)[:RANGES_MAX] if accept.strip() else ("*/*",):
        name, options = _range(given)
        weight = options.pop("q", "1")
        if name not in (offered, f"{kind}/*", "*/*") or not _QVALUE.fullmatch(weight):
            continue
        options.pop("charset", None)  # all text here is UTF-8, and says so
        if options.items() <= own.items():
            rank = (("*/*", f"{kind}/*", offered).index(name), len(options))
            found[rank] = max(float(weight), found.get(rank, 0.0))
    return found[max(found)] if found else 0.0


def _range(text: str) -> tuple[str, dict[str, str]]:
    """A media range or type and its parameters, in lower case; nothing that is made here has one with a comma in it."""
    name, *given = (part.strip().lower() for part in text.split(";"))
    pairs = (one.partition("=") for one in given if one)
    return name, {key.strip(): value.strip().strip('"') for key, _, value in pairs}


def require_key(request: Request, service: Service, scope: Scope) -> KeyHolder:
    """Who asks, by its key.

    RFC 6750 3.1: a challenge where no key was given or it is not valid, 403 where it is for something else.

    Raises:
        ProblemError: unauthorized, wrong-scope.
    """
    text = credentials(request, "Bearer")
    holder = verify_key(service.opt_outs.registry, text, scope=None, now=service.clock()) if text else None
    if holder is None:
        challenge = 'Bearer realm="hibs", error="invalid_token"' if text else 'Bearer realm="hibs"'
        raise unauthorized("ended" if text else "key", challenge, scope=scope)
    if scope not in holder.scopes:
        raise ProblemError(ProblemKind.WRONG_SCOPE, words().say("problem.wrong-scope.detail", scope=scope))
    return holder


def unauthorized(why: str, challenge: str, **values: str) -> ProblemError:
    """The refusal of whoever lacks a key or code, with what is missing and how to send it (RFC 9110 11.6.1).

    Args:
        why: which sentences of the catalogue.
        values: what they have to be filled with.
    """
    texts = words()
    detail = texts.say(f"problem.unauthorized.{why}", **values)
    then = texts.say(f"problem.unauthorized.{why}-next", **values)
    headers = {"WWW-Authenticate": challenge}
    return ProblemError(ProblemKind.UNAUTHORIZED, detail, headers=headers, members={"next": then})
