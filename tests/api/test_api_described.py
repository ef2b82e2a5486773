"""The description of the API is complete and true: examples of everything, made by a run, and commands that work."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any

import httpx2
import jsonschema_rs
import pytest
import uvicorn
from api_examples import IMAGES, JPEG, codes, made, prepared, service_over
from api_service import visible
from starlette.testclient import TestClient

from api.accepting import bind
from api.app import create_app
from api.described import TAGS, complete
from checker.settings import Settings

pytest_plugins = ("api_service",)
WITHOUT_AN_EXAMPLE = {"text/html", "image/*"}
"""A piece of a page says what its JSON says; a photo is bytes, and stands in the command as a file."""
Described = dict[str, Any]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What is sent and answered now."""
    return made(tmp_path_factory.mktemp("examples") / "data")


@pytest.fixture
def document(service: TestClient) -> Described:
    described: Described = service.get("/openapi.json").json()
    return described


def operations(document: Described) -> Iterator[tuple[str, Described]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def examples(document: Described) -> Iterator[tuple[str, Described, list[Any]]]:
    """Where, schema and examples of every parameter, body and good answer."""
    for name, operation in operations(document):
        for parameter in operation.get("parameters", ()):
            given = [parameter["example"]] if "example" in parameter else []
            yield f"{name}, parameter {parameter['name']}", parameter["schema"], given
        contents = [("body", operation.get("requestBody", {}).get("content", {}))]
        contents += [(s, answer.get("content", {})) for s, answer in operation["responses"].items() if s[0] == "2"]
        for place, content in contents:
            for media_type, told in content.items():
                several = [one["value"] for one in told.get("examples", {}).values()]
                given = [told["example"]] if "example" in told else several
                if media_type not in WITHOUT_AN_EXAMPLE and (place, media_type) != ("body", "application/octet-stream"):
                    yield f"{name}, {place} {media_type}", told["schema"], given


def test_nothing_lacks_an_example(document: Described) -> None:
    assert [place for place, _, given in examples(document) if not given] == []


def test_every_example_is_of_the_form_that_is_described(document: Described) -> None:
    """Compared by another implementation of JSON Schema."""
    for place, schema, given in examples(document):
        whole = {**schema, "components": document["components"]}
        check = jsonschema_rs.validator_for(whole)
        for example in given:
            errors = [error.message for error in check.iter_errors(example)]
            assert not errors, f"{place}: {errors}"


def form(value: Any) -> Any:
    """Names and types, without the values."""
    if isinstance(value, dict):
        return {name: form(member) for name, member in value.items()}
    if isinstance(value, list):
        return [form(member) for member in value]
    return type(value).__name__


def test_the_examples_are_what_a_run_gives(run: dict[str, dict[str, Any]]) -> None:
    """After a change: python tests/api/api_examples.py."""
    kept = json.loads((Path(__file__).parents[2] / "api" / "schemas" / "examples.json").read_text())
    assert form(kept) == form(run)
    for name in ("GET /v1/sources", "GET /v1/private/list"):
        assert set(kept[name]["answers"]) == {"200"}


DESCRIBED_HEADERS = {
    *("Location", "ETag", "Retry-After", "RateLimit", "RateLimit-Policy", "WWW-Authenticate", "Cache-Control"),
}


def test_the_headers_of_answers_are_described_and_sent(document: Described, tmp_path: Path) -> None:
    """Of every operation that goes well, and of what is refused without a key or code."""
    sent: list[tuple[str, str, set[str]]] = []

    def note(path: str, answer: Any) -> None:
        names = {name for name in DESCRIBED_HEADERS if name in answer.headers}
        sent.append((f"{answer.request.method} {path}", str(answer.status_code), names))

    made(tmp_path / "data", note)
    statuses = set()
    for name, status, names in sent:
        method, path = name.split(" ")
        told = document["paths"][path][method.lower()]["responses"][status]["headers"]
        assert names <= set(told), f"{name} {status}"
        assert {header for header, one in told.items() if one["required"]} <= names, f"{name} {status}"
        statuses.add(status)
    assert statuses == {"200", "201", "202", "304", "401"}


def test_what_is_left_and_when_to_come_back_is_described(document: Described, service: TestClient) -> None:
    """An address that is counted; the run above asks from this machine, which is not."""
    paths = document["paths"]
    photo = (IMAGES / "astronaut.jpg").read_bytes()
    left = service.post("/v1/lookups", content=photo, headers=JPEG)
    assert {"RateLimit", "RateLimit-Policy"} <= set(paths["/v1/lookups"]["post"]["responses"]["200"]["headers"])
    assert {"RateLimit", "RateLimit-Policy"} <= {name for name in DESCRIBED_HEADERS if name in left.headers}
    last = [service.post("/v1/opt-outs", content=photo, headers=JPEG) for _ in range(21)][-1]
    assert last.status_code == 429
    names = {name for name in DESCRIBED_HEADERS if name in last.headers}
    assert {"Retry-After", "RateLimit-Policy", "Cache-Control"} <= names
    assert names <= set(paths["/v1/opt-outs"]["post"]["responses"]["429"]["headers"])
    for path, methods in paths.items():
        for method, operation in methods.items():
            for status in {"429", "503"} & set(operation["responses"]):
                assert "Retry-After" in operation["responses"][status]["headers"], f"{method} {path}"


def test_completing_it_again_changes_nothing(document: Described) -> None:
    before = json.dumps(document)
    assert json.dumps(complete(document)) == before


def test_groups_servers_and_keys_are_described(document: Described) -> None:
    assert [(tag["name"], tag["description"]) for tag in document["tags"]] == list(TAGS)
    used = {tag for _, operation in operations(document) for tag in operation["tags"]}
    assert used == {name for name, _ in TAGS}
    assert document["servers"] == [{"url": "/", "description": "This service."}]
    schemes = document["components"]["securitySchemes"]
    assert {(one["type"], one["scheme"].lower()) for one in schemes.values()} == {
        ("http", "bearer"),
        ("http", "receipt"),
    }
    assert all(
        one["description"].startswith(("An API key of scope `", "The withdraw code")) for one in schemes.values()
    )
    for name, operation in operations(document):
        needs = "401" in operation["responses"]
        assert not needs or operation.get("security"), f"{name} can be refused for want of a key and names none"
        assert operation["summary"].endswith((".", "?")), name
        assert operation["description"], name


def test_the_page_shows_every_operation_with_its_parts(service: TestClient, document: Described) -> None:
    page = service.get("/docs").text
    text = visible(page)
    for name, operation in operations(document):
        assert name in text
        assert operation["summary"].replace("`", "") in text
        for parameter in operation.get("parameters", ()):
            assert f"<code>{parameter['name']}</code>" in page
        for answer in operation["responses"].values():
            schema = answer.get("content", {}).get("application/problem+json", {}).get("schema", {})
            for kind in schema.get("properties", {}).get("type", {}).get("enum", ()):
                assert f'href="{kind}"' in page
    anchors = set(re.findall(r'id="([^"]+)"', page))
    assert set(re.findall(r'href="#([^"]+)"', page)) <= anchors
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', page), "nothing is loaded from elsewhere"


@dataclass(frozen=True, slots=True)
class Reached:
    """A service on loopback, and what the reader of its page has."""

    url: str
    folder: Path
    """With photo.jpg."""
    values: dict[str, str]
    """$NUMBER, $CODE, ..., and the key of each scope."""

    def shell(self, command: str, scope: str) -> tuple[int, str]:
        """Status and type of the problem, where it is one."""
        line = command.replace("curl ", "curl -sS -D headers -o body -w '%{http_code}' ", 1).replace(
            "-o answer.bin", ""
        )
        known = {**self.values, "KEY": self.values.get(scope, ""), "PATH": os.environ["PATH"]}
        ran = subprocess.run(["sh", "-c", line], cwd=self.folder, env=known, capture_output=True, text=True, check=True)
        body = (self.folder / "body").read_bytes()
        is_problem = "application/problem+json" in (self.folder / "headers").read_text()
        return int(ran.stdout), json.loads(body)["type"] if is_problem else ""


@pytest.fixture
def reached(tmp_path: Path) -> Iterator[Reached]:
    data = tmp_path / "data"
    keys = prepared(data)
    photo = (IMAGES / "astronaut.jpg").read_bytes()
    with service_over(data) as client:
        handle = client.post("/v1/lookups", content=photo, headers=JPEG).json()["matches"][0]["handle"]
        said = client.post("/v1/opt-outs", content=photo, headers=JPEG).json()
        kinds = {"Content-Type": "application/x-ndjson", "Authorization": keys["bulk"]}
        rows = json.dumps({"codes": codes("coffee.jpg")}).encode()
        job = client.post("/v1/bulk-lookups?purpose=complaint&case=AZ-2041", content=rows, headers=kinds).json()["job"]
    values = {scope: key.removeprefix("Bearer ") for scope, key in keys.items()}
    values |= {"NUMBER": said["number"], "CODE": said["withdraw_code"], "HANDLE": handle, "JOB": job}
    values |= {"TOKEN": said["alerts"].rpartition("/")[2].partition("?")[0]}
    (tmp_path / "photo.jpg").write_bytes((IMAGES / "coffee.jpg").read_bytes())
    listener = bind("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(create_app(data, Settings()), log_config=None, access_log=False))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    yield Reached(f"http://127.0.0.1:{listener.getsockname()[1]}", tmp_path, values)
    server.should_exit = True
    thread.join()
    listener.close()


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is missing: sudo apt-get install curl")
def test_every_line_for_a_shell_works_as_it_stands(reached: Reached) -> None:
    page = httpx2.get(f"{reached.url}/docs").text
    found = []
    for article in re.findall(r"<article.*?<h3[^>]*><code>(.*?)</code></h3>(.*?)</article>", page, flags=re.DOTALL):
        scope = re.search(r"of scope <code>(\w+)</code>", article[1])
        lines = re.findall(r'<pre class="command"><code>(.*?)</code></pre>', article[1], flags=re.DOTALL)
        assert lines, article[0]
        found += [(unescape(article[0]), unescape(line), scope[1] if scope else "") for line in lines]
    found.sort(key=lambda one: one[0].startswith("DELETE"))  # or the others would find nothing
    outcomes = {(name, *reached.shell(line, scope)) for name, line, scope in found}
    refused = {one for one in outcomes if one[1] >= 400}
    assert refused == {
        ("GET /v1/private/sketches/{hex4}", 404, "/problems/ask-otherwise"),  # of a large collection alone
        ("POST /v1/honours", 422, "/problems/invalid-request"),  # whose example is about another log
    }
    assert len({name for name, _, _ in outcomes}) == len(re.findall(r"<article", page))
