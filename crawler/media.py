"""What a response is called by its server. What it is, is found out by reading it."""

from __future__ import annotations

from email.message import Message
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the workers read content types and make no requests
    from crawler.fetch import Head

_HTML_TYPES = frozenset({"text/html", "application/xhtml+xml"})


def media_type(head: Head) -> str:
    """The Content-Type without parameters, lower case."""
    return head.get("Content-Type").partition(";")[0].strip().lower()


def is_page(head: Head) -> bool:
    """Does the server call it HTML?"""
    return media_type(head) in _HTML_TYPES


def is_picture(head: Head) -> bool:
    """Does the server call it a picture? Only asked of what was linked as a page; what is embedded is tried anyway."""
    return media_type(head).startswith("image/")


def charset_of(content_type: str) -> str:
    """The charset of a Content-Type; empty: none is named."""
    message = Message()
    message["Content-Type"] = content_type
    value = message.get_param("charset")
    return value if isinstance(value, str) else ""
