"""A relay on 127.0.0.1 that passes everything on to a service and keeps a copy: what somebody on the line sees."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class Relay:
    """What went over the line, a pair for each connection."""

    place: str = ""
    lines: list[tuple[bytearray, bytearray]] = field(default_factory=list)
    """What the asker sent, and what came back."""

    def requests(self) -> list[str]:
        """The first line of each."""
        heads = [head for asked, _ in self.lines for head in bytes(asked).split(b"\r\n\r\n") if head]
        return [head.split(b"\r\n")[0].decode() for head in heads]

    def answers(self) -> list[bytes]:
        """Each whole, head included; their lengths are what shows through encryption."""
        found = []
        for _, came in self.lines:
            rest = bytes(came)
            while rest:
                # One answer behind the other: head, then as many bytes as it says.
                head_bytes = rest.index(b"\r\n\r\n") + 4
                fields = dict(line.lower().split(b": ", 1) for line in rest[:head_bytes].split(b"\r\n")[1:-2])
                end = head_bytes + int(fields[b"content-length"])
                found.append(rest[:end])
                rest = rest[end:]
        return found


@contextmanager
def relaying(to: str) -> Iterator[Relay]:
    """Run one before `to`, "127.0.0.1:8000", for the length of a test."""
    relay, loop = Relay(), asyncio.new_event_loop()
    ready, stop = threading.Event(), asyncio.Event()
    host, _, port = to.partition(":")

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, copy: bytearray) -> None:
        with closing(writer), suppress(ConnectionError):
            while piece := await reader.read(65_536):
                copy += piece
                writer.write(piece)
                await writer.drain()

    async def join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = (bytearray(), bytearray())
        relay.lines.append(line)
        there, back = await asyncio.open_connection(host, int(port))
        await asyncio.gather(pass_on(reader, back, line[0]), pass_on(there, writer, line[1]))

    async def serve() -> None:
        async with await asyncio.start_server(join, "127.0.0.1", 0) as server:
            relay.place = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    try:
        assert ready.wait(10)
        yield relay
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()
