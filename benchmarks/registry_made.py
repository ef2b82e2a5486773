"""A registry of many opt-outs, and what writing it costs. Run by `registry.py` as a process of its own.

    registry_made.py FOLDER FIRST COUNT [--single N] [--erase INDEX] [--key FILE]        prints one line of JSON

Appends COUNT entries in transactions of `BATCH`, signing after each: opt-outs of one picture with a phash256 and an
sscd512 code (drawn, from a seed that is FIRST), every hundredth entry a withdrawal of an earlier one. `--single`: then
N requests one by one through `OptOuts.record`, which is what an API answer waits for.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from checker.keys import Scope, create_key
from checker.model import PHASH256, ROBUST_BITS, ROBUST_NAME, CodeKind, Fingerprint, Use
from checker.optout.entry import USES, Entry, EntryType, Evidence, OptOut, Reference, number_from
from checker.optout.request import OptOuts
from checker.records.folder import DataFolder
from checker.settings import Settings

BATCH = 500
WITHDRAWN_EVERY = 100
ROBUST = CodeKind(ROBUST_NAME, "1-000000000000", ROBUST_BITS)
RECORDING = ("tdm", "train-ai", "train-genai")


def phash_codes(draw: np.random.Generator, count: int) -> list[Fingerprint]:
    """Codes as real pictures have them: 128 of 256 bits set."""
    half = np.tile(np.repeat(np.array([0, 1], dtype=np.uint8), PHASH256.bits // 2), (count, 1))
    packed = np.packbits(draw.permuted(half, axis=1), axis=1)
    return [Fingerprint(PHASH256, row.tobytes()) for row in packed]


def entries(first: int, count: int) -> Iterator[Entry]:
    """The entries from index `first` on."""
    draw = np.random.default_rng(first)
    uses = tuple(use for use in USES if use.value in RECORDING)
    for start in range(first, first + count, BATCH):
        width = min(BATCH, first + count - start)
        codes = phash_codes(draw, width)
        for index, code in enumerate(codes, start=start):
            if index % WITHDRAWN_EVERY == WITHDRAWN_EVERY - 1:
                yield Reference(EntryType.WITHDRAW, index - 1)
                continue
            robust = Fingerprint(ROBUST, draw.bytes(ROBUST_BITS // 8))
            yield OptOut(number_from(draw.bytes(5)), Evidence.PICTURE, ((code, robust),), uses)


def append(opt_outs: OptOuts, first: int, count: int) -> dict[str, float]:
    """Append and sign batch by batch. Seconds in all, and of the slowest batch."""
    begin_s, slowest_s = time.perf_counter(), 0.0
    coming = entries(first, count)
    for start in range(0, count, BATCH):
        batch_s = time.perf_counter()
        with opt_outs.registry.writing() as writer:
            for _ in range(min(BATCH, count - start)):
                opt_outs.log.append(writer, next(coming))
        opt_outs.log.sign(datetime.now(UTC))
        slowest_s = max(slowest_s, time.perf_counter() - batch_s)
    return {"append_s": time.perf_counter() - begin_s, "slowest_batch_s": slowest_s}


def single(opt_outs: OptOuts, count: int) -> list[float]:
    """Milliseconds of each request, from its codes to its receipt."""
    took: list[float] = []
    for code in phash_codes(np.random.default_rng(1), count):
        begin_s = time.perf_counter()
        opt_outs.record([[code]], uses=[Use.ALL], evidence=Evidence.PICTURE, now=datetime.now(UTC))
        took.append((time.perf_counter() - begin_s) * 1e3)
    return took


def main() -> None:
    """Make and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("first", type=int)
    parser.add_argument("count", type=int)
    parser.add_argument("--single", type=int, default=0)
    parser.add_argument("--erase", type=int, metavar="INDEX", help="delete an opening, as its owner would")
    parser.add_argument("--key", type=Path)
    given = parser.parse_args()
    now = datetime.now(UTC)
    with DataFolder.open(given.folder, create=True):
        pass  # an empty corpus, without which nothing is served
    with OptOuts.open(given.folder, Settings(), now=now) as opt_outs:
        if given.key is not None:
            key = create_key(opt_outs.registry, name="benchmark", scopes=[Scope.FEED], now=now)
            given.key.write_text(f"{key}\n")
        if given.erase is not None:
            with opt_outs.registry.writing() as writer:
                opt_outs.log.append(writer, Reference(EntryType.ERASE, given.erase))
                writer.forget("none", given.erase)
        told = {
            **append(opt_outs, given.first, given.count),
            "single_ms": single(opt_outs, given.single),
            "size": opt_outs.log.size,
            "checkpoint_bytes": len(opt_outs.log.checkpoint()),
            "proof_steps": len(opt_outs.log.prove(opt_outs.log.size // 2, opt_outs.log.size)),
        }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
