"""Registries of other people, where somebody may have opted out what they cannot mark: as bytes out and bytes in.

    UrlRegistry         what every registry that is asked with addresses has; a further one is one more class
    REGISTRIES          those that can be asked, by name
    read_saved_answer   an answer, or a TDM-AI declaration, that was saved before

Nothing is sent from here, and nothing is asked unless somebody names a registry. An entry refuses both training uses;
no entry says nothing, because a registry of refusals cannot permit, and what it lists as permitted is only shown.
Whatever goes wrong leaves the asked addresses unknown: `unreachable` where no answer came, `malformed` where it is not
of the agreed form or leaves an address out. An entry counts whenever it was made, also for what was collected before
it; a look-up by exact address misses the same picture at every other address.

Source: docs/registries.md, with the documents that give each form, and what could not be established.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import quote

from checker.errors import InputError
from checker.model import Finding, Stance
from checker.signals.declarations import read_declaration
from checker.signals.statements import TRAINING, Statement, clipped, findings_of, uniform

DECLARATION = "tdm-ai"
"""Not asked, as no public query could be established; a saved declaration is read."""

_REFUSED = Statement(uniform(Stance.DENY, TRAINING))
_NOTHING_SAID = Statement()
_UNREADABLE = Statement(malformed=True, doubted=frozenset(TRAINING))


@dataclass(frozen=True, slots=True)
class RegistryRequest:
    """A request, ready to be sent."""

    url: str
    method: str
    body: bytes | None
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    """Holds the key, so it is not shown."""


class UrlRegistry(Protocol):
    """A registry that is asked with addresses."""

    @property
    def name(self) -> str:
        """What it is asked for by; findings carry it as `NAME-registry`."""
        ...

    @property
    def title(self) -> str:
        """How a person knows it; the place of its findings."""
        ...

    @property
    def address(self) -> str:
        """Where it answers, unless somebody says otherwise."""
        ...

    @property
    def version(self) -> str:
        """Of the form of its answers."""
        ...

    @property
    def urls_max(self) -> int:
        """Addresses in one request."""
        ...

    @property
    def answer_bytes_max(self) -> int:
        """Of one answer; a longer one is not read."""
        ...

    def request(self, urls: Sequence[str], *, key: str, address: str = "") -> RegistryRequest | None:
        """Write the request that asks about `urls`. None: there is no key or no address to ask about.

        Raises:
            InputError: too many addresses, or a key that no header can hold.
        """
        ...

    def read(
        self, urls: Sequence[str], *, status: int | None, body: bytes = b"", error: str | None = None
    ) -> dict[str, tuple[Finding, ...]]:
        """Read the answer. Never raises, and every asked address is in what it gives, also where asking failed.

        Args:
            urls: what was asked about.
            status: None: no answer came, and `error` says why ("timeout", ...).
        """
        ...


class Spawning:
    """The Do Not Train registry of Spawning: many addresses a request, a yes or no for each.

    Source: Spawning-Inc/datadiligence 0.1.7, rules/spawning.py and tests/server/app.py (2024-10-09), for request and
    answer; huggingface/dataset-viewer, opt_in_out_urls_scan_from_streaming.py (2023), for a lone address. The service
    has been under maintenance since 2025.
    """

    name = "spawning"
    title = "Spawning registry"
    address = "https://opts-api.spawningaiapi.com/api/v2/query/urls/"
    version = "Spawning API v2"
    urls_max = 1_000
    """datadiligence sends up to 10,000, Hugging Face 1,000: an answer that fails then costs less."""
    answer_bytes_max = 4 * 2**20
    """Twice what 1,000 addresses of 2,048 characters make."""

    def request(self, urls: Sequence[str], *, key: str, address: str = "") -> RegistryRequest | None:
        """See `UrlRegistry.request`.

        An address that holds a blank or a control character would be read as several and is left out; `read` then
        gives it as unknown.
        """
        _check(self, urls, key)
        lines = [url for url in dict.fromkeys(urls) if _is_one_line(url)]
        if not key or not lines:
            return None
        if len(lines) == 1:
            lines.append("")  # The service is said to refuse a lone address; an empty second line helps.
        return RegistryRequest(
            url=address or self.address,
            method="POST",
            body="\n".join(lines).encode("utf-8"),
            headers=(("Content-Type", "text/plain"), ("Authorization", f"API {key}")),
        )

    def read(
        self, urls: Sequence[str], *, status: int | None, body: bytes = b"", error: str | None = None
    ) -> dict[str, tuple[Finding, ...]]:
        """See `UrlRegistry.read`. The answer is `{"urls": [{"url": "...", "optOut": true}, ...]}`."""
        failed = _failed(status, error)
        if failed:
            return {url: (_doubt(self, url, failed, unreachable=True),) for url in urls}
        entries = self._entries(body)
        if entries is None:
            return {url: (_doubt(self, url, _OTHER_FORM),) for url in urls}
        return {
            url: self._of_values(url, entries[url])
            if url in entries
            else (_doubt(self, url, "the answer leaves this address out"),)
            for url in urls
        }

    def _entries(self, body: bytes) -> dict[str, list[Any]] | None:
        """Every `optOut` by address; None: the answer has another form."""
        answer = _json_object(body, self.answer_bytes_max)
        listed = answer.get("urls") if answer is not None else None
        if not isinstance(listed, list):
            return None
        entries: dict[str, list[Any]] = {}
        for entry in listed:
            if isinstance(entry, dict) and isinstance(entry.get("url"), str):
                entries.setdefault(entry["url"], []).append(entry.get("optOut"))
        return entries

    def _of_values(self, url: str, values: Sequence[Any]) -> tuple[Finding, ...]:
        """One address may be listed twice: a refusal wins over what is unreadable, and that over "not registered"."""
        raw = ", ".join(f"optOut: {_shown(value)}" for value in values[:5])
        if any(value is True or _reads(value, "true") for value in values):
            return _said(self, url, _REFUSED, raw)
        return _said(self, url, _NOTHING_SAID if all(value is False for value in values) else _UNREADABLE, raw)


class TrainingDataRegistry:
    """The Training Data Registry: one address a request, with what its entry allows.

    Its bulk query is for paying accounts and its form was not seen whole, so it is left out. `allow_inference` and
    `allow_archive` speak of uses that have no word here and are only shown.

    Source: trainingdataregistry.org/developers for the request, /for-ai-companies for the answer, /api-terms 1.0
    (2026-02) for the address.
    """

    name = "training-data"
    title = "Training Data Registry"
    address = "https://trainingdataregistry.org/api/v1/check"
    version = "Training Data Registry API v1"
    urls_max = 1
    answer_bytes_max = 65_536
    """The documented answer has some 400 bytes."""

    _SHOWN = ("registered", "allow_training", "allow_inference", "allow_archive", "source", "trust")

    def request(self, urls: Sequence[str], *, key: str, address: str = "") -> RegistryRequest | None:
        """See `UrlRegistry.request`."""
        _check(self, urls, key)
        if not key or not urls or not _is_one_line(urls[0]):
            return None
        return RegistryRequest(
            url=f"{address or self.address}?url={quote(urls[0], safe='')}",
            method="GET",
            body=None,
            headers=(("X-API-Key", key),),
        )

    def read(
        self, urls: Sequence[str], *, status: int | None, body: bytes = b"", error: str | None = None
    ) -> dict[str, tuple[Finding, ...]]:
        """See `UrlRegistry.read`. The answer is `{"registered": true, "allow_training": false, ...}`."""
        failed = _failed(status, error)
        if failed:
            return {url: (_doubt(self, url, failed, unreachable=True),) for url in urls}
        answer = _json_object(body, self.answer_bytes_max)
        if answer is None or not isinstance(answer.get("registered"), bool) or len(urls) != 1:
            return {url: (_doubt(self, url, _OTHER_FORM),) for url in urls}
        raw = ", ".join(f"{name}: {_shown(answer[name])}" for name in self._SHOWN if name in answer)
        return {url: _said(self, url, self._statement(answer), raw) for url in urls}

    def _statement(self, answer: Mapping[str, Any]) -> Statement:
        allowed = answer.get("allow_training")
        if allowed is False or _reads(allowed, "false"):
            return _REFUSED
        return _NOTHING_SAID if allowed is True or not answer["registered"] else _UNREADABLE


REGISTRIES: Mapping[str, UrlRegistry] = {one.name: one for one in (Spawning(), TrainingDataRegistry())}
SAVED_ANSWERS = (*REGISTRIES, DECLARATION)
"""What `read_saved_answer` reads."""


def read_saved_answer(name: str, body: bytes, *, url: str) -> tuple[Finding, ...]:
    """Say what a saved answer says of `url`. Whoever gives a declaration says by that which picture it is of.

    Args:
        name: one of `SAVED_ANSWERS`.
        body: as the registry gave it with status 200; or one declaration, whose permissions do not count, since its
            signature is not checked.
    Raises:
        InputError: no such registry.
    """
    if name == DECLARATION:
        return read_declaration(body, place="TDM-AI declaration")
    if name not in REGISTRIES:
        raise InputError(f"{name!r} is no registry whose answers can be read; known are {', '.join(SAVED_ANSWERS)}")
    return REGISTRIES[name].read([url], status=200, body=body)[url]


_OTHER_FORM = "the answer is not of the agreed form"


def _check(registry: UrlRegistry, urls: Sequence[str], key: str) -> None:
    if len(urls) > registry.urls_max:
        raise InputError(
            f"{len(urls)} addresses in one request; ask {registry.name} about at most {registry.urls_max} at a time"
        )
    if not key.isascii() or not key.isprintable():
        raise InputError(f"the key for {registry.name} holds characters that no header can; copy it again")


def _is_one_line(url: str) -> bool:
    """Whether a service would read it as one address. Lone surrogates have no UTF-8 and are not printable."""
    return bool(url) and url.isprintable() and " " not in url


def _failed(status: int | None, error: str | None) -> str | None:
    """Why there is no answer to read; None: there is one."""
    if error is None and status == 200:
        return None
    return error or ("no answer" if status is None else f"HTTP {status}")


def _json_object(body: bytes, bytes_max: int) -> dict[str, Any] | None:
    """None: too long, or no JSON object."""
    if len(body) > bytes_max:
        return None
    try:
        answer = json.loads(body.decode("utf-8"), object_pairs_hook=_members)
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) else None


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """RFC 8259 4 leaves open which of two members of one name counts. Neither: the value is then unreadable."""
    members: dict[str, Any] = {}
    for name, value in pairs:
        members[name] = None if name in members else value
    return members


def _reads(value: Any, word: str) -> bool:
    """A refusal counts as text too, in any case."""
    return isinstance(value, str) and value.strip().lower() == word


def _shown(value: Any) -> str:
    return json.dumps(value)[:50] if isinstance(value, bool | str | int | float | None) else "..."


def _said(registry: UrlRegistry, url: str, statement: Statement, raw: str) -> tuple[Finding, ...]:
    return findings_of(
        statement,
        signal=f"{registry.name}-registry",
        place=registry.title,
        raw=raw,
        version=registry.version,
        scope=url,
    )


def _doubt(registry: UrlRegistry, url: str, detail: str, *, unreachable: bool = False) -> Finding:
    return Finding(
        signal=f"{registry.name}-registry",
        place=registry.title,
        raw=clipped(detail),
        uses=uniform(Stance.UNSPECIFIED, TRAINING),
        version=registry.version,
        scope=clipped(url),
        malformed=not unreachable,
        unreachable=unreachable,
    )
