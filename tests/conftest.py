"""What tests of every package share: the committed photos, a fixed time, the default limits."""

from __future__ import annotations

import os
import shutil
import signal
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hibs_command import CHECKOUT, Hibs, hibs_in
from hypothesis import settings as hypothesis_settings

from checker.settings import Settings

# The same examples at every run and no time limit: a run that fails on a slow machine says nothing. New examples are
# looked for with --hypothesis-profile=explore.
hypothesis_settings.register_profile("same", derandomize=True, deadline=None, max_examples=50)
hypothesis_settings.register_profile("explore", deadline=None, max_examples=1000)
hypothesis_settings.load_profile("same")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fail-on-skip", action="store_true", help="fail when any test was skipped")


def pytest_make_parametrize_id(val: object) -> str | None:
    """gzip writes the time into its bytes, and every process has to give a test the same name."""
    return "gzipped" if isinstance(val, bytes) and val.startswith(b"\x1f\x8b") else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where there is no Chromium, the tests that want one are skipped by name, and -ra prints why."""
    if shutil.which("chromium") is None:
        missing = pytest.mark.skip(reason="Chromium is missing: sudo apt-get install chromium")
        for item in items:
            if item.get_closest_marker("browser"):
                item.add_marker(missing)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """With --fail-on-skip a skipped test fails the run: nothing is silently not run."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter else []
    if skipped and session.config.getoption("--fail-on-skip"):
        reporter.write_line(f"{len(skipped)} skipped, and --fail-on-skip was given", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session", autouse=True)
def can_be_stopped() -> None:
    """A shell that runs the tests in the background has SIGINT ignored, and so would every command that they start."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def one_reader() -> None:
    """A command starts a process for each core to read pictures, and here the cores are taken: by tests."""
    os.environ.setdefault("HIBS_DECODE_WORKERS", "1")


@pytest.fixture
def hibs(tmp_path: Path) -> Hibs:
    """Run the command in an empty folder (hibs_command.py)."""
    return hibs_in(tmp_path)


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
