"""Does the time of an answer tell whether a photo was opted out before, or whether a number exists?

`python benchmarks/oracle.py [--rounds N] [--seed N]`

A service is started over a folder of its own. The questions of each pair are asked in random order on one connection,
so that whatever the machine does meets both alike. Told are the medians with the middle half of all times, and the
share of pairs in which the first was slower: 50 % is what a coin gives; the interval is that of a coin (95 %). The log
grows by one entry with each opt-out, for both questions of a pair alike.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from checker.records.folder import DataFolder

Ask = Callable[[], int]
"""Asks once; gives the status."""
Prepared = Callable[[], Ask]
"""Makes up what is asked, which is no part of the time."""


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    print("| question | status | median, ms | middle half, ms | first slower |")
    print("|---|--:|--:|--:|--:|")
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder, "data")) as place:
        service = Service(http.client.HTTPConnection(place, timeout=60))
        for pair in pairs(service, rng):
            for line in measured(pair, arguments.rounds, rng):
                print(line, flush=True)


@contextmanager
def serving(data: Path) -> Iterator[str]:
    """Host and port of a service that takes any number of opt-outs from one address."""
    DataFolder.open(data, create=True).close()
    limits = {"HIBS_OPT_OUTS_PER_DAY_MAX": "1000000", "HIBS_OPT_OUTS_OF_ALL_PER_DAY_MAX": "1000000"}
    command = [sys.executable, "-P", "-m", "checker", "serve", "--data", str(data), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **limits}) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip().removeprefix("open http://")
        process.terminate()


class Service:
    """One connection to it."""

    def __init__(self, connection: http.client.HTTPConnection) -> None:
        self._connection = connection

    def opt_out(self, code: bytes) -> tuple[int, dict[str, str]]:
        """By a code: status and answer."""
        body = json.dumps({"codes": {"phash256": {"version": "1", "hex": code.hex()}}})
        self._connection.request("POST", "/v1/opt-outs", body, {"Content-Type": "application/json"})
        answer = self._connection.getresponse()
        return answer.status, json.loads(answer.read())

    def status(self, number: str, withdraw_code: str) -> int:
        """Of the answer to how an opt-out stands."""
        self._connection.request("GET", f"/v1/opt-outs/{number}", headers={"Authorization": f"Receipt {withdraw_code}"})
        answer = self._connection.getresponse()
        answer.read()
        return answer.status


def pairs(service: Service, rng: random.Random) -> Iterator[dict[str, Prepared]]:
    """Two questions each, whose answers should not be told apart."""
    known = balanced(rng)
    _, mine = service.opt_out(known)
    number, code = mine["number"], mine["withdraw_code"]

    def opt_out(photo: bytes) -> Ask:
        return lambda: service.opt_out(photo)[0]

    def status(of: str, by: str) -> Ask:
        return lambda: service.status(of, by)

    yield {
        "opt-out of a photo that was opted out before": lambda: opt_out(known),
        "opt-out of a new one": lambda: opt_out(balanced(rng)),
    }
    yield {
        "status, unknown number": lambda: status("0000-0000", wrong(code, 0, rng)),
        "status, known number, wrong withdraw code": lambda: status(number, wrong(code, 0, rng)),
    }
    yield {
        "status, wrong code that begins right": lambda: status(number, wrong(code, len(code) - 4, rng)),
        "status, wrong code altogether": lambda: status(number, wrong(code, 0, rng)),
    }


def wrong(code: str, right: int, rng: random.Random) -> str:
    """Another withdraw code of the same form, of which so many characters are right."""
    kept = max(right, code.rindex("-") + 1)
    return code[:kept] + "".join(rng.choice("0123456789ABCDEFGHJKMNPQRSTVWXYZ") for _ in code[kept:])


def balanced(rng: random.Random) -> bytes:
    """A code as a picture has it: 128 of 256 bits set."""
    return sum(1 << place for place in rng.sample(range(256), 128)).to_bytes(32)


def measured(pair: dict[str, Prepared], rounds: int, rng: random.Random) -> Iterator[str]:
    """Two rows of the table."""
    times_ms: dict[str, list[float]] = {name: [] for name in pair}
    statuses: dict[str, int] = {}
    for _ in range(rounds):
        for name in rng.sample(list(pair), len(pair)):
            ask = pair[name]()
            began_s = time.perf_counter()
            statuses[name] = ask()
            times_ms[name].append((time.perf_counter() - began_s) * 1000)
    first, second = times_ms.values()
    slower = sum(one > other for one, other in zip(first, second, strict=True)) / rounds
    chance = 1.96 * (0.25 / rounds) ** 0.5
    told = f"{slower:.0%} (a coin: {0.5 - chance:.0%} to {0.5 + chance:.0%})"
    for name, of_it in times_ms.items():
        low, middle, high = statistics.quantiles(of_it, n=4)
        yield f"| {name} | {statuses[name]} | {middle:.2f} | {low:.2f} to {high:.2f} | {told} |"
        told = ""


if __name__ == "__main__":
    main()
