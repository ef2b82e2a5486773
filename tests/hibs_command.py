"""Running `hibs` as a user does: a process of its own, in an empty folder, with what it printed and ended with."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from forked_hibs import forks

CHECKOUT = Path(__file__).resolve().parent.parent
Hibs = Callable[..., "subprocess.CompletedProcess[str]"]
POLL_S = 0.01
"""How often a server of the standard library looks whether it is to end; its own 0.5 s is what a test would wait."""


def hibs_in(folder: Path) -> Hibs:
    """`hibs("check", "a.jpg", "--data", "d", exit_code=1)` runs there and fails where another code comes back."""

    def run(*arguments: object, exit_code: int = 0) -> subprocess.CompletedProcess[str]:
        done = forks().run([*map(str, arguments)], folder=folder, seconds=120)
        assert done.returncode == exit_code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    return run


@contextmanager
def serving(folder: Path, data: str, environment: Mapping[str, str] | None = None) -> Iterator[str]:
    """`hibs serve` over `data` in this folder, on any free port: its address. It has to end cleanly.

    Args:
        environment: other than that of the tests.
    """
    command = [sys.executable, "-P", "-m", "checker", "serve", "--data", data, "--port", "0"]
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        try:
            address = ""
            for line in process.stdout:
                if found := re.search(r"open (http://127\.0\.0\.1:\d+)", line):
                    address = found[1]
                    break
            assert address, "serve did not say where it listens"
            yield address
            process.send_signal(signal.SIGINT)
            process.stdout.read()
            assert process.wait(timeout=20) == 0
        finally:
            process.kill()  # a test that failed would wait for it for ever
