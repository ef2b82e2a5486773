"""What the stories begin with: the committed photos, recorded once; a story that goes on from there has a copy."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hibs_command import CHECKOUT, hibs_in


@pytest.fixture(autouse=True)
def as_users_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """With as many processes that read pictures as come by default."""
    monkeypatch.delenv("HIBS_DECODE_WORKERS")


@pytest.fixture(scope="session")
def recorded_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with all committed photos, as the collection Example-400M."""
    folder = tmp_path_factory.mktemp("recorded")
    hibs_in(folder)("ingest", CHECKOUT / "fixtures" / "images", "--data", "data", "--source", "Example-400M")
    return folder / "data"


@pytest.fixture
def recorded(recorded_once: Path, tmp_path: Path) -> Path:
    """The folder `data` of one test."""
    return Path(shutil.copytree(recorded_once, tmp_path / "data"))
