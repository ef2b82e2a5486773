"""A process that reads pages and pictures for a crawl, so that its loop never waits for a parser.

    set up -> (job -> answer) until its input ends

It knows no network and no database. Pictures it hands on to a decoder process of its own, which may do still less
(`checker.fingerprint.sandbox`). A crash in a parser written in C ends this process, and costs the crawl one address.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
from datetime import UTC, datetime
from typing import Any

from checker.errors import CheckerError
from checker.fingerprint import Depth
from checker.fingerprint.sandbox import SandboxDecoder
from checker.settings import Settings
from checker.signals.read import Evidence
from crawler.discover import Scope
from crawler.jobs import LENGTHS, PageJob, PictureJob, message, packed_answer, unpacked
from crawler.reading import Reading
from crawler.settings import CrawlSettings

_GIF = bytes.fromhex("47494638396101000100800000000000ffffff2c00000000010001000002024401003b")
"""One pixel."""


def main() -> None:
    """Answer the jobs on standard input, which is a socket."""
    # A terminal signals every process of a command; this one ends when the socket does.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    with contextlib.suppress(ImportError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if (first := _receive()) is None:
        return
    setup = first[0]
    pictures = Settings(**setup["pictures"])
    reading = Reading(pictures, CrawlSettings(**setup["limits"]), Scope(frozenset(setup["scope"])))
    with SandboxDecoder(pictures, workers=1) as decoder:
        _warm_up(reading, decoder)
        for part in message({}, []):
            _send(part)  # ready
        while (asked := _receive()) is not None:
            for part in _answer(asked, reading, decoder):
                _send(part)


def _warm_up(reading: Reading, decoder: SandboxDecoder) -> None:
    """Read once what gives nothing: the first picture starts the decoder, which takes as long as 50 pictures.

    What was fetched waits all that time unrecorded, and is fetched again if the run is killed.
    """
    with contextlib.suppress(CheckerError):  # the first job says so
        reading.page(PageJob(Evidence(url="http://localhost/", html=b"<p>"), "text/html", datetime.now(UTC)))
        reading.picture(PictureJob(_GIF, Depth.HASH), decoder)


def _answer(asked: tuple[dict[str, Any], bytes], reading: Reading, decoder: SandboxDecoder) -> list[bytes]:
    job = unpacked(*asked)
    try:
        return packed_answer(reading.page(job) if isinstance(job, PageJob) else reading.picture(job, decoder))
    except CheckerError as error:
        return message({"error": str(error)}, [])


def _receive() -> tuple[dict[str, Any], bytes] | None:
    """The next message; None: the parent is gone or has no more jobs."""
    lengths = _read(LENGTHS.size)
    if lengths is None:
        return None
    text_bytes, blob_bytes = LENGTHS.unpack(lengths)
    text, blobs = _read(text_bytes), _read(blob_bytes)
    return None if text is None or blobs is None else (json.loads(text), blobs)


def _read(size: int) -> bytes | None:
    buffer = bytearray(size)
    rest = memoryview(buffer)
    while rest:
        count = os.readv(0, [rest])
        if not count:
            return None
        rest = rest[count:]
    return bytes(buffer)


def _send(part: bytes) -> None:
    rest = memoryview(part)
    while rest:
        rest = rest[os.write(0, rest) :]


if __name__ == "__main__":
    main()
