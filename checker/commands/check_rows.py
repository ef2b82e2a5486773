"""The photos of a case, asked about one by one, a few at the same time; what the journal keeps of each."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from checker.commands.check_ask import Answered, Ask

if TYPE_CHECKING:
    from checker.commands.check_progress import CaseProgress
    from checker.evidence.journal import Journal, NoJournal
    from checker.evidence.manifest import ManifestRow
    from checker.model import Unreadable
    from checker.settings import Settings

AT_ONCE = 4
"""Photos asked about at the same time: one waits for a decoder, one for the index, one for the disk."""


class OneByOne:
    """Asks about each photo by itself."""

    def __init__(self, ask: Ask, codes: Mapping[Path, str], settings: Settings) -> None:
        """`codes`: withdraw codes by the file that a row names."""
        self._ask, self._codes, self._settings = ask, codes, settings

    def answers(
        self,
        rows: Sequence[ManifestRow],
        known: Mapping[int, dict[str, Any]],
        journal: Journal | NoJournal,
        progress: CaseProgress,
    ) -> Iterator[dict[str, Any]]:
        """The answers in the order of the rows, a few asked ahead; each is in the journal before it is given."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            try:
                for number, answered in enumerate(self._in_order(pool, rows, known)):
                    if number not in known:
                        journal.add(number, answered)
                        progress.step()
                    yield answered
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise

    def _in_order(
        self, pool: ThreadPoolExecutor, rows: Sequence[ManifestRow], known: Mapping[int, dict[str, Any]]
    ) -> Iterator[dict[str, Any]]:
        ahead: deque[Future[dict[str, Any]] | dict[str, Any]] = deque()
        for number, row in enumerate(rows):
            ahead.append(known[number] if number in known else pool.submit(self._one, row))
            if len(ahead) > AT_ONCE:
                yield _result(ahead.popleft())
        yield from map(_result, ahead)

    def _one(self, row: ManifestRow) -> dict[str, Any]:
        kept, body = read_row(row, self._settings)
        answered = self._ask(body, self._codes[row.receipt] if row.receipt else None)
        return kept_answer(kept, answered)


def kept_answer(kept: dict[str, Any], answered: Answered) -> dict[str, Any]:
    """What the journal keeps of a row that is answered."""
    from checker.evidence.answers import stored_answer

    return {**kept, "codes": answered.codes, "answer": stored_answer(answered.report)}


def read_row(row: ManifestRow, settings: Settings) -> tuple[dict[str, Any], bytes | Unreadable]:
    """State and digest of a photo's file, and its bytes."""
    import hashlib

    from checker.evidence.photo_paths import missing_words
    from checker.fingerprint.pictures import read_picture_file
    from checker.model import Unreadable, UnreadableReason

    state = row_state(row)
    body = read_picture_file(row.file, settings)
    if isinstance(body, Unreadable) and is_missing(row):
        body = Unreadable(UnreadableReason.MISSING, missing_words(row.path))
    # More than the limit is not read, so of a file above it there is no digest.
    whole = isinstance(body, bytes) and len(body) <= settings.picture_bytes_max
    digest = hashlib.sha256(body).hexdigest() if whole and isinstance(body, bytes) else None
    return {"state": state, "sha256": digest}, body


def is_missing(row: ManifestRow) -> bool:
    """Is there nothing where the photo's file should be?"""
    try:
        return not row.file.exists()
    except (OSError, ValueError):
        return False  # it cannot even be asked; reading it says why


def row_state(row: ManifestRow) -> list[int | None]:
    """Size and time of the last change of a row's files: one that is another by now is asked about again."""
    return [fact for path in (row.file, row.receipt) if path for fact in _file_state(path)]


def _file_state(path: Path) -> tuple[int | None, int | None]:
    try:
        seen = path.stat()
    except (OSError, ValueError):
        return None, None
    return seen.st_size, seen.st_mtime_ns


def _result(answered: Future[dict[str, Any]] | dict[str, Any]) -> dict[str, Any]:
    return answered.result() if isinstance(answered, Future) else answered
