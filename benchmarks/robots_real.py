"""Where we and two other parsers differ on a folder of real robots.txt files, by the classes of docs/robots.md.

    python benchmarks/robots_real.py FOLDER [--files N] [--examples N]

Each file is asked about our agent and eight AI crawlers, for addresses made from its own rules. A difference belongs to
a class where it is gone without what names the class (tests/signals/robots_classes.py); "no class" is a bug on one of
the sides. The folder may hold anything: what is no robots.txt has no rules, and nobody differs about it.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

import measuring
from protego import Protego
from robots import RobotsParser

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "signals"))

from robots_classes import Question, classes_of, plain, question

from checker.model import Stance
from checker.signals.robots import ROBOTS_BYTES_MAX, RobotsFile, parse_robots, read_access

AGENTS = (
    *("HaveIBeenScrapedBot", "GPTBot", "CCBot", "ClaudeBot", "Google-Extended", "Bytespider", "Amazonbot"),
    *("Applebot-Extended", "meta-externalagent"),
)
HOST = "https://site.example"
PATTERNS_MAX = 5
"""Of one file, evenly spread."""
NO_CLASS = ("no class",)


class Reading(Protocol):
    """A file as one of the parsers has read it."""

    def allows(self, url: str, agent: str) -> bool:
        """May `agent` fetch `url`?"""


class Ours:
    def __init__(self, body: bytes) -> None:
        self._file: RobotsFile = parse_robots(body)

    def allows(self, url: str, agent: str) -> bool:
        return read_access(self._file, url, agent=agent).crawl is Stance.ALLOW


class ProtegoReading:
    def __init__(self, body: bytes) -> None:
        self._file = Protego.parse(body.decode("utf-8", "replace"))

    def allows(self, url: str, agent: str) -> bool:
        return bool(self._file.can_fetch(url, agent))


class RobotspyReading:
    def __init__(self, body: bytes) -> None:
        self._file = RobotsParser.from_string(body.decode("utf-8", "replace"))

    def allows(self, url: str, agent: str) -> bool:
        return bool(self._file.can_fetch(agent, url))


PEERS: dict[str, type[ProtegoReading] | type[RobotspyReading]] = {
    "Protego": ProtegoReading,
    "robotspy": RobotspyReading,
}


def urls_of(body: bytes) -> Iterator[str]:
    """The root, a picture, and for some of the file's patterns an address that matches and a longer one."""
    yield from (HOST + "/", HOST + "/art/a.jpg")
    file = parse_robots(body)
    groups = [*file.groups, *(file.meant.groups if file.meant is not None else ())]
    rules = [record.value for group in groups for record in group.records if record.name in ("allow", "disallow")]
    paths = sorted({rule for rule in rules if rule.startswith("/") and len(rule) < 500})
    for path in paths[:: max(1, len(paths) // PATTERNS_MAX)][:PATTERNS_MAX]:
        address = quote(path.replace("*", "x").rstrip("$"), safe="/%?&=+~:;,.-_!()@'[]$", errors="replace")
        yield from (HOST + address, HOST + address + "x.html")


def differences(peer: str, body: bytes) -> Iterator[tuple[Question, bool]]:
    """The questions on which the two differ, with our answer."""
    ours, theirs = Ours(body), PEERS[peer](body)
    for url in urls_of(body):
        for agent in AGENTS:
            answer = ours.allows(url, agent)
            if answer != theirs.allows(url, agent):
                yield question(body, url, agent), answer


def class_of(peer: str, asked: Question, known: list[tuple[str, ...]]) -> tuple[str, ...]:
    """The classes that explain a difference; those that explained another one of the same file are tried first."""

    def agree(one: Question) -> bool:
        return Ours(one.body).allows(one.url, one.agent) == PEERS[peer](one.body).allows(one.url, one.agent)

    for names in known:
        if agree(plain(asked, names)):
            return names
    found = classes_of(asked, agree) or NO_CLASS
    if found != NO_CLASS:
        known.append(found)
    return found


def report(peer: str, files: list[Path], examples: int) -> list[list[str]]:
    """Compare on every file; a row for each class. What has no class is told with file, agent and address."""
    counts: Counter[tuple[str, bool]] = Counter()
    seen_in: dict[str, set[Path]] = defaultdict(set)
    told: Counter[str] = Counter()
    for path in files:
        body = path.read_bytes()[:ROBOTS_BYTES_MAX]
        known: list[tuple[str, ...]] = []
        for asked, answer in differences(peer, body):
            name = " + ".join(class_of(peer, asked, known))
            counts[name, answer] += 1
            seen_in[name].add(path)
            told[name] += 1
            if told[name] <= (1000 if name == NO_CLASS[0] else examples):
                print(f"{peer}: {name}: {path.name}, {asked.agent}, {asked.url}: we {'allow' if answer else 'refuse'}")
    return [
        [name, f"{len(paths):,}", f"{counts[name, False]:,}", f"{counts[name, True]:,}"]
        for name, paths in sorted(seen_in.items(), key=lambda item: -len(item[1]))
    ]


def main() -> None:
    """Compare and print a table for each peer."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="robots.txt files of any name, in folders of any depth")
    parser.add_argument("--files", type=int, help="so many of them, evenly spread (default: all)")
    parser.add_argument("--examples", type=int, default=0, help="print so many of each class (default: %(default)s)")
    given = parser.parse_args()
    found = sorted(path for path in given.folder.rglob("*") if path.is_file())
    if not found:
        raise SystemExit(f"{given.folder} holds no files; name a folder of robots.txt files")
    files = measuring.spread(found, given.files)
    questions = len(AGENTS) * sum(1 for path in files for _ in urls_of(path.read_bytes()[:ROBOTS_BYTES_MAX]))
    print(f"{len(files):,} files, {len(AGENTS)} agents, {questions:,} questions, {datetime.now(UTC):%Y-%m-%d}\n")
    for peer in PEERS:
        rows = report(peer, files, given.examples)
        print(f"\nBeside {peer} {metadata.version(peer.lower())}\n")
        print(measuring.table(("class", "files", "we refuse, it allows", "we allow, it refuses"), rows))


if __name__ == "__main__":
    main()
