"""Where a case is written, looked at before the first photo: hours of asking must not end at a place that cannot work.

What the run reads is never written over, nor is anything but an ordinary file: an older report is written anew.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from checker.commands.check_case_files import CaseFiles, partial_of
from checker.console import one_line
from checker.errors import InputError

Identity = tuple[int, int] | str
"""Device and number of what is there, whatever links lead to it; else where it would be."""


def require_places(files: CaseFiles, inputs: Iterable[tuple[str, Path]], data: Path | None) -> None:
    """Can everything be written, and is nothing lost by it?

    Args:
        inputs: what the run reads, each with what it is ("a photo").
        data: the data folder that is asked. None: a server is.
    Raises:
        InputError: a place cannot be written, is there and no ordinary file, is read or written for something else, or
            lies in the data folder.
    """
    for option, path in files.named:
        _require_name(option, path)
        _require_kind(option, path)
        if data is not None and _real(path).is_relative_to(_real(data)):
            raise InputError(f"{option} {one_line(path)} lies inside the data folder {one_line(data)}; {_ELSEWHERE}")
    _require_apart(files)
    touched = {_identity(path): what for what, path in _touched(files)}
    for what, path in inputs if touched else ():
        writer = touched.get(_identity(path))
        if writer:
            raise InputError(f"{writer} would write over {what}, {one_line(path)}; {_ELSEWHERE}")


def try_places(files: CaseFiles) -> None:
    """Make what each is written as until it is whole, and take it away again.

    Only while the journal is held: what is unfinished could be another run's.

    Raises:
        DataError: it cannot be made.
    """
    from checker.evidence.bundle import begin_bundle, unwritable

    for option, path in files.named:
        try:
            if option == "--evidence":
                begin_bundle(path).rmdir()
            else:
                partial_of(path).unlink(missing_ok=True)
                partial_of(path).touch(mode=0o600, exist_ok=False)
                partial_of(path).unlink()
        except OSError as error:
            raise unwritable(path, error) from error


_ELSEWHERE = "give another place"


def _touched(files: CaseFiles) -> Iterator[tuple[str, Path]]:
    """What is written, replaced or deleted, each with what does it."""
    for option, path in files.named:
        yield option, path
        yield f"the unfinished {option}", partial_of(path)
    if files.journal:
        yield "the journal of the run", files.journal


def _require_name(option: str, path: Path) -> None:
    what = "a new folder" if option == "--evidence" else "a file"
    if path.name in ("", ".."):
        raise InputError(
            f"{option} {one_line(path)} does not name {what}; give a name, such as {one_line(path / 'case')}"
        )
    if not path.absolute().parent.is_dir():
        raise InputError(f"there is no folder {one_line(path.parent)} to write {one_line(path.name)} into; make it")


def _require_kind(option: str, path: Path) -> None:
    from checker.evidence.bundle import require_free

    if option == "--evidence":
        require_free(path)
        if path.is_mount() and not os.access(path, os.W_OK | os.X_OK):
            raise InputError(f"{option} {one_line(path)} cannot be written into; {_ELSEWHERE}")
        return
    try:
        ordinary = stat.S_ISREG(path.lstat().st_mode)
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no file can have this name"
        raise InputError(f"{option} {one_line(path)} cannot be written: {reason}; {_ELSEWHERE}") from error
    if not ordinary:
        raise InputError(f"{option} {one_line(path)} is there and is no ordinary file; {_ELSEWHERE}")


def _require_apart(files: CaseFiles) -> None:
    """Nothing is written twice, and nothing into the folder that is signed."""
    folder = _real(files.evidence) if files.evidence else None
    seen: dict[Identity, str] = {}
    for what, path in _touched(files):
        if other := seen.get(_identity(path)):
            raise InputError(f"{other} and {what} would write to one place, {one_line(path)}; {_ELSEWHERE}")
        seen[_identity(path)] = what
        if folder in _real(path).parents:
            raise InputError(f"{what} would write into the folder of --evidence, which is signed; {_ELSEWHERE}")


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))


def _identity(path: Path) -> Identity:
    try:
        seen = path.stat()
    except OSError:
        return os.path.realpath(path)
    except ValueError:
        return str(path)  # no file can have this name
    return seen.st_dev, seen.st_ino
