"""The list of a case: as spreadsheets save it, or refused with its line; never half read."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checker.errors import InputError
from checker.evidence.manifest import ManifestRow, parse_manifest, read_manifest

HERE = Path("case")
BEACH = ManifestRow(path="a/beach.jpg", file=HERE / "a/beach.jpg", claimant="C-014", note='"her", 2026')


@pytest.mark.parametrize(
    "body",
    [
        b'path,claimant,note\na/beach.jpg,C-014,"""her"", 2026"\n',
        b'PATH, Claimant ,NOTE\r\na/beach.jpg,C-014,"""her"", 2026"\r\n',
        b'\xef\xbb\xbfpath;claimant;note\r\na/beach.jpg;C-014;"""her"", 2026"\r\n',
        b'note\tclaimant\tpath\n"""her"", 2026"\tC-014\ta/beach.jpg',
        'path\tclaimant\tnote\r\na/beach.jpg\tC-014\t"""her"", 2026"\r\n'.encode("utf-16"),
        b'path,claimant,note\n\n,,\na/beach.jpg,C-014,"""her"", 2026"\n\n',
    ],
)
def test_every_way_in_which_spreadsheets_save_a_list_is_read(body: bytes) -> None:
    assert parse_manifest(body, HERE) == ((BEACH,), ())


def test_a_path_alone_is_enough_and_other_columns_are_named() -> None:
    rows, not_read = parse_manifest(b"Path,claimnat,note\nbeach.jpg,C-014\n", HERE)
    assert rows == (ManifestRow(path="beach.jpg", file=HERE / "beach.jpg"),)
    assert not_read == ("claimnat",)


def test_a_line_feed_in_a_cell_is_part_of_it() -> None:
    rows, _ = parse_manifest(b'path,note\na.jpg,"one\ntwo"\nb.jpg,\n', HERE)
    assert [(row.path, row.note) for row in rows] == [("a.jpg", "one\ntwo"), ("b.jpg", "")]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "no row"),
        (b"path,claimant\n", "no row"),
        (b"file,claimant\na.jpg,C-1\n", r"no column path \(it has: file, claimant\)"),
        (b"path,claimant,claimant\na.jpg,C-1,C-2\n", "claimant stands there twice"),
        (b"path,claimant\na.jpg,Doe, Jane\n", "line 2 has 3 cells and the header 2"),
        (b"path,claimant\na.jpg,C-1\n,C-2\n", "line 3 names no photo"),
        (b'path,claimant\n"a.jpg,C-1\n', "check its quotes"),
        (b"path,claimant\na.jpg,J\xf6rg\n", "line 2 is not UTF-8"),
        (b"path,claimant\na.jpg,\0\n", "null bytes"),
        (b"path,note\na.jpg," + b"x" * 200_000, "line 2 cannot be read"),
    ],
)
def test_a_list_that_cannot_be_read_whole_is_refused_with_its_line(body: bytes, words: str) -> None:
    with pytest.raises(InputError, match=words):
        parse_manifest(body, HERE)


def test_a_refusal_never_repeats_a_cell(tmp_path: Path) -> None:
    (tmp_path / "case.csv").write_bytes(b"path,claimant\na.jpg,Jane,Doe\n")
    with pytest.raises(InputError, match=r"case\.csv: line 2") as refused:
        read_manifest(tmp_path / "case.csv")
    assert "Jane" not in str(refused.value)


def test_a_missing_list_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        read_manifest(tmp_path / "none.csv")


@given(st.binary(max_size=400))
def test_bytes_give_rows_or_one_error(body: bytes) -> None:
    try:
        rows, _ = parse_manifest(body, HERE)
    except InputError:
        return
    assert rows
    assert all(row.path for row in rows)


cells = st.text(st.characters(exclude_characters="\0\r", exclude_categories=["Cs"]), max_size=20)


@given(st.lists(st.tuples(cells.filter(lambda text: text.strip()), cells), min_size=1, max_size=8))
def test_what_a_csv_writer_wrote_is_read_again(rows: list[tuple[str, str]]) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerows([("path", "claimant"), *rows])
    found, _ = parse_manifest(text.getvalue().encode(), HERE)
    assert [(row.path, row.claimant) for row in found] == [(path.strip(), who.strip()) for path, who in rows]
