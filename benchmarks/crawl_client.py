"""The trivial client: how fast pictures can be had from `crawl_server.py`, the ceiling of every other figure.

`python benchmarks/crawl_client.py PORT --hosts N --images N`

One connection a host, one request after the other on it; answers are counted and dropped. Prints one JSON document.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import time

from crawl_server import addresses


class Asking(asyncio.Protocol):
    """One connection."""

    def __init__(self, host: str, numbers: list[int], done: asyncio.Future[int]) -> None:
        self._host = host
        self._numbers = numbers
        self._done = done
        self._missing = 0
        self._bytes = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._next()

    def data_received(self, data: bytes) -> None:
        """See asyncio. A head comes in one piece: the server writes it in front of the body."""
        self._bytes += len(data)
        if not self._missing:
            head, _, body = data.partition(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200 "):
                raise SystemExit(f"the server answered {head[:40]!r}")
            self._missing = int(head.rpartition(b"Content-Length: ")[2]) - len(body)
        else:
            self._missing -= len(data)
        if not self._missing:
            self._next()

    def connection_lost(self, error: Exception | None) -> None:
        """See asyncio."""
        if not self._done.done():
            self._done.set_exception(error or ConnectionError("the server closed the connection"))

    def _next(self) -> None:
        if self._numbers:
            path = f"/picture/{self._numbers.pop()}.jpg"
            self._transport.write(f"GET {path} HTTP/1.1\r\nHost: {self._host}\r\n\r\n".encode())
        else:
            self._done.set_result(self._bytes)
            self._transport.close()


async def ask_all(port: int, hosts: int, images: int) -> int:
    """Fetch all pictures; the bytes received."""
    loop = asyncio.get_running_loop()
    parts = [list(range(number, images, hosts)) for number in range(hosts)]
    ends = [loop.create_future() for _ in range(hosts)]
    for host, numbers, end in zip(addresses(hosts), parts, ends, strict=True):
        await loop.create_connection(lambda host=host, numbers=numbers, end=end: Asking(host, numbers, end), host, port)  # type: ignore[misc]
    return sum(await asyncio.gather(*ends))


def main() -> None:
    """Ask."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("port", type=int)
    parser.add_argument("--hosts", type=int, default=50)
    parser.add_argument("--images", type=int, default=5_000)
    given = parser.parse_args()
    begin_s = time.monotonic()
    received = asyncio.run(ask_all(given.port, given.hosts, given.images))
    seconds = time.monotonic() - begin_s
    used = resource.getrusage(resource.RUSAGE_SELF)
    found = {"images": given.images, "bytes": received, "seconds": seconds, "cpu_s": used.ru_utime + used.ru_stime}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
