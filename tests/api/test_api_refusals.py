"""What a refusal says: which part of what was sent is wrong, why, what to do, and nothing that was sent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from api_service import JPEG, Clock, Opener, TestClient, picture

from api.deps import welcome
from checker.audit.cases import Purpose
from checker.keys import CaseRules, Scope, create_key, revoke_key
from checker.optout.request import OptOuts
from checker.settings import Settings

pytest_plugins = ("api_service",)
JSON = {"Content-Type": "application/json"}
MARKER = "marker7c1"


def make_key(corpus: Path, clock: Clock, scope: Scope) -> dict[str, str]:
    rules = CaseRules(frozenset(Purpose), "AZ-####") if scope is Scope.BULK else None
    with OptOuts.open(corpus, Settings(), now=clock()) as opt_outs:
        text = create_key(opt_outs.registry, name=scope.value, scopes=[scope], now=clock(), bulk=rules)
    return {"Authorization": f"Bearer {text}"}


def codes(name: str) -> dict[str, object]:
    return {"codes": {"phash256": {"version": "1", "hex": picture(name).fingerprints[0].hex}}}


# --- parameters in the address ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "places", "detail"),
    [
        (
            "POST",
            f"/v1/bulk-lookups?purpose=complaint&case=AZ-2041&{MARKER}=x",
            ["query"],
            "A parameter in the address is unknown here. Known: purpose, case.",
        ),
        (
            "POST",
            "/v1/bulk-lookups?purpose=complaint&case=AZ-2041&case=AZ-2042",
            ["case"],
            "This stands more than once in the address: case.",
        ),
        (
            "GET",
            f"/v1/bulk-lookups/{'0' * 32}/results?{MARKER}=1",
            ["query"],
            "A parameter in the address is unknown here. Known: format, reason.",
        ),
        (
            "GET",
            "/v1/feed/openings?From=0",
            ["query"],
            "A parameter in the address is unknown here. Known: from.",
        ),
        ("GET", "/v1/stats?x=1", ["query"], "There is a parameter in the address, and none is known here."),
    ],
)
def test_a_wrong_parameter_is_named_and_no_right_one(
    service: TestClient, method: str, path: str, places: list[str], detail: str
) -> None:
    answer = service.request(method, path)
    assert answer.status_code == 422
    told = answer.json()
    assert (told["type"], told["places"], told["detail"]) == ("/problems/invalid-request", places, detail)
    assert MARKER not in answer.text


def test_every_address_for_programs_refuses_a_parameter_that_it_does_not_know(service: TestClient) -> None:
    described = service.get("/openapi.json").json()["paths"]
    asked = [(method, path) for path, methods in described.items() for method in methods]
    assert len(asked) > 20
    for method, path in [*asked, ("get", "/openapi.json")]:
        at = path.replace("{place}", "0/000.p/1").replace("{", "").replace("}", "")
        answer = service.request(method.upper(), f"{at}?{MARKER}=1")
        assert (answer.status_code, answer.json()["places"]) == (422, ["query"]), f"{method} {path}"
        assert answer.json()["type"] == "/problems/invalid-request"
        if path in described:
            assert "422" in described[path][method]["responses"]


@pytest.mark.parametrize("path", ["/", "/de/", "/opt-out", "/receipts", "/docs", "/problems/busy", "/v1/stats"])
def test_pages_pass_over_what_a_link_gained_on_its_way(service: TestClient, path: str) -> None:
    answer = service.get(f"{path}?utm_source=newsletter&utm_source=x")
    assert answer.status_code == (422 if path.startswith("/v1/") else 200)


# --- bodies ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at", [0, 17, 499])
def test_an_impossible_code_among_many_is_named(open_service: Opener, corpus: Path, at: int) -> None:
    service = open_service(corpus, Settings(opt_outs_per_day_max=500))
    pictures = [codes("coffee.jpg") for _ in range(500)]
    pictures[at] = {"codes": {"phash256": {"version": "1", "hex": "ff" * 32}}}
    answer = service.post("/v1/opt-outs", content=json.dumps({"pictures": pictures}), headers=JSON)
    told = answer.json()
    assert (answer.status_code, told["type"]) == (422, "/problems/not-a-code")
    assert told["places"] == [f"pictures.{at}.codes.phash256"]
    assert told["detail"] == f"No picture has the code at pictures.{at}.codes.phash256."
    assert "ff" * 32 not in answer.text


def test_of_two_kinds_of_code_the_wrong_one_is_named(service: TestClient) -> None:
    given = codes("coffee.jpg")["codes"]
    assert isinstance(given, dict)
    both = {"codes": {**given, "sscd512": {"version": "1-240436cc531e", "hex": "00" * 63}}}
    for path in ("/v1/lookups", "/v1/opt-outs"):
        answer = service.post(path, content=json.dumps(both), headers=JSON)
        assert (answer.status_code, answer.json()["places"]) == (422, ["codes.sscd512"])


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b"", "The body is no JSON: it cannot be read on at line 1, column 1."),
        (b'{"codes":\n {]}', "The body is no JSON: it cannot be read on at line 2, column 3."),
        (b'{"marker7c1": 1, "marker7c1": 2}', "In an object of the body a member stands twice, so it says two things."),
        (b'{"codes": NaN}', "The body holds NaN or Infinity, which are not JSON."),
        (b'{"codes": -Infinity}', "The body holds NaN or Infinity, which are not JSON."),
        ('{"codes": {}}'.encode("utf-16"), "The body is not in UTF-8, as JSON has to be."),
        ('{"codes": {}}'.encode("utf-16-le"), "The body is not in UTF-8, as JSON has to be."),
        ('{"codes": "ü"}'.encode("latin-1"), "The body is not in UTF-8, as JSON has to be."),
        (b'{"codes": ' + b"7" * 5000 + b"}", "The body holds a number with too many digits."),
        (b"[" * 100_000, "The body is nested too deeply."),
    ],
)
def test_what_is_no_json_is_told_by_the_rule_that_it_breaks(service: TestClient, body: bytes, detail: str) -> None:
    """RFC 8259: 2 (syntax), 4 (names should be unique), 6 (numbers), 8.1 (UTF-8), 9 (limits of depth and numbers)."""
    answer = service.post("/v1/lookups", content=body, headers=JSON)
    told = answer.json()
    assert (answer.status_code, told["type"]) == (422, "/problems/invalid-request")
    assert (told["places"], told["detail"]) == (["body"], detail)
    assert MARKER not in answer.text


@pytest.mark.parametrize(
    ("path", "body", "places", "detail"),
    [
        ("/v1/lookups", {}, ["codes"], "Missing: codes."),
        (
            "/v1/lookups",
            {"codes": {"phash256": {"version": 1}, MARKER: 1}},
            ["codes.phash256.version", "codes.phash256.hex", "codes"],
            "Not of the agreed form: codes.phash256.version. Missing: codes.phash256.hex. "
            "There is an unknown member in: codes.",
        ),
        ("/v1/opt-outs", {}, ["body"], "Give either “codes” for one picture or “pictures” for several."),
        ("/v1/lookups", [], ["body"], "Not of the agreed form: body."),
    ],
)
def test_missing_unknown_and_wrong_members_are_told_apart(
    service: TestClient, path: str, body: Any, places: list[str], detail: str
) -> None:
    answer = service.post(path, content=json.dumps(body), headers=JSON)
    told = answer.json()
    assert (answer.status_code, told["places"], told["detail"]) == (422, places, detail)
    assert MARKER not in answer.text


def test_a_missing_parameter_is_told_as_missing(service: TestClient) -> None:
    told = service.post("/v1/bulk-lookups?case=AZ-2041").json()
    assert (told["places"], told["detail"]) == (["purpose"], "Missing: purpose.")


@pytest.mark.parametrize("uses", [[], ["train"]])
def test_naming_no_use_is_told_apart_from_leaving_uses_out(service: TestClient, uses: list[str]) -> None:
    body = {**codes("coffee.jpg"), "uses": uses}
    answer = service.post("/v1/opt-outs", content=json.dumps(body), headers=JSON)
    assert (answer.status_code, answer.json()["places"]) == (422, ["uses"])
    assert answer.json()["detail"].endswith("Without “uses” the no is to all of them.")
    described = service.get("/openapi.json").json()["paths"]["/v1/opt-outs"]["post"]["requestBody"]["content"]
    assert described["application/json"]["schema"]["properties"]["uses"]["minItems"] == 1


def test_too_much_json_is_not_called_a_picture(service: TestClient) -> None:
    body = b'{"codes": "' + b"0" * 300_000 + b'"}'
    told = service.post("/v1/lookups", content=body, headers=JSON).json()
    assert told["status"] == 413
    assert told["detail"] == "The body is larger than 256 KiB, the most JSON that is read here."
    assert "picture" not in told["next"]
    photo = service.post("/v1/lookups", content=bytes(21 * 2**20), headers=JPEG).json()
    assert photo["next"] == "Save the picture smaller and try again."


# --- keys ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [("GET", "/v1/feed/openings", "feed"), ("GET", "/v1/bulk-lookups", "bulk"), ("POST", "/v1/honours", "honour")],
)
def test_a_missing_key_an_ended_one_and_one_for_something_else_are_told_apart(
    service: TestClient, corpus: Path, clock: Clock, method: str, path: str, scope: str
) -> None:
    """RFC 6750 3: no error code where nothing was sent, `invalid_token` where it was revoked."""
    none = service.request(method, path)
    assert none.headers["WWW-Authenticate"] == 'Bearer realm="hibs"'
    assert none.json()["detail"] == f"This needs a key of scope “{scope}”, and none was sent."
    assert "`Authorization: Bearer KEY`" in none.json()["next"]

    key = make_key(corpus, clock, Scope(scope))
    with OptOuts.open(corpus, Settings(), now=clock()) as opt_outs:
        revoke_key(opt_outs.registry, name=scope, now=clock())
    ended = service.request(method, path, headers=key)
    assert ended.status_code == 401
    assert ended.headers["WWW-Authenticate"] == 'Bearer realm="hibs", error="invalid_token"'
    assert ended.json()["detail"] == "The key that was sent is unknown, expired or revoked."
    assert f"scope “{scope}”" in ended.json()["next"]

    other = make_key(corpus, clock, Scope.HONOUR if scope != "honour" else Scope.FEED)
    wrong = service.request(method, path, headers=other)
    assert wrong.status_code == 403
    assert f"scope “{scope}”" in wrong.json()["detail"]


def test_an_opt_out_asks_for_its_code_and_for_no_key(service: TestClient) -> None:
    told = service.get("/v1/opt-outs/0000-0000").json()
    assert told["detail"] == "This needs the withdraw code of the opt-out, and none was sent."
    assert "Bearer" not in told["next"]


def test_before_the_first_act_there_is_no_audit_log_and_that_is_said(
    service: TestClient, corpus: Path, clock: Clock
) -> None:
    for path in ("/v1/audit/checkpoint", "/v1/audit/key"):
        answer = service.get(path)
        assert (answer.status_code, answer.json()["type"]) == (404, "/problems/not-found")
        assert answer.json()["detail"] == "Nothing was done with a key here yet, so there is no audit log."
    with OptOuts.open(corpus, Settings(), now=clock()) as opt_outs:
        assert opt_outs.log.size == 0


# --- methods and forms of the answer ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/openapi.json", "GET, HEAD"),
        ("/closer-look", "GET, HEAD, POST"),
        ("/de/closer-look", "GET, HEAD, POST"),
        ("/de/sources", "GET, HEAD"),
        ("/v1/opt-outs/4F7K-20M9", "DELETE, GET, HEAD"),
        ("/v1/honours", "GET, HEAD, POST"),
    ],
)
def test_allow_names_what_an_address_can_do(service: TestClient, path: str, allowed: str) -> None:
    """RFC 9110 15.5.6: the server must generate Allow in an answer 405."""
    answer = service.put(path)
    assert (answer.status_code, answer.headers["Allow"]) == (405, allowed)


def test_weights_are_those_of_the_example_of_the_rfc() -> None:
    """RFC 9110 12.5.1, the table below "The media type quality factor associated with a given type"."""
    accept = "text/*;q=0.3, text/plain;q=0.7, text/plain;format=flowed, text/plain;format=fixed;q=0.4, */*;q=0.5"
    assert welcome(accept, "text/plain;format=flowed") == 1
    assert welcome(accept, "text/plain") == 0.7
    assert welcome(accept, "text/html") == 0.3
    assert welcome(accept, "image/jpeg") == 0.5
    assert welcome(accept, "text/plain;format=fixed") == 0.4
    assert welcome("", "text/html") == 1
    assert welcome("image/*", "text/html") == 0


CHROME = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8"


@pytest.mark.parametrize(
    ("accept", "is_page"),
    [
        ("text/html", True),
        ("TEXT/HTML", True),
        ("text/html; charset=utf-8", True),
        (CHROME, True),
        ("application/json;q=0.1, text/html;q=0.9", True),
        ("text/*", True),
        ("text/html;q=0", False),
        ("text/html;q=0.000, */*", False),
        ("text/html;q=0.5, application/json", False),
        ("text/html, application/json", False),
        ("text/html, application/problem+json", False),
        ("text/html;q=high, application/json;q=0.2", False),
        ("*/*", False),
        ("", False),
        (",;q=1,/;;=", False),
    ],
)
def test_a_page_is_answered_to_whom_it_is_more_welcome_than_json(
    service: TestClient, accept: str, is_page: bool
) -> None:
    header = {"Accept": accept}
    looked_up = service.post("/v1/lookups", content=json.dumps(codes("coffee.jpg")), headers={**JSON, **header})
    assert looked_up.status_code == 200
    nowhere = service.get("/nowhere", headers=header)
    for answer in (looked_up, nowhere):
        assert answer.headers["Content-Type"].startswith("text/html") == is_page
