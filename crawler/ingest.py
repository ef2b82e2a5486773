"""`hibs ingest` of folders and single pictures: code each, record each, name what could not be read.

Pictures are decoded a few at a time in processes (`checker.fingerprint.sandbox`) and recorded in the order of their
names, each in its own transaction: a run that is broken off has lost nothing, and the next one adds the rest.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from pathlib import Path

from checker.console import ExitCode, answer, answer_json, say
from checker.errors import InputError
from checker.fingerprint.pictures import Depth, fingerprint_file, picture_files, read_picture_file
from checker.fingerprint.sandbox import SandboxDecoder
from checker.index.upkeep import Upkeep
from checker.model import Locator, Picture, PictureSeen, Source, Stance, Unreadable, Verdict
from checker.records.folder import DataFolder
from checker.settings import Settings
from checker.signals.embedded import read_picture
from checker.signals.verdict import combine, with_doubt
from crawler.progress import Progress
from crawler.settings import CrawlSettings
from crawler.tally import count_of

_NOT_READ_YET = frozenset(
    {".tar", ".tgz", ".gz", ".zip", ".warc", ".parquet", ".csv", ".tsv", ".txt", ".json", ".jsonl"}
)
_AT_ONCE = 64
"""Files handed to the threads together; bounds what waits to be recorded."""


@dataclass(frozen=True, slots=True)
class FileIn:
    """One file to record."""

    path: Path
    source_name: str
    locator_file: str
    """Relative to the folder as given, "/" between parts."""


@dataclass(slots=True)
class IngestCounts:
    """What one run came to."""

    recorded: int = 0
    """Pictures recorded, whether or not look-ups can find them."""
    new: int = 0
    """Of these, not known before, by their bytes."""
    plain: int = 0
    """Recorded, but too plain to be found again."""
    opted_out: int = 0
    """Recorded, but somebody opted them out, so look-ups do not find them."""
    unreadable: int = 0


def run_command(
    paths: Sequence[Path], settings: Settings, data: Path, *, source_name: str | None, as_json: bool
) -> ExitCode:
    """Record the pictures at `paths` and say what came of it.

    Raises:
        InputError: a path is missing, is of a kind that is not read yet, or there is no picture.
    """
    begin_s = time.monotonic()
    check_paths(paths)
    with (
        DataFolder.open(data, create=True) as folder,
        Upkeep(folder, settings, say),
        Progress(every_s=CrawlSettings().progress_every_s) as progress,
    ):
        counts = ingest(files_in(paths, source_name), folder, settings, progress, now=datetime.now(UTC))
    if counts.recorded + counts.unreadable == 0:
        raise InputError(f"there is no picture in {', '.join(map(str, paths))}; JPEG, PNG, WebP and GIF are read")
    seconds = time.monotonic() - begin_s
    if as_json:
        answer_json({**asdict(counts), "seconds": round(seconds, 1)})
    else:
        found_not = [f"{n} {why}" for n, why in ((counts.plain, "too plain"), (counts.opted_out, "opted out")) if n]
        answer(
            f"{count_of(counts.recorded, 'image')} recorded ({counts.new} new"
            f"{''.join(f', {part}' for part in found_not)}), {counts.unreadable} unreadable, {seconds:.1f} s"
        )
    return ExitCode.PARTLY if counts.unreadable else ExitCode.DONE


def ingest(
    files: Iterator[FileIn], folder: DataFolder, settings: Settings, progress: Progress, *, now: datetime
) -> IngestCounts:
    """Record every file, in order."""
    counts = IngestCounts()
    sources: dict[str, Source] = {}
    # One thread more than processes: none of these waits while a thread reads a file or makes a code.
    waiting = settings.decode_workers + 1
    with SandboxDecoder(settings) as decoder, ThreadPoolExecutor(waiting, thread_name_prefix="pictures") as threads:
        while batch := list(islice(files, _AT_ONCE)):
            depth = Depth.stored(folder.store.counts().images, settings)
            read = partial(_read, settings=settings, decoder=decoder, depth=depth)
            for file, (picture, verdict) in zip(batch, threads.map(read, [file.path for file in batch]), strict=True):
                if isinstance(picture, Unreadable):
                    counts.unreadable += 1
                    say(f"{file.path}: {picture.detail}")
                    continue
                if file.source_name not in sources:
                    sources[file.source_name] = folder.store.source(file.source_name, kind="folder", now=now)
                _record(file, picture, verdict, sources[file.source_name], folder, settings, counts, now)
            progress.show(f"{counts.recorded} pictures recorded, {counts.unreadable} unreadable so far")
    return counts


def check_paths(paths: Sequence[Path]) -> None:
    """Refuse what cannot be read before anything is written.

    Raises:
        InputError: see `run_command`.
    """
    for path in paths:
        if path.suffix.lower() in _NOT_READ_YET and not path.is_dir():
            raise InputError(
                f"{path}: archives and lists ({path.suffix}) are not read yet; unpack the pictures into a folder"
            )
        if not path.exists():
            raise InputError(f"there is no file or folder {path}; check the path")
        if not (path.is_dir() or path.is_file()):
            raise InputError(f"{path} is neither a file nor a folder; give pictures that lie on a disk")


def files_in(paths: Sequence[Path], source_name: str | None) -> Iterator[FileIn]:
    """Every picture file that the paths name, folders with all below them, sorted by name."""
    for path in paths:
        folder = path if path.is_dir() else path.parent
        for file in picture_files([path]):
            yield FileIn(
                path=file,
                source_name=_storable(source_name or folder.resolve().name or str(folder)),
                locator_file=file.relative_to(folder).as_posix(),
            )


def _storable(name: str) -> str:
    """A folder's name may hold bytes that are no UTF-8; a database holds text."""
    return os.fsencode(name).decode("utf-8", "replace")


def _read(
    path: Path, *, settings: Settings, decoder: SandboxDecoder, depth: Depth
) -> tuple[Picture | Unreadable, Verdict | None]:
    """The codes of a file, and what it says of itself; None: nothing."""
    picture = fingerprint_file(path, settings, decoder=decoder, depth=depth)
    body = read_picture_file(path, settings)
    if isinstance(picture, Unreadable) or isinstance(body, Unreadable):
        return picture, None
    verdict = with_doubt(combine(read_picture(body)))
    said = any(stance is not Stance.UNSPECIFIED for stance in verdict.uses.values())
    return picture, verdict if said else None


def _record(
    file: FileIn,
    picture: Picture,
    verdict: Verdict | None,
    source: Source,
    folder: DataFolder,
    settings: Settings,
    counts: IngestCounts,
    now: datetime,
) -> None:
    opted_out = folder.hides(picture, distance_bits_max=settings.opt_out_distance_bits_max)
    seen = PictureSeen(picture=picture, servable=not (picture.plain or opted_out))
    locator = Locator(file=file.locator_file)
    recorded = folder.store.record_file(seen, source=source, locator=locator, now=now, verdict=verdict)
    counts.recorded += 1
    counts.new += recorded.new_image
    counts.plain += picture.plain
    counts.opted_out += opted_out
