"""One error shape everywhere, a page for each kind, and the documents about the API."""

from __future__ import annotations

import io
import json
import logging
import sys
from pathlib import Path

import pytest
from api_service import IMAGES, JPEG, TestClient
from PIL import Image, ImageOps

from api.problems import STATUS, ProblemKind
from api.schemas.optouts import HolderTold, RecordedTold, StatusTold
from api.schemas.told import (
    HealthTold,
    MatchTold,
    ReadyTold,
    ReportTold,
    SourcesTold,
    StatsTold,
    Told,
)
from api.server import QuietFormatter
from checker.report import Orientation

pytest_plugins = ("api_service",)
DOCS = Path(__file__).resolve().parents[2] / "docs" / "api.md"


@pytest.mark.parametrize(
    ("method", "path", "status", "kind"),
    [
        ("GET", "/v1/nothing", 404, "not-found"),
        ("GET", "/static/../app.py", 404, "not-found"),
        ("GET", "/static/nothing.js", 404, "not-found"),
        ("GET", "/problems/nothing", 404, "not-found"),
        ("PUT", "/v1/lookups", 405, "method-not-allowed"),
        ("GET", "/v1/feed/openings?from=marker7c1", 422, "invalid-request"),
        ("GET", "/v1/images/marker7c1", 404, "not-found"),
    ],
)
def test_every_error_has_the_one_shape(service: TestClient, method: str, path: str, status: int, kind: str) -> None:
    answer = service.request(method, path)
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert {"type", "title", "status", "detail", "next"} <= set(problem)
    assert problem["type"] == f"/problems/{kind}"
    assert problem["status"] == status
    assert "marker7c1" not in answer.text


@pytest.mark.parametrize("kind", list(ProblemKind))
def test_each_kind_has_a_page(service: TestClient, kind: ProblemKind) -> None:
    page = service.get(f"/problems/{kind}")
    assert page.status_code == 200
    assert page.headers["Content-Type"].startswith("text/html")
    assert f"Status {STATUS[kind]}" in page.text


def test_a_person_who_followed_a_dead_link_gets_a_page(service: TestClient) -> None:
    answer = service.get("/nowhere", headers={"Accept": "text/html"})
    assert answer.status_code == 404
    assert "There is nothing here." in answer.text


def test_a_log_whose_mark_is_gone_is_unavailable_and_the_log_says_why(
    service: TestClient, corpus: Path, chelsea: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    service.post("/v1/opt-outs", content=chelsea, headers=JPEG)
    (corpus / "checkpoint").unlink()
    answer = service.get("/v1/feed/checkpoint")
    assert answer.status_code == 503
    assert answer.json()["type"] == "/problems/unavailable"
    assert answer.headers["Retry-After"] == "60"
    assert str(corpus) not in answer.text
    assert f"{corpus}/checkpoint is missing" in caplog.text


def test_ready_reads_the_registry_too(service: TestClient, corpus: Path) -> None:
    (corpus / "checkpoint").unlink()
    told = service.get("/readyz").json()
    assert (told["status"], told["images"], told["log_size"]) == ("ready", 2, 0)


def test_facts_add_up(service: TestClient) -> None:
    stats, sources = service.get("/v1/stats").json(), service.get("/v1/sources").json()["sources"]
    assert stats["images"] == 2
    assert stats["images_findable"] == 2
    assert stats["log"]["size"] == 0
    assert sum(row["sightings"] for row in sources) == stats["sightings"] == 2
    assert [row["kind"] for row in sources] == ["crawl", "folder"]
    assert service.get("/healthz").json() == {"status": "ok"}
    assert service.get("/readyz").json()["status"] == "ready"


def test_openapi_describes_every_endpoint_and_no_address_of_a_picture(service: TestClient) -> None:
    document = service.get("/openapi.json").json()
    assert "/v1/lookups" in document["paths"]
    assert "/v1/feed/openings" in document["paths"]
    assert "/" not in document["paths"]

    def members(node: object) -> list[str]:
        if isinstance(node, dict):
            return [*node, *(name for value in node.values() for name in members(value))]
        return [name for item in node for name in members(item)] if isinstance(node, list) else []

    for operations in document["paths"].values():
        for operation in operations.values():
            assert operation["summary"]
            assert not [name for name in members(operation.get("requestBody", {})) if "url" in name.lower()]


def test_openapi_describes_what_is_answered(service: TestClient, chelsea: bytes) -> None:
    """Every model refuses a member that it does not know, so an answer fits exactly or not at all."""
    recorded = service.post("/v1/opt-outs", content=(IMAGES / "rocket.jpg").read_bytes(), headers=JPEG).json()
    found = service.post("/v1/lookups", content=chelsea, headers=JPEG).json()
    header = {"Authorization": f"Receipt {recorded['withdraw_code']}"}
    hidden = service.post("/v1/lookups", content=(IMAGES / "rocket.jpg").read_bytes(), headers=JPEG).json()
    wider = ImageOps.expand(Image.open(IMAGES / "chelsea.jpg"), 30, "white")
    wider.save(out := io.BytesIO(), "PNG")
    framed = service.post("/v1/lookups", content=out.getvalue(), headers=JPEG).json()
    assert framed["matches"][0]["crop"]
    told: list[tuple[type[Told], object]] = [
        (RecordedTold, recorded),
        (ReportTold, found),
        (ReportTold, hidden),
        (ReportTold, framed),
        (MatchTold, service.get(f"/v1/images/{found['matches'][0]['handle']}").json()),
        (HolderTold, service.get(f"/v1/opt-outs/{recorded['number']}", headers=header).json()),
        (StatusTold, service.delete(f"/v1/opt-outs/{recorded['number']}", headers=header).json()),
        (SourcesTold, service.get("/v1/sources").json()),
        (StatsTold, service.get("/v1/stats").json()),
        (HealthTold, service.get("/healthz").json()),
        (ReadyTold, service.get("/readyz").json()),
    ]
    for model, answer in told:
        model.model_validate(answer)


def test_openapi_knows_every_way_a_copy_may_lie_and_the_second_kind_of_code(service: TestClient) -> None:
    document = service.get("/openapi.json").json()
    match = document["components"]["schemas"]["MatchTold"]["properties"]
    assert match["orientation"]["enum"] == [orientation.value for orientation in Orientation]
    assert {"stored_crop", "codes_disagree"} <= set(match)
    asked, said = (
        document["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]["properties"]["codes"]
        for path in ("/v1/lookups", "/v1/opt-outs")
    )
    assert set(asked["properties"]) == {"phash256", "sscd512"}
    assert asked["required"] == ["phash256"]
    assert "sscd512" in str(said)


def test_openapi_names_the_problems_of_each_endpoint(service: TestClient) -> None:
    document = service.get("/openapi.json").json()
    assert "HTTPValidationError" not in str(document), "that is FastAPI's own shape, which is never answered"
    looked_up = document["paths"]["/v1/lookups"]["post"]["responses"]
    refused = looked_up["422"]["content"]["application/problem+json"]["schema"]["properties"]["type"]["enum"]
    names = ("unreadable", "too-plain", "not-a-code", "invalid-request")
    assert refused == [f"/problems/{name}" for name in names]
    assert set(looked_up) == {"200", "403", "408", "413", "415", "421", "422", "429", "500", "503", "default"}
    assert "429" in document["paths"]["/v1/opt-outs"]["post"]["responses"]
    status = document["paths"]["/v1/opt-outs/{number}"]["get"]
    assert status["security"] == [{"WithdrawCode": []}]
    assert {"401", "404"} <= set(status["responses"])
    openings = document["paths"]["/v1/feed/openings"]["get"]
    assert openings["security"] == [{"FeedKey": []}]
    assert "application/x-ndjson" in openings["responses"]["200"]["content"]
    for operations in document["paths"].values():
        for operation in operations.values():
            told = operation["responses"].items()
            assert all(list(answer["content"]) for status, answer in told if status != "304")


def test_the_documentation_names_every_endpoint_and_every_problem(service: TestClient) -> None:
    text = DOCS.read_text(encoding="utf-8")
    for path, operations in service.get("/openapi.json").json()["paths"].items():
        for method in operations:
            assert f"{method.upper()} {path}" in text
    for kind in ProblemKind:
        assert f"| {STATUS[kind]} | `{kind}` |" in text


def test_a_log_tells_where_an_error_was_and_nothing_of_what_was_sent() -> None:
    sent = "marker" + "7c1"
    try:
        try:
            raise ValueError(sent)
        except ValueError as error:
            raise RuntimeError(sent) from error
    except RuntimeError:
        record = logging.LogRecord("uvicorn.error", logging.ERROR, "", 0, "Exception", (), sys.exc_info())
    text = QuietFormatter("%(message)s").format(record)
    assert sent not in text
    assert "test_api_problems.py" in text
    assert "builtins.ValueError (message withheld)" in text
    assert "builtins.RuntimeError (message withheld)" in text


def test_nothing_of_a_look_up_is_written_anywhere(
    service: TestClient, chelsea: bytes, corpus: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = {p: p.stat().st_mtime_ns for p in corpus.rglob("*")}
    marked = chelsea[:2] + b"\xff\xe1\x00\x0cmarker7c1!" + chelsea[2:]
    assert service.post("/v1/lookups", content=marked, headers=JPEG).status_code == 200
    service.post("/v1/lookups", content=b"marker7c1", headers=JPEG)
    service.post("/v1/lookups", content=json.dumps({"marker7c1": 1}), headers={"Content-Type": "application/json"})
    for path in corpus.rglob("*"):
        assert path in before
        assert b"marker7c1" not in path.read_bytes()
    out, err = capfd.readouterr()
    assert "marker7c1" not in out + err
