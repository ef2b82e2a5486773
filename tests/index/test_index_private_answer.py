"""The bytes of the private check: read back, sizes that tell little, and a reader that survives anything."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checker.index.private_answer import About, read_answer, write_list, write_sketch_answer

ABOUT = About(
    built_at=datetime(2026, 11, 22, 0, 1, 2, tzinfo=UTC),
    next_at=datetime(2026, 11, 23, tzinfo=UTC),
    images=1204,
    sources=2,
    newest=datetime(2026, 11, 20, 12, 0, tzinfo=UTC),
)
HEADER = (
    b'{"version":1,"kind":"phash256","kind_version":"1",'
    b'"mask":"aaaa5555aaaa5555aaaa5555aaaa5555aaaa5555aaaa5555aaaa5555aaaa5555",'
    b'"sketch_bits":[10,23,27,40,44,53,55,70,85,102,113,130,145,147,162,213],"spread_bits":2,"rows":2,'
    b'"built_at":"2026-11-22T00:01:02Z","next_at":"2026-11-23T00:00:00Z",'
    b'"coverage":{"images":1204,"sources":2,"newest":"2026-11-20T12:00:00Z"}}\n'
)
ROWS = bytes(range(16)) + bytes(range(100, 116))
STEP = 16_384


def test_the_bytes_of_a_list_are_these() -> None:
    assert write_list(ROWS, ABOUT) == HEADER + ROWS + bytes(STEP - len(HEADER) - 32)


@pytest.mark.parametrize(("rows", "list_steps", "answer_steps"), [(0, 1, 1), (990, 1, 1), (1100, 2, 2), (2200, 3, 4)])
def test_lists_grow_by_steps_and_answers_to_sketches_double(rows: int, list_steps: int, answer_steps: int) -> None:
    assert len(write_list(bytes(16 * rows), ABOUT)) == list_steps * STEP
    assert len(write_sketch_answer(bytes(16 * rows), ABOUT)) == answer_steps * STEP


@given(st.binary(max_size=64).map(lambda some: some * 16), st.integers(0, 2**62), st.booleans())
def test_what_is_written_is_read_back(rows: bytes, images: int, newest: bool) -> None:
    about = About(ABOUT.built_at, ABOUT.next_at, images, 3, ABOUT.newest if newest else None)
    for body in (write_list(rows, about), write_sketch_answer(rows, about)):
        read, found = read_answer(body)
        assert read == about
        assert found.tobytes() == rows


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused_with_a_value_error(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"does not begin with|its first line"):
        read_answer(body)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=5), inside, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from(["rows", "built_at", "next_at", "coverage", "mask", "sketch_bits", "version"]), JSON)
def test_a_header_with_one_other_member_is_read_or_refused(member: str, value: object) -> None:
    document = json.loads(HEADER)
    body = json.dumps({**document, member: value}).encode() + b"\n" + ROWS
    try:
        about, rows = read_answer(body)
    except ValueError:
        return
    assert value == document[member] or (member == "rows" and len(rows) == value) or member == "coverage"
    assert about.images >= 0


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (b'"version":1', b'"version":2', "other bits"),
        (b'"mask":"aaaa', b'"mask":"5555', "other bits"),
        (b'"rows":2', b'"rows":3', "cut off"),
        (b'"rows":2', b'"rows":true', "first line"),
        (b'"rows":2', b'"rows":-1', "first line"),
        (b'"rows":2', b'"rows":' + b"9" * 5000, "first line"),
        (b"2026-11-22T00:01:02Z", b"yesterday", "first line"),
        (b'"coverage":{', b'"coverage":[{}],"x":{', "first line"),
        (b"}\n", b"}", "first line"),
        (HEADER, b"[" * 10_000 + b"\n", "first line"),
    ],
)
def test_an_answer_of_another_version_or_cut_off_is_refused(before: bytes, after: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        read_answer((HEADER + ROWS).replace(before, after, 1))
