"""Signed notes, checkpoints and keys: C2SP's own examples, and a second implementation."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from second_opinion import second_opinion

from checker.errors import VerificationError
from checker.optout.note import (
    Checkpoint,
    SigningKey,
    VerifierKey,
    checkpoint_at,
    open_checkpoint,
    open_note,
    parse_checkpoint,
    parse_signing_key,
    parse_verifier_key,
)

# C2SP signed-note, "Example".
EXAMPLE_KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
EXAMPLE_NOTE = """This is an example message.

\u2014 example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=
"""
KEY = SigningKey(name="log.example/opt-outs", seed=bytes(range(64, 96)))
ROOT = hashlib.sha256(b"root").digest()
NOTE = KEY.sign(checkpoint_at(KEY.name, 7, ROOT, datetime(2026, 11, 22, 14, 9, 59, tzinfo=UTC)).text)


def test_the_example_of_the_specification_verifies() -> None:
    key = parse_verifier_key(EXAMPLE_KEY)
    assert (key.name, key.id.hex(), key.text) == ("example.com/foo", "530d903a", EXAMPLE_KEY)
    assert open_note(EXAMPLE_NOTE.encode(), [key]) == "This is an example message.\n"


def test_a_checkpoint_reads_as_written_out_here() -> None:
    made = checkpoint_at(KEY.name, 7, ROOT, datetime(2026, 11, 22, 14, 9, 59, 999999, tzinfo=UTC))
    root = base64.b64encode(ROOT).decode()
    assert made.text == f"log.example/opt-outs\n7\n{root}\ntime 2026-11-22T14:09:00Z\n"
    assert open_checkpoint(NOTE, [KEY.verifier]) == made == parse_checkpoint(made.text)


def test_another_implementation_verifies_our_checkpoint_and_key() -> None:
    vkey = second_opinion("note").parse_vkey(KEY.verifier.text)
    note = second_opinion("note").parse_note(NOTE)
    assert second_opinion("note").verify_note(note, [vkey])
    read = second_opinion("checkpoint").parse_checkpoint(note.text)
    assert (read.origin, read.size, read.root) == ("log.example/opt-outs", 7, ROOT)
    assert read.extension_lines == ("time 2026-11-22T14:09:00Z",)


def test_every_changed_byte_is_found() -> None:
    for at in range(len(NOTE)):
        for changed in (NOTE[at] ^ 1, NOTE[at] ^ 0x80):
            with pytest.raises(VerificationError):
                open_checkpoint(NOTE[:at] + bytes([changed]) + NOTE[at + 1 :], [KEY.verifier])


def test_the_part_says_whether_form_or_signature_failed() -> None:
    with pytest.raises(VerificationError) as changed:
        open_checkpoint(NOTE.replace(b"\n7\n", b"\n8\n"), [KEY.verifier])
    assert changed.value.part == "checkpoint-signature"
    with pytest.raises(VerificationError) as cut:
        open_checkpoint(NOTE[:-1], [KEY.verifier])
    assert cut.value.part == "checkpoint-format"
    with pytest.raises(VerificationError) as other:
        open_checkpoint(KEY.sign("only a line\n"), [KEY.verifier])
    assert other.value.part == "checkpoint-format"


# C2SP signed-note, "Signatures": "Verifiers MUST ignore signatures from unknown keys".
def test_signatures_of_unknown_keys_are_passed_over() -> None:
    stranger = SigningKey(name="witness.example", seed=bytes(32))
    text = open_note(NOTE, [KEY.verifier])
    line = stranger.sign(text).partition(b"\n\n")[2]
    assert open_checkpoint(NOTE + line, [KEY.verifier]).size == 7
    with pytest.raises(VerificationError):
        open_checkpoint(stranger.sign(text), [KEY.verifier])


# "If a signature from a known key fails to verify, clients SHOULD reject the whole note."
def test_a_broken_signature_of_a_known_key_spoils_the_note() -> None:
    text = open_note(NOTE, [KEY.verifier])
    broken = KEY.sign(text.replace("7", "8")).partition(b"\n\n")[2]
    with pytest.raises(VerificationError):
        open_checkpoint(NOTE + broken, [KEY.verifier])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("\n7\n", "\n07\n"),
        ("\n7\n", "\n-7\n"),
        ("14:09:00Z", "14:09:01Z"),
        ("14:09:00Z", "14:61:00Z"),
        ("time ", "Time "),
        ("time 2026-11-22T14:09:00Z\n", ""),
        ("time 2026-11-22T14:09:00Z\n", "time 2026-11-22T14:09:00Z\nmore\n"),
        ("log.example/opt-outs", "log example"),
    ],
)
def test_a_checkpoint_of_another_form_is_refused_although_signed(old: str, new: str) -> None:
    text = open_note(NOTE, [KEY.verifier])
    with pytest.raises(VerificationError) as refused:
        open_checkpoint(KEY.sign(text.replace(old, new)), [KEY.verifier])
    assert refused.value.part == "checkpoint-format"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "name",
        "na me+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        EXAMPLE_KEY.replace("530d903a", "530D903A"),
        EXAMPLE_KEY.replace("530d903a", "530d903b"),
        EXAMPLE_KEY.replace("foo", "fop"),
        EXAMPLE_KEY.replace("+Aeky", "+Beky"),
        EXAMPLE_KEY.replace("+Aeky", "+Auky"),
        EXAMPLE_KEY + "=",
        EXAMPLE_KEY + "\n",
    ],
)
def test_a_text_that_is_no_verifier_key_is_refused(text: str) -> None:
    with pytest.raises(VerificationError) as refused:
        parse_verifier_key(text)
    assert refused.value.part == "key"


def test_the_signing_key_has_the_form_of_go_and_is_read_back() -> None:
    assert KEY.text == ("PRIVATE+KEY+log.example/opt-outs+9dcd1c9f+AUBBQkNERUZHSElKS0xNTk9QUVJTVFVWV1hZWltcXV5f")
    assert parse_signing_key(KEY.text) == KEY
    for text in (KEY.verifier.text, KEY.text[:-4], KEY.text.replace("9dcd", "9dce"), "x" + KEY.text):
        with pytest.raises(ValueError):
            parse_signing_key(text)


def test_a_signing_key_does_not_show_its_seed() -> None:
    assert repr(KEY) == "SigningKey(log.example/opt-outs)"


@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_no_bytes_make_the_reader_fail_otherwise(data: bytes) -> None:
    with pytest.raises(VerificationError):
        open_checkpoint(data, [KEY.verifier])


@given(st.integers(0, 2**53), st.binary(min_size=32, max_size=32), st.datetimes(timezones=st.just(UTC)))
def test_checkpoints_are_read_back(size: int, root: bytes, now: datetime) -> None:
    if now.year < 1000:  # RFC 3339 years have four digits; strftime would not pad them
        return
    made = checkpoint_at(KEY.name, size, root, now)
    assert parse_checkpoint(made.text) == made
    assert isinstance(made, Checkpoint)


def test_an_id_is_no_proof() -> None:
    other = VerifierKey(name=KEY.name, public=bytes(32))
    with pytest.raises(VerificationError):
        open_checkpoint(NOTE, [other])
