"""The shared test vectors, one loop. They show the readers before doubt is looked at, so `unknown` does not occur."""

from __future__ import annotations

import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from checker.model import Stance, Use
from checker.signals.read import Evidence, RobotsFetch, read_findings
from checker.signals.robots_tags import DIRECTIVES
from checker.signals.verdict import combine

VECTORS = json.loads((Path(__file__).parent / "vectors.json").read_text())["vectors"]
HEADER_NAMES = {
    "content-usage-header": "Content-Usage",
    "content-signal-header": "Content-Signal",
    "x-robots-tag": "X-Robots-Tag",
}


def file_fetch(given: dict[str, Any]) -> RobotsFetch:
    return RobotsFetch(
        status=given.get("status"),
        body=given.get("body", "").encode(),
        redirects=given.get("redirects", 0),
        error=given.get("error"),
    )


def fields_of(kind: str, given: Any, target: str) -> dict[str, Any]:
    """The fields of Evidence that an input of this kind fills."""
    match kind:
        case "robots":
            return {"robots": RobotsFetch(status=200, body=given.encode())}
        case "robots-http":
            return {"robots": file_fetch(given)}
        case "html-meta":
            return {"html": given.encode(), "html_is_target": target == "page"}
        case "http-status":
            return {"status": given["status"], "headers": tuple(map(tuple, given["headers"]))}
        case "tdmrep":
            file = {"tdmrep": file_fetch(given["file"])} if "file" in given else {}
            return {"headers": tuple(map(tuple, given.get("headers", ()))), **file}
        case _:
            return {"headers": tuple((HEADER_NAMES[kind], line) for line in given)}


def evidence_of(vector: dict[str, Any]) -> Evidence:
    context = vector["context"]
    parts = vector["input"] if vector["kind"] == "combine" else {vector["kind"]: vector["input"]}
    fields: dict[str, Any] = {}
    headers: tuple[tuple[str, str], ...] = ()
    for kind, given in parts.items():
        filled = fields_of(kind, given, context["target"])
        headers += filled.pop("headers", ())
        fields |= filled
    return Evidence(url=context["url"], headers=headers, **fields)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["id"])
def test_vector(vector: dict[str, Any]) -> None:
    context, expected = vector["context"], vector["expected"]
    findings = read_findings(
        evidence_of(vector),
        agent=context["ua"],
        now=datetime.fromisoformat(context["now"]),
        infer_ai_tokens=context["infer_ai_tokens"],
    )
    verdict = combine(findings)
    said = {use.value: stance.value for use, stance in verdict.uses.items() if stance is not Stance.UNSPECIFIED}
    assert said == expected["uses"]
    assert verdict.crawl.value == (expected["crawl"] or "unspecified")
    assert any(finding.malformed for finding in findings) == expected["malformed"]


def test_every_vector_of_the_kinds_that_are_read_is_here() -> None:
    assert [vector["id"] for vector in VECTORS] == [*(f"S{n:02}" for n in range(1, 53)), "S67", "S69"]


def test_every_kind_of_finding_and_every_robots_word_is_documented() -> None:
    top = Path(__file__).resolve().parents[2]
    document = (top / "docs" / "signals.md").read_text()
    sources = "".join(path.read_text() for path in (top / "checker" / "signals").glob("*.py"))
    kinds = set(re.findall(r'signal="([^"]+)"', sources))
    assert len(kinds) >= 9
    for name in (*kinds, *DIRECTIVES, *(use.value for use in Use), *(stance.value for stance in Stance)):
        assert f"`{name}`" in document, f"docs/signals.md does not tell of {name}"
