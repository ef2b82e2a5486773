"""Headers, the status of a response, and the words of robots tags."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from checker.model import Stance, Use
from checker.signals.headers import read_headers, read_status
from checker.signals.read import Evidence, read_signals
from checker.signals.robots_tags import read_robots_tag

NOW = datetime(2026, 11, 22, tzinfo=UTC)
TRAINING = {"train-ai": "deny", "train-genai": "deny"}
LISTING = {"search": "deny", "index": "deny"}


def tag(text: str, *, in_header: bool = True) -> dict[str, str]:
    statement = read_robots_tag(text, agent="ExampleBot", now=NOW, in_header=in_header)
    return {use.value: stance.value for use, stance in statement.uses.items()}


@pytest.mark.parametrize(
    ("text", "uses"),
    [
        ("noml", TRAINING),
        ("DisallowAITraining", TRAINING),
        ("noarchive", TRAINING),
        ("nocache", {"train-ai": "conditional", "train-genai": "conditional"}),
        ("nocache, noarchive", TRAINING),
        ("noimageindex", LISTING),
        ("all, index, follow, nofollow, nosnippet, notranslate, indexifembedded, max-snippet: 5", {}),
        ("noaimageai, xnoai", {}),
        ("noai noimageai", TRAINING),
        ("noindex nofollow", LISTING),
        ("index follow noai, nosnippet noindex", {**TRAINING, **LISTING}),
        ("noai please", {}),
        ("", {}),
        ("otherbot: noindex, noai", {}),
        ("noindex, otherbot: noai", LISTING),
        ("otherbot: noindex, examplebot: noai", TRAINING),
        ("*: noai", TRAINING),
        ("robots: noai", TRAINING),
        ("max-image-preview: large, noai", TRAINING),
        ("unavailable_after: 25 Jun 2010 15:00:00 GMT, noai", {**TRAINING, **LISTING}),
        ("otherbot: unavailable_after: 25 Jun 2010 15:00:00 GMT", {}),
        ("examplebot: unavailable_after: 2010-06-25", LISTING),
    ],
)
def test_words_of_robots_tags(text: str, uses: dict[str, str]) -> None:
    assert tag(text) == uses


@pytest.mark.parametrize(
    "date",
    [
        "25 Jun 2010 15:00:00 GMT",
        "Fri, 25 Jun 2010 15:00:00 GMT",
        "Friday, 25-Jun-10 15:00:00 GMT",
        "25-Jun-2010 15:00:00 PST",
        "2010-06-25T15:00:00+02:00",
        "2010-06-25T15:00:00Z",
        "2010-06-25",
        "2026-11-22T00:00:00Z",
    ],
)
def test_unavailable_after_reads_rfc_822_rfc_850_and_iso_8601_dates(date: str) -> None:
    assert tag(f"unavailable_after: {date}, noai") == {**TRAINING, **LISTING}


def test_a_date_to_come_says_nothing_yet() -> None:
    assert tag("unavailable_after: 2026-11-22T00:00:01Z") == {}


def test_an_unreadable_date_is_malformed_and_swallows_no_neighbour() -> None:
    statement = read_robots_tag("unavailable_after: soon, noai", agent="X", now=NOW, in_header=True)
    assert statement.malformed
    assert statement.doubted == {Use.SEARCH, Use.INDEX}
    assert statement.uses == {Use.TRAIN_AI: Stance.DENY, Use.TRAIN_GENAI: Stance.DENY}


def test_a_meta_tag_knows_no_agent_prefix() -> None:
    assert tag("otherbot: noindex, noai", in_header=False) == TRAINING


def test_each_x_robots_tag_line_has_its_own_scope() -> None:
    lines = (("X-Robots-Tag", "otherbot: noindex"), ("x-robots-tag", "noai"))
    (finding,) = read_headers(lines, agent="ExampleBot", now=NOW)
    assert finding.raw == "noai"


def test_content_usage_lines_are_joined_and_the_last_value_of_a_label_counts() -> None:
    lines = (("Content-Usage", "train-ai=n"), ("content-usage", "train-ai=y"))
    (finding,) = read_headers(lines, agent="X", now=NOW)
    assert finding.uses == {Use.TRAIN_AI: Stance.ALLOW, Use.TRAIN_GENAI: Stance.ALLOW}


def test_content_signal_lines_combine_with_the_strongest_winning() -> None:
    headers = (("Content-Signal", "ai-train=no"), ("Content-Signal", "ai-train=yes"))
    verdict = read_signals(Evidence("https://a.example/a.jpg", headers=headers), agent="X", now=NOW)
    assert verdict.uses[Use.TRAIN_AI] is Stance.DENY


@pytest.mark.parametrize("status", [200, 404, 403, None])
def test_only_status_402_speaks_of_uses(status: int | None) -> None:
    assert read_status(status, ()) == ()


def test_permissions_on_an_error_page_do_not_count_and_refusals_do() -> None:
    headers = (("Content-Usage", "train-ai=y, search=n"), ("TDM-Reservation", "0"))
    evidence = Evidence("https://a.example/a.jpg", status=404, headers=headers)
    uses = read_signals(evidence, agent="X", now=NOW).uses
    assert uses[Use.TRAIN_AI] is Stance.UNSPECIFIED
    assert uses[Use.TDM] is Stance.UNSPECIFIED
    assert uses[Use.SEARCH] is Stance.DENY


def test_stored_headers_of_a_304_count_like_those_of_a_200() -> None:
    evidence = Evidence("https://a.example/a.jpg", status=304, headers=(("Content-Usage", "train-ai=y"),))
    assert read_signals(evidence, agent="X", now=NOW).uses[Use.TRAIN_AI] is Stance.ALLOW


def test_a_licence_that_was_not_fetched_makes_permissions_conditional() -> None:
    link = ("Link", '<https://a.example/l.xml>; rel="license"; type="application/rsl+xml"')
    evidence = Evidence("https://a.example/a.jpg", headers=(("Content-Usage", "train-ai=y"), link))
    assert read_signals(evidence, agent="X", now=NOW).uses[Use.TRAIN_AI] is Stance.CONDITIONAL


def test_a_header_value_with_undecodable_bytes_gives_evidence_that_can_be_stored() -> None:
    evidence = Evidence("https://a.example/a.jpg", headers=(("X-Robots-Tag", "noai, caf\udce9"),))
    (finding,) = read_signals(evidence, agent="X", now=NOW).findings
    assert finding.raw == "noai, caf?"
