"""What registries are asked and what their answers mean, as bytes: Spawning's in the form of datadiligence 0.1.7 and
its test server, the Training Data Registry's in the form that its pages show."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checker.errors import InputError
from checker.model import Finding, Stance, Use
from checker.signals.registries import (
    REGISTRIES,
    RegistryRequest,
    Spawning,
    TrainingDataRegistry,
    UrlRegistry,
    read_saved_answer,
)
from checker.signals.verdict import combine, with_doubt

A, B = "https://img.example/a.jpg", "https://img.example/b.jpg"
SPAWNING, TRAINING_DATA = Spawning(), TrainingDataRegistry()


def training(findings: tuple[Finding, ...]) -> str:
    """What is known of training once doubt was looked at; nothing else is ever spoken of."""
    verdict = with_doubt(combine(findings))
    assert verdict.uses[Use.TRAIN_AI] is verdict.uses[Use.TRAIN_GENAI]
    assert verdict.uses[Use.TDM] is verdict.uses[Use.SEARCH] is verdict.uses[Use.ALL] is Stance.UNSPECIFIED
    return verdict.uses[Use.TRAIN_AI].value


def stances(body: Any, *, status: int | None = 200, error: str | None = None) -> list[str]:
    """What an answer of Spawning's says of A and B."""
    content = body if isinstance(body, bytes) else json.dumps({"urls": body}).encode()
    answer = SPAWNING.read([A, B], status=status, body=content, error=error)
    assert list(answer) == [A, B]
    return [training(findings) for findings in answer.values()]


def sent(request: RegistryRequest | None) -> RegistryRequest:
    assert request is not None
    return request


def test_the_request_is_that_of_datadiligence() -> None:
    request = sent(SPAWNING.request([A, "https://spawning.ai/éxample.png", A], key="k1"))
    assert (request.method, request.url) == ("POST", "https://opts-api.spawningaiapi.com/api/v2/query/urls/")
    assert request.headers == (("Content-Type", "text/plain"), ("Authorization", "API k1"))
    assert request.body == f"{A}\nhttps://spawning.ai/éxample.png".encode()


def test_a_lone_address_is_sent_with_an_empty_line_after_it() -> None:
    assert sent(SPAWNING.request([A], key="k1")).body == f"{A}\n".encode()


def test_the_other_registry_is_asked_with_one_address_in_the_query() -> None:
    request = sent(TRAINING_DATA.request(["https://img.example/a b?x=1&y=2".replace(" ", "%20")], key="tdr_live_0"))
    assert (request.method, request.body) == ("GET", None)
    # RFC 3986 2.1 and 2.2, written out by hand: the whole address is one value.
    escaped = "https%3A%2F%2Fimg.example%2Fa%2520b%3Fx%3D1%26y%3D2"
    assert request.url == f"https://trainingdataregistry.org/api/v1/check?url={escaped}"
    assert request.headers == (("X-API-Key", "tdr_live_0"),)


@pytest.mark.parametrize("registry", REGISTRIES.values(), ids=list(REGISTRIES))
class TestEveryRegistry:
    def test_another_address_can_be_asked(self, registry: UrlRegistry) -> None:
        request = sent(registry.request([A], key="k", address="http://127.0.0.1:8001/q"))
        assert request.url.partition("?")[0] == "http://127.0.0.1:8001/q"

    def test_the_key_is_not_shown(self, registry: UrlRegistry) -> None:
        assert "secret-key" not in repr(registry.request([A], key="secret-key"))

    def test_without_a_key_or_an_address_nothing_is_asked(self, registry: UrlRegistry) -> None:
        assert registry.request([A], key="") is None
        assert registry.request([], key="k1") is None

    @pytest.mark.parametrize(
        "url", ["", "https://a.example/\nhttps://b.example/", "https://a.example/ b", "a\rb", "\udce9"]
    )
    def test_an_address_that_would_be_read_as_several_is_not_sent(self, registry: UrlRegistry, url: str) -> None:
        assert registry.request([url], key="k1") is None

    def test_a_key_that_no_header_can_hold_is_refused_without_repeating_it(self, registry: UrlRegistry) -> None:
        for key in ("secret\r\nX-Other: 1", "secret\u00e9"):
            with pytest.raises(InputError, match=f"key for {registry.name}") as caught:
                registry.request([A], key=key)
            assert "secret" not in str(caught.value)

    def test_no_more_addresses_are_asked_about_at_once_than_are_taken(self, registry: UrlRegistry) -> None:
        many = [f"https://img.example/{number}" for number in range(registry.urls_max)]
        assert registry.request(many, key="k1") is not None
        with pytest.raises(InputError, match=f"{registry.urls_max + 1} addresses"):
            registry.request([*many, A], key="k1")

    @pytest.mark.parametrize("status", [201, 204, 301, 400, 401, 403, 404, 429, 500, 503, None])
    def test_an_error_is_unknown_and_marked_unreachable(self, registry: UrlRegistry, status: int | None) -> None:
        good = json.dumps({"urls": [{"url": A, "optOut": False}], "registered": False}).encode()
        assert training(registry.read([A], status=200, body=good)[A]) == "unspecified"
        for error in (None, "timeout"):
            (finding,) = registry.read([A], status=status, body=good, error=error)[A]
            assert (finding.unreachable, finding.malformed, finding.scope) == (True, False, A)
            assert finding.raw == (error or ("no answer" if status is None else f"HTTP {status}"))
            assert training((finding,)) == "unknown"

    @pytest.mark.parametrize(
        "body",
        [b"", b"not-json", b"null", b"[]", b"{}", b"1", b"\xff", b"[" * 100_000, b'{"a":' * 50_000, b"9" * 5_000],
    )
    def test_an_answer_of_another_form_is_unknown_and_marked_malformed(
        self, registry: UrlRegistry, body: bytes
    ) -> None:
        (finding,) = registry.read([A], status=200, body=body)[A]
        assert (finding.unreachable, finding.malformed) == (False, True)
        assert training((finding,)) == "unknown"

    def test_a_longer_answer_than_agreed_is_not_read(self, registry: UrlRegistry) -> None:
        good = json.dumps({"urls": [{"url": A, "optOut": True}], "registered": True, "allow_training": False}).encode()
        assert training(registry.read([A], status=200, body=good.ljust(registry.answer_bytes_max))[A]) == "deny"
        assert training(registry.read([A], status=200, body=good.ljust(registry.answer_bytes_max + 1))[A]) == "unknown"

    @given(
        body=st.one_of(
            st.binary(max_size=60),
            st.recursive(
                st.none() | st.booleans() | st.text(max_size=5),
                lambda inner: (
                    st.lists(inner, max_size=3)
                    | st.dictionaries(
                        st.sampled_from(["urls", "url", "optOut", "registered", "allow_training", "source"]),
                        inner,
                        max_size=4,
                    )
                ),
            ).map(lambda value: json.dumps(value).encode()),
        )
    )
    @settings(max_examples=200, deadline=None)
    def test_whatever_comes_back_every_address_is_answered_and_none_permitted(
        self, registry: UrlRegistry, body: bytes
    ) -> None:
        for urls in ([A], [A, "\ud800"]):
            answer = registry.read(urls, status=200, body=body)
            assert list(answer) == urls
            for findings in answer.values():
                assert findings
                assert all(Stance.ALLOW not in finding.uses.values() for finding in findings)
                "".join(finding.raw + finding.scope for finding in findings).encode()


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


@pytest.mark.parametrize("body", [b'{"urls": {}}', b'{"urls": null}', b'{"urls": "x"}'])
def test_a_list_of_another_kind_leaves_every_address_unknown(body: bytes) -> None:
    assert stances(body) == ["unknown", "unknown"]


def test_a_partial_answer_is_marked_malformed_where_it_says_nothing() -> None:
    body = json.dumps({"urls": [{"url": A, "optOut": False}]}).encode()
    (known,), (left_out,) = SPAWNING.read([A, B], status=200, body=body).values()
    assert (known.malformed, known.raw) == (False, "optOut: false")
    assert (left_out.malformed, left_out.raw) == (True, "the answer leaves this address out")


def test_a_member_that_stands_twice_is_read_in_neither_way() -> None:
    # RFC 8259 4: which of them counts differs between readers.
    for first, second in (("true", "false"), ("false", "true"), ("false", "false")):
        entry = f'{{"url": "{A}", "optOut": {first}, "optOut": {second}}}'
        assert stances(f'{{"urls": [{entry}, {{"url": "{B}", "optOut": false}}]}}'.encode()) == [
            "unknown",
            "unspecified",
        ]
    assert stances(b'{"urls": [], "urls": []}') == ["unknown", "unknown"]


def entry(**members: object) -> str:
    """What the Training Data Registry's answer says of A."""
    return training(TRAINING_DATA.read([A], status=200, body=json.dumps(members).encode())[A])


def test_an_entry_of_the_training_data_registry_refuses_training() -> None:
    # The example of trainingdataregistry.org/for-ai-companies.
    body = b"""{"registered": true, "source": "url", "trust": "verified", "url": "https://example.com/article",
        "registration_id": "vBETdLGWCvY0", "allow_training": false, "allow_inference": true, "allow_archive": false,
        "verification_status": "domain-verified", "registered_at": "2026-02-01T10:00:00Z",
        "checked_at": "2026-02-20T10:00:00Z"}"""
    (finding,) = TRAINING_DATA.read([A], status=200, body=body)[A]
    assert training((finding,)) == "deny"
    assert (finding.signal, finding.place, finding.scope) == ("training-data-registry", "Training Data Registry", A)
    assert finding.raw == (
        "registered: true, allow_training: false, allow_inference: true, allow_archive: false, "
        'source: "url", trust: "verified"'
    )


def test_no_entry_says_nothing_and_a_permission_is_none() -> None:
    assert entry(registered=False) == "unspecified"
    assert entry(registered=True, allow_training=True) == "unspecified"


def test_a_refusal_counts_in_any_spelling_and_beside_any_other_member() -> None:
    assert entry(registered=True, allow_training=" False ") == "deny"
    assert entry(registered=False, allow_training=False) == "deny"


@pytest.mark.parametrize("value", [None, 0, 1, "", "true", "yes", [], {}])
def test_an_entry_that_says_neither_is_unknown(value: object) -> None:
    assert entry(registered=True, allow_training=value) == "unknown"
    assert entry(registered=value, allow_training=True) == "unknown"


def test_a_registry_answer_that_was_saved_is_read_like_a_fresh_one() -> None:
    body = json.dumps({"urls": [{"url": A, "optOut": True}]}).encode()
    assert training(read_saved_answer("spawning", body, url=A)) == "deny"
    assert training(read_saved_answer("spawning", body, url=B)) == "unknown"
    assert training(read_saved_answer("training-data", b'{"registered": false}', url=A)) == "unspecified"


def test_a_saved_declaration_refuses_and_never_permits() -> None:
    verdict = with_doubt(combine(read_saved_answer("tdm-ai", b'{"iscc": "ISCC:A", "all": "false"}', url=A)))
    assert set(verdict.uses.values()) == {Stance.DENY}
    verdict = with_doubt(combine(read_saved_answer("tdm-ai", b'{"iscc": "ISCC:A", "all": "true"}', url=A)))
    assert set(verdict.uses.values()) == {Stance.UNSPECIFIED}


def test_an_answer_of_an_unknown_registry_is_refused() -> None:
    with pytest.raises(InputError, match="known are spawning, training-data, tdm-ai"):
        read_saved_answer("sporning", b"{}", url=A)
