"""A service as a process of its own, load made by wrk, and what both told. Part of `benchmarks/api.py`.

wrk keeps a number of connections busy: the next request goes out when the answer is there. Which requests, says a Lua
script that is written for each run; it also counts answers by status, and refusals (429, 503) without `Retry-After`.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from registry_follow import HIBS

READY_S_MAX = 60.0
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Ask:
    """One kind of request."""

    method: str
    path: str
    media_type: str = ""
    bodies: Path | None = None
    """A folder of files 1, 2, ... that are sent in turn. None: no body."""
    weight: int = 1
    """How often, beside the others."""
    headers: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """What wrk saw, and what the service used meanwhile."""

    seconds: float
    statuses: Mapping[int, int]
    p50_ms: float
    p99_ms: float
    max_ms: float
    bytes: int
    lost: int
    """Requests that ended without an answer: broken connections, or none within 30 seconds."""
    without_retry: int
    """429 and 503 without Retry-After."""
    cpu_s: float
    """User and system time of all processes of the service."""

    @property
    def answers(self) -> int:
        """Of whatever status."""
        return sum(self.statuses.values())

    @property
    def good(self) -> int:
        """With a status below 400."""
        return sum(count for status, count in self.statuses.items() if status < 400)


@dataclass(frozen=True, slots=True)
class Serving:
    """A running `hibs serve`."""

    process_id: int
    url: str

    def tree(self) -> list[int]:
        """Its process ids: the service, its workers, and their decoders."""
        parents = {int(path.name): _stat(path)[1] for path in Path("/proc").iterdir() if path.name.isdigit()}
        found = [self.process_id]
        for process_id in found:
            found += [child for child, parent in parents.items() if parent == str(process_id)]
        return found

    def cpu_s(self) -> float:
        """User and system time that its processes used so far; those that ended are counted with their parents."""
        fields = [_stat(Path(f"/proc/{process_id}")) for process_id in self.tree()]
        return sum(int(tick) for stat in fields for tick in stat[11:15]) / _TICKS

    def memory_mb(self) -> tuple[float, float]:
        """Of all its processes together: PSS, which counts a shared page once, and RSS, which counts it in each."""
        texts = [_read(Path(f"/proc/{process_id}/smaps_rollup")) for process_id in self.tree()]
        return _sum_mb(texts, "Pss"), _sum_mb(texts, "Rss")


@contextmanager
def serve(data: Path, *options: str, settings: Mapping[str, str]) -> Iterator[Serving]:
    """`hibs serve` over a data folder, from its first answer to its end."""
    (data / "look-ups.shared").unlink(missing_ok=True)  # as other runs left it, under other limits
    command = [*HIBS, "serve", "--data", str(data), "--port", "0", *options]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", **settings}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.search(r"http://\S+", line)
        if found is None:
            raise SystemExit(f"hibs serve did not start: {line}")
        time.sleep(3)  # for the other workers, and for the searches to be compiled
        yield Serving(process.pid, found[0].rstrip("/"))
    finally:
        process.terminate()
        process.wait(timeout=READY_S_MAX)


def load(serving: Serving, asks: Sequence[Ask], work: Path, *, connections: int, seconds: float) -> Told:
    """Keep the connections busy for so long.

    Raises:
        SystemExit: there is no wrk.
    """
    script = work / "load.lua"
    script.write_text(_lua(asks))
    command = [
        "wrk",
        "-t1",
        "--timeout",
        "30s",
        f"-c{connections}",
        f"-d{seconds:.0f}s",
        "-s",
        str(script),
        serving.url,
    ]
    before_s = serving.cpu_s()
    try:
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise SystemExit("wrk is not installed; `apt-get install wrk`, or build github.com/wg/wrk") from error
    cpu_s = serving.cpu_s() - before_s
    line = next(line for line in done.stdout.splitlines() if line.startswith("told "))
    told = json.loads(line.removeprefix("told "))
    return Told(
        seconds=told["seconds"],
        statuses={int(status): count for status, count in told["statuses"].items()},
        p50_ms=told["p50_ms"],
        p99_ms=told["p99_ms"],
        max_ms=told["max_ms"],
        bytes=told["bytes"],
        lost=told["lost"],
        without_retry=told["without_retry"],
        cpu_s=cpu_s,
    )


def write_bodies(folder: Path, bodies: Sequence[bytes]) -> Path:
    """One file for each, 1, 2, ..., as the Lua script reads them."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, body in enumerate(bodies, 1):
        (folder / str(number)).write_bytes(body)
    return folder


def _lua(asks: Sequence[Ask]) -> str:
    kinds = ",\n".join(_lua_kind(ask) for ask in asks)
    return _LUA.replace("KINDS", kinds)


def _lua_kind(ask: Ask) -> str:
    headers = {**(ask.headers or {}), **({"Content-Type": ask.media_type} if ask.media_type else {})}
    listed = ", ".join(f"[{json.dumps(name)}] = {json.dumps(value)}" for name, value in headers.items())
    bodies = f"bodies({json.dumps(str(ask.bodies))}, {len(list(ask.bodies.iterdir()))})" if ask.bodies else "{}"
    return (
        f"  {{method = {json.dumps(ask.method)}, path = {json.dumps(ask.path)}, weight = {ask.weight}, "
        f"headers = {{{listed}}}, bodies = {bodies}, at = 0}}"
    )


_LUA = """
local function bodies(folder, count)
  local all = {}
  for n = 1, count do
    local file = io.open(folder .. "/" .. n, "rb")
    all[n] = file:read("*a")
    file:close()
  end
  return all
end
local kinds = {
KINDS
}
local turns = {}
for _, kind in ipairs(kinds) do for _ = 1, kind.weight do turns[#turns + 1] = kind end end
local turn, asked = 0, 0
statuses, without_retry = {}, 0
local threads = {}

function setup(thread) threads[#threads + 1] = thread end

function request()
  -- A step that shares no divisor with most numbers of turns, so that kinds mix.
  turn = (turn + 7) % #turns
  asked = asked + 1
  local kind = turns[turn + 1]
  kind.at = kind.at % math.max(1, #kind.bodies) + 1
  local headers = {}
  for name, value in pairs(kind.headers) do headers[name] = value:gsub("%%ADDRESS", "192.0.2." .. asked % 50) end
  return wrk.format(kind.method, kind.path, headers, kind.bodies[kind.at])
end

function response(status, headers)
  statuses[status] = (statuses[status] or 0) + 1
  if (status == 429 or status == 503) and not (headers["Retry-After"] or headers["retry-after"]) then
    without_retry = without_retry + 1
  end
end

function done(summary, latency)
  local parts = {}
  local seen = threads[1]:get("statuses")
  for status, count in pairs(seen) do parts[#parts + 1] = string.format('"%d": %d', status, count) end
  local errors = summary.errors
  io.write(string.format(
    'told {"seconds": %f, "statuses": {%s}, "p50_ms": %f, "p99_ms": %f, "max_ms": %f, "bytes": %d, "lost": %d, ' ..
    '"without_retry": %d}\\n', summary.duration / 1e6, table.concat(parts, ", "), latency:percentile(50) / 1e3,
    latency:percentile(99) / 1e3, latency.max / 1e3, summary.bytes,
    errors.connect + errors.read + errors.write + errors.timeout, threads[1]:get("without_retry")))
end
"""


def _stat(process: Path) -> list[str]:
    """The fields of /proc/N/stat after the name, which may hold anything: state, parent, ... Zeros: it is gone."""
    return _read(process / "stat").rpartition(")")[2].split() or ["0"] * 20


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def _sum_mb(texts: Sequence[str], name: str) -> float:
    found = (re.search(rf"^{name}:\s+(\d+) kB", text, re.MULTILINE) for text in texts)
    return sum(int(one[1]) for one in found if one) * 1024 / 1e6
