"""webdataset tars: samples, what they say, and what a tar may do to its reader."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import tracemalloc
from pathlib import Path

import pytest
from archives_made import LIMITS, entries_of, img2dataset_row, tar_bytes, webdataset
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from checker.model import Locator
from crawler.archives.entries import Failed, Item, Limits, Passed, Trouble
from crawler.archives.tars import read_tar

JPEG = b"\xff\xd8\xff\xe0 a picture as far as a tar knows"


def written(tmp_path: Path, body: bytes, name: str = "00000.tar") -> Path:
    path = tmp_path / name
    path.write_bytes(body)
    return path


def test_neighbours_with_one_stem_are_one_sample(tmp_path: Path) -> None:
    path = written(tmp_path, webdataset({"000000007": JPEG, "000000009": JPEG + b"2"}))
    first, second = entries_of(read_tar, path)
    assert isinstance(first, Item)
    assert (first.locator, first.body, first.after) == (Locator("00000.tar", 0, "000000007"), JPEG, 1)
    assert first.told.image_url == "https://img.example/000000007.jpg"
    assert (first.told.caption, first.told.resized) == ("caption of 000000007", False)
    assert (second.locator, second.after) == (Locator("00000.tar", 1, "000000009"), 2)


def test_the_stem_ends_at_the_first_dot_of_the_name(tmp_path: Path) -> None:
    # webdataset: everything behind the first dot of the last part is the extension
    members = [("dir.v1/a.left.jpg", JPEG), ("dir.v1/a.right.JPG", JPEG + b"r"), ("dir.v1/a.txt", b" two views ")]
    left, right = entries_of(read_tar, written(tmp_path, tar_bytes(members)))
    assert isinstance(left, Item)
    assert isinstance(right, Item)
    assert (left.locator.key, right.locator.key) == ("dir.v1/a", "dir.v1/a")
    assert (left.told.caption, right.body) == ("two views", JPEG + b"r")
    assert (left.after, right.after) == (0, 1)  # behind the first of two pictures the sample is not passed


@pytest.mark.parametrize("name", ["README", ".hidden.jpg", "._a.jpg", "a.cls", "a.npy", "dir/.jpg"])
def test_members_that_are_no_pictures_give_no_picture(tmp_path: Path, name: str) -> None:
    entries = entries_of(read_tar, written(tmp_path, tar_bytes([(name, b"x")])))
    assert [entry for entry in entries if not isinstance(entry, Passed)] == []


def test_a_sample_that_was_not_downloaded_is_no_picture_and_no_failure(tmp_path: Path) -> None:
    row = img2dataset_row("1", b"", status="failed_to_download", error_message="HTTP Error 404")
    path = written(tmp_path, tar_bytes([("1.json", json.dumps(row).encode())]))
    assert entries_of(read_tar, path) == [Passed(1, "not-downloaded")]


def test_a_sample_without_the_picture_that_it_tells_of_is_a_failure(tmp_path: Path) -> None:
    path = written(tmp_path, tar_bytes([("1.json", json.dumps(img2dataset_row("1", b"")).encode())]))
    (entry,) = entries_of(read_tar, path)
    assert isinstance(entry, Failed)
    assert entry.trouble is Trouble.NO_PICTURE


def test_another_size_than_was_found_is_told(tmp_path: Path) -> None:
    (entry,) = entries_of(read_tar, written(tmp_path, webdataset({"1": JPEG}, original_width=4000.0)))
    assert isinstance(entry, Item)
    assert entry.told.resized


@pytest.mark.parametrize("start", range(6))
def test_a_reader_goes_on_behind_any_sample(tmp_path: Path, start: int) -> None:
    path = written(tmp_path, webdataset({str(number): JPEG + bytes([number]) for number in range(5)}))
    whole = entries_of(read_tar, path)
    assert entries_of(read_tar, path, start=start) == whole[start:]


def test_gzip_is_undone_whatever_the_file_is_called(tmp_path: Path) -> None:
    packed = written(tmp_path, gzip.compress(webdataset({"1": JPEG})), "a.tar.gz")
    misnamed = written(tmp_path, gzip.compress(webdataset({"1": JPEG})), "a.tar")
    for path in (packed, misnamed):
        (entry,) = entries_of(read_tar, path)
        assert isinstance(entry, Item)
        assert entry.body == JPEG


# --- damage ----------------------------------------------------------------------------------------------------


def test_of_a_tar_that_was_cut_off_the_readable_part_is_kept_and_the_damage_named(tmp_path: Path) -> None:
    whole = webdataset({str(number): JPEG * 40 for number in range(5)})
    for body in (whole[: len(whole) // 2], gzip.compress(whole)[:-20], gzip.compress(whole)[:200]):
        *items, last = entries_of(read_tar, written(tmp_path, body))
        assert all(isinstance(item, Item) for item in items)
        assert isinstance(last, Failed)
        assert last.trouble is Trouble.DAMAGED


def test_a_tar_without_its_end_mark_is_named_and_all_of_it_is_read(tmp_path: Path) -> None:
    # POSIX pax, ustar Interchange Format: two 512-octet blocks of zeros mark the end
    whole = tar_bytes([("1.jpg", JPEG)])
    item, last = entries_of(read_tar, written(tmp_path, whole[:1024]))
    assert isinstance(item, Item)
    assert isinstance(last, Failed)
    assert "no end mark" in last.detail


def test_a_damaged_header_ends_the_file_there_and_not_silently(tmp_path: Path) -> None:
    damaged = bytearray(tar_bytes([("1.jpg", JPEG), ("2.jpg", JPEG)]))
    damaged[1024 + 148 : 1024 + 156] = b"9" * 8  # the checksum of the second member
    item, last = entries_of(read_tar, written(tmp_path, bytes(damaged)))
    assert isinstance(item, Item)
    assert isinstance(last, Failed)
    assert "byte 1024" in last.detail


@pytest.mark.parametrize("body", [b"", b"x" * 2000, b"\x1f\x8b", b"\x1f\x8b" + b"x" * 100])
def test_what_is_no_tar_is_one_failure(tmp_path: Path, body: bytes) -> None:
    (entry,) = entries_of(read_tar, written(tmp_path, body))
    assert isinstance(entry, Failed)
    assert entry.trouble is Trouble.DAMAGED


def test_a_missing_file_is_one_failure(tmp_path: Path) -> None:
    (entry,) = entries_of(read_tar, tmp_path / "gone.tar")
    assert isinstance(entry, Failed)
    assert "No such file" in entry.detail


# --- hostile ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_are_named_and_not_followed(tmp_path: Path, kind: bytes) -> None:
    link = tarfile.TarInfo("1.jpg")
    link.type, link.linkname = kind, "/etc/passwd"
    failed, item = entries_of(read_tar, written(tmp_path, tar_bytes([("1.jpg", link), ("2.jpg", JPEG)])))
    assert isinstance(failed, Failed)
    assert failed.trouble is Trouble.NOT_READ
    assert isinstance(item, Item)


def test_names_that_lead_elsewhere_are_only_keys(tmp_path: Path) -> None:
    path = written(tmp_path, tar_bytes([("/etc/a.jpg", JPEG), ("../../b.jpg", JPEG)]))
    assert [entry.locator.key for entry in entries_of(read_tar, path)] == ["/etc/a", "../../b"]  # type: ignore[union-attr]
    assert sorted(tmp_path.iterdir()) == [path]


def test_a_picture_that_is_too_large_is_named_and_passed_over(tmp_path: Path) -> None:
    path = written(tmp_path, tar_bytes([("1.jpg", b"x" * 2001), ("2.jpg", JPEG)]))
    failed, item = entries_of(read_tar, path, limits=Limits(picture_bytes_max=2000))
    assert isinstance(failed, Failed)
    assert failed.trouble is Trouble.TOO_LARGE
    assert isinstance(item, Item)


def test_a_size_that_is_claimed_and_not_there_is_damage(tmp_path: Path) -> None:
    member = tarfile.TarInfo("1.jpg")
    member.size = 8 * 2**30
    body = member.tobuf(tarfile.GNU_FORMAT) + JPEG
    entries = entries_of(read_tar, written(tmp_path, body), limits=Limits(picture_bytes_max=2**40))
    assert isinstance(entries[-1], Failed)
    assert entries[-1].trouble is Trouble.DAMAGED


@pytest.mark.parametrize("format_", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_a_header_of_megabytes_is_damage(tmp_path: Path, format_: int) -> None:
    path = written(tmp_path, tar_bytes([("1.jpg", JPEG), ("n" * 2_000_000 + ".jpg", JPEG)], format=format_))
    item, last = entries_of(read_tar, path)
    assert isinstance(item, Item)
    assert isinstance(last, Failed)
    assert "claims to have more than 8192 bytes" in last.detail


def test_headers_that_only_name_headers_end_it(tmp_path: Path) -> None:
    header = tarfile.TarInfo("././@LongLink")
    header.type, header.size = tarfile.GNUTYPE_LONGNAME, 4
    body = (header.tobuf(tarfile.GNU_FORMAT) + b"abc\0" + bytes(508)) * 3000
    (entry,) = entries_of(read_tar, written(tmp_path, body))
    assert isinstance(entry, Failed)
    assert entry.trouble is Trouble.DAMAGED


def test_a_gzip_bomb_is_stopped(tmp_path: Path) -> None:
    path = tmp_path / "bomb.tar.gz"
    member = tarfile.TarInfo("1.bin")
    member.size = 2**31
    with gzip.open(path, "wb", compresslevel=1) as packed:
        packed.write(member.tobuf(tarfile.GNU_FORMAT))
        for _ in range(100):
            packed.write(bytes(2**20))
    tracemalloc.start()
    *_, entry = entries_of(read_tar, path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert isinstance(entry, Failed)
    assert entry.trouble is Trouble.DAMAGED
    assert peak < 8 * 2**20


def test_one_sample_of_many_pictures_does_not_fill_the_memory(tmp_path: Path) -> None:
    path = written(tmp_path, tar_bytes([(f"1.{number}.jpg", JPEG) for number in range(100)]))
    entries = entries_of(read_tar, path)
    assert len(entries) == 100
    assert {entry.locator.row for entry in entries if isinstance(entry, Item)} == {0, 1, 2, 3}  # 32 at a time


@pytest.mark.parametrize(
    "document", [b"", b"[1]", b"{", b"\xff", b"[" * 100_000, b'{"url": {"a": 1}, "sha256": 7, "width": "x"}']
)
def test_a_json_that_says_nothing_readable_costs_nothing_but_what_it_says(tmp_path: Path, document: bytes) -> None:
    (entry,) = entries_of(read_tar, written(tmp_path, tar_bytes([("1.jpg", JPEG), ("1.json", document)])))
    assert isinstance(entry, Item)
    assert (entry.told.image_url, entry.told.sha256) == (None, None)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_no_bytes_make_the_reader_fail(tmp_path: Path, data: st.DataObject) -> None:
    whole = bytearray(webdataset({"1": JPEG, "2": JPEG}))
    for _ in range(data.draw(st.integers(0, 6))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    body = bytes(whole[: data.draw(st.integers(0, len(whole)))])
    path = written(tmp_path, gzip.compress(body) if data.draw(st.booleans()) else body)
    for entry in entries_of(read_tar, path):
        assert isinstance(entry, Item | Failed | Passed)
        assert not isinstance(entry, Item) or len(entry.body or b"") <= LIMITS.picture_bytes_max


def test_a_tar_that_python_writes_by_itself_is_read_the_same(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "ü.jpg").write_bytes(JPEG)
    written_ = io.BytesIO()
    with tarfile.open(fileobj=written_, mode="w") as tar:
        tar.add(tmp_path / "in", arcname="in")
    (entry,) = entries_of(read_tar, written(tmp_path, written_.getvalue()))
    assert isinstance(entry, Item)
    assert (entry.locator.key, entry.body) == ("in/ü", JPEG)
