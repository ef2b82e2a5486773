"""Styles -> the pictures that they name: `url()`, `src()` and the strings of `image-set()`.

The tokens are tinycss2's. Of a style sheet only the rules that name an address are given to it, since it reads 1.5 MB/s
and pages carry half a megabyte: from the brace before the address to the brace behind it. Fonts (`src:`), imported
style sheets and namespaces are no pictures.

Source: CSS Syntax Level 3, 4.3 and 5.4.6; CSS Values and Units 4, 4.5 (url, src); CSS Images 4, 2.4 (image-set).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import tinycss2

_ADDRESS = re.compile(r"(?:url|src|image-set|image)\(", re.IGNORECASE)
_COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)
_ADDRESS_FUNCTIONS = frozenset({"url", "src"})
_IMAGE_FUNCTIONS = frozenset({"image-set", "-webkit-image-set", "image"})
_NO_PICTURE = re.compile(r"\.(woff2?|ttf|otf|eot|css|js|htc|xml|xbl|html?|mp4|webm)\s*([?#]|\Z)", re.IGNORECASE)


def rules_with_addresses(text: str) -> Iterator[str]:
    """The parts of a style sheet or style attribute in which an address may stand."""
    if not _ADDRESS.search(text):
        return
    text = _COMMENT.sub(" ", text)
    end = 0
    for match in _ADDRESS.finditer(text):
        if match.start() < end:
            continue
        brace = max(text.rfind("{", end, match.start()), text.rfind("}", end, match.start()))
        start = end if brace < 0 else brace + 1
        closing = text.find("}", match.end())
        end = len(text) if closing < 0 else closing
        yield text[start:end]


def addresses_in_rule(rule: str) -> Iterator[str]:
    """Give the addresses of pictures, as written, in order. Never raises."""
    tokens = tinycss2.parse_component_value_list(rule, skip_comments=True)
    yield from (href for href in _addresses(tokens) if not href.startswith("#") and not _NO_PICTURE.search(href))


def _addresses(tokens: Sequence[Any]) -> Iterator[str]:
    """Walk the tokens with a stack of our own: brackets may be nested deeper than Python calls itself."""
    stack = [(iter(tokens), "")]
    declared, at_rule = "", False
    while stack:
        level, function = stack[-1]
        token = next(level, None)
        if token is None:
            stack.pop()
        elif token.type == "at-keyword":
            at_rule = token.lower_value in ("import", "namespace")
        elif token.type == "literal" and token.value == ";":
            declared, at_rule = "", False
        elif token.type == "ident" and not function:
            declared = declared or token.lower_value
        elif token.type == "url" or (token.type == "string" and function):
            if not at_rule and declared != "src":
                yield token.value
        elif token.type == "function":
            named = token.lower_name
            inside = named in _ADDRESS_FUNCTIONS or named in _IMAGE_FUNCTIONS
            stack.append((iter(token.arguments), named if inside else ""))
        elif token.type in ("() block", "[] block", "{} block"):
            declared = ""
            stack.append((iter(token.content), ""))
