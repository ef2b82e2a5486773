"""The pipeline's ceiling: pictures a second with no delay, ours beside the peers, in turns. Run by `crawl.py`."""

from __future__ import annotations

import json
import math
import os
import statistics
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import measuring
from crawl_peers import ALL_CODES, OURS, PROCESSES, Engine
from crawl_polite import politeness
from crawl_run import BENCHMARKS, Run, Web, WebPlan, ended_well, read_log, run, web

RUN_S_MAX = 1_200.0
GOALS = {"img2dataset": 2.5, "Scrapy, imagehash": 4.0}
"""How many times as fast ours is to be."""
Rows = list[list[str]]


@dataclass(frozen=True, slots=True)
class Measured:
    """One run of one engine."""

    engine: str
    round: int
    images: int
    stored: int
    wall_s: float
    start_up_s: float
    """The same command for two pictures, in the same round."""
    cpu_s: float
    start_up_cpu_s: float
    server_cpu_s: float
    requests: int
    first_to_last_s: float
    """From the first picture asked for to the last one answered, by the server's log."""
    load: float
    """What was running or waiting on this machine in the minute before, by the system's average."""

    def rates(self, start_up_s: float) -> tuple[float, float, float]:
        """Pictures a second: of the whole process, without a start-up, and while pictures were asked for.

        The second is nan where the start-up took as long as the run.
        """
        running_s = self.wall_s - start_up_s
        running = self.stored / running_s if running_s > 0 else math.nan
        return self.stored / self.wall_s, running, self.stored / self.first_to_last_s


def measure(plan: WebPlan, engines: Sequence[Engine], rounds: int) -> list[Measured]:
    """All engines in all rounds; every second round in reverse, so that none is always first."""
    found: list[Measured] = []
    few = replace(plan, hosts=1, images=PROCESSES, errors=0.0)  # one for each process that img2dataset starts
    with web(plan) as many, web(few) as one:
        print(f"(server: {many.ready})", file=sys.stderr)
        for number in range(1, rounds + 1):
            for engine in engines if number % 2 else tuple(reversed(engines)):
                if engine is ALL_CODES and number > 1:
                    continue  # it takes ten times as long, and nothing is held against it
                load = os.getloadavg()[0]
                start, _ = _once(engine, one)
                done, stored = _once(engine, many)
                asked = read_log(many, begin_s=done.begin_s, end_s=done.begin_s + done.wall_s)
                pictures = [request for request in asked if request.path.startswith("/picture/")]
                if not engine.package and (broken := politeness(asked, delay_s=0.0)).at_once:
                    raise SystemExit(f"ours asked a host {broken.at_once} times while it was answering")
                first_s, last_s = min(r.begin_s for r in pictures), max(r.end_s for r in pictures)
                measured = Measured(
                    *(engine.name, number, plan.images, stored, done.wall_s, start.wall_s, done.cpu_s, start.cpu_s),
                    *(done.server_cpu_s, len(asked), last_s - first_s, load),
                )
                found.append(measured)
                print(f"({measured.engine}, round {number}: {stored / done.wall_s:.0f} a second)", file=sys.stderr)
    return found


def _once(engine: Engine, found: Web) -> tuple[Run, int]:
    with TemporaryDirectory(prefix="hibs-crawl-") as folder:
        command = engine.command(found, Path(folder))
        done = ended_well(run(command, found, seconds_max=RUN_S_MAX, environ=engine.environ), engine.name)
        stored = engine.stored(done, Path(folder))
    if not found.plan.errors and stored != found.plan.images:
        raise SystemExit(f"{engine.name} has {stored} of {found.plan.images} pictures:\n{done.error[-2000:]}")
    return done, stored


def server_ceiling(plan: WebPlan, rounds: int) -> list[dict[str, Any]]:
    """The trivial client: what the server could give."""
    found = []
    with web(plan) as up:
        command = [sys.executable, str(BENCHMARKS / "crawl_client.py"), str(up.port)]
        command += ["--hosts", str(plan.hosts), "--images", str(plan.images)]
        for _ in range(rounds):
            done = ended_well(run(command, up, seconds_max=RUN_S_MAX), "the trivial client")
            found.append(json.loads(done.out) | {"server_cpu_s": done.server_cpu_s})
    return found


# --- tables ----------------------------------------------------------------------------------------------------


def section(plan: WebPlan, engines: Sequence[Engine], rounds: int) -> tuple[str, dict[str, Any]]:
    """The text of the section, and its raw figures."""
    trivial = server_ceiling(replace(plan, errors=0.0), rounds)
    measured = measure(plan, engines, rounds)
    best = max(one["images"] / one["seconds"] for one in trivial)
    server_ms = statistics.median(one["server_cpu_s"] / one["images"] * 1000 for one in trivial)
    text = (
        f"The server alone: a trivial client in one process gets {best:,.0f} pictures a second at best, "
        f"{server_ms:.3f} ms of the server's CPU each.\n\n"
        f"{_raw_table(measured)}\n\n{_median_table(measured, engines)}\n\n{_ratio_table(measured, engines)}"
    )
    return text, {"server": trivial, "runs": [asdict(one) for one in measured]}


def _raw_table(measured: Sequence[Measured]) -> str:
    columns = (
        *("engine", "round", "pictures", "wall s", "start-up s", "first to last s"),
        *("CPU s", "of it start-up", "server's CPU s", "requests", "load before"),
    )
    rows: Rows = [
        [
            *(one.engine, str(one.round), f"{one.stored:,}", f"{one.wall_s:.2f}", f"{one.start_up_s:.2f}"),
            *(f"{one.first_to_last_s:.2f}", f"{one.cpu_s:.2f}", f"{one.start_up_cpu_s:.2f}"),
            *(f"{one.server_cpu_s:.2f}", f"{one.requests:,}", f"{one.load:.1f}"),
        ]
        for one in measured
    ]
    return measuring.table(columns, rows)


def _by_engine(measured: Sequence[Measured]) -> dict[str, list[tuple[float, float, float]]]:
    """The rates of each engine, by round; of its start-ups the median counts, because single ones vary."""
    found: dict[str, list[tuple[float, float, float]]] = {}
    for name in {one.engine: None for one in measured}:
        mine = sorted((one for one in measured if one.engine == name), key=lambda one: one.round)
        start_up_s = statistics.median(one.start_up_s for one in mine)
        found[name] = [one.rates(start_up_s) for one in mine]
    return found


_RATES = ("whole process", "less start-up", "first to last picture")


def _median_table(measured: Sequence[Measured], engines: Sequence[Engine]) -> str:
    columns = ("medians, pictures a second", *_RATES, "CPU ms a picture", "less start-up", "server's CPU ms")
    rates, rows = _by_engine(measured), []
    for engine in engines:
        mine = [one for one in measured if one.engine == engine.name]
        cpu = [one.cpu_s / one.stored * 1000 for one in mine]
        running = [(one.cpu_s - one.start_up_cpu_s) / one.stored * 1000 for one in mine]
        server = [one.server_cpu_s / one.stored * 1000 for one in mine]
        figures = [f"{statistics.median(of_kind):,.0f}" for of_kind in zip(*rates[engine.name], strict=True)]
        rows.append(
            [engine.name, *figures, *(f"{statistics.median(of_kind):.2f}" for of_kind in (cpu, running, server))]
        )
    return measuring.table(columns, rows)


def _ratio_table(measured: Sequence[Measured], engines: Sequence[Engine]) -> str:
    columns = ["as many pictures a second as", "goal"]
    for name in _RATES:
        columns += [name, "lowest to highest"]
    rates, rows = _by_engine(measured), []
    for ours in (OURS, ALL_CODES):
        for engine in engines:
            if ours.name not in rates or not engine.package:
                continue
            goal = f"{GOALS[engine.name]:g} x" if ours is OURS and engine.name in GOALS else ""
            cells = [f"{engine.name}: {ours.name}", goal]
            rounds = list(zip(rates[ours.name], rates[engine.name], strict=False))  # as many as both were run in
            for kind in range(len(_RATES)):
                ratios = [mine[kind] / theirs[kind] for mine, theirs in rounds]
                cells += [f"{statistics.median(ratios):.2f} x", f"{min(ratios):.2f} to {max(ratios):.2f}"]
            rows.append(cells)
    return measuring.table(columns, rows)
