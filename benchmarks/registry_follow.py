"""Commands of the feed as processes of their own, measured from outside. Nothing to run here."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HIBS = (sys.executable, "-m", "checker")
SERVER_READY_S_MAX = 60
_SAMPLE_S = 0.05


@dataclass(frozen=True, slots=True)
class Command:
    """What one command cost."""

    wall_s: float
    cpu_s: float
    peak_bytes: int
    """Most memory resident at a time."""
    out: str


def measured(*arguments: str | Path) -> Command:
    """Run a command to its end. A command that fails ends the benchmark."""
    begin_s, peak, ended = time.perf_counter(), 0, 0
    process = subprocess.Popen(
        [str(part) for part in arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    while not ended:
        peak = max(peak, _peak(process.pid))
        time.sleep(_SAMPLE_S)
        ended, status, used = os.wait4(process.pid, os.WNOHANG)
    wall_s = time.perf_counter() - begin_s
    process.returncode = os.waitstatus_to_exitcode(status)
    out, errors = process.communicate()
    if process.returncode:
        raise SystemExit(f"{' '.join(map(str, arguments))} ended with {process.returncode}: {errors}")
    return Command(wall_s, used.ru_utime + used.ru_stime, peak, out)


def _peak(process_id: int) -> int:
    """VmHWM, the kernel's own mark of the most that was resident. 0: the process is gone."""
    try:
        status = Path(f"/proc/{process_id}/status").read_text()
    except OSError:
        return 0
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found[1]) * 1024 if found else 0


@contextmanager
def serving(data: Path) -> Iterator[str]:
    """`hibs serve` over a data folder; gives its address."""
    process = subprocess.Popen(
        [*HIBS, "serve", "--data", str(data), "--port", "0"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.search(r"http://\S+", line)
        if found is None:
            raise SystemExit(f"hibs serve did not start: {line}")
        yield found[0]
    finally:
        process.terminate()
        process.wait(timeout=SERVER_READY_S_MAX)
