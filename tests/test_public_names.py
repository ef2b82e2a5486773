"""`import checker` is quick, and what it promises is there."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

import checker


@pytest.mark.parametrize("name", checker.__all__)
def test_every_public_name_loads(name: str) -> None:
    # `fingerprint` is the package, which is callable: its full name is "checker.fingerprint".
    assert getattr(checker, name).__name__.rpartition(".")[2] == name
    assert callable(getattr(checker, name))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nothing_of_this_name"):
        checker.nothing_of_this_name  # noqa: B018


@pytest.mark.parametrize(
    "code", ["import checker", "from checker.cli import build_app; build_app()"], ids=["import checker", "hibs --help"]
)
def test_nothing_heavy_is_imported_before_it_is_used(code: str) -> None:
    heavy = ("fastapi", "aiohttp", "scipy", "numpy", "PIL", "imagehash", "pyarrow", "onnxruntime", "pysqlite3")
    program = f"import sys; {code}; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(("given", "expected"), [({}, "1"), ({"OPENBLAS_NUM_THREADS": "3"}, "3")])
def test_hibs_gives_matrices_one_thread_unless_told_otherwise(given: dict[str, str], expected: str) -> None:
    others = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    program = (
        "import atexit, os, sys; sys.argv = ['hibs', '--version']; "
        "atexit.register(lambda: print(os.environ['OPENBLAS_NUM_THREADS'])); from checker.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=others | given
    )
    assert done.stdout.splitlines()[-1] == expected
