"""`hibs demo --once` tells the whole story: each step's outcome, read from what the commands printed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hibs_command import Hibs


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The demo run once; what each command printed, by the command's words."""
    folder = tmp_path_factory.mktemp("demo")
    command = [sys.executable, "-P", "-m", "checker", "demo", "--once"]
    own = {name: value for name, value in os.environ.items() if not name.startswith("HIBS_")}
    done = subprocess.run(command, cwd=folder, env=own, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert list(folder.iterdir()) == [], "the demo left something behind in the user's folder"
    steps = re.split(r"^\$ hibs (.+)$", done.stdout, flags=re.MULTILINE)[1:]
    return {
        f"{number}: {words}": text for number, (words, text) in enumerate(zip(steps[::2], steps[1::2], strict=True))
    }


def step(told: dict[str, str], number: int, words: str) -> str:
    (text,) = [text for name, text in told.items() if name.startswith(f"{number}: {words}")]
    return text


def test_the_small_web_was_crawled(told: dict[str, str]) -> None:
    text = step(told, 0, "crawl http://gallery.localhost:")
    assert re.search(r"\b\d+ pictures\b", text)
    assert "robots.txt" in text  # what one site refused is named


def test_the_copy_is_found_with_where_since_when_and_what_was_said(told: dict[str, str]) -> None:
    text = step(told, 1, "check copy.jpg")
    assert "FOUND" in text
    assert re.search(r"http://gallery\.localhost:\d+/pictures/astronaut", text)
    assert re.search(r"first seen by us \d{4}-\d\d-\d\d", text)
    assert "no automated analysis" in text  # the press site's TDMRep file


def test_the_other_photo_is_not_found_with_coverage(told: dict[str, str]) -> None:
    assert re.search(r"not found in \d+ pictures from 1 source", step(told, 2, "check elsewhere.jpg"))


def test_the_no_has_a_receipt(told: dict[str, str]) -> None:
    assert re.search(r"[0-9A-Z]{4}-[0-9A-Z]{4}\.receipt\.json", step(told, 3, "opt-out add copy.jpg"))


def test_the_same_question_is_withheld(told: dict[str, str]) -> None:
    text = step(told, 4, "check copy.jpg")
    assert "where is withheld" in text
    assert "http://" not in text


def test_the_feed_is_synced_and_verified(told: dict[str, str]) -> None:
    assert step(told, 5, "feed sync").strip()
    assert step(told, 6, "feed verify").strip()


def test_the_folder_is_filtered_and_every_drop_has_its_reason(told: dict[str, str]) -> None:
    text = step(told, 7, "honour dataset")
    for name in ("000001.jpg", "000004.jpg"):
        assert re.search(rf"{name}.*near-entry", text)
    assert "000003.jpg" not in text  # kept


def test_data_can_be_kept(hibs: Hibs, tmp_path: Path) -> None:
    hibs("demo", "--once", "--data", "kept")
    assert (tmp_path / "kept" / "corpus.db").is_file()
    assert "kept exists" in hibs("demo", "--once", "--data", "kept", exit_code=2).stderr


def test_a_port_in_use_is_told(hibs: Hibs) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = hibs("demo", "--port", port, exit_code=2)
    assert f"port {port} on 127.0.0.1 is in use" in done.stderr


def test_a_port_that_is_none_is_told(hibs: Hibs) -> None:
    assert "70000 is no port" in hibs("demo", "--port", 70000, exit_code=2).stderr
