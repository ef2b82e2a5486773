"""How far a case is: photos, found, unreadable, rate and time left. On standard error."""

from __future__ import annotations

from types import TracebackType

from checker.progress import Progress

_STEPS = 10
"""Lines of a run whose output is kept, at least: one each tenth, so that a short one shows its way too."""
_PHOTOS_WITH_STEPS = 100


class CaseProgress:
    """One line that changes on a terminal, else a line each tenth or half minute. A context manager."""

    def __init__(self, photos: int, *, done: int, what: str = "photos") -> None:
        """Begin.

        Args:
            done: how many were done by an earlier run; the rate does not count them.
            what: is counted ("photos read").
        """
        self._photos, self._before, self._done, self._what = photos, done, done, what
        self.found = self.unreadable = 0
        self._step = -1
        self._line = Progress()

    def __enter__(self) -> CaseProgress:
        self._line.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._line.__exit__(kind, error, trace)

    def show(self, text: str) -> None:
        """Say something else for a while, where it is time to."""
        self._line.show(text)

    def step(self) -> None:
        """One more photo is done."""
        self._done += 1
        step = self._done * _STEPS // self._photos if self._photos >= _PHOTOS_WITH_STEPS else -1
        next_step = step != self._step and not self._line.on_terminal
        if not (next_step or self._line.is_due()):
            return
        self._step = step
        here = self._done - self._before
        words = progress_words(
            self._done, self._photos, self.found, self.unreadable, self._what, seconds=self._line.seconds, here=here
        )
        self._line.show(words, now=next_step)


def progress_words(
    done: int, photos: int, found: int, unreadable: int, what: str = "photos", *, seconds: float, here: int
) -> str:
    """One line.

    Args:
        here: photos that this run asked about, in `seconds`.

    >>> progress_words(500, 1000, 7, 1, seconds=10.0, here=500)
    '500 of 1,000 photos, 7 found, 1 unreadable, 50.0/s, 10 s left'
    """
    rate = here / max(seconds, 0.001)
    left_s = (photos - done) / rate if rate else 0.0
    left = (
        f"{left_s:.0f} s" if left_s < 120 else f"{left_s / 60:.0f} min" if left_s < 7200 else f"{left_s / 3600:.1f} h"
    )
    return f"{done:,} of {photos:,} {what}, {found:,} found, {unreadable:,} unreadable, {rate:.1f}/s, {left} left"
