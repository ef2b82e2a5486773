"""Opaque names for stored pictures, so that nobody can walk through them by counting.

A handle is one AES block over the picture's id and the hour, under a key of this installation: it says nothing, is
different in every hour, opens for a day, and cannot be made up (48 of its bits are a check).
"""

from __future__ import annotations

import base64
import os
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from checker.errors import DataError

KEY_FILE = "handle.key"
VALID_FOR = timedelta(hours=24)
_HOUR_S = 3600
_CHECK = bytes(6)
_BLOCK_BYTES = 16


class Handles:
    """Makes and opens handles; all processes on one data folder share the key."""

    def __init__(self, key: bytes) -> None:
        self._cipher = Cipher(algorithms.AES(key), modes.ECB())  # noqa: S305 - one block, never two under one input

    @classmethod
    def of_folder(cls, folder: Path) -> Handles:
        """Read the folder's key, or make it (0600)."""
        path = folder / KEY_FILE
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            key = path.read_bytes()
        except OSError as error:
            raise DataError(f"cannot write {path}: {error.strerror}; check the folder's permissions") from error
        else:
            key = secrets.token_bytes(32)
            with os.fdopen(descriptor, "wb") as file:
                file.write(key)
        if len(key) != 32:
            raise DataError(f"{path} is damaged; delete it (handles given out before will no longer open)")
        return cls(key)

    def make(self, image_id: int, *, now: datetime) -> str:
        """22 characters of URL-safe base64."""
        return self.make_many([image_id], now=now)[0]

    def make_many(self, image_ids: Sequence[int], *, now: datetime) -> list[str]:
        """The handles of many pictures: the blocks of one pass of the cipher."""
        hour = (int(now.timestamp()) // _HOUR_S).to_bytes(4) + _CHECK
        made = self._cipher.encryptor().update(b"".join(image_id.to_bytes(6) + hour for image_id in image_ids))
        blocks = (made[first : first + _BLOCK_BYTES] for first in range(0, len(made), _BLOCK_BYTES))
        return [base64.urlsafe_b64encode(block).rstrip(b"=").decode() for block in blocks]

    def open(self, handle: str, *, now: datetime) -> int | None:
        """The picture's id; None: not a handle of ours, or older than a day."""
        try:
            block = base64.urlsafe_b64decode(handle + "==")
        except ValueError:
            return None
        if len(block) != _BLOCK_BYTES or base64.urlsafe_b64encode(block).rstrip(b"=").decode() != handle:
            return None
        decryptor = self._cipher.decryptor()
        plain = decryptor.update(block)
        made = int.from_bytes(plain[6:10]) * _HOUR_S
        age_s = now.timestamp() - made
        if plain[10:] != _CHECK or not 0 <= age_s <= VALID_FOR.total_seconds() + _HOUR_S:
            return None
        return int.from_bytes(plain[:6])
