"""Connections are taken one at a time, and by the process that holds the fewest, where several listen on one socket.

An event loop takes all connections that wait, as long as any do. Of eight that came together one worker then often got
all, and kept them, while the others had nothing to do. Here each process tells the others how many it holds (`Shares`).
One that holds more than another leaves a new connection to it for `LEAVE_S`, and takes it then if it is still there.

The parent of all imports this and nothing of the service.
"""

from __future__ import annotations

import asyncio
import errno
import mmap
import socket
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

from checker.errors import InputError

LEAVE_S = 0.01
REST_S = 1.0
"""How long nothing is taken when no more files can be opened, or memory is short; as asyncio does."""
_SHORT_OF = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes any that is free.

    Raises:
        InputError: the port is in use or not ours to take, or the host is none of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with ExitStack() as failed:
            listener = failed.enter_context(socket.socket(family, socket.SOCK_STREAM))
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((host, port))
            listener.listen(128)
            failed.pop_all()
    except (OSError, OverflowError, TypeError) as error:  # TypeError: a name that cannot be encoded
        is_port = isinstance(error, OverflowError) or getattr(error, "errno", None) in (errno.EADDRINUSE, errno.EACCES)
        reason = getattr(error, "strerror", None) or f"there is no such {'port' if is_port else 'name'}"
        what = _OTHER_PORT if is_port else _OTHER_HOST
        raise InputError(f"cannot listen on {host} port {port}: {reason}; {what}") from error
    return listener


_OTHER_PORT = "choose another with --port, or --port 0 for any"
_OTHER_HOST = "give --host an address of this machine (127.0.0.1: for itself alone, 0.0.0.0: for all of its networks)"


class Shares:
    """How many connections each of some processes holds, in memory of all of them. Made before they are forked."""

    def __init__(self, processes: int) -> None:
        self._held = memoryview(mmap.mmap(-1, 4 * processes)).cast("i")

    def of(self, slot: int) -> Share:
        """That of one process; it holds none yet."""
        share = Share(self._held, slot)
        share.note(0)
        return share


@dataclass(frozen=True, slots=True)
class Share:
    """What one process holds, beside what the others do."""

    _held: memoryview[int]
    _slot: int

    def note(self, held: int) -> None:
        """Tell the others."""
        self._held[self._slot] = held

    def is_larger(self) -> bool:
        """Does another process hold fewer?"""
        return self._held[self._slot] > min(self._held)


class OneByOne:
    """Takes connections from a listening socket, as `asyncio.Server` would.

    Args:
        listener: it becomes non-blocking; whoever gave it closes it.
        make_protocol: gives a protocol for each connection.
        held: how many connections this process has open.
    """

    def __init__(
        self,
        listener: socket.socket,
        make_protocol: Callable[[], asyncio.Protocol],
        *,
        share: Share,
        held: Callable[[], int],
    ) -> None:
        self._listener = listener
        self._make_protocol = make_protocol
        self._share = share
        self._held = held
        self._loop = asyncio.get_running_loop()
        self._opening: set[asyncio.Task[object]] = set()
        self._has_left_one = False
        self._is_closed = False
        listener.settimeout(0)
        self._listen()

    def close(self) -> None:
        """Take no more; those that were taken go on."""
        self._is_closed = True
        self._loop.remove_reader(self._listener)

    async def wait_closed(self) -> None:
        """Wait for those that were just taken."""
        await asyncio.gather(*self._opening, return_exceptions=True)

    def _listen(self) -> None:
        if not self._is_closed:
            self._loop.add_reader(self._listener, self._take)

    def _rest(self, seconds: float) -> None:
        self._loop.remove_reader(self._listener)
        self._loop.call_later(seconds, self._listen)

    def _take(self) -> None:
        self._share.note(self._held() + len(self._opening))
        if self._share.is_larger() and not self._has_left_one:
            self._has_left_one = True
            self._rest(LEAVE_S)
            return
        self._has_left_one = False
        try:
            connection, _ = self._listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return  # another process was quicker, or the other end gave up
        except OSError as error:
            if error.errno not in _SHORT_OF:
                raise
            self._rest(REST_S)
            return
        connection.settimeout(0)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        opening = self._loop.create_task(self._loop.connect_accepted_socket(self._make_protocol, connection))
        self._opening.add(opening)
        opening.add_done_callback(self._opened)

    def _opened(self, opening: asyncio.Task[object]) -> None:
        self._opening.discard(opening)
        if not opening.cancelled():
            opening.exception()  # whoever went away at once is nobody's fault, and nothing for a log
