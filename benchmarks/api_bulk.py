"""A list of codes sent, answered and fetched: codes a second from end to end. Part of `benchmarks/api.py`."""

from __future__ import annotations

import json
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import requests
from api_load import Serving
from api_made import Codes
from registry_follow import HIBS

PURPOSE, CASE = "research", "AB-1234"
_LOOK_S, _MEASURE_S = 0.1, 2.0
"""The state is asked for so often, and memory, which costs the kernel some milliseconds, so seldom."""


@dataclass(frozen=True, slots=True)
class Bulk:
    """What one list took."""

    rows: int
    found: int
    seconds: float
    tree_mb: tuple[float, float]
    """Most of PSS and RSS while it was answered, the process that answers lists included."""


def make_key(data: Path) -> str:
    """A key for lists."""
    name = f"benchmark-{time.time_ns()}"
    command = (*HIBS, "keys", "create", "--name", name, "--scopes", "bulk", "--purposes", PURPOSE)
    done = subprocess.run(
        [*command, "--case-pattern", "@@-####", "--data", str(data)], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def bulk(serving: Serving, key: str, codes: Codes) -> Bulk:
    """POST the list, wait until it is done, fetch all answers. The list is made before the clock starts."""
    lines = [
        json.dumps({"id": f"{n}", "codes": {"phash256": {"version": "1", "hex": code.tobytes().hex()}}})
        for n, code in enumerate(codes)
    ]
    body, headers = "\n".join(lines).encode(), {"Authorization": f"Bearer {key}"}
    sent = {**headers, "Content-Type": "application/x-ndjson"}
    most, measured_s = (0.0, 0.0), 0.0
    begin_s = time.perf_counter()
    made = requests.post(
        f"{serving.url}/v1/bulk-lookups?purpose={PURPOSE}&case={CASE}", data=body, headers=sent, timeout=60
    )
    made.raise_for_status()
    where = made.json()
    while (status := requests.get(serving.url + where["status"], headers=headers, timeout=10).json())[
        "state"
    ] != "done":
        if status["state"] == "failed":
            raise SystemExit("the list failed")
        if not measured_s or time.perf_counter() - measured_s > _MEASURE_S:
            measured_s = time.perf_counter()
            most = max(most, serving.memory_mb())
        time.sleep(_LOOK_S)
    answers = requests.get(serving.url + where["results"], headers=headers, timeout=600)
    answers.raise_for_status()
    seconds = time.perf_counter() - begin_s
    rows = [json.loads(line) for line in answers.content.splitlines()]
    assert sum("id" in row for row in rows) == len(codes), answers.content[:500]
    requests.delete(serving.url + where["status"], headers=headers, timeout=10).raise_for_status()
    return Bulk(len(codes), status["found"], seconds, most)
