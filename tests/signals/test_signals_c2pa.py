"""Training and data mining assertions: CAWG 1.1 and C2PA 1.4, then our own choices."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checker.model import Finding, Stance, Use
from checker.signals.c2pa import MANIFESTS_MAX, read_store
from checker.signals.verdict import combine, with_doubt

LABEL = "cawg.training-mining"
ASK = {"use": "constrained", "constraint_info": "ask first"}
NO, YES = {"use": "notAllowed"}, {"use": "allowed"}
TDM_DENIED = {"tdm": "deny", "train-ai": "deny", "train-genai": "deny"}


def assertion(entries: Any, label: str = LABEL) -> dict[str, Any]:
    return {"label": label, "data": entries}


def manifest(*assertions: dict[str, Any], parents: tuple[str, ...] = (), kind: str = "parentOf") -> dict[str, Any]:
    ingredients = [{"relationship": kind, "active_manifest": parent} for parent in parents]
    return {"assertions": list(assertions), "ingredients": ingredients}


def store(state: str | None = "Valid", **manifests: Any) -> dict[str, Any]:
    return {"active_manifest": "m1", "manifests": manifests, "validation_state": state}


def said(findings: tuple[Finding, ...]) -> dict[str, str]:
    uses = combine(findings).uses
    return {use.value: stance.value for use, stance in uses.items() if stance is not Stance.UNSPECIFIED}


def read(given: Any) -> tuple[dict[str, str], bool]:
    """What a store says before doubt, and whether anything was malformed."""
    findings = read_store(given, place="test")
    return said(findings), any(finding.malformed for finding in findings)


def entries(**by_name: Any) -> dict[str, Any]:
    return assertion({"entries": {f"cawg.{name}": entry for name, entry in by_name.items()}})


@pytest.mark.parametrize(
    ("given", "uses"),
    [
        ({"ai_generative_training": NO}, {"train-genai": "deny"}),
        ({"ai_training": NO}, {"train-ai": "deny", "train-genai": "deny"}),
        ({"data_mining": NO}, TDM_DENIED),
        ({"data_mining": ASK}, dict.fromkeys(TDM_DENIED, "conditional")),
        ({"data_mining": {"use": "constrained"}}, dict.fromkeys(TDM_DENIED, "conditional")),
        ({"data_mining": {"use": "constrained", "constraints_info": "ask"}}, dict.fromkeys(TDM_DENIED, "conditional")),
        ({"data_mining": YES}, {"tdm": "allow"}),
        ({"ai_training": YES}, {"train-ai": "allow"}),  # of models that do not generate, so not train-genai
        ({"ai_generative_training": YES}, {"train-genai": "allow"}),
        ({"ai_inference": NO}, {}),
        ({"data_mining": NO, "ai_training": YES}, {"tdm": "deny", "train-ai": "allow", "train-genai": "deny"}),
        ({"data_mining": ASK, "ai_generative_training": NO}, {"tdm": "conditional", "train-ai": "conditional", "train-genai": "deny"}),  # noqa: E501
    ],
)  # fmt: skip
def test_each_entry_speaks_of_its_use(given: dict[str, Any], uses: dict[str, str]) -> None:
    assert read(store(m1=manifest(entries(**given)))) == (uses, False)


@pytest.mark.parametrize("label", ["cawg.training-mining", "cawg.training-mining__2", "cawg.training-mining.v2", "cawg.training-mining.v2__1", "CAWG.Training-Mining"])  # noqa: E501  # fmt: skip
def test_the_label_may_have_an_instance_or_a_version(label: str) -> None:
    one = assertion({"entries": {"cawg.ai_training": NO}}, label)
    assert read(store(m1=manifest(one))) == ({"train-ai": "deny", "train-genai": "deny"}, False)


@pytest.mark.parametrize(
    "label", ["cawg.training-mining-2", "x.training-mining", "cawg.training", "c2pa.actions", None, 5]
)
def test_other_labels_say_nothing(label: Any) -> None:
    one = {"label": label, "data": {"entries": {"cawg.ai_training": NO}}}
    assert read_store(store(m1=manifest(one)), place="test") == ()


def test_the_map_may_stand_without_entries_as_in_c2pa_1_4() -> None:
    flat = assertion({"c2pa.ai_training": NO, "c2pa.data_mining": YES}, "c2pa.training-mining")
    wrapped = assertion({"entries": {"c2pa.ai_training": NO, "c2pa.data_mining": YES}}, "c2pa.training-mining")
    for one in (flat, wrapped):
        assert read(store(m1=manifest(one))) == ({"train-ai": "deny", "train-genai": "deny", "tdm": "allow"}, False)
    findings = read_store(store(m1=manifest(flat)), place="test")
    assert [finding.version for finding in findings] == ["C2PA 1.4"]


def test_of_both_labels_the_strongest_counts() -> None:
    old = assertion({"c2pa.ai_training": YES, "c2pa.data_mining": NO}, "c2pa.training-mining")
    new = entries(ai_training=ASK)
    uses = {"tdm": "deny", "train-ai": "conditional", "train-genai": "deny"}
    assert read(store(m1=manifest(old, new))) == (uses, False)
    assert read(store(m1=manifest(new, old))) == (uses, False)


@pytest.mark.parametrize(
    ("entry", "uses", "malformed"),
    [
        ({"use": "NOTALLOWED"}, {"train-genai": "deny"}, False),
        ({"use": "Constrained"}, {"train-genai": "conditional"}, False),
        ({"use": "Allowed"}, {}, True),
        ({"use": "allowed "}, {}, True),
        ({"use": "maybe"}, {}, True),
        ({"use": True}, {}, True),
        ({"use": None}, {}, True),
        ({}, {}, True),
        ([], {}, True),
        ("notAllowed", {"train-genai": "deny"}, False),
        ("allowed", {}, True),
    ],
)
def test_refusals_are_read_in_any_case_and_permissions_exactly(
    entry: Any, uses: dict[str, str], malformed: bool
) -> None:
    assert read(store(m1=manifest(entries(ai_generative_training=entry)))) == (uses, malformed)


def test_an_unknown_use_leaves_that_entry_unset_and_in_doubt() -> None:
    given = store(m1=manifest(entries(ai_generative_training={"use": "perhaps"}, data_mining=YES)))
    assert read(given) == ({"tdm": "allow"}, True)
    uses = with_doubt(combine(read_store(given, place="test"))).uses
    assert (uses[Use.TRAIN_GENAI], uses[Use.TDM], uses[Use.SEARCH]) == (
        Stance.UNKNOWN,
        Stance.ALLOW,
        Stance.UNSPECIFIED,
    )
    denied = store(m1=manifest(entries(ai_training={"use": "perhaps"}, data_mining=NO)))
    assert read(denied) == (TDM_DENIED, True)


@pytest.mark.parametrize(
    ("key", "label"),
    [("c2pa.ai_training", LABEL), ("cawg.AI_Training", LABEL), ("cawg.ai_training", "c2pa.training-mining"), ("cawg.ai_training", "CAWG.training-mining")],  # noqa: E501
)  # fmt: skip
def test_a_permission_under_another_name_does_not_count(key: str, label: str) -> None:
    assert read(store(m1=manifest(assertion({"entries": {key: YES}}, label)))) == ({}, False)
    assert read(store(m1=manifest(assertion({"entries": {key: NO}}, label))))[0]["train-ai"] == "deny"


def test_entries_of_others_are_evidence() -> None:
    findings = read_store(store(m1=manifest(assertion({"entries": {"com.example.sale": NO}}))), place="test")
    assert said(findings) == {}
    assert "com.example.sale" in findings[0].raw


def test_an_entry_beside_the_map_refuses_and_never_permits() -> None:
    beside = {"entries": {}, "cawg.ai_training": NO, "cawg.data_mining": YES, "metadata": {}}
    assert read(store(m1=manifest(assertion(beside)))) == ({"train-ai": "deny", "train-genai": "deny"}, False)


@pytest.mark.parametrize("state", ["Invalid", None, "valid", "", "Unknown", []])
def test_a_store_that_does_not_validate_keeps_its_refusals_only(state: Any) -> None:
    given = entries(data_mining=NO, ai_training=YES)
    assert read(store(state, m1=manifest(given))) == (TDM_DENIED, False), "a permission limits no refusal either"
    assert read(store(state, m1=manifest(entries(ai_training=YES)))) == ({}, False)


@pytest.mark.parametrize("state", ["Valid", "Trusted"])
def test_a_store_that_validates_permits(state: str) -> None:
    assert read(store(state, m1=manifest(entries(ai_training=YES)))) == ({"train-ai": "allow"}, False)


def test_refusals_of_parents_are_inherited_and_permissions_are_not() -> None:
    grandparent = manifest(entries(ai_generative_training=NO, data_mining=YES))
    chain = store(
        m1=manifest(parents=("m2",)),
        m2=manifest(entries(ai_training=ASK), parents=("m3",)),
        m3=grandparent,
        m4=manifest(entries(data_mining=NO)),
    )
    assert read(chain) == ({"train-ai": "conditional", "train-genai": "deny"}, False)
    assert any("parent manifest m3" in finding.place for finding in read_store(chain, place="test"))


def test_a_permission_of_the_active_manifest_does_not_lift_its_parents_refusal() -> None:
    given = store(m1=manifest(entries(ai_training=YES), parents=("m2",)), m2=manifest(entries(ai_training=NO)))
    assert read(given)[0]["train-ai"] == "deny"


@pytest.mark.parametrize("kind", ["componentOf", "inputTo", "", None])
def test_other_ingredients_are_not_inherited(kind: Any) -> None:
    given = store(m1=manifest(parents=("m2",), kind=kind), m2=manifest(entries(ai_training=NO)))
    assert read_store(given, place="test") == ()


def test_a_circle_of_parents_ends() -> None:
    given = store(m1=manifest(parents=("m2", "m1")), m2=manifest(entries(ai_training=NO), parents=("m1", "m2")))
    assert read(given) == ({"train-ai": "deny", "train-genai": "deny"}, False)


def test_a_parent_whose_manifest_is_missing_leaves_doubt_and_one_without_any_does_not() -> None:
    assert read(store(m1=manifest(entries(data_mining=YES), parents=("gone",)))) == ({"tdm": "allow"}, True)
    without = {"assertions": [], "ingredients": [{"relationship": "parentOf", "title": "a.jpg"}]}
    assert read_store(store(m1=without), place="test") == ()


URI = "self#jumbf=/c2pa/m2/c2pa.assertions/cawg.training-mining"


@pytest.mark.parametrize("label", ["cawg.training-mining", "c2pa.training-mining", "cawg.training-mining__1"])
def test_a_refusal_that_was_redacted_leaves_doubt_c2pa_6_8(label: str) -> None:
    active = manifest(parents=("m2",)) | {"redactions": [URI.replace("cawg.training-mining", label)]}
    given = store(m1=active, m2=manifest())
    assert read(given) == ({}, True)
    other = manifest(parents=("m2",)) | {"redactions": [URI.replace("cawg.training-mining", "stds.exif")]}
    assert read_store(store(m1=other, m2=manifest()), place="test") == ()


@pytest.mark.parametrize("code", ["assertion.missing", "assertion.hashedURI.mismatch"])
def test_a_refusal_that_is_gone_or_was_changed_leaves_doubt_c2pa_15(code: str) -> None:
    statuses = [{"code": "signingCredential.untrusted", "url": URI}, {"code": code, "url": URI}]
    given = store("Invalid", m1=manifest(entries(data_mining=YES))) | {"validation_status": statuses}
    assert read(given) == ({}, True)
    given["validation_status"] = [{"code": code, "url": URI.replace("cawg.training-mining", "c2pa.hash.data")}]
    assert read(given) == ({}, False)
    given["validation_status"] = statuses[:1]
    assert read(given) == ({}, False), "that speaks of the signature"


@pytest.mark.parametrize("label", ["c2pa.metadata", "cawg.metadata", "stds.iptc", "stds.iptc.photo-metadata__1"])
@pytest.mark.parametrize("form", [lambda uri: uri, lambda uri: {"@id": uri}, lambda uri: [uri]])
def test_data_mining_in_a_metadata_assertion_refuses_and_never_permits_our_choice(label: str, form: Any) -> None:
    def given(key: str, name: str = "plus:DataMining") -> dict[str, Any]:
        return store(m1=manifest(assertion({name: form("http://ns.useplus.org/ldf/vocab/" + key)}, label)))

    assert read(given("DMI-PROHIBITED")) == (TDM_DENIED, False)
    assert read(given("DMI-PROHIBITED", "http://ns.useplus.org/ldf/xmp/1.0/DataMining")) == (TDM_DENIED, False)
    assert read(given("DMI-ALLOWED")) == ({}, False)
    assert read(given("DMI-LATER")) == ({}, True)
    assert read_store(given("DMI-PROHIBITED", "dc:rights"), place="test") == ()


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"active_manifest": None, "manifests": {}},
        {"active_manifest": "m1", "manifests": []},
        {"active_manifest": "m1", "manifests": {}},
        store(m1=[]),
        store(m1={"assertions": "x"}),
        store(m1={"assertions": ["x"]}),
        store(m1={"ingredients": {}}),
        store(m1={"ingredients": [5]}),
        store(m1={"ingredients": [{"relationship": "parentOf", "active_manifest": 5}]}),
        store(m1=manifest(assertion(None))),
        store(m1=manifest(assertion([NO]))),
        store(m1=manifest(assertion({"entries": "notAllowed"}))),
    ],
)
def test_a_store_that_cannot_be_read_leaves_mining_and_training_in_doubt(broken: dict[str, Any]) -> None:
    assert read(broken) == ({}, True)
    uses = with_doubt(combine(read_store(broken, place="test"))).uses
    assert {use.value for use, stance in uses.items() if stance is Stance.UNKNOWN} == set(TDM_DENIED)


def test_a_store_of_endless_length_is_read_to_a_bound() -> None:
    many = {f"m{n}": manifest(entries(ai_training=YES), parents=(f"m{n + 1}",)) for n in range(1, 5000)}
    findings = read_store(store(**many), place="test")
    assert len(findings) == MANIFESTS_MAX + 1
    assert findings[0].malformed
    wide = store(m1=manifest(*[entries(ai_training=YES)] * 5000))
    assert read(wide) == ({"train-ai": "allow"}, True)


LEAVES = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5), st.sampled_from(["m1", "m2", "allowed", "notAllowed", "parentOf", LABEL, "c2pa.metadata", URI, "assertion.missing"]))  # noqa: E501  # fmt: skip
KEYS = st.sampled_from(["active_manifest", "manifests", "m1", "m2", "assertions", "ingredients", "redactions", "validation_status", "code", "url", "plus:DataMining", "@id", "label", "data", "entries", "use", "relationship", "validation_state", "cawg.ai_training"])  # noqa: E501  # fmt: skip
ANYTHING = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4))
STORES = st.fixed_dictionaries(
    {"active_manifest": st.just("m1") | ANYTHING, "manifests": st.dictionaries(KEYS, ANYTHING, max_size=3) | ANYTHING},
    optional={"validation_state": ANYTHING},
)


@settings(max_examples=300, deadline=None)
@given(STORES)
def test_no_store_makes_the_reader_raise_or_permits_without_being_valid(given: dict[str, Any]) -> None:
    for finding in read_store(given, place="test"):
        assert not (
            Stance.ALLOW in finding.uses.values() and (finding.malformed or given["validation_state"] != "Valid")
        )
