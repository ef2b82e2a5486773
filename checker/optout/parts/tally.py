"""What one part, or all of them, came to: counted batch by batch, kept in a file beside the part."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from checker.optout.honour import Action

DOMAINS_MAX = 100_000
"""Counted apart; of more the later ones count together, so that memory stays bounded."""
_OTHERS = ""
_NO_HOST = "(unreadable)"
_HOST = r"(?i)^\s*https?://(?:[^/?#@]*@)?(?P<host>\[[^\]/?#]+\]|[^/:?#@\[\]]+)"
"""Of an address as it stands there (RFC 3986 3.2): this only counts, so it need not be read as browsers do."""


@dataclass(slots=True)
class Tally:
    """Numbers of rows."""

    actions: Counter[str] = field(default_factory=Counter)
    reasons: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By decision and reason."""
    entries: Counter[int] = field(default_factory=Counter)
    """By the entry that decided."""
    dropped: set[int] = field(default_factory=set)
    """Entries for which a row was dropped."""
    domains: dict[str, Counter[str]] = field(default_factory=dict)
    """By host of the address, then by decision."""
    decoded: int = 0
    known: Counter[str] = field(default_factory=Counter)
    """Pictures whose code was known, by what: place, sha256, url."""

    @property
    def rows(self) -> int:
        """In all."""
        return self.actions.total()

    def add(self, batch: pa.RecordBatch) -> None:
        """Count rows."""
        pairs = pa.Table.from_batches([batch]).group_by(["hibs_decision", "hibs_reason"]).aggregate([([], "count_all")])
        for row in pairs.to_pylist():
            self.actions[row["hibs_decision"]] += row["count_all"]
            self.reasons[row["hibs_decision"], row["hibs_reason"]] += row["count_all"]
        entries = batch.column("hibs_entry")
        if entries.null_count < len(entries):
            self.entries.update(entries.drop_null().to_pylist())
            drops = entries.filter(pc.equal(batch.column("hibs_decision"), Action.DROP.value))
            self.dropped.update(drops.drop_null().to_pylist())
        urls = batch.column("url")
        if urls.null_count < len(urls):
            hosts = pc.struct_field(pc.extract_regex(urls, _HOST), "host")
            named = pc.if_else(pc.is_null(urls), urls, pc.fill_null(pc.utf8_lower(hosts), _NO_HOST))
            table = pa.table({"host": named, "decision": batch.column("hibs_decision")}).drop_null()
            for row in table.group_by(["host", "decision"]).aggregate([([], "count_all")]).to_pylist():
                self._of_domain(row["host"])[row["decision"]] += row["count_all"]

    def _of_domain(self, domain: str) -> Counter[str]:
        if domain not in self.domains and len(self.domains) >= DOMAINS_MAX:
            domain = _OTHERS
        counts = self.domains.get(domain)
        if counts is None:  # not `setdefault`: it would make a Counter for each of a million rows
            counts = self.domains[domain] = Counter()
        return counts

    def merge(self, other: Tally) -> None:
        """Count another part in."""
        self.actions.update(other.actions)
        self.reasons.update(other.reasons)
        self.entries.update(other.entries)
        self.dropped |= other.dropped
        self.known.update(other.known)
        self.decoded += other.decoded
        for domain, counts in other.domains.items():
            self._of_domain(domain).update(counts)

    def counts(self) -> dict[str, int]:
        """Rows in all and by action; every action has a number."""
        return {"rows": self.rows, **{action.value: self.actions[action.value] for action in Action}}

    def to_dict(self) -> dict[str, Any]:
        """For a file."""
        return {
            "actions": dict(self.actions),
            "reasons": [[*pair, count] for pair, count in sorted(self.reasons.items())],
            "entries": sorted(self.entries.items()),
            "dropped": sorted(self.dropped),
            "domains": {domain: dict(counts) for domain, counts in self.domains.items()},
            "decoded": self.decoded,
            "known": dict(self.known),
        }

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Tally:
        """From a file that `to_dict` wrote."""
        return cls(
            actions=Counter(document["actions"]),
            reasons=Counter({(action, reason): count for action, reason, count in document["reasons"]}),
            entries=Counter(dict(document["entries"])),
            dropped=set(document["dropped"]),
            domains={domain: Counter(counts) for domain, counts in document["domains"].items()},
            decoded=document["decoded"],
            known=Counter(document["known"]),
        )
