"""Files of the index with right checksums, by a second writer of the layout: whatever they claim, nothing may break."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Sequence
from typing import Any

PAGE = 4096
FACTS = {"bits": 256, "widths": [8, 8], "after": 2**40}


def laid_out(
    arrays: Sequence[tuple[str, str, Sequence[Any], bytes]],
    *,
    version: int = 1,
    what: Any = "test",
    facts: Any = FACTS,
    header: bytes | None = None,
) -> bytes:
    """What files.py describes.

    Args:
        arrays: name, type, sides and bytes of each.
        header: in place of the one that says so.
    """
    padded = [(name, dtype, shape, data + bytes(-len(data) % PAGE)) for name, dtype, shape, data in arrays]
    listed = [{"name": n, "dtype": d, "shape": s, "crc32": zlib.crc32(data)} for n, d, s, data in padded]
    if header is None:
        header = json.dumps({"what": what, "facts": facts, "arrays": listed}).encode()
    begin = struct.pack("<8sII", b"hibs.idx", version, len(header)) + header
    begin += bytes(PAGE - 4 - len(begin))
    return begin + struct.pack("<I", zlib.crc32(begin)) + b"".join(data for *_, data in padded)
