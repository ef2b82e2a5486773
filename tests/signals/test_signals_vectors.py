"""What the documents tell of the readers: every kind of finding, every word of robots tags, every use and stance."""

from __future__ import annotations

import re
from pathlib import Path

from checker.model import Stance, Use
from checker.signals.robots_tags import DIRECTIVES


def test_every_kind_of_finding_and_every_robots_word_is_documented() -> None:
    top = Path(__file__).resolve().parents[2]
    document = (top / "docs" / "signals.md").read_text()
    sources = "".join(path.read_text() for path in (top / "checker" / "signals").glob("*.py"))
    kinds = set(re.findall(r'signal="([^"]+)"', sources))
    assert len(kinds) >= 13
    for name in (*kinds, *DIRECTIVES, *(use.value for use in Use), *(stance.value for stance in Stance)):
        assert f"`{name}`" in document, f"docs/signals.md does not tell of {name}"
