"""Parquet: pictures in a column, lists of addresses, img2dataset's tables; columns of any name, case and type."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from archives_made import entries_of, img2dataset_row
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from checker.datasets.columns import Named, match_columns, sha256_of, text_of
from checker.datasets.tables import is_shard_table
from checker.model import Locator
from crawler.archives.entries import Entry, Failed, Item, Limits, Passed, Trouble
from crawler.archives.parquet_files import read_parquet, read_shard_table
from crawler.archives.shards import told_by_shard

JPEG = b"\xff\xd8\xff\xe0 a picture as far as a table knows"
URL = "https://img.example/a.jpg"


def table(tmp_path: Path, name: str = "part-0.parquet", *, rows_in_group: int = 1000, **columns: object) -> Path:
    path = tmp_path / name
    pq.write_table(pa.table(columns), path, row_group_size=rows_in_group)
    return path


def items(entries: list[Entry]) -> list[Item]:
    assert all(isinstance(entry, Item) for entry in entries), entries
    return entries  # type: ignore[return-value]


def test_a_list_in_the_form_of_laion_gives_addresses(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        SAMPLE_ID=pa.array([7, 8], pa.int64()),
        URL=[URL, "https://img.example/b.jpg"],
        TEXT=["a cat", None],
        WIDTH=pa.array([512.0, None], pa.float64()),
        HEIGHT=pa.array([100, 2], pa.int32()),
        similarity=[0.3, 0.4],
        hash=pa.array([-5, 2**62], pa.int64()),
        punsafe=pa.array([None, 0.1], pa.float32()),
        __index_level_0__=[0, 1],
    )
    first, second = items(entries_of(read_parquet, path))
    assert (first.url_only, first.told.image_url, first.told.caption) == (True, URL, "a cat")
    assert (first.locator, first.after) == (Locator("part-0.parquet", 0, "7"), 1)
    assert (second.told.caption, second.locator.key, second.after) == (None, "8", 2)


@pytest.mark.parametrize("name", ["url", "URL", "Url", "image_url", "IMAGE URL", "img-url", "imageUrl", "contentUrl"])
def test_the_address_is_found_whatever_the_case(name: str) -> None:
    assert match_columns(["x", name, "y"]).url == name


@pytest.mark.parametrize(
    "column",
    [
        pa.array([URL.encode()], pa.binary()),
        pa.array([URL], pa.large_string()),
        pa.array([URL], pa.string_view()),
        pa.array([URL]).dictionary_encode(),
    ],
    ids=str,
)
def test_an_address_of_any_type_of_text_is_read(tmp_path: Path, column: pa.Array) -> None:
    (item,) = items(entries_of(read_parquet, table(tmp_path, url=column)))
    assert item.told.image_url == URL


@pytest.mark.parametrize(
    "column",
    [
        pa.array([5], pa.int64()),
        pa.array([None], pa.null()),
        pa.array([None], pa.string()),
        pa.array([[URL]]),
        pa.array([1.5]),
        pa.array([2**62], pa.timestamp("ns")),
        pa.array([b"\xff\xfe"], pa.binary()),
        pa.array(["data:image/png;base64,AAAA"]),
        pa.array(["file:///etc/passwd"]),
        pa.array(["https://" + "a" * 3000 + ".example/"]),
    ],
    ids=lambda column: str(column.type),
)
def test_a_row_without_an_address_that_can_be_read_is_named(tmp_path: Path, column: pa.Array) -> None:
    (entry,) = entries_of(read_parquet, table(tmp_path, url=column))
    assert isinstance(entry, Failed)
    assert (entry.trouble, entry.locator.row) == (Trouble.NO_ADDRESS, 0)


def test_the_secret_parts_of_an_address_are_asked_for_and_not_kept(tmp_path: Path) -> None:
    signed = "https://img.example/a.jpg?w=1&X-Amz-Signature=ab"
    (item,) = items(entries_of(read_parquet, table(tmp_path, url=[signed])))
    assert (item.told.image_url, item.ask_url) == ("https://img.example/a.jpg?w=1", signed)


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary(), pa.binary_view()], ids=str)
def test_img2dataset_with_pictures_in_a_column(tmp_path: Path, kind: pa.DataType) -> None:
    rows = [
        {**img2dataset_row("0", JPEG), "jpg": JPEG},
        {**img2dataset_row("1", b"", status="failed_to_download", error_message="404"), "jpg": None},
        {**img2dataset_row("2", JPEG), "jpg": None},
    ]
    schema = pa.Table.from_pylist(rows).schema
    schema = schema.set(schema.get_field_index("jpg"), pa.field("jpg", kind))
    path = tmp_path / "00000.parquet"
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), path)
    kept, gone, lacking = entries_of(read_parquet, path)
    assert isinstance(kept, Item)
    assert (kept.body, kept.told.image_url, kept.locator.key) == (JPEG, "https://img.example/0.jpg", "0")
    assert kept.told.sha256 == hashlib.sha256(JPEG).hexdigest()
    assert gone == Passed(2, "not-downloaded")
    assert isinstance(lacking, Failed)
    assert lacking.trouble is Trouble.NO_PICTURE


def test_pictures_as_hugging_face_stores_them(tmp_path: Path) -> None:
    path = table(tmp_path, image=[{"bytes": JPEG, "path": "a.jpg"}, {"bytes": None, "path": "b.jpg"}], text=["x", "y"])
    kept, lacking = entries_of(read_parquet, path)
    assert isinstance(kept, Item)
    assert (kept.body, kept.told.caption) == (JPEG, "x")
    assert isinstance(lacking, Failed)


def test_every_column_with_pictures_is_read_and_named(tmp_path: Path) -> None:
    other = JPEG + b", edited"
    path = table(
        tmp_path,
        edited_image=[other, None, other],
        image=[{"bytes": JPEG, "path": None}] * 2 + [None],
        image_hash=[b"0123"] * 3,
        url=[URL] * 3,
        page_url=["https://img.example/"] * 3,
        sha256=[hashlib.sha256(JPEG).hexdigest()] * 3,
        text=["a cat"] * 3,
        id=["a", "b", "c"],
    )
    whole, edited, alone, left = items(entries_of(read_parquet, path))
    assert [(one.locator, one.body, one.after) for one in (whole, edited, alone, left)] == [
        (Locator("part-0.parquet", 0, "a", "image"), JPEG, 0),  # not past the row, as long as there is more of it
        (Locator("part-0.parquet", 0, "a", "edited_image"), other, 1),
        (Locator("part-0.parquet", 1, "b", "image"), JPEG, 2),
        (Locator("part-0.parquet", 2, "c", "edited_image"), other, 3),
    ]
    assert (whole.told.image_url, whole.told.sha256) == (URL, hashlib.sha256(JPEG).hexdigest())
    for one in (edited, left):  # nobody said where the edited one lay
        assert (one.told.image_url, one.told.sha256) == (None, None)
        assert (one.told.page_url, one.told.caption) == ("https://img.example/", "a cat")
    assert len(entries_of(read_parquet, path, start=1)) == 2
    (named, _, _) = entries_of(read_parquet, path, named=Named(image="edited_image"))
    assert isinstance(named, Item)
    assert (named.locator.column, named.body) == (None, other)


def test_a_cell_may_hold_a_list_of_pictures_and_what_is_not_there_is_named(tmp_path: Path) -> None:
    lists = pa.array([[JPEG, b"second"], [], [b"", JPEG]], pa.list_(pa.binary()))
    first, second, empty, missing, last = entries_of(read_parquet, table(tmp_path, images=lists))
    assert isinstance(first, Item)
    assert isinstance(second, Item)
    assert isinstance(last, Item)
    assert (first.body, second.body, last.body) == (JPEG, b"second", JPEG)
    assert (first.locator.column, first.after, second.after) == (None, 0, 1)
    assert isinstance(empty, Failed)
    assert (empty.detail, empty.after) == ("the row has no picture in the column images", 2)
    assert isinstance(missing, Failed)
    assert (missing.after, last.after) == (2, 3)
    (refused,) = entries_of(read_parquet, table(tmp_path, images=pa.array([[JPEG] * 65], pa.list_(pa.binary()))))
    assert isinstance(refused, Failed)
    assert "more than 64 pictures" in refused.detail


def test_a_row_with_no_picture_in_any_column_is_named_once(tmp_path: Path) -> None:
    nothing = pa.array([None], pa.binary())
    (entry,) = entries_of(read_parquet, table(tmp_path, image=nothing, image_2=nothing))
    assert isinstance(entry, Failed)
    assert entry.detail == "the row has no picture in any of the columns image, image_2"
    assert entry.after == 1


def test_a_column_named_image_that_holds_addresses_is_no_picture(tmp_path: Path) -> None:
    path = table(tmp_path, image=["x.jpg"], url=[URL])
    (item,) = items(entries_of(read_parquet, path))
    assert item.url_only


def test_columns_that_say_nothing_can_be_named(tmp_path: Path) -> None:
    path = table(tmp_path, where=[URL], what=[JPEG])
    (entry,) = entries_of(read_parquet, path)
    assert isinstance(entry, Failed)
    assert "where, what" in entry.detail
    assert "--url-column" in entry.detail
    (item,) = items(entries_of(read_parquet, path, named=Named(url="WHERE")))
    assert (item.told.image_url, item.body) == (URL, None)
    (item,) = items(entries_of(read_parquet, path, named=Named(image="what")))
    assert item.body == JPEG


def test_a_picture_that_is_too_large_is_named(tmp_path: Path) -> None:
    (entry,) = entries_of(read_parquet, table(tmp_path, jpg=[JPEG]), limits=Limits(picture_bytes_max=10))
    assert isinstance(entry, Failed)
    assert entry.trouble is Trouble.TOO_LARGE


@pytest.mark.parametrize("start", [0, 1, 2, 3, 4, 5, 6, 7])
def test_a_reader_goes_on_behind_any_row_of_any_row_group(tmp_path: Path, start: int) -> None:
    path = table(tmp_path, url=[f"https://img.example/{number}" for number in range(7)], rows_in_group=3)
    whole = entries_of(read_parquet, path)
    assert [entry.after for entry in whole] == list(range(1, 8))
    assert entries_of(read_parquet, path, start=start) == whole[start:]


# --- img2dataset's own tables ----------------------------------------------------------------------------------


def shard(tmp_path: Path) -> Path:
    rows = [img2dataset_row("1", JPEG), img2dataset_row("2", b"", status="failed_to_resize", error_message="x")]
    path = tmp_path / "00003.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


def test_a_table_beside_its_tar_tells_of_it_and_is_no_list(tmp_path: Path) -> None:
    path = shard(tmp_path)
    assert not is_shard_table(path)  # alone, it is a list of what was downloaded
    (tmp_path / "00003.tar").write_bytes(b"")
    assert is_shard_table(path)
    assert entries_of(read_shard_table, path) == [Passed(2, "not-downloaded")]
    assert told_by_shard(path)["1"]["url"] == "https://img.example/1.jpg"


def test_a_table_without_its_tar_lists_what_was_downloaded(tmp_path: Path) -> None:
    item, passed = entries_of(read_parquet, shard(tmp_path))
    assert isinstance(item, Item)
    assert passed == Passed(2, "not-downloaded")


def test_a_missing_or_damaged_table_tells_nothing(tmp_path: Path) -> None:
    (tmp_path / "x.parquet").write_bytes(b"PAR1 nonsense PAR1")
    assert told_by_shard(tmp_path / "x.parquet") == {}
    assert told_by_shard(tmp_path / "gone.parquet") == {}
    assert not is_shard_table(tmp_path / "x.parquet")


# --- damage ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [b"", b"PAR1", b"PAR1" * 20, b"x" * 1000])
def test_what_is_no_parquet_is_one_failure(tmp_path: Path, body: bytes) -> None:
    path = tmp_path / "x.parquet"
    path.write_bytes(body)
    (entry,) = entries_of(read_parquet, path)
    assert isinstance(entry, Failed)
    assert entry.trouble is Trouble.DAMAGED


def test_a_damaged_row_group_ends_the_file_there(tmp_path: Path) -> None:
    numbers = range(3000)
    path = table(tmp_path, url=[f"https://img.example/{hashlib.sha256(b'%d' % n).hexdigest()}" for n in numbers])
    body = bytearray(path.read_bytes())
    middle = len(body) // 2
    body[middle : middle + 200] = bytes(200)
    path.write_bytes(bytes(body))
    *rows, last = entries_of(read_parquet, path)
    assert isinstance(last, Failed)
    assert last.trouble is Trouble.DAMAGED
    assert all(isinstance(row, Item) for row in rows)


def test_more_rows_than_bytes_are_refused(tmp_path: Path) -> None:
    path = table(tmp_path, url=[URL] * 300_000, rows_in_group=300_000)
    assert path.stat().st_size < 300_000
    (entry,) = entries_of(read_parquet, path)
    assert isinstance(entry, Failed)
    assert "claims 300000 rows" in entry.detail


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_no_bytes_make_the_reader_fail(tmp_path: Path, data: st.DataObject) -> None:
    whole = bytearray(table(tmp_path, url=[URL, None, URL], jpg=[JPEG, b"", JPEG]).read_bytes())
    for _ in range(data.draw(st.integers(0, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "x.parquet"
    path.write_bytes(bytes(whole[: data.draw(st.integers(0, len(whole)))]))
    for entry in entries_of(read_parquet, path):
        assert isinstance(entry, Item | Failed | Passed)


@given(st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary(), st.lists(st.text())))
def test_any_value_is_text_that_can_be_stored_or_nothing(value: object) -> None:
    text = text_of(value, characters_max=20)
    assert text is None or (1 <= len(text) <= 20 and text.encode())
    assert sha256_of(value) is None or len(sha256_of(value) or "") == 64
