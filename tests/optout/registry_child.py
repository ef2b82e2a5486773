"""A process that opts out one picture after the other; run by tests that kill it.

registry_child.py FOLDER COUNT SEED [rotate]    prints each receipt as one line of base64, the moment it has it

With `rotate` the log gets a new key after each of them, and a month goes by in which the old one ends.
"""

from __future__ import annotations

import base64
import random
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from checker.model import PHASH256, Fingerprint, Use
from checker.optout.entry import Evidence
from checker.optout.request import OptOuts
from checker.settings import Settings


def code(draw: random.Random) -> Fingerprint:
    """A code as a real picture has it: 128 of 256 bits set."""
    bits = sum(1 << place for place in draw.sample(range(256), 128))
    return Fingerprint(kind=PHASH256, bits=bits.to_bytes(32))


def main() -> None:
    """Record until the count is reached or somebody kills us."""
    folder, count, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    draw, now = random.Random(seed), datetime(2026, 11, 22, 14, 3, tzinfo=UTC)
    rotates = sys.argv[4:] == ["rotate"]
    with OptOuts.open(folder, Settings(), now=now) as opt_outs:
        ends = [key.until for key in opt_outs.log.keys() if key.until]  # noqa: SIM118 -- a log is no mapping
        if rotates:
            now = max([now, *ends])
        for _ in range(count):
            recorded = opt_outs.record([[code(draw)]], uses=[Use.ALL], evidence=Evidence.PICTURE, now=now)
            assert recorded.receipt_bytes is not None, "nothing is held here"
            print(base64.b64encode(recorded.receipt_bytes).decode(), flush=True)
            if rotates:
                opt_outs.log.rotate(now)
                now += timedelta(days=30)


if __name__ == "__main__":
    main()
