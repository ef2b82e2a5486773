"""A crawl that is killed again and again: is every address visited, what is asked for twice, is any sighting lost?

`python benchmarks/crawl_killed.py [--images N] [--json FILE]`

SIGKILL comes between 0.3 and 1 s after the first request of each start, until a start reaches the end. What came of it
is read from the log of the benchmark's own web (`crawl_server.py`) and from the data folder: after every kill, what it
holds by then; at the end, whether every page and picture was visited, and whether each picture has exactly one sighting
for the page that shows it. 19,000 pictures on 50 hosts are 20,000 addresses.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import measuring
from crawl_peers import HASH_ALONE, crawl_command
from crawl_run import CHECKOUT, Request, Web, WebPlan, read_log, web
from crawl_server import addresses, galleries, picture_counts

from checker.console import ExitCode
from checker.model import Sighting
from checker.records.folder import DataFolder

KILL_AFTER_S = (0.3, 1.0)
GOAL = 0.02
"""Share of the addresses that may be asked for more than once."""
LIVES_MAX = 5_000
REQUEST_S_MAX = 120.0
"""From a start to its first request or its end."""
LOOK_EVERY_S = 0.005
KINDS = ("pages", "pictures", "robots.txt", "other small files")
ADDRESSES = KINDS[:2]
"""What the crawl is about; the rest is asked for on the way."""
AGES_S = (0.01, 0.05, 0.1, 0.5)


@dataclass(frozen=True, slots=True)
class Life:
    """One start of the crawl."""

    begun_s: float
    first_request_s: float | None
    ended_s: float
    killed: bool
    leased: int
    """Addresses that were handed out and not written down when it ended."""
    recorded: int
    """Pictures that the folder held then."""


def crawl_and_kill(found: Web, data: Path, seed: int) -> tuple[list[Life], dict[str, float]]:
    """Start, kill, start again; the lives, and when a picture's address was first found recorded."""
    chance, lives = random.Random(seed), list[Life]()
    recorded_s: dict[str, float] = {}
    held = 0
    command = crawl_command(found, data, "--delay", "0")
    with TemporaryDirectory(prefix="hibs-crawl-out-") as folder:
        said = Path(folder) / "said"
        while not lives or lives[-1].killed:
            if len(lives) == LIVES_MAX:
                raise SystemExit(f"after {LIVES_MAX} kills the crawl has still not ended")
            offset, begun_s = found.log.stat().st_size, time.monotonic()
            with said.open("wb") as out:
                process = subprocess.Popen(command, stdout=out, stderr=out, env=os.environ | HASH_ALONE, cwd=CHECKOUT)
                first_s = _first_request(found, process, offset, begun_s)
                killed = _kill_after(process, chance.uniform(*KILL_AFTER_S))
            ended_s = time.monotonic()
            if not killed and process.returncode != ExitCode.DONE:
                raise SystemExit(f"the crawl ended with {process.returncode}:\n{said.read_text()[-2000:]}")
            leased, new, held = _looked_into(data, held)
            recorded_s |= dict.fromkeys(new, ended_s)
            lives.append(Life(begun_s, first_s, ended_s, killed, leased, held))
            if len(lives) % 20 == 0:
                print(f"({len(lives)} starts: {held:,} pictures)", file=sys.stderr)
    return lives, recorded_s


def _first_request(found: Web, process: subprocess.Popen[bytes], offset: int, begun_s: float) -> float | None:
    """Wait for it; None: the crawl ended without one. An answer that a kill broke off is logged late, and is none."""
    until_s = begun_s + REQUEST_S_MAX
    while process.poll() is None:
        with found.log.open() as log:
            log.seek(offset)
            for line in log:
                if line.endswith("\n") and (first_s := float(line.partition("\t")[0])) >= begun_s:
                    return first_s
        if time.monotonic() > until_s:
            process.kill()
            why = "the crawl hangs" if found.is_up() else "the benchmark's web has ended, so nothing can be told"
            raise SystemExit(f"a start of the crawl asked for nothing in {REQUEST_S_MAX:.0f} s: {why}")
        time.sleep(LOOK_EVERY_S)
    return None


def _kill_after(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Kill it after this time; False: it had ended by itself."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    return process.returncode == -signal.SIGKILL


def _looked_into(data: Path, held: int) -> tuple[int, list[str], int]:
    """How many addresses are leased, which pictures are there beyond the first `held`, how many in all."""
    if not (data / "corpus.db").exists():
        return 0, [], 0
    with DataFolder.open(data, create=False) as folder:
        leased, images = folder.frontier.counts().leased, folder.store.counts().images
        # Of a new picture the id is the next one: nothing is erased here.
        sightings = folder.store.sightings_of(range(held + 1, images + 1))
    return leased, [one.image_url for seen in sightings.values() for one in seen if one.image_url], images


# --- what came of it -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Redone:
    """How often addresses of one kind were asked for."""

    kind: str
    addresses: int
    requests: int
    more_than_once: int
    """Addresses."""
    begun: int
    """Requests that were made again because a kill came before their answer was complete."""
    answered: dict[str, int]
    """The others, by how long before the kill the answer was complete."""


@dataclass(frozen=True, slots=True)
class Judged:
    """The whole proof; every count of something wrong is to be 0."""

    expected: int
    """Pages and pictures."""
    done: int
    """Of them, by the frontier at the end."""
    not_done: int
    never_asked: int
    asked_after_recorded: int
    """Pictures that were asked for though the folder already held them."""
    sightings: int
    lost: int
    doubled: int
    of_nothing: int
    """Sightings that no page explains."""


def judge(found: Web, data: Path, requests: Sequence[Request], recorded_s: dict[str, float]) -> Judged:
    """Hold what was asked for and what is recorded against what the web has."""
    shown = dict(_shown(found))
    pages = set(shown.values()) | set(found.start)
    asked = {_url(found, request) for request in requests}
    with DataFolder.open(data, create=False) as folder:
        state = folder.frontier.counts()
        seen = [one for of_one in _all_sightings(folder) for one in of_one]
    places = Counter((one.image_url, one.page_url) for one in seen)
    wanted = set(shown.items())
    return Judged(
        expected=len(shown) + len(pages),
        done=state.done,
        not_done=state.queued + state.leased + state.failed + state.disallowed,
        never_asked=len((shown.keys() | pages) - asked),
        asked_after_recorded=sum(request.begin_s > recorded_s.get(_url(found, request), 1e300) for request in requests),
        sightings=len(seen),
        lost=len(wanted - places.keys()),
        doubled=sum(number > 1 for number in places.values()),
        of_nothing=len(places.keys() - wanted),
    )


def _shown(found: Web) -> Iterator[tuple[str, str]]:
    """Each picture's address, and that of the one page that shows it."""
    counts = picture_counts(found.plan.images, found.plan.hosts, None)
    for host, parts in zip(addresses(found.plan.hosts), galleries(counts), strict=True):
        for page, part in enumerate(parts):
            for number in part:
                yield f"http://{host}:{found.port}/picture/{number}.jpg", f"http://{host}:{found.port}/page/{page}"


def _all_sightings(folder: DataFolder) -> Iterator[tuple[Sighting, ...]]:
    images = folder.store.counts().images
    for first in range(1, images + 1, 1_000):
        yield from folder.store.sightings_of(range(first, min(first + 1_000, images + 1))).values()


def _url(found: Web, request: Request) -> str:
    return f"http://{request.host}:{found.port}{request.path}"


def _kind(request: Request) -> str:
    if request.path.startswith("/picture/"):
        return "pictures"
    if request.path == "/" or request.path.startswith("/page/"):
        return "pages"
    return "robots.txt" if request.path == "/robots.txt" else "other small files"


def redone(requests: Sequence[Request], lives: Sequence[Life]) -> list[Redone]:
    """What was asked for again, and how far it had come when the kill came."""
    found = []
    for kind in KINDS:
        by_address: dict[tuple[str, str], list[Request]] = {}
        for request in sorted(requests, key=lambda one: one.begin_s):
            if _kind(request) == kind:
                by_address.setdefault((request.host, request.path), []).append(request)
        begun, answered = 0, Counter[str]()
        for asked in by_address.values():
            for request in asked[:-1]:
                killed_s = next((life.ended_s for life in lives if life.ended_s >= request.begin_s), request.end_s)
                if request.end_s >= killed_s - 0.001:  # what is broken off is logged a moment before or after
                    begun += 1
                else:
                    answered[_age(killed_s - request.end_s)] += 1
        number = sum(map(len, by_address.values()))
        more = sum(len(asked) > 1 for asked in by_address.values())
        found.append(Redone(kind, len(by_address), number, more, begun, dict(answered)))
    return found


def _age(seconds: float) -> str:
    return next((f"up to {limit * 1000:.0f} ms" for limit in AGES_S if seconds <= limit), "longer")


# --- tables ----------------------------------------------------------------------------------------------------


def text(lives: Sequence[Life], asked: Sequence[Redone], judged: Judged) -> str:
    """What is printed."""
    killed = [life for life in lives if life.killed]
    main_kinds = [one for one in asked if one.kind in ADDRESSES]
    again = sum(one.more_than_once for one in main_kinds)
    share = again / judged.expected
    ages = [f"up to {limit * 1000:.0f} ms" for limit in AGES_S] + ["longer"]
    columns = ("asked for", "addresses", "requests", "more than once", "share", "not answered at the kill", *ages)
    rows = [
        [
            *(one.kind, f"{one.addresses:,}", f"{one.requests:,}", f"{one.more_than_once:,}"),
            *(f"{one.more_than_once / max(one.addresses, 1):.2%}", f"{one.begun:,}"),
            *(f"{one.answered.get(age, 0):,}" for age in ages),
        ]
        for one in asked
    ]
    proof = [
        ("addresses done, of", f"{judged.done:,} of {judged.expected:,}"),
        ("queued, leased, failed or disallowed at the end", f"{judged.not_done:,}"),
        ("addresses never asked for", f"{judged.never_asked:,}"),
        ("pictures asked for after they were recorded", f"{judged.asked_after_recorded:,}"),
        ("sightings", f"{judged.sightings:,}"),
        ("sightings lost / doubled / of nothing", f"{judged.lost:,} / {judged.doubled:,} / {judged.of_nothing:,}"),
    ]
    leased = [life.leased for life in killed]
    return (
        f"{len(killed)} kills, {lives[-1].ended_s - lives[0].begun_s:.0f} s; pages and pictures asked for more than "
        f"once: {again:,} of {judged.expected:,}, {share:.2%} (goal: below {GOAL:.0%}), "
        f"{again / max(len(killed), 1):.1f} a kill. Handed out and not written down at a kill: median "
        f"{statistics.median(leased or [0]):.0f}, at most {max(leased, default=0)}.\n\n"
        f"{measuring.table(columns, rows)}\n\n{measuring.table(('proof', 'found'), proof)}\n\n"
        "The columns of times: made again though the answer was complete so long before the kill."
    )


def main() -> None:
    """Crawl, kill, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    photos = CHECKOUT / os.environ.get("PHOTOS", "../shared/data/photos")
    parser.add_argument("--photos", type=Path, default=photos, metavar="FOLDER", help="JPEG files; default: $PHOTOS")
    parser.add_argument("--hosts", type=int, default=50)
    parser.add_argument("--images", type=int, default=19_000)
    parser.add_argument("--seed", type=int, default=1, help="of the times between the kills")
    parser.add_argument("--json", type=Path, metavar="FILE", help="raw figures")
    given = parser.parse_args()
    plan = WebPlan(given.photos.resolve(), hosts=given.hosts, images=given.images)
    if not any(plan.photos.glob("*.jpg")):
        raise SystemExit(f"no photos in {plan.photos}; name a folder of JPEG files")
    with web(plan) as found, TemporaryDirectory(prefix="hibs-crawl-") as folder:
        data = Path(folder) / "data"
        lives, recorded_s = crawl_and_kill(found, data, given.seed)
        requests = read_log(found)
        judged = judge(found, data, requests, recorded_s)
    asked = redone(requests, lives)
    facts = {
        "codes": "phash256 alone",
        "kills": f"{KILL_AFTER_S[0]} to {KILL_AFTER_S[1]} s after a start's first request",
    }
    print(measuring.heading(f"A crawl of {judged.expected:,} addresses that is killed all the time", facts))
    print(text(lives, asked, judged))
    if given.json:
        raw = {"lives": [asdict(life) for life in lives], "asked": [asdict(one) for one in asked]}
        given.json.write_text(json.dumps(raw | {"judged": asdict(judged)}, indent=1))
    wrong = judged.not_done + judged.never_asked + judged.asked_after_recorded
    if wrong + judged.lost + judged.doubled + judged.of_nothing or judged.done != judged.expected:
        raise SystemExit("the records are not what they should be; see the table")


if __name__ == "__main__":
    main()
