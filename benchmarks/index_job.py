"""Measuring one engine in a process of its own, so that memory and time are that engine's. Not to be run by hand.

`measured` starts `python benchmarks/index_job.py JOB.json` with one thread for every library; what it prints last is
the answer. Every question is asked in three rounds and its shortest time counts: the machine is shared.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, process_time
from typing import Any

import numpy as np
from index_peers import ENGINES, NEAREST, Codes, Engine, Found, Ours

ROUNDS = 3
ROUND_SECONDS = 3.0
"""A slow engine is asked fewer questions: as many as fit."""
QUESTIONS_MIN = 40
BATCH_SECONDS = 0.5
BATCH_ROUNDS = 6


@dataclass(frozen=True, slots=True)
class Job:
    """What to measure."""

    engine: str
    codes: str
    """A .npy file, (n, bytes of a code)."""
    rows: int
    """The first ones of it."""
    radius: int
    questions: str
    """An .npz file, see `Questions`."""
    batches: tuple[int, ...] = ()
    """Also ask so many codes a call, one thread and two."""
    nearest: tuple[int, ...] = ()
    """Also ask so many codes a call for the `NEAREST` nearest."""
    near_batches: tuple[int, ...] = ()
    """Also ask so many codes a call, timed a call."""


@dataclass(frozen=True, slots=True)
class Questions:
    """What is asked, and what is right. Near and far ones take turns."""

    codes: Codes
    targets: Any
    """(n,) the row that a question was made from; -1: a far one, made from no stored code."""
    scanned: int
    """The first so many were answered by a scan in numpy."""
    pairs: Any
    """(pairs, 2): question and row, all pairs within the radius among them."""
    nearest: Any
    """(scanned, NEAREST): the distances of the nearest, rising."""


def ask_by_scan(codes: Codes, asked: Codes, radius: int) -> tuple[Any, Any]:
    """The second opinion: every code, word by word. Pairs within the radius, and distances of the nearest."""
    words = asked.view(np.uint64)
    pairs: list[Any] = []
    nearest = np.full((len(asked), NEAREST), 65535, dtype=np.uint16)
    for first in range(0, len(codes), 65_536):
        columns = np.ascontiguousarray(np.array(codes[first : first + 65_536]).view(np.uint64).T)
        for number, query in enumerate(words):
            distance = np.zeros(columns.shape[1], dtype=np.uint16)
            for column, word in zip(columns, query, strict=True):
                distance += np.bitwise_count(column ^ word)
            rows = np.flatnonzero(distance <= radius)
            pairs += [(number, first + int(row)) for row in rows]
            low = distance[distance < nearest[number, -1]]
            nearest[number] = np.sort(np.concatenate([nearest[number], low]))[:NEAREST]
    return np.array(pairs, dtype=np.int64).reshape(-1, 2), nearest


def measured(job: Job) -> dict[str, Any] | None:
    """Run a job. None: this engine cannot be had here; standard error says why."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
    with TemporaryDirectory() as folder:
        path = Path(folder) / "job.json"
        path.write_text(json.dumps(asdict(job)))
        command = [sys.executable, __file__, str(path)]
        done = subprocess.run(command, env=os.environ | threads, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        print(f"({job.engine} was left out)", file=sys.stderr)
        return None
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _run(job: Job, folder: Path) -> dict[str, Any]:
    loaded = {name: array.tolist() if array.ndim == 0 else array for name, array in np.load(job.questions).items()}
    questions = Questions(**loaded)
    engine = ENGINES[job.engine](questions.codes.shape[1] * 8, folder)
    found: dict[str, Any] = {"name": engine.name, "exact": engine.exact, "rows": job.rows}
    if isinstance(engine, Ours):
        found["tables_us"] = min(engine.tables_us(_codes(job)) for _ in range(ROUNDS if job.rows <= 2_000_000 else 1))
    before = _resident()
    build_s = []
    for _ in range(ROUNDS if isinstance(engine, Ours) and job.rows <= 2_000_000 else 1):
        begin_s = perf_counter()
        engine.build(_codes(job))
        build_s.append(perf_counter() - begin_s)
    found["build_us"] = min(build_s) / job.rows * 1e6
    if isinstance(engine, Ours):
        found["pieces"] = engine.pieces()
    found |= _answers(engine, questions, job.radius)
    found["resident"] = _resident() - before
    found["disk"] = engine.bytes_on_disk()
    for size in job.near_batches:
        found[f"near {size}"] = _calls_ms(lambda asked: engine.near(asked, job.radius), questions.codes, size)
    for size in job.nearest:
        found[f"nearest {size}"] = _calls_ms(lambda asked: engine.nearest(asked, NEAREST), questions.codes, size)
    if job.nearest:
        found |= _right_nearest(engine, questions)
    for size in job.batches:
        best = {1: (0.0, 0.0), 2: (0.0, 0.0)}
        for _ in range(BATCH_ROUNDS):  # in turns, so that what else the machine does hits both
            for threads in best:
                rate = _codes_a_second(engine, questions.codes, job.radius, size, threads)
                best[threads] = max(best[threads], rate)
        for threads, (rate, cpus) in best.items():
            found |= {f"{threads} x {size}": rate, f"{threads} x {size} cpus": cpus}
    return found


def _codes(job: Job) -> Codes:
    """Mapped anew each time, so that they are no part of the process's memory in between."""
    codes: Codes = np.load(job.codes, mmap_mode="r")[: job.rows]
    return codes


def _answers(engine: Engine, questions: Questions, radius: int) -> dict[str, Any]:
    """Times and recall, one code a call."""
    asked = questions.codes
    rounds: list[list[float]] = []
    answers: list[Found] = []
    begin_s = perf_counter()
    for number in range(20):
        engine.near(asked[number : number + 1], radius)
    count = min(len(asked), max(QUESTIONS_MIN, int(ROUND_SECONDS / ((perf_counter() - begin_s) / 20))))
    for round_no in range(ROUNDS):
        seconds = []
        for number in range(count):
            query = asked[number : number + 1]
            begin_s = perf_counter()
            answer = engine.near(query, radius)
            seconds.append(perf_counter() - begin_s)
            if not round_no:
                answers.append(answer)
        rounds.append(seconds)
    ms = np.array(rounds).min(axis=0) * 1e3
    targets = questions.targets[:count]
    found = [set(rows.tolist()) for _, rows, _ in answers]
    pairs = {(number, row) for number, row in questions.pairs.tolist() if number < count}
    told = {(number, row) for number in range(min(count, questions.scanned)) for row in found[number]}
    return {
        "asked": count,
        "mean_ms": float(ms.mean()),
        "p50_ms": float(np.median(ms)),
        "p99_ms": float(np.percentile(ms, 99)),
        "targets": int((targets >= 0).sum()),
        "targets_found": sum(int(target) in rows for target, rows in zip(targets, found, strict=True)),
        "pairs": len(pairs),
        "pairs_found": len(pairs & told),
        "pairs_wrong": len(told - pairs),
        "answer_rows": sum(map(len, found)) / count,
    }


def _right_nearest(engine: Engine, questions: Questions) -> dict[str, Any]:
    """How many of the scan's nearest distances the engine's are, as counts: equally near codes are as good."""
    right = 0
    for number in range(questions.scanned):
        _, _, distances = engine.nearest(questions.codes[number : number + 1], NEAREST)
        # Also right where an engine finds less: each of its distances stands against one of the scan's.
        counts = [np.bincount(each, minlength=1024) for each in (distances, questions.nearest[number].astype(np.int64))]
        right += int(np.minimum(*counts).sum())
    return {"nearest_right": right, "nearest_of": questions.scanned * NEAREST}


def _calls_ms(ask: Callable[[Codes], Found], codes: Codes, size: int) -> float:
    """Mean time of a call."""
    batches = [codes[first : first + size] for first in range(0, len(codes) - size + 1, size)]
    begin_s = perf_counter()
    ask(batches[0])
    ask(batches[1])
    count = max(5, min(len(batches), int(ROUND_SECONDS / 4 / ((perf_counter() - begin_s) / 2))))
    rounds = []
    for _ in range(ROUNDS):
        seconds = []
        for batch in batches[:count]:
            begin_s = perf_counter()
            ask(batch)
            seconds.append(perf_counter() - begin_s)
        rounds.append(seconds)
    return float(np.array(rounds).min(axis=0).mean() * 1e3)


def _codes_a_second(engine: Engine, codes: Codes, radius: int, size: int, threads: int) -> tuple[float, float]:
    """Each thread asks calls of its own for a while: codes a second, and how many CPUs the process had meanwhile."""
    batches = [codes[first : first + size] for first in range(0, len(codes) - size + 1, size)]
    counts = [0] * threads
    begin_s, cpu_s = perf_counter(), process_time()

    def ask(thread: int) -> None:
        while perf_counter() - begin_s < BATCH_SECONDS:
            engine.near(batches[(counts[thread] * threads + thread) % len(batches)], radius)
            counts[thread] += 1

    workers = [threading.Thread(target=ask, args=(thread,)) for thread in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    seconds = perf_counter() - begin_s
    return sum(counts) * size / seconds, (process_time() - cpu_s) / seconds


def _resident() -> int:
    """Bytes of memory that are this process's own, its share of mapped files included (PSS)."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    for line in Path("/proc/self/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise SystemExit("this kernel does not tell the memory of a process (/proc/self/smaps_rollup)")


if __name__ == "__main__":
    given = json.loads(Path(sys.argv[1]).read_text())
    lists = {name: tuple(value) for name, value in given.items() if isinstance(value, list)}
    print(json.dumps(_run(Job(**{**given, **lists}), Path(sys.argv[1]).parent)))
