"""Templates to HTML. Autoescape everywhere; the words come from the catalogue, never from a template or a script."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from starlette.responses import HTMLResponse

from api.assets import asset_path, scripts
from api.words import LANGUAGES, Words, link, this_page, words
from checker.console import printable
from checker.settings import Settings

PLACES_SHOWN = 3
"""Of one copy, in an answer. The rest is one press away, so that the way to say no is not 60,000 pixels down."""
COPIES_SHOWN = 5


class Pages:
    """Renders the pages of one installation, each in the language of its request (words.py)."""

    def __init__(self, settings: Settings) -> None:
        self._environment = Environment(
            loader=PackageLoader("api", "templates"),
            autoescape=select_autoescape(default=True, default_for_string=True),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        # What strangers called things may hold characters that write backwards or not at all.
        self._environment.filters["printable"] = printable
        self._environment.globals |= {
            **{name: _spoken(name) for name in ("say", "count", "number", "day", "month", "minute")},
            "script_words": lambda: words().part("script"),
            "language": lambda: words().language,
            "languages": LANGUAGES,
            "link": link,
            "this_page": this_page,
            "asset": asset_path,
            "scripts": scripts,
            "operator": settings.operator,
            "contact": settings.contact,
            "settings": settings,
            "shown_places": PLACES_SHOWN,
            "shown_copies": COPIES_SHOWN,
        }

    @property
    def words(self) -> Words:
        """Those of the request that is being answered."""
        return words()

    def html(self, template: str, **values: Any) -> str:
        """Fill in a template."""
        return self._environment.get_template(template).render(**values)

    def page(self, template: str, *, status_code: int = 200, **values: Any) -> HTMLResponse:
        """A whole page as an answer."""
        headers = {"Content-Language": self.words.language}
        return HTMLResponse(self.html(template, **values), status_code=status_code, headers=headers)


def _spoken(name: str) -> Callable[..., str]:
    """A method of the words of the moment: macros see globals alone, which are bound once."""

    def speaking(*args: Any, **values: Any) -> str:
        text: str = getattr(words(), name)(*args, **values)
        return text

    return speaking
