"""The AI statements inside robots.txt, and the two value grammars that they share with response headers.

    Content-Usage               IETF AI Preferences: an RFC 9651 dictionary, in robots.txt behind an optional path
    Content-Signal              Cloudflare Content Signals: comma-separated key=value
    DisallowAITraining, AllowAITraining     a draft of 2024 that lives on in real files
    groups of AI crawlers       not said to us, but telling: marked inferred, and a refusal only
    TDM-Reservation             noted: no text defines it

A path that may not be crawled has no preferences at all, so nothing here is read where access is denied.

Source: draft-ietf-aipref-attach-05, draft-ietf-aipref-vocab-07 (with the labels of earlier drafts), RFC 9651 3.2,
Cloudflare's managed robots.txt and changelog of 2026-08-31, draft-canel-robots-ai-control-00.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import http_sf

from checker.model import Finding, Stance, Use
from checker.signals.paths import matched_octets, path_of
from checker.signals.robots import Record, RobotsFile
from checker.signals.statements import (
    TRAINING,
    Statement,
    clipped,
    closed,
    findings_of,
    strongest,
    uniform,
    with_contained,
    without_permissions,
)

ATTACH_VERSION = "draft-ietf-aipref-attach-05"
CONTENT_SIGNAL_VERSION = "Content Signals 2026-08-31"


@dataclass(frozen=True, slots=True)
class _Label:
    use: Use | None
    """None: about feeding a model at answer time, kept as evidence only."""
    current: bool
    """Whether the newest vocabulary has it. Older labels can refuse only: a permission needs the exact token."""


_LABELS = {
    "train-ai": _Label(Use.TRAIN_AI, current=True),  # vocab-02 to -07
    "search": _Label(Use.SEARCH, current=True),  # vocab-01 to -07
    "ai": _Label(Use.TRAIN_AI, current=False),  # vocab-01
    "genai": _Label(Use.TRAIN_GENAI, current=False),  # vocab-01
    "tdm": _Label(Use.TDM, current=False),  # vocab-01
    "train-genai": _Label(Use.TRAIN_GENAI, current=False),  # vocab-02, -03
    "all": _Label(Use.ALL, current=False),  # vocab-02
    "bots": _Label(Use.ALL, current=False),  # vocab-03, -04
    "inference": _Label(None, current=False),  # vocab-01
    "ai-use": _Label(None, current=False),  # vocab-02
    "ai-output": _Label(None, current=False),  # vocab-04
}

# Tokens of crawlers that collect for training or for data sets: ai-robots-txt/ai.robots.txt, robots.json, 2026-08-22.
TRAINING_CRAWLERS = (
    "AI2Bot", "Ai2Bot-Dolma", "Amazonbot", "anthropic-ai", "Applebot-Extended", "Bytespider", "CCBot", "ClaudeBot",
    "cohere-ai", "cohere-training-data-crawler", "Cotoyogi", "DeepSeekBot", "Diffbot", "FacebookBot",
    "Google-Extended", "GoogleOther-Image", "GPTBot", "ICC-Crawler", "ImagesiftBot", "img2dataset", "LAIONDownloader",
    "laion-huggingface-processor", "meta-externalagent", "omgili", "PanguBot", "SBIntuitionsBot", "Timpibot",
    "VelenPublicWebCrawler", "Webzio-Extended", "YandexAdditional",
)  # fmt: skip

_SIGNAL_KEYS: dict[str, tuple[Use, ...]] = {"search": (Use.SEARCH,), "ai-train": TRAINING, "ai-input": ()}
_SIGNAL_VALUES = {"yes": Stance.ALLOW, "no": Stance.DENY}
_SIGNAL_USES = frozenset({Use.SEARCH, Use.TDM, *TRAINING})
_KEY = re.compile(r"[a-z0-9][a-z0-9_.-]*")


def read_content_usage(value: str) -> Statement:
    """Read the value of Content-Usage: an RFC 9651 dictionary of labels with the tokens y and n.

    Args:
        value: all field lines joined with commas, or what follows the path in robots.txt.
    Returns:
        Where the dictionary does not parse, nothing and doubt about every use. A label whose value is neither token
        is doubted alone; unknown labels and all parameters say nothing. The last value of a repeated label counts.
    Source: draft-ietf-aipref-vocab-07, 6.1, 6.2 and 6.5; RFC 9651 4.2.2.
    """
    try:
        dictionary: Any = http_sf.parse(value.encode("ascii"), tltype="dictionary")
    except (ValueError, OverflowError, OSError):  # the last two: dates outside of what Python can hold
        return Statement(malformed=True)
    named: dict[Use, Stance] = {}
    unreadable: set[Use] = set()
    for key, member in dictionary.items():
        label = _LABELS.get(key)
        if label is None or label.use is None:
            continue
        token = member[0]
        if not isinstance(token, http_sf.types.Token) or str(token) not in ("y", "n"):
            unreadable.add(label.use)
        elif str(token) == "n":
            named[label.use] = Stance.DENY
        elif label.current:
            named[label.use] = strongest((Stance.ALLOW, named.get(label.use, Stance.UNSPECIFIED)))
    uses = closed(named)
    doubted = with_contained(unreadable) - set(named)
    # The one permission that spreads: train-ai is defined by generative models in the newest vocabulary.
    if uses.get(Use.TRAIN_AI) is Stance.ALLOW and Use.TRAIN_GENAI not in doubted:
        uses.setdefault(Use.TRAIN_GENAI, Stance.ALLOW)
    return Statement(uses, malformed=bool(unreadable), doubted=doubted or frozenset(unreadable))


def read_content_signal(value: str) -> Statement:
    """Read the value of Content-Signal: comma-separated key=value, names and values in any case.

    Returns:
        The strongest stance for each use. A known key with an unknown value, or an item that is no key=value, puts
        everything that this signal can speak of in doubt: the lost item may stand inside ("search=yes; ai-train=no").
    Source: Cloudflare managed robots.txt; draft-romm-aipref-contentsignals for the definitions.
    """
    uses: dict[Use, Stance] = {}
    malformed = False
    for item in filter(None, (part.strip() for part in value.lower().split(","))):
        key, equals, word = (part.strip() for part in item.partition("="))
        if not equals or not _KEY.fullmatch(key):
            malformed = True
        elif key == "use":
            # Below `full` the publisher limits how much of the work may be taken; what exactly is not settled yet.
            limited = word in ("immediate", "reference")
            malformed = malformed or not (limited or word == "full")
            for use in (Use.TDM, *TRAINING) if limited else ():
                uses[use] = strongest((Stance.CONDITIONAL, uses.get(use, Stance.UNSPECIFIED)))
        elif key in _SIGNAL_KEYS:
            stance = _SIGNAL_VALUES.get(word, Stance.UNSPECIFIED)
            malformed = malformed or word not in _SIGNAL_VALUES
            for use in _SIGNAL_KEYS[key] if word in _SIGNAL_VALUES else ():
                uses[use] = strongest((stance, uses.get(use, Stance.UNSPECIFIED)))
    return Statement(uses, malformed=malformed, doubted=_SIGNAL_USES if malformed else frozenset())


def read_robots_preferences(robots: RobotsFile, url: str, *, agent: str, infer_ai_tokens: bool) -> tuple[Finding, ...]:
    """Read every AI statement in a robots.txt that speaks to `agent` about `url`.

    Ask only where access is allowed: a path that may not be crawled has no preferences.

    Args:
        infer_ai_tokens: whether a refusal to known training crawlers counts as a refusal of training.
    """
    path = path_of(url)
    findings = tuple(_said(robots, path, agent=agent, infer_ai_tokens=infer_ai_tokens))
    if robots.meant is None:
        return findings
    known = {(finding.signal, finding.place, finding.raw) for finding in findings}
    meant = without_permissions(_said(robots.meant, path, agent=agent, infer_ai_tokens=infer_ai_tokens))
    refusals = (finding for finding in meant if finding.malformed or finding.uses)
    return (*findings, *(one for one in refusals if (one.signal, one.place, one.raw) not in known))


def _said(robots: RobotsFile, path: str, *, agent: str, infer_ai_tokens: bool) -> Iterator[Finding]:
    ours = robots.records_for(agent)
    yield from _content_usage_rules(ours, path)
    for record in (*robots.outside, *ours):
        if record.name == "content-signal":
            yield from findings_of(
                read_content_signal(record.value),
                signal="content-signal",
                place=record.place,
                raw=record.raw,
                version=CONTENT_SIGNAL_VERSION,
            )
        elif record.name == "tdm-reservation":
            # Defined nowhere: shown to the person, decides nothing.
            yield Finding(signal="tdmrep", place=record.place, raw=record.raw)
    yield from _training_rules(ours, path)
    if infer_ai_tokens:
        yield from _inferred_refusal(robots, path)


def _content_usage_rules(records: Sequence[Record], path: str) -> Iterator[Finding]:
    """The rules with the longest matching path give the whole statement; shorter ones are not merged in.

    A rule without a path speaks about the whole site, like "/". One that has neither a path nor a readable value
    (`*.jpg train-ai=n`) may have been meant for any path, so no longer rule silences it.
    """
    rules: list[tuple[int, str, Statement, Record]] = []
    for record in records:
        if record.name != "content-usage" or not record.value:
            continue
        scope, preference = "/", record.value
        if record.value.startswith("/"):
            scope, preference = (*re.split(r"[ \t]+", record.value, maxsplit=1), "")[:2]
        octets = matched_octets(scope, path)
        if octets is not None:
            # A path alone is no statement; read as an empty one it would silence the shorter rules.
            statement = read_content_usage(preference) if preference else Statement(malformed=True)
            rules.append((octets, scope, statement, record))
    longest = max((octets for octets, *_ in rules), default=0)
    for octets, scope, statement, record in rules:
        reach_unknown = statement.malformed and not record.value.startswith("/")
        if octets == longest or reach_unknown:
            yield from findings_of(
                statement,
                signal="content-usage",
                place=record.place,
                raw=record.raw,
                version=ATTACH_VERSION,
                scope=scope,
            )


def _training_rules(records: Sequence[Record], path: str) -> Iterator[Finding]:
    """DisallowAITraining and AllowAITraining, matched like Disallow and Allow; between equals the refusal wins."""
    best: tuple[int, bool] = (0, False)
    winner: Record | None = None
    version = "draft-canel-robots-ai-control-00"
    for record in records:
        if record.name not in ("disallowaitraining", "allowaitraining"):
            continue
        refuses = record.name == "disallowaitraining"
        if refuses and record.value and not record.value.startswith(("/", "*")):
            # "DisallowAITraining: yes": something is refused, and where is not known.
            statement = Statement(malformed=True, doubted=frozenset(TRAINING))
            yield from findings_of(
                statement, signal="ai-training-rule", place=record.place, raw=record.raw, version=version
            )
        octets = matched_octets(record.value, path)
        if octets is not None and (octets, refuses) > best:
            best, winner = (octets, refuses), record
    if winner is not None:
        stance = Stance.DENY if best[1] else Stance.ALLOW
        yield from findings_of(
            Statement(uniform(stance, TRAINING)),
            signal="ai-training-rule",
            place=winner.place,
            raw=winner.raw,
            version=version,
            scope=winner.value,
        )


def _inferred_refusal(robots: RobotsFile, path: str) -> Iterator[Finding]:
    """One refusal for all training crawlers that have a group of their own which keeps them from this path."""
    named = {agent for group in robots.groups for agent in group.agents}
    refusals: list[tuple[str, Record]] = []
    for token in TRAINING_CRAWLERS:
        if token.lower() in named:
            rule = robots.deciding_rule(token, path)
            if rule is not None and rule.name == "disallow":
                refusals.append((token, rule))
    if refusals:
        yield Finding(
            signal="ai-crawler-tokens",
            place=refusals[0][1].place,
            raw=clipped("; ".join(f"{token}: {rule.value}" for token, rule in refusals)),
            uses=uniform(Stance.DENY, TRAINING),
            version="ai.robots.txt 2026-08-22",
            scope=clipped(", ".join(token for token, _ in refusals)),
            inferred=True,
        )
