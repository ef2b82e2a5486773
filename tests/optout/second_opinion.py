"""aics-tlog, another implementation of the log's formats. It wants Python 3.12, so on 3.11 its tests are skipped."""

from __future__ import annotations

from types import ModuleType

import pytest


def second_opinion(module: str) -> ModuleType:
    """A module of it ("tree", "tiles", "note", ...), or a skip that says why."""
    return pytest.importorskip(f"aics_tlog.{module}", reason="aics-tlog wants Python 3.12 or newer")
