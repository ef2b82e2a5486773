"""A file that is read forwards and gives no more than it should: gzip is undone, and a bomb is stopped.

DEFLATE packs zeros 1,032 to 1 (RFC 1951), so 20 MB could hold 20 GB and keep a machine busy for minutes. Archives of
pictures hardly shrink at all, lists of addresses five to ten times.
"""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from types import TracebackType
from typing import IO, cast

EXPANSION_MAX, FREE_BYTES = 100, 64 * 2**20
"""A compressed file may hold a hundred times its size and 64 MiB."""
_GZIP = b"\x1f\x8b"


class DamagedError(Exception):
    """A file cannot be read any further. The message is for the person who gave it."""


class BoundedFile:
    """An opened file, gzip undone. A context manager."""

    def __init__(self, path: Path) -> None:
        self._raw: IO[bytes] = path.open("rb")
        start = self._raw.read(len(_GZIP))
        self.size = size = self._raw.seek(0, 2)
        """In bytes, as the file lies there."""
        self._raw.seek(0)
        self.compressed = start == _GZIP
        self._file = cast(IO[bytes], gzip.GzipFile(fileobj=self._raw)) if self.compressed else self._raw
        self._bytes_max = size * EXPANSION_MAX + FREE_BYTES if self.compressed else size
        self.read_bytes_max = 2**20
        """Of one `read`: what asks for more is damaged, or means harm."""
        self.last = b""
        """What `read` gave last."""

    def read(self, size: int = -1) -> bytes:
        """The next bytes."""
        if not 0 <= size <= self.read_bytes_max:
            raise DamagedError(f"a part of it claims to have more than {self.read_bytes_max} bytes")
        self.last = self._checked(self._file.read(size))
        return self.last

    def readline(self, size: int) -> bytes:
        """The next line, or its first `size` bytes."""
        return self._checked(self._file.readline(size))

    def tell(self) -> int:
        """How many bytes were read, gzip undone."""
        return self._file.tell()

    def seek(self, position: int, whence: int = 0) -> int:
        """Go forward to a byte. Going back is for files that are not compressed."""
        assert whence == 0, "only tarfile calls this, and counts from the start"
        if position > self._bytes_max:
            raise DamagedError("it ends too early")
        return self._file.seek(position)

    def _checked(self, data: bytes) -> bytes:
        if self.compressed and self._file.tell() > self._bytes_max:
            raise DamagedError(f"it holds more than {EXPANSION_MAX} times its size, which no archive of pictures does")
        return data

    def __enter__(self) -> BoundedFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        self._raw.close()


READ_ERRORS = (DamagedError, OSError, EOFError, zlib.error)
"""What reading a file may raise, of ours and of the libraries below. gzip.BadGzipFile is an OSError."""


def sentence(error: BaseException) -> str:
    """What such an error says to a person."""
    if isinstance(error, DamagedError):
        return str(error)
    if isinstance(error, EOFError):
        return "it ends too early"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return f"it is damaged ({str(error)[:100] or type(error).__name__})"
