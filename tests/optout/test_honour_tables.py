"""Tables as other tools write them: several pictures in a row, lists of them, dictionaries, and columns named twice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from honour_made import decisions_in, hibs, make_feed
from hypothesis import given
from hypothesis import strategies as st

from checker.datasets.columns import NOTHING_NAMED, Named, picture_names
from checker.datasets.tables import open_table, pictures_of

KEEP, DROP, NO_PICTURE = ("keep", "none"), ("drop", "near-entry"), ("not-checked", "no-picture")
UNREADABLE = ("not-checked", "unreadable")


@pytest.fixture
def feed(tmp_path: Path, images: Path) -> Path:
    return make_feed(tmp_path, images)


@pytest.fixture
def cat(images: Path) -> bytes:
    """Opted out."""
    return (images / "chelsea.jpg").read_bytes()


@pytest.fixture
def cup(images: Path) -> bytes:
    return (images / "coffee.jpg").read_bytes()


def noted(table: pa.Table, features: dict[str, Any]) -> pa.Table:
    """With the metadata that `datasets` writes into its Parquet files."""
    return table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})


def decided(table: pa.Table, folder: Path, feed: Path, *options: str) -> list[tuple[str, str]]:
    """What `hibs honour` makes of each row."""
    pq.write_table(table, folder / "a.parquet")
    return decisions_in(hibs("honour", folder / "a.parquet", "--feed", feed, "--json", *options))


@pytest.mark.parametrize("other", ["edited_image", "image_2", "image2", "jpg", "Photo"])
def test_an_opted_out_picture_in_any_column_of_a_row_decides(
    other: str, feed: Path, cat: bytes, cup: bytes, tmp_path: Path
) -> None:
    table = pa.table({"image": [cup, cup], other: [cup, cat], "image_hash": [b"0123", b"4567"]})
    assert decided(table, tmp_path, feed) == [KEEP, DROP]
    assert decided(table, tmp_path, feed, "--image-column", "image") == [KEEP, KEEP]


def test_columns_are_pictures_where_datasets_noted_it_whatever_their_names_are(
    feed: Path, cat: bytes, cup: bytes, tmp_path: Path
) -> None:
    left = [{"bytes": cup, "path": None}, {"bytes": cup, "path": "b.jpg"}]
    right = [{"bytes": cup, "path": None}, {"bytes": cat, "path": None}]
    sound = [{"bytes": b"RIFF", "path": None}] * 2
    table = pa.table({"before": left, "after": right, "sound": sound})
    features = {"before": {"_type": "Image"}, "after": {"_type": "Image"}, "sound": {"_type": "Audio"}}
    assert decided(noted(table, features), tmp_path, feed) == [KEEP, DROP]


@pytest.mark.parametrize(
    "feature", [{"feature": {"_type": "Image"}, "_type": "List"}, [{"_type": "Image"}]], ids=["now", "before"]
)
def test_of_a_list_of_pictures_in_a_cell_the_strictest_counts(
    feature: Any, feed: Path, cat: bytes, cup: bytes, tmp_path: Path
) -> None:
    cells = [[{"bytes": body, "path": None} for body in bodies] for bodies in ([cup], [cup, cat], [cup, b"GIF89a"], [])]
    table = noted(pa.table({"views": cells}), {"views": feature})
    assert decided(table, tmp_path, feed) == [KEEP, DROP, UNREADABLE, NO_PICTURE]


def test_a_row_with_more_pictures_than_it_may_have_was_not_checked(feed: Path, cup: bytes, tmp_path: Path) -> None:
    assert decided(pa.table({"images": [[cup], [b"x"] * 65]}), tmp_path, feed) == [KEEP, UNREADABLE]


def test_a_picture_that_lies_elsewhere_is_never_kept_and_an_empty_cell_is_nothing(
    feed: Path, cup: bytes, tmp_path: Path
) -> None:
    rows = [
        {"image": {"bytes": cup, "path": None}, "edited_image": None},
        {"image": {"bytes": cup, "path": None}, "edited_image": {"bytes": None, "path": "elsewhere.jpg"}},
        {"image": {"bytes": None, "path": "elsewhere.jpg"}, "edited_image": None},
        {"image": None, "edited_image": None},
    ]
    assert decided(pa.Table.from_pylist(rows), tmp_path, feed) == [KEEP, NO_PICTURE, NO_PICTURE, NO_PICTURE]


def test_codes_are_made_of_every_picture_of_a_row(feed: Path, cat: bytes, cup: bytes, tmp_path: Path) -> None:
    pq.write_table(pa.table({"image": [cup, cup], "edited_image": [cup, cat]}), tmp_path / "a.parquet")
    assert hibs("fingerprint", tmp_path / "a.parquet", "--out", tmp_path / "codes").exit_code == 0
    told = hibs("honour", tmp_path / "a.parquet", "--feed", feed, "--codes", tmp_path / "codes", "--json")
    assert decisions_in(told) == [KEEP, DROP]
    assert "0 pictures decoded" in told.stderr


def test_pictures_in_a_dictionary_are_read(feed: Path, cat: bytes, cup: bytes, tmp_path: Path) -> None:
    assert decided(pa.table({"image": pa.array([cup, cat]).dictionary_encode()}), tmp_path, feed) == [KEEP, DROP]


def test_a_column_that_stands_there_twice_is_refused_with_its_name(feed: Path, cup: bytes, tmp_path: Path) -> None:
    pq.write_table(pa.table([[cup], [cup]], names=["image", "image"]), tmp_path / "a.parquet")
    told = hibs("honour", tmp_path / "a.parquet", "--feed", feed)
    assert told.exit_code == 1
    assert "two of its columns are named 'image'" in told.stdout


def test_counts_of_img2dataset_beside_its_parquet_go_with_it(
    feed: Path, cat: bytes, cup: bytes, tmp_path: Path
) -> None:
    shards = tmp_path / "shards"
    shards.mkdir()
    row = {"url": None, "key": "0", "status": "success", "error_message": None}
    rows = [{**row, "jpg": cup}, {**row, "jpg": cat}, {**row, "status": "failed_to_download", "jpg": None}]
    pq.write_table(pa.Table.from_pylist(rows), shards / "00000.parquet")
    (shards / "00000_stats.json").write_text(json.dumps({"count": 3, "successes": 2, "failed_to_download": 1}))
    told = hibs("honour", shards, "--feed", feed, "--out", tmp_path / "kept", "--json")
    assert decisions_in(told) == [KEEP, DROP, NO_PICTURE]
    counts = json.loads((tmp_path / "kept" / "00000_stats.json").read_text())
    assert counts == {"count": 1, "successes": 1, "failed_to_download": 0}
    assert pq.read_table(tmp_path / "kept" / "00000.parquet").num_rows == 1


def test_a_list_with_line_ends_of_old_macintoshes_is_not_checked(feed: Path, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"url,t\rhttp://a.example/1,x\r")
    told = hibs("honour", tmp_path / "a.csv", "--feed", feed, "--out", tmp_path / "kept")
    assert told.exit_code == 1
    assert "its first row cannot be read" in told.stdout
    assert (tmp_path / "kept" / "a.csv").read_bytes() == b""


NOTES = st.recursive(
    st.none() | st.integers() | st.just("Image") | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["info", "features", "feature", "_type", "image", "x"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(notes=NOTES, image=st.sampled_from([None, "x", "image"]))
def test_notes_of_any_shape_never_hide_a_column_that_is_named_as_a_picture(
    notes: Any, image: str | None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "notes.parquet"
    table = pa.table({"image": [b"1"], "x": [b"2"], "n": [3]})
    pq.write_table(table.replace_schema_metadata({"huggingface": json.dumps(notes)}), path)
    with open_table(path) as opened:
        found = pictures_of(opened, NOTHING_NAMED if image is None else Named(image=image))
    assert found == (image,) if image else set(found) in ({"image"}, {"image", "x"})


@given(st.lists(st.text(max_size=30), max_size=10))
def test_names_of_columns_are_never_more_than_those_given(names: list[str]) -> None:
    assert set(picture_names(names)) <= set(names)


def test_pictures_that_could_not_be_read_end_with_1_each_time_and_rows_without_any_with_0(
    cup: bytes, tmp_path: Path
) -> None:
    pq.write_table(pa.table({"image": [cup, cup[:500], None]}), tmp_path / "a.parquet")
    (tmp_path / "a.txt").write_text("https://a.example/1.jpg\n")
    for source, ends_with in (("a.parquet", 1), ("a.txt", 0)):
        told = [hibs("fingerprint", tmp_path / source, "--out", tmp_path / "codes") for _ in range(2)]
        assert [one.exit_code for one in told] == [ends_with] * 2
        counted = "3 rows, 1 pictures, 1 unreadable" if ends_with else "1 rows, 0 pictures"
        assert [one.stdout for one in told] == [
            f"{tmp_path / source}: {counted}, {how}\n" for how in ("made", "was there")
        ]
