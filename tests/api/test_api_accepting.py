"""Connections are shared by the processes that listen on one socket, whatever arrives at once."""

from __future__ import annotations

import asyncio
import errno
import socket
import struct
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest
import uvloop

from api import accepting
from api.accepting import OneByOne, Shares, bind

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
WAIT_S = 10.0


class Taker:
    """What a process does with a listening socket."""

    def __init__(self, listener: socket.socket, shares: Shares, slot: int) -> None:
        self.open: set[asyncio.Protocol] = set()
        self.took = asyncio.Event()
        self.taking = OneByOne(listener, self._protocol, share=shares.of(slot), held=lambda: len(self.open))

    def _protocol(self) -> asyncio.Protocol:
        taker = self

        class Connection(asyncio.Protocol):
            def connection_made(self, _: asyncio.BaseTransport) -> None:
                taker.open.add(self)
                taker.took.set()

            def connection_lost(self, _: Exception | None) -> None:
                taker.open.discard(self)

        return Connection()


@pytest.fixture(params=LOOPS.values(), ids=LOOPS.keys())
def run(request: pytest.FixtureRequest) -> Callable[[Awaitable[None]], None]:
    def in_loop(what: Awaitable[None]) -> None:
        async def bounded() -> None:
            problems: list[object] = []
            asyncio.get_running_loop().set_exception_handler(lambda _, told: problems.append(told))
            await asyncio.wait_for(what, WAIT_S)
            assert problems == []

        with asyncio.Runner(loop_factory=request.param) as runner:
            runner.run(bounded())

    return in_loop


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with bind("127.0.0.1", 0) as bound:
        yield bound


@contextmanager
def connections(listener: socket.socket, number: int) -> Iterator[list[socket.socket]]:
    with ExitStack() as stack:
        yield [stack.enter_context(socket.create_connection(listener.getsockname())) for _ in range(number)]


async def until_open(number: int, *takers: Taker) -> None:
    """Wait until so many connections are open, with all takers together."""
    while sum(len(taker.open) for taker in takers) < number:
        waiting = [asyncio.ensure_future(taker.took.wait()) for taker in takers]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for taker, task in zip(takers, waiting, strict=True):
            task.cancel()
            taker.took.clear()


def test_eight_that_come_together_are_shared_evenly(
    run: Callable[[Awaitable[None]], None], listener: socket.socket
) -> None:
    async def story() -> None:
        shares = Shares(2)
        with listener.dup() as another, connections(listener, 8):
            takers = [Taker(listener, shares, 0), Taker(another, shares, 1)]
            await until_open(8, *takers)
            for taker in takers:
                taker.taking.close()
                await taker.taking.wait_closed()
        assert sorted(len(taker.open) for taker in takers) in ([4, 4], [3, 5])

    run(story())


def test_one_alone_takes_all_while_another_takes_none(
    run: Callable[[Awaitable[None]], None], listener: socket.socket
) -> None:
    async def story() -> None:
        shares = Shares(2)
        taker = Taker(listener, shares, 1)
        with connections(listener, 8):
            await until_open(8, taker)
            taker.taking.close()

    run(story())


def test_nothing_is_taken_after_the_end(run: Callable[[Awaitable[None]], None], listener: socket.socket) -> None:
    async def story() -> None:
        taker = Taker(listener, Shares(1), 0)
        with connections(listener, 1):
            await until_open(1, taker)
            taker.taking.close()
            await taker.taking.wait_closed()
            with connections(listener, 1):
                for _ in range(10):
                    await asyncio.sleep(0)
                listener.accept()[0].close()  # it still waits there

    run(story())


def test_whoever_goes_away_at_once_is_no_error(run: Callable[[Awaitable[None]], None], listener: socket.socket) -> None:
    async def story() -> None:
        taker = Taker(listener, Shares(1), 0)
        for _ in range(20):
            with socket.create_connection(listener.getsockname()) as gone:
                gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset
        with connections(listener, 1):
            await until_open(1, taker)
            taker.taking.close()
            await taker.taking.wait_closed()

    run(story())


class _Short(socket.socket):
    """A socket of a process that may open no more files, once."""

    refused = 0

    def accept(self) -> tuple[socket.socket, object]:
        if not self.refused:
            self.refused += 1
            raise OSError(errno.EMFILE, "Too many open files")
        return super().accept()


def test_without_files_left_it_rests_and_goes_on(
    run: Callable[[Awaitable[None]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accepting, "REST_S", 0.01)

    async def story() -> None:
        with _Short() as short:
            short.bind(("127.0.0.1", 0))
            short.listen()
            taker = Taker(short, Shares(1), 0)
            with connections(short, 3):
                await until_open(3, taker)
                taker.taking.close()
            assert short.refused == 1

    run(story())
