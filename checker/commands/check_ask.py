"""Asking about one photo after the other: a data folder here, or a server, which gets the photo's codes alone.

Whoever holds the withdraw code of an opt-out of a photo is shown where its copies are, which others are not told: such
a match says `"where": "opened"`. The code is used for this and stays in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from checker.errors import RemoteProblemError

if TYPE_CHECKING:
    from datetime import datetime

    from checker.client import Client
    from checker.lookup import Checker
    from checker.model import Picture, Unreadable
    from checker.report import Match, Report
    from checker.settings import Settings


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer about one photo."""

    report: dict[str, Any]
    """As `hibs check --json` prints it, without the path."""
    codes: dict[str, dict[str, str]]
    """Codes of the whole by kind: those that were sent, or, asked here, those of a photo with matches."""


Ask = Callable[["bytes | Unreadable", "str | None"], Answered]
"""Bytes of a file, or why there are none; the withdraw code of an opt-out of it, where there is one -> the answer."""
View = Callable[[str], "Match | None"]
"""The handle of a match -> the match as a holder sees it. None: the holder sees no more than others."""


@contextmanager
def ask_folder(data: Path, settings: Settings, *, with_codes: bool = False) -> Iterator[Ask]:
    """Ask a data folder. Nothing leaves this machine.

    Args:
        with_codes: give the codes of photos with matches, which costs another decode of these.
    Raises:
        DataError, EmptyCorpusError: it has no answer.
    """
    from datetime import UTC, datetime

    from checker.documents import report_document
    from checker.fingerprint import Depth
    from checker.fingerprint.pictures import fingerprint_bytes
    from checker.fingerprint.sandbox import SandboxDecoder
    from checker.lookup import Checker
    from checker.model import Picture, Unreadable
    from checker.optout.log import require_whole_folder

    require_whole_folder(data)
    with SandboxDecoder(settings) as decoder, Checker.open(data, settings, decoder=decoder) as checker:
        checker.require_pictures()

        def ask(body: bytes | Unreadable, withdraw_code: str | None = None) -> Answered:
            now = datetime.now(UTC)
            if isinstance(body, Unreadable):
                return Answered(report_document(checker.check_picture(body, now=now)), {})
            report = checker.check(body, now=now)
            codes = {}
            if report.matches and with_codes:
                from checker.client.client import codes_document  # 0.1 s, for what few ask

                picture = fingerprint_bytes(body, settings, decoder=decoder, depth=Depth.WHOLE)
                codes = codes_document(picture) if isinstance(picture, Picture) else {}
            return Answered(opened_document(report, _view_here(checker, data, withdraw_code, now)), codes)

        yield ask


@contextmanager
def ask_server(client: Client, settings: Settings) -> Iterator[Ask]:
    """Ask a server by codes."""
    from checker.fingerprint.sandbox import SandboxDecoder
    from checker.model import Picture

    with SandboxDecoder(settings) as decoder:
        coded = coder(settings, decoder)

        def ask(body: bytes | Unreadable, withdraw_code: str | None = None) -> Answered:
            from checker.client.client import codes_document

            picture = coded(body)
            if not isinstance(picture, Picture):
                return Answered(picture, {})
            report = client.look_up(picture)
            return Answered(opened_document(report, view_there(client, withdraw_code)), codes_document(picture))

        yield ask


def coder(settings: Settings, decoder: Any) -> Callable[[bytes | Unreadable], Picture | dict[str, Any]]:
    """What makes a picture of the bytes of a file, or, where it cannot be asked about, the report that says why."""
    from checker.fingerprint import Depth
    from checker.fingerprint.pictures import fingerprint_bytes
    from checker.lookup import TOO_PLAIN
    from checker.model import Unreadable

    def coded(body: bytes | Unreadable) -> Picture | dict[str, Any]:
        picture = (
            body
            if isinstance(body, Unreadable)
            else fingerprint_bytes(body, settings, decoder=decoder, depth=Depth.WHOLE)
        )
        if isinstance(picture, Unreadable):
            return _not_asked("unreadable", picture.detail)
        return _not_asked("too-plain", TOO_PLAIN) if picture.plain else picture

    return coded


def opened_document(report: Report, view: View | None) -> dict[str, Any]:
    """A report as JSON, with what is withheld opened where `view` shows it."""
    from checker.documents import match_document, report_document

    document = report_document(report)
    if view is not None:
        for number, match in enumerate(report.matches):
            shown = view(match.handle) if match.withheld and match.handle else None
            if shown is not None and shown.withheld is None:
                places = match_document(shown)["sightings"]
                told = {name: value for name, value in document["matches"][number].items() if name != "withheld"}
                document["matches"][number] = {**told, "where": "opened", "sightings": places}
    return document


def view_there(client: Client, withdraw_code: str | None) -> View | None:
    """What a server shows to the holder of this code. None: there is no code."""
    if withdraw_code is None:
        return None

    def view(handle: str) -> Match | None:
        try:
            return client.image(handle, withdraw_code=withdraw_code)
        except RemoteProblemError as error:
            if error.status == 404:
                return None  # it was erased, or the day of the handle is over
            raise

    return view


def _view_here(checker: Checker, data: Path, withdraw_code: str | None, now: datetime) -> View | None:
    from checker.optout.tokens import withdraw_code_hash
    from checker.records.registry import REGISTRY_FILE, Registry

    if withdraw_code is None or not (data / REGISTRY_FILE).is_file():
        return None
    with closing(Registry.open(data / REGISTRY_FILE)) as registry:
        held = registry.opt_out_by_code(withdraw_code_hash(withdraw_code))
    if held is None:
        return None
    number = held.number
    return lambda handle: checker.opened(handle, number, now=now)


def _not_asked(status: str, reason: str) -> dict[str, Any]:
    return {"status": status, "reason": reason, "coverage": None, "matches": []}
