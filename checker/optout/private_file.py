"""Files that only their owner may read: keys, and what was signed last."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from checker.errors import DataError


def write_private(path: Path, data: bytes) -> None:
    """Write a file of mode 0600 so that after a crash it is there as it was or as it should be, and on the disk.

    Raises:
        DataError: it cannot be written.
    """
    temporary = path.with_name(f"{path.name}.new")
    try:
        temporary.unlink(missing_ok=True)
        descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror}; check space and permissions") from error


def read_private(path: Path) -> str | None:
    """The text of a secret file. None: there is none.

    Raises:
        DataError: others may read it, or it cannot be read.
    """
    try:
        mode, text = path.stat().st_mode, path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}; check its permissions") from error
    except ValueError as error:
        raise DataError(f"{path} is no text, so it is no file of keys; restore it") from error
    if stat.S_IMODE(mode) & 0o077:
        raise DataError(f"{path} can be read by others; run `chmod 600 {path}`, and think of a new key if one did")
    return text
