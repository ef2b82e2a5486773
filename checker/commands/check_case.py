"""`hibs check --manifest`: a case of many photos, asked about so that it can be gone on with, shown and verified.

The list stays here: of a photo, a server gets its codes. Answers go into a journal beside what is to be written, and
what is written is the same whether the run was stopped in between or not.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from checker.commands.check_ask import PAUSES_S, Ask, ask_folder, ask_server
from checker.commands.check_case_files import CaseFiles, tell_sums, write_case
from checker.commands.check_progress import CaseProgress
from checker.commands.check_words import FOUND, answer_lines
from checker.console import answer, answer_json, one_line, say
from checker.errors import InputError, RemoteError

if TYPE_CHECKING:
    from checker.evidence.case import Case
    from checker.evidence.journal import Journal
    from checker.evidence.manifest import Manifest, ManifestRow
    from checker.evidence.snapshot import Snapshot
    from checker.settings import Settings

_AT_ONCE = 4
"""Photos asked about at the same time: one waits for a decoder, one for the index, one for the disk."""


@dataclass(frozen=True, slots=True)
class CaseOptions:
    """What the command was given."""

    paths: tuple[Path, ...]
    manifest: Path | None
    data: Path | None
    server: str | None
    case: str | None
    purpose: str | None
    csv: Path | None
    report: Path | None
    parquet: Path | None
    evidence: Path | None
    as_json: bool

    @property
    def is_case(self) -> bool:
        """Is it one, or photos whose answers are only printed?"""
        return any((self.manifest, self.case, self.purpose, *self.written))

    @property
    def written(self) -> tuple[Path, ...]:
        """What is to be written."""
        return tuple(path for path in (self.evidence, self.csv, self.report, self.parquet) if path)


@dataclass(frozen=True, slots=True)
class CaseTally:
    """What came of it."""

    found: int
    unreadable: int


def check_case(options: CaseOptions, settings: Settings, environ: Mapping[str, str]) -> CaseTally:
    """Ask about every photo of the case and write what was asked for.

    Raises:
        InputError, DataError, RemoteError: an input, the place or an output cannot be used.
    """
    from importlib.metadata import version

    from checker.evidence.bundle import key_path, require_free, signing_key
    from checker.evidence.case import read_case
    from checker.evidence.document import Run, case_document

    case = read_case(options.case, options.purpose, required=options.server is not None)
    made_at = _made_at(environ)
    manifest = _manifest(options)
    key = signing_key(key_path(environ)) if options.evidence else None
    if options.evidence:
        require_free(options.evidence)
    for path in options.written:
        if not path.absolute().parent.is_dir():
            raise InputError(f"there is no folder {one_line(path.parent)} to write {one_line(path.name)} into; make it")
    with _asking(options, settings) as ask, _journal(options, manifest, case, settings) as journal:
        began = _begin(options, manifest, case, settings, journal)
        answers = _ask_all(ask, manifest.rows, journal, options, settings)
        run = Run(
            case=case,
            command=_command(options, case),
            manifest_sha256=manifest.sha256 or None,
            place=place_of(options),
            sent=_sent(options, answers),
            snapshot=_snapshot(options),
            began=began,
            tool_version=version("haveibeenscraped"),
            made_at=made_at or datetime.now(UTC),
        )
        document = case_document(run, manifest.rows, answers)
        files = CaseFiles(options.csv, options.report, options.parquet, options.evidence)
        write_case(document, files, checkpoint=run.snapshot.checkpoint, key=key)
        if journal:
            journal.remove()
    tell_sums(document, files, key=key, as_json=options.as_json)
    return CaseTally(document["counts"]["found"], document["counts"]["unreadable"])


def _manifest(options: CaseOptions) -> Manifest:
    from checker.commands.fingerprint import named_pictures
    from checker.evidence.manifest import Manifest, ManifestRow, read_manifest

    if options.manifest is None:
        rows = tuple(ManifestRow(path=str(path), file=path) for path in named_pictures(list(options.paths)))
        return Manifest(name="", sha256="", rows=rows, not_read=())
    if options.paths:
        raise InputError("give either --manifest or photos, not both")
    manifest = read_manifest(options.manifest)
    if manifest.not_read:
        say(f"columns that are not read: {one_line(', '.join(manifest.not_read[:20]))}")
    return manifest


def _made_at(environ: Mapping[str, str]) -> datetime | None:
    """The moment that the report bears, where it is set from outside (reproducible-builds.org, SOURCE_DATE_EPOCH)."""
    text = environ.get("SOURCE_DATE_EPOCH", "")
    if not text:
        return None
    if not text.isascii() or not text.isdecimal() or len(text) > 11:
        raise InputError("SOURCE_DATE_EPOCH is set and is no number of seconds since 1970; unset it")
    return datetime.fromtimestamp(int(text), UTC)


# --- asking ----------------------------------------------------------------------------------------------------


def _asking(options: CaseOptions, settings: Settings) -> AbstractContextManager[Ask]:
    if options.data:
        return ask_folder(options.data, settings, with_codes=True)
    return ask_server(str(options.server), settings, pauses_s=PAUSES_S)


def _snapshot(options: CaseOptions) -> Snapshot:
    from checker.evidence.snapshot import folder_snapshot, server_snapshot
    from checker.remote import connect

    if options.data:
        return folder_snapshot(options.data)
    return server_snapshot(connect(str(options.server)), str(options.server))


def place_of(options: CaseOptions) -> dict[str, str]:
    """What is asked: a data folder or a server."""
    return {"kind": "folder" if options.data else "server", "name": str(options.data or options.server)}


def _asked(options: CaseOptions, manifest: Manifest, case: Case, settings: Settings) -> dict[str, Any]:
    """What a journal has to be of, to be gone on with."""
    import hashlib
    from importlib.metadata import version

    from checker.fingerprint.robust import RobustModel

    model = RobustModel.of(settings)
    names = "\0".join(row.path for row in manifest.rows).encode("utf-8", "surrogateescape")
    return {
        "tool": version("haveibeenscraped"),
        "list": manifest.sha256 or hashlib.sha256(names).hexdigest(),
        "place": place_of(options),
        "case": case.reference,
        "purpose": case.purpose.value if case.purpose else None,
        "model": model.kind.version if model else None,
        "radius": settings.match_distance_bits_max,
    }


def _journal(
    options: CaseOptions, manifest: Manifest, case: Case, settings: Settings
) -> AbstractContextManager[Journal | None]:
    """Beside the first thing that is to be written. None: nothing is, so nothing can be gone on with."""
    from checker.evidence.journal import Journal

    if not options.written:
        return nullcontext()
    first = options.written[0]
    return Journal(first.with_name(f"{first.name}.journal"), _asked(options, manifest, case, settings))


def _begin(options: CaseOptions, manifest: Manifest, case: Case, settings: Settings, journal: Journal | None) -> str:
    """Note the state of what is asked; gives the id of the state in which the case was begun."""
    if journal is None:
        return _snapshot(options).id
    if not journal.began:
        journal.begin(_asked(options, manifest, case, settings), {"snapshot": _snapshot(options).id})
    elif journal.resumed:
        say(f"resumed: {len(journal.answers):,} of {len(manifest.rows):,} photos are answered already")
    return str(journal.began["snapshot"])


def _ask_all(
    ask: Ask, rows: Sequence[ManifestRow], journal: Journal | None, options: CaseOptions, settings: Settings
) -> list[dict[str, Any]]:
    """The answer to every row, in their order; printed as they come."""
    before = {number: one for number, one in (journal.answers if journal else {}).items() if number < len(rows)}
    known = {number: one for number, one in before.items() if one["state"] == _state(rows[number].file)}
    answers: list[dict[str, Any]] = []
    found = unreadable = 0
    with CaseProgress(len(rows), done=len(known)) as progress, ThreadPoolExecutor(_AT_ONCE) as pool:
        try:
            for number, answered in enumerate(_in_order(pool, ask, rows, known, settings)):
                if journal and number not in known:
                    journal.add(number, answered)
                answers.append(answered)
                found += any(match["kind"] in FOUND for match in answered["answer"]["matches"])
                unreadable += answered["answer"]["status"] == "unreadable"
                _tell(rows[number], answered["answer"], as_json=options.as_json)
                if number not in known:
                    progress.answered(found=found, unreadable=unreadable)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            if journal:
                say(f"{len(answers):,} of {len(rows):,} photos are answered and kept; the same command goes on")
            raise
    return answers


def _in_order(
    pool: ThreadPoolExecutor,
    ask: Ask,
    rows: Sequence[ManifestRow],
    known: Mapping[int, dict[str, Any]],
    settings: Settings,
) -> Iterator[dict[str, Any]]:
    """The answers in the order of the rows, a few asked ahead."""
    ahead: deque[Future[dict[str, Any]] | dict[str, Any]] = deque()
    for number, row in enumerate(rows):
        ahead.append(known[number] if number in known else pool.submit(_ask_one, ask, row, settings))
        if len(ahead) > _AT_ONCE:
            yield _result(ahead.popleft())
    yield from map(_result, ahead)


def _result(answered: Future[dict[str, Any]] | dict[str, Any]) -> dict[str, Any]:
    return answered.result() if isinstance(answered, Future) else answered


def _ask_one(ask: Ask, row: ManifestRow, settings: Settings) -> dict[str, Any]:
    """What the journal keeps of one row."""
    import hashlib

    from checker.evidence.answers import stored_answer
    from checker.fingerprint.pictures import read_picture_file

    state = _state(row.file)
    body = read_picture_file(row.file, settings)
    # More than the limit is not read, so of a file above it there is no digest.
    whole = isinstance(body, bytes) and len(body) <= settings.picture_bytes_max
    answered = ask(body)
    try:
        kept = stored_answer(answered.report)
    except ValueError as error:
        raise RemoteError("the server answered something else than a report; is it a service of this kind?") from error
    return {
        "state": state,
        "sha256": hashlib.sha256(body).hexdigest() if whole and isinstance(body, bytes) else None,
        "codes": answered.codes,
        "answer": kept,
    }


def _state(path: Path) -> list[int] | None:
    """Size and time of the last change: a file that is another one by now is asked about again. None: no file."""
    try:
        seen = path.stat()
    except (OSError, ValueError):
        return None
    return [seen.st_size, seen.st_mtime_ns]


def _tell(row: ManifestRow, report: dict[str, Any], *, as_json: bool) -> None:
    """JSON of every row; for a person the photos that were found or could not be read, as thousands were not."""
    if as_json:
        answer_json({"path": row.path, "claimant": row.claimant, **report})
    elif report["status"] == "unreadable":
        say(f"{one_line(row.path)}: {one_line(report['reason'])}")
    elif report["matches"]:
        for line in answer_lines({"path": row.path, **report}):
            answer(one_line(line))


def _command(options: CaseOptions, case: Case) -> tuple[str, ...]:
    """As it was called, without where it writes, so that the same question gives the same report anywhere."""
    asked = ["--manifest", str(options.manifest)] if options.manifest else [str(path) for path in options.paths]
    place = ["--data", str(options.data)] if options.data else ["--server", str(options.server)]
    why = ["--case", case.reference] if case.reference else []
    why += ["--purpose", case.purpose.value] if case.purpose else []
    return ("hibs", "check", *asked, *place, *why)


def _sent(options: CaseOptions, answers: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What left this machine."""
    sent = [one["codes"] for one in answers if one["codes"]] if options.server else []
    kinds = {f"{kind} {code['version']}" for codes in sent for kind, code in codes.items()}
    return {"to": options.server, "photos": len(sent), "kinds": sorted(kinds)}
