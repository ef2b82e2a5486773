"""Licence documents of RSL, written in a few words, and what is read from them."""

from __future__ import annotations

from dataclasses import dataclass

from checker.signals.rsl import read_document

URL = "https://img.example/art/a.jpg"
OPEN = '<rsl xmlns="https://rslstandard.org/rsl">'
NOTHING: dict[str, str] = {}
USES = ("train-ai", "train-genai", "tdm", "search", "index", "all")
TRAINING_DENIED = {"train-ai": "deny", "train-genai": "deny"}


@dataclass(frozen=True)
class Response:
    """What a server answered."""

    status: int | None
    body: bytes = b""
    error: str | None = None


def every(stance: str) -> dict[str, str]:
    return dict.fromkeys(USES, stance)


def licence(*parts: str) -> str:
    return f"<license>{''.join(parts)}</license>"


def permits(tokens: str, kind: str = "usage") -> str:
    return f'<permits type="{kind}">{tokens}</permits>'


def prohibits(tokens: str, kind: str = "usage") -> str:
    return f'<prohibits type="{kind}">{tokens}</prohibits>'


def document(*licences: str, url: str = "/", more: str = "") -> str:
    return f'{OPEN}<content url="{url}"{more}>{"".join(licences)}</content></rsl>'


def contents(**by_path: str) -> str:
    """A document with one <content> for each path; "site" is "/", "art" is "/art/"."""
    paths = {"site": "/", "art": "/art/", "jpg": "/art/*.jpg$", "other": "/other/"}
    inside = "".join(f'<content url="{paths[name]}">{text}</content>' for name, text in by_path.items())
    return f"{OPEN}{inside}</rsl>"


def read(body: str | bytes, url: str = URL) -> tuple[dict[str, str], bool]:
    """What is said of each use, the strongest finding winning, and whether anything was malformed."""
    findings = read_document(body if isinstance(body, bytes) else body.encode(), url, place="licence")
    assert findings
    uses: dict[str, str] = {}
    for finding in findings:
        assert (finding.signal, finding.version, finding.unreachable) == ("rsl", "RSL 1.0", False)
        assert not {use.value for use in finding.uses} & set(uses), "two findings of one document speak of one use"
        uses |= {use.value: stance.value for use, stance in finding.uses.items()}
    return uses, any(finding.malformed for finding in findings)
