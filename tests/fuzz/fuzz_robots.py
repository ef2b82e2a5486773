"""Let atheris look for robots.txt files that make the reader raise, permit by accident, or say two things at once.

    python tests/fuzz/fuzz_robots.py -max_total_time=60

Not collected by pytest, and atheris is not among the project's requirements: `pip install atheris` where it is wanted.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

with atheris.instrument_imports(include=["checker.signals"]):
    from checker.model import Stance
    from checker.signals.paths import path_of
    from checker.signals.preferences import read_robots_preferences
    from checker.signals.robots import deciding_rule, parse_robots, read_access

AGENT = "ExampleBot"


def read_one(data: bytes) -> None:
    """A file, and behind its first zero byte the path that is asked about."""
    body, _, path = data.partition(b"\0")
    url = "https://img.example/" + path.decode("utf-8", "surrogateescape")
    robots = parse_robots(body)
    access = read_access(robots, url, agent=AGENT)
    for finding in (access, *read_robots_preferences(robots, url, agent=AGENT, infer_ai_tokens=True)):
        finding.raw.encode("utf-8")
        assert len(finding.raw) <= 500
        assert not (finding.malformed and Stance.ALLOW in finding.uses.values())
    # The rules that were made ready and a plain walk over the records decide alike.
    rule = deciding_rule(robots.records_for(AGENT), path_of(url))
    if path_of(url) != "/robots.txt":
        assert access.crawl is (Stance.DENY if rule is not None and rule.name == "disallow" else Stance.ALLOW)
    lines = [record.line for group in robots.groups for record in group.records]
    assert lines == sorted(set(lines))
    assert not robots.outside or not robots.groups or robots.outside[-1].line < robots.groups[0].first_line
    robots.crawl_delay_s(AGENT)
    assert all(isinstance(address, str) for address in robots.sitemaps)


if __name__ == "__main__":
    atheris.Setup(sys.argv, read_one)
    atheris.Fuzz()
