"""How fast signals are read: robots.txt files and response headers a second, beside Protego, in one run.

    python benchmarks/signals.py [--seconds 0.5]

The files are made here, the same for every run, in the sizes of real ones: a small site's, one with 50 groups, shops
with long lists, one that names 500 crawlers. A decision is asked of a file that was parsed before; the first one, which
makes the rules of our group ready, is shown apart. Goals: parsed in under 1 ms, decided in under 20 microseconds.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib import metadata

import measuring
from protego import Protego

from checker.signals.headers import read_headers
from checker.signals.robots import parse_robots, read_access

AGENT = "ExampleBot"
URLS = tuple(
    f"https://img.example/{path}"
    for path in ("art/2026/07/a-picture.jpg", "shop/item?id=7&size=xl", "caf%C3%A9/a.jpg", "", "images/user/anna/a.png")
)  # fmt: skip
FILES = {
    # name: (groups, rules in the group that speaks to us, rules in each other group)
    "small site": (4, 20, 3),
    "50 groups": (50, 60, 8),
    "50 groups, long lists": (50, 300, 20),
    "200 groups": (200, 200, 10),
    "500 groups": (500, 100, 4),
}
HEADERS = {
    "plain answer": (
        ("Content-Type", "image/jpeg"), ("Content-Length", "48213"), ("Cache-Control", "max-age=31536000"),
        ("ETag", '"5f3e"'), ("Last-Modified", "Wed, 21 Oct 2026 07:28:00 GMT"), ("Server", "nginx"),
    ),
    "answer with signals": (
        ("Content-Type", "image/jpeg"), ("Content-Usage", "train-ai=n, search=y"), ("X-Robots-Tag", "noai, noimageai"),
        ("X-Robots-Tag", "otherbot: noindex"), ("Content-Signal", "search=yes, ai-train=no"), ("Server", "nginx"),
    ),
}  # fmt: skip
WORDS = ("art", "shop", "search", "tag", "user", "wp-admin", "cgi-bin", "private", "images", "cart", "checkout", "feed")


def robots_file(groups: int, own_rules: int, other_rules: int) -> bytes:
    """A robots.txt: the group for everybody, then groups for single crawlers; one rule in eight has a wildcard."""
    dice = random.Random(f"{groups} {own_rules} {other_rules}")
    lines = ["# robots.txt of img.example", "Sitemap: https://img.example/sitemap.xml", ""]
    for number in range(groups):
        lines.append(f"User-agent: Crawler-{number}" if number else "User-agent: *")
        for rule in range(other_rules if number else own_rules):
            path = "/".join(dice.choices(WORDS, k=dice.randint(1, 4)))
            wild = ("*", "*.pdf$", "*?sort=") if rule % 8 == 7 else ("/", f"/{dice.randrange(1000)}")
            lines.append(f"{'Allow' if rule % 10 == 9 else 'Disallow'}: /{path}{dice.choice(wild)}")
        lines.append("")
    return "\n".join(lines).encode()


def best_s(action: Callable[[], object], seconds: float) -> float:
    """The time of one call, in the quickest of several rounds: others are at work on the same machine."""
    started = time.perf_counter()
    action()
    calls = max(1, int(seconds / 5 / max(time.perf_counter() - started, 1e-7)))
    rounds = []
    for _ in range(5):
        started = time.perf_counter()
        for _ in range(calls):
            action()
        rounds.append((time.perf_counter() - started) / calls)
    return min(rounds)


def robots_row(name: str, body: bytes, seconds: float) -> list[str]:
    text = body.decode()
    ours, theirs = parse_robots(body), Protego.parse(text)
    ask_ours = [read_access(ours, url, agent=AGENT).crawl.value == "allow" for url in URLS]
    if ask_ours != [theirs.can_fetch(url, AGENT) for url in URLS]:
        raise SystemExit(f"{name}: the two do not answer alike; their times cannot be compared")
    parse = best_s(lambda: parse_robots(body), seconds)
    first = best_s(lambda: read_access(parse_robots(body), URLS[0], agent=AGENT), seconds)
    peer_parse = best_s(lambda: Protego.parse(text), seconds)
    peer_first = best_s(lambda: Protego.parse(text).can_fetch(URLS[0], AGENT), seconds)
    decide = best_s(lambda: [read_access(ours, url, agent=AGENT) for url in URLS], seconds) / len(URLS)
    peer_decide = best_s(lambda: [theirs.can_fetch(url, AGENT) for url in URLS], seconds) / len(URLS)
    return [
        f"{name}: {len(body) / 1000:.1f} kB, {text.count('User-agent')} groups",
        *(f"{1 / parse:,.0f}", f"{parse * 1e3:.2f}", f"{peer_parse * 1e3:.2f}"),
        *(f"{first * 1e3:.2f}", f"{peer_first * 1e3:.2f}", f"{decide * 1e6:.1f}", f"{peer_decide * 1e6:.1f}"),
    ]


def headers_row(name: str, seconds: float) -> list[str]:
    now = datetime.now(UTC)
    read = best_s(lambda: read_headers(HEADERS[name], agent=AGENT, now=now), seconds)
    return [name, f"{1 / read:,.0f}", f"{read * 1e3:.3f}", *("-",) * 5]


def main() -> None:
    """Measure and print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--seconds", type=float, default=0.5, help="how long each number is measured (default: %(default)s)"
    )
    seconds = parser.parse_args().seconds
    facts = {
        "beside": f"Protego {metadata.version('protego')}",
        "decisions": f"{len(URLS)} addresses, as a crawler asks",
    }
    print(measuring.heading("Signals: speed", facts))
    rows = [robots_row(name, robots_file(*sizes), seconds) for name, sizes in FILES.items()]
    rows += [headers_row(name, seconds) for name in HEADERS]
    columns = (
        *("what", "ours a second", "ours: parse, ms", "Protego: parse, ms"),
        *("ours: parse and first decision, ms", "Protego, ms", "ours: decision, µs", "Protego, µs"),
    )
    print(measuring.table(columns, rows))


if __name__ == "__main__":
    main()
