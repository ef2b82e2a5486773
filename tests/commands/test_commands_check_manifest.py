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
from checker.evidence.photo_paths import missing_words

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
        b'path,claimant,note\na/beach.jpg,C-014,"""her"", 2026",,,\n',
        b'path,claimant,note,,\na/beach.jpg,C-014,"""her"", 2026",,\n',
        b'  \t \r\npath;claimant;note\r\na/beach.jpg;C-014;"""her"", 2026"\r\n',
    ],
)
def test_every_way_in_which_spreadsheets_save_a_list_is_read(body: bytes) -> None:
    assert parse_manifest(body, HERE) == ((BEACH,), ())


def test_a_path_alone_is_enough_and_other_columns_are_named() -> None:
    rows, not_read = parse_manifest(b"Path,claimnat,note\nbeach.jpg,C-014\n", HERE)
    assert rows == (ManifestRow(path="beach.jpg", file=HERE / "beach.jpg"),)
    assert not_read == ("claimnat",)


def test_columns_without_a_name_are_told_as_that() -> None:
    _, not_read = parse_manifest(b",path,,photographer,\n1,beach.jpg,,Ann,\n", HERE)
    assert not_read == ("one without a name", "photographer")


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
        (b"path,claimant,\na.jpg,Doe, Jane\n", "line 2 has 3 cells and the header 2"),
        (b'path,claimant\n"a.jpg,C-1\n', "line 2 has a cell that begins with a quote .* check its quotes"),
        (b'path,note\na.jpg,"one' + b"\nb.jpg,two" * 500, "line 2 has a cell that begins with a quote"),
        (b'path,note\n\na.jpg,"one\n""two"""\nb.jpg,"three\nc.jpg,"four"\n', "line 5 has a cell that begins"),
        (b'path,note\r\n"a.jpg",\r\n"b.jpg","one" two\r\n', "line 3 has a cell that begins with a quote"),
        (b'path,note\n"a\n.jpg","one\ntwo', "line 3 has a cell that begins with a quote"),
        (b"path,claimant\na.jpg,J\xf6rg\n", "line 2 is not UTF-8"),
        (b"path,claimant\na.jpg,\0\n", "null bytes"),
        (b"path,note\na.jpg," + b"x" * 200_000, "line 2 cannot be read"),
    ],
)
def test_a_list_that_cannot_be_read_whole_is_refused_with_its_line(body: bytes, words: str) -> None:
    with pytest.raises(InputError, match=words):
        parse_manifest(body, HERE)


@pytest.mark.parametrize(
    ("listed", "there"),
    [
        ("Smith\\Jos\u00e9.jpg", "Smith/Jos\u00e9.jpg"),
        ("Smith/Jose\u0301.jpg", "Smith/Jos\u00e9.jpg"),
        ("Smith/Jos\u00e9.jpg", "Smith/Jose\u0301.jpg"),
        (".\\Smith\\Jos\u00e9.jpg", "Smith/Jose\u0301.jpg"),
        ("Smith\\a.jpg", "Smith\\a.jpg"),
    ],
)
def test_a_path_as_another_system_writes_it_names_the_one_file_that_is_meant(
    tmp_path: Path, listed: str, there: str
) -> None:
    (tmp_path / "Smith").mkdir()
    (tmp_path / there).write_bytes(b"")
    ((row,), _) = parse_manifest(f"path\n{listed}\n".encode(), tmp_path)
    assert (row.path, row.file) == (listed, tmp_path / there)


def test_of_two_files_that_may_be_meant_none_is_taken(tmp_path: Path) -> None:
    (tmp_path / "Smith").mkdir()
    for name in ("Smith/Jos\u00e9.jpg", "Smith/Jose\u0301.jpg"):
        (tmp_path / name).write_bytes(b"")
    ((row,), _) = parse_manifest("path\nSmith\\Jose\u0301.jpg\n".encode(), tmp_path)
    assert not row.file.exists()
    ((row,), _) = parse_manifest("path\nSmith/Jose\u0301.jpg\n".encode(), tmp_path)
    assert row.file == tmp_path / "Smith/Jose\u0301.jpg", "as it is written, where that is there"


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("https://photos.example/a.jpg", "an address and no file"),
        ("FILE:///home/ann/a.jpg", "begins with file://"),
        ("~/a.jpg", "a home folder in a shell only"),
        ("Smith\\a.jpg", "there is no such file, with \\ as it is written or with / in its place"),
        ("a.jpg", "there is no such file; check the path"),
    ],
)
def test_a_path_that_names_no_file_is_told_by_its_form(path: str, words: str) -> None:
    assert words in missing_words(path)


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
