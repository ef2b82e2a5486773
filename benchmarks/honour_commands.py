"""What the command itself costs: `hibs honour` over tars of photos and over codes. Nothing to run here.

Start-up and reading the feed are the same however much is honoured, and grow with the feed. So each figure is taken
from two runs: what the larger one took more, by what it did more. The median of `TRIES` such pairs counts, of processor
time (all processes of the command) and of wall time; the second depends on what else the machine does.
"""

from __future__ import annotations

import io
import os
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import measuring
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

HIBS = (sys.executable, "-m", "checker")
TRIES = 3
TARS, TARS_FEW = 30, 2
PARTS = {10_000: (100, 10), 262_144: (5, 1)}
"""Rows a part: parts of the larger and of the smaller run."""
ROWS_A_SECOND, SPEED_SHARE, MEMORY_SHARE = 200_000, 0.9, 1.2


@dataclass(frozen=True, slots=True)
class Run:
    """What a command cost."""

    cpu_s: float
    """Its own and its workers'."""
    wall_s: float
    peak_bytes: int
    """Most resident in one process."""


def reached(is_so: bool) -> str:
    """For a table."""
    return "yes" if is_so else "no"


def tars_table(feeds: dict[str, Path], photos: list[Path]) -> str:
    """`hibs honour` over tars of photos beside `hibs fingerprint --out` of the same tars."""
    rows = []
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        first = _tar(folder / "00000.tar", photos)
        tars = [first, *(_again(first, folder / f"{number:05}.tar") for number in range(1, TARS))]
        pictures = (TARS - TARS_FEW) * len(photos)
        begin = _pairs(lambda chosen: _coded(folder / "codes", chosen), tars[:TARS_FEW], tars)
        rows.append(["fingerprint --out", *_speeds(begin, pictures), "", "", ""])
        for entries, feed in feeds.items():
            pairs = _pairs(lambda chosen, feed=feed: _run("honour", "--feed", feed, *chosen), tars[:TARS_FEW], tars)  # type: ignore[misc]
            shares = [_per_second(pairs, pictures, clock) / _per_second(begin, pictures, clock) for clock in _CLOCKS]
            memory = max(large.peak_bytes for _, large in pairs) / max(small.peak_bytes for small, _ in pairs)
            rows.append(
                [
                    f"honour, {entries} entries",
                    *_speeds(pairs, pictures),
                    f"{shares[0]:.2f}, {shares[1]:.2f} ({SPEED_SHARE}: {reached(shares[0] >= SPEED_SHARE)})",
                    f"{statistics.median(small.cpu_s for small, _ in pairs):.1f}",
                    f"{memory:.2f} ({MEMORY_SHARE}: {reached(memory <= MEMORY_SHARE)})",
                ]
            )
    columns = (
        f"{pictures:,} pictures in tars",
        "a second of processor",
        "a second of wall time",
        "share of fingerprint by each (goal)",
        "s of processor for the smaller run",
        "memory of the larger by the smaller (goal)",
    )
    return measuring.table(columns, rows)


def codes_table(feeds: dict[str, Path], asked: npt.NDArray[np.uint64]) -> str:
    """`hibs honour` over codes that were made before, in parts of several sizes."""
    rows = []
    with tempfile.TemporaryDirectory() as made:
        for rows_a_part, (many, few) in PARTS.items():
            folder = Path(made, str(rows_a_part))
            folder.mkdir()
            first = _codes(folder / "00000.parquet", np.resize(asked, (rows_a_part, asked.shape[1])))
            parts = [first, *(_again(first, folder / f"{number:05}.parquet") for number in range(1, many))]
            count = (many - few) * rows_a_part
            for entries, feed in feeds.items():
                pairs = _pairs(lambda chosen, feed=feed: _run("honour", "--feed", feed, *chosen), parts[:few], parts)  # type: ignore[misc]
                speed = _per_second(pairs, count, _CLOCKS[0])
                goal = [f"{ROWS_A_SECOND:,}", reached(speed >= ROWS_A_SECOND)]
                rows.append([entries, f"{rows_a_part:,}", f"{count:,}", *_speeds(pairs, count), *goal])
    columns = ("entries", "rows a part", "rows", "a second of processor", "a second of wall time", "goal", "reached")
    return measuring.table(columns, rows)


Pairs = list[tuple[Run, Run]]
_CLOCKS: tuple[Callable[[Run], float], ...] = (lambda run: run.cpu_s, lambda run: run.wall_s)


def _pairs(work: Callable[[Sequence[Path]], Run], few: Sequence[Path], many: Sequence[Path]) -> Pairs:
    return [(work(few), work(many)) for _ in range(TRIES)]


def _per_second(pairs: Pairs, count: int, clock: Callable[[Run], float]) -> float:
    return count / statistics.median(clock(large) - clock(small) for small, large in pairs)


def _speeds(pairs: Pairs, count: int) -> list[str]:
    return [f"{_per_second(pairs, count, clock):,.0f}" for clock in _CLOCKS]


def _coded(folder: Path, chosen: Sequence[Path]) -> Run:
    with tempfile.TemporaryDirectory(dir=folder.parent) as codes:
        return _run("fingerprint", "--out", Path(codes), *chosen)


def _tar(path: Path, photos: list[Path]) -> Path:
    with tarfile.open(path, "w") as file:
        for number, photo in enumerate(photos):
            member, body = tarfile.TarInfo(f"{number:06}.jpg"), photo.read_bytes()
            member.size = len(body)
            file.addfile(member, io.BytesIO(body))
    return path


def _codes(path: Path, asked: npt.NDArray[np.uint64]) -> Path:
    """A table of codes with keys and addresses, as of a dataset with 3,000 hosts."""
    numbers = range(len(asked))
    codes = pa.FixedSizeBinaryArray.from_buffers(pa.binary(32), len(asked), [None, pa.py_buffer(asked.tobytes())])
    keys = [f"{number:09}" for number in numbers]
    urls = [f"https://host{number % 3_000}.example/{number}.jpg" for number in numbers]
    pq.write_table(pa.table({"key": keys, "url": urls, "phash256": codes}), path, compression="zstd")
    return path


def _again(path: Path, other: Path) -> Path:
    os.link(path, other)
    return other


def _run(*arguments: str | Path) -> Run:
    """Run a command; 1 is how it ends when some rows were not checked."""
    command = [*HIBS, *map(str, arguments)]
    environment = {**os.environ, "HIBS_ROBUST": "off", "HIBS_DECODE_WORKERS": "1", "OMP_NUM_THREADS": "1"}
    begin_s = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment)
    assert process.stderr is not None
    errors = process.stderr.read()
    _, status, used = os.wait4(process.pid, 0)
    wall_s = time.perf_counter() - begin_s
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 1):
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}: {errors.decode()}")
    return Run(used.ru_utime + used.ru_stime, wall_s, used.ru_maxrss * 1024)
