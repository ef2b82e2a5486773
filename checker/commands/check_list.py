"""The photos of a case, asked about in lists, by whoever has a key for that (docs/bulk.md).

    photos -> codes, in the journal -> list is sent -> answers, in the journal -> list is deleted there

While the server answers one list the photos of the next are read. Of a row it gets a number and codes: the number is
that of the run, made by chance, and the row's, so that nobody else's list can be taken for ours after a kill. A list
stands in the journal before it is sent, and its name as soon as the server has told it; if the run is killed just in
between, the list is found again among those of the key.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from checker.commands.check_ask import Answered, coder, opened_document, view_there
from checker.commands.check_rows import AT_ONCE, kept_answer, read_row
from checker.console import say
from checker.errors import RemoteError, RemoteProblemError

if TYPE_CHECKING:
    from checker.client import Client
    from checker.client.answers import BulkJob
    from checker.client.reports import BulkAnswer
    from checker.commands.check_progress import CaseProgress
    from checker.evidence.case import Case
    from checker.evidence.journal import Journal, NoJournal
    from checker.evidence.manifest import ManifestRow
    from checker.settings import Settings

LIST_ROWS = 5_000
"""Photos of a list: about a minute of reading them, and 3 MB with both codes."""
_LISTS_AHEAD = 1
_POLL_S, _POLL_S_MAX = 0.2, 5.0
_STALL_S = 900.0
"""A server that answers no row for so long has others before us, or does not work: the run ends, and can go on."""


@dataclass(frozen=True, slots=True)
class _Sent:
    """A list that the server has."""

    number: int
    job: str
    rows: tuple[int, ...]
    wanted: frozenset[int]
    """Those of them that have no answer and whose photo is still the one that was sent."""


def require_allowed(client: Client, case: Case) -> None:
    """Is the key good for this purpose and case? Asked with a list without rows, before photos are read for an hour.

    Raises:
        RemoteError: it is not, or the server has no answers.
    """
    try:
        client.bulk_create((), purpose=str(case.purpose), case=case.reference)
    except RemoteProblemError as error:
        # A list without rows is refused for that alone, where key, purpose and case are good.
        if error.kind != "invalid-request" or _wrong(error):
            raise _refused(client, error) from error


def _wrong(error: RemoteProblemError) -> list[str]:
    """Which of our options the server refused."""
    return [f"--{place}" for place in error.places if place in ("case", "purpose")]


def _refused(client: Client, error: RemoteProblemError) -> RemoteError:
    wrong = _wrong(error)
    if error.kind != "invalid-request" or not wrong:
        return error
    return RemoteError(
        f"{client.name} does not take this {' and '.join(wrong)} with your key, which names its purposes and the form "
        "of case numbers; look at what you were told with the key, or ask its operator"
    )


class ByLists:
    """Asks about many photos at once."""

    def __init__(
        self,
        client: Client,
        case: Case,
        settings: Settings,
        codes: Mapping[Path, str],
        *,
        run: str,
        reason: str | None,
        decoder: Any,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        """Ask `client`, which has a key.

        Args:
            codes: withdraw codes by the file that a row names.
            run: stands before the number of each row.
            reason: what addresses are needed for; None: they are not told.
            pause: waits.
        """
        self._client, self._case, self._settings, self._codes = client, case, settings, codes
        self._run, self._reason, self._pause = run, reason, pause
        self._coded_of = coder(settings, decoder)

    def answers(
        self,
        rows: Sequence[ManifestRow],
        known: Mapping[int, dict[str, Any]],
        journal: Journal | NoJournal,
        progress: CaseProgress,
    ) -> Iterator[dict[str, Any]]:
        """The answers in the order of the rows; each is in the journal before it is given."""
        self._rows, self._journal, self._progress = rows, journal, progress
        self._done = dict(known)
        self._coded = dict(journal.coded)
        waiting = deque(self._sent_before())
        there = {number for sent in waiting for number in sent.wanted}
        left = iter([number for number in range(len(rows)) if number not in self._done and number not in there])
        given = 0
        with ThreadPoolExecutor(AT_ONCE) as pool:
            while chunk := list(islice(left, LIST_ROWS)):
                try:
                    if asked := [number for number in self._read(pool, chunk) if number not in self._done]:
                        waiting.append(self._send(asked))
                except BaseException:
                    pool.shutdown(cancel_futures=True)
                    raise
                while len(waiting) > _LISTS_AHEAD:
                    self._collect(waiting.popleft())
                while given in self._done:
                    yield self._done[given]
                    given += 1
        while waiting:
            self._collect(waiting.popleft())
        for number in range(given, len(rows)):
            yield self._done[number]

    # --- reading -----------------------------------------------------------------------------------------------

    def _read(self, pool: ThreadPoolExecutor, numbers: Sequence[int]) -> Sequence[int]:
        """Code the photos that are not coded yet. One that cannot be asked about is done with that."""
        new = [number for number in numbers if number not in self._coded]
        for number, one in zip(new, pool.map(self._one, [self._rows[number] for number in new]), strict=True):
            self._journal.add(number, one)
            (self._coded if one["answer"] is None else self._done)[number] = one
            self._progress.step()
        return numbers

    def _one(self, row: ManifestRow) -> dict[str, Any]:
        from checker.client.client import codes_document
        from checker.model import Picture

        kept, body = read_row(row, self._settings)
        picture = self._coded_of(body)
        if isinstance(picture, Picture):
            return {**kept, "codes": codes_document(picture), "answer": None}
        return kept_answer(kept, Answered(picture, {}))

    # --- sending -----------------------------------------------------------------------------------------------

    def _send(self, numbers: Sequence[int]) -> _Sent:
        number = len(self._journal.lists)
        self._journal.add_list(number, rows=list(numbers), job=None)
        asked = ((self._name(row), self._fingerprints(row)) for row in numbers)
        try:
            job = self._client.bulk_create(asked, purpose=str(self._case.purpose), case=self._case.reference)
        except RemoteProblemError as error:
            raise _refused(self._client, error) from error
        self._journal.add_list(number, job=job.job)
        photos = "1 photo" if len(numbers) == 1 else f"{len(numbers):,} photos"
        say(f"list {number + 1}: codes of {photos} sent")
        return _Sent(number, job.job, tuple(numbers), frozenset(numbers))

    def _name(self, row: int) -> str:
        return f"{self._run}-{row + 1}"

    def _fingerprints(self, row: int) -> list[Any]:
        from checker.fingerprint import parse_code

        codes = self._coded[row]["codes"]
        return [parse_code(kind, code["version"], code["hex"]) for kind, code in codes.items()]

    # --- after a kill ------------------------------------------------------------------------------------------

    def _sent_before(self) -> Iterator[_Sent]:
        """Lists of an earlier run that the server still has, and of which a row is not answered yet."""
        lists = self._journal.lists
        for number, known in list(lists.items()):
            if known.get("closed"):
                continue
            rows = tuple(known["rows"])
            wanted = frozenset(row for row in rows if row not in self._done and row in self._coded)
            job = known["job"] or (self._lost(rows) if wanted else None)
            if job and wanted and self._state(job):
                self._journal.add_list(number, job=job)
                yield _Sent(number, job, rows, wanted)
            else:
                self._close(number, job)

    def _lost(self, rows: Sequence[int]) -> str | None:
        """The list that was sent without that its name could be noted: among those of the key, by its rows' names."""
        named = {known["job"] for known in self._journal.lists.values()}
        for job in self._client.bulk_list():
            alike = (job.purpose, job.case, job.rows) == (self._case.purpose, self._case.reference, len(rows))
            if alike and job.job not in named and self._is_of(self._answers(job.job)[1], rows):
                return job.job
        return None

    # --- answers -----------------------------------------------------------------------------------------------

    def _collect(self, sent: _Sent) -> None:
        """Take the answers of a list into the journal, and delete it there."""
        job, answers = self._answers(sent.job)
        if job.state == "failed":
            self._close(sent.number, sent.job)
            raise RemoteError(f"{self._client.name} could not answer a list; the same command sends it again")
        if not self._is_of(answers, sent.rows) or job.coverage is None:
            raise RemoteError(f"{self._client.name} answered other rows than were sent; tell whoever runs it")
        coverage = job.coverage.coverage()
        for row, answer in zip(sent.rows, answers, strict=True):
            if row in sent.wanted:
                self._done[row] = self._answered(row, self._coded[row], answer, coverage)
                self._journal.add(row, self._done[row])
        self._close(sent.number, sent.job)

    def _answered(self, row: int, coded: dict[str, Any], answer: BulkAnswer, coverage: Any) -> dict[str, Any]:
        from dataclasses import replace

        compared = tuple(kind for kind in coverage.checks if kind in coded["codes"])
        receipt = self._rows[row].receipt
        view = view_there(self._client, self._codes[receipt] if receipt else None)
        report = opened_document(answer.report(replace(coverage, checks=compared)), view)
        return kept_answer(coded, Answered(report, coded["codes"]))

    def _is_of(self, answers: Sequence[BulkAnswer], rows: Sequence[int]) -> bool:
        return [one.id for one in answers] == [self._name(row) for row in rows]

    def _answers(self, job: str) -> tuple[BulkJob, list[BulkAnswer]]:
        """Wait until a list is answered. None, where it failed.

        Raises:
            RemoteError: it does not get on, or is gone.
        """
        done, waited_s, pause_s = -1, 0.0, _POLL_S
        while (now := self._client.bulk_status(job)).state in ("waiting", "running"):
            done, waited_s = (now.done, 0.0) if now.done != done else (done, waited_s + pause_s)
            if waited_s > _STALL_S:
                raise RemoteError(f"{self._client.name} does not get on with a list; go on later with the same command")
            left = f", {now.seconds_left:,} s left" if now.seconds_left is not None else ""
            self._progress.show(f"waiting for answers: {now.done:,} of {now.rows:,} photos of the oldest list{left}")
            self._pause(pause_s)
            pause_s = min(2 * pause_s, _POLL_S_MAX)
        return now, list(self._client.bulk_results(job, reason=self._reason)) if now.state == "done" else []

    def _state(self, job: str) -> BulkJob | None:
        try:
            return self._client.bulk_status(job)
        except RemoteProblemError as error:
            if error.status == 404:
                return None  # a week is over, or somebody deleted it: its photos are sent again
            raise

    def _close(self, number: int, job: str | None) -> None:
        """Have a list deleted that is not needed any more: its codes need not lie there for a week."""
        if job:
            try:
                self._client.bulk_delete(job)
            except RemoteProblemError as error:
                if error.status != 404:
                    raise
        self._journal.add_list(number, closed=True)
