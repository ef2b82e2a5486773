"""What the private check answers, for `/openapi.json`: bytes, described in docs/private.md."""

from __future__ import annotations

from typing import Any

BINARY: dict[str, Any] = {
    "type": "string",
    "format": "binary",
    "description": "A line of JSON (version, kind, kind_version, mask, sketch_bits, spread_bits, rows, built_at, "
    "next_at, coverage), then `rows` half codes of 16 bytes, then zeros.",
}
"""The schema of both answers."""
