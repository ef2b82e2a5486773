"""What /about tells of measurements is what docs/benchmarks.md tells."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from api_service import TestClient, visible

from api.measured import PHOTOS_OF_ONE, PHOTOS_OF_ONE_ROBUST, PORTRAITS_OF_TWO, Pairs

pytest_plugins = ("api_service",)
BENCHMARKS = Path(__file__).resolve().parents[2] / "docs" / "benchmarks.md"


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("two studio portraits", PORTRAITS_OF_TWO),
        ("two photos of one person, robust off", PHOTOS_OF_ONE),
        ("two photos of one person, robust on", PHOTOS_OF_ONE_ROBUST),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_page_tells_what_was_measured(row: str, told: Pairs) -> None:
    section = BENCHMARKS.read_text(encoding="utf-8").partition("\n## Photos, never faces\n")[2].partition("\n## ")[0]
    rows = re.findall(rf"^\| {row} \| ([\d,]+) \| ([\d,]+) ", section, flags=re.MULTILINE)
    assert rows
    assert {(int(pairs.replace(",", "")), int(called)) for pairs, called in rows} == {told}


def test_the_figures_stand_on_the_page(service: TestClient) -> None:
    shown = visible(service.get("/about").text)
    assert re.search(r"Studio portraits of two people, in one style\s+4,753\s+0\b", shown)
    assert re.search(r"Two photos of one person, both kinds of code\s+47\s+1\b", shown)
