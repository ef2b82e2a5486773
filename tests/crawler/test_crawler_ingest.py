"""`hibs ingest` of folders and single pictures."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from hibs_command import Hibs
from PIL import Image
from typer.testing import CliRunner, Result

from checker.model import PHASH256
from checker.records.folder import DataFolder

RUNNER = CliRunner()


@pytest.fixture(autouse=True)
def _plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the second code, which none of this is about."""
    monkeypatch.setenv("HIBS_ROBUST", "off")


@pytest.fixture
def dataset(tmp_path: Path, images: Path) -> Path:
    folder = tmp_path / "dataset"
    (folder / "b" / "deep").mkdir(parents=True)
    shutil.copy(images / "chelsea.jpg", folder / "b" / "deep" / "cat.jpg")
    shutil.copy(images / "rocket.jpg", folder / "a.JPG")
    shutil.copy(images / "rocket.jpg", folder / "again.jpg")
    (folder / "notes.txt").write_text("not a picture")
    return folder


def ingest(*given: object) -> Result:
    import typer

    from crawler.cli import ingest as body

    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(body)
    return RUNNER.invoke(app, [str(part) for part in given])


def test_a_folder_is_recorded_by_relative_path_and_name(dataset: Path, tmp_path: Path) -> None:
    done = ingest(dataset, "--data", tmp_path / "data", "--json")
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    assert document.pop("seconds") >= 0
    assert document == {
        **{"recorded": 3, "new": 2, "plain": 0, "opted_out": 0, "unreadable": 0, "failed": {}},
        **{"files": 1, "files_unchanged": 0, "sha256_differs": 0, "not_downloaded": 0, "erased": 0},
        **{"host_files": 0, "listed": 0, "queued": 0, "fetched": None},
    }
    with DataFolder.open(tmp_path / "data", create=False) as folder:
        found = folder.store.sightings_of(range(9))
        files = [[s.locator.file for s in found[image_id] if s.locator] for image_id in sorted(found)]
        assert files == [["a.JPG", "again.jpg"], ["b/deep/cat.jpg"]]
        sighting = found[min(found)][0]
        assert (sighting.image_url, sighting.source.name, sighting.source.kind) == (None, "dataset", "folder")


def test_a_second_run_has_nothing_to_do_and_a_third_adds_nothing_twice(dataset: Path, tmp_path: Path) -> None:
    ingest(dataset, "--data", tmp_path / "data", "--source", "first release")
    again = ingest(dataset, "--data", tmp_path / "data", "--source", "first release")
    assert again.stdout == "nothing new: 1 file read before; --refresh reads everything again\n"
    anew = ingest(dataset, "--data", tmp_path / "data", "--source", "first release", "--refresh")
    assert anew.stdout.startswith("3 pictures recorded (0 new), 0 unreadable, ")
    with DataFolder.open(tmp_path / "data", create=False) as folder:
        counts = folder.store.counts()
        assert (counts.images, counts.sightings, counts.sources) == (2, 3, 1)


def test_a_folder_with_one_more_picture_is_read_again(dataset: Path, images: Path, tmp_path: Path) -> None:
    ingest(dataset, "--data", tmp_path / "data")
    shutil.copy(images / "coins.jpg", dataset / "coins.jpg")
    assert ingest(dataset, "--data", tmp_path / "data").stdout.startswith("4 pictures recorded (1 new), 0 unreadable, ")


def test_pictures_that_are_named_one_by_one_are_recorded_together(dataset: Path, tmp_path: Path) -> None:
    done = ingest(dataset / "a.JPG", dataset / "again.jpg", dataset / "b", "--data", tmp_path / "data", "--json")
    document = json.loads(done.stdout)
    assert (document["recorded"], document["files"]) == (3, 2)
    with DataFolder.open(tmp_path / "data", create=False) as folder:
        found = folder.store.sightings_of(range(9)).values()
        places = sorted((s.source.name, s.locator.file) for one in found for s in one if s.locator)
        assert places == [("b", "deep/cat.jpg"), ("dataset", "a.JPG"), ("dataset", "again.jpg")]


def test_names_of_any_bytes_are_recorded(images: Path, tmp_path: Path) -> None:
    folder = os.fsdecode(os.fsencode(tmp_path) + b"/set\xff")
    os.mkdir(folder)
    for name in (b"bad\xff.jpg", b"line\nend.jpg", b"esc\x1b]0;x\x07.jpg"):
        shutil.copy(images / "rocket.jpg", os.path.join(os.fsencode(folder), name))
    done = ingest(folder, "--data", tmp_path / "data")
    assert done.exit_code == 0, done.output
    with DataFolder.open(tmp_path / "data", create=False) as opened:
        assert [facts.source.name for facts in opened.store.sources()] == ["set\ufffd"]
        (found,) = opened.store.sightings_of(range(9)).values()
        files = [sighting.locator.file for sighting in found if sighting.locator]
        assert files == ["bad\udcff.jpg", "esc\x1b]0;x\x07.jpg", "line\nend.jpg"]


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    done = ingest(tmp_path / "pipe.jpg", "--data", tmp_path / "data")
    assert (done.exit_code, "neither a file nor a folder" in done.stderr) == (2, True)


def test_unreadable_files_are_named_and_the_rest_is_recorded(dataset: Path, images: Path, tmp_path: Path) -> None:
    (dataset / "broken.jpg").write_bytes((images / "coins.jpg").read_bytes()[:1000])
    (dataset / "empty.png").write_bytes(b"")
    done = ingest(dataset, "--data", tmp_path / "data")
    assert done.exit_code == 1
    assert done.stdout.startswith("3 pictures recorded (2 new), 2 unreadable, ")
    assert f"{dataset / 'broken.jpg'}: " in done.stderr
    assert f"{dataset / 'empty.png'}: " in done.stderr


def test_of_many_unreadable_files_twenty_are_named_and_the_rest_is_counted_by_reason(
    dataset: Path, tmp_path: Path
) -> None:
    for number in range(30):
        (dataset / f"{number:02}.jpg").write_bytes(b"" if number % 3 else b"no picture at all")
    done = ingest(dataset, "--data", tmp_path / "data")
    lines = done.stderr.splitlines()
    assert (len(lines), done.exit_code) == (21, 1)
    assert lines[0].startswith(f"{dataset / '00.jpg'}: ")
    assert lines[20] == "and 10 more; in all: 20 empty, 10 not-a-picture"


def test_a_plain_picture_is_recorded_and_cannot_be_found(images: Path, tmp_path: Path) -> None:
    white = images.parent / "odd" / "white.png"
    done = ingest(white, "--data", tmp_path / "data")
    assert done.exit_code == 0
    assert done.stdout.startswith("1 picture recorded (1 new, 1 too plain), 0 unreadable, ")
    with DataFolder.open(tmp_path / "data", create=False) as folder:
        assert folder.store.codes_after(0, kind=PHASH256, count=9) == ()


def test_links_out_of_the_folder_are_not_followed(dataset: Path, images: Path, tmp_path: Path) -> None:
    (dataset / "link.jpg").symlink_to(images / "coins.jpg")
    (dataset / "linked").symlink_to(images, target_is_directory=True)
    done = ingest(dataset, "--data", tmp_path / "data")
    assert done.stdout.startswith("3 pictures recorded")


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("set.zip", "files of this kind (.zip) are not read; unpack it"),
        ("old.arc.gz", "files of this kind (.gz) are not read"),
        ("set.tar.zst", "files of this kind (.zst) are not read"),
        ("list.json", "files of this kind (.json) are not read"),
        ("missing", "there is no file or folder"),
        ("hollow", "there is no picture in"),
    ],
)
def test_what_is_not_read_gets_one_sentence_and_exit_code_2(name: str, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / name
    if name == "hollow":
        path.mkdir()
    elif name != "missing":
        path.write_bytes(b"x")
    done = ingest(path, "--data", tmp_path / "data")
    assert done.exit_code == 2
    assert sentence in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_what_a_file_says_of_itself_is_recorded_with_it(dataset: Path, tmp_path: Path, images: Path) -> None:
    xmp = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:plus="http://ns.useplus.org/ldf/xmp/1.0/" '
        'plus:DataMining="http://ns.useplus.org/ldf/vocab/DMI-PROHIBITED-AIMLTRAINING"/></rdf:RDF></x:xmpmeta>'
    )
    with Image.open(images / "coffee.jpg") as photo:
        photo.save(dataset / "coffee.jpg", xmp=xmp.encode())
    assert ingest(dataset, "--data", tmp_path / "data").exit_code == 0
    with DataFolder.open(tmp_path / "data", create=False) as folder:
        found = folder.store.sightings_of(range(9))
        said = {s.locator.file: s.verdict for sightings in found.values() for s in sightings if s.locator}
    assert said["a.JPG"] == {}
    assert (said["coffee.jpg"]["train-ai"], said["coffee.jpg"]["search"]) == ("deny", "unspecified")


def test_check_says_that_it_was_the_file_that_spoke(hibs: Hibs, dataset: Path, tmp_path: Path, images: Path) -> None:
    test_what_a_file_says_of_itself_is_recorded_with_it(dataset, tmp_path, images)
    assert "the file itself says: no AI training" in hibs("check", dataset / "coffee.jpg", "--data", "data").stdout
    assert "the site had said: not asked" in hibs("check", dataset / "a.JPG", "--data", "data").stdout
