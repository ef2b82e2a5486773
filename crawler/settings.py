"""Every limit of the crawler in one frozen object, its unit in its name.

What the command line may set is the upper part; the rest are our choices, each with what others chose. There is no
switch that turns robots.txt off.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version

from checker.errors import InputError
from checker.settings import is_contact

AGENT_TOKEN = "HaveIBeenScrapedBot"  # noqa: S105 - the product token of RFC 9309 2.2.1, not a secret
"""What robots.txt and X-Robots-Tag name us by: letters only, compared whole."""


@dataclass(frozen=True, slots=True)
class CrawlSettings:
    """What one crawl may do, and how much of it."""

    contact: str = ""
    """E-mail address or page of whoever runs the crawl; part of the User-Agent. Empty: allowed addresses only."""
    pages_max: int = 10_000
    """Pages read in all, over every run in one data folder."""
    images_max: int = 100_000
    """Pictures looked at in all, over every run in one data folder."""
    depth_max: int = 8
    """Links from a start address to a page; a start address has depth 0. Calendars and other traps have no end."""
    delay_min_s: float = 1.0
    """Least pause between two requests to a host. Scrapy's project template: 1 s; Heritrix: 3 s; CCBot: 5 s."""
    delay_local_s: float | None = None
    """On addresses of this machine that were opened: the whole pause, however long they took; None: as elsewhere."""

    hosts_at_once_max: int = 64
    """Hosts that are asked at the same time; each has one request under way at most."""
    address_requests_max: int = 8
    """Requests under way to one IP address: many names may be one machine. Our choice."""
    visits_at_once_max: int = 128
    """Addresses under way in all, those whose answers are being read included; bounds the memory."""
    host_pages_max: int = 2**62
    host_images_max: int = 2**62
    """Addresses of one host that are ever queued, over every run in one data folder."""
    delay_factor: float = 5.0
    """A host rests this many times as long as it took to answer (Heritrix: 5): a slow server is a busy one."""
    delay_by_duration_max_s: float = 30.0
    """Cap of that (Heritrix: 30 s)."""
    crawl_delay_max_s: float = 300.0
    """Cap of a robots.txt Crawl-delay (Heritrix: 300 s); larger values are not read as a number of seconds."""
    backoff_first_s: float = 5.0
    """Rest after the first error of a host; doubled with each further one, and none of them lowers it."""
    backoff_max_s: float = 3_600.0
    retry_after_max_s: float = 86_400.0
    """Cap of a Retry-After (one day)."""
    attempts_max: int = 3
    """Tries of one address before it has failed for good."""
    host_failures_max: int = 6
    """Failures in a row after which a host is left alone for the rest of the run; its rests add up to five minutes."""
    turn_wait_max_s: float = 300.0
    """A redirect to a host that rests longer than this is put off instead of waited for."""

    redirects_max: int = 5
    """RFC 9309 2.3.1.2 asks for five in robots.txt; browsers follow 20, CCBot 4."""
    page_bytes_max: int = 5 * 2**20
    sitemap_bytes_max: int = 50 * 2**20
    """sitemaps.org: 50 MiB. Of addresses that end like files, since what an answer is stands in it."""
    robots_bytes_max: int = 512_000
    """RFC 9309 2.5: at least 500 kibibytes; what comes after is not read."""
    request_s_max: float = 30.0
    """Whole request, from the connection to the last byte."""
    connect_s_max: float = 10.0
    silence_s_max: float = 10.0
    """Longest pause between two reads."""
    rate_grace_s: float = 5.0
    """From then on a body that comes slower than `rate_bytes_per_s_min` is given up: a drip never trips a pause."""
    rate_bytes_per_s_min: int = 1_024
    robots_age_s_max: float = 86_400.0
    """RFC 9309 2.4: not longer than 24 hours."""
    lease_s: int = 3_600
    url_characters_max: int = 2_048
    page_links_max: int = 6_000
    """Links taken from one page (Heritrix: 6,000)."""
    progress_every_s: float = 30.0
    """Between two progress lines where standard error is no terminal."""

    @property
    def user_agent(self) -> str:
        """What every request says of us: name, version and whom to write to."""
        name = f"{AGENT_TOKEN}/{version('haveibeenscraped')}"
        return f"{name} (+{self.contact})" if self.contact else name


def check_contact(contact: str) -> str:
    """Give `contact` back when a site owner could reach somebody by it; empty stays empty.

    Raises:
        InputError: it is neither an e-mail address nor the address of a page.
    """
    if contact and not is_contact(contact):
        raise InputError(
            f"--contact {contact!r} is neither an e-mail address nor the address of a page; "
            "give one by which a site owner reaches you"
        )
    return contact
