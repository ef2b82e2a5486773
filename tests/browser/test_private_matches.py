"""What the check in the browser finds, beside `hibs check --private` on the same photos and the same service."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hibs_command import Hibs
from PIL import Image, ImageDraw, ImageOps
from private_page import HELD, IMAGES, Opener

pytest_plugins = ("private_page",)
pytestmark = pytest.mark.browser

CROP_OFF_MAX = 0.02
BITS_OFF_MAX = 4
Edit = Callable[[Image.Image], Image.Image]


def _screenshot(photo: Image.Image) -> Image.Image:
    """A photo under a title on a page, as an app shows it."""
    page = Image.new("RGB", (photo.width + 80, photo.height + 320), "#f4f4f4")
    page.paste(photo, (40, 160))
    draw = ImageDraw.Draw(page)
    for line in range(4):
        draw.rectangle((40, 24 + 30 * line, 40 + photo.width * (4 - line) // 5, 36 + 30 * line), "#333333")
    return page


def _beside(photo: Image.Image) -> Image.Image:
    """A photo with so much on both sides that its middle square is the photo's own."""
    wide = Image.effect_noise((photo.width * 2, photo.height), 90).convert("RGB")
    wide.paste(photo, (photo.width // 2, 0))
    return wide


EDITS: dict[str, Edit] = {
    "as-it-is": lambda photo: photo,
    "smaller": lambda photo: photo.resize((photo.width // 3, photo.height // 3)),
    "mirrored": ImageOps.mirror,
    "turned": lambda photo: photo.transpose(Image.Transpose.ROTATE_270),
    "turned-back": lambda photo: photo.transpose(Image.Transpose.ROTATE_90),
    "upside-down": lambda photo: photo.transpose(Image.Transpose.ROTATE_180),
    "mirrored-and-turned": lambda photo: ImageOps.mirror(photo).transpose(Image.Transpose.ROTATE_270),
    "framed": lambda photo: ImageOps.expand(photo, 50, "white"),
    "in-a-page": _screenshot,
    "in-the-middle": _beside,
    "a-little-cut": lambda photo: photo.crop((6, 4, photo.width - 6, photo.height - 4)),
}


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Every photo of the collection in every edit, and photos that it does not hold."""
    folder = tmp_path_factory.mktemp("asked")
    for name in HELD:
        with Image.open(IMAGES / name) as photo:
            photo.thumbnail((400, 400))
            for edit, change in EDITS.items():
                change(photo.convert("RGB")).save(folder / f"{Path(name).stem}-{edit}.png")
    return [*sorted(folder.iterdir()), *(IMAGES / name for name in ("astronaut.jpg", "china.jpg", "grace_hopper.jpg"))]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def _row(matches: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(match["kind"], match["orientation"]) for match in matches]


def _alike(here: list[dict[str, Any]], there: list[dict[str, Any]]) -> bool:
    """Same kinds and turns in the same order, nearly the same crops and bits."""
    return _row(here) == _row(there) and all(
        abs(one["bits"] - other["codes"]["phash256-half"]) <= BITS_OFF_MAX
        and (one["crop"] is None) == (other["crop"] is None)
        and all(abs(a - b) <= CROP_OFF_MAX for a, b in zip(one["crop"] or (), other["crop"] or (), strict=True))
        for one, other in zip(here, there, strict=True)
    )


@pytest.mark.parametrize(("way", "every"), [("photo_service", 1), ("sketch_service", 3)], ids=["list", "sketches"])
def test_the_browser_finds_what_the_command_finds(
    hibs: Hibs, open_check: Opener, asked: list[Path], way: str, every: int, request: pytest.FixtureRequest
) -> None:
    server, asked = request.getfixturevalue(way), asked[::every]
    done = hibs("check", *asked, "--server", server, "--private", "--json")
    expected = [json.loads(line) for line in done.stdout.splitlines()]
    found = open_check(server).photos(*asked)
    other = [
        (path.name, here["matches"], there["matches"])
        for path, here, there in zip(asked, found, expected, strict=True)
        if not _alike(here["matches"], there["matches"])
    ]
    assert not other
    for here, there in zip(found, expected, strict=True):
        assert here["status"] == there["status"] == "checked"
        assert here["coverage"] == there["coverage"]
        assert len(here["sketches"]) == there["shown"]["sketches"]


def test_what_each_edit_is_called(open_check: Opener, photo_service: str, asked: list[Path]) -> None:
    """Written out, so that both cannot be wrong together. Half a code cannot tell a picture from itself upside down."""
    chosen = [path for path in asked if path.stem.startswith("coffee-")]
    results = open_check(photo_service).photos(*chosen)
    found = {
        path.stem.removeprefix("coffee-"): _row(result["matches"]) for path, result in zip(chosen, results, strict=True)
    }
    turned = [("edited", "turned-90")]
    assert found == {
        "as-it-is": [("same", "as-is")],
        "smaller": [("same", "as-is")],
        "mirrored": [("edited", "mirrored")],
        "turned": turned,
        "turned-back": turned,
        "upside-down": [("same", "as-is")],
        "mirrored-and-turned": [("edited", "mirrored-turned-90")],
        "framed": [("same", "as-is")],
        "in-a-page": [("edited", "as-is")],
        "in-the-middle": [("edited", "as-is")],
        "a-little-cut": [("same", "as-is")],
    }


def test_the_part_that_was_found_is_told(open_check: Opener, photo_service: str, asked: list[Path]) -> None:
    result = open_check(photo_service).photo(next(path for path in asked if path.stem == "rocket-framed"))
    with Image.open(IMAGES / "rocket.jpg") as photo:
        photo.thumbnail((400, 400))
        wide, high = photo.width + 100, photo.height + 100
    (match,) = result["matches"]
    assert match["crop"] == pytest.approx([50 / wide, 50 / high, 1 - 50 / wide, 1 - 50 / high], abs=0.01)
    assert result["checks"]["turns"] == 4
    assert result["checks"]["trimmed"]
    assert result["compared"] == len(HELD)


def test_what_is_not_there_is_not_found_and_says_what_was_compared(open_check: Opener, photo_service: str) -> None:
    result = open_check(photo_service).photo(IMAGES / "astronaut.jpg")
    assert (result["status"], result["matches"], result["reason"]) == ("checked", [], None)
    assert result["coverage"]["images"] == len(HELD)
    assert result["coverage"]["checks"] == ["phash256-half"]
    assert len(result["code"]["hex"]) == 64
