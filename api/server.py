"""The running server: a socket bound before anything is opened, quiet logs, a clean end.

uvicorn's access log is off, because a path can hold a handle or a number. Tracebacks are written without the message
of the error, because a message may hold a piece of what somebody sent.
"""

from __future__ import annotations

import asyncio
import ctypes
import logging
import resource
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any

import uvicorn
from fastapi import FastAPI

from api.accepting import OneByOne, Share
from api.connections import BoundedConnection
from api.guards import refusal

GRACE_S = 5
"""How long an answer that has begun may go on after the end was asked for."""
KEEP_ALIVE_S = 5
_PR_SET_DUMPABLE = 4
"""linux/prctl.h"""


class Server(uvicorn.Server):
    """uvicorn, telling once when it listens.

    Args:
        share: of the connections that several processes take.
        parent_fd: becomes readable when the process that started this one is gone: then this one ends too.
    """

    def __init__(
        self, config: uvicorn.Config, listening: Callable[[], None], share: Share, parent_fd: int | None = None
    ) -> None:
        super().__init__(config)
        self._listening = listening
        self._share = share
        self._parent_fd = parent_fd

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Open for requests, then say so."""
        await super().startup(sockets=[])
        self.servers = [
            OneByOne(listener, self._connection, share=self._share, held=self._held)  # type: ignore[misc]
            for listener in sockets or ()
        ]
        if self._parent_fd is not None:
            asyncio.get_running_loop().add_reader(self._parent_fd, self._orphaned, self._parent_fd)
        if self.started:
            self._listening()

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second: tell the other processes how many connections are left here."""
        self._share.note(self._held())
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End. After a second signal too the app closes what it opened; cancelled, it would add a traceback."""
        await super().shutdown(sockets)
        if self.force_exit:
            await self.lifespan.shutdown()

    async def _wait_tasks_to_complete(self) -> None:
        """Let what has begun end, for `GRACE_S` or until a second signal. What is left is closed, and not answered."""
        with suppress(TimeoutError):
            async with asyncio.timeout(GRACE_S):
                await super()._wait_tasks_to_complete()
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        for task in self.server_state.tasks:
            task.cancel()
        await asyncio.sleep(0)  # the connections hear that they are lost before the tasks do, and swallow their answers

    def _held(self) -> int:
        return len(self.server_state.connections)

    def _connection(self) -> asyncio.Protocol:
        return BoundedConnection(self.config, self.server_state, self.lifespan.state, refusal=refusal)

    def _orphaned(self, parent_fd: int) -> None:
        asyncio.get_running_loop().remove_reader(parent_fd)
        self.should_exit = True


class NotCutOff(logging.Filter):
    """Passes all but the answers that an end of ours cut off: nothing went wrong with them."""

    def filter(self, record: logging.LogRecord) -> bool:
        """False: drop it."""
        return not (record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError))


class QuietFormatter(logging.Formatter):
    """Writes where an error happened and of what type it was, never its message."""

    def formatException(self, ei: Any) -> str:
        """Frames and type names of the error and of those it came from."""
        lines: list[str] = []
        error: BaseException | None = ei[1]
        while error is not None and len(lines) < 200:
            lines += [line.rstrip() for line in traceback.format_tb(error.__traceback__)]
            lines.append(f"{type(error).__module__}.{type(error).__qualname__} (message withheld)")
            error = error.__cause__ or error.__context__
        return "\n".join(lines)


LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"quiet": {"()": "api.server.QuietFormatter", "format": "hibs: %(levelname)s %(message)s"}},
    "filters": {"not cut off": {"()": "api.server.NotCutOff"}},
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "formatter": "quiet",
            "filters": ["not cut off"],
            "stream": "ext://sys.stderr",
        }
    },
    "loggers": {
        # Warnings are about what others send ("Invalid HTTP request received."): anyone could fill a disk with them.
        "uvicorn": {"handlers": ["stderr"], "level": "ERROR", "propagate": False},
        "uvicorn.error": {"level": "ERROR"},
    },
}


def keep_memory_private() -> None:
    """No core file, which would hold the photos that were in memory, and no look into it for other processes."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        # core(5): the limit does not count where cores are piped to a program, as systemd has it.
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def run(
    app: FastAPI,
    listener: socket.socket,
    *,
    listening: Callable[[], None],
    share: Share,
    parent_fd: int | None = None,
) -> bool:
    """Serve until SIGINT or SIGTERM, or until the parent is gone where there is one.

    Returns:
        True: ended cleanly. False: asked a second time, so answers were cut off.
    """
    keep_memory_private()
    config = uvicorn.Config(
        app,
        http=BoundedConnection,
        access_log=False,
        log_config=LOGGING,
        server_header=False,
        proxy_headers=False,  # X-Forwarded-For is whatever the sender writes
        timeout_keep_alive=KEEP_ALIVE_S,
        ws="none",
    )
    server = Server(config, listening, share, parent_fd)
    # uvicorn ends on the signal and raises it again afterwards for those who were there before it: us.
    before = {number: signal.signal(number, _ignore) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        server.run(sockets=[listener])
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        listener.close()
    return not server.force_exit


def _ignore(_number: int, _frame: FrameType | None) -> None:
    """The signal has done its work in uvicorn."""
