"""Every method of `Client`: there is one for each endpoint, and whatever answers, it is a value or one typed error."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.app import create_app
from checker import Client
from checker.client.asking import Asker
from checker.errors import RemoteError, RemoteProblemError
from checker.fingerprint import parse_code
from checker.records.folder import DataFolder
from checker.remote import Reply
from checker.settings import Settings

CODES = [parse_code("phash256", "1", "f" * 32 + "0" * 32)]
TYPED: dict[str, tuple[Any, ...]] = {
    "look_up": (CODES,),
    "look_up_picture": (b"x",),
    "image": ("h",),
    "opt_out": ([],),
    "opt_out_status": ("n", "c"),
    "receipt": ("n", "c"),
    "withdraw": ("n", "c"),
    "erase": ("n", "c"),
    "honours": (),
    "bulk_list": (),
    "bulk_status": ("j",),
    "bulk_delete": ("j",),
    "audit_counts": (),
    "sources": (),
    "source": ("1",),
    "transparency": (),
    "stats": (),
    "ready": (),
}
"""Read into values."""
BYTES: dict[str, tuple[Any, ...]] = {
    "private_list": (),
    "private_sketches": ([5],),
    "alerts": ("https://photos.example/v1/alerts/N-S?language=de",),
    "feed_key": (),
    "feed_checkpoint": (),
    "feed_tile": ("tile/0/000",),
    "feed_tiles": (["tile/0/000"],),
    "feed_openings": (0,),
    "audit_key": (),
    "audit_checkpoint": (),
}
"""Come as they are; who proves them has tests of its own (tests/optout, tests/index)."""
OTHERS: dict[str, dict[str, Any]] = {
    "state": {"feed_size": 1, "root": "", "rows_in": 1, "rows_out": 1, "report_digest": ""},
    "bulk_create": {"rows": [], "purpose": "complaint", "case": "AZ-2041"},
    "bulk_results": {"job": "j"},
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


class Says:
    """Answers the same to everything, and notes what was asked. Implements `checker.remote.Remote`."""

    def __init__(self, status: int, body: bytes) -> None:
        self.reply = Reply(status, body, "")
        self.asked: list[str] = []
        self.bodies: list[bytes] = []

    def get(self, path: str, **_: Any) -> Reply:
        return self._answer("GET", path)

    def delete(self, path: str, **_: Any) -> Reply:
        return self._answer("DELETE", path)

    def post(self, path: str, body: bytes, media_type: str, **_: Any) -> Reply:
        self.bodies.append(body)
        return self._answer("POST", path)

    def get_many(self, paths: Sequence[str], **_: Any) -> Iterator[Reply]:
        return map(self.get, paths)

    def _answer(self, method: str, path: str) -> Reply:
        self.asked.append(f"{method} {path.partition('?')[0]}")
        return self.reply


def client_of(remote: Says) -> Client:
    return Client(remote, name="photos.example")


def test_every_method_stands_in_these_tests() -> None:
    public = {name for name, _ in inspect.getmembers(Client, inspect.isfunction) if not name.startswith("_")}
    assert public - {name for name, _ in inspect.getmembers(Asker, inspect.isfunction)} == {*TYPED, *BYTES, *OTHERS}


def test_every_endpoint_is_a_method(tmp_path: Path) -> None:
    """As docs/api.md says: of those below /v1/."""
    DataFolder.open(tmp_path / "data", create=True).close()
    described = create_app(tmp_path / "data", Settings(robust="off")).openapi()["paths"]
    endpoints = {f"{method.upper()} {path}" for path, methods in described.items() for method in methods}
    remote = Says(500, b"")
    calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]]
    calls = [(name, args, {}) for name, args in {**TYPED, **BYTES}.items()]
    for name, args, named in [*calls, *((name, (), named) for name, named in OTHERS.items())]:
        with pytest.raises(RemoteProblemError):
            list(getattr(client_of(remote), name)(*args, **named))
    forms = {
        endpoint: re.sub(r"\{\w+\}", "[^/]+", endpoint.replace("{place}", ".+"))
        for endpoint in endpoints
        if " /v1/" in endpoint
    }
    missing = [endpoint for endpoint, form in forms.items() if not any(re.fullmatch(form, one) for one in remote.asked)]
    assert (len(forms) >= 25, missing) == (True, [])


def test_alerts_are_asked_of_this_server_by_the_secret_alone() -> None:
    remote = Says(200, b"<feed/>")
    for address in ("https://photos.example/v1/alerts/N-S?language=de", "N-S"):
        assert client_of(remote).alerts(address) == b"<feed/>"
    assert remote.asked == ["GET /v1/alerts/N-S"] * 2


@pytest.mark.parametrize(("uses", "sent"), [((), None), (["tdm"], ["tdm"])], ids=["none", "one"])
def test_an_opt_out_names_the_uses_that_it_was_given(uses: Sequence[str], sent: list[str] | None) -> None:
    """docs/api.md: naming none says no to all of them. A list of none would name none of them on purpose."""
    remote = Says(500, b"")
    with pytest.raises(RemoteProblemError):
        client_of(remote).opt_out([CODES], uses)
    (body,) = remote.bodies
    assert json.loads(body).get("uses") == sent
    assert (b"uses" in body) == (sent is not None)


@pytest.mark.parametrize("name", TYPED)
@given(answer=JSON)
def test_an_answer_of_another_form_is_an_error_that_names_the_server(name: str, answer: object) -> None:
    if name == "receipt" and isinstance(answer, dict):
        return  # its form is proved with its signature
    client = client_of(Says(201 if name == "opt_out" else 200, json.dumps(answer).encode()))
    with pytest.raises(RemoteError, match=r"photos\.example answered something that is no "):
        getattr(client, name)(*TYPED[name])


@given(st.binary(max_size=60))
def test_rows_that_are_none_are_an_error(body: bytes) -> None:
    client = client_of(Says(200, body))
    if body.strip(b"\r\n"):
        with pytest.raises(RemoteError, match=r"photos\.example answered"):
            list(client.bulk_results("j"))
        with pytest.raises(RemoteError):
            client.look_up(CODES)
