"""What may be contacted. Asked for the final address of every connect attempt, so that a redirect, an address
written as a number, a name that points inwards and a name that changes its mind all meet the same check.

1. An address that was opened by hand ("127.0.0.1:8001") is open on exactly that port.
2. Otherwise ports 80 and 443 only, and only when the crawl may leave this machine at all.
3. An IPv6 address that a translator or tunnel turns into an IPv4 address is judged by that one as well. Forms that
   were given up (6to4, Teredo, IPv4-compatible, IPv4-translated, site-local) are closed whatever they carry.
4. Nothing inside the ranges of `CLOSED`: the IANA special-purpose registries, spelled out, because Python's
   `is_global` changes between releases and calls NAT64, 6to4 and multicast global in some of them.

A translator with a prefix of its own network (RFC 6052 2.2) cannot be told from any other address; a network that
has one keeps it from translating to private addresses (RFC 6052 5.1).

Names under `localhost` are this machine without asking anybody (RFC 6761 6.3).
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from dataclasses import dataclass

from aiohttp import AddrInfoType
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from checker.errors import InputError

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

OPEN_PORTS = frozenset({80, 443})

CLOSED = tuple(
    ipaddress.ip_network(text)
    for text in (
        # https://www.iana.org/assignments/iana-ipv4-special-registry
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
        "192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16",
        "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
        "224.0.0.0/4", "240.0.0.0/4",  # multicast (RFC 5771), reserved and broadcast
        "168.63.129.16/32",  # the host of a virtual machine at a large provider; public by its number only
        # https://www.iana.org/assignments/iana-ipv6-special-registry
        "::/3",  # below global unicast (RFC 4291 2.4): loopback, IPv4 in every form, NAT64 (RFC 8215), 100::/64
        "2001::/23",  # IETF protocol assignments: Teredo (RFC 4380), benchmarking, ORCHID
        "2001:db8::/32", "3fff::/20",  # documentation
        "2002::/16",  # 6to4 (RFC 7526, given up)
        "2620:4f:8000::/48",  # AS112
        "4000::/2",  # not allocated, but for SRv6 identifiers, 5f00::/16 (RFC 9602)
        "8000::/1",  # fc00::/7, fe80::/10, fec0::/10 (RFC 3879, given up but routed by some), multicast ff00::/8
    )
)  # fmt: skip

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
"""RFC 6052 2.1, how an IPv6-only network reaches IPv4: the IPv4 address is in the last 32 bits."""


_ISATAP = 0x0000_5EFE
"""RFC 5214 6.1: this before the IPv4 address, in any prefix; a bit before it says whether that address is unique."""


class BlockedAddressError(OSError):
    """The address may not be contacted; no connection was tried.

    An OSError, because that is what a connector expects from a socket. The text is the same for every address, so
    that several refused addresses of one name are still told apart from a name that does not answer.
    """

    def __init__(self) -> None:
        super().__init__("this address may not be contacted")


@dataclass(frozen=True, slots=True)
class Guard:
    """The rule for one run."""

    opened: frozenset[tuple[IPAddress, int]] = frozenset()
    """Addresses with port that were opened by hand."""
    public: bool = True
    """False: the crawl has no contact to show, so nothing but the opened addresses."""

    def allows(self, address: str, port: int) -> bool:
        """May this address (digits, not a name) be contacted on this port?"""
        try:
            ip = ipaddress.ip_address(address)
        except ValueError:
            return False
        if (ip, port) in self.opened:
            return True
        if not self.public or port not in OPEN_PORTS or "%" in address:  # a scope (RFC 4007) means: not global
            return False
        return not any(judged in net for judged in _judged(ip) for net in CLOSED)

    def opens_host(self, name: str, port: int) -> bool:
        """Is this host of an address (a name under localhost, or digits) one that was opened by hand?"""
        ip = _digits(name)
        return ip is not None and (ip, port) in self.opened

    def is_loopback(self, name: str) -> bool:
        """Is this host of an address this machine?"""
        ip = _digits(name)
        if isinstance(ip, ipaddress.IPv6Address):
            ip = ip.ipv4_mapped or ip
        return ip is not None and ip.is_loopback

    def make_socket(self, found: AddrInfoType) -> socket.socket:
        """Open a socket for a connect attempt; aiohttp calls this with the address it is about to contact.

        Raises:
            BlockedAddressError: the address is closed.
        """
        family, kind, protocol, _, address = found
        scoped = len(address) > 3 and address[3]
        if scoped or not self.allows(str(address[0]), int(address[1])):
            raise BlockedAddressError
        return socket.socket(family=family, type=kind, proto=protocol)


def parse_opened(texts: Iterable[str]) -> frozenset[tuple[IPAddress, int]]:
    """Read the values of --allow-address, each "HOST:PORT" with digits or a name under localhost.

    Raises:
        InputError: it is not of that form. Other names are refused, since they could change what they point to.
    """
    return frozenset(_opened(text) for text in texts)


def is_localhost(name: str) -> bool:
    """`localhost` and all names below it."""
    name = name.lower().removesuffix(".")
    return name == "localhost" or name.endswith(".localhost")


class LocalhostResolver(AbstractResolver):
    """Resolves names under localhost to 127.0.0.1 itself, and asks the system for the others."""

    def __init__(self) -> None:
        self._system = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """See aiohttp."""
        if not is_localhost(host):
            return await self._system.resolve(host, port, family)
        return [
            ResolveResult(
                hostname=host,
                host=_LOOPBACK,
                port=port,
                family=socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
        ]

    async def close(self) -> None:
        """See aiohttp."""
        await self._system.close()


def _digits(name: str) -> IPAddress | None:
    """The address that a host's name stands for without asking anybody; None: it needs DNS."""
    try:
        return ipaddress.ip_address(_LOOPBACK if is_localhost(name) else name.strip("[]"))
    except ValueError:
        return None


def _judged(ip: IPAddress) -> tuple[IPAddress, ...]:
    """The addresses that a connection to `ip` may end at; all of them have to be open."""
    if isinstance(ip, ipaddress.IPv4Address):
        return (ip,)
    carried = ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF)
    if ip.ipv4_mapped or ip in _NAT64:
        return (carried,)
    if int(ip) >> 32 & 0xFDFF_FFFF == _ISATAP:
        return (ip, carried)
    return (ip,)


def _opened(text: str) -> tuple[IPAddress, int]:
    name, _, port = text.rpartition(":")
    ip = _digits(name)
    if ip is None or not (port.isascii() and port.isdecimal() and 1 <= int(port[:6]) <= 65_535):
        raise InputError(
            f"--allow-address {text!r} is not of the form HOST:PORT with HOST in digits; write 127.0.0.1:8001"
        )
    return ip, int(port)


_LOOPBACK = "127.0.0.1"
