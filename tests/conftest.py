"""What tests of every package share: the committed photos, a fixed time, the default limits."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from checker.settings import Settings

CHECKOUT = Path(__file__).resolve().parent.parent


@pytest.fixture
def images() -> Path:
    """The folder of free photos that come with the project (fixtures/README.md)."""
    return CHECKOUT / "fixtures" / "images"


@pytest.fixture
def now() -> datetime:
    """The time at which every test happens, unless it says otherwise."""
    return datetime(2026, 11, 22, 14, 3, tzinfo=UTC)


@pytest.fixture
def settings() -> Settings:
    """The default limits, whatever the environment says."""
    return Settings()


@pytest.fixture
def photos_folder() -> Path:
    """The larger photo collection; the few tests that need it are skipped by name where it is not there."""
    folder = CHECKOUT / os.environ.get("PHOTOS", "../shared/data/photos")
    if not folder.is_dir():
        pytest.skip(f"photos: {folder} is not beside the checkout")
    return folder
