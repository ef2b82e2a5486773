"""The fast reader of openings and the strict one: whatever the fast one takes, the strict one takes too, and alike."""

from __future__ import annotations

import json

import pytest
from feed_simulator import code
from hypothesis import given
from hypothesis import strategies as st

from checker.errors import VerificationError
from checker.model import CodeKind, Fingerprint, Use
from checker.optout.canonical import base64url
from checker.optout.common_lines import common_entry, common_line, read_line
from checker.optout.entry import (
    USES,
    EntryType,
    Evidence,
    Opening,
    OptOut,
    Reference,
    parse_entry,
    parse_opening,
    write_entry,
    write_opening,
)

ROBUST = Fingerprint(CodeKind("sscd512", "1-0a1b2c3d4e5f", 512), bytes(range(64)))
OTHER = Fingerprint(CodeKind("aaa64", "2", 64), bytes(8))
SALT = bytes(range(32))

numbers = st.text("0123456789ABCDEFGHJKMNPQRSTVWXYZ", min_size=8, max_size=8).map(lambda s: f"{s[:4]}-{s[4:]}")
uses = st.sets(st.sampled_from(USES), min_size=1).map(lambda found: tuple(sorted(found, key=str)))
phashes = st.binary(min_size=32, max_size=32).map(lambda bits: Fingerprint(code(0).kind, bits))
pictures = st.one_of(
    phashes.map(lambda one: ((one,),)),
    phashes.map(lambda one: ((one, ROBUST),)),
    phashes.map(lambda one: ((OTHER, one),)),
    st.just(((ROBUST,),)),
    st.just(((code(1),), (code(2),))),
)
opt_outs = st.builds(OptOut, number=numbers, evidence=st.sampled_from(Evidence), pictures=pictures, uses=uses)
references = st.builds(
    Reference,
    type=st.sampled_from((EntryType.WITHDRAW, EntryType.DISPUTE, EntryType.ERASE)),
    index=st.integers(0, 2**53 - 1),
)
lines = st.builds(
    lambda entry, index, salt: write_opening(Opening(index, write_entry(entry), salt)),
    opt_outs | references,
    st.integers(0, 2**53 - 1),
    st.binary(min_size=32, max_size=32),
)


@given(lines)
def test_both_readers_give_the_same_of_every_opening(line: bytes) -> None:
    strict, read = parse_opening(line), read_line(line)
    assert (read.index, read.leaf, read.entry_bytes) == (strict.index, strict.leaf, strict.entry)
    assert read.entry() == parse_entry(strict.entry)
    assert read_line(line.removesuffix(b"\n")) == read


@given(numbers, st.sampled_from(Evidence), uses, phashes, st.sampled_from([(), (ROBUST,)]), st.integers(0, 10**15 - 1))
def test_the_form_that_this_version_writes_is_read_fast(
    number: str,
    evidence: Evidence,
    chosen: tuple[Use, ...],
    one: Fingerprint,
    more: tuple[Fingerprint, ...],
    index: int,
) -> None:
    entry = OptOut(number, evidence, ((one, *more),), chosen)
    found = common_line(write_opening(Opening(index, write_entry(entry), SALT)))
    assert found is not None
    assert found.common is not None
    assert (found.index, found.entry()) == (index, entry)


@st.composite
def changed(draw: st.DrawFn, texts: st.SearchStrategy[bytes]) -> bytes:
    """A text in which a few bytes were replaced, doubled or taken out."""
    data = bytearray(draw(texts))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(data) - 1))
        data[at : at + draw(st.integers(0, 2))] = draw(
            st.sampled_from(b'",:[]{}- \n\r0AZaz=+/_\\\x00\x7f\xff')
        ).to_bytes()
    return bytes(data)


def _strict_line(line: bytes) -> Opening | None:
    try:
        return parse_opening(line)
    except VerificationError:
        return None


def _strict_entry(data: bytes) -> object:
    try:
        return parse_entry(data)
    except VerificationError:
        return None


@given(changed(lines))
def test_of_a_changed_line_the_fast_reader_takes_nothing_that_the_strict_one_refuses(line: bytes) -> None:
    strict, found = _strict_line(line), common_line(line)
    assert found is None or (strict is not None and (found.index, found.leaf) == (strict.index, strict.leaf))


@given(changed(opt_outs.map(write_entry)))
def test_of_a_changed_entry_the_fast_reader_takes_nothing_that_the_strict_one_refuses(data: bytes) -> None:
    found = common_entry(data)
    assert found is None or found == _strict_entry(data)


@given(st.binary(max_size=200))
def test_the_fast_reader_survives_anything(data: bytes) -> None:
    assert common_line(data) is None
    assert common_entry(data) is None


ENTRY = write_entry(OptOut("4F7K-20M9", Evidence.PICTURE, ((code(1), ROBUST),), (Use.TDM, Use.TRAIN_AI)))
LINE = write_opening(Opening(7, ENTRY, SALT))
RESPELLED_ENTRIES = {
    "a space": ENTRY.replace(b'"v":1', b'"v": 1'),
    "another order": b'{"type":"opt-out",' + ENTRY[1:].replace(b',"type":"opt-out"', b""),
    "a member twice": ENTRY.replace(b'"v":1', b'"v":1,"v":1'),
    "an escaped letter": ENTRY.replace(b'"opt-out"', b'"\\u006fpt-out"'),
    "another version": ENTRY.replace(b'"v":1', b'"v":2'),
    "a fraction": ENTRY.replace(b'"v":1', b'"v":1.0'),
    "uses not sorted": ENTRY.replace(b'"tdm","train-ai"', b'"train-ai","tdm"'),
    "a use twice": ENTRY.replace(b'"tdm","train-ai"', b'"tdm","tdm"'),
    "no use": ENTRY.replace(b'"tdm","train-ai"', b""),
    "the use all": ENTRY.replace(b'"tdm","train-ai"', b'"all"'),
    "hex in capitals": ENTRY.replace(b"3e3f", b"3E3F"),
    "a code cut short": ENTRY.replace(b'3e3f"', b'3e3"'),
    "codes in another order": write_entry(
        OptOut("4F7K-20M9", Evidence.PICTURE, ((OTHER, ROBUST),), (Use.TDM,))
    ).replace(b'"kind":"aaa64"', b'"kind":"zzz64"'),
    "a letter that numbers lack": ENTRY.replace(b"4F7K", b"4F7I"),
    "another evidence": ENTRY.replace(b'"picture"', b'"hearsay"'),
    "a line feed after it": ENTRY + b"\n",
}
RESPELLED_LINES = {
    "a leading zero": LINE.replace(b'"index":7', b'"index":07'),
    "a sign": LINE.replace(b'"index":7', b'"index":+7'),
    "minus nought": LINE.replace(b'"index":7', b'"index":-0'),
    "an exponent": LINE.replace(b'"index":7', b'"index":7e0'),
    "a number beyond 2^53": LINE.replace(b'"index":7', b'"index":9007199254740992'),
    "padding": LINE.replace(base64url(SALT).encode(), base64url(SALT).encode() + b"="),
    "stray bits": LINE.replace(base64url(SALT).encode(), base64url(SALT).encode()[:-1] + b"9"),
    "plain base64": LINE.replace(b'"salt":"AAEC', b'"salt":"AA+C'),
    "a short salt": LINE.replace(base64url(SALT).encode(), base64url(SALT[:31]).encode()),
    "another leaf": LINE.replace(b'"leaf":"', b'"leaf":"0')[: LINE.index(b'"leaf"') + 73]
    + LINE[LINE.index(b'"leaf"') + 72 :],
    "a carriage return": LINE.replace(b"\n", b"\r\n"),
    "two line feeds": LINE + b"\n",
    "a member more": LINE.replace(b'"index":7', b'"index":7,"jndex":7'),
    "nothing": b"",
}


@pytest.mark.parametrize("name", RESPELLED_ENTRIES)
def test_no_reader_takes_an_entry_in_a_second_spelling(name: str) -> None:
    data = RESPELLED_ENTRIES[name]
    assert data != ENTRY
    assert common_entry(data) is None
    with pytest.raises(VerificationError):
        parse_entry(data)
    # Hashed into a line as a forger would, it is refused when its entry is read.
    with pytest.raises(VerificationError):
        read_line(write_opening(Opening(7, data, SALT))).entry()


@pytest.mark.parametrize("name", RESPELLED_LINES)
def test_no_reader_takes_an_opening_in_a_second_spelling(name: str) -> None:
    line = RESPELLED_LINES[name]
    assert line != LINE
    assert common_line(line) is None
    with pytest.raises(VerificationError):
        parse_opening(line)
    with pytest.raises(VerificationError):
        read_line(line)


def test_what_is_not_common_is_read_all_the_same() -> None:
    many = OptOut("4F7K-20M9", Evidence.CODE, ((code(1),), (code(2),)), (Use.TDM,))
    line = write_opening(Opening(2**53 - 1, write_entry(many), SALT))
    assert json.loads(line)["index"] == 2**53 - 1
    assert common_line(line) is None
    assert read_line(line).entry() == many
