"""`hibs check` and `hibs fingerprint`: the contract's JSON, the exit codes, a sentence for each bad input."""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import imagehash
import pytest
from hibs_command import CHECKOUT, Hibs
from PIL import Image, ImageOps

from checker.fingerprint import Depth, fingerprint_file
from checker.fingerprint.robust import RobustModel
from checker.model import Locator, Picture
from checker.records.folder import DataFolder
from checker.settings import Settings
from checker.visits import PictureSeen


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder `d` with two photos of an archive, and a folder `seen` with the same two."""
    place, now = tmp_path_factory.mktemp("made"), datetime(2026, 11, 22, 14, 3, tzinfo=UTC)
    (place / "seen").mkdir()
    with DataFolder.open(place / "d", create=True) as folder:
        source = folder.store.source("old archive", kind="folder", now=now)
        for name in ("chelsea.jpg", "coffee.jpg"):
            photo = CHECKOUT / "fixtures" / "images" / name
            shutil.copy(photo, place / "seen")
            picture = fingerprint_file(photo, Settings())
            assert isinstance(picture, Picture)
            seen = PictureSeen(picture, servable=True)
            folder.store.record_file(seen, source=source, locator=Locator(file=name), now=now)
    return place


@pytest.fixture
def data(made: Path, tmp_path: Path) -> Path:
    """A copy of that for one test: its data folder."""
    return Path(shutil.copytree(made, tmp_path, dirs_exist_ok=True)) / "d"


def test_fingerprint_prints_imagehash_s_bits(hibs: Hibs, images: Path) -> None:
    done = hibs("fingerprint", images / "coffee.jpg", "--json")
    row = json.loads(done.stdout)
    assert set(row) == {"path", "status", "reason", "width", "height", "format", "sha256", "codes", "plain"}
    assert row["codes"]["phash256"]["version"] == "1"
    expected = imagehash.phash(Image.open(images / "coffee.jpg"), hash_size=16)
    assert imagehash.hex_to_hash(row["codes"]["phash256"]["hex"]) - expected <= 8


def test_one_line_a_picture_in_the_contract_s_form(hibs: Hibs, data: Path, images: Path) -> None:
    done = hibs("check", images / "coffee.jpg", images / "rocket.jpg", "--data", data, "--json")
    found, missing = (json.loads(line) for line in done.stdout.splitlines())
    assert set(found) == {"path", "status", "reason", "coverage", "matches"}
    assert found["matches"][0]["sightings"][0]["locator"]["file"] == "coffee.jpg"
    assert found["matches"][0]["sightings"][0]["source"]["name"] == "old archive"
    assert missing["matches"] == []
    assert missing["coverage"]["images"] == 2
    assert missing["coverage"]["checks"] == ["phash256"]


def test_a_person_reads_coverage_with_every_no(hibs: Hibs, data: Path, images: Path) -> None:
    done = hibs("check", images / "rocket.jpg", "--data", data)
    assert "not found in 2 pictures from 1 source" in done.stdout
    assert "not found is no proof" in done.stdout


def test_fail_on_match_ends_with_3_and_3_wins_over_1(hibs: Hibs, data: Path, images: Path, tmp_path: Path) -> None:
    hibs("check", images / "rocket.jpg", "--data", data, "--fail-on-match")
    (tmp_path / "broken.jpg").write_text("no picture")
    hibs("check", images / "coffee.jpg", "broken.jpg", "--data", data, "--fail-on-match", exit_code=3)


def test_a_mirrored_copy_is_told_as_one_and_how_sure_it_is(
    hibs: Hibs, data: Path, images: Path, tmp_path: Path
) -> None:
    ImageOps.mirror(Image.open(images / "coffee.jpg")).save(tmp_path / "mirrored.jpg", quality=90)
    lines = hibs("check", "mirrored.jpg", "--data", data).stdout.splitlines()
    assert re.fullmatch(
        r"mirrored\.jpg  FOUND  an edited copy \(mirrored\): 1 picture, \d+ of 256 bits differ", lines[0]
    )
    assert lines[1] == "    chance of a coincidence in a collection of this size: below 1 in 1,000,000"
    assert lines[2] == "    file coffee.jpg of old archive"
    hibs("check", "mirrored.jpg", "--data", data, "--fail-on-match", exit_code=3)


@pytest.fixture
def forged(images: Path, tmp_path: Path, now: datetime, settings: Settings) -> Path:
    """A data folder with one picture that has the code of coffee.jpg and the details of rocket.jpg."""
    coffee, rocket = (
        fingerprint_file(images / name, settings, depth=Depth.STORED) for name in ("coffee.jpg", "rocket.jpg")
    )
    assert isinstance(coffee, Picture)
    assert isinstance(rocket, Picture)
    picture = replace(coffee, fingerprints=coffee.fingerprints[:1], tiles=rocket.tiles)
    with DataFolder.open(tmp_path / "forged", create=True) as folder:
        source = folder.store.source("old archive", kind="folder", now=now)
        place = Locator(file="forged.jpg")
        folder.store.record_file(PictureSeen(picture, servable=True), source=source, locator=place, now=now)
    return tmp_path / "forged"


def test_a_possible_copy_is_shown_apart_and_counts_as_not_found(hibs: Hibs, forged: Path, images: Path) -> None:
    photos = (images / "coffee.jpg", images / "brick.jpg")
    lines = hibs("check", *photos, "--data", forged, "--fail-on-match").stdout.splitlines()
    assert lines[0].startswith(f"{photos[0]}  not found in 1 picture from 1 source, newest ")
    assert lines[0].endswith("(not found is no proof); 1 possible")
    assert lines[1] == f"{photos[0]}  possible copies (not counted as found): 1 picture, 0 of 256 bits differ"
    assert lines[2] == "    its codes disagree, so look yourself"
    assert lines[-1] == "2 checked, 0 found, 1 with possible copies only, 0 unreadable"
    (row,) = map(json.loads, hibs("check", photos[0], "--data", forged, "--json").stdout.splitlines())
    assert [(match["kind"], match["codes_disagree"]) for match in row["matches"]] == [("possible", True)]


@pytest.mark.skipif(
    RobustModel.of(Settings.from_environment(os.environ)) is None, reason="the extra `robust` is not in use here"
)
def test_a_cut_that_only_the_second_code_knows_is_measured_by_it(hibs: Hibs, images: Path, tmp_path: Path) -> None:
    hibs("ingest", images / "coffee.jpg", "--data", "d")
    with Image.open(images / "coffee.jpg") as coffee:
        width, height = coffee.size
        coffee.crop((width * 15 // 100, height // 10, width * 85 // 100, height * 8 // 10)).save(tmp_path / "cut.png")
    done = hibs("check", "cut.png", "--data", "d")
    assert re.search(
        r"^cut\.png  FOUND  an edited copy.*: 1 picture, \d+ of 512 bits differ$", done.stdout, re.MULTILINE
    )
    row = json.loads(hibs("check", "cut.png", "--data", "d", "--json").stdout)
    assert row["coverage"]["checks"] == ["phash256", "sscd512"]
    assert list(row["matches"][0]["codes"]) == ["sscd512"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"plain text", "not a picture"),
        (b"", "empty"),
        (b"\x00\x00\x00\x18ftypheic" + bytes(64), "HEIC"),
    ],
)
def test_a_bad_file_among_good_ones_is_a_row_with_a_reason(
    hibs: Hibs, data: Path, images: Path, tmp_path: Path, content: bytes, words: str
) -> None:
    (tmp_path / "bad.jpg").write_bytes(content)
    done = hibs("check", images / "coffee.jpg", "bad.jpg", "missing.jpg", "--data", data, "--json", exit_code=1)
    good, bad, missing = (json.loads(line) for line in done.stdout.splitlines())
    assert good["matches"]
    assert bad["status"] == missing["status"] == "unreadable"
    assert words in bad["reason"]
    assert "no such file" in missing["reason"]


def test_a_cut_off_picture_says_so(hibs: Hibs, data: Path, images: Path, tmp_path: Path) -> None:
    whole = (images / "coffee.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    done = hibs("check", "cut.jpg", "--data", data, exit_code=1)
    assert "cut.jpg: the picture is cut off" in done.stderr


def test_too_plain_is_an_answer(hibs: Hibs, data: Path, tmp_path: Path) -> None:
    Image.new("RGB", (64, 64), "white").save(tmp_path / "white.png")
    row = json.loads(hibs("check", "white.png", "--data", data, "--json").stdout)
    assert (row["status"], row["matches"]) == ("too-plain", [])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("none.jpg", "--data", "d"), "there is no file or folder none.jpg"),
        (("seen", "--data", "nowhere"), "nowhere is no data folder"),
        (("seen",), "either --data DIR or --server URL"),
        (("seen", "--server", "http://127.0.0.1:1"), "127.0.0.1:1"),
        (("seen", "--server", "ftp://example.org"), "http"),
    ],
)
def test_unusable_input_is_one_sentence_and_exit_2(
    hibs: Hibs, data: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    done = hibs("check", *arguments, exit_code=2)
    assert sentence in done.stderr
    assert done.stderr.startswith("hibs: ")
    assert len(done.stderr.strip().splitlines()) == 1
    assert done.stdout == ""


def test_an_empty_corpus_is_no_answer(hibs: Hibs, images: Path, tmp_path: Path) -> None:
    Image.new("RGB", (64, 64), "white").save(tmp_path / "white.png")  # recorded, but too plain to be found
    hibs("ingest", "white.png", "--data", "empty")
    done = hibs("check", images / "coffee.jpg", "--data", "empty", exit_code=2)
    assert "0 pictures yet" in done.stderr


def test_a_newer_data_folder_is_refused(hibs: Hibs, data: Path, images: Path) -> None:
    from sqlite_utils import Database

    Database(data / "corpus.db").conn.execute("PRAGMA user_version = 99")
    done = hibs("check", images / "coffee.jpg", "--data", data, exit_code=2)
    assert "data format 99" in done.stderr


def test_an_unknown_setting_stops_the_start(hibs: Hibs, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HIBS_PICTURE_BYTE_MAX", "5")
    assert "HIBS_PICTURE_BYTE_MAX, which is no setting" in hibs("check", "seen", "--data", data, exit_code=2).stderr


def test_a_caption_cannot_rewrite_the_terminal(hibs: Hibs, data: Path, images: Path, tmp_path: Path) -> None:
    evil = tmp_path / "evil"
    evil.mkdir()
    (evil / "a\x1b]0;owned\x07\u202e.jpg").write_bytes((images / "rocket.jpg").read_bytes())
    done = hibs("check", evil, "--data", data)
    assert "\x1b" not in done.stdout
    assert "\u202e" not in done.stdout
