"""Fetching the pictures that lists name: a crawl without pages, over addresses that are queued already."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from checker.errors import InputError
from checker.records.folder import DataFolder
from checker.settings import Settings
from crawler.crawl import fetch_pictures
from crawler.discover import Scope
from crawler.guard import Guard, parse_opened
from crawler.plan import Plan
from crawler.settings import CrawlSettings, check_contact
from crawler.tally import Tally


@dataclass(frozen=True, slots=True)
class Manners:
    """What was said about fetching."""

    contact: str = ""
    opened: Sequence[str] = ()
    """Values of --allow-address."""
    delay_s: float | None = None
    """Value of --delay; None: not given."""


def make_list_plan(manners: Manners) -> Plan:
    """How the addresses of lists are asked for: no page, nobody without a contact, every host at its own pace.

    Raises:
        InputError: there is nobody to write to, or the pause is too short for the hosts of others.
    """
    settings = replace(CrawlSettings(), contact=check_contact(manners.contact), pages_max=0, images_max=2**62)
    opened = parse_opened(manners.opened)
    # Without a contact the guard lets nothing through but what was opened, and that has to be this machine.
    local = not manners.contact
    if local and not (opened and all(ip.is_loopback for ip, _ in opened)):
        raise InputError(
            "the pictures of a list are fetched from their sites, which needs somebody to write to: "
            "give --contact MAIL-OR-URL or set HIBS_CONTACT"
        )
    delay_s, most_s, least_s = manners.delay_s, settings.retry_after_max_s, settings.delay_min_s
    if delay_s is not None and not 0 <= delay_s <= most_s:
        raise InputError(f"--delay {delay_s:g} is no pause; give seconds from 0 to {most_s:g}")
    if delay_s is not None and delay_s < least_s and not local:
        raise InputError(
            f"--delay {delay_s:g} is too short for the hosts of others; give at least {least_s:g} "
            "(less only without --contact, for addresses opened with --allow-address 127.0.0.1:PORT)"
        )
    settings = replace(settings, delay_min_s=max(least_s, delay_s or 0.0), delay_local_s=delay_s if local else None)
    guard = Guard(opened=opened, public=not local)
    return Plan(start=(), settings=settings, guard=guard, scope=Scope(frozenset()))


def fetch_listed(plan: Plan, settings: Settings, folder: DataFolder) -> Tally:
    """Ask for every picture that is queued in the folder, until none is left or the person stops it."""
    with folder.exclusive("crawl"):
        return fetch_pictures(plan, settings, folder)
