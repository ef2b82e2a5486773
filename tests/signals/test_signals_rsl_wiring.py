"""Licences of RSL in the evidence about one address."""

from __future__ import annotations

from datetime import UTC, datetime

from rsl_documents import document, licence, permits, prohibits

from checker.model import Stance, Use
from checker.signals.read import Evidence, RobotsFetch, licences_of, read_signals

NOW = datetime(2026, 11, 22, tzinfo=UTC)
URL, TERMS = "https://img.example/art/a.jpg", "https://img.example/license.xml"
LINK = ("Link", f'<{TERMS}>; rel="license"; type="application/rsl+xml"')
FREE = (TERMS, RobotsFetch(200, document(licence(permits("ai-train"))).encode()))


def test_what_licences_of_names_is_read_once_it_was_fetched() -> None:
    evidence = Evidence(URL, robots=RobotsFetch(200, f"License: {TERMS}\n".encode()))
    assert [one.url for one in licences_of(evidence, agent="X")] == [TERMS]
    assert read_signals(evidence, agent="X", now=NOW).uses[Use.TRAIN_AI] is Stance.CONDITIONAL
    fetched = Evidence(URL, robots=evidence.robots, licences=(FREE,))
    assert read_signals(fetched, agent="X", now=NOW).uses[Use.TRAIN_AI] is Stance.ALLOW


def test_a_robots_txt_that_refuses_names_no_licence() -> None:
    robots = RobotsFetch(200, f"License: {TERMS}\nUser-agent: *\nDisallow: /art/\n".encode())
    assert licences_of(Evidence(URL, robots=robots), agent="X") == ()


def test_a_licence_of_an_error_page_can_refuse_only() -> None:
    refused = (TERMS, RobotsFetch(200, document(licence(prohibits("ai-train"))).encode()))
    for licences, stance in (((FREE,), Stance.UNSPECIFIED), ((refused,), Stance.DENY)):
        evidence = Evidence(URL, status=404, headers=(LINK,), licences=licences)
        assert read_signals(evidence, agent="X", now=NOW).uses[Use.TRAIN_AI] is stance
