"""The report of `hibs honour` as one HTML page, for people who have to show what was done.

Its numbers are those of the JSON report (docs/honour.md, "The report"); it adds none. What was not checked stands
first, because it is the part that a reader would like to overlook. A report states what one run did, so its words are
"states" and "supports": whether a duty is met is for others to say.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from checker.model import parse_utc
from checker.optout.charts import Bar, bar_chart, share_words
from checker.optout.honour import Action
from checker.optout.sheet import fill_in

ROWS_SHOWN = 200
"""Of each action; the JSON report and the decisions have all."""
BARS_SHOWN = 15
ENTRIES_SHOWN = 50
INPUTS_SHOWN = 1_000
_LISTED = (Action.NOT_CHECKED, Action.REVIEW, Action.DROP)
"""In this order; what is kept is not listed."""
_ORDER = (Action.NOT_CHECKED, Action.REVIEW, Action.DROP, Action.KEEP)
REASON_WORDS = {
    "near-entry": "near to an opt-out",
    "address-entry": "its address was opted out",
    "codes-disagree": "near to an opt-out by one code; another code, or the kind of the opt-out, leaves doubt",
    "plain": "too little in it to tell it from others",
    "unreadable": "no picture could be read",
    "no-picture": "there was no picture to compare",
    "feed-stale": "the list was too old",
    "none": "near to no opt-out in the list",
}
ACTION_WORDS = {
    Action.NOT_CHECKED: "not checked",
    Action.REVIEW: "for a person to look at",
    Action.DROP: "left out",
    Action.KEEP: "kept",
}


def write_page(document: Mapping[str, Any], rows: Iterable[Mapping[str, Any]]) -> str:
    """The page of one report.

    Args:
        document: the JSON report; its own `rows` are not read.
        rows: every row, in order; read once and not kept. Empty: they are in the file that `rows_file` names.
    Returns:
        One HTML document that stands alone.
    """
    counts, feed, domains = document["counts"], document["feed"], document["domains"]
    whole = counts["rows"]
    shown = _rows_to_show(rows)
    return fill_in(
        "honour.html",
        document=document,
        feed=feed,
        made_at=parse_utc(document["made_at"]),
        signed_at=parse_utc(feed["signed_at"]),
        whole=whole,
        not_checked=counts[Action.NOT_CHECKED],
        not_checked_share=share_words(counts[Action.NOT_CHECKED], whole),
        actions=[(ACTION_WORDS[a], a.value, counts[a], share_words(counts[a], whole)) for a in _ORDER],
        actions_chart=bar_chart(
            "Rows by what was decided", [Bar(ACTION_WORDS[a], counts[a]) for a in _ORDER], whole=whole
        ),
        reasons=_reasons(document["reasons"]),
        reasons_chart=_reasons_chart(document["reasons"], whole),
        domains_chart=bar_chart(
            f"Rows by host, the {min(len(domains), BARS_SHOWN)} with most",
            [Bar(found["domain"], found["rows"]) for found in domains[:BARS_SHOWN]],
            whole=domains[0]["rows"] if domains else 0,
        ),
        entries=document["entries"][:ENTRIES_SHOWN],
        entries_left=max(0, len(document["entries"]) - ENTRIES_SHOWN) + document["entries_other"],
        inputs=document["inputs"][:INPUTS_SHOWN],
        inputs_left=max(0, len(document["inputs"]) - INPUTS_SHOWN),
        listed=[(action.value, ACTION_WORDS[action], counts[action], shown[action]) for action in _LISTED],
        reason_words=REASON_WORDS,
        laws=LAWS,
    )


def _rows_to_show(rows: Iterable[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """The first rows of each action that is listed."""
    shown: dict[str, list[Mapping[str, Any]]] = {action.value: [] for action in _LISTED}
    for row in rows:
        of_action = shown.get(row["hibs_decision"])
        if of_action is not None and len(of_action) < ROWS_SHOWN:
            of_action.append(row)
    return shown


def _reasons(reasons: Mapping[str, Mapping[str, int]]) -> list[tuple[str, str, str, int]]:
    """Action, reason, its words and its rows; an action without rows has no line."""
    return [
        (ACTION_WORDS[action], reason, REASON_WORDS.get(reason, reason), count)
        for action in _ORDER
        for reason, count in sorted(reasons.get(action, {}).items())
        if count
    ]


def _reasons_chart(reasons: Mapping[str, Mapping[str, int]], whole: int) -> str:
    """What was decided for other reasons than "none": beside all that is kept they would be hairlines."""
    total: Counter[str] = Counter()
    for of_action in reasons.values():
        total.update(of_action)
    bars = [Bar(reason, count) for reason, count in total.most_common() if reason != "none" and count]
    return bar_chart("Rows by reason", bars, whole=max((bar.count for bar in bars), default=whole))


LAWS: Sequence[tuple[str, str, str]] = (
    (
        "AI Act, Regulation (EU) 2024/1689, Article 53(1)(c)",
        "Providers of general-purpose AI models have a policy to respect Union copyright law, and in particular to "
        "find and follow reservations under Article 4(3) of Directive (EU) 2019/790.",
        "which list of reservations was followed, up to which entry, in which inputs, and what was left out by it",
    ),
    (
        "AI Act, Article 53(1)(d)",
        "Providers publish a sufficiently detailed summary of the content used for training.",
        "the inputs with their digests, and rows by host",
    ),
    (
        "Code of Practice for general-purpose AI, copyright chapter, measure 1.1",
        "Signatories draw up a copyright policy, keep it up to date and put it into effect.",
        "a dated record that such a policy was put into effect for these inputs",
    ),
    (
        "Code of Practice, measure 1.3",
        "Signatories find and follow machine-readable reservations, in robots.txt and in other protocols.",
        "that reservations in one further machine-readable form were read and followed",
    ),
    (
        "Code of Practice, measure 1.5",
        "Signatories name a contact point where rightsholders can complain.",
        "the answer to a complaint that names an opt-out: its entry stands below, or lies above the size of the list",
    ),
    (
        "Directive (EU) 2019/790 (CDSM), Article 4(3)",
        "The exception for text and data mining ends where rightsholders reserved the use in an appropriate way, "
        "online by machine-readable means.",
        "which reservations of the list were found among these rows",
    ),
    (
        "GDPR, Regulation (EU) 2016/679, Article 21(5)",
        "People may object by automated means that use technical specifications.",
        "that objections which came by such means were read, and which rows they reached",
    ),
)
"""The rule, what it is about in our words, and what this report supports. Measures 1.2 and 1.4 of the Code are about
how a crawler gets content and what a model gives out: nothing here speaks to them."""
