"""Every operation of `/openapi.json` is called with what its description allows and with what it does not.

Schemathesis makes the requests and compares the answers: no 500, no status, header, media type or member that is not
described, nothing accepted that the description forbids, no secret that can be left out.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import schemathesis
import uvicorn
from api_service import IMAGES, JPEG
from hypothesis import strategies as st
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import Status, from_schema
from schemathesis.engine.events import FatalError, NonFatalError, ScenarioFinished
from starlette.testclient import TestClient

from api.accepting import bind
from api.app import create_app
from checker.audit.cases import Purpose
from checker.keys import CaseRules, Scope, create_key
from checker.optout.request import OptOuts
from checker.settings import Settings

pytest_plugins = ("api_service",)
EXAMPLES = 20
ANSWERED = {
    *("POST /v1/lookups", "GET /v1/images/{handle}", "GET /v1/private/list"),
    *("POST /v1/opt-outs", "GET /v1/opt-outs/{number}", "DELETE /v1/opt-outs/{number}"),
    *("GET /v1/feed/openings", "GET /v1/feed/tile/{place}", "GET /v1/sources", "GET /v1/stats", "GET /readyz"),
}
"""Operations that must have gone well at least once, or their answers were never compared."""
MANY = Settings(opt_outs_per_day_max=10**9, opt_outs_of_all_per_day_max=10**9)
CONFIG: dict[str, Any] = {
    "seed": 1,
    "continue-on-failure": True,
    "generation": {"max-examples": EXAMPLES, "deterministic": True, "database": "none"},
    "suppress-health-check": ["all"],
    "warnings": False,
    "checks": {
        # JSON Schema cannot say "exactly half of the bits" or "a photo with something in it". 422 is for those: the
        # content is of the right form and cannot be processed (RFC 9110 15.5.21).
        "positive_data_acceptance": {"expected-statuses": ["2xx", "401", "404", "422"]},
    },
}
PHOTO = (IMAGES / "chelsea.jpg").read_bytes()
for media_type in ("image/*", "application/octet-stream"):
    schemathesis.openapi.media_type(media_type, st.sampled_from([PHOTO, PHOTO[:900], b""]))


@schemathesis.serializer("application/x-ndjson")
def lines(_: Any, value: Any) -> bytes:
    """A list of codes is text, in the examples of the description as well."""
    return value if isinstance(value, bytes) else str(value).encode()


@dataclass(frozen=True, slots=True)
class Known:
    """What there is to ask for; without it most answers would be "not found" and "no key"."""

    number: str
    withdraw_code: str
    handle: str
    keys: dict[str, str]


@pytest.fixture(scope="module")
def address(built_corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Known]]:
    """A service on loopback with two photos, an opt-out and a key for each scope."""
    data = Path(shutil.copytree(built_corpus, tmp_path_factory.mktemp("described") / "data"))
    keys = {}
    now = datetime.now(UTC)
    with OptOuts.open(data, MANY, now=now) as opt_outs:
        for scope in (Scope.FEED, Scope.HONOUR):
            keys[scope.value] = create_key(opt_outs.registry, name=scope.value, scopes=(scope,), now=now)
        rules = CaseRules(frozenset(Purpose), "####-@@@")
        keys["bulk"] = create_key(opt_outs.registry, name="bulk", scopes=(Scope.BULK,), now=now, bulk=rules)
    with TestClient(create_app(data, MANY), base_url="http://127.0.0.1") as client:
        said = client.post("/v1/opt-outs", content=(IMAGES / "coffee.jpg").read_bytes(), headers=JPEG).json()
        found = client.post("/v1/lookups", content=PHOTO, headers=JPEG).json()
    listener = bind("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(create_app(data, MANY), log_config=None, access_log=False))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    known = Known(said["number"], said["withdraw_code"], found["matches"][0]["handle"], keys)
    yield f"http://127.0.0.1:{listener.getsockname()[1]}", known
    server.should_exit = True
    thread.join()
    listener.close()


@pytest.fixture(scope="module")
def description(address: tuple[str, Known]) -> schemathesis.BaseSchema:
    """The operations, with all checks on."""
    url, known = address
    config = SchemathesisConfig.from_dict(CONFIG)
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json", config=config)

    @schema.auth(refresh_interval=None)
    class Secrets:
        """The key or code that each operation wants."""

        def get(self, case: schemathesis.Case[Any], context: schemathesis.AuthContext) -> str:
            path = context.operation.path
            if path.startswith("/v1/opt-outs"):
                return f"Receipt {known.withdraw_code}"
            scope = {"honours": "honour", "bulk-lookups": "bulk"}.get(
                path.removeprefix("/v1/").partition("/")[0], "feed"
            )
            return f"Bearer {known.keys[scope]}"

        def set(self, case: schemathesis.Case[Any], data: str, context: schemathesis.AuthContext) -> None:
            case.headers["Authorization"] = data

    @schema.hook
    def map_path_parameters(context: schemathesis.HookContext, parameters: dict[str, Any]) -> dict[str, Any]:
        """Half of the made-up names become ones that exist."""
        real = {"number": known.number, "handle": known.handle, "place": "entries/000.p/1", "hex4": "0f0f"}
        made_up = {name: str(value) for name, value in (parameters or {}).items()}
        return {name: real.get(name, value) if len(value) % 2 else value for name, value in made_up.items()}

    return schema


def test_every_answer_is_as_described(description: schemathesis.BaseSchema) -> None:
    failures: list[str] = []
    statuses: dict[str, set[int]] = {}
    for event in from_schema(description).execute():
        if isinstance(event, NonFatalError | FatalError):
            failures.append(repr(event))
        if not isinstance(event, ScenarioFinished):
            continue
        for case, checks in event.recorder.checks.items():
            told = event.recorder.interactions[case]
            asked = f"{told.request.method} {told.request.uri} {told.request.body!r}"
            failures += [
                f"{check.name} at {event.recorder.label}: {asked[:600]}"
                for check in checks
                if check.status is Status.FAILURE
            ]
        answered = (told.response.status_code for told in event.recorder.interactions.values() if told.response)
        statuses.setdefault(event.recorder.label, set()).update(answered)
    assert not failures, "\n".join(failures)
    paths = description.raw_schema["paths"].items()
    statuses.pop("Stateful tests", None)  # where an answer named an address to go on with
    assert set(statuses) == {f"{method.upper()} {path}" for path, methods in paths for method in methods}
    assert {name for name, seen in statuses.items() if {200, 201} & seen} >= ANSWERED
