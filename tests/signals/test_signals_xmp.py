"""XMP packets: data mining, TDMRep in a picture, and packets that are broken or hostile."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from signed_pictures import VOCABULARY, mining, xmp

from checker.model import Finding, Stance, Use
from checker.signals.embedded import read_reservations, read_xmp
from checker.signals.verdict import combine, with_doubt
from checker.signals.xmp import TAGS_MAX, parse_packet

THREE = ("tdm", "train-ai", "train-genai")
PLUS = "http://ns.useplus.org/ldf/xmp/1.0/"
NOTHING: dict[str, str] = {}


def said(findings: tuple[Finding, ...]) -> dict[str, str]:
    """What the findings say together, before doubt; uses that nobody spoke of are left out."""
    uses = combine(findings).uses
    return {use.value: stance.value for use, stance in uses.items() if stance is not Stance.UNSPECIFIED}


def malformed(findings: tuple[Finding, ...]) -> bool:
    return any(finding.malformed for finding in findings)


def read(packet: bytes) -> tuple[dict[str, str], bool]:
    findings = read_xmp(packet, place="test")
    return said(findings), malformed(findings)


def all_three(stance: str, **more: str) -> dict[str, str]:
    return dict.fromkeys(THREE, stance) | more


@pytest.mark.parametrize(
    ("key", "uses"),
    [
        ("DMI-UNSPECIFIED", {}),
        ("DMI-ALLOWED", all_three("allow")),
        ("DMI-PROHIBITED-AIMLTRAINING", {"train-ai": "deny", "train-genai": "deny"}),
        ("DMI-PROHIBITED-GENAIMLTRAINING", {"train-genai": "deny"}),
        ("DMI-PROHIBITED-EXCEPTSEARCHENGINEINDEXING", all_three("deny", search="allow")),
        ("DMI-PROHIBITED", all_three("deny")),
        ("DMI-PROHIBITED-SEECONSTRAINT", all_three("conditional")),
        ("DMI-PROHIBITED-SEEEMBEDDEDRIGHTSEXPR", all_three("conditional")),
        ("DMI-PROHIBITED-SEELINKEDRIGHTSEXPR", all_three("conditional")),
    ],
)
def test_each_key_of_the_vocabulary_has_its_meaning(key: str, uses: dict[str, str]) -> None:
    assert read(mining(key)) == (uses, False)
    assert read(xmp(f'plus:DataMining="{key}"')) == (uses, False), "the key alone"
    assert read(xmp(f'plus:DataMining="https://ns.useplus.org/ldf/vocab/{key}"')) == (uses, False)


@pytest.mark.parametrize("key", ["DMI-PROHIBITED-GENAIMLTRAINING", "DMI-ALLOWED"])
@pytest.mark.parametrize(
    "form",
    [
        "<plus:DataMining>{}</plus:DataMining>",
        '<plus:DataMining rdf:resource="{}"/>',
        "<plus:DataMining><rdf:Bag><rdf:li>{}</rdf:li></rdf:Bag></plus:DataMining>",
        '<plus:DataMining><rdf:Seq>\n <rdf:li rdf:resource="{}"/>\n</rdf:Seq></plus:DataMining>',
    ],
)
def test_every_form_of_the_value_is_read(key: str, form: str) -> None:
    expected = {"train-genai": "deny"} if "GENAI" in key else all_three("allow")
    assert read(xmp(elements=form.format(VOCABULARY + key))) == (expected, False)


def test_the_namespace_decides_and_not_the_prefix() -> None:
    other_prefix = mining("DMI-PROHIBITED").replace(b"plus:", b"p0:").replace(b"xmlns:plus", b"xmlns:p0")
    other_namespace = mining("DMI-PROHIBITED").replace(b"useplus.org/ldf/xmp/1.0/", b"other.example/")
    assert read(other_prefix) == (all_three("deny"), False)
    assert read(other_namespace) == (NOTHING, False)


@pytest.mark.parametrize(
    ("value", "uses", "is_malformed"),
    [
        ("dmi-prohibited", all_three("deny"), False),
        (f" {VOCABULARY}DMI-Prohibited-AiMlTraining\n", {"train-ai": "deny", "train-genai": "deny"}, False),
        (f"{VOCABULARY}DMI-PROHIBITED-LATER", all_three("deny"), True),
        ("dmi-prohibited-exceptsearchengineindexing", all_three("deny"), False),  # the permission is not exact
        ("dmi-allowed", NOTHING, True),
        (f" {VOCABULARY}DMI-ALLOWED", NOTHING, True),
        ("http://other.example/DMI-ALLOWED", NOTHING, True),
        (f"{VOCABULARY}DMI-ALLOWED-LATER", NOTHING, True),
        ("no thank you", NOTHING, True),
        ("", NOTHING, True),
    ],
)
def test_prohibitions_are_read_tolerantly_and_permissions_exactly(
    value: str, uses: dict[str, str], is_malformed: bool
) -> None:
    packet = xmp(f'plus:DataMining="{value}"').replace(b"\n", b"&#10;")
    assert read(packet) == (uses, is_malformed)


def test_an_unknown_value_leaves_mining_and_training_in_doubt_and_nothing_else() -> None:
    uses = with_doubt(combine(read_xmp(mining("DMI-PERHAPS"), place="test"))).uses
    assert {use.value for use, stance in uses.items() if stance is Stance.UNKNOWN} == set(THREE)


def test_of_several_values_the_strongest_counts() -> None:
    both = "<plus:DataMining><rdf:Bag><rdf:li>DMI-ALLOWED</rdf:li><rdf:li>DMI-PROHIBITED-GENAIMLTRAINING</rdf:li></rdf:Bag></plus:DataMining>"  # fmt: skip  # noqa: E501
    assert read(xmp(elements=both)) == (all_three("allow") | {"train-genai": "deny"}, False)


def test_the_terms_that_a_condition_points_to_are_shown() -> None:
    packet = xmp('plus:DataMining="DMI-PROHIBITED-SEECONSTRAINT" plus:OtherConstraints="ask the archive"')
    assert read_xmp(packet, place="test")[0].raw.endswith("(plus:OtherConstraints: ask the archive)")


def test_what_is_said_of_an_ingredient_refuses_and_never_permits() -> None:
    nested = (
        '<dcterms:hasPart><rdf:Bag><rdf:li><rdf:Description plus:DataMining="{}"/></rdf:li></rdf:Bag></dcterms:hasPart>'
    )
    assert read(xmp(elements=nested.format("DMI-ALLOWED"))) == (NOTHING, False)
    assert read(xmp(elements=nested.format("DMI-PROHIBITED-EXCEPTSEARCHENGINEINDEXING"))) == (all_three("deny"), False)


@pytest.mark.parametrize(
    "form",
    [
        '<plus:DataMining><rdf:Alt><rdf:li xml:lang="x-default">{}</rdf:li></rdf:Alt></plus:DataMining>',
        '<plus:DataMining xml:lang="en">{}</plus:DataMining>',
        "<plus:DataMining><![CDATA[{}]]></plus:DataMining>",
        "<plus:DataMining><!-- here -->{}</plus:DataMining>",
    ],
)
def test_a_value_may_have_a_language_or_be_written_as_a_section(form: str) -> None:
    for key, stance in (("DMI-PROHIBITED", "deny"), ("DMI-ALLOWED", "allow")):
        assert read(xmp(elements=form.format(VOCABULARY + key))) == (all_three(stance), False)


@pytest.mark.parametrize(
    "form",
    [
        '<plus:DataMining rdf:value="{}"/>',
        '<plus:DataMining rdf:parseType="Resource"><rdf:value>{}</rdf:value></plus:DataMining>',
        "<plus:DataMining><rdf:Description><rdf:value>{}</rdf:value></rdf:Description></plus:DataMining>",
        "<plus:DataMining><dc:title>{}</dc:title></plus:DataMining>",
    ],
)
def test_a_value_inside_of_a_structure_refuses_and_never_permits(form: str) -> None:
    assert read(xmp(elements=form.format("DMI-PROHIBITED")))[0] == all_three("deny")
    if "rdf:value=" not in form:
        assert read(xmp(elements=form.format("DMI-ALLOWED")))[0] == NOTHING


def test_text_behind_an_element_inside_of_the_value_is_read_as_well() -> None:
    mixed = "<plus:DataMining>DMI-ALLOWED<dc:title/>DMI-PROHIBITED</plus:DataMining>"
    assert read(xmp(elements=mixed)) == (all_three("deny"), False)


@pytest.mark.parametrize(
    "name",
    [
        "{http://ns.useplus.org/ldf/xmp/1.0}DataMining",
        "{https://ns.useplus.org/ldf/xmp/1.0/}DataMining",
        "{http://ns.useplus.org/ldf/xmp/2.0/}DataMining",
        "{http://NS.USEPLUS.ORG/ldf/xmp/1.0/}DataMining",
        "{http://ns.useplus.org/ldf/vocab/}DataMining",
        "{http://ns.useplus.org/ldf/xmp/1.0/}datamining",
        "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}DataMining",
    ],
)
def test_a_property_that_nearly_has_the_name_refuses_and_never_permits(name: str) -> None:
    namespace, local = name[1:].split("}")
    for key, uses in (("DMI-PROHIBITED", all_three("deny")), ("DMI-ALLOWED", NOTHING)):
        assert read(xmp(f'xmlns:n="{namespace}" n:{local}="{key}"')) == (uses, False)
        assert read(xmp(elements=f'<n:{local} xmlns:n="{namespace}">{key}</n:{local}>')) == (uses, False)


@pytest.mark.parametrize("namespace", ["http://www.w3.org/ns/tdmrep", "https://www.w3.org/ns/tdmrep#"])
@pytest.mark.parametrize("local", ["reservation", "tdm-reservation", "Reservation"])
def test_a_reservation_under_nearly_the_name_counts_our_choice(namespace: str, local: str) -> None:
    assert read(xmp(f'xmlns:n="{namespace}" n:{local}="1"')) == (all_three("deny"), False)
    assert read_reservations(xmp(f'xmlns:n="{namespace}" n:{local}="0"'), place="PDF") == [], "full force is exact"


def test_descriptions_of_the_whole_file_are_of_one_thing_iso_16684_1_7_4() -> None:
    def packet(*abouts: str, key: str = "DMI-ALLOWED") -> bytes:
        end = "</rdf:RDF>"
        head, _, tail = xmp().decode().partition(end)
        more = "".join(f'<rdf:Description rdf:about="{about}" xmlns:plus="{PLUS}" plus:DataMining="{key}"/>' for about in abouts)  # noqa: E501  # fmt: skip
        return (head + more + end + tail).encode()

    assert read(packet("")) == (all_three("allow"), False)
    assert read(packet("uuid:1")) == (NOTHING, False), "the first one names nothing"
    assert read(packet("uuid:1", key="DMI-PROHIBITED")) == (all_three("deny"), False)
    alone = packet("uuid:1").replace(b'rdf:about=""', b'rdf:about="uuid:1"')
    assert read(alone) == (all_three("allow"), False)
    typed = mining("DMI-ALLOWED").replace(b"rdf:Description", b"dc:Description")
    assert read(typed) == (NOTHING, False), "not the element that XMP has"


@pytest.mark.parametrize(
    ("value", "uses"),
    [
        (f"{VOCABULARY}DMI-PROHIBITED/", all_three("deny")),
        (f"{VOCABULARY}DMI-PROHIBITED#", all_three("deny")),
        (f"{VOCABULARY}DMI-PROHIBITED?v=1", all_three("deny")),
        ("DMI-ALLOWED, DMI-PROHIBITED", all_three("deny")),
        ("DMI-PROHIBITED-SEECONSTRAINT, DMI-PROHIBITED-AIMLTRAINING", all_three("deny")),
        ("DMI-PROHIBITED/DMI-ALLOWED", all_three("deny")),
        ("<b>DMI-PROHIBITED</b>", all_three("deny")),
        (f"{VOCABULARY}DMI-ALLOWED/", NOTHING),
        (f"{VOCABULARY}DMI-ALLOWED ", NOTHING),
        ("PROHIBITED", NOTHING),
    ],
)
def test_what_is_written_around_a_prohibition_does_not_lift_it(value: str, uses: dict[str, str]) -> None:
    escaped = value.replace("<", "&lt;")
    said_uses, is_malformed = read(xmp(f'plus:DataMining="{escaped}"'))
    assert said_uses == uses
    assert is_malformed or value == f"{VOCABULARY}DMI-PROHIBITED/" or value.endswith("#")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"])
def test_other_encodings_are_told_by_their_first_bytes(encoding: str) -> None:
    text = mining("DMI-PROHIBITED").decode().replace("\ufeff", "")
    assert read(text.encode(encoding)) == (all_three("deny"), False)
    assert read(text.encode(encoding)[:-40]) == (all_three("deny"), True), "cut off, so searched"


def test_a_declared_encoding_is_not_believed() -> None:
    packet = b"<?xml version='1.0' encoding='utf-7'?>" + mining("DMI-PROHIBITED").replace("\ufeff".encode(), b"")
    assert read(packet) == (all_three("deny"), False)


@pytest.mark.parametrize(
    "broken",
    [
        mining("DMI-PROHIBITED-AIMLTRAINING").replace(b"</rdf:RDF>", b""),
        mining("DMI-PROHIBITED-AIMLTRAINING") + b"<more/>",
        mining("DMI-PROHIBITED-AIMLTRAINING").replace(b"rdf:about", b"\xff\xfe"),
        mining("DMI-PROHIBITED-AIMLTRAINING").replace(b"rdf:about", b"\0"),
        mining("DMI-prohibited-AIMLTRAINING").lower().replace(b"</rdf:rdf>", b""),
    ],
)
def test_a_packet_that_cannot_be_parsed_is_searched_for_prohibitions(broken: bytes) -> None:
    assert read(broken) == ({"train-ai": "deny", "train-genai": "deny"}, True)
    uses = with_doubt(combine(read_xmp(broken, place="test"))).uses
    assert uses[Use.TDM] is Stance.UNKNOWN


def test_a_permission_in_a_packet_that_cannot_be_parsed_does_not_count() -> None:
    assert read(mining("DMI-ALLOWED")[:-30]) == (NOTHING, True)
    assert read(mining("DMI-PROHIBITED-EXCEPTSEARCHENGINEINDEXING")[:-30]) == (all_three("deny"), True)


def test_a_packet_that_speaks_of_other_things_says_nothing() -> None:
    assert read_xmp(xmp('dc:format="image/jpeg"'), place="test") == ()


@pytest.mark.parametrize(
    ("attributes", "uses", "is_malformed"),
    [
        ('tdm:reservation="1"', all_three("deny"), False),
        ('tdm:reservation="1" tdm:policy="https://img.example/p.json"', all_three("conditional"), False),
        ('tdm:reservation="1" tdm:policy="ask"', all_three("deny"), False),
        ('tdm:reservation="0"', NOTHING, False),
        ('tdm:policy="https://img.example/p.json"', NOTHING, False),
        ('tdm:reservation="yes"', NOTHING, True),
        ('tdm:reservation=""', NOTHING, True),
    ],
)
def test_a_tdm_reservation_in_a_picture_refuses_and_never_permits_our_choice(
    attributes: str, uses: dict[str, str], is_malformed: bool
) -> None:
    assert read(xmp(attributes)) == (uses, is_malformed)
    epub_namespace = xmp(attributes).replace(b"ns/tdmrep/", b"ns/tdmrep#")
    assert read(epub_namespace) == (uses, is_malformed)


def test_a_reservation_of_a_pdf_keeps_its_full_force() -> None:
    (one,) = read_reservations(xmp('tdm:reservation="0"'), place="PDF")
    assert (one.reserved, one.malformed) == (False, False)


LAUGHS = "".join(f'<!ENTITY l{n + 1} "{f"&l{n};" * 10}">' for n in range(9))


@pytest.mark.parametrize(
    "hostile",
    [
        f'<!DOCTYPE x [<!ENTITY l0 "lol">{LAUGHS}]><x>&l9;</x>'.encode(),
        b'<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]><x>&f;</x>',
        b'<!DOCTYPE x SYSTEM "http://img.example/x.dtd"><x/>',
        b"<x>" * 1_000_000,
        b"<x>" + b"<a/>" * 1_000_000 + b"</x>",
        b"<x " + b" ".join(b'a%d=""' % n for n in range(150_000)) + b"/>",
        b"\xff\xfe" + b"<" * 100_001,
        b"",
        b"\0" * 1000,
    ],
    ids=["laughs", "file", "dtd", "deep", "wide", "attributes", "utf-16", "empty", "zeros"],
)
def test_hostile_packets_end_in_doubt_at_once(hostile: bytes) -> None:
    started = time.process_time()
    assert read(hostile) == (NOTHING, True)
    assert read(hostile + b"ldf/vocab/DMI-PROHIBITED") == (all_three("deny"), True)
    assert time.process_time() - started < 3.0


@pytest.mark.parametrize("deep", [True, False])
def test_the_largest_packet_that_is_parsed_is_read_in_a_moment(deep: bool) -> None:
    count = TAGS_MAX // 2 - 10
    opened = "<plus:DataMining>" * count
    packet = xmp(
        elements=opened + "DMI-PROHIBITED" + "</plus:DataMining>" * count if deep else opened.replace(">", "/>")
    )
    started = time.process_time()
    assert parse_packet(packet).readable
    uses, _ = read(packet)
    assert uses == (all_three("deny") if deep else NOTHING)
    assert len(read_xmp(packet, place="test")) <= 3
    assert time.process_time() - started < 5.0


PIECES = st.sampled_from(
    [
        *("<plus:DataMining>", "</plus:DataMining>", "<rdf:li>", "</rdf:li>", 'plus:DataMining="', '"', "DMI-ALLOWED"),
        *("DMI-PROHIBITED", "-AIMLTRAINING", VOCABULARY, 'tdm:reservation="1"', 'tdm:reservation="0"', "<", ">", "&"),
        *("/>", "]]>", "<!--", "<![CDATA[", "\0", " ", "é", "&#0;", "rdf:resource=", "xmlns:a='b'"),
    ]
)


@settings(max_examples=200, deadline=None)
@given(st.lists(PIECES, max_size=12).map("".join), st.lists(PIECES, max_size=12).map("".join), st.binary(max_size=60))
def test_no_packet_makes_the_reader_raise_or_permit_in_doubt(attributes: str, elements: str, noise: bytes) -> None:
    for packet in (xmp(attributes, elements), xmp(elements=elements), noise, noise + xmp(attributes)):
        for finding in read_xmp(packet, place="test"):
            assert not (finding.malformed and Stance.ALLOW in finding.uses.values())
            assert len(finding.raw.encode("utf-8").decode()) <= 500
            assert Stance.ALLOW not in finding.uses.values() or b"DMI-" in packet
