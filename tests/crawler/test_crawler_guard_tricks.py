"""Hundreds of addresses that try to reach what is not public, along the whole way from their text to a connection.

Connections are recorded twice: by the socket factory, with the address it was asked for, and by the interpreter
itself (its audit event `socket.connect`), so that one that goes round the factory would be seen as well.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

import pytest
from aiohttp import AddrInfoType
from ssrf_tricks import NAMES, NO_ADDRESS, PUBLIC, UNKNOWN_NAME, Trick, tricks

from checker.errors import InputError
from crawler.addresses import join
from crawler.fetch import Ask, Fetched, HttpFetcher, NotFetched, NotFetchedReason
from crawler.guard import Guard, parse_opened
from crawler.plan import make_plan
from crawler.resolver import Resolver
from crawler.settings import CrawlSettings

SETTINGS = CrawlSettings(contact="me@example.org")
TRICKS = tricks()
IN_ADDRESS = [trick for trick in TRICKS if trick.leads_to not in (NO_ADDRESS, UNKNOWN_NAME)]

_listeners: list[list[tuple[str, object]]] = []


def _hear(event: str, arguments: tuple[object, ...]) -> None:
    if _listeners and event in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
        _listeners[-1].append((event, arguments[1] if event == "socket.connect" else arguments[0]))


sys.addaudithook(_hear)  # there is no way to take one away; without a listener it does nothing


@contextmanager
def every_connection() -> Iterator[list[tuple[str, object]]]:
    """What the interpreter itself connects to and looks up."""
    _listeners.append([])
    try:
        yield _listeners[-1]
    finally:
        _listeners.pop()


@dataclass(frozen=True, slots=True)
class RecordingGuard(Guard):
    """Records every address that a socket is asked for. A public one that it lets pass is recorded, not contacted."""

    refused: list[tuple[str, int]] = field(default_factory=list)
    passed: list[tuple[str, int]] = field(default_factory=list)

    def make_socket(self, found: AddrInfoType) -> socket.socket:
        place = (str(found[4][0]), int(found[4][1]))
        try:
            made = Guard.make_socket(self, found)
        except OSError:
            self.refused.append(place)
            raise
        self.passed.append(place)
        if place[0] != "127.0.0.1":
            made.close()
            raise OSError("the tests leave this machine alone")
        return made

    def asked_for(self, trick: Trick) -> bool:
        """Was this address refused at the socket?"""
        return (_plain(trick.leads_to), trick.port) in {(_plain(address), port) for address, port in self.refused}


def _plain(address: str) -> str:
    """IPv4-mapped as IPv4, the rest in its shortest form."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    return str(getattr(ip, "ipv4_mapped", None) or ip)


async def lookup(name: str) -> Sequence[str]:
    if name not in NAMES:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    return NAMES[name]


@dataclass
class Way:
    """A fetcher with a recording guard, and a server that redirects wherever the path says."""

    fetcher: HttpFetcher
    guard: RecordingGuard
    port: int
    requests: list[str]

    async def follow(self, url: str) -> Fetched | NotFetched | None:
        """Fetch as a crawl does: from the text of a link to the end of its redirects. None: there is no address."""
        base = ""
        for _ in range(SETTINGS.redirects_max):
            joined = join(url, base)
            if joined is None:
                return None
            base = joined
            answer = await self.fetcher.fetch(Ask(base, bytes_max=1_000))
            if not isinstance(answer, Fetched) or answer.head.status != 302:
                return answer
            url = answer.head.get("Location")
        raise AssertionError("more redirects than there are")


def along(walk: Callable[[Way], Awaitable[None]], *, resolver: Resolver | None = None) -> Way:
    """Run `walk` with a server on this machine; its port alone is open."""

    async def run() -> Way:
        requests: list[str] = []

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            path = (await reader.readline()).split()[1].decode()
            await reader.readuntil(b"\r\n\r\n")
            requests.append(path)
            number = path.removeprefix("/to/")
            place = b"Location: " + TRICKS[int(number)].text.encode() if number.isdecimal() else b"X-Arrived: yes"
            writer.write(b"HTTP/1.1 302 Found\r\n" if number.isdecimal() else b"HTTP/1.1 200 OK\r\n")
            writer.write(place + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        guard = RecordingGuard(opened=parse_opened([f"127.0.0.1:{port}"]))
        async with server, HttpFetcher(SETTINGS, guard, resolver or Resolver(lookup)) as fetcher:
            way = Way(fetcher, guard, port, requests)
            await walk(way)
            return way

    with every_connection() as heard:
        way = asyncio.run(run())
    for event, what in heard:
        assert (event, what) == ("socket.connect", ("127.0.0.1", way.port)), "something left the allowed port"
    assert set(way.guard.passed) <= {("127.0.0.1", way.port)}
    return way


def test_there_are_at_least_two_hundred_tricks_and_each_is_another() -> None:
    assert len({trick.text for trick in TRICKS}) == len(TRICKS) > 300
    assert len(IN_ADDRESS) > 200


def test_a_plan_refuses_what_it_can_before_any_request() -> None:
    for trick in TRICKS:
        try:
            plan = make_plan([trick.text], settings=SETTINGS)
        except InputError:
            assert trick.leads_to != UNKNOWN_NAME, trick  # nothing speaks against a name before it is asked for
        else:
            assert trick.leads_to != NO_ADDRESS, trick
            assert trick.leads_to not in ("127.0.0.1", "::1") or urlsplit(trick.text).hostname in NAMES, trick
            assert trick.port in (80, 443), trick
            assert len(plan.start) == 1


def test_no_trick_connects_to_anything_and_each_is_refused_for_its_reason() -> None:
    async def walk(way: Way) -> None:
        for trick in TRICKS:
            way.guard.refused.clear()
            answer = await way.follow(trick.text)
            if trick.leads_to == NO_ADDRESS:
                assert answer is None, trick
                assert await way.fetcher.fetch(Ask(trick.text, bytes_max=9)) == NotFetched(NotFetchedReason.BAD_ADDRESS)
                assert not way.guard.refused, trick
            elif trick.leads_to == UNKNOWN_NAME:
                assert answer == NotFetched(NotFetchedReason.UNREACHABLE), trick
                assert not way.guard.refused, trick
            else:
                assert answer == NotFetched(NotFetchedReason.BLOCKED_ADDRESS), trick
                assert way.guard.asked_for(trick), trick

    assert along(walk).requests == []


def test_no_redirect_to_a_trick_connects_to_anything_but_the_server_itself() -> None:
    followed = 0
    # Read against an http address, these two are relative (WHATWG URL 4.4, special relative or authority state).
    relative = ("http:127.0.0.1/", "http:/127.0.0.1/")

    async def walk(way: Way) -> None:
        nonlocal followed
        for number, trick in enumerate(TRICKS):
            way.guard.refused.clear()
            answer = await way.follow(f"http://127.0.0.1:{way.port}/to/{number}")
            if set(trick.text) & set("\r\n\x00\x1f"):
                continue  # no header line holds these: what arrives is another address, and `along` sees where it leads
            followed += 1
            if trick.text in relative:
                assert isinstance(answer, Fetched), trick
                assert answer.head.get("X-Arrived") == "yes"
            elif trick.leads_to == NO_ADDRESS:
                assert answer is None, trick
            elif trick.leads_to == UNKNOWN_NAME:
                assert answer == NotFetched(NotFetchedReason.UNREACHABLE), trick
            else:
                assert answer == NotFetched(NotFetchedReason.BLOCKED_ADDRESS), trick
                assert way.guard.asked_for(trick), trick

    way = along(walk)
    assert followed > 300
    assert {f"/to/{number}" for number in range(len(TRICKS))} <= set(way.requests)


@pytest.mark.parametrize("then", ["127.0.0.1", "10.0.0.1", "::1", "169.254.169.254", "::ffff:127.0.0.1"])
def test_a_name_that_changes_its_mind_is_judged_by_the_address_that_is_contacted(then: str) -> None:
    answers = iter([(PUBLIC,), (then,)])
    seconds = 0.0

    async def rebinding(name: str) -> Sequence[str]:
        return next(answers)

    async def walk(way: Way) -> None:
        nonlocal seconds
        assert await way.fetcher.addresses_of("rebind.example") == (PUBLIC,)
        seconds = 300.0  # what was learned is forgotten just before the request
        answer = await way.fetcher.fetch(Ask("http://rebind.example/", bytes_max=100))
        assert answer == NotFetched(NotFetchedReason.BLOCKED_ADDRESS)
        assert way.guard.refused[0] == (then, 80)

    along(walk, resolver=Resolver(rebinding, monotonic_s=lambda: seconds))


def test_a_public_address_beside_a_private_one_does_not_open_the_private_one() -> None:
    async def both(name: str) -> Sequence[str]:
        return ("10.0.0.1", PUBLIC, "127.0.0.1")

    async def run() -> RecordingGuard:
        guard = RecordingGuard()
        async with HttpFetcher(SETTINGS, guard, Resolver(both)) as fetcher:
            answer = await fetcher.fetch(Ask("http://both.example/", bytes_max=100))
        assert isinstance(answer, NotFetched)
        return guard

    with every_connection() as heard:
        guard = asyncio.run(run())
    assert heard == []
    assert set(guard.refused) == {("10.0.0.1", 80), ("127.0.0.1", 80)}
    assert set(guard.passed) == {(PUBLIC, 80)}


def test_a_proxy_named_by_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:3128")

    async def walk(way: Way) -> None:
        answer = await way.follow(f"http://127.0.0.1:{way.port}/")
        assert isinstance(answer, Fetched)

    assert along(walk).requests == ["/"]


def test_nothing_in_the_environment_opens_the_guard(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HIBS_ALLOW_ADDRESS", "HIBS_ALLOW_ADDRESSES", "HIBS_OPENED"):
        monkeypatch.setenv(name, "127.0.0.1:80")
    plan = make_plan(["http://example.org/"], settings=replace(SETTINGS))
    assert plan.guard == Guard()
