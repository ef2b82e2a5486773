"""/v1/honours: what operators state, only about lists that were, told as a statement."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from api_service import JPEG, Clock, Opener, TestClient

from api.schemas.honours import HonoursTold, HonourTold
from checker.keys import Scope, create_key, revoke_key
from checker.optout.operators import operators_of
from checker.optout.request import OptOuts
from checker.settings import Settings

pytest_plugins = ("api_service",)
JSON = {"Content-Type": "application/json"}
DIGEST = hashlib.sha256(b"report").hexdigest()


@pytest.fixture
def service(open_service: Opener, corpus: Path, chelsea: bytes) -> TestClient:
    """With three entries in the log."""
    client = open_service(corpus)
    for _ in range(3):
        assert client.post("/v1/opt-outs", content=chelsea, headers=JPEG).status_code == 201
    return client


def make_key(corpus: Path, clock: Clock, *scopes: Scope, name: str = "ACME") -> str:
    with OptOuts.open(corpus, Settings(), now=clock()) as opt_outs:
        return create_key(opt_outs.registry, name=name, scopes=scopes, now=clock())


@pytest.fixture
def key(service: TestClient, corpus: Path, clock: Clock) -> str:
    return make_key(corpus, clock, Scope.HONOUR, Scope.FEED)


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def root_at(service: TestClient, size: int) -> str:
    """RFC 6962 2.1, computed here by hand for up to three leaves."""

    def digest(prefix: bytes, data: bytes) -> bytes:
        return hashlib.sha256(prefix + data).digest()

    bundle = service.get("/v1/feed/tile/entries/000.p/3").content
    a, b, c = (digest(b"\0", bundle[at + 2 : at + 34]) for at in (0, 34, 68))
    return {1: a, 2: digest(b"\1", a + b), 3: digest(b"\1", digest(b"\1", a + b) + c)}[size].hex()


def said(service: TestClient, size: int = 3, **others: Any) -> dict[str, Any]:
    fixed = {"feed_size": size, "root": root_at(service, size), "rows_in": 1000, "rows_out": 990}
    return {**fixed, "report_digest": DIGEST, **others}


def post(service: TestClient, body: object, key: str) -> Any:
    return service.post("/v1/honours", content=json.dumps(body), headers={**JSON, **bearer(key)})


def test_a_statement_is_kept_and_told_to_everybody_as_a_statement(service: TestClient, key: str) -> None:
    assert service.get("/v1/honours").json() == {"statements": []}
    answer = post(service, said(service), key)
    assert answer.status_code == 201
    told = {
        "operator": "ACME",
        "states": "states that it acted up to entry 2 on 22 November 2026",
        **said(service),
        "stated_at": "2026-11-22T14:03:00Z",
    }
    assert answer.json() == told
    assert service.get("/v1/honours").json() == {"statements": [told]}
    HonourTold.model_validate(answer.json())
    HonoursTold.model_validate(service.get("/v1/honours").json())


def test_an_earlier_size_of_the_list_has_its_own_root(service: TestClient, key: str) -> None:
    assert post(service, said(service, 2), key).status_code == 201
    wrong = post(service, said(service, 2, root=root_at(service, 3)), key)
    assert (wrong.status_code, wrong.json()["places"]) == (422, ["root"])


@pytest.mark.parametrize(
    ("wrong", "place"),
    [
        ({"feed_size": 4}, "feed_size"),
        ({"feed_size": 0}, "feed_size"),
        ({"feed_size": 2**53}, "feed_size"),
        ({"feed_size": "3"}, "feed_size"),
        ({"rows_out": 1001}, "rows_out"),
        ({"rows_in": -1}, "rows_in"),
        ({"root": "0" * 64}, "root"),
        ({"root": "x"}, "root"),
        ({"report_digest": DIGEST.upper()}, "report_digest"),
        ({"text": "we removed it all"}, "body"),
    ],
)
def test_what_cannot_be_true_is_refused_by_name(service: TestClient, key: str, wrong: Any, place: str) -> None:
    answer = post(service, {**said(service), **wrong}, key)
    assert answer.status_code == 422
    assert answer.json()["places"] == [place]
    assert "removed" not in answer.text
    assert service.get("/v1/honours").json() == {"statements": []}


def test_the_same_report_again_is_the_same_statement(service: TestClient, key: str, clock: Clock) -> None:
    first = post(service, said(service), key)
    clock.now += timedelta(days=1)
    again = post(service, said(service), key)
    assert (again.status_code, again.json()) == (201, first.json())
    other = post(service, said(service, rows_out=1), key)
    assert (other.status_code, other.json()["places"]) == (422, ["report_digest"])
    assert other.json()["detail"].startswith("This report was stated before with other numbers")
    assert len(service.get("/v1/honours").json()["statements"]) == 1


def test_a_statement_that_is_sent_again_is_one_act(service: TestClient, key: str, clock: Clock) -> None:
    """What is published is not more than was stated."""
    for _ in range(3):
        assert post(service, said(service), key).status_code == 201
        clock.now += timedelta(days=1)
    stated = [one for one in service.get("/v1/audit/counts").json()["counts"] if one["act"] == "honour-stated"]
    assert [(one["acts"], one["amount"]) for one in stated] == [(1, 1000)]


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"feed_size": 4}, "The list of this service has 3 entries now, and feed_size says more."),
        ({"rows_out": 1001}, "More rows were kept (rows_out) than there were (rows_in)."),
        ({"root": "0" * 64}, "This is not the root of the list "),
    ],
)
def test_what_cannot_be_true_says_why(service: TestClient, key: str, wrong: Any, why: str) -> None:
    assert post(service, {**said(service), **wrong}, key).json()["detail"].startswith(why)


def test_only_a_key_for_it_states(service: TestClient, corpus: Path, clock: Clock, key: str) -> None:
    body = json.dumps(said(service))
    none = service.post("/v1/honours", content=body, headers=JSON)
    assert none.status_code == 401
    assert none.headers["WWW-Authenticate"].startswith("Bearer")
    assert post(service, said(service), "hibs_" + "0" * 72).status_code == 401
    assert post(service, said(service), make_key(corpus, clock, Scope.FEED, name="reader")).status_code == 403
    with OptOuts.open(corpus, Settings(), now=clock()) as opt_outs:
        revoke_key(opt_outs.registry, name="ACME", now=clock())
    assert post(service, said(service), key).status_code == 401


def test_bodies_have_one_form_and_a_size(service: TestClient, key: str) -> None:
    body = json.dumps(said(service))
    text = service.post("/v1/honours", content=body, headers={"Content-Type": "text/plain", **bearer(key)})
    assert text.status_code == 415
    large = service.post("/v1/honours", content=body + " " * 4096, headers={**JSON, **bearer(key)})
    assert large.status_code == 413
    assert service.post("/v1/honours?x=1", content=body, headers={**JSON, **bearer(key)}).status_code == 422
    assert service.get("/v1/honours?from=1").status_code == 422


def test_one_key_cannot_fill_the_list(service: TestClient, key: str, clock: Clock) -> None:
    answers = [
        post(service, said(service, report_digest=hashlib.sha256(b"%d" % n).hexdigest()), key).status_code
        for n in range(201)
    ]
    assert answers == [201] * 200 + [429]
    clock.now += timedelta(days=1)
    assert post(service, said(service), key).status_code == 201


def test_openapi_describes_it_with_an_example_that_is_one(service: TestClient) -> None:
    path = service.get("/openapi.json").json()["paths"]["/v1/honours"]
    assert path["post"]["security"] == [{"HonourKey": []}]
    content = path["post"]["requestBody"]["content"]["application/json"]
    assert set(content["example"]) == set(content["schema"]["required"]) == set(said(service))
    assert {"201", "401", "403", "422", "429"} <= set(path["post"]["responses"])


def test_whoever_fetches_openings_has_received_them_that_day(
    service: TestClient, key: str, corpus: Path, clock: Clock
) -> None:
    def words(index: int) -> list[str]:
        with OptOuts.open(corpus, Settings(), now=clock()) as opt_outs:
            return [word.sentence for word in operators_of(opt_outs.registry, index, clock())]

    assert words(2) == ["not heard from"]
    assert service.get("/v1/feed/openings", headers=bearer(key)).status_code == 200
    assert words(2) == ["received on 22 November 2026"]
    assert words(3) == ["not heard from"], "there is no such entry yet"
    clock.now += timedelta(days=3)
    assert service.get("/v1/feed/openings?from=3", headers=bearer(key)).content == b""
    assert words(2) == ["received on 22 November 2026"], "the first time counts"
    post(service, said(service), key)
    assert words(2) == [
        "received on 22 November 2026; states that it acted up to entry 2 on 25 November 2026",
    ]
