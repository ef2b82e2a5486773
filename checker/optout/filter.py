"""`OptOutFilter`: the decisions of `hibs honour`, as one object in somebody's own pipeline.

It reads and verifies the feed once, when it is made, and carries what it needs: pickled to another process or
machine it decides the same without the folder. Its pickle changes with the feed, since libraries that remember
results by the pickle of a function would otherwise serve those of an older feed. The signed time is part of it for
the same reason: results of a stale feed (all review) must not outlive its refresh.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime, timedelta
from os import PathLike
from pathlib import Path

from checker.errors import InputError
from checker.fingerprint import fingerprint_bytes
from checker.model import Fingerprint, Use
from checker.optout.feed import is_stale, verify_feed
from checker.optout.honour import Action, Decision, Reason, opt_out_table
from checker.settings import Settings


def utc_now() -> datetime:
    """The clock of a filter that is given none."""
    return datetime.now(UTC)


class OptOutFilter:
    """Decides about one picture at a time.

    A feed signed longer ago than `feed_age_days_max` decides nothing any more: all is `review`, `feed-stale`. That is
    asked at every decision, since a pipeline may run for weeks.
    """

    def __init__(
        self,
        feed_dir: str | PathLike[str],
        *,
        settings: Settings | None = None,
        uses: Collection[Use] | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        """Read and verify the feed.

        Args:
            feed_dir: a folder that `hibs feed sync` keeps.
            settings: limits; the defaults where None.
            uses: what the pictures are for; opt-outs about other uses do not count. None: every opt-out counts.
            clock: gives the time, aware and in UTC. It is pickled along, so it must be a module's function.
        Raises:
            VerificationError: the feed does not hold.
            InputError: there is no feed.
        """
        self._settings = settings or Settings()
        self._clock = clock
        feed = verify_feed(Path(feed_dir))
        self._signed_at = feed.signed_at
        self._table = opt_out_table(feed, self._settings, uses=uses)

    @property
    def feed_size(self) -> int:
        """Entries of the feed in all."""
        return self._table.feed_size

    @property
    def feed_root(self) -> str:
        """Root of the feed, hex digits."""
        return self._table.feed_root

    def decide(self, *, data: bytes | None = None, codes: Sequence[Fingerprint] | None = None) -> Decision:
        """Decide about one picture, given as its bytes or by its codes.

        Bytes that cannot be read give `not-checked`, never `keep`.

        Raises:
            InputError: neither or both were given, or no code.
        """
        if (data is None) == (codes is None) or (codes is not None and not codes):
            raise InputError("decide needs either data=, the bytes of a picture, or codes=, at least one code")
        age_max = timedelta(days=self._settings.feed_age_days_max)
        if is_stale(self._signed_at, now=self._clock(), age_max=age_max):
            return Decision(Action.REVIEW, Reason.FEED_STALE, self._table.feed_size)
        if codes is not None:
            return self._table.decide_codes(codes)
        assert data is not None
        return self._table.decide_picture(fingerprint_bytes(data, self._settings))
