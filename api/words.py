"""Every word that a person reads here, in one catalogue a language, so that a further language is one more file.

A catalogue is flat JSON, `"start.title": "Have I been scraped?"`. Values are plain text, never markup; `{name}` is
filled in. A counted sentence has two keys, `.one` and `.other`. A missing key raises, so that no page is ever shown
with a hole in it.

Which language a request is answered in stands in its address (`/de/sources`), and where there is one address for all
(`/v1/`, whose pieces of pages and errors people read as well) in Accept-Language. No cookie keeps it.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import datetime
from importlib.resources import files
from urllib.parse import quote

LANGUAGES: Mapping[str, str] = {"en": "English", "de": "Deutsch"}
"""By tag (RFC 5646), in its own name; the first one has no prefix in addresses."""
DEFAULT_LANGUAGE = next(iter(LANGUAGES))
_language: ContextVar[str] = ContextVar("language", default=DEFAULT_LANGUAGE)
_page: ContextVar[str] = ContextVar("page", default="/")


class Words:
    """One language."""

    def __init__(self, language: str, texts: Mapping[str, str]) -> None:
        self.language = language
        self._texts = texts

    def say(self, key: str, /, **values: object) -> str:
        """The text of `key` with `values` filled in.

        Raises:
            KeyError: the catalogue lacks the key, or the text a value.
        """
        text = self._texts[key]
        return text.format(**values) if values else text

    def count(self, key: str, number: int, /, **values: object) -> str:
        """The counted text: `key.one` for 1, else `key.other`, with `{n}` written for people."""
        form = "one" if number == 1 else "other"
        return self.say(f"{key}.{form}", n=self.number(number), **values)

    def has(self, key: str) -> bool:
        """Is there such a text?"""
        return key in self._texts

    def number(self, number: int) -> str:
        """`12,404` in English."""
        return f"{number:,}".replace(",", self._texts["number.thousands"])

    def day(self, moment: datetime) -> str:
        """`22 November 2026`; the month is a word, because 3/4 is read in two ways."""
        return self.say("date.day", day=moment.day, month=self._month(moment.month), year=moment.year)

    def month(self, text: str) -> str:
        """`2026-05` as `May 2026`."""
        year, month = text.split("-")
        return self.say("date.month", month=self._month(int(month)), year=year)

    def minute(self, moment: datetime) -> str:
        """`22 November 2026, 14:03 UTC`."""
        return self.say("date.minute", day=self.day(moment), time=moment.strftime("%H:%M"))

    def part(self, prefix: str) -> dict[str, str]:
        """All texts under `prefix.`, by the rest of their key: what a script needs."""
        start = f"{prefix}."
        return {key[len(start) :]: text for key, text in self._texts.items() if key.startswith(start)}

    def _month(self, number: int) -> str:
        return self._texts["date.months"].split()[number - 1]


def words() -> Words:
    """The catalogue of the request that is being answered."""
    return catalogue(_language.get())


@functools.cache
def catalogue(language: str) -> Words:
    """Read the catalogue of `language`, one of LANGUAGES, from the package."""
    text = (files("api") / "catalogue" / f"{language}.json").read_text(encoding="utf-8")
    return Words(language, json.loads(text))


def speak(path: str, accept_language: str) -> None:
    """Choose the language that this request is answered in, by its path and header."""
    first, _, rest = path[1:].partition("/")
    named = first if first in LANGUAGES and first != DEFAULT_LANGUAGE else DEFAULT_LANGUAGE
    _language.set(_first_known(accept_language) if path.startswith("/v1/") else named)
    _page.set(path if named == DEFAULT_LANGUAGE else f"/{rest}")


def prefix(language: str) -> str:
    """What addresses of pages begin with: `/de`; nothing for the default language."""
    return "" if language == DEFAULT_LANGUAGE else f"/{language}"


def link(path: str) -> str:
    """The address of a page in the language of this request."""
    return prefix(_language.get()) + path


def nowhere() -> None:
    """There is no page at this address: what stands in it goes into no link."""
    _page.set("/")


def this_page(language: str) -> str:
    """The address of the page that is being answered, in `language`."""
    # Not as it was asked for: of `//elsewhere.example/` a browser makes an address of somebody else.
    return f"{prefix(language)}/{quote(_page.get().lstrip('/'))}"


def _first_known(accept_language: str) -> str:
    """The first wish that can be met (RFC 9110 12.5.4); browsers write them in the order of their weights."""
    for wish in accept_language.lower().split(",", maxsplit=8):
        tag = wish.partition(";")[0].strip().partition("-")[0]
        if tag in LANGUAGES:
            return tag
    return DEFAULT_LANGUAGE
