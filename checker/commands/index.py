"""`hibs index`: build what look-ups search, and prove that it is what the database says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from checker.console import ExitCode, answer, answer_json, command, one_line, say

if TYPE_CHECKING:
    from checker.index.build_kind import Built
    from checker.index.verify import Verified
    from checker.model import CodeKind

app = typer.Typer(no_args_is_help=True, help="Build and prove the index that look-ups search.")

DATA_OPTION = Annotated[Path, typer.Option(metavar="DIR", help="The data folder.", show_default=False, readable=False)]
JSON_OPTION = Annotated[bool, typer.Option("--json", help="One JSON document.")]
_CODES_WORTH_A_FIGURE = 100_000
_NICE = 10
"""A build that nobody waits for lets look-ups go first."""


@app.command()
@command
def build(
    data: DATA_OPTION,
    full: Annotated[bool, typer.Option("--full", help="Write everything anew, into as few files as may be.")] = False,
    if_due: Annotated[
        bool, typer.Option("--if-due", help="Only where there is enough new or erased to be worth it; for a timer.")
    ] = False,
    as_json: JSON_OPTION = False,
) -> None:
    """Put new codes into files that are searched without reading them, and take out what was erased or hidden.

    Look-ups go on meanwhile, and find what is in no file yet. A build that is broken off changes nothing.

    Examples:

      hibs index build --data data/

      hibs index build --data data/ --full
    """
    import os
    import time
    from datetime import UTC, datetime

    from checker.index.build import build as build_index
    from checker.records.folder import DataFolder
    from checker.settings import Settings

    settings, begin_s = Settings.from_environment(os.environ), time.monotonic()
    if if_due:
        os.nice(_NICE)
    with DataFolder.open(data, create=False) as folder, _bar("building") as progress:
        kinds = build_index(folder, settings, now=datetime.now(UTC), full=full, if_due=if_due, progress=progress)
    seconds = time.monotonic() - begin_s
    peak = _peak_memory_bytes()
    for kind in kinds:
        for sentence in kind.repaired:
            say(f"repaired: {one_line(sentence)}")
    if as_json:
        answer_json(
            {
                "kinds": [_built_document(kind) for kind in kinds],
                "seconds": round(seconds, 1),
                "peak_memory_bytes": peak,
            }
        )
        return
    for kind in kinds:
        answer(_built_line(kind))
    if not kinds:
        answer("nothing is due" if if_due else "no picture with a code is recorded yet, so there is nothing to build")
    answer(f"{seconds:.1f} s, peak memory {peak / 1e6:,.0f} MB")


@app.command()
@command
def verify(data: DATA_OPTION, as_json: JSON_OPTION = False) -> None:
    """Compare every file and every row with the database, and prove that what was erased is gone.

    Ends with 4 where a file is damaged, a row is wrong, or an erased or hidden code lies in a file for over a day.

    Examples:

      hibs index verify --data data/
    """
    import os
    from datetime import UTC, datetime

    from checker.index.verify import verify as verify_index
    from checker.records.folder import DataFolder
    from checker.settings import Settings

    settings = Settings.from_environment(os.environ)
    with DataFolder.open(data, create=False) as folder, _bar("comparing") as progress:
        kinds = verify_index(folder, settings, now=datetime.now(UTC), progress=progress)
    holds = all(kind.holds for kind in kinds)
    if as_json:
        answer_json({"verified": holds, "kinds": [_verified_document(kind) for kind in kinds]})
    else:
        for kind in kinds:
            for line in _verified_lines(kind):
                answer(line)
        if not kinds:
            answer("no picture with a code is recorded yet, so there is no index")
    if not holds:
        say(f"hibs: the index of {data} does not hold; answers come from the database, `hibs index build` mends it")
        raise typer.Exit(int(ExitCode.UNVERIFIED))


def _peak_memory_bytes() -> int:
    """The most that this process held at once, mapped files included.

    Not from getrusage where there is /proc: that also counts what the process held that started this one.
    """
    import resource

    try:
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _built_document(kind: Built) -> dict[str, Any]:
    return {
        "kind": kind.kind.name,
        "version": kind.kind.version,
        "codes": kind.codes,
        "segments": kind.segments,
        "written": kind.written,
        "aside": kind.aside,
        "bytes": kind.bytes,
        "seconds": round(kind.seconds, 2),
        "repaired": list(kind.repaired),
    }


def _built_line(kind: Built) -> str:
    done = f"{kind.written:,} written in {kind.seconds:.1f} s" if kind.written else "all there already"
    aside = f", {kind.aside:,} of hidden pictures kept out" if kind.aside else ""
    # The tables of a small index are larger than its codes: a figure for each code would only puzzle.
    size = f"{kind.bytes / 1e6:,.1f} MB"
    size += f", {kind.bytes / kind.codes:.0f} bytes a code" if kind.codes >= _CODES_WORTH_A_FIGURE else ""
    files = f"{kind.segments} segment{'' if kind.segments == 1 else 's'}"
    return f"{kind.kind.name} {kind.kind.version}: {kind.codes:,} codes in {files}, {done}{aside}; {size}"


def _verified_document(kind: Verified) -> dict[str, Any]:
    return {
        "kind": kind.kind.name,
        "version": kind.kind.version,
        "holds": kind.holds,
        "segments": kind.segments,
        "rows": kind.rows,
        "tail": kind.tail,
        "damaged": kind.damaged,
        "wrong": kind.wrong,
        "overdue": kind.overdue,
        "waiting": kind.waiting,
    }


def _verified_lines(kind: Verified) -> Iterator[str]:
    files = f"{kind.segments} segment{'' if kind.segments == 1 else 's'}"
    word = "holds" if kind.holds else "DOES NOT HOLD"
    yield (
        f"{kind.kind.name} {kind.kind.version}  {word}: {kind.rows:,} rows in {files} compared with the database, "
        f"{kind.tail:,} codes in no file yet"
    )
    for word, sentences in (
        ("damaged", kind.damaged),
        ("wrong", kind.wrong),
        ("overdue", kind.overdue),
        ("waiting", kind.waiting),
    ):
        for sentence in sentences:
            yield one_line(f"  {word}: {sentence}")


@contextmanager
def _bar(verb: str) -> Iterator[Callable[[CodeKind, float], None]]:
    """A bar for each kind on a terminal; elsewhere nothing, so that logs stay short."""
    import sys

    if not sys.stderr.isatty():
        yield lambda _, __: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (TextColumn(f"{verb} {{task.description}}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        tasks: dict[CodeKind, TaskID] = {}

        def show(kind: CodeKind, share: float) -> None:
            if kind not in tasks:
                tasks[kind] = progress.add_task(kind.name, total=1.0)
            progress.update(tasks[kind], completed=share)

        yield show
