"""Entries of version 2, which name addresses: read alike here and by a second verifier."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import independent_verifier
import pytest
from feed_simulator import follow, opened

from checker.errors import VerificationError
from checker.model import Use
from checker.optout.entry import Entry, Evidence, OptOut, parse_entry, write_entry
from checker.optout.feed import verify_feed


def test_an_entry_that_names_addresses_verifies_here_and_by_the_second_verifier(tmp_path: Path, now: datetime) -> None:
    named = OptOut("4F7K-20M9", Evidence.HOST_FILE, (), (Use.TDM,), addresses=("a.example/", "a.example:8443/b%2F"))
    with opened(tmp_path / "data", now) as opt_outs:
        with opt_outs.registry.writing() as writer:
            opt_outs.log.append(writer, named)
        opt_outs.log.sign(now)
    follow(tmp_path / "data", tmp_path / "feed", now)
    passed: list[Entry] = []
    verify_feed(tmp_path / "feed", each=lambda _, entry: passed.append(entry))
    assert passed == [named]
    assert independent_verifier.verify(tmp_path / "feed", now)["tree_size"] == 1


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"v":2', b'"v":1'),
        (b'"v":2', b'"v":3'),
        (b'"host-file"', b'"picture"'),
        (b'["a.example/"]', b"[]"),
        *(
            (b"a.example/", text)
            for text in (b"A.example/", b"a.example", b"a.example:80/", b"a.example:443/", b"a..b/")
        ),
        *((b"a.example/", text) for text in (b"a.example/%2f", b"a.example/%41", b"a.example/../", b"a.example/a b")),
        *((b"a.example/", text) for text in (b"a.example/*", b"a.example/?q", b"http://a.example/", b"a.example:08/")),
        (b'"a.example/"', b'"a.example/","a.example/"'),
        (b'"a.example/"', b'"b.example/","a.example/"'),
    ],
)
def test_addresses_in_a_second_spelling_are_refused_by_both(old: bytes, new: bytes) -> None:
    entry = write_entry(OptOut("4F7K-20M9", Evidence.HOST_FILE, (), (Use.TDM,), addresses=("a.example/",)))
    independent_verifier.check_entry(entry, 0)
    changed = entry.replace(old, new)
    assert changed != entry
    with pytest.raises(VerificationError):
        parse_entry(changed)
    with pytest.raises(independent_verifier.RefusedError):
        independent_verifier.check_entry(changed, 0)
