"""`hibs signals`: what did the publisher say about this address, line by line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from checker.console import answer, answer_json, command
from checker.errors import InputError, RemoteError

if TYPE_CHECKING:
    from checker.model import Finding, Verdict
    from checker.signals.read import Evidence

DEFAULT_AGENT = "HaveIBeenScrapedBot"

_FILE_BYTES_MAX = 16 * 2**20
_RAW_SHOWN = 80


@command
def signals(
    url: Annotated[
        str | None, typer.Option("--url", help="Address of the picture or page.", show_default=False)
    ] = None,
    robots: Annotated[
        Path | None, typer.Option("--robots", help="A saved robots.txt of its host.", show_default=False)
    ] = None,
    headers: Annotated[
        Path | None,
        typer.Option("--headers", help="Saved response headers, one `Name: value` a line.", show_default=False),
    ] = None,
    html: Annotated[Path | None, typer.Option("--html", help="A saved page.", show_default=False)] = None,
    page_url: Annotated[
        str | None,
        typer.Option(
            "--page-url",
            help="Address of the --html page where it embeds the picture; without it, --url is that page.",
            show_default=False,
        ),
    ] = None,
    tdmrep: Annotated[
        Path | None, typer.Option("--tdmrep", help="A saved /.well-known/tdmrep.json of its host.", show_default=False)
    ] = None,
    agent: Annotated[str, typer.Option("--agent", help="Product token to read as.")] = DEFAULT_AGENT,
    contact: Annotated[
        str, typer.Option("--contact", help="Fetching only: mail or page of whoever asks.", show_default=False)
    ] = "",
    allow_address: Annotated[
        list[str] | None,
        typer.Option("--allow-address", help="Fetching only: a loopback HOST:PORT to allow.", show_default=False),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on one line.")] = False,
) -> None:
    """Tell what a publisher said about a picture or page: crawling, AI training, text and data mining, search.

    With any file given nothing is fetched, and only those files are read. With --url alone they are fetched politely.

    Examples:

      hibs signals --url https://img.example/a.jpg --robots robots.txt --headers headers.txt

      hibs signals --url https://img.example/a.jpg --contact me@example.org --json
    """
    from datetime import UTC, datetime

    from checker.signals.read import Evidence, read_signals

    address = _address(url, "--url")
    if page_url is not None and html is None:
        raise InputError("--page-url says where a saved page came from; give that page with --html as well")
    if robots or headers or html or tdmrep:
        status, lines = _headers(headers) if headers else (None, ())
        evidence = Evidence(
            url=address,
            robots=_saved(robots),
            tdmrep=_saved(tdmrep),
            status=status,
            headers=lines,
            html=_bytes_of(html) if html else None,
            html_is_target=page_url is None or _address(page_url, "--page-url") == address,
        )
    else:
        evidence = _fetch(address, contact, tuple(allow_address or ()))
    verdict = read_signals(evidence, agent=agent, now=datetime.now(UTC))
    if as_json:
        answer_json({"verdict": verdict.to_dict(), "findings": [_to_dict(finding) for finding in verdict.findings]})
    else:
        for line in _lines(verdict):
            answer(line)


def _address(url: str | None, option: str) -> str:
    import ada_url

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


def _saved(path: Path | None) -> Any:
    from checker.signals.read import RobotsFetch

    return None if path is None else RobotsFetch(status=200, body=_bytes_of(path))


def _bytes_of(path: Path) -> bytes:
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
    text = _bytes_of(path).decode("utf-8", "surrogateescape").replace("\r\n", "\n")
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


def _fetch(url: str, contact: str, allow_addresses: tuple[str, ...]) -> Evidence:
    """Let the installed crawler fetch what there is to read."""
    import os
    from importlib.metadata import entry_points

    from checker.settings import Settings

    contact = contact or Settings.from_environment(os.environ).contact
    for found in entry_points(group="hibs.signals_fetch", name="http"):
        evidence: Evidence = found.load()(url, contact=contact, allow_addresses=allow_addresses)
        return evidence
    raise RemoteError(
        "no way to fetch an address is installed; install the whole of haveibeenscraped, or give saved files"
    )


def _to_dict(finding: Finding) -> dict[str, Any]:
    return {
        "signal": finding.signal,
        "place": finding.place,
        "raw": finding.raw,
        "uses": {use.value: stance.value for use, stance in finding.uses.items()},
        "crawl": finding.crawl.value,
        "version": finding.version,
        "scope": finding.scope,
        "malformed": finding.malformed,
        "unreachable": finding.unreachable,
        "inferred": finding.inferred,
    }


def _lines(verdict: Verdict) -> list[str]:
    """The line that decided, then one row for crawling and for each use with the place that decided it."""
    from checker.model import Use
    from checker.signals.verdict import deciding_finding

    first = verdict.findings[0] if verdict.findings else None
    decided = f"{first.place}: {_shown(first.raw)}{_marks(first)}" if first else "nothing was found"
    rows = [f"decided by   {decided}", ""]
    for name, use in (("crawl", None), *((use.value, use) for use in Use)):
        stance = verdict.crawl if use is None else verdict.uses[use]
        finding = deciding_finding(verdict, use)
        where = f"{finding.place}{_marks(finding)}" if finding else ""
        rows.append(f"{name:12} {stance.value:12} {where}".rstrip())
    if "unknown" in verdict.to_dict().values():
        rows += ["", "unknown: something was there that could not be read or fetched; it is no permission."]
    return rows


def _shown(raw: str) -> str:
    line = " ".join(raw.split())
    return line if len(line) <= _RAW_SHOWN else f"{line[: _RAW_SHOWN - 3]}..."


def _marks(finding: Finding) -> str:
    marks = [name for name in ("malformed", "unreachable", "inferred") if getattr(finding, name)]
    return f" ({', '.join(marks)})" if marks else ""
