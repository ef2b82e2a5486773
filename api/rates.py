"""How many look-ups one network may make: a burst at once, then so many an hour. One count for all processes.

    DATA/look-ups.shared    mapped by every process that answers from the data folder; a lock is held for microseconds

Theory of operation: the generic cell rate algorithm (ITU-T I.371, annex A). Of each network one number is kept, the
time at which its whole burst will be free again. A look-up moves that time on by the share of one; where it would come
to lie further off than the burst, the look-up is refused. So there is no window whose border could be waited for, and
whoever rests has everything again.

Rules:
1. In place of an address stands its pseudonym of the day (limits.py). With the day the whole table is emptied.
2. The table has a fixed size. Where its place is taken, the network that rested longest is forgotten, in its favour.
3. What stands in the file is believed only within bounds: a time that cannot be is the nearest that can.
4. Whoever asks from this machine itself is not counted, unless the request was passed on by a proxy.
5. It is told what is left, in the fields of draft-ietf-httpapi-ratelimit-headers (version 10: RateLimit-Policy with
   q and w, RateLimit with r and t).
"""

from __future__ import annotations

import fcntl
import ipaddress
import math
import mmap
import os
import struct
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from starlette.requests import Request

from api.limits import pseudonym
from api.problems import ProblemError, ProblemKind
from api.words import words
from checker.errors import DataError

SHARED_FILE = "look-ups.shared"
FORWARDING_HEADERS = ("x-forwarded-for", "forwarded")
_ROWS = 1 << 14
_PLACES = 4
"""Networks of one row, which a part of the pseudonym chooses: 65,536 in all, who looked up within the last minutes."""
_DAY = struct.Struct("<q")
_PLACE = struct.Struct("<16sd")
_ROW_BYTES = _PLACES * _PLACE.size
_BYTES = _DAY.size + _ROWS * _ROW_BYTES


@dataclass(frozen=True, slots=True)
class Rate:
    """What one network may do."""

    burst: int = 300
    """At once, after a rest: six households of 50 photos behind one address."""
    per_hour: int = 3_600
    """On and on. A look-up by picture costs some 100 ms of a core, so one network has a tenth of one."""

    @property
    def share_s(self) -> float:
        """Seconds until one more is free."""
        return 3600 / self.per_hour

    @property
    def burst_s(self) -> float:
        """Seconds until all of them are free again."""
        return self.burst * self.share_s


LOOK_UPS = Rate()


class LookUpLimit:
    """Counts look-ups by network. Thread-safe, and shared by all processes that open the same data folder.

    Args:
        secret: 32 bytes, of the data folder.
    Raises:
        DataError: the file of the counts cannot be used.
    """

    def __init__(self, folder: Path, rate: Rate, *, secret: bytes) -> None:
        self._rate = rate
        self._secret = secret
        self._lock = threading.Lock()
        try:
            self._file = os.open(folder / SHARED_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                if os.fstat(self._file).st_size != _BYTES:
                    os.ftruncate(self._file, _BYTES)
                self._table = mmap.mmap(self._file, _BYTES)
            except BaseException:
                os.close(self._file)
                raise
        except OSError as error:
            raise DataError(
                f"cannot use {folder / SHARED_FILE}: {error.strerror}; check space and permissions"
            ) from error

    def take(self, request: Request, *, now: datetime) -> Mapping[str, str]:
        """Count one look-up of whoever asks.

        Returns:
            The headers that tell what is left; none for whoever is not counted.
        Raises:
            ProblemError: rate-limited, with the seconds until one more is free.
        """
        address = request.client.host if request.client else ""
        if is_of_this_machine(address) and not any(name in request.headers for name in FORWARDING_HEADERS):
            return {}
        busy_s = self._count(address, now)
        over_s = busy_s - self._rate.burst_s
        left = math.floor(-over_s / self._rate.share_s + 1e-6) if over_s < 0 else 0
        # "The number of seconds until additional quota [...] is made available"; no later than Retry-After says.
        more_s = over_s if over_s > 0 else over_s + (left + 1) * self._rate.share_s
        headers = {
            "RateLimit-Policy": f'"look-ups";q={self._rate.burst};w={math.ceil(self._rate.burst_s)}',
            "RateLimit": f'"look-ups";r={left};t={math.ceil(more_s - 1e-6)}',
        }
        if over_s > 1e-6:
            wait_s = max(1, math.ceil(over_s))
            wait = words().count("wait.minutes", math.ceil(wait_s / 60))
            detail = words().say("problem.rate-limited.look-ups", wait=wait)
            raise ProblemError(ProblemKind.RATE_LIMITED, detail, retry_after_s=wait_s, headers=headers)
        return headers

    def close(self) -> None:
        """Let go of the file; the counts stay in it until the day ends."""
        with self._lock:
            self._table.close()
            os.close(self._file)

    def _count(self, address: str, now: datetime) -> float:
        """Seconds until everything would be free again after this look-up; above `burst_s` it was not counted."""
        subject = pseudonym(address, "look-ups", day=now.date(), secret=self._secret)
        at_s = now.timestamp()
        latest_s = at_s + self._rate.burst_s
        with self._lock:
            # Held while 96 bytes are read and 24 written. A process that is killed meanwhile lets go of it.
            fcntl.flock(self._file, fcntl.LOCK_EX)
            try:
                self._empty_on_a_new_day(now)
                place, free_s = self._find(subject)
                # Also where the clock was set back, or the file holds anything.
                free_s = min(free_s, latest_s) if free_s > at_s else at_s
                free_s += self._rate.share_s
                if free_s <= latest_s + 1e-6:
                    _PLACE.pack_into(self._table, place, subject, free_s)
                return free_s - at_s
            finally:
                fcntl.flock(self._file, fcntl.LOCK_UN)

    def _find(self, subject: bytes) -> tuple[int, float]:
        """The place of a network in the table, and when it is free; else the place that was free first."""
        row = _DAY.size + int.from_bytes(subject[:2], "big") % _ROWS * _ROW_BYTES
        oldest, oldest_s = row, math.inf
        for place in range(row, row + _ROW_BYTES, _PLACE.size):
            name, free_s = _PLACE.unpack_from(self._table, place)
            if name == subject:
                return place, free_s
            if not free_s >= oldest_s:  # also where it is no number
                oldest, oldest_s = place, free_s
        return oldest, -math.inf

    def _empty_on_a_new_day(self, now: datetime) -> None:
        day = now.date().toordinal()
        if _DAY.unpack_from(self._table)[0] != day:
            self._table[:] = _DAY.pack(day).ljust(_BYTES, b"\0")


def is_of_this_machine(address: str) -> bool:
    """Is it an address of loopback, also one that is written as IPv6?"""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return (mapped or parsed).is_loopback
