"""`hibs ingest` of tar, Parquet, WARC and img2dataset folders: what is recorded, what is named, how a run goes on."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import typer
from archives_made import Warc, img2dataset_row, tar_bytes, webdataset
from hibs_command import CHECKOUT, Hibs
from PIL import Image
from signalled import stopped_after
from typer.testing import CliRunner, Result

from checker.model import Sighting, SourceDetails
from checker.records.folder import DataFolder
from crawler.cli import ingest as body

THEN = datetime(2021, 3, 4, 5, 6, 7, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the second code, which none of this is about."""
    monkeypatch.setenv("HIBS_ROBUST", "off")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def photos(images: Path) -> dict[str, bytes]:
    names = ("astronaut", "chelsea", "coffee", "rocket", "coins")
    return {name: (images / f"{name}.jpg").read_bytes() for name in names}


def sightings(data: Path) -> list[Sighting]:
    with DataFolder.open(data, create=False) as folder:
        found = folder.store.sightings_of(range(5000))
    return sorted((one for many in found.values() for one in many), key=lambda one: str(one.locator))


def ingest(*given: object, exit_code: int = 0) -> Result:
    """The command, in this process: most of what these tests wait for would be imports."""
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(body)
    done = CliRunner().invoke(app, [*map(str, given), "--data", "data"])
    assert done.exit_code == exit_code, done.output
    return done


def counted(*given: object, exit_code: int = 0) -> dict[str, object]:
    document = json.loads(ingest(*given, "--json", exit_code=exit_code).stdout)
    assert isinstance(document, dict)
    return document


# --- tar and img2dataset ---------------------------------------------------------------------------------------


def test_a_webdataset_tar_is_recorded_with_addresses_captions_and_keys(
    photos: dict[str, bytes], tmp_path: Path
) -> None:
    (tmp_path / "00000.tar").write_bytes(webdataset(photos))
    document = counted("00000.tar", "--source", "Example-400M")
    assert (document["recorded"], document["new"], document["unreadable"]) == (5, 5, 0)
    first = sightings(tmp_path / "data")[0]
    assert first.locator is not None
    assert (first.locator.file, first.locator.row, first.locator.key) == ("00000.tar", 0, "astronaut")
    assert (first.image_url, first.caption) == ("https://img.example/astronaut.jpg", "caption of astronaut")
    assert (first.source.name, first.source.kind, first.verdict) == ("Example-400M", "archive", {})


def test_check_tells_where_in_the_archive_a_photo_lies(
    hibs: Hibs, photos: dict[str, bytes], tmp_path: Path, images: Path
) -> None:
    (tmp_path / "00000.tar").write_bytes(webdataset(photos))
    ingest("00000.tar", "--source", "Example-400M")
    document = json.loads(hibs("check", images / "coffee.jpg", "--data", "data", "--json").stdout)
    (sighting,) = document["matches"][0]["sightings"]
    assert sighting["locator"] == {"file": "00000.tar", "row": 2, "key": "coffee"}
    assert sighting["image_url"] == "https://img.example/coffee.jpg"


def test_bytes_that_are_not_what_the_archive_says_are_recorded_without_its_address(
    photos: dict[str, bytes], tmp_path: Path
) -> None:
    (tmp_path / "0.tar").write_bytes(webdataset(photos, sha256="ab" * 32))
    done = ingest("0.tar", exit_code=1)
    assert "0.tar row 0 (astronaut): its SHA-256 is not the one that the archive tells" in done.stderr
    assert {one.image_url for one in sightings(tmp_path / "data")} == {None}
    resized = webdataset(photos, sha256="ab" * 32, original_width=4000)
    (tmp_path / "1.tar").write_bytes(resized)  # another size: the digest is that of the file that was found
    assert counted("1.tar")["sha256_differs"] == 0


def test_a_folder_that_img2dataset_wrote_is_read_whole(photos: dict[str, bytes], tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / "00001").mkdir(parents=True)
    (out / "00000.tar").write_bytes(tar_bytes([(f"{n}.jpg", body) for n, body in photos.items()]))
    failed = img2dataset_row("gone", b"", status="failed_to_download", error_message="HTTP Error 404")
    rows = [*(img2dataset_row(name, body) for name, body in photos.items()), failed]
    pq.write_table(pa.Table.from_pylist(rows), out / "00000.parquet")
    (out / "00001" / "000010000.jpg").write_bytes(photos["coffee"])
    (out / "00001" / "000010000.json").write_text(json.dumps(img2dataset_row("000010000", photos["coffee"])))
    pq.write_table(pa.Table.from_pylist([img2dataset_row("000010000", b"")]), out / "00001.parquet")
    (out / "00000_stats.json").write_text("{}")
    document = counted("out", "--source", "ours")
    assert (document["recorded"], document["new"], document["not_downloaded"]) == (6, 5, 1)
    assert document["listed"] == 0
    found = {(one.locator.file, one.image_url) for one in sightings(tmp_path / "data") if one.locator}
    assert ("00000.tar", "https://img.example/coffee.jpg") in found  # told by the table beside the tar
    assert ("00001/000010000.jpg", "https://img.example/000010000.jpg") in found  # by the .json beside the picture


def test_a_picture_and_its_edited_copy_in_one_row_are_both_recorded_and_found(
    photos: dict[str, bytes], tmp_path: Path, hibs: Hibs
) -> None:
    rows = [
        {"image": {"bytes": photos["chelsea"], "path": None}, "edited_image": photos["coffee"], "id": "a"},
        {"image": {"bytes": photos["rocket"], "path": None}, "edited_image": None, "id": "b"},
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "edits.parquet")
    assert counted("edits.parquet")["recorded"] == 3
    assert counted("edits.parquet", "--refresh")["new"] == 0
    told = [one.locator.to_dict() for one in sightings(tmp_path / "data") if one.locator]
    assert told == [
        {"file": "edits.parquet", "row": 0, "key": "a", "column": "edited_image"},
        {"file": "edits.parquet", "row": 0, "key": "a", "column": "image"},
        {"file": "edits.parquet", "row": 1, "key": "b", "column": "image"},
    ]
    (tmp_path / "asked.jpg").write_bytes(photos["coffee"])
    found = json.loads(hibs("check", "asked.jpg", "--data", "data", "--json").stdout)
    assert found["matches"][0]["sightings"][0]["locator"] == told[0]


def test_pictures_in_a_parquet_column_are_recorded(photos: dict[str, bytes], tmp_path: Path) -> None:
    rows = [{**img2dataset_row(name, body), "jpg": body} for name, body in photos.items()]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "00000.parquet", row_group_size=2)
    assert counted("00000.parquet")["recorded"] == 5
    places = [one.locator for one in sightings(tmp_path / "data")]
    assert [(at.file, at.row, at.key) for at in places if at][:2] == [
        ("00000.parquet", 0, "astronaut"),
        ("00000.parquet", 1, "chelsea"),
    ]


def test_what_a_picture_in_an_archive_says_of_itself_is_recorded(images: Path, tmp_path: Path) -> None:
    xmp = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:plus="http://ns.useplus.org/ldf/xmp/1.0/" '
        'plus:DataMining="http://ns.useplus.org/ldf/vocab/DMI-PROHIBITED-AIMLTRAINING"/></rdf:RDF></x:xmpmeta>'
    )
    with Image.open(images / "coffee.jpg") as photo:
        photo.save(tmp_path / "coffee.jpg", xmp=xmp.encode())
    (tmp_path / "0.tar").write_bytes(webdataset({"coffee": (tmp_path / "coffee.jpg").read_bytes()}))
    counted("0.tar")
    (one,) = sightings(tmp_path / "data")
    assert one.verdict["train-ai"] == "deny"


# --- WARC ------------------------------------------------------------------------------------------------------


def test_a_warc_gives_pictures_with_what_was_said_then(hibs: Hibs, photos: dict[str, bytes], tmp_path: Path) -> None:
    warc = Warc().response("https://img.example/a.jpg", photos["coffee"], ("X-Robots-Tag", "noai"))
    warc.response("https://img.example/b.jpg", photos["coins"])
    (tmp_path / "crawl.warc.gz").write_bytes(warc.bytes())
    assert counted("crawl.warc.gz")["recorded"] == 2
    refused, silent = sightings(tmp_path / "data")
    assert (refused.image_url, refused.first_seen, refused.last_seen) == ("https://img.example/a.jpg", THEN, THEN)
    assert refused.source.kind == "web-archive"
    assert (refused.verdict["train-ai"], refused.verdict["search"]) == ("deny", "unspecified")
    assert silent.verdict["train-ai"] == "unspecified"
    said = hibs("signals", "--url", "https://img.example/a.jpg", "--data", "data", "--on", "2021-03-05").stdout
    assert "train-ai deny" in said
    assert "decided by header X-Robots-Tag: noai" in said


def test_what_a_site_did_not_want_in_an_index_is_withheld(
    hibs: Hibs, photos: dict[str, bytes], tmp_path: Path, images: Path
) -> None:
    warc = Warc().response("https://img.example/a.jpg", photos["coffee"], ("X-Robots-Tag", "noindex"))
    (tmp_path / "crawl.warc").write_bytes(warc.bytes())
    counted("crawl.warc")
    document = json.loads(hibs("check", images / "coffee.jpg", "--data", "data", "--json").stdout)
    (match,) = document["matches"]
    assert (match["where"], match["sightings"]) == ("withheld", [])


def test_robots_txt_files_of_a_web_archive_are_evidence(hibs: Hibs, tmp_path: Path) -> None:
    warc = Warc().response("http://a.example/robots.txt", b"User-agent: GPTBot\nDisallow: /", content_type="text/plain")
    (tmp_path / "robotstxt.warc.gz").write_bytes(warc.bytes())
    done = ingest("robotstxt.warc.gz")
    assert "1 robots.txt file kept as evidence" in done.stdout
    said = hibs("signals", "--url", "http://a.example/", "--data", "data", "--on", "2021-03-05").stdout
    assert "http://a.example/robots.txt  HTTP 200, 30 bytes" in said


def test_what_a_site_said_on_a_day_is_told_of_addresses_that_nobody_visited(hibs: Hibs, tmp_path: Path) -> None:
    refusing = b"User-agent: *\nContent-Usage: train-ai=n\nDisallow: /private/\n"
    warc = Warc().response("http://a.example/robots.txt", refusing, content_type="text/plain")
    warc.response("http://a.example/robots.txt", b"", status="404 Gone", date="2023-01-01T00:00:00Z")
    (tmp_path / "robotstxt.warc.gz").write_bytes(warc.bytes())
    ingest("robotstxt.warc.gz")

    def said(day: str, url: str = "http://a.example/p/a.jpg") -> dict[str, object] | None:
        document = json.loads(hibs("signals", "--url", url, "--data", "data", "--on", day, "--json").stdout)
        found = document["said_by_robots"]
        return found["verdict"] if found else None

    assert said("2021-03-03") is None
    then = said("2021-03-05")
    assert then is not None
    assert (then["crawl"], then["train-ai"]) == ("allow", "deny")
    assert (said("2022-03-05", "http://a.example/private/a.jpg") or {})["crawl"] == "deny"
    later = said("2023-01-02")
    assert later is not None
    assert (later["crawl"], later["train-ai"]) == ("allow", "unspecified")
    shown = hibs("signals", "--url", "http://a.example/p/a.jpg", "--data", "data", "--on", "2021-03-05").stdout
    assert shown.startswith("by the robots.txt of its host alone, known from 2021-03-04 05:06 to 2021-03-04 05:06 UTC")


# --- going on --------------------------------------------------------------------------------------------------


def test_a_second_run_has_nothing_to_do_and_a_changed_file_is_read_again(
    photos: dict[str, bytes], tmp_path: Path
) -> None:
    path = tmp_path / "0.tar"
    path.write_bytes(webdataset(photos))
    counted("0.tar")
    assert ingest("0.tar").stdout.startswith("nothing new: 1 file read before")
    assert counted("0.tar", "--refresh")["recorded"] == 5
    path.write_bytes(webdataset({name: photos[name] for name in ("coffee", "rocket")}))
    document = counted("0.tar")
    assert (document["recorded"], document["new"], document["files_unchanged"]) == (2, 0, 0)
    assert len(sightings(tmp_path / "data")) == 7  # two places are new: another row of the file that is there now


def test_of_a_damaged_archive_the_readable_part_is_kept_and_the_next_file_goes_on(
    photos: dict[str, bytes], tmp_path: Path
) -> None:
    whole = webdataset(photos)
    (tmp_path / "0.tar").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "1.tar").write_bytes(webdataset({"only": photos["coins"]}))
    done = ingest("0.tar", "1.tar", exit_code=1)
    assert done.stderr.count("\n") == 1
    assert "0.tar row " in done.stderr
    assert "what came before it was read, get another copy for the rest" in done.stderr
    assert {one.locator.file for one in sightings(tmp_path / "data") if one.locator} == {"0.tar", "1.tar"}


def many(tmp_path: Path) -> dict[str, bytes]:
    """Three hundred pictures that differ: trailing bytes of a JPEG are not looked at."""
    small = tmp_path / "small.jpg"
    with Image.open(CHECKOUT / "fixtures" / "images" / "coffee.jpg") as photo:
        photo.resize((96, 64)).save(small)
    body = small.read_bytes()
    return {f"{number:09}": body + b"%d" % number for number in range(300)}


@pytest.mark.parametrize("kind", ["tar", "parquet"])
def test_a_run_that_was_killed_goes_on_and_nothing_is_lost_or_doubled(tmp_path: Path, kind: str) -> None:
    samples = many(tmp_path)
    path = tmp_path / f"00000.{kind}"
    if kind == "tar":
        path.write_bytes(webdataset(samples))
    else:
        rows = [{**img2dataset_row(key, body), "jpg": body} for key, body in samples.items()]
        pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=50)
    command = [sys.executable, "-P", "-m", "checker", "ingest", path.name, "--data", "data"]
    killed = stopped_after(tmp_path, "checker.records.store:CorpusStore.record_archive", call=2)
    assert subprocess.run(command, cwd=tmp_path, env=killed, check=False).returncode == -signal.SIGKILL
    with DataFolder.open(tmp_path / "data", create=False) as folder:
        recorded_before = folder.store.counts().images
    assert 0 < recorded_before < 300
    # What was recorded and how far the file was read commit together, so nothing is read twice.
    assert counted(path.name)["recorded"] == 300 - recorded_before
    rows = [one.locator.row for one in sightings(tmp_path / "data") if one.locator]
    assert sorted(row for row in rows if row is not None) == list(range(300))


# --- who made it -----------------------------------------------------------------------------------------------


def test_who_made_a_source_is_kept_from_options_and_a_file(photos: dict[str, bytes], tmp_path: Path) -> None:
    (tmp_path / "0.tar").write_bytes(webdataset({"a": photos["coins"]}))
    (tmp_path / "about.toml").write_text('name = "Example-400M"\nversion = "1"\nrun_by = "Example e.V."\n')
    ingest("0.tar", "--source-file", "about.toml", "--opt-out-address", "no@example.org")
    with DataFolder.open(tmp_path / "data", create=False) as folder:
        (facts,) = folder.store.sources()
    assert facts.source.name == "Example-400M"
    assert facts.details == SourceDetails(version="1", run_by="Example e.V.", opt_out="no@example.org")
    again = ingest("0.tar", "--source", "Example-400M", "--source-version", "2", exit_code=2)
    assert "is recorded here as version 1, not 2" in again.stderr


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("a.json", "{", "is no JSON and no TOML"),
        ("a.toml", "x = ", "is no JSON and no TOML"),
        ("a.json", "[]", "holds no object"),
        ("a.json", '{"licence": "x"}', "says licence, which is not known; known are name, version"),
        ("a.json", '{"version": 2}', "version is no text; write it in quotation marks"),
        ("a.json", '{"name": "a\\nb"}', "is no line of at most 500 characters"),
        ("gone.json", "", "cannot be read: No such file"),
    ],
)
def test_a_source_file_that_cannot_be_used_is_said_to_be(tmp_path: Path, name: str, text: str, sentence: str) -> None:
    if text:
        (tmp_path / name).write_text(text)
    done = ingest(".", "--source-file", name, exit_code=2)
    assert sentence in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_photo_is_not_kept(photos: dict[str, bytes], tmp_path: Path) -> None:
    (tmp_path / "0.tar").write_bytes(webdataset(photos))
    counted("0.tar")
    part = photos["coffee"][200:400]
    assert not [path for path in (tmp_path / "data").rglob("*") if path.is_file() and part in path.read_bytes()]
