"""Is a chance of one in a million one in a million? Unrelated pairs of photos that had no part in any choice.

    python benchmarks/calibration.py PHOTOS [--photos-max N] [--half measure|choose|all]

Every photo is asked for among all others, none of which is a copy of it. A pair that is reported with chance p or less
should come up p times in all pairs; more often means that the null is too narrow, less often that it is cautious. For
the tiles, which are looked at for the nearest sixteen by sscd512 alone, the two chances are multiplied as in an answer.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import measuring
import numpy as np

from checker.fingerprint import Depth, fingerprint_bytes, question_of
from checker.fingerprint.asked import Question
from checker.fingerprint.robust import RobustModel
from checker.matching.chance import Chances, of_placement
from checker.matching.placement import Placer
from checker.model import PHASH256, Picture
from checker.records.interfaces import StoredTiles

LEVELS = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8)
PLACED = 16
WAYS = ("phash256, 64 codes", "sscd512, both nulls", "sscd512 and tiles")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--photos-max", type=int)
    parser.add_argument("--half", choices=measuring.HALVES, default="measure")
    given = parser.parse_args()
    files = measuring.photos_of(given.photos, half=given.half, photos_max=given.photos_max)
    settings = measuring.our_settings(robust=True)
    pictures = {}
    for file in files:
        picture = fingerprint_bytes(file.read_bytes(), settings, depth=Depth.STORED)
        if isinstance(picture, Picture) and not picture.plain:
            pictures[file.name] = picture
    chances: dict[tuple[str, str], list[float]] = {}
    for number, file in enumerate(files):
        if file.name in pictures:
            question = question_of(file.read_bytes(), settings)
            assert isinstance(question, Question)
            for group, way, chance in weighed(question, file.name, pictures, RobustModel.of(settings)):
                chances.setdefault((group, way), []).append(chance)
        print(f"{number + 1} of {len(files)}", end="\r", file=sys.stderr)
    print(measuring.heading("Calibration", {"photos": f"{len(pictures)}, none a copy of another", "half": given.half}))
    for group in sorted({group for group, _ in chances}):
        print(f"\n{group}: {len(chances[group, WAYS[0]]):,} pairs\n")
        rows = [[f"{level:.0e}", *(seen(chances[group, way], level) for way in WAYS)] for level in LEVELS]
        print(measuring.table(["chance", *WAYS], rows))
    print("\nEach cell: pairs with this chance or less, and in brackets how many there should be.")


def weighed(
    question: Question, name: str, pictures: dict[str, Picture], model: RobustModel | None
) -> list[tuple[str, str, float]]:
    """Group, way and chance of every pair of one photo with another."""
    assert model
    found = []
    weigh = Chances(question.codes, question.robust, model.kind)
    robust = {}
    for other, picture in pictures.items():
        if other == name:
            continue
        group = measuring.pair_group(name, other)
        hashes = [code.bits for code in picture.fingerprints if code.kind == PHASH256]
        nearest = nearest_bits([code.bits for code in question.codes], hashes)
        found.append((group, WAYS[0], weigh.of_phash(nearest, stored=len(hashes))))
        codes = [code.bits for code in picture.fingerprints if code.kind == model.kind]
        bits, asked, stored = min(
            (nearest_bits([code.bits], [bits]), number, bits)
            for number, code in enumerate(question.robust)
            for bits in codes
        )
        robust[other] = (bits, asked, weigh.of_robust(bits, stored))
        found.append((group, WAYS[1], robust[other][2]))
    placer = Placer(question)
    for rank, other in enumerate(sorted(robust, key=lambda key: robust[key][0])):
        chance = robust[other][2]
        tiles, picture = pictures[other].tiles, pictures[other]
        if rank < PLACED and tiles:
            stored_tiles = StoredTiles(tiles.bits, tiles.crop, picture.width, picture.height)
            chance *= of_placement(placer.search(stored_tiles, question.robust[robust[other][1]].orientation))
        found.append((measuring.pair_group(name, other), WAYS[2], chance))
    return found


def nearest_bits(asked: list[bytes], stored: list[bytes]) -> int:
    left = np.array([np.frombuffer(bits, dtype=np.uint64) for bits in asked])
    right = np.array([np.frombuffer(bits, dtype=np.uint64) for bits in stored])
    return int(np.bitwise_count(left[:, None] ^ right[None]).sum(axis=2).min())


def seen(chances: list[float], level: float) -> str:
    return f"{sum(chance <= level for chance in chances)} ({len(chances) * level:.3g})"


if __name__ == "__main__":
    main()
