"""`hibs honour` over tars, Parquet and lists: every row decided, the kept ones written anew byte for byte."""

from __future__ import annotations

import gzip
import io
import json
import os
import tarfile
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from feed_simulator import ALL, files_of, follow, opened
from honour_made import NAMES, decisions_in, hibs, make_feed, make_shard, samples, tar_of
from hypothesis import given
from hypothesis import strategies as st

from checker.datasets.bounded import BoundedFile
from checker.datasets.parts import parts_of
from checker.datasets.reading import read_part
from checker.datasets.text_rows import text_rows
from checker.optout.entry import Evidence
from checker.settings import Settings

DROP, KEEP = ("drop", "near-entry"), ("keep", "none")
UNREADABLE, NO_PICTURE = ("not-checked", "unreadable"), ("not-checked", "no-picture")
DECIDED = [DROP, KEEP, KEEP, DROP, KEEP]
"""Of the five photos of `honour_made.NAMES`."""


@pytest.fixture(scope="module")
def feed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    images = Path(__file__).resolve().parent.parent.parent / "fixtures" / "images"
    return make_feed(tmp_path_factory.mktemp("feed"), images)


def test_a_sample_goes_as_a_whole_and_the_others_stay_byte_for_byte_with_their_headers(
    feed: Path, images: Path, tmp_path: Path
) -> None:
    members = samples(images)
    (tmp_path / "a.tar").write_bytes(tar_of(members))
    told = hibs("honour", tmp_path / "a.tar", "--feed", feed, "--out", tmp_path / "kept", "--json")
    assert (told.exit_code, decisions_in(told)) == (0, DECIDED)
    kept = {name: body for name, body in members.items() if int(name[:9]) in (1, 2, 4)}
    with tarfile.open(tmp_path / "kept" / "a.tar") as tar:
        assert tar.getnames() == list(kept)
        for member in tar:
            number = list(members).index(member.name)
            assert (member.mtime, member.uname) == (1_600_000_000 + number, "somebody")
            read = tar.extractfile(member)
            assert read is not None
            assert read.read() == kept[member.name]
    assert (tmp_path / "kept" / "a.tar").stat().st_size % 10_240 == 0


def test_a_tar_of_which_all_is_kept_stays_as_it_is(feed: Path, images: Path, tmp_path: Path) -> None:
    long_names = {f"{'deep/' * 40}{name}": body for name, body in samples(images, ["coffee", "rocket"]).items()}
    for name, form in (("gnu.tar", tarfile.GNU_FORMAT), ("pax.tar", tarfile.PAX_FORMAT)):
        (tmp_path / name).write_bytes(tar_of(long_names, format=form, pax_headers={"comment": "for all"}))
        assert hibs("honour", tmp_path / name, "--feed", feed, "--out", tmp_path / f"k-{name}").exit_code == 0
        assert (tmp_path / f"k-{name}" / name).read_bytes() == (tmp_path / name).read_bytes()


def test_a_packed_tar_is_packed_anew(feed: Path, images: Path, tmp_path: Path) -> None:
    (tmp_path / "a.tar.gz").write_bytes(gzip.compress(tar_of(samples(images))))
    assert hibs("honour", tmp_path / "a.tar.gz", "--feed", feed, "--out", tmp_path / "kept").exit_code == 0
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress((tmp_path / "kept/a.tar.gz").read_bytes()))) as tar:
        assert [name for name in tar.getnames() if name.endswith(".jpg")] == [
            "000000001.jpg",
            "000000002.jpg",
            "000000004.jpg",
        ]


def test_table_and_counts_of_img2dataset_stay_in_step_with_the_tar(feed: Path, images: Path, tmp_path: Path) -> None:
    shards = make_shard(tmp_path / "shards", images)
    told = hibs("honour", shards, "--feed", feed, "--out", tmp_path / "kept", "--report", tmp_path / "r.json")
    assert told.exit_code == 0
    table = pq.read_table(tmp_path / "kept" / "00000.parquet")
    assert table.column("key").to_pylist() == ["000000001", "000000002", "000000004"]
    assert table.schema.equals(pq.read_schema(shards / "00000.parquet"), check_metadata=True)
    assert json.loads((tmp_path / "kept" / "00000_stats.json").read_text()) == {
        **{"count": 3, "successes": 3, "failed_to_download": 0, "failed_to_resize": 0, "duration": 2.5},
        "status_dict": {"success": 3},
    }
    report = json.loads((tmp_path / "r.json").read_text())
    assert report["inputs"][0]["not_downloaded"] == 1
    assert report["counts"] == {"rows": 5, "keep": 3, "drop": 2, "review": 0, "not-checked": 0}
    assert [row["url"] for row in report["rows"]][:2] == [
        "https://chelsea.example/000000000.jpg",
        "https://coffee.example/000000001.jpg",
    ]
    assert {one["domain"] for one in report["domains"]} == {f"{name}.example" for name in NAMES}


def test_a_tar_that_was_cut_off_is_read_as_far_as_it_goes_and_the_rest_is_named(
    feed: Path, images: Path, tmp_path: Path
) -> None:
    whole = tar_of(samples(images))
    (tmp_path / "cut.tar").write_bytes(whole[: len(whole) - 60_000])
    told = hibs("honour", tmp_path / "cut.tar", "--feed", feed, "--out", tmp_path / "kept", "--json")
    assert told.exit_code == 1
    assert decisions_in(told) == [*DECIDED[:4], UNREADABLE, UNREADABLE]
    with tarfile.open(tmp_path / "kept" / "cut.tar") as tar:
        assert {name[:9] for name in tar.getnames()} == {"000000001", "000000002"}


def test_what_is_no_sample_is_a_row_that_was_not_checked_and_no_name_leads_out(
    feed: Path, images: Path, tmp_path: Path
) -> None:
    coffee = (images / "coffee.jpg").read_bytes()
    link = tarfile.TarInfo("linked.jpg")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    written = io.BytesIO(tar_of({"../../evil.jpg": coffee, "README": b"read me", "only.txt": b"a text", "b.jpg": b"?"}))
    with tarfile.open(fileobj=written, mode="a") as tar:
        tar.addfile(link)
    (tmp_path / "odd.tar").write_bytes(written.getvalue())
    before = set(tmp_path.parent.rglob("*"))
    told = hibs("honour", tmp_path / "odd.tar", "--feed", feed, "--out", tmp_path / "kept", "--json")
    assert decisions_in(told) == [KEEP, NO_PICTURE, NO_PICTURE, UNREADABLE, UNREADABLE]
    new = {str(path.relative_to(tmp_path)) for path in set(tmp_path.parent.rglob("*")) - before}
    assert new == {"kept", "kept/odd.tar", "kept.decisions", "kept.decisions/odd.tar.parquet"}


def test_one_opted_out_picture_of_a_sample_decides_for_all_of_it(feed: Path, images: Path, tmp_path: Path) -> None:
    both = {f"1.{name}.jpg": (images / f"{name}.jpg").read_bytes() for name in ("coffee", "chelsea")}
    (tmp_path / "a.tar").write_bytes(tar_of(both))
    assert decisions_in(hibs("honour", tmp_path / "a.tar", "--feed", feed, "--json")) == [DROP]


def test_parquet_keeps_its_columns_types_and_metadata(feed: Path, images: Path, tmp_path: Path) -> None:
    pictures = [{"bytes": (images / f"{name}.jpg").read_bytes(), "path": None} for name in NAMES]
    rows = pa.table(
        {"label": pa.array([1, 2, 3, 4, 5, 6], pa.int8()), "image": [*pictures, {"bytes": None, "path": "x"}]}
    )
    rows = rows.replace_schema_metadata({"huggingface": '{"info": 1}'})
    pq.write_table(rows, tmp_path / "a.parquet", row_group_size=2, compression="zstd")
    told = hibs("honour", tmp_path / "a.parquet", "--feed", feed, "--out", tmp_path / "kept", "--json")
    assert (told.exit_code, decisions_in(told)) == (1, [*DECIDED, NO_PICTURE])
    kept = pq.ParquetFile(tmp_path / "kept" / "a.parquet")
    assert kept.schema_arrow.equals(rows.schema, check_metadata=True)
    assert kept.read().equals(rows.take([1, 2, 4]))
    assert kept.metadata.row_group(0).column(0).compression == "ZSTD"


def test_addresses_alone_are_never_kept(feed: Path, tmp_path: Path) -> None:
    pq.write_table(pa.table({"URL": ["https://a.example/1.jpg", None]}), tmp_path / "laion.parquet")
    (tmp_path / "list.csv").write_text("url,caption\nhttps://a.example/1.jpg,x\n")
    for name, rows in (("laion.parquet", 2), ("list.csv", 1)):
        told = hibs("honour", tmp_path / name, "--feed", feed, "--json")
        assert (told.exit_code, decisions_in(told)) == (1, [NO_PICTURE] * rows)
        assert "clean" not in (told.stdout + told.stderr).lower()


def test_addresses_are_decided_by_codes_that_were_made_of_the_pictures(
    feed: Path, images: Path, tmp_path: Path
) -> None:
    shards = make_shard(tmp_path / "shards", images)
    assert hibs("fingerprint", shards, "--out", tmp_path / "codes").exit_code == 0
    lines = [b"url,n\r\n", *(f"https://{name}.example/{n:09d}.jpg,{n}\r\n".encode() for n, name in enumerate(NAMES))]
    (tmp_path / "list.csv").write_bytes(b"".join([*lines, b"https://other.example/x.jpg,9\r\n"]))
    arguments = ("--feed", feed, "--codes", tmp_path / "codes", "--json", "--out", tmp_path / "kept")
    told = hibs("honour", tmp_path / "list.csv", *arguments)
    assert decisions_in(told) == [*DECIDED, NO_PICTURE]
    assert (tmp_path / "kept" / "list.csv").read_bytes() == b"".join([lines[0], lines[2], lines[3], lines[5]])


def test_known_codes_decode_nothing_and_decide_alike(feed: Path, images: Path, tmp_path: Path) -> None:
    shards = make_shard(tmp_path / "shards", images)
    (shards / "loose").mkdir()
    (shards / "loose" / "cat.jpg").write_bytes((images / "chelsea.jpg").read_bytes())
    (shards / "loose" / "notes.txt").write_text("bring milk")
    (shards / "cut.tar").write_bytes(tar_of(samples(images))[:200_000])
    first = hibs("honour", shards, "--feed", feed, "--json")
    assert hibs("fingerprint", shards, "--out", tmp_path / "codes").exit_code == 1
    again = hibs("honour", shards, "--feed", feed, "--codes", tmp_path / "codes", "--json")
    assert again.stdout == first.stdout
    assert " 0 pictures decoded (" in again.stderr
    alone = hibs("honour", tmp_path / "codes", "--feed", feed, "--json")
    assert sorted(decisions_in(alone)) == sorted(decisions_in(first))


def test_a_part_is_known_by_name_size_and_time_and_else_by_its_pictures(
    feed: Path, images: Path, tmp_path: Path
) -> None:
    shards = make_shard(tmp_path / "shards", images)
    hibs("fingerprint", shards, "--out", tmp_path / "codes")
    about = (shards / "00000.tar").stat()
    os.utime(shards / "00000.tar", ns=(about.st_atime_ns, about.st_mtime_ns + 1))
    told = hibs("honour", shards, "--feed", feed, "--codes", tmp_path / "codes", "--report", tmp_path / "r.json")
    report = json.loads((tmp_path / "r.json").read_text())
    assert (report["decoded"], report["known"]) == (0, {"place": 0, "sha256": 5, "url": 0})
    (shards / "00000.tar").write_bytes(bytes(about.st_size))
    os.utime(shards / "00000.tar", ns=(about.st_atime_ns, about.st_mtime_ns))
    told = hibs("honour", shards, "--feed", feed, "--codes", tmp_path / "codes", "--json")
    assert decisions_in(told) == DECIDED, "name, size and time are trusted: no byte was read"


def test_codes_are_made_once(images: Path, tmp_path: Path) -> None:
    shards = make_shard(tmp_path / "shards", images)
    assert "made" in hibs("fingerprint", shards, "--out", tmp_path / "codes").stdout
    before = files_of(tmp_path / "codes")
    make_shard(shards, images, "00001")
    told = hibs("fingerprint", shards, "--out", tmp_path / "codes")
    assert told.stdout.splitlines() == [
        f"{shards}/00000.tar: 5 rows, 5 pictures, was there",
        f"{shards}/00001.tar: 5 rows, 5 pictures, made",
    ]
    assert files_of(tmp_path / "codes").items() > before.items()


def test_an_address_that_its_host_opted_out_is_dropped_whatever_the_picture_is(images: Path, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    with opened(tmp_path / "data", now) as opt_outs:
        opt_outs.record([], uses=ALL, evidence=Evidence.HOST_FILE, now=now, addresses=["coffee.example/"])
    follow(tmp_path / "data", tmp_path / "feed", now)
    shards = make_shard(tmp_path / "shards", images)
    (tmp_path / "list.txt").write_text("# ours\nhttps://coffee.example/b.jpg\nhttp://other.example/b.jpg\n")
    sources, feed = (shards, tmp_path / "list.txt"), ("--feed", tmp_path / "feed", "--json")
    by_address = ("drop", "address-entry")
    expected = [KEEP, by_address, KEEP, KEEP, KEEP, by_address, NO_PICTURE]
    assert decisions_in(hibs("honour", *sources, *feed)) == expected
    hibs("fingerprint", shards, "--out", tmp_path / "codes")
    assert decisions_in(hibs("honour", *sources, *feed, "--codes", tmp_path / "codes")) == expected


def test_a_code_that_no_picture_has_is_not_checked(feed: Path, tmp_path: Path) -> None:
    texts = ["00" * 32, "ff" * 16 + "00" * 16, None, "no code"]
    pq.write_table(pa.table({"key": [1, 2, 3, 4], "PHASH256": texts}), tmp_path / "codes.parquet")
    told = hibs("honour", tmp_path / "codes.parquet", "--feed", feed, "--json")
    assert decisions_in(told) == [UNREADABLE, KEEP, UNREADABLE, UNREADABLE]


@given(cut=st.integers(0, 9_000), at=st.integers(0, 9_000), byte=st.integers(0, 255))
def test_a_damaged_tar_gives_rows_and_no_exception(
    tmp_path_factory: pytest.TempPathFactory, cut: int, at: int, byte: int
) -> None:
    body = bytearray(tar_of({f"{number}.jpg": b"x" * 700 for number in range(4)}))
    body[at % len(body)] = byte
    path = tmp_path_factory.getbasetemp() / "damaged.tar"
    path.write_bytes(body[: len(body) - cut])
    rows = [sample.row for sample in read_part(parts_of([path])[0], Settings())]
    assert rows == list(range(len(rows)))


@given(text=st.text(alphabet='ab,"#\n\r\t', max_size=60), kind=st.sampled_from(["csv", "tsv", "txt", "jsonl"]))
def test_the_lines_of_a_list_are_rows_and_what_stands_between(
    tmp_path_factory: pytest.TempPathFactory, text: str, kind: str
) -> None:
    path = tmp_path_factory.getbasetemp() / f"list.{kind}"
    body = ("url\n" if kind in ("csv", "tsv") else "") + text
    path.write_bytes(body.encode())
    with BoundedFile(path) as opened:
        read = b"".join(row.lead + row.raw for row in text_rows(path.name, opened))
    assert body.encode().startswith(read)
