"""Asking a server: waiting where it is busy, and turning whatever goes wrong into one kind of error.

Problems are RFC 9457 documents. What a server writes in them is shown as text, cut off and on one line; nothing that
was sent is in a message.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from checker.console import one_line
from checker.errors import RemoteError, RemoteProblemError
from checker.remote import Remote, Reply, connect

if TYPE_CHECKING:
    from pydantic import TypeAdapter

T = TypeVar("T")
PAUSES_S = (2.0, 5.0, 10.0, 20.0, 40.0)
"""Before a server that said it is busy is asked again; after the last one that is the answer."""
RETRY_AFTER_S_MAX = 60
"""Who is told to come back later than this is told so: a limit of the day does not go away by waiting."""
_BUSY = (429, 503)
_NOT_PASSED_ON = (502, 504)
"""Of a proxy whose service did not answer it (RFC 9110 15.6.3, 15.6.5). It may have done what was asked."""
_RECORDS_NOTHING = ("/v1/lookups",)
"""A POST to these may be sent again after that; any other could be recorded twice."""
_TEXT_LETTERS_MAX = 400
_SENTENCES = {
    "corpus-empty": "has looked at 0 pictures yet, so it cannot answer; try again later",
    "index-loading": "is still making its list of the day; try again in a minute",
}
_KEYED = ("unauthorized", "wrong-scope")


class Asker:
    """Speaks to one server. Safe to share between threads, but for its counts."""

    def __init__(
        self,
        place: str | Remote,
        *,
        name: str = "",
        key: str | None = None,
        pauses_s: Sequence[float] = PAUSES_S,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        """Speak to `place`.

        Args:
            place: an address ("https://photos.example"), or what answers instead of one.
            name: of the server in messages; its address where empty.
            key: an API key, for what needs one.
            pauses_s: waited before a busy server is asked again, longer where its Retry-After says so. Empty: never.
            pause: waits.
        Raises:
            InputError: the address is none.
            RemoteError: nothing installed reaches servers.
        """
        self._remote = connect(place) if isinstance(place, str) else place
        self.name = name or (place.rstrip("/") if isinstance(place, str) else "the server")
        self._bearer = f"Bearer {key}" if key else None
        self._pauses_s = tuple(pauses_s)
        self._pause = pause
        self.requests = self.bytes_received = 0
        """So far; of answers, without the headers of HTTP."""

    @property
    def has_key(self) -> bool:
        """Was an API key given?"""
        return self._bearer is not None

    def get(
        self,
        path: str,
        *,
        bytes_max: int,
        keyed: bool = False,
        authorization: str | None = None,
        if_none_match: str = "",
        expected: Sequence[int] = (200,),
    ) -> Reply:
        """The answer, of a status that is expected.

        Args:
            keyed: send the key, where there is one.
        Raises:
            RemoteProblemError: any other status.
            RemoteError: nothing was answered.
        """
        tag = {"if_none_match": if_none_match} if if_none_match else {}
        who = self._bearer if keyed else authorization
        return self._ask(
            lambda: self._remote.get(path, bytes_max=bytes_max, authorization=who, **tag), expected, keyed=keyed
        )

    def get_many(self, paths: Sequence[str], *, bytes_max: int, expected: Sequence[int] = (200,)) -> Iterator[Reply]:
        """As `get` for each of these paths, in their order; several requests are under way at once."""
        for path, reply in zip(paths, self._remote.get_many(paths, bytes_max=bytes_max), strict=True):
            if self._pauses_s and _is_busy(reply):
                self._count(reply)
                self._pause(max(self._pauses_s[0], reply.retry_after_s or 0))
                yield self.get(path, bytes_max=bytes_max, expected=expected)
            else:
                yield self._expect(reply, expected, keyed=False)

    def post(
        self, path: str, body: bytes, media_type: str, *, bytes_max: int, keyed: bool = False, expected: int = 200
    ) -> Reply:
        """Send `body`; otherwise as `get`."""
        who = self._bearer if keyed else None
        return self._ask(
            lambda: self._remote.post(path, body, media_type, bytes_max=bytes_max, authorization=who),
            (expected,),
            keyed=keyed,
            repeatable=path in _RECORDS_NOTHING,
        )

    def delete(self, path: str, *, bytes_max: int, keyed: bool = False, authorization: str | None = None) -> Reply:
        """As `get`, with the method DELETE."""
        who = self._bearer if keyed else authorization
        return self._ask(lambda: self._remote.delete(path, bytes_max=bytes_max, authorization=who), (200,), keyed=keyed)

    def read(self, kind: type[T], body: bytes, what: str) -> T:
        """JSON of this form.

        Raises:
            RemoteError: it is of another form; `what` was expected.
        """
        from pydantic import ValidationError

        try:
            answer: T = _adapter(kind).validate_json(body, strict=True)
        except (ValidationError, RecursionError):
            # Without the cause: it repeats what was answered.
            raise RemoteError(
                f"{self.name} answered something that is no {what}; is it a service of this kind?"
            ) from None
        return answer

    def _ask(self, ask: Callable[[], Reply], expected: Sequence[int], *, keyed: bool, repeatable: bool = True) -> Reply:
        reply = ask()
        for pause_s in self._pauses_s:
            if not _is_busy(reply, repeatable=repeatable):
                break
            self._count(reply)
            self._pause(max(pause_s, reply.retry_after_s or 0))
            reply = ask()
        return self._expect(reply, expected, keyed=keyed)

    def _expect(self, reply: Reply, expected: Sequence[int], *, keyed: bool) -> Reply:
        self._count(reply)
        if reply.status in expected:
            return reply
        raise self._problem(reply, keyed=keyed)

    def _count(self, reply: Reply) -> None:
        self.requests += 1
        self.bytes_received += len(reply.body)

    def _problem(self, reply: Reply, *, keyed: bool) -> RemoteProblemError:
        document = _document(reply.body)
        kind = _kind(document)
        detail = one_line(document.get("detail") or document.get("title") or "no reason given")[:_TEXT_LETTERS_MAX]
        if kind in _SENTENCES:
            sentence = f"{self.name} {_SENTENCES[kind]}"
        elif keyed and self._bearer and (kind in _KEYED or reply.status in (401, 403)):
            sentence = (
                f"{self.name} does not accept the key: it is unknown, expired, revoked or for something else; ask its "
                "operator for another"
            )
        elif not document and reply.status in (*_BUSY, *_NOT_PASSED_ON):
            sentence = (
                f"{self.name} answered {reply.status}: it, or a proxy before it, is busy or down; try again later"
            )
        elif not document:
            sentence = f"{self.name} answered {reply.status} and no JSON; is it a service of this kind?"
        else:
            todo = one_line(document.get("next") or "check what was asked, or try again later")[:_TEXT_LETTERS_MAX]
            sentence = f"{self.name} answered {reply.status}: {detail.rstrip('.')}; {todo}"
        if reply.retry_after_s and reply.retry_after_s > RETRY_AFTER_S_MAX:
            sentence = f"{sentence.rstrip('.')}; it asks to wait {_duration(reply.retry_after_s)}"
        places = document.get("places")
        return RemoteProblemError(
            sentence,
            status=reply.status,
            kind=kind,
            detail=detail,
            retry_after_s=reply.retry_after_s,
            places=tuple(map(str, places)) if isinstance(places, list) else (),
        )


def told(answer: Any) -> dict[str, Any]:
    """An answer as the JSON that it was read from."""
    document: dict[str, Any] = _adapter(type(answer)).dump_python(answer, mode="json")
    return document


_adapters: dict[Any, TypeAdapter[Any]] = {}
"""Made once a form: to make one takes longer than to read an answer."""


def _adapter(kind: Any) -> TypeAdapter[Any]:
    from pydantic import TypeAdapter

    if kind not in _adapters:
        _adapters[kind] = TypeAdapter(kind)
    return _adapters[kind]


def _is_busy(reply: Reply, *, repeatable: bool = True) -> bool:
    busy = (*_BUSY, *_NOT_PASSED_ON) if repeatable else _BUSY
    if reply.status not in busy or (reply.retry_after_s or 0) > RETRY_AFTER_S_MAX:
        return False
    return _kind(_document(reply.body)) != "corpus-empty"


def _duration(seconds: int) -> str:
    """Rounded up, so that nobody comes too early.

    >>> _duration(90), _duration(2705), _duration(86_400)
    ('90 s', '46 min', '24 h')
    """
    if seconds < 120:
        return f"{seconds} s"
    return f"{-(-seconds // 60)} min" if seconds < 7200 else f"{-(-seconds // 3600)} h"


def _document(body: bytes) -> dict[str, Any]:
    """A JSON object; empty: it is none."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _kind(document: dict[str, Any]) -> str:
    """Which problem it is: the last part of its type."""
    return str(document.get("type") or "").rpartition("/")[2][:_TEXT_LETTERS_MAX]
