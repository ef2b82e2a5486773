"""The saved files that `hibs signals` is given, read into what the readers take."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import ada_url

from checker.errors import InputError
from checker.model import Finding
from checker.signals.read import Evidence, RobotsFetch, licences_of
from checker.signals.registries import read_saved_answer
from checker.signals.textfiles import TextFile

_FILE_BYTES_MAX = 16 * 2**20


class Saved(NamedTuple):
    """The files that were given. Any of them: nothing is fetched."""

    robots: Path | None
    headers: Path | None
    html: Path | None
    page_url: str | None
    tdmrep: Path | None
    ai_txt: Path | None
    trust_txt: Path | None
    licences: tuple[str, ...]
    image: Path | None
    registry_answers: tuple[str, ...]

    def evidence(self, address: str) -> Evidence:
        """As the readers take it."""
        status, lines = _headers(self.headers) if self.headers else (None, ())
        page_url = web_address(self.page_url, "--page-url") if self.page_url else address
        return Evidence(
            url=address,
            robots=_fetched(self.robots),
            tdmrep=_fetched(self.tdmrep),
            ai_txt=_fetched_text(self.ai_txt),
            trust_txt=_fetched_text(self.trust_txt),
            status=status,
            headers=lines,
            html=bytes_of(self.html) if self.html else None,
            html_is_target=page_url == address,
            page_url=page_url if self.html else "",
            licences=tuple(map(_licence, self.licences)),
            image=bytes_of(self.image) if self.image else None,
            registries=tuple(
                finding for given in self.registry_answers for finding in _registry_answer(given, address)
            ),
        )


def web_address(url: str | None, option: str) -> str:
    """An address that was typed, as browsers write it. Raises InputError where it is none."""
    if not url:
        raise InputError(f"say which address to ask about: {option} https://...")
    try:
        parsed = ada_url.URL(url)
    except ValueError as error:
        raise InputError(f"{option} {url} is no address; give one that starts with https:// or http://") from error
    if parsed.protocol not in ("https:", "http:"):
        raise InputError(f"{option} {url} is not a web address; give one that starts with https:// or http://")
    parsed.hash = ""
    return str(parsed.href)


def _fetched(path: Path | None) -> RobotsFetch | None:
    return None if path is None else RobotsFetch(status=200, body=bytes_of(path))


def _fetched_text(path: Path | None) -> TextFile | None:
    return None if path is None else TextFile(status=200, body=bytes_of(path))


def _licence(given: str) -> tuple[str, RobotsFetch]:
    address, found, file = given.rpartition("=")
    if not found:
        raise InputError(f"--licence {given} does not say which document it is; give it as URL=FILE")
    return web_address(address, "--licence"), RobotsFetch(status=200, body=bytes_of(Path(file)))


def _registry_answer(given: str, address: str) -> tuple[Finding, ...]:
    name, found, file = given.partition("=")
    if not found:
        raise InputError(f"--registry-answer {given} does not say whose answer it is; give it as NAME=FILE")
    return read_saved_answer(name, bytes_of(Path(file)), url=address)


def refuse_unused_licences(evidence: Evidence, agent: str) -> None:
    """A licence that nothing points at would go unread, and the answer would look as if it said nothing."""
    pointed_at = {pointer.url for pointer in licences_of(evidence, agent=agent)}
    for url, _ in evidence.licences:
        if url not in pointed_at:
            raise InputError(
                f"--licence {url} would not be read: nothing that was given points at it; give the robots.txt "
                "(one that allows the address), the headers or the page that names it"
            )


def bytes_of(path: Path) -> bytes:
    """The bytes of a file. Raises InputError where it cannot be read or is too large."""
    try:
        with path.open("rb") as file:
            content = file.read(_FILE_BYTES_MAX + 1)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}; check the path") from error
    if len(content) > _FILE_BYTES_MAX:
        raise InputError(f"{path} is larger than {_FILE_BYTES_MAX // 2**20} MiB; give the file as the server sent it")
    return content


def _headers(path: Path) -> tuple[int | None, tuple[tuple[str, str], ...]]:
    """Read saved headers. Of several blocks (`curl -IL` writes one a redirect) the last counts."""
    text = bytes_of(path).decode("utf-8", "surrogateescape").replace("\r\n", "\n")
    status: int | None = None
    lines: list[tuple[str, str]] = []
    for number, line in enumerate(text.split("\n"), start=1):
        name, colon, value = line.partition(":")
        if line.startswith("HTTP/"):
            words = line.split()
            if len(words) < 2 or not (words[1].isascii() and words[1].isdecimal()):
                raise InputError(f"{path} line {number} is no status line; it should read like HTTP/1.1 200 OK")
            status, lines = int(words[1]), []
        elif line[:1] in (" ", "\t") and line.strip() and lines:
            # RFC 9112 5.2: an obsolete folded line continues the one before.
            lines[-1] = (lines[-1][0], f"{lines[-1][1]} {line.strip()}")
        elif colon and name.strip():
            lines.append((name.strip(), value.strip()))
        elif line.strip():
            raise InputError(f"{path} line {number} is no header; each line should read like Name: value")
    return status, tuple(lines)
