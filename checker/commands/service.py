"""The server that a command speaks to."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from checker.console import say

if TYPE_CHECKING:
    from checker.client import Client


def service(server: str, *, key: str | None = None) -> Client:
    """A client that says aloud when it waits, or a busy server would look like a command that hangs."""
    from checker.client import Client

    def wait(seconds: float) -> None:
        say(f"the server is busy; it is asked again in {seconds:.0f} s")
        time.sleep(seconds)

    return Client(server, key=key, pause=wait)
