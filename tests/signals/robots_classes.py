"""The named ways in which other robots.txt parsers differ from ours, each with what takes it out of a file.

A difference belongs to a class (or to two or three) if it is gone once the feature of the class is taken out of the
file and the address that both parsers are asked about. What is left then is plain, and there they must agree.
docs/robots.md says of each class who is right, and by which clause.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import combinations

_LINE_END = re.compile(r"(\r\n|\r|\n)")
_RECORD = re.compile(r"(?P<name>[^:]*):(?P<value>.*)", re.DOTALL)
_TYPOS = ("dissallow", "dissalow", "disalow", "diasllow", "disallaw", "disallows", "disallowed")
_BLANKS = " \t\v\f"
_ODD_AGENT_LINE = re.compile("[^!-~]*user[- ]?agent", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Question:
    """A file, its lines with their ends, and the address that is asked about."""

    lines: tuple[tuple[str, str], ...]
    url: str
    agent: str = "ExampleBot"

    @property
    def body(self) -> bytes:
        return "".join(line + end for line, end in self.lines).encode("utf-8", "surrogateescape")


def question(body: bytes, url: str, agent: str = "ExampleBot") -> Question:
    pieces = _LINE_END.split(body.decode("utf-8", "surrogateescape"))
    return Question(tuple(zip(pieces[::2], [*pieces[1::2], ""], strict=True)), url, agent)


def _each_line(change: Callable[[str], str | None]) -> Callable[[Question], Question]:
    def apply(asked: Question) -> Question:
        changed = ((change(line), end) for line, end in asked.lines)
        return replace(asked, lines=tuple((line, end) for line, end in changed if line is not None))

    return apply


def _named(line: str, *names: str) -> str | None:
    """The value, where the record has one of these names; None: it has another, or is none."""
    found = _RECORD.fullmatch(line.partition("#")[0].lstrip("\ufeff"))
    return found["value"].strip(_BLANKS) if found and found["name"].strip(_BLANKS).lower() in names else None


def _pattern(line: str) -> str | None:
    return _named(line, "allow", "disallow", *_TYPOS)


def _without_patterns(feature: Callable[[str], object]) -> Callable[[str], str | None]:
    return lambda line: None if (pattern := _pattern(line)) is not None and feature(pattern) else line


def _line_ends(asked: Question) -> Question:
    lines = [(re.sub("[\x1c-\x1e\x85\u2028\u2029].*", "", line), "\n") for line, _ in asked.lines]
    return replace(asked, lines=tuple(lines))


def _whole_tokens(asked: Question) -> Question:
    """User-agent values as the whole tokens that they name; what names nobody, or a part of the token, as another."""

    def whole(line: str) -> str:
        value = _named(line, "user-agent")
        if value is None or value == "*":
            return line
        named = re.split(r"[\s/*]", value)[0].lower()
        if named == asked.agent.lower():
            return f"User-agent: {asked.agent}"
        is_token = re.fullmatch("[A-Za-z_-]+", value) and named not in asked.agent.lower()
        return line if is_token else "User-agent: quxbot"

    return _each_line(whole)(asked)


def _agent_line(line: str) -> str | None:
    """Nothing, where a line names an agent otherwise than RFC 9309 2.2 writes it."""
    return None if _named(line, "user-agent") is None and _ODD_AGENT_LINE.match(line) else line


def _other_record(line: str) -> str | None:
    """Nothing, where a line is none of what RFC 9309 2.2 defines."""
    if _named(line, "user-agent", "allow", "disallow", *_TYPOS) is None and not _bare_refusal(line):
        return None
    return line


def _bare_refusal(line: str) -> str | None:
    """The pattern of a Disallow without colon."""
    first, *rest = line.partition("#")[0].strip(_BLANKS + "\ufeff").split(maxsplit=1) or [""]
    bare = first.lower() in ("disallow", *_TYPOS) and not (rest and rest[0].startswith(":"))
    return (rest[0] if rest else "") if bare else None


def _right_spelling(line: str) -> str:
    """A refusal in the tolerated spellings as the standard spells it."""
    pattern = _named(line, *_TYPOS)
    pattern = _bare_refusal(line) if pattern is None else pattern
    return line if pattern is None else f"Disallow: {pattern}"


def _one_group(asked: Question) -> Question:
    """Only the rules that speak to us, in one group; everything for others is left out."""
    groups: list[tuple[set[str], list[str]]] = []
    for line, _ in asked.lines:
        agent = _named(line, "user-agent")
        if agent is not None:
            if not groups or groups[-1][1]:
                groups.append((set(), []))
            groups[-1][0].add(agent.lower())
        elif groups and _pattern(line) is not None:
            groups[-1][1].append(line)
    named = {agent for agents, _ in groups for agent in agents}
    ours = asked.agent.lower() if asked.agent.lower() in named else "*"
    rules = [(rule, "\n") for agents, rules in groups if ours in agents for rule in rules]
    return replace(asked, lines=(("User-agent: *", "\n"), *rules))


def _unescaped(asked: Question) -> Question:
    special = re.compile(r"%[0-9A-Fa-f]{2}|[^\x00-\x7f]|[~$;:!()\[\]]")
    lines = _each_line(_without_patterns(lambda p: special.search(p.removesuffix("$"))))(asked).lines
    scheme, rest = asked.url[:8], asked.url[8:]
    return replace(asked, lines=lines, url=scheme + special.sub("x", rest))


def _single_slashes(asked: Question) -> Question:
    lines = _each_line(_without_patterns(lambda p: "//" in p))(asked).lines
    return replace(asked, lines=lines, url=asked.url[:8] + re.sub("//+", "/", asked.url[8:]))


def _not_robots_txt(asked: Question) -> Question:
    return replace(asked, url=asked.url.replace("/robots.txt", "/robots-txt"))


CLASSES: Mapping[str, Callable[[Question], Question]] = {
    "line ends": _line_ends,
    "byte order mark": _each_line(lambda line: line.lstrip("\ufeff")),
    "odd blanks": _each_line(lambda line: line if line.lstrip("\xa0\x00\x0b") == line else f"x: {line[1:]}"),
    "misspelled refusal": _each_line(_right_spelling),
    "agent lines": _each_line(_agent_line),
    "other records": _each_line(_other_record),
    "agent values": _whole_tokens,
    "groups": _one_group,
    "wildcards": _each_line(_without_patterns(lambda p: "*" in p)),
    "end anchor": _each_line(_without_patterns(lambda p: p.endswith("$"))),
    "escapes": _unescaped,
    "double slashes": _single_slashes,
    "index.html": _each_line(_without_patterns(lambda p: p.endswith("/index.html"))),
    "robots.txt itself": _not_robots_txt,
}


def classes_of(asked: Question, agree: Callable[[Question], bool]) -> tuple[str, ...] | None:
    """The fewest classes, three at most, without which the parsers agree. None: the difference is not explained."""
    touching = [name for name in CLASSES if plain(asked, [name]) != asked]
    for size in (1, 2, 3):
        for names in combinations(touching, size):
            if agree(plain(asked, names)):
                return names
    return None


def plain(asked: Question, names: Iterable[str]) -> Question:
    """The question without the features of these classes."""
    for name in names:
        asked = CLASSES[name](asked)
    return asked
