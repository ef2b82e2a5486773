"""How many edited copies are found, and how many different pictures are called copies: ours beside its peers.

`python benchmarks/recall.py PHOTOS [--edits NAME...] [--photos-max N] [--processes 2] [--half measure|choose|all]`

Two directions. A, you hold the copy: the corpus has the originals, and the edited copy is looked up. B, the corpus
holds the copy: the corpus has one edited copy of every photo, and the original is looked up. To a peer that compares
two codes both are the same. Ours is asked as anybody asks it: a data folder, `Checker.check`, once with the setting
`robust` off and once with it on. Found is a match of kind `same` or `edited` with the right picture.

Every edit is one unit of work, and its rows are appended to `--rows` when it is done; `--resume` skips what is there,
and `--tables` prints the tables of such a file without measuring. `PYTHONPATH=FOLDER` brings Immaculate in, if it was
unpacked into a folder.
"""

from __future__ import annotations

import argparse
import functools
import io
import json
import multiprocessing
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field
from pathlib import Path

import measuring
import numpy as np
import recall_tables
from edits import EDITS, SMALL_SIDE_PX, edited, open_photo
from peers import CodePeer, Codes, FolderPeer, all_peers, code_peers, distances, folder_peers, version_of
from recall_tables import UNEDITED, Row

BLOCKS = {"full": None, "small": SMALL_SIDE_PX}
"""Block of rows -> longest side that photos are scaled to before anything else."""
SSCD_PHOTOS = 150
"""Immaculate's sscd costs 35 ms a picture and codes the originals anew for each edit; it gets an even share of them."""
EXAMPLES_MAX = 30


@dataclass(frozen=True)
class Plan:
    """What is measured; goes to every process."""

    photos: list[Path]
    blocks: list[str]
    edits: list[str]
    methods: list[str]
    folder: Path
    """Where the data folders of the originals lie."""


@dataclass
class Tally:
    """Counts the answers of one method to one edit."""

    found: dict[str, str] = field(default_factory=dict)
    """Photo -> kind of match with the right picture, or "no"."""
    wrong: Counter[str] = field(default_factory=Counter)
    """Group of the pair and kind -> matches of different pictures."""
    examples: list[tuple[str, str, str]] = field(default_factory=list)

    def add(self, asked: str, answer: dict[str, str]) -> None:
        """One question's answer: stored picture -> kind of match."""
        self.found[asked] = answer.get(asked, "no")
        for name, kind in answer.items():
            if name != asked:
                self.wrong[f"{measuring.pair_group(asked, name)}/{kind}"] += 1
                if len(self.examples) < EXAMPLES_MAX:
                    self.examples.append((asked, name, kind))


# --- one unit of work: all methods on one edit -------------------------------------------------------------------


def measure(plan: Plan, block: str, edit: str) -> list[Row]:
    """All rows of one edit; UNEDITED asks for the originals themselves, to count wrong matches."""
    originals = _originals(plan, block)
    photos = {path.name: path for path in plan.photos}
    copies = originals if edit == UNEDITED else {name: _copy(photos[name], block, edit) for name in photos}
    rows: list[Row] = []
    for method in plan.methods:
        if method in OURS:
            rows += _ask_ours(plan, block, edit, method, originals, copies)
    for peer in code_peers():
        if peer.name in plan.methods:
            rows.append(_compare_codes(plan, block, edit, peer, copies))
    for folder_peer in folder_peers():
        if folder_peer.name in plan.methods and (block == "full" or folder_peer.method != "sscd"):
            rows.append(_sort_folder(plan, block, edit, folder_peer, originals, copies))
    return rows


OURS = {"ours": False, "ours, robust": True}
"""Column -> is `robust` on."""


@functools.lru_cache(maxsize=2)
def _originals_of(photos: tuple[Path, ...], side: int | None) -> dict[str, bytes]:
    return {path.name: _original(path, side) for path in photos}


def _originals(plan: Plan, block: str) -> dict[str, bytes]:
    return _originals_of(tuple(plan.photos), BLOCKS[block])


def _original(path: Path, side: int | None) -> bytes:
    if side is None:
        return path.read_bytes()
    file = io.BytesIO()
    open_photo(path, side_px_max=side).save(file, "JPEG", quality=90)
    return file.getvalue()


def _copy(path: Path, block: str, edit: str) -> bytes:
    return edited(open_photo(path, side_px_max=BLOCKS[block]), path.name, edit)


def _corpus(plan: Plan, block: str, method: str) -> Path:
    return plan.folder / f"{block}-{method.replace(', ', '-')}"


def build_corpus(plan: Plan, block: str, method: str) -> None:
    """The data folder of the originals, for direction A."""
    settings = measuring.our_settings(robust=OURS[method])
    measuring.store(_corpus(plan, block, method), _originals(plan, block).items(), settings)


def _ask_ours(
    plan: Plan, block: str, edit: str, method: str, originals: dict[str, bytes], copies: dict[str, bytes]
) -> Iterator[Row]:
    settings = measuring.our_settings(robust=OURS[method])
    yield _asked("A", _corpus(plan, block, method), copies, block, edit, method)
    if edit != UNEDITED:
        with tempfile.TemporaryDirectory() as folder:
            measuring.store(Path(folder) / "data", copies.items(), settings)
            yield _asked("B", Path(folder) / "data", originals, block, edit, method)


def _asked(direction: str, folder: Path, bodies: dict[str, bytes], block: str, edit: str, method: str) -> Row:
    tally = Tally()
    with measuring.asking(folder, measuring.our_settings(robust=OURS[method])) as checker:
        start = time.process_time()
        for name, body in bodies.items():
            tally.add(name, measuring.ask(checker, body))
        cpu_s = time.process_time() - start
    return _row(block, edit, method, direction, tally, cpu_s / len(bodies) * 1000)


@functools.lru_cache(maxsize=8)
def _codes_of_originals(photos: tuple[Path, ...], side: int | None, peer: CodePeer) -> Codes:
    return np.stack([peer.code(body) for body in _originals_of(photos, side).values()])


def _compare_codes(plan: Plan, block: str, edit: str, peer: CodePeer, copies: dict[str, bytes]) -> Row:
    stored = _codes_of_originals(tuple(plan.photos), BLOCKS[block], peer)
    names, tally = list(copies), Tally()
    near = distances(np.stack([peer.code(body) for body in copies.values()]), stored) <= peer.radius_bits
    for name, row in zip(names, near, strict=True):
        tally.add(name, {names[number]: "same" for number in np.flatnonzero(row)})
    return _row(block, edit, peer.name, "both", tally, None)


def _sort_folder(
    plan: Plan, block: str, edit: str, peer: FolderPeer, originals: dict[str, bytes], copies: dict[str, bytes]
) -> Row:
    names = list(originals)
    if peer.method == "sscd":
        names = [path.name for path in measuring.spread(plan.photos, SSCD_PHOTOS)]
    bodies = {f"original-{name}": originals[name] for name in names}
    if edit != UNEDITED:
        suffix = EDITS[edit].format.lower().replace("jpeg", "jpg")
        bodies |= {f"copy-{name}.{suffix}": copies[name] for name in names}
    answers: dict[str, dict[str, str]] = {name: {} for name in names}
    for together in peer.sets(bodies):
        stored = [name.removeprefix("original-") for name in together if name.startswith("original-")]
        asked = [name[5:].rpartition(".")[0] for name in together if name.startswith("copy-")]
        for name in stored if edit == UNEDITED else asked:
            answers[name] |= dict.fromkeys(stored, "same")
    tally = Tally()
    for name, answer in answers.items():
        tally.add(name, answer)
    return _row(block, edit, peer.name, "both", tally, None)


def _row(block: str, edit: str, method: str, direction: str, tally: Tally, cpu_ms: float | None) -> Row:
    return Row(block, edit, method, direction, tally.found, dict(tally.wrong), tally.examples, cpu_ms)


# --- all of them -----------------------------------------------------------------------------------------------


def run(plan: Plan, rows_file: Path, *, processes: int, done: Iterable[Row]) -> None:
    """Measure every unit and append its rows to the file."""
    have = {(row.block, row.edit) for row in done}
    units = [(block, edit) for edit in (UNEDITED, *plan.edits) for block in plan.blocks if (block, edit) not in have]
    start = time.monotonic()
    # Nothing of ONNX Runtime may live in this process before it forks: its threads would not come along.
    with ProcessPoolExecutor(processes, multiprocessing.get_context("fork")) as pool, rows_file.open("a") as file:
        corpora = [(block, method) for block in plan.blocks for method in plan.methods if method in OURS]
        for built in [pool.submit(build_corpus, plan, block, method) for block, method in corpora]:
            built.result()
        _progress(f"built {len(corpora)} corpora of {len(plan.photos)} photos", start)
        waiting = {pool.submit(measure, plan, *unit): unit for unit in units}
        for number, ready in enumerate(as_completed(waiting), 1):
            for row in ready.result():
                file.write(json.dumps(asdict(row)) + "\n")
            file.flush()
            _progress(f"{number} of {len(units)} done, {': '.join(waiting[ready])}", start)


def _progress(text: str, start: float) -> None:
    print(f"[{(time.monotonic() - start) / 60:5.1f} min] {text}", file=sys.stderr, flush=True)


def known_methods() -> list[str]:
    """Columns, in order: peers that are installed, then ours."""
    ours = list(OURS) if measuring.robust_is_built() else ["ours"]
    return [*(peer.name for peer in all_peers()), *ours]


def facts_of(plan: Plan) -> dict[str, str]:
    """What the reader of the tables has to know."""
    groups = Counter(measuring.group_of(path.name) for path in plan.photos)
    peers = [peer for peer in all_peers() if peer.name in plan.methods]
    return {
        "photos": f"{len(plan.photos)}: " + ", ".join(f"{groups[group]} {group}" for group in measuring.GROUPS),
        "peers": "; ".join(f"{peer.name} ({version_of(peer)}; {peer.threshold})" for peer in peers),
    }


def parsed() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path, metavar="PHOTOS", help="folder of JPEG files")
    parser.add_argument("--edits", nargs="+", choices=EDITS, default=list(EDITS), metavar="NAME")
    parser.add_argument("--methods", nargs="+", choices=known_methods(), default=known_methods(), metavar="NAME")
    parser.add_argument("--blocks", nargs="+", choices=BLOCKS, default=list(BLOCKS), metavar="full|small")
    parser.add_argument("--half", choices=measuring.HALVES, default="measure")
    parser.add_argument("--photos-max", type=int, metavar="N")
    parser.add_argument("--processes", type=int, default=2, metavar="N")
    parser.add_argument("--rows", type=Path, default=Path("build/recall.ndjson"), metavar="FILE")
    again = parser.add_mutually_exclusive_group()
    again.add_argument("--resume", action="store_true", help="keep the units that are in --rows already")
    again.add_argument("--tables", action="store_true", help="measure nothing, print the tables of --rows")
    return parser.parse_args()


def main() -> None:
    """Measure, then print the tables."""
    arguments = parsed()
    photos = measuring.photos_of(arguments.photos, half=arguments.half, photos_max=arguments.photos_max)
    with tempfile.TemporaryDirectory() as folder:
        plan = Plan(photos, arguments.blocks, arguments.edits, arguments.methods, Path(folder))
        if not arguments.tables:
            arguments.rows.parent.mkdir(exist_ok=True)
            done = recall_tables.read_rows(arguments.rows) if arguments.resume and arguments.rows.exists() else []
            if not done:
                arguments.rows.write_text("")
            elif {name for row in done for name in row.found} != {path.name for path in photos}:
                sys.exit(
                    f"{arguments.rows} is about other photos; give the same --half and --photos-max, or a new --rows"
                )
            run(plan, arguments.rows, processes=arguments.processes, done=done)
    print(measuring.heading("Copies found, and different pictures called copies", facts_of(plan)))
    sizes = {path.name: open_photo(path).size for path in photos}
    print(recall_tables.report(recall_tables.read_rows(arguments.rows), plan.methods, sizes))


if __name__ == "__main__":
    main()
