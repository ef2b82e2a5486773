"""How long a host is left in peace. Pure: times are passed in, in seconds of one clock that never goes back.

After a request to a host the next one waits, from the moment the last answer was complete, for the largest of

- the least delay of the settings,
- a multiple of the time the host took (capped): a slow server is a busy one,
- its robots.txt Crawl-delay (capped),
- the backoff after errors: doubled with each further one, gone with the first success,
- what Retry-After asked for (capped at a day).

Fast error replies must never speed a crawl up, so an error only ever adds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from crawler.settings import CrawlSettings


@dataclass(frozen=True, slots=True)
class HostPace:
    """What is known of one host's patience."""

    ready_at_s: float = 0.0
    """No request before this time."""
    crawl_delay_s: float = 0.0
    """From robots.txt; 0: none."""
    backoff_s: float = 0.0
    failures: int = 0
    """In a row."""

    def wait_s(self, now_s: float) -> float:
        """How long until the next request may be made; 0: now."""
        return max(0.0, self.ready_at_s - now_s)

    def after_answer(self, *, now_s: float, duration_s: float, delay_min_s: float, settings: CrawlSettings) -> HostPace:
        """The pace after an answer that is no complaint."""
        rest_s = self._rest_s(duration_s, delay_min_s, settings)
        return replace(self, ready_at_s=now_s + rest_s, backoff_s=0.0, failures=0)

    def after_error(
        self,
        *,
        now_s: float,
        duration_s: float,
        delay_min_s: float,
        retry_after_s: float | None,
        settings: CrawlSettings,
    ) -> HostPace:
        """The pace after 429, 5xx, a time-out or a broken connection."""
        backoff_s = min(max(settings.backoff_first_s, 2 * self.backoff_s), settings.backoff_max_s)
        rest_s = max(self._rest_s(duration_s, delay_min_s, settings), backoff_s, retry_after_s or 0.0)
        return replace(self, ready_at_s=now_s + rest_s, backoff_s=backoff_s, failures=self.failures + 1)

    def with_crawl_delay(self, seconds: float | None, settings: CrawlSettings) -> HostPace:
        """The pace once robots.txt was read."""
        return replace(self, crawl_delay_s=min(seconds or 0.0, settings.crawl_delay_max_s))

    def _rest_s(self, duration_s: float, delay_min_s: float, settings: CrawlSettings) -> float:
        by_duration_s = min(settings.delay_factor * duration_s, settings.delay_by_duration_max_s)
        return max(delay_min_s, by_duration_s, self.crawl_delay_s)


def read_retry_after(value: str, *, now: datetime, settings: CrawlSettings) -> float | None:
    """Read a Retry-After field: seconds, or an HTTP-date (RFC 9110 10.2.3).

    Returns:
        Seconds from `now`, above 0 and capped. None: absent, past, or nonsense, which never shortens a wait.
    """
    value = value.strip()
    if value.isascii() and value.isdecimal():
        seconds = float(value[:12])
    else:
        try:
            moment = parsedate_to_datetime(value)
        except (ValueError, TypeError, OverflowError):
            return None
        seconds = ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now).total_seconds()
    return min(seconds, settings.retry_after_max_s) if seconds > 0 else None
