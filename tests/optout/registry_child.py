"""A process that opts out one picture after the other; run by test_optout_log.py, which kills it.

registry_child.py FOLDER COUNT SEED       prints each receipt as one line of base64, the moment it has it
"""

from __future__ import annotations

import base64
import random
import sys
from datetime import UTC, datetime
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
    with OptOuts.open(folder, Settings(), now=now) as opt_outs:
        for _ in range(count):
            recorded = opt_outs.record([[code(draw)]], uses=[Use.ALL], evidence=Evidence.PICTURE, now=now)
            print(base64.b64encode(recorded.receipt_bytes).decode(), flush=True)


if __name__ == "__main__":
    main()
