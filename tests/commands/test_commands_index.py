"""`hibs index` and `hibs erase`, as an operator runs them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from hibs_command import CHECKOUT, Hibs, hibs_in

SEEN = ("astronaut.jpg", "chelsea.jpg", "coffee.jpg")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with three photos, built."""
    folder = tmp_path_factory.mktemp("built")
    hibs, images = hibs_in(folder), CHECKOUT / "fixtures" / "images"
    (folder / "seen").mkdir()
    for name in SEEN:
        shutil.copy(images / name, folder / "seen" / name)
    hibs("ingest", "seen", "--data", "d")
    hibs("index", "build", "--data", "d")
    return folder / "d"


@pytest.fixture
def data(built: Path, tmp_path: Path) -> Path:
    """A copy of that for one test."""
    return Path(shutil.copytree(built, tmp_path / "d"))


def segments(data: Path) -> list[Path]:
    return sorted((data / "index").rglob("*.seg"))


def flip(file: Path, at: int = -5000) -> None:
    content = bytearray(file.read_bytes())
    content[at] ^= 1
    file.write_bytes(content)


def test_a_build_says_what_it_wrote_and_what_it_took(hibs: Hibs, data: Path) -> None:
    again = json.loads(hibs("index", "build", "--data", "d", "--json").stdout)
    assert {kind["written"] for kind in again["kinds"]} == {0}
    full = json.loads(hibs("index", "build", "--data", "d", "--full", "--json").stdout)
    (phash,) = (kind for kind in full["kinds"] if kind["kind"] == "phash256")
    assert phash["segments"] == 1
    assert phash["written"] == phash["codes"] >= 3
    assert full["peak_memory_bytes"] > 10**7
    lines = hibs("index", "build", "--data", "d").stdout.splitlines()
    assert lines[0].startswith(f"phash256 1: {phash['codes']} codes in 1 segment, all there already; ")
    assert lines[0].partition("already; ")[2].partition(" ")[2].startswith("MB")
    assert lines[-1].partition(" s, ")[2].startswith("peak memory ")


def test_answers_are_the_same_with_and_without_an_index(hibs: Hibs, data: Path, images: Path) -> None:
    with_index = hibs("check", images, "--data", "d", "--json").stdout
    shutil.rmtree(data / "index")
    without = hibs("check", images, "--data", "d", "--json").stdout

    def nameless(text: str) -> list[object]:
        rows = [json.loads(line) for line in text.splitlines()]
        return [{**row, "matches": [{**match, "handle": ""} for match in row["matches"]]} for row in rows]

    assert nameless(with_index) == nameless(without)
    assert len(with_index.splitlines()) > 3


def test_verify_compares_every_row(hibs: Hibs, data: Path) -> None:
    told = json.loads(hibs("index", "verify", "--data", "d", "--json").stdout)
    assert told["verified"] is True
    (phash,) = (kind for kind in told["kinds"] if kind["kind"] == "phash256")
    assert phash["rows"] == json.loads(hibs("stats", "--data", "d", "--json").stdout)["index"][0]["codes"]
    assert phash["tail"] == 0
    assert hibs("index", "verify", "--data", "d").stdout.startswith("phash256 1  holds: ")


def test_a_flipped_byte_is_named_answered_around_and_mended(hibs: Hibs, data: Path, images: Path) -> None:
    damaged = segments(data)[0]
    flip(damaged)
    found = json.loads(hibs("check", images / "astronaut.jpg", "--data", "d", "--json").stdout)
    assert [match["kind"] for match in found["matches"]] == ["same"]
    told = hibs("index", "verify", "--data", "d", exit_code=4)
    assert "DOES NOT HOLD" in told.stdout
    assert damaged.name in told.stdout
    assert "`hibs index build` mends it" in told.stderr
    assert damaged.name in hibs("stats", "--data", "d").stdout
    assert damaged.name in hibs("index", "build", "--data", "d").stderr
    hibs("index", "verify", "--data", "d")


def test_where_nothing_is_due_a_timer_builds_nothing(hibs: Hibs, data: Path) -> None:
    assert hibs("index", "build", "--data", "d", "--if-due").stdout.splitlines()[0] == "nothing is due"
    flip(segments(data)[0])
    hibs("index", "build", "--data", "d", "--if-due")
    hibs("index", "verify", "--data", "d")


def test_a_folder_without_pictures_or_without_data_is_told_apart(hibs: Hibs, tmp_path: Path) -> None:
    assert "is no data folder" in hibs("index", "build", "--data", "nowhere", exit_code=2).stderr
    assert "is no data folder" in hibs("index", "verify", "--data", "nowhere", exit_code=2).stderr
    (tmp_path / "white").mkdir()
    shutil.copy(Path(__file__).parents[2] / "fixtures" / "odd" / "white.png", tmp_path / "white")
    hibs("ingest", "white", "--data", "d")
    assert "nothing to build" in hibs("index", "build", "--data", "d").stdout
    assert "no index" in hibs("index", "verify", "--data", "d").stdout


def test_an_index_folder_that_cannot_be_made_is_one_sentence(hibs: Hibs, data: Path) -> None:
    shutil.rmtree(data / "index")
    (data / "index").write_text("in the way")
    told = hibs("index", "build", "--data", "d", exit_code=2).stderr
    assert told.startswith("hibs: cannot make the data folder d/index")
    assert len(told.splitlines()) == 1


def test_an_erased_photo_is_found_no_more_and_leaves_every_file(hibs: Hibs, data: Path, images: Path) -> None:
    photo = images / "astronaut.jpg"
    trial = json.loads(hibs("erase", photo, "--data", "d", "--dry-run", "--json").stdout)
    assert (trial["found"], trial["erased"]) == (1, 0)
    assert "1 of 1 picture erased" in hibs("erase", photo, "--data", "d").stdout
    assert "not found" in hibs("check", photo, "--data", "d").stdout
    assert "FOUND" in hibs("check", images / "coffee.jpg", "--data", "d").stdout
    waiting = json.loads(hibs("index", "verify", "--data", "d", "--json").stdout)["kinds"][0]["waiting"]
    assert "erased codes lie in" in waiting[0]
    hibs("index", "build", "--data", "d")
    after = json.loads(hibs("index", "verify", "--data", "d", "--json").stdout)
    assert {len(kind["waiting"]) for kind in after["kinds"]} == {0}
    assert json.loads(hibs("stats", "--data", "d", "--json").stdout)["images"] == 2


def test_erasing_what_was_never_seen_erases_nothing(hibs: Hibs, data: Path, images: Path) -> None:
    assert "not found, so nothing is erased" in hibs("erase", images / "rocket.jpg", "--data", "d").stdout
    empty = images.parent / "odd" / "empty.jpg"
    assert str(empty) in hibs("erase", empty, "--data", "d", exit_code=1).stderr
    assert json.loads(hibs("stats", "--data", "d", "--json").stdout)["images"] == 3


def test_an_edited_copy_erases_the_picture_it_was_made_of(hibs: Hibs, data: Path, images: Path, tmp_path: Path) -> None:
    from PIL import Image, ImageOps

    ImageOps.mirror(Image.open(images / "coffee.jpg")).save(tmp_path / "mirrored.jpg")
    hibs("erase", "mirrored.jpg", "--data", "d")
    assert "not found" in hibs("check", images / "coffee.jpg", "--data", "d").stdout


def test_opted_out_photos_leave_the_files_and_answers_withhold_where(hibs: Hibs, data: Path, images: Path) -> None:
    hibs("opt-out", "add", images / "chelsea.jpg", "--data", "d")
    assert "of hidden pictures kept out" in hibs("index", "build", "--data", "d").stdout
    hibs("index", "verify", "--data", "d")
    (match,) = json.loads(hibs("check", images / "chelsea.jpg", "--data", "d", "--json").stdout)["matches"]
    assert (match["kind"], match["where"], match["sightings"]) == ("same", "withheld", [])
