"""An answer as a case keeps it: without handles, which change by the hour and open nothing after a day."""

from __future__ import annotations

from typing import Any


def stored_answer(report: dict[str, Any]) -> dict[str, Any]:
    """What is kept of an answer as `hibs check --json` prints it. Of a photo that was not looked for, no coverage."""
    return {
        "status": report["status"],
        "reason": report["reason"],
        "coverage": report["coverage"] if report["status"] == "checked" else None,
        "matches": [{name: value for name, value in match.items() if name != "handle"} for match in report["matches"]],
    }
