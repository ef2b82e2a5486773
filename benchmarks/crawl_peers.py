"""Who is measured in `crawl.py`: `hibs crawl`, img2dataset and Scrapy, each as the command that a user would type.

`python benchmarks/crawl_peers.py` makes the peers' environment, build/peers, and says what is in it.

The peers have an environment of their own, made with pip when it lacks one of them. One that cannot be installed is
left out, aloud. Their settings are the best of those that were tried on two CPUs:

- img2dataset: 2 processes, 16 threads (tried: 1 x 32, 1 x 64, 2 x 8, 2 x 16, 2 x 32, 2 x 64, 3 x 32, 4 x 16; those with
  two processes differ by less than their runs do), a shard a process. It gets a list of addresses, finds no pages, asks
  for no robots.txt and hashes no pixels; `resize_mode no` and `skip_reencode` leave the files as they are. It still
  decodes each one, so `disable_all_reencoding`, which does not, is a row of its own.
- Scrapy: 16 requests, 8 a host, imagehash in the reactor's thread (tried: 16, 32, 64, 128; 2 a host; imagehash in
  other threads). It reads the same pages as ours. robots.txt is heeded, as ours does; without is a row of its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crawl_run import BENCHMARKS, CHECKOUT, Run, Web

PEERS = CHECKOUT / "build" / "peers"
PACKAGES = {
    "img2dataset": ("img2dataset==1.47.0",),
    "scrapy": ("scrapy==2.19.0", "imagehash==4.3.2", "pillow==13.0.0"),
}
INSTALL_S_MAX = 600
REQUESTS, REQUESTS_PER_HOST = 16, 8
PROCESSES, THREADS = 2, 16
_OFFLINE = {"NO_ALBUMENTATIONS_UPDATE": "1", "WANDB_MODE": "disabled"}
"""What img2dataset imports would ask other machines for newer versions of themselves."""


@dataclass(frozen=True, slots=True)
class Engine:
    """One who is measured."""

    name: str
    package: str
    """What has to be there for it; empty: it is ours."""
    command: Callable[[Web, Path], Sequence[str]]
    """From the web, and an empty folder to write into."""
    stored: Callable[[Run, Path], int]
    """How many pictures it says it has, from what it said and wrote."""
    environ: dict[str, str] = field(default_factory=dict)


# --- commands --------------------------------------------------------------------------------------------------


def crawl_command(found: Web, data: Path, *options: str, start: Sequence[str] | None = None) -> list[str]:
    """`hibs crawl` over every host of the web."""
    pages = found.start if start is None else start
    return [sys.executable, "-m", "checker", "crawl", *pages, *found.opened, "--data", str(data), "--json", *options]


def _ours(found: Web, folder: Path) -> list[str]:
    return crawl_command(found, folder / "data", "--delay", "0")


def _ours_stored(done: Run, _: Path) -> int:
    return int(json.loads(done.out.splitlines()[-1])["new"])


def _img2dataset(found: Web, folder: Path, *options: str) -> list[str]:
    addresses = folder / "addresses.txt"
    addresses.write_text("".join(f"{url}\n" for url in found.pictures))
    given = {
        **{"url_list": addresses, "input_format": "txt", "output_folder": folder / "pictures"},
        **{"output_format": "files", "resize_mode": "no", "skip_reencode": True, "retries": 0},
        **{"processes_count": PROCESSES, "thread_count": THREADS},
        "number_sample_per_shard": -(-found.plan.images // PROCESSES),
    }
    return [str(PEERS / "bin" / "img2dataset"), *(f"--{name}={value}" for name, value in given.items()), *options]


def _img2dataset_bytes(found: Web, folder: Path) -> list[str]:
    return _img2dataset(found, folder, "--disable_all_reencoding=True")


def _img2dataset_stored(_: Run, folder: Path) -> int:
    return sum(json.loads(path.read_text())["successes"] for path in (folder / "pictures").glob("*_stats.json"))


def _scrapy(found: Web, folder: Path, *, robots: bool) -> list[str]:
    options = folder / "options.json"
    given: dict[str, Any] = {"start": found.start, "output": str(folder), "robots": robots, "hash_in_threads": False}
    options.write_text(json.dumps(given | {"requests": REQUESTS, "requests_per_host": REQUESTS_PER_HOST}))
    return [str(PEERS / "bin" / "python"), str(BENCHMARKS / "crawl_scrapy.py"), str(options)]


def _scrapy_stored(_: Run, folder: Path) -> int:
    with (folder / "pictures.jsonl").open() as lines:
        return sum(1 for line in lines if json.loads(line)["images"][0]["phash"])


HASH_ALONE = {"HIBS_ROBUST": "off", "HIBS_STORED_PARTS": "off"}
"""One 256-bit code a picture, as the peers have at most one; everything else is recorded as always."""
OURS = Engine("hibs crawl, phash256 and all records", "", _ours, _ours_stored, HASH_ALONE)
ALL_CODES = Engine(
    *("hibs crawl, all codes", "", _ours, _ours_stored), {"HIBS_ROBUST": "auto", "HIBS_STORED_PARTS": "on"}
)
IMG2DATASET = Engine("img2dataset", "img2dataset", _img2dataset, _img2dataset_stored, _OFFLINE)
SCRAPY = Engine(
    "Scrapy, imagehash", "scrapy", lambda found, folder: _scrapy(found, folder, robots=True), _scrapy_stored
)
OTHERS = (
    Engine("img2dataset, no decoding", "img2dataset", _img2dataset_bytes, _img2dataset_stored, _OFFLINE),
    Engine(
        "Scrapy, imagehash, no robots.txt",
        "scrapy",
        lambda found, folder: _scrapy(found, folder, robots=False),
        _scrapy_stored,
    ),
)
"""The second figures of the peers."""


# --- the environment -------------------------------------------------------------------------------------------


def install() -> dict[str, str]:
    """Make the peers' environment where it lacks something.

    Returns:
        By package: its version, "" where it cannot be had, which is said on standard error.
    """
    versions = _versions()
    for package, wanted in PACKAGES.items():
        if versions.get(package):
            continue
        print(f"(installing {', '.join(wanted)} into {PEERS})", file=sys.stderr)
        command = [str(PEERS / "bin" / "python"), "-m", "pip", "install", "--quiet", *wanted]
        try:
            if not (PEERS / "bin" / "python").exists():
                subprocess.run([sys.executable, "-m", "venv", str(PEERS)], check=True, timeout=INSTALL_S_MAX)
            subprocess.run(command, check=True, timeout=INSTALL_S_MAX, stdout=subprocess.DEVNULL)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            print(f"({package} cannot be installed, so it is left out: {error})", file=sys.stderr)
    return {package: _versions().get(package, "") for package in PACKAGES}


def _versions() -> dict[str, str]:
    python = PEERS / "bin" / "python"
    if not python.exists():
        return {}
    code = f"""
import importlib.metadata, json
found = {{}}
for name in {sorted(PACKAGES)!r}:
    try:
        found[name] = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        pass
print(json.dumps(found))"""
    said = subprocess.run([str(python), "-c", code], check=True, stdout=subprocess.PIPE, text=True, timeout=60).stdout
    found: dict[str, str] = json.loads(said)
    return found


def main() -> None:
    """Install, and say what is there."""
    for package, version in install().items():
        print(f"{package}: {version or 'not there'}")


if __name__ == "__main__":
    main()
