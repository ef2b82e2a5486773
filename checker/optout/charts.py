"""Bar charts as static SVG: no script, readable in black and white, the same on a phone and on paper.

Lengths are shares of the width, so that nothing is scaled and the letters keep their size. A chart is an extra: the
table beneath it says the same, and is what a reader who cannot see it gets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from checker.console import one_line

_ROW_PX = 34
_BAR_PX = 9
_LABEL_LETTERS_MAX = 30
"""What fits beside a number on a phone of 320 px."""
_HAIRLINE_PERCENT = 0.4
"""The least that is drawn of what is not zero: one row of a million is there, and has to be seen."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar."""

    label: str
    """Any text; shown as text."""
    count: int
    shown: str = ""
    """The count as it is written in the reader's language. Empty: in English."""


def bar_chart(title: str, bars: Sequence[Bar], *, whole: int) -> Markup:
    """Horizontal bars, in the order given.

    Args:
        title: what a screen reader says in its place.
        whole: the count that is as long as the chart is wide; 0: there is nothing, and all bars are empty.
    """
    rows = Markup("").join(_row(number, bar, whole) for number, bar in enumerate(bars))
    return Markup(
        '<svg role="img" aria-label="{title}" width="100%" height="{height}" xmlns="http://www.w3.org/2000/svg">'
        "{rows}</svg>"
    ).format(title=one_line(title), height=len(bars) * _ROW_PX, rows=rows)


def share_words(count: int, whole: int) -> str:
    """`0.7 %`; never 0 or 100 for what is not."""
    if not whole:
        return "-"
    percent = 100 * count / whole
    if count and percent < 0.1:
        return "below 0.1 %"
    if count < whole and percent > 99.9:
        return "above 99.9 %"
    return f"{percent:.1f} %"


def _row(number: int, bar: Bar, whole: int) -> Markup:
    top = number * _ROW_PX
    percent = 100 * bar.count / whole if whole else 0.0
    if bar.count:
        percent = max(percent, _HAIRLINE_PERCENT)
    return Markup(
        '<text x="0" y="{text}">{label}</text><text x="100%" y="{text}" text-anchor="end">{count}</text>'
        '<rect class="track" x="0" y="{bar}" width="100%" height="{thick}"/>'
        '<rect class="bar" x="0" y="{bar}" width="{width}%" height="{thick}"/>'
    ).format(
        text=top + 14,
        bar=top + 19,
        thick=_BAR_PX,
        label=_cut(one_line(bar.label)),
        count=bar.shown or f"{bar.count:,}",
        width=f"{min(percent, 100.0):.2f}",
    )


def _cut(label: str) -> str:
    return label if len(label) <= _LABEL_LETTERS_MAX else f"{label[: _LABEL_LETTERS_MAX - 1]}…"
