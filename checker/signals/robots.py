"""Read robots.txt: groups with all their records, the choice of a group, and what it allows to fetch.

Every record is kept, known or not, because the lines that other parsers drop (Content-Usage, Content-Signal, ...)
are what this project looks for. Rules, in order:

1. The first 512,000 bytes count. A line ends with LF, CRLF or CR; `#` starts a comment; a UTF-8 byte order mark at
   the start of any line is skipped (files are glued together from managed blocks).
2. One or more user-agent lines and what follows them form a group. Only a *rule* ends the list of user-agent lines;
   empty lines and other records (Sitemap, Crawl-delay, Content-Signal, unknown names) do not.
3. All groups that name our token, whole and in any case, are taken together; only where there is none, all groups
   that name `*`. A group of ours without rules means that everything is allowed.
4. Of the rules that match, the one with most octets wins; between equals Allow; none: allowed. /robots.txt itself is
   always allowed.

A refusal may be misspelled in the ways that are common in the wild, a permission may not: doubt is never consent.

Source: RFC 9309 2.1 to 2.5; the tolerated spellings are those of google/robotstxt, robots.cc.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from checker.model import Finding, Stance
from checker.signals.paths import matched_octets, path_of
from checker.signals.statements import clipped

ROBOTS_BYTES_MAX = 512_000
"""RFC 9309 2.5 asks for at least 500 KiB, which is this number; Google reads no more either."""

_CRAWL_DELAY_S_MAX = 300.0
"""Longer ones are taken for mistakes, as Bing does from a few minutes on; ignored, not clamped."""

_DISALLOW_SPELLINGS = frozenset({"disallow", "dissallow", "dissalow", "disalow", "diasllow", "disallaw"})
_RULES = frozenset({"allow", "disallow", "content-usage", "disallowaitraining", "allowaitraining"})
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_LINE_END = re.compile(rb"\r\n|\r|\n")
_BLANKS = " \t\v\f"
_DELAY = re.compile(r"\d+(\.\d*)?|\.\d+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Record:
    """One line that has a name and a value."""

    line: int
    """Counted from 1."""
    name: str
    """Lower case; a misspelled Disallow is written right."""
    value: str
    """Without comment and blanks around it. Bytes that are no UTF-8 stand as surrogate escapes."""
    raw: str
    """The line as it was read, at most 500 characters."""

    @property
    def place(self) -> str:
        """ "robots.txt line 3"."""
        return f"robots.txt line {self.line}"


@dataclass(frozen=True, slots=True)
class Group:
    """One or more user-agent lines and the records that follow them."""

    agents: frozenset[str]
    """Lower-case tokens, or "*"."""
    records: tuple[Record, ...]


@dataclass(frozen=True, slots=True)
class RobotsFile:
    """A robots.txt, read."""

    groups: tuple[Group, ...] = ()
    outside: tuple[Record, ...] = ()
    """Records before the first user-agent line."""

    def own_records(self, agent: str) -> tuple[Record, ...] | None:
        """The records of all groups that name `agent`, in file order. None: no group does; `*` is not asked."""
        token = agent.lower()
        own = [group for group in self.groups if token in group.agents]
        return tuple(record for group in own for record in group.records) if own else None

    def records_for(self, agent: str) -> tuple[Record, ...]:
        """The records that speak to `agent`: those of its own groups, else those of the `*` groups.

        Source: RFC 9309 2.2.1.
        """
        own = self.own_records(agent)
        return own if own is not None else self.own_records("*") or ()

    def crawl_delay_s(self, agent: str) -> float | None:
        """The pause between two requests that is asked of `agent`, in seconds, above 0 and at most 300.

        Returns:
            The largest sane value of the selected groups. None: none was given. It changes pacing, nothing else.
        """
        delays = [
            float(record.value)
            for record in self.records_for(agent)
            if record.name == "crawl-delay" and _DELAY.fullmatch(record.value)
        ]
        return max((delay for delay in delays if 0 < delay <= _CRAWL_DELAY_S_MAX), default=None)

    @property
    def sitemaps(self) -> tuple[str, ...]:
        """Addresses of the Sitemap records, wherever they stand, in file order (RFC 9309 2.2.4)."""
        everywhere = [*self.outside, *(record for group in self.groups for record in group.records)]
        return tuple(clipped_url for r in everywhere if r.name == "sitemap" and (clipped_url := clipped(r.value)))


def parse_robots(body: bytes) -> RobotsFile:
    """Read a robots.txt. Never raises: what cannot be understood is left out, so an HTML page gives an empty file.

    Args:
        body: the bytes as served; the first 512,000 count, and a line that is cut there does not.
    """
    groups: list[Group] = []
    outside: list[Record] = []
    agents: set[str] = set()
    records: list[Record] = []
    collecting = False  # True while another user-agent line would join the current list
    for record in _records(body):
        if record.name == "user-agent":
            if not collecting:
                if agents or records:
                    groups.append(Group(frozenset(agents), tuple(records)))
                agents, records, collecting = set(), [], True
            agents.add(_agent_token(record.value))
        elif not agents:
            outside.append(record)
        else:
            records.append(record)
            collecting = collecting and record.name not in _RULES
    if agents:
        groups.append(Group(frozenset(agents), tuple(records)))
    return RobotsFile(tuple(groups), tuple(outside))


def read_access(robots: RobotsFile, url: str, *, agent: str) -> Finding:
    """May `agent` fetch `url`? The finding's `crawl` is allow or deny; it says nothing about uses.

    Source: RFC 9309 2.2.2.
    """
    path = path_of(url)
    if path == "/robots.txt":
        return _access(Stance.ALLOW, "robots.txt", "/robots.txt is always allowed")
    decided = deciding_rule(robots.records_for(agent), path)
    if decided is None:
        return _access(Stance.ALLOW, "robots.txt", "no rule matches")
    stance = Stance.ALLOW if decided.name == "allow" else Stance.DENY
    return _access(stance, decided.place, decided.raw, scope=decided.value)


def deciding_rule(records: Iterable[Record], path: str) -> Record | None:
    """The Allow or Disallow with most octets that matches; between equals Allow. An empty rule is no rule.

    Args:
        path: what `checker.signals.paths.path_of` gave.
    """
    best: tuple[int, bool] = (0, False)
    winner: Record | None = None
    for record in records:
        if record.name not in ("allow", "disallow"):
            continue
        octets = matched_octets(record.value, path)
        if octets is not None and (octets, record.name == "allow") > best:
            best = (octets, record.name == "allow")
            winner = record
    return winner


def _access(crawl: Stance, place: str, raw: str, scope: str = "") -> Finding:
    return Finding(
        signal="robots.txt", place=place, raw=clipped(raw), crawl=crawl, version="RFC 9309", scope=clipped(scope)
    )


def _records(body: bytes) -> Iterator[Record]:
    lines = _LINE_END.split(body[:ROBOTS_BYTES_MAX])
    if len(body) >= ROBOTS_BYTES_MAX:
        # Half a line can say the opposite of the whole: "Allow: /" is the start of "Allow: /public/".
        lines.pop()
    for number, line in enumerate(lines, start=1):
        text = line.removeprefix(_BYTE_ORDER_MARK).partition(b"#")[0].decode("utf-8", "surrogateescape")
        raw = clipped(text.strip(_BLANKS))
        name, colon, value = text.partition(":")
        name = name.strip(_BLANKS).lower()
        first_word, _, rest = text.strip(_BLANKS).replace("\t", " ").partition(" ")
        if colon and name in _DISALLOW_SPELLINGS:
            yield Record(number, "disallow", value.strip(_BLANKS), raw)
        elif first_word.lower() in _DISALLOW_SPELLINGS and not rest.lstrip(_BLANKS).startswith(":"):
            # The colon was forgotten, and any colon further on belongs to the path.
            yield Record(number, "disallow", rest.strip(_BLANKS), raw)
        elif colon and name:
            yield Record(number, name, value.strip(_BLANKS), raw)


def _agent_token(value: str) -> str:
    """The token that a user-agent value names, lower case; empty: it names nobody.

    Text from the first blank, "/" or "*" on is dropped, so that `ExampleImageBot/2.1` names ExampleImageBot. What
    begins with "*" without being just "*" is no product token of anyone (our choice).
    """
    if value == "*":
        return "*"
    return re.split(r"[\s/*]", value, maxsplit=1)[0].lower()
