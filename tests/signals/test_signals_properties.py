"""Whatever strangers write: nothing raises, nothing unreadable permits, and Protego agrees where it follows the RFC."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st
from protego import Protego

from checker.model import Stance, Use
from checker.signals.paths import matched_octets, path_of
from checker.signals.preferences import read_content_signal, read_content_usage
from checker.signals.read import Evidence, RobotsFetch, read_findings, read_signals
from checker.signals.robots import parse_robots, read_access
from checker.signals.verdict import combine, with_doubt

NOW = datetime(2026, 11, 22, tzinfo=UTC)
URL = "https://img.example/art/a.jpg"

WORDS = st.sampled_from(
    [
        *("User-agent: ", "*", "ExampleBot", "GPTBot", "Disallow: ", "Allow: ", "/", "/art/", "/*.jpg$", "License: "),
        *("Content-Usage: ", "Content-Signal: ", "DisallowAITraining: ", "AllowAITraining: ", "train-ai", "bots"),
        *("search", "=", "y", "n", "yes", "no", ",", ";", ":", " ", "\n", "\r\n", "\t", "#", "\ufeff", "ai-train"),
        *("use=reference", "unavailable_after: ", "25 Jun 2010", "15:00:00", "noai", "none", "1", "0", '"n"', "?0"),
        *("(", ")", "@1", "%C3", "%2F", "é", "\x00", "[", "]", "{", "}", '"location"', '"tdm-reservation"'),
        *("<meta name=robots content=", "<meta name=tdm-reservation content=", ">", "<div>", "<!--", "\udce9"),
    ]
)
SOUP = st.one_of(st.lists(WORDS, max_size=40).map("".join), st.text(max_size=80))
BYTES = st.one_of(SOUP.map(lambda text: text.encode("utf-8", "replace")), st.binary(max_size=200))
FETCH = st.builds(
    RobotsFetch,
    status=st.one_of(st.none(), st.sampled_from([200, 200, 200, 204, 301, 403, 404, 429, 503])),
    body=BYTES,
    redirects=st.integers(0, 7),
    error=st.sampled_from([None, None, None, "timeout"]),
)
HEADERS = st.lists(
    st.tuples(
        st.sampled_from(
            ["Content-Usage", "content-signal", "X-Robots-Tag", "tdm-reservation", "tdm-policy", "Link", ""]
        ),
        SOUP,
    ),
    max_size=4,
).map(tuple)
EVIDENCE = st.builds(
    Evidence,
    url=st.one_of(st.just(URL), SOUP),
    robots=st.one_of(st.none(), FETCH),
    tdmrep=st.one_of(st.none(), FETCH),
    status=st.one_of(st.none(), st.sampled_from([200, 304, 402, 404])),
    headers=HEADERS,
    html=st.one_of(st.none(), BYTES),
    html_is_target=st.booleans(),
    page_headers=HEADERS,
)


@settings(max_examples=150, deadline=None)
@given(EVIDENCE)
def test_no_reader_raises_and_no_unreadable_finding_permits(evidence: Evidence) -> None:
    findings = read_findings(evidence, agent="ExampleBot", now=NOW)
    for finding in findings:
        doubtful = finding.malformed or finding.unreachable
        assert not (doubtful and Stance.ALLOW in (finding.crawl, *finding.uses.values()))
        finding.raw.encode("utf-8")
        finding.scope.encode("utf-8")
        assert len(finding.raw) <= 500
    verdict = with_doubt(combine(findings))
    assert set(verdict.uses) == set(Use)
    json.dumps(verdict.to_dict())
    for use, stance in verdict.uses.items():
        permitting = [f for f in findings if f.uses.get(use) is Stance.ALLOW]
        doubting = [f for f in findings if (f.malformed or f.unreachable) and (use in f.uses or not f.uses)]
        assert stance is not Stance.ALLOW or (permitting and not doubting)


@settings(max_examples=150, deadline=None)
@given(SOUP)
def test_values_of_the_shared_grammars_never_raise(text: str) -> None:
    assert Stance.ALLOW not in read_content_usage(text).uses.values() or "=y" in text
    assert Stance.ALLOW not in read_content_signal(text).uses.values() or "yes" in text.lower()


@settings(max_examples=100, deadline=None)
@given(EVIDENCE, st.sampled_from(["noai", "noindex", "none"]))
def test_a_further_refusal_never_makes_a_verdict_more_permissive(evidence: Evidence, word: str) -> None:
    stronger = Evidence(
        url=evidence.url, robots=evidence.robots, headers=(*evidence.headers, ("X-Robots-Tag", word)), status=200
    )  # fmt: skip
    weaker = Evidence(url=evidence.url, robots=evidence.robots, headers=evidence.headers, status=200)
    before = read_signals(weaker, agent="ExampleBot", now=NOW).uses
    after = read_signals(stronger, agent="ExampleBot", now=NOW).uses
    assert all(after[use] in (before[use], Stance.DENY) for use in Use)


PIECES = st.sampled_from(["/", "a", "b", "/art", ".jpg", "*", "?q=1", "caf%C3%A9", "%7E", "~", "-"])
PATTERNS = st.lists(PIECES, max_size=5).map(lambda pieces: "/" + "".join(pieces))
RULES = st.lists(st.tuples(st.sampled_from(["Allow", "Disallow"]), PATTERNS, st.sampled_from(["", "$"])), max_size=6)
PATHS = st.lists(PIECES.filter(lambda piece: piece != "*"), max_size=6).map(lambda pieces: "/" + "".join(pieces))


@settings(max_examples=300, deadline=None)
@given(RULES, PATHS)
def test_protego_agrees_on_plain_files_with_star_groups_only(rules: list[tuple[str, str, str]], path: str) -> None:
    body = "User-agent: *\n" + "".join(f"{name}: {pattern}{end}\n" for name, pattern, end in rules)
    url = f"https://img.example{path}"
    ours = read_access(parse_robots(body.encode()), url, agent="ExampleBot").crawl is Stance.ALLOW
    assert ours == Protego.parse(body).can_fetch(url, "ExampleBot"), body


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="ab*/$", max_size=8), st.text(alphabet="ab/", max_size=10))
def test_matching_agrees_with_a_plain_recursive_reading(pattern: str, path: str) -> None:
    pattern, path = "/" + pattern, "/" + path

    def matches(p: str, s: str) -> bool:
        if not p:
            return True
        if p == "$":
            return not s
        if p[0] == "*":
            return any(matches(p[1:], s[i:]) for i in range(len(s) + 1))
        return bool(s) and p[0] == s[0] and matches(p[1:], s[1:])

    if "$" in pattern[:-1]:
        assert matched_octets(pattern, path) is None  # a "$" in the middle is a character that no such path has
    else:
        assert (matched_octets(pattern, path) is not None) == matches(pattern, path)


def test_a_pattern_full_of_stars_is_matched_in_a_moment() -> None:
    path = path_of("https://img.example/" + "a" * 8_000)
    started = time.process_time()
    assert matched_octets("/" + "*a" * 2_000 + "b", path) is None
    assert time.process_time() - started < 1.0


def test_the_largest_robots_txt_is_read_in_a_moment() -> None:
    body = b"User-agent: *\n" + b"Disallow: /*a*b\n" * 40_000
    started = time.process_time()
    verdict = read_signals(Evidence(URL, robots=RobotsFetch(200, body)), agent="X", now=NOW)
    assert verdict.crawl is Stance.ALLOW
    assert time.process_time() - started < 5.0
