"""Corpora for the tests of the index: many codes quickly, and the answers that a plain scan gives."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
from sqlite_utils import Database

from checker.model import PHASH256, CodeKind, Fingerprint, Locator, Picture, Sha256
from checker.records.folder import CORPUS_FILE, DataFolder
from checker.records.registry import REGISTRY_FILE, LogRow, OptOutRow, Registry
from checker.visits import PictureSeen

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SSCD512 = CodeKind("sscd512", "1-240436cc531e", 512)
OTHER = CodeKind("other", "1", 64)


def add(folder: DataFolder, codes: Iterable[bytes], kind: CodeKind = PHASH256) -> dict[int, bytes]:
    """Record one picture a code, as ingest does; the codes by the id that each was given.

    Each picture has a code of another kind too, so that ids of one kind have gaps.
    """
    source = folder.store.source("codes", kind="folder", now=NOON)
    added = {}
    for code in codes:
        sha256 = Sha256(random.Random(f"{folder.store.version()} {code.hex()}").randbytes(32).hex())
        fingerprints = (Fingerprint(OTHER, bytes(8)), Fingerprint(kind, code))
        picture = Picture(sha256, 1, 1, 1, "PNG", fingerprints, plain=False)
        seen = PictureSeen(picture, servable=True)
        folder.store.record_file(seen, source=source, locator=Locator(file=sha256), now=NOON)
        added[folder.store.last_code_id(kind)] = code
    return added


def add_many(folder: DataFolder, codes: Sequence[bytes], kind: CodeKind = PHASH256) -> dict[int, bytes]:
    """The same for 100,000 codes in a second: one picture for all of them, and a variant of its own for each."""
    add(folder, codes[:1], kind)
    last = folder.store.last_code_id(kind)
    database = Database(folder.path / CORPUS_FILE)
    with database.conn:
        database.conn.executemany(
            "INSERT INTO code (image_id, kind_id, variant, bits) "
            "SELECT image_id, kind_id, ?, ? FROM code WHERE code_id = ?",
            ((f"part-{last}-{number}", code, last) for number, code in enumerate(codes[1:])),
        )
        rows = database.conn.execute(
            "SELECT code_id, bits FROM code WHERE code_id >= ?1 "
            "AND kind_id = (SELECT kind_id FROM code WHERE code_id = ?1)",
            (last,),
        ).fetchall()
    database.close()
    return {code_id: bytes(bits) for code_id, bits in rows}


def opt_out(folder: DataFolder, code: bytes) -> None:
    """Somebody says no to the picture of this code."""
    row = OptOutRow("A", 0, "recorded", "picture", ("tdm",), 1, b"A", NOON)
    with closing(Registry.open(folder.path / REGISTRY_FILE)) as registry, registry.writing() as writer:
        writer.add_log_entry(LogRow(index=0, leaf=bytes(32), entry=b"entry", salt=b"salt"), [])
        writer.add_opt_out(row, [[Fingerprint(PHASH256, code)]])


def flipped(code: bytes, bits: int, rng: random.Random) -> bytes:
    """The code with this many bits changed."""
    value = int.from_bytes(code, "big")
    for position in rng.sample(range(len(code) * 8), bits):
        value ^= 1 << position
    return value.to_bytes(len(code), "big")


def distance(a: bytes, b: bytes) -> int:
    """Hamming distance, counted in plain Python."""
    return bin(int.from_bytes(a) ^ int.from_bytes(b)).count("1")


def near_by_scan(
    stored: Mapping[int, bytes], queries: Sequence[bytes], distance_bits_max: int
) -> list[tuple[int, int, int]]:
    """(query, distance, id), by query, then nearest first."""
    ids = list(stored)
    found = []
    for number, distances in enumerate(_all_distances(stored, queries)):
        found += [(number, int(distances[at]), ids[at]) for at in np.flatnonzero(distances <= distance_bits_max)]
    return sorted(found)


def nearest_by_scan(stored: Mapping[int, bytes], queries: Sequence[bytes], count: int) -> list[tuple[int, int, int]]:
    """(distance, id, query), nearest first; every code once, with the first of the queries that it is nearest to."""
    if not stored:
        return []
    distances = np.array(_all_distances(stored, queries))
    least, number = distances.min(axis=0).tolist(), distances.argmin(axis=0).tolist()
    return sorted(zip(least, stored, number, strict=True))[:count]


def _all_distances(stored: Mapping[int, bytes], queries: Sequence[bytes]) -> list[npt.NDArray[np.int64]]:
    """Every stored code with every query, byte by byte from a table of counted bits."""
    if not stored:
        return []
    set_bits = np.array([bin(value).count("1") for value in range(256)], dtype=np.uint8)
    codes = np.frombuffer(b"".join(stored.values()), dtype=np.uint8).reshape(len(stored), -1)
    return [set_bits[codes ^ np.frombuffer(query, dtype=np.uint8)].sum(axis=1) for query in queries]
