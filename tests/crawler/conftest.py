"""What the tests of whole crawls share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from crawl_bench import Bench
from site_simulator import SiteSimulator

from checker.records.folder import DataFolder


@pytest.fixture
def bench(tmp_path: Path, images: Path) -> Iterator[Bench]:
    pictures = {path.stem: path.read_bytes() for path in images.glob("*.jpg")}
    with DataFolder.open(tmp_path / "data", create=True) as folder:
        yield Bench(SiteSimulator(), folder, pictures)
