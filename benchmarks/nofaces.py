"""Are different persons called copies of each other? We match photos, never faces; this measures how well that holds.

`python benchmarks/nofaces.py PHOTOS [--people FOLDER] [--people-max N] [--half measure|choose|all]`

Studio portraits of one series (congress_*) and close faces (fairface_*) look more alike than any other photos of
different things. The corpus has all photos of the half, every portrait is asked for as anybody asks, and a pair of two
portraits counts with the surer word of its two questions (other photos are not asked for). `--people` names a folder
with one sub-folder a person (as Labeled Faces in the Wild comes): different photos of one person must not match
either, except where they are the same photo twice, so the pairs that matched are listed, to be looked at.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import measuring

Pair = tuple[str, str]
KINDS = ("same", "edited", "possible")
"""Surest first."""
LISTED_MAX = 40


def answers(photos: Mapping[str, Path], asked: Iterable[str], *, robust: bool) -> dict[Pair, str]:
    """Pairs of different photos (by name, in order) that matched -> the surest kind of the two questions."""
    settings = measuring.our_settings(robust=robust)
    sure: dict[Pair, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        measuring.store(Path(folder) / "data", ((name, path.read_bytes()) for name, path in photos.items()), settings)
        with measuring.asking(Path(folder) / "data", settings) as checker:
            for number, name in enumerate(asked, 1):
                if number % 100 == 0:
                    print(f"asked for {number} photos", file=sys.stderr, flush=True)
                for found, kind in measuring.ask(checker, photos[name].read_bytes()).items():
                    if found != name:
                        pair = (min(name, found), max(name, found))
                        sure[pair] = min(kind, sure.get(pair, kind), key=KINDS.index)
    return sure


def lines_of(
    pairs: Mapping[str, int], sure: Mapping[Pair, str], kind_of_pair: Callable[[Pair], str]
) -> list[list[str]]:
    """One line a kind of pair: how many got each word, with its interval."""
    counted = Counter((kind_of_pair(pair), kind) for pair, kind in sure.items())
    lines = []
    for name, of in pairs.items():
        if of:
            counts = [counted[name, kind] for kind in KINDS]
            certain = counts[0] + counts[1]
            lines.append([name, f"{of:,}", *(_rate(count, of) for count in (certain, *counts))])
    return lines


def _rate(count: int, of: int) -> str:
    low, high = measuring.interval(count, of)
    return f"{count} ({measuring.few(low)} to {measuring.few(high)})"


COLUMNS = ("pairs of", "pairs", "same or edited (95 % interval)", *KINDS)


def series(photos: list[Path]) -> str:
    """Tables about the portraits of the photo collection."""
    by_name = {path.name: path for path in photos}
    portraits = [name for name in by_name if measuring.group_of(name) != measuring.OTHERS]
    groups = Counter(measuring.group_of(name) for name in portraits)
    pairs = {f"two {group}": size * (size - 1) // 2 for group, size in groups.items()}
    rest = len(portraits) * (len(by_name) - 1) - len(portraits) * (len(portraits) - 1) // 2 - sum(pairs.values())
    pairs["a portrait and a photo of another kind"] = rest

    def kind_of_pair(pair: Pair) -> str:
        left, right = (measuring.group_of(name) for name in pair)
        return f"two {left}" if left == right else "a portrait and a photo of another kind"

    return _tables("Portraits of different persons", by_name, portraits, pairs, kind_of_pair)


def people(folder: Path, people_max: int) -> str:
    """Tables about photos that are sorted by person."""
    of_person = {each.name: sorted(each.glob("*.jpg")) for each in sorted(folder.iterdir()) if each.is_dir()}
    several = [name for name, paths in of_person.items() if len(paths) > 1]
    if not several:
        sys.exit(f"{folder} has no person with two photos; it needs one sub-folder a person, with JPEG files")
    chosen = [several[number * len(several) // people_max] for number in range(people_max)]
    chosen = several if people_max >= len(several) else chosen
    by_name = {f"{person}/{path.name}": path for person in chosen for path in of_person[person]}
    person_of = {name: name.rpartition("/")[0] for name in by_name}
    one = sum(len(list(itertools.combinations(of_person[person], 2))) for person in chosen)
    every = len(by_name) * (len(by_name) - 1) // 2
    pairs = {"two photos of one person": one, "photos of two persons": every - one}

    def kind_of_pair(pair: Pair) -> str:
        return "two photos of one person" if person_of[pair[0]] == person_of[pair[1]] else "photos of two persons"

    return _tables(f"{len(chosen)} persons with several photos", by_name, list(by_name), pairs, kind_of_pair)


def _tables(
    title: str,
    photos: Mapping[str, Path],
    asked: list[str],
    pairs: Mapping[str, int],
    kind_of_pair: Callable[[Pair], str],
) -> str:
    parts = [f"## {title}\n\n{len(asked)} asked for, in a corpus of {len(photos)}."]
    for robust in (False, True) if measuring.robust_is_built() else (False,):
        sure = answers(photos, asked, robust=robust)
        parts.append(f"### robust {'on' if robust else 'off'}")
        parts.append(measuring.table(COLUMNS, lines_of(pairs, sure, kind_of_pair)))
        listed = sorted(sure.items(), key=lambda item: (KINDS.index(item[1]), item[0]))[:LISTED_MAX]
        if listed:
            rows = [[left, right, kind, kind_of_pair((left, right))] for (left, right), kind in listed]
            parts.append(f"{len(sure)} matched; at most {LISTED_MAX} are listed.")
            parts.append(measuring.table(("photo", "photo", "called", "what they are"), rows))
    return "\n\n".join(parts)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path, metavar="PHOTOS", help="folder of JPEG files")
    parser.add_argument("--people", type=Path, metavar="FOLDER", help="one sub-folder a person")
    parser.add_argument("--people-max", type=int, default=300, metavar="N", help="persons with two photos or more")
    parser.add_argument("--half", choices=measuring.HALVES, default="measure")
    parser.add_argument("--photos-max", type=int, metavar="N")
    arguments = parser.parse_args()
    photos = measuring.photos_of(arguments.photos, half=arguments.half, photos_max=arguments.photos_max)
    print(measuring.heading("Photos, never faces", {"interval": "exact (Clopper-Pearson), 95 %, two-sided"}))
    print(series(photos), flush=True)
    if arguments.people:
        print("\n" + people(arguments.people, arguments.people_max))


if __name__ == "__main__":
    main()
