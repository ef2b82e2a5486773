"""The processes that do a crawl's reading, as the loop sees them: hand over a job, wait without blocking.

    page | picture -> a free worker -> answer
                           '- dead, late or talking nonsense: ended; the next job gets a new one

At most as many jobs are under way as there are workers; further ones wait for a turn, and their bytes with them, so
the crawl bounds how many it hands over.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import Any

from checker.errors import SandboxError
from checker.model import Unreadable, UnreadableReason
from crawler.jobs import (
    LENGTHS,
    MESSAGE_BYTES_MAX,
    PageJob,
    PageRead,
    PictureJob,
    PictureRead,
    ReaderFailedError,
    message,
    packed,
    unpacked_page,
    unpacked_picture,
)
from crawler.reading import Reading

ANSWER_SECONDS_MAX = 60.0
"""For one page or picture, waiting for a turn not counted. A picture's own limit (`decode_seconds_max`) bites first."""


START_SECONDS_MAX = 30.0


class Workers:
    """Reads in processes. A `Reader` and an async context manager."""

    def __init__(self, reading: Reading, *, count: int) -> None:
        self._reading = reading
        self._workers = [_Worker(reading) for _ in range(count)]
        # The last one used is the next one used, so that its memory is still warm.
        self._free: asyncio.LifoQueue[_Worker] = asyncio.LifoQueue()
        self._queued = 0
        """Jobs that wait for a worker."""
        self._begun = asyncio.Event()
        self._starting: asyncio.Task[None] | None = None

    async def page(self, job: PageJob) -> PageRead:
        """See `Reader.page`."""
        answer = await self._ask(packed(job))
        try:
            return unpacked_page(answer)
        except (KeyError, TypeError, ValueError) as error:
            raise ReaderFailedError("it answered nonsense") from error

    async def picture(self, job: PictureJob) -> PictureRead:
        """See `Reader.picture`."""
        try:
            return unpacked_picture(await self._ask(packed(job)))
        except (ReaderFailedError, KeyError, TypeError, ValueError):
            detail = "the program that reads pictures failed on this one"
            return PictureRead(Unreadable(UnreadableReason.READER_FAILED, detail), ())

    async def ready(self) -> None:
        """See `Reader.ready`."""
        await self._begun.wait()

    def keeps_up(self) -> bool:
        """See `Reader.keeps_up`."""
        return self._free.qsize() > self._queued

    async def _ask(self, parts: list[bytes]) -> dict[str, Any]:
        self._queued += 1
        try:
            worker = await self._free.get()
        finally:
            self._queued -= 1
        try:
            answer = await worker.ask(parts)
        finally:
            self._free.put_nowait(worker)
        if "error" in answer:
            raise SandboxError(str(answer["error"]))
        return answer

    async def __aenter__(self) -> Workers:
        self._starting = asyncio.create_task(self._start_all())
        return self

    async def _start_all(self) -> None:
        """All of them before the first request: one that still starts would slow down what the others read."""
        # What cannot be started, the first job says.
        await asyncio.gather(*(worker.prepare() for worker in self._workers), return_exceptions=True)
        for worker in self._workers:
            self._free.put_nowait(worker)
        self._begun.set()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._starting:
            self._starting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._starting
        for worker in self._workers:
            worker.end()


@dataclass(slots=True)
class _Line:
    """A running process and the way to it."""

    process: subprocess.Popen[bytes]
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def end(self) -> None:
        """Stop the process and let go of what is ours of it."""
        self.writer.close()
        self.process.kill()
        self.process.wait()


class _Worker:
    """The place of one process, which comes and goes. Used by one job at a time."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._line: _Line | None = None

    async def ask(self, parts: list[bytes]) -> dict[str, Any]:
        """Hand a job over and wait. The process is gone afterwards if it did not answer as agreed."""
        good = False
        try:
            if self._line and self._line.process.poll() is not None:
                self.end()  # it died while it was idle, which is no address's fault
            line = self._line = self._line or await self._start()
            async with asyncio.timeout(ANSWER_SECONDS_MAX):
                line.writer.writelines(parts)
                await line.writer.drain()
                answer = await _receive(line.reader)
            good = True
            return answer
        except TimeoutError as error:
            raise ReaderFailedError("it took too long") from error
        except (OSError, EOFError, ValueError) as error:
            raise ReaderFailedError("it ended") from error
        finally:
            if not good:  # also when the crawl is broken off: the next job would get this one's answer
                self.end()

    async def prepare(self) -> None:
        """Start the process before it is needed."""
        if self._line is None:
            self._line = await self._start()

    def end(self) -> None:
        """Stop the process."""
        if self._line:
            self._line.end()
            self._line = None

    async def _start(self) -> _Line:
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                process = subprocess.Popen(  # noqa: ASYNC220 - this very Python; starting takes a millisecond
                    [sys.executable, "-P", "-m", "crawler.worker"],
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,  # an exception that nobody foresaw ends it, and is one failed address
                    env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
                    start_new_session=True,
                )
        except OSError as error:
            ours.close()
            raise SandboxError(f"the program that reads pages and pictures cannot be started: {error}") from error
        reader, writer = await asyncio.open_connection(sock=ours, limit=2**20)
        setup = {
            "pictures": asdict(self._reading.pictures),
            "limits": asdict(self._reading.limits),
            "scope": sorted(self._reading.scope.hosts),
        }
        writer.writelines(message(setup, []))
        # Until it listens nothing more is sent: a job that does not fit into the socket would be tried again and again.
        line = _Line(process, reader, writer)
        try:
            async with asyncio.timeout(START_SECONDS_MAX):
                await _receive(reader)
        except (TimeoutError, OSError, EOFError, ValueError) as error:
            line.end()
            raise SandboxError(
                "the program that reads pages and pictures does not start; is there memory left, and is this "
                "installation whole?"
            ) from error
        except BaseException:
            line.end()
            raise
        return line


async def _receive(reader: asyncio.StreamReader) -> dict[str, Any]:
    """One answer. Raises EOFError (asyncio's IncompleteReadError is one) or ValueError."""
    text_bytes, blob_bytes = LENGTHS.unpack(await reader.readexactly(LENGTHS.size))
    if text_bytes > MESSAGE_BYTES_MAX or blob_bytes:
        raise ValueError("an answer that is none")
    answer = json.loads(await reader.readexactly(text_bytes))
    if not isinstance(answer, dict):
        raise ValueError("an answer that is none")
    return answer
