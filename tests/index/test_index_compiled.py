"""When machine code is loaded, where it is kept, and what happens where it cannot be had. In processes of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from checker.index.codefolder import CannotLoadError, code_folder, holds_code

CHECKOUT = Path(__file__).resolve().parent.parent.parent
SEARCH = """
import sys, numpy as np
from checker.index import kernels
codes = np.arange(4000, dtype=np.uint64).reshape(-1, 4)
def search():
    return kernels.active().scan_near(codes.T, codes[:2], 0).rows.tolist()
"""


def python(code: str, *, package: Path = CHECKOUT, **environ: str) -> str:
    """Run some lines in a fresh interpreter that has `environ` and nothing else; what it printed."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SEARCH + code],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(package), "PYTHONDONTWRITEBYTECODE": "1", **environ},
        cwd=package,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@dataclass(frozen=True)
class Installed:
    """A copy of the package that may not be written to, and a user who has used it once."""

    package: Path
    home: Path
    shared: Path
    """Where NUMBA_CACHE_DIR points."""
    files_before: set[Path]
    first_answer: str

    def python(self, code: str, **environ: str) -> str:
        environ = {"HOME": str(self.home), "NUMBA_CACHE_DIR": str(self.shared), **environ}
        return python(code, package=self.package, **environ)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    folder = tmp_path_factory.mktemp("installed")
    package, home, shared = folder / "package", folder / "home", folder / "shared"
    shutil.copytree(CHECKOUT / "checker", package / "checker", ignore=shutil.ignore_patterns("__pycache__"))
    home.mkdir(mode=0o700)
    shared.mkdir()
    folders = (package / "checker" / "index", package / "checker", package)
    for closed in folders:
        closed.chmod(0o555)
    fresh = Installed(package, home, shared, files_in(package), "")
    answer = fresh.python("print(kernels.load_compiled(), kernels.active().name, search())")
    yield replace(fresh, first_answer=answer)
    for closed in reversed(folders):
        closed.chmod(0o755)


def files_in(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


def test_importing_the_kernels_does_not_import_numba(installed: Installed) -> None:
    assert installed.python("print(search(), 'numba' in sys.modules)") == "[0, 1] False"


def test_a_service_loads_compiled_kernels_at_its_start(installed: Installed) -> None:
    code = "print(kernels.load_compiled(), kernels.active().name, search(), kernels.load_compiled().in_use)"
    expected = "Loading(in_use=True, why_not='') compiled [0, 1] True"
    assert installed.python(code) == expected


def test_they_are_loaded_once_searching_took_as_long_as_loading(installed: Installed) -> None:
    code = """
held, names = kernels.active(), [kernels.active().name]
kernels._CHOOSER._seconds = kernels.LOAD_SECONDS - 1e-9
search()
names.append(kernels.active().name)
print(names, held.scan_nearest(codes.T, codes[5:6], 1).rows.tolist())
"""
    assert installed.python(code) == "['numpy', 'compiled'] [5]"


def test_compiling_for_the_first_time_waits_longer(tmp_path: Path) -> None:
    code = """
kernels._CHOOSER._seconds = kernels.LOAD_SECONDS
search()
print(kernels.active().name, 'numba' in sys.modules)
"""
    assert python(code, XDG_CACHE_HOME=str(tmp_path)) == "numpy False"


def test_threads_go_on_while_one_of_them_loads(installed: Installed) -> None:
    code = """
import threading
kernels._CHOOSER._seconds = kernels.LOAD_SECONDS
answers = []
def ask():
    for _ in range(30):
        answers.append(search())
threads = [threading.Thread(target=ask) for _ in range(6)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(len(answers), all(answer == [0, 1] for answer in answers), kernels.active().name)
"""
    assert installed.python(code) == "180 True compiled"


def test_without_numba_numpy_answers_and_says_nothing(installed: Installed) -> None:
    code = """
sys.modules["numba"] = None
kernels._CHOOSER._seconds = kernels.LOAD_SECONDS
print(search(), search(), kernels.active().name, kernels.load_compiled().why_not)
"""
    answer = installed.python(code)
    assert answer.startswith("[0, 1] [0, 1] numpy numba cannot be imported")


@pytest.mark.parametrize("environ", [{}, {"HOME": ""}, {"HOME": "here"}, {"HOME": "/proc"}, {"HOME": "/dev/null"}])
def test_without_a_home_nothing_is_compiled(environ: dict[str, str]) -> None:
    code = """
loading = kernels.load_compiled()
print(search(), kernels.active().name, loading.in_use, bool(loading.why_not), 'numba' in sys.modules)
"""
    assert python(code, **environ) == "[0, 1] numpy False True False"


def test_switched_off_by_numbas_own_setting(installed: Installed) -> None:
    code = "print(search(), kernels.load_compiled().why_not)"
    assert installed.python(code, NUMBA_DISABLE_JIT="1") == "[0, 1] NUMBA_DISABLE_JIT is set"


def test_code_is_kept_in_the_users_folder_and_nowhere_else(installed: Installed) -> None:
    """Neither in the package nor where NUMBA_CACHE_DIR points."""
    assert installed.first_answer == "Loading(in_use=True, why_not='') compiled [0, 1]"
    assert files_in(installed.package) == installed.files_before
    assert not files_in(installed.shared)
    ours = installed.home / ".cache" / "haveibeenscraped"
    assert files_in(ours)
    assert files_in(installed.home) == files_in(ours)
    assert ours.stat().st_mode & 0o777 == 0o700
    assert all(folder.stat().st_mode & 0o777 == 0o700 for folder in ours.iterdir())


def test_a_cut_off_file_of_compiled_code_is_compiled_anew(tmp_path: Path, installed: Installed) -> None:
    home = tmp_path / "home"
    shutil.copytree(installed.home, home)
    for path in home.rglob("*.nb?"):
        path.write_bytes(path.read_bytes()[:10])
    code = "print(search(), kernels.load_compiled().in_use, search())"
    assert installed.python(code, HOME=str(home)) == "[0, 1] True [0, 1]"


def test_the_folder_has_to_be_ones_own(tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path)}
    folder = code_folder(environ)
    assert folder.is_relative_to(tmp_path / ".cache" / "haveibeenscraped")
    assert not holds_code(folder)
    with pytest.raises(CannotLoadError, match="another user"):
        code_folder(environ, user_id=os.geteuid() + 1)


@pytest.mark.parametrize("place", [".cache", ".cache/haveibeenscraped", "versions"])
@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702])
def test_a_folder_that_others_may_write_to_is_refused(tmp_path: Path, place: str, mode: int) -> None:
    environ = {"HOME": str(tmp_path)}
    folder = code_folder(environ)
    (folder if place == "versions" else tmp_path / place).chmod(mode)
    with pytest.raises(CannotLoadError, match="others may write"):
        code_folder(environ)


def test_a_folder_above_that_others_may_write_to_is_refused(tmp_path: Path) -> None:
    home = tmp_path / "shared" / "me"
    home.mkdir(parents=True)
    (tmp_path / "shared").chmod(0o777)
    with pytest.raises(CannotLoadError, match="others may write"):
        code_folder({"HOME": str(home)})
    (tmp_path / "shared").chmod(0o1777)  # as /tmp: nobody may rename what is another's
    assert code_folder({"HOME": str(home)}).is_dir()


@pytest.mark.parametrize("place", ["haveibeenscraped", "versions"])
def test_a_link_in_the_place_of_the_folder_is_refused(tmp_path: Path, place: str) -> None:
    environ = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    folder = code_folder(environ)
    linked = folder if place == "versions" else folder.parent
    linked.rename(tmp_path / "elsewhere")
    linked.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CannotLoadError, match="link"):
        code_folder(environ)


def test_a_file_of_another_user_in_the_folder_is_refused(tmp_path: Path) -> None:
    if os.geteuid():
        return  # only root can give a file away
    environ = {"HOME": str(tmp_path)}
    planted = code_folder(environ) / "planted.nbi"
    planted.touch()
    os.chown(planted, 12345, -1)
    with pytest.raises(CannotLoadError, match="another user"):
        code_folder(environ)


def test_a_home_that_is_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "home").symlink_to(tmp_path / "real")
    assert code_folder({"HOME": str(tmp_path / "home")}).is_relative_to(tmp_path / "real")
