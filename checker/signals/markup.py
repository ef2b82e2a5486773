"""A page's bytes before a parser gets them: nothing in them costs it more than its length.

HTML's own algorithm is not linear, so that every parser that follows it can be kept busy, or filled, by a small page:

    formatting   elements that were left open are opened again in every block that follows (HTML Standard 13.2.4.3):
                 45 KB make 4 million elements. None of them matters here, so they get a name that means nothing.
    depth        an end tag that closes nothing is looked for among all open elements: a page is cut where it has more
                 tags than any ordinary one.
    attributes   each one is compared with all of its element (13.2.5.33): a page is cut at an element with hundreds.
"""

from __future__ import annotations

import re

START_TAGS_MAX = 40_000
"""500,000 nested <div> kept the parser busy for minutes; 40,000 take 1.8 s. The largest pages of ordinary sites have
some 20,000."""
TAGS_MAX = 80_000
"""Start and end tags."""
ATTRIBUTES_MAX = 500
"""Of one element. 160,000 keep the parser busy for 47 s, 500 for a third of a millisecond."""

_FORMATTING = re.compile(
    rb"<(/?)(?:b|big|code|em|font|i|nobr|s|small|strike|strong|tt|u)(?=[\t\n\f\r />])", re.IGNORECASE
)
"""All of 13.2.4.3 but `a`, which closes the one before it."""
_TAG = re.compile(rb"<(/?)[a-zA-Z]")
_ATTRIBUTES = re.compile(
    rb"""[^\s/>]*+
    (?:[\s/]*+ [^\s/>] [^\s/>=]*+ (?:\s*+ = \s*+ (?:"[^"]*+"? | '[^']*+'? | [^\s>]*+))?+){0,500}+
    (?P<more>[\s/]*+ [^\s/>])?""",
    re.VERBOSE,
)
"""HTML Standard 13.2.5.32 to 13.2.5.40, from behind the first letter of a tag's name; `more`: it has over 500."""


def tamed(html: bytes) -> bytes:
    """The page (UTF-8), up to where it would take a parser more than it is worth, without formatting elements."""
    return _FORMATTING.sub(rb"<\1x-f", html[: readable_end(html)])


def readable_end(html: bytes) -> int:
    """How many octets of a page (UTF-8) a parser can be given; all of an ordinary one.

    The octets looked at are bounded: a crafted page makes what looks like tags overlap.
    """
    octets_left = 4 * len(html) + 2**20
    start_tags_left = START_TAGS_MAX
    for count, tag in enumerate(_TAG.finditer(html)):
        start_tags_left -= tag[1] == b""
        if count == TAGS_MAX or start_tags_left < 0:
            return tag.start()
        attributes = _ATTRIBUTES.match(html, tag.end())
        assert attributes, "it matches nothing at all as well"
        octets_left -= attributes.end() - tag.end()
        if attributes["more"] or octets_left < 0:
            return tag.start()
    return len(html)
