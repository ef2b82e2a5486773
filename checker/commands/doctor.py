"""`hibs doctor`: is everything in order that a service over this data folder needs? A line for each, with what to do.

What `hibs serve` looks at when it starts is asked of the same functions, and what it would make is made in a temporary
folder: nothing is repaired, made or sent. Databases are opened as every command opens them, with locks and all. A check
that cannot be made is not in order.
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from checker.console import ExitCode, answer, answer_json, command, count_of, one_line
from checker.errors import CheckerError, RemoteProblemError

if TYPE_CHECKING:
    from checker.records.registry import Registry
    from checker.settings import Settings

PYTHON_MIN = (3, 11)
SPARE_BYTES = 512 * 2**20
"""Free space below which something is to be done, beside the room for a second copy of the databases and the index."""
SKEW_MAX = timedelta(minutes=5)
EXPIRES_SOON = timedelta(days=30)
PRIVATE_FILES = ("*.db", "*.db-wal", "*.db-shm", "*.db-journal", "*.key", "look-ups.shared")
"""Files that hold what people asked, or secrets; none but the owner may read them."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line."""

    name: str
    detail: str
    what_to_do: str = ""
    """Empty: it is in order."""


Check = Callable[[], Finding]


@command
def doctor(
    data: Annotated[Path, typer.Option(metavar="DIR", help="The data folder.", show_default=False, readable=False)],
    server: Annotated[str | None, typer.Option(metavar="URL", help="Also ask the service at this address.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Look whether a service over a data folder has what it needs. Exit 1: something is to be done.

    hibs doctor --data data/ --server http://127.0.0.1:8000
    """
    import os
    from datetime import UTC

    findings = list(_findings(data, server, os.environ, now=datetime.now(UTC)))
    in_order = not any(found.what_to_do for found in findings)
    if as_json:
        rows = [
            {"check": found.name, "ok": not found.what_to_do, "detail": found.detail, "do": found.what_to_do or None}
            for found in findings
        ]
        answer_json({"ok": in_order, "checks": rows})
    else:
        for found in findings:
            answer(one_line(f"{'DO' if found.what_to_do else 'ok':<4}{found.name:<13}{found.detail}"))
            if found.what_to_do:
                answer(one_line(f"{'':<17}{found.what_to_do}"))
    if not in_order:
        raise typer.Exit(int(ExitCode.PARTLY))


def _findings(data: Path, server: str | None, environ: Mapping[str, str], *, now: datetime) -> Iterator[Finding]:
    from checker.records.folder import CORPUS_FILE, is_file
    from checker.records.registry import REGISTRY_FILE
    from checker.settings import Settings

    yield _python()
    yield _sqlite()
    settings = Settings()
    try:
        settings = Settings.from_environment(environ)
        yield _settings(settings)
    except CheckerError as error:
        yield Finding("settings", one_line(error), "correct or unset it; hibs starts with no such value")
    yield _done("model", lambda: _model(settings))
    if is_file(data / CORPUS_FILE) or is_file(data / REGISTRY_FILE):
        checks: tuple[tuple[str, Check], ...] = (
            ("disk", lambda: _disk(data)),
            ("permissions", lambda: _permissions(data)),
            ("pictures", lambda: _pictures(data)),
            ("index", lambda: _index(data, settings, now)),
            ("handles", lambda: _handles(data)),
            ("log", lambda: _log(data, settings, now)),
            ("audit log", lambda: _audit(data)),
            ("clock", lambda: _clock(data, now)),
            ("keys", lambda: _keys(data, now)),
        )
        for name, check in checks:
            yield _done(name, check)
    else:
        yield Finding(
            "data folder", f"{data} has no {CORPUS_FILE}", "check the path, or make one with hibs crawl or hibs ingest"
        )
    if server:
        yield _done("service", lambda: _service(server))


def _done(name: str, check: Check) -> Finding:
    """What a check found, or what kept it from looking."""
    try:
        return check()
    except CheckerError as error:
        text, _, what_to_do = str(error).partition("; ")
        return Finding(name, text, what_to_do or "mend that, then ask again")
    except OSError as error:
        return Finding(name, f"{error.filename}: {error.strerror}", "check path and permissions")


def _python() -> Finding:
    import sys

    text = ".".join(map(str, sys.version_info[:3]))
    too_old = sys.version_info < PYTHON_MIN
    return Finding("Python", text, f"install {'.'.join(map(str, PYTHON_MIN))} or newer" if too_old else "")


def _sqlite() -> Finding:
    from checker.records.sqlite_library import SOUND, sqlite_version

    version = sqlite_version()
    text = ".".join(map(str, version))
    sound = ".".join(map(str, SOUND))
    return Finding("SQLite", text, "" if version >= SOUND else f"before {sound} a commit can be lost; update pysqlite3")


def _settings(settings: Settings) -> Finding:
    missing = [f"HIBS_{name.upper()}" for name in ("operator", "contact") if not getattr(settings, name)]
    if missing:
        return Finding("settings", f"{' and '.join(missing)} not set: enough for this machine, not to serve others")
    return Finding("settings", f"{settings.operator}, {settings.contact}")


def _model(settings: Settings) -> Finding:
    from checker.fingerprint.robust import RobustModel

    model = RobustModel.of(settings)
    return Finding("model", f"{model.kind.name} is there" if model else "none: copies are found by phash256 alone")


def _disk(data: Path) -> Finding:
    import shutil

    taken = sum(path.stat().st_size for path in data.rglob("*") if path.is_file())
    free = shutil.disk_usage(data).free
    need = taken + SPARE_BYTES
    detail = f"{_mib(free)} free, {_mib(taken)} taken by {data}"
    return Finding("disk", detail, "" if free >= need else f"make room: {_mib(need)} are needed to build anew")


def _permissions(data: Path) -> Finding:
    wrong = [f"chmod 700 {data}"] if stat.S_IMODE(data.stat().st_mode) & 0o077 else []
    files = sorted({path for pattern in PRIVATE_FILES for path in data.glob(pattern)})
    wrong += [f"chmod 600 {path}" for path in files if stat.S_IMODE(path.stat().st_mode) & 0o077]
    if wrong:
        return Finding("permissions", f"others may read {len(wrong)} of {len(files) + 1}", " && ".join(wrong))
    return Finding("permissions", f"{data} and {len(files)} files are its owner's alone")


def _pictures(data: Path) -> Finding:
    from checker.records.folder import CORPUS_FILE, DataFolder

    empty = "look-ups are refused until there is one: hibs crawl or hibs ingest"
    if not (data / CORPUS_FILE).is_file():
        return Finding("pictures", f"there are none ({data} has no {CORPUS_FILE})", empty)
    with DataFolder.open(data, create=False) as folder:
        counts = folder.store.counts()
    return Finding("pictures", f"{counts.images_servable:,} can be found", "" if counts.images_servable else empty)


def _index(data: Path, settings: Settings, now: datetime) -> Finding:
    from checker.index.due import reason_to_build
    from checker.index.live import index_states
    from checker.records.folder import CORPUS_FILE, DataFolder

    if not (data / CORPUS_FILE).is_file():
        return Finding("index", "nothing to look up yet")
    with DataFolder.open(data, create=False) as folder:
        states = index_states(folder)
        reasons = [reason_to_build(folder, settings, kind, now=now) for kind, _ in states]
    damaged = [file for _, state in states for file in state.damaged]
    build = f"hibs index build --data {data}"
    if damaged:
        return Finding("index", f"damaged: {', '.join(damaged)}; the database answers in their place", build)
    if any(reasons):
        why = next(reason for reason in reasons if reason)
        return Finding("index", f"a build is due: {why}", f"{build}; a running service does it by itself")
    codes = sum(state.codes for _, state in states)
    return Finding(
        "index", f"{count_of(codes, 'code')}, {sum(state.tail for _, state in states):,} of them not in its files yet"
    )


@contextmanager
def _registry(data: Path) -> Iterator[Registry]:
    """That of the folder; where it has none an empty one, as a service would begin with."""
    from tempfile import TemporaryDirectory

    from checker.records.registry import REGISTRY_FILE, Registry

    with TemporaryDirectory() as scratch:
        has_one = (data / REGISTRY_FILE).is_file()
        with closing(Registry.open((data if has_one else Path(scratch)) / REGISTRY_FILE)) as registry:
            yield registry


def _handles(data: Path) -> Finding:
    from checker.handles import KEY_FILE, Handles

    if not (data / KEY_FILE).exists():
        return Finding("handles", "no key yet; hibs serve makes it")
    Handles.of_folder(data)
    return Finding("handles", f"{KEY_FILE} is whole")


def _log(data: Path, settings: Settings, now: datetime) -> Finding:
    import secrets
    from tempfile import TemporaryDirectory

    from checker.optout.log import CHECKPOINT_FILE, Log, require_whole_log
    from checker.optout.log_keys import read_keys

    with _registry(data) as registry:
        size = registry.log_size()
        if read_keys(data) or size or (data / CHECKPOINT_FILE).exists():
            require_whole_log(data, registry)
            return Finding("log", f"{count_of(size, 'entry', 'entries')}; what was signed is in registry.db")
    with TemporaryDirectory() as scratch, _registry(Path(scratch)) as registry:
        # A trial: the name of a log is judged when it is made.
        origin = settings.log_origin or None
        Log.open(Path(scratch), registry, now=now, origin=origin, random_bytes=secrets.token_bytes)
    return Finding("log", "there is none yet; hibs serve or hibs opt-out makes it")


def _audit(data: Path) -> Finding:
    from checker.audit.log import CHECKPOINT_FILE, KEY_FILE, AuditLog
    from checker.records.audit import audit_size

    with _registry(data) as registry:
        acts = audit_size(registry)
        if acts or any((data / name).exists() for name in (KEY_FILE, CHECKPOINT_FILE)):
            AuditLog(data, registry).require_whole()
    return Finding("audit log", f"{count_of(acts, 'act')}; hibs audit verify checks each of them")


def _clock(data: Path, now: datetime) -> Finding:
    """Against what this folder signed: a clock that ran ahead and was set back shows, one that always lags does not."""
    signed_at = _signed_at(data)
    if signed_at is None:
        return Finding("clock", f"{now:%Y-%m-%d %H:%M:%S} UTC")
    if signed_at - now > SKEW_MAX:
        return Finding("clock", f"the log was signed {signed_at - now} from now", "set the clock (NTP)")
    return Finding("clock", f"{now:%Y-%m-%d %H:%M:%S} UTC, the log was signed before")


def _signed_at(data: Path) -> datetime | None:
    """When the log was signed last. None: never, or it cannot be told, and then the line about the log says why."""
    from checker.optout.log import CHECKPOINT_FILE
    from checker.optout.log_keys import read_keys
    from checker.optout.note import open_checkpoint

    try:
        keys = [key.verifier for key in read_keys(data)]
        return open_checkpoint((data / CHECKPOINT_FILE).read_bytes(), keys).time
    except (CheckerError, OSError):
        return None


def _keys(data: Path, now: datetime) -> Finding:
    with _registry(data) as registry:
        valid = [row for row in registry.key_rows() if row.revoked_at is None and row.expires_at > now]
    ending = [row for row in valid if row.expires_at - now < EXPIRES_SOON]
    if ending:
        told = ", ".join(f"{row.name} on {row.expires_at:%Y-%m-%d}" for row in ending)
        return Finding("keys", f"{len(valid)} valid; ending soon: {told}", "hibs keys create makes the next one")
    return Finding("keys", count_of(len(valid), "valid API key"))


def _service(server: str) -> Finding:
    import time

    from checker.client import Client

    began_s = time.monotonic()
    try:
        ready = Client(server, pauses_s=()).ready()
    except RemoteProblemError as error:
        return Finding("service", f"{server} answered {error.status}", "see what it wrote to standard error")
    took_ms = (time.monotonic() - began_s) * 1000
    return Finding("service", f"{server} is ready, {count_of(ready.images, 'picture')}, answered in {took_ms:.0f} ms")


def _mib(size: int) -> str:
    return f"{size / 2**20:,.0f} MiB"
