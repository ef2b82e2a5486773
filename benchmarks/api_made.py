"""A data folder of a million pictures, and what is asked of it. Part of `benchmarks/api.py`; nothing to run here.

The photos of one half (see `measuring.py`) are stored as `hibs ingest` does, with their parts. The others are rows of
modelled codes (`index_codes.py`), each seen at one address on one page, and are written past the store's own functions
in one transaction: through them a million takes ten minutes. The index is built by `hibs index build --full`.
"""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import index_codes
import measuring
import numpy as np
import numpy.typing as npt

from checker.fingerprint.hashes import POPCOUNT
from checker.model import PHASH256
from checker.records.database import transaction
from checker.records.folder import DataFolder
from checker.settings import Settings

Codes = npt.NDArray[np.uint8]
STORED_HALF, NEW_HALF = "measure", "choose"
MADE = "made"
"""A file in the folder that says that it is whole."""
HOSTS, PICTURES_A_PAGE = 20_000, 10
PAIRS_MAX = 6
"""Pairs of bits that a found code differs in from the stored one, at most."""
_SEEN = "2026-01-01T00:00:00Z"


def make(data: Path, photos: Path, pictures: int, cache: Path) -> Codes:
    """The folder, made where it is not there yet; the modelled codes that it holds, (n, 32)."""
    cache.mkdir(parents=True, exist_ok=True)
    paths = measuring.photos_of(photos, half="all")
    modelled = index_codes.modelled(index_codes.real_codes(paths, cache).phash256, pictures, cache)
    codes: Codes = np.load(modelled, mmap_mode="r")[:pictures]
    made = data / MADE
    if not made.exists():
        stored = measuring.photos_of(photos, half=STORED_HALF)
        settings = dataclasses.replace(Settings(), robust="auto")
        measuring.store(data, ((path.name, path.read_bytes()) for path in stored), settings)
        _fill(data, codes)
        command = (sys.executable, "-m", "checker", "index", "build", "--full", "--data", str(data))
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        made.touch()
    return codes


def asked_codes(codes: Codes, photos: Path, count: int, *, found_every: int = 2) -> Codes:
    """Codes to ask with, (count, 32): every `found_every`th a stored one with 0 to PAIRS_MAX pairs of bits exchanged.

    As many bits stay set as a real code has. The others are new: of windows of photos, as the benchmarks of the index
    have it.
    """
    random = np.random.default_rng(3)
    is_found = np.arange(count) % found_every == found_every - 1
    balanced = codes[np.bitwise_count(codes).sum(axis=1) == POPCOUNT]
    bits = np.unpackbits(balanced[random.integers(0, len(balanced), is_found.sum())], axis=1)
    for row, pairs in zip(bits, random.integers(0, PAIRS_MAX + 1, len(bits)), strict=True):
        sides = [random.choice(np.flatnonzero(row == value), pairs, replace=False) for value in (0, 1)]
        row[np.concatenate(sides)] ^= 1
    new, _ = index_codes.windows(measuring.photos_of(photos, half=NEW_HALF), count - len(bits), seed=4)
    asked = np.empty((count, PHASH256.bits // 8), dtype=np.uint8)
    asked[is_found], asked[~is_found] = np.packbits(bits, axis=1), new
    return asked


def _fill(data: Path, codes: Codes) -> None:
    with DataFolder.open(data, create=False) as folder:
        source = folder.store.source("modelled", kind="crawl", now=datetime.now(UTC))
        database = folder.store._db
        with transaction(database):
            (first,) = database.execute("SELECT COALESCE(MAX(image_id), 0) + 1 FROM image").fetchone()
            (url,) = database.execute("SELECT COALESCE(MAX(url_id), 0) + 1 FROM url").fetchone()
            (host,) = database.execute("SELECT COALESCE(MAX(host_id), 0) + 1 FROM host").fetchone()
            many = database.conn.executemany
            many("INSERT INTO host VALUES (?, ?)", ((host + n, f"https://host{n}.example") for n in range(HOSTS)))
            many("INSERT INTO url VALUES (?, ?, ?)", _urls(url, host, len(codes)))
            many(_IMAGE, ((first + n, (first + n).to_bytes(32)) for n in range(len(codes))))
            many(_CODE, ((first + n, code.tobytes()) for n, code in enumerate(codes)))
            pages = url + len(codes)
            many(
                _SIGHTING,
                ((first + n, int(source.id), url + n, pages + n // PICTURES_A_PAGE) for n in range(len(codes))),
            )


def _urls(url: int, host: int, count: int) -> Iterator[tuple[int, int, str]]:
    """The addresses of the pictures, then those of the pages that show ten each."""
    pages = -(-count // PICTURES_A_PAGE)
    for n in range(count):
        at = n // PICTURES_A_PAGE % HOSTS
        yield url + n, host + at, f"https://host{at}.example/pictures/{n}.jpg"
    for n in range(pages):
        yield url + count + n, host + n % HOSTS, f"https://host{n % HOSTS}.example/pages/{n}.html"


_IMAGE = (
    "INSERT INTO image (image_id, sha256, byte_size, width, height, format, first_seen) "
    f"VALUES (?, ?, 100000, 640, 480, 'JPEG', '{_SEEN}')"
)
_CODE = (
    "INSERT INTO code (image_id, kind_id, variant, bits) "
    "SELECT ?, kind_id, 'whole', ? FROM code_kind WHERE name = 'phash256'"
)
_SIGHTING = (
    "INSERT INTO sighting (image_id, source_id, image_url_id, page_url_id, found_as, first_seen, last_seen) "
    f"VALUES (?, ?, ?, ?, 'img', '{_SEEN}', '{_SEEN}')"
)
