"""Honouring opt-outs: milliseconds a decision, rows a second, pictures a second beside fingerprinting, memory.

`python benchmarks/honour.py [--entries N] [--photos FOLDER] [--cache FOLDER] [--only SECTION...]`

Prints Markdown tables, each goal beside what was measured. Codes are modelled on those of real photos
(`index_codes.py`); questions are codes of windows of photos, far from all entries; one in twenty lies within 31
bits of an entry, turned in one of eight ways. One thread each. A million entries take some four minutes and 1.5 GB of
disk.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import honour_commands
import honour_made
import index_codes
import measuring
import numpy as np
import numpy.typing as npt
from honour_commands import reached

from checker.fingerprint.cosine import turned_bits
from checker.index import turned
from checker.index.turned import compiled_loops
from checker.model import PHASH256, Fingerprint
from checker.optout.honour import OptOutTable, read_table
from checker.settings import Settings

CHECKOUT = Path(__file__).resolve().parent.parent
SECTIONS = ("memory", "single", "rows", "codes", "tars")
ASKED_ONE_BY_ONE, ASKED_TOGETHER = 2_000, 1 << 18
DELTA = 1_000
PHOTOS_A_TAR = 150
P99_MS, ROWS_A_SECOND = 5.0, 200_000
Codes = npt.NDArray[np.uint8]
Rows = list[list[str]]


def questions(photos: list[Path], stored: Codes, count: int) -> npt.NDArray[np.uint64]:
    """Codes to decide about, (count, 4)."""
    random = np.random.default_rng(3)
    asked, _ = index_codes.windows(photos, min(count, 100_000), seed=7, smallest=0.6)
    asked = np.resize(asked, (count, asked.shape[1]))
    near = np.arange(0, count, 20)
    targets = index_codes.flipped(stored[random.integers(0, len(stored), len(near))], 31, random)
    turns = random.integers(0, 8, len(near))
    chosen = (turned_bits(code.tobytes())[turn] for code, turn in zip(targets, turns, strict=True))
    asked[near] = np.frombuffer(b"".join(chosen), dtype=np.uint8).reshape(-1, asked.shape[1])
    return asked.view(np.uint64)


def with_kernels(name: str, work: Callable[[], float]) -> float | None:
    """Measure with one of the two kernels. None: it cannot be had here."""
    compiled_loops.cache_clear()
    turned.COMPILED_FROM = 0 if name == "compiled" else 1 << 62
    return work() if name == "numpy" or compiled_loops() is not None else None


# --- sections --------------------------------------------------------------------------------------------------


def single_table(table: OptOutTable, asked: npt.NDArray[np.uint64]) -> str:
    """One decision at a time, coding not counted."""
    rows: Rows = []
    codes = [Fingerprint(PHASH256, row.tobytes()) for row in asked[:ASKED_ONE_BY_ONE]]
    for name in ("compiled", "numpy"):
        took: list[float] = []

        def ask(took: list[float] = took) -> float:
            table.decide_codes(codes[:1])  # the order of pieces is made at the first question
            for code in codes:
                begin_s = time.perf_counter()
                table.decide_codes([code])
                took.append((time.perf_counter() - begin_s) * 1e3)
            return float(np.percentile(took, 99))

        p99 = with_kernels(name, ask)
        if p99 is not None:
            p50 = float(np.percentile(took, 50))
            rows.append([name, f"{p50:.2f}", f"{p99:.2f}", f"{max(took):.2f}", f"{P99_MS:g}", reached(p99 < P99_MS)])
    return measuring.table(("kernels", "p50 ms", "p99 ms", "most ms", "goal p99", "reached"), rows)


def rows_table(tables: dict[str, OptOutTable], asked: npt.NDArray[np.uint64]) -> str:
    """Codes that were made before, all at once."""
    rows: Rows = []
    for what, table in tables.items():
        for name in ("compiled", "numpy"):
            count = ASKED_TOGETHER if name == "compiled" else ASKED_TOGETHER // 16

            def ask(table: OptOutTable = table, count: int = count) -> float:
                table.decide_codes_many(asked[:64])
                begin_s = time.process_time()
                table.decide_codes_many(asked[:count])
                return count / (time.process_time() - begin_s)

            speed = with_kernels(name, ask)
            if speed is not None:
                goal = f"{ROWS_A_SECOND:,}"
                rows.append([what, name, f"{count:,}", f"{speed:,.0f}", goal, reached(speed >= ROWS_A_SECOND)])
    return measuring.table(("entries", "kernels", "rows", "rows a second and core", "goal", "reached"), rows)


def memory_table(feed: Path) -> str:
    """What a process holds that decides by this feed, and the most that it held; megabytes beyond its imports."""
    told = subprocess.run([sys.executable, "-c", _RESIDENT, str(feed)], check=True, capture_output=True, text=True)
    read_s, *sizes = told.stdout.split()
    names = ("after reading", "after the first decision", "most until then")
    rows = [
        ["reading and proving the feed, s", read_s],
        *([name, size] for name, size in zip(names, sizes, strict=True)),
    ]
    return measuring.table(("the table", "seconds, MB"), rows)


_RESIDENT = """
import resource, sys, time
from pathlib import Path
import numpy as np
from checker.optout.honour import read_table
from checker.settings import Settings
def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6
start, begin_s = resident(), time.perf_counter()
table = read_table(Path(sys.argv[1]), Settings())
print(round(time.perf_counter() - begin_s, 1), round(resident() - start))
table.decide_codes_many(np.zeros((1, 4), dtype=np.uint64))
print(round(resident() - start), round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1.024e-3 - start))
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entries", type=lambda text: int(float(text)), default=1_000_000)
    parser.add_argument("--photos", type=Path, default=CHECKOUT.parent / "shared" / "data" / "photos")
    parser.add_argument("--cache", type=Path, default=CHECKOUT / "build" / "honour")
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=SECTIONS)
    given = parser.parse_args()
    given.cache.mkdir(parents=True, exist_ok=True)
    photos = measuring.photos_of(given.photos, half="measure")
    real = index_codes.real_codes(photos, given.cache)
    stored = np.load(index_codes.modelled(real.phash256, given.entries, given.cache), mmap_mode="r")[: given.entries]
    feeds = {f"{size:,}": given.cache / f"feed-{size}" for size in (given.entries, DELTA)}
    for size, feed in zip((given.entries, DELTA), feeds.values(), strict=True):
        if not honour_made.is_made(feed, size):
            honour_made.make_feed(feed, np.asarray(stored[:size]))
    facts = {"entries": f"{given.entries:,}", "load": f"{os.getloadavg()[0]:.1f} before"}
    print(measuring.heading("Honouring opt-outs", facts), flush=True)
    if "memory" in given.only:
        print(f"## Memory\n\n{memory_table(feeds[f'{given.entries:,}'])}\n", flush=True)
    asked = (
        questions(photos, np.asarray(stored), ASKED_TOGETHER) if {*given.only} & {"single", "rows", "codes"} else None
    )
    if asked is not None and {*given.only} & {"single", "rows"}:
        tables = {name: read_table(feed, Settings()) for name, feed in feeds.items()}
        if "single" in given.only:
            print(f"## One decision\n\n{single_table(tables[f'{given.entries:,}'], asked)}\n", flush=True)
        if "rows" in given.only:
            print(f"## Rows with codes\n\n{rows_table(tables, asked)}\n", flush=True)
    if asked is not None and "codes" in given.only:
        print(f"## The command over codes\n\n{honour_commands.codes_table(feeds, asked)}\n", flush=True)
    if "tars" in given.only:
        tars = honour_commands.tars_table(feeds, measuring.spread(photos, PHOTOS_A_TAR))
        print(f"## The command over tars of photos\n\n{tars}\n", flush=True)


if __name__ == "__main__":
    main()
