"""One sheet of HTML that stands alone: style inside, no script, nothing fetched, the same on a phone and on paper.

What is filled in comes from strangers (names of files, keys, addresses). It is text and never markup: the templates
escape it, and control and direction characters are shown as codes, so that it can neither run nor turn a line round.
The policy in the page's head allows its own style, by digest, and nothing else (CSP Level 3, section 6.1).
"""

from __future__ import annotations

import base64
import functools
import hashlib
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from checker.console import one_line
from checker.optout.operators import day_in_words

TEXT_LETTERS_MAX = 1_000
"""Of one text that is filled in: names in an archive may have a megabyte each, and nobody reads that."""
_STYLE = "sheet.css"


def fill_in(template: str, **values: Any) -> str:
    """The page that a template of this package makes of these values."""
    style = _style()
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode("ascii")
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    # Markup: our own file, and it has to reach the browser byte for byte, or its digest is another.
    return _environment().get_template(template).render(style=Markup(style), policy=policy, **values)  # noqa: S704


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
