"""Make checker/fingerprint/background.npz: the codes of unrelated photos that matches are weighed against.

    python benchmarks/background.py OUT.npz FOLDER[:MOST]... --without FOLDER

Only photos in the public domain or under CC0. The file that comes with the package was made of three repositories:

    jforms/images@7eb7278deac9               official portraits, public domain     congress/original
    alexeygrigorev/clothing-dataset-small@11961516512414bf9f6c150a832cfd21b54a6b54   CC0    all
    PDDatabase/PDImages@e52240de7b47         CC0                                    all

Photos that another folder holds as well, to measure by, are left out (`--without`: nearer than 60 bits of sscd512 or
40 of phash256 to one of them), and so are plain ones and near-duplicates of one another.
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path

import numpy as np

from checker.fingerprint import Depth, fingerprint_file
from checker.fingerprint.background import distances_to
from checker.fingerprint.robust import RobustModel
from checker.model import PHASH256, CodeKind, Picture
from checker.settings import Settings

COPY_BITS = {"phash256": 40, "sscd512": 60}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("out", type=Path)
    arguments.add_argument("folders", nargs="+", metavar="FOLDER[:MOST]")
    arguments.add_argument("--without", type=Path, action="append", default=[])
    arguments.add_argument("--hex", default="89abcdef", help="of --without, photos whose SHA-256 begins so")
    given = arguments.parse_args()
    settings = Settings(robust="on", picture_pixels_max=80_000_000)
    model = RobustModel.of(settings)
    assert model
    kinds = (PHASH256, model.kind)
    measured = [p for folder in given.without for p in codes_in(folder, settings, None) if p.sha256[0] in given.hex]
    kept: dict[CodeKind, list[bytes]] = {kind: [] for kind in kinds}
    for text in given.folders:
        folder, _, most = text.partition(":")
        taken = 0
        for picture in codes_in(Path(folder), settings, int(most) if most else None):
            codes = {kind: code.bits for kind in kinds if (code := picture.fingerprint(kind))}
            if not is_near(codes, measured) and not is_near_any(codes, kept):
                taken += 1
                for kind, bits in codes.items():
                    kept[kind].append(bits)
        print(f"{folder}: {taken} photos")
    arrays = {
        f"{kind.name}.{kind.version}": np.frombuffer(b"".join(bits), dtype=np.uint8).reshape(len(bits), -1)
        for kind, bits in kept.items()
    }
    np.savez(given.out, **arrays)
    print(f"{given.out}: {len(kept[PHASH256])} photos, {given.out.stat().st_size:,} bytes")


def codes_in(folder: Path, settings: Settings, most: int | None) -> list[Picture]:
    """The pictures below a folder that read and are not plain; `most` of them, drawn by a fixed seed."""
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    if most is not None and most < len(files):
        files = sorted(random.Random(0).sample(files, most))
    found = [fingerprint_file(file, settings, depth=Depth.WHOLE) for file in files]
    return [picture for picture in found if isinstance(picture, Picture) and not picture.plain]


def is_near(codes: dict[CodeKind, bytes], measured: list[Picture]) -> bool:
    others: dict[CodeKind, list[bytes]] = {kind: [] for kind in codes}
    for picture in measured:
        for kind in codes:
            if code := picture.fingerprint(kind):
                others[kind].append(code.bits)
    return is_near_any(codes, others)


def is_near_any(codes: dict[CodeKind, bytes], others: dict[CodeKind, list[bytes]]) -> bool:
    for kind, bits in codes.items():
        if others[kind]:
            words = np.frombuffer(b"".join(others[kind]), dtype=np.uint64).reshape(len(others[kind]), -1)
            if distances_to(words, [bits]).min() <= COPY_BITS[kind.name]:
                return True
    return False


if __name__ == "__main__":
    main()
