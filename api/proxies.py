"""Who asks, where requests are passed on by a proxy of the operator's.

    browser 203.0.113.7 -> proxy 10.0.0.2 -> us        X-Forwarded-For: 198.51.100.1, 203.0.113.7

Rules:
1. What stands in a header is believed only where the peer is a proxy that was named with `--proxy`. By default none is.
2. Read from the right: each proxy appends the address that it saw, and what stands further left is whatever the sender
   wrote. The first address that is no proxy of ours asks.
3. `X-Forwarded-For`, or `Forwarded` (RFC 7239). A proxy that writes one of them passes the other on as it came, so
   where both are there they must agree. Otherwise, and where neither can be read, the proxy itself is the asker: the
   limits are then tighter, never wider.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import Scope

from checker.errors import InputError

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_HOPS_MAX = 32
"""More proxies than this one after another nobody has; a longer list is read no further."""
_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PAIR = re.compile(rf'[ \t]*({_WORD})=(?:({_WORD})|"([^"\\]*)")[ \t]*([;,]|\Z)')
_WITH_PORT = re.compile(r"(?:\[([^]]*)\]|([0-9.]+))(?::[0-9]{1,5})?")


@dataclass(frozen=True, slots=True)
class Proxies:
    """The networks whose forwarding headers are believed."""

    networks: tuple[Network, ...] = ()

    @classmethod
    def parse(cls, texts: Sequence[str]) -> Proxies:
        """Read `10.0.0.2` or `10.0.0.0/24`.

        Raises:
            InputError: one is no network, or every address there is.
        """
        networks = []
        for text in texts:
            try:
                network = ipaddress.ip_network(text)
            except ValueError as error:
                raise InputError(
                    f"--proxy {text!r} is no network; write an address (10.0.0.2) or its first one and the length of "
                    "the prefix (10.0.0.0/24)"
                ) from error
            if network.prefixlen == 0:
                raise InputError(f"--proxy {text} is every address: anyone could write his own; name the proxies alone")
            networks.append(network)
        return cls(tuple(networks))

    def resolve(self, scope: Scope) -> Scope:
        """The request as it was sent to the outermost of our proxies: its sender, and the scheme that it used."""
        peer = scope["client"][0] if scope.get("client") else ""
        if not self.networks or not self._is_ours(peer):
            return scope
        headers = Headers(scope=scope)
        given = [hops for hops in (_of_x_forwarded_for(headers), _of_forwarded(headers)) if hops]
        askers = {self._asker(hops) for hops in given}
        asker = askers.pop() if len(askers) == 1 else None
        resolved = {**scope, "client": (asker or peer, 0)}
        scheme = headers.get("x-forwarded-proto", "").lower()
        return {**resolved, "scheme": scheme} if scheme in ("http", "https") else resolved

    def _asker(self, hops: Sequence[str | None]) -> str | None:
        """The first address that is no proxy of ours; the last one where all are. None: it cannot be told."""
        return next((hop for hop in hops if hop is None or not self._is_ours(hop)), hops[-1])

    def _is_ours(self, text: str) -> bool:
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            return False
        mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
        return any((mapped or address) in network for network in self.networks)


NO_PROXIES = Proxies()


def _of_x_forwarded_for(headers: Headers) -> list[str | None]:
    """The addresses, rightmost first."""
    lines = headers.getlist("x-forwarded-for")
    return [_address(text.strip()) for text in reversed(",".join(lines).split(","))][:_HOPS_MAX] if lines else []


def _of_forwarded(headers: Headers) -> list[str | None]:
    """The same of `Forwarded` (RFC 7239 4). All of it has to be of that form, or a quoted comma could pass for one."""
    text = ",".join(headers.getlist("forwarded"))
    hops: list[str | None] = [None]
    at = 0
    while at < len(text):
        pair = _PAIR.match(text, at)
        if pair is None:
            return []
        name, token, quoted, end = pair.groups()
        if name.lower() == "for":
            hops[-1] = _address(token if quoted is None else quoted)
        if end == ",":
            hops.append(None)
        at = pair.end()
    return hops[::-1][:_HOPS_MAX] if text else []


def _address(text: str) -> str | None:
    """Without port and brackets. None: it is none, as `unknown` and `_hidden` are not (RFC 7239 6)."""
    found = _WITH_PORT.fullmatch(text)
    try:
        return str(ipaddress.ip_address(found[1] or found[2] if found else text))
    except ValueError:
        return None
