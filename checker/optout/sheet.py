"""One sheet of HTML that stands alone: style inside, no script, nothing fetched, the same on a phone and on paper.

What is filled in comes from strangers (names of files, keys, addresses). It is text and never markup: the templates
escape it, and control and direction characters are shown as codes, so that it can neither run nor turn a line round.
The policy in the page's head allows its own style, by digest, and nothing else (CSP Level 3, section 6.1).

The words of a sheet stand in `catalogue/SHEET.LANGUAGE.json`, flat JSON of plain text as in api/catalogue: a further
language is one more file. `{name}` is filled in; a counted text has two keys, `.one` and `.other`.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from checker.console import one_line
from checker.optout.operators import day_in_words

TEXT_LETTERS_MAX = 1_000
"""Of one text that is filled in: names in an archive may have a megabyte each, and nobody reads that."""
_STYLE = "sheet.css"


LANGUAGE = "en"
"""Of a sheet that is in one language alone, and where there is no catalogue in the one that was asked for."""


class SheetWords:
    """The words of one sheet in one language."""

    def __init__(self, language: str, texts: Mapping[str, str]) -> None:
        self.language = language
        self._texts = texts

    def say(self, key: str, /, **values: Any) -> Markup:
        """The text of `key`, escaped, with `values` filled in, which are escaped unless they are Markup.

        Raises:
            KeyError: the catalogue lacks the key, or the text a value.
        """
        return escape(self._texts[key]).format(**{name: _visible(value) for name, value in values.items()})

    def count(self, key: str, number: int, /) -> Markup:
        """The counted text: `key.one` for 1, else `key.other`, with `{n}` written for people."""
        return self.say(f"{key}.{'one' if number == 1 else 'other'}", n=self.number(number))

    def number(self, number: int) -> str:
        """`12,404` in English."""
        return f"{number:,}".replace(",", self._texts["number.thousands"])

    def minute(self, moment: datetime) -> Markup:
        """`22 November 2026, 14:09 UTC`; the month is a word, because 3/4 is read in two ways."""
        month = self._texts["date.months"].split()[moment.month - 1]
        time = moment.strftime("%H:%M")
        return self.say("date.minute", day=moment.day, month=month, year=moment.year, time=time)


@functools.cache
def sheet_words(sheet: str, language: str) -> SheetWords:
    """The words of a sheet, in English where there are none in `language` (RFC 5646 tag, "de")."""
    there = {file.name: file for file in (files("checker.optout") / "catalogue").iterdir()}
    spoken = language if f"{sheet}.{language}.json" in there else LANGUAGE
    return SheetWords(spoken, json.loads(there[f"{sheet}.{spoken}.json"].read_text(encoding="utf-8")))


def fill_in(template: str, *, language: str = LANGUAGE, **values: Any) -> str:
    """The page that a template of this package makes of these values. `language`: of its words (RFC 5646 tag)."""
    style = _style()
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode("ascii")
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    # Markup: our own file, and it has to reach the browser byte for byte, or its digest is another.
    return _environment().get_template(template).render(style=Markup(style), policy=policy, language=language, **values)  # noqa: S704


def _visible(value: Any) -> Any:
    """Texts cut, and with control and direction characters as codes (`\\u202e`); all else as it is."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return one_line(value if len(value) <= TEXT_LETTERS_MAX else f"{value[:TEXT_LETTERS_MAX]}…")


def _number(value: int) -> str:
    """`12,404`."""
    return f"{value:,}"


@functools.cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("checker.optout", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": _number, "day": day_in_words}
    return environment


@functools.cache
def _style() -> str:
    return (files("checker.optout") / "templates" / _STYLE).read_text(encoding="utf-8")
