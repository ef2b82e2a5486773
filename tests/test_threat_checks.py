"""docs/threat-checks.md names tests that exist, so a check is not lost when a test is renamed or dropped."""

from __future__ import annotations

import ast
import re
from collections import Counter
from pathlib import Path

from hibs_command import CHECKOUT

ROW = re.compile(r"\| (C\d+) \| ([^|]+) \| ([^|]+) \|")
TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
CHECKS = ["C1", "C2", "C3", "C4", "C8", "C16", "C17", "C18", "C20", "C22", "C23", "C24"]


def rows() -> list[tuple[str, str, list[tuple[str, str]]]]:
    """Check, statement and tests of each row."""
    lines = (CHECKOUT / "docs" / "threat-checks.md").read_text().splitlines()
    table = [line for line in lines if line.startswith("| C")]
    found = [ROW.fullmatch(line) for line in table]
    assert all(found), [line for line, row in zip(table, found, strict=True) if row is None]
    return [(row[1], row[2], TEST.findall(row[3])) for row in found if row]


def names_of(path: Path) -> set[str]:
    return {node.name for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)}


def test_every_check_has_rows_in_order_and_every_row_its_tests() -> None:
    assert list(dict.fromkeys(check for check, _, _ in rows())) == CHECKS
    assert all(tests and what.strip() for _, what, tests in rows())


def test_every_test_that_is_named_exists_and_is_named_once() -> None:
    named = Counter(test for _, _, tests in rows() for test in tests)
    assert [test for test, times in named.items() if times > 1] == []
    for file, name in named:
        assert name in names_of(CHECKOUT / file), f"{file} has no {name}"
