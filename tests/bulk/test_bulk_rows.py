"""Rows of a bulk look-up: what is sent, in pieces of any size, is read as it was written or refused by its number."""

from __future__ import annotations

import json
import re
from codecs import BOM_UTF8

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checker.bulk.rows import ID_MAX, LINE_BYTES_MAX, AskedRow, RowError, RowFault, RowReader, kept_row

SENTENCE = re.compile(
    rf"row (\d+)(, [a-z0-9.]+)? cannot be read \(({'|'.join(RowFault)})\); "
    "nothing was looked up, mend it and send the list again"
)
"""Of our own words alone: nothing that was sent is repeated."""

half = st.binary(min_size=16, max_size=16)
phash256 = half.map(lambda first: (first + bytes(~byte & 255 for byte in first)).hex())
"""Exactly half of the bits are set, as in the code of every picture."""
sscd512 = st.tuples(
    st.from_regex(r"1-[0-9a-f]{12}", fullmatch=True), st.binary(min_size=64, max_size=64).map(bytes.hex)
)
names = st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=ID_MAX)


@st.composite
def sent(draw: st.DrawFn) -> dict[str, object]:
    """One row that can be read."""
    codes: dict[str, object] = {"phash256": {"version": "1", "hex": draw(phash256)}}
    if second := draw(st.none() | sscd512):
        codes["sscd512"] = {"version": second[0], "hex": second[1]}
    return {"id": draw(names), "codes": codes}


def read(body: bytes, *, pieces: list[int] = []) -> list[AskedRow]:  # noqa: B006 - never changed
    """All rows, given to the reader in pieces of these lengths, the rest as one."""
    reader = RowReader()
    rows: list[AskedRow] = []
    for length in pieces:
        rows += reader.feed(body[:length])
        body = body[length:]
    return [*rows, *reader.feed(body), *reader.end()]


def outcome(body: bytes) -> list[AskedRow] | str:
    """The rows, or the sentence that refuses them."""
    try:
        return read(body)
    except RowError as error:
        return str(error)


def said_again(row: AskedRow) -> dict[str, object]:
    """The row as somebody would send it."""
    codes = {code.kind.name: {"version": code.kind.version, "hex": code.bits.hex()} for code in row.codes}
    return {"id": row.id, "codes": codes}


@given(st.lists(sent(), max_size=5), st.booleans(), st.sampled_from(["\n", "\r\n", "\n\n"]), st.booleans())
def test_what_was_written_is_read(rows: list[dict[str, object]], ascii_only: bool, end: str, last_ends: bool) -> None:
    body = end.join(json.dumps(row, ensure_ascii=ascii_only) for row in rows).encode()
    assert [said_again(row) for row in read(body + end.encode() * last_ends)] == rows


@given(st.lists(sent(), min_size=1, max_size=4), st.lists(st.integers(0, 400), max_size=8))
def test_where_the_pieces_end_changes_nothing(rows: list[dict[str, object]], pieces: list[int]) -> None:
    body = "".join(json.dumps(row) + "\n" for row in rows).encode()
    assert read(body, pieces=pieces) == read(body)


@given(st.lists(sent(), min_size=1, max_size=2), st.lists(st.integers(0, 400), max_size=8))
def test_a_byte_order_mark_before_the_first_row_is_ignored(rows: list[dict[str, object]], pieces: list[int]) -> None:
    """RFC 8259 8.1: "parsers MAY ignore the presence of a byte order mark rather than treating it as an error"."""
    body = "".join(json.dumps(row) + "\n" for row in rows).encode()
    assert read(BOM_UTF8 + body, pieces=pieces) == read(body)


def test_a_byte_order_mark_elsewhere_is_none() -> None:
    row = json.dumps({"codes": {"phash256": {"version": "1", "hex": "f" * 32 + "0" * 32}}}).encode()
    for at, body in ((1, BOM_UTF8 * 2 + row), (2, row + b"\n" + BOM_UTF8 + row)):
        with pytest.raises(RowError) as refused:
            read(body)
        assert (refused.value.row, refused.value.fault) == (at, RowFault.NO_JSON)
    assert read(BOM_UTF8) == []


@given(sent())
def test_what_is_kept_of_a_row_is_all_of_it(row: dict[str, object]) -> None:
    (asked,) = read(json.dumps(row).encode())
    assert kept_row(asked.line()) == asked


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "codes", "x"]), inner),
    max_leaves=8,
)


@given(st.lists(st.one_of(st.binary(max_size=60), anything.map(lambda value: json.dumps(value).encode())), max_size=4))
def test_anything_else_is_refused_by_the_number_of_its_line_and_never_repeated(lines: list[bytes]) -> None:
    body = b"\n".join(lines)
    said = outcome(body)
    if isinstance(said, str):
        found = SENTENCE.fullmatch(said)
        assert found, said
        assert 1 <= int(found[1]) <= body.count(b"\n") + 1
    else:
        assert said == []
        assert not body.removeprefix(BOM_UTF8).strip()


@given(sent(), st.data())
def test_a_row_that_was_damaged_is_refused_or_another_row(row: dict[str, object], data: st.DataObject) -> None:
    body = bytearray(json.dumps(row).encode())
    body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    said = outcome(bytes(body))
    if isinstance(said, str):
        assert SENTENCE.fullmatch(said)
    else:
        assert [kept_row(asked.line()) for asked in said] == said


@pytest.mark.parametrize("pieces", [[], [100] * 50], ids=["whole", "in pieces"])
@pytest.mark.parametrize("mark", [b"", BOM_UTF8], ids=["", "after a mark"])
def test_a_line_without_end_is_refused_before_it_is_held(pieces: list[int], mark: bytes) -> None:
    assert read(mark + b" " * LINE_BYTES_MAX, pieces=pieces) == []
    with pytest.raises(RowError) as refused:
        read(mark + b" " * (LINE_BYTES_MAX + 1), pieces=pieces)
    assert (refused.value.row, refused.value.fault) == (1, RowFault.TOO_LONG)
    assert refused.value.values == {"limit": LINE_BYTES_MAX}
