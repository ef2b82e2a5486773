"""A small web on loopback for `crawl.py`: many hosts, thousands of real photos, every answer prepared in memory.

`python benchmarks/crawl_server.py --photos FOLDER [--port N] [--hosts N] [--images N] [--latency-ms MS]
[--errors SHARE] [--hottest SHARE] [--shorter-side PX] [--log FILE]`

Every host has a loopback address of its own, 127.0.0.2 and up, and all share one port; the first line printed tells it.
What a host has:

    /robots.txt         allows everything
    /                   links its pages
    /page/N             20 pictures
    /everything         on the first host alone: the pictures of all hosts, by their full addresses
    /picture/N.jpg      a photo of the folder with N in a comment, so that no two have the same bytes

and 404 for the rest. Raw asyncio: whoever is measured must be slower than this. Each request becomes one line of
the log: when its head was complete, when the last bytes of the answer were about to be handed to the system (seconds
of the machine's monotonic clock), host, path, status. About to be: a server that is put to sleep while it looks at
the clock would else tell a pause shorter than the client made it.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import ipaddress
import random
import resource
import signal
import socket
import struct
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TextIO

from PIL import Image

PAGE_PICTURES = 20
ROBOTS = b"User-agent: *\nAllow: /\n"
HEAD_BYTES_MAX = 65_536
SEND_BYTES = 2**20
"""Kept by the system for a connection, so that an answer is mostly handed over in one piece."""
_FIRST = ipaddress.IPv4Address("127.0.0.2")


def addresses(hosts: int) -> list[str]:
    """The loopback address of each host."""
    return [str(_FIRST + number) for number in range(hosts)]


def picture_counts(images: int, hosts: int, hottest: float | None) -> list[int]:
    """How many pictures each host has: equally many, or one and then as many more as fall as a power of the rank.

    Args:
        hottest: share of all pictures that the first host has; None: as the others.
    """
    if hottest is None or images <= hosts:
        return [images // hosts + (number < images % hosts) for number in range(hosts)]
    more = images - hosts
    share = (images * hottest - 1) / more
    low, high = 0.0, 8.0
    for _ in range(60):  # the steeper the fall, the larger the first one's share
        middle = (low + high) / 2
        found = 1 / sum(rank**-middle for rank in range(1, hosts + 1))
        low, high = (middle, high) if found < share else (low, middle)
    counts, given, due = [], 0, 0.0
    for rank in range(1, hosts + 1):  # rounded so that the sum is kept
        due += more * share * rank**-low
        counts.append(1 + round(due) - given)
        given = round(due)
    return counts


def galleries(counts: Sequence[int]) -> list[list[range]]:
    """By host: the numbers of the pictures on each of its pages."""
    found: list[list[range]] = []
    first = 0
    for count in counts:
        numbers = range(first, first + count)
        found.append([numbers[start : start + PAGE_PICTURES] for start in range(0, count, PAGE_PICTURES)])
        first += count
    return found


# --- what is served --------------------------------------------------------------------------------------------


class Photos:
    """The photos, each ready to be sent as any number of different files."""

    def __init__(self, paths: Sequence[Path], *, shorter_side: int | None) -> None:
        bodies = [resized(path, shorter_side) if shorter_side else path.read_bytes() for path in paths]
        self.mean_bytes = sum(map(len, bodies)) / len(bodies)
        # A comment of eight digits behind the start of the image (ITU-T T.81, B.2.4.5): decoders skip it.
        comment = b"\xff\xfe" + struct.pack(">H", 2 + 8)
        self._starts = [_head(200, "image/jpeg", len(body) + len(comment) + 8) + body[:2] + comment for body in bodies]
        self._rests = [body[2:] for body in bodies]

    def answer(self, number: int) -> tuple[bytes, ...]:
        """Head and body of one picture, in parts."""
        photo = number % len(self._starts)
        return self._starts[photo], b"%08d" % number, self._rests[photo]


def resized(path: Path, shorter_side: int) -> bytes:
    """The photo as a JPEG with this shorter side."""
    with Image.open(path) as image:
        factor = shorter_side / min(image.size)
        size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
        out = io.BytesIO()
        image.convert("RGB").resize(size, Image.Resampling.BICUBIC).save(out, "JPEG", quality=88)
    return out.getvalue()


class Web:
    """Every answer of every host."""

    def __init__(self, photos: Photos, counts: Sequence[int], port: int, *, errors: float) -> None:
        self._photos = photos
        self._errors = errors
        self._random = random.Random(1)
        self._pages: dict[tuple[str, str], bytes] = {}
        hosts, everything = addresses(len(counts)), []
        for host, parts in zip(hosts, galleries(counts), strict=True):
            everything += [f"http://{host}:{port}/picture/{number}.jpg" for part in parts for number in part]
            links = "".join(f'<p><a href="/page/{number}">Page {number}</a>' for number in range(len(parts)))
            self._pages[host, "/"] = _page(links)
            self._pages[host, "/robots.txt"] = _answer(200, "text/plain", ROBOTS)
            for number, part in enumerate(parts):
                self._pages[host, f"/page/{number}"] = _page(_shown(f"/picture/{one}.jpg" for one in part))
        self._pages[hosts[0], "/everything"] = _page(_shown(everything))

    def answer(self, host: str, path: str) -> tuple[int, tuple[bytes, ...]]:
        """Status and parts of the answer."""
        if path.startswith("/picture/"):
            number = path[9:-4]
            if not (number.isascii() and number.isdecimal() and len(number) <= 8 and path.endswith(".jpg")):
                return 404, (_MISSING,)
            if self._errors and self._random.random() < self._errors:
                return 503, (_BUSY,)
            return 200, self._photos.answer(int(number))
        page = self._pages.get((host, path))
        return (200, (page,)) if page else (404, (_MISSING,))


def _shown(pictures: Iterable[str]) -> str:
    return "".join(f'<img src="{one}" alt="A photo">\n' for one in pictures)


def _page(body: str) -> bytes:
    html = f"<!doctype html><html lang=en><title>Gallery</title><body>\n{body}</body></html>\n"
    return _answer(200, "text/html; charset=utf-8", html.encode())


def _head(status: int, content_type: str, length: int) -> bytes:
    reason = {200: "OK", 404: "Not Found", 503: "Service Unavailable"}[status]
    return f"HTTP/1.1 {status} {reason}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n".encode()


def _answer(status: int, content_type: str, body: bytes) -> bytes:
    return _head(status, content_type, len(body)) + body


_MISSING = _answer(404, "text/plain", b"not here\n")
_BUSY = _answer(503, "text/plain", b"not now\n")


# --- connections -----------------------------------------------------------------------------------------------


class Connection(asyncio.Protocol):
    """One connection: HTTP/1.1 (RFC 9112), GET without a body, one request after the other."""

    def __init__(self, web: Web, log: Log, *, latency_s: float) -> None:
        self._web = web
        self._log = log
        self._latency_s = latency_s
        self._received = b""
        self._busy = False
        self._begun_s = 0.0
        self._asked = ("", 0, False)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._host = str(transport.get_extra_info("sockname")[0])
        transport.set_write_buffer_limits(high=0)  # `resume_writing` then tells that the last byte is gone

    def data_received(self, data: bytes) -> None:
        """See asyncio."""
        self._received += data
        if len(self._received) > HEAD_BYTES_MAX:
            self._transport.abort()
        elif not self._busy:
            self._next()

    def resume_writing(self) -> None:
        """See asyncio."""
        self._sent(time.monotonic())

    def connection_lost(self, _: Exception | None) -> None:
        """See asyncio. An answer that was broken off ends here."""
        if self._busy:
            self._log.add(self._begun_s, time.monotonic(), self._host, self._asked[0], self._asked[1])
            self._busy = False

    def _next(self) -> None:
        head, mark, rest = self._received.partition(b"\r\n\r\n")
        if not mark:
            return
        self._received, self._busy, self._begun_s = rest, True, time.monotonic()
        method, _, target = head.partition(b"\r\n")[0].decode("latin-1").partition(" ")
        path = target.partition(" ")[0]
        close = b"connection: close" in head.lower() or b" HTTP/1.0" in head.partition(b"\r\n")[0]
        status, parts = self._web.answer(self._host, path) if method == "GET" else (404, (_MISSING,))
        self._asked = (path, status, close)
        if self._latency_s:
            asyncio.get_running_loop().call_later(self._latency_s, self._send, parts)
        else:
            self._send(parts)

    def _send(self, parts: tuple[bytes, ...]) -> None:
        if self._transport.is_closing():
            return
        now_s = time.monotonic()
        self._transport.writelines(parts)
        if not self._transport.get_write_buffer_size():
            self._sent(now_s)

    def _sent(self, now_s: float) -> None:
        if not self._busy:
            return
        path, status, close = self._asked
        self._log.add(self._begun_s, now_s, self._host, path, status)
        self._busy = False
        if close:
            self._transport.close()
        elif self._received:
            self._next()


class Log:
    """One line a request: begin, end, host, path, status, with tabs between."""

    def __init__(self, file: TextIO | None) -> None:
        self._file = file

    def add(self, begun_s: float, ended_s: float, host: str, path: str, status: int) -> None:
        """The answer is complete."""
        if self._file:
            self._file.write(f"{begun_s:.6f}\t{ended_s:.6f}\t{host}\t{path}\t{status}\n")


async def serve(photos: Photos, given: argparse.Namespace) -> None:
    """Until SIGTERM or SIGINT."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    counts = picture_counts(given.images, given.hosts, given.hottest)
    with open(given.log or "/dev/null", "w", buffering=1) as file:  # noqa: ASYNC230 - before anything is served
        log, port, servers = Log(file if given.log else None), given.port, []
        web: Web | None = None

        def connected() -> Connection:
            assert web
            return Connection(web, log, latency_s=given.latency_ms / 1000)

        for host in addresses(given.hosts):
            server = await loop.create_server(connected, host, port, backlog=1024)
            port = server.sockets[0].getsockname()[1]
            server.sockets[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BYTES)
            servers.append(server)
        web = Web(photos, counts, port, errors=given.errors)
        print(f"port {port}, mean picture {photos.mean_bytes:.0f} bytes", flush=True)
        await stop.wait()
        for server in servers:
            server.close()


def main() -> None:
    """Serve."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True, metavar="FOLDER", help="JPEG files")
    parser.add_argument("--port", type=int, default=0, help="of every host; 0: any that is free")
    parser.add_argument("--hosts", type=int, default=50)
    parser.add_argument("--images", type=int, default=5_000, help="pictures that the pages show")
    parser.add_argument("--latency-ms", type=float, default=0.0, metavar="MS", help="from request to answer")
    parser.add_argument("--errors", type=float, default=0.0, metavar="SHARE", help="of pictures answered with 503")
    parser.add_argument("--hottest", type=float, metavar="SHARE", help="of all pictures that the first host has")
    parser.add_argument("--shorter-side", type=int, metavar="PX", help="resize the photos, once")
    parser.add_argument("--log", type=Path, metavar="FILE")
    given = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    paths = sorted(given.photos.glob("*.jpg"))
    if not paths:
        raise SystemExit(f"no photos in {given.photos}; name a folder of JPEG files")
    asyncio.run(serve(Photos(paths, shorter_side=given.shorter_side), given))


if __name__ == "__main__":
    main()
