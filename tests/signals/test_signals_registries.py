"""The Spawning look-up as bytes: the request of datadiligence 0.1.7, and answers in the form of its test server."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checker.errors import InputError
from checker.model import Stance, Use
from checker.signals.registries import (
    SPAWNING_ANSWER_BYTES_MAX,
    SPAWNING_URLS_MAX,
    UrlRegistry,
    read_spawning_answer,
    spawning_request,
)
from checker.signals.verdict import combine, with_doubt

A, B = "https://img.example/a.jpg", "https://img.example/b.jpg"


def stances(body: Any, *, status: int | None = 200, error: str | None = None) -> list[str]:
    """What the answer says of training with A and B, once doubt was looked at."""
    content = body if isinstance(body, bytes) else json.dumps({"urls": body}).encode()
    answer = read_spawning_answer([A, B], status=status, body=content, error=error)
    assert list(answer) == [A, B]
    verdicts = [with_doubt(combine(findings)) for findings in answer.values()]
    for verdict in verdicts:
        assert verdict.uses[Use.TRAIN_AI] is verdict.uses[Use.TRAIN_GENAI]
        assert verdict.uses[Use.TDM] is verdict.uses[Use.SEARCH] is Stance.UNSPECIFIED
    return [verdict.uses[Use.TRAIN_AI].value for verdict in verdicts]


def test_the_request_is_that_of_datadiligence() -> None:
    request = spawning_request([A, "https://spawning.ai/éxample.png", A], key="k1")
    assert request is not None
    assert (request.method, request.url) == ("POST", "https://opts-api.spawningaiapi.com/api/v2/query/urls/")
    assert request.headers == (("Content-Type", "text/plain"), ("Authorization", "API k1"))
    assert request.body == f"{A}\nhttps://spawning.ai/éxample.png".encode()


def test_the_key_is_not_shown() -> None:
    assert "secret-key" not in repr(spawning_request([A], key="secret-key"))


def test_without_a_key_or_an_address_nothing_is_asked() -> None:
    assert spawning_request([A], key="") is None
    assert spawning_request([], key="k1") is None


@pytest.mark.parametrize(
    "url", ["", "https://a.example/\nhttps://b.example/", "https://a.example/ b", "a\rb", "\udce9"]
)
def test_an_address_that_would_be_read_as_several_is_not_sent(url: str) -> None:
    request = spawning_request([A, url], key="k1")
    assert request is not None
    assert request.body == A.encode()
    assert spawning_request([url], key="k1") is None


def test_a_key_that_no_header_can_hold_is_refused_without_repeating_it() -> None:
    with pytest.raises(InputError) as caught:
        spawning_request([A], key="secret\r\nX-Other: 1")
    assert "secret" not in str(caught.value)


def test_at_most_ten_thousand_addresses_are_asked_about_at_once() -> None:
    many = [f"https://img.example/{number}" for number in range(SPAWNING_URLS_MAX)]
    assert spawning_request(many, key="k1") is not None
    with pytest.raises(InputError, match="10001 addresses"):
        spawning_request([*many, A], key="k1")


def test_an_opt_out_refuses_training_and_no_entry_says_nothing() -> None:
    body = [{"url": A, "optOut": True, "optIn": False}, {"url": B, "optOut": False, "optIn": False}]
    assert stances(body) == ["deny", "unspecified"]


def test_an_opt_in_is_no_permission() -> None:
    assert stances([{"url": A, "optOut": True, "optIn": True}, {"url": B, "optOut": False, "optIn": True}]) == [
        "deny",
        "unspecified",
    ]


def test_an_address_that_the_answer_leaves_out_is_unknown() -> None:
    assert stances([{"url": A, "optOut": True}]) == ["deny", "unknown"]


def test_an_address_that_is_listed_twice_is_refused_if_one_of_them_refuses() -> None:
    twice = [{"url": A, "optOut": False}, {"url": A, "optOut": True}]
    assert stances([*twice, {"url": B, "optOut": False}, {"url": B, "optOut": None}]) == ["deny", "unknown"]


@pytest.mark.parametrize("value", [None, 0, 1, "", "false", "no", [], {}, [[[]]]])
def test_a_value_that_is_neither_true_nor_false_is_unknown(value: object) -> None:
    assert stances([{"url": A, "optOut": value}, {"url": B}]) == ["unknown", "unknown"]


def test_a_refusal_as_text_counts() -> None:
    assert stances([{"url": A, "optOut": "True"}, {"url": B, "optOut": False}]) == ["deny", "unspecified"]


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"not-json", b"null", b"[]", b"{}", b'{"urls": {}}', b'{"urls": null}', b"\xff", b"[" * 100_000),
        b" " * (SPAWNING_ANSWER_BYTES_MAX + 1),
    ],
)
def test_an_answer_of_another_form_leaves_every_address_unknown(body: bytes) -> None:
    assert stances(body) == ["unknown", "unknown"]


@pytest.mark.parametrize("status", [201, 301, 401, 403, 404, 429, 500, 503, None])
def test_an_error_is_unknown_whatever_stands_in_the_answer(status: int | None) -> None:
    body = [{"url": A, "optOut": False}, {"url": B, "optOut": False}]
    assert stances(body, status=status) == ["unknown", "unknown"]
    assert stances(body, error="timeout") == ["unknown", "unknown"]


def test_an_adapter_needs_one_method_only() -> None:
    class Offline:
        def look_up(self, urls: Any) -> Any:
            return read_spawning_answer(urls, status=None, error="offline")

    registry: UrlRegistry = Offline()
    (finding,) = registry.look_up([A])[A]
    assert (finding.signal, finding.raw, finding.unreachable) == ("spawning-registry", "offline", True)


VALUES = st.one_of(st.booleans(), st.none(), st.text(max_size=5), st.integers())
ENTRIES = st.lists(
    st.one_of(
        st.fixed_dictionaries({"url": st.sampled_from([A, B, "\ud800", 5])}, optional={"optOut": VALUES}), VALUES
    ),
    max_size=4,
)


@settings(max_examples=200, deadline=None)
@given(st.one_of(ENTRIES.map(lambda e: json.dumps({"urls": e}).encode()), st.binary(max_size=60)))
def test_whatever_comes_back_every_address_is_answered_and_none_permitted(body: bytes) -> None:
    answer = read_spawning_answer([A, B, "\ud800"], status=200, body=body)
    assert list(answer) == [A, B, "\ud800"]
    for findings in answer.values():
        assert findings
        assert all(Stance.ALLOW not in finding.uses.values() for finding in findings)
        "".join(finding.raw for finding in findings).encode()
