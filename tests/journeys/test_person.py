"""A person with a photo: found where and since when, says no, proves it, takes it back."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hibs_command import Hibs, hibs_in
from PIL import Image, ImageDraw, ImageFont, ImageOps

from api.demo.sites import DemoWeb
from api.demo.story import lay_out_desk

Edit = Callable[[Image.Image], Image.Image]


@pytest.fixture(scope="module")
def crawled_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's web, crawled; the sites are gone again, which answers do not need."""
    folder = tmp_path_factory.mktemp("crawled")
    lay_out_desk(folder)
    with DemoWeb() as web:
        opened = [part for site in web.sites for part in ("--allow-address", site.address)]
        urls = [site.url for site in web.sites]
        hibs_in(folder)("crawl", *urls, *opened, "--delay", "0", "--data", "data", "--json")
    return folder


@pytest.fixture
def crawled(crawled_once: Path, tmp_path: Path) -> Path:
    """A copy of that for one test, which is where its commands run."""
    return Path(shutil.copytree(crawled_once, tmp_path, dirs_exist_ok=True))


def test_found_then_no_then_hidden_then_proved_then_withdrawn(hibs: Hibs, crawled: Path) -> None:
    row = json.loads(hibs("check", "copy.jpg", "--data", "data", "--json").stdout)
    assert row["matches"][0]["kind"] == "same"
    sighting = row["matches"][0]["sightings"][0]
    assert ".localhost:" in sighting["image_url"]
    assert sighting["caption"]
    assert sighting["first_seen"] <= sighting["last_seen"]
    assert sighting["verdict"]["crawl"] == "allow"

    receipt = json.loads(hibs("opt-out", "add", "copy.jpg", "--data", "data", "--json").stdout)
    assert receipt["held"] is False
    hidden = json.loads(hibs("check", "copy.jpg", "--data", "data", "--json").stdout)
    assert {match["where"] for match in hidden["matches"]} == {"withheld"}
    assert all(match["sightings"] == [] for match in hidden["matches"])

    hibs("opt-out", "verify", receipt["receipt"])
    proof = crawled / Path(receipt["receipt"]).name
    (crawled / "forged.json").write_text(
        proof.read_text().replace("train-ai", "train-ax").replace('"index": 0', '"index": 1')
    )
    hibs("opt-out", "verify", "forged.json", exit_code=4)

    assert "recorded" in hibs("opt-out", "status", receipt["withdraw"], "--data", "data").stdout
    assert "withdrawing" in hibs("opt-out", "withdraw", receipt["withdraw"], "--data", "data").stdout


def test_what_publishers_said_goes_with_the_answer(hibs: Hibs, crawled: Path, images: Path) -> None:
    rows = hibs(
        "check", images / "flower.jpg", images / "coins.jpg", images / "grace_hopper.jpg", "--data", "data", "--json"
    )
    flower, coins, hopper = (json.loads(line) for line in rows.stdout.splitlines())
    (portfolio,) = flower["matches"][0]["sightings"]
    assert portfolio["verdict"]["train-ai"] == "deny"  # X-Robots-Tag: noai
    assert coins["matches"] == []  # below /members/, which robots.txt disallows
    assert hopper["matches"] == []


def test_no_picture_lies_in_the_data_folder(crawled: Path) -> None:
    for file in (crawled / "data").rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            assert b"\xff\xd8\xff\xe0" not in content, f"{file.name} holds a JPEG"
            assert b"JFIF" not in content


def mirrored(photo: Image.Image) -> Image.Image:
    return ImageOps.mirror(photo)


def square(photo: Image.Image) -> Image.Image:
    side = photo.height
    left = (photo.width - side) // 2
    return photo.crop((left, 0, left + side, side))


def captioned(photo: Image.Image) -> Image.Image:
    return ImageOps.pad(photo, (photo.width, photo.height * 5 // 4), color="white", centering=(0.5, 1.0))


def bordered(photo: Image.Image) -> Image.Image:
    return ImageOps.expand(photo, photo.width // 16, "white")


def screenshotted(photo: Image.Image) -> Image.Image:
    """A phone's screen: a name above, the photo from edge to edge, words below."""
    screen = Image.new("RGB", (540, 1170), (18, 18, 20))
    pen, font = ImageDraw.Draw(screen), ImageFont.load_default(26)
    pen.text((20, 30), "12:04", fill="white", font=font)
    pen.ellipse((20, 120, 90, 190), fill=(90, 120, 200))
    pen.text((110, 135), "someone_somewhere", fill="white", font=font)
    high = round(540 * photo.height / photo.width)
    screen.paste(photo.resize((540, high)), (0, 220))
    for line in range(3):
        pen.text((20, 250 + high + 50 * line), "liked by many others", fill="white", font=font)
    return screen


WHOLE = (0.0, 0.0, 1.0, 1.0)


@pytest.mark.parametrize(
    ("edit", "orientation", "shown"),
    [
        (mirrored, "mirrored", WHOLE),
        (square, "as-is", WHOLE),
        (captioned, "as-is", (0.0, 0.2, 1.0, 1.0)),
        (bordered, "as-is", (0.0556, 0.0789, 0.9444, 0.9211)),  # a border of 40 px around 640 x 427
        (screenshotted, "as-is", (0.0, 0.188, 1.0, 0.4957)),  # 540 x 360 px from 220 px on, of 540 x 1170
    ],
)
def test_an_edited_copy_is_found_with_how_it_lies_and_which_part_it_is(
    hibs: Hibs, crawled: Path, images: Path, edit: Edit, orientation: str, shown: Sequence[float]
) -> None:
    with Image.open(images / "china.jpg") as photo:  # stands on the gallery's page as pagoda.jpg
        edit(photo.convert("RGB")).save(crawled / "edited.jpg", quality=85)
    row = json.loads(hibs("check", "edited.jpg", "--data", "data", "--json").stdout)
    found = [match for match in row["matches"] if match["kind"] in ("same", "edited")]
    assert found
    for match in found:
        assert all("/pagoda" in sighting["image_url"] for sighting in match["sightings"])
        assert match["orientation"] == orientation
        left, top, right, bottom = match["crop"] or WHOLE
        beside = max(shown[0] - left, shown[1] - top, right - shown[2], bottom - shown[3])
        assert beside < 0.03, "what stands around the photo was taken for a part of it"
    assert (found[0]["crop"] is not None) == (shown != WHOLE)
    assert (found[0]["stored_crop"] is not None) or edit is not square
    hibs("check", "edited.jpg", "--data", "data", "--fail-on-match", exit_code=3)


def test_another_photo_is_not_found_and_the_answer_never_says_safe(hibs: Hibs, crawled: Path) -> None:
    done = hibs("check", "elsewhere.jpg", "--data", "data")
    assert "not found is no proof" in done.stdout
    assert "safe" not in done.stdout.lower()
