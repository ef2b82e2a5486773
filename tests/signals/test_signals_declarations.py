"""TDM·AI declarations: the documentation's own examples, then the mapping, then our own choices."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checker.model import Stance, Use
from checker.signals.declarations import DECLARATION_BYTES_MAX, parse_declaration, read_declaration
from checker.signals.verdict import combine, with_doubt

ALL_DENIED = dict.fromkeys(("train-ai", "train-genai", "tdm", "search", "index", "all"), "deny")
ALL_UNKNOWN = dict.fromkeys(ALL_DENIED, "unknown")


def said(declaration: Any, *, verified: bool = True) -> tuple[dict[str, str], bool]:
    """What a declaration says once doubt was looked at, unspecified uses left out, and whether it is malformed."""
    body = declaration if isinstance(declaration, bytes) else json.dumps({"iscc": "ISCC:A"} | declaration).encode()
    findings = read_declaration(body, place="registry", verified=verified)
    verdict = with_doubt(combine(findings))
    uses = {use.value: stance.value for use, stance in verdict.uses.items() if stance is not Stance.UNSPECIFIED}
    return uses, any(finding.malformed for finding in findings)


def test_a_full_reservation_refuses_everything() -> None:
    # The documentation's examples 1 and 4; whether `all` covers searching it says both ways.
    assert said({"all": "false"}) == (ALL_DENIED, False)
    assert said({"all": "false", "ai-use": "false", "search": "false"}) == (ALL_DENIED, False)


def test_training_reserved_leaves_the_rest_permitted() -> None:
    # Example 2.
    permitted = {"all": "allow", "tdm": "allow"}
    assert said({"all": "true", "train-ai": "false"})[0] == permitted | {"train-ai": "deny", "train-genai": "deny"}


def test_generative_training_reserved_leaves_other_training_permitted() -> None:
    # Examples 3 and 5.
    expected = {"all": "allow", "tdm": "allow", "train-ai": "allow", "train-genai": "deny"}
    assert said({"all": "true", "train-genai": "false"}) == (expected, False)
    both = {"all": "true", "train-genai": "false", "ai-use": "true", "search": "true"}
    assert said(both) == (expected | {"search": "allow"}, False)


def test_named_uses_are_left_out_of_a_refusal_of_all() -> None:
    # The example of the declaration format.
    expected = ALL_DENIED | {"search": "allow"}
    assert said({"all": "false", "ai-use": "true", "search": "true"}) == (expected, False)


def test_train_genai_inherits_from_train_ai() -> None:
    assert said({"train-ai": "false"})[0] == {"train-ai": "deny", "train-genai": "deny"}
    assert said({"train-ai": "true"})[0] == {"train-ai": "allow", "train-genai": "allow"}
    assert said({"train-ai": "true", "train-genai": "false"})[0] == {"train-ai": "allow", "train-genai": "deny"}


def test_a_permission_of_all_does_not_permit_searching_or_indexing() -> None:
    assert said({"all": "true"})[0] == dict.fromkeys(("all", "tdm", "train-ai", "train-genai"), "allow")


def test_a_refusal_of_all_reaches_what_a_named_permission_contains() -> None:
    # "all: false denies everything not named": train-genai is not named.
    assert said({"all": "false", "train-ai": "true"})[0] == ALL_DENIED | {"train-ai": "allow"}


def test_feeding_a_model_at_answer_time_is_evidence_only() -> None:
    assert said({"ai-use": "false"}) == ({}, False)


@pytest.mark.parametrize("refusal", ["false", False, "n", "False", " FALSE ", "N", "no", "0"])
def test_refusals_are_read_tolerantly(refusal: object) -> None:
    assert said({"train-genai": refusal}) == ({"train-genai": "deny"}, False)


@pytest.mark.parametrize("permission", ["true", True, "y"])
def test_permissions_are_read_in_the_forms_that_are_documented(permission: object) -> None:
    assert said({"train-genai": permission}) == ({"train-genai": "allow"}, False)


@pytest.mark.parametrize("value", ["True", " true", "yes", "Y", 1, 0, None, [], {}, ["true"], "", "maybe", 1.5])
def test_another_value_leaves_its_use_in_doubt(value: object) -> None:
    assert said({"train-genai": value}) == ({"train-genai": "unknown"}, True)
    assert said({"train-ai": value}) == ({"train-ai": "unknown", "train-genai": "unknown"}, True)
    assert said({"search": value, "train-genai": "true"}) == ({"search": "unknown", "train-genai": "allow"}, True)
    doubted = {"all": "allow", "tdm": "allow", "train-ai": "unknown", "train-genai": "unknown"}
    assert said({"all": "true", "train-ai": value}) == (doubted, True)


def test_what_a_declaration_names_itself_is_not_in_the_doubt_of_what_contains_it() -> None:
    assert said({"train-ai": "maybe", "train-genai": "true"}) == ({"train-ai": "unknown", "train-genai": "allow"}, True)


def test_a_use_in_doubt_inherits_no_permission() -> None:
    findings = read_declaration(b'{"iscc": "I", "all": "true", "train-ai": "maybe"}', place="registry", verified=True)
    assert {use.value for finding in findings for use, s in finding.uses.items() if s is Stance.ALLOW} == {"all", "tdm"}


def test_a_misspelled_key_refuses_and_does_not_permit() -> None:
    assert said({"Train_AI": "false"})[0] == {"train-ai": "deny", "train-genai": "deny"}
    assert said({"Train_AI": "true"}) == ({"train-ai": "unknown", "train-genai": "unknown"}, True)


def test_a_key_that_stands_twice_refuses_and_does_not_permit() -> None:
    assert said(b'{"iscc": "I", "search": "true", "search": "false"}') == ({"search": "deny"}, True)
    assert said(b'{"iscc": "I", "search": "true", "search": "true"}') == ({"search": "unknown"}, True)


def test_permissions_count_from_verified_declarations_only() -> None:
    declaration = {"all": "true", "search": "true", "train-genai": "false"}
    assert said(declaration, verified=False) == ({"train-genai": "deny"}, False)
    # A permission that does not count is no refusal either.
    unspoken = {use: stance for use, stance in ALL_DENIED.items() if use != "search"}
    assert said({"all": "false", "search": "true"}, verified=False) == (unspoken, False)


@pytest.mark.parametrize("intent", ["activate", "update", "supersede", "supercede"])
def test_the_intents_of_schema_and_text_are_known(intent: str) -> None:
    assert said({"search": "true", "intent": intent, "version": "1.0"}) == ({"search": "allow"}, False)


@pytest.mark.parametrize("form", [{"intent": "withdraw"}, {"intent": None}, {"version": "2.0"}, {"version": 1.0}])
def test_a_form_that_nobody_defined_keeps_refusals_only(form: dict[str, Any]) -> None:
    assert said({"search": "true"} | form) == (ALL_UNKNOWN, True)
    assert said({"search": "false"} | form) == (ALL_UNKNOWN | {"search": "deny"}, True)


@pytest.mark.parametrize("body", [b'{"all": "true"}', b'{"iscc": 5, "all": "true"}', b'{"iscc": " ", "all": "true"}'])
def test_a_declaration_without_iscc_permits_nothing(body: bytes) -> None:
    assert said(body) == (ALL_UNKNOWN, True)
    assert said(body.replace(b"true", b"false"))[0] == ALL_DENIED


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"null", b"[]", b'"false"', b"{", b"\xff{}", b"{\x00}", b'{"all": "false"', b"[" * 100_000),
        *(b'{"a":' * 50_000, b'{"iscc": "I", "all": "true", "n": ' + b"9" * 5_000 + b"}"),
        b'{"iscc": "I", "all": "true"}' + b" " * DECLARATION_BYTES_MAX,
        '{"iscc": "I", "all": "true"}'.encode("utf-16"),
    ],
)
def test_what_is_no_declaration_leaves_everything_in_doubt(body: bytes) -> None:
    assert said(body) == (ALL_UNKNOWN, True)


def test_a_byte_order_mark_is_skipped() -> None:
    assert said(b'\xef\xbb\xbf{"iscc": "I", "search": "false"}') == ({"search": "deny"}, False)


def test_the_finding_names_its_code_and_its_text() -> None:
    body = b'{"iscc": "ISCC:EXAMPLE", "all": "false"}'
    (finding,) = read_declaration(body, place="declarations.json")
    assert (finding.signal, finding.place, finding.scope) == ("tdm-ai", "declarations.json", "ISCC:EXAMPLE")
    assert finding.raw == body.decode()


def test_whoever_compares_codes_gets_code_and_chain() -> None:
    declaration = parse_declaration(b'{"iscc": " ISCC:A ", "reference": "baf1", "intent": "update", "all": "false"}')
    assert (declaration.iscc, declaration.reference) == ("ISCC:A", "baf1")
    assert declaration.statement.uses[Use.INDEX] is Stance.DENY


JSON = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.sampled_from(["true", "n"])
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=5,
)
MEMBERS = st.sampled_from(
    ["iscc", "all", "train-ai", "Train-AI", "train-genai", "search", "ai-use", "intent", "reference"]
)
BODIES = st.one_of(
    st.dictionaries(MEMBERS, JSON, max_size=6).map(lambda value: json.dumps(value).encode()),
    JSON.map(lambda value: json.dumps(value).encode()),
    st.binary(max_size=80),
)


@settings(max_examples=300, deadline=None)
@given(BODIES, st.booleans())
def test_whatever_stands_in_it_nothing_raises_and_nothing_unreadable_permits(body: bytes, verified: bool) -> None:
    findings = read_declaration(body, place="registry", verified=verified)
    assert findings
    permitted = {use for finding in findings for use, stance in finding.uses.items() if stance is Stance.ALLOW}
    assert verified or not permitted
    for finding in findings:
        assert not (finding.malformed and Stance.ALLOW in finding.uses.values())
        (finding.raw + finding.scope).encode()
        assert len(finding.raw) <= 500
        assert len(finding.scope) <= 500
