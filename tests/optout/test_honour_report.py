"""The HTML of `hibs honour --report`: the JSON's numbers, strangers' texts as text, no word that claims too much."""

from __future__ import annotations

import re
from collections import Counter
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checker.optout.charts import Bar, bar_chart, share_words
from checker.optout.honour_page import write_page

HOSTILE = "\u202egpj.<img src=x onerror=alert(1)>\x1b]0;x\x07</title><script>alert(2)</script>"
NEVER = ("complies", "comply", "compliant", "removed", "clean", "safe", "protected", "guaranteed", "deleted", "lawful")
ACTIONS = ("not-checked", "review", "drop", "keep")
Row = dict[str, Any]


def row(number: int, decision: str, reason: str, **others: Any) -> Row:
    empty = {"key": None, "url": None, "detail": None, "hibs_entry": None, "hibs_code": None}
    return {
        **empty,
        "path": "shards/00000.tar",
        "row": number,
        "hibs_decision": decision,
        "hibs_reason": reason,
        "hibs_distance_bits": None,
        "hibs_feed_size": 18204,
        **others,
    }


ROWS = [
    row(0, "drop", "near-entry", key="a0", hibs_entry=1717, hibs_code="phash256", hibs_distance_bits=4),
    row(1, "drop", "address-entry", url="https://img.example/1.jpg", hibs_entry=203),
    row(2, "review", "plain"),
    row(3, "not-checked", "unreadable", detail="the picture is cut off"),
    row(4, "not-checked", "no-picture"),
    *(row(number, "keep", "none") for number in range(5, 1005)),
]


def report(rows: list[Row], **others: Any) -> dict[str, Any]:
    """A report as docs/honour.md describes it."""
    by_action = Counter(one["hibs_decision"] for one in rows)
    counts = {"rows": len(rows), **{action: by_action[action] for action in ACTIONS}}
    reasons: dict[str, Counter[str]] = {action: Counter() for action in ACTIONS}
    for one in rows:
        reasons[one["hibs_decision"]][one["hibs_reason"]] += 1
    part = {"path": "shards/00000.tar", "kind": "tar", "bytes": 5242, "sha256": "4be1" * 16, **counts}
    return {
        "v": 1,
        "tool": {"name": "hibs", "version": "0.1.0"},
        "made_at": "2026-11-23T13:00:00Z",
        "mode": "rewrite",
        "feed": {
            "size": 18204,
            "root": "9f2c" * 16,
            "origin": "log.example/2026",
            "signed_at": "2026-11-22T06:00:00Z",
            "age_hours": 31.0,
            "opt_outs": 17990,
            "not_compared": 0,
            "other_uses": 12,
        },
        "uses": ["train-ai"],
        "settings": {"radius_bits": 31, "feed_age_days_max": 7},
        "inputs": [
            {**part, "not_downloaded": 0, "decoded": 998, "output": {"path": "kept/0.tar", "sha256": "77" * 32}}
        ],
        "counts": counts,
        "reasons": reasons,
        "decoded": 998,
        "known": {"place": 0, "sha256": 0, "url": 0},
        "entries": [{"entry": 1717, "rows": 1}, {"entry": 203, "rows": 1}],
        "entries_other": 0,
        "domains": [{"domain": "img.example", "rows": 420, "keep": 418, "drop": 2, "review": 0, "not-checked": 0}],
        "domains_other": 7,
        "rows_without_domain": 580,
        "days_to_drop": None,
        "rows_file": None,
        **others,
    }


class Page(HTMLParser):
    """Elements, tables as texts of cells, and all that is read."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.rows: list[list[str]] = []
        self._text: list[str] = []
        self._in_cell = False
        self.feed(re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL))
        self.text = " ".join("".join(self._text).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
            self._in_cell = True
        self._text.append(" ")

    def handle_endtag(self, tag: str) -> None:
        self._in_cell = self._in_cell and tag not in ("td", "th")
        self._text.append(" ")

    def handle_data(self, data: str) -> None:
        self._text.append(data)
        if self._in_cell:
            self.rows[-1][-1] = " ".join(f"{self.rows[-1][-1]}{data}".split())


def test_the_numbers_are_those_of_the_report_and_add_up() -> None:
    page = Page(write_page(report(ROWS), ROWS))
    for expected in (
        ["not checked", "not-checked", "2", "0.2 %"],
        ["for a person to look at", "review", "1", "below 0.1 %"],
        ["left out", "drop", "2", "0.2 %"],
        ["kept", "keep", "1,000", "99.5 %"],
        ["left out", "address-entry", "its address was opted out", "1"],
        ["not checked", "unreadable", "no picture could be read", "1"],
        ["img.example", "420", "0", "0", "2", "418"],
        ["1,717", "1"],
    ):
        assert expected in page.rows
    assert "they add up to 1,005" in page.text


def test_what_was_not_checked_stands_first() -> None:
    text = Page(write_page(report(ROWS), ROWS)).text
    assert "2 of 1,005 rows were not checked (0.2 %). Nothing is known of them. That is no yes." in text
    assert text.index("were not checked") < text.index("What was decided")
    assert text.index("Rows: not checked") < text.index("Rows: for a person to look at") < text.index("Rows: left out")


def test_the_list_that_decided_is_named_with_root_signer_and_age() -> None:
    text = Page(write_page(report(ROWS), ROWS)).text
    for words in (
        "18,204, of which 17,990 opt-outs stand",
        "9f2c" * 16,
        "log.example/2026",
        "22 November 2026, 06:00 UTC; 31.0 hours before this run",
        "12 opt-outs, about other uses",
        "not known: an entry of the list carries no time",
        "4be1" * 16,
        "77" * 32,
    ):
        assert words in text


def test_days_are_told_where_they_are_known() -> None:
    page = write_page(report(ROWS, days_to_drop={"median": 3, "max": 40}), ROWS)
    assert "median 3, at most 40" in Page(page).text


def test_a_dry_run_says_so() -> None:
    assert "nothing was rewritten" in Page(write_page(report(ROWS, mode="dry-run"), ROWS)).text
    assert "nothing was rewritten" not in Page(write_page(report(ROWS), ROWS)).text


@pytest.mark.parametrize("word", NEVER)
def test_it_claims_nothing_that_it_cannot_show(word: str) -> None:
    for mode in ("rewrite", "dry-run"):
        assert not re.search(rf"\b{word}\b", Page(write_page(report(ROWS, mode=mode), ROWS)).text.lower())


def test_every_rule_is_one_that_it_supports() -> None:
    page = Page(write_page(report(ROWS), ROWS))
    rules = [cells for cells in page.rows if len(cells) == 3 and cells[2].startswith("supports: ")]
    names = " ".join(cells[0] for cells in rules)
    for rule in ("53(1)(c)", "53(1)(d)", "measure 1.1", "measure 1.3", "measure 1.5", "2019/790", "4(3)", "21(5)"):
        assert rule in names
    assert "Whether a duty is met, no report decides." in page.text
    assert "states what it did" in page.text


def test_many_rows_are_cut_and_it_says_where_the_others_are() -> None:
    rows = [row(number, "drop", "near-entry", key=f"k{number}") for number in range(300)]
    text = Page(write_page(report(rows), iter(rows))).text
    assert "The first 200 of 300; all are in the JSON report." in text
    assert "key k199" in text
    assert "key k200" not in text


def test_rows_in_a_file_of_their_own_are_pointed_to() -> None:
    text = Page(write_page(report(ROWS, rows_file="report.rows.parquet"), ())).text
    assert "2 rows; they are in report.rows.parquet" in text


def test_an_empty_dataset_is_a_page_too() -> None:
    nothing = report([], domains=[], entries=[], inputs=[])
    text = Page(write_page(nothing, [])).text
    assert "Every row was checked." in text
    assert "No row has an address." in text
    assert "No entry reached any row." in text


# --- texts of strangers ----------------------------------------------------------------------------------------


def hostile(text: str) -> str:
    """A page with this text wherever a stranger can put one."""
    rows = [row(0, "not-checked", "unreadable", path=text, key=text, url=text, detail=text), *ROWS]
    domain = {"domain": text, "rows": 9, "keep": 9, "drop": 0, "review": 0, "not-checked": 0}
    given_report = report(rows, domains=[domain], rows_file=text)
    part = given_report["inputs"][0]
    given_report["inputs"] = [{**part, "path": text, "output": {"path": text, "sha256": None}}]
    return write_page(given_report, rows)


def test_hostile_names_are_text_and_their_control_characters_are_codes() -> None:
    page = hostile(HOSTILE)
    assert not {tag for tag, _ in Page(page).elements} & {"script", "img", "a", "iframe", "form"}
    assert "\\u202egpj.<img src=x onerror=alert(1)>\\u001b]0;x\\u0007" in Page(page).text
    assert not re.search("[\u202e\x1b\x07]", page)


def test_an_endless_name_is_cut() -> None:
    assert len(hostile("n" * 1_000_000)) < 100_000
    assert f"{'n' * 1_000}…" in hostile("n" * 1_000_000)


@settings(max_examples=60)
@given(st.text(min_size=1, alphabet=st.characters(exclude_categories=()) | st.sampled_from("<>&\"'/ \u202e")))
def test_no_text_becomes_an_element_or_a_hidden_character(text: str) -> None:
    assert _shape(hostile(text)) == _shape(hostile("x"))


def _shape(page: str) -> tuple[list[tuple[str, tuple[str, ...]]], bool]:
    elements = [(tag, tuple(attributes)) for tag, attributes in Page(page).elements]
    return elements, all(c.isprintable() or c == "\n" for c in page)


def test_nothing_is_run_and_nothing_is_loaded() -> None:
    elements = Page(hostile(HOSTILE)).elements
    policy = next(a["content"] for tag, a in elements if a.get("http-equiv") == "Content-Security-Policy")
    assert policy
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    for _, attributes in elements:
        assert not [name for name in attributes if name in ("src", "href", "style") or name.startswith("on")]


# --- charts ----------------------------------------------------------------------------------------------------


def test_a_bar_is_as_long_as_its_share() -> None:
    chart = ElementTree.fromstring(str(bar_chart("rows", [Bar("a", 25), Bar("b", 100), Bar("c", 0)], whole=100)))
    bars = [rect for rect in chart.iter() if rect.get("class") == "bar"]
    assert [bar.get("width") for bar in bars] == ["25.00%", "100.00%", "0.00%"]
    assert chart.get("aria-label") == "rows"
    assert [text.text for text in chart.iter() if text.tag.endswith("text")] == ["a", "25", "b", "100", "c", "0"]


def test_one_row_of_a_million_is_seen_and_nothing_at_all_is_no_bar() -> None:
    assert 'width="0.40%"' in bar_chart("rows", [Bar("a", 1)], whole=1_000_000)
    assert 'width="0.00%"' in bar_chart("rows", [Bar("a", 0)], whole=0)


def test_a_long_or_hostile_label_is_cut_and_escaped() -> None:
    chart = bar_chart('"><script>', [Bar(HOSTILE, 1), Bar("l" * 40, 1)], whole=1)
    assert "<script" not in chart
    assert f"{'l' * 29}…" in chart


@pytest.mark.parametrize(
    ("count", "whole", "words"),
    [
        (0, 10, "0.0 %"),
        (10, 10, "100.0 %"),
        (1, 3, "33.3 %"),
        (1, 100_000, "below 0.1 %"),
        (99_999, 100_000, "above 99.9 %"),
        (0, 0, "-"),
    ],
)
def test_a_share_is_never_rounded_to_none_or_all(count: int, whole: int, words: str) -> None:
    assert share_words(count, whole) == words
