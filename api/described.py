"""The description of the API: the OpenAPI document with its examples, and the same put in order for a page.

FastAPI makes the document from the routes. Here it gets what routes cannot say: what each group of endpoints is for,
the headers of answers, and an example of every parameter, of every body but pictures, and of every answer that goes
well but pieces of pages. The examples were sent and answered in a run (schemas/examples.json, written by
tests/api/api_examples.py); a test compares them with what is answered now.

    {"GET /v1/images/{handle}": {"parameters": {"handle": ...}, "body": {MEDIA TYPE: ...},
                                 "answers": {"200": {MEDIA TYPE: ...}}}, ...}

Bytes, which JSON has no form for, stand there as `{"$shown": name, "summary": what is shown, "value": text}`.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from api.problems import MEDIA_TYPE

EXAMPLES = Path(str(files("api") / "schemas" / "examples.json"))
TAGS = (
    ("lookup", "Is a photo among the pictures that were looked at?"),
    ("private", "The private check: half codes for a comparison at home, so that nobody learns what was asked."),
    ("opt-out", "Say no for a photo, ask how it stands, take it back. The withdraw code is the key to each."),
    ("feed", "The opt-out list as a signed log (docs/feed.md): public, with the codes beside it for holders of a key."),
    ("operators", "What those who follow the list state that they did."),
    ("bulk", "Many look-ups by code, for organisations, with a purpose and a case."),
    ("audit", "The signed log of what was done with keys."),
    ("facts", "What the answers rest on, and whether the service works."),
)
"""Groups of endpoints, in the order of the page."""
DESCRIPTION = """\
Bodies are raw pictures or JSON. No endpoint takes the address of a picture. Nothing of a look-up is kept.

Errors are `application/problem+json` (RFC 9457). `type` is the address of a page, `next` says what to do."""
SERVERS = [{"url": "/", "description": "This service."}]
_OWN = frozenset({"number", "handle", "job", "token"})
"""Parameters in a path whose values the asker was given; the others have one that works for everybody."""
_SECRETS = {"bearer": "Bearer $KEY", "receipt": "Receipt $CODE"}
_TEXT: dict[str, Any] = {"type": "string"}
_SECONDS: dict[str, Any] = {"type": "integer", "minimum": 0}
_HEADERS: dict[str, tuple[str, dict[str, Any]]] = {
    "Cache-Control": ("`no-store`, or for how long it may be kept (RFC 9111 5.2).", _TEXT),
    "ETag": ("Names these bytes; send it as `If-None-Match` (RFC 9110 8.8.3).", _TEXT),
    "Location": ("Where to ask how far it is (RFC 9110 10.2.2).", _TEXT),
    "RateLimit": ("What is left (draft-ietf-httpapi-ratelimit-headers).", _TEXT),
    "RateLimit-Policy": ("How much may be asked in how many seconds (the same draft).", _TEXT),
    "Retry-After": ("Seconds, where waiting helps (RFC 9110 10.2.3).", _SECONDS),
    "WWW-Authenticate": ("How to send the key or code (RFC 9110 11.6.1).", _TEXT),
}
"""The headers that a program may want to read. What is answered is not made of these tables; tests/api compare them."""
_ALWAYS = ("Cache-Control",)
_OF_STATUS = {"401": ("WWW-Authenticate",)}
_OF_ANSWER = {
    ("POST /v1/bulk-lookups", "202"): ("Location",),
    **{
        (f"GET /v1/{path}", status): ("ETag",)
        for path in ("private/list", "private/sketches/{hex4}", "alerts/{token}")
        for status in ("200", "304")
    },
}
_SOMETIMES_OF_STATUS = {"429": ("Retry-After",), "503": ("Retry-After",)}
_RATE = ("RateLimit-Policy", "RateLimit")
_SOMETIMES_OF_ANSWER = {
    # Whoever asks from the machine itself is not counted.
    ("POST /v1/lookups", "200"): _RATE,
    ("POST /v1/lookups", "429"): _RATE,
    ("GET /v1/images/{handle}", "200"): _RATE,
    ("GET /v1/images/{handle}", "429"): _RATE,
    ("POST /v1/opt-outs", "429"): _RATE,
}


@dataclass(frozen=True, slots=True)
class Shown:
    """An example."""

    media_type: str
    summary: str
    """What is shown of it. Empty: all."""
    text: str


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter."""

    name: str
    place: str
    """ "path" or "query"."""
    required: bool
    description: str
    example: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered when it goes well."""

    status: str
    media_types: tuple[str, ...]
    examples: tuple[Shown, ...]


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path."""

    anchor: str
    method: str
    path: str
    summary: str
    description: str
    access: str
    """Which key or code it takes, in a sentence. Empty: none."""
    access_required: bool
    parameters: tuple[Parameter, ...]
    body_types: tuple[str, ...]
    bodies: tuple[Shown, ...]
    answers: tuple[Answer, ...]
    problems: tuple[tuple[str, str], ...]
    """Status and kind."""
    commands: tuple[str, ...]
    """Lines for a shell: one for each kind of body."""


def complete(document: dict[str, Any]) -> dict[str, Any]:
    """Put into an OpenAPI document what FastAPI cannot say. Doing it again changes nothing."""
    known = _examples()
    for name, operation in _operations(document):
        told = known.get(name, {})
        security = operation.get("security", [])
        if security and "401" not in operation["responses"] and {} not in security:
            security.append({})  # read where it is given, and not needed (OpenAPI 3.1, 4.8.10)
        for parameter in operation.get("parameters", ()):
            if parameter["name"] in told.get("parameters", {}):
                parameter["example"] = told["parameters"][parameter["name"]]
        _fill(operation.get("requestBody", {}).get("content", {}), told.get("body", {}))
        if _not_modified(name):
            operation["responses"].setdefault("304", {"description": "You have it (If-None-Match)."})
        for status, answer in operation["responses"].items():
            answer["headers"] = _headers_of(name, status)
            _fill(answer.get("content", {}), told.get("answers", {}).get(status, {}))
    return document


def _headers_of(operation: str, status: str) -> dict[str, dict[str, Any]]:
    """The header objects of an answer (OpenAPI 3.1, 4.8.21).

    Args:
        operation: as "GET /v1/stats".
        status: as "200", or "default".
    """
    asked = (operation, status)
    always = {*_ALWAYS, *_OF_STATUS.get(status, ()), *_OF_ANSWER.get(asked, ())}
    sometimes = {*_SOMETIMES_OF_STATUS.get(status, ()), *_SOMETIMES_OF_ANSWER.get(asked, ())}
    return {
        name: {"description": description, "required": name in always, "schema": schema}
        for name, (description, schema) in _HEADERS.items()
        if name in always | sometimes
    }


def _not_modified(operation: str) -> bool:
    """May the operation answer 304, because the asker has the newest?"""
    return (operation, "304") in _OF_ANSWER


def sections(document: dict[str, Any], server: str) -> list[tuple[str, str, list[Operation]]]:
    """Name, description and operations of each group.

    Args:
        document: OpenAPI, as the app gives it.
        server: where the commands ask, without a slash at its end.
    """
    schemes = document["components"]["securitySchemes"]
    found: dict[str, list[Operation]] = {name: [] for name, _ in TAGS}
    for name, operation in _operations(document):
        found[operation["tags"][0]].append(_operation(name, operation, schemes, server))
    return [(name, description, found[name]) for name, description in TAGS if found[name]]


def _operation(name: str, told: dict[str, Any], schemes: dict[str, Any], server: str) -> Operation:
    method, path = name.split(" ")
    scheme = next((schemes[key] for one in told.get("security", ()) for key in one), None)
    body = told.get("requestBody", {}).get("content", {})
    responses = told["responses"]
    well = {status: answer for status, answer in responses.items() if status.startswith("2")}
    parameters = tuple(_parameter(one) for one in told.get("parameters", ()))
    secret = _SECRETS[scheme["scheme"].lower()] if scheme else ""
    return Operation(
        anchor=f"{method.lower()}{path.replace('/', '-').replace('{', '').replace('}', '')}",
        method=method,
        path=path,
        summary=told["summary"],
        description=told.get("description", ""),
        access=scheme["description"] if scheme else "",
        access_required="401" in responses,
        parameters=parameters,
        body_types=tuple(body),
        bodies=_shown(body),
        answers=tuple(_answer(status, answer) for status, answer in well.items()),
        problems=tuple(_problems(responses)),
        commands=tuple(_commands(method, server + _address(path, parameters), secret, body, well)),
    )


def _parameter(told: Mapping[str, Any]) -> Parameter:
    description = told.get("description") or told.get("schema", {}).get("description", "")
    example = told.get("example", "")
    return Parameter(told["name"], told["in"], told.get("required", False), description, str(example))


def _answer(status: str, told: Mapping[str, Any]) -> Answer:
    content = told.get("content", {})
    return Answer(status, tuple(content), _shown(content))


def _problems(responses: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for status, answer in sorted(responses.items()):
        schema = answer.get("content", {}).get(MEDIA_TYPE, {}).get("schema", {})
        for kind in schema.get("properties", {}).get("type", {}).get("enum", ()):
            yield status, kind.rpartition("/")[2]


def _shown(content: Mapping[str, Any]) -> tuple[Shown, ...]:
    """The examples of some media types, each text once."""
    found: dict[str, Shown] = {}
    for media_type, told in content.items():
        given = told.get("examples", {"": {"value": told["example"]}} if "example" in told else {})
        for one in given.values():
            value = one["value"]
            text = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
            found.setdefault(text, Shown(media_type, one.get("summary", ""), text))
    return tuple(found.values())


def _address(path: str, parameters: tuple[Parameter, ...]) -> str:
    """The path with a value for each parameter that is needed: a shell variable for what the asker was given."""
    for one in parameters:
        if one.place == "path":
            path = path.replace(f"{{{one.name}}}", f"${one.name.upper()}" if one.name in _OWN else one.example)
    query = "&".join(f"{one.name}={one.example}" for one in parameters if one.place == "query" and one.required)
    return f"{path}?{query}" if query else path


def _commands(
    method: str, address: str, secret: str, body: Mapping[str, Any], well: Mapping[str, Any]
) -> Iterator[str]:
    words = ["curl"]
    if method not in ("GET", "POST"):
        words.append(f"-X {method}")
    if secret:
        words.append(f'-H "Authorization: {secret}"')
    if any("application/octet-stream" in answer.get("content", {}) for answer in well.values()):
        words.append("-o answer.bin")  # curl refuses to write bytes to a terminal
    if not body:
        yield " ".join([*words, f'"{address}"'])
    if "image/*" in body:
        yield " ".join([*words, '-H "Content-Type: image/jpeg"', "--data-binary @photo.jpg", f'"{address}"'])
    for media_type in ("application/json", "application/x-ndjson"):
        if media_type in body:
            sent = body[media_type].get("example", "")
            text = sent if isinstance(sent, str) else json.dumps(sent)
            yield " ".join([*words, f'-H "Content-Type: {media_type}"', f"--data-binary '{text}'", f'"{address}"'])


def _fill(content: Mapping[str, Any], examples: Mapping[str, Any]) -> None:
    for media_type, told in content.items():
        if media_type not in examples:
            continue
        value = examples[media_type]
        if isinstance(value, dict) and "$shown" in value:
            told["examples"] = {value["$shown"]: {"summary": value["summary"], "value": value["value"]}}
        else:
            told["example"] = value


def _operations(document: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every operation with its name, as "GET /v1/stats"."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


@functools.cache
def _examples() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = json.loads(EXAMPLES.read_text(encoding="utf-8"))
    return found
