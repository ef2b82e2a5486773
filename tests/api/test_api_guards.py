"""Host, Origin, compression and the headers of every answer."""

from __future__ import annotations

from pathlib import Path

import pytest
from api_service import JPEG, TestClient
from hypothesis import given
from hypothesis import strategies as st

from api.guards import host_name, is_loopback

pytest_plugins = ("api_service",)


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "127.0.0.1", "localhost:9", "[::1]:8000", "PHOTOS.example"])
def test_our_own_names_are_answered(service: TestClient, host: str) -> None:
    assert service.get("/healthz", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.test", "127.0.0.1.evil.test", "photos.example.evil.test:8000", "u@127.0.0.1", ""]
)
def test_another_name_is_misdirected(service: TestClient, host: str) -> None:
    answer = service.get("/v1/stats", headers={"Host": host})
    assert answer.status_code == 421
    assert answer.json()["type"] == "/problems/bad-host"


@pytest.mark.parametrize(
    "origin", ["https://evil.test", "null", "http://127.0.0.1:9999", "file://", "http://127.0.0.1:8000.evil.test"]
)
@pytest.mark.parametrize("path", ["/v1/opt-outs", "/v1/lookups"])
def test_a_write_from_a_foreign_page_is_forbidden(service: TestClient, chelsea: bytes, path: str, origin: str) -> None:
    answer = service.post(path, content=chelsea, headers={**JPEG, "Origin": origin, "Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403
    assert answer.json()["type"] == "/problems/forbidden-origin"


def test_a_delete_from_a_foreign_page_is_forbidden(service: TestClient) -> None:
    answer = service.delete("/v1/opt-outs/4F7K-20M9", headers={"Origin": "https://evil.test"})
    assert answer.status_code == 403


@pytest.mark.parametrize(
    "headers",
    [{}, {"Origin": "http://127.0.0.1:8000"}, {"Origin": "null", "Sec-Fetch-Site": "same-origin"}],
    ids=["program", "our page", "form of our page without referrer"],
)
def test_programs_and_our_own_pages_may_write(service: TestClient, chelsea: bytes, headers: dict[str, str]) -> None:
    assert service.post("/v1/lookups", content=chelsea, headers={**JPEG, **headers}).status_code == 200


def test_a_browser_that_sends_no_origin_is_told_apart_by_sec_fetch_site(service: TestClient, chelsea: bytes) -> None:
    answer = service.post("/v1/lookups", content=chelsea, headers={**JPEG, "Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403


def test_a_compressed_body_is_refused(service: TestClient, chelsea: bytes) -> None:
    answer = service.post("/v1/lookups", content=chelsea, headers={**JPEG, "Content-Encoding": "gzip"})
    assert answer.status_code == 415
    assert answer.json()["type"] == "/problems/unsupported-media-type"


@pytest.mark.parametrize("path", ["/", "/v1/stats", "/static/style.css", "/v1/nothing", "/v1/feed/checkpoint"])
def test_every_answer_carries_the_security_headers(service: TestClient, path: str) -> None:
    headers = service.get(path).headers
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "Access-Control-Allow-Origin" not in headers
    assert "Set-Cookie" not in headers


def test_answers_are_stored_nowhere(service: TestClient, chelsea: bytes) -> None:
    assert service.post("/v1/lookups", content=chelsea, headers=JPEG).headers["Cache-Control"] == "no-store"
    assert service.get("/").headers["Cache-Control"] == "no-store"


def test_a_refusal_carries_the_headers_too(service: TestClient) -> None:
    answer = service.get("/", headers={"Host": "evil.test"})
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("origin", ["http://[", "http://127.0.0.1:8000, https://evil.test", "", "http://127.0.0.1"])
def test_an_origin_that_is_none_is_forbidden(service: TestClient, chelsea: bytes, origin: str) -> None:
    answer = service.post("/v1/lookups", content=chelsea, headers={**JPEG, "Origin": origin})
    assert answer.status_code == 403


def test_a_foreign_page_cannot_pass_with_our_origin(service: TestClient, chelsea: bytes) -> None:
    headers = {**JPEG, "Origin": "http://127.0.0.1:8000", "Sec-Fetch-Site": "cross-site"}
    assert service.post("/v1/lookups", content=chelsea, headers=headers).status_code == 403


def test_compression_named_in_a_second_header_is_refused_too(service: TestClient, chelsea: bytes) -> None:
    headers = [("Content-Type", "image/jpeg"), ("Content-Encoding", "identity"), ("Content-Encoding", "gzip")]
    assert service.post("/v1/lookups", content=chelsea, headers=headers).status_code == 415


@pytest.mark.parametrize("path", ["/", "/v1/stats", "/v1/feed/checkpoint", "/static/style.css", "/openapi.json"])
def test_head_is_answered_as_get_without_the_content(service: TestClient, path: str) -> None:
    """RFC 9110 9.3.2."""
    got, head = service.get(path), service.head(path)
    assert head.status_code == 200
    assert head.content == b""
    assert {**head.headers} == {**got.headers}


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("OPTIONS", "/v1/opt-outs/4F7K-20M9", "DELETE, GET, HEAD"),
        ("GET", "/v1/lookups", "POST"),
        ("HEAD", "/v1/lookups", "POST"),
        ("POST", "/", "GET, HEAD"),
        ("DELETE", "/static/style.css", "GET, HEAD"),
    ],
)
def test_what_is_allowed_at_an_address_is_told_whole(service: TestClient, method: str, path: str, allowed: str) -> None:
    """RFC 9110 10.2.1 and 15.5.6."""
    answer = service.request(method, path)
    assert answer.status_code == 405
    assert answer.headers["Allow"] == allowed


@pytest.mark.parametrize("path", ["/static//style.css", "/static/style.css/", "/static/%2e%2e/app.py", "/static/"])
def test_a_file_has_one_address(service: TestClient, path: str) -> None:
    assert service.get(path).status_code == 404


def test_an_unforeseen_error_is_guarded_too(service: TestClient, corpus: Path) -> None:
    (corpus / "checkpoint").unlink()
    (corpus / "checkpoint").mkdir()
    quiet = TestClient(service.app, base_url="http://127.0.0.1:8000", raise_server_exceptions=False)
    answer = quiet.get("/v1/feed/checkpoint")
    assert answer.status_code == 500
    assert answer.json()["type"] == "/problems/internal-error"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@given(st.text(max_size=60))
def test_any_host_is_read_without_an_error(host: str) -> None:
    name = host_name(host)
    assert name is None or "@" not in host


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.0.2.1", False),
        ("photos.example", False),
    ],
)
def test_loopback_is_told_from_the_rest(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected
