"""Get the C2PA manifests out of a picture file, in a process that can do little else.

    read_manifests -> start a process -> bytes in -> c2pa-python -> manifest store as JSON out -> checked
                                                 '- crash, time-out, refusal: a reason, so that nothing is mistaken
                                                    for silence

c2pa-python is native code, and the bytes are of strangers. The process is this very file, run by path with none of our
environment; it imports nothing else of ours. Before it reads the first byte it gives up files, sockets, child processes
and cores, and bounds its memory and time. So even a setting that failed could not fetch a remote manifest or ask a
certificate's issuer; both are switched off as well. Its answer is bounded, must be JSON, and is believed no further
than the file itself. One process reads one file: a quarter of a second, only for files that have such boxes.

Bounds: files of 64 MiB, answers of 4 MiB, 512 MiB of memory above the program's own, 10 seconds. Real stores take 15
to 60 KiB as JSON and 30 milliseconds.

Source: contentauth/c2pa-python 0.38, Reader and Context; C2PA 1.4, 15 (validation).
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BODY_BYTES_MAX = 64 * 2**20
ANSWER_BYTES_MAX = 4 * 2**20
MEMORY_BYTES_MAX = 512 * 2**20
SECONDS_MAX = 10.0

_FOUND, _NONE, _FAILED = b"S", b"N", b"E"
"""First byte of an answer: the store follows; the file has none; a sentence why it cannot be read follows."""
_SETTINGS = {"verify": {"remote_manifest_fetch": False, "ocsp_fetch": False}}
_KEPT_ENVIRONMENT = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT")
"""Without these some Pythons do not start."""
_ENVIRONMENT = {"RAYON_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1", "PYTHONDONTWRITEBYTECODE": "1"}
_PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 4, 38
"""linux/prctl.h: without the first neither core nor /proc/PID/mem, without the second no set-user-id program."""


@dataclass(frozen=True, slots=True)
class NotRead:
    """Why the manifests of a file are not known."""

    reason: str
    """One sentence for a person."""
    malformed: bool
    """True: the file is at fault. False: this installation is (c2pa-python is missing, no process can be started)."""


Manifests = Mapping[str, Any] | NotRead | None
"""A manifest store as c2pa's `Reader.json()` gives it; None: the file has none."""


def read_manifests(body: bytes, mime: str, *, seconds_max: float = SECONDS_MAX) -> Manifests:
    """Read the manifest store of a file in a process of its own. Never raises.

    Args:
        body: the whole file.
        mime: its media type: "image/jpeg"; empty: c2pa-python is to find out.
        seconds_max: after this time the process is ended.
    """
    if len(body) > BODY_BYTES_MAX:
        return NotRead("the file is too large for its C2PA manifest to be read", malformed=True)
    if importlib.util.find_spec("c2pa") is None or not sys.executable:
        return NotRead("the C2PA manifest was not read: c2pa-python is not installed here", malformed=False)
    try:
        answer = _asked(body, mime, until_s=time.monotonic() + seconds_max)
    except TimeoutError:
        return NotRead(f"reading the C2PA manifest takes more than {seconds_max:g} seconds", malformed=True)
    except OSError as error:
        return NotRead(f"no process can be started to read the C2PA manifest in ({error})", malformed=False)
    return read_answer(answer)


def read_answer(answer: bytes) -> Manifests:
    """Check what the process said. Anything but an agreed answer is a manifest that cannot be read."""
    kind, rest = answer[:1], answer[1:]
    if answer == _NONE:
        return None
    if kind == _FAILED:
        sentence = "".join(c if c.isprintable() else "?" for c in rest[:300].decode("utf-8", "replace"))
        return NotRead(f"the C2PA manifest cannot be read: {sentence}", malformed=True)
    try:
        store = json.loads(rest) if kind == _FOUND else None
    except (ValueError, RecursionError):
        store = None
    if not isinstance(store, dict):
        return NotRead("the program that reads C2PA manifests failed on this file", malformed=True)
    return store


def _asked(body: bytes, mime: str, *, until_s: float) -> bytes:
    """The answer of a new process; empty where it ended without any.

    Raises:
        TimeoutError: it took too long.
        OSError: it cannot be started.
    """
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            process = _start(theirs, mime)
        try:
            answer = bytearray()
            # A process that ended early is told by its answer, not by the broken pipe.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                ours.settimeout(max(until_s - time.monotonic(), 0.001))
                ours.sendall(body)
                ours.shutdown(socket.SHUT_WR)
            with contextlib.suppress(ConnectionResetError):
                while len(answer) <= ANSWER_BYTES_MAX:
                    ours.settimeout(max(until_s - time.monotonic(), 0.001))
                    part = ours.recv(2**16)
                    if not part:
                        return bytes(answer)
                    answer += part
            return b""
        finally:
            process.kill()
            process.wait()


def _start(theirs: socket.socket, mime: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - this very Python, and this very file
        # Isolated, and told where to import from: nobody's PYTHONPATH, start-up files or current folder.
        [
            *(sys.executable, "-I", "-S", str(Path(__file__).resolve()), mime),
            *(path for path in sys.path if os.path.isabs(path) and os.path.isdir(path)),
        ],
        stdin=theirs.fileno(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        env={**{name: os.environ[name] for name in _KEPT_ENVIRONMENT if name in os.environ}, **_ENVIRONMENT},
        close_fds=True,
        start_new_session=True,
    )


def main() -> None:
    """The process itself. Arguments: the media type, then the import path. Standard input is a socket."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # it ends with its parent's socket
        signal.signal(number, signal.SIG_IGN)
    sys.path += [path for path in sys.argv[2:] if path not in sys.path]
    import c2pa

    _give_up(MEMORY_BYTES_MAX, int(SECONDS_MAX) + 1)
    body = bytearray()
    while part := os.read(0, 2**20):
        body += part
    answer = memoryview(_answer(c2pa, bytes(body), sys.argv[1]))
    while answer:
        answer = answer[os.write(0, answer) :]


def _answer(c2pa: Any, body: bytes, mime: str) -> bytes:
    try:
        # `try_create` gives None where the file has no manifest, instead of an error like any other.
        reader = c2pa.Reader.try_create(mime or None, io.BytesIO(body), context=c2pa.Context.from_dict(_SETTINGS))
        return _NONE if reader is None else _FOUND + str(reader.json()).encode("utf-8", "replace")
    except c2pa.C2paError as error:
        return _FAILED + str(error).encode("utf-8", "replace")


def _give_up(memory_bytes: int, cpu_seconds: int) -> None:
    """Give up for good what reading does not need. A system that lacks one of the limits goes without it."""
    if sys.platform == "linux":
        import ctypes

        prctl = ctypes.CDLL(None).prctl
        prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
        prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    with contextlib.suppress(ImportError):
        import resource

        limits = {"CORE": 0, "CPU": cpu_seconds, "AS": _address_space() + memory_bytes, "FSIZE": 0, "NPROC": 0}
        # Last: with 0 no further file, socket or pipe is opened, while those that are open stay so.
        for name, value in {**limits, "NOFILE": 0}.items():
            with contextlib.suppress(AttributeError, OSError, ValueError):
                resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (value, value))
    sys.meta_path.clear()


def _address_space() -> int:
    """Bytes of address space in use: the limit counts the program and its libraries."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 2**29


if __name__ == "__main__":
    main()
