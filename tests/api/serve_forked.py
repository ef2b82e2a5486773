"""`hibs serve` started again and again, each time by a fork of a process that has imported everything.

serve_forked.py DATA      for each line of input: prints the server's process id, what the server prints, and "ended"

Everything is imported here, so a start takes some 50 ms instead of a second or more, and a hundred servers can be
killed in one test.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import api.app
import api.cli
import api.server


def main() -> None:
    """One server at a time, until the input ends."""
    for _ in sys.stdin:
        child = os.fork()
        if child == 0:
            sys.stdout.write(f"{os.getpid()}\n")
            sys.stdout.flush()
            api.cli.serve(data=Path(sys.argv[1]), port=0)
            os._exit(0)
        os.waitpid(child, 0)
        sys.stdout.write("ended\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
