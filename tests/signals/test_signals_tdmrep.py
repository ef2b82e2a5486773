"""The TDM Reservation Protocol: its text, then our own choices."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checker.model import Stance, Use
from checker.signals.read import Evidence, RobotsFetch, read_findings
from checker.signals.verdict import combine, with_doubt

NOW = datetime(2026, 11, 22, tzinfo=UTC)
URL = "https://img.example/art/a.jpg"
RESERVED = {"location": "/", "tdm-reservation": 1}
FREE = {"location": "/", "tdm-reservation": 0}
POLICY = "https://img.example/p.json"
VALUES = st.sampled_from([0, 1, "0", "1", 2, True, None, "yes", 1.0, [], {}])
RULES = st.one_of(
    VALUES,
    st.fixed_dictionaries(
        {}, optional={"location": st.sampled_from(["/", "/b/", "", "art", 5]), "tdm-reservation": VALUES}
    ),
)


def tdm(
    file: Any = None, *headers: tuple[str, str], status: int = 200, html: bytes | None = None
) -> tuple[str, bool, str]:
    """The stance on `tdm` before doubt, whether anything was malformed, and the stance after doubt."""
    body = file if isinstance(file, bytes) else json.dumps(file).encode()
    evidence = Evidence(
        url=URL,
        tdmrep=None if file is None else RobotsFetch(status=status, body=body),
        headers=headers,
        html=html,
        html_is_target=True,
    )
    findings = read_findings(evidence, agent="X", now=NOW)
    verdict = combine(findings)
    assert verdict.uses[Use.TDM] is verdict.uses[Use.TRAIN_AI] is verdict.uses[Use.TRAIN_GENAI]
    assert verdict.uses[Use.SEARCH] is Stance.UNSPECIFIED
    doubted = with_doubt(verdict)
    return verdict.uses[Use.TDM].value, any(f.malformed for f in findings), doubted.uses[Use.TDM].value


@pytest.mark.parametrize(
    ("rules", "stance"),
    [
        ([RESERVED], "deny"),
        ([FREE], "allow"),
        ([RESERVED | {"tdm-policy": POLICY}], "conditional"),
        ([FREE | {"tdm-policy": POLICY}], "allow"),
        ([FREE, RESERVED], "allow"),
        ([{"location": "/b/", "tdm-reservation": 1}], "unspecified"),
        ([{"location": "/ART/", "tdm-reservation": 1}], "unspecified"),
        ([{"location": "/%61rt/*.jpg$", "tdm-reservation": 1}], "deny"),
        ([], "unspecified"),
    ],
)
def test_the_first_matching_rule_of_the_file_decides(rules: list[Any], stance: str) -> None:
    assert tdm(rules) == (stance, False, stance)


@pytest.mark.parametrize(
    ("file", "headers", "html", "stance"),
    [
        ([FREE], [("tdm-reservation", "1")], None, "deny"),
        ([RESERVED], [("tdm-reservation", "0")], b"<meta name=tdm-reservation content=1>", "deny"),
        ([RESERVED], [("tdm-reservation", "1")], b"<meta name=tdm-reservation content=0>", "allow"),
        ([RESERVED | {"tdm-policy": POLICY}], [("TDM-Reservation", "1")], None, "conditional"),
        ([RESERVED], [("tdm-policy", POLICY)], None, "conditional"),
        ([FREE | {"tdm-policy": POLICY}], [("tdm-reservation", "1")], None, "deny"),
        (None, [("tdm-policy", POLICY)], None, "unspecified"),
    ],
)
def test_a_later_place_supersedes_an_earlier_one_and_resets_nothing(
    file: Any, headers: list[tuple[str, str]], html: bytes | None, stance: str
) -> None:
    assert tdm(file, *headers, html=html) == (stance, False, stance)


def test_an_invalid_header_resets_nothing() -> None:
    assert tdm([RESERVED], ("tdm-reservation", "yes")) == ("deny", True, "deny")
    assert tdm([FREE], ("tdm-reservation", "yes")) == ("allow", True, "unknown")


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["0", "1"], ("deny", False, "deny")),
        (["0, 0"], ("allow", False, "allow")),
        (["1, 2"], ("deny", True, "deny")),
        (["0, 2"], ("unspecified", True, "unknown")),
        ([""], ("unspecified", True, "unknown")),
    ],
)
def test_several_values_of_a_header_our_choice(lines: list[str], expected: tuple[str, bool, str]) -> None:
    assert tdm(None, *(("tdm-reservation", line) for line in lines)) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("1", ("deny", False, "deny")),
        (1.0, ("deny", False, "deny")),
        ("0", ("allow", False, "allow")),
        (True, ("unspecified", True, "unknown")),
        (False, ("unspecified", True, "unknown")),
        (-0.0, ("allow", False, "allow")),
        ("1.0", ("unspecified", True, "unknown")),
        ("0.0", ("unspecified", True, "unknown")),
        (" 1", ("unspecified", True, "unknown")),
        (float("nan"), ("unspecified", True, "unknown")),
        ({}, ("unspecified", True, "unknown")),
        (2, ("unspecified", True, "unknown")),
        ("yes", ("unspecified", True, "unknown")),
        (None, ("unspecified", True, "unknown")),
        ([1], ("unspecified", True, "unknown")),
    ],
)
def test_which_values_of_a_rule_are_read_our_choice(value: Any, expected: tuple[str, bool, str]) -> None:
    assert tdm([{"location": "/", "tdm-reservation": value}]) == expected


def test_a_rule_that_lacks_a_member_is_skipped_and_leaves_permissions_in_doubt() -> None:
    # "In each rule, location and tdm-reservation are mandatory": the next one is then the first that matches.
    assert tdm([{"location": "/art/"}, RESERVED]) == ("deny", True, "deny")
    assert tdm([{"location": "/b/"}, FREE]) == ("allow", True, "unknown")
    assert tdm([{"tdm-reservation": 1}]) == ("unspecified", True, "unknown")
    for no_rule in ("/", [FREE], None, {"location": "/art/"}, {"tdm-reservation": 1}, {"location": 1}):
        assert tdm([no_rule, FREE]) == ("allow", True, "unknown")
        assert tdm([no_rule, RESERVED]) == ("deny", True, "deny")


def test_an_unreadable_rule_hides_the_permissions_behind_it_and_not_the_refusals() -> None:
    broken = {"location": "/", "tdm-reservation": 2}
    assert tdm([broken, FREE]) == ("unspecified", True, "unknown")
    assert tdm([FREE | {"tdm-reservation": None}, FREE]) == ("unspecified", True, "unknown")
    assert tdm([broken, FREE, RESERVED]) == ("deny", True, "deny")


def test_a_policy_that_is_no_address_leaves_a_plain_refusal() -> None:
    assert tdm([RESERVED | {"tdm-policy": "ask me"}]) == ("deny", False, "deny")


@pytest.mark.parametrize(
    ("body", "stance"),
    [
        (b'[{"location": "/", "tdm-reservation": 0, "tdm-reservation": 1}]', "deny"),
        (b'[{"location": "/", "tdm-reservation": 0, "tdm-reservation": 0}]', "unspecified"),
        (b'[{"location": "/b", "location": "/", "tdm-reservation": 1}]', "deny"),
    ],
)
def test_a_duplicate_member_counts_where_it_refuses_our_choice(body: bytes, stance: str) -> None:
    assert tdm(body)[:2] == (stance, True)


def test_a_byte_order_mark_is_skipped() -> None:
    assert tdm(b'\xef\xbb\xbf[{"location": "/", "tdm-reservation": 1}]') == ("deny", False, "deny")


@pytest.mark.parametrize("body", [b"{}", b'"1"', b"not json", b"[" * 100_000, b"\xff[]", b"[" + b" " * 600_000 + b"]"])
def test_a_file_that_is_no_list_of_rules_is_unusable_and_leaves_doubt(body: bytes) -> None:
    assert tdm(body) == ("unspecified", True, "unknown")


@pytest.mark.parametrize("body", [b"", b" \n", b"\n<!doctype html><html>", b"\xef\xbb\xbf<html>"])
def test_an_empty_file_or_a_start_page_says_nothing_our_choice(body: bytes) -> None:
    assert tdm(body) == ("unspecified", False, "unspecified")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_no_file_means_that_the_host_does_not_use_the_protocol(status: int) -> None:
    assert tdm([RESERVED], status=status) == ("unspecified", False, "unspecified")


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_server_that_fails_leaves_unset_in_doubt(status: int) -> None:
    assert tdm([RESERVED], status=status) == ("unspecified", False, "unknown")


def test_a_superseded_place_stays_as_evidence() -> None:
    evidence = Evidence(
        URL, tdmrep=RobotsFetch(200, json.dumps([RESERVED]).encode()), headers=(("tdm-reservation", "0"),)
    )
    findings = read_findings(evidence, agent="X", now=NOW)
    assert [(f.place, bool(f.uses)) for f in findings] == [
        ("tdmrep.json rule 1", False),
        ("header tdm-reservation", True),
    ]


@pytest.mark.parametrize(
    ("body", "raw"),
    [
        (b"\x89PNG\xff\x00", "no UTF-8 text"),
        (b'[{"location": "/",}]', 'no JSON that can be read: [{"location": "/",}]'),
        (b'{"location": "/"}', 'no list of rules: {"location": "/"}'),
        (b"[1" + b" " * 600_000 + b"]", "larger than 512000 bytes: [1"),
    ],
)
def test_evidence_says_why_a_file_is_unusable(body: bytes, raw: str) -> None:
    (finding,) = read_findings(Evidence(URL, tdmrep=RobotsFetch(200, body)), agent="X", now=NOW)
    assert finding.raw.strip() == raw


@settings(max_examples=300, deadline=None)
@given(st.lists(RULES, max_size=4), st.sampled_from(["", "0", "1", "2", "0, 1"]))
def test_whatever_stands_in_a_file_a_permission_is_a_plain_zero_that_comes_first(rules: list[Any], header: str) -> None:
    headers = (("tdm-reservation", header),) if header else ()
    stance, malformed, after_doubt = tdm(rules, *headers)
    assert after_doubt != "allow" or not malformed
    if stance == "allow" and not header:
        matching = [one for one in rules if isinstance(one, dict) and one.get("location") == "/"]
        assert next(one["tdm-reservation"] for one in matching if "tdm-reservation" in one) in (0, "0")
