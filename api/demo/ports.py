"""Which port the demo's service takes."""

from __future__ import annotations

import socket
from contextlib import closing

from checker.errors import InputError

USUAL_PORT = 8000


def pick_port(wanted: int | None) -> int:
    """The port to serve on: the one asked for, else the usual one, else any that is free.

    Raises:
        InputError: the port asked for is in use, or is no port.
    """
    if wanted is not None and not 0 <= wanted <= 65_535:
        raise InputError(f"{wanted} is no port; give a number from 1 to 65535, or 0 for any")
    if wanted:
        if not _free(wanted):
            raise InputError(f"port {wanted} on 127.0.0.1 is in use; give another with --port, or --port 0 for any")
        return wanted
    if wanted is None and _free(USUAL_PORT):
        return USUAL_PORT
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port: int = server.getsockname()[1]
    return port


def _free(port: int) -> bool:
    try:
        with closing(socket.create_server(("127.0.0.1", port))):
            return True
    except OSError:
        return False
