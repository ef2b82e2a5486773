"""Receipts: the worked example of docs/feed.md, every changed byte, and every named part."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from second_opinion import second_opinion

from checker.errors import VerificationError
from checker.model import Use
from checker.optout.entry import parse_opening
from checker.optout.note import SigningKey, parse_signing_key
from checker.optout.receipt import read_receipt, verify_receipt

FEED_MD = Path(__file__).resolve().parents[2] / "docs" / "feed.md"


def example(name: str) -> str:
    """A block of the worked example, by the name after its language."""
    found = re.search(rf"^```\w+ {name}\n(.*?)^```$", FEED_MD.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert found, name
    return found[1]


RECEIPT = example("receipt").encode()
KEYS = example("keys").split()


def test_the_worked_example_can_be_computed_by_hand() -> None:
    """With hashlib, base64 and cryptography alone, as the page describes it."""
    entries = [example(f"entry-{index}").removesuffix("\n").encode() for index in (0, 1)]
    salts = [bytes(range(32)), bytes(range(32, 64))]
    tag = b"haveibeenscraped/log-entry/v1\n"
    leaves = [hashlib.sha256(tag + salt + entry).digest() for salt, entry in zip(salts, entries, strict=True)]
    assert [leaf.hex() for leaf in leaves] == example("leaves").split()

    hashed = [hashlib.sha256(b"\0" + leaf).digest() for leaf in leaves]
    root = hashlib.sha256(b"\1" + hashed[0] + hashed[1]).digest()
    private = Ed25519PrivateKey.from_private_bytes(bytes(range(0x40, 0x60)))
    public = private.public_key().public_bytes_raw()
    name = "log.example/opt-outs"
    key_id = hashlib.sha256(name.encode() + b"\n\x01" + public).digest()[:4]
    secret_text, public_text = (
        base64.b64encode(b"\x01" + part).decode() for part in (bytes(range(0x40, 0x60)), public)
    )
    assert f"PRIVATE+KEY+{name}+{key_id.hex()}+{secret_text}" == KEYS[0]
    assert f"{name}+{key_id.hex()}+{public_text}" == KEYS[1]
    text = f"{name}\n2\n{base64.b64encode(root).decode()}\ntime 2026-11-22T14:09:00Z\n"
    signature = base64.b64encode(key_id + private.sign(text.encode())).decode()
    assert example("checkpoint") == f"{text}\n\u2014 {name} {signature}\n"
    assert second_opinion("note").verify_note(
        second_opinion("note").parse_note(example("checkpoint")), [second_opinion("note").parse_vkey(KEYS[1])]
    )

    receipt = json.loads(RECEIPT)
    assert receipt["proof"] == [hashed[1].hex()]
    assert receipt["checkpoint"] == example("checkpoint")
    assert base64.urlsafe_b64decode(receipt["entry"] + "==") == entries[0]
    assert [parse_opening(line.encode()).entry for line in example("openings").splitlines()] == entries


def test_the_worked_example_verifies() -> None:
    held = verify_receipt(RECEIPT, key=KEYS[1])
    assert (held.receipt.number, held.receipt.index, held.checkpoint.size) == ("4F7K-20M9", 0, 2)
    assert held.opt_out.uses == (Use.TRAIN_AI, Use.TRAIN_GENAI)
    assert held.opt_out.pictures[0][0].hex == "bb2483cc209e37f24cf10fc336bc37cf32c29b277241330e60ce9936333c773c"


def changed(**members: Any) -> bytes:
    """The example with other members, spelled as receipts are."""
    return (json.dumps({**json.loads(RECEIPT), **members}, indent=2) + "\n").encode()


def other_entry(old: str, new: str) -> str:
    entry = base64.urlsafe_b64decode(json.loads(RECEIPT)["entry"] + "==").replace(old.encode(), new.encode())
    return base64.urlsafe_b64encode(entry).rstrip(b"=").decode()


def signed(key: SigningKey, **lines: str) -> str:
    text = {"origin": key.name, "size": "2", "root": example("checkpoint").split("\n")[2]} | lines
    return key.sign("\n".join([*text.values(), "time 2026-11-22T14:09:00Z", ""])).decode()


LOG = parse_signing_key(KEYS[0])
STRANGER = SigningKey(name="log.example/other", seed=bytes(32))


PARTS = {
    *("format", "key", "checkpoint-format", "checkpoint-signature", "origin", "tree-size"),
    *("entry", "number", "leaf", "inclusion-proof"),
}
"""As docs/feed.md section 6 names them."""


def test_every_changed_byte_of_a_receipt_is_found_and_its_part_named() -> None:
    named = set()
    for at in range(len(RECEIPT)):
        for changed in {RECEIPT[at] ^ 1, RECEIPT[at] ^ 0x20, RECEIPT[at] ^ 0x80, 0x20, 0x30} - {RECEIPT[at]}:
            with pytest.raises(VerificationError) as refused:
                verify_receipt(RECEIPT[:at] + bytes([changed]) + RECEIPT[at + 1 :])
            assert refused.value.exit_code == 4
            named.add(refused.value.part)
    assert named == PARTS


MEMBERS = json.loads(RECEIPT)


@pytest.mark.parametrize("member", MEMBERS)
def test_every_member_is_missed_doubled_and_emptied(member: str) -> None:
    without = {name: value for name, value in MEMBERS.items() if name != member}
    for document in (without, MEMBERS | {member: None}, MEMBERS | {member: []}, MEMBERS | {member: ""}):
        with pytest.raises(VerificationError) as refused:
            verify_receipt((json.dumps(document, indent=2) + "\n").encode())
        assert refused.value.part in PARTS


@pytest.mark.parametrize(
    ("member", "part"),
    [
        ("v", "format"),
        ("origin", "origin"),
        ("key", "checkpoint-signature"),
        ("number", "number"),
        ("entry", "number"),
        ("salt", "leaf"),
        ("leaf", "leaf"),
        ("index", "inclusion-proof"),
        ("tree_size", "tree-size"),
        ("proof", "inclusion-proof"),
        ("checkpoint", "checkpoint-signature"),
    ],
)
def test_a_member_of_another_receipt_is_found(member: str, part: str) -> None:
    """Each of them well-formed by itself, as of a receipt of another log."""
    other = MEMBERS | {
        "v": 2,
        "origin": STRANGER.name,
        "key": STRANGER.verifier.text,
        "number": "0000-0000",
        "entry": other_entry("4F7K-20M9", "0000-0000"),
        "salt": "_" * 42 + "8",
        "leaf": "11" * 32,
        "index": 1,
        "tree_size": 4,
        "proof": ["22" * 32],
        "checkpoint": signed(STRANGER),
    }
    with pytest.raises(VerificationError) as refused:
        verify_receipt(changed(**{member: other[member]}))
    assert refused.value.part == part


def test_a_missing_and_an_added_byte_are_found() -> None:
    for at in range(len(RECEIPT)):
        for changed in (RECEIPT[:at] + RECEIPT[at + 1 :], RECEIPT[:at] + b" " + RECEIPT[at:]):
            with pytest.raises(VerificationError):
                verify_receipt(changed)


@pytest.mark.parametrize(
    ("part", "data"),
    [
        ("format", b"{}"),
        ("format", b"[]"),
        ("format", b"\xff"),
        ("format", b"[" * 100_000),
        ("format", RECEIPT + b"\n"),
        ("format", json.dumps(json.loads(RECEIPT)).encode()),
        ("format", RECEIPT.replace(b'"v": 1,', b'"v": 1,\n  "v": 1,')),
        ("format", changed(v=2)),
        ("format", changed(v=True)),
        ("format", changed(more=1)),
        ("format", changed(index=-1)),
        ("format", changed(index="0")),
        ("format", changed(tree_size=2.0)),
        ("format", changed(proof="")),
        ("format", changed(proof=["00"])),
        ("format", changed(proof=["00" * 32] * 65)),
        ("format", changed(leaf="AA" * 32)),
        ("format", changed(salt="AA")),
        ("format", changed(number=7)),
        ("key", changed(key="none")),
        ("checkpoint-format", changed(checkpoint="none")),
        ("checkpoint-signature", changed(checkpoint=signed(STRANGER))),
        ("origin", changed(origin="log.example/other")),
        ("origin", changed(checkpoint=signed(LOG, origin="log.example/other"))),
        ("tree-size", changed(tree_size=3)),
        ("entry", changed(entry=other_entry('"v":1', '"v":2'))),
        ("entry", changed(entry="eyJwYXlsb2FkIjp7ImluZGV4IjowfSwidHlwZSI6IndpdGhkcmF3IiwidiI6MX0")),
        ("number", changed(number="4F7K-20M8")),
        ("leaf", changed(entry=other_entry('["train-ai",', '["search","train-ai",'))),
        ("leaf", changed(salt="AQECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8")),
        ("leaf", changed(leaf="00" * 32)),
        ("inclusion-proof", changed(index=1)),
        ("inclusion-proof", changed(proof=[])),
        ("inclusion-proof", changed(proof=["00" * 32])),
    ],
)
def test_what_does_not_hold_is_named(part: str, data: bytes) -> None:
    with pytest.raises(VerificationError) as refused:
        verify_receipt(data)
    assert refused.value.part == part
    assert refused.value.exit_code == 4


def test_another_log_with_its_own_key_is_told_apart_only_by_the_key() -> None:
    forged = SigningKey(name=LOG.name, seed=bytes(32))
    receipt = changed(key=forged.verifier.text, checkpoint=signed(forged))
    assert verify_receipt(receipt).receipt.key == forged.verifier.text
    with pytest.raises(VerificationError) as refused:
        verify_receipt(receipt, key=KEYS[1])
    assert refused.value.part == "key"


def test_an_expected_key_that_is_none_is_refused() -> None:
    with pytest.raises(VerificationError) as refused:
        verify_receipt(RECEIPT, key="not a key")
    assert refused.value.part == "key"


@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_no_bytes_make_the_reader_fail_otherwise(data: bytes) -> None:
    with pytest.raises(VerificationError):
        read_receipt(data)


def test_a_second_signature_is_refused_since_its_bytes_would_not_count() -> None:
    document = json.loads(RECEIPT)
    document["checkpoint"] += "\u2014 somebody.else AAAAAAAA\n"
    data = (json.dumps(document, indent=2) + "\n").encode()
    with pytest.raises(VerificationError) as refused:
        verify_receipt(data)
    assert refused.value.part == "checkpoint-format"


def test_a_lone_surrogate_is_no_text() -> None:
    document = json.loads(RECEIPT)
    document["checkpoint"] += "\ud800"
    with pytest.raises(VerificationError) as refused:
        verify_receipt((json.dumps(document, indent=2) + "\n").encode())
    assert refused.value.part == "format"


def test_the_expected_key_may_be_any_that_the_log_ever_had() -> None:
    assert verify_receipt(RECEIPT, key=(STRANGER.verifier.text, KEYS[1])).receipt.key == KEYS[1]
    with pytest.raises(VerificationError) as refused:
        verify_receipt(RECEIPT, key=(STRANGER.verifier.text,))
    assert refused.value.part == "key"
