"""Everything at once, and more of it than can be answered. Part of `benchmarks/api.py`.

For a minute wrk keeps more connections busy than the service has places, so that whatever is refused is asked again at
once: what is offered is several times what is answered. Beside it a client that reads an answer a few bytes at a time,
and one that asks /healthz on a connection of its own, again and again. Once as from this machine, whose look-ups are
not counted, and once through a proxy as from 50 networks, under the limits as they are.
"""

from __future__ import annotations

import dataclasses
import json
import socket
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

import measuring
import requests
from api_load import Ask, Told, load, serve, write_bodies

SECONDS, CONNECTIONS = 60.0, 96
HEALTH_S_GOAL = 1.0
_HEALTH_EVERY_S, _READ_BYTES, _READ_EVERY_S = 0.2, 16, 0.5
WEIGHTS = {"codes": 60, "pictures": 15}
OTHERS = (
    Ask("GET", "/v1/stats", weight=10),
    Ask("GET", "/v1/private/sketches/0a1b", weight=10),
)


class Beside:
    """A thread that does one thing until the block ends. A context manager."""

    def __init__(self) -> None:
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Beside:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end.set()
        self._thread.join()

    def _run(self) -> None:
        raise NotImplementedError


class Health(Beside):
    """Asks /healthz on new connections, and notes how long each answer took."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url
        self.seconds: list[float] = []
        self.failed = 0

    def _run(self) -> None:
        while not self._end.wait(_HEALTH_EVERY_S):
            begin_s = time.perf_counter()
            try:
                answered = requests.get(f"{self._url}/healthz", timeout=10).status_code == 200
            except requests.RequestException:
                answered = False
            self.failed += not answered
            self.seconds.append(time.perf_counter() - begin_s)


class SlowReader(Beside):
    """Asks for the page of the API's description, and takes it off the line a few bytes at a time."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._place = urlsplit(url)

    def _run(self) -> None:
        with socket.socket() as line:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            line.connect((self._place.hostname, self._place.port))
            line.sendall(f"GET /openapi.json HTTP/1.1\r\nHost: {self._place.netloc}\r\n\r\n".encode() * 20)
            while not self._end.wait(_READ_EVERY_S):
                try:
                    if not line.recv(_READ_BYTES):
                        return
                except OSError:
                    return


@dataclass(frozen=True, slots=True)
class Overload:
    """One minute."""

    told: Told
    health_s: float
    """The slowest answer of /healthz."""
    health_failed: int


def overload_tables(
    data: Path, work: Path, look_ups: Sequence[Ask], settings: Mapping[str, str]
) -> tuple[dict[str, Any], str]:
    """Both minutes: raw figures, and Markdown."""
    opt_out = json.loads((_first_body(look_ups[0])).read_text())
    bodies = write_bodies(work / "opt-outs", [json.dumps({**opt_out, "uses": ["tdm"]}).encode()])
    weights = WEIGHTS.values()
    asks = [dataclasses.replace(ask, weight=weight) for ask, weight in zip(look_ups, weights, strict=True)]
    asks += [*OTHERS, Ask("POST", "/v1/opt-outs", "application/json", bodies, weight=5)]
    forwarded = [dataclasses.replace(ask, headers={"X-Forwarded-For": "%ADDRESS"}) for ask in asks]
    proxied = ("--workers", "2", "--proxy", "127.0.0.1")
    runs = {
        "from this machine": _overload(data, work, asks, settings, "--workers", "2"),
        "from 50 networks, limits as they are": _overload(data, work, forwarded, settings, *proxied),
    }
    rows = [_row(name, one) for name, one in runs.items()]
    columns = ("", "asked a second", "below 400", "429", "503", "5xx else", "without Retry-After", "lost", "/healthz s")
    text = (
        f"## Too much\n\n{SECONDS:.0f} s, {CONNECTIONS} connections: {WEIGHTS['codes']} % look-ups by code, "
        f"{WEIGHTS['pictures']} % by picture, 10 % /v1/stats, 10 % private sketches, 5 % opt-outs (of which 20 a day "
        f"are taken from an address); a slow reader beside it. Goals: no 500, every refusal with Retry-After, "
        f"/healthz below {HEALTH_S_GOAL:.0f} s.\n\n{measuring.table((*columns, 'goals met'), rows)}"
    )
    return {name: dataclasses.asdict(one) for name, one in runs.items()}, text


def _overload(data: Path, work: Path, asks: Sequence[Ask], settings: Mapping[str, str], *options: str) -> Overload:
    with serve(data, *options, settings=settings) as serving:
        requests.get(f"{serving.url}/v1/private/sketches/0a1b", timeout=60)  # the list of the day is made at its first
        with Health(serving.url) as health, SlowReader(serving.url):
            told = load(serving, asks, work, connections=CONNECTIONS, seconds=SECONDS)
    assert isinstance(health, Health)
    return Overload(told, max(health.seconds), health.failed)


def _row(name: str, one: Overload) -> list[str]:
    told, count = one.told, one.told.statuses.get
    broken = sum(n for status, n in told.statuses.items() if status >= 500 and status != 503)
    met = not broken and not told.without_retry and one.health_s < HEALTH_S_GOAL and not one.health_failed
    return [
        *(name, f"{told.answers / told.seconds:,.0f}", f"{told.good / told.seconds:,.0f} a second"),
        *(f"{count(429, 0):,}", f"{count(503, 0):,}", f"{broken}", f"{told.without_retry}", f"{told.lost}"),
        *(f"{one.health_s:.2f} at most", "yes" if met else "no"),
    ]


def _first_body(ask: Ask) -> Path:
    assert ask.bodies
    return ask.bodies / "1"
