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

Who is spoken to cannot be guessed in the same way: `User-agent GPTBot` without its colon, taken for a user-agent line,
refuses some and permits others. A file with such lines is read twice, to the letter and as it was probably meant, and
what either reading refuses is refused. The second reading, `RobotsFile.meant`, never permits anything. It also reads
UTF-16, which to the letter is a file without a single rule.

Reading is put off until it is asked for: parsing finds where the groups begin, the records of a group are made when an
agent of it is asked about, and its rules are put into the order of their length once. A file of 100 kB with 500
groups would else cost 6 ms and each decision 0.1 ms (benchmarks/signals.py).

Source: RFC 9309 2.1 to 2.5; the tolerated spellings are those of google/robotstxt, robots.cc.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from checker.model import Finding, Stance
from checker.signals.paths import Patterns, path_of
from checker.signals.statements import clipped

ROBOTS_BYTES_MAX = 512_000
"""RFC 9309 2.5 asks for at least 500 KiB, which is this number; Google reads no more either."""

_CRAWL_DELAY_S_MAX = 300.0
"""Longer ones are taken for mistakes, as Bing does from a few minutes on; ignored, not clamped."""

_REFUSAL = re.compile(
    r"[^!-~]*(?:disallow(?:s|ed)?|dissallow|dissalow|disalow|diasllow|disallaw)(?:[^!-~]*:[^!-~]*|[^!-~]+(?=[/*]))(.*)",
    re.IGNORECASE | re.DOTALL,
)
"""A Disallow and its pattern. `[^!-~]` is what shows nothing on a page: blanks of every alphabet, parts of a byte order
mark, control characters. They come with copied text; around a refusal they are passed over. A colon may be forgotten
before a path: RFC 9309 2.2.4 lets crawlers be lenient."""
_UNSEEN_BEFORE = re.compile("^[^!-~]*")
_UNSEEN_AFTER = " \t\v\f\0\x85\xa0\udca0\u200b\u200c\u200d\u2028\u2029\u202f\u2060\u3000\ufeff"
_RULES = frozenset({"allow", "disallow", "content-usage", "disallowaitraining", "allowaitraining"})
_USUAL_RULES = (b"disallow:", b"allow:")
"""What nearly every list of user-agent lines is followed by, told at a glance."""
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_BLANKS = " \t\v\f"
_AGENT_LINE = re.compile(rb"(?:\xef\xbb\xbf)?[ \t\v\f]*user-agent[ \t\v\f]*:([^#]*)", re.IGNORECASE)
_USER_AGENT = b"user-agent"
_USUAL_AGENT_LINE = re.compile(rb"user-agent: ?([a-z0-9._-]+|\*)")
_TOKEN = re.compile(r"[^\s/*]*")
_PLAIN_TOKEN = re.compile(r"[!-+\--:<-{}~]+")
"""Visible ASCII without what parts the names of a list."""
_DELAY = re.compile(r"\d+(\.\d*)?|\.\d+", re.ASCII)

_MEANT_LINE = re.compile(
    rb"^[^\n!-~]*(?P<name>user[- ]?agent|content-usage|content-signal|disallowaitraining)s?"
    rb"(?:[^\n!-~]*:(?P<value>[^\n#]*)|[^\n!-~]+(?P<word>[!\"$-9;-~]+)[^\n!-~]*)(?P<comment>#.*)?$",
    re.IGNORECASE | re.MULTILINE,
)
"""A line that names agents or says a preference, whatever unseen stands around its name. A colon may be forgotten
before a single word: `user agent strings are ...` is prose."""
_MEANT_NAMES = frozenset({"user-agent", "content-usage", "content-signal", "disallowaitraining"})
_SUSPECTS = (b"\0", b"useragent", b"user agent", b"content-", b"aitraining")
"""Only where one of these stands, or an odd user-agent line, is a second reading tried."""
_LIST_COMMA = re.compile(r"[^!-~]*[,;|][^!-~]*")


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


class Group(NamedTuple):
    """One or more user-agent lines and the records that follow them. A tuple, because a file may have thousands."""

    agents: frozenset[str]
    """Lower-case tokens, or "*"."""
    first_line: int
    """Of its first user-agent line, counted from 1."""
    text: bytes
    """From there on, as it stands in the file; lines end with LF."""

    @property
    def records(self) -> tuple[Record, ...]:
        """What is said to these agents, in file order."""
        return tuple(record for record in _records(self.text, self.first_line) if record.name != "user-agent")


@dataclass(frozen=True, slots=True)
class RobotsFile:
    """A robots.txt, read."""

    groups: tuple[Group, ...] = ()
    outside: tuple[Record, ...] = ()
    """Records before the first user-agent line."""
    meant: RobotsFile | None = None
    """The file as it was probably meant: what it refuses is refused, what it permits counts for nothing. None: it says
    what it means."""
    _own: dict[str, tuple[Record, ...] | None] = field(default_factory=dict, repr=False, compare=False)
    """What `own_records` gave, by token: a crawler asks the same again for each address."""
    _access: dict[str, Patterns[Record]] = field(default_factory=dict, repr=False, compare=False)

    def own_records(self, agent: str) -> tuple[Record, ...] | None:
        """The records of all groups that name `agent`, in file order. None: no group does; `*` is not asked."""
        token = agent.lower()
        if token not in self._own:
            own = [group for group in self.groups if token in group.agents]
            self._own[token] = tuple(record for group in own for record in group.records) if own else None
        return self._own[token]

    def records_for(self, agent: str) -> tuple[Record, ...]:
        """The records that speak to `agent`: those of its own groups, else those of the `*` groups.

        Source: RFC 9309 2.2.1.
        """
        own = self.own_records(agent)
        return own if own is not None else self.own_records("*") or ()

    def deciding_rule(self, agent: str, path: str) -> Record | None:
        """The Allow or Disallow with most octets that matches; between equals Allow. An empty rule is no rule.

        Args:
            path: what `checker.signals.paths.path_of` gave.
        Source: RFC 9309 2.2.2.
        """
        if agent not in self._access:
            # Sorting is stable: of equal rules the first in the file stays first.
            rules = sorted(
                (record for record in self.records_for(agent) if record.name in ("allow", "disallow")),
                key=lambda record: record.name != "allow",
            )
            self._access[agent] = Patterns((record.value, record) for record in rules)
        return self._access[agent].longest_match(path)

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
    text = body[:ROBOTS_BYTES_MAX]
    if len(body) >= ROBOTS_BYTES_MAX:
        # Half a line can say the opposite of the whole: "Allow: /" is the start of "Allow: /public/".
        text = text[: max(text.rfind(b"\n"), text.rfind(b"\r")) + 1]
    exact, doubtful = _parse(_with_plain_line_ends(text))
    if not doubtful:
        return exact
    # UTF-16 without its zeros is the ASCII that it holds. Other characters are lost, and with them a pattern or two.
    text = _with_plain_line_ends(text.replace(b"\0", b""))
    meant_text = _MEANT_LINE.sub(_as_meant, text)
    if meant_text == text and b"\0" not in body:
        return exact
    meant, _ = _parse(meant_text)
    groups = (group._replace(agents=frozenset(",".join(group.agents).split(","))) for group in meant.groups)
    return replace(exact, meant=replace(meant, groups=tuple(groups)))


def _with_plain_line_ends(text: bytes) -> bytes:
    return text.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in text else text


def _as_meant(line: re.Match[bytes]) -> bytes:
    """The line as the standard writes it; several agents in one line are parted by a comma alone."""
    written = next(_records(line[0], 0), None)
    if written is not None and _is_plain(written):
        return line[0]
    name = line["name"].lower()
    value = (line["value"] or line["word"] or b"").decode("utf-8", "surrogateescape")
    if name.startswith(b"user"):
        name, value = b"user-agent", _LIST_COMMA.sub(",", value)
    return name + b": " + _UNSEEN_BEFORE.sub("", value).rstrip(_UNSEEN_AFTER).encode("utf-8", "surrogateescape")


def _is_plain(record: Record) -> bool:
    named = record.name != "user-agent" or _PLAIN_TOKEN.fullmatch(_agent_token(record.value))
    return record.name in _MEANT_NAMES and bool(named)


def _parse(text: bytes) -> tuple[RobotsFile, bool]:
    """Find the groups; also tell whether a line may name an agent, or state a preference, in a way of its own."""
    text += b"\n"
    lowered = text.lower()
    groups: list[Group] = []
    agents: set[str] = set()
    named: list[str] = []
    before = len(text)  # where the first group begins
    first, first_line = 0, 1  # where the group that is being read begins
    rest = 0  # where its last user-agent line ends
    place = lowered.find(_USER_AGENT)
    while place >= 0:
        start = text.rfind(b"\n", 0, place) + 1
        end = text.find(b"\n", place)
        token = _agent_of(text, lowered, start, end)
        named.append(token or ",")
        if token is not None:
            if agents and (lowered.startswith(_USUAL_RULES, rest) or _has_rule(text[rest:start])):
                groups.append(Group(frozenset(agents), first_line, text[first:start]))
                agents = set()
            if not agents:
                before = min(before, start)
                first_line += text.count(b"\n", first, start)
                first = start
            agents.add(token)
            rest = end + 1
        # One search a line: names that a stranger repeats within one cost nothing more.
        place = lowered.find(_USER_AGENT, end)
    if agents:
        groups.append(Group(frozenset(agents), first_line, text[first:]))
    odd = bool(named) and not _PLAIN_TOKEN.fullmatch("".join(named))
    doubtful = odd or any(suspect in lowered for suspect in _SUSPECTS)
    return RobotsFile(tuple(groups), tuple(_records(text[:before], 1))), doubtful


def read_access(robots: RobotsFile, url: str, *, agent: str) -> Finding:
    """May `agent` fetch `url`? The finding's `crawl` is allow or deny; it says nothing about uses.

    Source: RFC 9309 2.2.2.
    """
    path = path_of(url)
    if path == "/robots.txt":
        return _access(Stance.ALLOW, "robots.txt", "/robots.txt is always allowed")
    decided = robots.deciding_rule(agent, path)
    if robots.meant is not None and (decided is None or decided.name == "allow"):
        meant = robots.meant.deciding_rule(agent, path)
        decided = meant if meant is not None and meant.name == "disallow" else decided
    if decided is None:
        return _access(Stance.ALLOW, "robots.txt", "no rule matches")
    stance = Stance.ALLOW if decided.name == "allow" else Stance.DENY
    return _access(stance, decided.place, decided.raw, scope=decided.value)


def _access(crawl: Stance, place: str, raw: str, scope: str = "") -> Finding:
    return Finding(
        signal="robots.txt", place=place, raw=clipped(raw), crawl=crawl, version="RFC 9309", scope=clipped(scope)
    )


def _agent_of(text: bytes, lowered: bytes, start: int, end: int) -> str | None:
    """The token that the line between these places names. None: this is no user-agent line."""
    usual = _USUAL_AGENT_LINE.fullmatch(lowered, start, end)
    if usual is not None:
        return usual[1].decode("ascii")
    found = _AGENT_LINE.match(text, start, end)
    return None if found is None else _agent_token(found[1].decode("utf-8", "surrogateescape").strip(_BLANKS))


def _has_rule(text: bytes) -> bool:
    """Whether one of these lines ends a list of user-agent lines."""
    return any(record.name in _RULES for record in _records(text, 0))


def _records(text: bytes, first_line: int) -> Iterator[Record]:
    for number, line in enumerate(text.split(b"\n"), start=first_line):
        content = (
            line.removeprefix(_BYTE_ORDER_MARK).partition(b"#")[0].decode("utf-8", "surrogateescape").strip(_BLANKS)
        )
        if not content:
            continue
        raw = clipped(content)
        name, colon, value = content.partition(":")
        name = name.rstrip(_BLANKS).lower()
        refusal = _REFUSAL.match(content)
        if refusal is not None:
            yield Record(number, "disallow", refusal[1].rstrip(_UNSEEN_AFTER), raw)
        elif colon and name:
            yield Record(number, name, value.strip(_BLANKS), raw)


def _agent_token(value: str) -> str:
    """The token that a user-agent value names, lower case; empty: it names nobody.

    Text from the first blank, "/" or "*" on is dropped, so that `ExampleImageBot/2.1` names ExampleImageBot. What
    begins with "*" without being just "*" is no product token of anyone (our choice).
    """
    if value == "*":
        return "*"
    found = _TOKEN.match(value)
    return found[0].lower() if found else ""
