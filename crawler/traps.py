"""Addresses without end, told by their form: what no reader would follow, and which addresses have one form.

    is_trap      one address alone: it repeats itself, or is longer than a person's site ever needs
    pattern_of   the form that many addresses share, so that a calendar is told from a gallery by what its pages gave

An address is a trap only where its form says so beyond doubt; everything else is left to the count of pages of one form
that led to no new picture. So `/photo/12345` may go on for a hundred thousand pages, each with a picture, and
`/calendar/2031/05/` for as many as the caller allows without one.

A session identifier makes no trap: it is cut before an address is stored (`crawler.secret_parts`), and a site that puts
one into every link would be lost. Sources of the limits: Heritrix 3 (PathologicalPathDecideRule: 2 repetitions;
TooManyPathSegmentsDecideRule: 20) and Nutch (regex-urlfilter.txt: a segment that occurs three times), which also drops
every query; we cannot, since galleries have them.
"""

from __future__ import annotations

import re
from collections import Counter

SEGMENTS_MAX = 20
"""Of a path (Heritrix: 20)."""
SEGMENT_REPEATS_MAX = 2
"""Of one segment anywhere in a path (Heritrix: 2 in a row; Nutch: 2). Numbers are not counted: /000/000/000/ is a
picture's id, and /2012/12/12/ a day."""
PARAMETERS_MAX = 12
"""Of a query. Filters of shops multiply with each one; an ordinary gallery has five."""
PATTERN_CHARACTERS_MAX = 200

_ESCAPED_ESCAPE = re.compile(r"%25(?:25)+[0-9a-f]{2}", re.IGNORECASE)
"""An address inside an address inside an address: pages that link to a login which comes back to them."""
_NUMBER = re.compile(r"[0-9]+")
_MONTH = re.compile(
    r"jan(uary)?|feb(ruary)?|mar(ch)?|apr(il)?|may|june?|july?|aug(ust)?|sep(t|tember)?|oct(ober)?|nov(ember)?"
    r"|dec(ember)?",
    re.IGNORECASE,
)
_UNIQUE = re.compile(r"(?=[0-9a-z]*[0-9])(?:[0-9a-f]{8,}|[0-9a-z]{20,})", re.IGNORECASE)
"""A hash or a random name: hex digits, or letters and digits of a length that words do not have."""
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_WORD = re.compile(r"[^\W_]+")
_ONE_WORD = re.compile(r"[a-z][a-z_-]{0,30}", re.IGNORECASE)


def is_trap(url: str) -> str | None:
    """Why no page of this address is to be asked for. None: nothing in its form speaks against it.

    >>> is_trap("https://a.example/en/news/en/news/en/")
    'a path that repeats itself'
    >>> is_trap("https://a.example/photo/000/000/000/") is None
    True
    """
    address, _, query = url.partition("#")[0].partition("?")
    segments = [one for one in address.partition("://")[2].split("/")[1:] if one]
    if len(segments) > SEGMENTS_MAX:
        return "a path with too many parts"
    counts = Counter(one for one in segments if not one.isdigit())
    if counts and max(counts.values()) > SEGMENT_REPEATS_MAX:
        return "a path that repeats itself"
    parameters = [one for one in re.split("[&;]", query) if one]
    if len(parameters) > PARAMETERS_MAX:
        return "a query with too many parts"
    if _ESCAPED_ESCAPE.search(url):
        return "addresses inside each other"
    return None


def pattern_of(url: str) -> str:
    """The form of an address: host, path and query with numbers, dates, months and hashes taken out.

    Two addresses of one form are pages of one kind. A single word as the value of a parameter stays, as it does in the
    path: one script often serves a whole site (`?view=photo&id=7`, `?view=calendar&id=7`), and the calendar must not
    end the gallery. Other values (numbers, dates, searches) do not count. At most 200 characters.

    >>> pattern_of("https://a.example/calendar/2031/may/?view=list&day=5")
    'https://a.example/calendar/#/#/?day&view=list'
    >>> pattern_of("https://a.example/photo/12345-cat.html")
    'https://a.example/photo/#-cat.html'
    """
    address, _, query = url.partition("#")[0].partition("?")
    scheme, mark, rest = address.partition("://")
    host, slash, path = rest.partition("/")
    parts = sorted({_form_of_parameter(part) for part in re.split("[&;]", query) if part})
    form = f"{scheme}{mark}{host}{slash}{_formed(path)}"
    return (f"{form}?{'&'.join(parts)}" if parts else form)[:PATTERN_CHARACTERS_MAX]


def _form_of_parameter(part: str) -> str:
    name, _, value = part.partition("=")
    formed = _formed(value)
    return f"{_formed(name)}={formed}" if _ONE_WORD.fullmatch(formed) else _formed(name)


def _formed(text: str) -> str:
    return _WORD.sub(_form_of_word, _UUID.sub("#", text))


def _form_of_word(word: re.Match[str]) -> str:
    if _MONTH.fullmatch(word[0]) or _UNIQUE.fullmatch(word[0]):
        return "#"
    return _NUMBER.sub("#", word[0])
