"""Writing a file that only its owner may read."""

from __future__ import annotations

import os
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
