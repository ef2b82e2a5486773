"""Asking about one photo after the other: a data folder here, or a server, which gets the photo's codes alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from checker.commands.check_words import answer_lines
from checker.console import one_line
from checker.errors import EmptyCorpusError, RemoteError

if TYPE_CHECKING:
    from checker.model import Picture, Unreadable
    from checker.remote import Reply
    from checker.settings import Settings

_ANSWER_BYTES_MAX = 8 * 2**20
_REASON_LETTERS_MAX = 400
_BUSY = (429, 503)
PAUSES_S = (2.0, 5.0, 10.0, 20.0, 40.0)
"""Before a server that said it is busy is asked again; after the last one the run stops, and can be gone on with."""


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer about one photo."""

    report: dict[str, Any]
    """As `hibs check --json` prints it, without the path."""
    codes: dict[str, dict[str, str]]
    """Codes of the whole by kind: those that were sent, or, asked here, those of a photo with matches."""


Ask = Callable[["bytes | Unreadable"], Answered]
"""Bytes of a file, or why there are none -> the answer."""


@contextmanager
def ask_folder(data: Path, settings: Settings, *, with_codes: bool = False) -> Iterator[Ask]:
    """Ask a data folder. Nothing leaves this machine.

    Args:
        with_codes: give the codes of photos with matches, which costs another decode of these.
    Raises:
        DataError, EmptyCorpusError: it has no answer.
    """
    from datetime import UTC, datetime

    from checker.fingerprint import Depth
    from checker.fingerprint.pictures import fingerprint_bytes
    from checker.fingerprint.sandbox import SandboxDecoder
    from checker.lookup import Checker, report_document
    from checker.model import Unreadable
    from checker.optout.log import require_whole_folder

    require_whole_folder(data)
    with SandboxDecoder(settings) as decoder, Checker.open(data, settings, decoder=decoder) as checker:
        checker.require_pictures()

        def ask(body: bytes | Unreadable) -> Answered:
            now = datetime.now(UTC)
            if isinstance(body, Unreadable):
                return Answered(report_document(checker.check_picture(body, now=now)), {})
            report = checker.check(body, now=now)
            codes = {}
            if report.matches and with_codes:
                codes = _codes(fingerprint_bytes(body, settings, decoder=decoder, depth=Depth.WHOLE))
            return Answered(report_document(report), codes)

        yield ask


@contextmanager
def ask_server(
    server: str, settings: Settings, *, pauses_s: tuple[float, ...] = (), pause: Callable[[float], None] | None = None
) -> Iterator[Ask]:
    """Ask a server by codes.

    Args:
        pauses_s: seconds to wait before it is asked again, where it is busy. Empty: busy is an error.
        pause: waits; `time.sleep` where None.
    """
    import time

    from checker.fingerprint import Depth
    from checker.fingerprint.pictures import fingerprint_bytes
    from checker.fingerprint.sandbox import SandboxDecoder
    from checker.lookup import TOO_PLAIN
    from checker.model import Unreadable
    from checker.remote import connect

    remote = connect(server)
    wait = pause or time.sleep

    def post(body: bytes) -> Reply:
        for seconds in pauses_s:
            reply = remote.post("/v1/lookups", body, "application/json", bytes_max=_ANSWER_BYTES_MAX)
            if reply.status not in _BUSY or _problem(reply.body).endswith("/corpus-empty"):
                return reply
            wait(seconds)
        return remote.post("/v1/lookups", body, "application/json", bytes_max=_ANSWER_BYTES_MAX)

    with SandboxDecoder(settings) as decoder:

        def ask(body: bytes | Unreadable) -> Answered:
            import json

            picture = (
                body
                if isinstance(body, Unreadable)
                else fingerprint_bytes(body, settings, decoder=decoder, depth=Depth.WHOLE)
            )
            if isinstance(picture, Unreadable):
                return Answered(_not_asked("unreadable", picture.detail), {})
            if picture.plain:
                return Answered(_not_asked("too-plain", TOO_PLAIN), {})
            codes = _codes(picture)
            reply = post(json.dumps({"codes": codes}).encode())
            return Answered(_read_reply(reply.status, reply.body, server), codes)

        yield ask


def _codes(picture: Picture | Unreadable) -> dict[str, dict[str, str]]:
    from checker.model import Unreadable

    if isinstance(picture, Unreadable):
        return {}
    return {code.kind.name: {"version": code.kind.version, "hex": code.hex} for code in picture.fingerprints}


def _not_asked(status: str, reason: str) -> dict[str, Any]:
    return {"status": status, "reason": reason, "coverage": None, "matches": []}


def _read_reply(status: int, body: bytes, server: str) -> dict[str, Any]:
    """The row of a server's answer: the members that a row has and no others, each of its form."""
    from checker.report import CheckStatus, MatchKind, Orientation

    document = _json_object(body)
    if document is None:
        raise RemoteError(f"{server} answered {status} with something that is not JSON; is it a service of this kind?")
    if status == 503 and _problem(body).endswith("/corpus-empty"):
        raise EmptyCorpusError(f"{server} has looked at 0 pictures yet, so it cannot answer; try again later")
    if status != 200:
        reason = one_line(document.get("detail") or document.get("title") or "no reason given")[:_REASON_LETTERS_MAX]
        raise RemoteError(f"{server} answered {status}: {reason}; try again later")
    try:
        row = {name: document[name] for name in ("status", "reason", "coverage", "matches")}
        CheckStatus(row["status"])
        for match in row["matches"]:
            MatchKind(match["kind"])
            Orientation(match["orientation"])
        list(answer_lines({"path": "", **row}))  # whatever is shown has to be there
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise RemoteError(f"{server} answered something else than a report; is it a service of this kind?") from error
    return row


def _problem(body: bytes) -> str:
    """The type of a problem document (RFC 9457 3.1.1); empty: it is none."""
    return str((_json_object(body) or {}).get("type", ""))


def _json_object(body: bytes) -> dict[str, Any] | None:
    import json

    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None
