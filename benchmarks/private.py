"""The private check as it is asked: what it finds by edit, strangers it takes for copies, what goes over the line.

    python benchmarks/private.py [PHOTOS] [--photos-max 150] [--rows 10000 200000 1000000]

Both directions: the asker holds the photo and the collection an edited copy, and the other way round. Everything goes
through the asker's own functions (`checker.private_check`) and the answers that are sent. Photos whose SHA-256 begins
with 8-f are asked; the others' windows fill the collection, so whatever near row is no copy is a stranger. Then a
service on this machine, and how fast it sends: one client that reads and drops.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import socket
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import NamedTuple

import measuring
import numpy as np
from edits import EDITS, copies
from halves import windows_of

from checker.fingerprint import Depth, fingerprint_bytes, question_of
from checker.index.daily import PRIVATE_FOLDER, write_day
from checker.index.halves import CELLS, HalfCodes, Halves, half_codes, sketches
from checker.index.private_answer import SPREAD_BITS, About, list_bytes, write_sketch_answer
from checker.model import PHASH256, Unreadable
from checker.private_check.asking import AskedHalves, NearRow, asked_halves, near_rows
from checker.records.folder import DataFolder
from checker.report import MatchKind
from checker.settings import Settings

CHECKOUT = Path(__file__).resolve().parent.parent
SETTINGS = dataclasses.replace(Settings(), robust="off")
TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
ABOUT = About(TODAY, TODAY + timedelta(days=1), 1, 1, TODAY)
WAYS = ("list", "list, maybe", "4 sketches", "1 sketch")
SERVED_S = 3.0


class Found(NamedTuple):
    """Of one photo and one edit: found by each of WAYS, in both directions."""

    edit: str
    asked_with_photo: tuple[bool, ...]
    asked_with_copy: tuple[bool, ...]


def asked_of(body: bytes) -> AskedHalves | None:
    """What a photo is asked with. None: too plain."""
    question = question_of(body, SETTINGS)
    if isinstance(question, Unreadable):
        raise SystemExit(f"a photo cannot be read: {question.detail}")
    return None if question.plain else asked_halves(question)


def row_of(body: bytes) -> Halves | None:
    """The row of a stored picture, (1, 16). None: too plain to have one."""
    picture = fingerprint_bytes(body, SETTINGS, depth=Depth.HASH)
    if isinstance(picture, Unreadable):
        raise SystemExit(f"a photo cannot be read: {picture.detail}")
    code = picture.fingerprint(PHASH256)
    return None if picture.plain or code is None else half_codes(code.bits)


def is_sure(near: tuple[NearRow, ...]) -> bool:
    """Counted as found, not only as possible."""
    return any(row.kind is not MatchKind.POSSIBLE for row in near)


def met(asked: AskedHalves | None, row: Halves | None) -> tuple[bool, ...]:
    """Is the row found, by each of WAYS?"""
    if asked is None or row is None:
        return (False,) * len(WAYS)
    near = near_rows(asked, row)
    own = int(sketches(row)[0])
    reached = [any((own ^ s).bit_count() <= SPREAD_BITS for s in asked.shown(count)) for count in (4, 1)]
    return is_sure(near), bool(near), *(is_sure(near) and there for there in reached)


def found_of(path: Path) -> list[Found]:
    """Every edit of one photo."""
    body = path.read_bytes()
    asked, row = asked_of(body), row_of(body)
    if asked is None or row is None:
        return []
    return [Found(edit, met(asked, row_of(copy)), met(asked_of(copy), row)) for edit, copy in copies(path)]


def recall_rows(found: list[Found]) -> list[list[str]]:
    """One line an edit."""
    lines = []
    for edit in EDITS:
        ours = [one for one in found if one.edit == edit]
        shares = [np.mean([one[at] for one in ours], axis=0) for at in (1, 2)]
        lines.append([edit, *(f"{share:.1%}" for both in shares for share in both)])
    return lines


def stranger_rows(asked: list[tuple[str, AskedHalves]], rows: Halves) -> list[list[str]]:
    """How many of the asked photos meet a stranger among so many rows, with 95 % intervals."""
    lines = []
    for group in (*measuring.GROUPS, "all"):
        ours = [one for name, one in asked if group in ("all", measuring.group_of(name))]
        near = [near_rows(one, rows) for one in ours]
        told = [group, f"{len(ours)}"]
        for count in (sum(map(is_sure, near)), sum(map(bool, near))):
            low, high = measuring.interval(count, len(ours))
            told.append(f"{count} ({low:.2%} to {high:.2%})")
        lines.append(told)
    return lines


def size_row(rows: Halves, count: int, asked: list[tuple[str, AskedHalves]]) -> list[str]:
    """What goes over the line for one photo, in a collection of so many rows."""
    index = built(rows[:count])
    cells = np.array([len(index.sketch_rows(sketch, spread_bits=0)) // 16 for sketch in range(CELLS)])
    numbers = np.arange(CELLS)
    every = sum(cells[numbers ^ change] for change in np.flatnonzero(np.bitwise_count(numbers) <= SPREAD_BITS))
    lengths = {n: len(write_sketch_answer(bytes(16 * n), ABOUT)) for n in np.unique(every).tolist()}
    sent = np.array([lengths[n] for n in every.tolist()])
    shown = [one.shown() for _, one in asked]
    sums = [int(sum(sent[s] for s in own)) for own in shown]
    distinct = {int(sent[s]) for own in shown for s in own}
    return [
        f"{index.rows:,}",
        f"{list_bytes(index.rows, ABOUT):,}",
        f"{every.mean():,.0f} / {every.max():,}",
        f"{np.mean([len(own) for own in shown]):.2f}",
        f"{np.mean(sums):,.0f} / {max(sums):,}",
        ", ".join(f"{size:,}" for size in sorted(distinct)),
    ]


def built(rows: Halves) -> HalfCodes:
    """An index of half codes: the other half of the codes is zeros."""
    words = np.zeros((len(rows), 16), dtype=np.uint16)
    spread = np.array([int("".join(f"{b}0" for b in f"{v:08b}"), 2) for v in range(256)], dtype=np.uint16)
    words[:, 0::2], words[:, 1::2] = spread[rows[:, 0::2]], spread[rows[:, 1::2]] >> 1
    codes = words.astype(">u2").view(np.uint8).reshape(-1, 32)
    assert np.array_equal(half_codes(codes), rows)
    return HalfCodes.build([codes], built_at=TODAY)


# --- a service -------------------------------------------------------------------------------------------------


def served(rows: Halves, photo: Path) -> list[list[str]]:
    """Answers a second and MB a second of `hibs serve`, one process, one connection."""
    lines = []
    with tempfile.TemporaryDirectory() as name:
        data = Path(name) / "d"
        measuring.store(data, [(photo.name, photo.read_bytes())], SETTINGS)
        with DataFolder.open(data, create=False):
            (data / PRIVATE_FOLDER).mkdir(mode=0o700)
        for title, count, limit in (("list", 200_000, 10**9), ("sketches", len(rows), 0)):
            for old in (data / PRIVATE_FOLDER).glob("2*"):
                old.rename(Path(name) / f"old-{count}")
            place = data / PRIVATE_FOLDER / f"{datetime.now(UTC):%Y-%m-%d}"
            write_day(place, built(rows[:count]), ABOUT, list_rows_max=limit)
            with Serving(data) as port:
                if title == "list":
                    tag = head(port, "/v1/private/list")
                    lines.append([f"list of {count:,} rows", *rate(port, ["/v1/private/list"])])
                    lines.append(["the same, 304", *rate(port, ["/v1/private/list"], f"If-None-Match: {tag}\r\n")])
                else:
                    paths = [f"/v1/private/sketches/{n * 97 % CELLS:04x}" for n in range(CELLS)]
                    lines.append([f"sketches of {count:,} rows", *rate(port, paths)])
    return lines


class Serving:
    """`hibs serve` as long as the block lasts; its port."""

    def __init__(self, data: Path) -> None:
        command = [sys.executable, "-m", "checker", "serve", "--data", str(data), "--port", "0"]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> int:
        assert self._process.stdout
        return int(self._process.stdout.readline().strip().rstrip("/").rpartition(":")[2])

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()


def ask(line: socket.socket, path: str, headers: str, buffer: bytearray) -> tuple[int, bytes]:
    """One request; how long the answer was, and its head."""
    line.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{headers}\r\n".encode())
    got = b""
    while b"\r\n\r\n" not in got:
        got += line.recv(65_536)
    begin, _, rest = got.partition(b"\r\n\r\n")
    fields = dict(field.split(b": ", 1) for field in begin.lower().split(b"\r\n")[1:])
    left = int(fields.get(b"content-length", b"0")) - len(rest)
    total = left + len(rest)
    while left > 0:
        left -= line.recv_into(buffer, min(left, len(buffer)))
    return total, begin


def head(port: int, path: str) -> str:
    """The ETag of an answer."""
    with socket.create_connection(("127.0.0.1", port)) as line:
        _, begin = ask(line, path, "", bytearray(1 << 20))
    return next(f.split(b": ", 1)[1].decode() for f in begin.split(b"\r\n") if f.lower().startswith(b"etag"))


def rate(port: int, paths: list[str], headers: str = "") -> list[str]:
    """Answers a second and MB a second."""
    buffer, count, size = bytearray(1 << 20), 0, 0
    with socket.create_connection(("127.0.0.1", port)) as line:
        ask(line, paths[0], headers, buffer)
        start = time.perf_counter()
        while (taken := time.perf_counter() - start) < SERVED_S:
            size += ask(line, paths[count % len(paths)], headers, buffer)[0]
            count += 1
    return [f"{count / taken:,.0f}", f"{size / taken / 1e6:,.0f}"]


def measure(files: list[Path], others: list[Path], counts: list[int], processes: int) -> None:
    """Print everything."""
    with ProcessPoolExecutor(processes) as pool:
        found = [one for ones in pool.map(found_of, files) for one in ones]
        codes = list(pool.map(partial(windows_of, count=-(-max(counts) * 11 // (20 * len(others)))), others))
    asked = [(path.name, one) for path in files if (one := asked_of(path.read_bytes()))]
    rows = np.unique(half_codes(np.concatenate(codes)), axis=0)
    rows = rows[np.random.default_rng(1).permutation(len(rows))[: max(counts)]]
    print(measuring.heading("The private check, as it is asked", {"photos": str(len(asked))}))
    print(measuring.table(["", *WAYS, *(f"asked with the copy: {way}" for way in WAYS)], recall_rows(found)), "\n")
    for count in counts:
        columns = [f"strangers among {count:,} rows", "asked", "told as found", "or as possible"]
        print(measuring.table(columns, stranger_rows(asked, rows[:count])), "\n")
    columns = ["rows", "list, bytes", "rows of an answer, mean / worst", "sketches", "bytes a photo", "lengths"]
    print(measuring.table(columns, [size_row(rows, count, asked) for count in counts]), "\n")
    print(measuring.table(["one process, one connection", "answers/s", "MB/s"], served(rows, files[0])))


def main() -> None:
    default = CHECKOUT / os.environ.get("PHOTOS", "../shared/data/photos")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path, nargs="?", default=default, help="folder of JPEG files (or PHOTOS)")
    parser.add_argument("--photos-max", type=int, default=150)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 200_000, 1_000_000])
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args()
    files = measuring.photos_of(given.photos, half="measure", photos_max=given.photos_max)
    others = measuring.photos_of(given.photos, half="choose")
    measure(files, others, sorted(given.rows), given.processes)


if __name__ == "__main__":
    main()
