"""A host is not opted out over HTTP: the API takes no address, so nobody can make it fetch one."""

from __future__ import annotations

import json

import pytest
from api_service import TestClient

pytest_plugins = ("api_service",)
CODES = {"phash256": {"version": "1", "hex": "0f" * 32}}


@pytest.mark.parametrize(
    "body",
    [
        {"addresses": ["photos.example/"], "uses": ["tdm"]},
        {"addresses": ["photos.example/"], "uses": ["tdm"], "codes": CODES},
        {"host": "photos.example"},
        {"url": "https://photos.example/a.jpg"},
        {"codes": CODES, "evidence": "host-file"},
        {"codes": CODES, "withdraw_code": "hibs-w1-0123456789ABCDEFGHJKMNPQRSTVWXYZ"},
    ],
)
def test_addresses_and_evidence_are_unknown_fields(service: TestClient, body: dict[str, object]) -> None:
    answer = service.post("/v1/opt-outs", content=json.dumps(body), headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert answer.json()["type"] == "/problems/invalid-request"
    assert "photos.example" not in answer.text
    assert service.get("/v1/stats").json()["log"]["size"] == 0
