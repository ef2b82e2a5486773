"""Let atheris look for response headers that make the readers raise or that permit while they are in doubt.

    python tests/fuzz/fuzz_headers.py -max_total_time=60

Not collected by pytest, and atheris is not among the project's requirements: `pip install atheris` where it is wanted.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

with atheris.instrument_imports(include=["checker.signals", "http_sf"]):
    from checker.model import Stance
    from checker.signals.read import Evidence, read_findings
    from checker.signals.verdict import combine, with_doubt

NOW = datetime(2026, 11, 22, tzinfo=UTC)
NAMES = (
    "Content-Usage",
    "Content-Signal",
    "X-Robots-Tag",
    "TDM-Reservation",
    "TDM-Policy",
    "Link",
    "crawler-price",
    "",
)
STATUSES = (None, 200, 304, 402, 404)


def read_one(data: bytes) -> None:
    """The first byte chooses the status; of each line the first byte chooses the name of the header."""
    lines = data[1:].split(b"\n")[:20]
    headers = tuple(
        (NAMES[line[0] % len(NAMES)], line[1:].decode("utf-8", "surrogateescape")) for line in lines if line
    )
    status = STATUSES[data[0] % len(STATUSES)] if data else None
    evidence = Evidence("https://img.example/a.jpg", status=status, headers=headers, page_headers=headers[:2])
    findings = read_findings(evidence, agent="ExampleBot", now=NOW)
    for finding in findings:
        finding.raw.encode("utf-8")
        assert len(finding.raw) <= 500
        assert not (finding.malformed and Stance.ALLOW in finding.uses.values())
        assert status not in (402, 404) or Stance.ALLOW not in finding.uses.values()
    with_doubt(combine(findings)).to_dict()


if __name__ == "__main__":
    atheris.Setup(sys.argv, read_one)
    atheris.Fuzz()
