"""What a run over a case has answered so far, so that the same command goes on after a crash.

One line of JSON a row, behind a first line that says which run it is; where lists of rows are sent, one for each step
of a list as well. A line is written whole before the next photo is counted; what a kill leaves of a half-written one is
cut off, and that one photo is asked about again. The file is for its owner alone, and is gone when the case is written.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from checker.console import count_of, one_line
from checker.errors import DataError, InputError

_SYNC_EVERY_S = 2.0
"""Written to the disk this often: what a power cut takes at most. A kill of the process takes nothing of it."""


class Kept:
    """What is known of the rows of a run."""

    def __init__(self) -> None:
        self.answers: dict[int, dict[str, Any]] = {}
        """By row."""
        self.coded: dict[int, dict[str, Any]] = {}
        """The same, of rows that were coded and have no answer yet."""
        self.lists: dict[int, dict[str, Any]] = {}
        """Lists of rows that were sent or were about to be, by their number: `rows`, `job`, `closed`."""
        self.began: dict[str, Any] = {}
        """What was noted when the run first began."""

    def __bool__(self) -> bool:
        return bool(self.answers or self.coded or self.lists)

    def forget(self, changed: Callable[[int, dict[str, Any]], bool]) -> None:
        """Leave out the rows of which this is so. They are asked about again, and what is kept then counts."""
        self.answers = {row: known for row, known in self.answers.items() if not changed(row, known)}
        self.coded = {row: known for row, known in self.coded.items() if not changed(row, known)}

    def words(self, rows: int) -> str:
        """How far it is: "12 of 300 photos are answered, 288 more are read, 1 list is sent"."""
        sent = sum(bool(known.get("job")) and not known.get("closed") for known in self.lists.values())
        told = [f"{len(self.answers):,} of {count_of(rows, 'photo')} are answered"]
        told += [f"{len(self.coded):,} more are read"] if self.coded else []
        told += [f"{count_of(sent, 'list')} {'is' if sent == 1 else 'are'} sent"] if sent else []
        return ", ".join(told)

    def _note(self, row: int, known: dict[str, Any]) -> None:
        """The last that is known of a row counts."""
        here, other = (self.coded, self.answers) if known["answer"] is None else (self.answers, self.coded)
        here[row] = known
        other.pop(row, None)


class Journal(Kept):
    """The open journal of one run. A context manager; held by one process at a time."""

    def __init__(self, path: Path, run: dict[str, Any]) -> None:
        """Open or begin it.

        Args:
            run: what this run asks. A journal of another question is refused.
        Raises:
            InputError: it is the journal of another question, or another process writes it.
            DataError: it cannot be written.
        """
        super().__init__()
        self.path = path
        try:
            self._file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600), "r+b")
        except OSError as error:
            raise DataError(f"cannot write {one_line(path)}: {error.strerror}; give another place") from error
        try:
            self._hold()
            self._resume(run)
        except BaseException:
            self._file.close()
            raise
        self.resumed = bool(self)
        """Was there something from before?"""
        self._synced_s = time.monotonic()

    def begin(self, run: dict[str, Any], began: dict[str, Any]) -> None:
        """Note what a new run asks; nothing where it goes on."""
        if not self.began:
            self.began = began
            self._write({"v": 1, "run": run, "began": began})

    def add(self, row: int, answer: dict[str, Any]) -> None:
        """Keep the answer to one row; the last one of a row counts."""
        self._write({"row": row, **answer})
        self._note(row, answer)

    def add_list(self, number: int, **known: Any) -> None:
        """Keep what became of a list of rows, on the disk before this returns: a list must not be sent twice."""
        self.lists.setdefault(number, {}).update(known)
        self._write({"list": number, **known}, sync=True)

    def remove(self) -> None:
        """The case is written: nothing is to be gone on with."""
        self.path.unlink(missing_ok=True)

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self:  # a server that was never reached: an empty file would say that there is something to go on with
            self.remove()
        self._file.close()

    def _hold(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise InputError(f"another run writes {one_line(self.path)}; wait for it, or give another place") from error

    def _resume(self, run: dict[str, Any]) -> None:
        whole = 0
        for number, line in enumerate(self._file):
            document = _parse(line)
            if document is None:
                break
            if number == 0:
                if (document.get("v"), document.get("run")) != (1, run) or not isinstance(document.get("began"), dict):
                    raise InputError(
                        f"{one_line(self.path)} is of another run (another list, place, case, purpose, setting or "
                        "version); give another place, or delete it to begin anew"
                    )
                self.began = document["began"]
            elif "list" in document:
                self.lists.setdefault(document.pop("list"), {}).update(document)
            else:
                self._note(document.pop("row"), document)
            whole += len(line)
        if whole == 0 and self._file.seek(0, os.SEEK_END) and not self._is_ours():
            raise InputError(f"{one_line(self.path)} is no journal of `hibs check`; give another place")
        self._file.seek(whole)
        self._file.truncate()

    def _is_ours(self) -> bool:
        """Is it the beginning of a first line that was not written to its end?"""
        self._file.seek(0)
        return _BEGIN.startswith(self._file.read(len(_BEGIN)))

    def _write(self, document: dict[str, Any], *, sync: bool = False) -> None:
        try:
            self._file.write(json.dumps(document, separators=(",", ":")).encode() + b"\n")
            self._file.flush()
            if sync or time.monotonic() - self._synced_s > _SYNC_EVERY_S:
                os.fsync(self._file.fileno())
                self._synced_s = time.monotonic()
        except OSError as error:
            raise DataError(f"cannot write {one_line(self.path)}: {error.strerror}; make space and go on") from error


class NoJournal(Kept):
    """Of a run that writes nothing, so that nothing can be gone on with: it remembers as long as the run lasts."""

    resumed = False

    def begin(self, _: dict[str, Any], began: dict[str, Any]) -> None:
        """See `Journal.begin`."""
        self.began = began

    def add(self, row: int, answer: dict[str, Any]) -> None:
        """See `Journal.add`."""
        self._note(row, answer)

    def add_list(self, number: int, **known: Any) -> None:
        """See `Journal.add_list`."""
        self.lists.setdefault(number, {}).update(known)

    def remove(self) -> None:
        """There is nothing to remove."""


_BEGIN = b'{"v":1,"run":'


def _parse(line: bytes) -> dict[str, Any] | None:
    """A line that was written whole; None: it was not."""
    if not line.endswith(b"\n"):
        return None
    try:
        document = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict):
        return None
    is_row = type(document.get("row")) is int and "answer" in document
    return document if "run" in document or is_row or type(document.get("list")) is int else None
