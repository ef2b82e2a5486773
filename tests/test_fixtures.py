"""Fixtures regenerate byte for byte, stay small, and say where they come from."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import PIL
import pytest

CHECKOUT = Path(__file__).resolve().parent.parent
MADE_WITH_PILLOW = "13.0.0"


def _files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_synthetic_fixtures_regenerate_byte_for_byte(tmp_path: Path) -> None:
    """From the committed photos alone. Golden codes come out the same too: see fixtures/make_golden.py."""
    if PIL.__version__ != MADE_WITH_PILLOW:
        pytest.skip(f"the committed files were encoded by Pillow {MADE_WITH_PILLOW}, here is {PIL.__version__}")
    build = [sys.executable, str(CHECKOUT / "fixtures" / "build.py"), "--into", str(tmp_path)]
    subprocess.run(build, check=True, timeout=60)
    made = _files(tmp_path)
    assert len(made) > 60
    changed = [name for name, body in made.items() if (CHECKOUT / name).read_bytes() != body]
    assert changed == []
    odd = {f"fixtures/odd/{path.name}" for path in (CHECKOUT / "fixtures" / "odd").iterdir()}
    assert odd <= set(made), "a file in fixtures/odd is made by nothing"


def test_golden_codes_are_never_overwritten_by_others(tmp_path: Path) -> None:
    golden = tmp_path / "fixtures" / "golden" / "phash256.json"
    golden.parent.mkdir(parents=True)
    text = (CHECKOUT / "fixtures" / "golden" / "phash256.json").read_text()
    golden.write_text(text.replace('"hex": "c', '"hex": "d'))
    before = golden.read_bytes()
    build = [sys.executable, str(CHECKOUT / "fixtures" / "build.py"), "golden", "--into", str(tmp_path)]
    run = subprocess.run(build, check=False, capture_output=True, text=True, timeout=60)
    assert run.returncode == 1
    assert "golden codes are frozen and these would change: images/astronaut.jpg" in run.stderr
    assert golden.read_bytes() == before


def test_fixtures_and_demo_stay_small() -> None:
    assert sum(map(len, _files(CHECKOUT / "fixtures").values())) < 2_500_000
    assert sum(map(len, _files(CHECKOUT / "api" / "demo" / "web").values())) < 1_000_000
    assert sum(map(len, _files(CHECKOUT / "api" / "demo" / "desk").values())) < 200_000


def test_every_photo_and_odd_file_is_told_of_in_the_readme() -> None:
    readme = (CHECKOUT / "fixtures" / "README.md").read_text()
    names = [path.name for folder in ("images", "odd") for path in (CHECKOUT / "fixtures" / folder).iterdir()]
    assert [name for name in names if f"`{name}`" not in readme] == []
