"""Processes that tests start, listen to and kill, in milliseconds: one that has everything imported forks the others.

    with Nursery() as nursery:
        writer = nursery.start("write", folder, seed)
        process, said = nursery.wait(10.0)      # (writer, ["added", 2, "0f0f..."])
        nursery.end(writer, SIGKILL)

What was said before an end was answered for is in `Nursery.wait` before the end is: nothing that a process told is lost
by killing it.
"""

from __future__ import annotations

import json
import os
import random
import select
import signal
import subprocess
import sys
import traceback
from collections import deque
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

PATIENCE_S = 60.0
"""After so long a test fails: whatever it waits for is not coming."""
Say = Callable[..., None]


class Nursery:
    """Forks processes that do the work of one of the functions below. A context manager; it leaves none behind."""

    def __enter__(self) -> Nursery:
        self._messages: deque[tuple[int, list[Any]]] = deque()
        self._begun = b""
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            cwd=Path(__file__).parents[2],
            env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )
        return self

    def __exit__(self, *problem: object) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(PATIENCE_S)

    def start(self, work: str, *arguments: object) -> int:
        """Begin some work; its process."""
        self._order("start", work, *(str(one) if isinstance(one, Path) else one for one in arguments))
        return int(self._answer("started")[0])

    def end(self, process: int, by: signal.Signals = signal.SIGKILL) -> int:
        """Send the signal and wait; the exit code, as `subprocess` counts it. Also of one that has ended by itself."""
        self._order("end", process, int(by))
        return int(self._answer("ended")[1])

    def wait(self, seconds: float = PATIENCE_S) -> tuple[int, list[Any]] | None:
        """The next thing that a process said; None: nothing within this time."""
        while not self._messages:
            if not self._read(seconds):
                return None
        process, said = self._messages.popleft()
        assert said[0] != "failed", said[1]
        return process, said

    def heard(self) -> list[tuple[int, list[Any]]]:
        """Everything that was said by now."""
        heard = []
        while (message := self.wait(0)) is not None:
            heard.append(message)
        return heard

    def _order(self, *words: object) -> None:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(words).encode() + b"\n")

    def _answer(self, word: str) -> list[Any]:
        while True:
            for message in self._messages:
                if message[0] == 0 and message[1][0] == word:
                    self._messages.remove(message)
                    return message[1][1:]
            assert self._read(PATIENCE_S), "the nursery does not answer"

    def _read(self, seconds: float) -> bool:
        """Take in what was written, if anything is within this time."""
        assert self._process.stdout
        if not select.select([self._process.stdout], [], [], seconds)[0]:
            return False
        written = os.read(self._process.stdout.fileno(), 1 << 16)
        assert written, "the nursery is gone"
        *lines, self._begun = (self._begun + written).split(b"\n")
        self._messages += (tuple(json.loads(line)) for line in lines)
        return True


# --- what the processes do ---------------------------------------------------------------------------------------


def write(say: Say, path: str, seed: int, erase_share: float = 0.0) -> None:
    """Record codes one commit at a time, and erase one now and then; says so before and after."""
    from index_corpus import NOON, add

    from checker.records.folder import DataFolder

    rng, mine = random.Random(seed), []
    with DataFolder.open(Path(path), create=False) as folder:
        while True:
            if mine and rng.random() < erase_share:
                gone = mine.pop(rng.randrange(len(mine)))
                say("erasing", gone)
                folder.store.erase([folder.store.image_ids_of([gone])[gone]], now=NOON)
                say("erased", gone)
            else:
                ((code_id, code),) = add(folder, [rng.randbytes(32)]).items()
                mine.append(code_id)
                say("added", code_id, code.hex())


def erase(say: Say, path: str, code_ids: list[int]) -> None:
    """Erase these codes, one after the other."""
    from index_corpus import NOON

    from checker.records.folder import DataFolder

    with DataFolder.open(Path(path), create=False) as folder:
        for code_id in code_ids:
            folder.store.erase([folder.store.image_ids_of([code_id])[code_id]], now=NOON)
            say("erased", code_id)


def build(say: Say, path: str, seed: int) -> None:
    """Build again and again; says how many codes were written each time."""
    from index_corpus import NOON

    from checker.index.build import build as build_index
    from checker.records.folder import DataFolder
    from checker.settings import Settings

    rng = random.Random(seed)
    with DataFolder.open(Path(path), create=False) as folder:
        while True:
            built = build_index(folder, Settings(), now=NOON, full=rng.random() < 0.3)
            say("built", sum(one.written for one in built), sum(len(one.repaired) for one in built))


def build_slowly(say: Say, path: str, go_on: str) -> None:
    """Stop in the middle of a build, until something is written to the named pipe `go_on`."""
    from index_corpus import NOON

    from checker.index.build import build as build_index
    from checker.records.folder import DataFolder
    from checker.settings import Settings

    waited = []

    def wait(*_: object) -> None:
        if not waited:
            say("in the middle")
            waited.append(Path(go_on).read_bytes())

    with DataFolder.open(Path(path), create=False) as folder:
        build_index(folder, Settings(), now=NOON, full=True, progress=wait)
    say("built")


def answer_for(say: Say, path: str) -> None:
    """Answer for one segment, to whoever asks first at the port that is told, until nobody does any more."""
    from multiprocessing.connection import Listener

    from checker.index.segment import Segment

    segment = Segment(Path(path))
    with Listener(("127.0.0.1", 0)) as listener:
        say("listening", listener.address[1])
        with listener.accept() as asker:
            while True:
                try:
                    method, queries, limits = asker.recv()
                except EOFError:
                    return
                hits = getattr(segment, method)(queries, **limits)
                asker.send((hits.query_nos, hits.code_ids, hits.distances))


def read_only(say: Say, path: str, user_id: int) -> None:
    """As another user, if need be: search an index whose folder this user may not write to, then try to build it."""
    from index_answers import answers_as_a_scan, codes_in, index_of
    from index_corpus import NOON

    from checker.errors import DataError
    from checker.index.build import build as build_index
    from checker.records.folder import DataFolder
    from checker.settings import Settings

    if os.geteuid() != user_id:
        os.setgroups([])
        os.setgid(user_id)
        os.setuid(user_id)
    with DataFolder.open(Path(path), create=False) as folder:
        assert not os.access(folder.path / "index", os.W_OK)
        with index_of(folder) as index:
            answers_as_a_scan(index, codes_in(folder))
            say("segments", index.state().segments, list(index.state().damaged))
        try:
            build_index(folder, Settings(), now=NOON)
        except DataError as error:
            say("refused", str(error))


WORK = {one.__name__: one for one in (write, erase, build, build_slowly, answer_for, read_only)}


# --- the nursery -------------------------------------------------------------------------------------------------


def _say(*words: object) -> None:
    # One write of less than a pipe's 4,096 bytes: lines of several processes do not mix.
    os.write(1, json.dumps([os.getpid(), words]).encode() + b"\n")


def _live(work: str, arguments: list[Any]) -> None:
    code = 1
    try:
        os.close(0)
        WORK[work](_say, *arguments)
        _say("ended by itself")
        code = 0
    except BaseException:  # noqa: BLE001 - whatever it was, the test is told
        _say("failed", traceback.format_exc()[-1500:])
    finally:
        os._exit(code)


def _serve() -> None:
    sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1]), os.getcwd()]
    _import_everything()
    children = set()
    for line in sys.stdin:
        order, *words = json.loads(line)
        if order == "start":
            child = os.fork()
            if not child:
                _live(words[0], words[1:])
            children.add(child)
            _answer("started", child)
        else:
            process, by = words
            os.kill(process, by)
            children.discard(process)
            _answer("ended", process, os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]))
    for child in children:
        os.kill(child, signal.SIGKILL)


def _import_everything() -> None:
    """All that the work needs, here and once, by doing some of it: another user may not even read our modules."""
    from index_answers import holds
    from index_corpus import NOON, add

    from checker.index.build import build as build_index
    from checker.records.folder import DataFolder
    from checker.settings import Settings

    with TemporaryDirectory() as path, DataFolder.open(Path(path), create=True) as folder:
        stored = add(folder, [bytes(32), b"\xff" * 32])
        build_index(folder, Settings(), now=NOON)
        holds(folder, stored)


def _answer(*words: object) -> None:
    os.write(1, json.dumps([0, words]).encode() + b"\n")


if __name__ == "__main__":
    _serve()
