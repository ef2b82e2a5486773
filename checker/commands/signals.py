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

_RAW_SHOWN = 80
_ONE_OR_THE_OTHER = (
    "--registry asks over the network, and what is saved is read without it; give one or the other "
    "(a registry's saved answer with --registry-answer NAME=FILE)"
)


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
_REGISTRY_ANSWER = Annotated[
    list[str] | None,
    typer.Option("--registry-answer", metavar="NAME=FILE", help="A saved answer of a registry, or a declaration."),
]
_REGISTRY = Annotated[
    list[str] | None,
    typer.Option("--registry", metavar="NAME", help="Fetching only: a registry to ask as well; it learns the address."),
]
_REGISTRY_KEYS = Annotated[
    Path | None,
    typer.Option("--registry-keys", metavar="FILE", help="Keys for them, one `NAME KEY` a line.", show_default=False),
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
    registry_answer: _REGISTRY_ANSWER = None,
    vectors: Annotated[Path | None, _saved_file("--vectors", "Run a file of test vectors instead.")] = None,
    data: Annotated[
        Path | None, typer.Option(metavar="DIR", help="What a crawl into this data folder was told.", readable=False)
    ] = None,
    on: Annotated[str | None, typer.Option(metavar="DATE", help="With --data: on that day, or at that moment.")] = None,
    agent: Annotated[str, typer.Option("--agent", help="Product token to read as.")] = DEFAULT_AGENT,
    contact: _CONTACT = "",
    allow_address: _ALLOW_ADDRESS = None,
    registry: _REGISTRY = None,
    registry_keys: _REGISTRY_KEYS = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on one line.")] = False,
) -> None:
    """Tell what a publisher said about a picture or page: crawling, AI training, text and data mining, search.

    With any file given nothing is fetched, and only those files are read. With --url alone they are fetched politely.
    Registries are asked only where --registry names them.

    Examples:

      hibs signals --url https://img.example/a.jpg --robots robots.txt --headers headers.txt

      hibs signals --url https://img.example/a.jpg --image a.jpg --ai-txt ai.txt

      hibs signals --url https://img.example/a.jpg --contact me@example.org --json

      hibs signals --url https://img.example/a.jpg --registry spawning --registry-keys keys --contact me@example.org

      hibs signals --url https://img.example/a.jpg --data data/ --on 2026-11-22

      hibs signals --vectors vectors.json
    """
    from datetime import UTC, datetime

    from checker.commands.saved import Saved, refuse_unused_licences, web_address
    from checker.signals.read import read_signals

    lists = tuple(licence or ()), image, tuple(registry_answer or ())
    saved = Saved(robots, headers, html, page_url, tdmrep, ai_txt, trust_txt, *lists)
    live = _Live(contact, tuple(allow_address or ()), tuple(registry or ()), registry_keys)
    if live.registries and (vectors or data or any(saved)):
        raise InputError(_ONE_OR_THE_OTHER)
    if vectors is not None:
        _run_vectors(vectors, as_json=as_json)
        return
    address = web_address(url, "--url")
    if data is not None:
        from checker.commands.said import moment_of, show

        show(address, data, moment_of(on, datetime.now(UTC)), _to_dict, agent=agent, as_json=as_json)
        return
    if page_url is not None and html is None:
        raise InputError("--page-url says where a saved page came from; give that page with --html as well")
    evidence = saved.evidence(address) if any(saved) else live.evidence(address)
    if licence:
        refuse_unused_licences(evidence, agent)
    _print(read_signals(evidence, agent=agent, now=datetime.now(UTC)), as_json=as_json)


class _Live(NamedTuple):
    """How to fetch, and which registries to ask."""

    contact: str
    allow_addresses: tuple[str, ...]
    registries: tuple[str, ...]
    registry_keys: Path | None

    def evidence(self, address: str) -> Evidence:
        """Let the installed crawler fetch what there is to read."""
        import os
        from importlib.metadata import entry_points

        from checker.settings import Settings

        settings = Settings.from_environment(os.environ)
        keys = self.registry_keys or (Path(settings.registry_keys) if settings.registry_keys else None)
        for found in entry_points(group="hibs.signals_fetch", name="http"):
            evidence: Evidence = found.load()(
                address,
                contact=self.contact or settings.contact,
                allow_addresses=self.allow_addresses,
                registries=self.registries,
                registry_keys=keys,
            )
            return evidence
        raise RemoteError(
            "no way to fetch an address is installed; install the whole of haveibeenscraped, or give saved files"
        )


def _run_vectors(path: Path, *, as_json: bool) -> None:
    from checker.commands.saved import bytes_of
    from checker.signals.vector_files import parse_vectors
    from checker.signals.vectors import run_vectors

    content = bytes_of(path)
    try:
        document = parse_vectors(content)
        found = run_vectors(document)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    differences = [{"id": one.id, "expected": one.expected.to_dict(), "came": one.came.to_dict()} for one in found]
    total = len(document["vectors"])
    if as_json:
        answer_json({"vectors": total, "as_expected": total - len(differences), "differences": differences})
    else:
        for one in differences:
            answer(one_line(f"{one['id']}: expected {one['expected']}, came {one['came']}"))
        answer(f"{total - len(differences)} of {total} as expected")
    if differences:
        raise typer.Exit(int(ExitCode.PARTLY))


def _print(verdict: Verdict, *, as_json: bool) -> None:
    if as_json:
        answer_json({"verdict": verdict.to_dict(), "findings": [_to_dict(finding) for finding in verdict.findings]})
        return
    for line in _lines(verdict):
        answer(line)


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
