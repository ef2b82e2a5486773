"""The state of a crawl as Prometheus reads it, on this machine only.

Labels come from closed lists: no host, no address.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from types import TracebackType

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from checker.metrics_port import MetricsPort
from crawler.progress import State


class Metrics(Collector):
    """Serves the newest state at http://127.0.0.1:PORT/metrics. A context manager."""

    def __init__(self, port: int | None) -> None:
        """`port`: None: nothing is served."""
        self._port = port
        self._state: State | None = None

    def note(self, state: State) -> None:
        """This is the state now."""
        self._state = state

    @property
    def wanted(self) -> bool:
        """Does anybody read it?"""
        return self._port is not None

    def collect(self) -> Iterable[Metric]:
        """See prometheus_client."""
        if (state := self._state) is None:
            return
        ended = CounterMetricFamily("hibs_crawl_visits", "Addresses that were ended in this run.", labels=["outcome"])
        for outcome, number in (
            ("page", state.tally.pages),
            ("picture", state.tally.images),
            ("not_taken", len(state.tally.disallowed)),
            ("failed", sum(state.tally.failed.values())),
        ):
            ended.add_metric([outcome], number)
        yield ended
        yield CounterMetricFamily("hibs_crawl_new_pictures", "Pictures not known before.", value=state.tally.new)
        failed = CounterMetricFamily("hibs_crawl_failures", "Addresses that failed for good.", labels=["reason"])
        for reason, number in state.tally.failed.items():
            failed.add_metric([reason], number)
        yield failed
        hosts = GaugeMetricFamily("hibs_crawl_hosts", "Hosts with addresses that wait.", labels=["state"])
        counts = state.hosts
        for name, number in (
            ("ready", counts.ready),
            ("snoozed", counts.snoozed),
            ("busy", counts.busy),
            ("parked", state.parked),
        ):
            hosts.add_metric([name], number)
        yield hosts
        yield GaugeMetricFamily("hibs_crawl_queued", "Addresses that wait.", value=state.frontier.queued)
        yield GaugeMetricFamily("hibs_crawl_seconds", "Since this run began.", value=state.seconds)

    def __enter__(self) -> Metrics:
        self._served = ExitStack()
        if self._port is not None:
            self._served.enter_context(MetricsPort(self, self._port))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._served.close()
