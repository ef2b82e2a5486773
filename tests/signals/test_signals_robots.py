"""robots.txt: RFC 9309 clause by clause, then our own choices, which are told apart by their names."""

from __future__ import annotations

import pytest

from checker.model import Stance
from checker.signals.read import RobotsFetch, crawl_stance
from checker.signals.robots import parse_robots, read_access

HOST = "https://img.example"


def allowed(body: str | bytes, path: str, agent: str = "ExampleBot") -> bool:
    content = body if isinstance(body, bytes) else body.encode()
    return read_access(parse_robots(content), HOST + path, agent=agent).crawl is Stance.ALLOW


RFC_SIMPLE = """\
User-Agent: *
Disallow: *.gif$
Disallow: /example/
Allow: /publications/

User-Agent: foobot
Disallow:/
Allow:/example/page.html
Allow:/example/allowed.gif

User-Agent: barbot
User-Agent: bazbot
Disallow: /example/page.html

User-Agent: quxbot
"""


@pytest.mark.parametrize(
    ("agent", "path", "expected"),
    [
        ("otherbot", "/pictures/a.gif", False),
        ("otherbot", "/example/page.html", False),
        ("otherbot", "/publications/a.html", True),
        ("otherbot", "/", True),
        ("foobot", "/anything", False),
        ("foobot", "/example/page.html", True),
        ("foobot", "/example/allowed.gif", True),
        ("barbot", "/example/page.html", False),
        ("bazbot", "/example/page.html", False),
        ("bazbot", "/example/a.gif", True),
        ("quxbot", "/example/page.html", True),
    ],
)
def test_rfc9309_5_1_simple_example(agent: str, path: str, expected: bool) -> None:
    assert allowed(RFC_SIMPLE, path, agent) is expected


def test_rfc9309_5_2_longest_match_example() -> None:
    body = "User-Agent: foobot\nAllow: /example/page/\nDisallow: /example/page/disallowed.gif\n"
    assert not allowed(body, "/example/page/disallowed.gif", "foobot")
    assert allowed(body, "/example/page/other.gif", "foobot")


def test_rfc9309_2_2_1_groups_for_one_token_are_combined() -> None:
    body = "user-agent: ExampleBot\ndisallow: /foo\ndisallow: /bar\n\nuser-agent: ExampleBot\ndisallow: /baz\n"
    assert [allowed(body, path) for path in ("/foo", "/bar", "/baz", "/qux")] == [False, False, False, True]


def test_rfc9309_2_2_1_the_star_group_is_used_only_without_an_own_group() -> None:
    body = "user-agent: *\ndisallow: /foo\n\nuser-agent: BazBot\ndisallow: /baz\n"
    assert not allowed(body, "/foo", "ExampleBot")
    assert allowed(body, "/baz", "ExampleBot")
    assert allowed(body, "/foo", "BazBot")


def test_rfc9309_2_2_1_no_group_at_all_means_no_rules() -> None:
    assert allowed("user-agent: foobot\ndisallow: /\n", "/x")


def test_rfc9309_2_2_rules_before_the_first_group_are_ignored() -> None:
    assert allowed("Disallow: /\nUser-agent: foobot\nDisallow: /\n", "/x")


def test_rfc9309_2_2_2_no_match_means_allowed_and_robots_txt_always_is() -> None:
    assert allowed("User-agent: *\nDisallow: /a\n", "/b")
    assert allowed("User-agent: *\nDisallow: /\n", "/robots.txt")
    assert not allowed("User-agent: *\nDisallow: /\n", "/robots.txt.bak")


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("/foo/bar?baz=quz", "/foo/bar?baz=quz"),
        ("/foo/bar?baz=https://foo.bar", "/foo/bar?baz=https%3A%2F%2Ffoo.bar"),
        ("/foo/bar?baz=https%3A%2F%2Ffoo.bar", "/foo/bar?baz=https://foo.bar"),
        ("/foo/bar/ツ", "/foo/bar/%E3%83%84"),
        ("/foo/bar/%E3%83%84", "/foo/bar/ツ"),
        ("/foo/bar/%62%61%7A", "/foo/bar/baz"),
        ("/foo/bar/baz", "/foo/bar/%62%61%7a"),
        ("/path/file-with-a-%2A.html", "/path/file-with-a-*.html"),
        ("/path/foo-%24", "/path/foo-$"),
        ("/this/path/exactly$", "/this/path/exactly"),
        ("/this/*/exactly", "/this/or/that/exactly"),
        ("/caf%c3%a9", "/caf%C3%A9"),
    ],
)
def test_rfc9309_2_2_2_and_2_2_3_patterns_that_match(pattern: str, path: str) -> None:
    assert not allowed(f"User-agent: *\nDisallow: {pattern}\n", path)


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("/this/path/exactly$", "/this/path/exactly/not"),
        ("/path/file-with-a-%2A.html", "/path/file-with-a-b.html"),
        ("/a%2Fb", "/a/b"),
        ("/x/", "/X/"),
        ("/x/", "/x"),
        ("/*.php$", "/filename.php?parameters"),
        ("/fish*.php", "/Fish.PHP"),
        ("/a*bc*c$", "/abc"),
        ("/a$b", "/a"),
        ("fish", "/fish"),
        ("$", "/"),
    ],
)
def test_patterns_that_do_not_match(pattern: str, path: str) -> None:
    assert allowed(f"User-agent: *\nDisallow: {pattern}\n", path)


@pytest.mark.parametrize(("path", "expected"), [("/", True), ("/page.html", False)])
def test_an_anchored_root_is_only_the_root(path: str, expected: bool) -> None:
    assert allowed("user-agent: *\nallow: /$\ndisallow: /\n", path) is expected


def test_the_fragment_of_an_address_plays_no_part_and_its_query_does() -> None:
    assert allowed("User-agent: *\nDisallow: /*secret\n", "/a#secret")
    assert not allowed("User-agent: *\nDisallow: /*secret\n", "/a?secret")


def test_an_address_without_a_path_is_the_root() -> None:
    robots = parse_robots(b"User-agent: *\nDisallow: /?\n")
    assert read_access(robots, "https://img.example?x", agent="A").crawl is Stance.DENY
    assert read_access(robots, "https://img.example", agent="A").crawl is Stance.ALLOW


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_line_end_counts_one_line(end: str) -> None:
    body = end.join(["User-agent: *", "", "", "Disallow: /x"]).encode()
    finding = read_access(parse_robots(body), HOST + "/x", agent="A")
    assert (finding.crawl, finding.place, finding.raw) == (Stance.DENY, "robots.txt line 4", "Disallow: /x")


def test_a_user_agent_list_goes_on_over_blank_lines_and_other_records() -> None:
    body = "User-agent: a\n\nSitemap: https://img.example/s.xml\nfoo: bar\nUser-agent: b\nDisallow: /\n"
    assert not allowed(body, "/x", "a")
    assert not allowed(body, "/x", "b")


def test_a_byte_order_mark_in_mid_file_is_skipped_our_choice() -> None:
    assert not allowed(b"Sitemap: /s\n\xef\xbb\xbfUser-agent: *\nDisallow: /\n", "/x")


@pytest.mark.parametrize(
    "line",
    ["Disallow /x", "disallow\t/x", "Dissallow: /x", "dissalow: /x", "Disalow: /x", "diasllow: /x", "disallaw : /x"],
)
def test_a_refusal_may_be_misspelled_our_choice(line: str) -> None:
    assert not allowed(f"User-agent: *\n{line}\n", "/x")


@pytest.mark.parametrize("line", ["Allow /x/y", "Alow: /x/y", "Allowed: /x/y"])
def test_a_permission_may_not_be_misspelled_our_choice(line: str) -> None:
    assert not allowed(f"User-agent: *\nDisallow: /x\n{line}\n", "/x/y")


def test_a_colon_in_the_path_of_a_line_without_colon_is_kept() -> None:
    assert not allowed("User-agent: *\nDisallow /a:b\n", "/a:b")
    assert allowed("User-agent: *\nDisallow /a:b\n", "/a")


@pytest.mark.parametrize(
    ("value", "named"),
    [
        ("ExampleBot/2.1", True),
        ("examplebot (+https://example.org)", True),
        ("ExampleBot*", True),
        ("Example", False),
        ("ExampleBotNews", False),
        ("*Bot", False),
        ("* ExampleBot", False),
        ("", False),
    ],
)
def test_which_user_agent_values_name_us_our_choice(value: str, named: bool) -> None:
    assert allowed(f"User-agent: {value}\nDisallow: /\n", "/x") is not named


def test_bytes_that_are_no_utf8_are_compared_as_bytes() -> None:
    assert not allowed(b"User-agent: *\nDisallow: /caf\xe9\n", "/caf%E9")


def test_only_the_first_512000_bytes_count_and_a_cut_line_does_not() -> None:
    head = b"User-agent: *\nDisallow: /\n"
    padding = b"#" * (512_000 - len(head) - len("\nAllow: /")) + b"\nAllow: /"
    assert not allowed(head + padding + b"public/\n", "/x")
    assert not allowed(head + b"#" * 512_000 + b"\nAllow: /\n", "/x")


def test_a_web_page_instead_of_the_file_allows_everything() -> None:
    assert allowed("<!doctype html>\n<p>Disallow all: see below</p>\n", "/x")


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("Crawl-delay: 3", 3.0),
        ("crawl-delay: 0.5", 0.5),
        ("Crawl-delay: 2\nCrawl-delay: 10", 10.0),
        ("Crawl-delay: 2\nCrawl-delay: 301", 2.0),
        ("Crawl-delay: 300", 300.0),
        ("Crawl-delay: 0", None),
        ("Crawl-delay: -1", None),
        ("Crawl-delay: 1e2", None),
        ("Crawl-delay: ٣", None),
        ("Crawl-delay: soon", None),
    ],
)
def test_crawl_delay_is_the_largest_sane_number(lines: str, expected: float | None) -> None:
    assert parse_robots(f"User-agent: *\n{lines}\nDisallow:\n".encode()).crawl_delay_s("ExampleBot") == expected


def test_crawl_delay_comes_from_the_selected_group() -> None:
    robots = parse_robots(b"User-agent: *\nCrawl-delay: 9\nDisallow: /x\n\nUser-agent: ExampleBot\nDisallow: /y\n")
    assert robots.crawl_delay_s("ExampleBot") is None
    assert robots.crawl_delay_s("OtherBot") == 9.0


def test_sitemaps_are_found_inside_and_outside_of_groups() -> None:
    robots = parse_robots(
        b"Sitemap: https://a.example/1.xml\nUser-agent: x\nDisallow: /\nsitemap: https://a.example/2.xml"
    )
    assert robots.sitemaps == ("https://a.example/1.xml", "https://a.example/2.xml")


@pytest.mark.parametrize(
    ("fetch", "crawl", "unreachable"),
    [
        (RobotsFetch(status=200, body=b""), Stance.ALLOW, False),
        (RobotsFetch(status=204), Stance.ALLOW, False),
        (RobotsFetch(status=404), Stance.ALLOW, False),
        (RobotsFetch(status=410), Stance.ALLOW, False),
        (RobotsFetch(status=401), Stance.DENY, True),
        (RobotsFetch(status=403), Stance.DENY, True),
        (RobotsFetch(status=429), Stance.DENY, True),
        (RobotsFetch(status=500), Stance.DENY, True),
        (RobotsFetch(status=304), Stance.DENY, True),
        (RobotsFetch(status=None, error="connection"), Stance.DENY, True),
        (RobotsFetch(status=200, body=b"", error="timeout"), Stance.DENY, True),
        (RobotsFetch(status=200, redirects=5), Stance.ALLOW, False),
        (RobotsFetch(status=200, redirects=6), Stance.DENY, True),
    ],
)
def test_rfc9309_2_3_1_outcomes_of_fetching(fetch: RobotsFetch, crawl: Stance, unreachable: bool) -> None:
    finding = crawl_stance(fetch, HOST + "/x", agent="ExampleBot")
    assert (finding.crawl, finding.unreachable, dict(finding.uses)) == (crawl, unreachable, {})
