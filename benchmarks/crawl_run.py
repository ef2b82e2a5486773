"""What the sections of `crawl.py` share: the web as a process of its own, its log, and a command measured from outside.

Nothing to run here.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from crawl_server import addresses
from hostile import PeakMemory

BENCHMARKS = Path(__file__).resolve().parent
CHECKOUT = BENCHMARKS.parent
_READY_S_MAX = 600.0
"""To read the photos, and to resize them where that was asked for."""
MEMORY_EVERY_S = 0.2
_LAST_LINE_S = 0.5
"""A client has an answer before the server has written its line."""


# --- the web ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class WebPlan:
    """What `crawl_server.py` is started with."""

    photos: Path
    hosts: int = 50
    images: int = 5_000
    latency_ms: float = 0.0
    errors: float = 0.0
    hottest: float | None = None
    shorter_side: int | None = None

    def arguments(self) -> list[str]:
        """On its command line."""
        given = {
            **{"--photos": self.photos, "--hosts": self.hosts, "--images": self.images, "--errors": self.errors},
            **{"--latency-ms": self.latency_ms, "--hottest": self.hottest, "--shorter-side": self.shorter_side},
        }
        return [str(part) for name, value in given.items() if value is not None for part in (name, value)]


@dataclass(frozen=True, slots=True)
class Web:
    """The web while it is up."""

    plan: WebPlan
    port: int
    process_id: int
    log: Path
    ready: str
    """What it said of itself."""

    @property
    def start(self) -> list[str]:
        """The first page of every host."""
        return [f"http://{host}:{self.port}/" for host in addresses(self.plan.hosts)]

    @property
    def opened(self) -> list[str]:
        """Options that open every host to `hibs crawl`."""
        return [part for host in addresses(self.plan.hosts) for part in ("--allow-address", f"{host}:{self.port}")]

    @property
    def pictures(self) -> list[str]:
        """An address for every picture, in turns over the hosts; each host answers for all of them."""
        hosts = addresses(self.plan.hosts)
        return [f"http://{hosts[n % len(hosts)]}:{self.port}/picture/{n}.jpg" for n in range(self.plan.images)]

    def is_up(self) -> bool:
        """Does the server's process still run?"""
        return self._state()[0] not in ("Z", "X")  # proc(5): ended, and not waited for yet

    def _state(self) -> list[str]:
        return Path(f"/proc/{self.process_id}/stat").read_text().rpartition(")")[2].split()

    def cpu_s(self) -> float:
        """What the server has used so far."""
        fields = self._state()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")  # proc(5): utime, stime


@contextmanager
def web(plan: WebPlan) -> Iterator[Web]:
    """Start the web, and end it."""
    with TemporaryDirectory(prefix="hibs-crawl-web-") as folder:
        log = Path(folder) / "log.tsv"
        command = [sys.executable, str(BENCHMARKS / "crawl_server.py"), *plan.arguments(), "--log", str(log)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            late = threading.Timer(_READY_S_MAX, process.kill)
            late.start()
            try:
                assert process.stdout
                ready = process.stdout.readline().strip()
                if not ready:
                    raise SystemExit("the benchmark's web did not start; its message stands above")
                port = int(ready.split(",")[0].removeprefix("port "))
                yield Web(plan, port, process.pid, log, ready)
            finally:
                late.cancel()
                process.send_signal(signal.SIGTERM)
                process.wait()


@dataclass(frozen=True, slots=True)
class Request:
    """One line of the web's log."""

    begin_s: float
    end_s: float
    host: str
    path: str
    status: int


def read_log(found: Web, *, begin_s: float = 0.0, end_s: float = float("inf")) -> list[Request]:
    """What began between two moments of the monotonic clock, which all processes of a machine share."""
    time.sleep(_LAST_LINE_S)
    requests = []
    for line in found.log.read_text().splitlines():
        begun, ended, host, path, status = line.split("\t")
        if begin_s <= float(begun) <= end_s:
            requests.append(Request(float(begun), float(ended), host, path, int(status)))
    return requests


# --- what is measured ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Run:
    """A command, from its start to its end."""

    begin_s: float
    """On the monotonic clock."""
    wall_s: float
    cpu_s: float
    """Its own and that of all processes it started and waited for."""
    server_cpu_s: float
    peak_bytes: int
    """Of memory, it and its workers together; 0: not sampled."""
    status: int
    out: str
    error: str


def run(
    command: Sequence[str],
    found: Web,
    *,
    seconds_max: float,
    interrupt: bool = False,
    memory: bool = False,
    environ: Mapping[str, str] | None = None,
) -> Run:
    """Run a command to its end.

    Args:
        seconds_max: after this time it is killed; with `interrupt` it gets one Ctrl-C, and a minute to finish.
        memory: sample it as well, which takes some time of the processor.
    """
    with TemporaryDirectory(prefix="hibs-crawl-out-") as folder:
        out, error = Path(folder) / "out", Path(folder) / "error"
        with out.open("wb") as said, error.open("wb") as complained:
            server_cpu_s, begin_s = found.cpu_s(), time.monotonic()
            process = subprocess.Popen(
                command, stdout=said, stderr=complained, env=os.environ | dict(environ or {}), cwd=CHECKOUT
            )
            # os.kill, because Popen's own would wait for the process, and wait4 would come too late.
            timers = [threading.Timer(seconds_max + 60.0 * interrupt, os.kill, (process.pid, signal.SIGKILL))]
            if interrupt:
                timers.append(threading.Timer(seconds_max, os.kill, (process.pid, signal.SIGINT)))
            for timer in timers:
                timer.start()
            with PeakMemory(process.pid, every_s=MEMORY_EVERY_S) if memory else nullcontext() as watched:
                _, status, used = os.wait4(process.pid, 0)
            wall_s = time.monotonic() - begin_s
            process.returncode = os.waitstatus_to_exitcode(status)  # so that nobody waits for it a second time
            for timer in timers:
                timer.cancel()
        return Run(
            begin_s,
            wall_s,
            cpu_s=used.ru_utime + used.ru_stime,
            server_cpu_s=found.cpu_s() - server_cpu_s,
            peak_bytes=watched.peak_bytes if watched else 0,
            status=process.returncode,
            out=out.read_text(errors="replace"),
            error=error.read_text(errors="replace"),
        )


def ended_well(done: Run, what: str) -> Run:
    """Give it back where it ended as it should.

    Raises:
        SystemExit: it did not; with the end of what it said.
    """
    if done.status:
        said = (done.error or done.out)[-2000:]
        raise SystemExit(f"{what} ended with {done.status} after {done.wall_s:.0f} s:\n{said}")
    return done
