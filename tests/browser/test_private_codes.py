"""The codes that a browser makes of photos, beside those of Python: few bits apart, refused for the same reasons."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hibs_command import CHECKOUT
from photo_kinds import kinds_of
from PIL import Image
from private_page import IMAGES, ODD, CheckPage, Opener

from checker.fingerprint import fingerprint_file
from checker.model import PHASH256, Picture
from checker.settings import Settings

pytest_plugins = ("private_page",)
pytestmark = pytest.mark.browser

BITS_MAX, BITS_MEAN_MAX = 8, 2.0
"""Of 256. Look-ups take 31 for near."""
GOLDEN = json.loads((CHECKOUT / "fixtures" / "golden" / "phash256.json").read_text())["codes"]
"""By imagehash and plain Pillow calls (fixtures/README.md)."""


@pytest.fixture
def check(open_check: Opener, photo_service: str) -> CheckPage:
    return open_check(photo_service)


def by_python(path: Path) -> str:
    found = fingerprint_file(path, Settings())
    assert isinstance(found, Picture)
    code = found.fingerprint(PHASH256)
    assert code
    return code.bits.hex()


def bits_apart(check: CheckPage, expected: dict[Path, str]) -> list[int]:
    """For each file; none may be refused."""
    apart = []
    for (path, code), result in zip(expected.items(), check.photos(*expected), strict=True):
        assert result["status"] == "checked", (path.name, result)
        assert result["code"]["version"] == "1"
        apart.append((int(code, 16) ^ int(result["code"]["hex"], 16)).bit_count())
    assert max(apart) <= BITS_MAX, {path.name: bits for path, bits in zip(expected, apart, strict=True) if bits > 2}
    return apart


def test_every_committed_photo_has_imagehash_s_code(check: CheckPage) -> None:
    files = {CHECKOUT / "fixtures" / name: facts for name, facts in GOLDEN.items()}
    plain = sorted(path for path, facts in files.items() if facts["plain"])
    apart = bits_apart(check, {path: facts["hex"] for path, facts in files.items() if path not in plain})
    assert len(apart) > 30
    assert sum(apart) / len(apart) <= BITS_MEAN_MAX
    for path, result in zip(plain, check.photos(*plain), strict=True):
        assert (result["status"], result["code"]) == ("too-plain", None), path.name


@pytest.mark.parametrize("name", ["chelsea", "astronaut"])
def test_every_kind_of_file_gives_python_s_code(check: CheckPage, tmp_path: Path, name: str) -> None:
    with Image.open(IMAGES / f"{name}.jpg") as photo:
        for _, file, body in kinds_of(photo.convert("RGB")):
            (tmp_path / file).write_bytes(body)
    apart = bits_apart(check, {path: by_python(path) for path in sorted(tmp_path.iterdir())})
    assert sum(apart) / len(apart) <= BITS_MEAN_MAX


@pytest.mark.photos
def test_forty_real_photos_give_python_s_codes(check: CheckPage, photos_folder: Path) -> None:
    photos = sorted(photos_folder.glob("*.jpg"))
    apart = bits_apart(check, {path: by_python(path) for path in photos[:: max(1, len(photos) // 40)]})
    assert sum(apart) / len(apart) <= BITS_MEAN_MAX


def test_a_photo_of_fifty_megapixels_is_read_piece_by_piece(check: CheckPage, tmp_path: Path) -> None:
    with Image.open(IMAGES / "rocket.jpg") as photo:
        photo.resize((8600, 5739)).save(tmp_path / "large.jpg", quality=60)
    bits_apart(check, {tmp_path / "large.jpg": by_python(tmp_path / "large.jpg")})
    assert check.photo(tmp_path / "large.jpg")["width"] == 8600


def test_width_height_and_frames_are_told_as_seen(check: CheckPage) -> None:
    facts = [
        (result["width"], result["height"], result["animated"])
        for result in check.photos(ODD / "exif-1.jpg", ODD / "exif-6.jpg", ODD / "animated.gif", ODD / "animated.webp")
    ]
    assert facts == [(160, 107, False), (160, 107, False), (160, 107, True), (160, 107, True)]


# --- what cannot be read ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        *((f"cut-off.{suffix}", "cut-off") for suffix in ("jpg", "png", "gif", "webp")),
        ("empty.jpg", "empty"),
        ("text.jpg", "not-a-picture"),
        ("heic.jpg", "heic"),
        ("tiff.jpg", "format-not-read"),
        ("claims-60000-px.png", "too-large"),
    ],
)
def test_an_unreadable_file_is_told_and_asks_nothing(check: CheckPage, name: str, reason: str) -> None:
    result = check.photo(ODD / name)
    assert (result["status"], result["reason"], result["code"]) == ("unreadable", reason, None)
    assert check.sent() == check.told() == []


@pytest.mark.parametrize("brand", [b"heic", b"heix", b"hevc", b"mif1", b"msf1"])
def test_telephones_photos_are_told_apart_by_their_bytes(check: CheckPage, tmp_path: Path, brand: bytes) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"\0\0\0\x18ftyp" + brand + bytes(4) + b"mif1heic" + bytes(64))
    assert check.photo(tmp_path / "photo.jpg")["reason"] == "heic"
    (tmp_path / "photo.jpg").write_bytes(b"\0\0\0\x18ftypavif" + bytes(4) + b"mif1miaf" + bytes(64))
    assert check.photo(tmp_path / "photo.jpg")["reason"] == "format-not-read"


def _noise(body: bytes) -> bytes:
    """A whole JPEG whose picture is none: the browser's own decoder has to refuse it."""
    return body[:2] + bytes(len(body) - 4) + body[-2:]


@pytest.mark.parametrize(
    ("change", "reasons"),
    [
        (lambda body: body + bytes(20 * 2**20), {"too-large"}),
        (lambda body: body[:-2], {"cut-off"}),
        (lambda body: body[:700], {"cut-off"}),
        (_noise, {"damaged", "not-a-picture"}),
        (lambda body: body[:2] + b"\xff\xfe\0\2" * 601 + body[2:], {"too-large"}),
    ],
    ids=["over-20-MiB", "no-end", "head-only", "nothing-in-it", "601-comments"],
)
def test_a_file_that_is_too_much_or_too_little_is_refused(
    check: CheckPage, tmp_path: Path, change: Callable[[bytes], bytes], reasons: set[str]
) -> None:
    (tmp_path / "changed.jpg").write_bytes(change((IMAGES / "coffee.jpg").read_bytes()))
    result = check.photo(tmp_path / "changed.jpg")
    assert result["status"] == "unreadable"
    assert result["reason"] in reasons


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "gif"])
def test_a_photo_cut_anywhere_is_read_only_where_python_reads_it(check: CheckPage, tmp_path: Path, suffix: str) -> None:
    """A browser draws what it has and grey below, and says nothing."""
    with Image.open(IMAGES / "coffee.jpg") as photo:
        photo.convert("RGB").resize((160, 107)).save(tmp_path / f"whole.{suffix}")
    body = (tmp_path / f"whole.{suffix}").read_bytes()
    paths = []
    for number in range(24):
        paths.append(tmp_path / f"{number:02}.{suffix}")
        paths[-1].write_bytes(body[: len(body) * (number + 1) // 25 if number < 20 else len(body) - 24 + number])
    results = check.photos(*paths)
    read_here = {path for path, result in zip(paths, results, strict=True) if result["status"] == "checked"}
    assert read_here <= {path for path in paths if isinstance(fingerprint_file(path, Settings()), Picture)}
    assert {result["status"] for result in results} <= {"checked", "unreadable"}
