"""All findings about one picture -> one verdict.

The rules, which can be read aloud:

    combine        each use takes the strongest stance that any finding gives it: deny, conditional, allow, unspecified;
                   the order inside one protocol was settled by its reader
    with_doubt     what would be allow or unspecified becomes unknown where a finding about it could not be read or
                   fetched: doubt is never consent
    as_collected   for a file that somebody already holds: where our agent may not fetch, every use is denied

`unspecified` is never turned into allow; what an operator makes of it is a decision, not a verdict.
"""

from __future__ import annotations

from collections.abc import Iterable

from checker.model import Finding, Stance, Use, Verdict
from checker.signals.statements import merged, strongest, uniform

BLOCKING = frozenset({Stance.DENY, Stance.CONDITIONAL, Stance.UNKNOWN})
"""Stances under which a use must not happen: denied, denied until terms are met, or not known."""


def combine(findings: Iterable[Finding]) -> Verdict:
    """Take the strongest stance for each use and for crawling. Doubt is not looked at yet.

    Returns:
        Every use has a value, `unspecified` where nobody spoke of it; `crawl` as well. Findings that decided stand
        first, otherwise they keep their order.
    """
    ordered = tuple(sorted(findings, key=_weight))
    uses = uniform(Stance.UNSPECIFIED, Use) | merged(finding.uses for finding in ordered)
    crawl = strongest(finding.crawl for finding in ordered)
    return Verdict(crawl=crawl, uses=uses, findings=ordered)


def with_doubt(verdict: Verdict) -> Verdict:
    """Replace allow and unspecified by unknown for each use that an unreadable or unreachable finding is about."""
    doubted = {use for finding in verdict.findings if _in_doubt(finding) for use in finding.uses or Use}
    uses = {
        use: Stance.UNKNOWN if use in doubted and stance in (Stance.ALLOW, Stance.UNSPECIFIED) else stance
        for use, stance in verdict.uses.items()
    }
    return Verdict(crawl=verdict.crawl, uses=uses, findings=verdict.findings)


def as_collected(verdict: Verdict) -> Verdict:
    """Judge a file that was collected already: `crawl: deny` for our agent denies every use of it."""
    if verdict.crawl is not Stance.DENY:
        return verdict
    return Verdict(crawl=verdict.crawl, uses=uniform(Stance.DENY, Use), findings=verdict.findings)


def deciding_finding(verdict: Verdict, use: Use | None) -> Finding | None:
    """The first finding that brought about the stance of `use`, or of crawling where `use` is None.

    Returns:
        None: nobody spoke of it.
    """
    stance = verdict.crawl if use is None else verdict.uses[use]
    if stance is Stance.UNSPECIFIED:
        return None
    for finding in verdict.findings:
        said = finding.crawl if use is None else finding.uses.get(use)
        about = use is not None and stance is Stance.UNKNOWN and _in_doubt(finding) and use in (finding.uses or Use)
        if said is stance or about:
            return finding
    return None


def _in_doubt(finding: Finding) -> bool:
    return finding.malformed or finding.unreachable


def _weight(finding: Finding) -> int:
    """Lower stands first: refusals, conditions, doubt, permissions, then what says nothing of any use."""
    said = {finding.crawl, *finding.uses.values()}
    for weight, stance in enumerate((Stance.DENY, Stance.CONDITIONAL)):
        if stance in said:
            return weight
    if _in_doubt(finding):
        return 2
    return 3 if Stance.ALLOW in said else 4
