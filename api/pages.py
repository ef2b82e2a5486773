"""Templates to HTML. Autoescape everywhere; the words come from the catalogue, never from a template or a script."""

from __future__ import annotations

import functools
import hashlib
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from starlette.responses import HTMLResponse

from api.words import Words
from checker.settings import Settings

PLACES_SHOWN = 3
"""Of one copy, in an answer. The rest is one press away, so that the way to say no is not 60,000 pixels down."""
COPIES_SHOWN = 5


class Pages:
    """Renders the pages of one installation in one language."""

    def __init__(self, words: Words, settings: Settings) -> None:
        self.words = words
        self._environment = Environment(
            loader=PackageLoader("api", "templates"),
            autoescape=select_autoescape(default=True, default_for_string=True),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.globals |= {
            "say": words.say,
            "count": words.count,
            "number": words.number,
            "day": words.day,
            "minute": words.minute,
            "script_words": words.part("script"),
            "language": words.language,
            "asset": asset_path,
            "operator": settings.operator,
            "contact": settings.contact,
            "settings": settings,
            "shown_places": PLACES_SHOWN,
            "shown_copies": COPIES_SHOWN,
        }

    def html(self, template: str, **values: Any) -> str:
        """Fill in a template."""
        return self._environment.get_template(template).render(**values)

    def page(self, template: str, *, status_code: int = 200, **values: Any) -> HTMLResponse:
        """A whole page as an answer."""
        headers = {"Content-Language": self.words.language}
        return HTMLResponse(self.html(template, **values), status_code=status_code, headers=headers)


@functools.cache
def asset_path(name: str) -> str:
    """`/static/style.css?v=1f0c...`: the digest changes with the contents, so a browser may keep the file for good."""
    content = (files("api") / "static" / name).read_bytes()
    return f"/static/{name}?v={hashlib.sha256(content).hexdigest()[:12]}"
