"""The index of near matches: how fast, how large, how fresh, beside FAISS and usearch.

`python benchmarks/index.py N [N...] [--photos FOLDER] [--cache FOLDER] [--only SECTION...]`, N as 1e6

Prints Markdown tables. Codes are modelled on those of real photos (`index_codes.py`); each engine runs in a process of
its own, one thread each, over the same codes and questions (`index_job.py`); ours is measured with numpy's kernels and
with the compiled ones (extra `fast`). Answers are compared with a scan in numpy and with the codes that questions were
made from. With the codes kept from before (7 us a code to make), 1e6 takes four to six minutes and 1 GB of memory, 10e6
some three more and 3 GB, 30e6 (ours alone) two more and 4.4 GB; on the disk 170 bytes a code of the largest N.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import index_codes
import index_fresh
import measuring
import numpy as np
from index_codes import RealCodes
from index_job import QUESTIONS_MIN, ROUND_SECONDS, Job, Questions, ask_by_scan, measured
from index_peers import NEAREST, Codes

from checker.index.plan import plan_for

CHECKOUT = Path(__file__).resolve().parent.parent
RADIUS, SSCD_RADIUS = 31, 150
QUESTIONS = 1000
"""Of each of both kinds: near a stored code, and far from all."""
SCANNED, SCANNED_LARGE = 100, 40
PEERS_MAX = 10_000_000
"""Beyond, ours alone: MultiHash would take 9 GB at 30 million."""
USEARCH_SCAN_MAX = 1_000_000
"""A tenth of a second a question there."""
GRAPHS = 100_000
"""A graph takes 0.1 to 0.3 ms a code to build: at a million, six minutes for both."""
SSCD_MAX = 1_000_000
BUILDS_MAX = 1_000_000
SECTIONS = ("codes", "engines", "graphs", "windows", "growth", "sscd512", "batches", "build", "fresh")
OURS = ("compiled", "numpy")
Rows = list[list[str]]


@dataclass(frozen=True, slots=True)
class Bench:
    """What all sections share."""

    real: RealCodes
    photos: list[Path]
    cache: Path
    sizes: tuple[int, ...]
    graphs: int
    """Codes that graphs are built over."""
    done: dict[tuple[str, Path, int], dict[str, Any] | None] = field(default_factory=dict)
    """What was measured already in this run: one measurement stands in all tables."""

    def results(self, engines: Sequence[str], path: Path, rows: int) -> list[dict[str, Any]]:
        """Measure these engines over the first `rows` codes of a file; those that cannot be had are left out."""
        new = [engine for engine in engines if (engine, path, rows) not in self.done]
        if new:
            with self.questions(path, rows, RADIUS) as questions:
                for engine in new:
                    batches = (64,) if engine in OURS else ()
                    job = Job(engine, str(path), rows, RADIUS, str(questions), batches=batches)
                    self.done[engine, path, rows] = measured(job)
        return [found for engine in engines if (found := self.done[engine, path, rows])]

    def codes(self, rows: int, *, sscd: bool = False) -> Path:
        """A file whose first `rows` codes are modelled on the real ones."""
        largest = rows if sscd else max(rows, *self.sizes)
        return index_codes.modelled(self.real.sscd512 if sscd else self.real.phash256, largest, self.cache)

    @contextmanager
    def questions(self, path: Path, rows: int, radius: int) -> Iterator[Path]:
        """Questions about the first `rows` codes of a file, answered by a scan in part."""
        codes = np.load(path, mmap_mode="r")[:rows]
        random = np.random.default_rng(rows)
        targets = random.integers(0, rows, QUESTIONS)
        asked = np.empty((2 * QUESTIONS, codes.shape[1]), dtype=np.uint8)
        asked[0::2] = index_codes.flipped(codes[targets], radius, random)
        asked[1::2] = self._far(codes.shape[1], random)
        scanned = SCANNED if rows <= 1_000_000 else SCANNED_LARGE
        pairs, nearest = ask_by_scan(codes, asked[:scanned], radius)
        mixed = np.full(2 * QUESTIONS, -1)
        mixed[0::2] = targets
        made = Questions(codes=asked, targets=mixed, scanned=scanned, pairs=pairs, nearest=nearest)
        with tempfile.TemporaryDirectory() as folder:
            saved = Path(folder) / "questions.npz"
            np.savez(saved, **{name: getattr(made, name) for name in Questions.__slots__})
            yield saved

    def _far(self, code_bytes: int, random: np.random.Generator) -> Codes:
        if code_bytes == 32:
            return index_codes.windows(self.photos, QUESTIONS, seed=7, smallest=0.6)[0]
        return self.real.sscd512[random.integers(0, len(self.real.sscd512), QUESTIONS)]


# --- sections --------------------------------------------------------------------------------------------------


def codes_table(bench: Bench) -> str:
    """How alike the kinds of codes are."""
    rows: Rows = []
    windows, photo_of = index_codes.windows(bench.photos, 200_000, seed=1)
    modelled = np.load(bench.codes(min(bench.sizes)), mmap_mode="r")
    for size in (1_000_000, 10_000_000):
        plan = plan_for(size, bits=256)
        assert plan
        title = f"as cut for {size / 1e6:g} M"
        fair = index_codes.fair_candidates(plan)
        rows.append([f"fair coins, {title}", "", "0", "0", f"{fair:,.0f}", "", "0"])
        for name, codes, of in (
            ("real: whole photos", bench.real.phash256, None),
            ("real: without studio portraits", bench.real.phash256[~bench.real.is_portrait], None),
            ("modelled", modelled, None),
            ("real: windows, other photos'", windows, photo_of),
        ):
            found = index_codes.statistics(codes, plan, photo_of=of)
            figures = (f"{found.share_off:.3f}", f"{found.correlation:.3f}", f"{found.candidates:,.0f}")
            few = f"{found.candidates_p99:,.0f}" if len(codes) > 10_000 else ""
            near = f"{found.neighbours:.1f}" if of is None and len(codes) > 10_000 else ""
            rows.append([f"{name}, {title}", f"{found.codes:,}", *figures, few, near])
    columns = ("codes", "how many", "set bits off a half", "correlation of two bits", "candidates in 1 M", "p99")
    return measuring.table((*columns, "within 31 bits in 1 M"), rows)


def engines_table(bench: Bench, rows: int, engines: Sequence[str]) -> str:
    """One size: ours beside the exact peers, or the graphs."""
    found = bench.results(engines, bench.codes(rows), rows)
    faiss = [result["mean_ms"] for result in found if result["exact"] and result["name"].startswith("FAISS")]
    fastest = min(faiss, default=float("nan"))
    lines = [[*_line(result), _times(fastest / result["mean_ms"]) if faiss else ""] for result in found]
    return measuring.table((*_COLUMNS, "fastest exact FAISS / this"), lines)


_COLUMNS = (
    *("engine", "mean ms", "p50", "p99", "recall of targets", "pairs of the scan found", "wrong"),
    *("build us a code", "tables alone", "disk bytes a code", "memory bytes a code"),
)


def _line(result: dict[str, Any]) -> list[str]:
    rows = result["rows"]
    times = [f"{result[name]:.3g}" for name in ("mean_ms", "p50_ms", "p99_ms")]
    right = [f"{result['targets_found']} of {result['targets']}", f"{result['pairs_found']} of {result['pairs']}"]
    build = [f"{result['build_us']:.3g}", f"{result['tables_us']:.3g}" if result.get("tables_us") else ""]
    room = [f"{result['disk'] / rows:.0f}", f"{result['resident'] / rows:.0f}"]
    return [result["name"], *times, *right, str(result["pairs_wrong"]), *build, *room]


def _times(ratio: float) -> str:
    return f"{ratio:,.0f} x" if ratio >= 10 else f"{ratio:.2g} x"


def growth_table(bench: Bench) -> str:
    """Ours, by size."""
    lines: Rows = []
    for rows in bench.sizes:
        for result in bench.results(OURS, bench.codes(rows), rows):
            lines.append([f"{rows / 1e6:g} M", str(result["pieces"]), *_line(result)])
    return measuring.table(("codes", "pieces", *_COLUMNS), lines)


def windows_table(bench: Bench) -> str:
    """Ours over real codes of windows."""
    rows = min(*bench.sizes, 1_000_000)
    path = bench.cache / f"windows-{rows}.npy"
    if not path.exists():
        np.save(path, index_codes.windows(bench.photos, rows, seed=2)[0])
    lines = [[*_line(found), f"{found['answer_rows']:.1f}"] for found in bench.results(OURS, path, rows)]
    return measuring.table((*_COLUMNS, "codes in an answer"), lines)


def sscd_table(bench: Bench) -> str:
    """Codes that no cut serves: scans."""
    if not len(bench.real.sscd512):
        return "(left out: the extra `robust` is not installed)"
    rows = min(max(bench.sizes), SSCD_MAX)
    path = bench.codes(rows, sscd=True)
    lines: Rows = []
    with bench.questions(path, rows, SSCD_RADIUS) as questions:
        for engine in ("compiled", "numpy", "flat"):
            job = Job(engine, str(path), rows, SSCD_RADIUS, str(questions), nearest=(1, 8), near_batches=(8,))
            if result := measured(job):
                calls = [f"{result[name]:.3g}" for name in ("mean_ms", "near 8", "nearest 1", "nearest 8")]
                right = [f"{result['targets_found']} of {result['targets']}"]
                right.append(f"{result['pairs_found']} of {result['pairs']}")
                right.append(f"{result['nearest_right']:,} of {result['nearest_of']:,}")
                lines.append([result["name"], *calls, *right, f"{result['disk'] / rows:.0f}"])
    columns = ("engine", "within 150, ms", "of 8 codes at once", "nearest 48, ms", "of 8 codes at once")
    return measuring.table(
        (*columns, "targets", "pairs of the scan", "nearest of the scan", "disk bytes a code"), lines
    )


def batches_table(bench: Bench) -> str:
    """Many codes a call, and threads."""
    lines: Rows = []
    for rows in bench.sizes:
        for found in bench.results(OURS, bench.codes(rows), rows):
            one, two = found["1 x 64"], found["2 x 64"]
            gain = (f"{two / one:.2f} x", f"{found['2 x 64 cpus']:.2f}")
            figures = (f"{1000 / found['mean_ms']:,.0f}", f"{one:,.0f}", f"{two:,.0f}", *gain)
            lines.append([f"{rows / 1e6:g} M", found["name"], *figures])
    columns = (
        "codes",
        "engine",
        "codes/s, one a call",
        "64 a call",
        "64 a call, two threads",
        "two against one",
        "CPUs two had",
    )
    return measuring.table(columns, lines)


def build_table(bench: Bench) -> str:
    """From a data folder: SQLite, tables, files, sync."""
    rows = min(max(bench.sizes), BUILDS_MAX)
    codes = np.load(bench.codes(rows), mmap_mode="r")[:rows]
    return index_fresh.build_table(codes)


def fresh_table(bench: Bench) -> str:
    """New codes while the index is built anew."""
    rows = min(max(bench.sizes), BUILDS_MAX)
    codes = np.load(bench.codes(rows), mmap_mode="r")[:rows]
    return index_fresh.table(codes)


# --- all of it -------------------------------------------------------------------------------------------------


def sections(bench: Bench) -> Iterator[tuple[str, str, str, Callable[[], str]]]:
    """Name, heading, what was done, how to get the table."""
    largest = max(bench.sizes)
    yield "codes", "The codes", CODES_WHAT, partial(codes_table, bench)
    for rows in (size for size in bench.sizes if size <= PEERS_MAX):
        title = f"{rows / 1e6:g} M codes, within {RADIUS} bits, one code a call"
        peers = ("flat", "multihash", "usearch-scan") if rows <= USEARCH_SCAN_MAX else ("flat", "multihash")
        yield "engines", title, ENGINES_WHAT, partial(engines_table, bench, rows, (*OURS, *peers))
    graphs = min(bench.graphs, largest)
    engines = (*OURS, "flat", "faiss-graph", "usearch-graph")
    yield "graphs", f"Graphs, {graphs / 1e6:g} M codes", GRAPHS_WHAT, partial(engines_table, bench, graphs, engines)
    yield "windows", "Ours, over real codes", WINDOWS_WHAT, partial(windows_table, bench)
    yield "growth", "Ours, by size", GROWTH_WHAT, partial(growth_table, bench)
    rows = min(largest, SSCD_MAX)
    yield (
        "sscd512",
        f"sscd512, {rows / 1e6:g} M codes, within {SSCD_RADIUS} bits",
        SSCD_WHAT,
        partial(sscd_table, bench),
    )
    yield "batches", "Ours, many codes a call", BATCHES_WHAT, partial(batches_table, bench)
    yield "build", "Building from a data folder", BUILD_WHAT, partial(build_table, bench)
    yield "fresh", "New codes while the index is built", index_fresh.WHAT, partial(fresh_table, bench)


CODES_WHAT = f"""Candidates: codes that a look-up within {RADIUS} bits compares in full, of a million unrelated ones;
counted over all pairs of photos, or for 500 codes against up to 100,000. Studio portraits of one series, a fifth of the
photos, are the most alike of all."""
ENGINES_WHAT = f"""Asked: {QUESTIONS:,} codes that lie 0 to {RADIUS} bits from a stored one, every distance equally
often, and {QUESTIONS:,} windows of photos, in turns; as many as fit into {ROUND_SECONDS:.0f} s, but {QUESTIONS_MIN} at
least; in three rounds, of which the shortest time counts for each: others use the machine as well. Answers are compared
with a scan in numpy for the first {SCANNED} questions ({SCANNED_LARGE} beyond 1 M). Memory: the process's own share
(PSS), less what it held before."""
GRAPHS_WHAT = f"""Approximate: asked for the {NEAREST} nearest, of which those within {RADIUS} bits count."""
WINDOWS_WHAT = """Codes of random windows of the photos, stored and asked for, instead of modelled ones: over a thousand
of each photo at 1 M, so that an answer holds many more codes than in a real corpus."""
GROWTH_WHAT = "As above."
SSCD_WHAT = f"""Codes modelled on those of the photos. Near: 0 to {SSCD_RADIUS} bits from a stored code; far: those of
the photos. Ours gives the {NEAREST} nearest to any of the codes of a call, FAISS {NEAREST} of each."""
BATCHES_WHAT = (
    "Codes a second, the best of six rounds; two threads: each with calls of its own. Others use the two CPUs as well."
)
BUILD_WHAT = "`hibs index build --full`: codes read from SQLite, tables, checksums, everything synced to the disk."


def _count(text: str) -> int:
    return int(float(text))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sizes", nargs="+", type=_count, metavar="N", help="codes, as 1e6")
    photos = CHECKOUT / os.environ.get("PHOTOS", "../shared/data/photos")
    parser.add_argument("--photos", type=Path, default=photos, metavar="FOLDER", help="JPEG files; default: $PHOTOS")
    cache = Path(tempfile.gettempdir()) / "hibs-index-codes"
    parser.add_argument("--cache", type=Path, default=cache, metavar="FOLDER", help="codes are kept here")
    parser.add_argument("--graphs", type=_count, default=GRAPHS, metavar="N", help="codes in graphs")
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=SECTIONS, metavar="SECTION")
    given = parser.parse_args()
    given.cache.mkdir(parents=True, exist_ok=True)
    paths = measuring.photos_of(given.photos, half="all")
    real = index_codes.real_codes(paths, given.cache)
    bench = Bench(real, paths, given.cache, tuple(sorted(given.sizes)), given.graphs)
    peers = ", ".join(f"{name} {metadata.version(name)}" for name in ("faiss-cpu", "usearch", "numba"))
    facts = {"beside it": peers, "photos": f"{len(paths)}, of which codes are made", "threads": "one, unless said"}
    print(measuring.heading("The index of near matches", facts), flush=True)
    for name, title, what, table in sections(bench):
        if name in given.only:
            begin_s = time.monotonic()
            print(f"## {title}\n\n{what}\n\n{table()}\n", flush=True)
            peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6
            print(f"({name}: {time.monotonic() - begin_s:.0f} s, largest process {peak:.1f} GB)", file=sys.stderr)


if __name__ == "__main__":
    main()
