"""Look-ups by codes that wait at the same time are answered together.

One alone is answered at once. While it is, others arrive; they are taken next, several in one call of a thread, so that
what the databases and the index are asked, and the change of threads, which costs as much, is paid once for all. The
busier the service, the cheaper an answer. Each asker gets the answer that it would have got alone: everything that was
committed before it asked is in force.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool

from checker.model import Fingerprint
from checker.report import Report

Codes = Sequence[Fingerprint]
Check = Callable[[Sequence[Codes]], Sequence[Report]]


@dataclass(slots=True)
class _Batch:
    """Questions that are answered in one call."""

    questions: list[Codes]
    reports: asyncio.Task[Sequence[Report]] | None = None


class Together:
    """Answers look-ups by codes, up to `count_max` in one call. Used from one event loop."""

    def __init__(self, *, count_max: int) -> None:
        self._count_max = count_max
        self._turn = asyncio.Lock()
        self._waiting: _Batch | None = None

    async def ask(self, codes: Codes, check: Check) -> Report:
        """The report of one picture.

        Args:
            check: gives a report for each question, in their order; the same function for all askers. Runs in a
                thread, never twice at once. What it raises, all of its askers get.
        """
        batch = self._waiting
        if batch is None or len(batch.questions) == self._count_max:
            self._waiting = batch = _Batch([])
            batch.reports = asyncio.create_task(self._answer(batch, check))
        number = len(batch.questions)
        batch.questions.append(codes)
        assert batch.reports
        # Whoever goes away takes nothing from the others.
        return (await asyncio.shield(batch.reports))[number]

    async def _answer(self, batch: _Batch, check: Check) -> Sequence[Report]:
        async with self._turn:
            if self._waiting is batch:
                self._waiting = None  # whoever comes from now on is answered by a later call
            return await run_in_threadpool(check, batch.questions)
