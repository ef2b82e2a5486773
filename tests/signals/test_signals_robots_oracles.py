"""Our robots.txt parser beside three others: Protego, robotspy, and what google/robotstxt says of itself.

Differences are wanted only where they have a name (docs/robots.md): an unexplained one fails here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from protego import Protego
from robots import RobotsParser
from robots_classes import CLASSES, Question, classes_of, plain, question
from robots_files import AGENT, HOST, random_files

from checker.model import Stance
from checker.signals.paths import path_of
from checker.signals.robots import parse_robots, read_access

FILES = 1500
SEED = 9309
DOCUMENT = (Path(__file__).parents[2] / "docs" / "robots.md").read_text()


def ours(body: bytes, url: str, agent: str = AGENT) -> bool:
    return read_access(parse_robots(body), url, agent=agent).crawl is Stance.ALLOW


def protego(body: bytes, url: str) -> bool:
    return Protego.parse(body.decode("utf-8", "replace")).can_fetch(url, AGENT)


def robotspy(body: bytes, url: str) -> bool:
    allowed: bool = RobotsParser.from_string(body.decode("utf-8", "replace")).can_fetch(AGENT, url)
    return allowed


PEERS: dict[str, Callable[[bytes, str], bool]] = {"protego": protego, "robotspy": robotspy}


def agree(peer: Callable[[bytes, str], bool], asked: Question) -> bool:
    return ours(asked.body, asked.url) == peer(asked.body, asked.url)


@pytest.mark.parametrize("peer", PEERS)
def test_every_difference_on_1500_random_files_has_a_name(peer: str) -> None:
    same = partial(agree, PEERS[peer])
    seen: Counter[str] = Counter()
    for file in random_files(FILES, seed=SEED):
        for url in file.urls:
            asked = question(file.body, url)
            if not same(asked):
                names = classes_of(asked, same)
                assert names is not None, f"{peer} and we differ without a reason on {file.body!r} for {url}"
                seen.update(names)
    # Protego reads most like us; robotspy mixes up the agents of groups, in an order that changes from run to run.
    assert 100 < seen.total() < 1200
    assert seen["agent values"] > 10
    assert seen["groups"] > 10


@pytest.mark.parametrize("peer", PEERS)
def test_without_the_features_of_all_classes_the_parsers_agree(peer: str) -> None:
    for file in random_files(FILES, seed=SEED + 1):
        for url in file.urls:
            asked = plain(question(file.body, url), CLASSES)
            assert agree(PEERS[peer], asked), f"{asked.body!r} for {asked.url}"


EXAMPLES = {
    # class: (file, path, ours, protego, robotspy); None: it changes from run to run
    "line ends": (b"User-agent: *\rDisallow: /\r", "/a", False, False, True),
    "byte order mark": (b"\xef\xbb\xbfUser-agent: *\nDisallow: /\n", "/a", False, True, True),
    "odd blanks": (b"User-agent: *\nDisallow: /a\n\xc2\xa0Allow: /a/b\n", "/a/b", False, True, True),
    "misspelled refusal": (b"User-agent: *\nDissallow: /\n", "/a", False, False, True),
    "agent lines": (
        b"User-agent: *\nDisallow: /a\n\nUser agent: ExampleBot\nDisallow: /b\n",
        "/a", False, True, False,
    ),
    "other records": (
        b"User-agent: ExampleBot\nCrawl-delay: 3\nUser-agent: B\nDisallow: /\n",
        "/a", False, True, False,
    ),
    "agent values": (b"User-agent: Example\nDisallow: /\n", "/a", True, False, True),
    "groups": (
        b"User-agent: B\nDisallow: /a\n\nUser-agent: ExampleBot\nUser-agent: B\nDisallow: /y\n",
        "/a", True, True, None,
    ),
    "wildcards": (b"User-agent: *\nDisallow: /[ab]/*.jpg\n", "/a/b.jpg", True, True, False),
    "end anchor": (b"User-agent: *\nDisallow: /art$\n", "/art$", True, False, False),
    "escapes": (b"User-agent: *\nDisallow: /a/b\n", "/a%2Fb", True, True, False),
    "double slashes": (b"User-agent: *\nDisallow: /a//b\n", "/a//b", False, False, True),
    "index.html": (b"User-agent: *\nDisallow: /a/\nAllow: /a/index.html\n", "/a/", False, True, False),
    "robots.txt itself": (b"User-agent: *\nDisallow: /\n", "/robots.txt", True, True, False),
}  # fmt: skip


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_example_of_a_class(name: str) -> None:
    body, path, *expected = EXAMPLES[name]
    found = [ours(body, HOST + path), protego(body, HOST + path), robotspy(body, HOST + path)]
    assert [answer if wanted is not None else None for answer, wanted in zip(found, expected, strict=True)] == expected


def test_the_document_tells_of_every_class() -> None:
    assert set(EXAMPLES) == set(CLASSES)
    assert [name for name in CLASSES if f"| {name} |" not in DOCUMENT] == []


# google/robotstxt, robots_test.cc of 2026: what it answers, by the clause of RFC 9309 that its test names. The last
# column names our difference; empty: the same answer.
BAR = b"user-agent: FooBot\ndisallow: /\n"
GROUPS = (
    b"allow: /foo/bar/\n\nuser-agent: FooBot\ndisallow: /\nallow: /x/\nuser-agent: BarBot\ndisallow: /\nallow: /y/\n"
    b"\n\nallow: /w/\nuser-agent: BazBot\n\nuser-agent: FooBot\nallow: /z/\ndisallow: /\n"
)
SITEMAP = b"User-agent: BarBot\nSitemap: https://foo.bar/sitemap\nUser-agent: *\nDisallow: /\n"
UNKNOWN = b"User-agent: FooBot\nInvalid-Unknown-Line: unknown\nUser-agent: *\nDisallow: /\n"
UPPER = b"USER-AGENT: FooBot\nALLOW: /x/\nDISALLOW: /\n"
CASES = (UPPER, b"user-agent: FooBot\nallow: /x/\ndisallow: /\n", b"uSeR-aGeNt: FooBot\nAlLoW: /x/\ndIsAlLoW: /\n")
SPACE = b"User-Agent: *\nDisallow: /\nUser-Agent: Foo Bar\nAllow: /x/\nDisallow: /\n"
GLOBAL = b"user-agent: *\nallow: /\nuser-agent: FooBot\ndisallow: /\n"
ONLY = b"user-agent: FooBot\nallow: /\nuser-agent: BarBot\ndisallow: /\nuser-agent: BazBot\ndisallow: /\n"
INDEX = b"User-Agent: *\nAllow: /allowed-slash/index.html\nDisallow: /\n"
LONG = "/x/" + "a" * (2083 * 8 - len("/x/") - len("disallow: ") + 1)


def rules(*lines: str) -> bytes:
    return "\n".join(["user-agent: FooBot", *lines, ""]).encode()


GOOGLE = [
    ("2.1", BAR, "FooBot", "/x/y", False, ""),
    ("2.1", b"foo: FooBot\nbar: /\n", "FooBot", "/x/y", True, ""),
    ("2.1", b"user-agent FooBot\ndisallow /\n", "FooBot", "/x/y", False, ""),
    ("2.1", b"user-agent: *\ndisallow: /x\nuser-agent FooBot\ndisallow: /y\n", "FooBot", "/x/y", True, "agent lines"),
    ("2.1", b"user-agent: *\ndisallow: /\nallow /x/\n", "FooBot", "/x/y", True, "permissions without a colon"),
    ("2.1", b"user-agent: *\ndisallow-all: /\n", "FooBot", "/x/y", False, "beginnings of names"),
    ("2.2.1", b"user-agent: * everybody\ndisallow: /\n", "FooBot", "/x/y", False, "agent values"),
    ("2.2.1", b"user-agent: Foo42Bot\ndisallow: /\n", "Foo", "/x/y", False, "agent values"),
    ("2.2.1", b"user-agent: Foo42Bot\ndisallow: /\n", "Foo42Bot", "/x/y", True, "agent values"),
    *(("2.1", GROUPS, "FooBot", path, True, "") for path in ("/x/b", "/z/d")),
    *(("2.1", GROUPS, agent, "/foo/bar/", False, "") for agent in ("FooBot", "BarBot", "BazBot")),
    *(("2.1", GROUPS, "BarBot", path, True, "") for path in ("/y/c", "/w/a")),
    ("2.1", GROUPS, "BarBot", "/z/d", False, ""),
    ("2.1", GROUPS, "FooBot", "/y/c", False, ""),
    ("2.1", GROUPS, "BazBot", "/z/d", True, ""),
    *(("2.1", body, agent, "/", False, "") for body in (SITEMAP, UNKNOWN) for agent in ("FooBot", "BarBot")),
    *(("2.1", case, "FooBot", "/x/y", True, "") for case in CASES),
    *(("2.1", case, "FooBot", "/a/b", False, "") for case in CASES),
    ("2.2.1", SPACE, "Foo", "/x/y", True, ""),
    ("2.2.1", SPACE, "foo", "/a/b", False, ""),
    ("2.2.1", SPACE, "Foo Bar", "/x/y", False, ""),
    ("2.2.1", b"", "FooBot", "/x/y", True, ""),
    ("2.2.1", GLOBAL, "FooBot", "/x/y", False, ""),
    ("2.2.1", GLOBAL, "BarBot", "/x/y", True, ""),
    ("2.2.1", ONLY, "QuxBot", "/x/y", True, ""),
    ("2.2.1", b"User-agent: *\nDisallow: /x/\nUser-agent: FooBot\nDisallow: /y/\n", "FooBot", "/x/page", True, ""),
    ("2.2.2", rules("disallow: /x/"), "FooBot", "/x/y", False, ""),
    ("2.2.2", rules("disallow: /X/"), "FooBot", "/x/y", True, ""),
    ("2.2.2", rules("disallow: /x/page.html", "allow: /x/"), "FooBot", "/x/page.html", False, ""),
    ("2.2.2", rules("allow: /x/page.html", "disallow: /x/"), "FooBot", "/x/page.html", True, ""),
    ("2.2.2", rules("allow: /x/page.html", "disallow: /x/"), "FooBot", "/x/", False, ""),
    ("2.2.2", rules("disallow: ", "allow: "), "FooBot", "/x/page.html", True, ""),
    ("2.2.2", rules("disallow: /", "allow: /"), "FooBot", "/x/page.html", True, ""),
    ("2.2.2", rules("disallow: /x", "allow: /x/"), "FooBot", "/x", False, ""),
    ("2.2.2", rules("disallow: /x", "allow: /x/"), "FooBot", "/x/", True, ""),
    ("2.2.2", rules("allow: /page", "disallow: /*.html"), "FooBot", "/page.html", False, ""),
    ("2.2.2", rules("allow: /x/page.", "disallow: /*.html"), "FooBot", "/x/page.html", True, ""),
    ("2.2.2", rules("disallow: /", "allow: /foo/bar?qux=taz&baz=http://foo.bar?tar&par"), "FooBot",
     "/foo/bar?qux=taz&baz=http://foo.bar?tar&par", True, ""),
    ("2.2.2", rules("disallow: /", "allow: /foo/bar/ツ"), "FooBot", "/foo/bar/%E3%83%84", True, ""),
    ("2.2.2", rules("disallow: /", "allow: /foo/bar/ツ"), "FooBot", "/foo/bar/ツ", False, "escapes"),
    ("2.2.2", rules("disallow: /", "allow: /foo/bar/%62%61%7A"), "FooBot", "/foo/bar/%62%61%7A", True, ""),
    ("2.2.2", rules("disallow: /", "allow: /foo/bar/%62%61%7A"), "FooBot", "/foo/bar/baz", False, "escapes"),
    ("2.2.3", rules("disallow: /foo/bar/quz", "allow: /foo/*/qux"), "FooBot", "/foo/bar/quz", False, ""),
    ("2.2.3", rules("disallow: /foo/bar$", "allow: /foo/bar/qux"), "FooBot", "/foo/bar", False, ""),
    ("2.2.3", rules("disallow: /foo/bar$", "allow: /foo/bar/qux"), "FooBot", "/foo/bar/", True, ""),
    ("2.2.3", rules("# disallow: /", "disallow: /foo/quz#qux", "allow: /"), "FooBot", "/foo/bar", True, ""),
    ("2.2.3", rules("# disallow: /", "disallow: /foo/quz#qux", "allow: /"), "FooBot", "/foo/quz", False, ""),
    ("its own", rules("disallow: /", "allow: /fish"), "FooBot", "/fish.html?id=anything", True, ""),
    ("its own", rules("disallow: /", "allow: /fish*"), "FooBot", "/fish.html?id=anything", True, ""),
    ("its own", rules("disallow: /", "allow: /fish"), "FooBot", "/?id=fish", False, ""),
    ("its own", rules("disallow: /", "allow: /fish/"), "FooBot", "/?id=fish", False, ""),
    ("its own", rules("disallow: /", "allow: /fish/"), "FooBot", "/fish", False, ""),
    ("its own", rules("disallow: /", "allow: /*.php"), "FooBot", "//folder/any.php.file.html", True, ""),
    ("its own", rules("disallow: /", "allow: /*.php"), "FooBot", "/index?f=filename.php/", True, ""),
    ("its own", rules("disallow: /", "allow: /*.php$"), "FooBot", "/filename.php5", False, ""),
    ("its own", rules("disallow: /", "allow: /fish*.php"), "FooBot", "/fishheads/catfish.php?parameters", True, ""),
    ("its own", rules("allow: /$", "disallow: /"), "FooBot", "/page.html", False, ""),
    ("its own", INDEX, "foobot", "/allowed-slash/", True, "index.html"),
    ("its own", INDEX, "foobot", "/allowed-slash/index.htm", False, ""),
    ("its own", INDEX, "foobot", "/allowed-slash/index.html", True, ""),
    ("its own", rules(f"disallow: {LONG}/qux"), "FooBot", "/fux", True, ""),
    ("its own", rules(f"disallow: {LONG}/qux"), "FooBot", f"{LONG}/fux", False, "long lines"),
    ("its own", b"\xef\xbb\xbf" + BAR, "FooBot", "/", False, ""),
    ("its own", b"\xef\xbb" + BAR, "FooBot", "/", False, ""),
    ("its own", b"\xef" + BAR, "FooBot", "/", False, ""),
    ("its own", b"\xef\x11\xbf" + BAR, "FooBot", "/", True, "byte order mark"),
    ("its own", b"User-agent: FooBot\n\xef\xbb\xbfDisallow: /\n", "FooBot", "/", True, "byte order mark"),
]  # fmt: skip


@pytest.mark.parametrize(("clause", "body", "agent", "path", "google", "difference"), GOOGLE)
def test_what_google_answers(clause: str, body: bytes, agent: str, path: str, google: bool, difference: str) -> None:
    assert ours(body, "http://foo.bar" + path, agent) == (google if not difference else not google), clause
    assert not difference or f"| {difference} |" in DOCUMENT


@pytest.mark.parametrize("ends", [("\n",) * 5, ("\r\n",) * 5, ("\r",) * 5, ("\n", "\r\n", "\n", "\r\n", "\n")])
def test_google_and_we_count_the_same_lines(ends: tuple[str, ...]) -> None:
    lines = ["User-Agent: foo", "Allow: /some/path", "User-Agent: bar", "", "", "Disallow: /"]
    body = "".join(line + end for line, end in zip(lines, (*ends, ""), strict=True)).encode()
    groups = parse_robots(body).groups
    assert [(record.name, record.line) for group in groups for record in group.records] == [
        ("allow", 2),
        ("disallow", 6),
    ]
    assert [group.first_line for group in groups] == [1, 3]


@pytest.mark.parametrize(
    ("address", "path"),
    [
        ("", "/"),
        ("http://www.example.com", "/"),
        ("http://www.example.com/a/b?c=http://d.e/", "/a/b?c=http://d.e/"),
        ("http://www.example.com/a/b?c=d&e=f#fragment", "/a/b?c=d&e=f"),
        ("example.com/a/", "/a/"),
        ("a/b", "/b"),
        ("example.com?a", "/?a"),
        ("example.com/a;b#c", "/a;b"),
    ],
)
def test_google_and_we_find_the_same_path_in_an_address(address: str, path: str) -> None:
    assert path_of(address) == path
