"""Look-ups by codes that wait at the same time are answered in one call, and each asker gets its own answer."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

from api.together import Codes, Together
from checker.errors import EmptyCorpusError
from checker.model import PHASH256, Fingerprint
from checker.report import CheckStatus, Coverage, Report


def question(number: int) -> Codes:
    return (Fingerprint(PHASH256, number.to_bytes(32)),)


class Checks:
    """Answers with the number of the question as the number of pictures; the first call waits until it may go on."""

    def __init__(self) -> None:
        self.calls: list[list[int]] = []
        self.begun = threading.Event()
        self.go_on = threading.Event()

    def __call__(self, questions: Sequence[Codes]) -> Sequence[Report]:
        numbers = [int.from_bytes(codes[0].bits) for codes in questions]
        self.calls.append(numbers)
        self.begun.set()
        assert self.go_on.wait(30)
        if 13 in numbers:
            raise EmptyCorpusError("there is no answer")
        return [Report(CheckStatus.CHECKED, None, Coverage(number, 0, None, ()), ()) for number in numbers]


async def asked_while_the_first_is_answered(
    together: Together, checks: Checks, numbers: Sequence[int]
) -> list[asyncio.Task[Report]]:
    """Number 0 is under way when the others are asked for, in this order."""
    asked = [asyncio.create_task(together.ask(question(0), checks))]
    assert await asyncio.to_thread(checks.begun.wait, 30)
    asked += [asyncio.create_task(together.ask(question(number), checks)) for number in numbers]
    await asyncio.sleep(0)  # lets each of them begin
    return asked


def test_those_that_wait_are_answered_in_one_call_and_no_more_than_may_be() -> None:
    async def story(checks: Checks) -> list[int]:
        asked = await asked_while_the_first_is_answered(Together(count_max=3), checks, (1, 2, 3, 4, 5))
        checks.go_on.set()
        return [report.coverage.images for report in await asyncio.gather(*asked)]

    checks = Checks()
    assert asyncio.run(story(checks)) == [0, 1, 2, 3, 4, 5]
    assert checks.calls == [[0], [1, 2, 3], [4, 5]]


def test_one_alone_is_answered_at_once() -> None:
    checks = Checks()
    checks.go_on.set()
    assert asyncio.run(Together(count_max=8).ask(question(7), checks)).coverage.images == 7
    assert checks.calls == [[7]]


def test_whoever_goes_away_takes_nothing_from_the_others() -> None:
    async def story(checks: Checks) -> list[int]:
        asked = await asked_while_the_first_is_answered(Together(count_max=8), checks, (1, 2, 3))
        asked.pop(1).cancel()
        checks.go_on.set()
        return [report.coverage.images for report in await asyncio.gather(*asked)]

    assert asyncio.run(story(Checks())) == [0, 2, 3]


def test_an_error_is_told_to_all_of_its_call_and_to_nobody_else() -> None:
    async def story(checks: Checks) -> list[int | type[BaseException]]:
        asked = await asked_while_the_first_is_answered(Together(count_max=2), checks, (12, 13, 14))
        checks.go_on.set()
        answers = await asyncio.gather(*asked, return_exceptions=True)
        return [one.coverage.images if isinstance(one, Report) else type(one) for one in answers]

    assert asyncio.run(story(Checks())) == [0, EmptyCorpusError, EmptyCorpusError, 14]


def test_it_answers_again_after_it_was_idle() -> None:
    async def story(checks: Checks) -> list[int]:
        together = Together(count_max=8)
        return [(await together.ask(question(7), checks)).coverage.images for _ in range(3)]

    checks = Checks()
    checks.go_on.set()
    assert asyncio.run(story(checks)) == [7] * 3
    assert checks.calls == [[7]] * 3
