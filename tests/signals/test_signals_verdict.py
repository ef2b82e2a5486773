"""How findings become a verdict, and one statement its closure."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from checker.model import Finding, Stance, Use
from checker.signals.read import Evidence, RobotsFetch, read_signals
from checker.signals.statements import closed
from checker.signals.verdict import as_collected, combine, deciding_finding, with_doubt

NOW = datetime(2026, 11, 22, tzinfo=UTC)
DENY, ALLOW, CONDITIONAL = Stance.DENY, Stance.ALLOW, Stance.CONDITIONAL
UNSPECIFIED, UNKNOWN = Stance.UNSPECIFIED, Stance.UNKNOWN


def finding(place: str = "p", *, malformed: bool = False, unreachable: bool = False, **uses: Stance) -> Finding:
    named = {Use(name.replace("_", "-")): stance for name, stance in uses.items()}
    return Finding(signal="s", place=place, raw="", uses=named, malformed=malformed, unreachable=unreachable)


def test_without_findings_nothing_was_said() -> None:
    verdict = with_doubt(combine([]))
    assert set(verdict.uses) == set(Use)
    assert {verdict.crawl, *verdict.uses.values()} == {UNSPECIFIED}


@pytest.mark.parametrize(
    ("said", "result"),
    [
        ([ALLOW, DENY, CONDITIONAL], DENY),
        ([ALLOW, CONDITIONAL], CONDITIONAL),
        ([ALLOW, UNSPECIFIED], ALLOW),
        ([UNSPECIFIED], UNSPECIFIED),
    ],
)
def test_the_strongest_stance_wins_in_any_order(said: list[Stance], result: Stance) -> None:
    for order in (said, said[::-1]):
        assert combine(finding(search=stance) for stance in order).uses[Use.SEARCH] is result


@pytest.mark.parametrize(
    ("named", "spread"),
    [
        ({Use.ALL: DENY}, dict.fromkeys(Use, DENY)),
        ({Use.TDM: CONDITIONAL}, dict.fromkeys((Use.TDM, Use.TRAIN_AI, Use.TRAIN_GENAI), CONDITIONAL)),
        ({Use.TRAIN_AI: DENY}, dict.fromkeys((Use.TRAIN_AI, Use.TRAIN_GENAI), DENY)),
        ({Use.TRAIN_GENAI: DENY}, {Use.TRAIN_GENAI: DENY}),
        ({Use.ALL: ALLOW}, {Use.ALL: ALLOW}),
        ({Use.TDM: DENY, Use.TRAIN_AI: ALLOW}, {Use.TDM: DENY, Use.TRAIN_AI: ALLOW, Use.TRAIN_GENAI: DENY}),
        (
            {Use.TDM: CONDITIONAL, Use.TRAIN_AI: DENY},
            {Use.TDM: CONDITIONAL, Use.TRAIN_AI: DENY, Use.TRAIN_GENAI: DENY},
        ),
    ],
)
def test_a_refusal_covers_what_its_use_contains_and_a_permission_does_not(
    named: dict[Use, Stance], spread: dict[Use, Stance]
) -> None:
    assert closed(named) == spread


@pytest.mark.parametrize(
    ("said", "after"), [(ALLOW, UNKNOWN), (UNSPECIFIED, UNKNOWN), (DENY, DENY), (CONDITIONAL, CONDITIONAL)]
)
def test_doubt_turns_permission_and_silence_into_unknown_and_leaves_refusals(said: Stance, after: Stance) -> None:
    verdict = with_doubt(combine([finding(search=said), finding(malformed=True, search=UNSPECIFIED)]))
    assert verdict.uses[Use.SEARCH] is after


def test_doubt_reaches_only_the_uses_that_the_finding_is_about() -> None:
    verdict = with_doubt(combine([finding(malformed=True, search=UNSPECIFIED)]))
    assert verdict.uses[Use.SEARCH] is UNKNOWN
    assert verdict.uses[Use.TRAIN_AI] is UNSPECIFIED


def test_a_doubtful_finding_that_names_no_use_is_about_every_use() -> None:
    assert set(with_doubt(combine([finding(unreachable=True)])).uses.values()) == {UNKNOWN}


def test_findings_that_decided_stand_first() -> None:
    verdict = combine(
        [
            finding("nothing"),
            finding("allows", search=ALLOW),
            finding("doubt", malformed=True),
            finding("terms", search=CONDITIONAL),
            finding("denies", search=DENY),
        ]
    )
    assert [f.place for f in verdict.findings] == ["denies", "terms", "doubt", "allows", "nothing"]


def test_the_deciding_finding_of_a_use_is_named() -> None:
    verdict = with_doubt(
        combine([finding("a", search=ALLOW), finding("b", train_ai=DENY), finding("c", malformed=True)])
    )
    assert [getattr(deciding_finding(verdict, use), "place", None) for use in (Use.TRAIN_AI, Use.SEARCH, None)] == [
        "b",
        "c",
        None,
    ]


def test_a_disallowed_path_gives_no_uses_of_that_robots_txt_and_headers_still_count() -> None:
    robots = RobotsFetch(
        200, b"User-agent: *\nDisallow: /\nContent-Usage: train-ai=y\n\nUser-agent: GPTBot\nDisallow: /\n"
    )
    evidence = Evidence("https://a.example/a.jpg", robots=robots, headers=(("Content-Usage", "search=y"),))
    verdict = read_signals(evidence, agent="X", now=NOW)
    assert (verdict.crawl, verdict.uses[Use.TRAIN_AI], verdict.uses[Use.SEARCH]) == (DENY, UNSPECIFIED, ALLOW)


def test_an_already_collected_file_is_denied_where_our_agent_may_not_fetch() -> None:
    denied = read_signals(
        Evidence("https://a.example/a", robots=RobotsFetch(200, b"User-agent: *\nDisallow: /\n")), agent="X", now=NOW
    )
    assert set(as_collected(denied).uses.values()) == {DENY}
    allowed = read_signals(Evidence("https://a.example/a", robots=RobotsFetch(404)), agent="X", now=NOW)
    assert as_collected(allowed) == allowed


def test_an_unreachable_robots_txt_makes_every_use_unknown() -> None:
    verdict = read_signals(Evidence("https://a.example/a", robots=RobotsFetch(503)), agent="X", now=NOW)
    assert verdict.to_dict() == {
        "crawl": "deny",
        "train-ai": "unknown",
        "train-genai": "unknown",
        "tdm": "unknown",
        "search": "unknown",
        "index": "unknown",
        "all": "unknown",
    }


def test_crawling_is_unspecified_where_no_robots_txt_was_looked_at() -> None:
    assert read_signals(Evidence("https://a.example/a"), agent="X", now=NOW).crawl is UNSPECIFIED
