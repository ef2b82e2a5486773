"""Finds copies of photos, reads what publishers said, records opt-outs and helps to honour them. No sockets.

The public names below load when they are first used, so that `import checker` stays quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from checker.client import Client
    from checker.fingerprint import fingerprint_bytes, fingerprint_file
    from checker.fingerprint.library import fingerprint
    from checker.lookup import Checker
    from checker.optout.filter import OptOutFilter
    from checker.optout.receipt import verify_receipt
    from checker.signals.read import read_signals

__all__ = [
    "Checker",
    "Client",
    "OptOutFilter",
    "fingerprint",
    "fingerprint_bytes",
    "fingerprint_file",
    "read_signals",
    "verify_receipt",
]

_HOMES = {
    "Checker": "checker.lookup",
    "Client": "checker.client.client",
    "OptOutFilter": "checker.optout.filter",
    "fingerprint": "checker.fingerprint",
    "fingerprint_bytes": "checker.fingerprint",
    "fingerprint_file": "checker.fingerprint",
    "read_signals": "checker.signals.read",
    "verify_receipt": "checker.optout.receipt",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'checker' has no attribute {name!r}")
    home = import_module(_HOMES[name])
    return home if name == "fingerprint" else getattr(home, name)  # the package itself is callable
