"""What a page of somebody else can reach of a service through its reader's browser: nothing (check C17).

Single rules are in test_api_guards.py; here every endpoint of the description is tried.
"""

from __future__ import annotations

import re

import pytest
from api_service import TestClient

pytest_plugins = ("api_service",)
FOREIGN = {"Origin": "https://evil.test", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"}


def endpoints(service: TestClient) -> list[tuple[str, str]]:
    """Method and path of each, with something in the place of its parameters."""
    paths = service.get("/openapi.json").json()["paths"]
    found = [(method.upper(), re.sub(r"{\w+}", "x", path)) for path, methods in paths.items() for method in methods]
    assert len(found) > 20
    return found


def test_no_answer_lets_a_foreign_page_read_it(service: TestClient) -> None:
    for method, path in endpoints(service):
        answer = service.request(method, path, headers=FOREIGN)
        assert not [name for name in answer.headers if name.startswith("access-control-")], path
        assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin", path
        if method not in ("GET", "HEAD"):
            assert (answer.status_code, answer.json()["type"]) == (403, "/problems/forbidden-origin"), path


def test_no_question_before_a_request_is_granted(service: TestClient) -> None:
    """A CORS preflight (Fetch, "CORS-preflight request")."""
    for method, path in endpoints(service):
        asked = {**FOREIGN, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": "content-type"}
        answer = service.options(path, headers=asked)
        assert answer.status_code == 405, path
        assert not [name for name in answer.headers if name.startswith("access-control-")], path


@pytest.mark.parametrize(
    "host", ["evil.test", "127.0.0.1.evil.test", "evil.test:8000", "localhost.evil.test", "0.0.0.0"]
)
def test_a_name_that_was_pointed_at_this_machine_reaches_nothing(service: TestClient, host: str) -> None:
    """DNS rebinding: the page's own name leads here, and Host tells it."""
    for method, path in [*endpoints(service), ("GET", "/"), ("GET", "/static/style.css"), ("GET", "/openapi.json")]:
        answer = service.request(method, path, headers={"Host": host})
        assert (answer.status_code, answer.json()["type"]) == (421, "/problems/bad-host"), path
