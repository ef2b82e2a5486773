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
    from checker.signals.paths import matched_octets, path_of
    from checker.signals.preferences import read_robots_preferences
    from checker.signals.robots import RobotsFile, parse_robots, read_access

AGENT = "ExampleBot"


def refuses(robots: RobotsFile, path: str) -> bool:
    """Whether the longest matching rule is a Disallow that no Allow equals, by a walk over all records."""
    best = {"allow": 0, "disallow": 0}
    for record in robots.records_for(AGENT):
        if record.name in best:
            best[record.name] = max(best[record.name], matched_octets(record.value, path) or 0)
    return best["disallow"] > best["allow"]


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
    # The rules that were made ready and a plain walk over the records decide alike; either reading can refuse.
    if path_of(url) != "/robots.txt":
        readings = (robots, robots.meant) if robots.meant is not None else (robots,)
        refused = any(refuses(reading, path_of(url)) for reading in readings)
        assert access.crawl is (Stance.DENY if refused else Stance.ALLOW)
    lines = [record.line for group in robots.groups for record in group.records]
    assert lines == sorted(set(lines))
    assert not robots.outside or not robots.groups or robots.outside[-1].line < robots.groups[0].first_line
    robots.crawl_delay_s(AGENT)
    assert all(isinstance(address, str) for address in robots.sitemaps)


if __name__ == "__main__":
    atheris.Setup(sys.argv, read_one)
    atheris.Fuzz()
