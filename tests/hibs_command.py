"""Running `hibs` as a user does: a process of its own, in an empty folder, with what it printed and ended with."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
Hibs = Callable[..., "subprocess.CompletedProcess[str]"]


def hibs_in(folder: Path) -> Hibs:
    """`hibs("check", "a.jpg", "--data", "d", exit_code=1)` runs there and fails where another code comes back."""

    def run(*arguments: object, exit_code: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "checker", *map(str, arguments)],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == exit_code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    return run
