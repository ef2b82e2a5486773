"""A host's name -> its addresses, remembered for a while.

Asked before a request (to count the requests under way per address) and by every connection. It decides nothing: a
name may point inwards and may change its mind, so the guard looks at the address of each connect attempt.

Look-ups run in threads of their own, because the system's call cannot be cut short: names that do not answer would
otherwise keep the threads busy in which pages are parsed.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from aiohttp.abc import AbstractResolver, ResolveResult

from crawler.guard import is_localhost

Lookup = Callable[[str], Awaitable[Sequence[str]]]
"""A name to its addresses in digits, the preferred one first. Raises OSError where there is none."""

_AGE_S_MAX = 300.0
_FAILURE_AGE_S_MAX = 60.0
"""RFC 2308 7.1 allows five minutes after a failure. The system's call does not say what the zone itself asks for."""
_NAMES_MAX = 10_000
_LOOKUP_S_MAX = 10.0
"""The system's resolver asks twice and waits 5 s for each by itself (resolv.conf(5))."""
_ADDRESSES_MAX = 8
"""Of one name. All of them are tried before it counts as unreachable, so a name with thousands would take hours."""
_THREADS_MAX = 32
_LOOPBACK = ("127.0.0.1",)


@dataclass(frozen=True, slots=True)
class _Known:
    addresses: tuple[str, ...]
    until_s: float


class Resolver(AbstractResolver):
    """Resolves names for one run."""

    def __init__(
        self,
        lookup: Lookup | None = None,
        *,
        age_s_max: float = _AGE_S_MAX,
        names_max: int = _NAMES_MAX,
        lookup_s_max: float = _LOOKUP_S_MAX,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin with nothing known.

        Args:
            lookup: asks for a name that is not known; None: the system's resolver.
            age_s_max: how long addresses are remembered; that there are none is remembered for a minute at most.
        """
        self._threads = ThreadPoolExecutor(_THREADS_MAX, thread_name_prefix="dns")
        self._lookup = lookup or self._ask_system
        self._age_s_max = age_s_max
        self._names_max = names_max
        self._lookup_s_max = lookup_s_max
        self._monotonic_s = monotonic_s
        self._known: dict[str, _Known] = {}
        self._under_way: dict[str, asyncio.Task[tuple[str, ...]]] = {}

    async def addresses_of(self, host: str) -> tuple[str, ...]:
        """The addresses of a host: a name, or digits with or without brackets.

        Returns:
            Digits, the preferred address first. Empty: the name has none, or nobody answered in time.
        """
        host = host.lower()
        if is_localhost(host):
            return _LOOPBACK  # RFC 6761 6.3: nobody is asked
        try:
            return (str(ipaddress.ip_address(host.strip("[]"))),)
        except ValueError:
            pass
        known = self._known.get(host)
        if known and self._monotonic_s() < known.until_s:
            return known.addresses
        task = self._under_way.get(host)
        if task is None:
            task = self._under_way[host] = asyncio.ensure_future(self._learn(host))
            task.add_done_callback(lambda _: self._under_way.pop(host, None))
        return await asyncio.shield(task)  # others may wait for the same name

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """See aiohttp.

        Raises:
            OSError: the name has no address.
        """
        addresses = await self.addresses_of(host)
        found = [_result(host, address, port) for address in addresses]
        found = [one for one in found if family in (socket.AF_UNSPEC, one["family"])]
        if not found:
            raise OSError("this name has no address")
        return found

    async def close(self) -> None:
        """See aiohttp."""
        for task in tuple(self._under_way.values()):
            task.cancel()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _learn(self, host: str) -> tuple[str, ...]:
        try:
            async with asyncio.timeout(self._lookup_s_max):
                addresses = tuple(dict.fromkeys(await self._lookup(host)))[:_ADDRESSES_MAX]
        except (OSError, UnicodeError):  # TimeoutError is an OSError; a label of 64 characters is a UnicodeError
            addresses = ()
        age_s = self._age_s_max if addresses else min(self._age_s_max, _FAILURE_AGE_S_MAX)
        self._known.pop(host, None)
        while len(self._known) >= self._names_max:
            del self._known[next(iter(self._known))]  # a dict keeps its order: the oldest goes
        self._known[host] = _Known(addresses, self._monotonic_s() + age_s)
        return addresses

    async def _ask_system(self, host: str) -> Sequence[str]:
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(
            self._threads, lambda: socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
        )
        return [str(address[0]) for _, _, _, _, address in found]


def _result(host: str, address: str, port: int) -> ResolveResult:
    return ResolveResult(
        hostname=host,
        host=address,
        port=port,
        family=socket.AF_INET6 if ":" in address else socket.AF_INET,
        proto=0,
        flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
    )
