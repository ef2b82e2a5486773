"""Processes that are stopped at a place, not at a time: a signal that a process sends itself after a given call."""

from __future__ import annotations

import os
import signal
from pathlib import Path

# Python reads a module of this name before anything else. The first process that comes to the place is stopped there;
# the ones after it find that the mark is gone.
_SITE = """\
import functools, importlib, os, pathlib, sys

SIGNAL, MODULE, NAME, CALL = {given!r}
MARK = pathlib.Path({mark!r})


def stop_after(function):
    calls = []

    @functools.wraps(function)
    def called(*given, **named):
        done = function(*given, **named)
        calls.append(1)
        if len(calls) == CALL and MARK.exists():
            MARK.unlink()
            os.kill(os.getpid(), SIGNAL)
        return done

    return called


if MARK.exists() and "checker" in " ".join(sys.orig_argv):
    holder = importlib.import_module(MODULE)
    *path, last = NAME.split(".")
    for name in path:
        holder = getattr(holder, name)
    setattr(holder, last, stop_after(getattr(holder, last)))
"""


def stopped_after(
    folder: Path, place: str, *, call: int, with_signal: signal.Signals = signal.SIGKILL
) -> dict[str, str]:
    """An environment in which the first `hibs` process that comes to the place gets a signal there.

    Args:
        folder: where the few files for it are put.
        place: a function as MODULE:NAME. The signal comes when its `call`th call, counted from 1, has returned.
    """
    site = folder / "site"
    site.mkdir()
    (site / "mark").touch()
    given = (int(with_signal), *place.split(":"), call)
    (site / "sitecustomize.py").write_text(_SITE.format(given=given, mark=str(site / "mark")))
    return {**os.environ, "PYTHONPATH": str(site)}


def was_stopped(folder: Path) -> bool:
    """Did a process come to the place?"""
    return not (folder / "site" / "mark").exists()
