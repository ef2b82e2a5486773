"""Random robots.txt files for comparing parsers, always the same for the same seed, and the addresses to ask about.

Each file is put together of what real files hold, right and wrong: groups that repeat, glued managed blocks, patterns
with `*`, `$` and escapes, every line end, records of others between the user-agent lines, misspellings.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

AGENT = "ExampleBot"
HOST = "https://img.example"

_AGENTS = (
    *("ExampleBot", "examplebot", "EXAMPLEBOT", "*", "*", "OtherBot", "GPTBot", "CCBot", "Googlebot", "Bingbot"),
    *("ExampleBot/2.1", "ExampleBot News", "Example", "ExampleBotNews", "Bot", "My-ExampleBot", "ExampleBot*", "*Bot"),
    *("Mozilla/5.0 (compatible; ExampleBot/1.0)", "", "Example_Bot", "ExampleBöt", "* ExampleBot"),
)
_PATTERNS = (
    *("/", "/", "", "/art/", "/art", "/art/public/", "/art/*.jpg$", "/*.jpg$", "/*.gif", "/art*", "/art/*/b", "*.gif$"),
    *("*", "/$", "/art$", "/*?", "/*?w=", "/art/a.jpg?w=100", "/a%72t/", "/%61rt", "/art%2Fpublic", "/caf%c3%a9/"),
    *("/café/", "/foo-%24", "/foo-$", "/a*t/*.jpg", "/art//a", "art/", ".jpg", "/art/ public", "/x?u=https://a.b/"),
    *("https://img.example/art/", "/ART/", "/art/a.jpg$", "/~user/", "/%7euser", "/a$b", "/[ab]/", "/art/%2A.jpg"),
    *("/index.html", "/art/index.html", "/**/a.jpg", "/art/a.jpg*$", "/a;b", "/art/?", "/" + "long/" * 60, "/a.jpg*"),
)
_PATHS = (
    *("/", "/art", "/art/", "/art/a.jpg", "/art/a.gif", "/art/public/a.jpg", "/art/a.jpg?w=100", "/art/x/b", "/ART/a"),
    *("/art%2Fpublic", "/a%72t/a.jpg", "/caf%C3%A9/a.jpg", "/café/a", "/foo-$", "/foo-%24", "/foo-", "/%7Euser/a.jpg"),
    *("/~user/", "/x?u=https://a.b/c", "/x?u=https%3A%2F%2Fa.b%2Fc", "/art//a.jpg", "/a;b", "/[ab]/", "/a", "/b.jpg"),
    *("/art/*.jpg", "/a$b", "/art/?", "/index.html", "/" + "long/" * 61, "/robots.txt", "/news/2026/x.html", "/?q"),
)
_OTHER_RECORDS = (
    *("Sitemap: https://img.example/sitemap.xml", "Crawl-delay: 3", "Host: img.example", "Request-rate: 1/5"),
    *("Content-Signal: search=yes, ai-train=no", "Noindex: /art/", "Clean-param: w /art/", "foo: bar", "foo bar", ":"),
    *("<p>Disallow all of it: here</p>", "License: https://img.example/l.xml", "Unicorn: ✓"),
)
_DISALLOW = ("Disallow",) * 12 + ("disallow", "DISALLOW", "Dissallow", "Disalow", "Disallows", "Dis-allow")
_ALLOW = ("Allow",) * 8 + ("allow", "ALLOW", "Alow", "Allowed")
_SEPARATORS = (": ",) * 12 + (":", " : ", ":\t", " :", ":   ", " ")
_USER_AGENT = ("User-agent",) * 10 + ("User-Agent", "user-agent", "USER-AGENT", "Useragent", "User agent")


@dataclass(frozen=True, slots=True)
class RandomFile:
    """One file with the addresses to ask about."""

    body: bytes
    urls: tuple[str, ...]


def random_files(count: int, *, seed: int) -> Iterator[RandomFile]:
    """Make `count` files, each with six addresses; half of the files are tidy, so that the rules themselves are hit."""
    dice = random.Random(seed)
    for number in range(count):
        body = _tidy_file(dice) if number % 2 else _wild_file(dice)
        yield RandomFile(body, tuple(HOST + path for path in dice.sample(_PATHS, 6)))


def _tidy_file(dice: random.Random) -> bytes:
    """Groups as the standard writes them, in few shapes."""
    lines: list[str] = []
    for _ in range(dice.randint(1, 4)):
        agents = dice.sample(("*", AGENT, "OtherBot", "GPTBot", AGENT.upper()), dice.randint(1, 3))
        lines += [f"User-agent: {agent}" for agent in agents]
        for _ in range(dice.randint(1, 6)):
            lines.append(f"{dice.choice(('Allow', 'Disallow', 'Disallow'))}: {dice.choice(_PATTERNS)}")
        lines.append("")
    return "\n".join(lines).encode()


def _wild_file(dice: random.Random) -> bytes:
    """What strangers write."""
    lines: list[str] = []
    for _ in range(dice.randint(0, 5)):
        for _ in range(dice.choice((1, 1, 1, 2, 3))):
            lines.append(f"{dice.choice(_USER_AGENT)}{dice.choice(_SEPARATORS)}{dice.choice(_AGENTS)}")
            lines += [dice.choice(_OTHER_RECORDS)] if dice.random() < 0.15 else []
        for _ in range(dice.randint(0, 6)):
            name = dice.choice(_DISALLOW if dice.random() < 0.65 else _ALLOW)
            lines.append(f"{name}{dice.choice(_SEPARATORS)}{dice.choice(_PATTERNS)}")
            lines += [dice.choice(_OTHER_RECORDS)] if dice.random() < 0.15 else []
            lines += [dice.choice(("", "# a comment", "  ", "#"))] if dice.random() < 0.15 else []
    for place in range(len(lines)):
        if dice.random() < 0.06:
            lines[place] += dice.choice((" # note", "#note", "\t", "  "))
        elif dice.random() < 0.03:
            lines[place] = dice.choice(("\ufeff", " ", "\t", "\x0b", "\u00a0", "\x00")) + lines[place]
    ends = ("\n",) if dice.random() < 0.6 else dice.choice((("\r\n",), ("\r",), ("\n", "\r\n", "\r", "\n\n", "\u2028")))
    text = "".join(line + dice.choice(ends) for line in lines)
    if dice.random() < 0.15:
        text = "\ufeff" + text
    body = text.encode()
    return body.replace("é".encode(), b"\xe9") if dice.random() < 0.05 else body
