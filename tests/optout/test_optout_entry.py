"""Entries, leaves and openings: docs/feed.md sections 2 to 4."""

from __future__ import annotations

import base64
import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checker.errors import VerificationError
from checker.model import PHASH256, CodeKind, Fingerprint, Use
from checker.optout.canonical import canonical_json, crockford, parse_base64url, parse_canonical_json
from checker.optout.entry import (
    Entry,
    EntryType,
    Evidence,
    KeyChange,
    KeyState,
    Opening,
    OptOut,
    Reference,
    entry_leaf,
    number_from,
    parse_entry,
    parse_opening,
    write_entry,
    write_opening,
)

HEX = "bb2483cc209e37f24cf10fc336bc37cf32c29b277241330e60ce9936333c773c"
OPT_OUT = (
    b'{"payload":{"evidence":"picture","number":"4F7K-20M9","pictures":[[{"hex":"' + HEX.encode() + b'",'
    b'"kind":"phash256","version":"1"}]],"uses":["train-ai","train-genai"]},"type":"opt-out","v":1}'
)
HOST_OPT_OUT = (
    b'{"payload":{"addresses":["example.org/photos/","example.org:8443/"],"evidence":"host-file","number":"4F7K-20M9",'
    b'"pictures":[],"uses":["tdm"]},"type":"opt-out","v":2}'
)
VKEY = "log.example/opt-outs+9dcd1c9f+ASVDuS/xCVURR2rcg2nbbdyTNmWhGXjdoUBO4QZsqVWd"


def test_an_opt_out_has_the_bytes_of_the_format() -> None:
    entry = OptOut(
        number="4F7K-20M9",
        evidence=Evidence.PICTURE,
        pictures=((Fingerprint(kind=PHASH256, bits=bytes.fromhex(HEX)),),),
        uses=(Use.TRAIN_AI, Use.TRAIN_GENAI),
    )
    assert write_entry(entry) == OPT_OUT
    assert parse_entry(OPT_OUT) == entry


@pytest.mark.parametrize(
    ("entry", "data"),
    [
        (Reference(EntryType.WITHDRAW, 7), b'{"payload":{"index":7},"type":"withdraw","v":1}'),
        (Reference(EntryType.DISPUTE, 0), b'{"payload":{"index":0},"type":"dispute","v":1}'),
        (Reference(EntryType.ERASE, 2**53 - 1), b'{"payload":{"index":9007199254740991},"type":"erase","v":1}'),
        (
            KeyChange(VKEY, KeyState.RETIRED),
            b'{"payload":{"key":"' + VKEY.encode() + b'","state":"retired"},"type":"key","v":1}',
        ),
    ],
)
def test_every_other_type_has_its_bytes(entry: Entry, data: bytes) -> None:
    assert write_entry(entry) == data
    assert parse_entry(data) == entry


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"v":1', b'"v":2'),
        (b'"v":1', b'"v":true'),
        (b'"v":1', b'"v":1.0'),
        (b'"v":1', b'"v":1,"w":0'),
        (b'"type":"opt-out"', b'"type":"opt-in"'),
        (b'"evidence":"picture"', b'"evidence":"dream"'),
        (b'"evidence":"picture",', b""),
        (b'"evidence":"picture"', b'"evidence":"picture","more":"x"'),
        (b'"number":"4F7K-20M9"', b'"number":"4F7K-20MI"'),
        (b'"number":"4F7K-20M9"', b'"number":"4F7K20M9"'),
        (b'"number":"4F7K-20M9"', b'"number":"4f7k-20m9"'),
        (b'["train-ai","train-genai"]', b"[]"),
        (b'["train-ai","train-genai"]', b'["train-genai","train-ai"]'),
        (b'["train-ai","train-genai"]', b'["train-ai","train-ai"]'),
        (b'["train-ai","train-genai"]', b'["all"]'),
        (b'["train-ai","train-genai"]', b'"train-ai"'),
        (b'"hex":"bb', b'"hex":"BB'),
        (b'"hex":"bb', b'"hex":"b'),
        (b'"kind":"phash256"', b'"kind":"Phash256"'),
        (b'"version":"1"', b'"version":1'),
        (b"{", b" {"),
        (b":1}", b":1}\n"),
        (b'"v":1', b'"v":1,"v":1'),
        (b"opt-out", b"opt\\u002dout"),
        (b"picture", "pict\u00fcre".encode()),
    ],
)
def test_bytes_that_break_a_must_are_rejected(old: bytes, new: bytes) -> None:
    changed = OPT_OUT.replace(old, new, 1)
    assert changed != OPT_OUT
    with pytest.raises(VerificationError) as refused:
        parse_entry(changed)
    assert refused.value.part == "entry"


def test_an_opt_out_that_names_addresses_is_of_version_2() -> None:
    entry = OptOut(
        number="4F7K-20M9",
        evidence=Evidence.HOST_FILE,
        pictures=(),
        uses=(Use.TDM,),
        addresses=("example.org/photos/", "example.org:8443/"),
    )
    assert write_entry(entry) == HOST_OPT_OUT
    assert parse_entry(HOST_OPT_OUT) == entry


def test_pictures_and_addresses_stand_in_one_entry() -> None:
    picture = b'[{"hex":"' + HEX.encode() + b'","kind":"phash256","version":"1"}]'
    data = HOST_OPT_OUT.replace(b'"pictures":[]', b'"pictures":[' + picture + b"]")
    entry = parse_entry(data)
    assert isinstance(entry, OptOut)
    assert (len(entry.pictures), len(entry.addresses)) == (1, 2)
    assert write_entry(entry) == data


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"v":2', b'"v":1'),
        (b'"v":2', b'"v":3'),
        (b'"addresses":["example.org/photos/","example.org:8443/"],', b""),
        (b'["example.org/photos/","example.org:8443/"]', b"[]"),
        (b'["example.org/photos/","example.org:8443/"]', b'"example.org/photos/"'),
        (b'["example.org/photos/","example.org:8443/"]', b'["example.org:8443/","example.org/photos/"]'),
        (b'["example.org/photos/","example.org:8443/"]', b'["example.org/","example.org/"]'),
        (b'"example.org/photos/"', b"7"),
        (b'"example.org/photos/"', b'"https://example.org/photos/"'),
        (b'"example.org/photos/"', b'"example.org"'),
        (b'"example.org/photos/"', b'"Example.org/"'),
        (b'"example.org/photos/"', b'"*.example.org/"'),
        (b'"example.org/photos/"', b'"example.org/' + b"a" * 1_000 + b'"'),
        (b'"evidence":"host-file"', b'"evidence":"code"'),
        (b'"evidence":"host-file"', b'"evidence":"picture"'),
        (b'"type":"opt-out"', b'"type":"withdraw"'),
    ],
)
def test_addresses_that_break_a_must_are_rejected(old: bytes, new: bytes) -> None:
    changed = HOST_OPT_OUT.replace(old, new, 1)
    assert changed != HOST_OPT_OUT
    with pytest.raises(VerificationError) as refused:
        parse_entry(changed)
    assert refused.value.part == "entry"


def test_version_1_holds_no_addresses_and_the_other_types_have_no_version_2() -> None:
    for data in (
        OPT_OUT.replace(b'{"evidence"', b'{"addresses":["example.org/"],"evidence"').replace(
            b"picture", b"host-file", 1
        ),
        b'{"payload":{"index":7},"type":"withdraw","v":2}',
    ):
        with pytest.raises(VerificationError):
            parse_entry(data)


def test_an_entry_has_at_most_a_thousand_addresses() -> None:
    for count in (1_000, 1_001):
        addresses = tuple(f"example.org/{number:04d}" for number in range(count))
        entry = OptOut("4F7K-20M9", Evidence.HOST_FILE, (), (Use.TDM,), addresses)
        if count == 1_000:
            assert parse_entry(write_entry(entry)) == entry
        else:
            with pytest.raises(ValueError):
                write_entry(entry)


def test_a_picture_without_codes_and_an_opt_out_without_pictures_are_rejected() -> None:
    head, tail = OPT_OUT.split(b"[[", 1)[0], OPT_OUT.split(b"]]", 1)[1]
    for pictures in (b"[]", b"[[]]"):
        with pytest.raises(VerificationError):
            parse_entry(head + pictures + tail)


def test_an_entry_of_more_than_one_mebibyte_is_rejected() -> None:
    with pytest.raises(VerificationError):
        parse_entry(OPT_OUT + b" " * 2**20)


def test_an_unknown_kind_of_code_is_kept() -> None:
    entry = parse_entry(OPT_OUT.replace(b"phash256", b"sscd512").replace(HEX.encode(), b"0f" * 64))
    assert isinstance(entry, OptOut)
    assert entry.pictures[0][0].kind == CodeKind(name="sscd512", version="1", bits=512)


def test_codes_of_a_picture_that_are_not_sorted_or_stand_twice_are_not_written() -> None:
    low, high = (Fingerprint(kind=PHASH256, bits=bytes([byte]) * 32) for byte in (1, 2))
    for codes in ((high, low), (low, low), ()):
        with pytest.raises(ValueError):
            write_entry(OptOut("4F7K-20M9", Evidence.CODE, (codes,), (Use.TDM,)))


def test_deep_nesting_is_a_rejection_and_no_crash() -> None:
    with pytest.raises(VerificationError):
        parse_entry(b'{"a":' + b"[" * 100_000)


# RFC 8785 3.2.3 gives the order of members, 3.2.2.2 the escapes; the expected bytes are written out by hand.
def test_canonical_json_is_that_of_rfc_8785() -> None:
    document = {"b": [0, 1], "a": '\b\t\n\f\r"\\/\x00\x1f\x7f', "": {}}
    assert canonical_json(document) == (b'{"":{},"a":"\\b\\t\\n\\f\\r\\"\\\\/\\u0000\\u001f\x7f","b":[0,1]}')


@pytest.mark.parametrize("value", [1.5, None, True, -1, 2**53, "\u00e9", {"\u00e9": 1}, b"x"])
def test_other_values_have_no_canonical_form_here(value: object) -> None:
    with pytest.raises(ValueError):
        canonical_json({"value": value})


documents = st.dictionaries(
    st.text(alphabet=st.characters(max_codepoint=127)),
    st.recursive(
        st.text(alphabet=st.characters(max_codepoint=127)) | st.integers(0, 2**53 - 1),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(alphabet=st.characters(max_codepoint=127)), inner),
        max_leaves=10,
    ),
)


@given(documents)
def test_canonical_json_is_read_back_and_only_in_its_one_spelling(document: dict[str, object]) -> None:
    data = canonical_json(document)
    assert parse_canonical_json(data) == document
    spaced = json.dumps(document).encode()
    if spaced != data:
        with pytest.raises(ValueError):
            parse_canonical_json(spaced)


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_no_bytes_make_the_readers_fail_otherwise(data: bytes) -> None:
    for read in (parse_entry, parse_opening):
        with pytest.raises(VerificationError):
            read(data)


# --- leaves and openings ---------------------------------------------------------------------------------------


def test_the_leaf_is_the_hash_of_tag_salt_and_entry() -> None:
    salt = bytes(range(32))
    assert entry_leaf(OPT_OUT, salt) == hashlib.sha256(b"haveibeenscraped/log-entry/v1\x0a" + salt + OPT_OUT).digest()
    with pytest.raises(ValueError):
        entry_leaf(OPT_OUT, salt[1:])


def test_an_opening_has_its_line_and_is_read_back() -> None:
    salt = bytes(range(32))
    line = write_opening(Opening(index=3, entry=OPT_OUT, salt=salt))
    leaf = hashlib.sha256(b"haveibeenscraped/log-entry/v1\x0a" + salt + OPT_OUT).hexdigest()
    entry = base64.urlsafe_b64encode(OPT_OUT).rstrip(b"=")
    assert line == (
        b'{"entry":"' + entry + b'","index":3,"leaf":"' + leaf.encode() + b'",'
        b'"salt":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"}\n'
    )
    assert parse_opening(line) == Opening(index=3, entry=OPT_OUT, salt=salt)


def test_every_changed_byte_of_an_opening_but_its_index_is_found() -> None:
    line = write_opening(Opening(index=3, entry=OPT_OUT, salt=bytes(range(32))))
    digit = line.index(b'"index":3') + len(b'"index":')
    for at in range(len(line) - 1):
        if at != digit:  # what index a leaf has is proved by the log
            with pytest.raises(VerificationError):
                parse_opening(line[:at] + bytes([line[at] ^ 1]) + line[at + 1 :])


@pytest.mark.parametrize("text", ["AA==", "AB", "A", "A+8", "A/8", "AA\n", 3, None])
def test_base64url_has_one_spelling(text: object) -> None:
    with pytest.raises(ValueError):
        parse_base64url(text)


def test_numbers_are_forty_bits_in_crockfords_base32() -> None:
    # 00100 01111 00111 10011 00010 00000 10100 01001 = 4 F 7 K 2 0 M 9
    assert number_from(bytes([0b00100011, 0b11001111, 0b00110001, 0b00000010, 0b10001001])) == "4F7K-20M9"
    assert crockford(b"\xff") == "ZW"


@pytest.mark.parametrize("key", [VKEY.replace("+A", "+B", 1), VKEY[::-1], VKEY.replace(VKEY.split("+")[1], "00000000")])
def test_a_key_entry_names_a_key_whose_id_is_its_own(key: str) -> None:
    data = f'{{"payload":{{"key":"{key}","state":"added"}},"type":"key","v":1}}'.encode()
    with pytest.raises(VerificationError):
        parse_entry(data)
