"""The words of robots tags, as X-Robots-Tag and `<meta name="robots">` share them.

Items are separated by commas and compared whole, in any case. An item with a colon is a valued directive where its
name is one; else, in a header, the part before the colon is an agent, and what follows on that line is for that agent
only. All items combine, the more restrictive winning.

An item that is no known word but consists of blank-separated known ones (`noai noimageai`, `noindex nofollow`) is read
as those: tolerant reading may create refusals, and no word of a robots tag permits anything.

Source: Google Search Central, robots meta tag and X-Robots-Tag; DeviantArt 2022 (noai, noimageai); noml.info;
Bing webmaster blog September 2023 and Amazonbot's page (noarchive, nocache); draft-canel-robots-ai-control-00.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from checker.model import Stance, Use
from checker.signals.statements import TRAINING, Statement, merged, uniform

VERSION = "robots tags 2026"

_LISTING = (Use.SEARCH, Use.INDEX)
_NO_TRAINING = uniform(Stance.DENY, TRAINING)
_NO_LISTING = uniform(Stance.DENY, _LISTING)

DIRECTIVES: Mapping[str, Mapping[Use, Stance]] = {
    "noai": _NO_TRAINING,
    "noimageai": _NO_TRAINING,
    "noml": _NO_TRAINING,
    "disallowaitraining": _NO_TRAINING,
    # Documented as "no training" by Bing and Amazon.
    "noarchive": _NO_TRAINING,
    # Bing: only address, title and snippet may be used.
    "nocache": uniform(Stance.CONDITIONAL, TRAINING),
    "noindex": _NO_LISTING,
    "noimageindex": _NO_LISTING,
    "none": _NO_LISTING,
}
"""Words with an effect. All others (those of `_WITHOUT_EFFECT`, `max-*`, unknown ones) speak of no use."""

_WITHOUT_EFFECT = frozenset({"all", "index", "follow", "nofollow", "nosnippet", "notranslate", "indexifembedded"})

_VALUED = frozenset({"unavailable_after", "max-snippet", "max-image-preview", "max-video-preview"})


def read_robots_tag(text: str, *, agent: str, now: datetime, in_header: bool) -> Statement:
    """Read one header line, or the content of one meta tag.

    Args:
        text: header lines must come one by one: an agent prefix reaches to the end of its own line only.
        agent: our product token; items for `*`, `robots`, this token or nobody in particular count.
        now: decides whether an `unavailable_after` date has come.
        in_header: whether agent prefixes are known in this place.
    Returns:
        What the items say together. An unreadable date leaves `search` and `index` in doubt.
    """
    addressed = frozenset({"", "*", "robots", agent.lower()})
    scope = ""
    said: list[Mapping[Use, Stance]] = []
    malformed = False
    items = text.lower().split(",")
    position = 0
    while position < len(items):
        name, colon, value = _split(items[position])
        position += 1
        while in_header and colon and name not in _VALUED:
            scope = name
            name, colon, value = _split(value)
        if name == "unavailable_after" and colon:
            until = _date(value)
            if until is None and position < len(items):
                # A date may hold a comma: "Friday, 25-Jun-10 15:00:00 GMT".
                until = _date(f"{value},{items[position]}")
                position += until is not None
            if scope in addressed:
                malformed = malformed or until is None
                if until is not None and until <= now:
                    said.append(_NO_LISTING)
        elif scope in addressed:
            said += _words(name if not colon else "")
    return Statement(merged(said), malformed=malformed, doubted=frozenset(_LISTING) if malformed else frozenset())


def _split(item: str) -> tuple[str, str, str]:
    name, colon, value = item.partition(":")
    return name.strip(), colon, value.strip()


def _words(item: str) -> list[Mapping[Use, Stance]]:
    if item in DIRECTIVES:
        return [DIRECTIVES[item]]
    words = item.split()
    if not _WITHOUT_EFFECT.union(DIRECTIVES).issuperset(words):
        return []
    return [DIRECTIVES[word] for word in words if word in DIRECTIVES]


def _date(text: str) -> datetime | None:
    """Read an ISO 8601, RFC 822 or RFC 850 date. Without a zone it is taken as UTC. None: it is none of these."""
    text = text.strip().upper()
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        try:
            moment = parsedate_to_datetime(text)
        except (ValueError, TypeError, IndexError, OverflowError):
            return None
    try:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
