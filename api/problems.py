"""What goes wrong over HTTP, in one shape: RFC 9457 `application/problem+json`.

    {"type": "/problems/too-plain", "title": "...", "status": 422, "detail": "...", "next": "..."}

`type` is a page that says more. `next` is what to do now. Nothing that was sent is ever repeated in an answer, so
neither a log nor a proxy can keep a piece of somebody's photo, code or receipt.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from starlette.responses import Response

from api.words import words

MEDIA_TYPE = "application/problem+json"


class ProblemKind(StrEnum):
    """The closed set; each has a page and three texts in the catalogue (`problem.KIND.title`, `.next`, `.about`)."""

    TOO_PLAIN = "too-plain"
    NOT_A_CODE = "not-a-code"
    UNREADABLE = "unreadable"
    INVALID_REQUEST = "invalid-request"
    TOO_LARGE = "too-large"
    TOO_SLOW = "too-slow"
    UNSUPPORTED_MEDIA_TYPE = "unsupported-media-type"
    RATE_LIMITED = "rate-limited"
    BUSY = "busy"
    CORPUS_EMPTY = "corpus-empty"
    INDEX_LOADING = "index-loading"
    UNAVAILABLE = "unavailable"
    UNAUTHORIZED = "unauthorized"
    WRONG_SCOPE = "wrong-scope"
    FORBIDDEN_ORIGIN = "forbidden-origin"
    BAD_HOST = "bad-host"
    NOT_FOUND = "not-found"
    ASK_OTHERWISE = "ask-otherwise"
    GONE = "gone"
    METHOD_NOT_ALLOWED = "method-not-allowed"
    MALFORMED_REQUEST = "malformed-request"
    TARGET_TOO_LONG = "target-too-long"
    HEAD_TOO_LARGE = "head-too-large"
    INTERNAL_ERROR = "internal-error"


STATUS: Mapping[ProblemKind, int] = {
    ProblemKind.TOO_PLAIN: 422,
    ProblemKind.NOT_A_CODE: 422,
    ProblemKind.UNREADABLE: 422,
    ProblemKind.INVALID_REQUEST: 422,
    ProblemKind.TOO_LARGE: 413,
    ProblemKind.TOO_SLOW: 408,
    ProblemKind.UNSUPPORTED_MEDIA_TYPE: 415,
    ProblemKind.RATE_LIMITED: 429,
    ProblemKind.BUSY: 503,
    ProblemKind.CORPUS_EMPTY: 503,
    ProblemKind.INDEX_LOADING: 503,
    ProblemKind.UNAVAILABLE: 503,
    ProblemKind.UNAUTHORIZED: 401,
    ProblemKind.WRONG_SCOPE: 403,
    ProblemKind.FORBIDDEN_ORIGIN: 403,
    ProblemKind.BAD_HOST: 421,
    ProblemKind.NOT_FOUND: 404,
    ProblemKind.ASK_OTHERWISE: 404,
    ProblemKind.GONE: 410,
    ProblemKind.METHOD_NOT_ALLOWED: 405,
    ProblemKind.MALFORMED_REQUEST: 400,
    ProblemKind.TARGET_TOO_LONG: 414,
    ProblemKind.HEAD_TOO_LARGE: 431,
    ProblemKind.INTERNAL_ERROR: 500,
}
"""RFC 9110 15; 421 is 15.5.20, "not able to produce an authoritative response for the target URI"."""


class ProblemError(Exception):
    """Raised anywhere below a route; the app turns it into the answer.

    Args:
        detail: one sentence about this case, of our own words only; empty: the title says all.
        retry_after_s: whole seconds for `Retry-After`.
        headers: further response headers.
        members: further members of the document.
    """

    def __init__(
        self,
        kind: ProblemKind,
        detail: str = "",
        *,
        retry_after_s: int | None = None,
        headers: Mapping[str, str] | None = None,
        members: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(kind.value)
        self.kind = kind
        self.detail = detail
        self.retry_after_s = retry_after_s
        self.headers = dict(headers or {})
        self.members = dict(members or {})


def problem_document(problem: ProblemError) -> dict[str, Any]:
    """The JSON members."""
    texts = words()
    title = texts.say(f"problem.{problem.kind}.title")
    return {
        "type": f"/problems/{problem.kind}",
        "title": title,
        "status": STATUS[problem.kind],
        "detail": problem.detail or title,
        "next": texts.say(f"problem.{problem.kind}.next"),
        **problem.members,
    }


def problem_response(problem: ProblemError) -> Response:
    """The whole answer. `Retry-After` in seconds (RFC 9110 10.2.3)."""
    headers = problem.headers
    if problem.retry_after_s is not None:
        headers = {**headers, "Retry-After": str(problem.retry_after_s)}
    return Response(
        json.dumps(problem_document(problem), ensure_ascii=True),
        status_code=STATUS[problem.kind],
        media_type=MEDIA_TYPE,
        headers=headers,
    )
