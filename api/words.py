"""Every word that a person reads here, in one catalogue a language, so that a second language is one more file.

A catalogue is flat JSON, `"start.title": "Have I been scraped?"`. Values are plain text, never markup; `{name}` is
filled in. A counted sentence has two keys, `.one` and `.other`. A missing key raises, so that no page is ever shown
with a hole in it.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from datetime import datetime
from importlib.resources import files


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


@functools.cache
def words(language: str = "en") -> Words:
    """Read the catalogue of `language` ("en") from the package."""
    text = (files("api") / "catalogue" / f"{language}.json").read_text(encoding="utf-8")
    return Words(language, json.loads(text))
