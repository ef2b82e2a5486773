"""Read the two small text files of a host that speak of AI training: ai.txt and trust.txt.

    /ai.txt                                 of the host that serves the media; the grammar of robots.txt
    /trust.txt, /.well-known/trust.txt      name=value lines, of which `datatrainingallowed` counts

ai.txt, in order:

1. The groups are chosen as in robots.txt. Of the rules that match, the one with most octets decides; between equals
   Disallow (no rule for conflicts is published, so the reading that denies more is taken).
2. A pattern that starts with "." is read as "*." and one that starts with neither "/" nor "*" gets a "/" before it;
   the generator writes wildcards of file types without a slash.
3. File extensions compare in any case for Disallow only: `*.jpg` refuses a.JPG and permits it not.
4. Disallow refuses both training uses, Allow permits both. A Disallow that stands before all groups speaks to nobody
   by the grammar and was meant for somebody: it leaves training in doubt.

trust.txt: `yes` permits both training uses, `no` refuses them, another value leaves them in doubt. Lines and files
combine, the strongest stance winning; the first line of each kind stands as the evidence.

No file says nothing, nor does an HTML page in its place: hosts that answer every path with their start page are
common. Where the server failed (5xx, 429, no connection), whether a file is there is not known. Both files are read
to 512,000 bytes; what lies behind them, and bytes that are no text, leave training in doubt.

Source: Spawning, ai.txt generator and datadiligence (2024-10-09); JournalList, trust.txt reference document
(2024-04-04 for datatrainingallowed). The rest are our choices.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from checker.model import Finding, Stance
from checker.signals.paths import matched_octets, path_of
from checker.signals.robots import ROBOTS_BYTES_MAX, Record, parse_robots
from checker.signals.statements import TRAINING, Statement, clipped, findings_of, uniform

AI_TXT_VERSION = "ai.txt 2024-10-09"
TRUST_TXT_VERSION = "trust.txt 2024-04-04"
FILE_BYTES_MAX = ROBOTS_BYTES_MAX
"""What is read of either file, in bytes: the limit of robots.txt, which is the same kind of file."""

_HTML_TYPES = frozenset({"text/html", "application/xhtml+xml"})
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_LINE_END = re.compile(rb"\r\n|\r|\n")
_BLANKS = " \t\v\f"
_EXTENSION = re.compile(r"\.[A-Za-z0-9]+")
_TRAINING_NAME = "datatrainingallowed"
_TRAINING_LINE = re.compile(rf"[ \t\v\f]*{_TRAINING_NAME}(?![\w-])", re.IGNORECASE | re.ASCII)
_TRAINING_VALUES = {"yes": Stance.ALLOW, "no": Stance.DENY}
_DOUBT = Statement(malformed=True, doubted=frozenset(TRAINING))


@dataclass(frozen=True, slots=True)
class TextFile:
    """The outcome of asking a host for one text file."""

    status: int | None
    """Of the last response; None: there was none, and `error` says why."""
    body: bytes = b""
    content_type: str = ""
    """As the header says it, with or without parameters; empty: it was not said or not kept."""
    error: str | None = None
    """A short name: "timeout", "connection", ..."""


def read_ai_txt(file: TextFile, url: str, *, agent: str) -> tuple[Finding, ...]:
    """Say what ai.txt says of training with the file at `url`. Never raises.

    Args:
        file: what /ai.txt of the host that serves `url` gave.
        url: of the picture, as it is requested.
        agent: our product token, for the choice of a group.
    Returns:
        Empty where there is no such file or no rule for `url`: nothing was said.
    """
    place = "ai.txt"
    body, findings = _text_of(file, signal="ai.txt", place=place, version=AI_TXT_VERSION)
    robots = parse_robots(body)
    path = _Path(path_of(url))
    for record in robots.outside:
        if record.name == "disallow" and path.matched(record) is not None:
            findings += _ai_txt_findings(_DOUBT, record)
            break
    decided = _deciding_rule(robots.records_for(agent), path)
    if robots.meant is not None and (decided is None or decided.name == "allow"):
        meant = _deciding_rule(robots.meant.records_for(agent), path)
        decided = meant if meant is not None and meant.name == "disallow" else decided
    if decided is not None:
        stance = Stance.DENY if decided.name == "disallow" else Stance.ALLOW
        findings += _ai_txt_findings(Statement(uniform(stance, TRAINING)), decided)
    return tuple(findings)


def read_trust_txt(file: TextFile, *, place: str = "trust.txt") -> tuple[Finding, ...]:
    """Say what a trust.txt says of training with what its host publishes. Never raises.

    Args:
        file: what one of the two addresses gave; the findings of both stand together in a verdict.
        place: tells the two addresses apart in the evidence.
    Returns:
        At most one finding for each of refused, permitted and unreadable, and one for a file that was cut. Empty: the
        file is not there or does not speak of training.
    """
    body, findings = _text_of(file, signal="trust.txt", place=place, version=TRUST_TXT_VERSION)
    seen: set[Stance] = set()
    for number, line in _training_lines(body):
        name, equals, value = line.partition("=")
        word = value.strip(_BLANKS).lower()
        exact = bool(equals) and name.strip(_BLANKS).lower() == _TRAINING_NAME
        stance = _TRAINING_VALUES.get(word, Stance.UNSPECIFIED) if exact else Stance.UNSPECIFIED
        if stance in seen:
            continue
        seen.add(stance)
        findings += findings_of(
            _DOUBT if stance is Stance.UNSPECIFIED else Statement(uniform(stance, TRAINING)),
            signal="trust.txt",
            place=f"{place} line {number}",
            raw=line.strip(_BLANKS),
            version=TRUST_TXT_VERSION,
        )
    return tuple(findings)


def _text_of(file: TextFile, *, signal: str, place: str, version: str) -> tuple[bytes, list[Finding]]:
    """The bytes to read, empty where there are none, and what is in doubt about having them."""
    status = file.status
    if file.error is not None or status is None or status >= 500 or status == 429:
        failed = Finding(
            signal=signal,
            place=place,
            raw=clipped(f"{file.error or f'HTTP {status}'}: the file could not be had"),
            uses=uniform(Stance.UNSPECIFIED, TRAINING),
            version=version,
            unreachable=True,
        )
        return b"", [failed]
    media_type = file.content_type.partition(";")[0].strip().lower()
    start = file.body.removeprefix(_BYTE_ORDER_MARK).lstrip()[:1]
    if status != 200 or media_type in _HTML_TYPES or start == b"<":
        return b"", []
    body = file.body[:FILE_BYTES_MAX]
    # No text of either grammar holds a NUL; UTF-16 is full of them, and its marks stand for a file without any.
    if b"\x00" in body or body.startswith((b"\xff\xfe", b"\xfe\xff")):
        return b"", [_in_doubt(signal, place, version, "the file is no UTF-8 text")]
    if len(file.body) >= FILE_BYTES_MAX:
        return body, [_in_doubt(signal, place, version, "the file is too large to be read whole")]
    return body, []


def _in_doubt(signal: str, place: str, version: str, raw: str) -> Finding:
    return findings_of(_DOUBT, signal=signal, place=place, raw=raw, version=version)[0]


# --- ai.txt ----------------------------------------------------------------------------------------------------


class _Path:
    """The path that is asked about, in both of its readings."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._lowered = _extensions_lowered(path)

    def matched(self, record: Record) -> int | None:
        """How specific the rule's match is, in octets; None: it does not match. An empty pattern is no rule."""
        pattern = record.value
        if not pattern:
            return None
        if pattern.startswith("."):
            pattern = f"*{pattern}"
        elif not pattern.startswith(("/", "*")):
            pattern = f"/{pattern}"
        octets = matched_octets(pattern, self._path)
        if octets is None and record.name == "disallow":
            return matched_octets(_extensions_lowered(pattern), self._lowered)
        return octets


def _extensions_lowered(text: str) -> str:
    return _EXTENSION.sub(lambda match: match[0].lower(), text)


def _deciding_rule(records: Sequence[Record], path: _Path) -> Record | None:
    best: tuple[int, bool] = (0, False)
    winner: Record | None = None
    for record in records:
        octets = path.matched(record) if record.name in ("allow", "disallow") else None
        if octets is not None and (octets, record.name == "disallow") > best:
            best, winner = (octets, record.name == "disallow"), record
    return winner


def _ai_txt_findings(statement: Statement, record: Record) -> tuple[Finding, ...]:
    return findings_of(
        statement,
        signal="ai.txt",
        place=f"ai.txt line {record.line}",
        raw=record.raw,
        version=AI_TXT_VERSION,
        scope=record.value,
    )


# --- trust.txt -------------------------------------------------------------------------------------------------


def _training_lines(body: bytes) -> Iterator[tuple[int, str]]:
    """The lines that speak of training, without comments, with their numbers from 1."""
    lines = _LINE_END.split(body)
    if len(body) >= FILE_BYTES_MAX:
        # Half a line is no statement: its end may turn it.
        lines.pop()
    for number, line in enumerate(lines, start=1):
        text = line.removeprefix(_BYTE_ORDER_MARK).partition(b"#")[0].decode("utf-8", "surrogateescape")
        if _TRAINING_LINE.match(text):
            yield number, text
