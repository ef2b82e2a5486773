"""Registries of other people, where somebody may have opted out what they cannot mark: adapters, optional and off.

    UrlRegistry             asked with addresses: one finding or several for each of them
    DeclarationRegistry     asked with an ISCC: the declarations that it holds, for `declarations` to read
    spawning_request, read_spawning_answer      the Spawning opt-out API as bytes out and bytes in

Nothing is sent from here: whoever runs an adapter sends the request and hands the answer back. Without a key the
Spawning look-up is off. An entry refuses both training uses; no entry says nothing, because a registry of refusals
cannot permit. Whatever goes wrong leaves the asked addresses unknown, as doubt is never consent. A look-up by exact
address misses the same picture at every other address.

Source: Spawning-Inc/datadiligence 0.1.7, rules/spawning.py (2024-10-09), for the form of request and answer. The
service has been under maintenance since 2025. No public query of declarations by ISCC could be verified, so that
registry is an interface only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from checker.errors import InputError
from checker.model import Finding, Stance
from checker.signals.statements import TRAINING, Statement, clipped, findings_of, uniform

SPAWNING_ADDRESS = "https://opts-api.spawningaiapi.com/api/v2/query/urls/"
SPAWNING_KEY_NAME = "SPAWNING_OPTS_KEY"
"""The environment variable under which datadiligence expects the key."""
SPAWNING_URLS_MAX = 10_000
"""Addresses in one request: datadiligence's MAX_CHUNK_SIZE."""
SPAWNING_ANSWER_BYTES_MAX = 32 * 2**20
"""Some three times what 10,000 addresses of 1,000 characters make."""
SPAWNING_VERSION = "Spawning API v2"

_PLACE = "Spawning registry"


class UrlRegistry(Protocol):
    """A registry that is asked with addresses."""

    def look_up(self, urls: Sequence[str]) -> Mapping[str, tuple[Finding, ...]]:
        """Say what is registered for each address. Every asked address is in the answer, also where asking failed."""


class DeclarationRegistry(Protocol):
    """A registry of TDM·AI declarations, asked with a content code."""

    def declarations(self, iscc: str) -> Sequence[bytes]:
        """Give every declaration held for this ISCC, oldest first, for `declarations.read_declaration`."""


@dataclass(frozen=True, slots=True)
class RegistryRequest:
    """A request, ready to be sent."""

    url: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    """Holds the key, so it is not shown."""
    method: str = "POST"


def spawning_request(urls: Sequence[str], *, key: str) -> RegistryRequest | None:
    """Write the request that asks the Spawning registry about addresses.

    Args:
        urls: at most 10,000. One that holds a blank or a control character would be read as several and is left
            out; `read_spawning_answer` then gives it as unknown.
        key: of the operator's account.
    Returns:
        None: nothing is to be asked, because there is no key or no address.
    Raises:
        InputError: too many addresses, or a key that no header can hold.
    """
    if len(urls) > SPAWNING_URLS_MAX:
        raise InputError(f"{len(urls)} addresses in one request; ask about at most {SPAWNING_URLS_MAX} at a time")
    if not key.isascii() or not key.isprintable():
        raise InputError(f"the key in {SPAWNING_KEY_NAME} holds characters that no header can; copy it again")
    lines = [url for url in dict.fromkeys(urls) if _is_one_line(url)]
    if not key or not lines:
        return None
    return RegistryRequest(
        url=SPAWNING_ADDRESS,
        body="\n".join(lines).encode("utf-8"),
        headers=(("Content-Type", "text/plain"), ("Authorization", f"API {key}")),
    )


def read_spawning_answer(
    urls: Sequence[str], *, status: int | None, body: bytes = b"", error: str | None = None
) -> dict[str, tuple[Finding, ...]]:
    """Read the answer. Never raises.

    Args:
        urls: what was asked about.
        status: None: no answer came, and `error` says why ("timeout", ...).
        body: `{"urls": [{"url": "...", "optOut": true}, ...]}`, at most 32 MiB.
    Returns:
        For every asked address: a refusal; or a finding that says nothing of any use (it is not registered); or one
        that leaves training in doubt, also where the answer leaves the address out.
    """
    failed = error or (None if status == 200 else "no answer" if status is None else f"HTTP {status}")
    if failed is None:
        entries = _entries(body)
        failed = "the answer is not of the agreed form" if entries is None else None
    else:
        entries = None
    if entries is None:
        return dict.fromkeys(urls, (_unknown(failed or "no answer"),))
    return {
        url: _of_values(entries[url]) if url in entries else (_unknown("the answer leaves this address out"),)
        for url in urls
    }


def _is_one_line(url: str) -> bool:
    """Whether the service would read it as one address. Lone surrogates have no UTF-8 and are not printable."""
    return bool(url) and url.isprintable() and " " not in url


def _entries(body: bytes) -> dict[str, list[Any]] | None:
    """Every `optOut` by address; None: the answer has another form."""
    if len(body) > SPAWNING_ANSWER_BYTES_MAX:
        return None
    try:
        answer = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    listed = answer.get("urls") if isinstance(answer, dict) else None
    if not isinstance(listed, list):
        return None
    entries: dict[str, list[Any]] = {}
    for entry in listed:
        if isinstance(entry, dict) and isinstance(entry.get("url"), str):
            entries.setdefault(entry["url"], []).append(entry.get("optOut"))
    return entries


def _of_values(values: Sequence[Any]) -> tuple[Finding, ...]:
    """One address may be listed twice: a refusal wins over what is unreadable, and that over "not registered"."""
    raw = ", ".join(f"optOut: {_shown(value)}" for value in values[:5])
    if any(value is True or (isinstance(value, str) and value.strip().lower() == "true") for value in values):
        statement = Statement(uniform(Stance.DENY, TRAINING))
    elif all(value is False for value in values):
        statement = Statement()
    else:
        statement = Statement(malformed=True, doubted=frozenset(TRAINING))
    return findings_of(statement, signal="spawning-registry", place=_PLACE, raw=raw, version=SPAWNING_VERSION)


def _shown(value: Any) -> str:
    return json.dumps(value)[:50] if isinstance(value, bool | str | int | float | None) else "..."


def _unknown(detail: str) -> Finding:
    return Finding(
        signal="spawning-registry",
        place=_PLACE,
        raw=clipped(detail),
        uses=uniform(Stance.UNSPECIFIED, TRAINING),
        version=SPAWNING_VERSION,
        unreachable=True,
    )
