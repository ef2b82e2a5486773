"""Does a page ask that its links are not followed? In its robots tags and in X-Robots-Tag.

`nofollow`, or `none`, which says it together with noindex; to all robots or to us. As everywhere, a refusal is read
tolerantly: in any case, between commas, semicolons or blanks.

Source: Google Search Central, robots meta tag and X-Robots-Tag (an agent's name before a colon reaches to the end of
its own header line).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from crawler.settings import AGENT_TOKEN

_REFUSALS = frozenset({"nofollow", "none"})
_TO_US = frozenset({"", "*", "robots", AGENT_TOKEN.lower()})
_VALUED = frozenset({"unavailable_after", "max-snippet", "max-image-preview", "max-video-preview"})
_AGENT = re.compile(r"\*|[a-z][a-z0-9_.-]*")
"""No part of a date: `Friday, 25-Jun-10 15:00:00 GMT`."""
_SEPARATORS = re.compile(r"[\s,;]+")


def meta_says_nofollow(attributes: Mapping[str, str | None]) -> bool:
    """Is this meta element such a tag?"""
    if (attributes.get("name") or "").strip().lower() not in ("robots", AGENT_TOKEN.lower()):
        return False
    return _refuses(attributes.get("content") or "")


def headers_say_nofollow(headers: Iterable[tuple[str, str]]) -> bool:
    """Is there an X-Robots-Tag among the header lines that says so?

    >>> headers_say_nofollow([("X-Robots-Tag", "otherbot: noindex, nofollow")])
    False
    """
    return any(_line_refuses(value) for name, value in headers if name.lower() == "x-robots-tag")


def _line_refuses(line: str) -> bool:
    agent = ""
    for item in line.lower().split(","):
        name, colon, rest = (part.strip() for part in item.partition(":"))
        while colon and name not in _VALUED and _AGENT.fullmatch(name):
            agent = name
            name, colon, rest = (part.strip() for part in rest.partition(":"))
        if agent in _TO_US and not colon and _refuses(name):
            return True
    return False


def _refuses(text: str) -> bool:
    return not _REFUSALS.isdisjoint(_SEPARATORS.split(text.lower()))
