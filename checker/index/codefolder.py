"""The folder that compiled code is kept in: the user's own, and nobody else's to write.

What lies there is run (and unpickled before), so whoever can write to it can run what they like as this user. It is
never the folder of the package, nor one that others share, nor the one that NUMBA_CACHE_DIR names.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

_OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH


class CannotLoadError(RuntimeError):
    """Compiled kernels cannot be had here; numpy's do the same, slower."""


def code_folder(environ: Mapping[str, str] = os.environ, *, user_id: int | None = None) -> Path:
    """Make sure that $XDG_CACHE_HOME or $HOME/.cache has a folder for this version's code that only we may write.

    Args:
        user_id: whose it has to be; None: the user that this process runs as.
    Raises:
        CannotLoadError: numba is missing, there is no such place, or others could put code there.
    """
    from importlib.metadata import PackageNotFoundError, version  # 70 ms, and most commands search too little

    user_id = os.geteuid() if user_id is None else user_id
    try:
        name = f"numba-{version('numba')}-{version('llvmlite')}-{_source_digest()}"
    except PackageNotFoundError as error:
        raise CannotLoadError("numba is not installed; pip install 'haveibeenscraped[fast]' brings it") from error
    place = _cache_place(environ)
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        place = place.resolve(strict=True)
        # Whoever may write to a folder above ours may put another in its place.
        for folder in (place, *place.parents):
            _refuse_if_open_to_others(folder, user_id)
        for part in ("haveibeenscraped", name):
            place /= part
            place.mkdir(mode=0o700, exist_ok=True)
            _refuse_if_open_to_others(place, user_id, ours=True)
        for path in place.rglob("*"):
            with suppress(FileNotFoundError):  # another process of ours may be writing
                if path.lstat().st_uid != user_id:
                    raise CannotLoadError(f"{path} belongs to another user; remove {place}")
        if not os.access(place, os.W_OK | os.X_OK):
            raise CannotLoadError(f"{place} cannot be written to; compiled code cannot be kept there")
    except OSError as error:
        raise CannotLoadError(f"no folder for compiled code in {place}: {error.strerror}") from error
    return place


def holds_code(folder: Path) -> bool:
    """Was anything compiled into it before?"""
    return any(folder.rglob("*.nbi"))


def _cache_place(environ: Mapping[str, str]) -> Path:
    place, home = Path(environ.get("XDG_CACHE_HOME", "")), Path(environ.get("HOME", ""))
    if place.is_absolute():  # anything else is to be ignored: XDG Base Directory Specification
        return place
    if not home.is_absolute():
        raise CannotLoadError("neither XDG_CACHE_HOME nor HOME names a folder to keep compiled code in; set one")
    return home / ".cache"


def _refuse_if_open_to_others(folder: Path, user_id: int, *, ours: bool = False) -> None:
    """Raises: CannotLoadError: others may change what lies in it; or, of `ours`, it is a link or not this user's."""
    facts = folder.lstat()
    owners = {user_id} if ours else {user_id, 0}
    # In a sticky folder (/tmp) nobody may rename or remove what is another's.
    sticky = not ours and facts.st_mode & stat.S_ISVTX
    if not stat.S_ISDIR(facts.st_mode) or facts.st_uid not in owners:
        raise CannotLoadError(f"{folder} is a link or belongs to another user; compiled code is not kept there")
    if facts.st_mode & _OTHERS_MAY_WRITE and not sticky:
        raise CannotLoadError(f"others may write to {folder}; `chmod go-w` it, and compiled code can be kept there")


def _source_digest() -> str:
    """Of the code that is compiled, so that no version ever takes another's."""
    sources = (Path(__file__).with_name(name).read_bytes() for name in ("compiled.py", "compiled_turned.py"))
    return hashlib.sha256(b"".join(sources)).hexdigest()[:12]
