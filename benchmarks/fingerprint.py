"""What a fingerprint costs: CPU time a photo and photos a second on one core, ours beside its peers.

`python benchmarks/fingerprint.py PHOTOS [--photos-max 60] [--rounds 3] [--half measure|choose|all]`

Everything starts from the bytes of a JPEG file in memory, except Immaculate, which reads files. The yardstick is the
scaled decode alone: without it there is nothing to hash, and 1.25 times its time is the goal for `phash256`. CPU time
is that of the process with all its threads and children; libraries are asked to use one thread. The rounds are
interleaved, so that a busy machine is busy for all of them, and the best round counts. The photos are scaled to each
size; those scaled up are smooth, and decode a little faster than photos of that size do.
"""

from __future__ import annotations

import os

# Read when these libraries are loaded, hence before the imports below.
os.environ.update(OMP_NUM_THREADS="1", RAYON_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

import argparse
import io
import math
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import measuring
import peers
from edits import open_photo
from PIL import Image

from checker.fingerprint import Depth, InProcessDecoder, fingerprint_bytes, phash256
from checker.model import Unreadable
from checker.settings import Settings

GOAL = 1.25
YARDSTICK = "scaled decode alone (JPEG draft to 512 px, grey)"
OURS = "ours: phash256"
Work = Callable[[list[bytes]], None]
"""Codes all of these photos."""


def sized(path: Path, *, side: int | None = None, pixels: int | None = None) -> bytes:
    """The photo as a JPEG file with this longest side, or with about so many pixels."""
    image = open_photo(path)
    factor = side / max(image.size) if side else math.sqrt((pixels or 1) / (image.width * image.height))
    size = (round(image.width * factor), round(image.height * factor))
    file = io.BytesIO()
    image.resize(size, Image.Resampling.BICUBIC).save(file, "JPEG", quality=90)
    return file.getvalue()


def _each(code: Callable[[bytes], object]) -> Work:
    def work(bodies: list[bytes]) -> None:
        for body in bodies:
            code(body)

    return work


def _scaled_decode(body: bytes) -> None:
    with Image.open(io.BytesIO(body)) as image:
        image.draft("L", (512, 512))
        image.load()


def _phash256(decoder: InProcessDecoder) -> Callable[[bytes], object]:
    def code(body: bytes) -> object:
        pixels = decoder.decode(body)
        if isinstance(pixels, Unreadable):
            raise SystemExit(f"a photo cannot be read: {pixels.detail}")
        return phash256(pixels)

    return code


def _in_folder(peer: peers.FolderPeer) -> Work:
    """Files are written and read again; both count a little, and the search among so few takes nothing."""
    return lambda bodies: (peer.sets({f"{number}.jpg": body for number, body in enumerate(bodies)}), None)[1]


def works() -> dict[str, Work]:
    """What is measured, in the order of the table."""
    plain, robust = measuring.our_settings(robust=False), measuring.our_settings(robust=True)
    table: dict[str, Work] = {YARDSTICK: _each(_scaled_decode), OURS: _each(_phash256(InProcessDecoder(Settings())))}
    table["ours: all that is stored"] = _each(lambda body: fingerprint_bytes(body, plain, depth=Depth.STORED))
    if measuring.robust_is_built():
        table["ours: phash256 and sscd512"] = _each(lambda body: fingerprint_bytes(body, robust, depth=Depth.WHOLE))
        table["ours: all that is stored, robust on"] = _each(
            lambda body: fingerprint_bytes(body, robust, depth=Depth.STORED)
        )
    table |= {peer.name: _each(peer.code) for peer in peers.code_peers()}
    return table | {f"{peer.name} (files)": _in_folder(peer) for peer in peers.folder_peers()}


def cpu_s() -> float:
    """CPU seconds of this process, its threads, and the children that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def best_ms(bodies: list[bytes], *, rounds: int) -> dict[str, float]:
    """CPU ms a photo by name, best of the rounds. One photo goes first, unmeasured: models load at first use."""
    table = works()
    for work in table.values():
        work(bodies[:1])
    best = dict.fromkeys(table, math.inf)
    for _ in range(rounds):
        for name, work in table.items():
            start = cpu_s()
            work(bodies)
            best[name] = min(best[name], (cpu_s() - start) * 1000 / len(bodies))
    return best


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path, metavar="PHOTOS", help="folder of JPEG files")
    parser.add_argument("--photos-max", type=int, default=60, metavar="N", help="of 12 Mpx a quarter of it")
    parser.add_argument("--rounds", type=int, default=3, metavar="N")
    parser.add_argument("--half", choices=measuring.HALVES, default="measure")
    arguments = parser.parse_args()
    photos = measuring.photos_of(arguments.photos, half=arguments.half, photos_max=arguments.photos_max)
    few = measuring.spread(photos, max(3, len(photos) // 4))
    facts = {"rounds": f"{arguments.rounds}, interleaved, the best counts", "temporary files": tempfile.gettempdir()}
    print(measuring.heading("What a fingerprint costs", facts))
    sizes = {
        "420 px": [sized(path, side=420) for path in photos],
        "1 Mpx": [sized(path, pixels=1_000_000) for path in photos],
        "12 Mpx": [sized(path, pixels=12_000_000) for path in few],
    }
    for size, bodies in sizes.items():
        kilobytes = sum(map(len, bodies)) / len(bodies) / 1000
        best = best_ms(bodies, rounds=arguments.rounds)
        lines = [
            [name, f"{ms:.2f}", f"{1000 / max(ms, 1e-9):,.0f}", f"{ms / best[YARDSTICK]:.2f}"]
            for name, ms in best.items()
        ]
        print(f"\n## {size} ({len(bodies)} photos scaled to it, {kilobytes:,.0f} kB in the mean)\n")
        print(measuring.table(("what", "CPU ms a photo", "photos a second a core", "times the decode"), lines))
        ratio = best[OURS] / best[YARDSTICK]
        print(f"\nphash256 takes {ratio:.2f} times the scaled decode; the goal is {GOAL} at most.", flush=True)


if __name__ == "__main__":
    main()
