"""Reads what hosts publish about an opt-out of theirs: a file under /.well-known/ and a TXT record, each host both.

The file is asked for by https, so that nobody on the way can put it there; plain http only on this machine, where an
address was opened by hand. No redirect is followed: another host's file says nothing about this one. Guard, sizes
and times are those of a crawl.

robots.txt is not asked. It speaks to crawlers (RFC 9309 1), and this one file was put there for us by the host itself,
which has just asked us to read it.

Implements `checker.optout.claims.HostReader`. What a name server answers is believed, as it is for every fetch: DNSSEC
is the resolver's to check.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import dns.asyncresolver
import dns.exception
import dns.resolver

from checker.errors import InputError
from checker.optout.claims import FILE_PATH, Published, dns_name, file_address, record_lines
from crawler.addresses import name_and_port
from crawler.fetch import Ask, HttpFetcher, NotFetched
from crawler.guard import Guard, is_localhost, parse_opened
from crawler.resolver import Lookup, Resolver
from crawler.settings import CrawlSettings

_FILE_BYTES_MAX = 65_536
_REQUEST_S_MAX = 20.0
_DNS_S_MAX = 10.0
"""A look-up with all its tries; resolv.conf(5) gives two of 5 s."""
_HOSTS_AT_ONCE_MAX = 16
_SHOWN_CHARACTERS_MAX = 200


def read_host_claims(
    hosts: Sequence[str], *, allow_addresses: Sequence[str] = (), dns_server: str = ""
) -> dict[str, tuple[Published, ...]]:
    """See `HostReader`. Opens sessions of its own, and must not be called from inside an event loop."""
    guard = Guard(opened=parse_opened(allow_addresses), public=True)
    names = _name_server(dns_server)

    async def addresses(name: str) -> Sequence[str]:
        return await _addresses(name, names)

    # Files are found as every program here finds them, unless another name server was named.
    return asyncio.run(_read_all(hosts, guard, names, addresses if dns_server else None))


def _name_server(text: str) -> dns.asyncresolver.Resolver:
    """Who is asked for TXT records.

    Raises:
        InputError: it is not of the form HOST:PORT.
    """
    if text:
        try:
            ((address, port),) = parse_opened((text,))
        except InputError as error:
            raise InputError(f"--dns-server {text!r} is not of the form HOST:PORT; write 127.0.0.1:5353") from error
        resolver = dns.asyncresolver.Resolver(configure=False)
        resolver.nameservers, resolver.port = [str(address)], port
        return resolver
    try:
        return dns.asyncresolver.Resolver()
    except dns.exception.DNSException:  # the system names none; each look-up says so
        return dns.asyncresolver.Resolver(configure=False)


async def _read_all(
    hosts: Sequence[str], guard: Guard, names: dns.asyncresolver.Resolver, lookup: Lookup | None
) -> dict[str, tuple[Published, ...]]:
    limits = replace(CrawlSettings(), request_s_max=_REQUEST_S_MAX)
    turn = asyncio.Semaphore(_HOSTS_AT_ONCE_MAX)

    async with HttpFetcher(limits, guard, Resolver(lookup)) as fetcher:

        async def read(host: str) -> tuple[Published, ...]:
            async with turn:
                return await _read(host, fetcher, guard, names)

        return dict(zip(hosts, await asyncio.gather(*map(read, hosts)), strict=True))


async def _read(
    host: str, fetcher: HttpFetcher, guard: Guard, names: dns.asyncresolver.Resolver
) -> tuple[Published, ...]:
    name = dns_name(host)
    if name is None or is_localhost(name):  # RFC 6761 6.3: names under localhost are not asked for
        return (await _file(host, fetcher, guard),)
    return tuple(await asyncio.gather(_file(host, fetcher, guard), _txt(name, names)))


async def _file(host: str, fetcher: HttpFetcher, guard: Guard) -> Published:
    url = file_address(host)
    if guard.opens_host(*name_and_port(url)):
        url = f"http://{host}{FILE_PATH}"
    answer = await fetcher.fetch(Ask(url, bytes_max=_FILE_BYTES_MAX))
    if isinstance(answer, NotFetched):
        return Published(url, trouble=answer.reason.value)
    if 300 <= answer.head.status < 400:
        there = answer.head.get("Location")[:_SHOWN_CHARACTERS_MAX]
        return Published(url, trouble=f"it redirects to {there}, and no redirect is followed")
    if answer.body is None:
        return Published(url, trouble=f"status {answer.head.status}")
    return Published(url, records=record_lines(answer.body.decode("utf-8-sig", errors="replace")))


async def _txt(name: str, names: dns.asyncresolver.Resolver) -> Published:
    place = f"TXT {name}"
    try:
        answer = await names.resolve(f"{name}.", "TXT", search=False, lifetime=_DNS_S_MAX)
    except dns.resolver.NXDOMAIN:
        return Published(place, trouble="there is no such name")
    except dns.resolver.NoAnswer:
        return Published(place, trouble="it has no TXT record")
    except (dns.exception.DNSException, OSError) as error:
        return Published(place, trouble=f"the name server gave no answer ({type(error).__name__})")
    texts = (b"".join(record.strings).decode("utf-8", errors="replace") for record in answer)
    return Published(place, records=tuple(line for text in texts for line in record_lines(text)))


async def _addresses(name: str, names: dns.asyncresolver.Resolver) -> Sequence[str]:
    """The addresses of a host's name, from the same server as its TXT record. Raises OSError where it has none."""
    try:
        found = await names.resolve_name(name, lifetime=_DNS_S_MAX, search=False)
    except dns.exception.DNSException as error:
        raise OSError(f"{name} has no address") from error
    return tuple(found.addresses())
