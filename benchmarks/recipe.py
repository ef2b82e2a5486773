"""The frozen recipe of phash256 version 1 against plain imagehash: how many bits differ, and what each costs.

`python benchmarks/recipe.py [--photos FOLDER] [--enlarged N]`

Both start from the same bytes in memory and end with 256 bits, in one thread, one after the other on each photo. Of the
folder only the photos count whose SHA-256 begins with 8-f; the others serve for choosing constants. Camera-sized
photos are made by scaling N of these up five times (so they are smooth, and decode a little faster than real ones).
"""

from __future__ import annotations

import argparse
import hashlib
import io
import os
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import imagehash
import numpy as np
from PIL import Image

from checker.fingerprint import InProcessDecoder, phash256
from checker.model import Unreadable
from checker.settings import Settings

CHECKOUT = Path(__file__).resolve().parent.parent
ENLARGEMENT = 5
DECODER = InProcessDecoder(Settings())


def main() -> None:
    """Print one table row a kind of photo."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = CHECKOUT / os.environ.get("PHOTOS", "../shared/data/photos")
    parser.add_argument("--photos", type=Path, default=default, metavar="FOLDER")
    parser.add_argument("--enlarged", type=int, default=60, metavar="N")
    arguments = parser.parse_args()
    bodies = [body for body in map(Path.read_bytes, sorted(arguments.photos.glob("*.jpg"))) if _is_for_measuring(body)]
    if not bodies:
        sys.exit(f"no photos in {arguments.photos}; name a folder of JPEG files with --photos")
    print("| photos | bits that differ: mean | p50 | p90 | p99 | max | plain imagehash, ms | recipe, ms | time |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    print(_row(f"{len(bodies)} as they are", bodies))
    step = max(1, len(bodies) // max(1, arguments.enlarged))
    chosen = bodies[::step][: arguments.enlarged]
    print(_row(f"{len(chosen)} scaled up {ENLARGEMENT} times", map(_enlarged, chosen)))


def _is_for_measuring(body: bytes) -> bool:
    return hashlib.sha256(body).hexdigest()[0] in "89abcdef"


def _enlarged(body: bytes) -> bytes:
    with Image.open(io.BytesIO(body)) as photo:
        size = (photo.width * ENLARGEMENT, photo.height * ENLARGEMENT)
        file = io.BytesIO()
        photo.resize(size, Image.Resampling.BICUBIC).save(file, "JPEG", quality=90)
    return file.getvalue()


def _row(name: str, bodies: Iterable[bytes]) -> str:
    differing, plain_ms, recipe_ms = [], [], []
    for body in bodies:
        expected, milliseconds = _timed(_by_plain_imagehash, body)
        plain_ms.append(milliseconds)
        code, milliseconds = _timed(_by_recipe, body)
        recipe_ms.append(milliseconds)
        differing.append((expected ^ code).bit_count())
    p50, p90, p99 = np.percentile(differing, [50, 90, 99])
    plain, recipe = np.mean(plain_ms), np.mean(recipe_ms)
    return (
        f"| {name} | {np.mean(differing):.2f} | {p50:.0f} | {p90:.0f} | {p99:.0f} | {max(differing)} "
        f"| {plain:.2f} | {recipe:.2f} | {recipe / plain:.0%} |"
    )


def _timed(make: Callable[[bytes], int], body: bytes) -> tuple[int, float]:
    start = time.perf_counter()
    code = make(body)
    return code, (time.perf_counter() - start) * 1000


def _by_plain_imagehash(body: bytes) -> int:
    with Image.open(io.BytesIO(body)) as photo:
        return int(str(imagehash.phash(photo, hash_size=16)), 16)


def _by_recipe(body: bytes) -> int:
    pixels = DECODER.decode(body)
    if isinstance(pixels, Unreadable):
        sys.exit(f"a photo of the folder cannot be read: {pixels.detail}")
    return int.from_bytes(phash256(pixels).bits)


if __name__ == "__main__":
    main()
