"""`GET /v1/alerts/{token}`: new copies of the pictures of one opt-out, as an Atom feed (RFC 4287).

The address is the secret (checker/optout/alerts.py), because a feed reader sends no header of ours. It opens the list
of new sightings and nothing else. Addresses in it are text of strangers: shown, never linked and never fetched. No log
keeps the path or the reader; metrics know `alerts` alone.
"""

from __future__ import annotations

import hashlib
from typing import Annotated
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from api.deps import ServiceDep
from api.problems import ProblemError, ProblemKind
from api.routes.private import has_it
from api.schemas.told import answers
from api.words import DEFAULT_LANGUAGE, LANGUAGES, Words, catalogue, prefix, words
from checker.console import one_line
from checker.model import Sighting, utc_text
from checker.optout.alerts import ENDED, Alert, alerts_of, alerts_token, feed_id, opt_out_of_token
from checker.optout.states import Status
from checker.optout.tokens import withdraw_code_hash

router = APIRouter(prefix="/v1/alerts", tags=["opt-out"])
ATOM = "http://www.w3.org/2005/Atom"
MEDIA_TYPE = "application/atom+xml"
MAX_AGE_S = 60
"""A new copy is told within a minute. A reader that has the newest is answered with 304."""
LETTERS_MAX = 1_000
"""Of one text of a stranger: a caption may be a page long."""


@router.get(
    "/{token}",
    summary="New copies since an opt-out, as an Atom feed. The token is told with the opt-out and opens nothing else.",
    response_class=Response,
    responses=answers(
        None,
        *(ProblemKind.NOT_FOUND, ProblemKind.GONE),
        application__atom_plus_xml={"type": "string"},
    ),
)
async def alerts(
    token: str,
    request: Request,
    service: ServiceDep,
    language: Annotated[
        str | None,
        Query(pattern=f"^({'|'.join(LANGUAGES)})$", description="Of the words in it; without it, of the request."),
    ] = None,
) -> Response:
    """One entry for each place, under an id that stays; 410 once the opt-out is withdrawn or erased."""
    found = await run_in_threadpool(opt_out_of_token, service.opt_outs, token, now=service.clock())
    if found is None:
        raise ProblemError(ProblemKind.NOT_FOUND)
    if found.state in ENDED:
        raise ProblemError(ProblemKind.GONE)
    news = await run_in_threadpool(alerts_of, service.opt_outs, found)
    spoken = catalogue(language) if language else words()
    feed = atom_feed(found, news, spoken, address=str(request.url), page=_page(request, found.number, spoken))
    headers = {
        "ETag": f'"{hashlib.sha256(feed).hexdigest()[:32]}"',
        "Cache-Control": f"private, max-age={MAX_AGE_S}",
        "Vary": "Accept-Language",
        # Whoever publishes their address by mistake is not found by it.
        "X-Robots-Tag": "noindex",
    }
    if has_it(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return Response(feed, media_type=MEDIA_TYPE, headers=headers)


def alerts_address(request: Request, number: str, code: str) -> str:
    """Where the holder of this withdraw code hears of new copies, in the language of the request."""
    spoken = words().language
    query = "" if spoken == DEFAULT_LANGUAGE else f"?language={spoken}"
    return f"{request.base_url}v1/alerts/{alerts_token(number, withdraw_code_hash(code))}{query}"


def atom_feed(status: Status, news: tuple[Alert, ...], texts: Words, *, address: str, page: str) -> bytes:
    """The feed document. Its bytes change only when there is something new.

    Args:
        address: its own (RFC 4287 4.2.7.2, "self").
        page: where the holder of the withdraw code reads more; no secret is in it.
    """
    feed = ET.Element("feed", {"xmlns": ATOM, "xml:lang": texts.language})
    newest = max((alert.sighting.first_seen for alert in news), default=status.recorded_at)
    _add(feed, "id", feed_id(status.number))
    _add(feed, "title", texts.say("alerts.title", number=status.number))
    _add(feed, "subtitle", texts.say("alerts.about"))
    _add(feed, "updated", utc_text(newest))
    _add(ET.SubElement(feed, "author"), "name", texts.say("site.name"))
    ET.SubElement(feed, "link", rel="self", type=MEDIA_TYPE, href=address)
    ET.SubElement(feed, "link", rel="alternate", type="text/html", href=page)
    for alert in news:
        entry, seen = ET.SubElement(feed, "entry"), utc_text(alert.sighting.first_seen)
        _add(entry, "id", alert.id)
        _add(entry, "title", texts.say("alerts.new", place=_where(alert.sighting)))
        _add(entry, "published", seen)
        _add(entry, "updated", seen)
        _add(entry, "content", "\n".join(_facts(alert.sighting, texts)))
    document: bytes = ET.tostring(feed, encoding="utf-8", xml_declaration=True)
    return document


def _add(parent: ET.Element, name: str, text: str) -> None:
    """A member with plain text; where RFC 4287 has a `type`, "text" is the default (3.1.1, 4.1.3.1)."""
    ET.SubElement(parent, name).text = text


def _facts(sighting: Sighting, texts: Words) -> list[str]:
    """Nothing that changes later, or the entry would: not when we looked last, nor what that look gave."""
    record = sighting.locator.file if sighting.locator else None
    named = {
        "place.page": sighting.page_url,
        "place.image": sighting.image_url,
        "place.caption": sighting.caption,
        "place.source": sighting.source.name,
        "place.record": record,
    }
    facts = [texts.say("alerts.fact", name=texts.say(key), value=_shown(text)) for key, text in named.items() if text]
    return [*facts, texts.say("place.seen-once", first=texts.day(sighting.first_seen))]


def _where(sighting: Sighting) -> str:
    """The host, or the source where it was met in a file."""
    host = urlsplit(sighting.page_url or sighting.image_url or "").netloc
    return _shown(host or sighting.source.name)


def _shown(text: str) -> str:
    # Without control characters, which XML 1.0 cannot hold, nor any that would turn a line round.
    return one_line(text if len(text) <= LETTERS_MAX else f"{text[:LETTERS_MAX]}…")


def _page(request: Request, number: str, texts: Words) -> str:
    return f"{str(request.base_url).rstrip('/')}{prefix(texts.language)}/receipts#{number}"
