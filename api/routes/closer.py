"""`POST /closer-look`: a look-up by photo for whoever reads the start page without JavaScript.

The answer of `POST /v1/lookups` as a whole page, under the same gate and the same limits, with the same errors as
pages. The one form that is read here: exactly one photo, and the tick that it may be sent. It is taken apart in
memory; a parser that writes large parts to a disk would keep something of the asker. The photo's name is dropped.
"""

from __future__ import annotations

from fastapi import APIRouter, Request
from multipart import MultipartError, MultipartSegment, PushMultipartParser, parse_options_header
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api.answers import answer_words
from api.deps import ServiceDep, require_query
from api.limits import expected_bytes, read_body
from api.problems import ProblemError, ProblemKind
from api.routes.lookup import padded, report_by_picture
from api.words import link, words

router = APIRouter(include_in_schema=False)
PATH = "/closer-look"
PHOTO, TICK, TICKED = "photo", "send", b"yes"
"""Names of the form's two parts, and what a tick says."""
FRAME_BYTES_MAX = 8 * 1024
"""What a form may have beside the photo: boundaries, headers, the tick."""
_PIECE_BYTES = 64 * 1024
"""Taken apart so much at a time: the parser copies what it is given."""


@router.post(PATH)
async def closer_look(request: Request, service: ServiceDep) -> Response:
    """Compare the photo of the form; nothing of it is kept."""
    require_query(request)
    left = service.look_up_limit.take(request, now=service.clock())
    bytes_max = service.settings.picture_bytes_max + FRAME_BYTES_MAX
    # Twice: the form, and the photo that is taken out of it.
    async with service.gates.pictures.place(2 * expected_bytes(request, bytes_max=bytes_max)):
        boundary = _boundary(request.headers.get("content-type", ""))
        photo = _read_form(await read_body(request, bytes_max=bytes_max), boundary)
        report = await report_by_picture(photo, service)
    answer = answer_words(report, service.pages.words, now=service.clock())
    page = service.pages.html("closer.html", answer=answer, server=str(request.base_url).rstrip("/"))
    return HTMLResponse(padded(page.encode()), headers={**left, "Content-Language": words().language})


@router.get(PATH)
async def again() -> Response:
    """Who comes back by the address alone, as by a link to another language, begins at the start."""
    return RedirectResponse(link("/"), 303)


def _boundary(content_type: str) -> str:
    media_type, options = parse_options_header(content_type)
    boundary: str = options.get("boundary", "")
    if media_type != "multipart/form-data" or not boundary:
        raise ProblemError(ProblemKind.UNSUPPORTED_MEDIA_TYPE)
    return boundary


def _read_form(body: bytes, boundary: str) -> bytes:
    """The photo, out of a form of RFC 7578 with one photo and one tick and nothing else.

    Raises:
        ProblemError: invalid-request.
    """
    parts: dict[str, bytearray] = {}
    current = bytearray()
    try:
        with PushMultipartParser(boundary, max_segment_count=2, strict=True) as parser:
            for begin in range(0, len(body), _PIECE_BYTES):
                for event in parser.parse(body[begin : begin + _PIECE_BYTES]):
                    if isinstance(event, MultipartSegment):
                        if event.name not in (PHOTO, TICK) or event.name in parts:
                            raise _incomplete()
                        current = parts[event.name] = bytearray()
                    elif event is not None:
                        current += event
    except (MultipartError, ValueError):
        # Its message may quote what was sent.
        raise _incomplete() from None
    # A browser sends an empty part where no file was chosen, and no part at all where there is no tick.
    photo, tick = parts.get(PHOTO), parts.get(TICK)
    if not photo or not tick or bytes(tick) != TICKED:
        raise _incomplete()
    return bytes(photo)


def _incomplete() -> ProblemError:
    texts = words()
    detail, then = texts.say("closer.incomplete"), texts.say("closer.incomplete-next")
    return ProblemError(ProblemKind.INVALID_REQUEST, detail, members={"next": then})
