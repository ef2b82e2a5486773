"""Fixtures: a service whose worker answers lists, and a key for it.

A module takes those that it wants by name (`ngo = bulk_service.ngo`). As a plugin they would be everybody's, in place
of the fixtures of the same name in api_service.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from api_service import Opener, TestClient
from bulk_lists import NDJSON, PLACE, WHY, codes, lines, make_key, unrelated, until


@pytest.fixture
def now() -> datetime:
    """The worker is a process of its own and goes by the real clock."""
    return datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def ngo(corpus: Path, now: datetime) -> dict[str, str]:
    return make_key(corpus, now, "NGO")


@pytest.fixture
def service(open_service: Opener, corpus: Path, ngo: dict[str, str]) -> TestClient:
    return open_service(corpus)


@pytest.fixture
def four() -> bytes:
    return lines(
        {"id": "=cmd()|F-17/katze.jpg", "codes": codes("chelsea.jpg")},
        {"id": "b", "codes": unrelated(1)},
        {"codes": codes("rocket.jpg")},
        {"id": "d", "codes": codes("coffee.jpg")},
    )


def post(service: TestClient, body: bytes, key: dict[str, str], why: str = WHY, **headers: str) -> Any:
    return service.post(f"{PLACE}{why}", content=body, headers={**NDJSON, **key, **headers})


def finished(service: TestClient, body: bytes, key: dict[str, str]) -> str:
    """Send a list, and wait until it is answered: its address."""
    made = post(service, body, key)
    assert made.status_code == 202, made.text
    place = str(made.json()["status"])
    until(lambda: service.get(place, headers=key).json()["state"] in ("done", "failed"))
    return place
