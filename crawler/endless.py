"""Pages without end: calendars, session ids, links that grow.

    leads_in     by its form alone, before it is queued (`crawler.traps`)
    is_barren    by what pages of the same form gave: after so many in a row without a picture that was new, no more of
                 that form are read on this host

What counts is the form of an address (its path with numbers taken out, the names in its query), so that a gallery of
a hundred thousand photo pages is read to its end, and a calendar for a while.
"""

from __future__ import annotations

from collections import OrderedDict

from crawler.traps import is_trap, pattern_of

BARREN_MAX = 100
"""Pages of one form, in a row, that led to no new picture. Our choice; Nutch and Heritrix cut by count alone."""
_FORMS_MAX = 100_000


class Endless:
    """What the pages of one run gave, by the form of their addresses."""

    def __init__(self) -> None:
        self._barren: OrderedDict[str, int] = OrderedDict()

    def note(self, url: str, *, new_pictures: bool) -> None:
        """This page was read."""
        form = pattern_of(url)
        barren = 0 if new_pictures else self._barren.get(form, 0) + 1
        self._barren.pop(form, None)
        self._barren[form] = barren
        if len(self._barren) > _FORMS_MAX:
            self._barren.popitem(last=False)

    def is_barren(self, url: str) -> bool:
        """Were the last pages of this form all without a new picture?"""
        return self._barren.get(pattern_of(url), 0) >= BARREN_MAX

    def leads_in(self, url: str) -> bool:
        """Is this no address of a page that somebody would read?"""
        return is_trap(url) is not None
