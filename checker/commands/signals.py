"""`hibs signals`: what did the publisher say about this address, line by line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from checker.console import ExitCode, answer, answer_json, command, one_line
from checker.errors import InputError, RemoteError

if TYPE_CHECKING:
    from checker.model import Finding, Verdict
    from checker.signals.read import Evidence

DEFAULT_AGENT = "HaveIBeenScrapedBot"

_FILE_BYTES_MAX = 16 * 2**20
_RAW_SHOWN = 80


def _saved_file(option: str, help_text: str) -> Any:
    return typer.Option(option, metavar="FILE", help=help_text, show_default=False)


_URL = Annotated[str | None, typer.Option("--url", help="Address of the picture or page.", show_default=False)]
_PAGE_URL = Annotated[
    str | None,
    typer.Option(
        "--page-url",
        help="Address of the --html page where it embeds the picture; without it, --url is that page.",
        show_default=False,
    ),
]
_LICENCE = Annotated[
    list[str] | None,
    typer.Option("--licence", metavar="URL=FILE", help="A saved RSL document that one of them points at."),
]
_CONTACT = Annotated[
    str, typer.Option("--contact", help="Fetching only: mail or page of whoever asks.", show_default=False)
]
_ALLOW_ADDRESS = Annotated[
    list[str] | None,
    typer.Option("--allow-address", help="Fetching only: a loopback HOST:PORT to allow.", show_default=False),
]


@command
def signals(
    url: _URL = None,
    robots: Annotated[Path | None, _saved_file("--robots", "A saved robots.txt of its host.")] = None,
    headers: Annotated[
        Path | None, _saved_file("--headers", "Saved response headers, one `Name: value` a line.")
    ] = None,
    html: Annotated[Path | None, _saved_file("--html", "A saved page.")] = None,
    page_url: _PAGE_URL = None,
    tdmrep: Annotated[Path | None, _saved_file("--tdmrep", "A saved /.well-known/tdmrep.json of its host.")] = None,
    ai_txt: Annotated[Path | None, _saved_file("--ai-txt", "A saved /ai.txt of the picture's host.")] = None,
    trust_txt: Annotated[Path | None, _saved_file("--trust-txt", "A saved /trust.txt of its host.")] = None,
    licence: _LICENCE = None,
    image: Annotated[Path | None, _saved_file("--image", "The picture itself, or an .xmp file beside it.")] = None,
    vectors: Annotated[Path | None, _saved_file("--vectors", "Run a file of test vectors instead.")] = None,
    data: Annotated[
        Path | None, typer.Option(metavar="DIR", help="What a crawl into this data folder was told.", readable=False)
    ] = None,
    on: Annotated[str | None, typer.Option(metavar="DATE", help="With --data: on that day, or at that moment.")] = None,
    agent: Annotated[str, typer.Option("--agent", help="Product token to read as.")] = DEFAULT_AGENT,
    contact: _CONTACT = "",
    allow_address: _ALLOW_ADDRESS = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on one line.")] = False,
) -> None:
    """Tell what a publisher said about a picture or page: crawling, AI training, text and data mining, search.

    With any file given nothing is fetched, and only those files are read. With --url alone they are fetched politely.

    Examples:

      hibs signals --url https://img.example/a.jpg --robots robots.txt --headers headers.txt

      hibs signals --url https://img.example/a.jpg --image a.jpg --ai-txt ai.txt

      hibs signals --url https://img.example/a.jpg --contact me@example.org --json

      hibs signals --url https://img.example/a.jpg --data data/ --on 2026-11-22

      hibs signals --vectors vectors.json
    """
    from datetime import UTC, datetime

    from checker.signals.read import read_signals

    if vectors is not None:
        _run_vectors(vectors, as_json=as_json)
        return
    address = _address(url, "--url")
    if data is not None:
        from checker.commands.said import moment_of, show

        show(address, data, moment_of(on, datetime.now(UTC)), _to_dict, as_json=as_json)
        return
    if page_url is not None and html is None:
        raise InputError("--page-url says where a saved page came from; give that page with --html as well")
    saved = _Saved(robots, headers, html, page_url, tdmrep, ai_txt, trust_txt, tuple(licence or ()), image)
    evidence = saved.evidence(address) if any(saved) else _fetch(address, contact, tuple(allow_address or ()))
    verdict = read_signals(evidence, agent=agent, now=datetime.now(UTC))
    if as_json:
        answer_json({"verdict": verdict.to_dict(), "findings": [_to_dict(finding) for finding in verdict.findings]})
    else:
        for line in _lines(verdict):
            answer(line)


class _Saved(NamedTuple):
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

    def evidence(self, address: str) -> Evidence:
        """As the readers take it."""
        from checker.signals.read import Evidence

        status, lines = _headers(self.headers) if self.headers else (None, ())
        page_url = _address(self.page_url, "--page-url") if self.page_url else address
        return Evidence(
            url=address,
            robots=_saved(self.robots),
            tdmrep=_saved(self.tdmrep),
            ai_txt=_saved_text(self.ai_txt),
            trust_txt=_saved_text(self.trust_txt),
            status=status,
            headers=lines,
            html=_bytes_of(self.html) if self.html else None,
            html_is_target=page_url == address,
            page_url=page_url if self.html else "",
            licences=tuple(map(_licence, self.licences)),
            image=_bytes_of(self.image) if self.image else None,
        )


def _run_vectors(path: Path, *, as_json: bool) -> None:
    from checker.signals.vector_files import parse_vectors
    from checker.signals.vectors import run_vectors

    document = parse_vectors(_bytes_of(path))
    differences = [
        {"id": one.id, "expected": one.expected.to_dict(), "came": one.came.to_dict()} for one in run_vectors(document)
    ]
    total = len(document["vectors"])
    if as_json:
        answer_json({"vectors": total, "as_expected": total - len(differences), "differences": differences})
    else:
        for one in differences:
            answer(one_line(f"{one['id']}: expected {one['expected']}, came {one['came']}"))
        answer(f"{total - len(differences)} of {total} as expected")
    if differences:
        raise typer.Exit(int(ExitCode.PARTLY))


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


def _saved_text(path: Path | None) -> Any:
    from checker.signals.textfiles import TextFile

    return None if path is None else TextFile(status=200, body=_bytes_of(path))


def _licence(given: str) -> tuple[str, Any]:
    address, found, file = given.rpartition("=")
    if not found:
        raise InputError(f"--licence {given} does not say which document it is; give it as URL=FILE")
    return _address(address, "--licence"), _saved(Path(file))


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
