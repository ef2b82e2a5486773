"""Bytes of a document -> its text, as browsers read it.

Source: Encoding Standard 4.2 and 6 (labels, decode), https://encoding.spec.whatwg.org/, by webencodings; HTML Standard
13.2.3 (encoding sniffing) and RFC 7303 3 (XML): a byte order mark, then the header, then the document itself, then
UTF-8.
"""

from __future__ import annotations

import re

import webencodings

_META_CHARSET = re.compile(rb"<meta[^>]{0,200}charset\s*=\s*[\"']?\s*([A-Za-z0-9_:.-]{1,40})", re.IGNORECASE)
_XML_ENCODING = re.compile(rb"\s*<\?xml[^>]{0,200}?encoding\s*=\s*[\"']\s*([A-Za-z0-9_:.-]{1,40})")
_CHARSET = re.compile(r";\s*charset\s*=\s*[\"']?\s*([^\s\"';,]{1,40})", re.IGNORECASE)


def decode_text(body: bytes, charset: str) -> str:
    """The text of a page or feed, without its byte order mark.

    Args:
        charset: from the Content-Type; empty: none is named. A label that is none of the web's counts as not named.
    """
    named = webencodings.lookup(charset) or _declared(body) or webencodings.UTF8
    return str(webencodings.decode(body, named, "replace")[0])


def ascii_readable(body: bytes, content_type: str) -> bytes:
    """The page in an encoding in which words of ASCII can be read: UTF-16 by its header alone becomes UTF-8."""
    named = webencodings.lookup(charset_of(content_type))
    if named is None or not named.name.startswith("utf-16"):
        return body
    return decode_text(body, named.name).encode("utf-8", "replace")


def charset_of(content_type: str) -> str:
    """The charset of a Content-Type; empty: none is named."""
    match = _CHARSET.search(content_type[:1000])
    return match[1] if match else ""


def media_type_of(content_type: str) -> str:
    """A Content-Type without its parameters, in lower case."""
    return content_type.partition(";")[0].strip().lower()


def _declared(body: bytes) -> webencodings.Encoding | None:
    match = _XML_ENCODING.match(body[:1024]) or _META_CHARSET.search(body[:1024])
    named = webencodings.lookup(match[1].decode("ascii")) if match else None
    # HTML Standard 13.2.3.2: what could be read as ASCII is not in UTF-16, whatever it says.
    return webencodings.UTF8 if named and named.name.startswith("utf-16") else named
