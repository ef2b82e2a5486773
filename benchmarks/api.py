"""What `hibs serve` answers in a second with a million pictures stored, and what becomes of it under too much load.

    python benchmarks/api.py PHOTOS [--pictures N] [--folder DIR] [--seconds S] [--only PART ...] [--json FILE]

Wants wrk (`apt-get install wrk`). Prints Markdown tables; a goal that was missed stands in its table. Parts:

    codes       POST /v1/lookups with a phash256 code, every second one near a stored one; and a peer (api_peer.py)
    pictures    the same with the photos themselves, HIBS_ROBUST off and on
    private     the private list, whole and as 304
    bulk        100,000 codes in a list, from the POST to all answers fetched
    overload    everything mixed, by more connections than there are places; a slow reader beside it (api_overload.py)

The service runs with two workers, the load generator on the same machine. Look-ups from this machine are not counted
against the limit of a network, so that no setting is changed for it; rows that say so send X-Forwarded-For through
`--proxy`, and are counted. A folder of a million pictures (`api_made.py`) takes a minute and 0.7 GB; `--folder` keeps
it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import measuring
import numpy as np
import requests
from api_bulk import bulk, make_key
from api_load import Ask, Serving, Told, load, serve, write_bodies
from api_made import Codes, asked_codes, make
from api_overload import overload_tables

LOOK_UPS_GOAL, P99_GOAL_MS = 1_500, 25.0
PICTURES_GOAL, LIST_MB_GOAL, BULK_GOAL, MEMORY_MB_GOAL = 100, 200, 10_000, 700
HMA_MARK = "1,000 (published goal for many machines)"
"""facebook/ThreatExchange, website/content/hma/goals.md: 1,000 look-ups a second, multi-box."""
CODES, CONNECTIONS, WORKERS = 4_000, 16, 2
PARTS = ("codes", "pictures", "private", "bulk", "overload")
OFF, ON = {"HIBS_ROBUST": "off"}, {"HIBS_ROBUST": "on"}
UNCOUNTED = {"HIBS_LOOK_UPS_PER_HOUR_MAX": "100000000", "HIBS_LOOK_UPS_BURST_MAX": "1000000"}
FORWARDED = {"X-Forwarded-For": "%ADDRESS"}


@dataclass(slots=True)
class Bench:
    """What every part works with."""

    data: Path
    work: Path
    photos: Path
    codes: Codes
    seconds: float
    raw: dict[str, Any] = field(default_factory=dict)
    """Every figure, for --json."""

    def run(
        self, name: str, asks: Sequence[Ask], settings: Mapping[str, str], *options: str, connections: int
    ) -> tuple[Told, tuple[float, float]]:
        """Serve, warm up, load; what was told, and the memory after it."""
        with serve(self.data, *options, settings=settings) as serving:
            load(serving, asks, self.work, connections=connections, seconds=3)
            told = load(serving, asks, self.work, connections=connections, seconds=self.seconds)
            memory = serving.memory_mb()
        self.raw[name] = {**asdict(told), "memory_mb": memory}
        print(f"({name}: {told.good / told.seconds:,.0f} a second)", file=sys.stderr)
        return told, memory

    def code_asks(self, headers: Mapping[str, str] | None = None) -> list[Ask]:
        """Look-ups by codes."""
        folder = self.work / "codes"
        if not folder.exists():
            write_bodies(folder, [code_body(code) for code in asked_codes(self.codes, self.photos, CODES)])
        return [Ask("POST", "/v1/lookups", "application/json", folder, headers=headers)]

    def picture_asks(self) -> list[Ask]:
        """Look-ups by pictures: the photos as they are, half of which are stored."""
        folder = self.work / "pictures"
        if not folder.exists():
            paths = measuring.spread(measuring.photos_of(self.photos, half="all"), 400)
            write_bodies(folder, [path.read_bytes() for path in paths])
        return [Ask("POST", "/v1/lookups", "image/jpeg", folder)]


def code_body(code: np.ndarray[Any, Any]) -> bytes:
    """The JSON of a look-up by one code."""
    return json.dumps({"codes": {"phash256": {"version": "1", "hex": code.tobytes().hex()}}}).encode()


def codes_part(bench: Bench) -> str:
    """Look-ups by codes."""
    two, proxied = ("--workers", "2"), ("--workers", "2", "--proxy", "127.0.0.1")
    plain = bench.code_asks()
    runs = [
        ("1 worker, 8 connections", bench.run("codes, 1 worker", plain, OFF, connections=8)),
        ("2 workers, 1 connection", bench.run("codes, 1 connection", plain, OFF, *two, connections=1)),
        ("**2 workers, 16 connections**", bench.run("codes, 2 workers", plain, OFF, *two, connections=16)),
        (
            "the same, counted against the limit of a network (raised)",
            bench.run("codes, counted", bench.code_asks(FORWARDED), {**OFF, **UNCOUNTED}, *proxied, connections=16),
        ),
    ]
    rows = []
    for name, (told, (pss, rss)) in runs:
        rate = told.good / told.seconds
        met = "" if "1 " in name[:10] else _met(rate >= LOOK_UPS_GOAL and told.p99_ms < P99_GOAL_MS)
        met = met if "**" in name else ""
        cpu_us = told.cpu_s / told.answers * 1e6
        rows.append([name, f"{rate:,.0f}", *_times(told), f"{cpu_us:,.0f}", f"{pss:,.0f} / {rss:,.0f}", met])
    rows.append(peer_row(bench, plain))
    columns = ("look-ups by code", "a second", "p50 ms", "p99 ms", "CPU us each", "PSS / RSS MB", "goals met")
    return (
        f"## Look-ups by code\n\nGoals: {LOOK_UPS_GOAL:,} a second with p99 below {P99_GOAL_MS:.0f} ms, and below "
        f"{MEMORY_MB_GOAL} MB (PSS of the process tree). The mark beside it: HMA, {HMA_MARK}.\n\n"
        f"{measuring.table(columns, rows)}"
    )


def peer_row(bench: Bench, asks: Sequence[Ask]) -> list[str]:
    """FAISS behind the same framework, with as many workers."""
    np.save(bench.work / "codes.npy", np.array(bench.codes))
    with _peer(bench.work / "codes.npy") as serving:
        load(serving, asks, bench.work, connections=CONNECTIONS, seconds=3)
        told = load(serving, asks, bench.work, connections=CONNECTIONS, seconds=bench.seconds)
        pss, rss = serving.memory_mb()
    bench.raw["peer"] = asdict(told)
    cpu_us = told.cpu_s / max(1, told.answers) * 1e6
    name = "FAISS multi-hash behind FastAPI, one orientation, 2 workers, 16 connections"
    return [name, f"{told.good / told.seconds:,.0f}", *_times(told), f"{cpu_us:,.0f}", f"{pss:,.0f} / {rss:,.0f}", ""]


@contextmanager
def _peer(codes: Path) -> Iterator[Serving]:
    port = "8479"
    command = (sys.executable, "-m", "uvicorn", "--factory", "api_peer:create_app", "--workers", str(WORKERS))
    folder = Path(__file__).parent
    environment = {**os.environ, "CODES": str(codes), "PYTHONPATH": str(folder)}
    process = subprocess.Popen([*command, "--port", port, "--log-level", "error", "--no-access-log"], env=environment)
    try:
        _wait_for(f"http://127.0.0.1:{port}/docs")
        yield Serving(process.pid, f"http://127.0.0.1:{port}")
    finally:
        process.terminate()
        process.wait(timeout=30)


def _wait_for(url: str) -> None:
    end_s = time.monotonic() + 120
    while time.monotonic() < end_s:
        try:
            requests.get(url, timeout=5)
            return
        except requests.ConnectionError:
            time.sleep(0.5)
    raise SystemExit(f"{url} did not answer within two minutes")


def pictures_part(bench: Bench) -> str:
    """Look-ups by pictures."""
    rows = []
    for name, settings in (("HIBS_ROBUST=off", OFF), ("HIBS_ROBUST=on", ON)):
        told, (pss, rss) = bench.run(
            f"pictures, {name}", bench.picture_asks(), settings, "--workers", "2", connections=8
        )
        rate = told.good / told.seconds
        rows.append([name, f"{rate:,.1f}", *_times(told), f"{pss:,.0f} / {rss:,.0f}", _met(rate >= PICTURES_GOAL)])
    columns = ("look-ups by picture", "a second", "p50 ms", "p99 ms", "PSS / RSS MB", "goal met")
    return (
        f"## Look-ups by picture\n\nPhotos of 640 px at most, 2 workers, 8 connections. Goal: {PICTURES_GOAL} a "
        f"second.\n\n{measuring.table(columns, rows)}"
    )


def private_part(bench: Bench) -> str:
    """The private list: bytes a second, and as 304."""
    settings = {**OFF, "HIBS_PRIVATE_LIST_ROWS_MAX": "2000000"}
    with serve(bench.data, "--workers", "2", settings=settings) as serving:
        first = requests.get(f"{serving.url}/v1/private/list", timeout=120)
        while first.status_code == 503:
            time.sleep(float(first.headers["Retry-After"]))
            first = requests.get(f"{serving.url}/v1/private/list", timeout=120)
        first.raise_for_status()
        whole = load(serving, [Ask("GET", "/v1/private/list")], bench.work, connections=4, seconds=bench.seconds)
        known = {"If-None-Match": first.headers["ETag"]}
        again = [Ask("GET", "/v1/private/list", headers=known)]
        cached = load(serving, again, bench.work, connections=CONNECTIONS, seconds=bench.seconds)
    bench.raw["private"] = {"whole": asdict(whole), "cached": asdict(cached)}
    mb_s = whole.bytes / whole.seconds / 1e6
    rows = [
        [f"whole, {len(first.content) / 1e6:.1f} MB, 4 connections", f"{mb_s:,.0f} MB/s", _met(mb_s >= LIST_MB_GOAL)],
        [f"If-None-Match, {CONNECTIONS} connections", f"{cached.good / cached.seconds:,.0f} answers/s (304)", ""],
    ]
    return f"## The private list\n\nGoal: {LIST_MB_GOAL} MB/s.\n\n{measuring.table(('', 'served', 'goal met'), rows)}"


def bulk_part(bench: Bench) -> str:
    """Lists, the first after a start and one after it."""
    rows = []
    for every in (50, 2):
        asked = asked_codes(bench.codes, bench.photos, 100_000, found_every=every)
        with serve(bench.data, "--workers", "2", settings=OFF) as serving:
            key = make_key(bench.data)
            for name in ("first after a start", "another"):
                done = bulk(serving, key, asked)
                bench.raw[f"bulk, 1 in {every}, {name}"] = asdict(done)
                rate, (pss, rss) = done.rows / done.seconds, done.tree_mb
                rows.append(
                    [
                        *(f"{name}, {done.found / done.rows:.0%} found", f"{done.seconds:.1f}", f"{rate:,.0f}"),
                        *(f"{pss:,.0f} / {rss:,.0f}", _met(rate >= BULK_GOAL)),
                    ]
                )
    columns = ("100,000 codes", "s", "codes a second", "PSS / RSS MB at most", "goal met")
    return f"## Lists\n\nGoal: {BULK_GOAL:,} codes a second.\n\n{measuring.table(columns, rows)}"


def overload_part(bench: Bench) -> str:
    """See `api_overload.py`."""
    mixed = [*bench.code_asks(), *bench.picture_asks()]
    told, tables = overload_tables(bench.data, bench.work, mixed, OFF)
    bench.raw["overload"] = told
    return tables


def _times(told: Told) -> tuple[str, str]:
    return f"{told.p50_ms:.1f}", f"{told.p99_ms:.1f}"


def _met(holds: bool) -> str:
    return "yes" if holds else "no"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path, help="a folder of JPEG files")
    parser.add_argument("--pictures", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, metavar="DIR", help="keep everything here; default: a temporary folder")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each load; the overload takes 60")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--json", type=Path, metavar="FILE", help="raw figures")
    given = parser.parse_args()
    parts = {
        "codes": codes_part,
        "pictures": pictures_part,
        "private": private_part,
        "bulk": bulk_part,
        "overload": overload_part,
    }
    with nullcontext(given.folder) if given.folder else TemporaryDirectory(prefix="hibs-api-") as place:
        folder = Path(place)
        codes = make(folder / "data", given.photos, given.pictures, folder / "cache")
        facts = {
            "pictures": f"{given.pictures:,} modelled, each at one address, and half of the photos with their parts",
            "load": f"{os.getloadavg()[0]:.1f} before (average of a minute)",
        }
        print(measuring.heading("The API", facts))
        with TemporaryDirectory(prefix="hibs-api-load-") as work:
            bench = Bench(folder / "data", Path(work), given.photos, codes, given.seconds)
            for name in given.only:
                print(parts[name](bench), end="\n\n", flush=True)
    if given.json:
        given.json.write_text(json.dumps(bench.raw, indent=1))


if __name__ == "__main__":
    main()
