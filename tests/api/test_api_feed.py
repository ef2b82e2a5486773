"""/v1/feed: C2SP tlog-tiles over HTTP, and the openings behind a key."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import timedelta
from pathlib import Path

import pytest
from api_service import JPEG, Clock, Opener, TestClient, picture

from checker.keys import Scope, create_key, revoke_key
from checker.model import Use
from checker.optout.entry import Evidence, OptOut
from checker.optout.request import OptOuts
from checker.settings import Settings

pytest_plugins = ("api_service",)


@pytest.fixture
def service(open_service: Opener, corpus: Path, chelsea: bytes) -> TestClient:
    """With three entries in the log."""
    client = open_service(corpus)
    for _ in range(3):
        assert client.post("/v1/opt-outs", content=chelsea, headers=JPEG).status_code == 201
    return client


def make_key(corpus: Path, clock: Clock, *scopes: Scope) -> str:
    with OptOuts.open(corpus, Settings(), now=clock()) as opt_outs:
        return create_key(opt_outs.registry, name="-".join(scopes), scopes=scopes, now=clock())


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def test_the_checkpoint_is_a_signed_note_of_the_size(service: TestClient) -> None:
    answer = service.get("/v1/feed/checkpoint")
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-store"
    origin, size = answer.text.splitlines()[:2]
    assert size == "3"
    assert service.get("/v1/feed/key").text.startswith(f"{origin}+")


def test_tiles_hash_to_the_root_of_the_checkpoint(service: TestClient) -> None:
    """RFC 6962 2.1, computed here by hand for three leaves."""

    def digest(prefix: bytes, data: bytes) -> bytes:
        return hashlib.sha256(prefix + data).digest()

    bundle = service.get("/v1/feed/tile/entries/000.p/3").content
    assert len(bundle) == 3 * 34
    leaves = [bundle[i + 2 : i + 34] for i in (0, 34, 68)]
    assert all(bundle[i : i + 2] == b"\0\x20" for i in (0, 34, 68))
    a, b, c = (digest(b"\0", leaf) for leaf in leaves)
    assert service.get("/v1/feed/tile/0/000.p/3").content == a + b + c
    root = digest(b"\1", digest(b"\1", a + b) + c)
    assert service.get("/v1/feed/checkpoint").text.splitlines()[2] == base64.b64encode(root).decode()


@pytest.mark.parametrize(
    "place",
    [
        *("0/000", "0/000.p/4", "0/001.p/1", "1/000.p/1", "entries/000", "entries/000.p/4"),
        *("0/000.p/0", "0/000.p/03", "0/000.p/256", "0/000.p/1/2"),
        *("64/000", "00/000.p/1", "-1/000", "0/0.p/1", "0/x000/000.p/1", "0/%2e%2e/000"),
    ],
)
def test_tiles_beyond_the_signed_tree_or_spelt_otherwise_are_not_found(service: TestClient, place: str) -> None:
    answer = service.get(f"/v1/feed/tile/{place}")
    assert answer.status_code == 404
    assert answer.json()["type"] == "/problems/not-found"


def test_every_tile_may_be_kept_for_good_a_partial_one_too(open_service: Opener, corpus: Path, clock: Clock) -> None:
    codes = picture("coffee.jpg").fingerprints
    entry = OptOut(number="4F7K-20M9", evidence=Evidence.CODE, pictures=(codes,), uses=(Use.TDM,))
    with OptOuts.open(corpus, Settings(), now=clock()) as opt_outs:
        for _ in range(256):
            with opt_outs.registry.writing() as writer:
                opt_outs.log.append(writer, entry)
        opt_outs.log.sign(clock())
        opt_outs.record([codes], uses=[Use.TDM], evidence=Evidence.CODE, now=clock())
    service = open_service(corpus)
    full = service.get("/v1/feed/tile/0/000")
    assert len(full.content) == 8192
    assert full.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    partial = service.get("/v1/feed/tile/0/001.p/1")
    assert partial.headers["Cache-Control"] == "public, max-age=31536000, immutable"


def test_openings_need_a_key_of_the_right_scope(service: TestClient, corpus: Path, clock: Clock) -> None:
    none = service.get("/v1/feed/openings")
    assert none.status_code == 401
    assert none.headers["WWW-Authenticate"].startswith("Bearer")
    assert service.get("/v1/feed/openings", headers=bearer("hibs_" + "0" * 72)).status_code == 401
    wrong = service.get("/v1/feed/openings", headers=bearer(make_key(corpus, clock, Scope.BULK)))
    assert wrong.status_code == 403
    assert wrong.json()["type"] == "/problems/wrong-scope"


def test_openings_are_lines_of_json_from_an_index_on(service: TestClient, corpus: Path, clock: Clock) -> None:
    header = bearer(make_key(corpus, clock, Scope.FEED))
    answer = service.get("/v1/feed/openings", headers=header)
    assert answer.headers["Content-Type"] == "application/x-ndjson"
    assert [json.loads(line)["index"] for line in answer.content.splitlines()] == [0, 1, 2]
    later = service.get("/v1/feed/openings?from=2", headers=header)
    assert [json.loads(line)["index"] for line in later.content.splitlines()] == [2]
    assert service.get("/v1/feed/openings?from=3", headers=header).content == b""
    assert service.get(f"/v1/feed/openings?from={2**63}", headers=header).status_code == 422
    assert service.get("/v1/feed/openings?from=-1", headers=header).status_code == 422


def test_a_key_ends_when_it_is_revoked_or_expired(service: TestClient, corpus: Path, clock: Clock) -> None:
    header = bearer(make_key(corpus, clock, Scope.FEED))
    assert service.get("/v1/feed/openings", headers=header).status_code == 200
    with OptOuts.open(corpus, Settings(), now=clock()) as opt_outs:
        revoke_key(opt_outs.registry, name="feed", now=clock())
    assert service.get("/v1/feed/openings", headers=header).status_code == 401


@pytest.mark.parametrize("query", ["from=+1", "from=01", "from=1_0", "from=%201", "form=1", "from=0&from=1"])
def test_a_page_has_one_way_to_be_asked_for(service: TestClient, corpus: Path, clock: Clock, query: str) -> None:
    answer = service.get(f"/v1/feed/openings?{query}", headers=bearer(make_key(corpus, clock, Scope.FEED)))
    assert answer.status_code == 422
    assert answer.json()["places"] == (["from"] if query.startswith("from") else ["query"])


def test_a_checkpoint_holds_the_withdrawals_that_are_due(service: TestClient, chelsea: bytes, clock: Clock) -> None:
    made = service.post("/v1/opt-outs", content=chelsea, headers=JPEG).json()
    header = {"Authorization": f"Receipt {made['withdraw_code']}"}
    service.delete(f"/v1/opt-outs/{made['number']}", headers=header)
    assert service.get("/v1/feed/checkpoint").text.splitlines()[1] == "4"
    clock.now += timedelta(days=7)
    assert service.get("/v1/feed/checkpoint").text.splitlines()[1] == "5", "the withdrawal is an entry of its own"


def test_a_log_that_rests_is_signed_anew_after_an_hour(service: TestClient, clock: Clock) -> None:
    first = service.get("/v1/feed/checkpoint").content
    assert service.get("/v1/feed/checkpoint").content == first
    clock.now += timedelta(hours=2)
    assert service.get("/v1/feed/checkpoint").content != first
