"""The index over a real data folder: building it from SQLite, and finding new codes while it is built anew.

Part of `benchmarks/index.py`; nothing to run here. Writer, builder and asker are processes of their own, as they are in
service. The folder is filled past the store's own functions, in one transaction; what is measured is written by them.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import measuring
import numpy as np
import numpy.typing as npt

from checker.model import PHASH256, Fingerprint, Locator, Picture, Sha256
from checker.records.database import transaction
from checker.records.folder import DataFolder
from checker.settings import Settings
from checker.visits import PictureSeen

Codes = npt.NDArray[np.uint8]
CODES_A_SECOND = 1000
PHASE_SECONDS = 15.0
WATCHED_EVERY = 20
"""Of the new codes, those whose way into answers is timed."""
RADIUS = 31
BUILDS = 3
STUCK_SECONDS = 300
WHAT = f"""One process records {CODES_A_SECOND:,} pictures a second, each in a transaction of its own; one asks, a code
a call (0 to {RADIUS} bits from a stored one), and asks for the newest recorded code again and again until it is found;
in the second row a third writes the whole index anew without pause (`hibs index build --full`). Two CPUs for all."""


def build_table(codes: Codes) -> str:
    """`hibs index build` over a folder of these codes, the first build and everything synced."""
    lines = []
    with _folder_of(codes) as data:
        for compiled in (True, False):
            found = [_in_child(data, compiled=compiled) for _ in range(BUILDS)]
            if all(found):
                best = min(found, key=lambda one: one["seconds"])
                figures = (f"{best['seconds']:.1f}", f"{best['seconds'] / len(codes) * 1e6:.2f}")
                room = (f"{best['bytes'] / len(codes):.0f}", f"{best['peak'] / 1e6:.0f}")
                lines.append([best["kernels"], f"{len(codes) / 1e6:g} M", *figures, *room])
        database = (data / "corpus.db").stat().st_size / len(codes)
    table = measuring.table(("kernels", "codes", "seconds", "us a code", "index bytes a code", "peak MB"), lines)
    return (
        f"{table}\n\n(corpus.db: {database:.0f} bytes a picture, with no addresses in it. The best of {BUILDS} builds.)"
    )


def table(codes: Codes) -> str:
    """How long a new code takes to be found, and a question to be answered."""
    lines = []
    with _folder_of(codes) as data:
        _in_child(data, compiled=True)
        for building in (False, True):
            found = _phase(data, codes, building=building)
            fresh, asked = found.fresh_ms, found.asked_ms
            lines.append(
                [
                    f"{found.builds} builds of {found.build_s:.1f} s" if building else "no build",
                    f"{found.recorded_a_second:,.0f}",
                    *(f"{each:.1f}" for each in np.percentile(fresh, (50, 99, 100))),
                    *(f"{each:.2f}" for each in np.percentile(asked, (50, 99, 100))),
                    f"{found.missed} of {len(asked) + len(fresh):,}",
                ]
            )
    columns = (f"{len(codes) / 1e6:g} M codes and", "recorded a second", "new code found after ms: p50", "p99", "max")
    return measuring.table((*columns, "a question, ms: p50", "p99", "max", "missed"), lines)


@dataclass(frozen=True, slots=True)
class _Phase:
    fresh_ms: Sequence[float]
    asked_ms: Sequence[float]
    missed: int
    recorded_a_second: float
    builds: int
    build_s: float


def _phase(data: Path, codes: Codes, *, building: bool) -> _Phase:
    """Writer, asker and builder at work beside one another for some seconds."""
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        stored, new = Path(folder) / "stored.npy", Path(folder) / "new.npy"
        np.save(stored, codes)
        count = int(CODES_A_SECOND * PHASE_SECONDS)
        random = np.random.default_rng([int(building), 5])
        np.save(new, random.integers(0, 256, (count, codes.shape[1]), dtype=np.uint8))
        committed = context.RawArray("d", count)
        stop, answers, ready = context.Event(), context.Queue(), context.Event()
        asker = context.Process(target=_ask, args=(data, stored, new, committed, ready, stop, answers))
        builder = context.Process(target=_build_on, args=(data, stop, answers))
        asker.start()
        if not ready.wait(STUCK_SECONDS):
            asker.terminate()
            raise SystemExit("the asker did not get ready; what it said stands above")
        if building:
            builder.start()
        writer = context.Process(target=_record, args=(data, new, committed))
        writer.start()
        writer.join()
        stop.set()
        told: dict[str, Any] = {}
        for _ in (asker, builder) if building else (asker,):
            told |= answers.get(timeout=STUCK_SECONDS)
        asker.join()
        if building:
            builder.join()
    builds = told.get("builds", [])
    if min(committed) == 0:
        raise SystemExit("the writer ended before everything was recorded; what it said stands above")
    rate = (count - 1) / (committed[-1] - committed[0])
    mean = sum(builds) / len(builds) if builds else 0.0
    return _Phase(told["fresh"], told["asked"], told["missed"], rate, len(builds), mean)


def _record(data: Path, new: Path, committed: Any) -> None:
    """The writer: one picture after the other, in step."""
    now = datetime.now(UTC)
    with DataFolder.open(data, create=False) as folder:
        source = folder.store.source("new", kind="folder", now=now)
        begin_s = time.monotonic()
        for number, code in enumerate(np.load(new)):
            while (ahead_s := begin_s + number / CODES_A_SECOND - time.monotonic()) > 0:
                time.sleep(ahead_s)
            seen = PictureSeen(_picture(code.tobytes()), servable=True)
            locator = Locator(file=f"{new.parent.name}/{number}")
            folder.store.record_file(seen, source=source, locator=locator, now=now)
            committed[number] = time.monotonic()


def _ask(data: Path, stored: Path, new: Path, committed: Any, ready: Any, stop: Any, answers: Any) -> None:
    """The asker: the newest watched code until it is found, else codes that were there before."""
    from checker.index import kernels
    from checker.index.live import LiveIndex

    kernels.load_compiled()  # as a service does when it starts
    known, coming = np.load(stored, mmap_mode="r"), np.load(new)
    random = np.random.default_rng(11)
    targets = random.integers(0, len(known), 4096)
    asked = np.array(known[targets])
    for number, flips in enumerate(random.integers(0, RADIUS + 1, len(asked))):
        bits = np.unpackbits(asked[number])
        bits[random.permutation(len(bits))[:flips]] ^= 1
        asked[number] = np.packbits(bits)
    fresh: list[float] = []
    seconds: list[float] = []
    missed, watched, number = 0, 0, 0
    with DataFolder.open(data, create=False) as folder, LiveIndex(data, folder.store, PHASH256) as index:
        index.near([asked[0].tobytes()], distance_bits_max=RADIUS)
        ready.set()
        while not stop.is_set():
            # The newest one that is committed: those before it were not asked for in time, and say nothing.
            newest = _newest(committed, watched)
            if newest > watched:
                watched, tries = newest, 0
                code = coming[watched].tobytes()
                while not any(hit.distance_bits == 0 for hit in index.near([code], distance_bits_max=RADIUS).hits):
                    tries += 1
                # A try that began before the commit was over may miss; none that began after it should.
                missed += tries
                fresh.append((time.monotonic() - committed[watched]) * 1e3)
                continue
            number = (number + 1) % len(asked)
            begin_s = time.perf_counter()
            hits = index.near([asked[number].tobytes()], distance_bits_max=RADIUS).hits
            seconds.append((time.perf_counter() - begin_s) * 1e3)
            missed += not any(hit.code_id == targets[number] + 1 for hit in hits)
    answers.put({"fresh": fresh, "asked": seconds, "missed": missed})


def _newest(committed: Any, watched: int) -> int:
    newest = watched
    for number in range(watched + WATCHED_EVERY, len(committed), WATCHED_EVERY):
        if not committed[number]:
            break
        newest = number
    return newest


def _build_on(data: Path, stop: Any, answers: Any) -> None:
    """The builder: everything anew, again and again."""
    seconds = []
    while not stop.is_set():
        seconds.append(_build(data)["seconds"])
    answers.put({"builds": seconds})


def _build(data: Path) -> dict[str, Any]:
    from checker.index.build import build

    begin_s = time.perf_counter()
    with DataFolder.open(data, create=False) as folder:
        (built,) = build(folder, Settings(), now=datetime.now(UTC), full=True)
    return {"seconds": time.perf_counter() - begin_s, "bytes": built.bytes, "peak": _peak()}


def _peak() -> int:
    """Most bytes of memory that this process ever held; `getrusage` would count its parent's as well."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) * 1024


def _built(data: Path, compiled: bool) -> dict[str, Any]:
    """One build, in a process of its own; empty where compiled kernels cannot be had."""
    if not compiled:
        sys.modules["numba"] = None  # type: ignore[assignment]  # as if it were not installed
    from checker.index import kernels

    if compiled and not kernels.load_compiled().in_use:
        return {}
    return {"kernels": kernels.active().name, **_build(data)}


def _in_child(data: Path, *, compiled: bool) -> dict[str, Any]:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_built, data, compiled).result()


@contextmanager
def _folder_of(codes: Codes) -> Iterator[Path]:
    """A data folder with a picture for each code, ids from 1 on in their order."""
    with tempfile.TemporaryDirectory() as parent:
        data = Path(parent) / "data"
        with DataFolder.open(data, create=True) as folder:
            # One by the store itself, so that its kind is there; its id is 1, and it is the first code.
            now = datetime.now(UTC)
            source = folder.store.source("stored", kind="folder", now=now)
            seen = PictureSeen(_picture(codes[0].tobytes()), servable=True)
            folder.store.record_file(seen, source=source, locator=Locator(file="0"), now=now)
            database = folder.store._db
            with transaction(database):
                rows = ((number.to_bytes(32), number) for number in range(2, len(codes) + 1))
                database.conn.executemany(_IMAGE, rows)
                bits = ((number + 1, codes[number].tobytes()) for number in range(1, len(codes)))
                database.conn.executemany(_CODE, bits)
        os.sync()
        yield data


def _picture(code: bytes) -> Picture:
    digest = Sha256(hashlib.sha256(code).hexdigest())
    codes = (Fingerprint(kind=PHASH256, bits=code),)
    return Picture(sha256=digest, byte_size=1, width=1, height=1, format="JPEG", fingerprints=codes, plain=False)


_IMAGE = (
    "INSERT INTO image (sha256, image_id, byte_size, width, height, format, first_seen) "
    "VALUES (?, ?, 1, 1, 1, 'JPEG', '2026-01-01T00:00:00Z')"
)
_CODE = "INSERT INTO code (image_id, kind_id, variant, bits) SELECT ?, min(kind_id), 'whole', ? FROM code_kind"
