"""`hibs check --manifest`: a case of many photos, asked about so that it can be gone on with, shown and verified.

The list stays here: of a photo, a server gets its codes. Answers go into a journal beside what is to be written, and
what is written is the same whether the run was stopped in between or not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from checker.commands.check_ask import ask_folder, ask_server
from checker.commands.check_case_files import CaseFiles, tell_sums, write_case
from checker.commands.check_case_places import require_places, try_places
from checker.commands.check_list import ByLists, require_allowed
from checker.commands.check_progress import CaseProgress
from checker.commands.check_rows import OneByOne, row_state
from checker.commands.check_words import FOUND, answer_lines
from checker.commands.service import service
from checker.console import answer, answer_json, one_line, say
from checker.errors import InputError

if TYPE_CHECKING:
    from checker.client import Client
    from checker.evidence.case import Case
    from checker.evidence.journal import Journal, NoJournal
    from checker.evidence.manifest import Manifest, ManifestRow
    from checker.evidence.snapshot import Snapshot
    from checker.settings import Settings

REASONS = ("write-to-host", "inform-person", "secure-evidence", "count-hosts")
"""What addresses may be needed for (`checker.bulk.told.Reason`, which a test holds equal: to import it takes long)."""


@dataclass(frozen=True, slots=True)
class CaseOptions:
    """What the command was given."""

    paths: tuple[Path, ...]
    manifest: Path | None
    data: Path | None
    server: str | None
    case: str | None
    purpose: str | None
    key_file: Path | None
    reason: str | None
    csv: Path | None
    report: Path | None
    parquet: Path | None
    evidence: Path | None
    as_json: bool

    @property
    def is_case(self) -> bool:
        """Is it one, or photos whose answers are only printed?"""
        return any((self.manifest, self.case, self.purpose, self.key_file, *self.files.named))

    @property
    def files(self) -> CaseFiles:
        """What is to be written."""
        return CaseFiles(self.csv, self.report, self.parquet, self.evidence)


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

    from checker.evidence.bundle import key_path, signing_key
    from checker.evidence.case import read_case
    from checker.evidence.document import Run, case_document
    from checker.evidence.receipts import read_receipts

    if options.reason is not None and options.reason not in REASONS:
        raise InputError(f"--reason is one of {', '.join(REASONS)}")
    case, files = read_case(options.case, options.purpose, required=options.server is not None), options.files
    made_at = _made_at(environ)
    manifest = _manifest(options)
    require_places(files, _inputs(options, manifest, environ), options.data)
    key = signing_key(key_path(environ)) if options.evidence else None
    client, codes = _client(options), read_receipts(manifest.rows)
    if client and options.key_file:
        require_allowed(client, case)
    with _journal(options, manifest, case, settings) as journal, _telling_what_is_kept(journal, manifest, files):
        try_places(files)
        _begin(options, client, manifest, case, settings, journal)
        with _asking(options, client, case, settings, codes, str(journal.began["run"])) as asker:
            answers = _ask_all(asker, manifest.rows, journal, options)
        run = Run(
            case=case,
            command=_command(options, case),
            manifest_sha256=manifest.sha256 or None,
            place=place_of(options),
            sent=_sent(options, answers),
            snapshot=_snapshot(options, client),
            began=str(journal.began["snapshot"]),
            tool_version=version("haveibeenscraped"),
            made_at=made_at or datetime.now(UTC),
        )
        document = case_document(run, manifest.rows, answers)
        write_case(document, files, checkpoint=run.snapshot.checkpoint, key=key)
        journal.remove()
    tell_sums(document, files, key=key, as_json=options.as_json)
    return CaseTally(document["counts"]["found"], document["counts"]["unreadable"])


def _inputs(options: CaseOptions, manifest: Manifest, environ: Mapping[str, str]) -> Iterator[tuple[str, Path]]:
    """What the run reads, each with what it is."""
    from checker.evidence.bundle import key_path

    if options.manifest:
        yield "the list", options.manifest
    if options.key_file:
        yield "the key of --key-file", options.key_file
    if options.evidence:
        yield "the key that signs", key_path(environ)
    for row in manifest.rows:
        yield "a photo", row.file
        if row.receipt:
            yield "a receipt", row.receipt


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


def _client(options: CaseOptions) -> Client | None:
    """The server that is asked. None: a data folder is."""
    from checker.optout.feed_source import read_key_file

    if options.server is None:
        return None
    return service(options.server, key=read_key_file(options.key_file) if options.key_file else None)


@contextmanager
def _asking(
    options: CaseOptions,
    client: Client | None,
    case: Case,
    settings: Settings,
    codes: Mapping[Path, str],
    run: str,
) -> Iterator[OneByOne | ByLists]:
    from checker.fingerprint.sandbox import SandboxDecoder

    if client is not None and options.key_file:
        if options.reason is None:
            say("no --reason was given, so the server tells sources and dates of what it finds, and no addresses")
        with SandboxDecoder(settings) as decoder:
            yield ByLists(client, case, settings, codes, run=run, reason=options.reason, decoder=decoder)
        return
    asking = ask_server(client, settings) if client else ask_folder(options.data or Path(), settings, with_codes=True)
    with asking as ask:
        yield OneByOne(ask, codes, settings)


def _snapshot(options: CaseOptions, client: Client | None) -> Snapshot:
    from checker.evidence.snapshot import folder_snapshot, server_snapshot

    return server_snapshot(client) if client else folder_snapshot(options.data or Path())


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
        "by": "list" if options.key_file else "photo",
        "reason": options.reason,
    }


def _journal(
    options: CaseOptions, manifest: Manifest, case: Case, settings: Settings
) -> AbstractContextManager[Journal | NoJournal]:
    """Beside the first thing that is to be written; where nothing is, there is nothing to go on with."""
    from checker.evidence.journal import Journal, NoJournal

    if options.files.journal is None:
        return nullcontext(NoJournal())
    return Journal(options.files.journal, _asked(options, manifest, case, settings))


@contextmanager
def _telling_what_is_kept(journal: Journal | NoJournal, manifest: Manifest, files: CaseFiles) -> Iterator[None]:
    """However the run ends before its time: what is not lost, and how to go on."""
    try:
        yield
    except BaseException:
        if files.journal and journal:
            say(
                f"{journal.words(len(manifest.rows))}; all of that is kept in {one_line(files.journal)}, and the same "
                "command goes on (to write to another PLACE, rename that file to PLACE.journal first)"
            )
        raise


def _begin(
    options: CaseOptions,
    client: Client | None,
    manifest: Manifest,
    case: Case,
    settings: Settings,
    journal: Journal | NoJournal,
) -> None:
    """Note the state of what is asked, and a number of this run that nobody else has, or go on with what is kept."""
    import secrets

    if not journal.began:
        began = {"snapshot": _snapshot(options, client).id, "run": secrets.token_hex(4)}
        journal.begin(_asked(options, manifest, case, settings), began)
    journal.forget(lambda row, known: row >= len(manifest.rows) or known["state"] != row_state(manifest.rows[row]))
    if journal.resumed:
        say(f"resumed: {journal.words(len(manifest.rows))}")


def _ask_all(
    asker: OneByOne | ByLists, rows: Sequence[ManifestRow], journal: Journal | NoJournal, options: CaseOptions
) -> list[dict[str, Any]]:
    """The answer to every row, in their order; printed as they come."""
    known = dict(journal.answers)
    what = "photos read" if options.key_file else "photos"
    answers: list[dict[str, Any]] = []
    with CaseProgress(len(rows), done=len(known) + len(journal.coded), what=what) as progress:
        for row, answered in zip(rows, asker.answers(rows, known, journal, progress), strict=True):
            answers.append(answered)
            progress.found += any(match["kind"] in FOUND for match in answered["answer"]["matches"])
            progress.unreadable += answered["answer"]["status"] == "unreadable"
            _tell(row, answered["answer"], as_json=options.as_json)
    return answers


def _tell(row: ManifestRow, report: dict[str, Any], *, as_json: bool) -> None:
    """JSON of every row; for a person the photos that were found or could not be read, as thousands were not."""
    from checker.evidence.photo_paths import NO_FILE

    if as_json:
        answer_json({"path": row.path, "claimant": row.claimant, **report})
    elif report["status"] == "unreadable":
        # Where this machine keeps the photos is no part of the report.
        looked = f" (looked for {one_line(row.file.absolute())})" if report["reason"].startswith(NO_FILE) else ""
        say(f"{one_line(row.path)}: {one_line(report['reason'])}{looked}")
    elif report["matches"]:
        for line in answer_lines({"path": row.path, **report}):
            answer(one_line(line))


def _command(options: CaseOptions, case: Case) -> tuple[str, ...]:
    """As it was called, without where it writes, so that the same question gives the same report anywhere."""
    asked = ["--manifest", str(options.manifest)] if options.manifest else [str(path) for path in options.paths]
    place = ["--data", str(options.data)] if options.data else ["--server", str(options.server)]
    why = ["--case", case.reference] if case.reference else []
    why += ["--purpose", case.purpose.value] if case.purpose else []
    why += ["--key-file", str(options.key_file)] if options.key_file else []
    why += ["--reason", options.reason] if options.reason else []
    return ("hibs", "check", *asked, *place, *why)


def _sent(options: CaseOptions, answers: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What left this machine."""
    sent = [one["codes"] for one in answers if one["codes"]] if options.server else []
    kinds = {f"{kind} {code['version']}" for codes in sent for kind, code in codes.items()}
    told: dict[str, Any] = {"to": options.server, "photos": len(sent), "kinds": sorted(kinds)}
    return {**told, "with_case": True, "reason": options.reason} if options.key_file else told
