"""A robots.txt that is read twice, to the letter and as it was meant: what either reading refuses is refused."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checker.model import Stance, Use
from checker.signals.preferences import read_robots_preferences
from checker.signals.robots import RobotsFile, parse_robots, read_access
from checker.signals.statements import without_permissions

AGENT = "ExampleBot"
URL = "https://img.example/art/a.jpg"
REFUSAL = "User-agent: *\nDisallow: /art/\n"


def allowed(robots: RobotsFile, url: str = URL) -> bool:
    return read_access(robots, url, agent=AGENT).crawl is Stance.ALLOW


@pytest.mark.parametrize(
    "body",
    [
        b"User-agent: *\nDisallow: /\n",
        b"# user agents that we do not like\nUser-agent: ExampleBot/2.1 # ours\r\nDisallow:\r\n",
        b"\xef\xbb\xbfUser-agent: *\n\xef\xbb\xbfUser-agent: b\nContent-Signal: ai-train=no # please\nAllow: /\n",
        b"User-agent: Go!Zilla\nUser-agent: (something)\nContent-Usage: /a train-ai=n\nDisallowAITraining: /\n",
        b"<html><p>user agent strings are content-type</html>",
        b"",
    ],
)
def test_a_file_that_says_what_it_means_is_read_once(body: bytes) -> None:
    assert parse_robots(body).meant is None


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_refusal_counts_in_whatever_unicode_it_was_saved(encoding: str, end: str) -> None:
    robots = parse_robots(REFUSAL.replace("\n", end).encode(encoding))
    assert not allowed(robots)
    assert allowed(robots, "https://img.example/b")


def test_a_permission_in_utf_16_lifts_nothing() -> None:
    said = "User-agent: *\nContent-Signal: ai-train=yes, search=no\nAllow: /\n".encode("utf-16")
    findings = read_robots_preferences(parse_robots(said), URL, agent=AGENT, infer_ai_tokens=True)
    assert [dict(finding.uses) for finding in findings] == [{"search": Stance.DENY}]


def test_the_line_of_a_refusal_is_told_as_it_stands_in_the_file() -> None:
    finding = read_access(parse_robots(b"\n# all\nUser agent: *\n\nDisallow: /art/\n"), URL, agent=AGENT)
    assert (finding.place, finding.raw, finding.scope) == ("robots.txt line 5", "Disallow: /art/", "/art/")


def test_a_crawler_named_in_a_list_or_without_a_colon_refuses_training_as_well() -> None:
    for line in (
        "User-agent: OtherBot, GPTBot",
        "User-agent GPTBot",
        "useragent: GPTBot/1.0",
        "\u200bUser-agent: gptbot",
    ):
        robots = parse_robots(f"{line}\nDisallow: /\n".encode())
        (finding,) = read_robots_preferences(robots, URL, agent=AGENT, infer_ai_tokens=True)
        assert (finding.signal, finding.inferred, finding.uses[Use.TRAIN_AI]) == (
            "ai-crawler-tokens",
            True,
            Stance.DENY,
        )


def test_a_line_that_both_readings_know_gives_one_finding() -> None:
    robots = parse_robots(b"Content-Signal: search=yes, ai-train=no\nUser-agent *\nAllow: /\n")
    assert robots.meant is not None
    assert len(read_robots_preferences(robots, URL, agent=AGENT, infer_ai_tokens=True)) == 1


HOSTILE = {
    "two megabytes in one line": b"User-agent: *\nDisallow: /" + b"a" * 2_000_000,
    "a hundred thousand groups": b"User-agent: a\nDisallow: /\n" * 100_000,
    "a hundred thousand agents without a colon": b"".join(b"user agent a%d\n" % n for n in range(100_000)),
    "agents in a list": b"User-agent: a" + b",b" * 250_000 + b"\nDisallow: /\n",
    "blanks and commas": b"User-agent:" + b" ,\xa0" * 150_000,
    "zeros": b"\0" * 2_000_000,
    "carriage returns": b"\r" * 2_000_000,
    "form feeds": b"User-agent:\x0c*" + b"\x0c" * 2_000_000,
    "what is not seen": b"user-agent" + b"\x80" * 500_000 + b"a b\n",
    "a refusal that never begins": b"User-agent: *\nDisallow" + b"\xa0" * 500_000 + b"x\n",
    "a word that never ends": b"user agent " + b"a" * 500_000 + b" b\n",
    "stars": b"User-agent: *\n" + b"Disallow: /*a*b*c*d$\n" * 20_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_read_in_bounded_time(name: str) -> None:
    started = time.process_time()
    robots = parse_robots(HOSTILE[name])
    allowed(robots, "https://img.example/" + "abc" * 500)
    read_robots_preferences(robots, URL, agent=AGENT, infer_ai_tokens=True)
    # A tenth to three tenths of a second here; what is squared in the length of a line would take minutes.
    assert time.process_time() - started < 3


_WORDS = st.sampled_from(
    [
        *("User-agent: *", "User-agent: ExampleBot", "User-agent: GPTBot", "User-agent ExampleBot", "useragent: *"),
        *(
            "User-agent: b, ExampleBot",
            "\ufeffUser-agent: *",
            "\u00a0User-agent: *",
            "User-agent: *\u00a0",
            "user agent",
        ),
        *(
            "Disallow: /",
            "Disallow: /art/",
            "Disallow /art/a",
            "\u00a0Disallow: /a",
            "Disallow",
            "Allow: /art/",
            "Allow /",
        ),
        *("Allow: /", "Content-Signal: ai-train=no", "Content-Signal search=yes", "Content-Usage: train-ai=y", "\0"),
        *("Content-Usage: /art train-ai=n", "DisallowAITraining: /", "Crawl-delay: 3", "# user-agent", ""),
    ]
)
_FILES = st.lists(_WORDS, max_size=14).map("\n".join)


@given(_FILES, st.sampled_from(["utf-8", "utf-16", "utf-8-sig"]))
def test_the_second_reading_refuses_and_never_permits(text: str, encoding: str) -> None:
    robots = parse_robots(text.encode(encoding))
    letter = RobotsFile(robots.groups, robots.outside)
    assert allowed(letter) or not allowed(robots)
    if robots.meant is not None:
        assert allowed(robots) == (allowed(letter) and allowed(robots.meant))
    by_letter = read_robots_preferences(letter, URL, agent=AGENT, infer_ai_tokens=True)
    both = read_robots_preferences(robots, URL, agent=AGENT, infer_ai_tokens=True)
    assert both[: len(by_letter)] == by_letter
    assert tuple(without_permissions(both[len(by_letter) :])) == both[len(by_letter) :]


@given(_FILES, st.binary(max_size=60))
def test_lines_that_are_no_records_of_the_agent_change_nothing(text: str, junk: bytes) -> None:
    body = text.encode()
    after = body + b"\nUser-agent: SomebodyElse\n# " + junk.replace(b"\n", b"").replace(b"\r", b"").replace(b"\0", b"")
    assert parse_robots(after).records_for(AGENT) == parse_robots(body).records_for(AGENT)
