"""The rows that `recall.py` measured, as Markdown tables. Nothing to run here: `recall.py --tables`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import measuring
from edits import EDITS, SMALL_SIDE_PX

UNEDITED = "(the photo itself)"
Sizes = Mapping[str, tuple[int, int]]
"""Photo -> (width, height)."""
BLOCK_TITLES = {"full": "photos as they are", "small": f"photos of {SMALL_SIDE_PX} px"}


@dataclass(frozen=True)
class Row:
    """One method on one edit of all photos, in one direction."""

    block: str
    edit: str
    method: str
    direction: str
    """A: you hold the copy. B: the corpus holds it. both: the method compares two pictures, either way the same."""
    found: dict[str, str]
    """Photo -> "same", "edited", "possible" or "no"."""
    wrong: dict[str, int]
    """ "GROUP/KIND" -> matches of different pictures."""
    examples: list[tuple[str, str, str]]
    cpu_ms: float | None
    """CPU time of one question, in one process while others ran; None: not taken."""

    @property
    def column(self) -> str:
        """What its column is called."""
        return self.method if self.direction == "both" else f"{self.method}, {self.direction}"

    def rate(self, names: Iterable[str], kinds: Sequence[str] = measuring.CERTAIN) -> tuple[int, int]:
        """How many of these photos were found so, of how many that were asked."""
        asked = [name for name in names if name in self.found]
        return sum(self.found[name] in kinds for name in asked), len(asked)


def read_rows(path: Path) -> list[Row]:
    """Rows as written."""
    return [Row(**json.loads(line)) for line in path.read_text().splitlines()]


def report(rows: list[Row], methods: Sequence[str], sizes: Sizes) -> str:
    """All tables."""
    rows = [row for row in rows if row.method in methods]
    rows.sort(key=lambda row: methods.index(row.method))
    parts = []
    for block, title in BLOCK_TITLES.items():
        inside = [row for row in rows if row.block == block]
        groups = measuring.GROUPS if block == "full" else (None,)
        parts += [_found_table(inside, title, group, sizes) for group in groups if _names(inside, group)]
    parts += [_totals_table(rows), _wrong_table(rows), _examples(rows), _cost_table(rows)]
    return "\n\n".join(part for part in parts if part)


def _names(rows: Iterable[Row], group: str | None) -> list[str]:
    names = {name for row in rows for name in row.found}
    return sorted(name for name in names if group is None or measuring.group_of(name) == group)


def _columns(rows: Iterable[Row]) -> list[str]:
    return list(dict.fromkeys(row.column for row in rows if row.edit != UNEDITED))


def _found_table(rows: list[Row], title: str, group: str | None, sizes: Sizes) -> str:
    """One line an edit: the share found by each column, in percent."""
    names, columns = _names(rows, group), _columns(rows)
    by_place = {(row.edit, row.column): row for row in rows}
    sums: dict[str, list[float]] = {column: [] for column in columns}
    lines = []
    for edit in [edit for edit in EDITS if any(row.edit == edit for row in rows)]:
        kept = [EDITS[edit].kept_of(sizes[name]) for name in names if name in sizes]
        line = [edit, f"{sum(kept) / max(1, len(kept)):.0%}"]
        for column in columns:
            row = by_place.get((edit, column))
            found, of = row.rate(names) if row else (0, 0)
            if of:
                sums[column].append(found / of)
            line.append(f"{found / of:.1%}" if of else "-")
        lines.append(line)
    means = [f"**{sum(part) / len(part):.1%}**" if part else "-" for part in sums.values()]
    lines.append(["**mean of the edits**", "", *means])
    head = f"## Found: {group or 'all groups'}, {title} ({len(names)})"
    return f"{head}\n\n{measuring.table(['edit, found by', 'area kept', *columns], lines)}"


def _totals_table(rows: list[Row]) -> str:
    """All edits together: found, and `possible`, which does not count as found."""
    parts = []
    for block, title in BLOCK_TITLES.items():
        inside = [row for row in rows if row.block == block and row.edit != UNEDITED]
        lines = []
        for column in _columns(inside):
            answers = [pair for row in inside if row.column == column for pair in row.found.items()]
            line = [column]
            for group in measuring.GROUPS:
                kinds = Counter(kind for name, kind in answers if measuring.group_of(name) == group)
                total = kinds.total()
                line += [f"{kinds[kind] / total:.1%}" if total else "-" for kind in ("same", "edited", "possible")]
            lines.append([*line, f"{len(answers):,}"])
        heads = [f"{group}: {kind}" for group in measuring.GROUPS for kind in ("same", "edited", "possible")]
        if lines:
            parts.append(f"### {title}\n\n{measuring.table(['method', *heads, 'questions'], lines)}")
    note = "`same` and `edited` count as found; `possible` is shown apart to people and does not."
    return "\n\n".join([f"## All edits together\n\n{note}", *parts])


def _wrong_table(rows: list[Row]) -> str:
    """Different pictures that were called copies."""
    note = (
        "Count of how many pairs, with the exact (Clopper-Pearson, one-sided) 95 % upper bound of the rate. It holds "
        "for independent pairs; pairs that share a photo are not quite that. A pair of two studio portraits, or of two "
        "close faces, counts in that group; every other pair counts as other photos. Each picture of a pair is asked "
        "for the other. `possible` is not in the count; it stands behind."
    )
    parts = [f"## Different pictures called copies\n\n{note}"]
    for originals, what in ((True, "originals among each other"), (False, "edited copies against originals")):
        for block, title in BLOCK_TITLES.items():
            inside = [row for row in rows if row.block == block and (row.edit == UNEDITED) == originals]
            lines = []
            for column in dict.fromkeys(row.column for row in inside):
                of_column = [row for row in inside if row.column == column]
                lines.append([column, *(_wrong_cell(of_column, group) for group in measuring.GROUPS)])
            if lines:
                parts.append(f"### {what}, {title}\n\n{measuring.table(['method', *measuring.GROUPS], lines)}")
    return "\n\n".join(parts)


def _wrong_cell(rows: list[Row], group: str) -> str:
    pairs = sum(measuring.pairs_by_group(row.found)[group] for row in rows)
    certain = sum(row.wrong.get(f"{group}/{kind}", 0) for row in rows for kind in measuring.CERTAIN)
    possible = sum(row.wrong.get(f"{group}/possible", 0) for row in rows)
    if not pairs:
        return "-"
    behind = f", and {possible} possible" if possible else ""
    return f"{certain} of {pairs:,} (<= {measuring.few(measuring.upper_bound(certain, pairs))}){behind}"


def _examples(rows: list[Row]) -> str:
    """Which pictures ours confused, so that somebody can look at them."""
    lines = [
        [f"{row.block}, {row.edit}", row.column, asked, name, kind]
        for row in rows
        if row.method.startswith("ours")
        for asked, name, kind in row.examples
        if kind in measuring.CERTAIN
    ]
    if not lines:
        return ""
    table = measuring.table(["edit", "method", "asked", "called a copy of", "kind"], lines[:60])
    return f"## Wrong answers of ours\n\n{len(lines)}; at most 60 are listed.\n\n{table}"


def _cost_table(rows: list[Row]) -> str:
    lines = []
    for column in dict.fromkeys(row.column for row in rows if row.cpu_ms is not None):
        taken = sorted(row.cpu_ms for row in rows if row.column == column and row.cpu_ms is not None)
        lines.append([column, f"{sum(taken) / len(taken):.1f}", f"{taken[0]:.1f}", f"{taken[-1]:.1f}"])
    if not lines:
        return ""
    columns = ["CPU ms a question, decoding included", "mean", "cheapest edit", "dearest edit"]
    return f"## What a question costs\n\n{measuring.table(columns, lines)}"
