"""The opt-out log at a million entries: what writing, following and proving it costs.

`python benchmarks/registry.py [--entries N] [--added N] [--single N] [--folder DIR] [--json FILE]`

Prints Markdown tables. A registry is made in a new folder (`registry_made.py`), served by `hibs serve` on this machine,
and followed by `hibs feed sync` and `hibs feed verify`, each as the command that a user would type, from its start to
its end (`registry_follow.py`). A million entries take some minutes and 4 GB of disk.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import measuring
from registry_follow import HIBS, Command, measured, serving

APPENDED_GOAL = 2_000
"""Entries a second, in batches."""
SINGLE_GOAL_MS = 100
FOLLOW_GOAL_S = 60
FOLLOW_GOAL_MB = 500
MADE = Path(__file__).with_name("registry_made.py")

WRITING_WHAT = """In batches: transactions of 500 entries, each signed after its commit. Single: `OptOuts.record`, from
the codes to the receipt under a signed checkpoint, on the log that the batches left. The database is in a rollback
journal with FULL sync."""
FOLLOWING_WHAT = """CPU: of the command alone; `hibs serve` runs on the same machine and takes its own. Memory: the
kernel's mark of the most that was resident. A delta is what was added since the sync before; one with an erasure writes
the openings anew and proves all of them. There is no peer to measure beside it: public followers of C2SP logs prove
tiles, not openings."""


@dataclass(frozen=True, slots=True)
class Step:
    """One command."""

    name: str
    entries: int
    """Of the log when it ran."""
    done: Command


def make(folder: Path, first: int, count: int, *options: str | Path) -> dict[str, Any]:
    """Append entries in a process of its own; what it told."""
    told: dict[str, Any] = json.loads(measured(sys.executable, MADE, folder, str(first), str(count), *options).out)
    return told


def followed(work: Path, data: Path, size: int, added: int) -> list[Step]:
    """Every command once, in the order in which an operator would come to them."""
    steps: list[Step] = []

    def step(name: str, entries: int, *arguments: str | Path) -> None:
        steps.append(Step(name, entries, measured(*HIBS, "feed", *arguments)))
        print(f"({name}: {steps[-1].done.wall_s:.1f} s)", file=sys.stderr)

    key = ("--key-file", work / "feed.key")
    step("sync, data folder", size, "sync", "--data", data, work / "local")
    step("verify", size, "verify", work / "local")
    with serving(data) as url:
        step("sync, HTTP", size, "sync", url, work / "feed", *key)
        step("sync, HTTP, nothing new", size, "sync", url, work / "feed", *key)
        now = make(data, size, added)["size"]
        step(f"sync, HTTP, {added:,} more", now, "sync", url, work / "feed", *key)
        now = make(data, now, added, "--erase", str(size // 2))["size"]
        step(f"sync, HTTP, {added:,} more and an erasure", now, "sync", url, work / "feed", *key)
    step("verify", now, "verify", work / "feed")
    return steps


def writing_table(told: dict[str, Any], entries: int, database_bytes: int) -> str:
    """What writing costs."""
    took = sorted(told["single_ms"])
    rate, proof = entries / told["append_s"], told["proof_steps"]
    rows = [
        ["appended in batches, entries a second", f"{rate:,.0f}", f"{APPENDED_GOAL:,}", _met(rate >= APPENDED_GOAL)],
        ["slowest batch of 500, ms", f"{told['slowest_batch_s'] * 1e3:.0f}", "", ""],
        [f"single, p50 of {len(took):,}, ms", f"{_quantile(took, 0.50):.1f}", "", ""],
        ["single, p99, ms", *_single(_quantile(took, 0.99))],
        ["checkpoint, bytes", f"{told['checkpoint_bytes']:,}", "", ""],
        ["inclusion proof, hashes (bytes)", f"{proof} ({proof * 32:,})", "", ""],
        ["registry.db, MiB", f"{database_bytes / 2**20:,.0f}", "", ""],
    ]
    return measuring.table(["", "measured", "goal", "met"], rows)


def following_table(steps: Sequence[Step]) -> str:
    """What following costs."""
    rows = []
    for step in steps:
        done = step.done
        met = done.wall_s < FOLLOW_GOAL_S and done.peak_bytes < FOLLOW_GOAL_MB * 1e6
        rows.append(
            [
                *(step.name, f"{step.entries:,}", f"{done.wall_s:.1f}", f"{done.cpu_s:.1f}"),
                *(f"{done.peak_bytes / 1e6:.0f}", f"< {FOLLOW_GOAL_S} s, < {FOLLOW_GOAL_MB} MB", _met(met)),
            ]
        )
    return measuring.table(["hibs feed", "entries", "s", "CPU s", "peak MB", "goal", "met"], rows)


def _met(holds: bool) -> str:
    return "yes" if holds else "no"


def _single(p99_ms: float) -> tuple[str, str, str]:
    return f"{p99_ms:.1f}", f"< {SINGLE_GOAL_MS}", _met(p99_ms < SINGLE_GOAL_MS)


def _quantile(rising: Sequence[float], share: float) -> float:
    return rising[min(len(rising) - 1, int(share * len(rising)))]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--added", type=int, default=1_000, help="in each delta")
    parser.add_argument("--single", type=int, default=1_000, help="requests one by one")
    parser.add_argument("--folder", type=Path, metavar="DIR", help="keep everything here; default: a temporary folder")
    parser.add_argument("--json", type=Path, metavar="FILE", help="raw figures")
    given = parser.parse_args()
    with nullcontext(given.folder) if given.folder else TemporaryDirectory(prefix="hibs-registry-") as place:
        work = Path(place)
        work.mkdir(parents=True, exist_ok=True)
        load = f"{os.getloadavg()[0]:.1f} before"
        told = make(work / "data", 0, given.entries, "--single", str(given.single), "--key", work / "feed.key")
        database_bytes = (work / "data" / "registry.db").stat().st_size
        steps = followed(work, work / "data", told["size"], given.added)
        openings_bytes = (work / "feed" / "openings.ndjson").stat().st_size
    facts = {
        "entries": f"{given.entries:,}, phash256 and sscd512 codes, one in 100 a withdrawal",
        "openings": f"{openings_bytes / 1e6:,.0f} MB",
        "load": f"{load}, {os.getloadavg()[0]:.1f} after (averages of a minute)",
    }
    print(measuring.heading("The opt-out log", facts))
    print(f"## Writing\n\n{WRITING_WHAT}\n\n{writing_table(told, given.entries, database_bytes)}\n")
    print(f"## Following\n\n{FOLLOWING_WHAT}\n\n{following_table(steps)}")
    if given.json:
        raw = {"written": told, "followed": [asdict(step) for step in steps]}
        given.json.write_text(json.dumps(raw, indent=1))


if __name__ == "__main__":
    main()
