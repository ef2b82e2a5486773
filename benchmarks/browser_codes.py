"""The private check in the browser beside the one in Python: codes, what is found, and what it costs.

    python benchmarks/browser_codes.py [PHOTOS] [--photos-max 100] [--edited 20]

Codes: bits of 256 between the two, by kind of file. Found: a service holds the photos; each of some of them is asked
for in every edit of `edits`, in headless Chromium and by `checker.private_check` on the same list. Cost: one photo of
a size, after one that warms up, with the most memory that the page's process held; and 46 codes against random rows.
Chromium comes from the system (tests/browser/private_page.py).
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import platform
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import measuring
import numpy as np
from edits import copies, open_photo
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "browser"))

from hibs_command import CHECKOUT, hibs_in, serving
from photo_kinds import kinds_of
from private_page import IMAGES, ODD, CheckPage, chromium_started, page_of

from checker.fingerprint import question_of
from checker.fingerprint.pictures import fingerprint_bytes
from checker.model import PHASH256, Picture, Unreadable
from checker.private_check.asking import asked_halves, near_rows
from checker.private_check.rows import rows_of_folder
from checker.settings import Settings

SETTINGS = dataclasses.replace(Settings(), robust="off")
ASKED_AT_ONCE = 20
LISTED = 200_000
_COMPARE = """async ([rows, codes]) => {
    const { nearRows } = await import("/static/private/near.js");
    const words = Uint32Array.from({ length: 4 * rows }, () => Math.random() * 2 ** 32);
    const halves = Array.from({ length: codes }, (_, i) => (
        { variant: "whole", orientation: "as-is", crop: null, half: words.slice(400 * i, 400 * i + 4) }));
    const times = [];
    for (let i = 0; i < 9; i++) {
        const start = performance.now();
        nearRows(halves, words);
        times.push(performance.now() - start);
    }
    return times;
}"""


def main() -> None:
    """Print the tables of docs/private.md, section 7."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = CHECKOUT / os.environ.get("PHOTOS", "../shared/data/photos")
    parser.add_argument("photos", type=Path, nargs="?", default=default, metavar="PHOTOS")
    parser.add_argument("--photos-max", type=int, default=100, metavar="N")
    parser.add_argument("--edited", type=int, default=20, metavar="N")
    arguments = parser.parse_args()
    photos = measuring.photos_of(arguments.photos, half="measure", photos_max=arguments.photos_max)
    with tempfile.TemporaryDirectory() as scratch, _page(Path(scratch), photos) as (page, version):
        print(f"- machine: {os.cpu_count()} CPUs, {platform.machine()}, Python {platform.python_version()}, {version}")
        print(f"- photos: {len(photos)}; edited: {arguments.edited}\n")
        _print_codes(page, photos, Path(scratch))
        _print_found(page, measuring.spread(photos, arguments.edited), Path(scratch))
        _print_cost(page, Path(scratch))


@contextmanager
def _page(scratch: Path, photos: list[Path]) -> Iterator[tuple[CheckPage, str]]:
    hibs_in(scratch)("ingest", *photos, "--data", "d")
    with serving(scratch, "d") as address, chromium_started() as browser:
        context = browser.new_context()
        with page_of(context, address) as page:
            page.begin()
            yield page, f"Chromium {browser.version}"


# --- codes ------------------------------------------------------------------------------------------------------


def _print_codes(page: CheckPage, photos: list[Path], scratch: Path) -> None:
    apart: dict[str, list[int]] = {}
    for kind, path in _files(photos, scratch):
        expected = fingerprint_bytes(path.read_bytes(), SETTINGS)
        result = page.photo(path)
        if not isinstance(expected, Picture) or expected.plain:
            assert result["status"] != "checked", path
            continue
        code = expected.fingerprint(PHASH256)
        assert code
        here = int(result["code"]["hex"], 16)
        apart.setdefault(kind, []).append((here ^ int.from_bytes(code.bits)).bit_count())
    print("| kind of file | files | bits apart, mean | most |\n| --- | ---: | ---: | ---: |")
    for kind, bits in apart.items():
        print(f"| {kind} | {len(bits)} | {np.mean(bits):.2f} | {max(bits)} |")
    everything = [bits for found in apart.values() for bits in found]
    print(f"| **all** | {len(everything)} | {np.mean(everything):.2f} | {max(everything)} |\n")


def _files(photos: list[Path], scratch: Path) -> Iterator[tuple[str, Path]]:
    yield from (("real photos, JPEG as they are", path) for path in photos)
    yield from (("fixtures/images", path) for path in sorted(IMAGES.iterdir()))
    yield from (("fixtures/odd, 160 px", path) for path in sorted(ODD.iterdir()))
    for photo in measuring.spread(photos, 10):
        for kind, name, body in kinds_of(open_photo(photo)):
            path = scratch / name
            path.write_bytes(body)
            yield f"10 of them as: {kind}", path


# --- found ------------------------------------------------------------------------------------------------------


def _print_found(page: CheckPage, photos: list[Path], scratch: Path) -> None:
    rows = rows_of_folder(scratch / "d", SETTINGS, now=datetime.now(UTC)).rows
    counts = dict.fromkeys(("asked", "found by both", "by the browser alone", "by Python alone", "other words"), 0)
    for photo in photos:
        files = []
        for name, body in copies(photo):
            files.append(scratch / f"{name.replace(' ', '-').replace('/', '-')}.bin")
            files[-1].write_bytes(body)
        for start in range(0, len(files), ASKED_AT_ONCE):
            part = files[start : start + ASKED_AT_ONCE]
            for path, result in zip(part, page.photos(*part), strict=True):
                _count(counts, _words(result["matches"]), _by_python(path.read_bytes(), rows))
    print(f"| {' | '.join(counts)} |\n|{' ---: |' * len(counts)}")
    print(f"| {' | '.join(f'{count:,}' for count in counts.values())} |\n")


def _count(counts: dict[str, int], here: set[tuple[str, str]], there: set[tuple[str, str]]) -> None:
    counts["asked"] += 1
    counts["found by both"] += bool(here and there)
    counts["by the browser alone"] += bool(here and not there)
    counts["by Python alone"] += bool(there and not here)
    counts["other words"] += bool(here and there and here != there)


def _words(matches: list[dict[str, Any]]) -> set[tuple[str, str]]:
    return {(match["kind"], match["orientation"]) for match in matches}


def _by_python(body: bytes, rows: Any) -> set[tuple[str, str]]:
    question = question_of(body, SETTINGS)
    if isinstance(question, Unreadable) or question.plain:
        return set()
    return {(near.kind.value, near.orientation.value) for near in near_rows(asked_halves(question), rows)}


# --- cost -------------------------------------------------------------------------------------------------------


def _print_cost(page: CheckPage, scratch: Path) -> None:
    print("| photo | s | most memory of the page's process, MB |\n| --- | ---: | ---: |")
    for width, height in ((640, 427), (4000, 3000), (8600, 5733)):
        path = scratch / "sized.jpg"
        with Image.open(IMAGES / "coffee.jpg") as photo:
            photo.resize((width, height), Image.Resampling.BICUBIC).save(path, quality=85)
        page.photo(IMAGES / "coffee.jpg")
        with _watched() as peak:
            start = time.perf_counter()
            page.photo(path)
            took_s = time.perf_counter() - start
        print(
            f"| {width} x {height} JPEG, {width * height / 1e6:.1f} megapixels | {took_s:.2f} | {peak[0] // 1024:,} |"
        )
    times = page.page.evaluate(_COMPARE, [LISTED, 46])
    print(f"\n46 codes with {LISTED:,} rows: {np.median(times):.0f} ms in the median, {max(times):.0f} at most of 9.")


@contextmanager
def _watched() -> Iterator[list[int]]:
    """The most kB that a renderer of this script's Chromium held while this lasts, looked at every 20 ms."""
    peak, ended = [0], threading.Event()

    def watch() -> None:
        while not ended.wait(0.02):
            peak[0] = max(peak[0], *_renderers_kb(), 0)

    thread = threading.Thread(target=watch)
    thread.start()
    yield peak
    ended.set()
    thread.join()


def _renderers_kb() -> Iterator[int]:
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, ValueError):  # it has ended since
            if b"--type=renderer" in (folder / "cmdline").read_bytes() and _is_ours(folder.name):
                yield _status(folder.name, "VmRSS:")


def _is_ours(process: str) -> bool:
    while process not in ("0", "1", str(os.getpid())):
        process = str(_status(process, "PPid:"))
    return process == str(os.getpid())


def _status(process: str, name: str) -> int:
    return int(Path("/proc", process, "status").read_text().partition(name)[2].split()[0])


if __name__ == "__main__":
    main()
