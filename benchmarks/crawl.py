"""The crawler: how fast beside img2dataset and Scrapy, how close to what its delays admit, how much memory.

`python benchmarks/crawl.py [--only ceiling|polite|memory ...] [--images N] [--rounds N] [--quick] [--json FILE]`

Prints Markdown tables. Everything is on this machine: a web of 50 hosts, each with a loopback address of its own
(`crawl_server.py`), and every engine as the command that a user would type, from its start to its end. The first run
installs the peers into build/peers (`crawl_peers.py`). 5,000 pictures, three rounds: some minutes a section.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import crawl_ceiling
import crawl_memory
import crawl_polite
import measuring
from crawl_peers import ALL_CODES, IMG2DATASET, OTHERS, OURS, SCRAPY, Engine, install
from crawl_run import CHECKOUT, WebPlan

SECTIONS = ("ceiling", "polite", "memory")
QUEUED = (10_000, 100_000, 1_000_000)
POLITE_S, MEMORY_S = 60.0, 20.0
Section = Callable[[], tuple[str, dict[str, Any]]]


def sections(given: argparse.Namespace, engines: tuple[Engine, ...]) -> dict[str, tuple[str, str, Section]]:
    """By name: the heading, what was done, how to do it."""
    plan = WebPlan(
        photos=given.photos,
        hosts=given.hosts,
        images=given.images,
        latency_ms=given.latency_ms,
        errors=given.errors,
        shorter_side=given.shorter_side,
    )
    polite_s, memory_s = (15.0, 8.0) if given.quick else (POLITE_S, MEMORY_S)
    queued = QUEUED[:2] if given.quick else QUEUED
    return {
        "ceiling": (
            f"The pipeline's ceiling, {given.images:,} pictures on {given.hosts} hosts, no delay",
            CEILING_WHAT,
            partial(crawl_ceiling.section, plan, engines, given.rounds),
        ),
        "polite": (
            f"The polite rate, {crawl_polite.DELAY_S:g} s between two requests to a host",
            POLITE_WHAT,
            partial(crawl_polite.section, given.photos, polite_s, given.hosts),
        ),
        "memory": (
            "Memory, by addresses that wait",
            MEMORY_WHAT,
            partial(crawl_memory.section, given.photos, queued, memory_s, given.hosts),
        ),
    }


CEILING_WHAT = """Ours asks every host for robots.txt and four small files, reads the pages, fetches, decodes and codes
each picture and records it with what its publisher said: once with phash256 alone (HIBS_ROBUST=off,
HIBS_STORED_PARTS=off), and in the first round with all codes that this installation can make. img2dataset is given
the addresses and writes files. Scrapy reads the pages, writes files (ImagesPipeline), and imagehash makes a 256-bit
phash of each. Engines take turns, every second round in reverse. Start-up: the same command for two pictures; its
median is taken off. First to last: from the first picture asked for to the last one answered. CPU: the process and all
it started; the server's own is told apart, and shares the machine with all of them."""
POLITE_WHAT = f"""Pictures are spread over the hosts as a power of the rank; the first has {crawl_polite.HOTTEST:.1%},
as the hottest host of a LAION sample of 10,000 addresses on 4,474 hosts. First, every host's first page is a start;
then one page shows the pictures of as many hosts a picture as that sample has. The bound is the sum over the hosts of
what the delay admits. Pauses are measured by the server, from an answer's last bytes to the next request. Of codes,
phash256 alone is made."""
MEMORY_WHAT = """A new data folder whose frontier already holds so many addresses of pictures, then a crawl without
delay until Ctrl-C, with phash256 alone. Memory: the largest sum over the process and its workers (PSS), sampled five
times a second."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    photos = CHECKOUT / os.environ.get("PHOTOS", "../shared/data/photos")
    parser.add_argument("--photos", type=Path, default=photos, metavar="FOLDER", help="JPEG files; default: $PHOTOS")
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=SECTIONS, metavar="SECTION")
    parser.add_argument("--hosts", type=int, default=50)
    parser.add_argument("--images", type=int, default=None, help="default: 5000")
    parser.add_argument("--rounds", type=int, default=None, help="default: 3")
    parser.add_argument("--latency-ms", type=float, default=0.0, metavar="MS", help="of the server, in the ceiling")
    parser.add_argument("--errors", type=float, default=0.0, metavar="SHARE", help="pictures answered with 503 there")
    parser.add_argument("--shorter-side", type=int, metavar="PX", help="of the pictures there; default: as they are")
    parser.add_argument("--second-figures", action="store_true", help="of the peers: no decoding, no robots.txt")
    parser.add_argument("--no-peers", action="store_true", help="ours alone")
    parser.add_argument("--quick", action="store_true", help="500 pictures, one round, shorter crawls")
    parser.add_argument("--json", type=Path, metavar="FILE", help="raw figures")
    given = parser.parse_args()
    given.images = given.images or (500 if given.quick else 5_000)
    given.rounds = given.rounds or (1 if given.quick else 3)
    given.photos = given.photos.resolve()
    if not any(given.photos.glob("*.jpg")):
        raise SystemExit(f"no photos in {given.photos}; name a folder of JPEG files")
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    versions = {} if given.no_peers or "ceiling" not in given.only else install()
    peers = (IMG2DATASET, SCRAPY, *(OTHERS if given.second_figures else ()))
    engines = (OURS, *(peer for peer in peers if versions.get(peer.package)), ALL_CODES)
    set_here = " ".join(f"{name}={value}" for name, value in sorted(os.environ.items()) if name.startswith("HIBS_"))
    facts = {
        "beside it": ", ".join(f"{name} {version or 'not there'}" for name, version in versions.items()) or "nobody",
        "photos": f"{sum(1 for _ in given.photos.glob('*.jpg'))}, each as several files by a number in a comment",
        "settings": set_here or "as they come",
    }
    print(measuring.heading("The crawler", facts), flush=True)
    raw: dict[str, Any] = {}
    for name, (title, what, section) in sections(given, engines).items():
        if name in given.only:
            begin_s = time.monotonic()
            text, raw[name] = section()
            print(f"## {title}\n\n{what}\n\n{text}\n", flush=True)
            print(f"({name}: {time.monotonic() - begin_s:.0f} s)", file=sys.stderr)
    if given.json:
        given.json.write_text(json.dumps(raw, indent=1))


if __name__ == "__main__":
    main()
