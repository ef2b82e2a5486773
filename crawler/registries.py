"""Asks registries of opt-outs about addresses. Off: only those that somebody named are asked, and each question is
told before it is sent.

    read_registry_keys   the file that holds the keys
    choose_registries    what was named -> what will be asked, refused here where it cannot be
    ask_registries       addresses -> what each registry says of them

What leaves this machine is the address, without user name, password, fragment and the signed parts of its query, and
the key for that registry. Requests go through the guard and the pace of a crawl, one at a time; no redirect is
followed, for the key would go along. A registry that answers with an error, with "not now" or not at all is left alone
for the rest of the call, and the addresses that were not asked about are as unknown as those that were.

What is asked how, and what an answer means, is `checker.signals.registries`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import ada_url

from checker.console import printable
from checker.errors import InputError
from checker.model import Finding
from checker.signals.registries import REGISTRIES, RegistryRequest, UrlRegistry
from crawler.addresses import join, storable
from crawler.fetch import Ask, Fetched, NotFetched
from crawler.guard import Guard
from crawler.turns import PutOff, Turns, is_complaint

Findings = tuple[Finding, ...]

REQUESTS_MAX = 100
"""To one registry in one call: 100,000 addresses where one request takes 1,000."""
URL_CHARACTERS_MAX = 2_048
"""As long as an address that the crawler follows."""

_KEYS_BYTES_MAX = 65_536
_URLS_SHOWN = 2
"""An address, and the one that it redirects to."""
_NO_ADDRESS = "nothing to ask about: no http(s) address of a sensible length"
_KEY_REFUSED = frozenset({401, 402, 403})
"""Unauthorized, payment required, forbidden: the next request would fare no better."""


@dataclass(frozen=True, slots=True)
class ChosenRegistry:
    """One that will be asked."""

    registry: UrlRegistry
    address: str
    """Where."""
    key: str = field(repr=False)


def read_registry_keys(path: Path) -> dict[str, str]:
    """Read the keys in a file: one `NAME KEY` a line; empty lines and those that begin with # are left out.

    Raises:
        InputError: the file cannot be read, or a line is not of that form. The message never repeats a key.
    """
    try:
        with path.open("rb") as file:
            text = file.read(_KEYS_BYTES_MAX + 1).decode("ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read registry keys from {path}; check the path and the file") from error
    if len(text) > _KEYS_BYTES_MAX:
        raise InputError(f"{path} is larger than {_KEYS_BYTES_MAX // 1024} KiB; give a file of `NAME KEY` lines")
    keys: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if len(words) != 2 or words[0] not in REGISTRIES or words[0] in keys or not line.strip().isprintable():
            raise InputError(
                f"{path} line {number} is not `NAME KEY` with one of {', '.join(REGISTRIES)}, each once; correct it"
            )
        keys[words[0]] = words[1]
    return keys


def choose_registries(named: Iterable[str], *, keys: Mapping[str, str]) -> tuple[ChosenRegistry, ...]:
    """Check what was named, before anything is sent.

    Args:
        named: "NAME", or "NAME=ADDRESS" for a registry that answers elsewhere (a mirror, a test).
        keys: by name.

    Raises:
        InputError: an unknown name, one named twice or without a key, or an address that cannot be used.
    """
    chosen: dict[str, ChosenRegistry] = {}
    for text in named:
        name, equals, address = text.partition("=")
        if name not in REGISTRIES:
            raise InputError(f"{name!r} is no registry that can be asked; known are {', '.join(REGISTRIES)}")
        if name in chosen:
            raise InputError(f"registry {name} is named twice; name it once")
        if name not in keys:
            raise InputError(
                f"registry {name} is asked with a key; put a line `{name} KEY` into a file and give it with "
                "--registry-keys FILE or HIBS_REGISTRY_KEYS"
            )
        registry = REGISTRIES[name]
        chosen[name] = ChosenRegistry(
            registry, _service_address(name, address) if equals else registry.address, keys[name]
        )
    return tuple(chosen.values())


async def ask_registries(
    urls: Iterable[str], chosen: Sequence[ChosenRegistry], *, turns: Turns, tell: Callable[[str], None]
) -> dict[str, Findings]:
    """Ask each registry about each address.

    Args:
        urls: of pictures or pages, as they were met.
        chosen: empty: nothing is sent.
        turns: make the requests; pass those of a crawl, and its pace holds here too.
        tell: is given one sentence before a registry is asked: what goes to whom.

    Returns:
        Every address, with at least one finding of each registry. In doubt, whatever went wrong.

    Raises:
        StoppedError: the run is to end.
    """
    asked = {url: _asked(url) for url in urls}
    told: dict[str, Findings] = dict.fromkeys(asked, ())
    for one in chosen:
        addresses = list(dict.fromkeys(address for address in asked.values() if address))
        said = await _ask_one(one, addresses, turns, tell) if addresses else {}
        for url, address in asked.items():
            told[url] += said[address] if address else _unasked(one, (url,), _NO_ADDRESS)[url]
    return told


async def _ask_one(
    one: ChosenRegistry, urls: Sequence[str], turns: Turns, tell: Callable[[str], None]
) -> dict[str, Findings]:
    registry = one.registry
    most = REQUESTS_MAX * registry.urls_max
    tell(_sentence(one, urls[:most]))
    said = _unasked(one, urls[most:], f"not asked: more than {most:,} addresses at once")
    trouble = ""
    for batch in _batches(urls[:most], registry.urls_max):
        if trouble:
            said |= _unasked(one, batch, f"not asked, after {trouble}")
            continue
        request = registry.request(batch, key=one.key, address=one.address)
        if request is None:
            said |= _unasked(one, batch, _NO_ADDRESS)
            continue
        answer = await turns.fetch(_ask(request, registry.answer_bytes_max))
        status, body, error = _answered(answer)
        said |= registry.read(batch, status=status, body=body, error=error)
        if is_complaint(answer) or not isinstance(answer, Fetched) or status in _KEY_REFUSED:
            trouble = error or f"HTTP {status}"
    return said


def _ask(request: RegistryRequest, bytes_max: int) -> Ask:
    return Ask(request.url, bytes_max=bytes_max, method=request.method, body=request.body, headers=request.headers)


def _answered(answer: Fetched | NotFetched | PutOff) -> tuple[int | None, bytes, str | None]:
    if isinstance(answer, Fetched):
        return answer.head.status, answer.body or b"", None
    return None, b"", answer.reason.value if isinstance(answer, NotFetched) else "host-rests"


def _unasked(one: ChosenRegistry, urls: Sequence[str], why: str) -> dict[str, Findings]:
    return one.registry.read(urls, status=None, error=why)


def _batches(urls: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    return (urls[start : start + size] for start in range(0, len(urls), size))


def _asked(url: str) -> str | None:
    """The address as it is sent. None: it is none that a registry could know."""
    address = join(url, "")
    return storable(address) if address and len(address) <= URL_CHARACTERS_MAX else None


def _sentence(one: ChosenRegistry, urls: Sequence[str]) -> str:
    shown = " and ".join(map(printable, urls[:_URLS_SHOWN]))
    what = shown if len(urls) <= _URLS_SHOWN else f"{len(urls):,} addresses, among them {shown}"
    return f"asking the {one.registry.title} about {what}: this and your key go to {printable(one.address)}"


def _service_address(name: str, text: str) -> str:
    """Of a registry, checked: the key goes there, so nobody on the way may read it."""
    try:
        url = ada_url.URL(text)
    except ValueError:
        url = None
    if url is None or url.protocol not in ("http:", "https:"):
        raise InputError(f"{name}={text} names no address; give one that begins with https://")
    if url.username or url.password or url.search or url.hash:
        raise InputError(f"the address of {name} has no user name, query or fragment; give scheme, host and path")
    if url.protocol != "https:" and not Guard().is_loopback(str(url.hostname)):
        raise InputError(f"{name}={text} would send your key where others can read it; give an https:// address")
    return str(url.href)
