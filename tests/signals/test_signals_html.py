"""Tags of pages."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from checker.model import Stance, Use
from checker.signals.html import read_page
from checker.signals.markup import START_TAGS_MAX
from checker.signals.read import Evidence, read_signals

NOW = datetime(2026, 11, 22, tzinfo=UTC)
NOAI = '<meta name="robots" content="noai">'


def training(html: str | bytes, *, is_target: bool = False, agent: str = "ExampleBot") -> Stance:
    content = html if isinstance(html, bytes) else html.encode()
    evidence = Evidence("https://a.example/a.jpg", html=content, html_is_target=is_target)
    return read_signals(evidence, agent=agent, now=NOW).uses[Use.TRAIN_AI]


@pytest.mark.parametrize(
    "html",
    [
        NOAI,
        "<META NAME=' Robots ' CONTENT='NoAI'/>",
        f"<body><div hidden>{NOAI}</div>",
        "<meta content=noai name=robots>",
        "<meta name=ExampleBot content=noai>",
        f"<noscript>{NOAI}</noscript>",
        "<meta name=robots content=index><meta name=robots content='all, noai noimageai'>",
        NOAI.encode("utf-16"),
        b"\xef\xbb\xbf" + NOAI.encode(),
        "<meta name=robots content='max-snippet: 5, noai'>",
        "<meta name=robots content='noindex nofollow noai'>",
    ],
)
def test_robots_tags_that_count(html: str | bytes) -> None:
    assert training(html) is Stance.DENY


@pytest.mark.parametrize(
    "html",
    [
        "",
        f"<!-- {NOAI} -->",
        f"<script>var a = '{NOAI}'</script>",
        f"<template>{NOAI}</template>",
        f"<textarea>{NOAI}</textarea>",
        "<meta name=googlebot content=noai>",
        "<meta name=robots>",
        "<meta property=robots content=noai>",
        "<a rel=nofollow href=/>x</a><img data-noai>",
    ],
)
def test_tags_that_do_not_count(html: str) -> None:
    assert training(html) is Stance.UNSPECIFIED


def test_a_pages_tdmrep_tag_is_evidence_for_its_pictures_and_no_more() -> None:
    html = b"<meta name=tdm-reservation content=1>"
    verdict = read_signals(Evidence("https://a.example/a.jpg", html=html), agent="X", now=NOW)
    assert set(verdict.uses.values()) == {Stance.UNSPECIFIED}
    assert [finding.scope for finding in verdict.findings] == ["the page, not the pictures in it"]


def test_a_pages_robots_header_reaches_its_pictures() -> None:
    evidence = Evidence("https://a.example/a.jpg", page_headers=(("X-Robots-Tag", "noimageindex"),))
    assert read_signals(evidence, agent="X", now=NOW).uses[Use.INDEX] is Stance.DENY


def test_a_licence_of_the_page_that_was_not_read_makes_every_use_conditional() -> None:
    assert training("<link rel=license type=application/rsl+xml href=/l.xml>") is Stance.CONDITIONAL
    assert training("<script type='application/rsl+xml'><rsl/></script>") is Stance.CONDITIONAL


def test_the_type_of_a_licence_may_have_parameters() -> None:
    page = read_page(b"<link rel=license type='application/rsl+xml; charset=utf-8' href=/l.xml>")
    assert page.licences == ("/l.xml",)


def test_a_page_of_endless_nesting_is_read_in_part_and_in_doubt() -> None:
    html = NOAI.encode() + b"<p>" * (START_TAGS_MAX + 1)
    page = read_page(html)
    assert page.cut
    assert page.contents("robots") == ["noai"]
    assert training(b"<b>" * (START_TAGS_MAX + 1)) is Stance.UNKNOWN
