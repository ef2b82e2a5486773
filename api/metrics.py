"""What the service counts, as Prometheus reads it, on this machine only and only where it was asked for.

Labels come from closed lists: no address, no name, no number, no key. The counts of all workers lie in one piece of
memory that they share, each in rows of its own, so that none waits for another; nothing of it is on a disk.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterable
from http import HTTPStatus
from types import TracebackType
from wsgiref.types import StartResponse, WSGIEnvironment

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, SummaryMetricFamily
from prometheus_client.registry import Collector

from api.problems import ProblemError, ProblemKind, problem_response
from api.words import LANGUAGES, prefix, words
from checker.metrics_port import MetricsPort

PREFIXES = (
    ("/v1/lookups", "look-ups"),
    *((f"{prefix(language)}/closer-look", "look-ups") for language in LANGUAGES),
    ("/v1/images/", "images"),
    ("/v1/bulk-lookups", "bulk look-ups"),
    ("/v1/opt-outs", "opt-outs"),
    ("/v1/alerts/", "alerts"),
    ("/v1/private/", "private"),
    ("/v1/feed/", "feed"),
    ("/v1/honours", "honours"),
    ("/v1/", "facts"),
    ("/healthz", "health"),
    ("/readyz", "health"),
    ("/static/", "static"),
)
"""What a path begins with, and its label; the first that fits. Everything else is "pages"."""
ENDPOINTS = (*dict.fromkeys(label for _, label in PREFIXES), "pages")
OUTCOMES = ("2xx", "3xx", "4xx", "429", "503", "5xx")
"""429 and 503 stand apart: they say that somebody, or everybody, was sent away."""
_ROW = len(OUTCOMES) + 1
"""Of one endpoint: a count for each outcome, then microseconds."""
_BLOCK = len(ENDPOINTS) * _ROW
_WORD_BYTES = 8


class Counters:
    """Counts of all workers. Made before they are started; each writes to its own block from one thread alone."""

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._memory = mmap.mmap(-1, workers * _BLOCK * _WORD_BYTES)
        self._words = memoryview(self._memory).cast("Q")

    def count(self, slot: int, path: str, status: int, seconds: float) -> None:
        """An answer was begun, so long after its request had come."""
        row = slot * _BLOCK + ENDPOINTS.index(_endpoint(path)) * _ROW
        self._words[row + OUTCOMES.index(_outcome(status))] += 1
        self._words[row + _ROW - 1] += max(0, round(seconds * 1e6))

    def total(self, endpoint: str) -> tuple[dict[str, int], float]:
        """Answers by outcome, and the seconds that they took together, of all workers."""
        rows = [slot * _BLOCK + ENDPOINTS.index(endpoint) * _ROW for slot in range(self._workers)]
        counts = {name: sum(self._words[row + at] for row in rows) for at, name in enumerate(OUTCOMES)}
        return counts, sum(self._words[row + _ROW - 1] for row in rows) / 1e6


class Metrics(Collector):
    """Serves the counts at http://127.0.0.1:PORT/metrics. A context manager."""

    def __init__(self, counters: Counters, port: int, *, workers: int) -> None:
        self._counters = counters
        self._port = port
        self._workers = workers

    def collect(self) -> Iterable[Metric]:
        """See prometheus_client."""
        answers = CounterMetricFamily(
            "hibs_answers", "Answers by endpoint and outcome.", labels=["endpoint", "outcome"]
        )
        seconds = SummaryMetricFamily("hibs_answer_seconds", "Until an answer began.", labels=["endpoint"])
        for endpoint in ENDPOINTS:
            counts, total_s = self._counters.total(endpoint)
            for outcome, number in counts.items():
                answers.add_metric([endpoint, outcome], number)
            seconds.add_metric([endpoint], count_value=sum(counts.values()), sum_value=total_s)
        yield answers
        yield seconds
        yield GaugeMetricFamily("hibs_workers", "Processes that answer.", value=self._workers)

    def __enter__(self) -> Metrics:
        self._served = MetricsPort(self, self._port, refused=_refused)
        self._served.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._served.__exit__(kind, error, trace)


def _refused(_: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    then = words().say("problem.bad-host.metrics-next")
    refused = problem_response(ProblemError(ProblemKind.BAD_HOST, members={"next": then}))
    status = HTTPStatus(refused.status_code)
    start_response(f"{status.value} {status.phrase}", refused.headers.items())
    return [bytes(refused.body)]


def _endpoint(path: str) -> str:
    return next((label for prefix, label in PREFIXES if path.startswith(prefix)), "pages")


def _outcome(status: int) -> str:
    return str(status) if status in (429, 503) else f"{min(5, max(2, status // 100))}xx"
