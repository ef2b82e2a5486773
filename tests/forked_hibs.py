"""`hibs` by a fork of a process that has imported it, which spares each of a thousand commands half a second.

All else is as in a process that was started: arguments, environment, folder and streams of its own. What the
interpreter reads when it starts (PYTHON..., LC_...) is that of the tests. Linux alone, like the tests.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

_ASKED_BYTES_MAX = 2**18
_STATUS = struct.Struct("i")
_LOADED = (
    *(f"checker.commands.{name}" for name in ("check", "index", "optout", "feed", "honour", "keys", "audit", "erase")),
    *("checker.cli", "checker.lookup", "crawler.cli", "crawler.ingest", "crawler.crawl", "api.cli"),
)


class Forks:
    """The process that is forked. One command at a time."""

    def __init__(self) -> None:
        self._ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        # One thread for products of matrices, as `hibs` has it: a process with threads is not forked.
        one = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        command = [sys.executable, "-P", __file__, str(theirs.fileno())]
        self._process = subprocess.Popen(command, pass_fds=[theirs.fileno()], env=one, stdin=subprocess.DEVNULL)
        theirs.close()

    def run(self, arguments: Sequence[str], *, folder: Path, seconds: int) -> subprocess.CompletedProcess[str]:
        """Run a command; after `seconds` it is killed."""
        reads, writes = os.pipe()
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as errors, open(reads, "rb") as status:
            asked = json.dumps([str(folder), list(arguments), dict(os.environ), seconds]).encode()
            socket.send_fds(self._ours, [asked], [out.fileno(), errors.fileno(), writes])
            os.close(writes)
            (ended,) = _STATUS.unpack(status.read(_STATUS.size))
            out.seek(0)
            errors.seek(0)
            code = os.waitstatus_to_exitcode(ended)
            return subprocess.CompletedProcess(["hibs", *arguments], code, out.read(), errors.read())


@cache
def forks() -> Forks:
    """The one of this process; it ends when this one does."""
    return Forks()


def main(asked: socket.socket) -> None:
    """Fork for each that is asked for, until nobody can ask any more."""
    for name in _LOADED:
        import_module(name)
    while True:
        message, streams, _, _ = socket.recv_fds(asked, _ASKED_BYTES_MAX, 3)
        if not message:
            return
        looks_after = os.fork()
        if looks_after == 0:
            asked.close()
            os.write(streams[2], _STATUS.pack(_looked_after(json.loads(message), streams)))
            os._exit(0)
        os.waitpid(looks_after, 0)
        for stream in streams:
            os.close(stream)


def _looked_after(message: Any, streams: Sequence[int]) -> int:
    """The status with which the command ended."""
    folder, arguments, environment, seconds = message
    child = os.fork()
    if child == 0:
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        os.dup2(streams[0], 1)
        os.dup2(streams[1], 2)
        os.closerange(3, max(streams) + 1)
        sys.argv = ["hibs", *arguments]
        os._exit(_ran())
    signal.signal(signal.SIGALRM, lambda *_: os.kill(child, signal.SIGKILL))
    signal.alarm(seconds)
    return os.waitpid(child, 0)[1]


def _ran() -> int:
    """Run the command; its exit code, as the interpreter would have it."""
    from checker.cli import main as hibs

    code: object = 0
    try:
        hibs()
    except SystemExit as ended:
        code = ended.code
    except BaseException:  # noqa: BLE001 - as the interpreter does
        sys.excepthook(*sys.exc_info())
        code = 1
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):
            stream.flush()
    return code if isinstance(code, int) else 0 if code is None else 1


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])))
