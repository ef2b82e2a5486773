"""Read what the headers and the status of one response say.

    Content-Usage       one dictionary: all field lines joined
    Content-Signal      every line, the strongest value winning
    X-Robots-Tag        line by line, because an agent prefix reaches to the end of its own line
    status 402          payment is wanted: everything is conditional; nothing is stored and nothing is paid

Headers count from the final response of a redirect chain. TDMRep headers are read by `tdmrep`, whose three places
have an order among themselves, and Link headers (RSL) by `rsl_pointers`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from checker.model import Finding, Stance, Use
from checker.signals.preferences import (
    ATTACH_VERSION,
    CONTENT_SIGNAL_VERSION,
    read_content_signal,
    read_content_usage,
)
from checker.signals.robots_tags import VERSION as ROBOTS_TAG_VERSION
from checker.signals.robots_tags import read_robots_tag
from checker.signals.statements import clipped, findings_of, uniform

Headers = Sequence[tuple[str, str]]
"""Every header line in order of arrival, unfolded: two lines of one name stay two."""


def header_values(headers: Headers, name: str) -> list[str]:
    """The values of all lines of this name, in order. `name` in any case."""
    return [value for key, value in headers if key.strip().lower() == name.lower()]


def read_headers(headers: Headers, *, agent: str, now: datetime) -> tuple[Finding, ...]:
    """Read every header signal except TDMRep's.

    Args:
        agent: our product token, for the scopes of X-Robots-Tag.
        now: decides whether an `unavailable_after` date has come.
    """
    return (
        *_content_usage(headers),
        *_content_signal(headers),
        *read_robots_tag_headers(headers, agent=agent, now=now),
    )


def read_robots_tag_headers(headers: Headers, *, agent: str, now: datetime, of_page: bool = False) -> Iterator[Finding]:
    """Read X-Robots-Tag. Lines that say nothing of any use, or that speak to other agents, give no finding.

    Args:
        of_page: the headers came with the page that embeds the picture.
    """
    place = "header X-Robots-Tag of the page" if of_page else "header X-Robots-Tag"
    for line in header_values(headers, "x-robots-tag"):
        statement = read_robots_tag(line, agent=agent, now=now, in_header=True)
        if statement.uses or statement.malformed:
            yield from findings_of(statement, signal="x-robots-tag", place=place, raw=line, version=ROBOTS_TAG_VERSION)


def read_status(status: int | None, headers: Headers) -> tuple[Finding, ...]:
    """Read the status of the response: 402 makes every use conditional, other statuses say nothing of uses.

    Source: RFC 9110 15.5.3; Cloudflare AI Crawl Control (2026-04-23) for crawler-price. Our choice: conditional.
    """
    if status != 402:
        return ()
    prices = header_values(headers, "crawler-price")
    return (
        Finding(
            signal="http-status",
            place="status 402",
            raw=clipped(f"402 crawler-price: {prices[0]}" if prices else "402"),
            uses=uniform(Stance.CONDITIONAL, Use),
            version="RFC 9110",
        ),
    )


def _content_usage(headers: Headers) -> Iterator[Finding]:
    lines = header_values(headers, "content-usage")
    if lines:
        value = ", ".join(lines)
        statement = read_content_usage(value)
        yield from findings_of(
            statement, signal="content-usage", place="header Content-Usage", raw=value, version=ATTACH_VERSION
        )


def _content_signal(headers: Headers) -> Iterator[Finding]:
    for line in header_values(headers, "content-signal"):
        yield from findings_of(
            read_content_signal(line),
            signal="content-signal",
            place="header Content-Signal",
            raw=line,
            version=CONTENT_SIGNAL_VERSION,
        )
