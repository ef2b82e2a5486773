"""From what was typed to what one crawl may do. Everything that can be refused is refused here, before any request."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from checker.errors import InputError
from crawler.addresses import host_of, join, name_and_port, storable
from crawler.discover import Scope
from crawler.guard import OPEN_PORTS, Guard, parse_opened
from crawler.settings import CrawlSettings, check_contact


@dataclass(frozen=True, slots=True)
class Plan:
    """One crawl, checked."""

    start: tuple[str, ...]
    """Start addresses as they are written down, sorted, each once."""
    settings: CrawlSettings
    guard: Guard
    scope: Scope
    asked: Mapping[str, str] = field(default_factory=dict)
    """Of those with secret parts, the address that is asked for."""

    @property
    def scope_text(self) -> str:
        """What has to be the same when a crawl goes on in its folder."""
        return json.dumps({"start": self.start, "depth_max": self.settings.depth_max})

    @property
    def source_name(self) -> str:
        """The source under which sightings are kept: the hosts, two of them by name."""
        hosts = sorted({host_of(url).partition("://")[2] for url in self.start})
        more = f" and {len(hosts) - 2} more" if len(hosts) > 2 else ""
        return ", ".join(hosts[:2]) + more


def make_plan(
    urls: Sequence[str], *, settings: CrawlSettings, opened: Sequence[str] = (), delay_s: float | None = None
) -> Plan:
    """Check the start addresses, the pause and the contact.

    Args:
        settings: limits and contact as they were given; the pauses in it are set here.
        opened: values of --allow-address.
        delay_s: value of --delay in seconds; None: not given.

    Raises:
        InputError: a start address is no http(s) address, the pause is too short for a host that is not this
            machine, or there is nobody to write to.
    """
    check_contact(settings.contact)
    _check_limits(settings)
    asked = {storable(url): url for url in map(_start_address, urls)}
    start = tuple(sorted(asked))
    guard = Guard(opened=parse_opened(opened), public=bool(settings.contact))
    for url in start:
        _refuse_closed(url, guard)
    local = all(_is_opened_loopback(url, guard) for url in start)
    if not local and not settings.contact:
        raise InputError(
            "a crawl beyond this machine needs somebody to write to: give --contact MAIL-OR-URL or set HIBS_CONTACT"
        )
    least_s = settings.delay_min_s
    if delay_s is not None and not 0 <= delay_s <= settings.retry_after_max_s:
        raise InputError(f"--delay {delay_s:g} is no pause; give seconds from 0 to {settings.retry_after_max_s:g}")
    if delay_s is not None and delay_s < least_s and not local:
        raise InputError(
            f"--delay {delay_s:g} is too short for the hosts of others; give at least {least_s:g} "
            "(less only where every start address is opened with --allow-address 127.0.0.1:PORT)"
        )
    settings = replace(
        settings,
        delay_min_s=max(least_s, delay_s or 0.0),
        delay_local_s=delay_s if local else None,
    )
    return Plan(start=start, settings=settings, guard=guard, scope=scope_of(start), asked=asked)


def scope_of(start: Sequence[str]) -> Scope:
    """The hosts of the start addresses, each with the spellings that a site redirects between.

    `http://example.org` also takes in https and `www.`; a host with a port of its own, or a number, is just itself.
    """
    hosts: set[str] = set()
    for url in start:
        host = host_of(url)
        name = host.partition("://")[2]
        hosts.add(host)
        if "." in name and ":" not in name and not name.replace(".", "").isdigit():
            bare = name.removeprefix("www.")
            hosts |= {f"{known}://{www}{bare}" for known in ("http", "https") for www in ("", "www.")}
    return Scope(frozenset(hosts))


def _start_address(text: str) -> str:
    url = join(text, "")
    if url is None:
        raise InputError(f"{text!r} is no address of a page; give one that begins with http:// or https://")
    return url


def _check_limits(settings: CrawlSettings) -> None:
    for option, value, least in (
        ("--max-pages", settings.pages_max, 1),
        ("--max-images", settings.images_max, 0),
        ("--max-depth", settings.depth_max, 0),
        ("--max-pages-per-host", settings.host_pages_max, 1),
        ("--max-images-per-host", settings.host_images_max, 0),
    ):
        if value < least:
            raise InputError(f"{option} {value} is too small; give at least {least}")


def _refuse_closed(url: str, guard: Guard) -> None:
    """The guard would close the way at every request; said here, it is one sentence instead of a failed crawl."""
    name, port = name_and_port(url)
    place = f"{name}:{port}"
    if guard.opens_host(name, port):
        return
    if guard.is_loopback(name):
        raise InputError(f"{place} is on this machine, which is closed; open it with --allow-address {place}")
    if port not in OPEN_PORTS:
        raise InputError(f"{place} has a port that is closed; only 80 and 443 of other machines are asked")


def _is_opened_loopback(url: str, guard: Guard) -> bool:
    name, port = name_and_port(url)
    return guard.opens_host(name, port) and guard.is_loopback(name)
