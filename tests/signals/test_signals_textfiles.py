"""ai.txt and trust.txt: what their texts say, then our own choices."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checker.model import Finding, Stance, Use
from checker.signals.textfiles import FILE_BYTES_MAX, TextFile, read_ai_txt, read_trust_txt
from checker.signals.verdict import combine, with_doubt

URL = "https://img.example/art/a.jpg"
GENERATED = b"User-Agent: *\nDisallow: *.jpg\nDisallow: *.png\nAllow: *.txt\n"
SAID = {"deny": ("deny", False, "deny"), "allow": ("allow", False, "allow")}
NOTHING = ("unspecified", False, "unspecified")
DOUBT = ("unspecified", True, "unknown")


def training(findings: tuple[Finding, ...]) -> tuple[str, bool, str]:
    """The stance on training before doubt, whether anything was malformed, and the stance after doubt."""
    verdict = combine(findings)
    assert verdict.uses[Use.TRAIN_AI] is verdict.uses[Use.TRAIN_GENAI]
    doubted = with_doubt(verdict)
    # Neither file speaks of anything else, not even where it cannot be read.
    assert all(doubted.uses[use] is Stance.UNSPECIFIED for use in (Use.TDM, Use.SEARCH, Use.INDEX, Use.ALL))
    return verdict.uses[Use.TRAIN_AI].value, any(f.malformed for f in findings), doubted.uses[Use.TRAIN_AI].value


def ai_txt(body: bytes | str, url: str = URL, *, status: int | None = 200, content_type: str = "") -> tuple[str, ...]:
    text = body.encode() if isinstance(body, str) else body
    file = TextFile(status=status, body=text, content_type=content_type)
    return training(read_ai_txt(file, url, agent="ExampleImageBot"))


def trust_txt(body: bytes | str, *, status: int | None = 200, content_type: str = "text/plain") -> tuple[str, ...]:
    text = body.encode() if isinstance(body, str) else body
    return training(read_trust_txt(TextFile(status=status, body=text, content_type=content_type)))


def test_what_the_generator_writes_refuses_pictures_and_permits_text() -> None:
    assert ai_txt(GENERATED) == SAID["deny"]
    assert ai_txt(GENERATED, "https://img.example/a/b.txt") == SAID["allow"]
    assert ai_txt(GENERATED, "https://img.example/a/b.webp") == NOTHING


def test_the_finding_names_the_line_that_decided() -> None:
    (finding,) = read_ai_txt(TextFile(200, GENERATED), URL, agent="ExampleImageBot")
    assert (finding.place, finding.raw, finding.scope) == ("ai.txt line 2", "Disallow: *.jpg", "*.jpg")
    assert finding.uses == {Use.TRAIN_AI: Stance.DENY, Use.TRAIN_GENAI: Stance.DENY}
    assert finding.crawl is Stance.UNSPECIFIED


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ("Disallow: /\nAllow: *.jpg", "allow"),  # the longest pattern, wherever it stands
        ("Disallow: /art/\nAllow: /", "deny"),
        ("Allow: /art/\nDisallow: /art/", "deny"),  # a tie
        ("Allow: *.jpg\nDisallow: .jpg", "deny"),  # ".jpg" counts as "*.jpg"
        ("Disallow: /art/\nAllow: .jpg", "deny"),  # six octets against five
        ("Disallow: art/", "deny"),  # "/" is put before it
        ("Allow: art/", "allow"),
        ("Disallow: /*.jpg$", "deny"),
        ("Disallow:\nAllow: /", "allow"),  # an empty pattern is no rule
    ],
)
def test_the_longest_pattern_decides_and_between_equals_the_refusal(rules: str, said: str) -> None:
    assert ai_txt(f"User-agent: *\n{rules}\n") == SAID[said]


@pytest.mark.parametrize("rules", ["Disallow: jpg", "Disallow: /b/", "Disallow:", "Allow:", "Allow: *.png"])
def test_without_a_matching_rule_nothing_is_said(rules: str) -> None:
    assert ai_txt(f"User-agent: *\n{rules}\n") == NOTHING


@pytest.mark.parametrize(
    ("rule", "name", "expected"),
    [
        ("Disallow: *.jpg", "a.JPG", SAID["deny"]),
        ("Disallow: .JPG", "a.jpg", SAID["deny"]),
        ("Disallow: *.Jpg$", "a.jPG", SAID["deny"]),
        ("Allow: *.jpg", "a.JPG", NOTHING),
        ("Allow: *.JPG", "a.JPG", SAID["allow"]),
        ("Disallow: /A.jpg", "a.jpg", NOTHING),  # the name is no extension
    ],
)
def test_extensions_compare_in_any_case_for_refusals_only(
    rule: str, name: str, expected: tuple[str, bool, str]
) -> None:
    assert ai_txt(f"User-agent: *\n{rule}\n", f"https://img.example/{name}") == expected


def test_groups_are_chosen_as_in_robots_txt() -> None:
    ours = "User-agent: *\nDisallow: /\n\nUser-agent: exampleimagebot\nAllow: /\n"
    assert ai_txt(ours) == SAID["allow"]
    assert ai_txt("User-agent: OtherBot\nDisallow: /\n") == NOTHING
    assert ai_txt("User-agent: ExampleImageBot\n\nUser-agent: *\nDisallow: /\n") == SAID["deny"]  # one list of agents


@pytest.mark.parametrize("spelling", ["Disalow: /", "disallow /"])
def test_a_misspelled_refusal_counts_and_a_misspelled_permission_does_not(spelling: str) -> None:
    assert ai_txt(f"User-agent: *\n{spelling}\n") == SAID["deny"]
    assert ai_txt("User-agent: *\nAlow: /\n") == NOTHING


def test_a_refusal_before_all_groups_leaves_doubt_our_choice() -> None:
    assert ai_txt("Disallow: *.jpg\n") == DOUBT
    assert ai_txt("Disallow: *.png\n") == NOTHING
    assert ai_txt("Allow: *.jpg\n") == NOTHING
    assert ai_txt("Disallow: *.jpg\nUser-agent: *\nAllow: /\n") == ("allow", True, "unknown")


@pytest.mark.parametrize("read", [ai_txt, trust_txt])
@pytest.mark.parametrize("status", [201, 204, 206, 301, 304, 400, 401, 403, 404, 410])
def test_a_status_other_than_200_is_no_file(read: object, status: int) -> None:
    body = GENERATED + b"datatrainingallowed=no\n"
    assert read(body, status=status) == NOTHING  # type: ignore[operator]


@pytest.mark.parametrize("read", [ai_txt, trust_txt])
@pytest.mark.parametrize("status", [429, 500, 503, None])
def test_a_server_that_fails_leaves_training_in_doubt(read: object, status: int | None) -> None:
    assert read(b"", status=status) == ("unspecified", False, "unknown")  # type: ignore[operator]


def test_an_error_leaves_training_in_doubt_whatever_came_before_it() -> None:
    file = TextFile(status=200, body=b"User-agent: *\nAllow: /\ndatatrainingallowed=yes", error="timeout")
    for findings in (read_ai_txt(file, URL, agent="X"), read_trust_txt(file)):
        assert training(findings) == ("unspecified", False, "unknown")
        assert findings[0].raw == "timeout: the file could not be had"


@pytest.mark.parametrize("content_type", ["text/html", "TEXT/HTML; charset=utf-8", "application/xhtml+xml"])
def test_an_html_page_in_its_place_is_no_file(content_type: str) -> None:
    assert ai_txt(GENERATED, content_type=content_type) == NOTHING
    assert trust_txt("datatrainingallowed=no", content_type=content_type) == NOTHING


@pytest.mark.parametrize("start", [b"<!doctype html>", b"  \n<html>", b"\xef\xbb\xbf<html>"])
def test_what_starts_like_markup_is_no_file(start: bytes) -> None:
    assert ai_txt(start + b"\n" + GENERATED) == NOTHING
    assert trust_txt(start + b"\ndatatrainingallowed=no\n") == NOTHING


@pytest.mark.parametrize("content_type", ["", "text/plain", "text/plain; charset=utf-8", "application/octet-stream"])
def test_other_types_are_read(content_type: str) -> None:
    assert ai_txt(GENERATED, content_type=content_type) == SAID["deny"]
    assert trust_txt("datatrainingallowed=no", content_type=content_type) == SAID["deny"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_a_file_in_another_encoding_leaves_doubt(encoding: str) -> None:
    assert ai_txt(GENERATED.decode().encode(encoding)) == DOUBT
    assert trust_txt("datatrainingallowed=yes".encode(encoding)) == DOUBT


def test_what_lies_behind_the_limit_leaves_doubt() -> None:
    filling = b"#" * 99 + b"\n"
    large = filling * (FILE_BYTES_MAX // 100 + 1)
    assert ai_txt(b"User-agent: *\nAllow: /\n" + large) == ("allow", True, "unknown")
    assert ai_txt(GENERATED + large) == ("deny", True, "deny")
    assert trust_txt(b"datatrainingallowed=yes\n" + large) == ("allow", True, "unknown")
    cut = b"\n" * (FILE_BYTES_MAX - len(b"datatrainingallowed=no")) + b"datatrainingallowed=not-in-summer"
    assert trust_txt(cut) == DOUBT  # half a line is no statement


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("datatrainingallowed=no", SAID["deny"]),
        ("datatrainingallowed=yes", SAID["allow"]),
        ("member=https://a.example/\r\nDataTrainingAllowed = NO\r\n", SAID["deny"]),
        ("\tdatatrainingallowed\t=\tYes\t", SAID["allow"]),
        ("\ufeffdatatrainingallowed=no", SAID["deny"]),
        ("datatrainingallowed=no # since April", SAID["deny"]),
        ("# datatrainingallowed=no", NOTHING),
        ("member=https://a.example/?datatrainingallowed=no", NOTHING),
        ("", NOTHING),
    ],
)
def test_trust_txt_says_yes_or_no_in_any_case(body: str, expected: tuple[str, bool, str]) -> None:
    assert trust_txt(body) == expected


def test_repeated_lines_of_trust_txt_combine() -> None:
    assert trust_txt("datatrainingallowed=yes\ndatatrainingallowed=no\ndatatrainingallowed=yes\n") == SAID["deny"]


def test_both_files_of_trust_txt_combine() -> None:
    root = read_trust_txt(TextFile(200, b"datatrainingallowed=no"), place="trust.txt")
    known = read_trust_txt(TextFile(200, b"\ndatatrainingallowed=yes"), place=".well-known/trust.txt")
    assert training((*root, *known)) == SAID["deny"]
    assert [f.place for f in (*root, *known)] == ["trust.txt line 1", ".well-known/trust.txt line 2"]


@pytest.mark.parametrize(
    "line",
    [
        "datatrainingallowed=maybe",
        "datatrainingallowed=",
        "datatrainingallowed",
        "datatrainingallowed: no",
        'datatrainingallowed="yes"',
        "datatrainingallowed=yes=no",
        "datatrainingallowed=yes\u00a0",
    ],
)
def test_another_value_leaves_training_in_doubt(line: str) -> None:
    assert trust_txt(line) == DOUBT
    assert trust_txt(f"{line}\ndatatrainingallowed=no\n") == ("deny", True, "deny")
    assert trust_txt(f"datatrainingallowed=yes\n{line}\n") == ("allow", True, "unknown")


@pytest.mark.parametrize("line", ["datatrainingallowedfor=no", "datatrainingallowed-eu=no", "mydatatrainingallowed=no"])
def test_another_name_is_another_variable(line: str) -> None:
    assert trust_txt(line) == NOTHING


def test_many_lines_give_few_findings() -> None:
    lines = b"datatrainingallowed=x\ndatatrainingallowed=no\n" * 10_000
    assert len(read_trust_txt(TextFile(200, lines))) == 2


def test_the_most_costly_ai_txt_is_read_in_a_moment() -> None:
    path = "/" + ".aA" * 2_600
    body = b"User-agent: *\n" + b"Disallow: *.a*.b\n" * 30_000
    started = time.process_time()
    assert ai_txt(body, f"https://img.example{path}")[0] == "unspecified"
    assert time.process_time() - started < 10.0


WORDS = st.sampled_from(
    [
        *("User-agent: ", "*", "ExampleImageBot", "Disallow: ", "Allow: ", "/", ".", "*.jpg", ".JPG", "art", "$", "%"),
        *("datatrainingallowed", "=", "yes", "no", "#", " ", "\n", "\r", "\r\n", "\t", "\ufeff", "<", "\x00", "é"),
    ]
)
BODIES = st.one_of(st.lists(WORDS, max_size=30).map(lambda words: "".join(words).encode()), st.binary(max_size=200))
FILES = st.builds(
    TextFile,
    status=st.sampled_from([200, 200, 200, 404, 503, None]),
    body=BODIES,
    content_type=st.sampled_from(["", "text/plain", "text/html", ";"]),
    error=st.sampled_from([None, None, "timeout"]),
)


@settings(max_examples=300, deadline=None)
@given(FILES, st.one_of(st.just(URL), st.text(max_size=30)))
def test_whatever_stands_in_them_nothing_raises_and_nothing_unreadable_permits(file: TextFile, url: str) -> None:
    for findings in (read_ai_txt(file, url, agent="ExampleImageBot"), read_trust_txt(file)):
        training(findings)
        for finding in findings:
            assert set(finding.uses) == {Use.TRAIN_AI, Use.TRAIN_GENAI}
            assert not (finding.malformed or finding.unreachable) or Stance.ALLOW not in finding.uses.values()
            json.dumps([finding.raw, finding.scope, finding.place])
            (finding.raw + finding.scope).encode()
            assert len(finding.raw) <= 500


def test_a_refusal_in_a_badly_written_ai_txt_counts_and_a_permission_does_not() -> None:
    """The grammar is that of robots.txt, and so is the tolerance: refusals only."""
    url = "https://a.example/a.jpg"
    refused = TextFile(200, b"User-agent *\nDisallow: *.jpg\n", "text/plain")
    assert combine(read_ai_txt(refused, url, agent="Bot")).uses[Use.TRAIN_AI] is Stance.DENY
    permitted = TextFile(200, b"User-agent *\nAllow: *.jpg\n", "text/plain")
    assert not any(
        finding.uses.get(Use.TRAIN_AI) is Stance.ALLOW for finding in read_ai_txt(permitted, url, agent="Bot")
    )
