"""A process that decodes pictures for `sandbox` and can do little else.

    import -> give up files, memory, time -> say ready -> (job -> decode -> answer) until its input ends

It is run by path, without the parent's environment and with one open file, a socket on standard input. By the time
that it sees the first byte of others it can open no file and no socket, start no process, write no core and import
nothing: whoever takes it over through a broken decoder finds no key and no database in it, and cannot open one.
What it answers is not to be trusted either; `sandbox.read_answer` checks it.

Root is not bound by every limit of its own: run the programs of this project as a user of their own.
"""

from __future__ import annotations

import contextlib
import os
import signal
import struct
import sys
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from checker.fingerprint.decode import Decoder
    from checker.model import Pixels, Unreadable

READY = b"hibs decode 1\n"
JOB = struct.Struct("!?I")
"""Is a view wanted; bytes of the body, which follows."""
ANSWER = struct.Struct("!BBIIHHH")
"""Kind; number of the format or reason; width, height; height and width of the view (0: none); bytes of the sentence.
Behind it stand 64 x 64 grey and 3 x view bytes, or the sentence in UTF-8."""
PICTURE, NO_PICTURE = 1, 2
DETAIL_BYTES_MAX = 400

_NEEDED = (
    *("copy", "encodings.latin_1", "encodings.utf_16", "PIL.ImageColor", "PIL.ImagePalette", "PIL.TiffImagePlugin"),
    *("PIL.GifImagePlugin", "PIL.JpegImagePlugin", "PIL.MpoImagePlugin", "PIL.PngImagePlugin", "PIL.WebPImagePlugin"),
)
"""What Python and Pillow import in the middle of decoding."""
_PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 4, 38
"""linux/prctl.h: without the first neither core nor /proc/PID/mem, without the second no set-user-id program."""


def main() -> None:
    """Arguments: picture_bytes_max, picture_pixels_max, png_webp_gif_pixels_max, memory and CPU limits, import path."""
    # A service manager or a terminal signals all processes of a command; this one ends with its parent's socket.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    bytes_max, pixels_max, undrafted_pixels_max, memory_bytes, cpu_seconds = map(int, sys.argv[1:6])
    sys.path += [path for path in sys.argv[6:] if path not in sys.path]
    decoder = _make_decoder(bytes_max, pixels_max, undrafted_pixels_max)
    _give_up(memory_bytes, cpu_seconds)
    _write(READY)
    while header := _read(JOB.size):
        view, body_bytes = JOB.unpack(header)
        for part in _answer(decoder.decode(bytes(_read(body_bytes)), view=view)):
            _write(part)


def _make_decoder(bytes_max: int, pixels_max: int, undrafted_pixels_max: int) -> Decoder:
    """Import all that decoding takes, also what Pillow imports only when it is needed: later nothing can be opened."""
    for name in _NEEDED:
        import_module(name)
    from checker.fingerprint.decode import InProcessDecoder
    from checker.settings import Settings

    import_module("PIL.Image").preinit()
    return InProcessDecoder(
        Settings(
            picture_bytes_max=bytes_max,
            picture_pixels_max=pixels_max,
            png_webp_gif_pixels_max=undrafted_pixels_max,
        )
    )


def _give_up(memory_bytes: int, cpu_seconds: int) -> None:
    """Give up for good what decoding does not need. A system that lacks one of the limits goes without it."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (1, 2):  # libraries complain there about pictures
        os.dup2(nowhere, stream)
    os.close(nowhere)
    if sys.platform == "linux":
        import ctypes

        prctl = ctypes.CDLL(None).prctl
        prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
        prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    with contextlib.suppress(ImportError):
        import resource

        limits = {"CORE": 0, "CPU": cpu_seconds, "AS": _address_space() + memory_bytes, "FSIZE": 0, "NPROC": 0}
        # Last: with 0 no further file, socket or pipe is opened, while the three that are open stay so.
        for name, value in {**limits, "NOFILE": 0}.items():
            with contextlib.suppress(AttributeError, OSError, ValueError):
                resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (value, value))
    # What is no picture, Pillow shows to all its plug-ins, and goes on where one is not there.
    sys.meta_path.clear()


def _address_space() -> int:
    """Bytes of address space in use: the limit counts the program and its libraries."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 2**29


def _answer(found: Pixels | Unreadable) -> tuple[bytes | memoryview, ...]:
    from checker.fingerprint.decode import FORMATS
    from checker.model import Unreadable, UnreadableReason

    if isinstance(found, Unreadable):
        detail = found.detail.encode()[:DETAIL_BYTES_MAX]
        return ANSWER.pack(NO_PICTURE, list(UnreadableReason).index(found.reason), 0, 0, 0, 0, len(detail)), detail
    view = (0, 0) if found.view is None else found.view.shape[:2]
    header = ANSWER.pack(PICTURE, FORMATS.index(found.format), found.width, found.height, *view, 0)
    return header, found.grey64.tobytes(), b"" if found.view is None else found.view.tobytes()


def _read(size: int) -> bytearray:
    """Exactly `size` bytes; none: the parent is gone or has no more jobs."""
    buffer = bytearray(size)
    rest = memoryview(buffer)
    while rest:
        count = os.readv(0, [rest])
        if not count:
            return bytearray()
        rest = rest[count:]
    return buffer


def _write(part: bytes | memoryview) -> None:
    rest = memoryview(part)
    while rest:
        rest = rest[os.write(0, rest) :]


if __name__ == "__main__":
    main()
