"""Names are resolved once, for a while, within bounds; names under localhost and digits without asking anybody."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.resolver import Resolver


@dataclass
class Names:
    """A name server of the test's own."""

    known: dict[str, tuple[str, ...]]
    asked: list[str] = field(default_factory=list)
    seconds: float = 0.0

    async def lookup(self, name: str) -> Sequence[str]:
        self.asked.append(name)
        await asyncio.sleep(0)
        if name not in self.known:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return self.known[name]

    def resolver(self, **limits: float) -> Resolver:
        return Resolver(self.lookup, monotonic_s=lambda: self.seconds, **limits)  # type: ignore[arg-type]


def run(resolver: Resolver, walk: Callable[[Resolver], Awaitable[None]]) -> None:
    async def walked() -> None:
        try:
            await walk(resolver)
        finally:
            await resolver.close()

    asyncio.run(walked())


def test_a_name_is_asked_for_once_and_again_after_five_minutes() -> None:
    names = Names({"a.example": ("192.0.2.1", "2001:db8::1", "192.0.2.1")})

    async def walk(resolver: Resolver) -> None:
        for names.seconds in (0.0, 299.0):
            assert await resolver.addresses_of("A.example") == ("192.0.2.1", "2001:db8::1")
        assert names.asked == ["a.example"]
        names.seconds = 300.0
        await resolver.addresses_of("a.example")
        assert names.asked == ["a.example"] * 2

    run(names.resolver(), walk)


def test_that_a_name_has_no_address_is_remembered_for_a_minute() -> None:
    names = Names({})

    async def walk(resolver: Resolver) -> None:
        for names.seconds in (0.0, 59.0, 60.0):
            assert await resolver.addresses_of("gone.example") == ()
        assert names.asked == ["gone.example"] * 2
        with pytest.raises(OSError, match="no address"):
            await resolver.resolve("gone.example", 80)

    run(names.resolver(), walk)


def test_many_who_wait_for_one_name_ask_once_and_one_who_leaves_does_not_disturb_the_others() -> None:
    names = Names({"a.example": ("192.0.2.1",)})

    async def walk(resolver: Resolver) -> None:
        waiting = [asyncio.ensure_future(resolver.addresses_of("a.example")) for _ in range(10)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        found = await asyncio.gather(*waiting, return_exceptions=True)
        assert isinstance(found[0], asyncio.CancelledError)
        assert found[1:] == [("192.0.2.1",)] * 9
        assert names.asked == ["a.example"]

    run(names.resolver(), walk)


def test_names_that_nobody_answers_for_have_no_address_in_time() -> None:
    async def silence(name: str) -> Sequence[str]:
        await asyncio.Event().wait()
        return ()

    async def walk(resolver: Resolver) -> None:
        assert await resolver.addresses_of("silent.example") == ()

    run(Resolver(silence, lookup_s_max=0.01), walk)


def test_a_closed_resolver_leaves_no_look_up_behind() -> None:
    async def silence(name: str) -> Sequence[str]:
        await asyncio.Event().wait()
        return ()

    async def walk(resolver: Resolver) -> None:
        waiting = asyncio.ensure_future(resolver.addresses_of("silent.example"))
        await asyncio.sleep(0)
        await resolver.close()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    run(Resolver(silence), walk)


def test_the_oldest_names_are_forgotten_first() -> None:
    names = Names({f"{n}.example": ("192.0.2.1",) for n in range(4)})

    async def walk(resolver: Resolver) -> None:
        for n in (0, 1, 2, 3, 3, 2, 1, 0):
            await resolver.addresses_of(f"{n}.example")
        assert names.asked == [f"{n}.example" for n in (0, 1, 2, 3, 0)]

    run(names.resolver(names_max=3), walk)


def test_a_name_with_thousands_of_addresses_gives_eight() -> None:
    names = Names({"many.example": tuple(f"198.51.{n // 250}.{n % 250}" for n in range(5_000))})

    async def walk(resolver: Resolver) -> None:
        assert len(await resolver.addresses_of("many.example")) == 8

    run(names.resolver(), walk)


@pytest.mark.parametrize(
    ("host", "addresses"),
    [
        ("localhost", ("127.0.0.1",)),
        ("Gallery.LOCALHOST.", ("127.0.0.1",)),
        ("192.0.2.7", ("192.0.2.7",)),
        ("[2001:DB8::0:1]", ("2001:db8::1",)),
        ("2001:db8::1", ("2001:db8::1",)),
    ],
)
def test_nobody_is_asked_for_localhost_and_digits(host: str, addresses: tuple[str, ...]) -> None:
    names = Names({})

    async def walk(resolver: Resolver) -> None:
        assert await resolver.addresses_of(host) == addresses
        assert names.asked == []

    run(names.resolver(), walk)


def test_connections_get_addresses_of_the_family_they_want() -> None:
    names = Names({"a.example": ("192.0.2.1", "2001:db8::1")})

    async def walk(resolver: Resolver) -> None:
        both = await resolver.resolve("a.example", 443)
        assert [(one["host"], one["port"], one["family"]) for one in both] == [
            ("192.0.2.1", 443, socket.AF_INET),
            ("2001:db8::1", 443, socket.AF_INET6),
        ]
        only = await resolver.resolve("a.example", 443, socket.AF_INET6)
        assert [one["host"] for one in only] == ["2001:db8::1"]

    run(names.resolver(), walk)


@given(st.text(max_size=80))
def test_any_name_is_survived(name: str) -> None:
    async def walk(resolver: Resolver) -> None:
        assert isinstance(await resolver.addresses_of(name), tuple)

    run(Names({}).resolver(), walk)


@pytest.mark.parametrize("name", ["a" * 64 + ".example", "..", "a..b", "\0", "\udc80", "localhost.invalid"])
def test_the_systems_resolver_answers_no_address_to_what_is_no_name(name: str) -> None:
    """`invalid` has no names (RFC 6761 6.4); the others are none."""

    async def walk(resolver: Resolver) -> None:
        assert await resolver.addresses_of(name) == ()

    run(Resolver(lookup_s_max=5.0), walk)
