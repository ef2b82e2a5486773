"""A whole picture file: everything that it says, from every place in it."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from signed_pictures import (
    PREFIXES,
    XMP_NAME,
    extended,
    gif,
    iim,
    itxt,
    jpeg,
    mining,
    plain,
    png,
    signed,
    tiff,
    webp,
    xmp,
)

from checker.model import Finding, Stance, Use
from checker.signals.c2pa_reader import Manifests, NotRead
from checker.signals.embedded import read_picture
from checker.signals.rights import FOR_REVIEW
from checker.signals.verdict import combine, with_doubt

LABEL = "cawg.training-mining"
THREE = ("tdm", "train-ai", "train-genai")
JUMBF = (
    b"JP\0\1\0\0\0\1" + b"\0\0\0\x40jumb\0\0\0\x1ejumdc2pa\0\x11\0\x10\x80\0\0\xaa\0\x38\x9b\x71\x03c2pa\0" + b"\0" * 30
)


def no_manifests(body: bytes, mime: str) -> Manifests:
    raise AssertionError("no process is started for a file without C2PA boxes")


def said(findings: tuple[Finding, ...], *, doubt: bool = False) -> dict[str, str]:
    verdict = combine(findings)
    uses = (with_doubt(verdict) if doubt else verdict).uses
    return {use.value: stance.value for use, stance in uses.items() if stance is not Stance.UNSPECIFIED}


def rights(body: bytes) -> dict[str, str]:
    findings = [f for f in read_picture(body, read_manifests=no_manifests) if f.signal == "rights-field"]
    assert not any(f.uses or f.malformed or f.unreachable for f in findings), "they decide nothing"
    return {finding.place: finding.raw for finding in findings}


@pytest.mark.parametrize(
    "write",
    [
        lambda packet: jpeg((1, XMP_NAME + packet)),
        lambda packet: png(itxt(packet)),
        lambda packet: png(itxt(packet, compressed=True)),
        lambda packet: webp((b"XMP ", packet)),
        gif,
        lambda packet: tiff((700, 7, packet)),
        lambda packet: packet,
    ],
    ids=["jpeg", "png", "png-compressed", "webp", "gif", "tiff", "sidecar"],
)
def test_data_mining_counts_in_every_format(write: Any) -> None:
    for key, stance in (("DMI-PROHIBITED", "deny"), ("DMI-ALLOWED", "allow"), ("DMI-PROHIBITED-SEECONSTRAINT", "conditional")):  # noqa: E501  # fmt: skip
        findings = read_picture(write(mining(key)), read_manifests=no_manifests)
        assert said(findings, doubt=True) == dict.fromkeys(THREE, stance)
        assert [f.signal for f in findings] == ["plus-data-mining"]


def test_a_picture_without_metadata_says_nothing() -> None:
    for format in ("JPEG", "PNG", "WEBP", "GIF", "TIFF"):
        assert read_picture(plain(format), read_manifests=no_manifests) == ()
    assert read_picture(b"", read_manifests=no_manifests) == ()


def test_a_prohibition_in_extended_xmp_counts_whatever_the_order_of_its_parts() -> None:
    for key, stance in (("DMI-PROHIBITED", "deny"), ("DMI-ALLOWED", "allow")):
        long = xmp(f'plus:DataMining="{key}"', f"<dc:description>{'long ' * 30_000}</dc:description>")
        digest = hashlib.md5(long, usedforsecurity=False).hexdigest().upper()
        main = (1, XMP_NAME + xmp(f'xmpNote:HasExtendedXMP="{digest}"'))
        parts = extended(long, digest.encode())
        assert said(read_picture(jpeg(main, *parts[::-1])), doubt=True) == dict.fromkeys(THREE, stance)
        unnamed = read_picture(jpeg((1, XMP_NAME + xmp()), *parts))
        assert said(unnamed) == (dict.fromkeys(THREE, "deny") if stance == "deny" else {})
        lacking = read_picture(jpeg(main, parts[0], parts[2]))
        assert said(lacking, doubt=True) == dict.fromkeys(THREE, "deny" if stance == "deny" else "unknown")


def test_metadata_that_is_cut_off_leaves_doubt() -> None:
    findings = read_picture(jpeg((1, XMP_NAME + mining("DMI-ALLOWED")))[:300], read_manifests=no_manifests)
    assert said(findings, doubt=True) == dict.fromkeys(THREE, "unknown")
    damaged = png(itxt(xmp())).replace(b"rdf:about", b"rdf:aboux")
    assert said(read_picture(damaged), doubt=True) == dict.fromkeys(THREE, "unknown")


def test_two_packets_of_one_file_combine() -> None:
    body = png(itxt(mining("DMI-ALLOWED")), itxt(mining("DMI-PROHIBITED-GENAIMLTRAINING")))
    assert said(read_picture(body)) == {"tdm": "allow", "train-ai": "allow", "train-genai": "deny"}


def test_a_permission_found_by_looking_through_an_unknown_format_does_not_count() -> None:
    core = mining("DMI-ALLOWED").partition(b"?>")[2].partition(b"<?")[0]
    assert said(read_picture(b"unknown" + core)) == {}
    assert said(read_picture(b"unknown" + core.replace(b"ALLOWED", b"PROHIBITED"))) == dict.fromkeys(THREE, "deny")


def test_the_rights_fields_of_xmp_are_shown_and_decide_nothing() -> None:
    packet = xmp(
        'xmpRights:WebStatement="https://img.example/rights" xmpRights:Marked="True" photoshop:Credit="A/B" '
        'photoshop:Source="B" photoshop:Instructions="one use" plus:OtherConstraints="no crops" '
        'Iptc4xmpExt:DigitalSourceType="http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"',
        "<dc:creator><rdf:Seq><rdf:li>A. Name</rdf:li><rdf:li>B. Name</rdf:li></rdf:Seq></dc:creator>"
        '<dc:rights><rdf:Alt><rdf:li xml:lang="x-default">© A. Name</rdf:li></rdf:Alt></dc:rights>'
        '<xmpRights:UsageTerms><rdf:Alt><rdf:li xml:lang="en">by licence</rdf:li></rdf:Alt></xmpRights:UsageTerms>'
        '<plus:Licensor><rdf:Seq><rdf:li plus:LicensorName="Archive" plus:LicensorURL="https://a.example/"/></rdf:Seq>'
        "</plus:Licensor>"
        '<plus:CopyrightOwner><rdf:Seq><rdf:li rdf:parseType="Resource"><plus:CopyrightOwnerName>A'
        "</plus:CopyrightOwnerName></rdf:li></rdf:Seq></plus:CopyrightOwner>"
        "<plus:ImageSupplier><rdf:Seq><rdf:li><rdf:Description><plus:ImageSupplierName>S</plus:ImageSupplierName>"
        "</rdf:Description></rdf:li></rdf:Seq></plus:ImageSupplier>",
    )
    place = "JPEG APP1 XMP "
    source = "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"
    assert rights(jpeg((1, XMP_NAME + packet))) == {
        place + "dc:rights": "copyright notice: © A. Name",
        place + "dc:creator": "creator: A. Name; B. Name",
        place + "photoshop:Credit": "credit line: A/B",
        place + "photoshop:Source": "source: B",
        place + "photoshop:Instructions": "instructions: one use",
        place + "xmpRights:WebStatement": "web statement of rights: https://img.example/rights",
        place + "xmpRights:UsageTerms": "rights usage terms: by licence",
        place + "xmpRights:Marked": "marked as copyrighted: True",
        place + "plus:Licensor": "licensor: Archive; https://a.example/",
        place + "plus:CopyrightOwner": "copyright owner: A",
        place + "plus:ImageSupplier": "image supplier: S",
        place + "plus:OtherConstraints": "other constraints: no crops",
        place + "Iptc4xmpExt:DigitalSourceType": f"digital source type: {source}",
    }


def test_the_rights_fields_of_iim_and_exif_are_shown() -> None:
    datasets = iim(
        (80, b"A. Name"), (110, b"A/B"), (115, b"B"), (116, "© A".encode("latin-1")), (40, b"one use"), (5, b"x")
    )
    assert rights(jpeg((13, datasets))) == {
        "JPEG APP13 IIM 2:40": "instructions: one use",
        "JPEG APP13 IIM 2:80": "creator: A. Name",
        "JPEG APP13 IIM 2:110": "credit line: A/B",
        "JPEG APP13 IIM 2:115": "source: B",
        "JPEG APP13 IIM 2:116": "copyright notice: © A",
    }
    exif = tiff((0x8298, 2, b"Photographer\0Editor\0"), (0x013B, 2, b"A. Name\0"))
    expected = {"0x8298": "copyright notice: Photographer; Editor", "0x013B": "creator: A. Name"}
    for body, place in (
        (jpeg((1, b"Exif\0\0" + exif)), "JPEG APP1 Exif"),
        (png((b"eXIf", exif)), "PNG eXIf Exif"),
        (webp((b"EXIF", exif)), "WebP Exif chunk"),
        (webp((b"EXIF", b"Exif\0\0" + exif)), "WebP Exif chunk"),
        (exif, "TIFF"),
    ):
        assert rights(body) == {f"{place} {tag}": raw for tag, raw in expected.items()}


def test_exif_text_in_latin_1_is_shown_as_it_was_meant() -> None:
    body = jpeg((1, b"Exif\0\0" + tiff((0x8298, 2, "© Müller\0".encode("latin-1")))))
    assert rights(body) == {"JPEG APP1 Exif 0x8298": "copyright notice: © Müller"}


@pytest.mark.parametrize("namespace", ["http://creativecommons.org/ns#", "http://web.resource.org/cc/"])
def test_a_creative_commons_licence_is_evidence_and_decides_nothing(namespace: str) -> None:
    uri = "https://creativecommons.org/licenses/by/4.0/"
    body = jpeg((1, XMP_NAME + xmp(elements=f'<cc:license xmlns:cc="{namespace}" rdf:resource="{uri}"/>')))
    assert rights(body) == {"JPEG APP1 XMP cc:license": f"licence: {uri}"}
    assert said(read_picture(body, read_manifests=no_manifests), doubt=True) == {}


@pytest.mark.parametrize(
    ("words", "flagged"),
    [
        ("© A, no AI training", True),
        ("Not for machine learning", True),
        ("Text and data mining reserved", True),
        ("Keine Nutzung für KI", True),
        ("do not scrape", True),
        ("© A. Trainor, all rights reserved", False),
        ("j'ai tous les droits", False),
        ("London train station", True),  # a person sees at once what it is about
    ],
)
def test_words_about_machine_use_are_marked_for_a_person_and_decide_nothing(words: str, flagged: bool) -> None:
    body = jpeg((1, XMP_NAME + xmp(elements=f"<dc:rights>{words}</dc:rights>")), (13, iim((40, words.encode()))))
    shown = rights(body)
    assert len(shown) == 2
    assert all(raw.startswith(FOR_REVIEW) is flagged and words in raw for raw in shown.values())
    assert said(read_picture(body), doubt=True) == {}


def test_broken_iim_and_exif_leave_no_doubt_because_they_have_no_data_mining() -> None:
    body = jpeg((1, b"Exif\0\0II*\0\xff\xff\xff\xff"), (13, iim((116, b"somebody"))[:-5]))
    assert said(read_picture(body, read_manifests=no_manifests), doubt=True) == {}


def test_a_signed_refusal_is_read() -> None:
    body = signed(plain("PNG"), "image/png", (LABEL, {"entries": {"cawg.ai_training": {"use": "notAllowed"}}}))
    findings = read_picture(body)
    assert said(findings, doubt=True) == {"train-ai": "deny", "train-genai": "deny"}
    assert [f.place for f in findings] == ["PNG caBX C2PA cawg.training-mining"]


def test_a_tampered_file_keeps_the_refusal_of_its_manifest() -> None:
    entries = {"cawg.ai_training": {"use": "notAllowed"}, "cawg.data_mining": {"use": "allowed"}}
    body = bytearray(signed(plain("JPEG"), "image/jpeg", (LABEL, {"entries": entries})))
    assert said(read_picture(bytes(body)))["tdm"] == "allow"
    body[-5] ^= 1
    assert said(read_picture(bytes(body))) == {"train-ai": "deny", "train-genai": "deny"}


def test_a_manifest_and_data_mining_combine() -> None:
    body = jpeg((1, XMP_NAME + mining("DMI-ALLOWED")))
    manifest = {"entries": {"cawg.ai_generative_training": {"use": "constrained", "constraint_info": "ask"}}}
    findings = read_picture(signed(body, "image/jpeg", (LABEL, manifest)))
    assert said(findings, doubt=True) == {"tdm": "allow", "train-ai": "allow", "train-genai": "conditional"}


@pytest.mark.parametrize(
    ("found", "unreachable"),
    [(NotRead("it crashed", malformed=True), False), (NotRead("not installed", malformed=False), True), (None, False)],
)
def test_a_manifest_that_is_there_and_cannot_be_read_is_never_silence(found: Manifests, unreachable: bool) -> None:
    (finding,) = read_picture(jpeg((11, JUMBF)), read_manifests=lambda body, mime: found)
    assert (finding.signal, finding.unreachable, finding.malformed) == ("c2pa", unreachable, not unreachable)
    assert said((finding,), doubt=True) == dict.fromkeys(THREE, "unknown")


def test_a_damaged_manifest_leaves_doubt() -> None:
    body = signed(plain("JPEG"), "image/jpeg", (LABEL, {"entries": {"cawg.data_mining": {"use": "allowed"}}}))
    for there, instead in ((b"jumdc2cl", b"jumdxxxx"), (b"jumdc2pa", b"jumdxxxx"), (b"jumdc2ma", b"jumdxxxx")):
        assert body.count(there) == 1
        findings = read_picture(body.replace(there, instead))
        assert said(findings, doubt=True) == dict.fromkeys(THREE, "unknown")
    for size in (700, 1500, len(body) - 400):
        assert said(read_picture(body[:size]), doubt=True) == dict.fromkeys(THREE, "unknown")


def test_other_jumbf_is_noted_without_doubt() -> None:
    body = jpeg((11, JUMBF.replace(b"c2pa", b"else")))
    (finding,) = read_picture(body, read_manifests=lambda body, mime: None)
    assert (finding.malformed, finding.unreachable, dict(finding.uses)) == (False, False, {})


def test_a_manifest_that_is_kept_elsewhere_is_not_fetched_and_leaves_doubt() -> None:
    remote = jpeg((1, XMP_NAME + xmp('dcterms:provenance="https://img.example/m.c2pa"')))
    (finding,) = read_picture(remote, read_manifests=no_manifests)
    assert finding.unreachable
    assert said((finding,), doubt=True) == dict.fromkeys(THREE, "unknown")
    inside = jpeg((1, XMP_NAME + xmp('dcterms:provenance="self#jumbf=/c2pa/x"')))
    assert read_picture(inside, read_manifests=no_manifests) == ()


def test_a_reservation_counts_in_a_picture_and_its_absence_is_shown() -> None:
    reserved = read_picture(png(itxt(xmp('tdm:reservation="1"'))))
    assert (said(reserved), [f.signal for f in reserved]) == (dict.fromkeys(THREE, "deny"), ["tdmrep"])
    free = read_picture(png(itxt(xmp('tdm:reservation="0"'))))
    assert (said(free, doubt=True), [f.signal for f in free]) == ({}, ["tdmrep"])


@lru_cache(maxsize=1)
def real_files() -> tuple[bytes, ...]:
    packet = xmp('plus:DataMining="DMI-ALLOWED" tdm:reservation="1"', "<dc:rights>no AI</dc:rights>")
    assert PREFIXES.encode() in packet
    return (
        jpeg((1, XMP_NAME + packet), *extended(packet, b"A" * 32, 100), (13, iim((116, b"c")))),
        png(itxt(packet, compressed=True), (b"eXIf", tiff((0x8298, 2, b"somebody\0")))),
        webp((b"XMP ", packet)),
        gif(packet),
        tiff((700, 7, packet), (0x013B, 2, b"somebody\0")),
        signed(plain("JPEG"), "image/jpeg", (LABEL, {"entries": {"cawg.data_mining": {"use": "allowed"}}})),
    )


def not_asked(body: bytes, mime: str) -> Manifests:
    return NotRead("not asked", malformed=True)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 5), st.data())
def test_no_change_to_a_real_file_makes_the_reader_raise_or_permit_in_doubt(which: int, data: st.DataObject) -> None:
    changed = bytearray(real_files()[which])
    for _ in range(data.draw(st.integers(1, 6))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    findings = read_picture(bytes(changed[: data.draw(st.integers(0, len(changed)))]), read_manifests=not_asked)
    for finding in findings:
        assert not ((finding.malformed or finding.unreachable) and Stance.ALLOW in finding.uses.values())
        assert len(finding.raw.encode().decode()) <= 500
        finding.place.encode()


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_no_change_to_a_signed_file_makes_the_reader_raise_or_adds_a_permission(data: st.DataObject) -> None:
    body = bytearray(real_files()[5])
    body[data.draw(st.integers(0, len(body) - 1))] ^= data.draw(st.integers(1, 255))
    uses = with_doubt(combine(read_picture(bytes(body)))).uses
    assert uses[Use.TRAIN_AI] is not Stance.ALLOW
    assert uses[Use.TRAIN_GENAI] is not Stance.ALLOW


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300))
def test_no_bytes_make_the_reader_raise(body: bytes) -> None:
    read_picture(body, read_manifests=not_asked)


def test_a_licence_in_a_packet_refuses_and_permits_nothing() -> None:
    """RSL 1.0 4.8: a licence may stand in the metadata of a file. Anybody can put one into a copy."""
    for element, stance in (("prohibits", Stance.DENY), ("permits", Stance.UNSPECIFIED)):
        licence = (
            f'<rsl xmlns="https://rslstandard.org/rsl"><content url="/"><license><{element} type="usage">ai-train'
            f"</{element}></license></content></rsl>"
        )
        packet = (
            '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
            f'<rdf:Description rdf:about="">{licence}</rdf:Description></rdf:RDF></x:xmpmeta>'
        )
        uses = combine(read_picture(packet.encode())).uses
        assert uses[Use.TRAIN_AI] is stance
