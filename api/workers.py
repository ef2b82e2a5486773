"""Several processes that answer on one socket, and one that keeps them going.

    parent: binds, starts, watches           worker 0: opens the folder first, keeps the index built, tells the metrics
                                             worker 1, 2, ...: started when worker 0 answers

Rules:
1. The first worker opens the data folder alone: databases are brought up to date once. What keeps it from that ends
   everything with its sentence.
2. A worker that ends by itself is replaced; one that ends again and again is waited for longer each time.
3. SIGTERM or SIGINT: all workers end what they have begun, then the parent ends. A second SIGINT cuts them off.
4. A parent that was killed leaves nobody behind: its workers see its pipe close, and end as for SIGTERM.

The parent imports nothing of the service: it has one thread, so that a fork is safe, and is small.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess
from types import FrameType

from checker.console import say
from checker.errors import CheckerError, DataError

STOPS = (signal.SIGINT, signal.SIGTERM)
END_S = 15.0
"""How long a worker may take to end before it is killed: three times the grace that begun answers have."""
REST_S_MAX = 30.0
LIVED_S = 10.0
"""A worker that ended sooner after its start is replaced later and later."""


@dataclass(frozen=True, slots=True)
class Worker:
    """What a worker knows of itself."""

    slot: int
    ready: Callable[[], None]
    """To be called when it answers."""
    parent_fd: int | None
    """Becomes readable when the parent is gone. None: there is none."""


Work = Callable[[Worker], bool]
_Context = multiprocessing.get_context("fork")


@dataclass(slots=True)
class _Slot:
    """One worker as the parent sees it."""

    number: int
    process: ForkProcess
    said: Connection
    started_s: float
    error: CheckerError | None = None
    is_ready: bool = False


class Supervisor:
    """Keeps `number` workers going.

    Args:
        work: what a worker does until it is told to end; runs in a process of its own.
        listening: called once, when the first one answers.
    """

    def __init__(self, number: int, work: Work, listening: Callable[[], None]) -> None:
        self._number = number
        self._work = work
        self._listening = listening
        self._slots: dict[int, _Slot] = {}
        self._due_s: dict[int, float] = {}
        self._rests: dict[int, float] = {}
        self._asked: list[int] = []
        self._answered = False

    def run(self) -> bool:
        """Until SIGTERM or SIGINT.

        Returns:
            True: ended cleanly. False: asked a second time, so answers were cut off.
        Raises:
            CheckerError: the first worker could not begin.
        """
        with ExitStack() as open_ones:
            self._life, self._life_end = os.pipe()
            open_ones.callback(os.close, self._life)
            open_ones.callback(os.close, self._life_end)
            self._woken = open_ones.enter_context(self._listens_to_signals())
            open_ones.callback(self._end_all)
            self._start(0)
            while not self._asked:
                self._look()
            return self._drain()

    def _look(self) -> None:
        """Wait for something to happen, and see to it."""
        due_s = [at - time.monotonic() for at in self._due_s.values()]
        ready = [slot.said for slot in self._slots.values() if not slot.said.closed]
        ended = [slot.process.sentinel for slot in self._slots.values()]
        happened = wait([*ready, *ended, self._woken], timeout=max(0.0, min(due_s)) if due_s else None)
        if self._woken in happened:
            self._woken.recv(4096)
        for slot in list(self._slots.values()):
            if slot.said in happened:
                self._hear(slot)
            if slot.process.sentinel in happened and not self._asked:
                self._bury(slot)
        for number in [number for number, at_s in self._due_s.items() if at_s <= time.monotonic()]:
            del self._due_s[number]
            self._start(number)

    def _hear(self, slot: _Slot) -> None:
        try:
            slot.error = slot.said.recv()
        except EOFError:
            slot.said.close()
            return
        slot.is_ready = slot.error is None
        if slot.is_ready and not self._answered:
            self._answered = True
            self._listening()
            for number in range(1, self._number):
                self._start(number)

    def _bury(self, slot: _Slot) -> None:
        slot.process.join()
        if not slot.said.closed and slot.said.poll():
            self._hear(slot)
        slot.said.close()
        del self._slots[slot.number]
        code = slot.process.exitcode or 0
        how = f"signal {-code}" if code < 0 else f"code {code}"
        if not self._answered:
            raise slot.error or DataError(f"the service ended as it began ({how}); see the lines above")
        lived_s = time.monotonic() - slot.started_s
        rest_s = 0.0 if lived_s > LIVED_S else min(REST_S_MAX, 2 * self._rests.get(slot.number, 0.25))
        self._rests[slot.number] = rest_s
        self._due_s[slot.number] = time.monotonic() + rest_s
        say(f"hibs: ERROR worker {slot.number} ended ({slot.error or how}); another takes its place")

    def _start(self, number: int) -> None:
        said, saying = _Context.Pipe(duplex=False)
        process = _Context.Process(target=self._child, args=(number, saying), name=f"worker {number}")
        process.start()
        saying.close()
        self._slots[number] = _Slot(number, process, said, time.monotonic())

    def _child(self, number: int, saying: Connection) -> None:
        signal.set_wakeup_fd(-1)
        os.close(self._life_end)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        try:
            self._work(Worker(number, lambda: saying.send(None), self._life))
        except CheckerError as error:
            saying.send(error)

    def _drain(self) -> bool:
        """Tell all to end, again and again: a signal that comes just as a worker begins is lost."""
        end_s = time.monotonic() + END_S
        while alive := [slot.process for slot in self._slots.values() if slot.process.is_alive()]:
            if time.monotonic() > end_s or signal.SIGINT in self._asked[1:]:
                return False
            for process in alive:
                process.terminate()
            if self._woken in wait([*(process.sentinel for process in alive), self._woken], timeout=1.0):
                self._woken.recv(4096)
        return True

    def _end_all(self) -> None:
        for slot in self._slots.values():
            slot.process.kill()
            slot.process.join()
            slot.said.close()

    @contextmanager
    def _listens_to_signals(self) -> Iterator[socket.socket]:
        """A socket that is readable when one came."""
        reading, writing = socket.socketpair()
        for one in (reading, writing):
            one.settimeout(0)
        woke = signal.set_wakeup_fd(writing.fileno())
        before = {number: signal.signal(number, self._note) for number in STOPS}
        try:
            yield reading
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(woke)
            reading.close()
            writing.close()

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self._asked.append(number)
