"""A person with a photo: found where and since when, says no, proves it, takes it back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hibs_command import Hibs
from PIL import Image

from api.demo.sites import DemoWeb
from api.demo.story import lay_out_desk


@pytest.fixture
def crawled(hibs: Hibs, tmp_path: Path) -> Path:
    """The demo's web, crawled; the sites are gone again, which answers do not need."""
    lay_out_desk(tmp_path)
    with DemoWeb() as web:
        opened = [part for site in web.sites for part in ("--allow-address", site.address)]
        urls = [site.url for site in web.sites]
        hibs("crawl", *urls, *opened, "--delay", "0", "--data", "data", "--json")
    return tmp_path


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


def test_a_mirrored_copy_is_not_found_yet_and_the_answer_never_says_safe(hibs: Hibs, crawled: Path) -> None:
    from PIL import ImageOps

    ImageOps.mirror(Image.open(crawled / "copy.jpg")).save(crawled / "mirrored.jpg", quality=90)
    done = hibs("check", "mirrored.jpg", "--data", "data")
    assert "not found is no proof" in done.stdout
    assert "safe" not in done.stdout.lower()
