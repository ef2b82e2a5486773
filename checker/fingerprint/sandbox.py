"""Decodes the bytes of others in worker processes, so that a hostile picture costs one row and nothing else.

    decode -> a free worker (started at first use) -> job -> answer, checked -> pixels or a reason
                                       '- dead, late or lying: killed; the reason says so; the next job gets a new one

A worker (`sandbox_worker`) holds no database, no key and none of our environment, and its memory, time and files are
limited. Nothing that it says is trusted: its answer is numbers of fixed widths, each checked before as many bytes are
read, and never a pickle. What a worker that was taken over can still do is to answer wrongly about the pictures that it
gets, until it is replaced: after `JOBS_MAX` pictures or `BUSY_SECONDS_MAX` of work, which honest ones do not notice.

One death is one unreadable row. A picture that ended a worker is not tried again: it would end the next one as well.
"""

from __future__ import annotations

import contextlib
import os
import queue
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

import numpy as np

from checker.errors import SandboxError
from checker.fingerprint import sandbox_worker
from checker.fingerprint.decode import FORMATS, GREY_SIDE_PX, VIEW_SIDE_PX_MAX, refuse_size
from checker.fingerprint.sandbox_worker import ANSWER, DETAIL_BYTES_MAX, JOB, NO_PICTURE, PICTURE, READY
from checker.model import Pixels, Unreadable, UnreadableReason
from checker.settings import Settings

JOBS_MAX = 500
"""Pictures after which a worker is replaced. A new one takes 0.15 s, so this costs 0.3 ms a picture."""
BUSY_SECONDS_MAX = 20
"""Seconds of work after which a worker is replaced; bounds what `RLIMIT_CPU` has to allow."""
START_SECONDS_MAX = 30.0
_CLOSE_SECONDS_MAX = 2.0
_KEPT_ENVIRONMENT = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT")
"""Without these some Pythons do not start."""
_ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"}
"""Threads that decoding does not use would each take address space."""


class ForgedAnswerError(ValueError):
    """A worker answered what no worker of ours says."""


class SandboxDecoder:
    """Decodes in worker processes. A `Decoder` and a context manager; safe to share between threads.

    As many pictures are decoded at once as there are workers; further callers wait for a turn. Workers start at first
    use. A process that was forked from this one makes its own.
    """

    def __init__(self, settings: Settings, *, workers: int | None = None) -> None:
        """`workers`: the setting `decode_workers` where None."""
        self._bytes_max = settings.picture_bytes_max
        self._workers = tuple(_Worker(settings) for _ in range(workers or settings.decode_workers))
        # The last one used is the next one used, so that one caller starts one process.
        self._free: queue.LifoQueue[_Worker] = queue.LifoQueue()
        for worker in self._workers:
            self._free.put(worker)
        self._closed = False

    def decode(self, body: bytes, *, view: bool = False) -> Pixels | Unreadable:
        """See `Decoder.decode`.

        Raises:
            SandboxError: no worker can be started, or this decoder is closed.
        """
        if refused := refuse_size(body, self._bytes_max):
            return refused
        worker = self._free.get()
        try:
            self._require_open()
            found = worker.decode(body, view=view)
            self._require_open()  # or the picture would be blamed for a worker that `close` ended
            return found
        finally:
            self._free.put(worker)

    def processes(self) -> tuple[int, ...]:
        """Process ids of the workers that run."""
        return tuple(worker.process_id for worker in self._workers if worker.process_id is not None)

    def close(self) -> None:
        """End all workers. Callers that wait for an answer or a turn get a `SandboxError`."""
        self._closed = True
        for worker in self._workers:
            worker.kill()
        mine = []
        with contextlib.suppress(queue.Empty):  # Ctrl-C at a bad moment may have lost one; it was killed all the same
            for _ in self._workers:
                mine.append(self._free.get(timeout=_CLOSE_SECONDS_MAX))
        for worker in mine:
            worker.end()
            self._free.put(worker)

    def __enter__(self) -> SandboxDecoder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _require_open(self) -> None:
        if self._closed:
            raise SandboxError("the picture reader was closed while it was in use; start the command again")


class _Worker:
    """The place of one process, which comes and goes. Used by one thread at a time, `kill` excepted."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._jobs = 0
        self._busy_s = 0.0

    @property
    def process_id(self) -> int | None:
        """None: no process runs."""
        process = self._process
        return process.pid if process else None

    def decode(self, body: bytes, *, view: bool) -> Pixels | Unreadable:
        """Let the process decode; it is gone afterwards if it did not answer as agreed."""
        line = self._line()
        good = False
        try:
            found = self._ask(line, body, view=view)
            good = self._jobs < JOBS_MAX and self._busy_s < BUSY_SECONDS_MAX
            return found
        except TimeoutError:
            return Unreadable(
                UnreadableReason.TOO_COSTLY,
                f"reading the picture takes more than {self._settings.decode_seconds_max} seconds; save it smaller",
            )
        except (OSError, EOFError, ForgedAnswerError):
            return Unreadable(
                UnreadableReason.READER_FAILED,
                "the program that reads pictures failed on this one; save it anew or get another copy",
            )
        finally:
            # Also after Ctrl-C in the middle of an answer: the next job would get the rest of it.
            if not good:
                self.end()

    def kill(self) -> None:
        """Stop the process at once; from any thread."""
        if process := self._process:
            process.kill()

    def end(self) -> None:
        """Stop the process and let go of all that is ours of it."""
        if self._socket:
            self._socket.close()
        if self._process:
            self._process.kill()
            self._process.wait()
        self._socket = self._process = None

    def _ask(self, line: socket.socket, body: bytes, *, view: bool) -> Pixels | Unreadable:
        begin_s = time.monotonic()
        until_s = begin_s + self._settings.decode_seconds_max
        line.settimeout(self._settings.decode_seconds_max)
        line.sendall(JOB.pack(view, len(body)))
        line.sendall(body)
        found = read_answer(
            lambda size: _receive(line, size, until_s=until_s),
            view=view,
            pixels_max=self._settings.picture_pixels_max,
        )
        self._jobs += 1
        self._busy_s += time.monotonic() - begin_s
        return found

    def _line(self) -> socket.socket:
        """The socket to a process that waits for a job."""
        if self._socket and _is_silent(self._socket):
            return self._socket
        self.end()
        try:
            self._socket, self._process = _start(self._settings)
            self._jobs, self._busy_s = 0, 0.0
            ready = _receive(self._socket, len(READY), until_s=time.monotonic() + START_SECONDS_MAX)
        except (OSError, EOFError) as error:
            self.end()
            raise SandboxError(
                f"the program that reads pictures cannot be started ({error}); is there memory left, and is this "
                "installation whole?"
            ) from error
        except BaseException:
            self.end()
            raise
        assert ready == READY, "nobody else's bytes were read so far"
        return self._socket


def read_answer(receive: Callable[[int], bytes | bytearray], *, view: bool, pixels_max: int) -> Pixels | Unreadable:
    """Read one answer of a worker and check every number of it before it is used.

    Args:
        receive: gives exactly so many bytes, or raises.
        view: was one asked for.
        pixels_max: what the picture may have at most.
    Raises:
        ForgedAnswerError: it is none that our worker gives.
    """
    kind, number, width, height, view_height, view_width, detail_bytes = ANSWER.unpack(receive(ANSWER.size))
    sides = (view_height, view_width)
    if kind == NO_PICTURE:
        if number >= len(_REASONS) or (width, height, *sides) != (0, 0, 0, 0) or detail_bytes > DETAIL_BYTES_MAX:
            raise ForgedAnswerError("a reason with members that it does not have")
        try:
            detail = receive(detail_bytes).decode()
        except UnicodeDecodeError as error:
            raise ForgedAnswerError("a sentence that is no text") from error
        if not detail.isprintable():  # a terminal would obey it
            raise ForgedAnswerError("a sentence with control characters")
        return Unreadable(_REASONS[number], detail)
    sides_fit = all(1 <= side <= VIEW_SIDE_PX_MAX for side in sides) if view else sides == (0, 0)
    if kind != PICTURE or number >= len(FORMATS) or detail_bytes or not sides_fit:
        raise ForgedAnswerError("a picture with members that it does not have")
    if not 1 <= width * height <= pixels_max:
        raise ForgedAnswerError("a picture larger than is decoded")
    grey = np.frombuffer(receive(GREY_SIDE_PX**2), dtype=np.uint8).reshape(GREY_SIDE_PX, GREY_SIDE_PX)
    seen = np.frombuffer(receive(view_height * view_width * 3), dtype=np.uint8) if view else None
    return Pixels(
        grey64=grey,
        width=width,
        height=height,
        format=FORMATS[number],
        view=None if seen is None else seen.reshape(view_height, view_width, 3),
    )


def _start(settings: Settings) -> tuple[socket.socket, subprocess.Popen[bytes]]:
    """Start a process with nothing of ours but one end of a new pair of sockets."""
    if not sys.executable:
        raise OSError("this Python does not know its own path")
    numbers = (
        settings.picture_bytes_max,
        settings.picture_pixels_max,
        settings.png_webp_gif_pixels_max,
        settings.decode_memory_bytes_max,
        BUSY_SECONDS_MAX + 2 * settings.decode_seconds_max,
    )
    ours, theirs = socket.socketpair()
    try:
        with theirs:
            process = subprocess.Popen(  # noqa: S603 - this very Python, and a file of this package
                # Isolated, and told where to import from: nobody's PYTHONPATH, start-up files or current folder.
                [
                    *(sys.executable, "-I", "-S", str(Path(sandbox_worker.__file__).resolve())),
                    *map(str, numbers),
                    *(path for path in sys.path if os.path.isabs(path) and os.path.isdir(path)),
                ],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                cwd="/",
                env={**{n: os.environ[n] for n in _KEPT_ENVIRONMENT if n in os.environ}, **_ENVIRONMENT},
                close_fds=True,
                start_new_session=True,
            )
    except BaseException:
        ours.close()
        raise
    return ours, process


def _receive(line: socket.socket, size: int, *, until_s: float) -> bytearray:
    """Exactly `size` bytes.

    Raises:
        TimeoutError: they did not come in time.
        EOFError: the process ended.
    """
    buffer = bytearray(size)
    rest = memoryview(buffer)
    while rest:
        line.settimeout(max(until_s - time.monotonic(), 0.001))
        count = line.recv_into(rest)
        if not count:
            raise EOFError("it ended")
        rest = rest[count:]
    return buffer


def _is_silent(line: socket.socket) -> bool:
    """Is a worker there that says nothing? One that died while it was idle was no picture's fault."""
    line.settimeout(0)
    try:
        line.recv(1)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


_REASONS = tuple(UnreadableReason)
