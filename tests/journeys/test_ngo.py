"""An NGO with a folder: every photo is a row, what cannot be read is named, nothing is claimed beyond it."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from hibs_command import Hibs
from PIL import Image


def test_a_folder_of_claimants_photos(hibs: Hibs, images: Path, tmp_path: Path) -> None:
    seen, asked = tmp_path / "archive", tmp_path / "claimants"
    for folder in (seen, asked / "C-014", asked / "C-015"):
        folder.mkdir(parents=True)
    for name in ("chelsea.jpg", "coffee.jpg", "china.jpg"):
        (seen / name).write_bytes((images / name).read_bytes())
    hibs("ingest", "archive", "--data", "d", "--source", "Example-400M")

    for name, folder in (("chelsea.jpg", "C-014"), ("coffee.jpg", "C-015"), ("rocket.jpg", "C-015")):
        photo = Image.open(images / name)
        photo.resize((photo.width // 2, photo.height // 2)).save(asked / folder / name, quality=60)
    (asked / "C-014" / "broken.jpg").write_bytes((images / "china.jpg").read_bytes()[:2000])

    done = hibs("check", "claimants", "--data", "d", "--json", exit_code=1)
    rows = {Path(row["path"]).name: row for row in map(json.loads, done.stdout.splitlines())}
    assert list(rows) == ["broken.jpg", "chelsea.jpg", "coffee.jpg", "rocket.jpg"]  # by folder, then by name
    assert Counter(row["status"] for row in rows.values()) == {"checked": 3, "unreadable": 1}
    assert [name for name, row in rows.items() if row["matches"]] == ["chelsea.jpg", "coffee.jpg"]
    sighting = rows["coffee.jpg"]["matches"][0]["sightings"][0]
    assert (sighting["source"]["name"], sighting["locator"]["file"]) == ("Example-400M", "coffee.jpg")
    assert rows["rocket.jpg"]["coverage"]["images"] == 3


@pytest.mark.photos
def test_twenty_resized_photos_are_found_and_twenty_left_out_are_not(
    hibs: Hibs, photos_folder: Path, tmp_path: Path
) -> None:
    photos = sorted(photos_folder.glob("*.jpg"))
    left_out = photos[::43][:20]
    asked = [photo for photo in photos if photo not in left_out][7::41][:20]
    (tmp_path / "corpus").mkdir()
    for photo in photos:
        if photo not in left_out:
            (tmp_path / "corpus" / photo.name).symlink_to(photo)
    # Links are not followed out of a folder, so each photo is named.
    hibs("ingest", *(photo for photo in photos if photo not in left_out), "--data", "d")
    (tmp_path / "half").mkdir()
    for photo in asked:
        image = Image.open(photo)
        image.resize((image.width // 2, image.height // 2)).save(tmp_path / "half" / photo.name, quality=75)
    found = [json.loads(line) for line in hibs("check", "half", "--data", "d", "--json").stdout.splitlines()]
    assert len(found) == 20
    for row in found:
        files = {s["locator"]["file"] for match in row["matches"] for s in match["sightings"]}
        assert files == {Path(row["path"]).name}
    others = [json.loads(line) for line in hibs("check", *left_out, "--data", "d", "--json").stdout.splitlines()]
    assert len(others) == 20
    assert not any(row["matches"] for row in others)
